"""Covariance of the moments H'u by name.

Factors count the observations that the fixed effects leave, without entity effects nested in
clusters, and not the regressors; G / (G - 1) for clusters, T / (T - 1) for Driscoll and Kraay.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import nqp_spatial.models.spatial.covariance as _covariance
from nqp_spatial.core.linear.iv import Moments
from nqp_spatial.core.spatial import sandwich
from nqp_spatial.core.spatial.likelihood import Scale
from nqp_spatial.exceptions import EstimationError
from nqp_spatial.panel.design import Design

Array = npt.NDArray[np.float64]


def moments_of(
    design: Design, options: _covariance.CovarianceOptions, effects_left: Scale
) -> Moments:
    """The function that gives S, the covariance of H'u, from residuals and H.

    Linear moments have no pairs, so that nothing dense is made but the kernel of "conley".
    """
    factor = design.y.size / effects_left.n
    if options.cov_type == "asymptotic":
        return lambda u, H: _equal(u, H, effects_left.n)
    if options.cov_type == "robust":
        return lambda u, H: factor * sandwich.robust(_scores(u, H))
    if options.cov_type == "clustered":
        return _clustered(design, options, effects_left)
    if options.cov_type == "driscoll-kraay":
        if design.n_periods < 2:
            raise EstimationError("Driscoll-Kraay errors need at least two periods.")
        lags = _covariance._bandwidth(options.bandwidth, design.n_periods)
        factor *= design.n_periods / (design.n_periods - 1)
        return lambda u, H: factor * sandwich.driscoll_kraay(_scores(u, H), lags)
    serial = options.serial_lags or 0
    _covariance._check_lags("serial_lags", serial, design.n_periods)
    if design.n_entities > _covariance._LARGEST:
        raise EstimationError(
            f"cov_type='conley' needs a dense matrix of {design.n_entities} entities; "
            f"{_covariance._LARGEST} is the most. Use cov_type='robust' or 'clustered'."
        )
    kernel = _covariance._conley_kernel(design, options)
    return lambda u, H: factor * sandwich.conley(_scores(u, H), kernel, serial)


def _scores(u: Array, H: Array) -> sandwich.Scores:
    return sandwich.Scores(u, H, {})


def _equal(u: Array, H: Array, n: int) -> Array:
    flat = H.reshape(-1, H.shape[-1])
    return np.asarray(flat.T @ flat * (float((u**2).sum()) / n))


def _clustered(
    design: Design, options: _covariance.CovarianceOptions, effects_left: Scale
) -> Moments:
    dimensions = _covariance._dimensions(options.clusters, design)
    codes = [code for _, code in dimensions]
    few = _covariance.fewest(dimensions)
    nested = any((code == code[:1]).all() for code in codes)  # whole entities within a cluster
    taken = effects_left.n / design.y.size
    if nested and effects_left.n_periods < design.n_periods:  # the entity effects are nested
        taken *= design.n_periods / effects_left.n_periods
    factor = few / (few - 1) / taken
    both = _covariance._intersection(*codes) if len(codes) == 2 else None

    def moments(u: Array, H: Array) -> Array:
        scores = _scores(u, H)
        S = sum(sandwich.clustered(scores, code) for code in codes)
        return factor * np.asarray(S if both is None else S - sandwich.clustered(scores, both))

    return moments
