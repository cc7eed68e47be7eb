"""Numbers of two programs side by side, and what is said of each pair."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import EstimationError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.notes import Note

Numbers: TypeAlias = Mapping[Any, float] | pd.Series

_COLUMNS = (
    "ours",
    "theirs",
    "difference",
    "relative",
    "converted",
    "remaining",
    "verdict",
    "explanation",
)


@dataclass(frozen=True)
class Reason:
    """Why numbers may differ.

    Attributes
    ----------
    text : Note
    converted : mapping, optional
        Our numbers under their convention. Without it the text has its evidence.
    verdict : {"convention", "wrong", "search", "absent"}
        Whether theirs is of another convention, wrong, not at the maximum it looks for, or not
        there.
    """

    text: Note
    converted: Numbers | None = None
    verdict: str = "convention"


@dataclass
class Comparison:
    """Rows of one program.

    Attributes
    ----------
    program, call : str
        What was called, by its name and as it was written.
    tolerance : float
        Difference, relative to their number, up to which two numbers are the same.
    """

    program: str
    call: str
    tolerance: float
    _rows: dict[tuple[str, str, Any], tuple[Any, ...]] = field(default_factory=dict)

    def add(
        self,
        quantity: str,
        ours: Numbers,
        theirs: Numbers,
        reason: Reason | None = None,
        *,
        scale: Numbers | None = None,
    ) -> None:
        """A row for each of our numbers.

        Parameters
        ----------
        reason : Reason, optional
            It is given only where numbers differ, and where its converted numbers bear it out.
        scale : mapping, optional
            Sizes that a difference is compared with where their number is smaller, such as
            standard errors of estimates near zero.
        """
        under = ours if reason is None else reason.converted
        for name in dict(ours):
            value, their, own, size = (
                np.nan if numbers is None else float(numbers.get(name, np.nan))
                for numbers in (ours, theirs, under, scale)
            )
            size = max(abs(their), 0.0 if scale is None else size)
            verdict = self._verdict(value, their, own, size, reason)
            self._rows[self.program, quantity, name] = (
                value,
                their,
                value - their,
                _relative(value, their),
                own,
                _relative(own, their),
                *verdict,
            )

    def _verdict(
        self, ours: float, theirs: float, converted: float, size: float, reason: Reason | None
    ) -> tuple[Note, Note]:
        def near(number: float) -> bool:
            return abs(number - theirs) <= self.tolerance * size

        if np.isnan(ours) or (np.isnan(theirs) and reason is None):
            return note("crosscheck.absent"), Note("")
        if near(ours):
            return note("crosscheck.same"), Note("")
        if reason is not None and (np.isnan(converted) or near(converted)):
            return note(f"crosscheck.{reason.verdict}"), reason.text
        left = ours if np.isnan(converted) else converted
        return note("crosscheck.unknown"), note(
            "crosscheck.unexplained", relative=abs(_relative(left, theirs))
        )

    def frame(self) -> pd.DataFrame:
        """All rows; versions and the call in ``attrs``."""
        index = pd.MultiIndex.from_tuples(list(self._rows), names=["program", "quantity", "name"])
        frame = pd.DataFrame(
            {
                column: pd.Series(
                    [row[j] for row in self._rows.values()],
                    index,
                    dtype=object if column in _COLUMNS[-2:] else float,  # notes stay what they are
                )
                for j, column in enumerate(_COLUMNS)
            }
        )
        package = self.program.partition(".")[0]
        frame.attrs = {
            "call": self.call,
            "versions": {package: version(package)},
            "tolerance": self.tolerance,
        }
        return frame


def run(program: str, call: Callable[[], Any]) -> Any:
    """What another program returns, without what it prints and warns of.

    Raises
    ------
    EstimationError
        Whatever it raises, under its name.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            return call()
        except Exception as error:
            raise EstimationError(f"{program} failed: {error}") from error


def together(*sentences: Note | None) -> Note:
    """Several sentences as one, those that are None left out."""
    said = [text for text in sentences if text is not None]
    return Note(" ".join(said), "".join(text.zh for text in said))


def _relative(ours: float, theirs: float) -> float:
    return (ours - theirs) / abs(theirs) if theirs else np.nan
