"""Splitting a fixed-effects regression into groups of rows, and stacking it with interactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.panel.absorbed as _fx
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    MissingValuesError,
    NqpError,
    OptionError,
)
from nqp_spatial.models.linear.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.models.scores import on_rows
from nqp_spatial.shared.frames import one_column
from nqp_spatial.shared.ids import type_hint
from nqp_spatial.shared.messages import first

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each row belongs to.

    Attributes
    ----------
    labels : list of str
        In the order of a categorical, else sorted.
    codes : array of int, shape (nobs,)
        Position of each row's label.
    by_entity : bool
        Whether no entity is in two groups.
    """

    labels: list[str]
    codes: Codes
    by_entity: bool

    @classmethod
    def from_series(cls, groups: pd.Series, index: pd.MultiIndex) -> Groups:
        """Labels by entity, or by (entity, time), on the rows of the model.

        Raises
        ------
        DataError
            By its own class and with labels: entities without a group, or with two; a group with
            one entity; fewer than two groups.
        """
        groups = one_column(groups, "groups")
        if isinstance(groups, pd.DataFrame) and groups.shape[1] == 1:
            groups = groups.iloc[:, 0]
        if not isinstance(groups, pd.Series):
            raise DataError(
                f"groups is a {type(groups).__name__}. Give a Series of labels indexed by entity, "
                "or by (entity, time): frame['region']."
            )
        values = groups.reindex(_keys(groups, index))
        if values.isna().any():
            where = first(values.index[values.isna()].unique(), 3)
            raise MissingValuesError(
                f"groups is empty at {where}. Complete it, or leave those rows out of the model."
            )
        values = values.set_axis(index)
        known = _ordered(values)
        names = [str(label) for label in known]
        if len(set(names)) < len(names):
            raise OptionError(f"Two groups have the same name: {first(known, 8)}. Rename one.")
        if len(known) < 2:
            raise OptionError(
                f"Every row is in the group {first(known)}. A comparison needs two groups."
            )
        codes = np.asarray(values.map({label: i for i, label in enumerate(known)}), dtype=np.int64)
        entity = index.get_level_values(0)
        _check_sizes(names, codes, entity)
        constant = bool(pd.Series(codes).groupby(np.asarray(index.codes[0])).nunique().max() == 1)
        return cls(names, codes, constant)

    def rows(self, label: str) -> npt.NDArray[np.bool_]:
        """Which rows are in a group, shape (nobs,)."""
        return np.asarray(self.codes == self.labels.index(label))


def _keys(groups: pd.Series, index: pd.MultiIndex) -> pd.Index:
    """Keys of the rows in the index of ``groups``, all of them present and unique there."""
    by_row = isinstance(groups.index, pd.MultiIndex)
    if by_row and groups.index.nlevels != 2:
        raise DataError("groups is not indexed by entity, or by (entity, time).")
    keys = index if by_row else index.get_level_values(0)
    repeated = groups.index[groups.index.duplicated()].unique()
    if len(repeated):
        raise DuplicateKeysError(
            f"groups has {first(repeated, 3)} more than once. Give one label each."
        )
    lacking = keys.unique().difference(groups.index)
    if len(lacking):
        kind = "(entity, time) rows" if by_row else "entities"
        hint = "" if by_row else type_hint(keys.unique(), groups.index)
        raise IdMismatchError(
            f"{len(lacking)} {kind} of the model have no group, first {first(lacking, 3)}. "
            + (hint or "Complete groups, or leave them out of the model.")
        )
    return keys


def _ordered(values: pd.Series) -> list[Any]:
    """Labels that occur, in the order of a categorical, else sorted."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return list(values.cat.remove_unused_categories().cat.categories)
    known = list(values.unique())
    try:
        return sorted(known)
    except TypeError:
        return sorted(known, key=str)


def _check_sizes(names: list[str], codes: Codes, entity: pd.Index) -> None:
    for i, name in enumerate(names):
        inside = entity[codes == i].unique()
        if len(inside) < 2:
            raise DataError(
                f"The group {name!r} has one entity, {first(inside)}: errors clustered by entity "
                "need two, and nothing can be permuted. Join it to another group, or leave it out."
            )


def check_model(model: Any) -> FixedEffects:
    """The model, if it can be fitted to a part of its rows.

    Raises
    ------
    OptionError
        Says what to do instead.
    """
    if isinstance(model, FixedEffects):
        return model
    name = type(model).__name__
    if isinstance(getattr(model, "model", None), FixedEffects):
        raise OptionError(f"model is a {name}, already fitted. Give the model: result.model.")
    if hasattr(model, "with_graph"):
        raise OptionError(
            f"{name} cannot be split: entities of one group are neighbours of the other, and "
            "would lose them. Give one model the regressor times a dummy of each group, and test "
            "with result.wald_test('x_east = x_west')."
        )
    raise OptionError(
        f"{name} cannot be fitted by group here. Give a FixedEffects or PooledOLS that is not "
        "fitted yet."
    )


def fit_groups(
    model: FixedEffects, groups: Groups, options: Mapping[str, Any]
) -> dict[str, FixedEffectsResults]:
    """Each group alone; errors name the group."""
    results = {}
    for label in groups.labels:
        try:
            alone = model.restricted(groups.rows(label))
            results[label] = alone.fit(**on_rows(options, alone.y.index))
        except NqpError as error:
            raise type(error)(f"In the group {label!r}: {error}") from error
    return results


def interacted_name(variable: str, label: str) -> str:
    """Of a regressor times the dummy of a group."""
    return f"{variable} [{label}]"


def interacted(
    model: FixedEffects, groups: Groups, variables: Iterable[str], interact: str
) -> FixedEffects:
    """One regression of all rows in which coefficients, and perhaps effects, differ by group."""
    split = list(model.x.columns) if interact != "variable" else list(variables)
    columns = {
        interacted_name(name, label): model.x[name] * (groups.codes == g)
        for name in split
        for g, label in enumerate(groups.labels)
    }
    columns |= {name: model.x[name] for name in model.x.columns if name not in split}
    x, weights = pd.DataFrame(columns, model.y.index), model.weights
    if interact == "all":
        own = _by_group(model, groups)
        return FixedEffects(model.y, x, effects=None, weights=weights, **own)
    own = _common(model, groups)
    return FixedEffects(model.y, x, effects=model.effects, weights=weights, **own)


def _by_group(model: FixedEffects, groups: Groups) -> dict[str, Any]:
    """Every effect and trend times the groups."""

    def times(codes: Codes) -> Codes:
        return _fx.as_codes(codes * len(groups.labels) + groups.codes)

    removed, index = model.absorbed, model.y.index
    kinds = {f"{name} by group": times(codes) for name, codes in removed.kept.items()}
    found: dict[str, Any] = {"other_effects": pd.DataFrame(kinds or {"group": groups.codes}, index)}
    for codes, _ in removed.slopes:
        name = f"{removed.trend} by group"
        found["trends"] = pd.Series(times(codes), index, name=name)
    return found


def _common(model: FixedEffects, groups: Groups) -> dict[str, Any]:
    """The model's effects, and the mean of each group if they do not remove it."""
    others, removed = model.other_effects, model.absorbed
    if not any(_fx.contained(codes, groups.codes) for codes in removed.groups.values()):
        own = pd.Series(groups.codes, model.y.index, name="group").to_frame()
        others = own if others is None else others.join(own)
    return {"other_effects": others, "trends": removed.trends}
