"""Local spatial statistics: which entities, with their neighbours, make a pattern."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.spatial import local as core
from nqp_spatial.diagnostics.autocorrelation import (
    Alternative,
    Permutations,
    pairs_of,
    pvalue_of,
    rank_pvalue,
    under_each,
)
from nqp_spatial.exceptions import DataError
from nqp_spatial.panel.keys import Keys
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Level, Seed, check_level, check_options, whole

Array = npt.NDArray[np.float64]

# Of the value of an entity and of its neighbours, above (high) or below (low) the mean.
QUADRANTS = ("high-high", "low-high", "low-low", "high-low")
NOT_SIGNIFICANT, ALONE = "not significant", "no neighbour"


def local_moran(
    series: pd.Series,
    graph: Any,
    *,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 999,
    level: Level = 0.05,
    fdr: bool = False,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Local Moran's I (LISA): entities among neighbours that are like them, or unlike them.

    I_i = z_i sum_j w_ij z_j with z standardised by the divisor n - 1, as in GeoDa and esda (spdep
    divides by n). p-values come from conditional permutations, and from the normal distribution
    where there are none.

    Parameters
    ----------
    series : Series
        Indexed by (entity, time), or by entity for one cross-section.
    graph : Graph, or mapping of name to Graph or to a mapping of period to Graph
        Weights as they are: nothing is normalised here. An entity without neighbours stays in the
        mean and the standard deviation, and has no statistic.
    alternative : {"two-sided", "greater", "less"}
        "greater" is positive autocorrelation. GeoDa and esda print the smaller one-sided p-value,
        half of the two-sided one.
    permutations : int, >= 0
        Relabellings of the other entities' values.
    level : float
        Below which ``cluster`` names the quadrant.
    fdr : bool
        Compare ``pvalue_fdr`` with ``level`` instead of ``pvalue``. With hundreds of entities one
        in twenty is below 0.05 by chance.
    seed : int
        Of the permutations; the same ones are drawn in each period.

    Returns
    -------
    DataFrame
        Index entity, (entity, period) or (weights, entity, period); I, expected, variance, z
        (conditional on the entity's own value: Sokal, Oden and Thomson 1998), pvalue, pvalue_fdr
        (Benjamini and Hochberg 1995, over the entities of a period), quadrant and cluster.

    Raises
    ------
    ConstantColumnError
        All entities have the same value in a period.
    """
    options = (alternative, permutations, level, fdr, seed)
    return _local("I", series, graph, _moran, options)


