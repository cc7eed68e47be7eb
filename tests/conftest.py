"""What tests share: the folder of reference values from other programs, when it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``../shared`` beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"needs {SHARED.name}/ beside the checkout (reference data of other programs)")
    for part in ("reference", "data"):
        assert (SHARED / part).is_dir(), f"{SHARED.name}/ is there but has no {part}/"
    return SHARED
