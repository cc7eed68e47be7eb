"""What matching found: weights, how alike the groups are, effects on the treated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.did import matching as core
from nqp_spatial.core.linear.collinear import dependent
from nqp_spatial.exceptions import DataError, IdMismatchError, OptionError
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Between, Level, check_level, check_options, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

EXTREME = 1e-8  # of zero and one, nearer to which a score is doubtful


def doubtful(found: core.Binary, used: Mask) -> bool:
    """Whether the likelihood may have no maximum."""
    p = found.score[used]
    return not found.converged or bool(np.minimum(p, 1 - p).min() < EXTREME)


@dataclass(frozen=True, eq=False, repr=False)
class MatchResult(Calculation):
    """Weights of a matched sample, and how alike it is.

    Labels are those of ``treated``, in the order in which they came.

    Attributes
    ----------
    treated : Series of bool
    x : DataFrame
        What was to be alike.
    weights : Series
        One for each treated unit that has a match; for an untreated one the sum of its shares in
        what treated units are compared with (psmatch2's ``_weight``); zero for all others.
    score : Series
        Estimated probability of treatment; missing where a column of x tells treated
        from untreated and the method needs no score.
    support : Series of bool
        False for treated units without a match, and for units outside the scores of the other group
        where that was asked for.
    """

    what = "Matching"
    citation = (
        "Rosenbaum, P. R. and Rubin, D. B. (1983). Biometrika 70, 41-55.\n"
        "Leuven, E. and Sianesi, B. (2003). PSMATCH2. Statistical Software Components S432001 "
        "(conventions).\n"
        "Hainmueller, J. (2012). Political Analysis 20, 25-46 (entropy balancing).\n"
        "Abadie, A. and Imbens, G. W. (2006). Econometrica 74, 235-267 (standard errors)."
    )

    treated: pd.Series
    x: pd.DataFrame
    weights: pd.Series
    score: pd.Series
    support: pd.Series
    notes: tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    shares: sp.csr_array | None = None  # (n, n): of a column in what a row is compared with
    groups: tuple[tuple[object, Codes], ...] = ()  # rows that were matched among themselves
    places: Array | None = None  # in which distances are measured

    # ---------------------------------------------------------------- who and how alike

    @property
    def matched(self) -> pd.Series:
        """Whether a unit is in the matched sample."""
        return (self.weights > 0).rename("matched")

    @property
    def pairs(self) -> pd.DataFrame:
        """Treated units with those that they are compared with: distance and share.

        Columns treated, control, distance (of scores, or Mahalanobis'), weight; several rows of a
        treated unit sum to one.

        Raises
        ------
        OptionError
            Kernels and entropy balancing compare with all, and have no pairs.
        """
        if self.shares is None or self.places is None:
            raise OptionError(
                f"method={self.asked['method']!r} compares with a weighted mean of all untreated "
                "units and has no pairs. Look at weights, or match by 'nearest' or 'radius'."
            )
        found = self.shares.tocoo()
        rows, columns = (np.asarray(c, dtype=np.int64) for c in found.coords)
        order = np.lexsort((columns, rows))
        rows, columns = rows[order], columns[order]
        labels = self.treated.index
        return pd.DataFrame(
            {
                "treated": labels[rows],
                "control": labels[columns],
                "distance": core.distances(self.places, self.places, (rows, columns)),
                "weight": found.data[order],
            }
        )

    @cached_property
    def balance(self) -> pd.DataFrame:
        """Means and their differences before and after matching, as Stata's ``pstest, both``.

        Returns
        -------
        DataFrame, index (variable, sample)
            Sample is "before" or "after". mean_treated, mean_control; bias, the difference in per
            cent of the root of the mean of both variances before; reduction of its size in per
            cent; tstat and pvalue of equal means; variance_ratio of treated to untreated units
            (missing for columns of two values).
        """
        x, on = self.x.to_numpy(dtype=float), self.treated.to_numpy(dtype=bool)
        ones = np.ones(len(x))
        (m1, v1), (m0, v0) = (core.moments(x[g], ones[g]) for g in (on, ~on))
        unit = np.sqrt((v1 + v0) / 2)
        two = np.array([len(np.unique(column)) == 2 for column in x.T])
        rows, before = {}, np.zeros(len(unit))
        for sample, w in (("before", ones), ("after", self.weights.to_numpy())):
            (m1, v1), (m0, v0) = (core.moments(x[g], w[g]) for g in (on, ~on))
            bias = 100 * (m1 - m0) / unit
            t, df = core.t_of_difference(x, on, w)
            with np.errstate(invalid="ignore", divide="ignore"):
                less = 100 * (1 - np.abs(bias) / before)
                ratio = np.where(two, np.nan, v1 / v0)
            for j, name in enumerate(self.x.columns):
                rows[name, sample] = {
                    "mean_treated": m1[j],
                    "mean_control": m0[j],
                    "bias": bias[j],
                    "reduction": np.nan if sample == "before" else less[j],
                    "tstat": t[j],
                    "pvalue": 2 * stats.t(df).sf(abs(t[j])),
                    "variance_ratio": ratio[j],
                }
            before = np.abs(bias)
        wanted = [(name, sample) for name in self.x.columns for sample in ("before", "after")]
        frame = pd.DataFrame.from_dict(rows, orient="index").loc[wanted]
        frame.index = pd.MultiIndex.from_tuples(wanted, names=["variable", "sample"])
        return frame

    @cached_property
    def balance_tests(self) -> pd.DataFrame:
        """All columns together, before and after.

        Returns
        -------
        DataFrame, index sample
            pseudo_rsquared, lr_chi2 and pvalue of a probit of the treatment on all columns, fitted
            to each sample; mean_bias, median_bias of their absolute values; rubin_b, the
            standardised difference of the mean index of that probit in per cent (should be below
            25); rubin_r, the ratio of the variances of this index (from 0.5 to 2); n_treated,
            n_controls.
        """
        ones = np.ones(len(self.x))
        rows = np.arange(len(self.x))
        both = {"before": ones, "after": self.weights.to_numpy()}
        frame = pd.DataFrame({name: self._tested(w, rows) for name, w in both.items()}).T
        biases = self.balance["bias"].abs().groupby(level="sample")
        frame.insert(3, "mean_bias", biases.mean())
        frame.insert(4, "median_bias", biases.median())
        return frame.rename_axis("sample")

    def _tested(self, weights: Array, rows: Codes) -> dict[str, float]:
        """Of a probit on all columns, fitted to some rows with weights."""
        w, x = weights[rows], self.x.to_numpy(dtype=float)[rows]
        on = self.treated.to_numpy(dtype=bool)[rows]
        sizes = {"n_treated": int((w[on] > 0).sum()), "n_controls": int((w[~on] > 0).sum())}
        used = w > 0
        lost = {j for j, _ in dependent(x[used] - x[used].mean(axis=0))}
        lost |= set(np.flatnonzero(np.ptp(x[used], axis=0) == 0))
        kept = [j for j in range(x.shape[1]) if j not in lost]
        names = ("pseudo_rsquared", "lr_chi2", "pvalue", "rubin_b", "rubin_r")
        if not kept or min(sizes.values()) < 2:
            return {**dict.fromkeys(names, np.nan), **sizes}
        found = core.binary(on, x[:, kept], w, "probit")
        if doubtful(found, used) and core.separating(on[used], x[used][:, kept]) is not None:
            return {**dict.fromkeys(names, np.nan), **sizes}
        (m1, v1), (m0, v0) = (core.moments(found.index[g, None], w[g]) for g in (on, ~on))
        with np.errstate(invalid="ignore", divide="ignore"):
            b = 100 * abs(float(m1[0] - m0[0])) / np.sqrt(float(v1[0] + v0[0]) / 2)
            r = float(v1[0] / v0[0])
        pvalue = float(stats.chi2(len(kept)).sf(found.chi2))
        values = (found.pseudo_rsquared, found.chi2, pvalue, b, r)
        return {**dict(zip(names, values, strict=True)), **sizes}

    @cached_property
    def by_period(self) -> pd.DataFrame:
        """How each period that was matched by itself came out: units, probit before and after.

        Raises
        ------
        OptionError
            Without by="time" there is one group.
        """
        if self.asked["by"] is None:
            raise OptionError("All rows were matched together. balance_tests has them.")
        found, weights = {}, self.weights.to_numpy()
        for label, rows in self.groups:
            before = self._tested(np.ones(len(weights)), rows)
            after = self._tested(weights, rows)
            found[label] = {
                "n_treated": before["n_treated"],
                "n_matched": after["n_treated"],
                "n_controls": after["n_controls"],
                "pseudo_rsquared_before": before["pseudo_rsquared"],
                "pseudo_rsquared_after": after["pseudo_rsquared"],
                "rubin_b_before": before["rubin_b"],
                "rubin_b_after": after["rubin_b"],
            }
        return pd.DataFrame.from_dict(found, orient="index").rename_axis("period")

    # ---------------------------------------------------------------- what follows

    def att(
        self,
        outcome: pd.Series,
        *,
        std_error: Literal["simple", "abadie-imbens"] = "simple",
        neighbours: Annotated[int, Between(1)] = 1,
        level: Level = 0.95,
    ) -> pd.Series:
        """Average effect on the treated units that have a match.

        Parameters
        ----------
        outcome : Series
            On the labels of ``treated``; of a difference-in-differences the change of an outcome.
        std_error : {"simple", "abadie-imbens"}
            "simple", which psmatch2 prints: outcomes are independent with one variance in each
            group, weights are given. "abadie-imbens", of nearest neighbours with replacement:
            robust to unequal variances, of the effect in the population; the score counts as known.
        neighbours : int
            Of "abadie-imbens": units of the same group by which a variance is estimated.
        level : float
            Of the interval.

        Returns
        -------
        Series
            estimate, std_error, tstat, pvalue (normal), lower, upper, mean_treated, mean_control,
            n_treated, n_controls, difference (of all treated and untreated units).

        Raises
        ------
        OptionError
            "abadie-imbens" of another method.
        DataError
            By its own class: labels or cells of the outcome.
        """
        check_options(MatchResult.att, std_error=std_error)
        whole("neighbours", neighbours, 1)
        check_level(level)
        y = self._outcome(outcome)
        on, w = self.treated.to_numpy(dtype=bool), self.weights.to_numpy()
        one, other = on & (w > 0), ~on & (w > 0)
        means = [float(w[g] @ y[g] / w[g].sum()) for g in (one, other)]
        effect = means[0] - means[1]
        if std_error == "simple":
            variance = core.simple_variance(y, on, w)
        else:
            variance = self._abadie_imbens(y, effect, neighbours)
        error = float(np.sqrt(variance))
        width = float(stats.norm.ppf(0.5 + level / 2)) * error
        z = effect / error if error > 0 else np.nan
        return pd.Series(
            {
                "estimate": effect,
                "std_error": error,
                "tstat": z,
                "pvalue": 2 * float(stats.norm.sf(abs(z))),
                "lower": effect - width,
                "upper": effect + width,
                "mean_treated": means[0],
                "mean_control": means[1],
                "n_treated": float(one.sum()),
                "n_controls": float(other.sum()),
                "difference": float(y[on].mean() - y[~on].mean()),
            },
            name=str(outcome.name or "outcome"),
        )

    def _outcome(self, outcome: pd.Series) -> Array:
        if not isinstance(outcome, pd.Series):
            raise DataError(f"outcome is a {type(outcome).__name__}. Give one column.")
        index = self.treated.index
        if outcome.index.has_duplicates:
            twice = first(outcome.index[outcome.index.duplicated()], 3)
            raise DataError(f"outcome has {twice} more than once. Keep one row of each.")
        absent = index.difference(outcome.index)
        if len(absent):
            raise IdMismatchError(
                f"outcome lacks {len(absent)} of the units that were matched, first "
                f"{first(absent, 3)}. Give it for all labels of treated."
            )
        values = outcome.loc[index]
        checks.usable_column(values, str(outcome.name or "outcome"), may_be_constant=True)
        return values.to_numpy(dtype=float)

    def _abadie_imbens(self, y: Array, effect: float, neighbours: int) -> float:
        if self.asked["method"] != "nearest" or not self.asked["replace"]:
            raise OptionError(
                "std_error='abadie-imbens' is for method='nearest' with replace=True: what it "
                "knows is how often a unit is a match. Type std_error='simple'.",
                option="std_error",
            )
        assert self.shares is not None and self.places is not None
        on, variances = self.treated.to_numpy(dtype=bool), np.zeros(len(y))
        for label, rows in self.groups:
            controls = rows[~on[rows] & self.support.to_numpy()[rows]]
            if len(controls) <= neighbours:
                where = "" if label is None else f" of {first([label])}"
                raise OptionError(
                    f"neighbours={neighbours} is too many: there are {len(controls)} untreated "
                    f"units{where}, of which one is the unit itself.",
                    option="neighbours",
                )
            variances[controls] = core.conditional_variances(
                y[controls], self.places[controls], neighbours
            )
        matched = np.flatnonzero(on & self.support.to_numpy())
        own = self.shares[matched]
        return core.abadie_imbens_variance(y[matched] - own @ y, effect, own, variances)

    def panel_weights(self, index: pd.MultiIndex) -> pd.Series:
        """The weights on the rows of a panel, for ``weights=`` and ``observation_weights=``.

        Parameters
        ----------
        index : MultiIndex (entity, time)
            Units matched as a cross-section have their weight in every period; units matched by
            (entity, time) that of the row.

        Raises
        ------
        IdMismatchError
            A row has no weight because its unit was not there to be matched.
        """
        if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
            raise DataError("index is no (entity, time) MultiIndex. Give y.index of the panel.")
        known = self.weights
        labels = index if known.index.nlevels == 2 else index.get_level_values(0)
        at = known.index.get_indexer(labels)
        if (at < 0).any():
            raise IdMismatchError(
                f"{int((at < 0).sum())} rows of the panel have no weight, first "
                f"{first(index[at < 0], 3)}: they were not among the units that were matched. "
                "Leave them out, or match them too."
            )
        return pd.Series(known.to_numpy()[at], index, name="weights")

    # ---------------------------------------------------------------- the protocol

    def to_frame(self) -> pd.DataFrame:
        """How alike both groups are, column by column."""
        return self.balance

    @property
    def facts(self) -> Mapping[str, float]:
        """Units by what became of them."""
        on, w = self.treated.to_numpy(dtype=bool), self.weights.to_numpy() > 0
        return {
            "treated": int(on.sum()),
            "treated_matched": int((on & w).sum()),
            "controls": int((~on).sum()),
            "controls_used": int((~on & w).sum()),
        }

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Balance by column and of all, and by period where each was matched by itself."""
        tables = {"balance": self.balance, "balance-tests": self.balance_tests}
        if self.asked["by"] is not None:
            tables["matching-periods"] = self.by_period
        return self._titled(tables)

    @property
    def headline(self) -> str:
        """How many units were matched with how many."""
        facts = self.facts
        return (
            f"Matching: {facts['treated_matched']} of {facts['treated']} treated units with "
            f"{facts['controls_used']} of {facts['controls']} untreated ones"
        )

    def _told(self) -> str:
        tables = (one.frame.round(4).to_string() for one in self.frames.values())
        return "\n\n".join(["", *tables])

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The love plot; densities of the score before and after, where there is one."""
        known: dict[str, Callable[..., Axes]] = {"love": self._love}
        if self.score.notna().all():
            known["scores"] = self._scores
        return Named(known)

    def _love(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.matching import love

        return love(self.balance, ax=ax, notes=self.notes, lang=lang)

    def _scores(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.matching import scores

        frame = pd.DataFrame(
            {"score": self.score, "treated": self.treated, "weight": self.weights}
        ).reset_index(drop=True)
        return scores(frame, ax=ax, notes=self.notes, lang=lang)
