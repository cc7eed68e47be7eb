"""Maximum likelihood where periods differ in W, in their entities, or in observation weights.

All observations are stacked as one cross-section of n rows, period after period, with W block
diagonal, so that ln|I - rho W| is a sum over periods. With observation weights v, var(e) = s2 / v,
everything is multiplied by the root of v first: y, Z and the dummies of the fixed effects from the
left, and W becomes V^1/2 W V^-1/2, which has the same determinants.

none            exact dummies: n observations, all of ln|I - rho W|.
adjusted-score  what the fixed effects take is taken off: n less their rank, and tr(MG) for tr(G)
                in the score of rho, whose mean is then zero (Yang 2018; Meng and Yang 2021). With
                one W and no gaps this is the transformation approach of Lee and Yu (2010). The
                log-likelihood is that of contrasts K'y without effects, K'K = I.

A spatial error filters the dummies too: (I - lambda W) D is removed, for each lambda.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from nqp_spatial.core.linear.projection import Projection
from nqp_spatial.core.spatial import information, observed
from nqp_spatial.core.spatial.likelihood import Compressed, Optimum, Scale, jacobian_slope, maximise
from nqp_spatial.core.spatial.ml import Estimate
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.blocks import AdjustedSpectrum
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]

_STATIONARY = 1e-5  # score by observation up to which a point is a peak
_GRID = 201  # points at which the score is looked at for a peak inside
_CANCELLED = 1e-6  # squared pivot below which the polynomial in lambda is not precise


def estimate(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    projection: Projection,
    *,
    adjusted: AdjustedSpectrum | None = None,
    lag: bool = True,
    error: bool = False,
    hessian: bool = False,
) -> Estimate:
    """Fit y = rho W y + Z delta + D mu + u, u = lambda W u + e, on stacked observations.

    Parameters
    ----------
    y : array, shape (n,)
    Z : array, shape (n, k)
    W : sparse array, shape (n, n)
        Block diagonal, like y and Z times roots of weights.
    projection : Projection
        Removes D.
    adjusted : AdjustedSpectrum, optional
        For "adjusted-score", without a spatial error.
    hessian : bool
        Whether ``cov`` has the observed information, or derivative of the adjusted score, in place
        of its mean.
    """
    data = _Filtered(y, Z, W, projection) if error else _Plain(y, Z, W, projection)
    scale = Scale(len(y) - (projection.rank if adjusted else 0), 1)
    optimum = maximise(data, adjusted or spectrum, scale, lag=lag, error=error)
    if adjusted is not None and lag and optimum.sigma2 > 0:
        optimum = _inside(data, adjusted, scale, optimum)
    k, m = Z.shape[1], lag + error
    cov = bread = np.full((k + m + 1, k + m + 1), np.nan)
    resid, regressors, wy = data.parts(optimum)
    g = None
    if lag and optimum.sigma2 > 0:
        multiplier = Multiplier(W, optimum.rho)
        g = wy - data.clear(W @ multiplier.solve(resid), optimum.lambda_)
    if optimum.sigma2 > 0 and not optimum.at_bound:
        spatial = [optimum.rho] * lag + [optimum.lambda_] * error
        terms = [information.Term(value) for value in spatial]
        if adjusted is not None and lag:
            assert g is not None
            removed = _Traces(W, optimum.rho, spectrum, projection)
            bread, cov = _adjusted_covariance(
                regressors, g, optimum, adjusted, removed, projection.rank
            )
        else:
            traces = information.one_matrix(terms, spectrum, scale)
            info = information.information(regressors, g, optimum.sigma2, traces, scale)
            bread = cov = information.invert(info)
        if hessian:
            slopes, second = data.curvature(optimum, resid, lag, error)
            J = observed.information(
                slopes,
                second,
                resid,
                optimum.sigma2,
                [observed.curvature(adjusted or spectrum, value, scale) for value in spatial],
                scale,
            )
            bread = cov = observed.invert(J)
            if adjusted is not None and lag:
                cov = _of_adjusted_score(bread, removed.pgmg)
    return Estimate(
        delta=optimum.delta,
        rho=optimum.rho,
        lambda_=optimum.lambda_,
        sigma2=optimum.sigma2,
        loglik=optimum.loglik - (0.5 * projection.log_weight if adjusted else 0.0),
        cov=cov,
        resid=resid[None, :],
        y=data.y_within[None, :],
        scale=scale,
        at_bound=optimum.at_bound,
        regressors=regressors[None, ...],
        g=None if g is None else g[None, :],
        spatial=(*[optimum.rho] * lag, *[optimum.lambda_] * error),
        bread=bread,
        others=optimum.others,
    )


def _inside(
    data: Compressed, adjusted: AdjustedSpectrum, scale: Scale, optimum: Optimum
) -> Optimum:
    """The highest peak away from the edges, where the search did not end on a peak.

    A share m_k of an asymmetric W may be negative, and m_k ln(1 - rho w_k) then rises without limit
    at the edge, where the mean of the score is not zero: the estimate is a root of the score.
    """
    found = data.residual(0.0, lag=True)

    def score(rho: float) -> float:
        fit = scale.n * (found.best - rho) * found.curvature / found.ssr(rho)
        return float(fit + jacobian_slope(adjusted, scale, rho))

    if not optimum.at_bound and abs(score(optimum.rho)) < _STATIONARY * scale.n:
        return optimum
    grid = np.linspace(*adjusted.interval, _GRID)[1:-1]
    rising = np.array([score(rho) > 0 for rho in grid])
    if rising.all() or not rising.any() or grid[rising].min() > grid[~rising].max():
        return replace(optimum, at_bound=True)
    part = adjusted.within(grid[rising].min(), grid[~rising].max())
    return maximise(data, part, scale, lag=True, error=False)


class _Plain(Compressed):
    """Data free of fixed effects, without a spatial error."""

    def __init__(self, y: Array, Z: Array, W: sp.csr_array, projection: Projection) -> None:
        self._projection = projection
        columns = np.column_stack([Z, W @ y, y])
        self._S = projection(columns[None, ...])[0]
        k = Z.shape[1]
        super().__init__(self._S[:, :k], self._S[:, k], self._S[:, k + 1])

    @property
    def y_within(self) -> Array:
        """The outcome free of fixed effects."""
        return np.asarray(self._S[:, -1])

    def clear(self, values: Array, lambda_: float) -> Array:
        """Values of shape (n,) free of fixed effects."""
        return self._projection(values[None, :])[0]

    def parts(self, optimum: Optimum) -> tuple[Array, Array, Array]:
        """Residuals, regressors and Wy, free of fixed effects."""
        Z, wy, y = self._S[:, : self.k], self._S[:, self.k], self._S[:, self.k + 1]
        return y - optimum.rho * wy - Z @ optimum.delta, Z, wy

    def curvature(
        self, optimum: Optimum, resid: Array, lag: bool, error: bool
    ) -> tuple[Array, Array]:
        """Slopes of minus the innovations, and e'e_pq: see `observed`."""
        slopes = self._S[:, : self.k + lag]
        return slopes, np.zeros((slopes.shape[1], slopes.shape[1]))


