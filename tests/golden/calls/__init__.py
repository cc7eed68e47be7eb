"""Every public function, class and method, called at least once: one module for each group."""

from __future__ import annotations

import importlib

from .. import ways as ways  # says of what results consist
from ..registry import Group

NAMES = (
    "comparisons",
    "data",
    "did_matching",
    "did_impact",
    "did_placebo",
    "did_imputation",
    "did_staggered",
    "did_events",
    "dynamic",
    "indices",
    "moments",
    "output",
    "panel_models",
    "regimes",
    "spatial",
    "weights",
)


def group(name: str) -> Group:
    """The cases of one golden file."""
    found: Group = importlib.import_module(f"{__name__}.{name}").case
    assert found.name == name
    return found
