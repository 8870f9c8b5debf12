from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from uuid import uuid4

import numpy as np
import pytest
from fakes.chosen_server import is_embedded, with_database
from jobflow import job
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import (
    DOCUMENTS,
    Alpha2FDocument,
    CriticalTemperature,
    Document,
    ForceConstantsDocument,
    PhononDocument,
    Provenance,
    ScfDocument,
    StoredArray,
    TcDocument,
)
from hightc.analysis.documents.alpha2f import Plateau, SmearingMoments
from hightc.launch import embedded_mongo
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.queries import alpha2f_documents, documents, reduced_formula, tc_documents
from hightc.launch.query_output import COLUMNS, column_names, write_query
from hightc.launch.store import OUTPUTS, Database

ARRAY = np.arange(12.0).reshape(3, 4)
PROVENANCE = Provenance(
    input_sha256="0", codes={"ph.x": "6.7MaX"}, pseudopotentials=(), corrections=(), directory="/", wall_seconds=1.0
)


def who(campaign: str, material: str, formula: str, elements: tuple[str, ...]) -> dict[str, object]:
    return {"campaign": campaign, "material": material, "formula": formula, "elements": elements}


AL = who("screen", "Al", "Al", ("Al",))
PB = who("screen", "Pb", "Pb", ("Pb",))
OXIDE = who("screen", "mp-1", "PbO2", ("O", "Pb"))
COLD = who("screen", "Cu", "Cu", ("Cu",))
FAINT = who("other", "Mg", "Mg", ("Mg",))


def temperature(mu_star: float, kelvin: float | None, status: str, method: str = "allen_dynes") -> CriticalTemperature:
    return CriticalTemperature(
        method=method, mu_star=mu_star, status=status, tc_kelvin=kelvin, low_kelvin=None, high_kelvin=kelvin
    )


def tc(identity: dict[str, object], coupling: float, *entries: CriticalTemperature) -> TcDocument:
    return TcDocument(
        **identity,
        lambda_=coupling,
        omega_log_mev=5.0,
        omega_2_mev=6.0,
        smearing_ev=0.2,
        plateau_smearing_ev=(),
        lambda_low=coupling,
        lambda_high=coupling,
        mu_star_reference="omega_2",
        mu_star_reference_mev=6.0,
        critical_temperatures=entries,
        alpha2f_sha256="0",
    )


def alpha2f(identity: dict[str, object]) -> Alpha2FDocument:
    moments = SmearingMoments(
        lambda_=1.0,
        omega_log_mev=5.0,
        omega_2_mev=6.0,
        lambda_printed=None,
        omega_log_printed_mev=None,
        lambda_q_sum=None,
        lambda_clipped=0.0,
    )
    return Alpha2FDocument(
        **identity,
        structure=Structure(Lattice.cubic(4.0), ["Pb"], [[0, 0, 0]]),
        pressure_gpa=0.0,
        protocol="draft",
        route="linear_response",
        omega_mev=(1.0, 2.0),
        alpha2f=((0.1, 0.2),),
        smearing_ev=(0.2,),
        moments=(moments,),
        plateau=Plateau(status="no_plateau", indices=(), relative_spread=None),
        chosen_smearing=0,
        dos_per_ev_spin_cell=(0.3,),
        k_mesh=(8, 8, 8),
        k_mesh_dense=(16, 16, 16),
        q_mesh=(2, 2, 2),
        provenance=PROVENANCE,
    )


def scf(identity: dict[str, object], purpose: str) -> ScfDocument:
    return ScfDocument(
        **identity,
        purpose=purpose,
        structure=Structure(Lattice.cubic(4.0), ["Pb"], [[0, 0, 0]]),
        energy_ev=-1.0,
        fermi_ev=5.0,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(8, 8, 8),
        protocol="draft",
        provenance=PROVENANCE,
    )


def force_constants(identity: dict[str, object]) -> ForceConstantsDocument:
    return ForceConstantsDocument(
        **identity,
        structure=Structure(Lattice.cubic(4.0), ["Pb"], [[0, 0, 0]]),
        q_mesh=(2, 2, 2),
        force_constants=StoredArray.from_array(ARRAY),
        protocol="draft",
        provenance=PROVENANCE,
    )


@job(data="blob")
def compute(document: Document) -> Document:
    return document


STORED = (
    tc(PB, 3.0, temperature(0.10, 12.0, "found")),
    tc(PB, 1.2, temperature(0.10, 5.5, "found"), temperature(0.13, 4.8, "found")),
    tc(AL, 0.4, temperature(0.10, 1.2, "found"), temperature(0.10, 1.1, "found", "mcmillan")),
    tc(OXIDE, 0.7, temperature(0.10, 3.0, "found")),
    tc(COLD, 0.1, temperature(0.10, 0.0, "no_superconductivity")),
    tc(FAINT, 0.3, temperature(0.10, None, "below_range")),
    alpha2f(PB),
    alpha2f(AL),
    scf(PB, "dense"),
    scf(PB, "coarse"),
    force_constants(PB),
)


