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

from nqp_spatial.exceptions import FailureWarning, NqpError, NqpWarning, OutputError
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.source import is_located
from nqp_spatial.study.advice import in_a_file, voice

_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)  # not for users


@dataclass
class RunLog:
    """What happened in a run, step by step.

    Attributes
    ----------
    total : int
        Steps expected, for the bar.
    lang : {"en", "zh"}
        Of lines and warnings.
    lines : list of str
        As written to ``run.log``.
    warned : list of (category, text)
        Each warning for users once, in order.
    failures : dict of str to Exception
        What failed, by its place, such as ``y/sdm/queen``.
    """

    total: int
    lang: str = "en"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    lines: list[str] = field(default_factory=list)
    warned: list[tuple[type[Warning], str]] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._voice = voice(self.lang)
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
        name = self.say(name)
        self._bar.set_description_str(name)
        begun = self.seconds
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            finally:
                self.lines.append(f"{begun:8.2f} s  {name} ({self.seconds - begun:.2f} s)")
                for warning in caught:
                    self._keep(warning, name)
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
        said = self.say(f"FAILED: {self.failure(place, error)}")
        self.lines.append(f"            {said}")
        if not isinstance(error, NqpError):  # a fault of ours: where it is
            self.lines.append("".join(traceback.format_exception(error)).rstrip())

    def _keep(self, warning: warnings.WarningMessage, step: str) -> None:
        category, text = warning.category, str(warning.message)
        if (category, text) in self._seen:
            return
        self._seen.add((category, text))
        given = warning.message.args[0] if isinstance(warning.message, Warning) else text
        ours = issubclass(category, NqpWarning)
        text = in_a_file(given if isinstance(given, Note) else text, self.lang if ours else "en")
        self.lines.append(f"            {category.__name__}: {text}")
        if not issubclass(category, _DEVELOPERS):
            self.warned.append((category, f"{step}{self._voice.colon}{text}"))

    def say(self, text: str) -> str:
        """A sentence of a log in its language."""
        return self._voice.say(text)

    def failure(self, place: str, error: Exception) -> str:
        """Where something failed, and why."""
        return f"{self.say(place)}{self._voice.colon}{told(error, self.lang)}"

    def note(self, text: str) -> None:
        """A line that is not a step."""
        self.lines.append(f"            {self.say(text)}")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def emit(self) -> None:
        """Warn of what was recorded; the caller's filters decide what becomes of it."""
        for category, text in self.warned:
            warnings.warn(text, category, stacklevel=3)
        if self.failures:
            parts = "\n".join(f"  {self.failure(*failure)}" for failure in self.failures.items())
            said = self.say(
                f"{len(self.failures)} part(s) of the study failed, the others are there:"
            )
            warnings.warn(f"{said}\n{parts}", FailureWarning, stacklevel=3)

    def emit_quietly(self) -> None:
        """The same where an error is on its way, which no warning may replace."""
        for category, text in self.warned:
            with suppress(Warning):
                warnings.warn(text, category, stacklevel=3)


def told(error: Exception, lang: str = "en") -> str:
    """A failure in words; of an error that is not ours, with its class."""
    if not isinstance(error, NqpError):
        return f"{type(error).__name__}: {error}"
    return str(error) if lang == "en" or is_located(error) else in_a_file(str(error), lang)
