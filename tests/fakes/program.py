"""A program of Quantum ESPRESSO that checks its input and answers with a recorded output."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hightc.makers.qe.inputs import read_namelists


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--say", type=Path, required=True, help="file to print")
    parser.add_argument("--lines", type=int, help="how many of its lines")
    parser.add_argument("--exit", type=int, default=0, help="return code")
    parser.add_argument("--complain", default="", help="text for stderr")
    parser.add_argument("--expect", action="append", default=[], help="namelist that the input must have")
    parser.add_argument("-in", dest="input", type=Path, required=True)
    arguments = parser.parse_args()
    with Path("starts").open("a") as starts:
        starts.write("started\n")
    missing = set(arguments.expect) - set(read_namelists(arguments.input))
    if missing:
        sys.exit(f"no namelist {sorted(missing)}")
    lines = arguments.say.read_text().splitlines(keepends=True)
    sys.stdout.write("".join(lines[: arguments.lines]))
    sys.stderr.write(arguments.complain)
    return int(arguments.exit)


if __name__ == "__main__":
    sys.exit(main())
