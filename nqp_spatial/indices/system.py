"""Indicators: systems of them with labels and directions, read from YAML, and their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
    StudyFileError,
)
from nqp_spatial.language.catalogue import both
from nqp_spatial.shared.checks import to_numbers
from nqp_spatial.shared.frames import one_level, refuse_unlabelled
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import Note
from nqp_spatial.shared.source import Source, loaded
from nqp_spatial.shared.values import Key

DIRECTIONS = ("positive", "negative")
_GROUP_KEYS = ("name", "label", "groups", "indicators")
_INDICATOR_KEYS = ("name", "label", "column", "direction", "unit", "explanation")

Label = Mapping[str, str]  # language -> words


@dataclass(frozen=True)
class Indicator:
    """One column and whether more of it is better (``positive``) or worse (``negative``).

    ``unit`` and ``explanation``, how it is measured, are for tables; empty where nobody said.
    """

    name: str
    column: str
    direction: str
    label: Label
    unit: Label = field(default_factory=dict)
    explanation: Label = field(default_factory=dict)


@dataclass(frozen=True)
class IndicatorGroup:
    """Indicators that belong together, or smaller groups of them."""

    name: str
    label: Label
    indicators: tuple[Indicator, ...]
    groups: tuple[IndicatorGroup, ...]

    def members(self) -> tuple[Indicator, ...]:
        """The group's own indicators, then those of its sub-groups."""
        return self.indicators + tuple(i for g in self.groups for i in g.members())


@dataclass(frozen=True)
class IndicatorSystem:
    """A tree of groups with indicators as its leaves.

    In YAML a system has a ``name``, an optional ``label`` (words, or words by language) and
    ``groups``. A group has a ``name`` and either ``indicators`` or, for a third level,
    ``groups`` again. An indicator has a ``name``, a ``direction`` (``positive`` or ``negative``)
    and, where it differs from the name, a ``column``; ``unit`` and ``explanation`` are printed::

        name: nqp
        groups:
          - name: green
            label: {en: Green productivity, zh: 绿色生产力}
            indicators:
              - {name: sewage, direction: positive}
              - name: so2
                column: so2_per_gdp
                direction: negative
                unit: {en: kg, zh: 千克}
                explanation: Industrial SO2 per 10,000 yuan of GDP
    """

    name: str
    label: Label
    groups: tuple[IndicatorGroup, ...]

    @classmethod
    def from_yaml(cls, path: str | Path) -> IndicatorSystem:
        """Read and check a system.

        Raises
        ------
        StudyFileError
            The file is absent, not UTF-8 or not YAML, or a key or value is wrong; the message
            names the file, line and key, and the nearest valid word.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
            data, node = loaded(text)
        except FileNotFoundError as error:
            raise StudyFileError(f"There is no indicator file {str(path)!r}.") from error
        except UnicodeDecodeError as error:
            raise StudyFileError(f"{path.name} is not UTF-8. Save it again as UTF-8.") from error
        except yaml.YAMLError as error:
            raise StudyFileError(f"{path.name} is not valid YAML: {error}") from error
        source = Source(path, text, node)
        source.check_keys()
        return _system(data, source)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> IndicatorSystem:
        """Check a system given as nested dictionaries and lists, laid out as in YAML.

        Raises
        ------
        StudyFileError
            A key or value is wrong; the message names it and the nearest valid word.
        """
        return _system(data, Source(Path("indicator system")))

    @classmethod
    def from_directions(
        cls, directions: Mapping[str, str], *, name: str = "index"
    ) -> IndicatorSystem:
        """A system of one unnamed level from column -> direction."""
        if not isinstance(directions, Mapping):
            raise OptionError(
                f"Expected a direction for each column, got a {type(directions).__name__}. Type "
                "{'gdp': 'positive', 'so2': 'negative'}."
            )
        indicators = [_said(c, d) for c, d in directions.items()]
        group = {"name": "all", "indicators": indicators}
        return _system({"name": name, "groups": [group]}, Source(Path("directions")))

    @classmethod
    def of(
        cls, given: Sequence[str] | Mapping[str, Any], *, name: str = "index"
    ) -> IndicatorSystem:
        """A system from what is shorter to write than its file.

        Parameters
        ----------
        given : sequence of str, or mapping
            Columns, all of them positive; column -> direction, or keys of an indicator with its
            direction, unit and explanation; group -> (column -> these); or the keys of a file.
        name : str
            Where ``given`` has none.
        """
        if not isinstance(given, Mapping):
            return cls.from_directions(dict.fromkeys(given, "positive"), name=name)
        if isinstance(given.get("groups"), list):
            return cls.from_dict({"name": name, **given})
        if not any(is_group(value) for value in given.values()):
            return cls.from_directions(given, name=name)
        groups = [
            {"name": group, "indicators": [_said(c, d) for c, d in own.items()]}
            for group, own in given.items()
        ]
        return cls.from_dict({"name": name, "groups": groups})

    @property
    def indicators(self) -> tuple[Indicator, ...]:
        """All indicators, in the order of the file."""
        return tuple(i for group in self.groups for i in group.members())

    @property
    def columns(self) -> list[str]:
        """The table's columns that the system needs."""
        return [indicator.column for indicator in self.indicators]

    @property
    def directions(self) -> dict[str, str]:
        """Column -> ``"positive"`` or ``"negative"``."""
        return {indicator.column: indicator.direction for indicator in self.indicators}

    def walk(self) -> Iterator[tuple[IndicatorGroup, str]]:
        """Every group with its parent's name (empty at the top), parents first."""
        for group in self.groups:
            yield from _walk(group, "")


