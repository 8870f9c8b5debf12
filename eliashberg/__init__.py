"""Isotropic Migdal-Eliashberg theory: moments, closed formulas and the gap equation."""
