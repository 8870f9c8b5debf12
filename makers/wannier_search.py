"""The search for Wannier functions that carry the bands: epw.x is run with one pair of windows after another."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.documents import WindowTrial
from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.wannier import read_hr
from hightc.analysis.wannier_bands import band_distance, interpolate_bands
from hightc.analysis.wannier_windows import LEAST_FROZEN_EV, Window
from hightc.makers.base import QEMaker
from hightc.makers.content_key import Calculation
from hightc.makers.epw_staging import drop_scratch
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.listed_bands import ListedBands
from hightc.makers.qe.epw_inputs import HAMILTONIAN, ROTATIONS, Subspace, wannier_input
from hightc.makers.qe.failures_epw import (
    WANNIER_FROZEN_WINDOW,
    WANNIER_OUTER_WINDOW,
    WANNIER_STOPPED,
    WANNIER_TOO_FEW_BANDS,
)
from hightc.makers.qe.handlers import epw_handlers
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe

SCDM = "SCDM"
"""Stands for functions that start from columns of the density matrix."""

VERDICTS = frozenset(
    failure.code for failure in (WANNIER_FROZEN_WINDOW, WANNIER_OUTER_WINDOW, WANNIER_TOO_FEW_BANDS, WANNIER_STOPPED)
)
"""Failures that speak of the functions; any other is the machine's or unknown, and says nothing of them."""

SMEARINGS = 2.0
"""Height above the Fermi energy that must be frozen, over the width of the double delta: what lies farther up has less
than 2 % of its weight (exp(-4))."""

ROUNDING_EV = 1e-3
"""Windows are rounded to 1e-4 eV."""


class OtherGaugeError(Exception):
    """Wavefunctions that were computed again while functions were to be made of them: their key has changed."""


