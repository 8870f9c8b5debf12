"""Gap and mass renormalisation on the real frequency axis, and what a tunnelling experiment sees of them."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import scipy

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.modes import FloatArray, frozen
from hightc.eliashberg.pade import ComplexArray


class ContinuationStatus(StrEnum):
    """How a continuation ended.

    ``CONVERGED`` has values; so has ``UNTRUSTWORTHY``, but those of Pade approximants that contradict each other, and
    ``NORMAL``, whose gap is zero. ``NOT_CONVERGED`` and ``NO_GAP`` (nothing to continue) have none.
    """

    CONVERGED = "converged"
    UNTRUSTWORTHY = "untrustworthy"
    NORMAL = "normal"
    NOT_CONVERGED = "not_converged"
    NO_GAP = "no_gap"


@dataclass(frozen=True, eq=False)
class RealAxisGap:
    """Retarded Delta and Z at w + i height.

    Parameters
    ----------
    status
        How the continuation ended.
    method
        ``"integral_equation"`` or ``"pade"``.
    temperature_kelvin
        Temperature in K.
    omega_mev
        Frequencies w in meV, shape (n,), increasing.
    height_mev
        Imaginary part of the frequency in meV: functions on the axis itself are seen through a Lorentzian of that
        half width.
    gap_mev
        Delta(w + i height) in meV, complex, shape (n,); nan where there is none.
    renormalisation
        Z(w + i height), complex, shape (n,); nan where there is none.
    residual
        Of the integral equations: largest relative change of phi or Z by one more iteration. Of Pade: largest
        difference of the approximants with all and with three quarters of the points, relative to the largest
        |Delta|. nan where nothing was computed.
    iterations
        Steps of the iteration; for Pade the number of Matsubara points used for Delta.
    """

    status: ContinuationStatus
    method: str
    temperature_kelvin: float
    omega_mev: FloatArray
    height_mev: float
    gap_mev: ComplexArray
    renormalisation: ComplexArray
    residual: float
    iterations: int

    def __post_init__(self) -> None:
        for name in ("omega_mev", "gap_mev", "renormalisation"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @cached_property
    def density_of_states(self) -> FloatArray:
        """N(w)/N(0) = Re [w/(w^2 - Delta^2)^(1/2)] at w + i height, shape (n,); nan where there is no gap.

        The branch of the root is that of Im Z (w^2 - Delta^2)^(1/2) > 0: the self-energy decays in time.
        """
        w = self.omega_mev + 1j * self.height_mev
        root = np.sqrt(w**2 - self.gap_mev**2 + 0j)
        root = np.where((self.renormalisation * root).imag < 0, -root, root)
        with np.errstate(divide="ignore", invalid="ignore"):
            return frozen(np.asarray((w / root).real))

    @cached_property
    def gap_edge_mev(self) -> float | None:
        """Smallest w in meV at which Re Delta(w) falls through w on the axis itself; None if there is none.

        Roots with |Im Delta| >= w are passed over, where the quasi-particle is overdamped, and roots below the height,
        which are not resolved: thermal phonons produce one near w = 0. Delta is brought from w + i height to w by its
        Taylor series to second order, with the derivatives of a cubic spline; the error is of third order in height
        over the phonon frequencies.
        """
        if self.status not in {ContinuationStatus.CONVERGED, ContinuationStatus.UNTRUSTWORTHY}:
            return None
        gap = self._on_axis()
        excess = scipy.interpolate.CubicSpline(self.omega_mev, gap.real - self.omega_mev)
        damping = scipy.interpolate.CubicSpline(self.omega_mev, gap.imag)
        values = gap.real - self.omega_mev
        for fall in np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0)):
            low, high = self.omega_mev[fall : fall + 2]
            root = float(scipy.optimize.brentq(lambda omega: float(excess(omega)), low, high))
            if root > self.height_mev and abs(float(damping(root))) < root:
                return root
        return None

    def _on_axis(self) -> ComplexArray:
        """Delta(w) on the axis by the Taylor series from w + i height."""
        first, second = (
            scipy.interpolate.CubicSpline(self.omega_mev, self.gap_mev)(self.omega_mev, order) for order in (1, 2)
        )
        return np.asarray(self.gap_mev - 1j * self.height_mev * first - self.height_mev**2 / 2 * second)

    def gap_ratio(self, tc_kelvin: float) -> float | None:
        """Ratio 2 Delta/(kB Tc) of the gap edge; None if there is no edge."""
        edge = self.gap_edge_mev
        return None if edge is None else 2 * edge / (KB_MEV_PER_K * tc_kelvin)
