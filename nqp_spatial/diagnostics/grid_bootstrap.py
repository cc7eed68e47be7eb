"""What values of rho an estimate is compatible with, where its standard error cannot be trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pandas as pd

from nqp_spatial.core.spatial.grid_bootstrap import Inversion, Simulator, invert
from nqp_spatial.core.spatial.ml import scale_of
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language.catalogue import note, word
from nqp_spatial.panel.design import LAG, Design
from nqp_spatial.panel.lags import regressors
from nqp_spatial.panel.stacked import StackedDesign
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.options import Between, Level, check_options
from nqp_spatial.shared.parallel import run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nqp_spatial.models.spatial.results import SpatialResults

_BLOCK = 25  # samples in one task


@dataclass(frozen=True, eq=False, repr=False)
class GridBootstrapResult(Calculation):
    """A spatial parameter by inversion of its simulated law.

    Attributes
    ----------
    parameter : {"rho", "lambda"}
    found : float
        The estimate of the data.
    estimate : float
        Median-unbiased: the value at which half of the simulated estimates are below ``found``; an
        end of the admissible values where none is.
    lower, upper : float
        Of the interval; NaN if no admissible value makes ``found`` likely.
    level : float
    identified : bool
        Whether the estimate is inside the admissible values.
    params : Series
        Regressors and their lags, estimated given ``estimate``; NaN if it is not identified.
    curve : DataFrame, index value of the parameter
        lower, median, upper: quantiles of simulated estimates.
    """

    parameter: str
    found: float
    estimate: float
    lower: float
    upper: float
    level: float
    identified: bool
    params: pd.Series
    curve: pd.DataFrame
    notes: tuple[str, ...] = ()

    what: ClassVar[str] = "Grid bootstrap"
    citation: ClassVar[str] = (
        "Hansen, B. E. (1999). The grid bootstrap and the autoregressive model. Review of "
        "Economics and Statistics 81, 594-607.\n"
        "Andrews, D. W. K. (1993). Exactly median-unbiased estimation of first order "
        "autoregressive/unit root models. Econometrica 61, 139-165."
    )

    def to_frame(self) -> pd.DataFrame:
        """One row: found, estimate, lower, upper, identified."""
        values = {
            "found": self.found,
            "estimate": self.estimate,
            "lower": self.lower,
            "upper": self.upper,
            "identified": self.identified,
        }
        return pd.DataFrame(values, index=pd.Index([self.parameter], name="variable"))

    @property
    def facts(self) -> Mapping[str, float]:
        """The estimate of the data, and what it says."""
        names = ("found", "estimate", "lower", "upper")
        return {name: float(getattr(self, name)) for name in names}

    @property
    def frames(self) -> Mapping[str, Frame]:
        """What the estimate of the data says, and the curve of quantiles it is read off."""
        return self._titled({"grid-inverted": self.to_frame(), "grid-bootstrap": self.curve})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Quantiles of estimates over the true value, and the estimate of the data."""
        return Named({"curve": self._curve_figure})

    def _curve_figure(self, *, ax: Axes | None = None, lang: str = "en") -> Axes:
        from nqp_spatial.plots.lines import Reference, lines

        return lines(
            self.curve.rename(columns={"median": "estimate"}),
            x=word("grid_bootstrap.true", lang).format(parameter=self.parameter),
            y=word("grid_bootstrap.simulated", lang).format(parameter=self.parameter),
            reference=(Reference(self.found, word("grid_bootstrap.found", lang)),),
            ax=ax,
            notes=self.notes,
            lang=lang,
        )


