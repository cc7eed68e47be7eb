"""What the steps of a study found, by outcome, model and weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from nqp_spatial.comparison import Heterogeneity
from nqp_spatial.comparison.robustness import Robustness
from nqp_spatial.comparison.specification import SpecificationPath
from nqp_spatial.comparison.weights import WeightComparison
from nqp_spatial.results import Frame, Results, TestResult
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.graphs import Weights
from nqp_spatial.tables import Table


@dataclass(frozen=True, eq=False)
class Answer:
    """What a spatial model answered to a question under one W.

    Attributes
    ----------
    frame : DataFrame
        As the method of the results gives it.
    said : dict of str to object
        What is told of it besides, such as ``level`` or ``horizon``.
    """

    outcome: str
    model: str
    weights: str
    frame: pd.DataFrame
    said: dict[str, Any]


@dataclass
class Found:
    """What the steps found so far.

    Attributes
    ----------
    data : StudyData
    graphs : dict of str to Graph, or to a mapping of period to Graph
        Normalised as the file says.
    autocorrelation : DataFrame or None
        Moran's I and Geary's C, index (outcome, weights, period); ``moran`` by outcome.
    results : dict of str to Results
        By ``outcome/model``, ``outcome/model/weights``, or ``outcome/model/part`` for a model of
        several regressions (quantile, mediation).
    comparisons : dict of str to WeightComparison
        By ``outcome/model``, the spatial models only.
    effects : dict of str to DataFrame
        By ``outcome/model``: index (weights, effect, variable), as the file asked for them.
    long_run : dict of str to DataFrame
        The same in the long run, of dynamic models under the weights where it is defined.
    by_order : dict of str to DataFrame
        Effects by order of neighbours, and their sums, if the file asks for them: index (weights,
        effect, variable, order).
    fits : dict of str to object
        What ``fit`` returned, such as `MediationResults`; keys as those of ``tests``.
    tests : dict of str to dict of str to TestResult
        By ``outcome/model`` or ``outcome/model/weights``, then by name.
    tables_of : dict of str to dict of str to Frame
        What some models have besides, such as "first-stage"; keys as those of ``tests``.
    robustness : dict of str to Robustness
    heterogeneity : dict of str to Heterogeneity
    between, counter : dict of str to Answer
        Effects between groups and outcomes in other worlds by name, those of a further outcome by
        ``name-outcome``.
    diagnostics : dict of str to DataFrame
        Those that the file asks for, such as "vif".
    paths : dict of str to SpecificationPath
        By ``specification-path-outcome-weights``.
    tables : dict of str to Table
        By the name of their files.
    """

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
    tables_of: dict[str, dict[str, Frame]] = field(default_factory=dict)
    robustness: dict[str, Robustness] = field(default_factory=dict)
    heterogeneity: dict[str, Heterogeneity] = field(default_factory=dict)
    between: dict[str, Answer] = field(default_factory=dict)
    counter: dict[str, Answer] = field(default_factory=dict)
    diagnostics: dict[str, pd.DataFrame] = field(default_factory=dict)
    paths: dict[str, SpecificationPath] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
