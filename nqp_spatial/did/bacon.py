"""What a two-way fixed-effects coefficient of a staggered policy compares with what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.did import bacon as _arrays
from nqp_spatial.did.sample import Adoption
from nqp_spatial.exceptions import (
    CollinearityError,
    EstimationError,
    TreatmentError,
    UnbalancedPanelError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.messages import first

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

NEVER_TREATED = "never"  # in the column ``control``
WITHIN = "Within"
UNTREATED = "Treated vs Untreated"
EARLIER = "Earlier vs Later Treated"
LATER = "Later vs Earlier Treated"
ALWAYS = "Later vs Always Treated"
BOTH = "Both Treated"
_KINDS = (UNTREATED, EARLIER, LATER, ALWAYS, BOTH, WITHIN)
FORBIDDEN = (LATER, ALWAYS)


@dataclass(frozen=True, eq=False, repr=False)
class BaconDecomposition(Calculation):
    """Two-by-twos of pairs of cohorts, whose weighted mean is the coefficient.

    Attributes
    ----------
    pairs : DataFrame
        ``kind``, ``treated`` and ``control`` (first treated periods; "never"), ``estimate``,
        ``weight``. Weights sum to one, with that of the part within cohorts.
    within : Series or None
        ``estimate`` and ``weight`` of that part, which is there with regressors only.
    estimate : float
        The coefficient of two-way fixed effects.
    treatment : str
    notes : tuple of str
        What the data say that readers must be told, and the share of forbidden comparisons.
    """

    what = "Goodman-Bacon decomposition"
    citation = (
        "Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. "
        "Journal of Econometrics 225, 254-277."
    )

    pairs: pd.DataFrame
    within: pd.Series | None
    estimate: float
    treatment: str
    notes: tuple[str, ...] = ()

    @property
    def by_kind(self) -> pd.DataFrame:
        """Sums of weights and weighted means of estimates; index kind, columns weight, estimate."""
        products = (self.pairs["estimate"] * self.pairs["weight"]).groupby(self.pairs["kind"])
        weight = self.pairs.groupby("kind")["weight"].sum()
        found = pd.DataFrame({"weight": weight, "estimate": products.sum() / weight})
        if self.within is not None:
            found.loc[WITHIN] = self.within[["weight", "estimate"]]
        return found.reindex([k for k in _KINDS if k in found.index]).rename_axis("kind")

    @property
    def forbidden(self) -> float:
        """Weight of comparisons whose controls are treated already.

        With regressors pairs of treated cohorts are not told apart, and only those with the always
        treated are counted.
        """
        kinds = self.by_kind["weight"]
        return float(kinds[[kind for kind in FORBIDDEN if kind in kinds]].sum())

    @property
    def facts(self) -> Mapping[str, float]:
        """The coefficient, and the share of forbidden comparisons."""
        return {"estimate": self.estimate, "forbidden": self.forbidden}

    def to_frame(self) -> pd.DataFrame:
        """The pairs, by treated and control."""
        return self.pairs.set_index(["kind", "treated", "control"])

    @property
    def frames(self) -> Mapping[str, Frame]:
        """By kind, and the pairs."""
        return self._titled({"bacon-kinds": self.by_kind, "bacon": self.pairs})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Estimates of the pairs over their weights."""
        return Named({"bacon": self._drawn})

    def _drawn(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.bacon import pairs

        return pairs(self.pairs, self.estimate, ax=ax, notes=self.notes, lang=lang)


def bacon(y: pd.Series, treatment: pd.Series, x: pd.DataFrame | None = None) -> BaconDecomposition:
    r"""Goodman-Bacon decomposition of the two-way fixed-effects coefficient of a policy [1]_.

    The coefficient is a weighted mean of differences in differences between pairs of cohorts, each
    over the periods in which one of both changes. Some have controls that are treated already
    ("Later vs Earlier Treated", "Later vs Always Treated"): where their effects still change, that
    change is taken off the effect.

    Parameters
    ----------
    y : Series
        Outcome, indexed by (entity, time); the panel is balanced.
    treatment : Series
        0 before and 1 from the first treated period on, same index.
    x : DataFrame, optional
        Regressors. The treatment is then what they leave of it, which varies within cohorts too:
        that part is "Within", and pairs of treated cohorts are one part each, "Both Treated" with
        the earlier cohort as the treated one.

    Returns
    -------
    BaconDecomposition

    Raises
    ------
    UnbalancedPanelError
        An entity lacks a period.
    TreatmentError
        The treatment is not 0/1, or switches off; all entities are treated from the same period.
    CollinearityError, ConstantColumnError
        As `FixedEffects`.

    References
    ----------
    .. [1] Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing.
       Journal of Econometrics 225, 254-277.
    """
    sample = Sample.of(
        y=y,
        treatment=treatment,
        x=x,
        may_be_constant=["treatment"],
        advice="The treatment is in the regression without being in x. Leave it out of x.",
    )
    keys = sample.keys
    if not keys.balanced:
        absent = keys.absent
        raise UnbalancedPanelError(
            f"{len(absent)} (entity, time) pairs are missing, first {first(absent, 3)}. The "
            "decomposition is of balanced panels. Drop those entities with "
            "PanelData.drop_incomplete(), or use did.twfe_weights, which takes absent rows."
        )
    adoption = Adoption.of(sample)
    Y = sample.array("y").reshape(keys.shape)
    d = left_of(sample).reshape(keys.shape) if "x" in sample else None
    found = _arrays.decompose(Y - Y.mean(), adoption.cohort, d)
    if not found.pairs:
        raise TreatmentError(
            f"All treated entities are so from {first(adoption.cohorts.index)}, and nobody is "
            "treated later or never: there is no pair of cohorts to compare."
        )
    rows = [_row(pair, keys) for pair in found.pairs]
    pairs = pd.DataFrame(rows, columns=["kind", "treated", "control", "estimate", "weight"])
    within = None
    if found.within is not None:
        within = pd.Series({"estimate": found.within[0], "weight": found.within[1]}, name=WITHIN)
    result = BaconDecomposition(pairs, within, found.estimate, adoption.name)
    told = note("staggered.forbidden", share=100 * result.forbidden)
    if within is not None:
        told = note("staggered.within", share=100 * found.within[1])  # type: ignore[index]
    return BaconDecomposition(pairs, within, found.estimate, adoption.name, (*sample.notes, told))


def left_of(sample: Sample) -> Array:
    """What two-way effects and x leave of the treatment, shape (nobs,).

    Raises
    ------
    CollinearityError
        Nothing is left.
    """
    d = sample.series("treatment")
    absorbed = Absorbed.of(sample.keys, "twoway", None, None)
    if "x" not in sample:
        left = absorbed.remove(d.to_frame())[:, 0]
    else:
        try:
            left = FixedEffects(d, sample.frame("x")).fit(cov_type="unadjusted").resids.to_numpy()
        except EstimationError:
            left = np.zeros(sample.nobs)
    if np.linalg.norm(left) <= 1e-9 * np.linalg.norm(d):
        raise CollinearityError(f"Effects and x leave nothing of {d.name!r}. Leave some out.")
    return np.asarray(left)


def _row(pair: _arrays.Pair, keys: Keys) -> tuple[object, ...]:
    """Kind and labels of a pair."""
    treated, control = pair.treated, pair.control
    if treated is None:
        treated, control = pair.early, pair.late
        if treated == 0:  # always treated
            treated, control = control, treated
        if treated == _arrays.NEVER:
            treated, control = control, treated
    if control == _arrays.NEVER:
        kind = UNTREATED
    elif control == 0:
        kind = ALWAYS
    elif pair.treated is None:
        kind = BOTH
    else:
        kind = EARLIER if treated < control else LATER
    names = [NEVER_TREATED if c == _arrays.NEVER else keys.periods[c] for c in (treated, control)]
    return kind, *names, pair.estimate, pair.weight
