"""What is accepted as a temperature."""

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.modes import FloatArray

COLDEST_KELVIN, HOTTEST_KELVIN = 1e-30, 1e12
"""Range of temperatures in K; its squares and those of ratios to phonon frequencies are numbers."""


def require_temperature(temperature_kelvin: float) -> float:
    """Return one temperature in K as a float.

    Raises
    ------
    ParameterError
        If it is no number from `COLDEST_KELVIN` to `HOTTEST_KELVIN`.
    """
    values = require_temperatures(temperature_kelvin)
    if values.ndim:
        raise ParameterError(
            f"temperature_kelvin: expected one number, found shape {values.shape}: call once for each temperature"
        )
    return float(values)


def require_temperatures(temperature_kelvin: npt.ArrayLike) -> FloatArray:
    """Return a copy of temperatures in K, any shape; the entry at fault is named.

    Raises
    ------
    ParameterError
        If one is no number from `COLDEST_KELVIN` to `HOTTEST_KELVIN`.
    """
    try:
        given = np.asarray(temperature_kelvin)
    except ValueError as error:
        raise ParameterError(f"temperature_kelvin: expected numbers, found {temperature_kelvin!r:.60}") from error
    if given.size and given.dtype.kind not in "iuf":
        raise ParameterError(f"temperature_kelvin: expected numbers, found {temperature_kelvin!r:.60}: give kelvin")
    values = np.array(given, dtype=np.float64)
    wrong = np.flatnonzero(~((values >= COLDEST_KELVIN) & (values <= HOTTEST_KELVIN)))
    if wrong.size:
        where = f"temperature_kelvin[{wrong[0]}]" if values.ndim else "temperature_kelvin"
        raise ParameterError(
            f"{where}: expected a positive number of at most {HOTTEST_KELVIN:g} K, found {values.flat[wrong[0]]}: "
            "take Tc/20 for the limit of zero temperature"
        )
    return values