def grid_bootstrap(
    result: SpatialResults,
    *,
    draws: Annotated[int, Between(39)] = 199,
    level: Level = 0.95,
    seed: int = 0,
    n_jobs: int = 1,
) -> GridBootstrapResult:
    r"""The values of rho (or lambda) whose samples give an estimate like that of the data.

    Where W links nearly all places, removing period effects removes most of what identifies
    :math:`\rho`: its estimate is biased by several standard errors, or at the edge of its
    interval. The estimate is still a number with a law that can be simulated. At each value
    :math:`r` of a grid the other parameters are estimated given :math:`r`, ``draws`` samples with
    normal errors are drawn from that model and :math:`\hat\rho` is estimated in each, with
    quantiles :math:`q_\alpha(r)`. Then

    .. math::
        \tilde\rho = \{ r : q_{1/2}(r) = \hat\rho \}, \qquad
        C = \{ r : q_{\alpha/2}(r) \le \hat\rho \le q_{1-\alpha/2}(r) \}

    are the median-unbiased estimate [1]_ and the grid-bootstrap interval [2]_. Their coverage is in
    docs/methods.md.

    Parameters
    ----------
    result : SpatialResults
        Of a model with one spatial parameter: `SpatialDurbin`, `SpatialLag`, `SpatialDiD`,
        `SpatialError` or `SpatialDurbinError`, with fixed effects or none, one W and no gaps, and
        ``correction`` "lee-yu" or "none".
    draws : int
        Samples at each value; all values have the same normal draws.
    level : float
        Of the interval.
    seed, n_jobs : int
        The answer is the same for any ``n_jobs``.

    Returns
    -------
    GridBootstrapResult
        With ``estimate``, ``lower``, ``upper``, ``identified``, ``params`` and ``plot()``.

    Raises
    ------
    OptionError
        For a model that has no such parameter, or two.

    References
    ----------
    .. [1] Andrews, D. W. K. (1993). Econometrica 61, 139-165.
    .. [2] Hansen, B. E. (1999). Review of Economics and Statistics 81, 594-607.
    """
    check_options(grid_bootstrap, draws=draws, level=level)
    model, design = result.model, result.design
    parameter = _parameter(result)
    simulator = _simulator(result, error=parameter == "lambda")
    seeds = np.random.SeedSequence(seed).spawn(draws)
    blocks = [seeds[i : i + _BLOCK] for i in range(0, draws, _BLOCK)]

    def simulate(value: float) -> Any:
        task = partial(simulator.estimates, value)
        return np.concatenate(run(task, blocks, n_jobs=n_jobs, label=f"{parameter} = {value:.3f}"))

    found = float(result.params[parameter])
    ends = tuple(float(end) for end in simulator.spectrum.interval)
    turned = invert(simulate, found, (ends[0], ends[1]), level=level)
    identified = not turned.reached[0]
    estimate, lower, upper = _at_ends(turned, (ends[0], ends[1]), found)
    names = [*model.design.x_names, *(LAG + name for name in result.lagged)]
    if model.effects is None:
        names.insert(0, "const")
    given = simulator.given(estimate)[0] if identified else np.full(len(names), np.nan)
    curve = pd.DataFrame(
        turned.quantiles,
        index=pd.Index(turned.grid, name=parameter),
        columns=["lower", "median", "upper"],
    )
    told = [note("grid_bootstrap.draws", draws=draws, seed=seed)]
    if not identified:
        told.append(note("grid_bootstrap.unidentified", parameter=parameter, end=estimate))
    elif np.isnan(lower):
        told.append(note("grid_bootstrap.unlikely", parameter=parameter))
    elif turned.reached[2]:
        told.append(note("grid_bootstrap.no_upper", parameter=parameter))
    return GridBootstrapResult(
        parameter=parameter,
        found=found,
        estimate=estimate,
        lower=lower,
        upper=upper,
        level=level,
        identified=identified,
        params=pd.Series(given, index=names, name="estimate"),
        curve=curve,
        notes=(*design.notes, *told),
    )


def _at_ends(
    turned: Inversion, ends: tuple[float, float], found: float
) -> tuple[float, float, float]:
    """Estimate and limits, those that reach an end of the search being the end itself."""
    estimate = turned.estimate
    if turned.reached[0]:
        estimate = ends[int(found > float(np.median(turned.quantiles[:, 1])))]
    lower = turned.lower if not turned.reached[1] or np.isnan(turned.lower) else ends[0]
    upper = turned.upper if not turned.reached[2] or np.isnan(turned.upper) else ends[1]
    return estimate, lower, upper


def _parameter(result: SpatialResults) -> str:
    """The name of the one spatial parameter, or what keeps a model from being simulated."""
    present = [name for name in ("rho", "lambda") if name in result.params]
    model = result.model
    if len(present) != 1:
        raise OptionError(
            f"{result.model_name} has {' and '.join(present) or 'no spatial parameter'}. The grid "
            "bootstrap is for models with one: SpatialLag, SpatialDurbin, SpatialDiD, SpatialError "
            "or SpatialDurbinError."
        )
    if isinstance(result.design, StackedDesign) or "tau" in result.params or "eta" in result.params:
        what = "a dynamic model" if "tau" in result.params else "gaps, weights or W that change"
        raise OptionError(f"The grid bootstrap is for one W in all periods; this is {what}.")
    if model.effects == "random" or model.correction not in ("lee-yu", "none"):
        raise OptionError(
            f"The grid bootstrap is for fixed effects with correction='lee-yu' or 'none', not for "
            f"effects={model.effects!r} with correction={model.correction!r}. Fit the model with "
            "one of these."
        )
    return present[0]


def _simulator(result: SpatialResults, *, error: bool) -> Simulator:
    model, design = result.model, result.design
    Z = regressors(design, result.lagged, model.effects)
    return Simulator(
        y=design.y,
        Z=Z,
        W=design.error_W if error else design.W,
        spectrum=design.error.spectrum if error and design.error else result.spectrum,
        effects=model.effects,
        correction=model.correction,
        error=error,
        df=_left(design, model.effects) - Z.shape[-1],
    )


def _left(design: Design, effects: str | None) -> int:
    """Observations that the effects leave."""
    return scale_of(effects, "lee-yu", design.n_entities, design.n_periods).n
