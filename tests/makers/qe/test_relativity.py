from __future__ import annotations

from pathlib import Path

import pytest

from hightc.launch.pseudos import TABLES
from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import PseudopotentialFile
from hightc.makers.qe.relativity import FULLY_RELATIVISTIC_PSEUDO_DOJO, require_moment_files, require_relativity


def file(element, *, fully_relativistic=False, norm_conserving=True):
    return PseudopotentialFile(
        path=Path(f"/pseudo/{element}.upf"),
        element=element,
        norm_conserving=norm_conserving,
        functional="PBE",
        ecutwfc_ry=None,
        fully_relativistic=fully_relativistic,
    )


def test_fully_relativistic_files_serve_with_coupling_and_are_told_without():
    full = file("Pb", fully_relativistic=True)
    scalar = file("O")
    assert require_relativity([full], spin_orbit=True) == ()
    assert require_relativity([scalar], spin_orbit=False) == ()
    warning = "spin-orbit coupling of Pb.upf was averaged out: spin_orbit is false"
    assert require_relativity([full, scalar], spin_orbit=False) == (warning,)


def test_scalar_file_is_refused_with_coupling_and_named_with_what_to_install():
    full = file("Pb", fully_relativistic=True)
    scalar = file("O")
    with pytest.raises(PseudopotentialError, match=r"of O: .* found .*O\.upf without .*--table pseudo-dojo.*-fr-"):
        require_relativity([full, scalar], spin_orbit=True)


def test_ultrasoft_file_with_coupling_is_refused_without_it():
    platinum = file("Pt", fully_relativistic=True, norm_conserving=False)
    assert require_relativity([platinum], spin_orbit=True) == ()
    with pytest.raises(PseudopotentialError, match=r"for spin_orbit = false, found .*Pt\.upf"):
        require_relativity([platinum], spin_orbit=False)


def test_ultrasoft_file_with_coupling_is_refused_for_the_moment():
    lead = file("Pb", fully_relativistic=True)
    require_moment_files([lead, file("O", norm_conserving=False)])
    platinum = file("Pt", fully_relativistic=True, norm_conserving=False)
    with pytest.raises(PseudopotentialError, match=r"of Pt: expected a norm-conserving file for moment = true"):
        require_moment_files([lead, platinum])


def test_table_that_the_advice_names_can_be_installed():
    assert FULLY_RELATIVISTIC_PSEUDO_DOJO in TABLES
