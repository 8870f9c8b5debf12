"""Is the crystal dynamically stable? Imaginary modes on the computed q mesh and between its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hightc.analysis.acoustic_sum_rule import GammaModes
from hightc.analysis.parsers.matdyn import PhononFrequencies
from hightc.analysis.parsers.ph import QPoint
from hightc.analysis.parsers.units import PER_CM_MEV, THZ_MEV

GAMMA_THRESHOLD_PER_CM = -45.0
"""Acoustic modes at Gamma, which are exactly zero only with the sum rule; all modes there if it is not known."""

ELSEWHERE_THRESHOLD_THZ = -1.0
"""At any other q, and optical modes at Gamma."""

N_ACOUSTIC = 3


@dataclass(frozen=True, slots=True)
class StabilityVerdict:
    """Verdict on imaginary modes, with the numbers behind it. Negative frequencies are imaginary.

    Attributes
    ----------
    status : {"stable", "marginal", "unstable"}
        `unstable`: a computed mode lies at or below its threshold; no finer mesh takes it away.
        `marginal`: only interpolated ones do, so a finer q mesh must decide. `stable`: none does.
    source : {"computed", "interpolated"}
        Which frequencies were judged.
    lowest_mev : float
        The lowest frequency of all, without the sum rule.
    lowest_q : tuple of 3 float
        Where it is, Cartesian, in units of 2 pi/alat.
    decisive_mev : float
        The frequency that lies deepest below its threshold, or closest above it.
    decisive_q : tuple of 3 float
        Where that is.
    threshold_mev : float
        The threshold of the decisive frequency.
    gamma_lowest_mev, elsewhere_lowest_mev : float or None
        Lowest frequency at Gamma and at all other q; None if there is no such q.
    n_q, n_q_failed : int
        How many q points were judged, and at how many a mode lies at or below its threshold.
    gamma_modes : GammaModes or None
        The modes at Gamma before and after the sum rule; None if Gamma was judged as computed.
    """

    status: Literal["stable", "marginal", "unstable"]
    source: Literal["computed", "interpolated"]
    lowest_mev: float
    lowest_q: tuple[float, float, float]
    decisive_mev: float
    decisive_q: tuple[float, float, float]
    threshold_mev: float
    gamma_lowest_mev: float | None
    elsewhere_lowest_mev: float | None
    n_q: int
    n_q_failed: int
    gamma_modes: GammaModes | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the verdict should know."""
        if self.gamma_modes is None or self.gamma_modes.acoustic_mev.min() > GAMMA_THRESHOLD_PER_CM * PER_CM_MEV:
            return ()
        return (
            f"{self.gamma_modes.message}: so large an error at Gamma says that cutoff or k mesh are too small for "
            "phonons this soft",
        )

    @property
    def lowest_per_cm(self) -> float:
        """The lowest frequency in 1/cm."""
        return self.lowest_mev / PER_CM_MEV

    @property
    def message(self) -> str:
        """The verdict in one sentence."""
        q = " ".join(f"{component:.4f}" for component in self.decisive_q)
        comparison = ">" if self.status == "stable" else "<="
        return (
            f"{self.status}: {self.decisive_mev / PER_CM_MEV:.1f} cm^-1 {comparison} "
            f"{self.threshold_mev / PER_CM_MEV:.1f} cm^-1 at the {self.source} q = ({q}) 2 pi/alat"
            f"{'; a finer q mesh must decide' if self.status == 'marginal' else ''}"
            f"{f'; {self.gamma_modes.message}' if self.gamma_modes else ''}"
        )


