"""Tests that coefficients are equal in groups: stacked interaction, SUR, permutation of entities.

Each gives ``TestResult`` by (variable, comparison), a comparison being two groups or "all" groups,
and for several variables ("all", "all").
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.comparison.groups import Groups, interacted, interacted_name
from nqp_spatial.core.linear import group_differences as core
from nqp_spatial.exceptions import DataWarning, EstimationError, OptionError
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.scores import Rows, cluster_codes, on_rows
from nqp_spatial.results import TestResult
from nqp_spatial.shared import parallel
from nqp_spatial.shared.messages import outside

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Key = tuple[str, str]

ALL = "all"
LEAST = 20  # permutations that must be identified
_TIE = 1e-9  # relative; a permutation that gives the groups themselves must count as equal


@dataclass(frozen=True, eq=False)
class Comparisons:
    """What is compared: restrictions on the coefficients of all groups, stacked.

    Attributes
    ----------
    labels, regressors, variables : list of str
        Groups; all regressors; those whose coefficients are compared.
    """

    labels: list[str]
    regressors: list[str]
    variables: list[str]

    @cached_property
    def pairs(self) -> dict[Key, Array]:
        """One row vector each, for the first group's coefficient less the second's."""
        G, k = len(self.labels), len(self.regressors)
        found = {}
        for name in self.variables:
            column = self.regressors.index(name)
            for g, h in core.pairs(G):
                row = np.zeros(G * k)
                row[g * k + column], row[h * k + column] = 1.0, -1.0
                found[name, f"{self.labels[g]} - {self.labels[h]}"] = row
        return found

    @cached_property
    def joint(self) -> dict[Key, Array]:
        """Restriction matrices where a pair does not say it all."""
        G, k = len(self.labels), len(self.regressors)
        places = {name: self.regressors.index(name) for name in self.variables}
        found = {}
        if G > 2:
            found = {(n, ALL): core.contrasts(G, k, [place]) for n, place in places.items()}
        if len(places) > 1:
            found[ALL, ALL] = core.contrasts(G, k, list(places.values()))
        return found

    def null(self, key: Key) -> str:
        """The hypothesis in words."""
        variable, comparison = key
        what = "all coefficients compared" if variable == ALL else variable
        where = "in all groups" if comparison == ALL else f"in {comparison.replace(' - ', ' and ')}"
        return f"{what}: equal {where}"


@dataclass(frozen=True)
class Difference:
    """A difference of coefficients with its standard error, in units of the coefficients."""

    estimate: float
    std_error: float


@dataclass(frozen=True, eq=False)
class Tested:
    """Tests of one kind, differences of the pairs, and draws if it has any."""

    tests: Mapping[Key, TestResult]
    differences: Mapping[Key, Difference]
    draws: pd.DataFrame | None = None


def interaction(
    model: FixedEffects,
    groups: Groups,
    what: Comparisons,
    interact: str,
    options: Mapping[str, Any],
) -> Tested:
    """F tests in the regression with interactions; t squared for a pair."""
    fitted = interacted(model, groups, what.variables, interact).fit(
        **on_rows(options, model.y.index)
    )
    names = [interacted_name(v, label) for label in what.labels for v in what.regressors]
    beta = fitted.params.reindex(names).fillna(0.0).to_numpy()  # not split: in no restriction
    cov = fitted.cov.reindex(index=names, columns=names).fillna(0.0).to_numpy()
    df = float(fitted.df_resid or np.inf)
    tests, differences = {}, {}
    for key, R in (_as_rows(what.pairs) | what.joint).items():
        statistic = core.wald(beta, cov, R) / len(R)
        pvalue = float(stats.f(len(R), df).sf(statistic))
        tests[key] = TestResult("interaction", what.null(key), statistic, (len(R), df), pvalue)
        if key in what.pairs:
            differences[key] = _difference(beta, cov, what.pairs[key])
    _warn_of_singular(tests)
    return Tested(tests, differences)


def sur(stack: core.Stack, groups: Groups, what: Comparisons) -> Tested:
    """Tests by z of the pairs and chi-squared tests, estimates of the groups being one system."""
    found = stack.estimates(groups.codes)
    assert found is not None  # each group has been fitted
    beta, cov = found[0].ravel(), found[1]
    tests, differences = {}, {}
    for key, row in what.pairs.items():
        difference = _difference(beta, cov, row)
        z = difference.estimate / difference.std_error
        pvalue = float(2 * stats.norm.sf(abs(z)))
        tests[key] = TestResult("sur", what.null(key), float(z), 0, pvalue)
        differences[key] = difference
    for key, R in what.joint.items():
        statistic = core.wald(beta, cov, R)
        pvalue = float(stats.chi2(len(R)).sf(statistic))
        tests[key] = TestResult("sur", what.null(key), statistic, len(R), pvalue)
    _warn_of_singular(tests)
    return Tested(tests, differences)


def permutation(
    stack: core.Stack,
    groups: Groups,
    what: Comparisons,
    entity: Codes,
    *,
    replications: int,
    seed: int,
    n_jobs: int,
    studentise: bool,
) -> Tested:
    """Share of permutations whose statistic is at least as far from zero; the data count as one."""
    statistic = _Statistic(stack, list(what.pairs.values()), list(what.joint.values()), studentise)
    observed = statistic(groups.codes)
    assert observed is not None
    of_entity = np.empty(int(entity.max()) + 1, dtype=np.int64)
    of_entity[entity] = groups.codes
    keys = [*what.pairs, *what.joint]
    draw = partial(_permuted, statistic, entity, of_entity)
    label = "permuting entities"
    rows = parallel.seeded(draw, replications, seed=seed, n_jobs=n_jobs, label=label)
    draws = np.array(_identified(rows))
    tests, differences = {}, {}
    for j, key in enumerate(keys):
        value = observed[j]
        further = np.abs(draws[:, j]) >= abs(value) * (1 - _TIE)
        pvalue = (1 + int(further.sum())) / (1 + len(draws)) if np.isfinite(value) else np.nan
        tests[key] = TestResult("permutation", what.null(key), float(value), np.nan, float(pvalue))
        if key in what.pairs:
            alone = statistic.difference(groups.codes, what.pairs[key])
            differences[key] = Difference(alone, np.nan)
    _warn_of_singular(tests)
    columns = pd.MultiIndex.from_tuples(keys, names=["variable", "groups"])
    return Tested(tests, differences, pd.DataFrame(draws, columns=columns))


@dataclass(frozen=True, eq=False)
class _Statistic:
    """Differences of the pairs (over their SUR standard errors if asked), then SUR Wald tests."""

    stack: core.Stack
    pairs: list[Array]
    joint: list[Array]
    studentise: bool

    def __call__(self, groups: Codes) -> Array | None:
        needed = self.studentise or bool(self.joint)
        found = self.stack.estimates(groups, covariance=needed)
        if found is None:
            return None
        beta, cov = found[0].ravel(), found[1]
        pairs = np.array([row @ beta for row in self.pairs])
        if self.studentise:
            pairs = pairs / np.sqrt([row @ cov @ row for row in self.pairs])
        return np.concatenate([pairs, [core.wald(beta, cov, R) for R in self.joint]])

    def difference(self, groups: Codes, row: Array) -> float:
        found = self.stack.estimates(groups, covariance=False)
        assert found is not None
        return float(row @ found[0].ravel())


def _permuted(
    statistic: _Statistic, entity: Codes, of_entity: Codes, seed: np.random.SeedSequence
) -> Array | None:
    return statistic(core.permuted(entity, of_entity, seed))


def _identified(rows: list[Array | None]) -> list[Array]:
    """Permutations in which every group has what the regressors need."""
    good = [row for row in rows if row is not None and np.isfinite(row).all()]
    failed = len(rows) - len(good)
    told = (
        f"{failed} of {len(rows)} permutations of entities leave a group without variation in a "
        "regressor"
    )
    if len(good) < min(LEAST, len(rows)):
        raise EstimationError(
            f"{told}: too few entities have any. Use tests=('interaction', 'sur')."
        )
    if failed:
        warnings.warn(f"{told} and were left out.", DataWarning, stacklevel=outside())
    return good


def clusters_of(options: Mapping[str, Any], index: pd.MultiIndex) -> Codes:
    """Clusters of the SUR covariance: those of the fit, or rows for cov_type="robust".

    Raises
    ------
    OptionError
        The fit has another kind of covariance.
    """
    cov_type = options.get("cov_type", "clustered")
    if cov_type == "robust":
        return np.arange(len(index))
    codes: list[Codes] = []
    if cov_type == "clustered":
        asked = on_rows(options, index).get("clusters", "entity")
        codes = list(cluster_codes(asked, Rows(index)).values())
    if len(codes) != 1:
        told = "two-way clusters" if codes else f"cov_type={cov_type!r}"
        raise OptionError(
            f"The SUR test is for one-way clustered or robust errors, not {told}. Type "
            "tests=('permutation', 'interaction')."
        )
    return codes[0].ravel()


def _as_rows(pairs: Mapping[Key, Array]) -> dict[Key, Array]:
    return {key: row[None] for key, row in pairs.items()}


def _difference(beta: Array, cov: Array, row: Array) -> Difference:
    return Difference(float(row @ beta), float(np.sqrt(row @ cov @ row)))


def _warn_of_singular(tests: Mapping[Key, TestResult]) -> None:
    empty = [test for test in tests.values() if not np.isfinite(test.statistic)]
    if empty:
        warnings.warn(
            f"The {empty[0].name} test of '{empty[0].null}' is not defined: there are fewer "
            "clusters than coefficients compared, or a variance is zero. Its p-value is empty.",
            DataWarning,
            stacklevel=outside(),
        )