def is_group(value: object) -> bool:
    """Whether what stands below a name is indicators, rather than a direction or their keys."""
    return isinstance(value, Mapping) and not isinstance(value.get("direction"), str)


def _said(column: str, given: object) -> Mapping[str, object]:
    """The keys of an indicator, which may be its direction alone."""
    if isinstance(given, Mapping):
        return {"name": column, **given}
    return {"name": column, "direction": given}


def _walk(group: IndicatorGroup, parent: str) -> Iterator[tuple[IndicatorGroup, str]]:
    yield group, parent
    for child in group.groups:
        yield from _walk(child, group.name)


def _system(data: object, source: Source) -> IndicatorSystem:
    table = _mapping(data, ("name", "label", "groups"), (), source)
    name = _text(table, "name", (), source)
    groups = tuple(
        _group(item, ("groups", i), source)
        for i, item in enumerate(_list(table, "groups", (), source))
    )
    system = IndicatorSystem(name, _label(table, name, (), source), groups)
    names = [i.name for i in system.indicators] + [g.name for g, _ in system.walk()]
    _refuse_twice("name", names, source)
    _refuse_twice("column", system.columns, source)
    return system


def _group(data: object, path: Key, source: Source) -> IndicatorGroup:
    table = _mapping(data, _GROUP_KEYS, path, source)
    name = _text(table, "name", path, source)
    if ("groups" in table) == ("indicators" in table):
        raise source.error(
            path, f"group {name!r} needs either 'indicators' or 'groups', and not both."
        )
    kind, read = ("groups", _group) if "groups" in table else ("indicators", _indicator)
    children = [
        read(item, (*path, kind, i), source)
        for i, item in enumerate(_list(table, kind, path, source))
    ]
    return IndicatorGroup(
        name,
        _label(table, name, path, source),
        tuple(c for c in children if isinstance(c, Indicator)),
        tuple(c for c in children if isinstance(c, IndicatorGroup)),
    )


def _indicator(data: object, path: Key, source: Source) -> Indicator:
    table = _mapping(data, _INDICATOR_KEYS, path, source)
    name = _text(table, "name", path, source)
    direction = _text(table, "direction", path, source)
    if direction not in DIRECTIONS:
        raise source.error(
            (*path, "direction"),
            f"{direction!r} of indicator {name!r} is not a direction. Use 'positive' (more is "
            f"better) or 'negative' (less is better).{suggest(direction, DIRECTIONS)}",
        )
    column = _text(table, "column", path, source) if "column" in table else name
    more = [_words(table.get(key, {}), (*path, key), source) for key in ("unit", "explanation")]
    return Indicator(name, column, direction, _label(table, name, path, source), *more)


def _mapping(
    data: object, known: tuple[str, ...], path: Key, source: Source
) -> Mapping[str, object]:
    """``data`` if it maps known keys only."""
    if not isinstance(data, Mapping):
        raise source.error(path, f"expected the keys {', '.join(known)}, found {data!r}.")
    for key in data:
        if key not in known:
            raise source.error(
                (*path, key),
                f"the key {key!r} is not known. Use {', '.join(known)}.{suggest(key, known)}",
            )
    return data


