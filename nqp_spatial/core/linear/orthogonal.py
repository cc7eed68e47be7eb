"""An orthogonal basis of regressors: estimates keep their digits where columns are nearly alike.

X'X has the square of the condition number of X. With a column beside its product with another whose
mean is 1e7 times its deviations, errors computed from it are wrong by a tenth, and nothing shows.
Models are therefore fitted on X T, whose columns are orthogonal with mean square one once the fixed
effects are removed, and their estimates taken back: delta = T gamma, cov = T cov(gamma) T'.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from nqp_spatial.core.linear.collinear import Triangle
from nqp_spatial.core.spatial.ml import Estimate

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Basis:
    """T and its inverse, both upper triangular, shape (k, k)."""

    forward: Array
    backward: Array

    @classmethod
    def of(cls, within: Array, untouched: int = 0, known: Triangle | None = None) -> Basis:
        """For columns free of fixed effects, (..., k), of which the last may stay as they are."""
        columns = within.reshape(-1, within.shape[-1])
        rows, k = len(columns), columns.shape[1] - untouched
        size, R = Triangle.of(columns[:, :k]) if known is None else known
        forward, backward = np.eye(columns.shape[1]), np.eye(columns.shape[1])
        forward[:k, :k] = solve_triangular(R, np.eye(k)) * np.sqrt(rows) / size[:, None]
        backward[:k, :k] = R * size / np.sqrt(rows)
        return cls(forward, backward)

    def columns(self, values: Array) -> Array:
        """Values of shape (..., k) in the basis."""
        return np.asarray(values @ self.forward)

    def covariance(self, values: Array) -> Array:
        """Of coefficients and of whatever parameters follow, taken back."""
        T = np.eye(len(values))
        k = len(self.forward)
        T[:k, :k] = self.forward
        cov = T @ values @ T.T
        return np.asarray(0.5 * (cov + cov.T))

    def estimate(self, found: Estimate) -> Estimate:
        """All of an estimate, taken back."""
        known = found.regressors  # empty with random effects
        return replace(
            found,
            delta=self.forward @ found.delta,
            cov=self.covariance(found.cov),
            bread=None if found.bread is None else self.covariance(found.bread),
            regressors=known @ self.backward if known.size else known,
        )
