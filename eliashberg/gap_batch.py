"""Gap functions of many spectra at many temperatures, some ten thousand a second on one core."""

from dataclasses import dataclass, replace
from math import inf, pi
from typing import Any

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.batch import SpectrumBatch, spectrum_batch
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import (
    THERMAL_FACTOR,
    Reference,
    highest_frequency,
    reference_frequencies,
    require_mu_stars,
)
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap import GapStatus, solve_gap
from hightc.eliashberg.gap_iteration import normal_state, solve_nodes
from hightc.eliashberg.gap_nodes import NodeEquations
from hightc.eliashberg.gap_tensors import GapTensors, gap_tensors
from hightc.eliashberg.log_lattice import lattice_of
from hightc.eliashberg.modes import FloatArray, frozen
from hightc.eliashberg.spectrum import LowFrequency
from hightc.eliashberg.temperature import require_temperatures

IndexArray = npt.NDArray[np.intp]

CLASSES = (16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0)
"""Limits of max(w_max, lambda <w>)/kB T for which tables are built, each on first use."""

_CHUNK = 256  # rows at once: their matrices stay in the cache
_OCTAVES = 9


def _reported_indices() -> IndexArray:
    """Return 0 ... 7, then two indices an octave up to 4096."""
    return np.append(np.arange(8), np.rint(8 * 2 ** (np.arange(2 * _OCTAVES + 1) / 2)).astype(np.intp))


@dataclass(frozen=True, eq=False)
class GapSolutions:
    """Gap functions on the imaginary axis of a batch, or the reasons why there are none.

    Parameters
    ----------
    status
        `GapStatus` of each row as its word, shape (batch,).
    temperature_kelvin, mu_star
        As given, shape (batch,).
    reference
        The frequency to which ``mu_star`` refers: ``"omega_2"``, ``"omega_max"`` or ``"value"``.
    reference_mev
        That frequency in meV, shape (batch,); nan where the spectrum has none.
    matsubara_index
        Indices n of the frequencies w_n = (2n+1) pi kB T that are reported, shape (J,): 0 ... 7, then two an octave up
        to 4096, the same for every call.
    gap_mev
        Delta(i w_n) in meV, shape (batch, J), positive at n = 0; 0 in the normal state, nan where there is no number.
    renormalisation
        Z(i w_n), shape (batch, J), that of the normal state where the gap is zero; nan where there is no number.
    constant_mev
        C = Delta(i infinity) in meV, negative, shape (batch,); 0 without repulsion, nan where there is no number.
    residual
        Largest |change of Delta_n by one more iteration| / max |Delta|, shape (batch,); 0 in the normal state, nan
        where nothing was iterated.
    iterations
        Evaluations of the gap equation, shape (batch,).
    """

    status: npt.NDArray[np.str_]
    temperature_kelvin: FloatArray
    mu_star: FloatArray
    reference: str
    reference_mev: FloatArray
    matsubara_index: IndexArray
    gap_mev: FloatArray
    renormalisation: FloatArray
    constant_mev: FloatArray
    residual: FloatArray
    iterations: IndexArray

    def read_only(self) -> "GapSolutions":
        """Return the same with arrays that cannot be written to."""
        arrays: dict[str, Any] = {
            name: frozen(value) for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)


