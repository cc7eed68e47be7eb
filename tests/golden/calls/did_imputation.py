"""Spatial synthetic difference-in-differences, and imputation with clean cells of spillovers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import did

from ..ground import castle, contiguous
from ..registry import Group, shared

case = Group("did_imputation", did.SpatialSDID, did.SyntheticResults)


@shared
def late() -> pd.DataFrame:
    """Castle, of the treated the first four of 2006 and two of 2008."""
    frame = castle().frame
    first = frame["first_treated"].groupby(level=0).first()
    kept = [*first.index[first == 2007][:4], *first.index[first == 2009][:2]]
    return frame[frame.index.get_level_values(0).isin([*kept, *first.index[first.isna()]])]


def synthetic(graph: Any = None) -> Any:
    frame, W = late(), None
    if graph is not None:
        from nqp_spatial.weights import subset

        W = subset(graph, frame.index.get_level_values(0).unique())
    return did.SpatialSDID(frame["l_homicide"], frame["post"], frame[["l_income"]], W)


@case.each("synthetic", {"placebo": {}, "bootstrap": {"errors": "bootstrap"}})
def _(options: dict[str, Any]) -> Any:
    found = synthetic().fit(draws=25, **options)
    return {"result": found, "effects": found.policy_effects()}


@case("synthetic jackknife")
def _() -> Any:
    return synthetic().fit(errors="jackknife")


@case("synthetic spatial")
def _() -> Any:
    model = synthetic(contiguous())
    found = model.fit(draws=25)
    return {"result": found, "effects": found.policy_effects(), "slopes": model.slopes}
