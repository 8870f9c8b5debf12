"""Many Eliashberg functions on one frequency grid, as a generator or a screening hands them over."""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.errors import NegativeSpectrumWarning, SpectrumError
from hightc.eliashberg.modes import NO_COUPLING, CoupledModes, FloatArray, finite_vector, real_array
from hightc.eliashberg.spectrum import LowFrequency, coupling_weights

_BLOCK = 16  # frequencies looked at together for the highest that couples, from the top


@dataclass(frozen=True, eq=False)
class SpectrumBatch:
    """Eliashberg functions on a common grid and their moments; made by `spectrum_batch`.

    Attributes
    ----------
    omega_mev
        Frequency grid in meV, shape (n,), positive and increasing.
    alpha2f
        Dimensionless, non-negative, shape (batch, n).
    coupling_weight
        W_j of lambda = sum_j W_j a2F(w_j), shape (n,).
    """

    omega_mev: FloatArray
    alpha2f: FloatArray
    coupling_weight: FloatArray

    def __len__(self) -> int:
        """Number of spectra."""
        return int(self.alpha2f.shape[0])

    @property
    def lam_per_mode(self) -> FloatArray:
        """Couplings of the modes, one for each grid point, shape (batch, n)."""
        return self.alpha2f * self.coupling_weight

    @cached_property
    def _means(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        omega, weight = self.omega_mev, self.coupling_weight
        lam, log, square = (self.alpha2f @ np.stack([weight, weight * np.log(omega), weight * omega**2], axis=1)).T
        couples = np.where(lam > NO_COUPLING, lam, np.nan)
        return lam, np.exp(log / couples), np.sqrt(square / couples)

    @property
    def lam(self) -> FloatArray:
        """Coupling constants lambda, shape (batch,)."""
        return self._means[0]

    @property
    def omega_log_mev(self) -> FloatArray:
        """Logarithmic mean frequencies in meV, shape (batch,); nan for zero coupling."""
        return self._means[1]

    @property
    def omega_2_mev(self) -> FloatArray:
        """Root mean square frequencies in meV, shape (batch,); nan for zero coupling."""
        return self._means[2]

    @cached_property
    def omega_max_mev(self) -> FloatArray:
        """Highest frequencies that couple in meV, shape (batch,); nan for zero coupling."""
        highest, rows = np.full(len(self), np.nan), np.flatnonzero(self.lam > NO_COUPLING)
        for stop in range(self.omega_mev.size, 0, -_BLOCK):
            if not rows.size:
                break
            block = self.alpha2f[rows, max(stop - _BLOCK, 0) : stop][:, ::-1] > 0
            coupled = block.any(axis=1)
            highest[rows[coupled]] = self.omega_mev[stop - 1 - np.argmax(block[coupled], axis=1)]
            rows = rows[~coupled]
        return highest

    def modes(self, row: int) -> CoupledModes:
        """Modes of one spectrum."""
        return CoupledModes(self.omega_mev, self.alpha2f[row] * self.coupling_weight)


def spectrum_batch(
    omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, *, low_frequency: LowFrequency = "quadratic"
) -> SpectrumBatch:
    """Check spectra on a common grid by the rules of `Alpha2F`.

    Parameters
    ----------
    omega_mev
        Strictly increasing positive frequencies in meV, shape (n,); one leading zero is allowed and dropped
        together with the values there.
    alpha2f
        Dimensionless a2F, shape (n,) or (batch, n). Negative values are set to zero with a
        `NegativeSpectrumWarning`.
    low_frequency
        Shape of a2F below the first grid point, as for `Alpha2F`.

    Returns
    -------
    SpectrumBatch

    Raises
    ------
    SpectrumError
        If shapes do not fit, the grid does not increase or a number is not finite; the entry is named.
    ParameterError
        If ``low_frequency`` is none of the rules.
    """
    omega = finite_vector("omega_mev", omega_mev)
    values = _finite_rows(alpha2f, omega.size)
    if omega[0] == 0:
        omega, values = omega[1:], values[:, 1:]
    weight = coupling_weights(omega, low_frequency)
    if values.size and values.min() < 0:
        values = _clipped(omega, values)
    return SpectrumBatch(omega, values, weight)


def _finite_rows(alpha2f: npt.ArrayLike, size: int) -> FloatArray:
    values = real_array("alpha2f", alpha2f)
    if values.ndim not in (1, 2) or values.shape[-1] != size:
        raise SpectrumError(
            f"alpha2f: expected shape ({size},) or (batch, {size}), one column for each frequency, "
            f"found {values.shape}: check that grid and spectra belong together"
        )
    values = np.atleast_2d(values)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise SpectrumError(
            f"alpha2f[{row}, {column}]: expected finite numbers, found {values[row, column]}: "
            "repair or drop this spectrum at its source"
        )
    return values


def _clipped(omega_mev: FloatArray, values: FloatArray) -> FloatArray:
    rows = np.flatnonzero((values < 0).any(axis=1))
    row, column = np.unravel_index(np.argmin(values), values.shape)
    warnings.warn(
        f"alpha2f: {rows.size} of {values.shape[0]} spectra have negative values, the first in row {rows[0]}, the "
        f"lowest {values[row, column]:.3g} at {omega_mev[column]:.4g} meV in row {row}: set to zero",
        NegativeSpectrumWarning,
        stacklevel=3,
    )
    return np.maximum(values, 0.0)
