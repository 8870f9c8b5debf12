"""What pw.x writes in data-file-schema.xml, at full precision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.analysis.parsers.units import (
    BOHR_ANGSTROM,
    HARTREE_EV,
    HARTREE_PER_BOHR3_GPA,
    HARTREE_PER_BOHR_EV_PER_ANGSTROM,
)
from hightc.analysis.parsers.xml_element import XmlElement, read_xml

_ADVICE = "pw.x was cut while writing, or is of another version; rerun pw.x"


@dataclass(frozen=True, slots=True, eq=False)
class PwRun:
    """One run of pw.x.

    Attributes
    ----------
    code_version : str
        For example ``6.7MaX``.
    calculation : str
        scf, nscf, bands, relax, vc-relax, md or vc-md.
    structure : Structure
        The last geometry, Angstrom.
    energy_ev : float or None
        Total energy of the cell, with the smearing term; None for nscf and bands, where the file holds 0.
    fermi_ev : float or None
        Fermi energy; without smearing, the highest occupied level; None where the two spins have their own.
        For bands, that of the self-consistency before.
    forces_ev_per_angstrom : ndarray (n_atoms, 3) or None
        None if they were not asked for.
    stress_gpa : ndarray (3, 3) or None
        With the sign that pw.x prints: positive when the cell wants to expand. None if not asked for.
    total_magnetization_bohr_magneton, absolute_magnetization_bohr_magneton : float or None
        Of the cell; None without collinear spin, and for nscf and bands. Noncollinear runs have None too,
        because pw.x 6.7 writes a total of 0 for each of them.
    n_electrons : float
        Valence electrons of the cell.
    n_states_per_band : int
        2 without spin, else 1.
    eigenvalues_ev : ndarray (n_spin, n_k, n_bands)
        Kohn-Sham energies; n_spin is 2 for collinear magnetism, else 1.
    k_points : ndarray (n_k, 3)
        In units of the reciprocal lattice vectors.
    k_weights : ndarray (n_k,)
        They sum to 1.
    k_mesh, k_shift : tuple of 3 int or None
        Monkhorst-Pack mesh; None for a list of points.
    smearing : str or None
        Kind of smearing as pw.x abbreviates it (mv, mp, gaussian, fd); None for fixed occupations.
    degauss_ev : float or None
        Its width.
    converged : bool
        The last self-consistency and, in a relaxation, the geometry; True for nscf and bands.
    n_scf_iterations : int
        Of the last self-consistency; 0 if there was none.
    pseudopotentials : dict
        File name of each species.
    ecutwfc_ry : float
        Plane-wave cutoff.
    """

    code_version: str
    calculation: str
    structure: Structure
    energy_ev: float | None
    fermi_ev: float | None
    forces_ev_per_angstrom: NDArray[np.float64] | None
    stress_gpa: NDArray[np.float64] | None
    total_magnetization_bohr_magneton: float | None
    absolute_magnetization_bohr_magneton: float | None
    n_electrons: float
    n_states_per_band: int
    eigenvalues_ev: NDArray[np.float64]
    k_points: NDArray[np.float64]
    k_weights: NDArray[np.float64]
    k_mesh: tuple[int, int, int] | None
    k_shift: tuple[int, int, int] | None
    smearing: str | None
    degauss_ev: float | None
    converged: bool
    n_scf_iterations: int
    pseudopotentials: dict[str, str]
    ecutwfc_ry: float

    @property
    def pressure_gpa(self) -> float | None:
        """A third of the trace of the stress, the P that pw.x prints; None without stress."""
        return None if self.stress_gpa is None else float(np.trace(self.stress_gpa) / 3)

    @property
    def k_points_per_angstrom(self) -> NDArray[np.float64]:
        """Cartesian k points (n_k, 3) in 1/Angstrom, with the factor 2 pi."""
        return self.k_points @ self.structure.lattice.reciprocal_lattice.matrix


def read_pw_xml(path: str | Path) -> PwRun:
    """Read data-file-schema.xml.

    Parameters
    ----------
    path : str or Path
        ``outdir/prefix.save/data-file-schema.xml``. The text output gives the magnetisation with two
        decimals; this file gives sixteen digits.

    Returns
    -------
    PwRun
        In eV, Angstrom, GPa.

    Raises
    ------
    ParseError
        If the file is missing, cut, or lacks an element.
    """
    root = read_xml(Path(path), _ADVICE)
    output = root.get("output")
    calculation = root.get("input/control_variables/calculation").text
    iterated = calculation not in {"nscf", "bands"}
    if iterated and _count_iterations(output) == 0:
        output.fail("at least one self-consistency iteration", "none", IncompleteOutputError)
    bands = output.get("band_structure")
    lattice, structure = _read_structure(output.get("atomic_structure"))
    magnetization = output.get("magnetization") if iterated and bands.get("lsda").flag() else None
    smearing, mesh = bands.find("smearing"), bands.find("starting_k_points/monkhorst_pack")
    k_points, k_weights, eigenvalues = _read_bands(bands, lattice)
    forces, stress = output.find("forces"), output.find("stress")
    return PwRun(
        code_version=root.get("general_info/creator").attribute("VERSION"),
        calculation=calculation,
        structure=structure,
        energy_ev=output.get("total_energy/etot").number() * HARTREE_EV if iterated else None,
        fermi_ev=_read_fermi(bands),
        forces_ev_per_angstrom=None if forces is None else _read_forces(forces, len(structure)),
        stress_gpa=None if stress is None else stress.numbers(9).reshape(3, 3).T * HARTREE_PER_BOHR3_GPA,
        total_magnetization_bohr_magneton=None if magnetization is None else magnetization.get("total").number(),
        absolute_magnetization_bohr_magneton=(
            None if magnetization is None else magnetization.get("absolute").number()
        ),
        n_electrons=bands.get("nelec").number(),
        n_states_per_band=1 if bands.get("lsda").flag() or bands.get("noncolin").flag() else 2,
        eigenvalues_ev=eigenvalues,
        k_points=k_points,
        k_weights=k_weights,
        k_mesh=None if mesh is None else _read_triple(mesh, "nk"),
        k_shift=None if mesh is None else _read_triple(mesh, "k"),
        smearing=None if smearing is None else smearing.text,
        degauss_ev=None if smearing is None else smearing.attribute_number("degauss") * HARTREE_EV,
        converged=not iterated or _has_converged(output, calculation),
        n_scf_iterations=_count_iterations(output) if iterated else 0,
        pseudopotentials={
            species.attribute("name"): species.get("pseudo_file").text
            for species in output.get("atomic_species").get_all("species")
        },
        ecutwfc_ry=output.get("basis_set/ecutwfc").number() * 2,
    )


def _read_forces(forces: XmlElement, n_atoms: int) -> NDArray[np.float64]:
    return forces.numbers(3 * n_atoms).reshape(n_atoms, 3) * HARTREE_PER_BOHR_EV_PER_ANGSTROM


def _read_structure(element: XmlElement) -> tuple[NDArray[np.float64], Structure]:
    """Return the lattice in units of alat and the structure, with pw.x's labels on its sites."""
    lattice_bohr = np.array([element.get(f"cell/{name}").numbers(3) for name in ("a1", "a2", "a3")])
    atoms = element.get("atomic_positions").get_all("atom")
    if element.attribute("nat") != str(len(atoms)) or not atoms:
        element.fail(f"{element.attribute('nat')} atoms", str(len(atoms)), IncompleteOutputError)
    labels = [atom.attribute("name") for atom in atoms]
    structure = Structure(
        Lattice(lattice_bohr * BOHR_ANGSTROM),
        [_element_symbol(label) for label in labels],
        np.array([atom.numbers(3) * BOHR_ANGSTROM for atom in atoms]),
        coords_are_cartesian=True,
        labels=labels,
    )
    return lattice_bohr / element.attribute_number("alat"), structure


