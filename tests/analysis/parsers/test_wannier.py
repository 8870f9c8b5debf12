from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.wannier import read_hr

HR = Path(__file__).parents[2] / "data" / "epw" / "pb_wannier" / "pb_hr.dat"


def bloch(hamiltonian, k):
    phases = np.exp(2j * np.pi * hamiltonian.r @ np.array(k)) / hamiltonian.degeneracies
    return np.tensordot(phases, hamiltonian.h_ev, axes=1)


def rewrite(tmp_path, edit):
    lines = HR.read_text().splitlines(keepends=True)
    edit(lines)
    path = tmp_path / "pb_hr.dat"
    path.write_text("".join(lines))
    return path


def test_weights_of_lattice_vectors_sum_to_the_k_mesh():
    hamiltonian = read_hr(HR)
    assert hamiltonian.n_wannier == 4
    assert hamiltonian.h_ev.shape == (len(hamiltonian.r), 4, 4)
    assert np.sum(1 / hamiltonian.degeneracies) == pytest.approx(2**3)


def test_order_of_functions_is_that_of_the_file():
    hamiltonian = read_hr(HR)
    row = HR.read_text().splitlines()[-3].split()
    r, (m, n), (real, imaginary) = row[:3], map(int, row[3:5]), map(float, row[5:])
    assert hamiltonian.r[-1].tolist() == [int(part) for part in r]
    assert hamiltonian.h_ev[-1, m - 1, n - 1] == real + 1j * imaginary
    assert (m, n) == (2, 4)


def test_hamiltonian_is_hermitian_at_any_k():
    matrix = bloch(read_hr(HR), [0.1, 0.23, -0.4])
    # sums of up to len(r) numbers rounded to 1e-6
    assert np.abs(matrix - matrix.conj().T).max() < 1e-4


def test_bands_in_the_frozen_window_are_those_of_pw():
    # nscf.out, k = 0: band 6 is the lowest that is not excluded; the window is frozen below 13.5 eV.
    lines = (HR.parent / "nscf.out").read_text().splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip().startswith("k = 0.0000 0.0000 0.0000"))
    bands = [float(field) for line in lines[start + 2 : start + 4] for field in line.split()]
    # pw.x prints four decimals, H(R) has six and up to 43 vectors count
    assert np.linalg.eigvalsh(bloch(read_hr(HR), [0, 0, 0]))[0] == pytest.approx(bands[5], abs=2e-4)


def test_missing_rows_are_counted(tmp_path):
    path = rewrite(tmp_path, lambda lines: lines.pop())
    with pytest.raises(IncompleteOutputError, match=r"expected \d+ matrix elements, found the end of the file after"):
        read_hr(path)


def test_row_out_of_order_is_located(tmp_path):
    def swap(lines):
        lines[-2:] = lines[:-3:-1]

    path = rewrite(tmp_path, swap)
    with pytest.raises(ParseError, match="expected the row") as caught:
        read_hr(path)
    assert caught.value.line == len(HR.read_text().splitlines()) - 1


def test_overflown_element_is_located(tmp_path):
    def overflow(lines):
        lines[-5] = lines[-5].rstrip("\n")[:-10] + "**********\n"

    path = rewrite(tmp_path, overflow)
    with pytest.raises(UnreadableNumberError) as caught:
        read_hr(path)
    assert caught.value.line == len(HR.read_text().splitlines()) - 4


def test_more_rows_than_announced_are_refused(tmp_path):
    path = rewrite(tmp_path, lambda lines: lines.append(lines[-1]))
    with pytest.raises(ParseError, match="the end after"):
        read_hr(path)
