"""Spatial models by spreg, in the form in which it has them.

Fixed entity effects are its own; period effects are dummies of all periods but the first, which it
has no name for; without entity effects the panel is one cross-section with W on the diagonal of
blocks. Its lags of regressors are made by it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

import nqp_spatial.panel.lags as _lags
from nqp_spatial.comparison.programs.numbers import Comparison, Reason, run, together
from nqp_spatial.core.spatial import random_effects
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.weights import as_graph

Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-5
_DIGITS = 1e-11  # a fall of the log-likelihood, over its size, that is not rounding
# (spatial term, entity effects): the class of spreg
_CLASSES = {
    ("rho", "fixed"): "ML_LagFE",
    ("lambda", "fixed"): "ML_ErrorFE",
    ("", "fixed"): "PanelFE",
    ("rho", "random"): "ML_LagRE",
    ("lambda", "random"): "ML_ErrorRE",
    ("rho", "none"): "ML_Lag",
    ("lambda", "none"): "ML_Error",
    ("", "none"): "OLS",
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "ML_LagFE": {"spat_impacts": None},
    "ML_LagRE": {"spat_impacts": None},
    "ML_Lag": {"spat_impacts": None, "spat_diag": False, "method": "LU"},
    "ML_Error": {"method": "LU"},
    "OLS": {"spat_diag": False},
    "GM_Lag": {"spat_impacts": None, "spat_diag": False},
}
_DEMEANED = ("ML_LagFE", "ML_ErrorFE", "PanelFE")
_CROSS_SECTIONS = ("ML_Lag", "ML_Error", "OLS", "GM_Lag")
_RANGE = {"spreg.ML_LagFE": 0.99, "spreg.ML_LagRE": 0.99}  # of rho; else -1 to 1


@dataclass(frozen=True)
class _Theirs:
    """What spreg found, by our names of parameters."""

    program: str
    call: str
    found: Any
    again: Callable[[float], Any]  # the same with y times a number
    w: Any
    params: pd.Series
    std_errors: pd.Series

    @property
    def sigma2(self) -> float:
        return float(np.ravel(self.found.sig2)[0])

    @property
    def df(self) -> int | None:
        """What least squares divide by; None for the likelihood, which divides by n."""
        left = {
            "spreg.PanelFE": lambda: self.found.df_resid,
            "spreg.OLS": lambda: self.found.n - len(self.params),
        }
        return int(left[self.program]()) if self.program in left else None

    @property
    def numbers(self) -> dict[str, Any]:
        return {
            "params": self.params,
            "std_errors": self.std_errors,
            "sigma2": {"sigma2": self.sigma2},
            "loglik": {"loglik": float(np.ravel(self.found.logll)[0])},
        }


def maximum_likelihood(result: Any) -> Comparison:
    """Lag, error and Durbin models, and spatial lags of regressors."""
    model, design = result.model, result.design
    _check(model, design)
    effects = {"entity": "fixed", "twoway": "fixed", "random": "random"}.get(model.effects, "none")
    term = next((name for name in ("rho", "lambda") if name in result.params), "")
    name = _CLASSES.get((term, effects))
    if name is None:
        raise OptionError(
            "spreg has no spatial lags of regressors with random effects by maximum likelihood. "
            "Check the model with effects='entity'."
        )
    lags = [LAG + regressor for regressor in result.lagged]
    order = [*design.x_names, *lags, *([term] if term else [])]
    theirs = _fit(name, design, result.lagged, order, model.effects, len(design.x_names), {})
    plain = _plain(result)
    reasons = _conventions(result, plain, theirs) | _faults(plain, theirs, term, effects)
    comparison = Comparison(theirs.program, theirs.call, _TOLERANCE)
    for quantity, numbers in _numbers(result).items():
        scale = result.std_errors if quantity == "params" else None
        reason = reasons.get(quantity)
        comparison.add(quantity, numbers, theirs.numbers[quantity], reason, scale=scale)
    if term == "lambda" and effects == "random":
        own = {term: result.std_errors[term]}
        reason = reasons.get(term, reasons.get("std_errors"))
        comparison.add("std_errors", own, theirs.std_errors, reason)
    if effects == "random":
        _add_variance(comparison, result, theirs, term, reasons.get("params"))
    if term == "rho":
        _add_effects(comparison, result, plain, theirs, reasons.get("params"))
    return comparison


def two_stages(result: Any) -> Comparison:
    """2SLS of a model with a spatial lag, without effects."""
    model, design, sample = result.model, result.design, result.model.sample
    options, endogenous = result.provenance["options"], sample.roles.get("endog", ())
    some = bool(result.lagged) and (len(result.lagged) < len(result.variables) or endogenous)
    if model.effects or model.error or not model.lag or options["estimator"] != "2sls" or some:
        raise OptionError(
            "spreg.GM_Lag has a spatial lag by 2SLS, without effects, and lags of all regressors "
            "or of none. Check the model with effects=None, error=False, lag=True and durbin=[]."
        )
    k = len(design.x_names) - len(endogenous)
    given: dict[str, Any] = {"w_lags": model.instrument_orders}
    if endogenous:
        for name, role in (("yend", "endog"), ("q", "instruments")):
            given[name] = sample.cells(role).reshape(sample.nobs, -1)
    covariance = {"asymptotic": None, "robust": "white"}
    given["robust"] = covariance.get(result.cov_type)
    order = [*design.x_names[:k], *(LAG + n for n in result.lagged), *endogenous, "rho"]
    theirs = _fit("GM_Lag", design, result.lagged, order, None, k, given)
    comparison = Comparison(theirs.program, theirs.call, _TOLERANCE)
    comparison.add("params", result.params, theirs.params, scale=result.std_errors)
    same = result.cov_type in covariance
    told = note("crosscheck.no_covariance", program=theirs.program, covariance=result.cov_type)
    errors = theirs.std_errors if same else {}
    absent = None if same else Reason(told, verdict="absent")
    comparison.add("std_errors", result.std_errors, errors, absent)
    comparison.add("sigma2", {"sigma2": result.sigma2}, {"sigma2": theirs.sigma2})
    _add_effects(comparison, result, result, theirs, None)
    return comparison


def _check(model: Any, design: Design) -> None:
    """Raise unless there is one W, and every entity in every period."""
    if model.observation_weights is not None:
        what = "observation weights"
    elif design.y.size < design.n_entities * design.n_periods:
        what = "panels that lack (entity, time) pairs"
    elif len(design.units) > design.n_entities:
        what = "weights that change over time"
    elif design.durbin is not None or design.error is not None:
        raise OptionError(
            "spreg has one W for all terms, and this model has another for its error or its lags "
            "of regressors. Check the model without error_graph= and durbin_graph=."
        )
    elif model.error_components == "kkp":
        what = "random effects inside the spatial error"
    else:
        return
    instead = "on a part of the data without them"
    if model.error_components == "kkp":
        instead = "with error_components='baltagi'"
    raise OptionError(f"spreg has no {what}. Check the model {instead}.")


def _plain(result: Any) -> Any:
    """Ours with exact dummies and the inverse information."""
    model, options = result.model, result.provenance["options"]
    if options["correction"] == "none" and result.cov_type == "asymptotic":
        return result
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the data and of the fit, and told by the first one
        again = model if options["correction"] == "none" else model.with_options(correction="none")
        return again.fit()


def _numbers(result: Any) -> dict[str, Any]:
    return {
        "params": result.params,
        "std_errors": result.std_errors,
        "sigma2": {"sigma2": result.sigma2},
        "loglik": {"loglik": result.loglik},
    }


def _conventions(result: Any, plain: Any, theirs: _Theirs) -> dict[str, Reason]:
    """Corrections, covariances and degrees of freedom that spreg has not, by quantity."""
    under, told = _numbers(plain), {}
    correction = result.provenance["options"]["correction"]
    if correction != "none":
        text = note("crosscheck.correction", program=theirs.program, correction=correction)
        told = dict.fromkeys(under, text)
    if result.cov_type != "asymptotic":
        text = note("crosscheck.information", program=theirs.program, covariance=result.cov_type)
        told["std_errors"] = together(told.get("std_errors"), text)
    if theirs.df is not None:
        n = result.design.y.size
        text = note("crosscheck.degrees", program=theirs.program, df=theirs.df, n=n)
        under["std_errors"] = plain.std_errors * np.sqrt(n / theirs.df)
        under["sigma2"] = {"sigma2": plain.sigma2 * n / theirs.df}
        for quantity in ("std_errors", "sigma2"):
            told[quantity] = together(told.get(quantity), text)
    return {quantity: Reason(text, under[quantity]) for quantity, text in told.items()}


def _faults(plain: Any, theirs: _Theirs, term: str, effects: str) -> dict[str, Reason]:
    """What is known to be wrong, each with what shows it, by quantity."""
    if effects == "random":
        return _random_faults(plain, theirs, term)
    if theirs.program.endswith("PanelFE"):
        left, right = float(theirs.found.utu), theirs.sigma2 * float(theirs.df or 1)
        if abs(left / right - 1) > _TOLERANCE:
            text = note("crosscheck.utu", program=theirs.program, theirs=left, right=right)
            return {"loglik": Reason(text, verdict="wrong")}
    if not term:
        return {}
    value, edge = theirs.params[term], _RANGE.get(theirs.program, 1.0)
    told, (low, high) = {"program": theirs.program, "name": term}, plain.spectrum.interval
    if not low < value < high:
        text = note("crosscheck.outside", **told, value=value, low=low, high=high)
        return dict.fromkeys(_numbers(plain), Reason(text, verdict="wrong"))
    if abs(plain.params[term]) >= edge > abs(value) > edge - 1e-4:
        text = note("crosscheck.range", **told, low=-edge, high=edge)
        return dict.fromkeys(_numbers(plain), Reason(text, verdict="search"))
    return {}


def _fit(
    name: str,
    design: Design,
    lagged: Sequence[str],
    order: Sequence[str],
    effects: str | None,
    k: int,
    given: dict[str, Any],
) -> _Theirs:
    """Estimates of spreg by our names, in its ``order`` after the constant.

    ``k`` of the regressors are in its x, before the period dummies if there are ``effects`` of
    periods.
    """
    n, n_periods = design.n_entities, design.n_periods
    y, x = design.y.reshape(-1, 1), design.x[..., :k].reshape(-1, k)
    W, dummies = design.response_W, 0
    if effects in ("time", "twoway") and n_periods > 1:
        dummies = n_periods - 1
        x = np.hstack([x, np.kron(np.eye(n_periods)[:, 1:], np.ones((n, 1)))])
    if name in _CROSS_SECTIONS and n_periods > 1:
        W = sp.csr_array(sp.block_diag([W] * n_periods))
    w = as_graph(W, ids=range(W.shape[0])).to_W()
    options = _OPTIONS.get(name, {}) | given
    if lagged:
        chosen = [regressor in lagged for regressor in design.x_names[:k]]
        options |= {"slx_lags": 1, "slx_vars": chosen + [False] * dummies}
    found = _call(name, y, x, w=w, **options)

    def again(factor: float) -> Any:
        return _call(name, factor * y, x, w=w, **options)

    names = [] if name in _DEMEANED else ["const"]
    names += [*order[:k], *(f"period {t}" for t in design.periods[1 : 1 + dummies]), *order[k:]]
    values = np.ravel(found.betas)
    shown = [*["slx_lags=1"] * bool(lagged), *["period dummies in x"] * bool(dummies)]
    stacked = "w of all periods" if W is not design.response_W else "w"
    return _Theirs(
        program=f"spreg.{name}",
        call=f"{name}(y, x, {', '.join([stacked, *shown])})",
        found=found,
        again=again,
        w=w,
        params=pd.Series(values[: len(names)], names),
        std_errors=pd.Series(_roots(found.vm)[: len(names)], names),
    )


def _roots(covariance: Array) -> Array:
    """Standard errors; NaN for a negative variance."""
    variances = np.diag(covariance)
    return np.sqrt(np.where(variances < 0, np.nan, variances))


def _call(name: str, *columns: Array, **options: Any) -> Any:
    """An estimate of a class of spreg."""
    import spreg

    return run(f"spreg.{name}", lambda: getattr(spreg, name)(*columns, **options))


def _random_faults(plain: Any, theirs: _Theirs, term: str) -> dict[str, Reason]:
    """Estimates that are not at the maximum, and errors that are not those of the likelihood."""
    profile, program = _profile(plain, term), theirs.program
    right = profile(theirs.params[term], _phi(plain, theirs, term))
    faults: dict[str, Reason] = {}
    if plain.loglik - right > _DIGITS * abs(plain.loglik):
        text = note("crosscheck.lower", program=program, name=term, drop=plain.loglik - right)
        W, verdict = plain.design.response_W, "search"
        if term == "lambda" and abs(W - W.T).max() > 0:
            text, verdict = together(text, note("crosscheck.asymmetric")), "wrong"
        faults = dict.fromkeys(_numbers(plain), Reason(text, verdict=verdict))
        printed = theirs.numbers["loglik"]["loglik"]
        if abs(printed - right) > _TOLERANCE * abs(right):
            text = note("crosscheck.formula", program=program, theirs=printed, right=right)
            faults["loglik"] = Reason(text, verdict="wrong")
    if term == "rho":
        scaled = theirs.again(10.0)
        first, second = (float(_roots(found.vm)[-2]) for found in (theirs.found, scaled))
        if not abs(second / first - 1) <= _TOLERANCE:  # a variance may be negative
            text = note("crosscheck.units", program=program, first=first, second=second)
            faults["std_errors"] = Reason(text, verdict="wrong")
        return faults
    curvature = _curvature(profile, plain.params[term], plain.extra_statistics["phi"])
    ours, other = plain.std_errors[term], theirs.std_errors[term]
    if abs(other - curvature) > 2 * abs(ours - curvature):
        text = note("crosscheck.curvature", program=program, name=term, curvature=curvature)
        faults[term] = Reason(text, verdict="wrong")
    return faults


def _profile(plain: Any, term: str) -> Callable[[float, float], float]:
    """Our likelihood with random effects as a function of the spatial parameter and phi."""
    design = plain.design
    Z = _lags.regressors(design, plain.lagged, None)

    def profile(value: float, phi: float) -> float:
        rho, lambda_ = (value, None) if term == "rho" else (None, value)
        return random_effects.log_likelihood(
            design.y, Z, design.W, design.spectrum, rho=rho, lambda_=lambda_, phi=phi
        )

    return profile


def _curvature(profile: Callable[[float, float], float], value: float, phi: float) -> float:
    """Standard error of the spatial parameter from second differences, phi being free."""
    steps = np.array([1e-3, 1e-3])  # of the parameter and of ln(phi)

    def at(i: float, j: float) -> float:
        return profile(value + i * steps[0], phi * float(np.exp(j * steps[1])))

    hessian = np.empty((2, 2))
    hessian[0, 0] = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
    hessian[1, 1] = at(0, 1) - 2 * at(0, 0) + at(0, -1)
    hessian[0, 1] = hessian[1, 0] = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    hessian /= np.outer(steps, steps)
    return float(np.sqrt(-np.linalg.inv(hessian)[0, 0]))


def _phi(plain: Any, theirs: _Theirs, term: str) -> float:
    """Their variance of the entity effects over that of the errors."""
    phi = float(np.ravel(theirs.found.phi)[0])
    return phi if term == "lambda" else (phi**-2 - 1) / plain.design.n_periods


def _add_variance(
    comparison: Comparison, result: Any, theirs: _Theirs, term: str, params: Reason | None
) -> None:
    """The variance of the entity effects, or the number that spreg prints for it."""
    program = theirs.program
    if term == "lambda":
        ours = {"sigma2_mu": result.extra_statistics["sigma2_mu"]}
        their = {"sigma2_mu": float(np.ravel(theirs.found.sig2_u)[0])}
        comparison.add("variances", ours, their, params)
        return
    phi = result.extra_statistics["phi"]
    share = {"phi": (1 + result.design.n_periods * phi) ** -0.5}
    their = {"phi": float(np.ravel(theirs.found.phi)[0])}
    reason = params or Reason(note("crosscheck.phi", program=program), share)
    comparison.add("variances", {"phi": phi}, their, reason)


def _add_effects(
    comparison: Comparison, result: Any, plain: Any, theirs: _Theirs, params: Reason | None
) -> None:
    """Average effects as spreg computes them from its own estimates, and from ours."""
    lagged, regular = result.lagged, result.design.row_normalised
    ours, right = (found.effects()["estimate"] for found in (result, plain))
    their, own = (_effects(found, theirs.w, result) for found in (theirs.params, plain.params))
    for kind in ("direct", "indirect", "total"):
        for variable, value in ours[kind].items():
            size = float(result.std_errors[variable])
            reason = None if params is None else replace(params, converted=own[kind])
            if params is not None and params.converted is None:
                reason = params
            elif abs(own[kind][variable] - right[kind][variable]) > _TOLERANCE * size:
                formula = (
                    note("crosscheck.theta", program=theirs.program) if variable in lagged else None
                )
                rows = None if regular else note("crosscheck.multiplier", program=theirs.program)
                reason = Reason(together(formula, rows), own[kind], "wrong")
            comparison.add(kind, {variable: value}, their[kind], reason, scale={variable: size})


def _effects(params: pd.Series, w: Any, result: Any) -> dict[str, dict[str, float]]:
    """The formula of spreg (``sputils._sp_effects``), with exact multipliers."""
    import spreg

    rho = float(params["rho"])
    found = run("spreg", lambda: spreg.sputils.spmultiplier(w, rho, method="full"))
    direct, total = float(found["adi"]), float(np.ravel(found["ati"])[0])
    effects: dict[str, dict[str, float]] = {"direct": {}, "indirect": {}, "total": {}}
    for name in result.variables:
        beta = float(params[name])
        effects["direct"][name] = direct * beta
        effects["total"][name] = total * (beta + float(params.get(LAG + name, 0.0)))
        effects["indirect"][name] = effects["total"][name] - effects["direct"][name]
    return effects
