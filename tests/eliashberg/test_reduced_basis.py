"""The shipped table is what its builder makes, and the reduced problem is the full one on its functions."""

import numpy as np
import pytest

from hightc.eliashberg import CoupledModes, EliashbergError, reduced_basis
from hightc.eliashberg.log_lattice import STEP, LogLattice
from hightc.eliashberg.matsubara import gap_operator
from hightc.eliashberg.reduced_basis import (
    LEADING,
    TABLE,
    TABLE_SHA256,
    ReducedBasis,
    load_table,
    table_checksum,
)
from hightc.eliashberg.reduced_basis_table import (
    GapFunctions,
    build_table,
    orthonormal_combinations,
    rational_functions,
)

FREQUENCIES = 1 << 17  # of 2^19: the rest of the leading functions falls as a high power of n


def form_of_the_table(point):
    """All forms at one lattice point, functions in the order of the table, the constant gap last."""
    table = load_table()
    row = point - int(table["first"])
    square = np.exp(2 * STEP * point)
    packed = table["profiles"][row] @ table["forms"] * square / (1 + square)
    order = len(table["combinations"]) + 1
    form = np.empty((order, order))
    form[np.triu_indices(order)] = packed
    return np.triu(form) + np.triu(form, 1).T


def gap_functions(n):
    weighted = rational_functions(n) / np.sqrt(2 * np.arange(n) + 1)
    return GapFunctions(load_table()["combinations"] @ weighted)


def test_shipped_table_is_small_and_carries_its_checksum():
    with np.load(TABLE) as archive:
        content = {name: archive[name] for name in archive.files}
    assert table_checksum(content) == TABLE_SHA256
    assert TABLE.stat().st_size < 1_000_000


@pytest.mark.parametrize("point", [-44, -20, 0, 15, 36])
def test_shipped_forms_are_those_of_their_functions(point):
    computed = gap_functions(FREQUENCIES).forms(np.exp(STEP * point))
    form = form_of_the_table(point)
    # The functions are cut at FREQUENCIES here and 4 times further in the table, which for w/T up to 90 moves the
    # forms of the leading ones by less than the tolerance.
    leading = np.ix_(range(LEADING), range(LEADING))
    scale = np.abs(form[leading]).max()
    np.testing.assert_allclose(computed[leading], form[leading], atol=1e-7 * scale)
    np.testing.assert_allclose(computed[-1, -2], form[-1, -1], rtol=1e-7)


def test_the_forms_are_those_of_the_gap_operator():
    modes, temperature = CoupledModes([3.0], [1.0]), 1.0
    n = 600
    operator = gap_operator(modes, temperature, 0.0, 1.0, n)
    functions = GapFunctions(np.linalg.qr(np.random.default_rng(0).normal(size=(n, 4)))[0].T)
    expected = functions.vectors @ operator.matrix() @ functions.vectors.T
    np.testing.assert_allclose(functions.forms(3.0)[:4, :4], expected, atol=1e-12)
    with_repulsion = gap_operator(modes, temperature, 0.1, 1.0, n)
    np.testing.assert_allclose(functions.forms(3.0)[:4, 4], functions.vectors @ with_repulsion.coulomb_row, atol=1e-12)


def test_functions_are_orthonormal():
    functions = rational_functions(FREQUENCIES)
    combinations = orthonormal_combinations(functions)
    weighted = combinations @ (functions / np.sqrt(2 * np.arange(FREQUENCIES) + 1))
    # Combinations whose overlap eigenvalue is 1e-11 lose the square root of that in rounding.
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(len(weighted)), atol=1e-9)


def reduced_problem(basis, modes, log_t, repulsion=np.inf):
    lattice = LogLattice.of(modes.omega_mev)
    coupling = modes.lam_per_mode @ lattice.distribution
    return lattice.first, coupling, basis.evaluate_one(lattice.first, coupling, log_t, repulsion)


