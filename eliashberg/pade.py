"""Rational continuation through given points: Thiele's continued fraction."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ComplexArray = npt.NDArray[np.complex128]

_NOISE = 1e-9  # a partial numerator this small, relative to the values, is made of rounding errors


@dataclass(frozen=True, eq=False)
class ThieleFraction:
    """The continued fraction a_0 / (1 + a_1 (z - z_0) / (1 + a_2 (z - z_1) / ...)) through points (z_i, u_i).

    Attributes
    ----------
    points
        z_i, shape (n,).
    coefficients
        a_i, shape (n,).
    """

    points: ComplexArray
    coefficients: ComplexArray

    @classmethod
    def through(cls, points: ComplexArray, values: ComplexArray) -> "ThieleFraction":
        """Build the fraction from the first points on, in order, as long as a further point says something new.

        A point whose value the fraction predicts to 1e-9 of the largest value, and all after it, are left out: its
        coefficient would be a quotient of rounding errors.

        Parameters
        ----------
        points
            Different points z_i, shape (n,).
        values
            u_i, shape (n,), not all zero.

        References
        ----------
        H. J. Vidberg and J. W. Serene, J. Low Temp. Phys. 29, 179 (1977), appendix.
        """
        scale = np.abs(values).max()
        reciprocal = np.array(values, dtype=np.complex128)
        coefficients: list[complex] = []
        for i in range(points.size):
            fraction = cls(points[:i], np.array(coefficients, dtype=np.complex128))
            if i and abs(fraction(points[i : i + 1])[0] - values[i]) <= _NOISE * scale:
                break
            coefficients.append(complex(reciprocal[i]))
            rest = slice(i + 1, None)
            with np.errstate(divide="ignore", invalid="ignore"):
                reciprocal[rest] = (coefficients[i] / reciprocal[rest] - 1) / (points[rest] - points[i])
        return cls(points[: len(coefficients)], np.array(coefficients, dtype=np.complex128))

    def __call__(self, z: ComplexArray) -> ComplexArray:
        """Evaluate at z, shape (m,), from the innermost quotient outwards."""
        result = np.ones(z.shape, dtype=np.complex128)
        for coefficient, point in zip(self.coefficients[:0:-1], self.points[-2::-1], strict=True):
            result = 1 + coefficient * (z - point) / result
        return np.asarray(self.coefficients[0] / result)
