"""CPU time and accuracy of every Eliashberg solver here: ``python tests/benchmarks/bench_eliashberg.py``.

All solvers get the same random spectra on one thread and print one markdown table. With ``--peers N`` epw.x and Elk
solve N of them as well, each compared with its own convention; what is not installed says so in its row.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import scipy
from eliashberg_peers import Floats, NotInstalledError, Peer, elk, epw
from fakes.random_spectra import RandomSpectra, random_spectra

from hightc.eliashberg import (
    Alpha2F,
    TcSolution,
    TcStatus,
    critical_temperature,
    critical_temperature_dense,
    critical_temperatures,
)
from hightc.eliashberg.compatibility import elk_critical_temperature, epw_critical_temperature
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.gap import GapStatus, solve_gap
from hightc.eliashberg.gap_batch import solve_gaps

BATCH = 4000
REPETITIONS = 10  # the first ones still fill caches
REDUCED_TEMPERATURE = 0.5  # of the gaps
PEER_LEAST_TC = 0.01  # in units of omega_2: Elk needs minutes below
PEER_LEAST_OMEGA_2_MEV = 5.0  # Elk's tolerance, 1e-12 Hartree, is made for phonons of real crystals


def cpu_seconds(work: Callable[[], object], repetitions: int = REPETITIONS) -> float:
    """Return the least CPU time of this process for `work`."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def each(solve: Callable[[Alpha2F, float], TcSolution], spectra: RandomSpectra) -> list[TcSolution]:
    """Solve one spectrum after the other."""
    omega, alpha2f, mu_star = spectra
    return [solve(Alpha2F(omega, values), mu) for values, mu in zip(alpha2f, mu_star.tolist(), strict=True)]


def relative_errors(tc_kelvin: Floats, reference: list[TcSolution]) -> Floats:
    """Errors of Tc where the reference found one; infinite where it was missed or found too much."""
    exact = np.array([solution.tc_kelvin if solution.status is TcStatus.FOUND else np.nan for solution in reference])
    tc_kelvin = np.where(tc_kelvin > 0, tc_kelvin, np.nan)
    both = np.isfinite(exact) & np.isfinite(tc_kelvin)
    errors = np.where(both, np.abs(tc_kelvin / np.where(both, exact, 1) - 1), np.inf)
    return np.asarray(errors[np.isfinite(exact) | np.isfinite(tc_kelvin)])


def tc_of(solutions: list[TcSolution]) -> Floats:
    """Tc in K, nan without a number."""
    return np.array([np.nan if solution.tc_kelvin is None else solution.tc_kelvin for solution in solutions])


def row(code: str, what: str, seconds: float | None, batch_seconds: float, error: str) -> str:
    """One line of the table."""
    timing = "" if seconds is None else f"{seconds:.2e}"
    ratio = "" if seconds is None else f"{seconds / batch_seconds:.3g}"
    return f"| {code} | {what} | {timing} | {ratio} | {error} |"


def max_median(errors: Floats) -> str:
    """The two figures of the last column."""
    if errors.size == 0:
        return "none"
    return f"{errors.max():.1e} / {np.median(errors):.1e}"


def gap_rows(spectra: RandomSpectra, dense: list[TcSolution], batch_seconds: float) -> list[str]:
    """Gaps below Tc: the batch of `solve_gaps` and the single call of `solve_gap`."""
    chosen = [k for k, solution in enumerate(dense) if solution.status is TcStatus.FOUND][:100]
    temperatures = REDUCED_TEMPERATURE * tc_of(dense)[chosen]
    omega, alpha2f, mu_star = spectra.omega_mev, spectra.alpha2f[chosen], spectra.mu_star[chosen]
    what = f"gap at {REDUCED_TEMPERATURE} Tc"

    def single() -> list[float]:
        cases = zip(alpha2f, temperatures.tolist(), mu_star.tolist(), strict=True)
        solutions = [solve_gap(Alpha2F(omega, values), t, mu) for values, t, mu in cases]
        return [float(s.gap_mev[0]) if s.status is GapStatus.FOUND else np.nan for s in solutions]

    exact = np.array(single())
    seconds = cpu_seconds(single, 1) / len(chosen)
    lines = [row("`solve_gap`", f"{what}, one a call", seconds, batch_seconds, "reference")]
    many = partial(solve_gaps, omega, np.tile(alpha2f, (10, 1)), np.tile(temperatures, 10), np.tile(mu_star, 10))
    errors = np.abs(many().gap_mev[: len(chosen), 0] / exact - 1)
    seconds = cpu_seconds(many) / (10 * len(chosen))
    error = f"gap {max_median(np.where(np.isfinite(errors), errors, np.inf))}"
    return [row("`solve_gaps`", f"{what}, batch of {10 * len(chosen)}", seconds, batch_seconds, error), *lines]


