"""Building the table of the reduced basis: ``python -m hightc.eliashberg.reduced_basis_table``, five minutes.

At Tc the gap d_n is a smooth function of the Matsubara index whose shape is set by where the coupling sits on the
scale of T. A few rational functions of x = n + 1/2, with centres in geometric steps, hold every such shape; on them
the form Q of `matsubara` is a matrix linear in the spectrum, tabulated for one mode against y = w/T. Proper orthogonal
decomposition of the eigenvectors of some thousand random spectra then orders the combinations of these functions by
what they contribute, so that the leading ones are a good basis for all spectra.

The functions end at n = `MATSUBARA_FREQUENCIES`; as trial functions of a variational principle they need not go on.
Sums with the constant gap C run to infinity.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, log
from pathlib import Path

import numpy as np
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import THERMAL_FACTOR
from hightc.eliashberg.formulas import allen_dynes_tc_kelvin
from hightc.eliashberg.kernel import constant_gap_row, constant_gap_square, expansion, phonon_kernel
from hightc.eliashberg.log_lattice import ORDER, STEP, LogLattice
from hightc.eliashberg.modes import CoupledModes, FloatArray
from hightc.eliashberg.reduced_basis import LEADING, LOWEST_TEMPERATURE, TABLE, table_checksum

MATSUBARA_FREQUENCIES = 1 << 19
"""Where the functions end: 100 times y/(2 pi) at the lowest temperature, beyond which d_n falls as 1/n^2."""

LOWEST_RATIO = 0.004
"""Smallest y = w/T tabulated; below, the forms go as y^2 with an error of y^2/(4 pi^2) of themselves."""

INDEPENDENT = 1e-11
"""Eigenvalue of the overlap matrix below which a combination of the rational functions is dropped."""

NEGLIGIBLE = 1e-13
"""Singular value, relative to the first, below which the dependence on y is dropped."""

TRAINING_SPECTRA = 8000
_LEAST_ESTIMATE = LOWEST_TEMPERATURE / 2  # of kB Tc/w_max by Allen and Dynes
_MINIMAX_STEPS = 10  # of reweighting by the error; more of them only overfit the worst spectrum
_EXPANSION_ORDER = 6


def rational_functions(n: int) -> FloatArray:
    """Functions of x = m + 1/2, m = 0 ... n - 1, that hold the shapes of the gap, shape (functions, n)."""
    x = np.arange(n, dtype=np.float64) + 0.5
    rows = [1 / (1 + (x / centre) ** 2) for centre in 0.3 * 1.6 ** np.arange(30)]
    rows += [(1 + x / centre) ** -2.0 for centre in 0.5 * 2.0 ** np.arange(19)]
    rows += [np.log1p(x / centre) / (1 + (x / centre) ** 2) for centre in 4.0 ** np.arange(9)]
    rows += [(np.arange(n) == m).astype(np.float64) for m in range(5)]
    return np.array(rows, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class GapFunctions:
    """Functions u_m = sqrt(p_m) d_m, p_m = 1/(2m+1), orthonormal, and the forms of the theory between them.

    Attributes
    ----------
    vectors
        Shape (functions, n).
    """

    vectors: FloatArray

    @cached_property
    def _odd(self) -> FloatArray:
        return 2 * np.arange(self.vectors.shape[1], dtype=np.float64) + 1

    @cached_property
    def _cosines(self) -> FloatArray:
        """Transforms of p_m d_m, continued evenly to negative frequencies, whose products are convolutions."""
        return np.asarray(scipy.fft.dct(self.vectors / np.sqrt(self._odd), type=2, n=2 * self._odd.size, axis=1))

    def forms(self, ratio: float) -> FloatArray:
        """Compute <a|K - Zm|b> for one mode of coupling 1 at w/T = ``ratio``.

        Returns
        -------
        ndarray
            Shape (functions + 1, functions + 2). Rows are the functions, then the constant gap; so are the columns,
            followed by half the coefficient of V of `matsubara.superconducts_at_zero_temperature`.
        """
        n = self._odd.size
        mode = CoupledModes(np.array([ratio]), np.array([1.0]))
        kernel, coefficients = phonon_kernel(mode, 1.0, 8 * n), expansion(mode, 1.0, _EXPANSION_ORDER)
        # lambda_0 drops out of K - Zm; leaving it out keeps the small forms of w << T accurate
        dynamic = np.concatenate([[0.0], kernel[1:]])
        renormalisation = 2 * np.concatenate([[0.0], np.cumsum(kernel[1:n])])
        transform = scipy.fft.dct(dynamic[: 2 * n + 1], type=1)[: 2 * n] / (4 * n)
        transform[0] /= 2
        count = self.vectors.shape[0]
        forms = np.empty((count + 1, count + 2))
        forms[:count, :count] = (self._cosines * transform) @ self._cosines.T
        forms[:count, :count] -= (self.vectors * (renormalisation / self._odd)) @ self.vectors.T
        row = constant_gap_row(dynamic, coefficients, n)
        forms[:count, count] = self.vectors @ ((row - renormalisation / self._odd) / np.sqrt(self._odd))
        forms[count, :count] = forms[:count, count]
        forms[count, count] = constant_gap_square(kernel, coefficients)
        forms[:count, count + 1] = self.vectors @ ((kernel[:n] + kernel[1 : n + 1]) / np.sqrt(self._odd))
        forms[count, count + 1] = row[0] + kernel[0]
        return forms


def orthonormal_combinations(functions: FloatArray) -> FloatArray:
    """Combinations of functions d_m that are orthonormal with the weight p_m, shape (independent, functions)."""
    weighted = functions / np.sqrt(2 * np.arange(functions.shape[1]) + 1.0)
    norms = np.linalg.norm(weighted, axis=1)
    weighted /= norms[:, None]
    values, vectors = np.linalg.eigh(weighted @ weighted.T)
    independent = values > INDEPENDENT
    combinations = (vectors[:, independent] / np.sqrt(values[independent])).T
    # Once more: the small eigenvalues leave an overlap of 1e-5 between combinations
    first = combinations @ weighted
    values, vectors = np.linalg.eigh(first @ first.T)
    return np.asarray((vectors / np.sqrt(values)).T @ combinations / norms)


def lattice_range() -> range:
    """Points of the lattice in ln(w/T) that are tabulated."""
    highest = ceil(-log(LOWEST_TEMPERATURE) / STEP) + ORDER
    return range(floor(log(LOWEST_RATIO) / STEP), highest + 1)


@dataclass(frozen=True, eq=False)
class TrainingState:
    """One random spectrum at its Tc, in the space of all functions.

    Attributes
    ----------
    gap
        Eigenvector, shape (functions,).
    stability
        1 - A, shape (functions, functions): positive but for the eigenvector, where it vanishes.
    slope
        -d(eigenvalue)/d ln T.
    """

    gap: FloatArray
    stability: FloatArray
    slope: float


def training_states(forms: FloatArray, first: int, count: int, seed: int) -> list[TrainingState]:
    """Draw random spectra and solve each for its Tc on all functions.

    One to eight modes, every other time broadened, over three decades of frequency; lambda 0.2 to 20, mu* 0 to 0.22;
    kB Tc above 0.8 of the lowest of the table; those of strong coupling thinned out, as they are many and all alike.
    """
    random = np.random.default_rng(seed)
    states: list[TrainingState] = []
    while len(states) < count:
        modes, mu_star = _random_modes(random)
        reference = modes.omega_2_mev
        estimate = KB_MEV_PER_K * float(
            allen_dynes_tc_kelvin(modes.lam, modes.omega_log_mev, modes.omega_2_mev, mu_star)
        )
        if estimate < _LEAST_ESTIMATE or (estimate > 1 / 300 and random.random() < 0.6):
            continue

        def operator(log_t: float, modes: CoupledModes = modes, mu_star: float = mu_star) -> FloatArray:
            return _operator(forms, first, modes, mu_star, modes.omega_2_mev, log_t)

        def instability(log_t: float) -> float:
            return float(np.linalg.eigvalsh(operator(log_t))[-1] - 1)

        low, high = log(estimate) - 0.7, log(0.19 * reference * modes.lam**0.5)
        if instability(low) <= 0:
            continue
        log_tc = float(scipy.optimize.brentq(instability, low, max(high, low + 0.1), xtol=1e-11))
        if log_tc < log(0.8 * LOWEST_TEMPERATURE):
            continue
        matrix = operator(log_tc)
        slope = (instability(log_tc - 1e-4) - instability(log_tc + 1e-4)) / 2e-4
        states.append(TrainingState(np.linalg.eigh(matrix)[1][:, -1], np.eye(len(matrix)) - matrix, slope))
    return states


def _random_modes(random: np.random.Generator) -> tuple[CoupledModes, float]:
    count = int(random.integers(1, 9))
    omega = np.exp(-random.uniform(size=count) * random.uniform(0, log(1000)))
    lam = random.dirichlet(np.ones(count)) * np.exp(random.uniform(log(0.2), log(20)))
    if random.random() < 0.5:
        offsets = np.linspace(-2.5, 2.5, 7)
        profile = np.exp(-(offsets**2) / 2)
        omega = (omega[:, None] * np.exp(random.uniform(0.02, 0.25) * offsets)).ravel()
        lam = (lam[:, None] * profile / profile.sum()).ravel()
    mu_star = float(random.uniform(0, 0.22)) if random.random() < 0.85 else 0.0
    return CoupledModes(omega / omega.max(), lam), mu_star


def _operator(
    forms: FloatArray, first: int, modes: CoupledModes, mu_star: float, reference_mev: float, log_t: float
) -> FloatArray:
    """Operator A of `matsubara.GapOperator.matrix` on all functions, C eliminated."""
    lattice = LogLattice.of(modes.omega_mev * np.exp(-log_t))
    coupling = modes.lam_per_mode @ lattice.distribution
    points = lattice.first - first + np.arange(lattice.size)
    tabulated = np.clip(points, 0, len(forms) - 1)
    coupling = coupling * np.exp(2 * STEP * np.minimum(points - tabulated, 0))
    form = np.tensordot(coupling, forms[tabulated], 1)
    count = len(form) - 1
    matrix, row = form[:count, :count], form[:count, count]
    if mu_star > 0:
        repulsion = 1 / mu_star + log(THERMAL_FACTOR * reference_mev) - log_t
        matrix = matrix - np.outer(row, row) / (form[count, count] + repulsion / 2)
    return np.asarray(matrix)


def order_by_contribution(states: Sequence[TrainingState], leading: int) -> FloatArray:
    """Rotate the functions so that the leading ones suffice for all training spectra.

    Leaving out the part r of an eigenvector shifts ln Tc by <r|1 - A|r>/slope to second order. The decomposition is
    weighted by the inverse slope, then reweighted a few times towards the spectra with the largest shift (Lawson's
    iteration), so that it is the worst error and not the mean that is small. The other functions follow by their
    weight in what is left.

    Returns
    -------
    ndarray
        Orthogonal matrix, rows are the new functions, shape (functions, functions).
    """
    gaps = np.array([state.gap for state in states])
    gaps *= np.sign(gaps @ gaps.sum(axis=0))[:, None]
    slopes = np.array([state.slope for state in states])
    stability = np.array([state.stability for state in states])
    weights = 1 / slopes
    best, least = np.eye(0), np.inf
    for _ in range(_MINIMAX_STEPS):
        basis = np.linalg.svd(gaps * np.sqrt(weights)[:, None], full_matrices=False)[2][:leading]
        rest = gaps - (gaps @ basis.T) @ basis
        errors = np.einsum("si,sij,sj->s", rest, stability, rest, optimize=True) / slopes
        if errors.max() < least:
            best, least = basis, float(errors.max())
        weights *= np.clip(errors / np.quantile(errors, 0.99), 1e-2, 20) ** 0.5
    rest = gaps - (gaps @ best.T) @ best
    complement = np.linalg.svd((rest / np.sqrt(slopes)[:, None]), full_matrices=True)[2]
    rotated = np.concatenate([best, complement])
    return np.asarray(np.linalg.qr(rotated.T)[0].T[: gaps.shape[1]])


def build_table(training_spectra: int = TRAINING_SPECTRA) -> dict[str, np.ndarray]:
    """Compute everything that `reduced_basis` loads; the keys are described there."""
    functions = rational_functions(MATSUBARA_FREQUENCIES)
    combinations = orthonormal_combinations(functions)
    weighted = functions / np.sqrt(2 * np.arange(MATSUBARA_FREQUENCIES) + 1.0)
    gap_functions = GapFunctions(combinations @ weighted)
    points = lattice_range()
    forms = np.array([gap_functions.forms(np.exp(STEP * point)) for point in points])
    count = len(combinations)
    states = training_states(forms[:, :, : count + 1], points.start, training_spectra, seed=1)
    rotation = order_by_contribution(states, LEADING)
    left, right = (scipy.linalg.block_diag(rotation, np.eye(others)) for others in (1, 2))
    forms = np.einsum("ai,yij,bj->yab", left, forms, right, optimize=True)
    square = np.exp(2 * STEP * np.arange(points.start, points.stop))
    upper = np.triu_indices(count + 1)
    values = forms[:, upper[0], upper[1]] * ((1 + square) / square)[:, None]
    left_vectors, singular, right_vectors = np.linalg.svd(values, full_matrices=False)
    kept = singular > NEGLIGIBLE * singular[0]
    return {
        "first": np.array(points.start),
        "profiles": left_vectors[:, kept] * singular[kept],
        "forms": right_vectors[kept],
        "zero_temperature": forms[:, :, count + 1],
        "combinations": rotation @ combinations,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the table, write it and say its checksum."""
    parser = argparse.ArgumentParser(description="Build the table of hightc.eliashberg.reduced_basis (five minutes).")
    parser.add_argument("output", nargs="?", type=Path, default=TABLE, help="file to write, %(default)s by default")
    output: Path = parser.parse_args(arguments).output
    table = build_table()
    temporary = output.with_suffix(".part.npz")
    np.savez(temporary, **table)  # type: ignore[arg-type]
    temporary.replace(output)
    print(f"{output}: {output.stat().st_size / 1e3:.0f} kB, TABLE_SHA256 = {table_checksum(table)!r}")


if __name__ == "__main__":
    main()
