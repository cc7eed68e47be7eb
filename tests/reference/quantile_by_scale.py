"""The quantile of Machado and Santos Silva (2019), where each residual weighs as its scale."""

import numpy as np


def quantile_by_scale(resid, scale, tau):
    """The minimum of the sum of rho_tau(resid - scale q) over q; scales may be negative."""
    resid, scale = np.asarray(resid), np.asarray(scale)
    u = resid / scale
    order = np.argsort(u, kind="stable")
    mass = np.abs(scale)
    reached = np.cumsum(mass[order])
    below = mass[scale < 0].sum()
    target = tau * (reached[-1] - below) + (1 - tau) * below - 1e-12 * reached[-1]
    return u[order[np.searchsorted(reached, target)]]
