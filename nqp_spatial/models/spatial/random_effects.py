"""Spatial models with entity random effects: labels around ``core.random_effects``."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.ml import Estimate
from nqp_spatial.core.spatial.random_effects import RandomEffectsEstimate, estimate, scores_of
from nqp_spatial.exceptions import BoundaryWarning, EstimationError, OptionError
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.scores import prepare
from nqp_spatial.models.spatial.covariance import Inference, between, check_size, left_of
from nqp_spatial.shared.messages import outside

if TYPE_CHECKING:
    from nqp_spatial.core.spectrum.eigen import Spectrum
    from nqp_spatial.panel.design import Design

Array = npt.NDArray[np.float64]


def fit(
    design: Design,
    Z: Array,
    spectrum: Spectrum,
    *,
    lag: bool,
    error: bool,
    form: str,
    hessian: bool = False,
) -> tuple[Estimate, RandomEffectsEstimate]:
    """Maximum likelihood; as an :class:`Estimate` for what all spatial results share.

    Raises
    ------
    EstimationError
        If the search does not converge, or the regressors fit y exactly.

    Warns
    -----
    BoundaryWarning
        If the variance of the random effects is zero, or rho or lambda is at its bound.
    """
    found = estimate(
        design.y, Z, design.W, spectrum, lag=lag, error=error, form=form, hessian=hessian
    )
    if found.sigma2 <= 1e-20 * float((design.y**2).mean()):
        raise EstimationError("The regressors fit the outcome exactly, so nothing can be inferred.")
    if not found.converged:
        raise EstimationError(
            "The likelihood with random effects has no clear maximum on these data. Use fixed "
            "effects, or look for regressors that hardly vary."
        )
    if found.at_bound:
        told = {"phi": "the variance of the random effects is zero: the model is the pooled one"}
        for name in ("rho", "lambda"):
            told[name] = f"{name} is at its bound: no standard errors are given"
        warnings.warn(
            "; ".join(told[name] for name in found.at_bound) + ".",
            BoundaryWarning,
            stacklevel=outside(),
        )
    return _common(found, design.y), found


def covariance(
    found: Estimate,
    own: RandomEffectsEstimate,
    design: Design,
    Z: Array,
    options: CovarianceOptions,
) -> tuple[Inference, RandomEffectsEstimate]:
    """The covariance that was asked for, without phi, and the estimate with that of all.

    Raises
    ------
    OptionError
        If it is not one for random effects: without a spatial error, by clusters of entities.
    """
    if options.equal_variances:
        return Inference(found.cov, None), own
    if options.cov_type != "clustered":
        raise OptionError(
            f"cov_type={options.cov_type!r} takes errors of an entity as uncorrelated once random "
            "effects are removed. With random effects use cov_type='clustered' or 'asymptotic'.",
            option="cov_type",
        )
    if "lambda" in own.names:
        raise OptionError(
            "cov_type='clustered' with random effects needs a model without a spatial error, where "
            "the random effects cannot be told from the means of errors. Use effects='entity', "
            "SpatialLag or SpatialDurbin, or cov_type='asymptotic'.",
            option="cov_type",
        )
    if np.isnan(found.cov).any():
        return Inference(found.cov, None), own
    check_size(design, options)
    how = prepare(options, design)
    if not how.nested({"entity": design.entity_codes}):
        raise OptionError(
            "With random effects clusters have to hold entities as a whole, which are correlated "
            "over time. Use clusters='entity', labels by entity, or ['entity', 'time'].",
            option="clusters",
        )
    inside = np.flatnonzero(~np.isnan(np.diag(own.cov)))
    scores = scores_of(own, Z, design.W)
    bread = own.cov[np.ix_(inside, inside)]
    cov, df = between(bread, scores, how, left_of(found, design, how))
    values = np.full_like(own.cov, np.nan)
    values[np.ix_(inside, inside)] = cov
    kept = _without_phi(own)
    return Inference(values[np.ix_(kept, kept)], df), replace(own, cov=values)


def _without_phi(found: RandomEffectsEstimate) -> list[int]:
    k = len(found.delta)
    return [*range(k), *(k + i for i, name in enumerate(found.names) if name != "phi")]


def _common(found: RandomEffectsEstimate, y: Array) -> Estimate:
    """Without the row and column of phi; residuals are mu + u."""
    kept = _without_phi(found)
    scale = Scale(y.size, len(y))
    return Estimate(
        delta=found.delta,
        rho=found.rho,
        lambda_=found.lambda_,
        sigma2=found.sigma2,
        loglik=found.loglik,
        cov=found.cov[np.ix_(kept, kept)],
        resid=found.resid,
        y=y - y.mean(),
        scale=scale,
        at_bound="rho" in found.at_bound or "lambda" in found.at_bound,
        regressors=np.empty((*y.shape, 0)),
        g=None,
        spatial=(),
        others=found.others,
    )


def describe(found: RandomEffectsEstimate) -> dict[str, float]:
    """The variance of the random effects, as a share of sigma2 and as it is."""
    statistics = {"phi": found.phi, "sigma2_mu": found.phi * found.sigma2}
    position = len(found.delta) + found.names.index("phi")
    error = float(np.sqrt(found.cov[position, position]))
    return {**statistics, "phi_std_error": error}
