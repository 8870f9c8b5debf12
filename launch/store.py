"""The database: one MongoDB for FireWorks, documents and blobs, the embedded server where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, cast

from fireworks import LaunchPad
from jobflow import JobStore
from maggma.stores.gridfs import GridFSStore
from maggma.stores.mongolike import MongoStore
from pymongo import MongoClient
from pymongo.database import Database as MongoDatabase
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from hightc.launch import embedded_mongo
from hightc.launch.brief_launchpad import BriefLaunchPad
from hightc.launch.errors import DatabaseAwayError, DatabaseError
from hightc.launch.made_fireworks import drop_made_before, rerun_firework
from hightc.launch.out_of_time import is_out_of_time, put_back
from hightc.launch.patience import Patience, PatientCollection, PatientDatabase, PatientGridFSStore, PatientMongoStore
from hightc.launch.settings import Settings

DEFAULT_DATABASE = "hightc"
OUTPUTS = "outputs"
BLOBS = "outputs_blobs"
BLOB_STORE = "data"
"""Name of the additional store that jobs put large arrays into."""

SERVER_TIMEOUT_MS = 5000

EMBEDDED_IDLE_SECONDS = 600.0
"""The embedded server ends when nobody has used it for so long; the next command starts it again in under a second."""

OUTPUT_INDEXES: tuple[tuple[str, ...], ...] = (
    ("uuid",),
    ("name",),
    # in the order of a listing, by which it is read in pages
    ("output.kind", "output.campaign", "output.material"),
    ("output.campaign", "output.kind"),
    ("output.material", "output.kind"),
    ("output.formula", "output.kind"),
    ("output.elements", "output.kind"),
    ("output.lambda_", "output.kind"),
    tuple(f"output.critical_temperatures.{name}" for name in ("tc_kelvin", "method", "mu_star")),
)
"""What queries ask for first."""

WORKFLOW_INDEXES = ("metadata.campaign", "metadata.key")
FIREWORK_INDEXES = ("spec.campaign",)

FIREWORK_ORDERS: tuple[tuple[tuple[str, int], ...], ...] = (
    # the most urgent of the ready ones, which a worker takes
    (("spec.campaign", 1), ("state", 1), ("spec._priority", -1)),
    # the newest failures
    (("spec.campaign", 1), ("state", 1), ("fw_id", -1)),
    (("state", 1), ("fw_id", -1)),
)
WORKFLOW_ORDERS: tuple[tuple[tuple[str, int], ...], ...] = ((("metadata.campaign", 1), ("state", 1)),)


class CampaignLaunchPad(BriefLaunchPad):
    """FireWorks' LaunchPad, except that it breaks dead workers' locks, misses workflows at once, and doubles no jobs.

    FireWorks waits five minutes in the first two cases, and then leaves the firework RUNNING for ever; it keeps what a
    job made in its first run beside what it makes when it is rerun.
    """

    _patience: Patience | None = None

    def wait_with(self, patience: Patience) -> None:
        """Let every operation wait while the database is away.

        Parameters
        ----------
        patience
            How long.
        """
        self._patience = patience
        self.db: Any = PatientDatabase(self.connection[self.name], patience)
        for name in ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows"):
            setattr(self, name, PatientCollection(getattr(self, name), patience))

    def joined(self, command: Mapping[str, Any]) -> Any:
        """Run a command that writes to several collections, each write of which may be done twice."""
        ask = partial(super().joined, command)
        return ask() if self._patience is None else self._patience(ask)

    def rerun_fw(self, fw_id: int, *arguments: Any, **options: Any) -> Any:
        """Rerun a firework, as FireWorks does, once its workflow is free."""
        self._free_workflow(fw_id)
        return super().rerun_fw(fw_id, *arguments, **options)

    def complete_launch(self, launch_id: int, action: Any = None, state: str = "COMPLETED") -> Any:
        """Complete a launch, as FireWorks does; a rerun job leaves no jobs of its earlier run beside those it makes.

        A step that stopped because the job of the queue ends is made ready again.
        """
        if state == "FIZZLED" and is_out_of_time(action) and (launch := put_back(self, launch_id, action)):
            return launch
        fw_id = rerun_firework(self, launch_id) if state == "COMPLETED" else None
        if fw_id is not None:
            self._free_workflow(fw_id)
            drop_made_before(self, fw_id, OUTPUTS)
        return super().complete_launch(launch_id, action, state)


@dataclass(frozen=True)
class Database:
    """A reachable MongoDB.

    Attributes
    ----------
    uri
        Its URI, with the password if there is one: never printed.
    name
        Name of the database.
    embedded
        Whether it is the embedded single-machine server.
    patience
        How long LaunchPad, collections and job store wait while it is away; None: what they do then fails.
    """

    uri: str = field(repr=False)
    name: str
    embedded: bool
    patience: Patience | None = field(default=None, compare=False, repr=False)

    @property
    def address(self) -> str:
        """Where it is, without user and password."""
        if self.embedded:
            return "embedded server on this machine"
        hosts = ",".join(f"{host}:{port}" if port else str(host) for host, port in parse_uri(self.uri)["nodelist"])
        return f"{hosts}/{self.name}"

    @cached_property
    def client(self) -> MongoClient[dict[str, Any]]:
        """Ordinary pymongo client."""
        return MongoClient(self.uri, serverSelectionTimeoutMS=SERVER_TIMEOUT_MS)

    @property
    def collections(self) -> MongoDatabase[dict[str, Any]]:
        """The database's collections."""
        found = self.client[self.name]
        return found if self.patience is None else cast("MongoDatabase[Any]", PatientDatabase(found, self.patience))

    @cached_property
    def launchpad(self) -> LaunchPad:
        """FireWorks' LaunchPad on this database."""
        launchpad = CampaignLaunchPad(
            host=self.uri,
            name=self.name,
            uri_mode=True,
            strm_lvl="WARNING",
            mongoclient_kwargs={"serverSelectionTimeoutMS": SERVER_TIMEOUT_MS},
        )
        # a MongoDB answers before its disk does: there a trip is short, and its users may not have the command
        launchpad.joins_writes = self.embedded
        if self.patience is not None:
            launchpad.wait_with(self.patience)
        return launchpad

    def close(self) -> None:
        """End the connections; the next use makes new ones."""
        for name in ("client", "launchpad"):
            connected = self.__dict__.pop(name, None)
            if connected is not None:
                (connected.connection if name == "launchpad" else connected).close()

    def job_store(self) -> JobStore:
        """Where jobflow keeps documents and, beside them, large arrays."""
        if self.patience is not None:
            soon = {"serverSelectionTimeoutMS": SERVER_TIMEOUT_MS}
            blobs = PatientGridFSStore(self.patience, self.name, BLOBS, uri=self.uri, mongoclient_kwargs=soon)
            return JobStore(
                PatientMongoStore(self.patience, self.name, OUTPUTS, uri=self.uri, mongoclient_kwargs=soon),
                additional_stores={BLOB_STORE: blobs},
            )
        return JobStore(
            MongoStore(self.name, OUTPUTS, uri=self.uri),
            additional_stores={BLOB_STORE: GridFSStore(self.name, BLOBS, uri=self.uri)},
        )

    def prepare(self) -> None:
        """Make the counters and indexes that FireWorks and the queries need; what exists stays.

        Raises
        ------
        DatabaseError
            If the database refuses.
        """
        try:
            self._prepare()
        except OperationFailure as error:
            msg = (
                f"MongoDB at {self.address} refused to make counters and indexes ({error.code}): the user of "
                f"HIGHTC_MONGO_URI needs the role readWrite on database {self.name}, which is to be hightc's alone"
            )
            raise DatabaseError(msg) from None

    def _prepare(self) -> None:
        launchpad = self.launchpad
        counters = launchpad.fw_id_assigner
        if counters.count_documents({}) == 0:
            counters.update_one({"_id": -1}, {"$setOnInsert": {"next_fw_id": 1, "next_launch_id": 1}}, upsert=True)
        launchpad.wf_user_indices = list(WORKFLOW_INDEXES)
        launchpad.user_indices = list(FIREWORK_INDEXES)
        launchpad.tuneup()
        for collection, orders in ((launchpad.fireworks, FIREWORK_ORDERS), (launchpad.workflows, WORKFLOW_ORDERS)):
            for order in orders:
                collection.create_index(list(order))
        outputs = self.collections[OUTPUTS]
        for index in OUTPUT_INDEXES:
            outputs.create_index([(name, 1) for name in index])
        outputs.create_index([("uuid", 1), ("index", 1)], unique=True)


