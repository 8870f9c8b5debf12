"""What is computed of a material, as estimates of time and disk want to know it."""

from __future__ import annotations

from hightc.launch.campaign import Material
from hightc.makers.cost import Studied


def studied_of(material: Material, *, magnetic_runs: int = 0) -> Studied:
    """Say what is computed of a material.

    Parameters
    ----------
    material
        The material.
    magnetic_runs
        Runs of pw.x of its magnetic ladder; 0 leaves the ladder out.
    """
    return Studied(
        electron_phonon="electron_phonon" in material.studies,
        wannier=material.wannier,
        nesting=material.nesting,
        magnetism=material.magnetism if magnetic_runs else None,
        magnetic_runs=magnetic_runs,
    )
