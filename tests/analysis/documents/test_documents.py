from __future__ import annotations

import json
from pathlib import Path

import bson
import numpy as np
import pytest
from jobflow import Job, JobStore
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, jsanitize
from pydantic import ValidationError

import hightc.analysis.documents as package
from hightc.analysis.documents import (
    DOCUMENTS,
    Alpha2FDocument,
    Document,
    MaterialTag,
    SourceReference,
    StoredArray,
)
from hightc.analysis.documents.base import IDENTITY, JobArgument, Record, identity

FIELDS = json.loads(Path(__file__).with_name("fields.json").read_text())
RECORDS = {
    name: member for name, member in vars(package).items() if isinstance(member, type) and issubclass(member, Record)
}
KINDS = pytest.mark.parametrize("kind", DOCUMENTS)
MONGO_LIMIT_BYTES = 16 * 1024**2


@KINDS
def test_document_survives_strict_json(documents, kind):
    document = documents[kind]
    clean = jsanitize(document, strict=True)
    again = MontyDecoder().process_decoded(json.loads(json.dumps(clean)))
    assert type(document).model_validate(again) == document


def hand_over(document):
    return document


@KINDS
def test_document_survives_a_job_and_its_store(documents, kind):
    document = documents[kind]
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    store.connect()
    job = Job(hand_over, function_args=(document,), data="blob", output_schema=type(document))
    job.run(store)
    kept = store.get_output(job.uuid, load=True)
    assert kept["kind"] == kind
    assert type(document).model_validate(MontyDecoder().process_decoded(kept)) == document


@KINDS
def test_unknown_field_is_refused(documents, kind):
    document = documents[kind]
    with pytest.raises(ValidationError, match="lamda"):
        type(document).model_validate({**document.model_dump(), "lamda": 0.4})


@KINDS
def test_document_is_frozen(documents, kind):
    with pytest.raises(ValidationError, match="frozen"):
        documents[kind].material = "Pb"


@KINDS
def test_kind_and_schema_version_are_stored_and_held(documents, kind):
    document = documents[kind]
    dumped = document.model_dump()
    assert dumped["kind"] == kind
    assert dumped["schema_version"] == 1
    for field, value in (("kind", "other"), ("schema_version", 0)):
        with pytest.raises(ValidationError, match=field):
            type(document).model_validate({**dumped, field: value})


def test_every_kind_has_an_example_here(documents):
    assert documents.keys() == DOCUMENTS.keys()
    assert {kind: type(document) for kind, document in documents.items()} == DOCUMENTS


@pytest.mark.parametrize("name", RECORDS)
def test_field_names_are_those_stored_so_far(name):
    # a stored field is never respelt: a new one is added to fields.json, an old one stays there
    assert sorted(RECORDS[name].model_fields) == FIELDS[name]


def test_no_record_disappears():
    assert RECORDS.keys() == FIELDS.keys()


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_has_a_description(name):
    undescribed = [field for field, info in RECORDS[name].model_fields.items() if not info.description]
    assert undescribed == []


def test_material_tag_travels_as_its_fields_and_its_class():
    tag = MaterialTag(campaign="c", material="Pb")
    assert tag.as_dict()["@class"] == "MaterialTag"
    assert MontyDecoder().process_decoded(json.loads(json.dumps(tag.as_dict()))) == tag
    assert isinstance(tag, JobArgument)


def test_identity_is_reduced_and_sorted(documents):
    structure = documents["structure"].structure * (2, 1, 1)
    assert identity(MaterialTag(campaign="c", material="m"), structure) == {
        "campaign": "c",
        "material": "m",
        "formula": "Al",
        "elements": ("Al",),
        "sources": (),
        "source_count": 0,
    }


PLACE = SourceReference(
    kind="supercon",
    database="supercon.csv",
    identifier="mp-75",
    entry="line 9",
    composition="Nb1",
    tc_kelvin=9.0,
    tc_meaning="measured",
)


@KINDS
def test_places_of_a_material_go_from_one_document_to_the_next(documents, kind):
    document = documents[kind].model_copy(update={"sources": (PLACE,), "source_count": 3})
    handed = document.model_dump(include=IDENTITY)
    assert type(document).model_validate({**documents[kind].model_dump(), **handed}) == document
    assert (document.tag.material, document.tag.sources, document.tag.source_count) == (document.material, (PLACE,), 3)
    assert identity(document.tag, documents["structure"].structure)["sources"] == (PLACE,)


@KINDS
def test_document_stored_before_places_were_kept_is_read(documents, kind):
    stored = documents[kind].model_dump(exclude={"sources", "source_count"})
    assert type(documents[kind]).model_validate(stored).sources == ()