class _Filtered(Compressed):
    """(I - lambda W) of the data, free of the dummies that I - lambda W has filtered too.

    Cross-products with the basis Q of the dummies are polynomials in lambda and are made once; each
    lambda then takes a factorisation of the size of the dummies and one QR of [Z, Wy, y].
    """

    def __init__(self, y: Array, Z: Array, W: sp.csr_array, projection: Projection) -> None:
        self.k, self._W = Z.shape[1], W
        self._projection = projection
        self._S = np.column_stack([Z, W @ y, y])
        self._WS = np.asarray(W @ self._S)
        self._Q = projection.basis
        self._WQ = sp.csr_array(W @ self._Q)
        cross = (self._Q.T @ self._WQ).toarray()
        square = (self._WQ.T @ self._WQ).toarray()
        self._gram = (np.eye(projection.rank), -(cross + cross.T), square)
        self._total = float((projection(y[None, :]) ** 2).sum())
        self._at = lru_cache(maxsize=256)(self._filtered)

    @property
    def y_within(self) -> Array:
        """The outcome free of fixed effects."""
        return self._projection(self._S[None, :, -1])[0]

    def _basis(self, lambda_: float) -> sp.csr_array:
        return sp.csr_array(self._Q - lambda_ * self._WQ)

    def _coefficients(self, values: Array, lambda_: float) -> Array:
        """Of the filtered dummies, for values of shape (n, ...)."""
        if not self._projection.rank:
            return np.zeros((0, *values.shape[1:]))
        a, b, c = self._gram
        gram = a + lambda_ * b + lambda_**2 * c
        try:
            factor = cho_factor(gram)
            precise = (np.diag(factor[0]) ** 2).min() > _CANCELLED
        except LinAlgError:
            precise = False
        if precise:
            return np.asarray(cho_solve(factor, self._basis(lambda_).T @ values))
        basis = self._basis(lambda_).toarray()  # nearly singular: at the edge of lambda's interval
        norms = np.linalg.norm(basis, axis=0)
        scaled = np.linalg.lstsq(basis / norms, values, rcond=None)[0]
        return np.asarray((scaled.T / norms).T)

    def clear(self, values: Array, lambda_: float) -> Array:
        """Values of shape (n,) or (n, k), free of the filtered dummies."""
        return np.asarray(values - self._basis(lambda_) @ self._coefficients(values, lambda_))

    def _columns(self, lambda_: float) -> Array:
        return self.clear(self._S - lambda_ * self._WS, lambda_)

    def _filtered(self, lambda_: float) -> Array:
        return np.asarray(np.linalg.qr(self._columns(lambda_), mode="r"))

    def triangle(self, lambda_: float) -> Array:
        """R of the filtered [Z, Wy, y]."""
        return self._at(float(lambda_))

    def slope(self, rho: float, lambda_: float) -> float:
        """Derivative of the sum of squares in lambda, coefficients of dummies at their optimum."""
        v = np.concatenate([-self.delta(rho, lambda_), [-rho, 1.0]])
        u, wu = self._S @ v, self._WS @ v
        filtered = u - lambda_ * wu
        effects = self._coefficients(filtered, lambda_)
        resid = filtered - self._basis(lambda_) @ effects
        return float(-2 * resid @ (wu - self._WQ @ effects))

    def parts(self, optimum: Optimum) -> tuple[Array, Array, Array]:
        """Innovations, filtered regressors and filtered Wy."""
        columns = self._columns(optimum.lambda_)
        Z, wy, y = columns[:, : self.k], columns[:, self.k], columns[:, self.k + 1]
        return y - optimum.rho * wy - Z @ optimum.delta, Z, wy

    def curvature(
        self, optimum: Optimum, resid: Array, lag: bool, error: bool
    ) -> tuple[Array, Array]:
        """Slopes of minus the innovations, and e'e_pq: see `observed`.

        Coefficients of the dummies are parameters too, and are eliminated: what the slopes have of
        the filtered dummies D* is taken off, and as D* moves with lambda, so is (D*'D*)^-1 (WD)'e.
        """
        lambda_, positions = optimum.lambda_, self.k + lag
        v = np.concatenate([-optimum.delta, [-optimum.rho, 1.0]])
        effects = self._coefficients((self._S - lambda_ * self._WS) @ v, lambda_)
        wu = self._WS @ v - self._WQ @ effects
        raw = np.column_stack([(self._S - lambda_ * self._WS)[:, :positions], wu])
        second = np.zeros((positions + 1, positions + 1))
        second[:-1, -1] = second[-1, :-1] = resid @ self._WS[:, :positions]
        moved = self._moved(resid, lambda_)
        along = raw.T @ moved
        second[:, -1] -= along
        second[-1, :] -= along
        second[-1, -1] -= moved @ moved
        return self.clear(raw, lambda_), second

    def _moved(self, resid: Array, lambda_: float) -> Array:
        """D* (D*'D*)^-1 (WD)'e."""
        basis = self._basis(lambda_).toarray()
        if not basis.shape[1]:
            return np.zeros(len(resid))
        # the shortest x with D*'x = (WD)'e
        return np.asarray(np.linalg.lstsq(basis.T, self._WQ.T @ resid, rcond=None)[0])


