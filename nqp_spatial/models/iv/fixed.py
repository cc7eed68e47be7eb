"""What IV2SLS asks of its columns, how effects are removed, and covariances of moments by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import nqp_spatial.models.covariance as _panel
import nqp_spatial.models.spatial.iv_instruments as _iv
from nqp_spatial.core.linear import iv, weak_iv
from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    EstimationError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.panel import checks
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]

_EXACT = 1e-10  # left over own norm below which the first stage is an identity


@dataclass(frozen=True, eq=False)
class Roles:
    """Frames by role, names checked against each other; instruments not yet against the data."""

    exog: pd.DataFrame | None
    endog: pd.DataFrame
    instruments: pd.DataFrame

    @classmethod
    def from_frames(cls, exog: Any, endog: Any, instruments: Any) -> Roles:
        """Frames with text names, as many instruments as endogenous regressors at least."""
        frames = {"exog": _iv._frame(exog, "exog"), "endog": _iv._frame(endog, "endog")}
        frames["instruments"] = _iv._frame(instruments, "instruments")
        for role in ("endog", "instruments"):
            if frames[role] is None:
                raise OptionError(
                    f"{role}= has no columns. Give the endogenous regressors in endog= and what "
                    "is excluded from the equation in instruments=, or use FixedEffects."
                )
        given = {
            role: frame.rename(columns=str) for role, frame in frames.items() if frame is not None
        }
        _check_roles(given)
        e, z = given["endog"], given["instruments"]
        if z.shape[1] < e.shape[1]:
            raise EstimationError(
                f"The model is underidentified: {e.shape[1]} endogenous regressors "
                f"({first(e.columns)}) and {z.shape[1]} excluded instruments "
                f"({first(z.columns)}). Give at least one instrument for each."
            )
        return cls(given.get("exog"), e, z)

    @property
    def regressors(self) -> pd.DataFrame:
        """Exogenous, then endogenous."""
        return self.endog if self.exog is None else self.joined(self.exog, self.endog)

    def stage(self, index: pd.Index) -> pd.DataFrame:
        """All exogenous columns, on the rows of ``index``: exogenous regressors, instruments."""
        parts = [self.instruments] if self.exog is None else [self.exog, self.instruments]
        return pd.concat([part.reindex(index).astype(float) for part in parts], axis=1)

    @staticmethod
    def joined(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
        """Both on the rows of the first, which are the same."""
        checks.unique_keys(left.index, "exog")
        checks.unique_keys(right.index, "endog")
        checks.same_rows(left.index, right.index, "exog", "endog")
        found = pd.concat([left, right.reindex(left.index)], axis=1)
        found.attrs = {"notes": _iv._notes([left, right])}
        return found


def _check_roles(given: dict[str, pd.DataFrame]) -> None:
    """Raise `OptionError` if a column has two roles or stands twice in one."""
    roles: dict[str, str] = {}
    for role, frame in given.items():
        for name in frame.columns:
            if name in roles:
                twice = f"twice in {role}" if roles[name] == role else f"in {roles[name]} and "
                twice += "" if roles[name] == role else f"in {role}"
                raise OptionError(
                    f"{name!r} is {twice}. An exogenous regressor belongs in exog, an endogenous "
                    "one in endog, and instruments has only what is excluded from the equation; "
                    "exog instruments itself."
                )
            roles[name] = role


def check_instruments(roles: Roles, y: pd.Series) -> None:
    """Raise unless the instruments are numbers, complete, varying, on the rows of y."""
    z = roles.instruments
    checks.complete_keys(z.index, "instruments")
    checks.unique_keys(z.index, "instruments")
    checks.same_rows(y.index, z.index, "y", "instruments")
    for name in z.columns:
        missing = z[name].isna()
        if missing.any():
            raise MissingValuesError(
                f"The instrument {name!r} is empty in {int(missing.sum())} of {len(z)} rows, first "
                f"{first(z.index[missing], 3)}. A lag has no value in the first period and after a "
                f"gap. Choose the sample yourself: frame = frame.dropna(subset=[{name!r}])."
            )
        checks.usable_column(z[name], name, may_be_constant=True)


def _removed(effects: tuple[str, ...]) -> str:
    """``entity and time effects and entity trends``."""
    levels = [name for name in effects if not name.endswith(" trends")]
    words = [f"{' and '.join(levels)} effects"] if levels else []
    return " and ".join([*words, *(name for name in effects if name.endswith(" trends"))])


def _instead(effects: tuple[str, ...]) -> str:
    """What to do about an instrument that these effects remove."""
    if any(name.endswith(" trends") for name in effects):
        return (
            "What moves on a line in time is such a trend itself. Multiply it by something else, "
            "such as a national series: "
            "nqp.instruments.cross_section_trend(values_by_entity, frame.index, series)."
        )
    return (
        "What is fixed for an entity, or the same for all in a period, instruments nothing under "
        "such effects. Multiply it by a trend: "
        "nqp.instruments.cross_section_trend(values_by_entity, frame.index)."
    )


def check_rank(
    within: Array, raw: Array, names: list[str], k1: int, k2: int, effects: tuple[str, ...]
) -> None:
    """Raise, naming instruments, if they do not vary, repeat others or fit an endogenous column.

    Columns are exogenous, endogenous, instruments; without effects the first is the constant.
    """
    X, E, Z = within[:, :k1], within[:, k1 : k1 + k2], within[:, k1 + k2 :]
    labels = names[k1 + k2 :]
    gone = absorbed(Z, raw[:, k1 + k2 :])
    flat = np.ptp(raw[:, k1 + k2 :], axis=0) == 0
    gone = sorted({*gone, *np.flatnonzero(flat)})
    if gone:
        raise ConstantColumnError(
            f"The instrument {first([labels[j] for j in gone])} does not vary"
            + (f" once the {_removed(effects)} are removed. " if effects else ". ")
            + _instead(effects)
        )
    for j, others in dependent(np.column_stack([X, Z])):
        if j >= k1:
            near = [([*names[:k1], *labels])[m] for m in others]
            raise CollinearityError(
                f"The instrument {labels[j - k1]!r} is a linear combination of {first(near)}"
                + (" once the effects are removed" if effects else "")
                + ", so that it adds nothing. Leave one out."
            )
    basis = weak_iv.orthonormal(np.column_stack([X, Z]))
    left = np.linalg.norm(E - basis @ (basis.T @ E), axis=0)
    for j in map(int, np.flatnonzero(left <= _EXACT * np.linalg.norm(E, axis=0))):
        raise EstimationError(
            f"The instruments fit the endogenous regressor {names[k1 + j]!r} exactly. Is it "
            "among them, or are they built from it? Then it is exogenous: move it to exog."
        )


def meat_of(how: _panel.Prepared) -> weak_iv.Meat:
    """Covariance of moments as ``how`` has it, without a small-sample factor."""
    return weak_iv.equal if how.sums is None else weak_iv.of_scores(how.sums)


def why_singular(label: str) -> str:
    """What leaves the covariance of moments without an inverse, by the label of a covariance."""
    if label.startswith("conley"):
        return "weights by distance need not be positive definite; another cutoff_km may do"
    return "too few clusters or periods"


def fingerprint(*columns: pd.DataFrame | pd.Series) -> str:
    """SHA-256 of labels and numbers."""
    found = hashlib.sha256()
    for values in columns:
        frame = values.to_frame() if isinstance(values, pd.Series) else values
        found.update(repr(list(frame.columns)).encode())
        found.update(pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes())
    return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Data:
    """Columns free of effects over powers of two: exogenous, endogenous, instruments."""

    y: Array
    columns: Array
    powers: Array
    k1: int
    k2: int
    names: list[str]

    @property
    def exogenous(self) -> Array:
        """Included regressors, free of effects."""
        return self.columns[:, : self.k1]

    @property
    def endogenous(self) -> Array:
        """Endogenous regressors, free of effects."""
        return self.columns[:, self.k1 : self.k1 + self.k2]

    @property
    def instruments(self) -> Array:
        """Excluded instruments, free of effects."""
        return self.columns[:, self.k1 + self.k2 :]

    @property
    def regressors(self) -> Array:
        """All regressors, free of effects."""
        return self.columns[:, : self.k1 + self.k2]

    @property
    def own_powers(self) -> Array:
        """Sizes of the regressors before effects were removed."""
        return self.powers[: self.k1 + self.k2]

    def system(self, n: int) -> iv.System:
        """In the shape of ``core.spatial_iv``, one row of cells."""
        moved = np.arange(self.k1 + self.k2) >= self.k1
        return iv.System(self.y[None], self.regressors[None], moved, self.instruments[None], n)

    def reduced(self, left: int) -> weak_iv.Reduced:
        """Less the regression on the exogenous columns, endogenous ones in their own units."""
        E = self.endogenous * self.powers[self.k1 : self.k1 + self.k2]
        return weak_iv.reduce(self.y, self.exogenous, E, self.instruments, left)


@dataclass(frozen=True, eq=False)
class Covariance:
    """Covariance of moments, and factors and degrees of freedom of both stages."""

    meat: weak_iv.Meat
    factor: float
    df: float
    stage_factor: float
    stage_df: float
    label: str
    record: dict[str, Any]
