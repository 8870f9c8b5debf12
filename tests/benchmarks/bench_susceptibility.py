"""Cost of chi0 at all q against the double sum: ``python tests/benchmarks/bench_susceptibility.py``.

Both get the same tight-binding bands in one process on one thread. The double sum runs over some q and is extrapolated
to all, and to the half that chi0(-q) = chi0(q) leaves; the answers at those q are compared. Each line of the second
table is a process of its own, whose peak memory counts Python, its libraries and the making of the bands.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import multiprocessing
import platform
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import scipy
from numpy.typing import NDArray

from hightc.analysis.nesting import nesting_function
from hightc.analysis.orbital_susceptibility import density_susceptibility
from hightc.analysis.susceptibility import band_susceptibilities, bare_susceptibility
from hightc.eliashberg.constants import KB_MEV_PER_K

Floats = NDArray[np.float64]

FERMI_EV = 0.2
SMEARING_EV = 0.05
REPETITIONS = 3
EQUAL = 1e-5
"""Difference of energies over kT below which -f' replaces the quotient: both are good to 1e-11 there."""


def hamiltonian_ev(n: int, bands: int) -> NDArray[np.complex128]:
    """Orbitals on one site of a cubic lattice with hopping to neighbours, split and mixed by less than their widths."""
    angle = 2 * np.pi * np.arange(n) / n
    x, y, z = np.meshgrid(angle, angle, angle, indexing="ij")
    matrix = np.zeros((n, n, n, bands, bands), dtype=np.complex128)
    for band in range(bands):
        hopping = -1 - 0.2 * band
        shape = np.cos(x) + (1 - 0.3 * band) * np.cos(y) + (0.3 + 0.1 * band) * np.cos(z)
        matrix[..., band, band] = hopping * shape + 0.4 * band * np.cos(x) * np.cos(y) + 0.3 * band
        if band:
            matrix[..., band, band - 1] = 0.3j * np.sin(x) + 0.2 * np.sin(y) * np.sin(z)
            matrix[..., band - 1, band] = matrix[..., band, band - 1].conj()
    return matrix


def energies_ev(n: int, bands: int) -> Floats:
    """Its bands."""
    return np.linalg.eigvalsh(hamiltonian_ev(n, bands))


def double_sum(energies: Floats, kt: float, vectors: list[tuple[int, ...]]) -> Floats:
    """chi0 at some q: arrays over k in the processor's cache, Fermi functions once, no copies but the shift by q."""
    bands = np.ascontiguousarray(np.moveaxis(energies - FERMI_EV, -1, 0))
    filled = 0.5 - 0.5 * np.tanh(bands / (2 * kt))
    slopes = filled * (1 - filled) / kt
    quotient, chi = np.empty_like(bands[0]), []
    for q in vectors:
        back = [-step for step in q]
        there, filled_there = (np.roll(values, back, axis=(1, 2, 3)) for values in (bands, filled))
        total = 0.0
        for here, f_here, slope in zip(bands, filled, slopes, strict=True):
            for beyond, f_beyond in zip(there, filled_there, strict=True):
                difference = beyond - here
                quotient[...] = slope
                np.divide(f_here - f_beyond, difference, out=quotient, where=np.abs(difference) > EQUAL * kt)
                total += float(quotient.sum())
        chi.append(total / quotient.size)
    return np.array(chi)


def seconds(work: Callable[[], object], repetitions: int = REPETITIONS) -> tuple[float, float]:
    """Least CPU time of this process, and least time by the clock."""
    found = []
    for _ in range(repetitions):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def ratio(n: int, bands: int, temperature_k: float, n_vectors: int) -> list[str]:
    """The first table."""
    energies = energies_ev(n, bands)
    vectors = [tuple(q) for q in np.random.default_rng(0).integers(n, size=(n_vectors, 3)).tolist()]
    fast = bare_susceptibility(energies, FERMI_EV, temperature_k=temperature_k)  # the first call chooses the times
    fast_cpu, fast_wall = seconds(lambda: bare_susceptibility(energies, FERMI_EV, temperature_k=temperature_k), 10)
    kt = temperature_k * KB_MEV_PER_K / 1e3
    slow: list[Floats] = []
    slow_cpu, slow_wall = seconds(lambda: slow.append(double_sum(energies, kt, vectors)))
    all_q = n**3 / n_vectors
    error = np.abs(slow[0] - [fast[q] for q in vectors]).max() / fast.max()
    return [
        f"chi0 on {n}x{n}x{n} points, {bands} bands, {temperature_k:g} K: difference {error:.1e} of the largest\n",
        "| route | CPU s | wall s | ratio CPU | ratio wall |",
        "|---|---|---|---|---|",
        f"| `bare_susceptibility`, all q | {fast_cpu:.4f} | {fast_wall:.4f} | 1 | 1 |",
        *(
            f"| double sum, {n_vectors} q extrapolated to {part} | {slow_cpu * times:.1f} | {slow_wall * times:.1f} "
            f"| {slow_cpu * times / fast_cpu:.0f} | {slow_wall * times / fast_wall:.0f} |"
            for part, times in (("all", all_q), ("half of all", all_q / 2))
        ),
    ]


def cost(task: tuple[str, int, int, float]) -> str:
    """One row of the second table."""
    name, n, bands, temperature_k = task
    if name == "density_susceptibility":
        matrix = hamiltonian_ev(n, bands)
        cpu, wall = seconds(lambda: density_susceptibility(matrix, FERMI_EV, temperature_k=temperature_k), 1)
    else:
        energies = energies_ev(n, bands)
        work: dict[str, Callable[[], object]] = {
            "nesting_function": lambda: nesting_function(energies, FERMI_EV, smearing_ev=SMEARING_EV),
            "bare_susceptibility": lambda: bare_susceptibility(energies, FERMI_EV, temperature_k=temperature_k),
            "band_susceptibilities": lambda: band_susceptibilities(energies, FERMI_EV, temperature_k=temperature_k),
        }
        cpu, wall = seconds(work[name])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| `{name}` | {n} | {bands} | {temperature_k:g} | {cpu:.2f} | {wall:.2f} | {peak:.0f} |"


def machine() -> str:
    """Processor, versions and date."""
    found = [line.partition(":")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    processor = found[0].strip() if found else platform.machine()
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"{processor}, one thread, {versions}, {datetime.now(UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mesh", type=int, default=32, help="points in each direction of the comparison")
    parser.add_argument("--bands", type=int, default=3, help="bands, or orbitals of the Hamiltonian")
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--vectors", type=int, default=100, help="q of the double sum")
    parser.add_argument("--meshes", type=int, nargs="*", default=[32, 64, 128], help="meshes of the second table")
    arguments = parser.parse_args()
    print(machine(), end="\n\n")
    print(*ratio(arguments.mesh, arguments.bands, arguments.temperature, arguments.vectors), sep="\n")
    print("\n| function | mesh | bands | K | CPU s | wall s | peak MB |\n|---|---|---|---|---|---|---|")
    bands, temperature = arguments.bands, arguments.temperature
    names = ["nesting_function", "bare_susceptibility", "band_susceptibilities", "density_susceptibility"]
    tasks = [(name, n, bands, temperature) for n in arguments.meshes for name in names]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for line in pool.imap(cost, tasks, chunksize=1):
            print(line, flush=True)


if __name__ == "__main__":
    main()
