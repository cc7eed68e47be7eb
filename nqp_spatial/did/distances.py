"""How far the entities of a panel are from each other: by places, or as a travel table has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    MissingValuesError,
    NegativeWeightsError,
    NotNumericError,
)
from nqp_spatial.shared.frames import by_label, table_of
from nqp_spatial.shared.ids import match_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option, choices
from nqp_spatial.weights.points import points_of

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

Directions: TypeAlias = Literal["error", "mean", "max"]

_PAIR = ("origin", "destination")
_SAME = 1e-9  # relative, by which two directions may differ


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances between entities.

    Attributes
    ----------
    values : array, shape (n_entities, n_entities)
        The same in both directions, zero on the diagonal.
    unit : str
        "km" of places; of a table the name of its column, or nothing.
    mended : int
        Pairs whose two directions differed, or of which one was absent.
    """

    values: Array
    unit: str
    mended: int = 0

    @classmethod
    def of(cls, places: Any, entities: pd.Index, directions: Directions = "error") -> Distances:
        """Distances between entities, in their order.

        Parameters
        ----------
        places : GeoDataFrame, DataFrame
            Polygons (their centroids) or points, indexed by entity; columns lon and lat, indexed by
            entity; a table with columns origin, destination and one of numbers, a row for each
            pair; or a square one, whose index and columns are entities. More entities than those of
            the panel are no mistake.
        directions : {"error", "mean", "max"}
            Of a table: what a pair has whose two directions differ, or of which one is absent. With
            "mean" and "max" the one that is there stands for both.

        Raises
        ------
        IdMismatchError
            An entity has no place.
        DataError
            By its own class: pairs that are absent, listed twice, asymmetric or below zero.
        GeometryError, CRSError
            As builders of weights.
        """
        check_option("directions", directions, choices(Directions))
        if _is_pairs(places):
            table, unit = _from_pairs(table_of(places, "places"), entities)
            values, mended = _symmetric(table, entities, directions)
            return cls(values, unit, mended)
        places = by_label(places, "places")
        if _is_square(places):
            match_ids(pd.Index(places.index), entities, "places", "the panel", more_ok=True)
            table = places.reindex(index=entities, columns=entities)
            for name in table.columns:
                if not pd.api.types.is_numeric_dtype(table[name]):
                    raise NotNumericError(
                        f"Column {name!r} of places holds {table[name].dtype}, not numbers."
                    )
            given = table.to_numpy(dtype=float, na_value=np.nan)
            values, mended = _symmetric(given, entities, directions)
            return cls(values, "", mended)
        points = points_of(places, ties=True)
        match_ids(points.ids, entities, "places", "the panel", more_ok=True)
        at, n = points.ids.get_indexer(entities), len(entities)
        i, j = np.triu_indices(n, 1)
        values = np.zeros((n, n))
        values[i, j] = values[j, i] = points.distance(at[i], at[j])
        return cls(values, "km")


def _is_pairs(places: Any) -> bool:
    return all(name in getattr(places, "columns", ()) for name in _PAIR)


def _is_square(places: Any) -> bool:
    if not isinstance(places, pd.DataFrame) or "lon" in places.columns:
        return False
    if hasattr(places, "geometry"):
        return False
    rows, columns = places.index, places.columns  # of which one may lack a label, which is told
    return bool(rows.isin(columns).all() or columns.isin(rows).all())


def _from_pairs(table: pd.DataFrame, entities: pd.Index) -> tuple[Array, str]:
    """A table of pairs as a matrix, missing where there is no row."""
    others = [str(name) for name in table.columns if name not in _PAIR]
    numbers = [name for name in others if pd.api.types.is_numeric_dtype(table[name])]
    if len(numbers) != 1:
        raise DataError(
            f"places has the columns {first(table.columns, 8)}. Beside origin and destination it "
            "needs one column of numbers, such as minutes or km: table[['origin', 'destination', "
            "'minutes']]."
        )
    (name,) = numbers
    empty = table[[*_PAIR, name]].isna().any(axis=1)
    if empty.any():
        raise MissingValuesError(
            f"{int(empty.sum())} rows of places are empty, first row {first(table.index[empty])}. "
            "Fill or drop them."
        )
    twice = table.duplicated(list(_PAIR))
    if twice.any():
        pairs = zip(*(table.loc[twice, end] for end in _PAIR), strict=True)
        raise DuplicateKeysError(
            f"{int(twice.sum())} pairs of places are listed twice, first {first(pairs, 3)}. Keep "
            "one row of each."
        )
    known = pd.Index(pd.unique(pd.concat([table[end] for end in _PAIR])))
    match_ids(known, entities, "places", "the panel", more_ok=True)
    i, j = (entities.get_indexer(table[end]) for end in _PAIR)
    inside = (i >= 0) & (j >= 0)
    values = np.full((len(entities),) * 2, np.nan)
    values[i[inside], j[inside]] = table[name].to_numpy(dtype=float)[inside]
    return values, name


def _symmetric(values: Array, entities: pd.Index, directions: Directions) -> tuple[Array, int]:
    """One number for each pair, and of how many pairs it had to be made."""
    i, j = np.triu_indices(len(entities), 1)
    there, back = values[i, j], values[j, i]

    def told(bad: npt.NDArray[np.bool_], what: str) -> str:
        pairs = zip(entities[i[bad]], entities[j[bad]], strict=True)
        return f"{int(bad.sum())} pairs of places {what}, first {first(pairs, 3)}"

    low = (there < 0) | (back < 0)
    if low.any():
        raise NegativeWeightsError(told(low, "are below zero") + ". Correct them.")
    absent = np.isnan(there) & np.isnan(back)
    if absent.any():
        raise MissingValuesError(
            told(absent, "have no distance")
            + ". Give each pair of entities of the panel a row; far away is a large number."
        )
    alone = np.isnan(there) | np.isnan(back)
    apart = ~alone & ~np.isclose(there, back, rtol=_SAME, atol=0)  # inf is no way at all
    if directions == "error" and (alone | apart).any():
        what = "differ between the two directions" if apart.any() else "have one direction only"
        raise DataError(
            told(apart if apart.any() else alone, what)
            + ". Type directions='mean' or 'max', or correct the table."
        )
    both = np.stack([there, back])
    found = np.nanmax(both, axis=0) if directions == "max" else np.nanmean(both, axis=0)
    whole = np.zeros_like(values)
    whole[i, j] = whole[j, i] = found
    return whole, int((alone | apart).sum())
