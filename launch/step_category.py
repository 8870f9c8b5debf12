"""Categories of steps (``_category`` of their spec), so that a queue takes only what fits it.

* serial: seconds on one core; q2r.x, spectra, Tc, gates;
* small: pw.x, ph.x and matdyn.x below ten minutes on one core;
* parallel: above, and what nobody can estimate;
* epw: the Wannier route, whose cost is not estimated.
"""

from __future__ import annotations

from typing import Final, Literal

Category = Literal["serial", "small", "parallel", "epw"]
CATEGORIES: Final[tuple[Category, ...]] = ("serial", "small", "parallel", "epw")
CATEGORY: Final = "_category"