def _text(table: Mapping[str, object], key: str, path: Key, source: Source) -> str:
    if key not in table:
        raise source.error(path, f"the key {key!r} is missing. Found {first(table)}.")
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise source.error(
            (*path, key), f"expected text, found {value!r}. Put it in quotes if it is a name."
        )
    return value


def _list(table: Mapping[str, object], key: str, path: Key, source: Source) -> list[object]:
    value = table.get(key)
    if not isinstance(value, list) or not value:
        raise source.error(
            (*path, key), f"expected a list with at least one item, found {value!r}."
        )
    return value


def _label(table: Mapping[str, object], name: str, path: Key, source: Source) -> Label:
    """Words by language; one text serves English, and the name stands in where none is given."""
    return _words(table.get("label", name), (*path, "label"), source)


def _words(given: object, path: Key, source: Source) -> Label:
    """Words by language; one text serves English."""
    if isinstance(given, str):
        return {"en": given}
    if isinstance(given, Mapping) and all(isinstance(word, str) for word in given.values()):
        return {str(language): str(word) for language, word in given.items()}
    raise source.error(path, f"expected text or text by language, found {given!r}.")


# ---------------------------------------------------------------- the table of a system


def indicator_table(system: IndicatorSystem, weights: pd.Series) -> pd.DataFrame:
    """Every indicator with the groups above it, what it is, and the weights of all levels.

    Parameters
    ----------
    system : IndicatorSystem
    weights : Series
        By name of the indicator, with sum one.

    Returns
    -------
    DataFrame
        One row an indicator in the order of the system: ``group_1`` and ``weight_1``, the sum of
        the weights in it, and so on for each level that some indicator has; ``indicator``,
        ``explanation``, ``unit``, ``direction``, ``weight``. Weights in per cent; names are
        `Note`s, in no language yet. Without groups of its own a system has no column for them, nor
        one for units or explanations that nobody gave.
    """
    paths = list(_paths(system.groups, ()))
    depth = max(len(path) for path, _ in paths)
    alone = depth == 1 and len(system.groups) == 1  # one group, which is the whole
    columns: dict[str, list[object]] = {}
    for level in range(0 if alone else depth):
        groups = [path[level] if level < len(path) else None for path, _ in paths]
        columns[f"group_{level + 1}"] = ["" if g is None else _note(g.label) for g in groups]
        columns[f"weight_{level + 1}"] = [
            "" if g is None else 100 * float(weights[[i.name for i in g.members()]].sum())
            for g in groups
        ]
    own = [indicator for _, indicator in paths]
    columns["indicator"] = [_note(i.label) for i in own]
    for name, given in (
        ("explanation", [i.explanation for i in own]),
        ("unit", [i.unit for i in own]),
    ):
        if any(given):
            columns[name] = [_note(words) if words else "" for words in given]
    columns["direction"] = [both(f"index_weights.{i.direction}") for i in own]
    frame = pd.DataFrame({n: pd.Series(cells, dtype=object) for n, cells in columns.items()})
    frame["weight"] = [100 * float(weights[i.name]) for i in own]
    return frame


def as_printed(table: pd.DataFrame) -> pd.DataFrame:
    """The table of indicators with each group named once, where it begins."""
    found = table.copy()
    levels = [name for name in table if str(name).startswith("group_")]
    same = pd.Series(True, table.index)
    for name in levels:
        same &= (table[name] == table[name].shift()).astype(bool)
        found.loc[same, [name, name.replace("group", "weight")]] = ""
    return found


def _paths(
    groups: Sequence[IndicatorGroup], above: tuple[IndicatorGroup, ...]
) -> Iterator[tuple[tuple[IndicatorGroup, ...], Indicator]]:
    """Every indicator with the groups above it, the widest first."""
    for group in groups:
        path = (*above, group)
        for indicator in group.indicators:
            yield path, indicator
        yield from _paths(group.groups, path)


def _note(words: Label) -> Note:
    """Words by language as a sentence; one language stands for the other where it is alone."""
    english = words.get("en", next(iter(words.values())))
    return Note(english, words.get("zh", english))


def _refuse_twice(kind: str, words: list[str], source: Source) -> None:
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise source.error(
            (), f"the {kind} {first(twice)} is used more than once. Each indicator needs its own."
        )


