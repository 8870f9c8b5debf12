"""kill -9 at random moments under load: every acknowledged write is there after a restart, and none twice."""

import os
import random
import signal
import threading
import time

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from hightc.launch import embedded_mongo

N_KILLS = 20
N_WRITERS = 4


class Writer(threading.Thread):
    """Inserts numbered documents, counts in one, and remembers what was acknowledged."""

    def __init__(self, uri, name, first):
        super().__init__()
        self.uri, self.counter, self.next = uri, name, first
        self.inserted = []
        self.counted = 0
        self.removed = []

    def run(self):
        with MongoClient(self.uri, serverSelectionTimeoutMS=200, retryWrites=False) as client:
            database = client.get_default_database()
            try:
                while True:
                    identifier = f"{self.counter}-{self.next}"
                    self.next += 1
                    database.c.insert_one({"_id": identifier, "n": self.next, "pad": "x" * random.randrange(500)})
                    self.inserted.append(identifier)
                    database.counters.update_one({"_id": self.counter}, {"$inc": {"n": 1}}, upsert=True)
                    self.counted += 1
                    if self.next % 7 == 0:
                        database.c.delete_one({"_id": identifier})
                        self.removed.append(identifier)
            except PyMongoError:
                return


def test_kill_9_under_load_loses_no_acknowledged_write_and_doubles_none(tmp_path):
    directory = tmp_path / "db"
    generator = random.Random(20260101)
    present, gone = set(), set()
    counted = dict.fromkeys(map(str, range(N_WRITERS)), 0)
    first = 0
    try:
        for _ in range(N_KILLS):
            uri = embedded_mongo.start(directory)
            writers = [Writer(uri, name, first) for name in counted]
            for writer in writers:
                writer.start()
            time.sleep(generator.uniform(0.05, 0.4))
            os.kill(embedded_mongo.status(directory).pid, signal.SIGKILL)
            for writer in writers:
                writer.join()
            first = max(writer.next for writer in writers)
            for writer in writers:
                # The write under way when the server died may have happened or not; at most one of them a round.
                present |= set(writer.inserted)
                gone |= set(writer.removed)
                counted[writer.counter] += writer.counted
            with MongoClient(embedded_mongo.start(directory)) as client:
                database = client.get_default_database()
                found = [document["_id"] for document in database.c.find({}, {"_id": 1})]
                counters = {document["_id"]: document["n"] for document in database.counters.find()}
            assert len(found) == len(set(found))
            unsure = {writer.inserted[-1] for writer in writers if writer.inserted}
            assert present - gone - unsure <= set(found)
            assert not gone & set(found)
            for name, acknowledged in counted.items():
                assert acknowledged <= counters.get(name, 0) <= acknowledged + 1, name
                counted[name] = counters.get(name, 0)
            present, gone = set(found), set()
        assert len(present) > 200, "the writers were never really at work"
    finally:
        embedded_mongo.stop(directory)
