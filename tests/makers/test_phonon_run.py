"""What becomes of a ph.x that fails: an error, or the verdict that was clear before."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.flow_runner import FlowRunner
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Provenance, Pseudopotential, ScfDocument
from hightc.makers.errors import ProgramFailedError
from hightc.makers.phonon import CouplingMaker
from hightc.makers.qe.recipe import make_recipe

QE = Path(__file__).parents[1] / "data" / "qe"
FAKE = """\
#!/bin/sh
case "$*" in */dev/null*) exit 1 ;; esac  # only asked for its version
echo run >> {folder}/runs
mkdir -p elph_dir
for n in 0 1 {points}; do cp {case}/al.dyn$n dyn$n; done
for n in 1 {points}; do
  cp {elph}/elph.inp_lambda.$n elph_dir/
  for width in 51 52 53 54 55 56 57 58 59 60; do echo coupling > elph_dir/a2Fq2r.$width.$n; done
done
if [ $(wc -l < {folder}/runs) = 1 ]; then exit 9; fi
cat {say}
exit 1
"""
ERROR = """\
     Program PHONON v.6.7MaX starts
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine nobody (1):
     nobody knows
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
"""


@pytest.fixture
def couple(tmp_path, monkeypatch):
    """Run ph.x of bcc Al with a fake that is killed once and then fails, with some q points finished."""
    structure = Structure.from_spacegroup("Im-3m", Lattice.cubic(3.17), ["Al"], [[0, 0, 0]]).get_primitive_structure()
    pseudopotentials = (Pseudopotential(element="Al", filename="Al.upf", sha256="0" * 64),)
    recipe = make_recipe(
        structure,
        protocol="draft",
        family="none",
        pseudopotentials=pseudopotentials,
        suggested_ecutwfc_ry=16.0,
        norm_conserving=True,
        overrides={"q_mesh": (2, 2, 2), "k_mesh": (4, 4, 4)},
    )
    before = tmp_path / "scf"
    (before / "out" / "hightc.save").mkdir(parents=True)
    for name in ("hightc.save/charge-density.dat", "hightc.xml", "hightc.a2Fsave"):
        (before / "out" / name).write_text("fake\n")
    provenance = Provenance(
        input_sha256="0" * 64,
        codes={},
        pseudopotentials=pseudopotentials,
        corrections=(),
        directory=str(before),
        wall_seconds=1.0,
    )
    scf = ScfDocument(
        campaign="test",
        material="Al",
        formula="Al",
        elements=("Al",),
        structure=structure,
        purpose="coarse",
        energy_ev=-56.0,
        fermi_ev=8.0,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(4, 4, 4),
        protocol="draft",
        provenance=provenance,
    )

    def run(points):
        (tmp_path / "error.out").write_text(ERROR)
        program = tmp_path / "failing_ph.x"
        elph = QE / "al_linear_response" / "elph_dir"
        text = FAKE.format(folder=tmp_path, points=points, case=QE / "al_bcc", elph=elph, say=tmp_path / "error.out")
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("HIGHTC_PH_COMMAND", str(program))
        return CouplingMaker(recipe=recipe).make(scf).run(FlowRunner(tmp_path / "flow").store)

    return run


def test_failure_after_stable_q_points_is_an_error(couple):
    with pytest.raises(ProgramFailedError, match="nobody knows"):
        couple("")


def test_failure_after_an_unstable_q_point_leaves_the_verdict_with_the_corrections_before_it(couple):
    response = couple("2")
    assert response.stop_children
    document = response.output
    assert (len(document.q_points), document.n_irreducible_q) == (2, 3)
    assert document.gates[0].message.startswith("unstable: -109.7 cm^-1")
    (correction,) = document.provenance.corrections
    assert correction.handler == "KilledHandler"
    assert correction.errors == ("killed",)
    assert correction.actions
    assert len(document.acoustic_gamma_mev) == 3
    assert sum(abs(value) for value in document.acoustic_gamma_corrected_mev) == pytest.approx(0, abs=1e-5)
