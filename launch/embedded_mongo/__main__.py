"""``python -m hightc.launch.embedded_mongo --directory DIR``: the server in the foreground."""

import argparse
import logging
import os
import sys
from pathlib import Path

from hightc.launch.embedded_mongo.engine import Limit
from hightc.launch.embedded_mongo.errors import EmbeddedMongoError
from hightc.launch.embedded_mongo.server import serve


def main() -> int:
    """Serve a directory and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hightc.launch.embedded_mongo", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="data directory, private to the user")
    parser.add_argument(
        "--idle-exit-seconds", type=float, default=0.0, help="end after so long without a client (0: never)"
    )
    parser.add_argument("--limit-documents", type=int, default=Limit.documents, help="refuse inserts past this number")
    parser.add_argument("--limit-bytes", type=int, default=Limit.data_bytes, help="refuse inserts past this size")
    asked = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    directory = Path(os.path.realpath(asked.directory))
    os.chdir("/")
    try:
        return serve(directory, asked.idle_exit_seconds, Limit(asked.limit_documents, asked.limit_bytes))
    except EmbeddedMongoError as error:
        logging.critical("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
