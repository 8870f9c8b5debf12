"""What a recipe costs and how far its lambda is off: ``python tests/benchmarks/bench_protocols.py --folder runs``.

Each recipe is a protocol, ``usual`` (the meshes of screen with a dense mesh of four times k), or its own meshes as
``k/K/q`` or ``k/K/q/tr2_ph``, for example ``12/24/4/1e-14``. Its chain runs with hightc's own Makers, and the table has
the CPU time of each step: pw.x on the dense mesh K, pw.x on k, the linear response of ph.x, its sum of the double delta
(the clock ``elphsum``), and all else. The last recipe, or the one that ``--reference`` names, is what the errors are
measured against.

Steps that finished in an earlier run with the same ``--folder`` are not computed again, and count with what they took.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Alpha2FDocument, MaterialTag
from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, identify, select_pseudopotentials
from hightc.makers.qe.recipe import PROTOCOL_NAMES, Recipe, make_recipe
from hightc.makers.qe.symmetry import irreducible_k_points, primitive_cell
from hightc.workflows.electron_phonon import ElectronPhononFlowMaker

STEPS = {"scf dense": "pw K", "scf": "pw k", "ph.x electron-phonon": "response"}
"""Columns of the jobs; the double delta is split from the response, and the other jobs are one column."""

COLUMNS = ("pw K", "pw k", "response", "double delta", "rest")
PYTHON_STEPS = ("alpha2F", "Tc")  # no program of Quantum ESPRESSO
SUM_CLOCK = re.compile(r"^\s*elphsum\s*:\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:([\d.]+)s)? CPU", re.MULTILINE)


@dataclass(frozen=True)
class Metal:
    """An fcc metal with a pseudopotential that comes with Debian's Quantum ESPRESSO."""

    lattice_angstrom: float
    pseudopotential: str
    ecutwfc_ry: float


METALS = {"Al": Metal(3.9688, "Al.pz-vbc.UPF", 16.0), "Pb": Metal(4.8804, "pb_s.UPF", 40.0)}


@dataclass(frozen=True)
class Measurement:
    """CPU seconds of each column and lambda against the smearing of one recipe."""

    name: str
    recipe: Recipe
    n_q: int
    cpu_seconds: dict[str, float]
    result: Alpha2FDocument

    @property
    def coupling(self) -> float:
        """lambda where hightc takes it: on the plateau, or of the widest smearing without one."""
        return self.result.chosen.lambda_


def fcc(element: str) -> Structure:
    """Primitive cell of one of the metals."""
    lattice = Lattice.cubic(METALS[element].lattice_angstrom)
    return primitive_cell(Structure.from_spacegroup("Fm-3m", lattice, [element], [[0, 0, 0]]))


def recipe_of(name: str, element: str, degauss_ry: float | None) -> Recipe:
    """Every number of a protocol, or of meshes such as 12/24/4 with the other numbers of screen."""
    metal, protocol = METALS[element], name if name in PROTOCOL_NAMES else "screen"
    overrides: dict[str, object] = {"ecutwfc_ry": metal.ecutwfc_ry, "relax": False}
    if degauss_ry is not None:
        overrides["degauss_ry"] = degauss_ry
    if name == "usual":
        overrides["dense_factor"] = 4
    elif name not in PROTOCOL_NAMES:
        k, dense, q, *tr2_ph = name.split("/")
        overrides |= {key: [int(n)] * 3 for key, n in (("k_mesh", k), ("k_mesh_dense", dense), ("q_mesh", q))}
        if tr2_ph:
            overrides["tr2_ph"] = float(tr2_ph[0])
    files = select_pseudopotentials(DEBIAN_DIRECTORY, [element], {element: metal.pseudopotential})
    return make_recipe(
        fcc(element),
        protocol=protocol,
        family="debian",
        pseudopotentials=tuple(identify(file) for file in files),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides=overrides,
    )


def measure(name: str, element: str, recipe: Recipe, folder: Path) -> Measurement | str:
    """Run the chain of a recipe; the reason if it ended without a spectrum."""
    maker = ElectronPhononFlowMaker(recipe=recipe, finer_q_passes=0)
    flow = maker.make(fcc(element), MaterialTag(campaign="protocols", material=element))
    steps = {job.name: job.uuid for job, _ in flow.iterflow()}
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    root = folder / element / name.replace("/", "-")
    root.mkdir(parents=True, exist_ok=True)
    outputs = run_locally(flow, store=store, create_folders=True, root_dir=root)
    missing = [name for name, uuid in steps.items() if uuid not in outputs]
    if missing:
        return f"no result of {missing[0]}: see {root}"
    seconds = dict.fromkeys(COLUMNS, 0.0)
    for step, uuid in steps.items():
        if step in PYTHON_STEPS:
            continue
        for output in sorted(Path(outputs[uuid][1].output.provenance.directory).glob("*.out")):
            for column, spent in columns_of(step, output):
                seconds[column] += spent
    result = store.get_output(steps["alpha2F"], load=True)
    n_q = irreducible_k_points(fcc(element), recipe.q_mesh)
    return Measurement(name, recipe, n_q, seconds, Alpha2FDocument.model_validate(result))


