"""Moderation: a regressor whose effect depends on a moderator, by an interaction."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from nqp_spatial.core.linear.collinear import absorbed
from nqp_spatial.exceptions import ConstantColumnError, MissingValuesError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.models.covariance import Covariance
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.mechanism.moderation_results import ModerationResults, Moderator
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.described import Described
from nqp_spatial.panel.formula import split_treatment
from nqp_spatial.panel.keys import Keys
from nqp_spatial.panel.sample import Sample, single
from nqp_spatial.shared import checks
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Effects, Unpack, shared_options


class Moderation(Described):
    """Fixed-effects regression of y on a treatment, a moderator and their product.

    Parameters
    ----------
    y : Series, shape (nobs,)
        Outcome, indexed by (entity, time); the panel may be unbalanced.
    treatment : Series, shape (nobs,)
        The regressor whose effect is moderated.
    moderator : Series, shape (nobs,)
        Numbers, two of them (binary), or categories (text, a categorical column, or booleans); of
        categories the first in order is the base.
    x : DataFrame, shape (nobs, k), optional
    effects : {"twoway", "entity", "time", None}
    other_effects : Series or DataFrame, optional
        As in `FixedEffects`.
    centre : bool
        Whether the treatment and a numeric moderator enter the product less their means, so that
        the slope of the treatment is its effect at the mean of the moderator. The fit and
        `marginal_effects` do not depend on it. A note of the results says which.

    Raises
    ------
    DataError
        By its own class and with labels: a moderator with empty cells or one value, and what
        `FixedEffects` refuses.
    OptionError
        A variable in two roles, centred categories, an unknown option.

    Notes
    -----
    The regression is always run on the product of both less their means, which keeps its digits
    where means are large beside deviations, and its estimates taken to the plain product.

    Where the fixed effects absorb the moderator's own effect, as entity effects do if it is
    constant over time, that column is left out, which changes nothing else; a note says so.
    """

    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        moderator: pd.Series,
        x: pd.DataFrame | None = None,
        *,
        effects: Effects | None = "twoway",
        other_effects: pd.Series | pd.DataFrame | None = None,
        centre: bool = False,
    ) -> None:
        self.sample = Sample.of(
            y=single(y, "y"),
            treatment=single(treatment, "treatment"),
            x=x,
            outcome_apart=True,
            advice="Each variable has one role.",
        )
        (self.treatment,) = self.sample.roles["treatment"]
        moderator = labels(moderator, self.sample)
        moved = self.sample.series("treatment")
        self.moderator = read(moderator, moved, centre=centre)
        self._middle = 0.0 if self.moderator.kind == "categories" else float(moved.mean())
        self._centred = centre
        own, made, notes = products(
            self.moderator,
            moved,
            self._middle,
            centred=centre,
            keys=self.sample.keys,
            effects=effects,
            other_effects=other_effects,
        )
        x_columns = [self.sample.frame("x")] if "x" in self.sample else []
        columns = pd.concat([moved, own, *x_columns, made], axis=1)
        columns.attrs["notes"] = (*self.sample.notes, *notes)
        y = self.sample.series()
        self.model = FixedEffects(y, columns, effects=effects, other_effects=other_effects)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, treatment: str, moderator: str, **options: Any
    ) -> Self:
        """The model of ``"y ~ treatment + x1"``, the moderator being a column of ``data``.

        Parameters
        ----------
        formula : str
            Outcome, treatment and controls; neither the moderator nor the product.
        data : DataFrame with an (entity, time) index, or PanelData
        treatment : str
            A regressor by its name in the formula.
        moderator : str
            A column of ``data``.
        """
        y, d, x, others = split_treatment(formula, data, treatment, [moderator])
        return cls(y, d, others[moderator], x if x.shape[1] else None, **options)

    @shared_options(Covariance, cov_type="clustered")
    def fit(self, **cov: Unpack[Covariance]) -> ModerationResults:
        """Least squares.

        Returns
        -------
        ModerationResults
            Slopes ``d``, ``m`` and ``d:m`` of a treatment d; with categories ``m[category]`` and
            ``d:m[category]``.
        """
        fitted = self.model.fit(**cov)
        plain = {} if self._centred else self._as_products(fitted.params, fitted.cov)
        return fitted.as_(
            ModerationResults,
            model_name="Moderation",
            model=self,
            **plain,
            treatment=self.treatment,
            moderator=self.moderator,
            centred_params=fitted.params,
            centred_cov=fitted.cov,
        )

    def _as_products(self, params: pd.Series, cov: pd.DataFrame) -> dict[str, Any]:
        """Estimates of the plain product from those of (x - a)(m - c) = xm - c x - a m + ac."""
        m = self.moderator
        T = pd.DataFrame(np.eye(len(params)), params.index, params.index)
        for name, product in zip(m.columns, m.products, strict=True):
            T.loc[self.treatment, product] = -m.mean
            if name in T:
                T.loc[name, product] = -self._middle
            if "const" in T:
                T.loc["const", product] = self._middle * m.mean
        return {"params": (T @ params).rename(params.name), "cov": T @ cov @ T.T}


def products(
    m: Moderator,
    x: pd.Series,
    middle: float,
    *,
    centred: bool,
    keys: Keys,
    effects: Effects | None,
    other_effects: Any = None,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The moderator's own effects that are not absorbed, the products, and notes on both.

    Parameters
    ----------
    m : Moderator
    x : Series
        Of which the effect is moderated.
    middle : float
        What is taken off x in the products, where ``m.mean`` is taken off the moderator.
    centred : bool
        Whether the estimates are those of these products, which the notes say.
    """
    notes: list[str] = []
    kept = {name: m.columns[name] for name in m.columns}
    if effects is not None or other_effects is not None:
        gone = _absorbed(m.columns, effects, other_effects, keys)
        kept = {name: values for name, values in kept.items() if name not in gone}
        if gone:
            notes.append(note("moderation.absorbed", names=", ".join(gone)))
    made = {
        product: (x - middle) * (m.columns[name] - m.mean)
        for name, product in zip(m.columns, m.products, strict=True)
    }
    if centred:
        means = {"first": middle, "second": m.mean}
        notes.append(note("moderation.centred", product=f"{x.name}:{m.name}", **means))
    elif m.kind == "numeric":
        notes.append(note("moderation.plain", product=f"{x.name}:{m.name}"))
    return pd.DataFrame(kept, index=x.index), pd.DataFrame(made, index=x.index), notes