def _element_symbol(label: str) -> str:
    """Strip what pw.x allows behind the element: Fe1, Fe_up and Fe-a are all Fe."""
    letters = re.split(r"[-_\d]", label, maxsplit=1)[0]
    return letters[:1].upper() + letters[1:].lower()


def _read_fermi(bands: XmlElement) -> float | None:
    element = bands.find("fermi_energy") or bands.find("highestOccupiedLevel")
    return None if element is None else element.number() * HARTREE_EV


def _read_triple(mesh: XmlElement, prefix: str) -> tuple[int, int, int]:
    first, second, third = (int(mesh.attribute_number(f"{prefix}{axis}")) for axis in (1, 2, 3))
    return first, second, third


def _read_bands(
    bands: XmlElement, lattice_alat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return k points (fractional), their weights (sum 1) and eigenvalues (n_spin, n_k, n_bands) in eV."""
    points = bands.get_all("ks_energies")
    n_k = bands.get("nks").integer()
    if len(points) != n_k or n_k == 0:
        bands.fail(f"{n_k} <ks_energies>", str(len(points)), IncompleteOutputError)
    n_spin = 2 if bands.get("lsda").flag() else 1
    n_bands = bands.get("nbnd_up" if n_spin == 2 else "nbnd").integer()
    if n_spin == 2 and bands.get("nbnd_dw").integer() != n_bands:
        bands.fail(f"{n_bands} bands of either spin", bands.get("nbnd_dw").text)
    cartesian = np.array([point.get("k_point").numbers(3) for point in points])
    weights = np.array([point.get("k_point").attribute_number("weight") for point in points])
    flat = np.array([point.get("eigenvalues").numbers(n_spin * n_bands) for point in points])
    eigenvalues = flat.reshape(n_k, n_spin, n_bands).transpose(1, 0, 2) * HARTREE_EV
    return cartesian @ lattice_alat.T, weights / weights.sum(), eigenvalues


def _has_converged(output: XmlElement, calculation: str) -> bool:
    """Whether the last self-consistency and, in a relaxation, the geometry converged."""
    info = output.get("convergence_info")
    if not info.get("scf_conv/convergence_achieved").flag():
        return False
    geometry = info.find("opt_conv/convergence_achieved")
    if calculation in {"relax", "vc-relax"}:
        return geometry is not None and geometry.flag()
    return True


def _count_iterations(output: XmlElement) -> int:
    steps = output.find("convergence_info/scf_conv/n_scf_steps")
    return 0 if steps is None else steps.integer()


def band_gap_ev(run: PwRun, *, tolerance_ev: float = 1e-6) -> float | None:
    """Band gap over the k points of the run, from eigenvalues and electron count alone.

    Parameters
    ----------
    run : PwRun
        With or without smearing: occupations are not used.
    tolerance_ev : float
        Width within which a level counts as lying at the Fermi energy.

    Returns
    -------
    float or None
        0.0 for a metal: a band crosses the Fermi energy, or the bands below it do not hold all electrons.
        None if the run has no Fermi energy or no empty band to say more.
    """
    if run.fermi_ev is None:
        return None
    lowest, highest = run.eigenvalues_ev.min(axis=1).ravel(), run.eigenvalues_ev.max(axis=1).ravel()
    below = highest <= run.fermi_ev + tolerance_ev
    crossing = ~below & (lowest < run.fermi_ev - tolerance_ev)
    if crossing.any() or abs(below.sum() * run.n_states_per_band - run.n_electrons) > 1e-3:
        return 0.0
    if below.all() or not below.any():
        return None
    return max(0.0, float(lowest[~below].min() - highest[below].max()))