def open_database(settings: Settings) -> Database:
    """Reach the database of the settings, starting the embedded server where none is named.

    Parameters
    ----------
    settings
        Settings of this machine.

    Raises
    ------
    DatabaseError
        If the URI is wrong or nobody answers.
    """
    if settings.mongo_uri is None:
        try:
            uri = embedded_mongo.start(settings.data_directory / "mongo", idle_exit_seconds=EMBEDDED_IDLE_SECONDS)
        except embedded_mongo.EmbeddedMongoError as error:
            raise DatabaseError(str(error)) from None
        except OSError as error:
            msg = (
                f"embedded database: {settings.data_directory / 'mongo'} cannot be made or used ({error.strerror}): "
                "set HIGHTC_DATA_DIRECTORY to a folder of your own"
            )
            raise DatabaseError(msg) from None
        return Database(uri=uri, name=DEFAULT_DATABASE, embedded=True)
    uri = settings.mongo_uri.get_secret_value()
    advice = "check HIGHTC_MONGO_URI and that the server runs, or unset it to use the embedded server"
    try:
        name = parse_uri(uri)["database"] or DEFAULT_DATABASE
        database = Database(uri=uri, name=name, embedded=_is_socket(uri))
        database.client.admin.command("ping")
    except (InvalidURI, ValueError):
        msg = f"HIGHTC_MONGO_URI is not a MongoDB URI: expected mongodb://host:27017/hightc: {advice}"
        raise DatabaseError(msg) from None
    except ConfigurationError:
        msg = f"HIGHTC_MONGO_URI cannot be used: a host that is not in the DNS, or a wrong option: {advice}"
        raise DatabaseError(msg) from None
    except OperationFailure as error:
        database.client.close()
        msg = f"MongoDB at {database.address} refused the login ({error.code}): {advice}"
        raise DatabaseError(msg) from None
    except PyMongoError:
        database.client.close()
        msg = f"MongoDB at {database.address} does not answer within {SERVER_TIMEOUT_MS // 1000} s: {advice}"
        raise DatabaseAwayError(msg) from None
    return database


def _is_socket(uri: str) -> bool:
    """Whether a URI leads to a Unix-domain socket, as that of the embedded server does."""
    return any(str(host).endswith(".sock") for host, _ in parse_uri(uri)["nodelist"])
