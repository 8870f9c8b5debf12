"""matdyn.x that divides by zero at Gamma, and what other roundings change: nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import UnreadableNumberError
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_frequencies, read_lambda, read_phonon_dos
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import matdyn_handlers
from hightc.makers.qe.handlers_matdyn import raise_on_site_constants
from hightc.makers.settings import compute_settings

pytestmark = pytest.mark.qe

DATA = Path(__file__).parents[2] / "data" / "qe" / "matdyn_nan"


def run(handlers=()):
    return run_program(
        "matdyn", input_text=(DATA / "matdyn.in").read_text(), handlers=list(handlers), settings=compute_settings()
    )


def test_zero_frequency_gives_nan_that_parsers_refuse_and_other_roundings_cure_without_another_coupling():
    shutil.copytree(DATA, ".", dirs_exist_ok=True)
    run()
    with pytest.raises(UnreadableNumberError, match="phonon_dos line 2"):
        read_phonon_dos("phonon_dos", n_points=100)
    with pytest.raises(UnreadableNumberError, match=r"a2F\.dos1 line 6"):
        read_a2f_dos("a2F.dos1")
    coupling, frequencies = read_lambda("lambda"), read_frequencies("frequencies")

    cured = run(matdyn_handlers("matdyn"))
    assert [one.errors for one in cured.corrections] == [("matdyn_nan",)]
    assert not cured.corrections[0].physics
    assert np.array_equal(read_lambda("lambda").coupling, coupling.coupling)
    assert np.array_equal(read_lambda("lambda").omega_log_mev, coupling.omega_log_mev)
    # four printed decimals of 1/cm; one constant of 16 + 8 sums, each rounded to 4e-15, moves Gamma by 2e-5/cm
    assert np.allclose(read_frequencies("frequencies").frequencies_mev, frequencies.frequencies_mev, atol=2e-5)
    dos = read_phonon_dos("phonon_dos", n_points=100)
    spacing = dos.omega_mev[1] - dos.omega_mev[0]
    assert dos.dos_per_mev.sum() * spacing == pytest.approx(3, abs=0.05)  # rows across kinks of the tetrahedra
    assert read_a2f_dos("a2F.dos10").alpha2f.max() > 0

    before = read_a2f_dos("a2F.dos10")
    raise_on_site_constants(Path("force_constants"), 64.0)
    run()
    after = read_a2f_dos("a2F.dos10")
    # an energy axis that begins at Gamma's frequency of -1e-5/cm moves by 1e-7 of its spacing
    assert np.allclose(after.alpha2f, before.alpha2f, rtol=1e-4, atol=1e-5 * before.alpha2f.max())
