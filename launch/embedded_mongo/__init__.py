"""An embedded MongoDB stand-in for one machine.

mongomock-ng behind the real MongoDB wire protocol on a private Unix-domain socket, so that unpatched
FireWorks, maggma and pymongo work on a machine without MongoDB. What is acknowledged is on disk. It is for
one machine: past its limit, or for several machines, install MongoDB and set ``HIGHTC_MONGO_URI``.
"""

from hightc.launch.embedded_mongo.errors import (
    EmbeddedMongoError,
    ServerNotRunningError,
    ServerStartError,
    ServerStopError,
    UnsafeLocationError,
)
from hightc.launch.embedded_mongo.process import Status, start, status, stop, uri

__all__ = [
    "EmbeddedMongoError",
    "ServerNotRunningError",
    "ServerStartError",
    "ServerStopError",
    "Status",
    "UnsafeLocationError",
    "start",
    "status",
    "stop",
    "uri",
]
