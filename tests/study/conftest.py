"""The small study of `study_project`, written to a folder and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nqp_spatial.study import StudyResult, run_study
from tests.study.study_project import write_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The study file in a folder of its own."""
    return write_project(tmp_path)


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """The study, run once."""
    return run_study(write_project(tmp_path_factory.mktemp("study")))


@pytest.fixture
def edited(project: Path) -> Callable[[str, str], Path]:
    """The study file with one text replaced by another, which must be in it once."""

    def edit(old: str, new: str) -> Path:
        text = project.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is not once in the study file"
        project.write_text(text.replace(old, new), encoding="utf-8")
        return project

    return edit
