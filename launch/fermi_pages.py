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
from hightc.launch.report_site.script_data import script_json
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
    write_plotly(folder / SCRIPT)
    pages = {}
    for index, document in surfaces.items():
        name = f"{results[index].submission.material.folder}-fermi-surface.html"
        back = f"{os.pardir}/{report.name}"
        write_text(folder / name, fermi_page(document, results[index].label, back=back, script=SCRIPT))
        pages[index] = f"{folder.name}/{name}"
    return pages


def write_plotly(path: Path) -> None:
    """Copy plotly's script, unless a copy of this version is there.

    Parameters
    ----------
    path
        Where it shall stand; its folder must exist.
    """
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - a tenth of a second that other campaigns do not need

    script = get_plotlyjs()
    if not path.exists() or path.stat().st_size != len(script.encode()):
        write_text(path, script)


def fermi_page(document: FermiDocument, label: str, *, back: str, script: str) -> str:
    """Write the page of one Fermi surface.

    Parameters
    ----------
    document
        The Fermi surface, its arrays loaded from the blob store.
    label
        Label of the material.
    back, script
        Addresses of the report and of plotly's script from the page.
    """
    from hightc.analysis.plots.fermi_surface import fermi_surface_figure  # noqa: PLC0415 - as above

    figure = script_json(json.loads(fermi_surface_figure(document).to_json()))
    title = html.escape(f"{label}: Fermi surface of {document.formula}")
    return PAGE.format(title=title, script=html.escape(script), back=html.escape(back), figure=figure)
