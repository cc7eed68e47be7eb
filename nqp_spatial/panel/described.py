"""What a model that is not fitted yet says of itself, where somebody looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from nqp_spatial.shared.messages import first

# Roles as they are said, in their order; those of columns that are none of these follow.
_ROLES = {
    "y": "outcome",
    "treatment": "policy or treatment",
    "x": "regressors",
    "endog": "endogenous",
    "instruments": "instruments",
    "iv": "instruments",
    "mediators": "mediators",
    "moderator": "moderator",
    "threshold": "threshold variable",
    "observation_weights": "weights of rows",
}


class Described:
    """A model with a sample: its class, columns by role, W, effects and how many rows.

    Printing it estimates nothing.
    """

    def _said(self) -> Iterator[tuple[str, str]]:
        sample: Any = getattr(self, "sample", None)
        if sample is None:  # its constructor did not come to an end
            return
        for role, said in _ROLES.items():
            if names := sample.roles.get(role):
                yield said, first(names, 8).replace("'", "")
        if lagged := getattr(self, "durbin", None):
            yield "spatial lags of", first(lagged, 8).replace("'", "")
        design: Any = getattr(self, "design", None)
        if hasattr(design, "row_normalised"):
            links, rows = int(design.response_W.nnz), "do not all sum to one"
            rows = "sum to one" if design.row_normalised else rows
            yield "W", f"{links} links among {design.n_entities} entities, rows {rows}"
        if hasattr(self, "effects"):
            effects = self.effects or "none"
            correction = getattr(self, "correction", None)
            fixed = correction and effects not in ("none", "random")
            yield "effects", f"{effects}, correction {correction}" if fixed else effects
        index = sample.index
        n, t = (index.get_level_values(i).nunique() for i in (0, 1))
        yield "data", f"{n} entities, {t} periods, {len(index)} rows"

    def __repr__(self) -> str:
        lines = (f"  {name}: {said}" for name, said in self._said())
        return "\n".join([f"{type(self).__name__} (not fitted)", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(said)}</td></tr>"
            for name, said in self._said()
        )
        return f"<p><b>{type(self).__name__}</b> (not fitted)</p><table>{rows}</table>"
