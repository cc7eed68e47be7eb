"""Where an indirect effect comes from: from rho and the direct coefficient, or from theta.

The indirect effect of a regressor, with S = (I - rho W)^-1 (beta I + theta W), is c beta +
(c / rho) theta, c being the mean row sum less the mean diagonal element of (I - rho W)^-1, so that

    indirect = (c / rho) (theta + rho beta)

(LeSage and Pace 2009, section 2.7). What rho and beta imply alone is in the same proportion to the
direct effect for every regressor without a spatial lag of its own, whatever the data say of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.effects.parameters import Parameters, average_weights, standard_errors
from nqp_spatial.language.catalogue import note
from nqp_spatial.results import Calculation, Frame
from nqp_spatial.shared.options import Level, check_level
from nqp_spatial.shared.tests import TestResult, wald
from nqp_spatial.shared.text import format_frame

Array = npt.NDArray[np.float64]

SOURCES = ("implied", "added", "total")


@dataclass(frozen=True, eq=False, repr=False)
class IndirectSource(Calculation):
    """An indirect effect by its source.

    Attributes
    ----------
    variable : str
        The regressor.
    sources : DataFrame, index source
        ``implied`` by rho and beta alone, ``added`` by theta, and their sum ``total``, the average
        indirect effect: estimate, std_error, pvalue, lower, upper; ``share`` of the total with
        ``share_std_error``, which mean little where the total is near zero. What is zero by
        construction has no p-value.
    found : mapping of str to TestResult
        "theta": theta = 0, the spatial lag of the regressor adds nothing. "indirect":
        theta + rho beta = 0, which is that the indirect effect is zero. With a W of its own for
        lags of regressors the second is of the indirect effect itself.
    notes : tuple of str
        Which parts the model has, and what that means.
    """

    what: ClassVar[str] = "Source of an indirect effect"
    citation: ClassVar[str] = (
        "LeSage, J. and Pace, R. K. (2009). Introduction to Spatial Econometrics. CRC Press, "
        "section 2.7.\n"
        "Elhorst, J. P. (2014). Spatial Econometrics. Springer, section 2.7."
    )

    variable: str
    sources: pd.DataFrame
    found: Mapping[str, TestResult]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Implied, added and total."""
        return self.sources

    @property
    def tests(self) -> Mapping[str, TestResult]:
        """Whether theta adds anything, and whether there is an indirect effect."""
        return self.found

    @property
    def frames(self) -> Mapping[str, Frame]:
        """The parts."""
        return self._titled({"indirect-source": self.sources})

    @property
    def facts(self) -> Mapping[str, float]:
        """Estimates of the parts."""
        return {str(name): float(value) for name, value in self.sources["estimate"].items()}

    @property
    def headline(self) -> str:
        """Of what."""
        return f"{self.what}: {self.variable}"

    def _told(self) -> str:
        return "\n".join([format_frame(self.sources), *map(str, self.found.values())])


def indirect_source(response: Parameters, variable: str, *, level: Level = 0.95) -> IndirectSource:
    """How much of an indirect effect rho and beta imply, and how much theta adds.

    Without a spatial lag of the regressor (SAR, SAC, or ``durbin=`` without it) all of its indirect
    effect is implied: about rho / (1 - rho) of the direct effect if rows of W sum to one, for this
    regressor as for every other. Without rho (SLX, SDEM) all is added by theta.

    Parameters
    ----------
    variable : str
    level : float
        Of the intervals.

    Returns
    -------
    IndirectSource
        Errors by the delta method.

    Raises
    ------
    UnstableModelError
        If rho was estimated at its bound, so that no effect is defined.
    """
    check_level(level)
    r = response.position(variable)
    weights = average_weights(response)["indirect"]
    beta, theta = (float(value) for value in response.coefficients(r))
    cov, zero = response.cov_of(r), np.zeros(())
    gradients = np.array(
        [
            np.stack([weights.beta, zero, beta * weights.d_beta]),
            np.stack([zero, weights.theta, theta * weights.d_theta]),
            weights.gradient(beta, theta),
        ]
    )
    estimates = np.array([beta * weights.beta, theta * weights.theta, weights.effect(beta, theta)])
    sources = _frame(response, estimates, gradients, cov, level)
    rho = response.rho_estimate
    return IndirectSource(
        variable=variable,
        sources=sources,
        found=_tests(response, r, estimates[2], gradients[2], cov),
        notes=_notes(response, r, variable, sources, rho),
    )


def _frame(
    response: Parameters, estimates: Array, gradients: Array, cov: Array, level: float
) -> pd.DataFrame:
    errors = standard_errors(gradients, cov)
    with np.errstate(invalid="ignore", divide="ignore"):
        pvalues = np.where(errors > 0, response.pvalue(estimates / errors), np.nan)
        share = estimates / estimates[2]
        slopes = (gradients - share[:, None] * gradients[2]) / estimates[2]
    width = response.critical(level) * errors
    columns = {
        "estimate": estimates,
        "std_error": errors,
        "pvalue": pvalues,
        "lower": estimates - width,
        "upper": estimates + width,
        "share": share,
        "share_std_error": standard_errors(slopes, cov),
    }
    return pd.DataFrame(columns, pd.Index(SOURCES, name="source"))


def _tests(
    response: Parameters, r: int, total: float, gradient: Array, cov: Array
) -> dict[str, TestResult]:
    """Those that the model has."""
    beta, theta = (float(value) for value in response.coefficients(r))
    has_theta, has_rho = response.theta[r] >= 0, response.rho >= 0
    found = {}
    if has_theta:
        found["theta"] = wald(
            np.array([theta]), cov[1:2, 1:2], null=note("source.no_theta"), df_resid=response.df
        )
    if response.M is not None:
        null, value, slope = note("source.no_indirect"), total, gradient
    else:
        rho = response.rho_estimate
        slope = np.array([rho, 1.0, beta])
        null, value = note("source.no_sum"), theta + rho * beta
    if has_theta or has_rho:
        variance = np.atleast_2d(slope @ cov @ slope)
        found["indirect"] = wald(np.array([value]), variance, null=null, df_resid=response.df)
    return found


def _notes(
    response: Parameters, r: int, variable: str, sources: pd.DataFrame, rho: float
) -> tuple[str, ...]:
    """Which parts there are, in words."""
    has_theta, has_rho = response.theta[r] >= 0, response.rho >= 0
    if not has_theta and not has_rho:
        return (note("source.none", variable=variable),)
    if not has_theta:
        return (note("source.implied", variable=variable, rho=f"{rho:.4f}"),)
    if not has_rho:
        return (note("source.added", variable=variable),)
    both = sources["estimate"]
    told = note(
        "source.both",
        variable=variable,
        implied=f"{both['implied']:.4g}",
        added=f"{both['added']:.4g}",
        rho=f"{rho:.4f}",
    )
    return (told,)