def peer_rows(count: int, spectra: RandomSpectra, dense: list[TcSolution], batch_seconds: float) -> list[str]:
    """Programs of others on the first spectra that superconduct well enough for them."""
    omega_2 = np.array([solution.omega_2_mev for solution in dense])
    reduced = np.nan_to_num(KB_MEV_PER_K * tc_of(dense) / omega_2)
    chosen = np.flatnonzero((reduced > PEER_LEAST_TC) & (omega_2 > PEER_LEAST_OMEGA_2_MEV))[:count]
    omega, alpha2f, mu_star = spectra.omega_mev, spectra.alpha2f[chosen], spectra.mu_star[chosen]
    cases = zip(alpha2f, mu_star.tolist(), omega_2[chosen].tolist(), strict=True)
    ours_epw = partial(
        lambda cases: [epw_critical_temperature(omega, a, mu, wscut_ev=w2 / 100) for a, mu, w2 in cases], list(cases)
    )
    ours_elk = lambda: [elk_critical_temperature(omega, a, mu) for a, mu in zip(alpha2f, mu_star, strict=True)]  # noqa: E731
    programs: list[tuple[str, str, Callable[[], Peer], Callable[[], object], str]] = [
        ("EPW (epw.x)", "4 temperatures", lambda: epw(omega, alpha2f, mu_star, omega_2[chosen]), ours_epw, "epw"),
        ("Elk (task 260)", "40 temperatures", lambda: elk(omega, alpha2f, mu_star), ours_elk, "elk"),
    ]
    lines = []
    for name, what, program, ours, short in programs:
        try:
            peer = program()
            error, seconds = f"gap {max_median(peer.errors)}; {peer.failed} failed", peer.cpu_seconds
        except NotInstalledError as reason:
            error, seconds = str(reason), None
        lines.append(row(name, f"{what}, {chosen.size} spectra", seconds, batch_seconds, error))
        seconds = cpu_seconds(ours, 1) / chosen.size
        lines.append(row(f"`{short}_critical_temperature`", "its convention, one a call", seconds, batch_seconds, ""))
    return lines


def accuracy(spectra: RandomSpectra, dense: list[TcSolution], grid: str) -> str:
    """One line: the batch against the dense solver, and how often they found the same status."""
    batch = critical_temperatures(*spectra)
    errors = relative_errors(batch.tc_kelvin, dense)
    same = sum(str(status) == solution.status for status, solution in zip(batch.status, dense, strict=True))
    return (
        f"| {grid} | {len(dense)} | {errors.size} | {errors.max():.1e} | {np.quantile(errors, 0.99):.1e} "
        f"| {np.median(errors):.1e} | {same} of {len(dense)} |"
    )


def machine() -> str:
    """Processor, versions and date."""
    found = [line.partition(":")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    processor = found[0].strip() if found else platform.machine()
    versions = f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}"
    return f"{processor}, one thread (OPENBLAS_NUM_THREADS=1), {versions}, {datetime.now(UTC):%Y-%m-%d}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spectra", type=int, default=1000, help="spectra of the accuracy block")
    parser.add_argument("--peers", type=int, nargs="?", const=20, default=0, help="spectra for epw.x and Elk")
    arguments = parser.parse_args()
    spectra = random_spectra(arguments.spectra)
    many = random_spectra(BATCH)
    batch_seconds = cpu_seconds(lambda: critical_temperatures(*many)) / BATCH
    single = each(partial(critical_temperature), spectra)
    single_seconds = cpu_seconds(lambda: each(partial(critical_temperature), spectra)) / len(single)
    start = time.process_time()
    dense = each(partial(critical_temperature_dense), spectra)
    dense_seconds = (time.process_time() - start) / len(dense)
    batch_errors = relative_errors(critical_temperatures(*spectra).tc_kelvin, dense)
    single_errors = relative_errors(tc_of(single), dense)
    lines = [
        row("`critical_temperatures`", f"Tc, batch of {BATCH}", batch_seconds, batch_seconds, max_median(batch_errors)),
        row("`critical_temperature`", "Tc, one a call", single_seconds, batch_seconds, max_median(single_errors)),
        row("`critical_temperature_dense`", "Tc, all frequencies", dense_seconds, batch_seconds, "reference"),
        *gap_rows(spectra, dense, batch_seconds),
    ]
    if arguments.peers:
        lines += peer_rows(arguments.peers, spectra, dense, batch_seconds)
    print(machine(), end="\n\n")
    print("| code | what | CPU s each | ratio to our batch | error in its own convention, max / median |")
    print("|---|---|---|---|---|", *lines, sep="\n")
    print("\nBatch against the dense solver, relative error of Tc:\n")
    print("| grid | spectra | with Tc | worst | 99 % | median | same status |")
    print("|---|---|---|---|---|---|---|")
    print(accuracy(spectra, dense, "linear"))
    fine = random_spectra(arguments.spectra, seed=1, grid="logarithmic")
    print(accuracy(fine, each(partial(critical_temperature_dense), fine), "logarithmic"))


if __name__ == "__main__":
    main()
