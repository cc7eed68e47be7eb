"""Two-stage least squares and two-step GMM of y = D delta + u, with first-stage statistics.

Columns of D that are not endogenous are X; the moments are E[H'u] = 0 with H = [X, Z], Z the
excluded instruments. All are panels (n_periods, n_entities[, k]) without their fixed effects. H is
orthonormalised first, which changes no estimate: 2SLS is then the regression of H'y on H'D, and GMM
the same weighted by the inverse of the covariance S of H'u (Hansen 1982, Econometrica 50).

``moments(resid, H)`` gives S, so that one road serves equal variances (S = s2 H'H), unequal ones,
clusters and kernels, small-sample factor included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from nqp_spatial.core.linear.orthogonal import Basis

Array = npt.NDArray[np.float64]
Moments = Callable[[Array, Array], Array]

_SINGULAR = 1e-10  # reciprocal condition number of S, scaled, below which it has no inverse
_RANK = 1e-7  # singular value of projected over own regressors below which nothing is identified


class SingularMomentsError(ValueError):
    """The covariance of the moments has no inverse: fewer clusters or periods than moments."""


class IndefiniteMomentsError(SingularMomentsError):
    """It gives some combination of moments a negative variance, as a uniform kernel may."""


@dataclass(frozen=True, eq=False)
class System:
    """One equation and its instruments, free of fixed effects.

    Attributes
    ----------
    y : array, shape (n_periods, n_entities)
    D : array, shape (n_periods, n_entities, k)
        All regressors.
    endogenous : array of bool, shape (k,)
    Z : array, shape (n_periods, n_entities, q)
        Excluded instruments.
    n : int
        Observations that the fixed effects have left.
    """

    y: Array
    D: Array
    endogenous: npt.NDArray[np.bool_]
    Z: Array
    n: int

    @property
    def X(self) -> Array:  # noqa: N802
        """Exogenous regressors, shape (n_periods, n_entities, k - k2)."""
        return self.D[..., ~self.endogenous]

    @property
    def E(self) -> Array:  # noqa: N802
        """Endogenous regressors, shape (n_periods, n_entities, k2)."""
        return self.D[..., self.endogenous]


@dataclass(frozen=True, eq=False)
class Solution:
    """Estimates of one equation.

    Attributes
    ----------
    delta : array, shape (k,)
    cov : array, shape (k, k)
    resid : array, shape (n_periods, n_entities)
    gain : array, shape (n_periods, n_entities, k)
        T: delta is T'y.
    sigma2 : float
        resid'resid / n.
    statistic, df : float, int
        (H'u)' S^-1 (H'u) of efficient GMM, whichever was asked for: Sargan's statistic under equal
        variances, else Hansen's J; NaN if df is 0 or S has no inverse.
    """

    delta: Array
    cov: Array
    resid: Array
    gain: Array
    sigma2: float
    statistic: float
    df: int


def solve(system: System, moments: Moments, *, estimator: str = "2sls") -> Solution:
    """Estimate by 2SLS, or by GMM weighted with S at the 2SLS residuals.

    The covariance of GMM takes S at its own residuals, between weights of the first step.

    Raises
    ------
    SingularMomentsError
        If GMM is asked for and S has no inverse.
    """
    k = system.D.shape[-1]
    own = Basis.of(system.D)
    D = own.columns(system.D)
    H = basis(np.concatenate([system.X, system.Z], axis=-1))
    flat = H.reshape(-1, H.shape[-1])
    A, b = flat.T @ D.reshape(-1, k), flat.T @ system.y.ravel()
    first = _least_squares(A, b)
    S = moments(system.y - D @ first, H)
    df = len(b) - k
    if estimator == "2sls":
        G = np.linalg.pinv(A)
        try:
            statistic = _two_step(A, b, S)[1] if df else np.nan
        except SingularMomentsError:
            statistic = np.nan
        delta = first
    else:
        delta, statistic, G = _two_step(A, b, S)
        S = moments(system.y - D @ delta, H)
    resid = system.y - D @ delta
    return Solution(
        delta=own.forward @ delta,
        cov=own.covariance(G @ S @ G.T),
        resid=resid,
        gain=H @ (own.forward @ G).T,
        sigma2=float((resid**2).sum()) / system.n,
        statistic=statistic if df else np.nan,
        df=df,
    )


def _two_step(A: Array, b: Array, S: Array) -> tuple[Array, float, Array]:
    """delta, the minimum of the criterion, and G with delta = G b."""
    root = inverse_root(S)
    G = np.linalg.pinv(root @ A) @ root
    delta = G @ b
    return delta, float(((root @ (b - A @ delta)) ** 2).sum()), G


def inverse_root(S: Array) -> Array:
    """R with R'R = S^-1."""
    scale = np.sqrt(np.abs(np.diag(S)))
    if (scale == 0).any():
        raise SingularMomentsError
    correlations = S / np.outer(scale, scale)
    least = np.linalg.eigvalsh(correlations)[0]
    if least < -_SINGULAR * len(S):
        raise IndefiniteMomentsError
    if least < _SINGULAR * len(S):
        raise SingularMomentsError
    root = np.linalg.cholesky(correlations)
    return np.asarray(solve_triangular(root, np.diag(1 / scale), lower=True))


def _least_squares(A: Array, b: Array) -> Array:
    return np.asarray(np.linalg.lstsq(A, b, rcond=None)[0])


def basis(H: Array) -> Array:
    """Orthonormal columns that span those of H (n_periods, n_entities, l), which has full rank."""
    if not H.shape[-1]:
        return H
    flat = H.reshape(-1, H.shape[-1])
    norms = np.linalg.norm(flat, axis=0)
    return np.asarray(np.linalg.qr(flat / np.where(norms > 0, norms, 1.0))[0]).reshape(H.shape)


@dataclass(frozen=True, eq=False)
class FirstStage:
    """How strongly the excluded instruments move each endogenous regressor, arrays (k2,).

    Attributes
    ----------
    partial_rsquared : array
        Of the excluded instruments, given X.
    f, robust_f : array
        Test that their coefficients are zero, over q: with equal variances and n - k1 - q degrees
        of freedom, and by ``moments``.
    conditional_f, conditional_robust_f : array
        The same of what the other endogenous regressors do not explain, over q - k2 + 1 (Sanderson
        and Windmeijer 2016, J. Econometrics 190, 212-221).
    df : tuple of int
        (q, n - k1 - q).
    singular : bool
        Whether the instruments leave a combination of endogenous regressors unmoved.
    """

    partial_rsquared: Array
    f: Array
    robust_f: Array
    conditional_f: Array
    conditional_robust_f: Array
    df: tuple[int, int]
    singular: bool


def first_stage(system: System, moments: Moments) -> FirstStage:
    """Statistics of the first stage; there are at least as many instruments as regressors."""
    q, k2 = system.Z.shape[-1], int(system.endogenous.sum())
    left = system.n - (len(system.endogenous) - k2) - q
    E, Z = _partialled(system)
    H = basis(Z)
    flat = H.reshape(-1, q)
    projected = flat.T @ E
    explained = (projected**2).sum(axis=0)
    total = (E**2).sum(axis=0)
    sizes = np.linalg.svd(projected / np.sqrt(total), compute_uv=False)
    plain = [_strength(e, H, flat, moments, q, left) for e in E.T]
    other = [_conditional(j, E, projected) for j in range(k2)]
    conditional = [_strength(e, H, flat, moments, q - k2 + 1, left) for e in other]
    return FirstStage(
        partial_rsquared=explained / total,
        f=np.array([f for f, _ in plain]),
        robust_f=np.array([f for _, f in plain]),
        conditional_f=np.array([f for f, _ in conditional]),
        conditional_robust_f=np.array([f for _, f in conditional]),
        df=(q, left),
        singular=bool(sizes[-1] < _RANK * max(sizes[0], 1.0)),
    )


def projection(column: Array, system: System, moments: Moments) -> tuple[Array, Array, Array]:
    """The regression of an endogenous column on [X, Z]: coefficients, covariance, residuals."""
    columns = np.concatenate([system.X, system.Z], axis=-1)
    own = Basis.of(columns)
    H = own.columns(columns)
    flat = H.reshape(-1, H.shape[-1])
    delta = flat.T @ column.ravel() / len(flat)
    resid = column - H @ delta
    spread = moments(resid, H) / len(flat) ** 2
    return own.forward @ delta, own.covariance(spread), resid


def _partialled(system: System) -> tuple[Array, Array]:
    """E (nobs, k2) and Z (n_periods, n_entities, q) less their regression on X."""
    E = system.E.reshape(-1, int(system.endogenous.sum()))
    flat = system.Z.reshape(-1, system.Z.shape[-1])
    X = basis(system.X).reshape(len(flat), system.X.shape[-1])
    for _ in range(2):  # the second pass removes what rounding has left
        E, flat = E - X @ (X.T @ E), flat - X @ (X.T @ flat)
    return E, flat.reshape(system.Z.shape)


def _conditional(j: int, E: Array, projected: Array) -> Array:
    """Endogenous regressor j less its 2SLS regression on the others."""
    others = np.arange(E.shape[1]) != j
    if not others.any():
        return E[:, j]
    return np.asarray(
        E[:, j] - E[:, others] @ _least_squares(projected[:, others], projected[:, j])
    )


def _strength(
    e: Array, H: Array, flat: Array, moments: Moments, restrictions: int, left: int
) -> tuple[float, float]:
    """Wald statistics over ``restrictions`` of e on H: with equal variances, and by ``moments``."""
    c = flat.T @ e
    v = e - flat @ c
    with np.errstate(divide="ignore"):
        plain = float(c @ c / (v @ v / left)) / restrictions
    try:
        root = inverse_root(moments(v.reshape(H.shape[:2]), H))
    except SingularMomentsError:
        return plain, np.nan
    return plain, float(((root @ c) ** 2).sum()) / restrictions
