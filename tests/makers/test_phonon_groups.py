"""What groups of q points tell each other, with a fake ph.x."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import pytest
from fakes.bcc_aluminium import bcc_aluminium
from fakes.flow_runner import FlowRunner

from hightc.makers.phonon_groups import UNSTABLE, QGroupMaker

QE = Path(__file__).parents[1] / "data" / "qe"
ELPH = QE / "al_linear_response" / "elph_dir"
STABLE, UNSTABLE_CASE = QE / "al_linear_response", QE / "al_bcc"
FAKE = """\
#!/bin/sh
echo '     Program PHONON v.6.7MaX starts'
case "$*" in */dev/null*) exit 1 ;; esac  # only asked for its version
mkdir -p elph_dir
cp {case}/al.dyn0 dyn0
cp {case}/al.dyn2 dyn2
cp {elph}/elph.inp_lambda.2 elph_dir/
for width in 51 52 53 54 55 56 57 58 59 60; do echo coupling > elph_dir/a2Fq2r.$width.2; done
echo '   JOB DONE.'
"""


@pytest.fixture
def compute(tmp_path, monkeypatch):
    """Compute a group in a new folder, as a rerun does; its provenance is None if it was not started."""
    recipe, scf = bcc_aluminium(tmp_path)
    monkeypatch.setenv("HIGHTC_REUSE", "false")

    def run(case, group=(2, 2)):
        program = tmp_path / "ph.x"
        program.write_text(FAKE.format(case=case, elph=ELPH))
        program.chmod(0o755)
        monkeypatch.setenv("HIGHTC_PH_COMMAND", str(program))
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        folder.mkdir()
        with chdir(folder):
            job = QGroupMaker(recipe=recipe).make(scf, *group, str(tmp_path))
            return job.run(FlowRunner(tmp_path / "flow").store).output.provenance

    return run


def test_group_that_is_stable_when_it_runs_again_takes_back_what_it_said(compute, tmp_path):
    assert compute(UNSTABLE_CASE)
    assert (tmp_path / UNSTABLE).read_text().startswith("q 2 to 2 in ")
    assert compute(STABLE, (3, 3)) is None
    assert compute(STABLE)
    assert not (tmp_path / UNSTABLE).exists()


def test_group_that_is_unstable_again_says_so_again(compute, tmp_path):
    assert compute(UNSTABLE_CASE)
    said = (tmp_path / UNSTABLE).read_text()
    assert compute(UNSTABLE_CASE)
    assert (tmp_path / UNSTABLE).read_text() == said.replace("run-0", "run-1")


@pytest.mark.parametrize("said", ["q 3 to 3 in there\n", "q 2 to 20 in there\n"])
def test_what_another_group_said_keeps_this_one_from_starting(compute, tmp_path, said):
    (tmp_path / UNSTABLE).write_text(said)
    assert compute(STABLE) is None
    assert (tmp_path / UNSTABLE).read_text() == said
