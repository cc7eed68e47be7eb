"""Rows and labels of panel regressions: what y, x, categories and clusters must satisfy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DuplicateKeysError, EstimationError, OptionError
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import labels_of
from nqp_spatial.shared import checks
from nqp_spatial.shared.ids import same_ids
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option


def plain_index(index: pd.MultiIndex) -> pd.MultiIndex:
    """The index, text and categorical periods as 0, 1, ...: linearmodels takes numbers or dates."""
    periods = index.levels[1]
    text = pd.api.types.is_object_dtype(periods) or pd.api.types.is_string_dtype(periods)
    if not text and not isinstance(periods.dtype, pd.CategoricalDtype):
        return index
    codes = pd.factorize(index.get_level_values(1), sort=True)[0]
    return pd.MultiIndex.from_arrays([index.get_level_values(0), codes], names=index.names)


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


def categories(values: pd.Series | pd.DataFrame | None, keys: Keys) -> pd.DataFrame | None:
    """Categories on the rows of a sample, complete."""
    if values is None:
        return None
    frame = labels_of(values, keys, "other_effects")
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
    same_ids(entities.unique(), labels.index, "y", "clusters")
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
