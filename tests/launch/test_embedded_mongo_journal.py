"""Durability: what is on disk is what was acknowledged, whatever happens to the file or the process."""

import os
import shutil
import struct
import threading
from datetime import datetime

import pytest
from bson import Int64, ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st

from hightc.launch.embedded_mongo import commands_admin, commands_query, commands_write
from hightc.launch.embedded_mongo.commands import run
from hightc.launch.embedded_mongo.cursors import Cursors
from hightc.launch.embedded_mongo.engine import Engine
from hightc.launch.embedded_mongo.errors import JournalCorruptError, JournalWriteError
from hightc.launch.embedded_mongo.indexes import IndexSpecification
from hightc.launch.embedded_mongo.journal import PREAMBLE, Journal, frame
from hightc.launch.embedded_mongo.wire import Request, decode

COMMANDS = (commands_admin, commands_query, commands_write)
HEADER_BYTES = 16


def contents(engine):
    """Everything an engine holds, in natural order, with its indexes."""
    return {
        name: (list(engine.collection(name).bodies()), engine.collection(name).indexes) for name in engine.namespaces()
    }


def reopened(directory):
    engine = Engine(directory)
    found = contents(engine)
    engine.close()
    return found


def written(directory, payloads):
    journal = Journal(directory)
    assert list(journal.open()) == []
    for payload in payloads:
        journal.wait(journal.append(payload))
    journal.close()
    return journal.path


def replayed(directory):
    journal = Journal(directory)
    payloads = list(journal.open())
    journal.close()
    return payloads


def test_records_come_back_in_order(tmp_path):
    written(tmp_path, [b"one", b"", b"three" * 1000])
    assert replayed(tmp_path) == [b"one", b"", b"three" * 1000]


def test_every_cut_through_the_last_record_loses_that_record_only(tmp_path, caplog):
    path = written(tmp_path, [b"first", b"second"])
    whole = path.read_bytes()
    last_start = len(whole) - HEADER_BYTES - len(b"second")
    for end in range(last_start + 1, len(whole)):
        path.write_bytes(whole[:end])
        caplog.clear()
        assert replayed(tmp_path) == [b"first"]
        assert "torn" in caplog.text
        assert path.stat().st_size == last_start
        assert (tmp_path / f"journal.torn-at-{last_start}").read_bytes() == whole[last_start:end]


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\0" * 3, b"HtJ rubbish without a header"])
def test_a_tail_that_never_became_a_record_is_cut(tmp_path, tail):
    path = written(tmp_path, [b"first"])
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert replayed(tmp_path) == [b"first"]
    assert path.read_bytes() == whole


def test_writing_goes_on_after_a_torn_tail(tmp_path):
    path = written(tmp_path, [b"first", b"second"])
    path.write_bytes(path.read_bytes()[:-1])
    journal = Journal(tmp_path)
    assert list(journal.open()) == [b"first"]
    journal.wait(journal.append(b"third"))
    journal.close()
    assert replayed(tmp_path) == [b"first", b"third"]


def test_every_damaged_byte_before_the_last_record_is_refused(tmp_path):
    path = written(tmp_path, [b"first", b"second", b"third"])
    whole = path.read_bytes()
    last_start = len(whole) - HEADER_BYTES - len(b"third")
    for position in range(last_start):
        damaged = bytearray(whole)
        damaged[position] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(JournalCorruptError, match=r"offset .*expected .*found .*truncate -s") as raised:
            replayed(tmp_path)
        assert str(path) in str(raised.value)
        assert path.read_bytes() == damaged, "a refused journal is left as it is"


def test_another_file_in_the_journals_place_is_refused(tmp_path):
    (tmp_path / "journal").write_bytes(b"something else entirely")
    with pytest.raises(JournalCorruptError, match="preamble"):
        replayed(tmp_path)


def test_a_length_that_is_damaged_does_not_lead_astray(tmp_path):
    path = written(tmp_path, [b"first", b"second"])
    whole = bytearray(path.read_bytes())
    struct.pack_into("<I", whole, len(PREAMBLE) + 4, 2**31)
    path.write_bytes(whole)
    with pytest.raises(JournalCorruptError, match="frame header"):
        replayed(tmp_path)


def test_clients_that_wait_together_share_a_write(tmp_path):
    journal = Journal(tmp_path)
    list(journal.open())
    barrier = threading.Barrier(8)

    def client(number):
        barrier.wait()
        for step in range(50):
            journal.wait(journal.append(bytes([number, step])))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    together = b"".join(replayed(tmp_path))
    pairs = list(zip(together[::2], together[1::2], strict=True))
    assert sorted(pairs) == [(number, step) for number in range(8) for step in range(50)]
    assert [step for number, step in pairs if number == 3] == list(range(50))
    assert journal.frames < 400, "no two clients ever shared a write"


def test_a_disk_that_refuses_stops_all_acknowledgement(tmp_path):
    journal = Journal(tmp_path)
    list(journal.open())
    journal._file.close()
    # /dev/full answers every write with "no space left on device".
    journal._file = open("/dev/full", "ab", buffering=0)  # noqa: PTH123, SIM115
    with pytest.raises(JournalWriteError, match="nothing more is acknowledged"):
        journal.wait(journal.append(b"lost"))
    with pytest.raises(JournalWriteError):
        journal.wait(journal.append(b"lost too"))
    journal._file.close()


