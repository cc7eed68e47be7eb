"""Weights that a two-way fixed-effects coefficient gives to the effects of treated cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.did.bacon import left_of
from nqp_spatial.did.staggered_results import COHORT, EVENT_TIME
from nqp_spatial.exceptions import TreatmentError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.messages import first

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_ZERO = 1e-10  # what the authors' programs take as no weight


@dataclass(frozen=True, eq=False, repr=False)
class TwfeWeights(Calculation):
    """Weights of the effects of treated cells, which sum to one.

    Attributes
    ----------
    weights : Series, index (entity, time)
        Of treated rows: the coefficient is the sum of weights times effects, if trends are
        parallel.
    cells : DataFrame, index (cohort, time)
        ``event_time``, ``weight`` (a sum over entities), ``n_treated``, ``negative`` (entities
        whose weight is below zero). Cohorts are first treated periods.
    estimate : float
        The coefficient.
    n_positive, n_negative : int
        Rows.
    sum_positive, sum_negative : float
    sigma : float
        The smallest standard deviation of effects with which the mean effect on the treated may be
        zero (de Chaisemartin and D'Haultfoeuille 2020, corollary 1).
    sigma_opposite : float
        The same with which all effects may have the sign opposite to the coefficient's; NaN where
        no weight is negative.
    treatment : str
    notes : tuple of str
        What the data say that readers must be told, and the weight below zero.
    """

    what = "Weights of two-way fixed effects"
    citation = (
        "de Chaisemartin, C. and D'Haultfoeuille, X. (2020). Two-way fixed effects estimators with "
        "heterogeneous treatment effects. American Economic Review 110, 2964-2996."
    )

    weights: pd.Series
    cells: pd.DataFrame
    estimate: float
    n_positive: int
    n_negative: int
    sum_positive: float
    sum_negative: float
    sigma: float
    sigma_opposite: float
    treatment: str
    notes: tuple[str, ...] = ()

    @property
    def facts(self) -> Mapping[str, float]:
        """Numbers of weights, their sums and both measures of sensitivity."""
        names = ("estimate", "n_positive", "n_negative", "sum_positive", "sum_negative", "sigma")
        return {name: float(getattr(self, name)) for name in (*names, "sigma_opposite")}

    def to_frame(self) -> pd.DataFrame:
        """Weights by cohort and period."""
        return self.cells

    @property
    def frames(self) -> Mapping[str, Frame]:
        """What they come to, and weights by cohort and period."""
        facts = pd.DataFrame([dict(self.facts)], index=pd.Index([self.treatment], name="variable"))
        return self._titled({"twfe-weights": facts, "twfe-weights-cells": self.cells})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Weights over event time."""
        return Named({"weights": self._drawn})

    def _drawn(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.bacon import weights

        return weights(self.cells, ax=ax, notes=self.notes, lang=lang)


def twfe_weights(y: pd.Series, treatment: pd.Series, x: pd.DataFrame | None = None) -> TwfeWeights:
    r"""Weights of effects in the two-way fixed-effects coefficient of a treatment [1]_.

    With :math:`\varepsilon_{it}` what two-way effects and x leave of the treatment D, the
    coefficient has the expectation :math:`\sum w_{it} \Delta_{it}`, a sum over treated rows with
    :math:`w_{it} = \varepsilon_{it} D_{it} / \sum \varepsilon_{it} D_{it}`. Weights may be
    negative: those of entities treated early are in late periods.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    treatment : Series
        Zero where there is none. It may end again, and be a dose: effects are then per unit of it.
    x : DataFrame, optional
        Regressors.

    Returns
    -------
    TwfeWeights
        Measures as the authors' twowayfeweights (type feTR) has them, whose standard deviation of
        the weights has the divisor of treated rows less one.

    Raises
    ------
    TreatmentError
        The treatment is zero everywhere.
    CollinearityError, ConstantColumnError
        As `FixedEffects`.

    References
    ----------
    .. [1] de Chaisemartin, C. and D'Haultfoeuille, X. (2020). Two-way fixed effects estimators with
       heterogeneous treatment effects. American Economic Review 110, 2964-2996.
    """
    sample = Sample.of(
        y=y,
        treatment=treatment,
        x=x,
        may_be_constant=["treatment"],
        advice="The treatment is in the regression without being in x. Leave it out of x.",
    )
    keys, (name,) = sample.keys, sample.roles["treatment"]
    D = sample.array("treatment")[:, 0]
    if not D.any() or np.ptp(D) == 0:
        raise TreatmentError(
            f"The treatment {name!r} is {first([D[0]])} in every row, so that there is nothing to "
            "compare."
        )
    left = left_of(sample)
    outcome = sample.array("y")[:, 0]
    estimate = float(left @ (outcome - outcome.mean()) / (left @ left))
    rows = D != 0
    weight = (left * D)[rows] / (left @ D)
    weight = np.where(np.abs(weight) < _ZERO, 0.0, weight)
    share = D[rows] / D.sum()
    sigma, opposite = _sensitivity(estimate, left[rows] * D.sum() / (left @ D), share)
    negative = float(weight[weight < 0].sum())
    told = note("staggered.negative", n=int((weight < 0).sum()), all=len(weight),
                total=negative)  # fmt: skip
    return TwfeWeights(
        weights=pd.Series(weight, keys.index[rows], name="weight"),
        cells=_cells(sample, rows, weight),
        estimate=estimate,
        n_positive=int((weight > 0).sum()),
        n_negative=int((weight < 0).sum()),
        sum_positive=float(weight[weight > 0].sum()),
        sum_negative=negative,
        sigma=sigma,
        sigma_opposite=opposite,
        treatment=name,
        notes=(*sample.notes, told),
    )


def _sensitivity(estimate: float, W: Array, share: Array) -> tuple[float, float]:
    """Both measures, of weights W in units of each row's share of the treatment."""
    m = len(W)
    spread = np.sqrt((share * (W - share @ W) ** 2).sum() * m / (m - 1)) if m > 1 else 0.0
    sigma = abs(estimate) / spread if spread > 0 else np.inf
    if not (W * share < -_ZERO).any():
        return float(sigma), np.nan
    kept = np.abs(W * share) >= _ZERO
    order = np.argsort(-W[kept], kind="stable")
    W, p = W[kept][order], share[kept][order]
    P, S, T = (np.cumsum(v[::-1])[::-1] for v in (p, p * W, p * W**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        below = W < -S / (1 - P)
        below[0] = False
        at = int(np.argmax(below))
        opposite = abs(estimate) / np.sqrt(T[at] + S[at] ** 2 / (1 - P[at]))
    return float(sigma), float(opposite) if below.any() else np.nan


def _cells(sample: Sample, rows: npt.NDArray[np.bool_], weight: Array) -> pd.DataFrame:
    """Sums of weights by cohort and period."""
    keys = sample.keys
    start = np.full(len(keys.entities), len(keys.periods))
    np.minimum.at(start, keys.entity[rows], keys.period[rows])
    cohort, period = start[keys.entity[rows]], keys.period[rows]
    position = keys.clock.position
    frame = pd.DataFrame(
        {
            COHORT: cohort,
            "period": period,
            EVENT_TIME: position[period] - position[cohort],
            "weight": weight,
            "n_treated": 1,
            "negative": weight < 0,
        }
    )
    by = [COHORT, "period"]
    found = frame.groupby(by).agg(
        {EVENT_TIME: "first", "weight": "sum", "n_treated": "sum", "negative": "sum"}
    )
    time = str(keys.index.names[1] or "time")
    labels = [keys.periods[found.index.get_level_values(i)] for i in (0, 1)]
    return found.set_axis(pd.MultiIndex.from_arrays(labels, names=[COHORT, time]))
