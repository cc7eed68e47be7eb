"""A study run, and what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nqp_spatial.exceptions import NqpError
from nqp_spatial.study import StudyResult, run_study
from tests.assertions import quietly


def run(path: Path, *args: Any, **options: Any) -> StudyResult:
    """The study, without the warnings of so small a panel."""
    return quietly(run_study, path, *args, **options)


def written(result: StudyResult) -> dict[str, Any]:
    return json.loads((result.output / "results.json").read_text(encoding="utf-8"))


def text_of(result: StudyResult, name: str) -> str:
    return (result.output / "tables" / f"{name}.md").read_text(encoding="utf-8")


def mistake(run: Callable[..., StudyResult], *args: Any, **options: Any) -> NqpError:
    """What is told of a mistake: raised, or in the place of the one part that failed."""
    try:
        result = quietly(run, *args, **options)
    except NqpError as error:
        return error
    assert len(result.failures) == 1, result.failures
    (error,) = result.failures.values()
    assert isinstance(error, NqpError)
    return error
