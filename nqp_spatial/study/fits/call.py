"""A model of a study as a call of the Python API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from nqp_spatial.exceptions import NqpError

Frames: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Call:
    """A model of a study: ``api(*frames, [graph,] **options).fit(**fit)``."""

    api: type
    frames: Frames
    options: Mapping[str, Any]
    fit: Mapping[str, Any]

    def specify(self, name: str | None = None, graph: Any = None) -> Any:
        """The specification, under the weights of that name if it has any."""
        if name is None:
            return self.api(*self.frames, **self.options)
        try:
            return self.api(*self.frames, graph, **self.options)
        except NqpError as error:
            raise type(error)(f"Under the weights {name!r}: {error}") from error