@dataclass
class WannierSearch:
    """Attempts at Wannier functions in the current folder.

    Attributes
    ----------
    maker
        Runs the programs.
    recipe, wannier
        Numbers with the coarse meshes in use.
    fermi_ev
        Fermi energy.
    check_points
        (n, 3) k points off the mesh.
    check_ev
        (n, n_bands) energies computed there.
    """

    maker: QEMaker
    recipe: Recipe
    wannier: WannierRecipe
    fermi_ev: float
    check_points: NDArray[np.float64]
    check_ev: NDArray[np.float64]
    trials: list[WindowTrial] = field(default_factory=list)
    runs: dict[int, ProgramRun] = field(default_factory=dict)

    @property
    def least_frozen_ev(self) -> float:
        """Height above the Fermi energy in eV up to which functions must keep the bands as they are."""
        return max(LEAST_FROZEN_EV, SMEARINGS * self.wannier.electron_smearing_ev)

    @property
    def best(self) -> int | None:
        """Position of the best attempt; None if none succeeded."""
        done = [(trial.eta_mev, index) for index, trial in enumerate(self.trials) if trial.eta_mev is not None]
        return min(done)[1] if done else None

    @property
    def good_enough(self) -> bool:
        """Whether the best attempt carries the bands as well as asked for."""
        eta = None if self.best is None else self.trials[self.best].eta_mev
        return eta is not None and eta <= self.wannier.band_distance_mev

    def attempt(
        self,
        starts: tuple[str, ...],
        window: Window,
        subspace: Subspace,
        bands: ListedBands,
        bands_key: str | None,
    ) -> None:
        """Make Wannier functions of the wavefunctions of one run, and leave these in the folder if they are good.

        Rotations hold for the wavefunctions of one run only: their gauge is part of the key. Where wavefunctions were
        dropped and are computed again, rotations are made again too.

        Parameters
        ----------
        starts
            Projections; none for columns of the density matrix.
        window
            Energy windows.
        subspace
            Which bands become functions.
        bands
            The bands on the mesh.
        bands_key
            What they depend on; None if it is not known.

        Raises
        ------
        ProgramFailedError
            If epw.x failed for a reason that says nothing of the functions.
        """
        try:
            self._attempt(starts, window, subspace, bands, bands_key)
            if not (self.good_enough and bands.fetch_wavefunctions()):
                return
            self.runs.pop(len(self.trials) - 1)
            self.trials.pop()
        except OtherGaugeError:
            pass
        self._attempt(starts, window, subspace, bands, bands_key)

    def install_best(self) -> None:
        """Put the files of the best attempt where the next step looks for them."""
        if self.best is not None:
            for name in (ROTATIONS, HAMILTONIAN):
                shutil.copy2(f"{name}.{self.best + 1}", name)

    def _attempt(
        self,
        starts: tuple[str, ...],
        window: Window,
        subspace: Subspace,
        bands: ListedBands,
        bands_key: str | None,
    ) -> None:
        number = len(self.trials) + 1
        stem = f"wannier-{number}"
        text = wannier_input(self.recipe, self.wannier, window=window, starts=starts, subspace=subspace)
        copies = (f"{ROTATIONS}.{number}", f"{HAMILTONIAN}.{number}")

        def compute() -> ProgramRun:
            if bands.fetch_wavefunctions():
                raise OtherGaugeError
            settings = self.maker.settings()
            try:
                run = run_program("epw", input_text=text, handlers=epw_handlers(stem), settings=settings, name=stem)
            finally:
                drop_scratch(Path.cwd())
            for name, copy in zip((ROTATIONS, HAMILTONIAN), copies, strict=True):
                shutil.copy2(name, copy)
            return run

        upstream = (bands_key, bands.gauge())
        calculation = Calculation("epw", text, (f"{stem}.in", *copies), upstream=upstream, name=stem)
        try:
            run = self.maker.run(calculation, compute)
        except ProgramFailedError as error:
            if not error.codes or not VERDICTS.issuperset(error.codes):
                raise
            self.trials.append(_trial(starts, window.frozen_max_ev, window.outer_max_ev, subspace, reason=str(error)))
            return
        self.runs[number - 1] = run
        self.trials.append(self._score(starts, subspace, stem, number))

    def _score(self, starts: tuple[str, ...], subspace: Subspace, stem: str, number: int) -> WindowTrial:
        used = read_namelists(Path(f"{stem}.in"))["inputepw"]  # a handler may have moved the windows
        windows = float(used["dis_froz_max"]), float(used["dis_win_max"])
        height = windows[0] - self.fermi_ev
        if height < self.least_frozen_ev - ROUNDING_EV:
            reason = f"expected bands frozen up to {self.least_frozen_ev:g} eV above E_F, found {height:.2f} eV"
            return _trial(starts, *windows, subspace, reason=reason)
        interpolated = interpolate_bands(read_hr(f"{HAMILTONIAN}.{number}"), self.check_points)
        distance = band_distance(self.check_ev[:, subspace.n_excluded :], interpolated, self.fermi_ev)
        spreads = read_epw_output(f"{stem}.out").wannier_spreads_angstrom2
        trial = _trial(starts, *windows, subspace, reason=None)
        return trial.model_copy(
            update={
                "eta_mev": distance.eta_mev,
                "near_fermi_mev": distance.near_fermi_mev,
                "largest_mev": distance.largest_mev,
                "spread_angstrom2": None if spreads is None else float(spreads.sum()),
            }
        )


def _trial(
    starts: Sequence[str], frozen_max_ev: float, outer_max_ev: float, subspace: Subspace, *, reason: str | None
) -> WindowTrial:
    return WindowTrial(
        projections=tuple(starts) or (SCDM,),
        n_wannier=subspace.n_wannier,
        frozen_max_ev=frozen_max_ev,
        outer_max_ev=outer_max_ev,
        eta_mev=None,
        near_fermi_mev=None,
        largest_mev=None,
        spread_angstrom2=None,
        reason=reason,
    )