def columns_of(step: str, output: Path) -> list[tuple[str, float]]:
    """CPU seconds of one program over all its processes, by column."""
    end = read_run_end(output)
    if end.cpu_seconds is None or end.n_processes is None:
        return []
    column, total = STEPS.get(step, "rest"), end.cpu_seconds * end.n_processes
    clock = SUM_CLOCK.search(output.read_text(encoding="utf-8", errors="replace")) if column == "response" else None
    if clock is None:
        return [(column, total)]
    hours, minutes, seconds = (float(part or 0) for part in clock.groups())
    summed = (hours * 3600 + minutes * 60 + seconds) * end.n_processes
    return [(column, total - summed), ("double delta", summed)]


def mesh(recipe: Recipe) -> str:
    """Meshes of a cubic metal in one word."""
    return f"{recipe.k_mesh[0]}/{recipe.k_mesh_dense[0]}/{recipe.q_mesh[0]}"


def row(found: Measurement, reference: float) -> str:
    """One line of the table."""
    total = sum(found.cpu_seconds.values())
    plateau = found.result.plateau
    width = found.result.smearing_ev[found.result.chosen_smearing]
    spread = f"{100 * plateau.relative_spread:.0f}" if plateau.relative_spread is not None else "none"
    times = " | ".join(f"{found.cpu_seconds[column]:.1f}" for column in COLUMNS)
    error = 100 * (found.coupling / reference - 1)
    return (
        f"| {found.name} | {mesh(found.recipe)} | {found.n_q} | {times} | {total / 3600:.4f} | {found.coupling:.4f} | "
        f"{width:.2f} | {spread} | {error:+.1f} |"
    )


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--material", choices=sorted(METALS), default="Al")
    parser.add_argument("--recipes", default="8/16/2,8/24/2", help="protocols, usual, or k/K/q[/tr2_ph], by commas")
    parser.add_argument("--reference", help="one of the recipes, or a value of lambda; the last recipe unless given")
    parser.add_argument("--degauss-ry", type=float, help="smearing of the occupations; the protocol's unless given")
    parser.add_argument("--folder", type=Path, default=Path("bench_protocols"), help="kept between runs")
    parser.add_argument("--meshes-only", action="store_true", help="print the meshes and their points, run nothing")
    return parser.parse_args(words)


def reference_coupling(wanted: str | None, found: Sequence[Measurement]) -> float:
    """lambda that the errors are measured against."""
    by_name = {one.name: one.coupling for one in found}
    name = wanted or found[-1].name
    return by_name[name] if name in by_name else float(name)


def main(words: Sequence[str]) -> None:
    """Measure the recipes and print the tables."""
    options = arguments(words)
    recipes = {name: recipe_of(name, options.material, options.degauss_ry) for name in options.recipes.split(",")}
    for name, recipe in recipes.items():
        points = "/".join(str(irreducible_k_points(fcc(options.material), grid)) for grid in recipe.meshes)
        print(f"{name}: k/K/q {mesh(recipe)}, irreducible points q/k/K {points}", flush=True)
    if options.meshes_only:
        return
    folder = options.folder.resolve()
    os.environ["HIGHTC_DATA_DIRECTORY"] = str(folder / "data")
    found = []
    for name, recipe in recipes.items():
        result = measure(name, options.material, recipe, folder)
        if isinstance(result, str):
            print(f"{name}: {result}", flush=True)
        else:
            found.append(result)
            hours = sum(result.cpu_seconds.values()) / 3600
            print(f"{name}: lambda {result.coupling:.4f}, {hours:.4f} core-hours", flush=True)
    if not found:
        return
    reference = reference_coupling(options.reference, found)
    print(f"\n{options.material}, CPU s of each step, error of lambda against {reference:.4f}\n")
    print(f"| recipe | k/K/q | q | {' | '.join(COLUMNS)} | core-h | lambda | at eV | spread % | error % |")
    print("|---|---|--:|" + "--:|" * (len(COLUMNS) + 5))
    for one in found:
        print(row(one, reference))
    print("\nlambda against the smearing of the double delta, eV\n")
    for one in found:
        curve = zip(one.result.smearing_ev, one.result.moments, strict=True)
        print(f"{one.name}: " + " ".join(f"{width:.2f}:{entry.lambda_:.3f}" for width, entry in curve))


if __name__ == "__main__":
    main(sys.argv[1:])