@pytest.fixture(scope="module")
def database(server):
    """A database with documents that jobflow stored, as campaigns do, oldest first."""
    name = f"hightc_test_{uuid4().hex[:12]}"
    found = Database(uri=with_database(server, name), name=name, embedded=is_embedded(server))
    with closing(found.client):
        with found.job_store() as store:
            for document in STORED:
                compute(document).run(store)
        yield found
        found.client.drop_database(name)


def labels(found) -> list[str]:
    return [document.material for document in found]


def test_documents_come_back_equal_ordered_by_campaign_and_material(database):
    found = list(tc_documents(database))
    assert labels(found) == ["Mg", "Al", "Cu", "Pb", "mp-1"]
    assert found[3] == STORED[1]


@pytest.mark.parametrize("formula", ["PbO2", "O2Pb", "Pb2O4"])
def test_formula_is_found_in_any_order_and_multiple(database, formula):
    assert labels(tc_documents(database, formula=formula)) == ["mp-1"]


def test_formula_that_nothing_has_finds_nothing(database):
    assert labels(tc_documents(database, formula="PbO")) == []


def test_elements_are_all_contained(database):
    assert labels(tc_documents(database, elements=["Pb"])) == ["Pb", "mp-1"]
    assert labels(tc_documents(database, elements=["Pb", "O"])) == ["mp-1"]
    assert labels(tc_documents(database, elements=["Pb", "Al"])) == []


def test_only_leaves_out_materials_with_more_elements(database):
    assert labels(tc_documents(database, elements=["Pb"], only=True)) == ["Pb"]
    assert labels(tc_documents(database, elements=["Pb", "O"], only=True)) == ["mp-1"]


def test_campaign_and_material_select(database):
    assert labels(tc_documents(database, campaign="other")) == ["Mg"]
    assert labels(tc_documents(database, campaign="screen", material="Al")) == ["Al"]


def test_bounds_are_included_and_either_may_be_left_out(database):
    assert labels(tc_documents(database, lambda_range=(0.4, 0.7))) == ["Al", "mp-1"]
    assert labels(tc_documents(database, lambda_range=(0.7, None))) == ["Pb", "mp-1"]
    assert labels(tc_documents(database, lambda_range=(None, 0.1))) == ["Cu"]


def test_older_document_does_not_answer_for_a_newer_one(database):
    assert labels(tc_documents(database, lambda_range=(2, None))) == []
    assert labels(tc_documents(database, tc_range=(10, None))) == []


def test_history_shows_older_documents(database):
    found = list(tc_documents(database, material="Pb", history=True))
    assert [document.lambda_ for document in found] == [3.0, 1.2]
    assert labels(tc_documents(database, lambda_range=(2, None), history=True)) == ["Pb"]


def test_tc_is_judged_by_method_and_mu_star(database):
    assert labels(tc_documents(database, tc_range=(5, 6))) == ["Pb"]
    assert labels(tc_documents(database, tc_range=(5, 6), mu_star=0.13)) == []
    assert labels(tc_documents(database, tc_range=(4, 5), mu_star=0.13)) == ["Pb"]
    assert labels(tc_documents(database, tc_range=(1, 2), method="mcmillan")) == ["Al"]


def test_zero_kelvin_is_a_tc_and_below_range_is_none(database):
    assert labels(tc_documents(database, tc_range=(None, 1.0))) == ["Cu"]


def test_spectra_are_found_by_the_tc_of_their_material(database):
    assert labels(alpha2f_documents(database)) == ["Al", "Pb"]
    assert labels(alpha2f_documents(database, lambda_range=(1, None))) == ["Pb"]
    assert labels(alpha2f_documents(database, lambda_range=(2, None), history=True)) == []
    assert labels(alpha2f_documents(database, tc_range=(1, 2), elements=["Al"])) == ["Al"]


def test_two_self_consistent_steps_of_a_material_do_not_replace_each_other(database):
    assert sorted(document.purpose for document in documents(database, ScfDocument)) == ["coarse", "dense"]


def test_arrays_are_fetched_on_request(database):
    (loaded,) = documents(database, ForceConstantsDocument, load_arrays=True)
    np.testing.assert_array_equal(loaded.force_constants.to_array(), ARRAY)
    (reference,) = documents(database, ForceConstantsDocument)
    with pytest.raises(ValueError, match="load_arrays=True"):
        reference.force_constants.to_array()


