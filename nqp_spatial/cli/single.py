"""Single steps of a study on their own, for the command line: weights, and matching of names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial import weights
from nqp_spatial.cities import layers
from nqp_spatial.cities.matching import CityMatch, match_cities
from nqp_spatial.cli.arguments import weight_options
from nqp_spatial.datasets import packaged
from nqp_spatial.exceptions import DataError, FileFormatError, IdMismatchError, OptionError
from nqp_spatial.panel.reading import read_table
from nqp_spatial.shared.files import replacing, write_sheet
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.values import BAD, Checker, Entry, dotted
from nqp_spatial.study.graphs import Ground, raw_weights
from nqp_spatial.study.registry import ROWS, WEIGHTS

if TYPE_CHECKING:
    from libpysal.graph import Graph

_SHOWN = 20


def ground(
    *,
    polygons: str | None = None,
    polygon_id: str | None = None,
    points: Path | None = None,
    point_id: str | None = None,
    table: Path | None = None,
    id_column: str | None = None,
) -> Ground:
    """Polygons or points, restricted to the entities of a table if there is one.

    Raises
    ------
    OptionError
        An option that others need is absent.
    IdMismatchError
        The table has ids without place.
    """
    if polygons is not None:
        places: Any = _layer(polygons, polygon_id)
    else:
        assert points is not None  # the command line asks for one of the two
        places = _points(points, point_id)
    wanted = ids(table, id_column)
    if wanted is not None:
        lacking = wanted.difference(places.index)
        if len(lacking):
            raise IdMismatchError(
                f"{len(lacking)} of {len(wanted)} ids have no place, first {first(lacking)}; the "
                f"places begin {first(places.index, 3)}."
            )
        places = places.loc[wanted]
    if polygons is not None:
        return Ground(entities=places.index, polygons=places)
    return Ground(entities=places.index, places=places)


def _layer(name: str, column: str | None) -> Any:
    if name.startswith("bundled:"):
        return packaged.polygons(name)
    if column is None:
        raise OptionError("A layer of your own needs --polygon-id, the column with the ids.")
    return layers.read_polygons(name, column)


def _points(path: Path, column: str | None) -> pd.DataFrame:
    table = read_table(path)
    if column is None:
        raise OptionError("A table of points needs --point-id, the column with the ids.")
    _has(table, [column, "lon", "lat"], path)
    return table.set_index(column)[["lon", "lat"]]


def ids(table: Path | None, column: str | None) -> pd.Index | None:
    """The distinct ids in a column, in the order of their first row; None without a table."""
    if table is None:
        return None
    frame = read_table(table)
    name = column if column is not None else str(frame.columns[0])
    _has(frame, [name], table)
    return pd.Index(frame[name].unique(), name=name)


def _has(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    for name in columns:
        if name not in frame.columns:
            raise DataError(
                f"{path.name} has no column {name!r}. It has {first(frame.columns, 12)}."
                + suggest(name, frame.columns)
            )


def build(
    kind: str, options: Mapping[str, Any], ground: Ground, *, normalise: Any = "row"
) -> Graph:
    """Weights of one kind.

    Raises
    ------
    OptionError
        An option that this kind does not have, or a wrong value.
    """
    row = WEIGHTS[kind]
    for name in options:
        if name not in row.options:
            own = [f"--{n.replace('_', '-')}" for n, by in weight_options().items() if kind in by]
            flag = name.replace("_", "-")
            raise OptionError(
                f"--{flag} is not an option of --kind {kind}, which has {', '.join(own) or 'none'}."
            )
    for name, parameter in row.options.items():
        if parameter.required and name not in (*options, "membership"):
            raise OptionError(f"--kind {kind} needs --{name.replace('_', '-')}.")
    checked = Checker(ROWS)
    said = checked.keys(row.keys, options, ())
    if said is BAD:
        key, text = checked.problems[0]
        raise OptionError(f"--{dotted(key).replace('_', '-')}: {text}")
    return weights.normalise(raw_weights(("weights",), Entry(kind, row, said), ground), normalise)


# ---------------------------------------------------------------- names


def match(
    path: Path,
    *,
    column: str | None = None,
    province_column: str | None = None,
    encoding: str | None = None,
    **options: Any,
) -> CityMatch:
    """Match a column of a table; see `match_cities`."""
    table = read_table(path, encoding=encoding)
    if column is None and table.shape[1] > 1:
        raise OptionError(
            f"{path.name} has several columns: {first(table.columns, 12)}. Say which has the names "
            "with --column."
        )
    name = str(table.columns[0]) if column is None else column
    _has(table, [name, *([province_column] if province_column else [])], path)
    province = None if province_column is None else table[province_column]
    return match_cities(table[name], province=province, **options)


def open_names(found: CityMatch) -> list[str]:
    """A line for each name that is not matched, with what is near."""
    report = found.report[found.report["status"] != "matched"]
    lines = []
    for row in report.head(_SHOWN).itertuples():
        near = [str(c) for c in (row.candidates or row.suggestions)]
        reason = f" {row.note}" if row.note else ""
        hint = f" (one of {', '.join(near)})" if near else ""
        lines.append(f"  {row.status}: {row.input!r}{hint}{reason}")
    if len(report) > _SHOWN:
        lines.append(f"  and {len(report) - _SHOWN} more; --output writes them all")
    return lines


def save_report(found: CityMatch, path: Path) -> None:
    """Write the report of every name to .csv (UTF-8 with a mark, for Excel) or .xlsx."""
    report = found.report.copy()
    for name in ("candidates", "suggestions"):
        report[name] = ["; ".join(map(str, items)) for items in report[name]]
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise FileFormatError(f"{path.name!r}: a report is written as .csv or .xlsx.")
    with replacing(path) as part:
        if path.suffix.lower() == ".xlsx":
            write_sheet(report, part, name="cities", index=False)
        else:
            report.to_csv(part, index=False, encoding="utf-8-sig")