def full_engine(directory, checkpoint=lambda _step: None):
    engine = Engine(directory, journal=Journal(directory, checkpoint))
    with engine.durable():
        engine.create_index("d.c", IndexSpecification("a_1", (("a", 1),), unique=True))
        for number in range(300):
            engine.insert("d.c", {"_id": number, "a": number, "s": "x" * 100})
        for number in range(0, 300, 2):
            engine.remove("d.c", number)
        engine.insert("d.other", {"_id": ObjectId(), "t": datetime(2026, 1, 1), "l": Int64(1)})
        engine.create("d.empty")
    return engine


def test_a_crash_between_any_two_steps_of_a_compaction_loses_and_doubles_nothing(tmp_path):
    live, crashes = tmp_path / "live", tmp_path / "crashes"
    live.mkdir()
    steps = []

    def crash_here(step):
        shutil.copytree(live, crashes / f"{len(steps)}")
        steps.append(step)

    engine = full_engine(live, crash_here)
    expected = contents(engine)
    engine.compact()
    assert {"before the new journal", "frame written", "new journal on disk", "renamed", "directory on disk"} <= set(
        steps
    )
    for number, step in enumerate(steps):
        assert reopened(crashes / str(number)) == expected, step
        assert not (crashes / str(number) / "journal.new").exists(), "what a crash left is cleaned"
    with engine.durable():
        engine.insert("d.c", {"_id": "after", "a": "after"})
    expected = contents(engine)
    engine.close()
    assert reopened(live) == expected


def test_compaction_shrinks_the_journal_and_keeps_natural_order(tmp_path):
    engine = full_engine(tmp_path)
    before, expected = engine.journal.bytes, contents(engine)
    engine.compact()
    assert engine.journal.bytes < 0.6 * before
    engine.close()
    assert reopened(tmp_path) == expected


def test_the_journal_is_compacted_when_it_outgrows_the_data(tmp_path):
    engine = Engine(tmp_path)
    largest = 0
    for number in range(60):
        with engine.durable():
            found = list(engine.collection("d.c").find({}))
            document = {"_id": 1, "n": number, "s": "x" * 2_000_000}
            if found:
                engine.replace("d.c", found[0].position, found[0].body, document)
            else:
                engine.insert("d.c", document)
        largest = max(largest, engine.journal.bytes)
    assert largest < 45_000_000, "60 versions of 2 MB were written"
    engine.close()
    ((body,), _) = reopened(tmp_path)["d.c"]
    assert decode(body)["n"] == 59


def test_a_failed_compaction_leaves_the_old_journal_in_use(tmp_path, caplog):
    def fail(step):
        if step == "new journal on disk":
            raise OSError(28, "No space left on device")

    engine = full_engine(tmp_path, fail)
    engine.compact()
    assert "compaction failed" in caplog.text
    with engine.durable():
        engine.insert("d.c", {"_id": "after", "a": "after"})
    expected = contents(engine)
    engine.close()
    assert reopened(tmp_path) == expected


scalars = st.one_of(st.integers(-3, 3), st.sampled_from(["x", "y", None, True, 1.5]))
ids = st.integers(0, 6)
commands = st.one_of(
    st.builds(lambda i, v: {"insert": "c", "documents": [{"_id": i, "a": v}]}, ids, scalars),
    st.builds(
        lambda i, v: {"update": "c", "updates": [{"q": {"_id": i}, "u": {"$set": {"a": v}}, "upsert": True}]},
        ids,
        scalars,
    ),
    st.builds(
        lambda v, w: {"update": "c", "updates": [{"q": {"a": v}, "u": {"$set": {"b": w}}, "multi": True}]},
        scalars,
        scalars,
    ),
    st.builds(lambda v: {"delete": "c", "deletes": [{"q": {"a": v}, "limit": 0}]}, scalars),
    st.builds(
        lambda v: {"findAndModify": "c", "query": {"a": v}, "update": {"$push": {"l": v}}, "upsert": True}, scalars
    ),
    st.builds(
        lambda p, u: {"createIndexes": "c", "indexes": [{"key": {p: 1}, "name": f"{p}{u}", "unique": u}]},
        st.sampled_from(["a", "b"]),
        st.booleans(),
    ),
    st.just({"dropIndexes": "c", "index": "*"}),
    st.just({"drop": "c"}),
    st.just({"renameCollection": "d.c", "to": "d.c2", "dropTarget": True}),
    st.just({"dropDatabase": 1}),
    st.just({"compact": "c"}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(commands, max_size=25))
def test_replay_leads_to_the_state_that_was_left(tmp_path_factory, sequence):
    directory = tmp_path_factory.mktemp("replay")
    engine, cursors = Engine(directory), Cursors()
    for command in sequence:
        with engine.durable():
            run(engine, cursors, Request(1, {**command, "$db": "d"}))
    expected = contents(engine)
    # No close(): a crash leaves the journal as it is after the last acknowledgement.
    copy = tmp_path_factory.mktemp("copy")
    shutil.copy(directory / "journal", copy / "journal")
    assert reopened(copy) == expected
    engine.close()


def test_a_frame_is_what_the_format_says():
    made = frame(b"payload")
    assert made[:4] == b"\xf5HtJ"
    assert struct.unpack("<I", made[4:8]) == (7,)
    assert len(made) == HEADER_BYTES + 7


def test_the_journal_is_private_and_synced_before_the_wait_returns(tmp_path):
    journal = Journal(tmp_path)
    list(journal.open())
    ticket = journal.append(b"x" * 1000)
    assert os.stat(journal.path).st_size == len(PREAMBLE)  # noqa: PTH116
    journal.wait(ticket)
    assert journal.path.stat().st_size == len(PREAMBLE) + HEADER_BYTES + 1000
    journal.close()
