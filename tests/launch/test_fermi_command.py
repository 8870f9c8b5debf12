"""Fermi surfaces of the database as files for other programs."""

from __future__ import annotations

import pytest
from fakes.square_lattice import NUMBERS, square_bands, square_document
from jobflow import job

from hightc.analysis.documents import FermiDocument
from hightc.launch.cli import main
from hightc.launch.store import Database


@job(data="blob", output_schema=FermiDocument)
def compute(document):
    return document


@pytest.fixture
def stored(settings, server, monkeypatch):
    """A database with one Fermi surface in each of two campaigns, and one material in one of them only."""
    monkeypatch.setenv("HIGHTC_MONGO_URI", server)
    database = Database(uri=server, name="hightc", embedded=False)
    surface = square_document(square_bands(mesh=(6, 6, 4)), NUMBERS)
    with database.job_store() as store:
        for campaign, material in (("test", "square"), ("test", "alone"), ("other", "square")):
            compute(surface.model_copy(update={"campaign": campaign, "material": material})).run(store)
    yield surface
    database.client.drop_database("hightc")
    database.client.close()


@pytest.mark.parametrize(
    ("options", "name", "begin"),
    [
        (["alone"], "square.frmsf", "6 6 4\n1\n1\n"),
        (["alone"], "square.bxsf", "BEGIN_INFO\n  Fermi Energy: 5.0"),
        (["square", "--campaign", "other", "--format", "frmsf"], "square.txt", "6 6 4\n1\n1\n"),
    ],
)
def test_surface_of_the_database_becomes_a_file(options, name, begin, stored, tmp_path, capsys):
    path = tmp_path / name
    assert main(["fermi", "export", *options, "-o", str(path)]) == 0
    assert path.read_text().startswith(begin)
    assert capsys.readouterr().out == f"{path}: {stored.formula}, 1 bands on (6, 6, 4) k points\n"


@pytest.mark.parametrize(
    ("options", "name", "message"),
    [
        (["alone"], "square.xyz", "expected a name that ends with .frmsf or .bxsf, or --format frmsf or bxsf"),
        (
            ["nothing"],
            "x.bxsf",
            "expected a stored Fermi surface, found none: hightc query --kind fermi lists",
        ),
        (["square"], "x.bxsf", "expected one Fermi surface, found one in each of other, test: choose with --campaign"),
        (["alone"], "no/x.bxsf", "cannot be written: No such file or directory: name a file in a folder that exists"),
    ],
)
def test_what_cannot_be_exported_is_told_in_one_line(options, name, message, stored, tmp_path, capsys):
    assert main(["fermi", "export", *options, "-o", str(tmp_path / name)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
