"""Stoner parameters of elements."""

from hightc.analysis.stoner_table import SOURCE, tabulated_stoner


def test_tabulated_parameters_say_that_they_are_second_hand():
    vanadium = tabulated_stoner("V")
    assert vanadium is not None
    assert vanadium.value_ev == 0.70
    assert "not compared with the paper" in SOURCE == vanadium.source
    assert tabulated_stoner("Cu") is None


def test_tabulated_parameters_tell_ferromagnets_from_paramagnets():
    # densities of states per spin and atom of the nonmagnetic metals, as second hand as they are
    products = {"Fe": 1.54, "Ni": 2.02, "Pd": 1.14, "V": 0.81}
    orders = {name: tabulated_stoner(name).value_ev * dos > 1 for name, dos in products.items()}
    assert orders == {"Fe": True, "Ni": True, "Pd": False, "V": False}
