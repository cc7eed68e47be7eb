"""Names and codes of Chinese cities, of any year and spelling, to the units of `load_cities`.

Every rule is exact after spelling is normalised; what remains open is reported as ambiguous or
unmatched, with suggestions, and never decided by similarity. The rules themselves are in
`_gazetteer`; this module takes lists and Series apart and puts the report together.
"""

from __future__ import annotations

import html
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from nqp_spatial.cities.gazetteer import Match, gazetteer
from nqp_spatial.cities.layers import province_code
from nqp_spatial.exceptions import DataError, DataWarning, MatchError
from nqp_spatial.shared.frames import as_pandas, table_of
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.options import check_options

_COLUMNS = [
    *("input", "adcode", "name_zh", "rule", "status", "candidates", "suggestions", "note"),
    *("rows", "duplicate", "province", "year"),
]


@dataclass(frozen=True, eq=False, repr=False)
class CityMatch:
    """What `match_cities` found.

    Attributes
    ----------
    codes : Series of Int64
        One adcode per input, in the order given; missing where nothing was matched for certain. The
        index is that of the Series given, or the inputs themselves for a list.
    report : DataFrame
        One row per distinct input (with its province and year), in order of appearance:
        ``input``, ``adcode``, ``name_zh``, ``rule`` (how it was matched), ``status`` (matched,
        ambiguous, unmatched), ``candidates`` (adcodes), ``suggestions`` (nearest names, for
        the reader only), ``note``, ``rows`` (how often it occurs), ``duplicate`` (another input
        of the same year has the same adcode), ``province``, ``year``.
    """

    codes: pd.Series[Any]
    report: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether every input was matched."""
        return bool((self.report["status"] == "matched").all())

    def require(self) -> pd.Series[Any]:
        """Return `codes` if every input was matched.

        Raises
        ------
        MatchError
            Names the first unmatched and ambiguous inputs, with suggestions and candidates.

        Warns
        -----
        DataWarning
            If a unit that was merged and its successor both occur, so that two inputs share a code.
        """
        if not self.ok:
            raise MatchError(self._complaint())
        double = self.report[self.report["duplicate"]]
        merged = double.loc[double["rule"] == "merged", "adcode"].unique()
        if len(merged):
            involved = double.loc[double["adcode"].isin(merged), "input"]
            warnings.warn(
                f"{first(involved)} share an adcode, because a unit was merged into another. Add "
                "their counts or drop one on purpose; rates and shares must not be added.",
                DataWarning,
                stacklevel=2,
            )
        return self.codes

    def _complaint(self) -> str:
        """The text of the error: what is open, and what to type next."""
        label, parts = gazetteer().label, []
        unmatched = self.report[self.report["status"] == "unmatched"]
        if len(unmatched):
            named = [
                f"{row.input!r} ({', '.join(row.suggestions) or row.note})"
                for row in unmatched.itertuples()
            ]
            parts.append(
                f"{len(named)} of {len(self.report)} names have no unit (in brackets the nearest): "
                f"{_list(named)}."
            )
        ambiguous = self.report[self.report["status"] == "ambiguous"]
        if len(ambiguous):
            named = [
                f"{row.input!r} ({' or '.join(map(label, row.candidates))})"
                for row in ambiguous.itertuples()
            ]
            parts.append(f"{len(named)} of {len(self.report)} are ambiguous: {_list(named)}.")
        parts.append("Correct the names, pass province= for homonyms; .report has the reasons.")
        return " ".join(parts)

    def __str__(self) -> str:
        count = self.report["status"].value_counts()
        known = (f"{count[s]} {s}" for s in ("matched", "ambiguous", "unmatched") if s in count)
        double = int(self.report["duplicate"].sum())
        shared = f"; {double} share an adcode with another" if double else ""
        return f"CityMatch: {', '.join(known) or 'no names'}{shared}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the summary, and the rows that need a decision."""
        table = self.report[(self.report["status"] != "matched") | self.report["duplicate"]]
        shown = table.head(20).to_html(index=False) if len(table) else ""
        return f"<p>{html.escape(str(self))}</p>{shown}"


def _list(named: list[str], n: int = 5) -> str:
    return ", ".join(named[:n]) + (f" and {len(named) - n} more" if len(named) > n else "")


def match_cities(
    names: Any,
    *,
    year: Any = None,
    level: Literal["unit", "city"] = "unit",
    province: Any = None,
    counties: bool = False,
) -> CityMatch:
    """Match names or codes of Chinese cities to the adcodes of `load_cities`.

    Understood are codes of GB/T 2260 since 1980 (number or text, 4, 6, 9 or 12 digits), Chinese
    names in full or short, simplified or traditional, with or without the province, former names,
    and names in pinyin or customary English spelling. Homonyms (Suzhou) are ambiguous unless
    ``province`` decides, divided units (巢湖, in 2011) are always; counties and county-level cities
    (昆山, 大理市) are unmatched. Nothing is matched by similarity.

    Parameters
    ----------
    names : str, or list, Index, array or Series of str or int
        May repeat, as in a city-year table.
    year : int, or one per name, optional
        Year the names and codes are from: decides codes that were used twice, and adds to ``note``
        what was true in that year.
    level : {"unit", "city"}
        ``"city"`` matches prefecture-level cities and municipalities only.
    province : str, one per name, or dict of name to province, optional
        Chinese or English; a match in another province is refused.
    counties : bool
        Whether the code of a county (320583) stands for its prefecture-level unit (320500).

    Returns
    -------
    CityMatch
        ``.codes``, ``.report``, ``.ok`` and ``.require()``.

    Raises
    ------
    OptionError
        If ``level`` or a province is unknown.
    DataError
        If ``year`` or ``province`` does not have one value per name.

    Examples
    --------
    >>> match_cities(["襄樊", "Xi'an", 371200]).codes.tolist()
    [420600, 610100, 370100]
    >>> match_cities(["Suzhou"], province="Anhui").codes.tolist()
    [341300]
    """
    check_options(match_cities, level=level)
    values, index = _inputs(names)
    provinces = _aligned(province, names, values, "province")
    years = [_year(value) for value in _aligned(year, names, values, "year")]
    keys = [(type(v).__name__, v, p, y) for v, p, y in zip(values, provinces, years, strict=True)]
    found = {key: _resolve(key, level, counties) for key in dict.fromkeys(keys)}
    codes = pd.Series(
        [found[key].adcode for key in keys], index=index, dtype="Int64", name="adcode"
    )
    return CityMatch(codes, _report(found, keys))


