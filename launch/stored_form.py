"""A document as the JSON that it is stored as, the same for the same content on every machine."""

from __future__ import annotations

import math
from typing import Any

from monty.json import jsanitize

from hightc.analysis.documents import Document

PACKAGE_VERSION = "@version"
"""Of pymatgen, in a stored structure: which one read it last is no content of the document."""


def stored_form(document: Document) -> dict[str, Any]:
    """Give a document as JSON values; what is no finite number becomes null.

    Parameters
    ----------
    document
        Any document.
    """
    form: dict[str, Any] = _plain(jsanitize(document.model_dump(), strict=True))
    return form


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if name != PACKAGE_VERSION}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