def find_imaginary_modes(
    modes: Sequence[QPoint] | PhononFrequencies,
    *,
    gamma: GammaModes | None = None,
    gamma_threshold_per_cm: float = GAMMA_THRESHOLD_PER_CM,
    elsewhere_threshold_thz: float = ELSEWHERE_THRESHOLD_THZ,
) -> StabilityVerdict:
    """Look for imaginary modes.

    Parameters
    ----------
    modes : sequence of QPoint, or PhononFrequencies
        The computed mesh (`hightc.analysis.parsers.ph.read_dynamical_matrices`), or frequencies interpolated
        off it (`hightc.analysis.parsers.matdyn.read_frequencies`). The latter alone can say at most
        `marginal`: force constants of a coarse mesh may dip between its points where the crystal does not.
    gamma : GammaModes or None
        The modes at Gamma with the sum rule (`hightc.analysis.acoustic_sum_rule.apply_sum_rule`), by which Gamma is
        then judged: translations of the crystal are no instability. None judges the computed ones, all of them by
        `gamma_threshold_per_cm`. Interpolated frequencies have the sum rule: acoustic are the three nearest to zero.
    gamma_threshold_per_cm, elsewhere_threshold_thz : float
        A mode must lie above this to be stable: acoustic ones at Gamma, and all others.

    Returns
    -------
    StabilityVerdict
        Frozen.

    Raises
    ------
    ValueError
        If there are no modes to judge.
    """
    if interpolated := isinstance(modes, PhononFrequencies):
        q, lowest = modes.q_cartesian, modes.frequencies_mev.min(axis=1)
    else:
        q = np.array([point.q_cartesian for point in modes]).reshape(-1, 3)
        lowest = np.array([point.frequencies_mev.min() for point in modes])
    if len(lowest) == 0 or not np.isfinite(lowest).all():
        msg = f"expected a finite frequency at each q point, found {len(lowest)} q points with {lowest}"
        raise ValueError(msg)
    at_gamma = np.abs(q).max(axis=1) < 1e-6
    thresholds = gamma_threshold_per_cm * PER_CM_MEV, elsewhere_threshold_thz * THZ_MEV
    judged, threshold = lowest.copy(), np.where(at_gamma, *thresholds)
    for number in np.flatnonzero(at_gamma):
        if gamma is not None:
            judged[number], threshold[number] = _deepest(*_split(gamma), *thresholds)
        elif isinstance(modes, PhononFrequencies):
            by_size = sorted(modes.frequencies_mev[number].tolist(), key=abs)
            judged[number], threshold[number] = _deepest(by_size[:N_ACOUSTIC], by_size[N_ACOUSTIC:], *thresholds)
    margin = judged - threshold
    deepest, decisive = int(lowest.argmin()), int(margin.argmin())
    failed = int((margin <= 0).sum())
    return StabilityVerdict(
        status="stable" if failed == 0 else "marginal" if interpolated else "unstable",
        source="interpolated" if interpolated else "computed",
        lowest_mev=float(lowest[deepest]),
        lowest_q=_triple(q[deepest].tolist()),
        decisive_mev=float(judged[decisive]),
        decisive_q=_triple(q[decisive].tolist()),
        threshold_mev=float(threshold[decisive]),
        gamma_lowest_mev=float(lowest[at_gamma].min()) if at_gamma.any() else None,
        elsewhere_lowest_mev=float(lowest[~at_gamma].min()) if not at_gamma.all() else None,
        n_q=len(lowest),
        n_q_failed=failed,
        gamma_modes=gamma,
    )


def _split(gamma: GammaModes) -> tuple[list[float], list[float]]:
    """Acoustic and optical frequencies with the sum rule in meV."""
    acoustic, optical = gamma.acoustic_corrected_mev.tolist(), gamma.corrected_mev.tolist()
    for frequency in acoustic:
        optical.remove(frequency)
    return acoustic, optical


def _deepest(
    acoustic_mev: Sequence[float], optical_mev: Sequence[float], acoustic_threshold_mev: float, threshold_mev: float
) -> tuple[float, float]:
    """The mode at Gamma that lies deepest below its threshold, or closest above it, and that threshold."""
    modes = [(frequency, acoustic_threshold_mev) for frequency in acoustic_mev]
    modes += [(frequency, threshold_mev) for frequency in optical_mev]
    return min(modes, key=lambda mode: mode[0] - mode[1])


def _triple(values: list[float]) -> tuple[float, float, float]:
    x, y, z = values
    return x, y, z
