"""Sums over all pairs of states one by one: what the fast routes must reproduce."""

import numpy as np


def exact_kernel(x, y):
    """[f(x) - f(y)]/(y - x) of reduced energies without cancellation, -f' where they are equal.

    f(x) - f(y) = sinh((y - x)/2) / (2 cosh(x/2) cosh(y/2)), and sinh(h)/h = exp(h) [1 - exp(-2h)]/(2h), whose
    exponential joins the logarithms of both cosh.
    """
    half = np.abs(y - x) / 2
    log_cosh = np.logaddexp(x / 2, -x / 2) + np.logaddexp(y / 2, -y / 2)
    slope = np.where(half > 0, -np.expm1(-2 * half) / np.where(half > 0, 2 * half, 1), 1)
    return slope * np.exp(half - log_cosh)


def at_shifted_points(values, q):
    """Values at k + q, for q in steps of the mesh."""
    return np.roll(values, [-step for step in q], axis=(0, 1, 2))


def pair_susceptibilities(first, second, kt):
    """chi_nm(q) by the double sum over k and q for energies from E_F, (nk1, nk2, nk3, bands, bands)."""
    mesh = first.shape[:3]
    chi = np.empty((*mesh, first.shape[-1], second.shape[-1]))
    for q in np.ndindex(mesh):
        there = at_shifted_points(second, q)
        chi[q] = exact_kernel(first[..., :, None] / kt, there[..., None, :] / kt).mean(axis=(0, 1, 2)) / kt
    return chi
