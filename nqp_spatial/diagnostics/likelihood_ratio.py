"""Likelihood ratio test of one model against another that contains it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.exceptions import DataWarning, OptionError
from nqp_spatial.results import Results, TestResult
from nqp_spatial.shared.messages import first

_LAG = "W_"
_NOISE = 1e-6  # difference of log-likelihoods, relative to their size, that a search may leave


def likelihood_ratio(restricted: Results, full: Results) -> TestResult:
    """Test a model against a larger one with the same data, effects, weights and correction.

    LR = 2 (log L(full) - log L(restricted)), chi-squared with as many degrees of freedom as the
    full model has more parameters [1]_. It rests on normal errors: after
    ``cov_type`` other than "asymptotic" a Wald test (``full.wald_test``) uses that covariance.

    Parameters
    ----------
    restricted, full : Results
        Fits of two nested models: every parameter of ``restricted`` is one of ``full``; or
        ``restricted`` is the spatial error model and ``full`` the spatial Durbin model with the
        lags of all regressors (the common factor restriction theta + rho beta = 0).

    Returns
    -------
    TestResult

    Raises
    ------
    OptionError
        If a model has no likelihood, the two differ in observations, dependent variable, fixed
        effects, correction or weights, or are not nested.

    Warns
    -----
    DataWarning
        If the larger model has the lower likelihood: one of the fits is not a maximum.

    References
    ----------
    .. [1] Elhorst, J. P. (2014). Spatial Econometrics. Springer, chapter 2.
    """
    _check_likelihood(restricted, full)
    _check_same(restricted, full)
    _check_nested(restricted, full)
    assert restricted.loglik is not None and full.loglik is not None
    df = full.n_free - restricted.n_free
    statistic = 2 * (full.loglik - restricted.loglik)
    if statistic < 0:
        if statistic < -2 * _NOISE * (1 + abs(full.loglik)):
            warnings.warn(
                f"{full.model_name} has a lower log-likelihood ({full.loglik:.6f}) than "
                f"{restricted.model_name} ({restricted.loglik:.6f}), which it contains: one of the "
                "two fits is not a maximum. Look for a spatial parameter at its bound.",
                DataWarning,
                stacklevel=2,
            )
        else:
            statistic = 0.0
    return TestResult(
        name="Likelihood ratio",
        null=f"{restricted.model_name} in {full.model_name}",
        statistic=float(statistic),
        df=df,
        pvalue=float(stats.chi2(df).sf(statistic)),
    )


def _check_likelihood(restricted: Results, full: Results) -> None:
    for result, role in ((restricted, "restricted"), (full, "full")):
        if not hasattr(result, "loglik"):
            raise OptionError(
                f"{role} is a {type(result).__name__}, not the result of a fit. Type model.fit()."
            )
        if result.loglik is None or not np.isfinite(result.loglik):
            raise OptionError(
                f"{result.model_name} ({role}) has no likelihood, so that it cannot enter a "
                "likelihood ratio. Use wald_test of the larger model."
            )


def _check_same(restricted: Results, full: Results) -> None:
    """Raise unless both likelihoods are of the same observations under the same treatment."""
    facts: dict[str, tuple[Any, Any]] = {
        "observations": (restricted.nobs, full.nobs),
        "dependent variables": (restricted.dependent, full.dependent),
        "fixed effects": (restricted.effects_included, full.effects_included),
        "corrections": (_correction(restricted), _correction(full)),
    }
    for what, (one, other) in facts.items():
        if one != other:
            raise _incomparable(f"their {what} differ, {one!r} and {other!r}")
    if not restricted.resids.index.sort_values().equals(full.resids.index.sort_values()):
        only = restricted.resids.index.symmetric_difference(full.resids.index)
        raise _incomparable(f"they are on different (entity, time) rows, first {first(only, 3)}")
    y, other_y = (
        (result.fitted + result.resids).reindex(full.resids.index).to_numpy()
        for result in (restricted, full)
    )
    unlike = ~np.isclose(y, other_y, rtol=1e-8, atol=1e-8 * np.abs(y).max())
    if unlike.any():
        where = first(full.resids.index[unlike], 3)
        raise _incomparable(f"{full.dependent!r} has other values in one of them, first at {where}")
    if not _same_weights(restricted, full):
        raise _incomparable("they have different weights")
    if not _same_precision(restricted, full):
        raise _incomparable("their observation weights differ, or one has none")
    changed = _changed_regressors(restricted, full)
    if changed:
        raise _incomparable(f"{first(changed)} has other values in one of them")


def _incomparable(reason: str) -> OptionError:
    return OptionError(
        f"The likelihoods cannot be compared: {reason}. Fit both models on the same data with the "
        "same effects=, correction= and weights."
    )


def _correction(result: Results) -> str:
    """The correction; least squares with dummies is the likelihood of "none"."""
    return str(result.provenance.get("options", {}).get("correction", "none"))


def _same_weights(restricted: Results, full: Results) -> bool:
    """Whether both have the same weights, or one has none and so fits any."""
    if not (hasattr(restricted, "graph") and hasattr(full, "graph")):
        return True
    terms = [_terms(result) for result in (restricted, full)]
    if any(len(set(map(id, own.values()))) > 1 for own in terms):
        return _same_by_term(*terms)
    if any(_stacked(result) for result in (restricted, full)):
        W, other_W = (_by_cell(getattr(result, "design", None)) for result in (restricted, full))
        return bool(abs(W - other_W).max() <= 1e-12 * abs(W).max())
    one, other = (_links(result) for result in (restricted, full))
    return bool(one.index.equals(other.index) and np.allclose(one, other, rtol=1e-12, atol=0))


def _terms(result: Any) -> dict[str, Any]:
    """W of each spatial term that a result has, in the order of its entities."""
    design = getattr(result, "design", None)
    if design is None or _stacked(result):
        return {}
    terms = {
        "rho": design.W if "rho" in result.params else None,
        "lambda": design.error_W if "lambda" in result.params else None,
        "lags": design.durbin_W if getattr(result, "lagged", ()) else None,
    }
    return {name: W for name, W in terms.items() if W is not None}


def _same_by_term(restricted: Mapping[str, Any], full: Mapping[str, Any]) -> bool:
    """Whether the terms that both have are of one W; a common factor needs one W for all."""
    pairs = [(W, full[name]) for name, W in restricted.items() if name in full]
    if "lambda" in restricted and "lambda" not in full:
        pairs += [(restricted["lambda"], W) for W in full.values()]
    return all(abs(one - other).max() <= 1e-12 * abs(one).max() for one, other in pairs)


def _stacked(result: Any) -> bool:
    """Whether periods may differ in W, in entities or in observation weights."""
    return hasattr(getattr(result, "design", None), "cells")


def _by_cell(design: Any) -> sp.csr_array:
    """W among all (entity, time) pairs, in sorted order."""
    if hasattr(design, "cells"):
        cells, W = design.cells, design.W
    else:
        cells = pd.MultiIndex.from_product([design.periods, design.entities]).swaplevel()
        W = sp.csr_array(sp.block_diag([design.W] * design.n_periods, format="csr"))
    order = cells.argsort()
    return sp.csr_array(W[order][:, order])


def _same_precision(restricted: Results, full: Results) -> bool:
    """Whether the observation weights, one where there are none, are the same."""
    designs: list[Any] = [getattr(result, "design", None) for result in (restricted, full)]
    roots = [getattr(design, "root", None) for design in designs]
    if all(root is None for root in roots):
        return True
    one, other = (
        np.ones(restricted.nobs) if root is None else root[design.cells.argsort()] ** 2
        for design, root in zip(designs, roots, strict=True)
    )
    return bool(np.allclose(one, other, rtol=1e-12, atol=0))


def _links(result: Any) -> Any:
    """Weights that are not zero, in one order."""
    adjacency = result.graph.adjacency
    return adjacency[adjacency != 0].sort_index()


def _changed_regressors(restricted: Results, full: Results) -> list[str]:
    """Regressors of both models with other values in one, as far as the results keep them."""
    if not (hasattr(restricted, "design") and hasattr(full, "design")):
        return []
    columns = [_columns(result.design) for result in (restricted, full)]
    both = [name for name in columns[0] if name in columns[1]]
    return [name for name in both if not np.array_equal(columns[0][name], columns[1][name])]


def _columns(design: Any) -> dict[str, Any]:
    return {
        name: design.series(design.x[..., j], name).to_numpy()
        for j, name in enumerate(design.x_names)
    }


def _check_nested(restricted: Results, full: Results) -> None:
    names, larger = list(restricted.params.index), list(full.params.index)
    extra = [name for name in names if name not in larger]
    if extra == ["lambda"] and _common_factor(names, larger):
        if _changes_effects(restricted):
            raise OptionError(
                f"{restricted.model_name} is not contained in {full.model_name} where W differs "
                "between periods: the spatial error filters the fixed effects too, and what is "
                "left of them is no fixed effect. Compare AIC."
            )
        extra = []
    if extra:
        raise OptionError(
            f"{restricted.model_name} is not contained in {full.model_name}: {first(extra)} "
            "are parameters of the first only. Give the smaller model first, or compare AIC."
        )
    if full.n_free <= restricted.n_free:
        raise OptionError(
            f"{full.model_name} has no more parameters than {restricted.model_name}, so that there "
            "is nothing to test. Give the smaller model first."
        )


def _changes_effects(result: Any) -> bool:
    """Whether (I - lambda W) of entity or period effects is more than such effects."""
    if not (_stacked(result) and result.effects_included):
        return False
    design = result.design
    return not design.constant or ("time" in result.effects_included and not design.row_normalised)


def _common_factor(names: list[str], larger: list[str]) -> bool:
    """Whether a spatial error model lies in a spatial Durbin model: rho and every W_x are there."""
    regressors = [name for name in names if name not in ("const", "lambda")]
    plain = "rho" not in names and not any(_LAG + name in names for name in regressors)
    return plain and "rho" in larger and all(_LAG + name in larger for name in regressors)
