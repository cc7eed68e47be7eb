"""Global spatial autocorrelation by period and by weight matrix; esda does the statistics."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.spatial import local as core
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    IdMismatchError,
    IslandWarning,
    OptionError,
    WeightsError,
)
from nqp_spatial.models.spatial.results import residual_moran
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample
from nqp_spatial.results import TestResult
from nqp_spatial.shared import checks
from nqp_spatial.shared.frames import one_column
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first, outside
from nqp_spatial.shared.options import Between, check_option, choices
from nqp_spatial.shared.periods import in_time
from nqp_spatial.weights import as_graph, sparse_for

if TYPE_CHECKING:
    from libpysal.weights import W as LegacyW

Array = npt.NDArray[np.float64]

Assumption = Literal["randomisation", "normality"]
Alternative = Literal["two-sided", "greater", "less"]
Islands = Literal["warn", "count", "leave-out"]
Permutations = Annotated[int, Between(0)]
_CROSS_SECTION = "all"  # the period of a series that has none


def moran(
    series: pd.Series,
    graph: Any,
    *,
    assumption: Assumption = "randomisation",
    alternative: Alternative = "two-sided",
    permutations: int = 0,
    seed: int | None = None,
    islands: Islands = "warn",
) -> pd.DataFrame:
    """Global Moran's I in each period.

    Parameters
    ----------
    series : Series
        Indexed by (entity, time), or by entity for one cross-section.
    graph : Graph, or mapping of name to Graph or to a mapping of period to Graph
        Weights as they are: nothing is normalised here. Under weights that change over time each
        period has its own, and periods without any are left out.
    assumption : {"randomisation", "normality"}
        Under which the variance is computed (Cliff and Ord 1981, pp. 42-46).
    alternative : {"two-sided", "greater", "less"}
        "greater" is positive autocorrelation.
    permutations, seed : int
        With ``permutations`` > 0 a column ``pvalue_permutation`` is added: the one-sided rank of
        the statistic among random relabellings, doubled for two-sided.
    islands : {"warn", "count", "leave-out"}
        Entities without neighbours count in n and in the variance, with a warning, or without a
        word; or they are left out, values and all, as GeoDa does (spdep adjusts n alone).

    Returns
    -------
    DataFrame
        Index period, or (weights, period) for a mapping; I, expected, variance, z, pvalue.
    """
    return _by_weights("I", series, graph, assumption, alternative, permutations, seed, islands)


def geary(
    series: pd.Series,
    graph: Any,
    *,
    assumption: Assumption = "randomisation",
    alternative: Alternative = "two-sided",
    permutations: int = 0,
    seed: int | None = None,
    islands: Islands = "warn",
) -> pd.DataFrame:
    """Global Geary's C in each period; parameters as in :func:`moran`.

    C is one without autocorrelation and below one with positive autocorrelation, so that
    z = (C - 1) / sd is negative then; "greater" still means positive autocorrelation.

    Returns
    -------
    DataFrame
        Index period, or (weights, period); C, expected, variance, z, pvalue.
    """
    return _by_weights("C", series, graph, assumption, alternative, permutations, seed, islands)


def getis_ord(
    series: pd.Series,
    graph: Any,
    *,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 0,
    seed: int | None = None,
    islands: Islands = "warn",
) -> pd.DataFrame:
    """Getis and Ord's general G in each period; parameters as in :func:`moran`.

    G = sum_ij w_ij x_i x_j / sum_ij x_i x_j over pairs of different entities. It is high where high
    values are neighbours and low where low values are, which Moran's I does not tell apart;
    "greater" means clusters of high values. Binary weights are usual.

    Returns
    -------
    DataFrame
        Index period, or (weights, period); G, expected, variance (under randomisation: Getis and
        Ord 1992, with the erratum of 1993), z, pvalue, and pvalue_permutation as in `moran`.

    Raises
    ------
    DataError
        A value is negative: products of values need a natural zero.
    """
    _check_options(alternative, permutations)
    check_option("islands", islands, choices(Islands))

    def one(series: pd.Series, graph: Any) -> pd.DataFrame:
        values, W, keys = aligned(series, graph)
        (values,), W = _islands(islands, [values], W, keys)
        if values.min() < 0:
            raise DataError(
                f"{series.name!r} has negative values, the least {values.min():g}: G is about "
                "products, which need values of zero or more. Use moran or geary."
            )
        rng, rows = np.random.default_rng(seed), []
        for x in values:
            found = core.general_g(x, W)
            draws = None
            if permutations:
                dealt = rng.permuted(np.tile(x, (permutations, 1)), axis=1)
                pairs = x.sum() ** 2 - (x**2).sum()
                draws = (dealt * (W @ dealt.T).T).sum(axis=1) / pairs
            rows.append(_row(found, alternative, draws))
        return pd.DataFrame(rows, pd.Index(keys.periods, name="period")).rename(
            columns={"statistic": "G"}
        )

    return under_each(series, graph, one)


def bivariate_moran(
    series: pd.Series,
    other: pd.Series,
    graph: Any,
    *,
    alternative: Alternative = "two-sided",
    permutations: Permutations = 0,
    seed: int | None = None,
    islands: Islands = "warn",
) -> pd.DataFrame:
    """Moran's I of a variable and its neighbours' other one, in each period.

    I = (n / S_0) sum_ij z_i w_ij u_j / (n - 1), both standardised with the divisor n - 1, as in
    GeoDa. The null deals ``other`` out over the map: where the two go together within an entity and
    each is clustered, I is far from zero though neighbours have nothing to do with each other, so
    that a spillover needs a model.

    Parameters
    ----------
    series, other : Series
        Of the entity and of its neighbours, on one index.
    graph, alternative, permutations, seed
        As for `moran`.

    Returns
    -------
    DataFrame
        Index period, or (weights, period); I, expected, variance (over all relabellings of
        ``other``), z, pvalue, and pvalue_permutation as in `moran`.
    """
    _check_options(alternative, permutations)
    check_option("islands", islands, choices(Islands))

    def one(series: pd.Series, graph: Any) -> pd.DataFrame:
        values, lagged, W, keys = pairs_of(series, other, graph)
        (values, lagged), W = _islands(islands, [values, lagged], W, keys)
        rng, rows = np.random.default_rng(seed), []
        for x, y in zip(values, lagged, strict=True):
            z, u = core.standardised(x), core.standardised(y)
            found = core.bivariate(z, u, W)
            draws = None
            if permutations:
                dealt = rng.permuted(np.tile(u, (permutations, 1)), axis=1)
                draws = dealt @ (W.T @ z) * (len(z) / (W.sum() * (len(z) - 1)))
            rows.append(_row(found, alternative, draws))
        return pd.DataFrame(rows, pd.Index(keys.periods, name="period")).rename(
            columns={"statistic": "I"}
        )

    return under_each(series, graph, one)


def _row(found: core.Moments, alternative: str, draws: Array | None) -> dict[str, float]:
    z = (found.statistic - found.expected) / np.sqrt(found.variance)
    row = {**found._asdict(), "z": z, "pvalue": float(pvalue_of(z, alternative))}
    if draws is not None:
        row["pvalue_permutation"] = rank_pvalue(found.statistic, draws, alternative)
    return row


def autocorrelation_table(
    series: pd.Series,
    graphs: Any,
    *,
    assumption: Assumption = "randomisation",
    alternative: Alternative = "two-sided",
    islands: Islands = "warn",
) -> pd.DataFrame:
    """Moran's I and Geary's C side by side, as papers print them; ``graphs`` as in :func:`moran`.

    Returns
    -------
    DataFrame
        Index (weights, period); I, z_I, p_I, C, z_C, p_C.
    """
    mapping = graphs if isinstance(graphs, Mapping) else {"W": graphs}
    options: dict[str, Any] = {"assumption": assumption, "alternative": alternative}
    options["islands"] = islands
    first_of = moran(series, mapping, **options)
    said = options | ({"islands": "count"} if islands == "warn" else {})  # once is enough
    return side_by_side(first_of, geary(series, mapping, **said))


def side_by_side(moran: pd.DataFrame, geary: pd.DataFrame) -> pd.DataFrame:
    """What `autocorrelation_table` has, of frames that are there already."""
    parts = []
    for statistic, found in (("I", moran), ("C", geary)):
        columns = {statistic: statistic, "z": f"z_{statistic}", "pvalue": f"p_{statistic}"}
        parts.append(found[list(columns)].rename(columns=columns))
    return pd.concat(parts, axis=1)


def moran_residuals(resids: pd.Series, graph: Any) -> TestResult:
    """Moran's I of a panel's residuals, pooled over periods, with the variance under normality.

    The weights of the pooled cross-sections are block-diagonal. The test does not allow for the
    estimation of the model that left the residuals, so it is a description more than a test: after
    fixed effects it rejects a true null in 6 to 12 % of samples at 5 %, and after a model with rho
    almost never (docs/monte_carlo_family.md). ``lm_tests`` have the right size.

    Parameters
    ----------
    resids : Series by (entity, time)
    graph : Graph, or mapping of period to Graph
        On the entities of the panel, or on those that each period has.

    Returns
    -------
    TestResult
        ``statistic`` is z; I itself is in ``name``.
    """
    if isinstance(graph, Mapping):
        times = resids.index.get_level_values(1)
        here = {t: resids[times == t] for t in graph}
        parts = [aligned(here[t], g, alone_ok=True) for t, g in graph.items() if len(here[t])]
    else:
        parts = [aligned(resids, graph)]
    return residual_moran((values, W) for values, W, _ in parts)


def _by_weights(
    statistic: str,
    series: pd.Series,
    graph: Any,
    assumption: str,
    alternative: str,
    permutations: int,
    seed: int | None,
    islands: str,
) -> pd.DataFrame:
    check_option("islands", islands, choices(Islands))
    check_option("assumption", assumption, choices(Assumption))
    _check_options(alternative, permutations)

    def one(series: pd.Series, graph: Any) -> pd.DataFrame:
        return _by_period(
            statistic, series, graph, assumption, alternative, permutations, seed, islands
        )

    return under_each(series, graph, one)


def _check_options(alternative: str, permutations: int) -> None:
    check_option("alternative", alternative, choices(Alternative))
    if not isinstance(permutations, int | np.integer) or permutations < 0:
        raise OptionError(
            f"permutations={permutations!r} is not a number of draws. Type permutations=999."
        )


def under_each(
    series: pd.Series, graph: Any, one: Callable[[pd.Series, Any], pd.DataFrame]
) -> pd.DataFrame:
    """What ``one`` finds under a W; under a mapping of name to W, or to W by period, of each."""
    if not isinstance(graph, Mapping):
        return one(series, graph)
    if not graph:
        raise OptionError("No weights were given. Name each: {'queen': g1, ...}.")
    frames = {name: _under(series, name, g, one) for name, g in graph.items()}
    return pd.concat(frames, names=["weights"])


def _under(
    series: pd.Series, name: object, graph: Any, one: Callable[[pd.Series, Any], pd.DataFrame]
) -> pd.DataFrame:
    """Under one W or that of each period."""
    if not isinstance(graph, Mapping):
        return one(series, graph)
    checks.panel_index(series, "The series")
    times = series.index.get_level_values(1)
    absent = [period for period in graph if period not in times]
    if absent or not graph:
        raise IdMismatchError(
            f"The weights {name!r} change over time, and the series has no row in their periods "
            f"{first(absent)}. It has {first(in_time(times.unique()), 3)}."
        )
    return pd.concat([one(series[times == t], g) for t, g in graph.items()])


def _by_period(
    statistic: str,
    series: pd.Series,
    graph: Any,
    assumption: str,
    alternative: str,
    permutations: int,
    seed: int | None,
    islands: str,
) -> pd.DataFrame:
    import esda

    values, W, keys = aligned(series, graph)
    (values,), W = _islands(islands, [values], W, keys)
    if W.shape[0] < 4:
        raise DataError(
            f"{series.name!r} has {W.shape[0]} entities; autocorrelation needs four or more."
        )
    _check_uneven(W)
    positions = (part.astype(np.int64).tobytes() for part in (W.indptr, W.indices))
    w = _as_libpysal(W.shape[0], *positions, W.data.tobytes())
    rng = np.random.default_rng(seed)
    suffix = "rand" if assumption == "randomisation" else "norm"
    _check_constant(values, series, keys)
    rows = []
    for cross_section in values:
        if statistic == "I":
            found = esda.Moran(cross_section, w, transformation="O", permutations=0)
            row = [found.I, found.EI, getattr(found, f"VI_{suffix}")]
        else:
            found = esda.Geary(cross_section, w, transformation="O", permutations=0)
            row = [found.C, found.EC, getattr(found, f"VC_{suffix}")]
        z = (row[0] - row[1]) / np.sqrt(row[2])
        sign = 1.0 if statistic == "I" else -1.0
        row += [z, float(pvalue_of(sign * z, alternative))]
        if permutations:
            draws = _permuted(statistic, cross_section, W, permutations, rng)
            row.append(rank_pvalue(sign * row[0], sign * draws, alternative))
        rows.append(row)
    columns = [statistic, "expected", "variance", "z", "pvalue"]
    columns += ["pvalue_permutation"] if permutations else []
    return pd.DataFrame(rows, index=pd.Index(keys.periods, name="period"), columns=columns)


@lru_cache(maxsize=8)
def _as_libpysal(n: int, indptr: bytes, indices: bytes, data: bytes) -> LegacyW:
    """W as esda takes it, a copy whose transform it may set: made once for all series and tests."""
    positions = [np.frombuffer(part, np.int64) for part in (indices, indptr)]
    return as_graph(sp.csr_array((np.frombuffer(data), *positions), (n, n)), ids=range(n)).to_W()


def aligned(
    series: pd.Series, graph: Any, *, alone_ok: bool = False
) -> tuple[Array, sp.csr_array, Keys]:
    """Values of shape (n_periods, n_entities) in the order of W, and whose; raise with labels."""
    series = one_column(series, "series")
    if not isinstance(series, pd.Series) or series.index.nlevels > 2:
        raise DataError(
            f"A Series indexed by entity or (entity, time) is needed, not a "
            f"{type(series).__name__}. Take one column: panel['name']."
        )
    name = str(series.name) if series.name is not None else "the series"
    if not isinstance(series.index, pd.MultiIndex):
        series = pd.concat({_CROSS_SECTION: series}).swaplevel()
    sample = Sample.of_one(series, name)
    keys = sample.keys
    if not keys.balanced:
        checks.balanced(keys.index)
    graph = as_graph(graph)
    same_ids(keys.entities, pd.Index(graph.unique_ids), name, "the weights")
    W = sparse_for(graph, keys.entities)
    if not W.nnz and not alone_ok:
        raise WeightsError("All weights are zero: no entity has a neighbour.")
    return sample.cells("y")[..., 0], W, keys


def _islands(
    policy: str, values: list[Array], W: sp.csr_array, keys: Keys
) -> tuple[list[Array], sp.csr_array]:
    """Values (n_periods, n) and W with or without the entities that have no neighbour."""
    alone = np.diff(W.indptr) == 0
    if policy == "count" or not alone.any():
        return values, W
    if policy == "leave-out":
        rest = np.flatnonzero(~alone)
        return [cells[:, rest] for cells in values], sp.csr_array(W[rest][:, rest])
    warnings.warn(
        f"{int(alone.sum())} of {len(alone)} entities have no neighbour and count in n and in the "
        f"variance: {first(keys.entities[alone])}. Say islands='count' to keep that, or "
        "islands='leave-out'.",
        IslandWarning,
        stacklevel=outside(),
    )
    return values, W


def pairs_of(
    series: pd.Series, other: pd.Series | None, graph: Any
) -> tuple[Array, Array, sp.csr_array, Keys]:
    """Values of the entities and of their neighbours, (n_periods, n) each, in the order of W."""
    x, W, keys = aligned(series, graph)
    _check_constant(x, series, keys)
    if other is None:
        return x, x, W, keys
    other = one_column(other, "other")
    if not isinstance(other, pd.Series):
        raise DataError("other must be a Series on the index of the first one.")
    same_ids(series.index, other.index, repr(series.name), repr(other.name))
    return x, pairs_of(other.loc[series.index], None, graph)[0], W, keys


def _check_constant(values: Array, series: pd.Series, keys: Keys) -> None:
    flat = keys.periods[np.ptp(values, axis=1) == 0]
    if len(flat):
        raise ConstantColumnError(
            f"{series.name!r} is the same for all entities in period {flat[0]!r}: "
            "autocorrelation is not defined. Leave that period out."
        )


def _check_uneven(W: sp.csr_array) -> None:
    """Raise if all pairs weigh the same: the statistics are then constants, whatever the values."""
    n, both = W.shape[0], (W + W.T).tocoo()
    weights = both.data[both.data != 0]
    if len(weights) == n * (n - 1) and np.ptp(weights) <= 1e-12 * weights.max():
        raise WeightsError(
            "Every pair of entities has the same weight, so that I is -1/(n - 1) for any values. "
            "Use weights that tell near from far."
        )


def pvalue_of(z: Any, alternative: str) -> Any:
    """Normal p-values of z that are positive for positive autocorrelation."""
    if alternative == "two-sided":
        return 2 * stats.norm.sf(np.abs(z))
    return stats.norm.sf(z) if alternative == "greater" else stats.norm.cdf(z)


def _permuted(
    statistic: str, values: Array, W: sp.csr_array, permutations: int, rng: np.random.Generator
) -> Array:
    """The statistic of randomly relabelled values, shape (permutations,)."""
    n = len(values)
    z = values - values.mean()
    draws = rng.permuted(np.tile(z, (permutations, 1)), axis=1)
    cross = (draws * (W @ draws.T).T).sum(axis=1)
    scale = float(z @ z) * W.sum()
    if statistic == "I":
        return n * cross / scale
    sums = np.asarray(W.sum(axis=0)) + np.asarray(W.sum(axis=1))
    return (n - 1) * ((draws**2) @ sums - 2 * cross) / (2 * scale)


def rank_pvalue(value: float, draws: Array, alternative: str) -> float:
    """(number at least as extreme + 1) / (permutations + 1), doubled for two-sided.

    Draws that differ by rounding alone are ties, as many are where values repeat.
    """
    near = 1e-12 * np.abs(draws).max(initial=abs(value))
    above, below = float((draws >= value - near).sum()), float((draws <= value + near).sum())
    extreme = {"greater": above, "less": below, "two-sided": min(above, below)}[alternative]
    pvalue = (extreme + 1) / (len(draws) + 1)
    return min(1.0, 2 * pvalue) if alternative == "two-sided" else pvalue