ROLES = ("y", "treatment", "moderator", "x")


def labels(moderator: pd.Series, sample: Sample) -> pd.Series:
    """The moderator, which may hold categories, on the rows of the sample."""
    column = single(moderator, "moderator")
    column = column.rename("moderator" if column.name is None else str(column.name))
    for role, names in sample.roles.items():
        if column.name in names:
            roles = " and in ".join(sorted([role, "moderator"], key=ROLES.index))
            raise OptionError(
                f"{column.name!r} is in {roles}. Each variable has one role; the moderator's own "
                "effect is in the model without being a control.",
                option="moderator",
            )
    return sample.keys.take(column, "moderator")


def read(moderator: pd.Series, x: pd.Series, *, centre: bool) -> Moderator:
    """The moderator as columns: itself, or dummies of all categories but the base."""
    name, values = str(moderator.name), moderator
    if values.isna().any():
        raise MissingValuesError(
            f"{name!r} is empty in {int(values.isna().sum())} of {len(values)} rows, first "
            f"{first(values.index[values.isna()], 3)}. Fill them, or leave those rows out."
        )
    if values.nunique() < 2:
        raise ConstantColumnError(
            f"The moderator {name!r} has the same value {first(values.iloc[:1])} in every row, so "
            "that no effect can depend on it. Give another column."
        )
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric:
        checks.usable_column(values, name)
        columns = pd.DataFrame({name: values.astype(float)})
        kind = "binary" if values.nunique() == 2 else "numeric"
        mean = float(columns[name].mean())
        return Moderator(name, kind, columns, (f"{x.name}:{name}",), mean, ())
    if centre:
        raise OptionError(f"centre=True, but {name!r} holds categories. Leave centre out.")
    coded = values.astype("category").cat.remove_unused_categories()
    labels = list(coded.cat.categories)
    dummies = {f"{name}[{label}]": (coded == label).astype(float) for label in labels[1:]}
    products = tuple(f"{x.name}:{column}" for column in dummies)
    return Moderator(name, "categories", pd.DataFrame(dummies), products, 0.0, tuple(labels))


def _absorbed(
    columns: pd.DataFrame, effects: Effects | None, other_effects: Any, keys: Keys
) -> list[str]:
    """Columns that the fixed effects explain."""
    within = Absorbed.of(keys, effects, other_effects, None).remove(columns)
    return [str(columns.columns[j]) for j in absorbed(within, np.asarray(columns.to_numpy()))]
