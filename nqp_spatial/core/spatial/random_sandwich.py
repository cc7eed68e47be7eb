"""Scores of the random-effects models without a spatial error, for sandwich covariances.

With a = 1 + T phi, data less (1 - a^-1/2) times their mean over periods have independent errors v_t
of variance s2, and the log-likelihood is (Baltagi, Song and Koh 2003; Elhorst 2014, section 3.4)

    l = -(NT/2) ln(2 pi s2) + T ln|A| - (N/2) ln a - sum_t |v_t|^2 / (2 s2).

The removal of means commutes with W, so that scores of delta, rho and sigma2 are those of a panel
without effects whose data are these (``core.sandwich``). That of phi,

    sum_i [T^2 ubar_i^2 / (2 s2 a^2) - T / (2a)],      ubar: mean of A y - Z delta over periods,

is a sum over entities. Errors of an entity need not be uncorrelated once less that mean, which is
why clusters have to hold entities as a whole. With a spatial error outside of which mu stands,
only the sum of mu and the mean of e can be estimated, and contributions of entities cannot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spatial.random_effects import RandomEffectsEstimate
from nqp_spatial.core.spatial.sandwich import Scores, multiplier_of

Array = npt.NDArray[np.float64]


def scores_of(found: RandomEffectsEstimate, Z: Array, W: sp.csr_array) -> Scores:
    """The score of (delta, ``found.names``), by cell; phi is left out if it is at its bound.

    Parameters
    ----------
    found : RandomEffectsEstimate
        Without a spatial error, rho inside its interval.
    Z : array, shape (n_periods, n_entities, k)
    W : sparse array, shape (n_entities, n_entities)
    """
    n_periods, n_entities, k = Z.shape
    names = [name for name in found.names if name not in found.at_bound]
    s2, a = found.sigma2, 1 + n_periods * found.phi
    linear = np.zeros((n_periods, n_entities, k + len(names)))
    extra = np.zeros_like(linear)
    quadratic = {k + names.index("sigma2"): np.eye(n_entities) / (2 * s2**2)}
    linear[..., :k] = _quasi_demeaned(Z, a) / s2
    if "rho" in names:
        at = k + names.index("rho")
        multiplier = Multiplier(W, found.rho)
        g = (W @ multiplier.solve((Z @ found.delta).T)).T
        linear[..., at] = _quasi_demeaned(g, a) / s2
        quadratic[at] = multiplier_of(W, found.rho) / s2
    if "phi" in names:
        square = (n_periods * found.resid.mean(axis=0) / a) ** 2 / s2
        extra[..., k + names.index("phi")] = (square - n_periods / a) / (2 * n_periods)
    return Scores(_quasi_demeaned(found.resid, a), linear, quadratic, extra=extra)


def _quasi_demeaned(values: Array, a: float) -> Array:
    """Less a share of the mean over periods."""
    return np.asarray(values - (1 - a**-0.5) * values.mean(axis=0))
