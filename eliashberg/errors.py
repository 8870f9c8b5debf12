"""What this layer raises, and the one warning it issues.

::

    EliashbergError
    ├── SpectrumError      an Eliashberg function or a set of modes that is no spectrum
    ├── ParameterError     mu*, a reference frequency or an option outside its domain
    └── ConvergenceError   an iteration that stopped short of its documented tolerance
    NegativeSpectrumWarning (UserWarning)
"""


class EliashbergError(Exception):
    """Root of everything ``hightc.eliashberg`` raises on purpose."""


class SpectrumError(EliashbergError, ValueError):
    """The arrays given do not describe a phonon spectrum."""


class ParameterError(EliashbergError, ValueError):
    """A parameter of the theory lies outside its domain."""


class ConvergenceError(EliashbergError, RuntimeError):
    """An iteration ended without reaching its documented tolerance."""


class NegativeSpectrumWarning(UserWarning):
    """Negative values of an Eliashberg function were set to zero."""