@pytest.mark.parametrize("repulsion", [np.inf, 6.0])
def test_one_by_one_and_together_are_one(repulsion):
    modes, basis = CoupledModes([0.3, 1.0], [0.5, 0.7]), ReducedBasis(LEADING)
    log_t = np.log(np.array([0.03, 0.05, 0.1]))
    first, coupling, _ = reduced_problem(basis, modes, log_t[0])
    centre = np.rint(log_t / STEP).astype(int)
    profiles = basis.profiles(first, np.tile(coupling[:, None], 3), centre)
    together = basis.evaluate(profiles, log_t / STEP - centre, np.full(3, repulsion))
    for column, value in enumerate(log_t):
        single = basis.evaluate_one(first, coupling, value, repulsion)
        for name in ("value", "slope", "definite"):
            assert getattr(together, name)[column] == pytest.approx(getattr(single, name), rel=1e-11)
        np.testing.assert_allclose(together.gap[:, column], single.gap, atol=1e-11)
        assert basis.neglected(together)[column] == pytest.approx(basis.neglected_by_one(single), rel=1e-6, abs=1e-20)


def test_slope_is_the_derivative_of_the_last_pivot():
    modes, basis = CoupledModes([0.3, 1.0], [0.5, 0.7]), ReducedBasis(LEADING)
    step, log_t = 1e-4, np.log(0.07)
    low, here, high = (reduced_problem(basis, modes, log_t + k * step, 5.0 - k * step / 2)[2] for k in (-1, 0, 1))
    # Central difference: second order in the step, with a third derivative of order 1.
    assert here.slope == pytest.approx((high.value - low.value) / (2 * step), rel=1e-6)


def test_more_functions_lower_the_pivot_by_the_estimate():
    modes, log_t = CoupledModes([0.05, 1.0], [1.0, 1.0]), np.log(0.08)
    few, many = (reduced_problem(ReducedBasis(size), modes, log_t)[2] for size in (8, 12))
    estimate = ReducedBasis(8).neglected_by_one(few)
    # To second order in what is left out: the four functions do not see each other in the estimate.
    assert 0.3 * estimate < few.value - many.value < 3 * estimate


def test_modes_far_below_the_temperature_do_nothing():
    basis = ReducedBasis(LEADING)
    slow = CoupledModes([1e-9, 1.0], [2.0, 1.0])
    alone = CoupledModes([1.0], [1.0])
    values = [reduced_problem(basis, modes, np.log(0.1))[2].value for modes in (slow, alone)]
    assert values[0] == pytest.approx(values[1], rel=1e-10)


def test_a_damaged_table_is_an_error(monkeypatch, tmp_path):
    with np.load(TABLE) as archive:
        content = {name: archive[name] for name in archive.files}
    content["forms"][0, 0] += 1e-9
    damaged = tmp_path / "reduced_basis.npz"
    np.savez(damaged, **content)
    monkeypatch.setattr(reduced_basis, "TABLE", damaged)
    with pytest.raises(EliashbergError, match=r"expected the SHA-256 .* the file is damaged"):
        load_table.__wrapped__()


def test_builder_makes_a_table_of_the_shipped_kind(monkeypatch):
    builder = "hightc.eliashberg.reduced_basis_table"
    monkeypatch.setattr(f"{builder}.MATSUBARA_FREQUENCIES", 1 << 10)
    monkeypatch.setattr(f"{builder}.LOWEST_TEMPERATURE", 1 / 100)
    monkeypatch.setattr(f"{builder}._LEAST_ESTIMATE", 1 / 60)
    made, shipped = build_table(training_spectra=60), load_table()
    assert made.keys() == shipped.keys()
    combinations = made["combinations"]
    weighted = combinations @ (rational_functions(1 << 10) / np.sqrt(2 * np.arange(1 << 10) + 1))
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(len(weighted)), atol=1e-8)
    assert made["forms"].shape[1] == (len(weighted) + 1) * (len(weighted) + 2) // 2
    assert made["profiles"].shape == (len(made["zero_temperature"]), len(made["forms"]))