def solve_gaps(
    omega_mev: npt.ArrayLike,
    alpha2f: npt.ArrayLike,
    temperature_kelvin: npt.ArrayLike,
    mu_star: npt.ArrayLike,
    *,
    reference: Reference | float = "omega_2",
    low_frequency: LowFrequency = "quadratic",
) -> GapSolutions:
    """Solve the non-linear isotropic Eliashberg equations for many spectra and temperatures.

    The same equations as `solve_gap`, on some 15 to 50 Matsubara frequencies that represent all of them (see
    `matsubara_panels`) and without any cutoff. The largest eigenvalue of the linearised equations decides whether the
    normal state is stable; if not, its eigenvector starts Anderson's iteration, and Newton's method takes over where
    that is slow (see `gap_iteration` for the stopping rules). Rows that fail nevertheless, in practice those with
    mu* > 0.3 and strong coupling, go to `solve_gap`; one that is too cold for it is ``not_converged``.

    Delta(i w_0) differs from `solve_gap` by some 2e-9, at most about 1e-7 up to 0.7 Tc and 1e-6 at 0.95 Tc, besides
    what `solve_gap` itself states as its truncation. The error of the eigenvalue moves Tc by some 1e-8 of itself; as
    Delta goes to zero like (1 - T/Tc)^(1/2), its relative error is half that shift over 1 - T/Tc.

    Parameters
    ----------
    omega_mev
        Frequency grid in meV, shape (n,), as for `Alpha2F`.
    alpha2f
        Dimensionless, shape (n,) or (batch, n); one spectrum serves all temperatures and mu*.
    temperature_kelvin
        Temperatures in K, positive, scalar or shape (batch,).
    mu_star
        Coulomb pseudopotentials mu*(w_ref) >= 0, scalar or shape (batch,).
    reference
        w_ref: ``"omega_2"``, ``"omega_max"`` (of each spectrum) or one frequency in meV.
    low_frequency
        Shape of a2F below the first grid point, as for `Alpha2F`.

    Returns
    -------
    GapSolutions

    Raises
    ------
    SpectrumError
        If the spectra are none; the entry is named.
    ParameterError
        If a temperature is not positive, or kB T less than max(w_max, lambda <w>)/1048576; if a mu* is negative or not
        finite; if ``reference`` is neither a name nor a positive frequency; or if the shapes do not fit.

    Examples
    --------
    >>> omega = np.linspace(1.0, 30.0, 300)
    >>> solutions = solve_gaps(omega, 0.5 * (omega / 30.0) ** 2, [1.0, 9.0], 0.1)
    >>> [str(status) for status in solutions.status], solutions.gap_mev.shape
    (['found', 'normal'], (2, 27))
    """
    batch = spectrum_batch(omega_mev, alpha2f, low_frequency=low_frequency)
    spectra, temperature = _rows(len(batch), temperature_kelvin, mu_star)
    name, reference_mev = reference_frequencies(batch, reference)
    work = _Work(batch, spectra, temperature, require_mu_stars(mu_star, spectra.size), name, reference_mev[spectra])
    work.require_temperatures_in_range()
    lower = -inf
    for limit in CLASSES:
        members = np.flatnonzero(work.open & (work.scale > lower) & (work.scale <= limit))
        lower = limit
        for first in range(0, members.size, _CHUNK):
            work.solve(gap_tensors(limit), members[first : first + _CHUNK])
    for row in np.flatnonzero(work.open):
        work.solve_densely(int(row), reference)
    return work.solutions.read_only()


def _rows(spectra: int, temperature_kelvin: npt.ArrayLike, mu_star: npt.ArrayLike) -> tuple[IndexArray, FloatArray]:
    """Index of the spectrum, and temperature in K, of each row."""
    temperature = require_temperatures(temperature_kelvin)
    rows = max(spectra, temperature.size, np.size(mu_star)) if spectra else 0
    if temperature.shape not in ((), (1,), (rows,)) or spectra not in (1, rows):
        raise ParameterError(
            f"temperature_kelvin: expected a number or shape (batch,), found shape {temperature.shape} with "
            f"{spectra} spectra and mu_star of shape {np.shape(mu_star)}: give one value for each row"
        )
    index = np.arange(rows) if spectra == rows else np.zeros(rows, dtype=np.intp)
    return index, np.broadcast_to(temperature, (rows,))


