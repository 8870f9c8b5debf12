"""Both routes to a Tc of one material side by side, and what only the Wannier route says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from hightc.analysis.documents import TcDocument
from hightc.analysis.documents.tc import Method
from hightc.analysis.plots.wannier_wording import anisotropy_text, convergence_text, gap_text
from hightc.analysis.plots.wording import (
    METHODS,
    ROUTES,
    TcKind,
    coupling_range,
    frequency,
    interval,
    mesh_text,
    tc_kind,
    tc_text,
)
from hightc.launch.results import MaterialResult

Quantity = Literal["lambda", "omega_log", "omega_2", "dos", "smearing", "k_mesh", "q_mesh", "tc"]

SHOWN: Final[tuple[Method, ...]] = ("allen_dynes", "eliashberg")
"""Methods whose Tc is compared; the page has a table of all for each route."""


@dataclass(frozen=True)
class ComparisonRow:
    """One quantity by both routes.

    Attributes
    ----------
    quantity
        What is compared.
    values
        In the order of ROUTES, as text.
    kinds
        What kind of answer each is; numbers unless it is a Tc.
    method, mu_star
        Of a Tc; None of everything else.
    """

    quantity: Quantity
    values: tuple[str, ...]
    kinds: tuple[TcKind, ...] = ("number", "number")
    method: str | None = None
    mu_star: float | None = None


def comparison(
    result: MaterialResult, mu_star: Sequence[float], *, dash: str = "-", times: str = "x"
) -> tuple[ComparisonRow, ...]:
    """Numbers of both routes; empty unless both came to a Tc.

    Parameters
    ----------
    result
        The material.
    mu_star
        Coulomb pseudopotentials to show.
    dash
        What stands between the ends of an interval.
    times
        What stands between the numbers of a mesh.
    """
    documents = [result.tc_of(route) for route in ROUTES]
    spectra = [result.alpha2f_of(route) for route in ROUTES]
    pairs = [(tc, spectrum) for tc, spectrum in zip(documents, spectra, strict=True) if tc and spectrum]
    if len(pairs) < len(ROUTES):
        return ()
    texts: dict[Quantity, tuple[str, ...]] = {
        "lambda": tuple(coupling_range(tc, dash) for tc, _ in pairs),
        "omega_log": tuple(frequency(tc.omega_log_mev) for tc, _ in pairs),
        "omega_2": tuple(frequency(tc.omega_2_mev) for tc, _ in pairs),
        "dos": tuple(f"{spectrum.dos_per_ev_spin_cell[spectrum.chosen_smearing]:.3f}" for _, spectrum in pairs),
        "smearing": tuple(_smearing(tc, dash) for tc, _ in pairs),
        "k_mesh": tuple(mesh_text(spectrum.k_mesh_dense, times) for _, spectrum in pairs),
        "q_mesh": tuple(mesh_text(spectrum.q_mesh_fine or spectrum.q_mesh, times) for _, spectrum in pairs),
    }
    rows = tuple(ComparisonRow(quantity, values) for quantity, values in texts.items())
    return (*rows, *_tc_rows([tc for tc, _ in pairs], mu_star, dash))


def _tc_rows(documents: Sequence[TcDocument], mu_star: Sequence[float], dash: str) -> Iterator[ComparisonRow]:
    for method in SHOWN:
        for mu in mu_star:
            entries = [document.find(method, mu) for document in documents]
            values = tuple(
                tc_text(entry, dash, route=document.route) for entry, document in zip(entries, documents, strict=True)
            )
            yield ComparisonRow("tc", values, tuple(tc_kind(entry) for entry in entries), METHODS[method], mu)


def _smearing(document: TcDocument, dash: str) -> str:
    chosen, widths = f"{document.smearing_ev:.3f} eV", document.plateau_smearing_ev
    return f"{chosen} ({interval(f'{min(widths):.3f}', f'{max(widths):.3f}', dash)})" if widths else chosen


def wannier_lines(result: MaterialResult) -> list[tuple[str, str]]:
    """What only the Wannier route says, by name; empty without its spectrum.

    Parameters
    ----------
    result
        The material.
    """
    spectrum, gaps = result.alpha2f_of("wannier"), result.gaps
    if spectrum is None:
        return []
    lines = []
    if gaps is not None:
        lines += [("EPW's convention", gap_text(gaps)), ("anisotropic gap", anisotropy_text(gaps))]
    if spectrum.convergence is not None:
        lines.append(("fine meshes", convergence_text(spectrum.convergence)))
    if spectrum.band_distance_mev is not None:
        lines.append(("Wannier bands", f"eta {spectrum.band_distance_mev:.3g} meV from the computed ones (rms)"))
    return lines