def _adjusted_covariance(
    Z: Array, g: Array, optimum: Optimum, adjusted: AdjustedSpectrum, traces: _Traces, rank: int
) -> tuple[Array, Array]:
    """Inverse of the expected derivative J of the adjusted score, and J^-1 var(score) J^-1.

    With h the part of MWy that is not random, J_rr = h'h/s2 + tr(G'MG) + tr(MGG) and the variance
    of the score has tr(MGMG) in place of tr(MGG): they differ where W and the effects do not
    commute. ``g`` is M (Wy - Ge) with estimated effects, so h'h = g'g - s2 tr(QQ'G'MGQQ').
    """
    s2, rho = optimum.sigma2, optimum.rho
    n, k = len(g), Z.shape[1]
    fixed = max(float(g @ g) / s2 - traces.pgmgp, 0.0)
    J = np.zeros((k + 2, k + 2))
    J[:k, :k] = Z.T @ Z / s2
    J[:k, k] = J[k, :k] = Z.T @ g / s2
    J[k, -1] = J[-1, k] = adjusted.trace_g(rho) / s2
    J[-1, -1] = (n - rank) / (2 * s2**2)
    V = J.copy()
    J[k, k] = fixed + traces.gmg + adjusted.trace_gg(rho)
    V[k, k] = fixed + traces.gmg + adjusted.trace_gg(rho) - traces.pgmg
    bread = information.invert(J)
    cov = bread @ V @ bread
    return bread, 0.5 * (cov + cov.T)


def _of_adjusted_score(bread: Array, pgmg: float) -> Array:
    """J^-1 var(score) J^-1 with the observed J: the two differ in rho by tr(PGMG), as in the mean.

    Where W and the effects commute, as under the transformation, there is no difference.
    """
    rho = bread[:, -2]
    cov = bread - pgmg * np.outer(rho, rho)
    return cov if (np.diag(cov) > 0).all() else np.full_like(cov, np.nan)


class _Traces:
    """tr(G'MG), tr(PGMG) and tr(PG'MGP), P = QQ' the fixed effects, from blocks of columns."""

    def __init__(
        self, W: sp.csr_array, rho: float, spectrum: Spectrum, projection: Projection
    ) -> None:
        Q, multiplier, size = projection.basis, Multiplier(W, rho), 256
        removed = both = inner = crossed = 0.0
        for start in range(0, projection.rank, size):
            block = Q[:, start : start + size].toarray()
            transposed = multiplier.solve_transposed(W.T @ block)  # G'Q
            removed += float((transposed**2).sum())
            applied = np.asarray(W @ multiplier.solve(block))  # GQ
            both += float((applied**2).sum())
            projected = Q.T @ applied
            inner += float((projected**2).sum())
            crossed += float((transposed * applied).sum())
            crossed -= float((projected * (transposed.T @ Q).T).sum())
        self.gmg = spectrum.trace_gtg(rho) - removed
        self.pgmg = crossed
        self.pgmgp = both - inner
