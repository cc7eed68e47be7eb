"""Every error and warning that the package raises, and nothing else.

Errors say what is wrong, where (the first labels), what was expected and what to type next.
Each is also a ``ValueError``, ``TypeError`` or ``RuntimeError``, so that callers may catch either.
"""


class NqpError(Exception):
    """Base of every error raised on purpose by this package."""


class DataError(NqpError, ValueError):
    """The table does not say what the model needs to know."""


class DuplicateKeysError(DataError):
    """Two rows have the same (entity, time) pair."""


class MissingValuesError(DataError):
    """Cells are missing; they are named, never filled or dropped."""


class InfiniteValuesError(DataError):
    """Cells are infinite, most often the logarithm of zero."""


class NotNumericError(DataError, TypeError):
    """A column that must hold numbers holds text or objects."""


class ConstantColumnError(DataError):
    """A column does not vary, or not after the fixed effects are removed."""


class UnbalancedPanelError(DataError):
    """Some (entity, time) pairs are absent although the spatial lag needs them all."""


class FileFormatError(DataError):
    """A file cannot be read as what it claims to be (encoding, shape, columns)."""


class IdMismatchError(DataError):
    """Two objects that must describe the same entities do not."""


class CollinearityError(DataError):
    """Regressors are linearly dependent, as given or after effects are removed."""


class TreatmentError(DataError):
    """The policy column cannot be a difference-in-differences treatment."""


class WeightsError(NqpError, ValueError):
    """A weight matrix cannot be built or used."""


class IslandError(WeightsError):
    """Entities without neighbours, where the caller asked to be stopped."""


class NegativeWeightsError(WeightsError):
    """Weights below zero."""


class NotRowNormalisedError(WeightsError):
    """Rows do not sum to one although the method needs it."""


class TiesError(WeightsError):
    """Equal economic values or coincident points give an infinite weight."""


class GeometryError(NqpError, ValueError):
    """Polygons are missing, empty or invalid."""


class CRSError(GeometryError):
    """The coordinate reference system is missing, or its units are not what the method needs."""


class OptionError(NqpError, ValueError):
    """An option has a value that is not among the known ones.

    Attributes
    ----------
    option : str or None
        Its name, so that a study file can point at the line.
    """

    def __init__(self, *args: object, option: str | None = None) -> None:
        super().__init__(*args)
        self.option = option


class MatchError(DataError):
    """Names or codes of places could not be matched without guessing."""


class StudyFileError(NqpError, ValueError):
    """A study file has a mistake; the message names file, line and key."""


class OutputError(NqpError, ValueError):
    """The output folder cannot be used as asked."""


class UnstableModelError(NqpError, RuntimeError):
    """I - rho W is singular, so that no multiplier and no effect is defined."""


class EstimationError(NqpError, RuntimeError):
    """The data do not identify the model (for example no degrees of freedom are left)."""


class MissingDependencyError(NqpError, ImportError):
    """An optional package is needed; the message has the ``pip install`` line."""


class NqpWarning(UserWarning):
    """Base of every warning: the answer is usable, but the reader should know."""


class IslandWarning(NqpWarning):
    """Entities without neighbours: their spatial lag is zero, or links were added for them."""


class WindowWarning(NqpWarning):
    """The base window of an economic weight reaches into treated periods."""


class BoundaryWarning(NqpWarning):
    """The spatial parameter is at the edge of its admissible interval."""


class IdentificationWarning(NqpWarning):
    """The data hardly tell different values of the spatial parameters apart."""


class DroppedLagWarning(NqpWarning):
    """A spatial lag was left out because it is collinear after the fixed effects."""


class FailureWarning(NqpWarning):
    """Parts of a study failed, such as one of its models; the others are there."""


class DataWarning(NqpWarning):
    """The data are usable but unusual (encoding guessed, entities always treated, ...)."""
