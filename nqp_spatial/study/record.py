"""What the steps of a study found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from nqp_spatial import comparison
from nqp_spatial.comparison.robustness import Robustness
from nqp_spatial.comparison.weights import WeightComparison
from nqp_spatial.results import Results, TestResult
from nqp_spatial.study.data.prepare import StudyData
from nqp_spatial.study.fits.graphs import Weights
from nqp_spatial.study.fits.questions import Between, Counter
from nqp_spatial.tables import Table


@dataclass
class Found:
    """What the steps found so far."""

    data: StudyData
    graphs: dict[str, Weights]
    autocorrelation: pd.DataFrame | None = None
    moran: dict[str, pd.DataFrame] = field(default_factory=dict)
    results: dict[str, Results] = field(default_factory=dict)
    comparisons: dict[str, WeightComparison] = field(default_factory=dict)
    effects: dict[str, pd.DataFrame] = field(default_factory=dict)
    long_run: dict[str, pd.DataFrame] = field(default_factory=dict)
    by_order: dict[str, pd.DataFrame] = field(default_factory=dict)
    fits: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, TestResult]] = field(default_factory=dict)
    frames: dict[str, dict[str, pd.DataFrame]] = field(default_factory=dict)
    robustness: dict[str, Robustness] = field(default_factory=dict)
    heterogeneity: dict[str, comparison.Heterogeneity] = field(default_factory=dict)
    group_effects: dict[str, Between] = field(default_factory=dict)
    counterfactuals: dict[str, Counter] = field(default_factory=dict)
    diagnostics: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
