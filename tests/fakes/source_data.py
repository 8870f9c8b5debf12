"""Small tables and archives of the sources of materials."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "sources"
SUPERCON = DATA / "supercon.csv"
STRUCTURES = DATA / "3dsc_mp.csv"


def pack_cifs(folder: Path, files: Iterable[Path] | None = None) -> Path:
    """Archive of CIF files, packed as 3DSC packs its own."""
    path = folder / "cifs.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted((DATA / "cifs").iterdir()) if files is None else files:
            archive.add(file, arcname=f"./{file.name}")
    return path
