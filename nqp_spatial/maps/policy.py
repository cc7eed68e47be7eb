"""Web map of what the actual policy did in a period: own effects, what is received, and both."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pandas as pd
from geopandas import GeoDataFrame

from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import word
from nqp_spatial.maps import geometry
from nqp_spatial.maps.data import matched
from nqp_spatial.maps.offline import OfflineMap
from nqp_spatial.maps.spillovers import draw
from nqp_spatial.shared.messages import first, suggest

LAYERS = ("own", "received", "total")


def policy(
    res: Any,
    gdf: GeoDataFrame,
    variable: str | Sequence[str] | None = None,
    *,
    period: Hashable | None = None,
    name: str | None = None,
    treated: Iterable[object] | None = None,
    agglomerations: pd.DataFrame | None = None,
    background: GeoDataFrame | None = None,
    scheme: str | Sequence[float] = "quantiles",
    k: int = 5,
    colours: str | Sequence[str] | None = None,
    lang: str = "en",
    title: str | None = None,
    simplify_km: float | None = None,
    decimals: int | None = None,
) -> OfflineMap:
    """Map what the actual policy did in one period, against no policy anywhere.

    `nqp_spatial.maps.spillovers` shows a change in all places; this shows the places that had the
    policy: own effects are zero elsewhere, and what a place receives is from where it was.

    Parameters
    ----------
    res : result of a spatial model, or of its ``policy_impact``
    gdf : GeoDataFrame
        Polygons indexed by entity id.
    variable : str or sequence of str, optional
        The policy, of a result of a model; by default its focus.
    period : label, optional
        By default the last one.
    treated : iterable of ids, optional
        Drawn with a thick border; by default those with the policy in that period.
    name, agglomerations, background, scheme, k, colours, lang, title, simplify_km, decimals
        As in `nqp_spatial.maps.spillovers`.

    Returns
    -------
    OfflineMap

    Raises
    ------
    IdMismatchError, CRSError, GeometryError
        As in `nqp_spatial.maps.spillovers`.
    OptionError
        No such period; a variable beside an impact, which has one.
    """
    if hasattr(res, "policy_impact"):
        found = res.policy_impact(variable)
    elif variable is None:
        found = res
    else:
        raise OptionError("The impact is that of its own policy. Leave variable= out.")
    geometry.check(gdf)
    if background is not None:
        geometry.check(background, "background")
    periods = found.index.unique(1)
    when = periods[-1] if period is None else period
    if when not in periods:
        raise OptionError(
            f"period={when!r} is not in the model, which has {first(periods, 12)}."
            + suggest(when, periods),
            option="period",
        )
    effects = found.cells.xs(when, level=1)
    on = found.index[found.on & (found.index.get_level_values(1) == when)].get_level_values(0)
    data = matched(
        effects,
        found,
        gdf,
        name=name,
        treated=on if treated is None else treated,
        background=background,
        lang=lang,
    )
    named = ", ".join(found.variables)
    return draw(
        data,
        LAYERS,
        gdf,
        title=title or word("pictures.policy", lang).format(variable=named, period=when),
        agglomerations=agglomerations,
        background=background,
        scheme=scheme,
        k=k,
        colours=colours,
        lang=lang,
        simplify_km=simplify_km,
        decimals=decimals,
    )