def with_adcodes(
    table: pd.DataFrame,
    column: str,
    *,
    year: int | None = None,
    level: Literal["unit", "city"] = "unit",
    province: str | None = None,
    counties: bool = False,
) -> pd.DataFrame:
    """A table with the adcodes of `load_cities` in place of names or codes of any year.

    Parameters
    ----------
    table : DataFrame
        Not changed.
    column : str
        With the names or codes.
    year, level, counties
        As in `match_cities`.
    province : str, optional
        The column with the province of each row, which decides homonyms.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        There is no such column.
    MatchError
        Names what is unmatched or ambiguous: a table is never left half matched.

    Examples
    --------
    >>> table = pd.DataFrame({"city": ["襄樊", "Xi'an"], "x": [1.0, 2.0]})
    >>> with_adcodes(table, "city")["city"].tolist()
    [420600, 610100]
    """
    table = table_of(table, "table")
    for name in (column, province):
        if name is not None and name not in table.columns:
            raise DataError(
                f"There is no column {name!r}. The columns are {first(table.columns, 12)}."
                + suggest(name, table.columns)
            )
    provinces = None if province is None else table[province]
    found = match_cities(
        table[column], year=year, level=level, province=provinces, counties=counties
    )
    return table.assign(**{column: found.require().astype("int64")})


def _resolve(key: tuple[Any, ...], level: str, counties: bool) -> Match:
    """Look one input up, restricted to its province and level."""
    _, value, province, year = key
    code = None if province is None else province_code(str(province))
    return gazetteer().find(value, province=code, year=year, level=level, counties=counties)


def _year(value: Any) -> int | None:
    """A year as an int; None where none is given."""
    try:
        if value is None or int(value) == float(value):
            return None if value is None else int(value)
    except (TypeError, ValueError):
        pass
    raise DataError(f"year={value!r} is not a year. Give whole numbers such as 2015.")


def _inputs(names: Any) -> tuple[list[Any], pd.Index[Any]]:
    """The inputs as plain Python objects, and the index of the result."""
    if isinstance(names, (str, int, np.integer)):
        names = [names]
    names = as_pandas(names)
    if isinstance(names, (pd.DataFrame, Mapping)):
        raise DataError(
            f"names is a {type(names).__name__}. Give one column of it, for example frame['city']."
        )
    if not isinstance(names, Iterable):
        raise DataError(f"names is a {type(names).__name__}. Give a list or a column of names.")
    values = [_plain(value) for value in names]
    return values, names.index if isinstance(names, pd.Series) else pd.Index(values, dtype=object)


def _plain(value: Any) -> Any:
    """A Python object instead of a numpy scalar, and None for every kind of missing value."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (str, int, float)) or value is None:
        return None if value != value else value
    return None if value is pd.NA or value is pd.NaT else repr(value)


def _aligned(option: Any, names: Any, values: list[Any], label: str) -> list[Any]:
    """One value of an option per input: a scalar is repeated, a dict is looked up by input."""
    if option is None or isinstance(option, (str, int, float, np.number)):
        return [_plain(option)] * len(values)
    if isinstance(option, Mapping):
        unknown = [key for key in option if key not in values]
        if unknown:
            raise DataError(
                f"{label} has inputs that do not occur in names: {first(unknown)}. "
                "Use the same spelling."
            )
        return [_plain(option.get(value)) for value in values]
    both = isinstance(option, pd.Series) and isinstance(names, pd.Series)
    if both and not option.index.equals(names.index):
        raise DataError(
            f"{label} is a Series with another index than names. Take both from one frame, or "
            f"pass {label}.tolist() if the order is the same."
        )
    listed = [_plain(value) for value in option]
    if len(listed) != len(values):
        raise DataError(
            f"{label} has {len(listed)} values for {len(values)} names. Give one per name."
        )
    return listed


def _report(found: dict[tuple[Any, ...], Match], keys: list[tuple[Any, ...]]) -> pd.DataFrame:
    """One row per distinct input; the columns of `CityMatch.report`."""
    book, count = gazetteer(), Counter(keys)
    rows = []
    for key, m in found.items():
        near = book.suggest(key[1]) if m.status == "unmatched" else ()
        rows.append(
            (
                *(key[1], m.adcode, book.name_zh(m.adcode), m.rule, m.status, m.candidates),
                *(near, m.note, count[key], False, key[2], key[3]),
            )
        )
    report = pd.DataFrame(rows, columns=_COLUMNS).astype({"adcode": "Int64", "year": "Int64"})
    report["input"] = pd.Series([key[1] for key in found], dtype=object)  # None stays None
    double = report.duplicated(["adcode", "year"], keep=False)
    report["duplicate"] = report["adcode"].notna() & double
    return report
