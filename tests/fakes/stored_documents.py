"""Documents of made-up materials, stored by jobflow as campaigns store them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fakes.magnetic_ladder import magnetic_document
from jobflow import job
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import (
    CriticalTemperature,
    Document,
    ForceConstantsDocument,
    MagnetismDocument,
    Provenance,
    ScfDocument,
    StoredArray,
    TcDocument,
)
from hightc.launch.store import Database
from hightc.makers.relax import XML

ARRAY = np.arange(12.0).reshape(3, 4)
LEAD = Structure(Lattice.cubic(4.0), ["Pb"], [[0, 0, 0]])
PROVENANCE = Provenance(
    input_sha256="0", codes={"ph.x": "6.7MaX"}, pseudopotentials=(), corrections=(), directory="/", wall_seconds=1.0
)


@job(data="blob")
def compute(document: Document) -> Document:
    return document


def store(database: Database, documents: Iterable[Document]) -> None:
    with database.job_store() as jobs:
        for document in documents:
            compute(document).run(jobs)


def who(material: str, campaign: str = "screen") -> dict[str, object]:
    return {"campaign": campaign, "material": material, "formula": "Pb", "elements": ("Pb",)}


def temperature(method: str, mu_star: float, kelvin: float | None, high_kelvin: float | None) -> CriticalTemperature:
    status = "below_range" if kelvin is None else "found"
    return CriticalTemperature(
        method=method, mu_star=mu_star, status=status, tc_kelvin=kelvin, low_kelvin=None, high_kelvin=high_kelvin
    )


def make_tc(material: str, kelvin: float | None, *entries: CriticalTemperature, coupling: float = 1.0) -> TcDocument:
    return TcDocument(
        **who(material),
        lambda_=coupling,
        omega_log_mev=5.0,
        omega_2_mev=6.0,
        smearing_ev=0.2,
        plateau_smearing_ev=(0.1, 0.2),
        lambda_low=coupling,
        lambda_high=coupling,
        mu_star_reference="omega_2",
        mu_star_reference_mev=6.0,
        critical_temperatures=entries or (temperature("allen_dynes", 0.10, kelvin, kelvin),),
        alpha2f_sha256="0",
    )


def make_scf(
    material: str, magnetization: float | None = None, k_mesh: tuple[int, int, int] = (8, 8, 4)
) -> ScfDocument:
    return ScfDocument(
        **who(material),
        purpose="dense",
        structure=LEAD,
        energy_ev=-1.0,
        fermi_ev=5.0,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=magnetization,
        k_mesh=k_mesh,
        protocol="draft",
        provenance=PROVENANCE,
    )


def with_cut_bands(dense: ScfDocument, folder: Path) -> ScfDocument:
    """The same calculation in a folder whose summary breaks off before the bands."""
    (folder / XML).parent.mkdir(parents=True, exist_ok=True)
    (folder / XML).write_text("<espresso>")
    return dense.model_copy(update={"provenance": PROVENANCE.model_copy(update={"directory": str(folder)})})


def make_force_constants(material: str) -> ForceConstantsDocument:
    return ForceConstantsDocument(
        **who(material),
        structure=LEAD,
        q_mesh=(2, 2, 2),
        force_constants=StoredArray.from_array(ARRAY),
        protocol="draft",
        provenance=PROVENANCE,
    )


def make_magnetism(material: str, softness_class: str, stoner_product: float | None) -> MagnetismDocument:
    changes = {"material": material, "softness_class": softness_class, "stoner_product": stoner_product}
    return magnetic_document().model_copy(update=changes)
