"""The one physical constant this layer needs, from the CODATA set that scipy carries."""

from scipy import constants

KB_MEV_PER_K = constants.k / constants.e * 1e3
"""Boltzmann constant in meV/K: a temperature in K times this is an energy in meV."""
