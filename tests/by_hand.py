"""What tests work out by hand, in plain numpy: dummies, derivatives, effects by dense inverses."""

from __future__ import annotations

import numpy as np


def dummies(*labels):
    """A column for every label, of each of the given."""
    columns = [np.equal.outer(np.asarray(x), np.unique(x)) for x in labels]
    return np.column_stack(columns).astype(float)


def effect_dummies(effects, entity, period):
    """Those of the effects by name; without any, the constant."""
    constant = np.zeros(len(entity))
    kinds = {None: [constant], "entity": [entity], "time": [period], "twoway": [entity, period]}
    return dummies(*kinds[effects])


def slopes(function, point, h=1e-4):
    """Central differences, extrapolated once; the parameters in the first dimension."""
    out = []
    for unit in np.eye(len(point)):
        near, far = (
            (function(point + s * unit) - function(point - s * unit)) / (2 * s) for s in (h / 2, h)
        )
        out.append((4 * near - far) / 3)
    return np.array(out)


def delta_errors(function, point, cov):
    """Standard errors of the values of a function of the parameters."""
    gradient = slopes(function, point)
    variance = np.einsum("i...,ij,j...->...", gradient, cov, gradient)
    return np.sqrt(np.maximum(variance, 0.0))


def parameters(res, variable, others=("rho",)):
    """(beta, theta, *others), zero for those the model lacks, and their covariance."""
    wanted = [variable, f"W_{variable}", *others]
    cov = res.cov.reindex(index=wanted, columns=wanted).fillna(0.0).to_numpy()
    return res.params.reindex(wanted).fillna(0.0).to_numpy(), cov


def effects_matrix(W, beta, theta, rho):
    """S = (I - rho W)^-1 (beta I + theta W)."""
    identity = np.eye(len(W))
    return np.linalg.inv(identity - rho * W) @ (beta * identity + theta * W)


def averages(S):
    """Direct, indirect and total effect."""
    direct, total = np.trace(S) / len(S), S.sum() / len(S)
    return np.array([direct, total - direct, total])
