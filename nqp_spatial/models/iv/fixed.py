"""What IV2SLS asks of its columns, how effects are removed, and covariances of moments by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import iv, weak_iv
from nqp_spatial.core.linear.collinear import absorbed, dependent
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    EstimationError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.models.scores import Prepared
from nqp_spatial.panel.sample import INSTRUMENTED, Sample, columns_of
from nqp_spatial.shared.messages import first

Array = npt.NDArray[np.float64]

_EXACT = 1e-10  # left over own norm below which the first stage is an identity


def sample_of(y: Any, x: Any, endog: Any, instruments: Any) -> Sample:
    """The sample of an instrumented regression, as many instruments as endogenous regressors.

    Raises
    ------
    DataError
        As `Sample.of`.
    EstimationError
        Fewer instruments than endogenous regressors.
    OptionError
        No endogenous regressor, or no instrument.
    """
    for role, values in (("endog", endog), ("instruments", instruments)):
        if columns_of(values, role) is None:
            raise OptionError(
                f"{role}= has no columns. Give the endogenous regressors in endog= and what is "
                "excluded from the equation in instruments=, or use FixedEffects.",
                option=role,
            )
    _check_missing(columns_of(instruments, "instruments"))
    sample = Sample.of(
        y=y,
        x=x,
        endog=endog,
        instruments=instruments,
        may_be_constant=["instruments"],  # within the rows; after effects it is checked again
        advice=INSTRUMENTED,
    )
    e, z = sample.roles["endog"], sample.roles["instruments"]
    if len(z) < len(e):
        raise EstimationError(
            f"The model is underidentified: {len(e)} endogenous regressors ({first(e)}) and "
            f"{len(z)} excluded instruments ({first(z)}). Give at least one instrument for each."
        )
    return sample


def _check_missing(z: pd.DataFrame | None) -> None:
    """Raise if an instrument has empty cells, which lags have."""
    assert z is not None
    for j, name in enumerate(z.columns):
        missing = z.iloc[:, j].isna()
        if missing.any():
            raise MissingValuesError(
                f"The instrument {name!r} is empty in {int(missing.sum())} of {len(z)} rows, first "
                f"{first(z.index[missing], 3)}. A lag has no value in the first period and after a "
                f"gap. Choose the sample yourself: frame = frame.dropna(subset=[{name!r}])."
            )


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
            "among them, or are they built from it? Then it is exogenous: move it to x."
        )


def meat_of(how: Prepared) -> weak_iv.Meat:
    """Covariance of moments as ``how`` has it, without a small-sample factor."""
    return weak_iv.equal if how.options.equal_variances else weak_iv.of_scores(how.sums)


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
