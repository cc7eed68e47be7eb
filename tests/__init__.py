"""Tests: folders as in nqp_spatial; `panels`, `by_hand` and `assertions` are what they share."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "reference"


def slow(*values: Any) -> list[Any]:
    """Values of a parameter whose tests are slow."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
