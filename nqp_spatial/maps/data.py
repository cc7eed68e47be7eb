"""A result and polygons, matched by id: what every map of effects is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from nqp_spatial.exceptions import IdMismatchError, MissingValuesError, OptionError
from nqp_spatial.maps import geometry
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import in_language, notes_of
from nqp_spatial.shared.options import check_option

LAYERS = ("direct", "sent", "received", "total")
Z_95 = 1.959963984540054  # of the normal distribution, two-sided


@dataclass(frozen=True)
class MapData:
    """Effects by entity, in the order of the polygons.

    Attributes
    ----------
    effects : DataFrame, index entity
        direct, sent, received, total, or other layers, and their ``_std_error`` (missing if
        unknown).
    labels : Series
        What to call each polygon; index all polygons, those without a result included.
    treated : Index
        Entities with the policy at any time.
    notes : tuple of str
        What a reader of the map must be told.
    """

    effects: pd.DataFrame
    labels: pd.Series
    treated: pd.Index
    notes: tuple[str, ...]

    @property
    def without_result(self) -> pd.Index:
        """Polygons for which there is no estimate."""
        return self.labels.index.difference(self.effects.index, sort=False)

    def significant(self, layer: str) -> int | None:
        """How many effects are more than 1.96 standard errors from zero; None if errors lack."""
        errors = self.effects[f"{layer}_std_error"]
        if errors.isna().any():
            return None
        return int((self.effects[layer].abs() > Z_95 * errors).sum())


def gather(
    res: Any,
    gdf: GeoDataFrame,
    variable: str,
    *,
    name: str | None = None,
    treated: Iterable[object] | None = None,
    background: GeoDataFrame | None = None,
    lang: str = "en",
) -> MapData:
    """Match the effects of a result with polygons.

    Raises
    ------
    IdMismatchError
        An entity of the result, or a treated one, has no polygon.
    MissingValuesError
        An effect is not finite.
    OptionError
        The result has no such regressor, or ``gdf`` no such column.
    """
    geometry.check(gdf)
    if background is not None:
        geometry.check(background, "background")
    known = getattr(res, "variables", None)
    if known is not None:
        check_option("variable", variable, known)
    effects = _effects(res, variable)
    return matched(effects, res, gdf, name=name, treated=treated, background=background, lang=lang)


def matched(
    effects: pd.DataFrame,
    res: Any,
    gdf: GeoDataFrame,
    *,
    name: str | None = None,
    treated: Iterable[object] | None = None,
    background: GeoDataFrame | None = None,
    lang: str = "en",
) -> MapData:
    """Effects by entity with polygons, and who is treated.

    Raises
    ------
    IdMismatchError
        An entity with an effect, or a treated one, has no polygon.
    """
    match_ids(effects.index, gdf.index, "result")
    marked = pd.Index(getattr(res, "treated_entities", ()) if treated is None else list(treated))
    match_ids(marked, effects.index, "list of treated entities", "result")
    labels = label_column(gdf, name, lang)
    order = gdf.index[gdf.index.isin(effects.index)]
    said = notes(res, gdf, background, lang=lang)
    return MapData(effects.loc[order], labels, order[order.isin(marked)], said)


def _effects(res: Any, variable: str) -> pd.DataFrame:
    columns = [*LAYERS, *(f"{layer}_std_error" for layer in LAYERS)]
    effects = res.entity_effects(variable).reindex(columns=columns).astype(float)
    values = effects[list(LAYERS)]
    bad = effects.index[~np.isfinite(values).all(axis=1)]
    if len(bad):
        raise MissingValuesError(
            f"{len(bad)} of {len(effects)} entities have an effect of {variable!r} that is not a "
            f"finite number, first {first(bad)}. Look at res.entity_effects({variable!r})."
        )
    return effects


def match_ids(
    ids: pd.Index, known: pd.Index, what: str, where: str = "polygons (index of gdf)"
) -> None:
    """Raise `IdMismatchError` unless every id is known, naming those that are not."""
    missing = ids[~ids.isin(known)]
    if not len(missing):
        return
    hint = "Draw the map with polygons of every entity in the result."
    if len(missing) == len(ids) and len(known):
        as_text = set(map(str, known))
        if all(str(label) in as_text for label in ids):
            hint = (
                f"They look alike but are {_kind(ids)} here and {_kind(known)} there. "
                f"Type gdf.index = gdf.index.astype({_kind(ids)})."
            )
    raise IdMismatchError(
        f"{len(missing)} of {len(ids)} ids of the {what} are not among the {len(known)} ids of the "
        f"{where}, first {first(missing)}; those begin {first(known, 3)}. {hint}"
    )


def _kind(ids: pd.Index) -> str:
    return "int" if pd.api.types.is_integer_dtype(ids) else type(ids[0]).__name__


def label_column(gdf: GeoDataFrame, name: str | None, lang: str) -> pd.Series:
    """Labels of the polygons: the named column, else the names in the language, else the ids.

    Raises
    ------
    OptionError
        If ``gdf`` has no column ``name``.
    """
    if name is None:
        name = next((c for c in (f"name_{lang}", "name_zh", "name_en") if c in gdf), None)
        if name is None:
            return pd.Series(gdf.index.map(str), index=gdf.index, dtype=object)
    elif name not in gdf:
        raise OptionError(
            f"name={name!r} is not a column of gdf.{suggest(name, gdf.columns)} "
            f"It has {first(gdf.columns, 8)}."
        )
    ids = pd.Series(gdf.index.map(str), index=gdf.index, dtype=object)
    return gdf[name].astype(object).where(gdf[name].notna(), ids).map(str)


def notes(res: Any, *frames: GeoDataFrame | None, lang: str = "en") -> tuple[str, ...]:
    """Notes of the result, then those of the polygons (``gdf.attrs["note"]``), each once."""
    found = (*getattr(res, "notes", ()), *notes_of(*frames))
    return tuple(dict.fromkeys(str(in_language(note, lang)) for note in found))
