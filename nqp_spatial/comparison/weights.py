"""One model under many weight matrices: estimates, effects and fit side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from nqp_spatial.exceptions import NqpError, OptionError
from nqp_spatial.models import SpatialModel, SpatialResults
from nqp_spatial.results import Frame, Named, ResultSet
from nqp_spatial.shared import parallel
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import format_frame, html_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nqp_spatial.tables import Table


def compare_weights(
    model: SpatialModel,
    graphs: Mapping[str, Any],
    *,
    n_jobs: int = 1,
    **fit_options: Any,
) -> WeightComparison:
    """Fit one specification under each weight matrix.

    Parameters
    ----------
    model : SpatialDurbin, SpatialDiD or another spatial model
        The specification; its own graph is not used unless it is among ``graphs``. Weights of
        single terms (``durbin_graph``, ``error_graph``) stay as they are.
    graphs : mapping of name to Graph
        In the order in which they are shown.
    n_jobs : int
        Fits at a time.
    **fit_options
        Passed to ``fit``, for example ``cov_type``.

    Returns
    -------
    WeightComparison

    Raises
    ------
    OptionError
        If ``graphs`` is not a mapping, or empty, or the model has no weights.
    NqpError
        Whatever is wrong under one of the weights, by its own class; the message names them.
    """
    if not isinstance(graphs, Mapping) or not graphs:
        raise OptionError(
            'graphs must name each weight matrix: compare_weights(model, {"queen": g1, ...}).'
        )

    if not hasattr(model, "with_graph"):
        raise OptionError(
            f"{type(model).__name__} has no weights to compare. Give a SpatialDurbin or SpatialDiD."
        )

    def fit(name: str) -> SpatialResults:
        try:
            return model.with_graph(graphs[name]).fit(**fit_options)
        except NqpError as error:
            raise type(error)(f"Under the weights {name!r}: {error}") from error

    results = parallel.run(fit, list(graphs), n_jobs=n_jobs, label="fitting weights")
    return WeightComparison(dict(zip(graphs, results, strict=True)))


@dataclass(frozen=True, eq=False, repr=False)
class WeightComparison(ResultSet):
    """Results of one model by weight matrix.

    Attributes
    ----------
    results : dict of str to SpatialResults
    """

    results: Mapping[str, SpatialResults]

    part_name: ClassVar[str] = "weights"

    @property
    def parts(self) -> Mapping[str, SpatialResults]:
        """The model under each weight matrix."""
        return self.results

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Effects and fit under each W, as "weights-comparison"."""
        frame = self.to_frame()
        frame.attrs["notes"] = self.notes
        return {"weights-comparison": Frame.of("weights-comparison", frame)}

    @property
    def estimates(self) -> pd.DataFrame:
        """Coefficients: index (weights, variable), columns as in ``Results.to_frame``."""
        return super().to_frame()

    def effects(self, **options: Any) -> pd.DataFrame:
        """Direct, indirect and total effects: index (weights, effect, variable)."""
        frames = {name: result.effects(**options) for name, result in self.results.items()}
        return pd.concat(frames, names=["weights"])

    @property
    def fit_statistics(self) -> pd.DataFrame:
        """Index weights; rho, likelihood criteria, R-squared kinds, Moran's I of the residuals."""
        rows = {}
        for name, result in self.results.items():
            moran = result.tests["moran"]
            spatial = [name for name in ("rho", "lambda") if name in result.params]
            errors = {f"{name}_std_error": result.std_errors[name] for name in spatial}
            residual = {"residual_moran_z": moran.statistic, "residual_moran_pvalue": moran.pvalue}
            rows[name] = pd.concat([result.fit_statistics, pd.Series({**errors, **residual})])
        return pd.DataFrame(rows).T.rename_axis("weights")

    def to_frame(self, variable: str | None = None) -> pd.DataFrame:
        """One row per weight matrix: effects of ``variable`` with standard errors, then the fit.

        Parameters
        ----------
        variable : str, optional
            By default the treatment of a difference-in-differences, else the first regressor.
        """
        name = variable or self.variable
        check_option("variable", name, next(iter(self.results.values())).variables)
        effects = self.effects().xs(name, level="variable")
        columns = []
        for kind in ("direct", "indirect", "total"):
            part = effects.xs(kind, level="effect")
            columns += [
                part["estimate"].rename(kind),
                part["std_error"].rename(f"{kind}_std_error"),
            ]
        wide = pd.concat(columns, axis=1)
        return wide.loc[list(self.results)].join(self.fit_statistics)

    @property
    def variable(self) -> str:
        """The treatment, or the first regressor."""
        result = next(iter(self.results.values()))
        return result.focus

    def table(
        self, path: str | Path | None = None, *, variable: str | None = None, **options: Any
    ) -> Table:
        """Three-line table of the effects of ``variable`` under each W; saved if ``path``."""
        from nqp_spatial import tables

        return tables.effects(self.results, [variable or self.variable], path, **options)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Effects under each W."""
        return Named({"forest": self._forest})

    def _forest(
        self,
        variable: str | None = None,
        effect: str | None = None,
        *,
        ax: Axes | None = None,
        lang: str = "en",
        title: str | None = None,
        **options: Any,
    ) -> Axes:
        """Direct, indirect and total effects, or one of them; in ``ax`` by default the total.

        The first panel is returned; options are those of `effects`.
        """
        from nqp_spatial.plots.forest import forest

        frame = self.effects(**options).xs(variable or self.variable, level="variable")
        if effect is not None or ax is not None:
            frame = frame.loc[frame.index.get_level_values("effect") == (effect or "total")]
        figure = forest(frame, ax=ax, notes=self.notes, title=title, lang=lang)
        return figure.axes[0] if ax is None else ax

    def summary(self) -> str:
        """Effects and fit, a column for each weight matrix."""
        head = f"{self.variable} under each W"
        return "\n".join([head, *self.notes, format_frame(self.to_frame().T)])

    def _repr_html_(self) -> str:
        return html_frame(self.to_frame().T)
