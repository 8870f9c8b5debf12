"""Closed formulas against published materials, their limits and the values that are no temperatures."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hightc.eliashberg import Alpha2F, CoupledModes, ParameterError, TcStatus, formulas
from hightc.eliashberg.constants import KB_MEV_PER_K

ROUNDING = 1e-12
MATERIALS = np.genfromtxt(
    Path(__file__).parent / "data" / "allen_dynes_1975" / "materials.csv",
    delimiter=",",
    names=True,
    dtype=None,
    encoding="utf-8",
)

FORMULAS = {
    "mcmillan_dynes": lambda lam, log, rms, mu: formulas.mcmillan_dynes_tc_kelvin(lam, log, mu),
    "allen_dynes": formulas.allen_dynes_tc_kelvin,
    "xie_2019": lambda lam, log, rms, mu: formulas.xie_2019_tc_kelvin(lam, log, mu),
    "xie_2022": formulas.xie_2022_tc_kelvin,
}
every_formula = pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS.keys())


@pytest.mark.parametrize(
    ("name", "rmse_kelvin"),
    [("mcmillan_dynes", 0.923), ("allen_dynes", 0.298), ("xie_2019", 0.252), ("xie_2022", 0.467)],
)
def test_error_on_the_29_materials_of_allen_and_dynes(name, rmse_kelvin):
    omega_log, omega_2 = (KB_MEV_PER_K * MATERIALS[f"omega_{mean}_kelvin"] for mean in ("log", "2"))
    tc = FORMULAS[name](MATERIALS["lam"], omega_log, omega_2, MATERIALS["mu_star"])
    assert tc.shape == (29,)
    # Half a unit of the last digit of the value given.
    assert np.sqrt(np.mean((tc - MATERIALS["tc_kelvin"]) ** 2)) == pytest.approx(rmse_kelvin, abs=5e-4)


@every_formula
@given(st.floats(0.3, 3), st.floats(1, 2), st.floats(0, 0.2), st.integers(-5, 5))
def test_tc_scales_with_the_frequencies(formula, lam, ratio, mu, power):
    log = 10.0
    scale = 2.0**power  # exact, so that the edges of the domain do not move by rounding
    tc, scaled = formula(lam, log, log * ratio, mu), formula(lam, scale * log, scale * log * ratio, mu)
    np.testing.assert_allclose(scaled, scale * tc, rtol=ROUNDING)


@pytest.mark.parametrize("name", ["mcmillan_dynes", "allen_dynes"])
def test_mcmillan_and_allen_dynes_vanish_when_mu_star_exceeds_coupling(name):
    mu = 0.15
    threshold = mu / (1 - 0.62 * mu)
    at_and_below = FORMULAS[name](np.array([threshold * (1 - 1e-9), 0.1, 1e-3]), 10.0, 12.0, mu)
    np.testing.assert_array_equal(at_and_below, 0.0)
    assert FORMULAS[name](2 * threshold, 10.0, 12.0, mu) > 0


@every_formula
def test_no_formula_superconducts_without_coupling(formula):
    for mu in (0.0, 0.1):
        assert formula(0.0, np.nan, np.nan, mu) == 0.0


@every_formula
@pytest.mark.parametrize(
    ("lam", "log", "mu"),
    [
        (-0.1, 10, 0.1),
        (1, 0, 0.1),
        (1, -10, 0.1),
        (1, np.nan, 0.1),
        (np.nan, 10, 0.1),
        (1, 10, -0.1),
        (1, 10, np.nan),
        (0, 10, -0.1),
    ],
)
def test_outside_its_domain_a_formula_has_no_number(formula, lam, log, mu):
    assert np.isnan(formula(lam, log, 12.0, mu))


@every_formula
def test_inputs_broadcast(formula):
    tc = formula(np.full((3, 1), 1.0), np.full(4, 10.0), 12.0, 0.1)
    assert tc.shape == (3, 4)
    assert (tc == tc[0, 0]).all()


def test_allen_dynes_reaches_its_strong_coupling_limit():
    lam = 1e8
    tc = formulas.allen_dynes_tc_kelvin(lam, 5.0, 10.0, 0.0) * KB_MEV_PER_K
    # f1 -> sqrt(lambda/2.46), f2 -> w2/w_log, corrections of relative order lambda^(-3/2) and L2^2/lambda^2;
    # 1 + lambda against lambda in the exponent leaves 1.04e-8.
    assert tc / (10.0 * np.sqrt(lam)) == pytest.approx(np.exp(-1.04) / 1.2 / np.sqrt(2.46), rel=1e-7)


def test_allen_dynes_is_mcmillan_at_weak_coupling_of_one_mode():
    lam = 0.2
    correction = formulas.allen_dynes_tc_kelvin(lam, 10.0, 10.0, 0) / formulas.mcmillan_dynes_tc_kelvin(lam, 10.0, 0)
    assert correction == pytest.approx(1 + (lam / 2.46) ** 1.5 / 3, rel=1e-4)  # next term (lam/2.46)^3/9 = 6e-5


def test_xie_2022_has_no_number_at_its_pole_and_a_smooth_one_elsewhere():
    mu, ratio = 0.1, 0.85
    pole = 1 / (mu + ratio)
    lam = np.linspace(0.5, 2, 200_001)
    tc = formulas.xie_2022_tc_kelvin(lam, ratio * 10, 10.0, mu)
    lost = formulas.xie_2022_is_at_pole(lam, ratio * 10, 10.0, mu)
    np.testing.assert_array_equal(np.isnan(tc), lost)
    assert lost[np.argmin(abs(lam - pole))]
    assert abs(lam[lost] / pole - 1).max() < 0.01
    mcmillan = formulas.mcmillan_dynes_tc_kelvin(lam, ratio * 10, mu)
    f_omega = 1.92 * (lam + ratio - np.cbrt(mu)) / (np.sqrt(lam) * np.exp(ratio)) - 0.08
    # What is kept is within the admitted effect of the pole term of the formula without it.
    effect = tc[~lost] / (mcmillan * f_omega)[~lost] - 1
    assert abs(effect).max() <= formulas.XIE_2022_POLE_EFFECT * (1 + ROUNDING)


@pytest.mark.parametrize(("mu", "first", "last"), [(0.10, 1.0697, 1.0731), (0.13, 1.007, 1.060), (0.16, 0.838, 1.090)])
def test_xie_2022_excludes_the_range_of_lambda_that_its_documentation_names(mu, first, last):
    lam = np.linspace(0.5, 1.5, 100_001)
    lost = lam[formulas.xie_2022_is_at_pole(lam, 10.0, 12.0, mu)]
    assert (lost[0], lost[-1]) == pytest.approx((first, last), abs=1e-3 if mu > 0.1 else 1e-4)


def test_xie_2022_at_the_pole_itself_is_not_defined():
    # 1/lambda - mu* - w_log/w2 = 0 exactly in binary numbers.
    assert np.isnan(formulas.xie_2022_tc_kelvin(1.0, 7.5, 10.0, 0.25))


def test_xie_2022_has_no_pole_without_repulsion():
    tc = formulas.xie_2022_tc_kelvin(np.array([2.0, 2.0 + 1e-9]), 5.0, 10.0, 0.0)
    assert tc[0] == pytest.approx(tc[1], rel=1e-8)


def test_table_of_formulas_agrees_with_the_formulas():
    omega = np.linspace(0, 40, 201)
    spectrum = Alpha2F(omega, 0.8 * (omega / 40) ** 2)
    table = formulas.formula_table(spectrum, 0.13)
    assert table.keys() == FORMULAS.keys()
    for name, solution in table.items():
        expected = FORMULAS[name](spectrum.lam, spectrum.omega_log_mev, spectrum.omega_2_mev, 0.13)
        assert solution.tc_kelvin == expected
        assert solution.status is TcStatus.FOUND
        assert (solution.lam, solution.mu_star, solution.reference) == (spectrum.lam, 0.13, None)


def test_table_tells_no_superconductivity_from_not_defined():
    weak = formulas.formula_table(CoupledModes([10.0], [0.1]), 0.15)
    assert weak["allen_dynes"].status is TcStatus.NO_SUPERCONDUCTIVITY
    assert weak["allen_dynes"].tc_kelvin == 0.0
    assert weak["xie_2019"].status is TcStatus.FOUND
    pole = formulas.formula_table(CoupledModes([10.0], [0.8]), 0.25)
    assert pole["xie_2022"].status is TcStatus.INVALID
    assert pole["xie_2022"].tc_kelvin is None
    empty = formulas.formula_table(CoupledModes([10.0], [0.0]), 0.1)
    assert {solution.status for solution in empty.values()} == {TcStatus.NO_SUPERCONDUCTIVITY}


@pytest.mark.parametrize("mu_star", [-0.1, np.nan, np.inf])
def test_table_refuses_a_mu_star_that_is_none(mu_star):
    with pytest.raises(ParameterError, match="mu_star: expected a finite number >= 0"):
        formulas.formula_table(CoupledModes([10.0], [1.0]), mu_star)
