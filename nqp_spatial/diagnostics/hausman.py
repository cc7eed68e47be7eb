"""Hausman tests of random against fixed entity effects, spatial or not.

Random effects take mu to be independent of the regressors; fixed effects do not. "mundlak" puts the
correlation into the model, mu_i = xbar_i' pi (+ (W xbar)_i' xi in Durbin models) + eta_i, and tests
pi = xi = 0 (Mundlak 1978, Econometrica 46, 69-85; Debarsy 2012, Spatial Economic Analysis 7,
109-131). "classical" compares the two estimates, d' (V_FE - V_RE)^- d (Hausman 1978, Econometrica
46, 1251-1271). Without spatial terms "sigmamore" takes both covariances from the error variance of
random effects, so that their difference cannot have negative eigenvalues in a balanced panel;
"robust" adds the deviations from entity means to the quasi-demeaned regression and tests their
coefficients with clustered errors (Arellano 1993, J. Econometrics 59, 87-97; Wooldridge 2010,
section 10.7.3).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

import nqp_spatial.models.linear.least_squares as _ls
import nqp_spatial.models.spatial.random_effects as _random_effects
import nqp_spatial.panel.lags as _lags
from nqp_spatial.core.linear.collinear import TOLERANCE, absorbed, dependent
from nqp_spatial.core.linear.components import means
from nqp_spatial.exceptions import DataWarning, EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.design import LAG
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.results import TestResult, wald
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import check_option, check_options

if TYPE_CHECKING:
    from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
    from nqp_spatial.models.linear.panel import RandomEffectsResults
    from nqp_spatial.models.spatial.results import SpatialResults

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FORMS = ("mundlak", "classical")
PANEL_FORMS = ("classical", "sigmamore", "robust")
_NOISE = 1e-10  # eigenvalue, relative to the largest, that rounding may leave
_SAME = 1e-9  # of outcomes


@dataclass(frozen=True)
class HausmanResult(TestResult):
    """A Hausman test, with what was compared and what follows.

    Attributes
    ----------
    form : str
    tested : tuple of str
        Regressors whose entity means, or whose slopes, were tested.
    recommendation : str
        At the 5 % level.
    asymptotic : TestResult or None
        Chi-squared, where the test itself is an F test: "mundlak" and "robust".
    defined : bool
        False where the covariance of fixed effects less that of random effects has a negative
        eigenvalue: the statistic is then what other programs print, and there is no p-value.
    """

    __test__: ClassVar[bool] = False

    form: str
    tested: tuple[str, ...]
    recommendation: str
    asymptotic: TestResult | None = None
    defined: bool = True


def hausman(
    fe: Any,
    re: Any,
    *,
    form: str | None = None,
    parameters: Literal["slopes", "all"] = "slopes",
) -> HausmanResult:
    r"""Test random against fixed entity effects, in spatial panel models and in those without W.

    Parameters
    ----------
    fe : SpatialResults, FixedEffectsResults or None
        The model with entity or two-way fixed effects; "mundlak" and "robust" need none.
    re : SpatialResults or RandomEffectsResults
        The same model with ``effects="random"``; or RandomEffects.
    form : str, optional
        Spatial models: "mundlak" (the default) or "classical". "mundlak" adds entity means of the
        regressors (and of their spatial lags that are in the model) to the random-effects model,
        fits it by maximum likelihood and tests that their coefficients are zero: always defined.
        "classical" is :math:`d' (V_{FE} - V_{RE})^- d` with d the difference of the slopes common
        to both; the difference of the covariances is often not positive semi-definite, and then
        there is a statistic, but no test: ``defined`` is False, and a warning names other forms.

        FixedEffects and RandomEffects: "classical" (the default; plm's phtest), "sigmamore" (both
        covariances with the error variance of random effects) or "robust" (the deviations from
        entity means added to the quasi-demeaned regression, tested with errors clustered by
        entity: an F test with q and G - 1 degrees of freedom). The first two take errors to be
        independent with equal variances, whatever ``cov_type`` the results have.
    parameters : {"slopes", "all"}
        For "classical" of spatial models: slopes of the regressors and of their lags, or rho and
        lambda too.

    Returns
    -------
    HausmanResult

    Raises
    ------
    OptionError
        If the two results are not a fixed- and a random-effects fit of one model to the same data.
    EstimationError
        If no regressor varies both over time and between entities.

    Warns
    -----
    DataWarning
        If "classical" or "sigmamore" has no positive semi-definite difference of covariances.

    Notes
    -----
    With as many regressors as a study has, the chi-squared Wald statistic of "mundlak" rejects a
    true null in 6 to 9 % of samples with 49 entities, since variances between entities are
    estimated from N means. So the part of the covariance that comes from entity means is scaled by
    N / (N - k), k the regressors (constant included) that differ between entities, the part from
    within entities by N(T-1) / (N(T-1) - k), and the statistic over its q degrees of freedom is
    compared with F(q, df), df by Satterthwaite's rule; ``asymptotic`` keeps the chi-squared test.
    See docs/monte_carlo_hausman.md. Errors are taken to be independent with equal variances, as by
    both estimators.

    Without W, a true null is rejected at 5 % in 7 % of samples by "classical", 6 % by "sigmamore",
    8 % by "robust" (10 % if chi-squared) with 50 entities, 8 periods and 3 regressors; in 5, 5 and
    6 % with 200 entities. With errors and regressors autocorrelated by 0.8 the first two reject in
    9 to 11 % whatever the number of entities, "robust" in 9 % with 50 and 7 % with 200 (300
    samples each, so give or take 1.3 %: benchmarks/monte_carlo_panel_hausman.py).

    A regressor that is constant over time, or the same for all entities, has no mean of its own to
    test and is left out; ``tested`` names those that are in.
    """
    check_options(hausman, parameters=parameters)
    if any(hasattr(result, "unadjusted") for result in (fe, re)):
        if parameters != "slopes":
            raise OptionError("parameters='all' belongs to spatial models. Leave it out.")
        chosen = "classical" if form is None else form
        test, tested, asymptotic = _compared(fe, re, chosen)
        return _labelled(test, chosen, tested, asymptotic)
    form = "mundlak" if form is None else form
    check_option("form", form, FORMS)
    _check_random(re)
    if fe is not None:
        _check_pair(fe, re)
    if form == "mundlak":
        if parameters != "slopes":
            raise OptionError("parameters='all' belongs to form='classical'; add it.")
        return _mundlak(re)
    if fe is None:
        raise OptionError("form='classical' compares two fits: give hausman(fe, re).")
    return _classical(fe, re, parameters)


# -- Mundlak -----------------------------------------------------------------------------------


def _mundlak(re: SpatialResults) -> HausmanResult:
    design = re.design
    Z = _lags.regressors(design, re.lagged, None)
    names = ["const", *re.variables, *(LAG + name for name in re.lagged)]
    augmented, kept = with_means(Z)
    if not kept:
        raise EstimationError(
            "No regressor varies both over time and between entities, so that random and fixed "
            f"effects cannot be told apart. The regressors are {first(names[1:])}."
        )
    _degrees(Z)
    found, _ = _random_effects.fit(
        design,
        augmented,
        re.spectrum,
        lag="rho" in re.params,
        error="lambda" in re.params,
        form=re.model.error_components,
    )
    tested = tuple(names[j] for j in kept)
    null = note("hypotheses.means", names=listed(tested, 8))
    test, asymptotic = mundlak_test(found.delta, found.cov, Z, kept, null=null)
    return _labelled(test, "mundlak", tested, asymptotic)


def with_means(Z: Array) -> tuple[Array, list[int]]:
    """Regressors with their entity means, shape (n_periods, n_entities, k + q), and which they are.

    Means that are combinations of the regressors and of the means before them are left out.
    """
    kept = _testable(Z, Z.mean(axis=0))
    added = np.broadcast_to(Z.mean(axis=0)[:, kept], (*Z.shape[:2], len(kept)))
    return np.concatenate([Z, added], axis=-1), kept


def mundlak_test(
    delta: Array, cov: Array, Z: Array, kept: list[int], *, null: str = "random effects"
) -> tuple[TestResult, TestResult]:
    """F and chi-squared tests that the coefficients after those of Z are zero.

    Parameters
    ----------
    delta : array, shape (k + q,)
    cov : array, shape (m, m)
        Covariance of delta, and of other parameters after it.
    Z : array, shape (n_periods, n_entities, k)
    kept : list of int
        Columns of Z whose means were added.
    """
    k = Z.shape[-1]
    own = slice(k, k + len(kept))
    asymptotic = wald(delta[own], cov[own, own], null=null, name="Hausman (Mundlak form)")
    if not np.isfinite(asymptotic.statistic):
        return asymptotic, asymptotic
    within = cov[np.ix_(kept, kept)]
    return _small_sample(asymptotic, delta[own], cov[own, own], within, Z), asymptotic


def _testable(Z: Array, means: Array) -> list[int]:
    """Columns whose entity means are no combination of Z and of the means before them."""
    k = Z.shape[-1]
    candidates = np.broadcast_to(means, Z.shape)
    both = np.concatenate([Z, candidates], axis=-1).reshape(-1, 2 * k)
    gone = {j for j, _ in dependent(both)}
    return [j for j in range(k) if k + j not in gone]


def _degrees(Z: Array) -> tuple[int, int, int]:
    """N(T-1), and what the k regressors leave of N and of N(T-1).

    k are the regressors that differ between entities, the constant included.
    """
    means = Z.mean(axis=0)
    size = np.linalg.norm(means, axis=0)
    scaled = means / np.where(size > 0, size, 1.0)
    k = int(np.linalg.matrix_rank(scaled, tol=TOLERANCE * np.sqrt(len(means))))
    n, others = len(means), (len(Z) - 1) * len(means)
    if min(n, others) <= k:
        raise EstimationError(
            f"{n} entities are too few for {k} regressors that differ between them. Use fewer "
            "regressors or lags (durbin=[...])."
        )
    return others, n - k, others - k


def _small_sample(test: TestResult, pi: Array, cov: Array, within: Array, Z: Array) -> TestResult:
    """F form: pi is a between estimate less a within one, whose variances have their own df.

    Without spatial terms the likelihood of the augmented model separates into the two regressions,
    cov = (cov - within) + within, and the factors turn maximum likelihood variances into unbiased
    ones.
    """
    others, left, left_within = _degrees(Z)
    scale = np.sqrt(np.diag(cov))
    unit, unit_within = (part / np.outer(scale, scale) for part in (cov, within))
    share = float(np.clip(1 - np.trace(np.linalg.solve(unit, unit_within)) / len(pi), 0, 1))
    adjusted = (unit - unit_within) * Z.shape[1] / left + unit_within * others / left_within
    statistic = float(pi / scale @ np.linalg.solve(adjusted, pi / scale)) / len(pi)
    df = 1 / (share**2 / left + (1 - share) ** 2 / left_within)
    pvalue = float(stats.f(len(pi), df).sf(statistic))
    return TestResult(test.name, test.null, statistic, (len(pi), df), pvalue)


# -- classical ---------------------------------------------------------------------------------


def _classical(fe: SpatialResults, re: SpatialResults, parameters: str) -> HausmanResult:
    for result, role in ((fe, "fe"), (re, "re")):
        if result.cov_type != "asymptotic":
            raise OptionError(
                f"form='classical' needs cov_type='asymptotic'; {role} has {result.cov_type!r}. "
                "Use form='mundlak', which does not subtract covariances."
            )
    left_out = ("const",) if parameters == "all" else ("const", "rho", "lambda")
    names = [n for n in re.params.index if n in fe.params.index and n not in left_out]
    difference = (fe.params[names] - re.params[names]).to_numpy()
    V_fe, V_re = (result.cov.loc[names, names].to_numpy() for result in (fe, re))
    statistic, df, defined = quadratic_form(difference, V_fe, V_re, names)
    known = defined and np.isfinite(statistic)
    pvalue = float(stats.chi2(df).sf(statistic)) if known else np.nan
    null = note("hypotheses.random", names=listed(names, 8))
    test = TestResult("Hausman (classical form)", null, statistic, df, pvalue)
    return _labelled(test, "classical", tuple(names))


def _labelled(
    test: TestResult, form: str, tested: tuple[str, ...], asymptotic: TestResult | None = None
) -> HausmanResult:
    defined = bool(np.isfinite(test.pvalue) or not np.isfinite(test.statistic))
    if not defined:
        advice = "none: the difference of the covariances is not positive semi-definite"
    elif not np.isfinite(test.pvalue):
        advice = "none: a spatial parameter is at its bound, so that there is no covariance"
    elif test.pvalue < 0.05:
        advice = "fixed effects: the entity effects are correlated with the regressors"
    else:
        advice = "random effects: no correlation with the regressors is found at the 5 % level"
    facts = (test.name, test.null, test.statistic, test.df, test.pvalue)
    return HausmanResult(*facts, form, tested, advice, asymptotic, defined)


# -- what is compared --------------------------------------------------------------------------


def _effects_of(result: SpatialResults) -> object:
    return result.provenance["options"]["effects"]


def _check_random(re: SpatialResults) -> None:
    if not hasattr(re, "design"):
        raise OptionError(
            f"re is a {type(re).__name__}, not a fitted spatial model. Type "
            "SpatialDurbin(y, x, graph, effects='random').fit()."
        )
    if _effects_of(re) != "random":
        raise OptionError(
            f"re was fitted with effects={_effects_of(re)!r}. The order is hausman(fe, re), the "
            "second with effects='random'."
        )


def _check_pair(fe: SpatialResults, re: SpatialResults) -> None:
    """Raise unless fe is the fixed-effects version of re on the same data."""
    spatial = hasattr(fe, "design")
    if not spatial or "entity" not in fe.effects_included:
        raise _no_entities(_effects_of(fe) if spatial else type(fe).__name__)
    one, other = fe.design, re.design
    _check_alike(fe)
    same_rows = one.entities.equals(other.entities) and one.periods.equals(other.periods)
    _check_outcome(same_rows and np.array_equal(one.y, other.y))
    if (one.W != other.W).nnz:
        raise OptionError("fe and re have different weights. Fit both with one graph.")
    if one.durbin is not None or one.error is not None:
        raise OptionError(
            "fe has durbin_graph= or error_graph=, which random effects do not have. Fit both with "
            "one graph for all terms."
        )
    for name in ("rho", "lambda"):
        if (name in fe.params) != (name in re.params):
            raise OptionError(
                f"{name} is a parameter of one model only: {fe.model_name}, {re.model_name}."
            )
    Z = _lags.regressors(other, re.lagged, None)
    periods = np.repeat(np.arange(len(Z)), Z.shape[1])
    _check_nested(fe, re, Z.reshape(-1, Z.shape[-1]), periods, " and lags")


def _check_alike(fe: SpatialResults) -> None:
    """Raise if fe differs from any random-effects model in more than its entity effects."""
    if fe.loglik is None:
        raise OptionError(
            "fe is estimated by instruments and re by maximum likelihood, so that a difference "
            "would be due to either. Fit fe with the model of re and effects='entity'."
        )
    if isinstance(fe.design, StackedDesign):
        raise OptionError(
            "fe has a graph for each period, observation_weights= or absent rows, which random "
            "effects do not have. Fit fe with one graph, no weights and a balanced panel; or use "
            "hausman(None, re)."
        )


def _no_entities(kind: object) -> OptionError:
    return OptionError(f"fe needs entity effects: effects='entity' or 'twoway', not {kind!r}.")


def _check_outcome(same: bool) -> None:
    if not same:
        raise OptionError(
            "fe and re are not fitted to the same outcome on the same (entity, time) rows."
        )


def _check_nested(fe: Any, re: Any, columns: Array, periods: Codes, more: str = "") -> None:
    """Raise unless re, whose regressors are ``columns``, differs by its entity effects only."""
    missing = [name for name in fe.params.index if name not in re.params.index]
    if missing:
        raise OptionError(
            f"re lacks {first(missing)}, which fe has. Fit both with the same regressors{more}."
        )
    if "time" not in fe.effects_included or "time" in LEVELS[getattr(re.model, "effects", None)]:
        return
    dummies = np.eye(int(periods.max()) + 1)[periods]
    columns = columns / np.linalg.norm(columns, axis=0)
    left = dummies - columns @ np.linalg.lstsq(columns, dummies, rcond=None)[0]
    if np.abs(left).max() >= 1e-8:
        raise OptionError(
            "fe has period effects and re has none, so that a difference would be due to either. "
            "Fit fe with effects='entity', or give re period dummies among its regressors."
        )


# -- without spatial terms ---------------------------------------------------------------------


def _compared(
    fe: FixedEffectsResults | None, re: RandomEffectsResults, form: str
) -> tuple[TestResult, tuple[str, ...], TestResult | None]:
    """The test, the regressors it is about, and the chi-squared form where that is another one."""
    check_option("form", form, PANEL_FORMS)
    _check_panel_pair(fe, re)
    if form == "robust" and re.model.effects != "entity":
        raise OptionError(
            f"form='robust' is for entity effects, and re has random {re.model.effects} effects. "
            "Type form='sigmamore' or 'classical'."
        )
    if form == "robust":
        return _robust(re)
    if fe is None:
        raise OptionError(f"form={form!r} compares two fits: give hausman(fe, re).")
    names = [name for name in fe.params.index if name in re.params.index]
    V_fe, V_re = fe.unadjusted.loc[names, names], re.unadjusted.loc[names, names]
    if form == "sigmamore":
        V_fe = V_fe * _error_variance(re) / _error_variance(fe)
    d = (fe.params[names] - re.params[names]).to_numpy()
    covs = V_fe.to_numpy(), V_re.to_numpy()
    instead = "'sigmamore' or 'robust'" if form == "classical" else "'robust'"
    statistic, df, defined = quadratic_form(d, *covs, names, instead=instead)
    null = note("hypotheses.random", names=listed(names, 8))
    tail = float(stats.chi2(df).sf(statistic)) if defined else np.nan
    return TestResult(f"Hausman ({form} form)", null, statistic, df, tail), tuple(names), None


def _error_variance(result: Any) -> float:
    """Sum of squared residuals of the transformed columns over n - K."""
    equation = result.model.equation()
    left = equation.y - equation.x @ result.params
    return float((left**2).sum()) / (len(equation.y) - result.rank)


def _robust(
    re: RandomEffectsResults,
) -> tuple[TestResult, tuple[str, ...], TestResult]:
    model = re.model
    equation, entity = model.equation(), model.sample.keys.entity
    raw = model.x.to_numpy()
    within = raw - means(raw, entity)[entity]
    gone = absorbed(within, raw)
    kept = [j for j in range(raw.shape[1]) if j not in gone]
    both = np.column_stack([equation.x, within[:, kept]])
    k = equation.x.shape[1]
    extra = [j - k for j, _ in dependent(both) if j >= k]
    kept = [j for i, j in enumerate(kept) if i not in extra]
    names = [model.x.columns[j] for j in kept]
    if not names:
        raise EstimationError(
            "No regressor varies both over time and between entities, so that random and fixed "
            f"effects cannot be told apart. The regressors are {first(model.x.columns)}."
        )
    labels = [f"deviation of {name}" for name in names]
    added = pd.DataFrame(within[:, kept], equation.x.index, labels)
    x = pd.concat([equation.x, added], axis=1)
    augmented = _ls.Equation(equation.y, x, equation.rows, x.shape[1])
    found = _ls.estimate(augmented, augmented.prepare(CovarianceOptions({"cov_type": "clustered"})))
    null = note("hypotheses.deviations", names=listed(names, 8))
    name = "Hausman (robust form)"
    beta, cov = found.params[labels].to_numpy(), found.cov.loc[labels, labels].to_numpy()
    groups = len(model.sample.keys.entities)
    q = len(names)
    if groups - 1 <= q:
        raise EstimationError(
            f"{groups} entities are too few for a clustered test of {q} coefficients. Use "
            "form='sigmamore'."
        )
    asymptotic = wald(beta, cov, null=null, name=name)
    statistic = asymptotic.statistic / q
    tail = float(stats.f(q, groups - 1).sf(statistic))
    return TestResult(name, null, statistic, (q, groups - 1), tail), tuple(names), asymptotic


def quadratic_form(
    difference: Array, V_fe: Array, V_re: Array, names: list[str], *, instead: str = "'mundlak'"
) -> tuple[float, int, bool]:
    """d'(V_fe - V_re)^- d, the rank of the difference, and whether that is a chi-squared at all.

    Warns
    -----
    DataWarning
        If the difference has a negative eigenvalue: its generalised inverse is taken all the same.
    """
    if np.isnan(V_fe).any() or np.isnan(V_re).any():
        return np.nan, len(names), True
    scale = np.sqrt(np.diag(V_fe))
    values, vectors = np.linalg.eigh((V_fe - V_re) / np.outer(scale, scale))
    noise = _NOISE * np.abs(values).max()
    kept = np.abs(values) > noise
    projected = vectors[:, kept].T @ (difference / scale)
    statistic, rank = float((projected**2 / values[kept]).sum()), int(kept.sum())
    negative = int((values < -noise).sum())
    if not negative:
        return statistic, rank, True
    signs = ", ".join("+" if v > noise else "-" if v < -noise else "0" for v in values)
    warnings.warn(
        f"The covariance of fixed effects less that of random effects is not positive "
        f"semi-definite: {negative} of {len(values)} eigenvalues are negative ({signs}; "
        f"parameters {first(names, 8)}), so that the test is not defined here. Inverted all the "
        f"same, as other programs do, it gives {statistic:.6g}, which is no chi-squared and has no "
        f"p-value. Use form={instead}.",
        DataWarning,
        stacklevel=outside(),
    )
    return statistic, rank, False


def _check_panel_pair(fe: Any, re: Any) -> None:
    """Raise unless fe is the fixed-effects version of re on the same data."""
    if not hasattr(re, "variance_components"):
        raise OptionError(
            f"re is a {type(re).__name__}, not RandomEffects(y, x).fit(). The order is "
            "hausman(fe, re)."
        )
    if fe is None:
        return
    effects = re.model.effects
    if effects != "entity":
        if getattr(fe, "effects_included", ()) != LEVELS[effects]:
            raise OptionError(
                f"re has random {effects} effects. Fit fe with effects={effects!r} too, and no "
                "others, so that a difference is due to their being fixed."
            )
    elif "entity" not in getattr(fe, "effects_included", ()):
        raise _no_entities(getattr(fe, "effects_included", None) or type(fe).__name__)
    if not hasattr(fe, "singletons"):
        raise OptionError(
            f"fe is a {type(fe).__name__}, not FixedEffects(y, x).fit(), so that a difference "
            "from re would be due to more than the entity effects."
        )
    if fe.model.weights is not None:
        raise OptionError(
            "Rows of fe are weighted, and those of re are not, so that a difference would be due "
            "to that too. Fit fe without weights=."
        )
    if fe.model.absorbed.other_names:
        raise OptionError(
            f"fe has the effects {first(fe.effects_included)}; random effects have none but of "
            "entities, so that a difference would be due to any. Fit fe with effects='entity'."
        )
    one, other = fe.model.y, re.model.y
    _check_outcome(one.index.equals(other.index) and np.allclose(one, other, rtol=_SAME, atol=0))
    periods = np.unique(other.index.codes[1], return_inverse=True)[1]
    _check_nested(fe, re, np.column_stack([np.ones(len(other)), re.model.x]), periods)
    for name in fe.params.index:
        if not np.allclose(fe.model.x[name], re.model.x[name], rtol=_SAME, atol=0):
            raise OptionError(f"{name!r} has other values in fe than in re. Fit both to one frame.")
