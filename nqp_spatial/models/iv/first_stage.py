"""The first stage: the regression of each endogenous regressor, and how strong it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from nqp_spatial.core.linear import iv
from nqp_spatial.results import Results, ResultSet
from nqp_spatial.shared.text import format_frame


@dataclass(frozen=True, eq=False, repr=False)
class FirstStage(ResultSet):
    """Each endogenous regressor on all exogenous columns; ``first_stage["d"]`` is a result.

    These are results like any other and may stand in a table beside the second stage.

    Attributes
    ----------
    regressions : mapping of str to Results
        By endogenous regressor: the `parts`.
    strength : DataFrame, index endogenous
        "partial_rsquared" and "f" (df in ``attrs["df"]``) ask whether the excluded instruments move
        the regressor at all, "conditional_f" whether they move it apart from the other endogenous
        regressors (Sanderson and Windmeijer 2016), which is what identifies several; below 10 they
        are weak. "robust_f" and "conditional_robust_f" are the same by the covariance of the model;
        NaN with equal variances, or if the covariance has no inverse.
    """

    regressions: Mapping[str, Results]
    strength: pd.DataFrame

    part_name: ClassVar[str] = "endogenous"

    @property
    def parts(self) -> Mapping[str, Results]:
        """The regression of each endogenous regressor."""
        return self.regressions

    def summary(self) -> str:
        """The strength of the instruments."""
        return format_frame(self.strength)


def strength_frame(
    strength: iv.FirstStage | None, endogenous: Sequence[str], robust: bool
) -> pd.DataFrame:
    """First-stage statistics by endogenous regressor; robust columns where S is robust."""
    nothing = np.full(len(endogenous), np.nan)
    if strength is None:
        strength = iv.FirstStage(nothing, nothing, nothing, nothing, nothing, (0, 0), False)
    columns = {
        "partial_rsquared": strength.partial_rsquared,
        "f": strength.f,
        "f_pvalue": stats.f(*strength.df).sf(strength.f) if strength.df[0] else nothing,
        "robust_f": strength.robust_f if robust else nothing,
        "conditional_f": strength.conditional_f,
        "conditional_robust_f": strength.conditional_robust_f if robust else nothing,
    }
    frame = pd.DataFrame(columns, index=pd.Index(endogenous, name="endogenous", dtype=object))
    frame.attrs = {"df": strength.df}
    return frame
