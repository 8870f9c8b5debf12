from __future__ import annotations

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.qe.upf_orbitals import AtomicOrbital, atomic_orbitals, valence_charge, valence_electrons

OLD = """\
<PP_HEADER>
   0                   Version Number
  Ni                   Element
   10.00000000000      Z valence
    3   10             Number of Wavefunctions, Number of Projectors
 Wavefunctions         nl  l   occ
                       3D  2  4.00
                       4S  0  1.00
</PP_HEADER>
<PP_PSWFC>
3D    2  4.00          Wavefunction
  1.14E-05  1.21E-05
4s    0  1.00          Wavefunction
  1.14E-05  1.21E-05
</PP_PSWFC>
<PP_ADDINFO>
3D  3  2  1.50  4.00
4S  1  0  0.50  1.00
    0  0.50
    -7.00000000   100.00000000    28.00000000     0.01250000
</PP_ADDINFO>
"""
# attributes on lines of their own and without a label in PP_RELWFC, as ONCVPSP writes them
NEW = """\
<UPF version="2.0.1">
<PP_HEADER
element="Pb"
z_valence="   14.00"/>
<PP_PSWFC>
<PP_CHI.1
type="real"
occupation=" 6.000"
label="5D"
l="2" >
 0.1 0.2
</PP_CHI.1>
<PP_CHI.2 index="2" label="6P" l="1" occupation="-1.0E+000" n="2">
</PP_CHI.2>
</PP_PSWFC>
<PP_SPIN_ORB>
<PP_RELWFC.1  index="1"  lchi="2" jchi="2.5" nn="1"/>
<PP_RELWFC.2  index="2"  lchi="1" jchi="5.0E-001" nn="2"/>
</PP_SPIN_ORB>
</UPF>
"""
D, P = AtomicOrbital("5D", 2, 6.0, 2.5), AtomicOrbital("6P", 1, -1.0, 0.5)


@pytest.fixture
def write(tmp_path):
    def write_file(text: str) -> Path:
        path = tmp_path / "X.upf"
        path.write_text(text)
        return path

    return write_file


def test_version_2_gives_orbitals_with_their_total_angular_momentum(write):
    path = write(NEW)
    assert atomic_orbitals(path) == (D, P)
    assert valence_charge(path) == 14


def test_version_1_gives_the_same_kind_of_record(write):
    path = write(OLD)
    assert atomic_orbitals(path) == (AtomicOrbital("3D", 2, 4.0, 1.5), AtomicOrbital("4S", 0, 1.0, 0.5))
    assert valence_charge(path) == 10


def test_scalar_file_has_no_total_angular_momentum(write):
    assert [orbital.j for orbital in atomic_orbitals(write(NEW.replace("PP_RELWFC", "PP_OTHER")))] == [None, None]
    assert [orbital.j for orbital in atomic_orbitals(write(OLD.replace("PP_ADDINFO", "PP_OTHER")))] == [None, None]


def test_file_without_orbitals_has_none(write):
    assert atomic_orbitals(write('<UPF version="2.0.1">\n<PP_HEADER element="H" z_valence="1"/>\n</UPF>')) == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('l="2"', 'l="d"', "expected a number for l, found 'd'"),
        ("<PP_RELWFC.2", "<PP_OTHER.2", "expected 2 atomic orbitals with a total angular momentum, found 1"),
        ('occupation=" 6.000"', "", "expected a number for occupation, found ''"),
    ],
)
def test_damaged_orbital_is_named(write, old, new, message):
    with pytest.raises(PseudopotentialError, match=message):
        atomic_orbitals(write(NEW.replace(old, new)))


@pytest.mark.parametrize("text", ["", NEW.replace("z_valence", "z"), OLD.replace("Z valence", "charge")])
def test_file_that_does_not_tell_its_charge_is_refused(write, text):
    with pytest.raises(PseudopotentialError, match=r"X\.upf: expected a number for"):
        valence_charge(write(text))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PseudopotentialError, match="No such file"):
        atomic_orbitals(tmp_path / "gone.upf")


@pytest.mark.qe
@pytest.mark.parametrize(
    ("name", "charge", "labels"),
    [
        ("Al.pz-vbc.UPF", 3, "3S 3P"),
        ("C.UPF", 4, "2S 2P 3D"),
        ("Ni.rel-pbe-nd-rrkjus.UPF", 10, "3D3/2 3D5/2 4S1/2"),
        ("Pt.rel-pz-n-rrkjus.UPF", 10, "5D3/2 5D5/2 6S1/2 6P1/2 6P3/2"),
        ("pb_s.UPF", 14, "5D3/2 5D5/2 6P1/2 6P3/2 6S1/2"),
        ("H.coulomb-ae.UPF", 1, ""),
    ],
)
def test_files_of_debian_are_read(name, charge, labels):
    orbitals = atomic_orbitals(DEBIAN_DIRECTORY / name)
    assert [f"{item.label}{'' if item.j is None else f'{2 * item.j:.0f}/2'}" for item in orbitals] == labels.split()
    assert valence_charge(DEBIAN_DIRECTORY / name) == charge


@pytest.mark.qe
def test_electrons_of_a_cell_are_those_of_its_atoms(small_recipe):
    diboride = Structure.from_spacegroup(
        "P6/mmm", Lattice.hexagonal(3.086, 3.524), ["Mg", "B"], [[0, 0, 0], [1 / 3, 2 / 3, 0.5]]
    )
    recipe = small_recipe(diboride, {"Mg": "Mg.pz-n-vbc.UPF", "B": "B.pz-vbc.UPF"})
    assert valence_electrons(diboride, recipe, DEBIAN_DIRECTORY) == 2 + 2 * 3
    other = Structure(Lattice.cubic(3), ["Al"], [[0, 0, 0]])
    with pytest.raises(PseudopotentialError, match="pseudopotential of Al: the recipe has none"):
        valence_electrons(other, recipe, DEBIAN_DIRECTORY)
