"""Tests: folders as in nqp_spatial; ``panels`` and ``assertions`` are what they share."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "reference"
