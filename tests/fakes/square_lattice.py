"""One band of a stack of square lattices, which nests at the corner of its zone."""

from __future__ import annotations

import numpy as np
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Gate, MaterialTag, Provenance
from hightc.analysis.fermi_document import NestingNumbers, make_fermi_document
from hightc.analysis.metal_bands import MetalBands

STRUCTURE = Structure(Lattice.tetragonal(3.0, 6.0), ["Pd"], [[0, 0, 0]])
NUMBERS = NestingNumbers(interpolation_factor=2, smearing_ev=0.1, temperature_k=600.0, stoner_ev=0.5)
TAG = MaterialTag(campaign="test", material="square")
GATE = Gate(name="metal", passed=True, value=0.0, threshold=0.1, unit="eV", message="metal: gap 0.000 eV")
PROVENANCE = Provenance(
    input_sha256="0" * 64,
    codes={"pw.x": "6.7"},
    pseudopotentials=(),
    corrections=(),
    directory="/nowhere",
    wall_seconds=1.0,
)


def energies(mesh, filling_ev=0.0):
    """-2 t (cos x + cos y) with t = 0.5 eV, and a tenth of it along z."""
    x, y, z = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in mesh), indexing="ij")
    return (-np.cos(x) - np.cos(y) - 0.1 * np.cos(z) - filling_ev)[..., None]


def square_bands(mesh=(12, 12, 6), **changes):
    values = {
        "structure": STRUCTURE,
        "fermi_ev": 5.0,
        "numbers": (1,),
        "energies_ev": energies(mesh),
        "on_mesh": energies,
        "interpolation_error_mev": 10.0,
        "source": "nscf",
        "warnings": (),
    }
    return MetalBands(**{**values, **changes})


def square_document(bands=None, numbers=NUMBERS, **changes):
    """What the document says of it."""
    values = {"gate": GATE, "protocol": "draft", "provenance": PROVENANCE}
    return make_fermi_document(bands or square_bands(), numbers, TAG, **{**values, **changes})
