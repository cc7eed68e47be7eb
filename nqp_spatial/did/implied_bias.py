"""What spillovers do to the ordinary difference-in-differences: the bias that they imply.

An ordinary regression compares the treated with the untreated, who receive spillovers too. If the
outcome of entity i in t has received r_it from the policies of all others, the coefficient of D
contains that of the regression of r on D, with the same effects, controls and rows (Butts 2023;
omitted-variable algebra). With two groups, two periods and no controls it is the difference in
differences of what is received.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from nqp_spatial.did.model import SpatialDiD
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note, words
from nqp_spatial.models import (
    FixedEffects,
    FixedEffectsResults,
    SpatialIVResults,
    SpatialResults,
)
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.sample import REGRESSORS
from nqp_spatial.results import Calculation, Frame, Named, TestResult, Tests, wald
from nqp_spatial.shared.options import Level, Unpack, check_level, check_option, shared_options
from nqp_spatial.shared.text import format_frame
from nqp_spatial.weights import as_graph, row_normalised

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

SPILLOVERS = (
    "Butts, K. (2023). Difference-in-differences estimation with spatial spillovers. "
    "arXiv:2105.03737."
)


@dataclass(frozen=True, eq=False, repr=False)
class ImpliedBias(Calculation):
    """The coefficient of the ordinary regression, taken apart by a spatial model.

    Attributes
    ----------
    variable : str
        The policy.
    table : DataFrame, index part
        ``own``: the coefficient of the policy in the ordinary regression of its own effects;
        ``bias``: that of the effects received from others; ``implied``: their sum, which the
        spatial model expects the ordinary regression to find; ``ordinary``: what that finds.
        Columns estimate, std_error, pvalue, lower, upper. Errors of the first three are by the
        delta method, given the policy and the controls.
    found : mapping of str to TestResult
        "bias": that there is none. Empty where the model has none by construction.
    notes : tuple of str
    """

    what: ClassVar[str] = "Bias implied by spillovers"
    citation: ClassVar[str] = SPILLOVERS

    variable: str
    table: pd.DataFrame
    found: Mapping[str, TestResult]
    notes: tuple[str, ...] = ()

    @property
    def estimate(self) -> float:
        """The bias, in units of the outcome."""
        return float(self.table.loc["bias", "estimate"])

    @property
    def std_error(self) -> float:
        """Its standard error."""
        return float(self.table.loc["bias", "std_error"])

    def to_frame(self) -> pd.DataFrame:
        """Own, bias, implied, ordinary."""
        return self.table

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Whether there is a bias."""
        return Tests(self.found)

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The parts."""
        return self._titled({"implied-bias": self.table})

    @property
    def facts(self) -> Mapping[str, float]:
        """Estimates, and the bias as a share of the ordinary coefficient."""
        found = {str(name): float(value) for name, value in self.table["estimate"].items()}
        return found | {"share": found["bias"] / found["ordinary"]}

    @property
    def headline(self) -> str:
        """Of what."""
        return f"{self.what}: {self.variable}"

    def _told(self) -> str:
        return format_frame(self.table)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The parts with their intervals."""
        return Named({"parts": self._forest})

    def _forest(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.forest import forest

        names = words("rows-implied-bias-part", lang)
        frame = self.table.rename(index=names)
        figure = forest(frame, variable=self.variable, ax=ax, notes=self.notes, lang=lang)
        return figure.axes[0] if ax is None else ax


@shared_options(Covariance, cov_type="clustered")
def implied_bias(
    res: SpatialResults | FixedEffectsResults,
    *,
    treatment: str | None = None,
    graph: Any = None,
    level: Level = 0.95,
    **cov: Unpack[Covariance],
) -> ImpliedBias:
    """The bias of the ordinary difference-in-differences that estimated spillovers imply.

    Parameters
    ----------
    res : result of SpatialDiD or another static spatial model with fixed effects or none
        Or of `FixedEffects`, with ``graph``: `SpatialDiD` is fitted to the same columns.
    treatment : str, optional
        The policy; by default that of the result, else its first regressor.
    graph : Graph, optional
        For a result of `FixedEffects`.
    level : float
        Of the intervals.

    Returns
    -------
    ImpliedBias
        The covariance asked for is that of the ordinary regression.

    Raises
    ------
    OptionError
        Of dynamic models, random effects and instrumented policies, whose ordinary counterpart is
        another; a result without W and no ``graph``.
    UnstableModelError
        If rho was estimated at its bound.

    References
    ----------
    .. [1] Butts, K. (2023). Difference-in-differences estimation with spatial spillovers.
       arXiv:2105.03737.

    Examples
    --------
    >>> found = nqp.did.implied_bias(nqp.SpatialDiD(y, did, x, graph).fit())
    >>> found.estimate, found.std_error
    """
    check_level(level)
    res = as_spatial(res, treatment, graph)
    variable = res.focus if treatment is None else treatment
    _check(res, variable)
    design: Design = res.design
    effects = res.provenance["options"]["effects"]
    weights = coefficient_weights(design, variable, effects)
    found = res.policy_impact(variable).impact.weighted(sp.csr_array(weights[None, :]))
    error, response = found.std_error[:, 0], res.response
    rows = {
        part: _row(found.effect[i, 0], error[i], response, level)
        for i, part in enumerate(("own", "bias", "implied"))
    }
    outcome = design.series(design.y, "y").to_numpy()
    rows["ordinary"] = _ordinary(res, variable, float(weights @ outcome), effects, level, cov)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("part")
    tests = {}
    if error[1] > 0:
        null, variance = note("hypotheses.no_bias"), np.atleast_2d(error[1] ** 2)
        tests["bias"] = wald(found.effect[1], variance, null=null, df_resid=res.df_resid)
    return ImpliedBias(variable, table, tests, (*res.notes, _told(variable, table)))


def as_spatial(res: Any, treatment: str | None, graph: Any) -> SpatialResults:
    """The spatial result itself, or `SpatialDiD` on the columns of an ordinary one.

    Raises
    ------
    OptionError
        An ordinary result without ``graph``, or with effects that spatial models do not have.
    TreatmentError
        The treatment of an ordinary result is none that stays.
    """
    if isinstance(res, SpatialResults):
        return res
    if not isinstance(res, FixedEffectsResults):
        raise OptionError(
            f"res is a {type(res).__name__}. Give the result of SpatialDiD, or of FixedEffects "
            "with treatment= and graph=."
        )
    if graph is None:
        raise OptionError(
            "The result is of a regression without W, which knows no spillovers. Give graph= too.",
            option="graph",
        )
    model = res.model
    name = policy_of(model, treatment)
    absorbed = model.absorbed
    if absorbed.other_names:
        raise OptionError(
            f"The regression has effects by {', '.join(absorbed.other_names)}, and spatial models "
            "have those of entities and periods alone. Fit SpatialDiD yourself, and give its "
            "result."
        )
    x = model.x.drop(columns=name)
    plain = isinstance(graph, Mapping) or not model.sample.keys.balanced
    plain = plain or model.weights is not None
    adjusted = plain or (absorbed.effects in ("time", "twoway") and not _sums_to_one(graph))
    options: Any = {"correction": "adjusted-score"} if adjusted and absorbed.effects else {}
    options |= {"unbalanced": "renormalised"} if not model.sample.keys.balanced else {}
    options |= {} if model.weights is None else {"observation_weights": model.weights}
    specified = SpatialDiD(
        model.y,
        model.x[name],
        x if x.shape[1] else None,
        graph,
        effects=absorbed.effects,
        **options,
    )
    return specified.fit()


def policy_of(model: FixedEffects, treatment: str | None) -> str:
    """The name of the treatment among the regressors, by default the first."""
    names = list(model.x.columns)
    name = names[0] if treatment is None else treatment
    check_option("treatment", name, names)
    return name


def _sums_to_one(graph: Any) -> bool:
    return row_normalised(as_graph(graph), allow_islands=False)


def _check(res: SpatialResults, variable: str) -> None:
    """Raise where the ordinary counterpart is no regression with fixed effects."""
    res.response.position(variable)
    if res.response.is_dynamic:
        raise OptionError(
            "A dynamic model carries effects into later periods, which the ordinary "
            "difference-in-differences does not know. Give the result of SpatialDiD."
        )
    if res.provenance["options"]["effects"] == "random":
        raise OptionError(
            "The ordinary difference-in-differences has fixed effects, and this model random ones. "
            "Fit it with effects='twoway' or 'entity'."
        )
    if isinstance(res, SpatialIVResults) and variable in res.given_endogenous:
        raise OptionError(
            f"{variable!r} is instrumented, and least squares of it are biased for other reasons "
            "too. Give the result of SpatialDiD."
        )


def coefficient_weights(design: Design, variable: str, effects: str | None) -> Array:
    """Weights a of cells with which the coefficient of a regressor is a'y, in order of the index.

    By the regression on all regressors without their lags, the effects removed (Frisch, Waugh and
    Lovell).
    """
    k = len(design.x_names)
    Z = design.demean(design.x, effects).reshape(-1, k)
    if effects is None:
        constant = design.whiten(np.ones((*design.y.shape, 1))).reshape(-1, 1)
        Z = np.column_stack([Z, constant])
    size = np.linalg.norm(Z, axis=0)
    Q, R = np.linalg.qr(Z / size)
    unit = np.zeros(Z.shape[1])
    position = design.x_names.index(variable)
    unit[position] = 1 / size[position]
    weights = Q @ np.linalg.solve(R.T, unit)
    return design.series(design.whiten(weights.reshape(design.y.shape)), "weight").to_numpy()


def _row(estimate: float, error: float, response: Any, level: float) -> dict[str, float]:
    width = response.critical(level) * error
    return {
        "estimate": float(estimate),
        "std_error": float(error),
        "pvalue": float(response.pvalue(estimate / error)) if error > 0 else np.nan,
        "lower": float(estimate - width),
        "upper": float(estimate + width),
    }


def _ordinary(
    res: SpatialResults,
    variable: str,
    estimate: float,
    effects: Any,
    level: float,
    cov: Covariance,
) -> dict[str, float]:
    """The ordinary regression, with the weights of rows that the spatial one has."""
    sample, weights = res.model.sample, getattr(res.model, "observation_weights", None)
    model = FixedEffects(
        sample.series(), sample.frame(*REGRESSORS), effects=effects, weights=weights
    )
    fit = model.fit(**cov)
    columns = ["estimate", "std_error", "pvalue", "lower", "upper"]
    return {name: float(fit.to_frame(level).loc[variable, name]) for name in columns}


def _told(variable: str, table: pd.DataFrame) -> str:
    """The bias in words, beside the coefficient."""
    bias, ordinary = table.loc["bias"], table.loc["ordinary", "estimate"]
    return note(
        "implied_bias.told",
        variable=variable,
        ordinary=f"{ordinary:.4g}",
        bias=f"{bias['estimate']:.4g}",
        error=f"{bias['std_error']:.4g}",
        share=f"{100 * bias['estimate'] / ordinary:.1f}",
    )
