"""fcc aluminium on small meshes, and a machine that nobody has configured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Lattice, Structure

from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, identify, select_pseudopotentials
from hightc.makers.qe.recipe import Recipe, make_recipe
from hightc.makers.qe.symmetry import primitive_cell


@pytest.fixture(autouse=True)
def _machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting but the test's own, and the test's folder as the current one."""
    if request.node.get_closest_marker("qe") and not (shutil.which("pw.x") and DEBIAN_DIRECTORY.is_dir()):
        pytest.skip("needs Quantum ESPRESSO and the pseudopotentials of Debian's quantum-espresso-data")
    for name in [name for name in os.environ if name.upper().startswith("HIGHTC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HIGHTC_SETTINGS_FILE", str(tmp_path / "no_settings.toml"))
    monkeypatch.setenv("HIGHTC_SCRATCH_MINIMUM_GB", "0")
    monkeypatch.setenv("HIGHTC_DATA_DIRECTORY", str(tmp_path / "data"))
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture(scope="session")
def aluminium() -> Structure:
    """Primitive cell of fcc Al near its LDA lattice constant."""
    return primitive_cell(Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.97), ["Al"], [[0, 0, 0]]))


def debian_recipe(structure: Structure, files: dict[str, str], **overrides: Any) -> Recipe:
    """Draft numbers, small enough for a run of a second."""
    elements = [element.symbol for element in structure.composition.elements]
    return make_recipe(
        structure,
        protocol="draft",
        family="debian",
        pseudopotentials=tuple(identify(file) for file in select_pseudopotentials(DEBIAN_DIRECTORY, elements, files)),
        suggested_ecutwfc_ry=None,
        norm_conserving=True,
        overrides={"ecutwfc_ry": 16.0, "degauss_ry": 0.05, "n_dos": 100, **overrides},
    )


@pytest.fixture(scope="session")
def recipe(aluminium: Structure) -> Recipe:
    """Al on meshes that need seconds for the phonons."""
    if not DEBIAN_DIRECTORY.is_dir():
        pytest.skip("needs the pseudopotentials of Debian's quantum-espresso-data")
    meshes = {"k_mesh": (4, 4, 4), "k_mesh_dense": (8, 8, 8), "q_mesh": (2, 2, 2), "interpolation_mesh": (8, 8, 8)}
    return debian_recipe(aluminium, {}, **meshes)


@pytest.fixture(scope="session")
def small_recipe() -> Callable[..., Recipe]:
    """Make a recipe of Debian's pseudopotentials."""
    return debian_recipe
