"""What pw.x prints; data-file-schema.xml of the same run, which `read_pw_xml` reads, has more digits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.printed_bands import read_bands, read_k_points
from hightc.analysis.parsers.printed_text import PrintedText
from hightc.analysis.parsers.run_end import read_run_end
from hightc.analysis.parsers.units import HARTREE_PER_BOHR_EV_PER_ANGSTROM, RYDBERG_EV

_ADVICE = "the run was cut; rerun pw.x"
_KBAR_GPA = 0.1
_FORCE_EV_PER_ANGSTROM = HARTREE_PER_BOHR_EV_PER_ANGSTROM / 2


@dataclass(frozen=True, slots=True, eq=False)
class PwOutput:
    """The text output of a run of pw.x that came to its end; None stands for what it did not print.

    Of a relaxation the last values count.

    Attributes
    ----------
    code_version : str
        For example ``6.7MaX``.
    n_atoms : int
        Atoms in the cell.
    n_electrons : float
        Valence electrons in the cell.
    n_bands : int
        Bands computed.
    n_k : int
        k points, each counted once for both spins.
    k_cartesian : ndarray (n_k, 3) or None
        In units of 2 pi/alat; None for 100 points and more without ``verbosity='high'``.
    k_weights : ndarray (n_k,) or None
        Their weights, which sum to 1.
    bands_ev : ndarray (n_spin, n_k, n_bands) or None
        Kohn-Sham energies, four decimals; None for 100 points and more without ``verbosity='high'``.
    energy_ev : float or None
        Total energy (with smearing E - TS); None for nscf and bands.
    fermi_ev : float or None
        Fermi energy; None for fixed occupations and for two Fermi energies.
    highest_occupied_ev, lowest_unoccupied_ev : float or None
        Of fixed occupations.
    pressure_gpa : float or None
        As printed in kbar with two decimals.
    stress_gpa : ndarray (3, 3) or None
        The sign is that of the pressure.
    forces_ev_per_angstrom : ndarray (n_atoms, 3) or None
        Forces.
    total_magnetization_bohr_magneton, absolute_magnetization_bohr_magneton : float or None
        Per cell, two decimals; None without spin and for noncollinear runs.
    site_charges, site_moments_bohr_magneton : ndarray (n_atoms,) or None
        Electrons and moment in a sphere around each atom, four decimals; None without spin and for noncollinear runs.
    converged : bool or None
        The last self-consistency; None where the run did not say: nscf, bands, or stopped at max_seconds.
    n_scf_iterations : int or None
        Of the last one that converged.
    wall_seconds : float or None
        Wall time.
    """

    code_version: str
    n_atoms: int
    n_electrons: float
    n_bands: int
    n_k: int
    k_cartesian: NDArray[np.float64] | None
    k_weights: NDArray[np.float64] | None
    bands_ev: NDArray[np.float64] | None
    energy_ev: float | None
    fermi_ev: float | None
    highest_occupied_ev: float | None
    lowest_unoccupied_ev: float | None
    pressure_gpa: float | None
    stress_gpa: NDArray[np.float64] | None
    forces_ev_per_angstrom: NDArray[np.float64] | None
    total_magnetization_bohr_magneton: float | None
    absolute_magnetization_bohr_magneton: float | None
    site_charges: NDArray[np.float64] | None
    site_moments_bohr_magneton: NDArray[np.float64] | None
    converged: bool | None
    n_scf_iterations: int | None
    wall_seconds: float | None


def read_pw_output(path: str | Path) -> PwOutput:
    """Read what pw.x printed.

    Parameters
    ----------
    path : str or Path
        The text output of a run that came to its end, converged or not.

    Returns
    -------
    PwOutput
        In eV, Angstrom, GPa.

    Raises
    ------
    ParseError
        If the file is missing, no output of pw.x, cut before "JOB DONE", or the run stopped itself with an error.
    """
    file = PrintedText(path, _ADVICE)
    version = file.require_banner("PWSCF")
    file.require_job_done()
    n_atoms, n_bands, n_k = (_count(file, label) for label in ("number of atoms/cell", _BANDS, "number of k points"))
    n_electrons = file.last_number("number of electrons       =", "number of electrons")
    k_cartesian, k_weights = read_k_points(file, n_k)
    energy_ry = file.last_number("\n!    total energy              =", "total energy in Ry")
    highest, lowest = _read_edges(file)
    pressure, stress = _read_stress(file)
    charges, moments = _read_sites(file, n_atoms)
    done, refused = file.text.rfind("convergence has been achieved in"), file.text.rfind("convergence NOT achieved")
    iterations = file.last_number("convergence has been achieved in", "number of iterations")
    return PwOutput(
        code_version=version,
        n_atoms=n_atoms,
        n_electrons=file.fail("number of electrons", "none") if n_electrons is None else n_electrons,
        n_bands=n_bands,
        n_k=n_k,
        k_cartesian=k_cartesian,
        k_weights=k_weights,
        bands_ev=read_bands(file, n_k, n_bands),
        energy_ev=None if energy_ry is None else energy_ry * RYDBERG_EV,
        fermi_ev=file.last_number("the Fermi energy is", "Fermi energy in eV"),
        highest_occupied_ev=highest,
        lowest_unoccupied_ev=lowest,
        pressure_gpa=pressure,
        stress_gpa=stress,
        forces_ev_per_angstrom=_read_forces(file, n_atoms),
        total_magnetization_bohr_magneton=_read_magnetization(file, "total magnetization       ="),
        absolute_magnetization_bohr_magneton=_read_magnetization(file, "absolute magnetization    ="),
        site_charges=charges,
        site_moments_bohr_magneton=moments,
        converged=None if max(done, refused) < 0 else done > refused,
        n_scf_iterations=None if iterations is None else round(iterations),
        wall_seconds=read_run_end(path).wall_seconds,
    )


_BANDS = "number of Kohn-Sham states"


def _count(file: PrintedText, label: str) -> int:
    """Read the first "label = integer"."""
    match = re.search(rf"^ +{re.escape(label)} *= *(\d+)", file.text, re.MULTILINE)
    if match is None:
        file.position = len(file.lines)
        file.fail(f"'{label} = ...'", "no such line")
    return int(match[1])


def _read_edges(file: PrintedText) -> tuple[float | None, float | None]:
    """Read the highest occupied and the lowest unoccupied level, or the first alone."""
    both = file.find_last("highest occupied, lowest unoccupied level (ev):")
    if both is not None:
        highest, lowest = file.numbers(both.split(), 2, "highest occupied and lowest unoccupied level in eV")
        return highest, lowest
    return file.last_number("highest occupied level (ev):", "highest occupied level in eV"), None


def _read_stress(file: PrintedText) -> tuple[float | None, NDArray[np.float64] | None]:
    """Read the pressure and the three rows below it: Ry/bohr^3 to the left, kbar to the right."""
    head = file.find_last("total   stress  (Ry/bohr**3)")
    if head is None:
        return None, None
    pressure = file.number(head.partition("P=")[2].strip(), "pressure in kbar")
    lines = [file.read_filled_line("a row of the stress") for _ in range(3)]
    rows = [file.numbers(line.split(), 6, "stress in Ry/bohr^3 and kbar")[3:] for line in lines]
    return pressure * _KBAR_GPA, np.array(rows) * _KBAR_GPA


def _read_forces(file: PrintedText, n_atoms: int) -> NDArray[np.float64] | None:
    if file.find_last("Forces acting on atoms") is None:
        return None
    rows = []
    for atom in range(1, n_atoms + 1):
        match = file.read_match(rf"atom\s+{atom} type\s+\d+\s+force =(.*)$", f"the force on atom {atom} of {n_atoms}")
        rows.append(file.numbers(match[1].split(), 3, "force in Ry/bohr"))
    return np.array(rows) * _FORCE_EV_PER_ANGSTROM


def _read_magnetization(file: PrintedText, label: str) -> float | None:
    """Read one number per cell; the three of a noncollinear run are left out."""
    fields = (file.find_last(label) or "").split()
    return file.number(fields[0], "magnetization in Bohr magnetons") if fields[1:2] == ["Bohr"] else None


_SITES = "Magnetic moment per site"
_SITE = r"atom:\s+{atom}\s+charge:\s+(\S+)\s+magn:\s+(\S+)\s+constr:\s+\S+$"


def _read_sites(file: PrintedText, n_atoms: int) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Read charge and moment in the sphere around each atom; the vectors of a noncollinear run are left out."""
    if file.find_last(_SITES) is None or "relative position :" in file.text:
        return None, None
    rows = []
    for atom in range(1, n_atoms + 1):
        match = file.read_match(_SITE.format(atom=atom), f"charge and moment of atom {atom} of {n_atoms}")
        rows.append(file.numbers(match.groups(), 2, "charge and moment in Bohr magnetons"))
    table = np.array(rows)
    return table[:, 0], table[:, 1]
