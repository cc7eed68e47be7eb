"""Moderation in the spatial Durbin model: direct and indirect effects over a moderator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import pandas as pd

from nqp_spatial.core.spectrum.eigen import Spectrum
from nqp_spatial.effects.parameters import KINDS
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import words
from nqp_spatial.models.mechanism import moderation
from nqp_spatial.models.mechanism.moderation_results import Moderator
from nqp_spatial.models.spatial.family import SpatialDurbin
from nqp_spatial.models.spatial.model import Specification
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.panel.absorbed import LEVELS
from nqp_spatial.panel.design import LAG
from nqp_spatial.panel.formula import split_treatment
from nqp_spatial.panel.sample import Sample, single
from nqp_spatial.results import Frame, Named, TestResult
from nqp_spatial.shared.options import Unpack, check_level, check_option, shared_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Effect = Literal["direct", "indirect", "total"]


class SpatialModeration(SpatialDurbin):
    """Spatial Durbin model of a treatment d, a moderator m and their product, with their lags.

        y_t = rho W y_t + a d_t + c m_t + b d_t m_t + W (a' d_t + c' m_t + b' d_t m_t) + ... + e_t

    so that the effect of d where the moderator is m0 in all entities is that of a regressor with
    the coefficients a + b m0 and a' + b' m0: `SpatialModerationResults.marginal_effects`.

    Parameters
    ----------
    y : Series, shape (n_entities * n_periods,)
        Outcome, indexed by (entity, time).
    treatment : Series
        The regressor whose effect is moderated, such as a policy.
    moderator : Series
        Numbers, two of them (binary), or categories (text, a categorical column, or booleans); of
        categories the first in order is the base.
    x : DataFrame or None
        Controls.
    graph, durbin, durbin_graph, effects, correction, unbalanced, observation_weights
        As in :class:`SpatialDurbin`. ``durbin`` may name the treatment, the moderator and their
        product ``d:m``.
    centre : bool
        Whether the treatment and a numeric moderator enter the product less their means, as in
        `Moderation`. The fit and `marginal_effects` do not depend on it.

    Raises
    ------
    DataError
        By its own class and with labels: a moderator with empty cells or one value, and what
        `SpatialDurbin` refuses.
    OptionError
        A variable in two roles, centred categories, an unknown option.

    Notes
    -----
    A moderator that the fixed effects absorb has no effect of its own and is left out; its product
    stays. A note says so.
    """

    _model_name: ClassVar[str] = "Moderation in a spatial Durbin model"
    counterpart: ClassVar[str | None] = None

    @shared_options(Specification)
    def __init__(
        self,
        y: pd.Series,
        treatment: pd.Series,
        moderator: pd.Series,
        x: pd.DataFrame | None,
        graph: Any,
        *,
        durbin: Sequence[str] | None = None,
        durbin_graph: Any = None,
        centre: bool = False,
        **options: Unpack[Specification],
    ) -> None:
        given = Sample.of(
            y=single(y, "y"),
            treatment=single(treatment, "treatment"),
            x=x,
            outcome_apart=True,
            advice="Each variable has one role.",
        )
        (self.treatment,) = given.roles["treatment"]
        self.centre, self._roles = centre, given
        self._given_moderator = moderation.labels(moderator, given)
        moved = given.series("treatment")
        self.moderator = moderation.read(self._given_moderator, moved, centre=centre)
        m = self.moderator if centre else replace(self.moderator, mean=0.0)
        effects = options.get("effects", "twoway")
        own, made, notes = moderation.products(
            m,
            moved,
            float(moved.mean()) if centre else 0.0,
            centred=centre,
            keys=given.keys,
            effects=effects if effects != "random" and LEVELS[effects] else None,
        )
        controls = [given.frame("x")] if "x" in given else []
        columns = pd.concat([moved, own, *controls, made], axis=1)
        columns.attrs["notes"] = (*given.notes, *notes)
        sample = Sample.of(y=given.series(), x=columns, needs=["x"])
        self._specify(sample, graph, durbin, options, durbin_graph=durbin_graph)

    @classmethod
    def from_formula(  # type: ignore[override]  # names two roles more
        cls,
        formula: str,
        data: Any,
        graph: Any,
        *,
        treatment: str,
        moderator: str,
        **options: Any,
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
        return cls(y, d, others[moderator], x if x.shape[1] else None, graph, **options)

    @property
    def _columns(self) -> tuple[Any, ...]:
        given = self._roles
        x = given.frame("x") if "x" in given else None
        return given.series(), given.series("treatment"), self._given_moderator, x

    @property
    def _options(self) -> dict[str, Any]:
        return super()._options | {"centre": self.centre}

    def _results_class(self) -> type[SpatialResults]:
        return SpatialModerationResults

    def _results_fields(self, lagged: tuple[str, ...], spectrum: Spectrum) -> dict[str, Any]:
        own = {"treatment": self.treatment, "moderator": self.moderator}
        middle = self.moderator.mean if self.centre else 0.0
        return super()._results_fields(lagged, spectrum) | own | {"middle": middle}


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SpatialModerationResults(SpatialResults):
    """A spatial Durbin result whose effect of one regressor depends on another.

    ``effects()`` has the terms one by one: that of the treatment alone is its effect where the
    moderator is zero (at its mean if centred; in the base category).

    Attributes
    ----------
    treatment : str
        The regressor whose effect is moderated.
    moderator : Moderator
    middle : float
        What was taken off the moderator in the product.
    """

    treatment: str
    moderator: Moderator
    middle: float

    @property
    def focus(self) -> str:
        """The treatment."""
        return self.treatment

    def _policy_terms(self) -> tuple[str, ...]:
        """The treatment and its products, which are zero without it unless centred."""
        if self.model.centre:
            raise OptionError(
                f"The products of {self.treatment!r} are centred, and not zero without it. Fit "
                "with centre=False, which is the same model, and ask again."
            )
        products = (name for name in self.variables if name.startswith(f"{self.treatment}:"))
        return (self.treatment, *products)

    def marginal_effects(
        self, at: str | Sequence[Any] | None = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """Direct, indirect and total effects of the treatment at values of the moderator.

        Parameters
        ----------
        at : {"grid", "quantiles", "sd"} or sequence, optional
            As in `ModerationResults.marginal_effects`: values that the moderator has in all
            entities; by default 101 steps over its range, both of two values, all categories.
        level : float
            Of the intervals (delta method), which hold at each value and not at all together.

        Returns
        -------
        DataFrame, index (effect, moderator)
            estimate, std_error, pvalue, lower, upper, in units of y per unit of the treatment.

        Raises
        ------
        OptionError
            An unknown way or category, a level that is none.
        DataError
            Values that are not finite numbers.
        """
        check_level(level)
        points, weights = self.moderator.weights(at, self.middle)
        names = [self.treatment, *self.moderator.products]
        found = {
            point: self.combined_effects(dict(zip(names, row, strict=True)), level=level)
            for point, row in zip(points, weights.tolist(), strict=True)
        }
        frame = pd.concat(found, names=[self.moderator.name]).swaplevel()
        order = [(effect, point) for effect in frame.index.unique(0) for point in found]
        frame = frame.loc[order]
        frame.attrs["notes"] = self.notes
        return frame

    @cached_property
    def tests(self) -> Mapping[str, TestResult]:
        """Those of `SpatialResults`, and "interaction": products and their lags are zero."""
        made = self.moderator.products
        null = [f"{n} = 0" for p in made for n in (p, LAG + p) if n in self.params]
        return {**super().tests, "interaction": self.wald_test(null)}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """Effects at quantiles of the moderator, or at each of its values."""
        at = "quantiles" if self.moderator.kind == "numeric" else None
        effects = self.marginal_effects(at)
        effects = effects[~effects.index.duplicated()]  # of few values
        return {"moderated-effects": Frame.of("moderated-effects", effects)}

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Effects over the moderator, and those of all terms."""
        return Named({"moderated-effects": self._moderated_figure, **super().figures})

    def _moderated_figure(
        self,
        effect: Effect | None = None,
        *,
        level: float = 0.95,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        """Effects over the moderator with their bands, each in a panel, or one of them.

        On Axes of one's own, with room for one, the total effect unless another is named.
        """
        from nqp_spatial.plots.lines import lines

        text = words("marginal_effects", lang)
        numeric = self.moderator.kind == "numeric"
        named = words("effects", lang)
        frame = self.marginal_effects(level=level)
        if effect is not None or ax is not None:
            effect = effect or "total"
            check_option("effect", effect, KINDS)
            frame = frame.loc[[effect]]
        frame = frame.rename(index=named, level=0)
        return lines(
            frame,
            y=text["effect"].format(self.treatment),
            label=text["band"].format(100 * level),
            kind="line" if numeric else "points",
            ax=ax,
            notes=self.notes,
            lang=lang,
        )
