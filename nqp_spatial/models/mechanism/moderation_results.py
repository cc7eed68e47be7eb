"""Results of a moderation: marginal effects over the moderator, and where they differ from zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.language.catalogue import words
from nqp_spatial.results import Frame, Named, Results, TestResult
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_level, check_option

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_POINTS = ("grid", "quantiles", "sd")
_GRID = 101


@dataclass(frozen=True, eq=False)
class Moderator:
    """A moderator as columns of the regression.

    Attributes
    ----------
    name : str
    kind : {"numeric", "binary", "categories"}
    columns : DataFrame
        The moderator itself, or dummies of its categories but the base.
    products : tuple of str
        Names of the products with x, one a column.
    mean : float
        Of the numbers; 0 for categories.
    labels : tuple
        Categories, the base first.
    """

    name: str
    kind: str
    columns: pd.DataFrame
    products: tuple[str, ...]
    mean: float
    labels: tuple[Any, ...]

    @property
    def values(self) -> Array:
        """A numeric moderator's values, shape (nobs,)."""
        return np.asarray(self.columns.iloc[:, 0].to_numpy(), dtype=float)

    def weights(self, at: Any, middle: float) -> tuple[list[Any], Array]:
        """Values of the moderator, and the weights of x and the products in the effect at each.

        Parameters
        ----------
        at : {"grid", "quantiles", "sd"}, sequence or None
            As `ModerationResults.marginal_effects` has it.
        middle : float
            What is taken off the moderator in the products; of categories nothing is.

        Raises
        ------
        OptionError
            An unknown way or category.
        DataError
            Values that are not finite numbers.
        """
        if self.kind == "categories":
            chosen = list(self.labels) if at is None else _listed(at)
            for label in chosen:
                check_option("at", label, self.labels)
            place = [self.labels.index(label) for label in chosen]
            dummies = np.eye(len(self.labels))[place][:, 1:]
            return chosen, np.column_stack([np.ones(len(place)), dummies])
        points = self._points(at)
        return points.tolist(), np.column_stack([np.ones(len(points)), points - middle])

    def _points(self, at: Any) -> Array:
        values = self.values
        if at is None:
            at = np.unique(values) if self.kind == "binary" else "grid"
        if isinstance(at, str):
            check_option("at", at, _POINTS)
            if at == "grid":
                return np.linspace(values.min(), values.max(), _GRID)
            if at == "quantiles":
                return np.quantile(values, [0.1, 0.25, 0.5, 0.75, 0.9])
            return values.mean() + values.std(ddof=1) * np.array([-1.0, 0.0, 1.0])
        try:
            points = np.asarray(_listed(at), dtype=float)
        except (TypeError, ValueError):
            raise DataError(
                f"at={first(_listed(at), 3)} are not numbers, as the moderator is."
            ) from None
        if not np.isfinite(points).all():
            raise DataError("at has values that are not finite. Give values of the moderator.")
        return points


