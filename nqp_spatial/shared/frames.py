"""Tables of other libraries - polars, Arrow, DuckDB and whatever narwhals knows - as pandas.

They have no index. A table whose function names its columns (a panel with ``entity=`` and
``time=``, flows, memberships, pages to print) comes in as it is; where rows are found by the label
of an entity alone, the first column is that label; where they are found by (entity, time), a panel
has to be made first.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial.exceptions import DataError
from nqp_spatial.shared.messages import first

_KNOWN = ("pandas", "geopandas", "numpy", "scipy", "libpysal", "shapely", "builtins", "nqp_spatial")


def is_foreign(values: Any) -> bool:
    """Whether ``values`` are a table or a column of another library than pandas."""
    if type(values).__module__.split(".")[0] in _KNOWN:
        return False
    import narwhals.stable.v2 as nw

    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return True
    return nw.from_native(values, pass_through=True, allow_series=True) is not values


def as_pandas(values: Any) -> Any:
    """A table or a column of another library as pandas; anything else as it is.

    Parameters
    ----------
    values : any
        A DataFrame, LazyFrame, relation, Table or Series. What is lazy is computed, whole.

    Returns
    -------
    DataFrame, Series, or ``values`` itself
        Nulls are missing as NaN is, decimals are floats, dates are datetime64, categories with an
        order keep it and others are plain text. An Arrow table that was made from pandas gets its
        index back.
    """
    if not is_foreign(values):
        return values
    import narwhals.stable.v2 as nw

    table = nw.from_native(values, pass_through=True, allow_series=True)
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if isinstance(table, nw.Series):
        name = table.name
        return _plain(table.alias("_").to_frame())["_"].rename(name or None)
    if not isinstance(table, nw.DataFrame):
        table = _from_arrow(values)
        if table is None:
            return values
    return _plain(table)


def _from_arrow(values: Any) -> Any:
    """What speaks Arrow and narwhals does not know, such as a record batch; None for one array."""
    import narwhals.stable.v2 as nw

    try:
        return nw.DataFrame.from_arrow(values, backend="pyarrow")
    except (TypeError, ValueError):
        return None


def _plain(table: Any) -> pd.DataFrame:
    import narwhals.stable.v2 as nw

    frame: pd.DataFrame = table.to_pandas()
    for name, dtype in table.schema.items():
        if name not in frame.columns:  # it is in the index
            continue
        if dtype == nw.Decimal:
            frame[name] = frame[name].astype(float)
        elif dtype == nw.Date:
            frame[name] = frame[name].astype("datetime64[ms]")
        elif dtype == nw.Boolean and frame[name].dtype == object:
            frame[name] = frame[name].astype("boolean")
    return plain_labels(frame)


def plain_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with categories that have no order as what they stand for: a way to store them."""
    stored = {
        name: dtype.categories.dtype
        for name, dtype in frame.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype) and not dtype.ordered
    }
    return frame.astype(stored) if stored else frame


def frame_of(values: Any) -> Any:
    """The frame of a panel; a table may have a column of that name, and is itself."""
    if isinstance(values, pd.DataFrame | pd.Series):
        return values
    return getattr(values, "frame", values)


def table_of(values: Any, role: str) -> pd.DataFrame:
    """A table of any library, or the frame of a panel, as a pandas DataFrame.

    Raises
    ------
    DataError
        It is no table.
    """
    found = as_pandas(frame_of(values))
    if not isinstance(found, pd.DataFrame):
        raise DataError(f"{role} is a {named(values)}. Give a DataFrame.")
    return found


def by_label(values: Any, role: str) -> Any:
    """As `as_pandas`, for rows that are found by entity: the first column is the index.

    Raises
    ------
    DataError
        The first column has no label for each row; or it is a column alone, which has none.
    """
    if not is_foreign(values):
        return values
    found = as_pandas(values)
    plain = isinstance(getattr(found, "index", None), pd.RangeIndex)
    if isinstance(found, pd.DataFrame) and (not plain or found.index.name is not None):
        return found
    if not isinstance(found, pd.DataFrame) or found.shape[1] < 2:
        raise DataError(
            f"{role} is a {named(values)} without labels of its rows. Give a frame with the ids in "
            "the first column, or a pandas Series indexed by entity."
        )
    ids = found.iloc[:, 0]
    if ids.isna().any() or not ids.is_unique or ids.dtype.kind not in "iuOTM" and not _text(ids):
        raise DataError(
            f"{role} is a {named(values)}, whose first column is taken as the ids of its rows, and "
            f"{ids.name!r} ({first(ids, 3)}) is not one label each. Put the ids first."
        )
    return found.set_index(str(ids.name)).rename_axis(None)


def _text(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)


def one_column(values: Any, role: str) -> Any:
    """As `by_label`, for one value each: a frame of ids and values gives a Series."""
    if not is_foreign(values):
        return values
    found = by_label(values, role)
    if isinstance(found, pd.DataFrame) and found.shape[1] == 1:
        return found.iloc[:, 0]
    return found


def refuse_unlabelled(values: Any, role: str) -> None:
    """Raise `DataError` for a table without an index, where (entity, time) is needed."""
    if is_foreign(values):
        raise DataError(
            f"{role} is a {named(values)}, which has no index: its rows could be in any order. "
            "Make a panel first, panel = nqp.PanelData.from_frame(frame, entity='city', "
            "time='year'), and take columns of it, panel['name'], or panel.frame."
        )


def one_level(values: pd.Series | pd.DataFrame, role: str) -> None:
    """Raise `DataError` if columns have names of several levels, which a result cannot have."""
    if isinstance(values, pd.DataFrame) and values.columns.nlevels > 1:
        raise DataError(
            f"{role} has columns with names of {values.columns.nlevels} levels, first "
            f"{first(values.columns[:1])}. Join them: "
            "frame.columns = ['_'.join(map(str, name)) for name in frame.columns]."
        )
    if isinstance(values, pd.Series) and isinstance(values.name, tuple):
        raise DataError(
            f"{role} is called {values.name!r}, a name of {len(values.name)} levels. Give it one: "
            f"{role}.rename({'_'.join(map(str, values.name))!r})."
        )


def named(values: Any) -> str:
    """What values are, with the library if it is not one that everybody here has."""
    kind = type(values)
    library = kind.__module__.split(".")[0]
    return kind.__name__ if library in _KNOWN else f"{library.lstrip('_')} {kind.__name__}"


__all__ = [
    "as_pandas",
    "by_label",
    "frame_of",
    "is_foreign",
    "named",
    "one_level",
    "one_column",
    "plain_labels",
    "refuse_unlabelled",
    "table_of",
]
