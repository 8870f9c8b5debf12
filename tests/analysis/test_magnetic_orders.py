from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import spglib
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents.magnetism import MagneticOrder
from hightc.analysis.magnetic_orders import magnetic_orders
from hightc.analysis.magnetic_supercells import cells, sublattices

A = 2.87
BCC = Structure(Lattice(A / 2 * (np.ones((3, 3)) - 2 * np.eye(3))), ["Fe"], [[0, 0, 0]])
FCC = Structure(Lattice(A / 2 * (np.ones((3, 3)) - np.eye(3))), ["Ni"], [[0, 0, 0]])
CUBIC = Structure(Lattice.cubic(A), ["Mn"], [[0, 0, 0]])
HCP = Structure(Lattice.hexagonal(2.5, 4.08), ["Co", "Co"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
OXIDE = Structure(Lattice(2.1 * (np.ones((3, 3)) - np.eye(3))), ["Fe", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
SELENIDE = Structure(
    Lattice.tetragonal(3.77, 5.5), ["Fe", "Fe", "Se", "Se"], [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.26], [0.5, 0, 0.74]]
)
B2 = Structure(Lattice.cubic(A), ["Fe", "Co"], [[0, 0, 0], [0.5, 0.5, 0.5]])
ELEMENTS = {"Fe", "Co", "Ni", "Mn"}
CRYSTALS = {"bcc": BCC, "fcc": FCC, "sc": CUBIC, "hcp": HCP, "oxide": OXIDE, "selenide": SELENIDE, "B2": B2}
EVERY_CRYSTAL = pytest.mark.parametrize("structure", CRYSTALS.values(), ids=CRYSTALS)


def antiferromagnetic(structure: Structure, cells_: int = 2, limit: int = 200) -> list[MagneticOrder]:
    orders, _ = magnetic_orders(structure, ELEMENTS, max_primitive_cells=cells_, max_orders=limit)
    return [order for order in orders if order.kind == "antiferromagnetic"]


def wave_length(order: MagneticOrder, structure: Structure) -> float:
    """|q| in units of 2 pi/a, of the shortest equivalent vector."""
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    q = (np.array(order.propagation_vector) + shifts) @ structure.lattice.reciprocal_lattice_crystallographic.matrix
    return float(np.linalg.norm(q, axis=1).min() * A)


def colored(structure: Structure, spins: tuple[int, ...]) -> Structure:
    """Sites with spin down as ions of the same element."""
    species = [
        f"{site.specie.symbol}{'2+' if spin > 0 else '2-' if spin < 0 else ''}"
        for site, spin in zip(structure, spins, strict=True)
    ]
    return Structure(structure.lattice, species, structure.frac_coords)


def same(first: Structure, second: Structure) -> bool:
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1, primitive_cell=False, scale=False)
    return bool(matcher.fit(first, second))


def reduced_sites(structure: Structure) -> int:
    """Sites of the smallest cell that tells spins apart."""
    numbers = np.unique([site.species_string for site in structure], return_inverse=True)[1]
    return len(spglib.find_primitive((structure.lattice.matrix, structure.frac_coords, numbers), symprec=1e-3)[2])


def every_compensated(structure: Structure, index: int) -> Iterator[tuple[Structure, Structure]]:
    """Each arrangement with as many spins up as down in each supercell, and the same with all spins reversed."""
    for one in sublattices(index):
        coordinates = (structure.frac_coords[:, None] + cells(one)).reshape(-1, 3) @ structure.lattice.matrix
        symbols = [site.specie.symbol for site in structure for _ in range(index)]
        cell = Structure(Lattice(one @ structure.lattice.matrix), symbols, coordinates, coords_are_cartesian=True)
        for up in itertools.combinations(range(len(symbols)), len(symbols) // 2):
            spins = tuple(1 if place in up else -1 for place in range(len(symbols)))
            reverse = tuple(-spin for spin in spins)
            yield colored(cell, spins), colored(cell, reverse)


@pytest.mark.parametrize(
    ("structure", "lengths"),
    [
        (BCC, {"N": 0.5**0.5, "H": 1.0}),
        (FCC, {"L": 0.75**0.5, "X": 1.0}),
        (CUBIC, {"X (A)": 0.5, "M (C)": 0.5**0.5, "R (G)": 0.75**0.5}),
    ],
    ids=["bcc", "fcc", "sc"],
)
def test_orders_of_two_cubic_cells_are_those_at_the_points_of_high_symmetry(structure, lengths):
    found = [wave_length(order, structure) for order in antiferromagnetic(structure)]
    assert found == pytest.approx(list(lengths.values()), abs=1e-9)


def test_order_of_bcc_at_h_is_that_of_cscl():
    order = antiferromagnetic(BCC)[1]
    for site, spin in zip(order.structure, order.spins, strict=True):
        neighbors = order.structure.get_neighbors(site, 0.9 * A)
        assert [order.spins[one.index] for one in neighbors] == [-spin] * 8
    # P_I m-3m, the group of chromium's commensurate order
    assert order.magnetic_space_group == "221.97"


def test_fcc_has_five_orders_that_need_four_cells():
    # as many as ordered fcc alloys A2B2 with four atoms: Z2, Y2, W2, V2 and structure 40
    sizes = [order.n_primitive_cells for order in antiferromagnetic(FCC, 4)]
    assert sizes == [2, 2, 4, 4, 4, 4, 4]


def test_two_sites_of_a_hexagonal_cell_oppose_each_other_in_the_cell_itself():
    first = antiferromagnetic(HCP)[0]
    assert (first.n_primitive_cells, first.spins, first.propagation_vector) == (1, (1, -1), (0, 0, 0))


def test_iron_selenide_has_its_checkerboard_stripe_and_neel_stacking():
    found = {(order.n_primitive_cells, order.propagation_vector) for order in antiferromagnetic(SELENIDE)}
    checkerboard, stripe, stacked = (1, (0, 0, 0)), (2, (0.5, 0.5, 0)), (2, (0, 0, 0.5))
    assert {checkerboard, stripe, stacked} <= found


@pytest.mark.parametrize(("structure", "index"), [(BCC, 2), (FCC, 4), (HCP, 1), (HCP, 2)])
def test_brute_force_finds_the_same_orders(structure, index):
    kinds: list[Structure] = []
    for one, reverse in every_compensated(structure, index):
        if reduced_sites(one) == len(one) and not any(same(one, kind) or same(reverse, kind) for kind in kinds):
            kinds.append(one)
    found = [order for order in antiferromagnetic(structure, index) if order.n_primitive_cells == index]
    assert len(found) == len(kinds)
    for order in found:
        cell = colored(order.structure, order.spins)
        reverse = colored(order.structure, tuple(-spin for spin in order.spins))
        assert sum(same(cell, kind) or same(reverse, kind) for kind in kinds) == 1


@EVERY_CRYSTAL
def test_every_magnetic_site_has_a_spin_and_no_other(structure):
    orders, _ = magnetic_orders(structure, ELEMENTS, max_orders=99)
    for order in orders[1:]:
        assert [abs(spin) for spin in order.spins] == [site.specie.symbol in ELEMENTS for site in order.structure]
        assert order.structure.site_properties["magmom"] == list(order.spins)
    assert not any(orders[0].spins)


@EVERY_CRYSTAL
def test_antiferromagnetic_spins_compensate_for_each_element(structure):
    for order in antiferromagnetic(structure, 4):
        total = {site.specie.symbol: 0 for site in order.structure}
        for site, spin in zip(order.structure, order.spins, strict=True):
            total[site.specie.symbol] += spin
        assert not any(total.values())


@EVERY_CRYSTAL
def test_no_smaller_cell_holds_an_order(structure):
    for order in antiferromagnetic(structure, 4, limit=30):
        cell = colored(order.structure, order.spins)
        assert reduced_sites(cell) == len(cell) == order.n_primitive_cells * len(structure)
        assert cell.volume == pytest.approx(order.n_primitive_cells * structure.volume)


@EVERY_CRYSTAL
def test_crystal_without_its_spins_is_the_one_given(structure):
    for order in antiferromagnetic(structure):
        assert StructureMatcher(scale=False).fit(order.structure, structure)


@EVERY_CRYSTAL
def test_wave_vector_gives_the_spins_of_each_site_along_the_crystal(structure):
    matrix = structure.lattice.matrix
    for order in antiferromagnetic(structure):
        q = np.array(order.propagation_vector)
        for first, second in itertools.combinations(range(len(order.spins)), 2):
            step = (order.structure[second].coords - order.structure[first].coords) @ np.linalg.inv(matrix)
            if order.spins[first] and np.abs(step - np.rint(step)).max() < 1e-6:
                # q is half a reciprocal lattice vector, so the phase is a sign
                assert order.spins[second] == order.spins[first] * round(np.cos(2 * np.pi * q @ np.rint(step)))


def test_order_with_several_wave_vectors_has_none():
    assert None in {order.propagation_vector for order in antiferromagnetic(HCP, 4)}


@EVERY_CRYSTAL
def test_another_setting_of_the_cell_gives_the_same_orders(structure):
    other = Structure(
        Lattice(np.array([[1, 1, 0], [0, 1, 0], [0, -1, 1]]) @ structure.lattice.matrix[:, [1, 2, 0]]),
        structure.species,
        (structure.cart_coords + 0.37)[:, [1, 2, 0]],
        coords_are_cartesian=True,
    )
    own, others = antiferromagnetic(structure), antiferromagnetic(other)
    assert [order.n_primitive_cells for order in own] == [order.n_primitive_cells for order in others]
    assert sorted(order.magnetic_space_group for order in own) == sorted(one.magnetic_space_group for one in others)


@EVERY_CRYSTAL
def test_orders_are_named_in_the_order_of_their_cells_and_the_same_each_time(structure):
    first, second = (magnetic_orders(structure, ELEMENTS, max_primitive_cells=3, max_orders=20)[0] for _ in range(2))
    assert first == second
    assert [order.name for order in first] == ["NM", "FM", *(f"AFM{n + 1}" for n in range(len(first) - 2))]
    sizes = [order.n_primitive_cells for order in first]
    assert sizes == sorted(sizes)


def test_nonmagnetic_and_ferromagnetic_orders_keep_the_cell_given():
    for order in magnetic_orders(OXIDE, ELEMENTS)[0][:2]:
        assert np.array_equal(order.structure.lattice.matrix, OXIDE.lattice.matrix)
        assert np.array_equal(order.structure.frac_coords, OXIDE.frac_coords)
        assert order.n_primitive_cells == 1


def test_magnetic_space_groups_tell_grey_from_white_and_black():
    groups = [order.magnetic_space_group for order in magnetic_orders(BCC, ELEMENTS)[0][:2]]
    assert groups == ["229.141", "229.140"]


def test_orders_beyond_the_limit_are_left_out_with_their_number():
    orders, left_out = magnetic_orders(CUBIC, ELEMENTS, max_orders=3)
    assert [order.name for order in orders] == ["NM", "FM", "AFM1"]
    assert left_out[0] == "2 of 3 antiferromagnetic orders: at most 3 orders, those in the smallest cells"


def test_what_is_never_tried_is_said():
    assert magnetic_orders(BCC, ELEMENTS)[1] == (
        "orders that need more than 2 primitive cells, spirals and other orders that are not collinear",
    )
    assert "more than its primitive cell" in magnetic_orders(BCC, ELEMENTS, max_primitive_cells=1)[1][0]
    assert any("ferrimagnetic" in reason for reason in magnetic_orders(B2, ELEMENTS)[1])
    assert not any("ferrimagnetic" in reason for reason in magnetic_orders(B2, {"Fe"})[1])


def test_too_many_arrangements_are_left_out_rather_than_looked_at():
    sites = [[x / 3, y / 3, 0.1 * x + 0.01 * y] for x in range(3) for y in range(3)]
    large = Structure(Lattice.from_parameters(9, 9.5, 10, 88, 93, 95), ["Mn"] * 9, sites)
    orders, left_out = magnetic_orders(large, {"Mn"}, max_primitive_cells=4)
    assert "orders in 4 primitive cells: 144060000 arrangements of 36 spins are too many" in left_out
    assert {order.n_primitive_cells for order in orders} == {1, 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"magnetic_elements": {"Cu"}}, r"Fe1: expected sites of \['Cu'\], found none"),
        ({"max_primitive_cells": 5}, "max_primitive_cells: expected 1 to 4, found 5"),
        ({"max_primitive_cells": 0}, "max_primitive_cells: expected 1 to 4, found 0"),
        ({"max_orders": 1}, "max_orders: expected at least 2, the nonmagnetic and the ferromagnetic order, found 1"),
    ],
)
def test_limits_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        magnetic_orders(BCC, **{"magnetic_elements": ELEMENTS, **arguments})