def test_kind_without_documents_finds_nothing(database):
    assert list(documents(database, PhononDocument)) == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"formula": "Pb2Ox"}, "formula: expected one such as MgB2"),
        ({"formula": ""}, "formula: expected one such as MgB2"),
        ({"formula": "nonsense!"}, "formula: expected one such as MgB2"),
        ({"elements": ["Pb", "Xx"]}, "found 'Xx'"),
        ({"elements": []}, "found none"),
        ({"only": True}, "only: expected elements beside it"),
        ({"lambda_range": (2, 1)}, "lambda_range: .* found 2.0 to 1.0"),
        ({"tc_range": (None, None)}, "tc_range: "),
        ({"tc_range": (float("nan"), None)}, "tc_range: "),
        ({"mu_star": -0.1}, "mu_star: "),
        ({"mu_star": float("nan")}, "mu_star: "),
        ({"method": "guess"}, "method: expected one of mcmillan"),
        ({"lamda_range": (1, 2)}, "unknown filter 'lamda_range': expected one of formula"),
    ],
)
def test_filter_without_a_meaning_is_refused_before_anything_is_read(database, filters, message):
    with pytest.raises(LaunchError, match=message):
        tc_documents(database, **filters)


def test_class_that_is_not_stored_is_refused(database):
    with pytest.raises(LaunchError, match="Document: expected a class that is stored"):
        documents(database, Document)


def test_document_of_another_version_is_refused_by_name(database):
    outputs = database.collections[OUTPUTS]
    future = {"kind": "phonon", "campaign": "future", "material": "H", "formula": "H", "elements": ["H"]}
    outputs.insert_one({"uuid": "u", "index": 1, "output": {**future, "schema_version": 99}})
    try:
        with pytest.raises(LaunchError, match=r"PhononDocument of H in campaign future \(uuid u\): .* another version"):
            list(documents(database, PhononDocument))
    finally:
        outputs.delete_one({"uuid": "u"})


def test_formula_of_elements_alone_is_reduced():
    assert reduced_formula("B4Mg2") == "MgB2"


def written(database, kind="tc", layout="json", limit=None, **filters) -> str:
    stream = io.StringIO()
    write_query(database, kind, filters, layout=layout, limit=limit, stream=stream)
    return stream.getvalue()


def test_json_is_one_array_with_a_row_a_line(database):
    text = written(database)
    rows = json.loads(text)
    assert len(text.splitlines()) == len(rows) + 2
    assert tuple(rows[0]) == column_names("tc")
    assert {row["material"]: row["tc_kelvin"] for row in rows} == {
        "Mg": None,
        "Al": 1.2,
        "Cu": 0.0,
        "Pb": 5.5,
        "mp-1": 3.0,
    }


def test_not_computed_is_told_from_below_range_and_from_zero(database):
    rows = json.loads(written(database, mu_star=0.13))
    assert {row["material"]: row["tc_status"] for row in rows}["Al"] == "not_computed"
    rows = json.loads(written(database))
    found = {row["material"]: row["tc_status"] for row in rows}
    assert (found["Mg"], found["Cu"]) == ("below_range", "no_superconductivity")


def test_csv_has_the_columns_of_json_and_a_header_even_when_empty(database):
    rows = list(csv.DictReader(io.StringIO(written(database, kind="alpha2f", layout="csv"))))
    assert tuple(rows[0]) == column_names("alpha2f")
    assert rows[0]["q_mesh"] == "2x2x2"
    assert rows[0]["plateau_relative_spread"] == ""
    assert written(database, kind="phonon", layout="csv") == ",".join(column_names("phonon")) + "\n"
    assert json.loads(written(database, kind="phonon")) == []


def test_whole_documents_can_be_read_back(database):
    (entry,) = json.loads(written(database, layout="documents", material="Pb"))
    assert TcDocument.model_validate(entry) == STORED[1]


def test_limit_ends_the_list(database):
    assert len(json.loads(written(database, limit=2))) == 2


def test_table_is_printed_with_its_convention(database, capsys):
    written(database, layout="table")
    out = capsys.readouterr().out
    assert "Tc by allen_dynes at mu* = 0.1" in out
    assert "5.5" in out
    written(database, layout="table", campaign="nowhere")
    assert capsys.readouterr().err == "no document meets the filters (of the kind tc, unless --kind names another)\n"


@pytest.mark.parametrize("kind", ["scf", "force_constants", "alpha2f"])
def test_every_stored_kind_becomes_rows(database, kind):
    assert all(tuple(row) == column_names(kind) for row in json.loads(written(database, kind=kind)))


def test_every_kind_of_document_has_columns():
    assert {"tc", *COLUMNS} == set(DOCUMENTS)


def test_database_that_stops_answering_is_an_expected_error(tmp_path):
    directory = tmp_path / "mongo"
    gone = Database(uri=embedded_mongo.start(directory) + "?serverSelectionTimeoutMS=200", name="hightc", embedded=True)
    embedded_mongo.stop(directory)
    with pytest.raises(DatabaseError, match="stopped answering"):
        written(gone)
    gone.client.close()