# ---------------------------------------------------------------- columns of indicators


def indicator_columns(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The named columns as floats, every cell checked and none changed.

    Parameters
    ----------
    frame : DataFrame
        One row per observation; row labels must not repeat.
    columns : sequence of str

    Returns
    -------
    DataFrame, shape (nobs, len(columns)), dtype float64

    Raises
    ------
    DataError
        A column is absent or occurs twice, or there are fewer than two rows.
    DuplicateKeysError, NotNumericError, MissingValuesError, InfiniteValuesError
        As their names say; each message has the column and the first rows.
    ConstantColumnError
        A column does not vary.
    """
    check_frame(frame)
    _check_labels(frame, columns)
    table = pd.DataFrame({column: _floats(frame[column], column) for column in columns})
    table.index = frame.index
    _check_cells(table)
    check_varies(table)
    return table


def check_frame(frame: object) -> None:
    """Raise `NotNumericError` for anything but a DataFrame: unlabelled numbers are refused."""
    refuse_unlabelled(frame, "frame")
    if not isinstance(frame, pd.DataFrame):
        raise NotNumericError(
            f"Expected a DataFrame with one column per indicator, got {type(frame).__name__}."
        )
    one_level(frame, "frame")


def check_varies(table: pd.DataFrame, where: str = "") -> None:
    """Raise `ConstantColumnError` for columns that are constant up to rounding."""
    values = table.to_numpy()
    spread = np.ptp(values, axis=0)
    constant = spread <= 1e-12 * np.abs(values).max(axis=0)
    if constant.any():
        raise ConstantColumnError(
            f"{first(table.columns[constant])} {_do(constant, 'is', 'are')} constant{where}: an "
            "indicator that does not vary tells no two rows apart. Remove it from the system."
        )


def _check_labels(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Columns exist once each, rows are at least two and labelled once each."""
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        raise DataError(
            f"The table has no column {first(absent)}."
            + suggest(absent[0], frame.columns)
            + f" Its columns are {first(frame.columns, 12)}."
        )
    twice = [column for column in columns if (frame.columns == column).sum() > 1]
    if twice:
        raise DataError(
            f"The table has more than one column named {first(twice)}. Rename or drop one."
        )
    if len(frame) < 2:
        raise DataError(f"The table has {len(frame)} row; an index needs at least two to compare.")
    if not frame.index.is_unique:
        repeated = frame.index[frame.index.duplicated()].unique()
        raise DuplicateKeysError(
            f"{len(repeated)} row label(s) occur more than once: {first(repeated)}. "
            "Every row counts in the weights, so each observation must be there once."
        )


def _floats(column: pd.Series, name: str) -> pd.Series:
    """A numeric column as float64, missing values as nan."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        values = column.dropna()
        text = values[[not isinstance(value, int | float) for value in values]]
        example = f", first {text.iloc[0]!r} in row {first([text.index[0]])}" if len(text) else ""
        raise NotNumericError(
            f"Column {name!r} holds {column.dtype}, not numbers{example}. "
            + to_numbers(column, name)
        )
    return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), index=column.index)


def _check_cells(table: pd.DataFrame) -> None:
    """No cell is missing, none infinite."""
    missing, infinite = table.isna(), table.abs() == np.inf
    if missing.to_numpy().any():
        raise MissingValuesError(
            f"{_where(missing)} missing. Entropy and component weights use every row of every "
            "indicator. Interpolate or drop those rows before, so that it is on record."
        )
    if infinite.to_numpy().any():
        raise InfiniteValuesError(
            f"{_where(infinite)} infinite, most often a logarithm or ratio of zero. "
            "Correct or drop those rows before."
        )


def _where(mask: pd.DataFrame) -> str:
    """``3 cells are``, with the first ones named: column and row."""
    cells = [
        f"{column!r} in row {first([row])}"
        for column in mask
        for row in mask.index[mask[column].to_numpy()]
    ]
    more = f" and {len(cells) - 3} more" if len(cells) > 3 else ""
    return (
        f"{len(cells)} cell(s) ({'; '.join(cells[:3])}{more}) {'is' if len(cells) == 1 else 'are'}"
    )


def _do(mask: np.ndarray, one: str, many: str) -> str:
    return one if int(mask.sum()) == 1 else many
