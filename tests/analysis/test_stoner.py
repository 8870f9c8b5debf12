from __future__ import annotations

import pytest

from hightc.analysis.stoner import StonerParameter, stoner_from_splitting, stoner_product


def test_parameter_is_splitting_over_moment_whatever_their_signs():
    found = stoner_from_splitting(-0.6, 0.5, "bands of FM at 0 GPa")
    assert found.value_ev == pytest.approx(1.2)
    assert found.source == "exchange splitting over moment, bands of FM at 0 GPa"


@pytest.mark.parametrize(("moment", "known"), [(0.049, False), (0.0, False), (-0.051, True)])
def test_moment_too_small_gives_no_parameter(moment, known):
    assert (stoner_from_splitting(0.1, moment, "x") is not None) is known


@pytest.mark.parametrize("n_atoms", [1, 2, 3])
def test_product_is_one_where_a_splitting_upholds_itself(n_atoms):
    # linear response: a splitting D polarises N D per cell, N D/n per atom, and I times that is D again
    dos, splitting = 1.7, 1e-3
    parameter = splitting / (dos * splitting / n_atoms)
    assert stoner_product(StonerParameter(parameter, "x"), dos, n_atoms) == pytest.approx(1.0)
