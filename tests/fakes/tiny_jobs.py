"""Jobs of milliseconds that do to a worker what calculations do: answer, raise, stop their children, hang, die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from jobflow import Response, job
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import CriticalTemperature, MaterialTag, Provenance, StructureDocument, TcDocument
from hightc.analysis.documents.base import identity
from hightc.makers.errors import ProgramFailedError
from hightc.makers.gates import metal_gate, respond
from hightc.makers.tc import DEFAULT_MU_STAR

PROVENANCE = Provenance(
    input_sha256="0", codes={}, pseudopotentials=(), corrections=(), directory="/", wall_seconds=None
)
ALUMINIUM = Structure(Lattice.cubic(4.05), ["Al"], [[0, 0, 0]])


@job
def answer(value: Any) -> Any:
    """Give a value back, and leave a line in the folder for each time it ran."""
    with Path("ran").open("a") as stream:
        stream.write("once\n")
    return value


@job
def fail(message: str, *, own: bool = True) -> None:
    """Raise an error of hightc, or one of Python, with another as its cause."""
    try:
        raise OSError("the cause, not the reason")
    except OSError as cause:
        raise (ProgramFailedError if own else KeyError)(message) from cause


@job
def fail_until(path: str) -> str:
    """Fail until a file is there."""
    return Path(path).read_text()


@job
def relax(tag: MaterialTag, band_gap_ev: float) -> Response[Any]:
    """Store a structure whose gap the metal gate judges."""
    document = StructureDocument(
        **identity(tag, ALUMINIUM),
        structure=ALUMINIUM,
        initial_structure=ALUMINIUM,
        relaxed=False,
        energy_ev=-1.0,
        fermi_ev=1.0,
        band_gap_ev=band_gap_ev,
        total_magnetization_bohr_magneton=None,
        k_mesh=(1, 1, 1),
        target_pressure_gpa=0.0,
        pressure_gpa=0.0,
        max_force_ev_per_angstrom=0.0,
        volume_change=0.0,
        space_group="Fm-3m",
        protocol="draft",
        gates=(metal_gate(band_gap_ev),),
        provenance=PROVENANCE,
    )
    return respond(document)


@job
def solve(tag: MaterialTag) -> TcDocument:
    """Store a document of Tc at the usual mu*."""
    return TcDocument(
        **identity(tag, ALUMINIUM),
        lambda_=0.4,
        omega_log_mev=25.0,
        omega_2_mev=30.0,
        smearing_ev=0.2,
        plateau_smearing_ev=(),
        lambda_low=0.4,
        lambda_high=0.4,
        mu_star_reference="omega_2",
        mu_star_reference_mev=30.0,
        critical_temperatures=tuple(
            CriticalTemperature(
                method="mcmillan", mu_star=mu_star, status="found", tc_kelvin=1.0, low_kelvin=None, high_kelvin=None
            )
            for mu_star in DEFAULT_MU_STAR
        ),
        alpha2f_sha256="0",
    )


@job
def die(times: int) -> str:
    """Kill the worker as the kernel does when memory runs out, as often as told; then answer."""
    with Path("deaths").open("a+") as stream:
        stream.seek(0)
        deaths = len(stream.readlines())
        if deaths < times:
            stream.write("died\n")
            stream.flush()
            print("about to run out of memory", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    return f"after {deaths} deaths"


@job
def hang() -> None:
    """Wait for a child that never ends, and write down who it is."""
    child = subprocess.Popen(["sleep", "600"])
    Path("child").write_text(str(child.pid))
    child.wait()
