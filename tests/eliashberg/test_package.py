"""Contracts of the package as a whole."""

import dataclasses
import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from hightc import eliashberg
from hightc.eliashberg import CoupledModes, EliashbergError, TcSolution, TcStatus
from hightc.eliashberg.constants import KB_MEV_PER_K


def test_every_public_name_exists():
    assert all(hasattr(eliashberg, name) for name in eliashberg.__all__)


def test_import_leaves_the_heavy_parts_of_scipy_alone():
    # They take longer than everything else together, and readers of documents do not need them.
    code = "import sys, hightc.eliashberg; print(*[name for name in sys.modules if name.startswith('scipy.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"scipy.linalg", "scipy.sparse", "scipy.optimize", "scipy.special", "scipy.fft"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize("name", ["SpectrumError", "ParameterError", "ConvergenceError"])
def test_all_errors_have_one_root(name):
    assert issubclass(getattr(eliashberg, name), EliashbergError)


def test_boltzmann_constant_is_the_codata_value_in_mev():
    # k/e is exact since 2019: 1.380649e-23 / 1.602176634e-19 J/C.
    assert pytest.approx(0.08617333262, rel=1e-10) == KB_MEV_PER_K


def test_statuses_are_their_stored_words():
    assert [str(status) for status in TcStatus] == ["found", "below_range", "no_superconductivity", "invalid"]


def test_results_and_spectra_are_frozen():
    solution = TcSolution(None, TcStatus.INVALID, 1.0, 2.0, 3.0, 0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.tc_kelvin = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        CoupledModes([1.0], [1.0]).lam_per_mode = [2.0]


MODULES = [name for _, name, _ in pkgutil.iter_modules(eliashberg.__path__, "hightc.eliashberg.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings_hold(name):
    failures, _ = doctest.testmod(importlib.import_module(name))
    assert failures == 0


def test_examples_of_docstrings_are_found():
    tests = [doctest.DocTestFinder().find(importlib.import_module(name)) for name in MODULES]
    assert sum(len(found.examples) for group in tests for found in group) > 20
