"""Which program a result is checked with: its model names it, and a table has the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from nqp_spatial.comparison.programs import esda, linearmodels, spreg
from nqp_spatial.comparison.programs.numbers import Comparison
from nqp_spatial.exceptions import OptionError

_PROGRAMS: Mapping[str, Callable[[Any], Comparison]] = {
    "linearmodels.PanelOLS": linearmodels.panel_ols,
    "linearmodels.RandomEffects": linearmodels.random_effects,
    "linearmodels.FirstDifferenceOLS": linearmodels.first_difference,
    "linearmodels.BetweenOLS": linearmodels.between,
    "linearmodels.IV2SLS": linearmodels.instrumental_variables,
    "spreg": spreg.maximum_likelihood,
    "spreg.GM_Lag": spreg.two_stages,
}


def crosscheck(result: Any, graph: Any = None) -> pd.DataFrame:
    """The same model by another program: our number, theirs, and why they differ.

    The data of the result are given to linearmodels, spreg or esda, which estimate the model again.
    Where their convention is another one (docs/differences.md), our number under it stands in
    ``converted``, computed, so that the frame shows agreement under one convention and the
    difference between conventions apart from each other. Where their number is wrong it says so.

    Parameters
    ----------
    result : Results, or Series
        A result of PooledOLS, FixedEffects with at most two kinds of effects, RandomEffects,
        BetweenOLS, FirstDifference or IV2SLS (linearmodels); of SLX, SpatialLag, SpatialError,
        SpatialDurbin, SpatialDiD or SpatialDurbinError with one W and all entities in every period,
        or of SpatialIV without effects and spatial error (spreg). Or, with ``graph``, the series
        whose Moran's I and Geary's C are checked with esda, as `diagnostics.moran` takes it.
    graph : Graph, optional
        Weights of a series; a result has its own.

    Returns
    -------
    DataFrame
        Index (program, quantity, name): "params", "std_errors", "loglik", "sigma2", "rsquared",
        "direct" and so on of each name. Columns ours, theirs, difference (ours - theirs), relative
        (to theirs), converted (ours under their convention; NaN where there is no conversion),
        remaining (its relative difference), verdict, explanation.

        The verdict is "same" up to ``attrs["tolerance"]`` (1e-8 for linearmodels, 1e-6 where it
        iterates; 1e-5 for spreg, whose searches stop at 1e-7), relative to their number or, for
        estimates, to the standard error if that is larger; "convention"; "wrong", theirs is;
        "search", theirs stopped before its maximum; "absent", one of the two has none; or
        "unexplained": please report it. ``attrs`` also has the call and the versions. Verdicts and
        explanations know their Chinese, which ``tables.from_frame(frame, lang="zh")`` prints.

    Raises
    ------
    OptionError
        If no program has the model, or a series is given without weights.
    EstimationError
        If the other program fails.

    Notes
    -----
    spreg works with dense matrices: 277 entities and 12 periods take about three seconds with
    entity effects, and up to forty without, where W has a row for each observation. Our Moran's I
    and Geary's C are esda's own, so that their check is one of labels, weights, periods and
    p-values, not of the statistics.

    Examples
    --------
    >>> nqp.crosscheck(nqp.SpatialDurbin(y, x, graph).fit())  # doctest: +SKIP
    """
    if isinstance(result, pd.Series):
        if graph is None:
            raise OptionError("A series needs its weights: crosscheck(series, graph).")
        return esda.moran_and_geary(result, graph)
    compare = _PROGRAMS.get(getattr(getattr(result, "model", None), "counterpart", None) or "")
    if compare is None:
        raise OptionError(_nothing_for(result))
    if graph is not None:
        raise OptionError("graph= belongs to a series; a result has its own weights. Leave it out.")
    return compare(result).frame()


def _nothing_for(result: Any) -> str:
    name = getattr(result, "model_name", type(result).__name__)
    return (
        f"{name}: neither linearmodels nor spreg nor esda has it. Results of PooledOLS, "
        "FixedEffects, RandomEffects, BetweenOLS, FirstDifference, IV2SLS, SLX, SpatialLag, "
        "SpatialError, SpatialDurbin, SpatialDiD, SpatialDurbinError and SpatialIV can be checked; "
        "for Moran's I and Geary's C type crosscheck(series, graph), for a mediation give one of "
        "its regressions, such as res.total."
    )
