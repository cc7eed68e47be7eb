"""Rows and labels of panel regressions: what y, x, categories and clusters must satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, DuplicateKeysError, EstimationError, OptionError
from nqp_spatial.panel import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option


def panel_notes(*columns: pd.Series | pd.DataFrame) -> tuple[str, ...]:
    """What the data say that readers must be told, once each."""
    notes: list[str] = []
    for attrs in (values.attrs for values in columns):
        note = attrs.get("note")
        notes += [*attrs.get("notes", ()), *([note] if isinstance(note, str) else [])]
    return tuple(dict.fromkeys(notes))


def plain_index(index: pd.MultiIndex) -> pd.MultiIndex:
    """The index, text and categorical periods as 0, 1, ...: linearmodels takes numbers or dates."""
    periods = index.levels[1]
    text = pd.api.types.is_object_dtype(periods) or pd.api.types.is_string_dtype(periods)
    if not text and not isinstance(periods.dtype, pd.CategoricalDtype):
        return index
    codes = pd.factorize(index.get_level_values(1), sort=True)[0]
    return pd.MultiIndex.from_arrays([index.get_level_values(0), codes], names=index.names)


def checked(y: pd.Series, x: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Both numeric and complete, on one sorted index."""
    if isinstance(y, pd.DataFrame):
        raise DataError("y is a DataFrame. Give one column: frame['name'].")
    names = [str(column) for column in x.columns]
    if not names:
        raise OptionError("x has no columns. Give at least one regressor.")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise OptionError(f"The regressor name {repeated[0]!r} repeats. Rename one of them.")
    if len(y) == 0:
        raise DataError("y has no rows.")
    for values, role in ((y, "y"), (x, "x")):
        checks.complete_keys(values.index, role)
        checks.unique_keys(values.index, role)
    checks.same_rows(y.index, x.index, "y", "x")
    y = y.rename("y") if y.name is None else y
    checks.usable_column(y, str(y.name))
    for name in x.columns:
        checks.usable_column(x[name], str(name))
    y = y.sort_index().astype(float)
    return y, x.reindex(y.index).astype(float).rename(columns=str)


def check_variances(cov: pd.DataFrame, cov_type: str = "clustered") -> None:
    """Raise if a variance is negative, as two-way clustering with few clusters may have it."""
    negative = cov.columns[np.diag(cov) < 0]
    if len(negative) and cov_type != "clustered":
        raise EstimationError(
            f"cov_type={cov_type!r} gives {first(negative)} a negative variance, which a kernel "
            "that is not positive definite may do. Use kernel='bartlett', or another cutoff or "
            "bandwidth."
        )
    if len(negative):
        raise EstimationError(
            f"The clustered variance of {first(negative)} is negative: two-way clustering adds two "
            "covariances and subtracts a third, which fails with few clusters. Cluster in one "
            "dimension."
        )


def categories(
    values: pd.Series | pd.DataFrame | None, index: pd.MultiIndex
) -> pd.DataFrame | None:
    """Categories on the index of y, as codes, complete."""
    if values is None:
        return None
    frame = labels_on(values, index, "other_effects")
    for name in frame.columns:
        if frame[name].isna().any():
            where = first(frame.index[frame[name].isna()], 3)
            raise OptionError(f"other_effects {name!r} is empty at {where}. Complete it.")
    return frame.astype("category")


def cluster_labels(clusters: Any, index: pd.MultiIndex) -> pd.DataFrame:
    """One or two columns of cluster codes on ``index``."""
    if isinstance(clusters, pd.Series | pd.DataFrame):
        frame = labels_on(_by_row(clusters, index), index, "clusters")
    else:
        names = [clusters] if isinstance(clusters, str) else clusters
        if not isinstance(names, Sequence):
            raise OptionError(
                f"clusters is a {type(clusters).__name__}. Give 'entity', 'time', both in a list, "
                "or a Series of labels by entity or by (entity, time)."
            )
        for name in names:
            check_option("clusters", name, ("entity", "time"))
        levels = {"entity": 0, "time": 1}
        frame = pd.DataFrame({n: index.get_level_values(levels[n]) for n in names}, index=index)
    if not 1 <= frame.shape[1] <= 2:
        raise OptionError(f"{frame.shape[1]} cluster dimensions were given; use one or two.")
    if frame.isna().any().any():
        where = first(frame.index[frame.isna().any(axis=1)], 3)
        raise OptionError(f"clusters are empty at {where}. Every row needs a cluster.")
    return frame.apply(lambda column: pd.Series(pd.factorize(column)[0], index=index)).rename(
        columns=str
    )


def _by_row(labels: pd.Series | pd.DataFrame, index: pd.MultiIndex) -> pd.Series | pd.DataFrame:
    """Labels by (entity, time); those given by entity are repeated in its periods."""
    if isinstance(labels.index, pd.MultiIndex):
        return labels
    if labels.index.has_duplicates:
        twice = first(labels.index[labels.index.duplicated()], 3)
        raise DuplicateKeysError(
            f"clusters have more than one label for {twice}. Keep one row of each entity."
        )
    entities = index.get_level_values(0)
    checks.same_ids(entities.unique(), labels.index, "y", "clusters")
    return labels.reindex(entities).set_axis(index)


def labels_on(values: pd.Series | pd.DataFrame, index: pd.MultiIndex, role: str) -> pd.DataFrame:
    """Labels matched by (entity, time); columns without a name get that of their role."""
    checks.panel_index(values, role)
    checks.unique_keys(values.index, role)
    checks.same_rows(index, values.index, "y", role)
    frame = values.to_frame(values.name or role) if isinstance(values, pd.Series) else values
    if not frame.columns.is_unique:
        raise OptionError(f"{role} has a column name twice: {first(frame.columns)}. Rename one.")
    return frame.reindex(index)
