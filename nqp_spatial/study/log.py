"""The record of a run: steps with their time, a bar, every warning, and what failed."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tqdm import tqdm

from nqp_spatial.exceptions import FailureWarning, NqpError, OutputError
from nqp_spatial.study.advice import in_a_file

_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)  # not for users


@dataclass
class RunLog:
    """What happened in a run, step by step.

    Attributes
    ----------
    total : int
        Steps expected, for the bar.
    lines : list of str
        As written to ``run.log``.
    warned : list of (category, text)
        Each warning for users once, in order.
    failures : dict of str to Exception
        What failed, by its place, such as ``y/sdm/queen``.
    """

    total: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    lines: list[str] = field(default_factory=list)
    warned: list[tuple[type[Warning], str]] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._clock = time.perf_counter()
        self._bar: Any = tqdm(
            total=self.total,
            disable=None,
            leave=False,
            bar_format="{desc:<32}|{bar:24}| {n}/{total}",
        )
        self._seen: set[tuple[type[Warning], str]] = set()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.perf_counter() - self._clock

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step and keep its warnings."""
        self._bar.set_description_str(name)
        begun = self.seconds
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            finally:
                self.lines.append(f"{begun:8.2f} s  {name} ({self.seconds - begun:.2f} s)")
                for warning in caught:
                    self._keep(warning.category, str(warning.message), name)
        self._bar.update()

    @contextmanager
    def attempt(self, place: str) -> Iterator[None]:
        """A part whose failure costs no other: the error is kept in its place.

        An output folder that cannot be written is about all of them, and is raised.
        """
        try:
            yield
        except (OSError, OutputError):
            raise
        except Exception as error:
            self.fail(place, error)

    def fail(self, place: str, error: Exception) -> None:
        """Keep what failed."""
        self.failures[place] = error
        self.lines.append(f"            FAILED: {place}: {told(error)}")
        if not isinstance(error, NqpError):  # a fault of ours: where it is
            self.lines.append("".join(traceback.format_exception(error)).rstrip())

    def _keep(self, category: type[Warning], text: str, step: str) -> None:
        if (category, text) in self._seen:
            return
        self._seen.add((category, text))
        text = in_a_file(text)
        self.lines.append(f"            {category.__name__}: {text}")
        if not issubclass(category, _DEVELOPERS):
            self.warned.append((category, f"{step}: {text}"))

    def note(self, text: str) -> None:
        """A line that is not a step."""
        self.lines.append(f"            {text}")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def emit(self) -> None:
        """Warn of what was recorded; the caller's filters decide what becomes of it."""
        for category, text in self.warned:
            warnings.warn(text, category, stacklevel=3)
        if self.failures:
            parts = "\n".join(f"  {place}: {told(e)}" for place, e in self.failures.items())
            said = (
                f"{len(self.failures)} part(s) of the study failed, the others are there:\n{parts}"
            )
            warnings.warn(said, FailureWarning, stacklevel=3)

    def emit_quietly(self) -> None:
        """The same where an error is on its way, which no warning may replace."""
        for category, text in self.warned:
            with suppress(Warning):
                warnings.warn(text, category, stacklevel=3)


def told(error: Exception) -> str:
    """A failure in words; of an error that is not ours, with its class."""
    return str(error) if isinstance(error, NqpError) else f"{type(error).__name__}: {error}"
