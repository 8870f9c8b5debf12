from __future__ import annotations

import hashlib
import json

import pytest
from fakes.stored_documents import make_tc

from hightc.launch.errors import LaunchError
from hightc.launch.frozen_reading import ChangedFileError, FrozenAbout, about_path, layout_of, read_frozen
from hightc.launch.stored_form import stored_form


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(stored_form(make_tc("Pb", 5.0))) + "\n")
    about = FrozenAbout(
        file=path.name,
        kind="tc",
        query={},
        limit=None,
        arrays=False,
        count=1,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size_bytes=path.stat().st_size,
        hightc="0.1.0",
        created="2026-11-23T00:00:00+00:00",
        fields={},
    )
    about_path(path).write_text(about.model_dump_json())
    return path


def test_unchanged_file_is_read(written):
    frozen = read_frozen(str(written))
    assert [row["material"] for row in frozen.rows()] == ["Pb"]
    assert list(frozen.documents()) == [make_tc("Pb", 5.0)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.replace(b"5.0", b"6.0"), "expected sha256"),
        (lambda data: data + b"\n", "expected [0-9]+ bytes, found"),
        (lambda data: data[:-1], "bytes, found"),
        (lambda _: b"", "bytes, found 0"),
    ],
)
def test_changed_file_is_refused(written, change, message):
    written.write_bytes(change(written.read_bytes()))
    with pytest.raises(ChangedFileError, match=message):
        read_frozen(written)


@pytest.mark.parametrize("gone", ["data.jsonl", "data.jsonl.json"])
def test_missing_half_is_named(written, gone):
    written.with_name(gone).unlink()
    with pytest.raises(LaunchError, match=rf"{gone}: cannot be read \(No such file"):
        read_frozen(written)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (b"not JSON", "expected what hightc export writes"),
        (b'{"kind": "tc"}', "file: Field required"),
        (b"\xff", "expected what hightc export writes"),
    ],
)
def test_description_that_hightc_did_not_write_is_refused(written, about, message):
    about_path(written).write_bytes(about)
    with pytest.raises(LaunchError, match=message):
        read_frozen(written)


def test_unknown_kind_and_another_version_are_refused(written):
    about = json.loads(about_path(written).read_text())
    about_path(written).write_text(json.dumps({**about, "kind": "scf"}))
    with pytest.raises(LaunchError, match=r"data\.jsonl line 1: .* hightc 0\.1\.0 wrote it"):
        list(read_frozen(written).documents())
    about_path(written).write_text(json.dumps({**about, "kind": "guess"}))
    with pytest.raises(LaunchError, match="found 'guess'"):
        read_frozen(written)


def test_layout_is_that_of_the_ending(tmp_path):
    assert [layout_of(tmp_path / f"a.{ending}") for ending in ("jsonl", "parquet")] == ["jsonl", "parquet"]
    with pytest.raises(LaunchError, match="expected a name that ends with"):
        layout_of(tmp_path / "a.json")
