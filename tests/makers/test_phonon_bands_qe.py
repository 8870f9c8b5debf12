"""Phonon bands with the real matdyn.x, from recorded force constants."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import (
    ForceConstantsDocument,
    PhononBandsDocument,
    PhononDocument,
    Provenance,
    StoredArray,
)
from hightc.analysis.parsers.bravais import tabulate_lattice
from hightc.analysis.parsers.ph import read_dynamical_matrices
from hightc.analysis.parsers.q2r import read_force_constants
from hightc.analysis.parsers.units import BOHR_ANGSTROM
from hightc.makers.errors import CalculationError, ProgramFailedError
from hightc.makers.phonon_bands import PhononBandsMaker
from hightc.makers.qe.phonon_inputs import FORCE_CONSTANTS

pytestmark = pytest.mark.qe

AL = Path(__file__).parents[1] / "data" / "qe" / "al_linear_response"


@pytest.fixture
def force_constants(tmp_path):
    """Force constants of fcc Al, whose file names the lattice by pw.x's index 2."""
    folder = tmp_path / "q2r"
    folder.mkdir()
    shutil.copy(AL / "al.fc", folder / FORCE_CONSTANTS)
    lattice = Lattice(tabulate_lattice(2, [7.5, 0, 0, 0, 0, 0]) * 7.5 * BOHR_ANGSTROM)
    return ForceConstantsDocument(
        campaign="test",
        material="Al",
        formula="Al",
        elements=("Al",),
        structure=Structure(lattice, ["Al"], [[0, 0, 0]]),
        q_mesh=(2, 2, 2),
        force_constants=StoredArray.from_array(read_force_constants(AL / "al.fc").array_ry_per_bohr2),
        protocol="draft",
        provenance=Provenance(
            input_sha256="0" * 64,
            codes={"q2r.x": "6.7"},
            pseudopotentials=(),
            corrections=(),
            directory=str(folder),
            wall_seconds=None,
        ),
    )


@pytest.fixture
def phonon(force_constants):
    shared = {"campaign", "material", "formula", "elements", "structure", "q_mesh", "protocol", "provenance"}
    return PhononDocument(
        **force_constants.model_dump(include=shared),
        interpolation_mesh=(20, 20, 20),
        omega_mev=(0.0, 40.0),
        dos_per_mev=(0.0, 0.0),
        lowest_frequency_mev=0.0,
        lowest_frequency_q=(0.0, 0.0, 0.0),
        stability="stable",
    )


def run_bands(recipe, *documents):
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    store.connect()
    return PhononBandsMaker(recipe=recipe).make(*documents).run(store).output


@pytest.fixture
def bands(force_constants, phonon, recipe):
    return run_bands(recipe, force_constants, phonon)


def test_bands_pass_through_the_computed_frequencies(bands):
    assert isinstance(bands, PhononBandsDocument)
    computed = {point.star_size: np.sort(point.frequencies_mev) for point in read_dynamical_matrices(AL, "al.dyn")}
    at = {}
    for segment in bands.segments:
        at[segment.start_label] = bands.frequencies_mev[segment.start]
        at[segment.stop_label] = bands.frequencies_mev[segment.stop - 1]
    # X has a star of 3, L of 4; matdyn.x prints 0.0001 1/cm, and the sum rule moves 1 1/cm at most
    assert at["X"] == pytest.approx(computed[3], abs=0.15)
    assert at["L"] == pytest.approx(computed[4], abs=0.15)
    assert at["GAMMA"] == pytest.approx([0, 0, 0], abs=0.01)


def test_bands_of_a_stable_crystal_have_no_warning_and_name_their_run(bands):
    assert bands.warnings == ()
    assert bands.lowest_frequency_mev > -0.01
    assert set(bands.provenance.codes) == {"matdyn.x"}
    assert bands.protocol == "draft"
    assert Path(FORCE_CONSTANTS).is_file()


def test_force_constants_of_another_mesh_than_the_density_of_states_are_refused(force_constants, phonon, recipe):
    finer = phonon.model_copy(update={"q_mesh": (4, 4, 4)})
    with pytest.raises(CalculationError, match=r"expected force constants of the q mesh \(4, 4, 4\)"):
        run_bands(recipe, force_constants, finer)
    assert not Path("matdyn.in").exists()


def test_bands_of_the_same_force_constants_are_taken_over(force_constants, phonon, recipe, tmp_path):
    known = force_constants.provenance.model_copy(update={"content_sha256": "1" * 64})
    constants = force_constants.model_copy(update={"provenance": known})
    first = run_bands(recipe, constants, phonon)
    (tmp_path / "again").mkdir()
    with chdir(tmp_path / "again"):
        again = run_bands(recipe, constants, phonon)
    assert again.provenance.reused_from == first.provenance.directory
    assert again.frequencies_mev == first.frequencies_mev


def test_run_that_misses_a_part_of_the_path_is_an_error_and_never_taken_over(
    force_constants, phonon, recipe, tmp_path, monkeypatch
):
    program = tmp_path / "short_matdyn.x"
    program.write_text(
        '#!/bin/sh\nmatdyn.x "$@" || exit 1\n'
        "if [ -f frequencies ]; then sed -i '1s/nks= *[0-9]*/nks= 1/; 4,$d' frequencies; fi\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("HIGHTC_MATDYN_COMMAND", str(program))
    with pytest.raises(ProgramFailedError, match=r"q points, found 1: matdyn\.x was cut"):
        run_bands(recipe, force_constants, phonon)
    assert not Path("matdyn.finished.json").exists()
