"""Anderson mixing for the self-consistent equations of this layer."""

from collections.abc import Callable

import numpy as np

from hightc.eliashberg.modes import FloatArray

_HISTORY = 8
_NEAR = 0.1  # residual below which steps are close to linear in the error, as mixing assumes
_LEAP = 2.0  # largest change of the state by mixing; the fixed point of a linear map would be zero
_RISE = 3.0  # growth of the residual at which what was learnt is out of date


def fixed_point(
    step: Callable[[FloatArray], tuple[FloatArray, float]],
    state: FloatArray,
    weight: FloatArray,
    *,
    tolerance: float,
    iterations: int,
) -> tuple[FloatArray, float, int]:
    """Find a fixed point by Anderson mixing of the last eight iterates.

    It stops when the residual is at most ``tolerance``, or after ``iterations`` steps with the best state seen. Plain
    steps are taken while the residual exceeds 0.1 and where mixing would change the size of the state by a
    factor of 2, because they lead away from the trivial solution of a gap equation while mixing may lead to it. The
    history is dropped when the residual rises by a factor of 3.

    Parameters
    ----------
    step
        Returns the next state and the residual of the present one.
    state
        Where to start, shape (n,).
    weight
        Weights of the entries in the least-squares problem of mixing, shape (n,).
    tolerance
        Residual at which to stop.
    iterations
        Largest number of steps.

    Returns
    -------
    tuple
        State with the smallest residual, shape (n,); that residual; number of steps.

    References
    ----------
    D. G. Anderson, J. ACM 12, 547 (1965); H. F. Walker and P. Ni, SIAM J. Numer. Anal. 49, 1715 (2011).
    """
    states: list[FloatArray] = []
    changes: list[FloatArray] = []
    best, best_residual, last_residual = state, float("inf"), float("inf")
    used = 0
    while used < iterations and best_residual > tolerance:
        new, residual = step(state)
        used += 1
        if residual < best_residual:
            best, best_residual = state, residual
        if residual > max(_NEAR, tolerance) or residual > _RISE * last_residual:
            states, changes = [], []
        states, changes = [*states[-_HISTORY:], state], [*changes[-_HISTORY:], new - state]
        last_residual = residual
        state = _mixed(states, changes, weight) if len(states) > 1 else new
        size = (weight * state) @ (weight * new) / np.sum((weight * new) ** 2)
        if not 1 / _LEAP < size < _LEAP:
            state, states, changes = new, [], []
    return best, best_residual, used


def _mixed(states: list[FloatArray], changes: list[FloatArray], weight: FloatArray) -> FloatArray:
    """Combine the states so that the change predicted for the result is smallest."""
    change_steps, state_steps = np.diff(changes, axis=0), np.diff(states, axis=0)
    mixing = np.linalg.lstsq((weight * change_steps).T, weight * changes[-1], rcond=None)[0]
    return np.asarray(states[-1] + changes[-1] - mixing @ (change_steps + state_steps))
