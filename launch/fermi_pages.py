"""Pages beside a report on which a Fermi surface can be turned, with one copy of plotly for all of them."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hightc.analysis.documents import FermiDocument
from hightc.analysis.files import write_text
from hightc.launch.results import MaterialResult

FOLDER_SUFFIX: Final = "_files"
SCRIPT: Final = "plotly.min.js"

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; background: #fff; color: #16191d; font: 15px/1.5 system-ui, sans-serif; }}
body {{ display: flex; flex-direction: column; }}
header {{ padding: .6rem 1rem; }}
#surface {{ flex: 1; min-height: 0; }}
a {{ color: #005ea8; }}
</style>
<script src="{script}"></script>
</head>
<body>
<header><b>{title}</b> · <a href="{back}">back to the report</a> · drag to turn, scroll to zoom, click a band in the
legend to hide it</header>
<div id="surface"></div>
<script type="application/json" id="figure">{figure}</script>
<script>
const figure = JSON.parse(document.getElementById("figure").textContent);
Plotly.newPlot("surface", figure.data, figure.layout, {{responsive: true, displaylogo: false}});
</script>
</body>
</html>
"""


def write_fermi_pages(results: Sequence[MaterialResult], report: Path) -> dict[int, str]:
    """Write one page for each material with a Fermi surface.

    Parameters
    ----------
    results
        The materials, in the order of the report.
    report
        The report; the pages lie in a folder beside it that carries its name.

    Returns
    -------
    dict
        Address of the page, relative to the report, by position of the material; those without one are left out.
    """
    surfaces = {
        index: result.fermi
        for index, result in enumerate(results)
        if result.fermi is not None and result.fermi.has_arrays
    }
    if not surfaces:
        return {}
    folder = report.with_name(report.stem + FOLDER_SUFFIX)
    folder.mkdir(exist_ok=True)
    _write_script(folder / SCRIPT)
    pages = {}
    for index, document in surfaces.items():
        name = f"{results[index].submission.material.folder}-fermi-surface.html"
        write_text(folder / name, _page(document, results[index].label, report.name))
        pages[index] = f"{folder.name}/{name}"
    return pages


def _write_script(path: Path) -> None:
    """Copy plotly's script, unless a copy of this version is there."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - a tenth of a second that other campaigns do not need

    script = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(script.encode()):
        write_text(path, script)


def _page(document: FermiDocument, label: str, report: str) -> str:
    from hightc.analysis.plots.fermi_surface import fermi_surface_figure  # noqa: PLC0415 - as above

    # "</" inside a script element would end it
    figure = json.dumps(json.loads(fermi_surface_figure(document).to_json())).replace("</", "<\\/")
    title = html.escape(f"{label}: Fermi surface of {document.formula}")
    return PAGE.format(title=title, script=SCRIPT, back=html.escape(f"{os.pardir}/{report}"), figure=figure)
