"""What becomes of a ph.x that fails: an error, or the verdict that was clear before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.bcc_aluminium import bcc_aluminium
from fakes.flow_runner import FlowRunner

from hightc.makers.base import correction_warnings
from hightc.makers.errors import ProgramFailedError
from hightc.makers.phonon import CouplingMaker
from hightc.makers.phonon_groups import QGroupMaker

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
    recipe, scf = bcc_aluminium(tmp_path)

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


FINISHED = QE / "al_linear_response"
WHOLE = """\
#!/bin/sh
echo '     Program PHONON v.{version} starts'
case "$*" in */dev/null*) exit 1 ;; esac  # only asked for its version
echo run >> {folder}/runs
mkdir -p elph_dir
for n in 0 1; do cp {case}/al.dyn$n dyn$n; done
cp {case}/elph_dir/elph.inp_lambda.1 elph_dir/
for width in 51 52 53 54 55 56 57 58 59 60; do echo coupling > elph_dir/a2Fq2r.$width.1; done
echo '   JOB DONE.'
"""


@pytest.fixture
def gamma(tmp_path, monkeypatch):
    """Run ph.x at Gamma with a fake that says its version, and count how often it has run."""
    recipe, scf = bcc_aluminium(tmp_path)
    monkeypatch.setenv("HIGHTC_REUSE", "false")  # only what lies in the folder

    def run(version="6.7MaX", content=None, sha256="0" * 64):
        program = tmp_path / "whole_ph.x"
        program.write_text(WHOLE.format(version=version, folder=tmp_path, case=FINISHED))
        program.chmod(0o755)
        monkeypatch.setenv("HIGHTC_PH_COMMAND", str(program))
        files = tuple(item.model_copy(update={"sha256": sha256}) for item in recipe.pseudopotentials)
        provenance = scf.provenance.model_copy(update={"content_sha256": content})
        maker = QGroupMaker(recipe=recipe.model_copy(update={"pseudopotentials": files}))
        job = maker.make(scf.model_copy(update={"provenance": provenance}), 1, 1, str(tmp_path))
        group = job.run(FlowRunner(tmp_path / "flow").store).output
        return len((tmp_path / "runs").read_text().split()), group

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"content": "1" * 64}, {"content": "2" * 64}),
        ({"sha256": "1" * 64}, {"sha256": "2" * 64}),
        ({"version": "6.7MaX"}, {"version": "7.2"}),
    ],
    ids=["scf", "pseudopotentials", "version"],
)
def test_finished_q_points_of_other_content_are_not_taken_over(gamma, before, after):
    assert gamma(**before)[0] == 1
    assert gamma(**before)[0] == 1
    assert gamma(**after)[0] == 2


def test_finished_q_points_stay_where_a_version_is_not_known(gamma):
    assert gamma()[0] == 1
    assert gamma(version="")[0] == 1
    assert gamma()[0] == 1


@pytest.mark.parametrize(("kept", "handlers"), [(None, ["KilledHandler"]), (0.6, ["custodian"]), (0.0, ["custodian"])])
def test_log_of_corrections_that_a_kill_cut_is_a_warning_and_stops_nothing(gamma, kept, handlers):
    gamma()
    log = Path("custodian.json")
    entry = {"handler": {"@class": "KilledHandler"}, "errors": ["killed"], "actions": ["started again"]}
    text = json.dumps([{"corrections": [entry]}])
    log.write_text(text if kept is None else text[: int(kept * len(text))])
    runs, group = gamma()
    assert runs == 1
    assert [correction.handler for correction in group.provenance.corrections] == handlers
    (note,) = correction_warnings([group.provenance])
    assert ("custodian.json was cut by a kill" in note) == (kept is not None)
