"""The effect of a policy that entities adopt at different times, by estimators made for that.

Two-way fixed effects compare those treated late with those treated early, whose effects may still
change (Goodman-Bacon 2021). Each method here compares the treated with entities that are not
treated at that time, and averages afterwards.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import pandas as pd

from nqp_spatial.did.sample import Adoption
from nqp_spatial.did.staggered_results import Multipliers, StaggeredResults
from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_formula
from nqp_spatial.panel.sample import Sample
from nqp_spatial.shared.options import (
    Between,
    Count,
    Seed,
    Unpack,
    check_option,
    check_options,
    shared_options,
)

CS, SA, STACKED = "callaway-santanna", "sun-abraham", "stacked"
IMPUTATION, TWO_STAGE = "imputation", "two-stage"
Method = Literal["callaway-santanna", "sun-abraham", "stacked", "imputation", "two-stage"]
Control = Literal["never", "not-yet", "last"]
Periods = Annotated[int, Between(0)]

_FILES = {
    CS: "nqp_spatial.did.callaway_santanna",
    SA: "nqp_spatial.did.sun_abraham",
    STACKED: "nqp_spatial.did.stacked",
    IMPUTATION: "nqp_spatial.did.imputation",
    TWO_STAGE: "nqp_spatial.did.imputation",
}  # each with a function ``estimate(model, cov, bands)``
_BELONGS: Mapping[str, Mapping[str, tuple[str, ...] | None]] = {
    "control": {CS: ("never", "not-yet"), SA: ("never", "last"), STACKED: ("never", "not-yet")},
    "est_method": {CS: None},
    "anticipation": dict.fromkeys((CS, SA, STACKED, IMPUTATION, TWO_STAGE)),
    "base_period": {CS: None},
    "unbalanced": {CS: None},
    "balance": {CS: None},
    "shares": {SA: None},
    "window": {STACKED: None},
    "stack_weights": {STACKED: None},
    "graph": {IMPUTATION: None, TWO_STAGE: None},
    "exposure": {IMPUTATION: None, TWO_STAGE: None},
    "other_effects": {IMPUTATION: None, TWO_STAGE: None},
    "leads": {IMPUTATION: None, TWO_STAGE: None},
    "alike": {IMPUTATION: None},
    "leave_one_out": {IMPUTATION: None},
}  # options by the methods that have them, with the values that these allow
_BY_DATA = ("window", "graph", "exposure", "other_effects")  # not checked without data


class Staggered(Described):
    """Effects of a policy adopted at different times, where they may differ between adopters.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time).
    treatment : Series
        0 before and 1 from the first treated period on, same index.
    x : DataFrame, optional
        Controls. With "callaway-santanna" covariates of the parallel trends, of the earlier of the
        two periods compared; in the others regressors.
    method : {"callaway-santanna", "sun-abraham", "stacked", "imputation", "two-stage"}
        Effects of each cohort in each period by two groups before and after [1]_; a regression with
        an effect for each cohort and event time [2]_; one regression of all cohorts' own panels,
        each with clean controls, stacked [3]_; untreated outcomes imputed from a regression on
        cells that are not treated, with conservative errors [5]_, or with those of a second
        regression on what is left [6]_.
    control : {"never", "not-yet", "last"}
        Who the treated are compared with: entities that are never treated; those and the ones that
        are treated later ("callaway-santanna", "stacked"); the cohort treated last, before it is
        ("sun-abraham"). Where nobody is never treated, "not-yet" has the last cohort as a control.
    est_method : {"dr", "reg", "ipw"}
        Of "callaway-santanna" with covariates: doubly robust, regression of the outcome, weighting
        by the odds of the treatment.
    anticipation : int
        Periods before the policy in which it may have effects already; the base is before them.
    base_period : {"varying", "universal"}
        Of "callaway-santanna": before the policy, changes from the period just before, or from the
        base of the effects.
    unbalanced : {"drop", "cross-sections"}
        Of "callaway-santanna": entities that lack periods are left out; or rows before and after
        count as cross-sections, in which entities need not be the same.
    balance : int, optional
        Of "callaway-santanna": effects by event time up to this one, of the cohorts alone that are
        observed so long after their policy, so that all event times after it are of the same.
    shares : {"known", "estimated"}
        Of "sun-abraham": whether standard errors take the shares of cohorts as given (as fixest
        does) or as estimates of shares in a population (as eventstudyinteract does).
    window : (int, int), optional
        Of "stacked": first and last event time, such as (-4, 5); a cohort that has not all of them
        is left out. By default the widest that all cohorts have.
    stack_weights : {"none", "corrective"}
        Of "stacked": all rows count alike [3]_, or controls so that each cohort's weigh as its
        treated do [4]_.
    graph : Graph, optional
        Of "imputation" and "two-stage", as the three that follow: entities with treated neighbours
        are exposed to spillovers, and only cells neither treated nor exposed impute others [7]_.
        Results have effects on the exposed beside those on the treated.
    exposure : DataFrame or Series of 0 and 1, or float, optional
        Who is exposed, a column for each ring, such as `exposed_in_rings` makes it. Or, with
        ``graph``, the weight of treated neighbours above which an entity is exposed (default 0),
        which a dense graph needs; several are rings.
    other_effects : Series or DataFrame, optional
        Further categories of the regression on clean cells, such as province by year.
    leads : int, optional
        Periods before the policy, and before exposure, that are tested, as far as there are
        earlier ones to compare with. By default at most five, and with "imputation" no more than
        leave half of the entities an earlier period.
    alike : {"cohort-event", "event", "cohort", "all"}
        Of "imputation": effects taken as alike, about whose mean the variance is found. The more
        are, the larger and safer it is; cohorts of one entity need "event" or "all".
    leave_one_out : bool
        Of "imputation": leave an entity out of the mean that its effect is compared with, which
        corrects the variance where cohorts are small.

    Raises
    ------
    TreatmentError
        The treatment is not 0/1 or switches off; nobody is never treated, or nobody has periods
        before the policy, where the method needs them.
    OptionError
        An unknown option, or one of another method.

    References
    ----------
    .. [1] Callaway, B. and Sant'Anna, P. H. C. (2021). Difference-in-differences with multiple
       time periods. Journal of Econometrics 225, 200-230.
    .. [2] Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies
       with heterogeneous treatment effects. Journal of Econometrics 225, 175-199.
    .. [3] Cengiz, D., Dube, A., Lindner, A. and Zipperer, B. (2019). The effect of minimum wages
       on low-wage jobs. Quarterly Journal of Economics 134, 1405-1454.
    .. [4] Wing, C., Freedman, S. M. and Hollingsworth, A. (2024). Stacked
       difference-in-differences. NBER Working Paper 32054.
    .. [5] Borusyak, K., Jaravel, X. and Spiess, J. (2024). Revisiting event-study designs: robust
       and efficient estimation. Review of Economic Studies 91, 3253-3285.
    .. [6] Gardner, J. (2022). Two-stage differences in differences. arXiv:2207.05943.
    .. [7] Butts, K. (2023). Difference-in-differences estimation with spatial spillovers.
       arXiv:2105.03737.
    """

    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        x: pd.DataFrame | None = None,
        *,
        method: Method = "callaway-santanna",
        control: Control = "never",
        est_method: Literal["dr", "reg", "ipw"] = "dr",
        anticipation: Periods = 0,
        base_period: Literal["varying", "universal"] = "varying",
        unbalanced: Literal["drop", "cross-sections"] = "drop",
        balance: Periods | None = None,
        shares: Literal["known", "estimated"] = "known",
        window: tuple[int, int] | None = None,
        stack_weights: Literal["none", "corrective"] = "none",
        graph: Any = None,
        exposure: pd.DataFrame | pd.Series | float | Sequence[float] | None = None,
        other_effects: pd.Series | pd.DataFrame | None = None,
        leads: Annotated[int, Between(0)] | None = None,
        alike: Literal["cohort-event", "event", "cohort", "all"] = "cohort-event",
        leave_one_out: bool = False,
    ) -> None:
        given: dict[str, Any] = {
            "control": control,
            "est_method": est_method,
            "anticipation": anticipation,
            "base_period": base_period,
            "unbalanced": unbalanced,
            "balance": balance,
            "shares": shares,
            "window": window,
            "stack_weights": stack_weights,
            "graph": graph,
            "exposure": exposure,
            "other_effects": other_effects,
            "leads": leads,
            "alike": alike,
            "leave_one_out": leave_one_out,
        }
        plain = {name: value for name, value in given.items() if name not in _BY_DATA}
        check_options(Staggered, method=method, **plain)
        _check_belongs(method, given)
        self.method = method
        self.options: Mapping[str, Any] = given
        self.sample = Sample.of(
            y=y,
            treatment=treatment,
            x=x,
            may_be_constant=["treatment"],
            advice="The treatment is in the model without being in x. Leave it out of x.",
        )
        self.adoption = Adoption.of(self.sample)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, treatment: str | None = None, **options: Any
    ) -> Self:
        """The model of ``"y ~ did + x1 + x2"``; the first regressor is the treatment by default."""
        y, x = split_formula(formula, data)
        name = str(x.columns[0]) if treatment is None else treatment
        check_option("treatment", name, x.columns)
        rest = x.drop(columns=name)
        return cls(y, x[name], rest if len(rest.columns) else None, **options)

    @shared_options(Covariance, cov_type="clustered")
    def fit(
        self,
        *,
        draws: Count = 999,
        seed: Seed = 0,
        multipliers: Multipliers = "mammen",
        **cov: Unpack[Covariance],
    ) -> StaggeredResults:
        """Estimate.

        Parameters
        ----------
        draws : int
            Of the multipliers, for bands that hold for all rows at once.
        seed : int
            Of these draws.
        multipliers : {"mammen", "rademacher", "normal"}
            Two points with third moment one, plus and minus one, or normal ones.

        Returns
        -------
        StaggeredResults

        Raises
        ------
        OptionError
            For options that are unknown or do not belong together.
        TreatmentError, EstimationError
            The method does not find what it needs in these data.
        """
        check_options(Staggered.fit, draws=draws, seed=seed, multipliers=multipliers)
        bands: dict[str, Any] = {"draws": draws, "seed": seed, "multipliers": multipliers}
        estimate = importlib.import_module(_FILES[self.method]).estimate
        found: StaggeredResults = estimate(self, CovarianceOptions(cov), bands)
        return found


def _check_belongs(method: str, given: Mapping[str, Any]) -> None:
    """Raise where an option is another method's, or has a value that this method has not."""
    defaults = inspect.signature(Staggered).parameters
    for name, owners in _BELONGS.items():
        value, default = given[name], defaults[name].default
        if method not in owners:
            if value is not None if default is None else value != default:
                listed = " or ".join(f'"{owner}"' for owner in owners)
                raise OptionError(
                    f"{name}= belongs to method={listed}. Leave one of them out.", option=name
                )
        elif (allowed := owners[method]) is not None and value not in allowed:
            listed = " or ".join(map(repr, allowed))
            raise OptionError(
                f"{name}={value!r} is not for method={method!r}. Use {listed}.", option=name
            )
