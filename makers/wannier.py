"""Wannier functions of the bands around the Fermi energy, judged against computed bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobflow import Response, job

from hightc.analysis.documents import CouplingDocument, PhononDocument, ScfDocument, WannierDocument, WindowTrial
from hightc.analysis.documents.base import IDENTITY, Gate
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.wannier_bands import check_points
from hightc.analysis.wannier_windows import (
    Shell,
    candidate_windows,
    deep_shells,
    isolated_groups,
    projections,
    with_polarization,
)
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.errors import RecipeError
from hightc.makers.execution import ProgramRun
from hightc.makers.gates import respond
from hightc.makers.listed_bands import ListedBands
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.epw_inputs import Subspace
from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.upf_orbitals import atomic_orbitals
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.relax import XML
from hightc.makers.wannier_search import WannierSearch

TRIALS = (3, 4)
"""Windows tried with the orbitals of the pseudopotentials, and with one more angular momentum."""

HOPELESS = 3.0
"""Distance over the threshold from which other windows for the same functions are not tried."""

LEAST_EXTRA_BANDS = 2


@dataclass
class WannierMaker(QEMaker):
    """Wannier functions with epw.x, started from atomic orbitals and, where these fail, from the density matrix.

    Attributes
    ----------
    wannier
        Numbers of the Wannier route.
    """

    name: str = "wannier"
    wannier: WannierRecipe = field(kw_only=True)

    def __post_init__(self) -> None:
        """Refuse what epw.x cannot do or has not been verified with, before anything is computed."""
        if self.recipe.spin_polarized:
            msg = "route wannier: expected a calculation without spin polarisation: set route = 'linear_response'"
            raise RecipeError(msg)
        if self.recipe.spin_orbit:
            msg = (
                "route wannier: expected a calculation without spin-orbit coupling, found spin_orbit = true: no run "
                "with spinors has verified it yet: set route = 'linear_response'"
            )
            raise RecipeError(msg)

    @job(output_schema=WannierDocument)
    def make(
        self, scf: ScfDocument, dense: ScfDocument, coupling: CouplingDocument, phonon: PhononDocument
    ) -> Response[Any]:
        """Compute bands on a uniform mesh and off it, and search energy windows until the functions carry them.

        Parameters
        ----------
        scf
            The calculation on the k mesh of the linear response.
        dense
            The calculation on the dense mesh, for its Fermi energy: that of the other may be a tenth of an eV off.
        coupling
            Its q mesh must divide the mesh of the Wannier functions.
        phonon
            Interpolated phonons: nothing is computed before they are known to be stable.
        """
        k_mesh = commensurate(self.wannier.k_mesh, coupling.q_mesh)
        n_excluded, shells = self._shells(scf)
        more = with_polarization(shells)
        points = check_points(self.wannier.k_check_points)
        check = ListedBands(self, scf, points, n_excluded + band_count(more), "check")
        check_run = check.run()
        search = WannierSearch(
            self,
            self.recipe.model_copy(update={"q_mesh": coupling.q_mesh}),
            self.wannier.model_copy(update={"k_mesh": k_mesh}),
            dense.fermi_ev,
            points,
            check.energies_ev(),
        )
        for number, functions in enumerate((shells, more), start=1):
            bands = ListedBands(self, scf, k_mesh, n_excluded + band_count(functions), f"nscf-{number}")
            bands_run = self._search(search, functions, n_excluded, bands, number)
            if search.good_enough:
                break
        search.install_best()
        best = search.best
        runs = [("pw.x", check_run), ("pw.x", bands_run), *([("epw.x", search.runs[best])] if best is not None else [])]
        provenance = joined_provenance([self.provenance(program, run) for program, run in runs])
        document = WannierDocument(
            **scf.model_dump(include=IDENTITY),
            structure=scf.structure,
            k_mesh=k_mesh,
            n_bands=bands.n_bands,
            n_excluded=n_excluded,
            n_wannier=sum(shell.n_functions for shell in shells) if best is None else search.trials[best].n_wannier,
            n_check_points=len(points),
            fermi_ev=dense.fermi_ev,
            trials=tuple(search.trials),
            chosen=best,
            protocol=self.recipe.protocol,
            gates=(wannier_gate(search.trials, best, self.wannier.band_distance_mev),),
            warnings=correction_warnings([provenance]),
            provenance=provenance,
        )
        return respond(document)

    def _search(
        self, search: WannierSearch, shells: Sequence[Shell], n_excluded: int, bands: ListedBands, number: int
    ) -> ProgramRun:
        """Compute bands and try windows for the functions that some orbitals start; the density matrix last of all."""
        run = bands.run()
        subspace = Subspace(sum(shell.n_functions for shell in shells), n_excluded)
        windows = candidate_windows(
            bands.energies_ev()[:, n_excluded:],
            subspace.n_wannier,
            search.fermi_ev,
            least_frozen_ev=search.least_frozen_ev,
        )
        attempts = [(projections(shells), window) for window in windows[: TRIALS[number - 1]]]
        if number == len(TRIALS):
            attempts += [((), window) for window in windows[:1]]
        hopeless = False
        for starts, window in attempts:
            if starts and hopeless:
                continue
            search.attempt(starts, window, subspace, bands, run.content_sha256)
            if search.good_enough:
                break
            hopeless = self._is_hopeless(search.trials[-1])
        return run

    def _is_hopeless(self, trial: WindowTrial) -> bool:
        return trial.eta_mev is not None and trial.eta_mev > HOPELESS * self.wannier.band_distance_mev

    def _shells(self, scf: ScfDocument) -> tuple[int, tuple[Shell, ...]]:
        """Lowest bands that are left out, and atomic orbitals of the others."""
        shells = self._atomic_shells(scf)
        energies = read_pw_xml(Path(scf.provenance.directory) / XML).eigenvalues_ev[0]
        for n_deep in isolated_groups(energies, scf.fermi_ev):
            deep = deep_shells(shells, n_deep)
            kept = tuple(shell for shell in shells if deep is not None and shell not in deep)
            if kept:
                return n_deep, kept
        names = ", ".join(sorted({item.filename for item in self.recipe.pseudopotentials}))
        msg = f"{names}: expected atomic orbitals (PP_PSWFC) to start Wannier functions from, found none: take others"
        raise RecipeError(msg)

    def _atomic_shells(self, scf: ScfDocument) -> tuple[Shell, ...]:
        directory = self.pseudo_dir(self.settings())
        shells = []
        for item in self.recipe.pseudopotentials:
            n_atoms = sum(site.specie.symbol == item.element for site in scf.structure)
            electrons: dict[tuple[str, int], float] = {}
            for orbital in atomic_orbitals(directory / item.filename):
                if orbital.occupation >= 0:
                    key = (orbital.label, orbital.l)
                    electrons[key] = electrons.get(key, 0.0) + orbital.occupation
            for (label, momentum), occupation in electrons.items():
                states = 2 * momentum + 1
                n = int(label[0]) if label[:1].isdigit() else 0
                full = occupation > 2 * states - 1e-6
                shells.append(Shell(item.element, n, momentum, states * n_atoms, full=full))
        return tuple(shells)


def band_count(shells: Sequence[Shell]) -> int:
    """Bands to compute above those that are left out: some more than there are functions.

    Parameters
    ----------
    shells
        Atomic orbitals of the functions.
    """
    n_wannier = sum(shell.n_functions for shell in shells)
    return n_wannier + max(LEAST_EXTRA_BANDS, -(-n_wannier // 2))


def commensurate(k_mesh: Mesh, q_mesh: Mesh) -> Mesh:
    """Smallest multiple of the q mesh that is no coarser than a k mesh.

    Parameters
    ----------
    k_mesh, q_mesh
        The meshes.
    """
    n1, n2, n3 = (q * -(-k // q) for k, q in zip(k_mesh, q_mesh, strict=True))
    return n1, n2, n3


def wannier_gate(trials: Sequence[WindowTrial], chosen: int | None, threshold_mev: float) -> Gate:
    """Only Wannier functions that carry the bands go on.

    Parameters
    ----------
    trials
        Attempts.
    chosen
        Position of the best; None if none succeeded.
    threshold_mev
        Largest distance eta in meV.
    """
    best = None if chosen is None else trials[chosen].eta_mev
    passed = best is not None and best <= threshold_mev
    if best is not None:
        message = f"Wannier bands {best:.1f} meV off, expected at most {threshold_mev:g} meV"
        advice = ": choose a denser k_mesh in [wannier]"
    elif trials:
        message, advice = f"no Wannier functions: {trials[-1].reason}", ""
    else:
        message = "no Wannier functions: atomic orbitals of the pseudopotentials are too few to freeze E_F"
        advice = ": take pseudopotentials with more orbitals (PP_PSWFC)"
    return Gate(
        name="wannier",
        passed=passed,
        value=best,
        threshold=threshold_mev,
        unit="meV",
        message=message if passed else message + advice,
    )
