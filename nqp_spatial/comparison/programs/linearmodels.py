"""Panel and instrumental-variables regressions by linearmodels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.comparison.programs.numbers import Comparison, Reason, run, together
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.linear.least_squares import plain_index
from nqp_spatial.shared.notes import Note

_TOLERANCE, _ITERATED = 1e-8, 1e-6  # it removes other_effects by iteration, until 1e-8
_BARE: dict[str, Any] = {"debiased": False}  # no small-sample factor
_BARE_EFFECTS: dict[str, Any] = {**_BARE, "auto_df": False, "count_effects": False}


@dataclass(frozen=True)
class _Theirs:
    """A model of linearmodels, and how it was called."""

    program: str
    call: str
    model: Any

    @classmethod
    def of(cls, kind: type, call: str, *data: Any, **options: Any) -> _Theirs:
        program = f"linearmodels.{kind.__name__}"
        model = run(program, lambda: kind(*data, **options))
        return cls(program, f"{kind.__name__}({call})", model)

    def fit(self, **options: Any) -> Any:
        return run(self.program, lambda: self.model.fit(**options))


def panel_ols(result: Any) -> Comparison:
    """Pooled and fixed-effects regression."""
    from linearmodels.panel import PanelOLS, PooledOLS

    model = result.model
    kinds = tuple(k for k in result.effects_included if k not in model.absorbed.implied)
    _check_effects(kinds, 2)
    y, x = _columns(model.y, model.x)
    weights = model.weights
    own = {} if weights is None else {"weights": weights.set_axis(y.index)}
    if kinds:
        given: dict[str, Any] = {f"{k}_effects": True for k in ("entity", "time") if k in kinds}
        given |= own
        others = [k for k in kinds if k not in ("entity", "time")]
        if others:
            given["other_effects"] = _codes(model.other_effects[others]).set_axis(y.index)
        call = f"y, x, {', '.join(f'{name}=...' for name in given)}"
        theirs = _Theirs.of(PanelOLS, call, y, x, **given)
    else:
        call = "y, [x, 1]" + ", weights=..." * bool(own)
        theirs = _Theirs.of(PooledOLS, call, y, x.assign(const=1.0), **own)
    comparison = _least_squares(result, theirs, _BARE_EFFECTS if kinds else _BARE)
    found = theirs.fit()
    comparison.add("loglik", {"loglik": result.loglik}, {"loglik": found.loglik})
    overall = found.rsquared_inclusive if kinds else found.rsquared
    squared = {"within": found.rsquared, "overall": overall}
    comparison.add("rsquared", {kind: result.rsquared[kind] for kind in squared}, squared)
    return comparison


def random_effects(result: Any) -> Comparison:
    """Random effects; by the harmonic mean of the numbers of periods where they differ."""
    from linearmodels.panel import RandomEffects

    model, plain, reason = result.model, result, None
    if model.effects != "entity" or model.components not in ("swamy-arora", "harmonic"):
        raise OptionError(
            "linearmodels.RandomEffects has entity effects with the variances of Swamy and Arora "
            f"alone, and the model effects={model.effects!r} with components="
            f"{model.components!r}. Check it with effects='entity', components='swamy-arora'."
        )
    y, x = _columns(model.y, model.x)
    theirs = _Theirs.of(RandomEffects, "y, [x, 1]", y, x.assign(const=1.0))
    if model.components != "harmonic" and np.ptp(result.theta.to_numpy()) > 0:
        again = type(model)(model.y, model.x, components="harmonic")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # told by the first fit
            plain = again.fit(**_fit_options(result))
        reason = note("crosscheck.components", program=theirs.program)
    comparison = _least_squares(result, theirs, _BARE, plain, reason)
    found = theirs.fit()
    split = found.variance_decomposition
    comparison.add(
        "variances",
        result.variance_components[["sigma2_u", "sigma2_e"]],
        {"sigma2_u": split["Effects"], "sigma2_e": split["Residual"]},
        None if reason is None else Reason(reason, plain.variance_components),
    )
    comparison.add(
        "rsquared",
        result.rsquared,
        {kind: getattr(found, f"rsquared_{kind}") for kind in ("within", "between", "overall")},
        Reason(
            note("crosscheck.correlations", program=theirs.program), _shares(model.y, plain.resids)
        ),
    )
    return comparison


def between(result: Any) -> Comparison:
    """Entity means on entity means."""
    from linearmodels.panel import BetweenOLS

    model = result.model
    y, x = _columns(model.y, model.x)
    call = "y, [x, 1]" + ", reweight=True" * model.weighted
    theirs = _Theirs.of(BetweenOLS, call, y, x.assign(const=1.0))
    weights = {"reweight": model.weighted}
    comparison = _least_squares(result, theirs, _BARE, rows=y.index, **weights)
    squared = {kind: getattr(theirs.fit(**weights), f"rsquared_{kind}") for kind in result.rsquared}
    everywhere = model.y - model.x @ result.params.drop("const") - result.params["const"]
    reason = note("crosscheck.correlations", program=theirs.program)
    comparison.add(
        "rsquared", result.rsquared, squared, Reason(reason, _shares(model.y, everywhere))
    )
    return comparison


def first_difference(result: Any) -> Comparison:
    """Changes on changes; the constant as the change of a count of periods."""
    from linearmodels.panel import FirstDifferenceOLS

    model, call = result.model, "y, x"
    y, x = _columns(model.y, model.x)
    if model.constant:
        periods = pd.factorize(y.index.get_level_values(1), sort=True)[0]
        x, call = x.assign(const=periods.astype(float)), "y, [x, period]"
    theirs = _Theirs.of(FirstDifferenceOLS, call, y, x)
    comparison = _least_squares(result, theirs, _BARE, rows=y.index)
    change = result.fitted + result.resids
    uncentred = {"differences": 1 - float((result.resids**2).sum() / (change**2).sum())}
    comparison.add(
        "rsquared",
        result.rsquared,
        {"differences": theirs.fit().rsquared},
        Reason(note("crosscheck.uncentred", program=theirs.program), uncentred),
    )
    return comparison


def instrumental_variables(result: Any) -> Comparison:
    """2SLS, LIML and two-step GMM on columns that linearmodels has freed of effects."""
    from linearmodels import iv

    if result.model.weights is not None:
        raise OptionError(
            "Rows of the model are weighted, and linearmodels is given columns that are free of "
            "effects without weights. Check the model without weights=."
        )
    estimator = result.provenance["options"]["estimator"]
    kind = {"2sls": iv.IV2SLS, "liml": iv.IVLIML, "gmm": iv.IVGMM}[estimator]
    asked = _moments(result)
    if estimator == "gmm" and asked is None:
        raise OptionError(
            f"linearmodels has no {result.cov_type} covariance of moments for panels. Check the "
            "model with cov_type='robust' or 'clustered'."
        )
    config = asked or {"cov_type": "unadjusted"}
    data = _instrumented(result)
    weights = {"weight_type": config["cov_type"], "center": False}
    weights |= {name: value for name, value in config.items() if name == "clusters"}
    steps = {"iter_limit": 2}
    removed = f"; columns free of {' and '.join(result.effects_included)} effects"
    call = "y, x, endog, instruments" + removed * bool(result.effects_included)
    gmm = _Theirs.of(iv.IVGMM, call, *data, **weights)
    theirs = gmm if estimator == "gmm" else _Theirs.of(kind, call, *data)
    found = theirs.fit(**config, **_BARE, **(steps if theirs is gmm else {}))
    others = result.reduced_form.model.other_effects is not None
    comparison = Comparison(theirs.program, theirs.call, _ITERATED if others else _TOLERANCE)
    comparison.add("params", result.params, found.params, scale=result.std_errors)
    factor = result.provenance["small_sample_factor"]["estimates"]
    _add_errors(comparison, result, found.std_errors if asked else {}, factor, None)
    over = result.overidentification
    if over.df and asked is not None:  # Sargan's is of 2SLS, Hansen's of GMM, whatever was asked
        if asked["cov_type"] == "unadjusted":
            tested = _Theirs.of(iv.IV2SLS, call, *data).fit(**asked).sargan
        else:
            tested = gmm.fit(**asked, **steps).j_stat
        comparison.add("overidentification", {over.name: over.statistic}, {over.name: tested.stat})
    return comparison


def _least_squares(
    result: Any,
    theirs: _Theirs,
    bare: dict[str, Any],
    plain: Any = None,
    reason: Note | None = None,
    rows: pd.MultiIndex | None = None,
    **more: Any,
) -> Comparison:
    """Estimates and errors.

    ``plain`` is ours under their convention but for the small-sample factor, ``reason`` why it is
    another result; ``rows`` are those that linearmodels wants clusters for, if not those of ours;
    ``more`` are further options of its ``fit``.
    """
    others = "other_effects" in theirs.call
    comparison = Comparison(theirs.program, theirs.call, _ITERATED if others else _TOLERANCE)
    asked, plain = _covariance(result, rows), plain or result
    found = theirs.fit(**(asked or {}), **more)
    why = None if reason is None else Reason(reason, plain.params)
    comparison.add("params", result.params, found.params, why, scale=result.std_errors)
    factor = plain.provenance["covariance"]["small_sample_factor"]
    if asked is None:
        _add_errors(comparison, result, {}, factor, None)
        return comparison
    name = result.params.index[0]
    without = theirs.fit(**asked, **bare, **more).std_errors
    own = float((found.std_errors[name] / without[name]) ** 2)
    _add_errors(comparison, result, found.std_errors, factor, own, plain, reason)
    return comparison


def _add_errors(
    comparison: Comparison,
    result: Any,
    theirs: Any,
    factor: float,
    own: float | None,
    plain: Any = None,
    reason: Note | None = None,
) -> None:
    """Standard errors, which differ by small-sample factors: ours, and their own if they have."""
    program = comparison.program
    if not len(theirs):
        told = note("crosscheck.no_covariance", program=program, covariance=result.cov_type)
        comparison.add("std_errors", result.std_errors, {}, Reason(told, verdict="absent"))
        return
    by_factor = None
    if own is None:
        by_factor = note("crosscheck.no_factor", program=program, ours=factor)
    elif abs(own / factor - 1) > 1e-12:
        by_factor = note("crosscheck.factor", program=program, ours=factor, theirs=own)
    converted = (plain or result).std_errors * np.sqrt((own or 1.0) / factor)
    both = Reason(together(reason, by_factor), converted)
    comparison.add("std_errors", result.std_errors, theirs, both if both.text else None)


def _covariance(result: Any, rows: pd.MultiIndex | None = None) -> dict[str, Any] | None:
    """What ``fit`` was asked for, in the words of linearmodels; None if it has no such thing."""
    record = result.provenance["covariance"]
    kind = record["cov_type"]
    if kind in ("unadjusted", "robust"):
        return {"cov_type": kind}
    if kind == "clustered":
        codes = result.clusters.set_axis(plain_index(result.clusters.index))
        if rows is not None:
            by_entity = codes.groupby(level=0)
            if (by_entity.nunique() > 1).any(axis=None):
                return None  # it wants one cluster for both rows of a difference
            codes = by_entity.first().reindex(rows.get_level_values(0)).fillna(-1).set_axis(rows)
        return {"cov_type": kind, "clusters": codes}
    if kind == "driscoll-kraay":
        return {"cov_type": "kernel", "kernel": record["kernel"], "bandwidth": record["bandwidth"]}
    return None  # within entities, and Conley's


def _moments(result: Any) -> dict[str, Any] | None:
    """The same for instrumental variables: no kernels, which would run from entity to entity."""
    asked = _covariance(result.reduced_form)
    several = asked is not None and "clusters" in asked and asked["clusters"].shape[1] > 1
    return None if asked is None or asked["cov_type"] == "kernel" or several else asked


def _fit_options(result: Any) -> dict[str, Any]:
    """What ``fit`` was asked for, in our words; equal variances for what linearmodels lacks."""
    record = result.provenance["covariance"]
    if record["cov_type"] == "clustered":
        return {"cov_type": "clustered", "clusters": result.clusters}
    if record["cov_type"] == "driscoll-kraay":
        return {name: record[name] for name in ("cov_type", "kernel", "bandwidth")}
    return {"cov_type": "robust" if record["cov_type"] == "robust" else "unadjusted"}


def _columns(y: pd.Series, x: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """On an index whose periods are numbers or dates."""
    index = plain_index(y.index)
    return y.set_axis(index), x.set_axis(index)


def _codes(categories: pd.DataFrame) -> pd.DataFrame:
    return categories.apply(lambda column: column.cat.codes)


def _instrumented(result: Any) -> tuple[Any, ...]:
    """Outcome, exogenous and endogenous columns and instruments, free of the effects."""
    sample, kinds = result.model.sample, result.effects_included
    _check_effects(kinds, None)
    every = sample.frame("y", "x", "endog", "instruments")
    columns = _without_effects(every, result.reduced_form.model)
    y, x, d, z = (
        columns[list(sample.roles.get(role, ()))] for role in ("y", "x", "endog", "instruments")
    )
    if not kinds:
        x = x.assign(const=1.0)
    return y, x if x.shape[1] else None, d, z


def _without_effects(columns: pd.DataFrame, model: Any) -> pd.DataFrame:
    """What linearmodels leaves of the columns."""
    from linearmodels.panel.data import PanelData

    columns = columns.set_axis(plain_index(columns.index))
    effects, panel = model.effects, PanelData(columns)
    if model.other_effects is not None:
        groups = _codes(model.other_effects).set_axis(columns.index)
        levels = {"entity": (0,), "time": (1,), "twoway": (0, 1)}.get(effects, ())
        groups = groups.assign(**{f"level {j}": columns.index.codes[j] for j in levels})
        return pd.DataFrame(panel.general_demean(groups).dataframe)
    if effects is None:
        return columns
    return pd.DataFrame(panel.demean("both" if effects == "twoway" else effects).dataframe)


def _check_effects(kinds: tuple[str, ...], most: int | None) -> None:
    trends = [kind for kind in kinds if kind.endswith(" trends")]
    if trends:
        raise OptionError(f"linearmodels has no {trends[0]}. Check the model without trends=.")
    if most is not None and len(kinds) > most:
        raise OptionError(
            f"linearmodels.PanelOLS removes at most {most} kinds of effects, and the model has "
            f"{len(kinds)} ({', '.join(kinds)}). Check it with two of them."
        )


def _shares(y: pd.Series, resids: pd.Series) -> dict[str, float]:
    """One less residual over total sums of squares: deviations from means, means, all."""
    both = pd.DataFrame({"y": y, "e": resids})
    by_entity = both.groupby(level=0)
    means = by_entity.mean()
    kinds = {
        "within": both - by_entity.transform("mean"),
        "between": means.assign(y=means["y"] - means["y"].mean()),
        "overall": both.assign(y=y - y.mean()),
    }
    squares = {kind: (columns**2).sum() for kind, columns in kinds.items()}
    return {kind: float(1 - s["e"] / s["y"]) for kind, s in squares.items()}
