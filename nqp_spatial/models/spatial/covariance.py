"""Covariances of spatial models: of likelihoods by the sandwich of ``core``, of moments H'u.

Small-sample factors and degrees of freedom of t are those of least squares (`models.scores`),
so that a model without rho and lambda has its standard errors, n being the number of cells; equal
variances have no factor and the normal distribution. K counts the coefficients, rho and lambda, and
the fixed effects that the correction has taken off n.

Factors of moments count the observations that the fixed effects leave, without entity effects
nested in clusters, and not the regressors; G / (G - 1) for clusters, T / (T - 1) for kernels over
time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nqp_spatial.core.linear.iv import Moments
from nqp_spatial.core.spatial import sandwich
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.core.spatial.ml import Estimate
from nqp_spatial.exceptions import EstimationError
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.scores import LARGEST, Prepared, prepare
from nqp_spatial.panel.design import Design
from nqp_spatial.panel.stacked import StackedDesign

Array = npt.NDArray[np.float64]


class Inference(NamedTuple):
    """Covariance of (delta, rho and lambda as present, sigma2), and df of t, None if normal."""

    values: Array
    df: float | None


def compute(found: Estimate, design: Design, options: CovarianceOptions) -> Inference:
    """The covariance that was asked for, with its small-sample factor."""
    if options.equal_variances or np.isnan(found.cov).any():
        return Inference(found.cov, None)
    check_size(design, options)
    how = prepare(options, design)
    second = None if design.error is None else design.error.W
    basis = design.period_basis(found.scale)
    scores = sandwich.scores_of(found, design.whitened_W, basis, second)
    if isinstance(design, StackedDesign):
        scores = replace(scores, cells=(design.period_codes[0], design.entity_codes[0]))
    bread = found.cov if found.bread is None else found.bread
    return between(bread, scores, how, left_of(found, design, how))


def check_size(design: Design, options: CovarianceOptions) -> None:
    """Raise if W is too large for what a sandwich needs."""
    if design.W.shape[0] > LARGEST:
        of = "entity-periods" if isinstance(design, StackedDesign) else "entities"
        raise EstimationError(
            f"cov_type={options.cov_type!r} needs dense matrices of {design.W.shape[0]} {of}; "
            f"{LARGEST} is the most. Use cov_type='asymptotic'."
        )


def between(bread: Array, scores: sandwich.Scores, how: Prepared, left: int) -> Inference:
    """The sandwich and its degrees of freedom, if its variances are positive."""
    factor, df = how.small_sample(how.where.entity_codes.size, left)
    cov = sandwich.sandwich(bread, how.middle(scores), factor)
    if (np.diag(cov) <= 0).any():
        raise EstimationError(
            f"cov_type={how.options.cov_type!r} gives a variance that is not positive, which "
            "happens with few clusters or periods, or a kernel that is not positive definite. Use "
            "fewer dimensions, another cutoff, or kernel='bartlett'."
        )
    return Inference(cov, float(df))


def left_of(found: Estimate, design: Design, how: Prepared) -> int:
    """Cells less K, without counting the fixed effects that are nested in clusters."""
    sizes = {"entity": design.n_entities, "time": design.n_periods}
    kinds = {"entity": design.entity_codes, "time": design.period_codes}
    counted = zip(kinds, design.counted(found.scale), strict=True)
    free = how.nested({name: kinds[name] for name, yes in counted if yes})
    rank = design.y.size - found.scale.n if len(free) == 2 else sum(sizes[name] for name in free)
    return found.scale.n + max(rank - 1, 0) - (len(found.cov) - 1)


# ---------------------------------------------------------------- moments


def moments_of(design: Design, options: CovarianceOptions, effects_left: Scale) -> Moments:
    """The function that gives S, the covariance of H'u, from residuals and H.

    Linear moments have no pairs, so that nothing dense is made but the weights of "conley".
    """
    if options.equal_variances:
        return lambda u, H: _equal(u, H, effects_left.n)
    how = prepare(options, design)
    taken = effects_left.n / design.y.size
    if how.nested({"entity": design.entity_codes}) and effects_left.n_periods < design.n_periods:
        taken *= design.n_periods / effects_left.n_periods
    factor = (1 if how.groups is None else how.groups / (how.groups - 1)) / taken
    return lambda u, H: factor * how.middle(sandwich.Scores(u, H, {}))


def _equal(u: Array, H: Array, n: int) -> Array:
    flat = H.reshape(-1, H.shape[-1])
    return np.asarray(flat.T @ flat * (float((u**2).sum()) / n))