@dataclass(frozen=True, eq=False, repr=False)
class ModerationResults(Results):
    """Least squares with an interaction.

    The slope of the treatment is its effect where the moderator is zero (at its mean if centred; in
    the base category); `marginal_effects` gives it anywhere else.

    Attributes
    ----------
    treatment : str
        The regressor whose effect is moderated.
    moderator : Moderator
    centred_params : Series
    centred_cov : DataFrame
        Of the regression whose product has both variables less their means; of categories those of
        ``params`` and ``cov``. Effects are computed from them.
    """

    treatment: str = ""
    moderator: Moderator | None = None
    centred_params: pd.Series = field(default_factory=pd.Series, repr=False)
    centred_cov: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)

    citation: ClassVar[str] = (
        "Brambor, T., Clark, W. R. and Golder, M. (2006). Understanding interaction models: "
        "improving empirical analyses. Political Analysis 14, 63-82.\n"
        "Bauer, D. J. and Curran, P. J. (2005). Probing interactions in fixed and multilevel "
        "regression. Multivariate Behavioral Research 40, 373-400 (Johnson-Neyman bounds)."
    )

    @property
    def _m(self) -> Moderator:
        assert self.moderator is not None
        return self.moderator

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """The Wald test that the effect of x does not depend on the moderator: "interaction"."""
        return {"interaction": self.wald_test([f"{name} = 0" for name in self._m.products])}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The effect at quantiles of the moderator, and where it differs from zero."""
        numeric = self._m.kind == "numeric"
        effects = self.marginal_effects("quantiles" if numeric else None)
        found = {"marginal-effects": effects[~effects.index.duplicated()]}  # of few values
        if numeric:
            found["johnson-neyman"] = self.johnson_neyman()
        return {name: Frame.of(name, frame) for name, frame in found.items()}

    def marginal_effects(
        self, at: str | Sequence[Any] | None = None, *, level: float = 0.95
    ) -> pd.DataFrame:
        """The effect of x at values of the moderator, with standard errors by the delta method.

        Parameters
        ----------
        at : {"grid", "quantiles", "sd"} or sequence, optional
            Values of the moderator, in its own units; or "grid", 101 equal steps over its range
            (the default); "quantiles", at 10, 25, 50, 75, 90 per cent; "sd", the mean less and
            plus one standard deviation. Of a binary moderator both values, of categories all of
            them, or those given.
        level : float
            Of the intervals, which hold at each value and not at all values together.

        Returns
        -------
        DataFrame
            Index the moderator; columns estimate, std_error, tstat, pvalue, lower, upper, in units
            of y per unit of x.

        Raises
        ------
        OptionError
            An unknown way or category, a level that is none.
        DataError
            Values that are not finite numbers.
        """
        check_level(level)
        index, weights = self._m.weights(at, self._m.mean)
        names = [self.treatment, *self._m.products]
        params = self.centred_params[names].to_numpy()
        cov = self.centred_cov.loc[names, names].to_numpy()
        estimate = weights @ params
        error = np.sqrt(np.einsum("ij,jk,ik->i", weights, cov, weights))
        t = estimate / error
        law = self._distribution()
        width = law.ppf(0.5 + level / 2) * error
        columns = {
            "estimate": estimate,
            "std_error": error,
            "tstat": t,
            "pvalue": 2 * law.sf(np.abs(t)),
            "lower": estimate - width,
            "upper": estimate + width,
        }
        frame = pd.DataFrame(columns, index=pd.Index(index, name=self._m.name))
        frame.attrs["notes"] = self.notes
        return frame

    def johnson_neyman(self, level: float = 0.05) -> pd.DataFrame:
        """Where the effect of x differs from zero, over the observed range of the moderator.

        Parameters
        ----------
        level : float
            Of significance, at each value of the moderator.

        Returns
        -------
        DataFrame
            Regions from low to high: columns lower, upper (of the moderator), significant, sign of
            the effect (-1, 1; 0 where it is not significant) and share of the observations. All
            bounds, also those outside the range, are in ``.attrs["bounds"]``.

        Raises
        ------
        OptionError
            If the moderator is binary or holds categories, or the level is none.
        """
        if self._m.kind != "numeric":
            raise OptionError(
                f"{self._m.name!r} has {len(self.marginal_effects())} values; Johnson-Neyman "
                "bounds need a continuous moderator. Type marginal_effects()."
            )
        check_level(level, example=0.05)
        bounds = self._bounds(level)
        values = self._m.values
        low, high = float(values.min()), float(values.max())
        edges = np.array([low, *[b for b in bounds if low < b < high], high])
        middle = self.marginal_effects((edges[1:] + edges[:-1]) / 2)
        significant = (middle["pvalue"] < level).to_numpy()
        inside = np.searchsorted(edges[1:-1], values, side="right")
        frame = pd.DataFrame(
            {
                "lower": edges[:-1],
                "upper": edges[1:],
                "significant": significant,
                "sign": np.where(significant, np.sign(middle["estimate"]), 0).astype(int),
                "share": np.bincount(inside, minlength=len(significant)) / len(values),
            },
            index=pd.RangeIndex(1, len(significant) + 1, name="region"),
        )
        frame.attrs["bounds"] = tuple(bounds)
        return frame

    def _bounds(self, level: float) -> list[float]:
        """Values where the t statistic of the effect is critical: roots of a quadratic."""
        (product,) = self._m.products
        b, d = self.centred_params[[self.treatment, product]]
        v = self.centred_cov.loc[[self.treatment, product], [self.treatment, product]].to_numpy()
        square = float(self._distribution().ppf(1 - level / 2)) ** 2
        polynomial = [
            d * d - square * v[1, 1],
            2 * (b * d - square * v[0, 1]),
            b * b - square * v[0, 0],
        ]
        roots = np.roots(polynomial)
        real = roots[np.abs(roots.imag) <= 1e-9 * np.abs(roots)].real
        return sorted(float(root) + self._m.mean for root in real)

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The effect of x over the moderator."""
        return Named({"marginal-effects": self._marginal_figure})

    def _marginal_figure(
        self, *, level: float = 0.95, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        """The effect of x over the moderator with its band, and the moderator's distribution."""
        from nqp_spatial.plots.lines import ZERO, Reference, lines

        text = words("marginal_effects", lang)
        numeric = self._m.kind == "numeric"
        bounds = self.johnson_neyman(1 - level).attrs["bounds"] if numeric else ()
        return lines(
            self.marginal_effects(level=level),
            y=text["effect"].format(self.treatment),
            label=text["band"].format(100 * level),
            reference=[ZERO, *(Reference(b, text["bound"], "x", "dotted") for b in bounds)],
            kind="line" if numeric else "points",
            observed=self._m.values if numeric else None,
            ax=ax,
            notes=self.notes,
            lang=lang,
        )


def _listed(at: Any) -> list[Any]:
    return [at] if isinstance(at, str | int | float) else list(at)