def test_places_travel_with_the_tag_of_a_job():
    tag = MaterialTag(campaign="c", material="Nb", sources=(PLACE,), source_count=3)
    assert MontyDecoder().process_decoded(json.loads(json.dumps(tag.as_dict()))) == tag


@pytest.mark.parametrize("passed", [(), (True,), (True, True), (True, False), (False,)])
def test_document_passes_when_every_gate_does(documents, passed):
    gate = documents["structure"].gates[0]
    document = documents["structure"].model_copy(
        update={"gates": tuple(gate.model_copy(update={"passed": one}) for one in passed)}
    )
    assert document.passed is all(passed)
    assert document.tag == MaterialTag(campaign="test", material="Al")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha2f": ()}, "alpha2f: expected one entry for each of 5 smearings, found 0"),
        ({"moments": ()}, "moments: expected one entry for each of 5 smearings, found 0"),
        ({"dos_per_ev_spin_cell": (0.2,)}, "dos_per_ev_spin_cell: expected one entry for each of 5 smearings, found 1"),
        ({"omega_mev": (1.0, 2.0)}, r"alpha2f\[0\]: expected 2 points as in omega_mev, found 400"),
        ({"chosen_smearing": 5}, "chosen_smearing: expected 0 to 4, found 5"),
        ({"chosen_smearing": -1}, "chosen_smearing: expected 0 to 4, found -1"),
        ({"route": "guess"}, "route"),
    ],
)
def test_spectrum_whose_shapes_do_not_fit_is_refused(documents, change, message):
    with pytest.raises(ValidationError, match=message):
        Alpha2FDocument.model_validate({**documents["alpha2f"].model_dump(), **change})


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.arange(6, dtype=np.int32), np.array([1 + 2j]), np.zeros((0, 3)), np.array(1.5)],
    ids=["float", "int", "complex", "empty", "scalar"],
)
def test_array_comes_back_bit_by_bit(array):
    stored = StoredArray.from_array(array)
    back = stored.to_array()
    assert stored.dtype == str(array.dtype) == str(back.dtype)
    assert stored.shape == back.shape
    assert np.array_equal(back.reshape(array.shape), array)


def test_fortran_order_and_slices_are_stored_in_c_order():
    array = np.asfortranarray(np.arange(24.0).reshape(2, 3, 4))[:, ::2]
    stored = StoredArray.from_array(array)
    assert np.array_equal(stored.to_array(), array)
    assert stored.sha256 == StoredArray.from_array(array.copy(order="C")).sha256


def test_damaged_array_is_refused_by_its_digest():
    stored = StoredArray.from_array(np.arange(6.0))
    other = StoredArray.from_array(np.arange(1.0, 7.0))
    with pytest.raises(ValueError, match=r"array of shape \(6,\): expected sha256 .* the blob was damaged"):
        stored.model_copy(update={"blob": other.blob}).to_array()


def test_array_that_is_still_in_the_blob_store_says_how_to_load_it():
    stored = StoredArray.from_array(np.arange(6.0)).model_copy(update={"blob": {"blob_uuid": "1", "store": "data"}})
    with pytest.raises(ValueError, match="read the document with load=True"):
        stored.to_array()


def bson_bytes(document):
    return len(bson.encode(jsanitize(document, strict=True)))


def test_large_spectrum_fits_into_one_document_of_the_database(documents):
    document = documents["alpha2f"]
    omega = tuple(np.linspace(0.1, 200.0, 2000).tolist())
    values = tuple(np.random.default_rng(1).random(2000).tolist())
    large = Alpha2FDocument.model_validate(
        {
            **document.model_dump(),
            "omega_mev": omega,
            "alpha2f": (values,) * 20,
            "smearing_ev": tuple(0.1 * (n + 1) for n in range(20)),
            "moments": (document.moments[0],) * 20,
            "dos_per_ev_spin_cell": (0.2,) * 20,
        }
    )
    assert bson_bytes(large) < MONGO_LIMIT_BYTES / 10


def test_large_force_constants_fit_without_their_blob(documents):
    array = np.zeros((6, 6, 6, 20, 20, 3, 3))
    stored = StoredArray.from_array(array)
    reference = {"blob_uuid": "0" * 36, "store": "data"}
    document = documents["force_constants"].model_copy(
        update={"force_constants": stored.model_copy(update={"blob": reference})}
    )
    assert bson_bytes(document) < 1e4
    assert array.nbytes > 1e6


def test_document_without_its_campaign_is_refused():
    with pytest.raises(ValidationError, match="campaign"):
        Document(material="Al", formula="Al", elements=("Al",))
