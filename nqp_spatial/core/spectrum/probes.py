"""Traces as means over random probes, with the error of the mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def signs(rng: np.random.Generator, n: int, size: int) -> Array:
    """Probes z with entries -1 or 1 (Rademacher), shape (n, size): E[z'Mz] = tr(M)."""
    return np.asarray(2.0 * rng.integers(0, 2, (n, size)) - 1.0)


def controlled(samples: Array, controls: Array) -> tuple[Array, Array]:
    """Means of samples, with what correlated quantities of known mean explain taken out.

    Parameters
    ----------
    samples : array, shape (probes, m)
    controls : array, shape (probes, p)
        Deviations from their known means.

    Returns
    -------
    means : array, shape (m,)
        Intercepts of the regression of the samples on the controls.
    deviations : array, shape (probes, m)
        A mean's standard error is the root of its sum of squared deviations: residuals over one
        minus their leverage, by their weight in the intercept (MacKinnon and White 1985, HC3), as
        products of random signs have neither equal variance nor few outliers.
    """
    size = np.abs(controls).max(axis=0)
    varying = size > 1e-12 * np.abs(samples).max()
    X = np.column_stack([np.ones(len(samples)), controls[:, varying] / size[varying]])
    Q, R = np.linalg.qr(X)
    means = np.linalg.pinv(R) @ (Q.T @ samples)
    weights = np.linalg.pinv(R)[0] @ Q.T
    leverage = np.minimum((Q**2).sum(axis=1), 0.95)
    residuals = samples - X @ means
    return means[0], residuals * (weights / (1 - leverage))[:, None]
