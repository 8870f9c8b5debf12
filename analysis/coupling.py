"""Electron-phonon coupling summed directly over the computed q points, without interpolation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.ph import QPoint, QPointCoupling
from hightc.analysis.parsers.units import KELVIN_MEV

_SOFTEST_MEV = 5 * KELVIN_MEV


@dataclass(frozen=True, slots=True, eq=False)
class QSum:
    """Star-weighted sums over the irreducible q points.

    Attributes
    ----------
    smearing_ev : ndarray (n_smearing,)
        Widths of the double delta.
    coupling : ndarray (n_smearing,)
        lambda.
    omega_log_mev : ndarray (n_smearing,)
        Logarithmic frequency; NaN where lambda is not positive, since it is then not defined.
    dos_per_ev_spin_cell : ndarray (n_smearing,)
        Density of states at the Fermi energy, of one spin.
    weights : ndarray (nq,)
        Weight of each irreducible q point; they sum to 1.
    lambda_q : ndarray (n_smearing, nq)
        lambda of each q point, over its counted modes: coupling = lambda_q @ weights.
    n_dropped_modes : int
        Imaginary or vanishing modes that were left out, besides the acoustic ones at Gamma.
    """

    smearing_ev: NDArray[np.float64]
    coupling: NDArray[np.float64]
    omega_log_mev: NDArray[np.float64]
    dos_per_ev_spin_cell: NDArray[np.float64]
    weights: NDArray[np.float64]
    lambda_q: NDArray[np.float64]
    n_dropped_modes: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the sums should know."""
        if self.n_dropped_modes == 0:
            return ()
        modes = "1 mode is" if self.n_dropped_modes == 1 else f"{self.n_dropped_modes} modes are"
        return (f"{modes} imaginary or too soft to count at the computed q points: the direct q sum leaves them out",)


def direct_q_sum(
    dynamical: Sequence[QPoint], elph: Sequence[QPointCoupling], *, softest_mev: float = _SOFTEST_MEV
) -> QSum:
    """Sum lambda and the logarithmic frequency over the stars of the computed q points.

    Parameters
    ----------
    dynamical : sequence of QPoint
        All irreducible q points of the mesh, with their stars.
    elph : sequence of QPointCoupling
        Their coupling, in the same order.
    softest_mev : float
        Modes below this frequency are left out: their lambda is divided by a frequency that is noise. The
        default is 5 K.

    Returns
    -------
    QSum
        Differs from matdyn's interpolated lambda by 4 to 16 % on coarse meshes: an error bar.

    Raises
    ------
    ValueError
        If the two sequences do not belong together.

    Notes
    -----
    The three modes of smallest frequency at Gamma are translations and have no coupling; optical modes at Gamma
    are kept. lambda = sum_q w_q sum_v lambda_qv and
    omega_log = exp(sum_q w_q sum_v lambda_qv ln omega_qv / lambda): Allen, Phys. Rev. B 6, 2577 (1972).
    """
    _require_same_points(dynamical, elph)
    weights = np.array([point.star_size for point in dynamical], dtype=float)
    weights /= weights.sum()
    couplings, logarithms, dropped = [], [], 0
    for point, one in zip(dynamical, elph, strict=True):
        omega = point.frequencies_mev
        counted = omega > softest_mev
        optical = np.ones(len(omega), dtype=bool)
        if point.is_gamma:
            optical[np.argsort(np.abs(omega))[:3]] = False
        dropped += int((optical & ~counted).sum())
        kept = optical & counted
        couplings.append(one.coupling[:, kept].sum(axis=1))
        logarithms.append(one.coupling[:, kept] @ np.log(omega[kept]))
    lambda_q = np.array(couplings).T
    total, logarithm = lambda_q @ weights, np.array(logarithms).T @ weights
    defined = total > 0
    omega_log = np.full(len(total), np.nan)
    omega_log[defined] = np.exp(logarithm[defined] / total[defined])
    return QSum(
        smearing_ev=elph[0].smearing_ev,
        coupling=total,
        omega_log_mev=omega_log,
        dos_per_ev_spin_cell=elph[0].dos_per_ev_spin_cell,
        weights=weights,
        lambda_q=lambda_q,
        n_dropped_modes=dropped,
    )


def _require_same_points(dynamical: Sequence[QPoint], elph: Sequence[QPointCoupling]) -> None:
    """Fail unless both lists hold the same q points with the same modes and smearings."""
    advice = "the files are of two runs, or ph.x has not finished; rerun ph.x"
    if len(dynamical) != len(elph) or not elph:
        msg = f"expected the coupling of {len(dynamical)} q points, found {len(elph)}: {advice}"
        raise ValueError(msg)
    for point, one in zip(dynamical, elph, strict=True):
        # elph.inp_lambda prints q with six decimals
        if np.abs(point.q_cartesian - one.q_cartesian).max() > 2e-6:
            msg = f"q point {point.index}: expected {point.q_cartesian}, found {one.q_cartesian}: {advice}"
            raise ValueError(msg)
        if one.coupling.shape[1] != len(point.frequencies_mev):
            expected, found = len(point.frequencies_mev), one.coupling.shape[1]
            msg = f"q point {point.index}: expected {expected} modes, found {found}: {advice}"
            raise ValueError(msg)
        if not np.array_equal(one.smearing_ev, elph[0].smearing_ev):
            smearings = f"smearings {elph[0].smearing_ev} eV, found {one.smearing_ev}"
            msg = f"q point {point.index}: expected {smearings}: {advice}"
            raise ValueError(msg)