def local_geary(
    series: pd.Series,
    graph: Any,
    *,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 999,
    level: Level = 0.05,
    fdr: bool = False,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Local Geary's c: how far an entity is from its neighbours; parameters as `local_moran`.

    c_i = sum_j w_ij (z_i - z_j)^2, small where neighbours are alike; "greater" still means
    positive autocorrelation (Anselin 1995, 2019). ``quadrant`` is that of the Moran scatter plot.

    Returns
    -------
    DataFrame
        As `local_moran`, with c in place of I.
    """
    options = (alternative, permutations, level, fdr, seed)
    return _local("c", series, graph, _geary, options, sign=-1.0)


def local_g(
    series: pd.Series,
    graph: Any,
    *,
    star: bool = True,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 999,
    level: Level = 0.05,
    fdr: bool = False,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Getis and Ord's local G: hot spots and cold spots; other parameters as `local_moran`.

    Parameters
    ----------
    star : bool
        G*: an entity is one of its own neighbours, with the mean of its weights; rows keep their
        sums, so that k neighbours and the entity have 1/(k + 1) each where rows sum to one. False:
        G, without the entity itself.

    Returns
    -------
    DataFrame
        As `local_moran`, with G; ``quadrant`` is "hot" or "cold", by the side of the expectation.
        z has the moments of Ord and Getis (1995).

    Raises
    ------
    DataError
        A value is negative: shares of a sum need values of zero or more.
    """
    options = (alternative, permutations, level, fdr, seed)
    statistic = functools.partial(_getis_ord, star)
    return _local("G", series, graph, statistic, options, least=0.0)


def local_bivariate_moran(
    series: pd.Series,
    other: pd.Series,
    graph: Any,
    *,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 999,
    level: Level = 0.05,
    fdr: bool = False,
    seed: Seed = 0,
) -> pd.DataFrame:
    """Local Moran's I of a variable and its neighbours' other one; the rest as `local_moran`.

    I_i = z_i sum_j w_ij u_j with both standardised. It is no correlation net of anything: where the
    two go together within an entity and each is clustered, it is far from zero though neighbours
    have nothing to do with each other.

    Parameters
    ----------
    series, other : Series
        Of the entity and of its neighbours, on one index.
    """
    options = (alternative, permutations, level, fdr, seed)
    return _local("I", series, graph, _moran, options, other=other)


def moran_scatter(series: pd.Series, graph: Any, other: pd.Series | None = None) -> pd.DataFrame:
    """What a Moran scatter plot shows: each value, and the weighted sum of its neighbours'.

    Under weights whose rows sum to one the slope of ``lag`` on ``z`` is Moran's I.

    Parameters
    ----------
    series, graph
        As for `local_moran`.
    other : Series, optional
        Whose lag is taken, for the bivariate plot.

    Returns
    -------
    DataFrame
        Index as for `local_moran`; z, lag (of z, or of ``other`` standardised), quadrant. An entity
        without neighbours has neither lag nor quadrant.
    """

    def one(series: pd.Series, graph: Any) -> pd.DataFrame:
        x, u, W, keys = pairs_of(series, other, graph)
        alone = np.diff(W.indptr) == 0
        frames = []
        for own, lagged in zip(x, u, strict=True):
            z = core.standardised(own)
            lag = W @ core.standardised(lagged)
            frame = pd.DataFrame({"z": z, "lag": lag, "quadrant": _quadrant(z, lag)})
            frame.loc[alone, ["lag", "quadrant"]] = None
            frames.append(frame)
        return _labelled(frames, series, keys)

    return under_each(series, graph, one)


def lisa_transitions(local: pd.DataFrame, column: str = "quadrant") -> pd.DataFrame:
    """How often entities go from one quadrant to another between two periods that follow.

    Parameters
    ----------
    local : DataFrame
        Of `local_moran`, `local_geary`, `local_g` or `moran_scatter`, for a panel and one W.
    column : str
        "quadrant", or "cluster" to have what is not significant as a state of its own.

    Returns
    -------
    DataFrame
        Index (from, to); count, probability (of "to" given "from", NaN where nothing was "from")
        and kind, after Rey (2001): "none" (nobody moves), "own" (the entity alone), "neighbours"
        (its neighbours alone), "both"; None where a state is no quadrant. ``attrs`` has
        ``n_transitions`` and ``stability``, the share of moves that end where they began.

    Raises
    ------
    DataError
        The frame has no such column, or is not by (entity, period).
    """
    if column not in local or local.index.nlevels != 2 or local.index.names[1] != "period":
        raise DataError(
            f"local_moran(series, graph) of a panel and one W is needed, with the column "
            f"{column!r}; this frame has the index {list(local.index.names)} and the columns "
            f"{first(local.columns, 8)}. Take one W with local.loc['queen']."
        )
    wide = local[column].unstack("period").dropna()
    before, after = wide.iloc[:, :-1].to_numpy().ravel(), wide.iloc[:, 1:].to_numpy().ravel()
    known = {*before, *after}
    states = [*(q for q in QUADRANTS if q in known), *sorted(known - {*QUADRANTS})]
    pairs = pd.MultiIndex.from_product([states, states], names=["from", "to"])
    counts = pd.Series(1, pd.MultiIndex.from_arrays([before, after])).groupby(level=[0, 1]).sum()
    found = pd.DataFrame({"count": counts.reindex(pairs, fill_value=0)}, index=pairs)
    totals = found.groupby(level="from")["count"].transform("sum")
    found["probability"] = found["count"] / totals.where(totals > 0)
    found["kind"] = pd.Series([_kind(a, b) for a, b in pairs], pairs, dtype=object)
    found.attrs |= {"n_transitions": len(before), "stability": float(np.mean(before == after))}
    return found


def _kind(before: str, after: str) -> str | None:
    if before not in QUADRANTS or after not in QUADRANTS:
        return None
    own, neighbours = (a != b for a, b in zip(before.split("-"), after.split("-"), strict=True))
    return {(0, 0): "none", (1, 0): "own", (0, 1): "neighbours", (1, 1): "both"}[own, neighbours]


# ---------------------------------------------------------------- one cross-section at a time

Statistic = Callable[[Array, Array, sp.csr_array, Any], tuple[core.Local, npt.NDArray[Any]]]


def _moran(x: Array, u: Array, W: sp.csr_array, draws: Any) -> tuple[core.Local, npt.NDArray[Any]]:
    z, lagged = core.standardised(x), core.standardised(u)
    return core.moran(z, lagged, W, draws), _quadrant(z, W @ lagged)


def _geary(x: Array, _: Array, W: sp.csr_array, draws: Any) -> tuple[core.Local, npt.NDArray[Any]]:
    z = core.standardised(x)
    return core.geary(z, W, draws), _quadrant(z, W @ z)


def _getis_ord(
    star: bool, x: Array, _: Array, W: sp.csr_array, draws: Any
) -> tuple[core.Local, npt.NDArray[Any]]:
    found = core.getis_ord(x, _with_self(W) if star else W, draws, star=star)
    return found, np.where(found.statistic > found.expected, "hot", "cold").astype(object)


def _quadrant(z: Array, lag: Array) -> npt.NDArray[Any]:
    """Names of `QUADRANTS`: own value, then neighbours."""
    own, neighbours = np.where(z > 0, "high", "low"), np.where(lag > 0, "high", "low")
    return np.array([f"{a}-{b}" for a, b in zip(own, neighbours, strict=True)], dtype=object)


def _with_self(W: sp.csr_array) -> sp.csr_array:
    """W whose entities are their own neighbours, with the mean weight; rows keep their sums."""
    count = np.diff(W.indptr)
    sums = np.asarray(W.sum(axis=1))
    mean = np.divide(sums, count, out=np.zeros(len(sums)), where=count > 0)
    return sp.csr_array(sp.diags(count / (count + 1)) @ (W + sp.diags(mean)))


def _local(
    name: str,
    series: pd.Series,
    graph: Any,
    statistic: Statistic,
    options: tuple[Any, ...],
    *,
    other: pd.Series | None = None,
    sign: float = 1.0,
    least: float = -np.inf,
) -> pd.DataFrame:
    """The frame of a local statistic; ``sign`` is that of positive autocorrelation."""
    alternative, permutations, level, fdr, seed = options
    check_options(local_moran, alternative=alternative)
    check_level(level, example=0.05)
    whole("permutations", permutations, 0)
    whole("seed", seed, 0)

    def one(series: pd.Series, graph: Any) -> pd.DataFrame:
        x, u, W, keys = pairs_of(series, other, graph)
        if x.min() < least:
            raise DataError(
                f"{series.name!r} has negative values, the least {x.min():g}: local G is a share "
                "of a sum, which needs values of zero or more. Use local_moran or local_geary."
            )
        n, most = W.shape[0], int(np.diff(W.indptr).max())
        rng = np.random.default_rng(seed)
        draws = core.dealt(n, most, permutations, rng) if permutations else None
        frames = []
        for own, lagged in zip(x, u, strict=True):
            found, quadrant = statistic(own, lagged, W, draws)
            frames.append(_frame(name, found, quadrant, alternative, sign))
        return _labelled(frames, series, keys)

    found = under_each(series, graph, one)
    chosen = found["pvalue_fdr" if fdr else "pvalue"]
    found["cluster"] = found["quadrant"].where(chosen <= level, NOT_SIGNIFICANT)
    found.loc[found[name].isna(), "cluster"] = ALONE
    return found


def _frame(
    name: str, found: core.Local, quadrant: npt.NDArray[Any], alternative: str, sign: float
) -> pd.DataFrame:
    alone = np.isnan(found.statistic)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (found.statistic - found.expected) / np.sqrt(found.variance)
    if found.draws is None:
        pvalue = pvalue_of(sign * z, alternative)
    else:
        columns = zip(sign * found.statistic, (sign * found.draws).T, strict=True)
        pvalue = np.array([rank_pvalue(value, draws, alternative) for value, draws in columns])
    pvalue[alone] = np.nan
    adjusted = np.full(len(pvalue), np.nan)
    adjusted[~alone] = stats.false_discovery_control(pvalue[~alone], method="bh")
    frame = pd.DataFrame(
        {
            name: found.statistic,
            "expected": found.expected,
            "variance": found.variance,
            "z": z,
            "pvalue": pvalue,
            "pvalue_fdr": adjusted,
            "quadrant": quadrant,
        }
    )
    frame.loc[alone, "quadrant"] = None
    return frame


def _labelled(frames: list[pd.DataFrame], series: pd.Series, keys: Keys) -> pd.DataFrame:
    """One frame a period, put on (entity, period); a cross-section's on the entity."""
    if not isinstance(series.index, pd.MultiIndex):
        return frames[0].set_axis(keys.entities).rename_axis("entity")
    n, n_periods = len(keys.entities), len(frames)
    rows = np.arange(n * n_periods).reshape(n_periods, n).T.ravel()  # all periods of an entity
    index = pd.MultiIndex.from_product([keys.entities, keys.periods], names=["entity", "period"])
    return pd.concat(frames, ignore_index=True).iloc[rows].set_axis(index)
