from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from hightc.launch.campaign_file import LABEL
from hightc.launch.sources.labels import material_labels, plain_formula

HOSTILE = ["../../x", "$(rm -rf)", "`id`", "-rf", "a/b", "..", "", "Nb\x00", "Nb\n", "Nb₃Sn", "日本", "x" * 500, ".ssh"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_becomes_a_label(name):
    (label,) = material_labels([(name, 0.0)])
    assert LABEL.match(label)
    assert label != name


@given(
    st.lists(
        st.tuples(st.text(max_size=80), st.floats(-100, 2000).map(lambda value: round(value, 2) + 0.0)), unique=True
    )
)
def test_labels_are_safe_and_unique_whatever_the_case(names):
    labels = material_labels(names)
    assert all(LABEL.match(label) for label in labels)
    assert len({label.casefold() for label in labels}) == len(names)


def test_plain_names_are_kept_and_pressures_are_shown():
    names = [("NbN_mp-2634", 0.0), ("Nb", 50.0), ("Nb", 0.0), ("Nb", 12.5)]
    assert material_labels(names) == ("NbN_mp-2634", "Nb_50GPa", "Nb", "Nb_12.5GPa")


def test_label_does_not_depend_on_the_order():
    names = [("Nb", 0.0), ("nb", 0.0), ("../x", 0.0), ("x", 0.0)]
    forward, backward = material_labels(names), material_labels(names[::-1])
    assert forward == backward[::-1]


def test_name_that_looks_like_a_pressure_is_kept_apart():
    first, second = material_labels([("Nb_50GPa", 0.0), ("Nb", 50.0)])
    assert first != second


@pytest.mark.parametrize("formula", ["Ba2YCu3O7", "Nb3Sn", "H3S", "XeF2", "Nb"])
def test_formula_of_a_label_is_the_usual_one(formula):
    assert plain_formula(Composition(formula)) == formula


def test_formula_of_a_label_has_no_brackets():
    assert plain_formula(Composition("Sr2Sm(PbO4)2")) == "Sr2SmPb2O8"