class _Work:
    """Rows of one call and what is known of them so far.

    Attributes
    ----------
    scale
        max(w_max, lambda <w>)/kB T, shape (batch,): how far the gap function reaches.
    open
        Which rows still need work, shape (batch,).
    solutions
        Results, filled in place.
    """

    def __init__(
        self,
        batch: SpectrumBatch,
        spectra: IndexArray,
        temperature_kelvin: FloatArray,
        mu_star: FloatArray,
        name: str,
        reference_mev: FloatArray,
    ) -> None:
        self._batch, self._spectra = batch, spectra
        self._temperature_mev = temperature_kelvin * KB_MEV_PER_K
        self._lattice = lattice_of(batch.omega_mev)
        self._coupling = batch.alpha2f @ (batch.coupling_weight[:, None] * self._lattice.distribution)
        first_moment = batch.alpha2f @ (batch.coupling_weight * batch.omega_mev)
        ceiling, highest = highest_frequency(batch.omega_2_mev, batch.omega_max_mev, batch.lam)
        self._hot = self._temperature_mev >= ceiling[spectra]
        self.scale = np.fmax(batch.omega_max_mev, first_moment)[spectra] / self._temperature_mev
        self.open = batch.lam[spectra] > 0
        with np.errstate(divide="ignore", over="ignore"):
            inverse = 1 / mu_star
        invalid = self.open & (inverse + np.log(reference_mev / highest[spectra]) <= 0)
        self.open &= ~invalid
        index = _reported_indices()
        blank = np.where(invalid, np.nan, 0.0)
        self.solutions = GapSolutions(
            status=np.where(invalid, GapStatus.INVALID, GapStatus.NORMAL).astype("U20"),
            temperature_kelvin=temperature_kelvin,
            mu_star=mu_star,
            reference=name,
            reference_mev=reference_mev,
            matsubara_index=index,
            gap_mev=np.repeat(blank[:, None], index.size, axis=1),
            renormalisation=np.repeat(1 + blank[:, None], index.size, axis=1),
            constant_mev=blank.copy(),
            residual=blank.copy(),
            iterations=np.zeros(spectra.size, dtype=np.intp),
        )

    def require_temperatures_in_range(self) -> None:
        """Raise `ParameterError` if a temperature lies below those of the tables."""
        low = np.flatnonzero(self.open & (self.scale > CLASSES[-1]))
        if low.size:
            given = float(self.solutions.temperature_kelvin[low[0]])
            raise ParameterError(
                f"temperature_kelvin, row {low[0]}: expected kB T above 1/{CLASSES[-1]:.0f} of the highest phonon "
                f"frequency, found {given:.4g} K: use {given * self.scale[low[0]] / CLASSES[-1]:.4g} K or more"
            )

    def solve(self, tensors: GapTensors, rows: IndexArray) -> None:
        """Solve some rows on the nodes of a table; those that fail stay open."""
        equations = self._equations(tensors, rows)
        linear = normal_state(equations)
        hot, matrices = self._hot[rows], equations.matrices
        unstable = ~hot & (linear.eigenvalue > 1)
        closed = hot | (linear.eigenvalue <= 1)
        gap, renormalisation = np.zeros_like(matrices.normal), matrices.normal.copy()
        constant = np.zeros(rows.size)
        if unstable.any():
            found = solve_nodes(equations.subset(unstable), linear.subset(unstable))
            gap[unstable], constant[unstable], renormalisation[unstable] = (
                found.gap,
                found.constant,
                found.renormalisation,
            )
            closed[unstable] = found.found
            answer, where = self.solutions, rows[unstable]
            answer.residual[where], answer.iterations[where] = found.residual, found.iterations
            answer.status[where] = GapStatus.FOUND
        self._report(tensors, rows, np.column_stack([gap, constant]), renormalisation, matrices.static)
        self.open[rows[closed]] = False

    def _equations(self, tensors: GapTensors, rows: IndexArray) -> NodeEquations:
        temperature = self._temperature_mev[rows]
        # Above the bound of Tc there is no gap, and mu* need not have a value.
        mu_star = np.where(self._hot[rows], 0.0, self.solutions.mu_star[rows])
        return NodeEquations(
            odd=np.asarray(2 * tensors.nodes.index + 1, dtype=np.float64),
            measure=tensors.measure,
            matrices=tensors.matrices(self._lattice.first, self._coupling[self._spectra[rows]], temperature),
            mu_star=mu_star,
            logarithm=mu_star * np.log(THERMAL_FACTOR * self.solutions.reference_mev[rows] / temperature),
        )

    def _report(
        self, tensors: GapTensors, rows: IndexArray, state: FloatArray, renormalisation: FloatArray, static: FloatArray
    ) -> None:
        """Take (D, C) and Z from the nodes to the indices reported, and back from units of pi T."""
        answer, unit = self.solutions, pi * self._temperature_mev[rows]
        odd, constant = 2 * answer.matsubara_index + 1.0, state[:, -1:]
        interpolation = tensors.nodes.interpolation(odd / 2).T
        gap = (state[:, :-1] - constant) @ interpolation + constant
        answer.gap_mev[rows] = gap * unit[:, None]
        answer.constant_mev[rows] = constant[:, 0] * unit
        normal = 1 + (renormalisation - 1) @ interpolation
        answer.renormalisation[rows] = normal + static[:, None] / np.hypot(odd, gap)

    def solve_densely(self, row: int, reference: Reference | float) -> None:
        """Hand one row to the solver for single spectra."""
        answer = self.solutions
        modes = self._batch.modes(int(self._spectra[row]))
        temperature, mu_star = float(answer.temperature_kelvin[row]), float(answer.mu_star[row])
        self.open[row] = False
        try:
            single = solve_gap(modes, temperature, mu_star, reference=reference)
        except ParameterError:  # more frequencies than it accepts: this row has no answer, the others have
            answer.status[row] = GapStatus.NOT_CONVERGED
            answer.gap_mev[row] = answer.renormalisation[row] = np.nan
            answer.constant_mev[row] = answer.residual[row] = np.nan
            return
        known = answer.matsubara_index < single.gap_mev.size
        index = answer.matsubara_index[known]
        answer.gap_mev[row] = answer.renormalisation[row] = np.nan
        answer.gap_mev[row, known], answer.renormalisation[row, known] = (
            single.gap_mev[index],
            single.renormalisation[index],
        )
        answer.status[row], answer.constant_mev[row] = single.status, single.constant_mev
        answer.residual[row], answer.iterations[row] = single.residual, single.iterations
