"""EPW and Elk as solvers of the isotropic Eliashberg equations, timed and compared with their own conventions."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import constants

from hightc.eliashberg.compatibility import elk_critical_temperature, elk_gap, epw_critical_temperature, epw_gap
from hightc.eliashberg.constants import KB_MEV_PER_K

Floats = npt.NDArray[np.float64]

CRYSTAL = Path(__file__).parents[1] / "eliashberg" / "data" / "epw_lead" / "crystal.fmt"
ELK_SPECIES = Path("/usr/share/elk-lapw/species")
HARTREE_MEV = constants.value("Hartree energy in eV") * 1e3
EPW_FRACTIONS = np.array([0.3, 0.9, 0.99, 0.999])  # of Tc
ELK_TEMPERATURES = 40

EPW_INPUT = """--
&inputepw
  prefix='ref', outdir='./'
  ep_coupling=.false., elph=.false., kmaps=.true., epwread=.true., epwwrite=.false., wannierize=.false.
  eliashberg=.true., liso=.true., limag=.true., lpade=.false.
  fila2f='bench.a2f', nqstep={points}
  nsiter=5000, conv_thr_iaxis=1.0d-7, wscut={wscut:.6f}, muc={mu_star:.10f}
  nstemp={count}, temps={temperatures}, gap_edge={gap:.8f}
  nk1=1, nk2=1, nk3=1, nq1=1, nq2=1, nq3=1, nkf1=1, nkf2=1, nkf3=1, nqf1=1, nqf2=1, nqf3=1
/
"""

ELK_INPUT = """tasks
  260

mustar
  {mu_star:.10f}

ntemp
  {temperatures}

wplot
  {points} 100 0
  -0.1 0.1

avec
  3.0 0.0 0.0
  0.0 3.0 0.0
  0.0 0.0 3.0

sppath
  '{species}/'

atoms
  1
  'Al.in'
  1
  0.0 0.0 0.0
"""


@dataclass(frozen=True)
class Peer:
    """One program on some spectra: CPU seconds each, relative errors of its gaps, and its failures.

    ``failed`` counts the spectra on which the program stopped, lost the gap or printed a table that contradicts its
    own equations; they count in the time and not in the errors.
    """

    cpu_seconds: float
    errors: Floats
    failed: int


class NotInstalledError(Exception):
    """The program is not here; the text says how to get it."""


def run(command: list[str], folder: Path) -> tuple[float, bool]:
    """Run a program on one thread; return the CPU seconds of it and its children, and whether it ended well."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "log").open("w") as log:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.returncode == 0


def epw(omega_mev: Floats, alpha2f: Floats, mu_star: Floats, omega_2_mev: Floats) -> Peer:
    """Time epw.x at four temperatures, the last a thousandth below Tc, and compare its gaps.

    The cutoff is 10 omega_2. The temperatures are fractions of the Tc in EPW's convention and its iteration starts from
    2 kB Tc, which a user would have to find by trial: from EPW's own estimate it often falls into the normal state.
    """
    if shutil.which("epw.x") is None:
        raise NotInstalledError("not installed: apt-get install quantum-espresso")
    seconds, failed = 0.0, 0
    errors: list[float] = []
    for values, mu, omega_2 in zip(alpha2f, mu_star.round(10), omega_2_mev, strict=True):
        wscut = round(omega_2 / 100, 6)
        tc = epw_critical_temperature(omega_mev, values, mu, wscut_ev=wscut).tc_kelvin or np.nan
        temperatures = (EPW_FRACTIONS * tc).round(8)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            np.savetxt(folder / "bench.a2f", np.column_stack([omega_mev, values]), fmt="%.10e", header="w a2f")
            source = EPW_INPUT.format(
                points=omega_mev.size,
                wscut=wscut,
                mu_star=mu,
                count=EPW_FRACTIONS.size,
                temperatures=", ".join(f"{temperature:.8f}" for temperature in temperatures),
                gap=2e-3 * KB_MEV_PER_K * tc,
            )
            (folder / "epw.in").write_text(source)
            shutil.copy(CRYSTAL, folder)
            used, ended_well = run(["epw.x", "-in", "epw.in"], folder)
            found = re.findall(r"^ +\d+ +\S+ +\S+ +(\S+)\n +Convergence was", (folder / "log").read_text(), re.M)
        seconds += used
        if not ended_well or len(found) != EPW_FRACTIONS.size:
            failed += 1
            continue
        for temperature, gap in zip(temperatures, found, strict=True):
            ours = epw_gap(omega_mev, values, temperature, mu, wscut_ev=wscut).gap_mev
            errors.append(float(gap) / ours - 1 if ours > 0 else np.inf)
    return Peer(seconds / mu_star.size, np.abs(errors), failed)


def elk(omega_mev: Floats, alpha2f: Floats, mu_star: Floats) -> Peer:
    """Time Elk's task 260 at forty temperatures and compare the gaps below 0.9 Tc.

    Its table ends where Tc is: the last converged gap must lie below and the first converged zero above the Tc
    computed here. Near Tc Elk stops after a thousand iterations without an answer.
    """
    if shutil.which("elk-lapw") is None:
        raise NotInstalledError("not installed: apt-get install elk-lapw")
    seconds, failed = 0.0, 0
    errors: list[float] = []
    for values, mu in zip(alpha2f, mu_star.round(10), strict=True):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            np.savetxt(folder / "ALPHA2F.OUT", np.column_stack([omega_mev / HARTREE_MEV, values]), fmt="%.12e")
            source = ELK_INPUT.format(
                mu_star=mu, temperatures=ELK_TEMPERATURES, points=omega_mev.size, species=ELK_SPECIES
            )
            (folder / "elk.in").write_text(source)
            used, ended_well = run(["elk-lapw"], folder)
            seconds += used
            if not ended_well:
                failed += 1
                continue
            table = np.loadtxt(folder / "ELIASHBERG_GAP_T.OUT")
            blocks = (folder / "ELIASHBERG.OUT").read_text().split("Temperature (kelvin)")[1:]
        tc = elk_critical_temperature(omega_mev, values, mu, n_temperatures=ELK_TEMPERATURES).tc_kelvin or np.nan
        answered = table[["converged in" in block for block in blocks]]
        with_gap = answered[:, 1] > 1e-3 * table[:, 1].max()
        if not answered[with_gap, 0].max(initial=0.0) < tc < answered[~with_gap, 0].min(initial=np.inf):
            failed += 1
            continue
        for temperature, gap, _ in answered[answered[:, 0] < 0.9 * tc]:
            errors.append(gap * HARTREE_MEV / elk_gap(omega_mev, values, temperature, mu).gap_mev - 1)
    return Peer(seconds / mu_star.size, np.abs(errors), failed)
