"""Results of a panel quantile regression: one model of the protocol for each quantile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear.quantile import check_loss
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note, words
from nqp_spatial.models.linear.fixed_effects import FixedEffectsResults
from nqp_spatial.results import (
    Frame,
    Named,
    Results,
    ResultSet,
    TestResult,
    Tests,
    tests_frame,
    wald,
)
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import listed
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.text import format_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_CITATIONS = {
    "location-scale": (
        "Machado, J. A. F. and Santos Silva, J. M. C. (2019). Quantiles via moments. Journal of "
        "Econometrics 213, 145-173."
    ),
    "canay": (
        "Canay, I. A. (2011). A simple approach to quantile regression for panel data. "
        "Econometrics Journal 14, 368-386."
    ),
}
_Q = "\0q"  # the row of q, which is no name that a regressor has
_NAMES = {"location-scale": "moments", "canay": "Canay"}
_JACKKNIFE = (
    "Dhaene, G. and Jochmans, K. (2015). Split-panel jackknife estimation of fixed-effect models. "
    "Review of Economic Studies 82, 991-1030."
)


def _name(method: str, jackknife: bool) -> str:
    return _NAMES[method] + (", half-panel jackknife" if jackknife else "")


@dataclass(frozen=True, eq=False, repr=False)
class QuantileResults(Results):
    """Estimates at one quantile, or of the location or the scale.

    ``rsquared``: "pseudo", one less the loss of the residuals over that of y less its quantile
    (Koenker and Machado 1999), effects counted as explained; of location and scale "within".
    """

    method: str = "location-scale"

    def cite(self) -> str:
        """The work to cite for the method."""
        jackknife = self.provenance["options"]["jackknife"]
        return "\n".join([_CITATIONS[self.method], *([_JACKKNIFE] if jackknife else [])])


@dataclass(frozen=True, eq=False, repr=False)
class PanelQuantileResults(ResultSet):
    """Estimates at several quantiles; frozen.

    Attributes
    ----------
    mean : FixedEffectsResults
        The mean regression on the same data.
    method : {"location-scale", "canay"}
    cov_type : str
    by_quantile : mapping of str to QuantileResults
        ``"0.5"`` and so on, as ``tables.regression`` takes it.
    location, scale : QuantileResults or None
        For "location-scale": slopes of the mean and of the spread. A scale slope of zero means
        that all quantiles have the slope of the mean.
    q : Series
        For "location-scale": quantiles of the standardised error; empty for "canay".
    cov : DataFrame
        Joint covariance; rows and columns (quantile, variable).
    jackknife : bool
        Whether all estimates are corrected by those of half panels.
    """

    mean: FixedEffectsResults
    method: str
    cov_type: str
    by_quantile: Mapping[str, QuantileResults]
    cov: pd.DataFrame
    location: QuantileResults | None = None
    scale: QuantileResults | None = None
    q: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))

    part_name: ClassVar[str] = "quantile"
    citation: ClassVar[str] = "\n".join(_CITATIONS.values())

    @property
    def parts(self) -> Mapping[str, QuantileResults]:
        """The model at each quantile: ``"0.25"``, ``"0.5"``."""
        return self.by_quantile

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Whether a slope is the same at the lowest and highest quantile: ``"equality/x"``."""
        if len(self.quantiles) < 2:
            return {}
        names = [name for name in self.params.index if name != "const"]
        return Tests({f"equality/{name}": self.equality(name) for name in names})

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The tests of equal slopes, if there are several quantiles."""
        tests = {name.removeprefix("equality/"): test for name, test in self.tests.items()}
        if not tests:
            return {}
        return {"equality": Frame.of("equality", tests_frame(tests, "variable"))}

    @property
    def quantiles(self) -> tuple[float, ...]:
        """In increasing order."""
        return tuple(map(float, self.by_quantile))

    @property
    def params(self) -> pd.DataFrame:
        """Estimates, rows variables, columns quantiles."""
        return self._by_quantile("params")

    @property
    def std_errors(self) -> pd.DataFrame:
        """Standard errors, rows variables, columns quantiles."""
        return self._by_quantile("std_errors")

    def _by_quantile(self, attribute: str) -> pd.DataFrame:
        columns = {float(q): getattr(res, attribute) for q, res in self.by_quantile.items()}
        frame = pd.DataFrame(columns)
        return frame.rename_axis(index="variable", columns="quantile")

    def quantile(self, value: float) -> QuantileResults:
        """The model at one of the quantiles fitted, to stand in a table beside others.

        Raises
        ------
        OptionError
            If it was not fitted.
        """
        key = repr(float(value)) if isinstance(value, int | float) else str(value)
        if key not in self.by_quantile:
            raise OptionError(
                f"The quantile {value!r} was not fitted. Fitted are {first(self.quantiles, 9)}."
            )
        return self.by_quantile[key]

    def to_frame(self, level: float = 0.95) -> pd.DataFrame:
        """Index (quantile, variable); estimate, std_error, tstat, pvalue, lower, upper."""
        frames = {float(q): res.to_frame(level) for q, res in self.by_quantile.items()}
        return pd.concat(frames, names=["quantile"])

    def equality(self, variable: str, quantiles: Sequence[float] | None = None) -> TestResult:
        """Wald test that a slope is the same at several quantiles.

        Parameters
        ----------
        variable : str
        quantiles : sequence of float, optional
            At least two of those fitted; by default the lowest and the highest. With
            "location-scale" slopes lie on one line in q, so that more than two say no more.

        Raises
        ------
        OptionError
            An unknown variable, a quantile not fitted, or fewer than two.
        """
        check_option("variable", variable, list(self.params.index))
        chosen = (self.quantiles[0], self.quantiles[-1]) if quantiles is None else quantiles
        keys = [(float(value), variable) for value in chosen if self.quantile(value) is not None]
        if len(set(keys)) < 2:
            raise OptionError(
                "Equality needs two quantiles at least. Type quantiles=(0.1, 0.9) in fit."
            )
        estimates = np.array([self.quantile(q).params[variable] for q, _ in keys])
        contrast = np.eye(len(keys))[1:] - np.eye(len(keys))[:1]
        cov = contrast @ self.cov.loc[keys, keys].to_numpy() @ contrast.T
        at = listed([q for q, _ in keys], 9)
        null = note("hypotheses.same", variable=variable, quantiles=at)
        return wald(contrast @ estimates, cov, null=null, name="Equal slopes")

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """The coefficient of a variable by quantile, if there are several."""
        return Named({"quantiles": self._by_quantile_figure} if len(self.quantiles) > 1 else {})

    def _by_quantile_figure(
        self,
        variable: str | None = None,
        *,
        level: float = 0.95,
        mean: bool = True,
        ax: Axes | None = None,
        lang: str = "en",
    ) -> Axes:
        """The coefficient of a variable by quantile with its band, and that of the mean."""
        from nqp_spatial.plots.lines import ZERO, Reference, lines

        text = words("quantiles", lang)
        if variable is None:
            variable = next(name for name in self.params.index if name != "const")
        check_option("variable", variable, list(self.params.index))
        frame = self.to_frame(level).xs(variable, level="variable")
        reference = [ZERO]
        if mean and variable in self.mean.params.index:
            other = self.mean.to_frame(level).loc[variable]
            reference.append(Reference(other["estimate"], text["mean"].format(100 * level)))
            reference += [Reference(other[end], line="dotted") for end in ("lower", "upper")]
        return lines(
            frame,
            x=text["quantile"],
            y=text["coefficient"].format(variable),
            label=text["band"].format(100 * level),
            reference=reference,
            kind="marks",
            ax=ax,
            notes=self.notes,
            lang=lang,
        )

    @property
    def jackknife(self) -> bool:
        """Whether estimates are corrected by those of half panels."""
        return bool(self.provenance["options"]["jackknife"])

    @property
    def nobs(self) -> int:
        """Number of (entity, time) pairs used."""
        return self.mean.nobs

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the estimates were made from."""
        return next(iter(self.by_quantile.values())).provenance

    def summary(self) -> str:
        """What was fitted, and estimates by quantile."""
        some = next(iter(self.by_quantile.values()))
        head = [
            f"Panel quantile regression ({_name(self.method, self.jackknife)}): {some.dependent}",
            f"fixed effects: {' and '.join(some.effects_included)}   covariance: {some.cov_type}   "
            f"observations: {self.nobs}",
        ]
        return "\n".join([*head, *self.notes, "", format_frame(self.to_frame())])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Estimates of all quantiles, and fitted values.

    Attributes
    ----------
    estimates : array, shape (p, k + 1)
        For Canay constant and slopes of each quantile; else of location, scale and each quantile,
        with q in the place of the constant.
    fixed : array, shape (number of quantiles, nobs)
        Effects.
    location, scale : array, shape (nobs,), or None for Canay
    """

    estimates: Array
    fixed: Array
    location: Array | None
    scale: Array | None

    def moved_to(self, estimates: Array, x: Array, within: Array) -> Fitted:
        """Other estimates of location, scale and quantiles, with the same means by effect.

        Parameters
        ----------
        x, within : array, shape (nobs, k)
            Regressors, and free of effects.
        """
        change = (estimates - self.estimates)[:, 1:]
        assert self.location is not None and self.scale is not None
        return Fitted(
            estimates,
            self.fixed + change[2:] @ (within - x).T,
            self.location + within @ change[0],
            self.scale + within @ change[1],
        )


def label(
    mean: FixedEffectsResults,
    taus: tuple[float, ...],
    cov: Array,
    found: Fitted,
    *,
    method: str,
    cov_type: str,
    options: Mapping[str, Any],
    y: pd.Series,
    x: pd.DataFrame,
    effects: str | None,
) -> PanelQuantileResults:
    """Arrays of `PanelQuantile.fit` with their names; ``cov`` of all estimates, row by row."""
    names = ["const" if method == "canay" else _Q, *map(str, x.columns)]
    heads: list[Any] = [*([] if method == "canay" else ["location", "scale"]), *taus]
    keys = pd.MultiIndex.from_product([heads, names], names=["quantile", "variable"])
    values = pd.Series(found.estimates.ravel(), keys)
    every = pd.DataFrame(cov, keys, keys)
    kind = {"bootstrap": "entity bootstrap", "clustered": "clustered by entity"}
    common = _Common(mean, method, kind.get(cov_type, cov_type), options, y, x, effects)
    if method == "canay":
        results = {
            repr(tau): common.at(tau, values[tau], every.loc[tau, tau], found.fixed[j])
            for j, tau in enumerate(taus)
        }
        return PanelQuantileResults(mean, method, common.cov_type, results, every)
    slopes = names[1:]
    results = {
        repr(tau): common.at(tau, values[tau][slopes], _part(every, tau, slopes), found.fixed[j])
        for j, tau in enumerate(taus)
    }
    rows = pd.MultiIndex.from_product([taus, slopes], names=keys.names)
    size = mean.resids.abs().rename(f"|residual of {mean.dependent}|")
    return PanelQuantileResults(
        mean,
        method,
        common.cov_type,
        results,
        every.loc[rows, rows],
        location=common.part("location", values["location"][slopes], every, y, found.location),
        scale=common.part("scale", values["scale"][slopes], every, size, found.scale),
        q=pd.Series({tau: values[tau, _Q] for tau in taus}, name="q").rename_axis("quantile"),
    )


def _part(cov: pd.DataFrame, head: Any, names: list[str]) -> pd.DataFrame:
    return cov.xs(head).xs(head, axis=1).loc[names, names]  # a name may be a head too


@dataclass(frozen=True, eq=False)
class _Common:
    """What the models of all quantiles share."""

    mean: FixedEffectsResults
    method: str
    cov_type: str
    options: Mapping[str, Any]
    y: pd.Series
    x: pd.DataFrame
    effects: str | None

    @property
    def name(self) -> str:
        return _name(self.method, self.options["jackknife"])

    def at(self, tau: float, params: pd.Series, cov: pd.DataFrame, fixed: Array) -> QuantileResults:
        """The model at one quantile."""
        y, x = self.y, self.x
        fitted = params.get("const", 0.0) + x @ params[x.columns] + fixed
        null = y - np.quantile(y, tau, method="inverted_cdf")
        loss = check_loss((y - fitted).to_numpy(), tau) / check_loss(null.to_numpy(), tau)
        name = f"Panel quantile regression ({self.name}), quantile {tau:g}"
        return self._result(name, params, cov, fitted, {"pseudo": 1 - loss}, {"quantile": tau})

    def part(
        self, kind: str, params: pd.Series, every: pd.DataFrame, outcome: pd.Series, fitted: Any
    ) -> QuantileResults:
        """The model of the location, or of the scale, whose outcome is the absolute residual."""
        cov = _part(every, kind, list(params.index))
        name = f"Panel quantile regression ({self.name}), {kind}"
        squared = dict(self.mean.rsquared) if kind == "location" else {}
        fitted = pd.Series(fitted, outcome.index)
        return self._result(name, params, cov, fitted, squared, {}, outcome)

    def _result(
        self,
        name: str,
        params: pd.Series,
        cov: pd.DataFrame,
        fitted: pd.Series,
        rsquared: Mapping[str, float],
        extra: Mapping[str, float],
        outcome: pd.Series | None = None,
    ) -> QuantileResults:
        y = self.y if outcome is None else outcome
        provenance = dict(self.mean.provenance)
        provenance["options"] = {
            "effects": self.effects,
            "method": self.method,
            "cov_type": self.cov_type,
            **self.options,
        }
        bootstrap = self.options["seed"] is not None
        return QuantileResults(
            params=params.rename("estimate").rename_axis(None),
            cov=cov.rename_axis(index=None, columns=None),
            nobs=self.mean.nobs,
            resids=(y - fitted).rename("resid"),
            fitted=fitted.rename("fitted"),
            loglik=None,
            rsquared=rsquared,
            dependent=self.mean.dependent if outcome is None else str(outcome.name),
            cov_type=self.cov_type,
            model_name=name,
            df_resid=None if bootstrap else self.mean.df_resid,
            effects_included=self.mean.effects_included,
            extra_statistics={**extra, "n_entities": self.mean.extra_statistics["n_entities"]},
            provenance=provenance,
            method=self.method,
        )
