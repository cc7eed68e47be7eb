"""Entity random effects by maximum likelihood, with a spatial lag of y, a spatial error, or both.

    y_t = rho W y_t + Z_t delta + mu + u_t,   u_t = lambda W u_t + e_t,
    mu ~ N(0, s2 phi I),   e_t ~ N(0, s2 I).

Write A = I - rho W, B = I - lambda W, v_t = A y_t - Z_t delta and vbar for its mean over periods.
Over s2, deviations of v from entity means have covariance (B'B)^-1 and sqrt(T) vbar has M, so that

    l = -(NT/2) ln(2 pi s2) + T ln|A| + (T-1) ln|B| - (1/2) ln|M| - q / (2 s2),
    q = sum_t |B (v_t - vbar)|^2 + T vbar' M^-1 vbar,
    M = T phi I + (B'B)^-1         ("baltagi": mu is outside the spatial error), or
    M = (1 + T phi) (B'B)^-1       ("kkp": mu is filtered as the error is)

(Baltagi, Song and Koh 2003, J. Econometrics 117; Kapoor, Kelejian and Prucha 2007, J. Econometrics
140; Elhorst 2014, section 3.4; Millo and Piras 2012, J. Stat. Software 47).
delta and s2 are concentrated out. With tau = ln(1 + T phi) and s = 1 - exp(-tau), the matrix to
factorise is C = (1 - s) I + s B'B, sparse if W is, for which ln|M| = ln|C| + tau N - 2 ln|B| and
M^-1 = (1 - s) C^-1 B'B; only the "baltagi" error needs it. All else is a handful of moments of the
data, made once, so that nothing of size NT x NT is ever formed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import solve_triangular
from scipy.ndimage import maximum_filter
from scipy.optimize import minimize

from nqp_spatial.core.spatial.likelihood import ALIKE, Peak, apart
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spatial.random_information import Point, covariance
from nqp_spatial.core.spatial.random_moments import Columns, Moments, trace_of_solution
from nqp_spatial.core.spatial.sandwich import Scores, multiplier_of
from nqp_spatial.core.spectrum.eigen import Spectrum

Array = npt.NDArray[np.float64]

FORMS = ("baltagi", "kkp")
EXACT = 1e-20  # share of the sum of squares below which nothing is left to explain
EDGE = 1e-6  # share of the interval left out at each end: a constant times B vanishes there
_GRID = 13  # values of rho and of lambda at which the likelihood is looked at first
_TAUS = np.array([0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16.0])
_TAU_MAX = 30.0  # phi of 1e13 / T: the entity means are all there is
_STARTS = 6  # local maxima of the grid from which the search starts


@dataclass(frozen=True)
class RandomEffectsEstimate:
    """Maximum of the random-effects likelihood.

    Attributes
    ----------
    delta : array, shape (k,)
    rho, lambda_ : float
        Zero where the model has no such term.
    sigma2 : float
        Variance of e; zero, with the rest NaN, if Z, Wy and the entity means fit y exactly.
    phi : float
        Variance of mu over sigma2.
    loglik : float
        With its constant and all log-determinants.
    cov : array, shape (k + m, k + m)
        Inverse of the information of (delta, ``names``), in that order. NaN in the row
        and column of phi if phi is zero (the rest is then the pooled model's), and everywhere if
        rho or lambda is at its bound.
    names : tuple of str
        "rho", "lambda", "phi", "sigma2" without those that the model does not have.
    resid : array, shape (n_periods, n_entities)
        A y - Z delta, that is mu + u.
    at_bound : tuple of str
        Those of "rho", "lambda", "phi" that are at the edge of what is admissible.
    converged : bool
        Whether the last Newton step was negligible, so that this is a maximum.
    others : tuple of Peak
        Maxima of the likelihood that are nearly as high.
    """

    delta: Array
    rho: float
    lambda_: float
    sigma2: float
    phi: float
    loglik: float
    cov: Array
    names: tuple[str, ...]
    resid: Array
    at_bound: tuple[str, ...]
    converged: bool
    others: tuple[Peak, ...] = ()


def estimate(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    *,
    lag: bool,
    error: bool,
    form: str = "baltagi",
    hessian: bool = False,
) -> RandomEffectsEstimate:
    """Fit ``y_t = rho W y_t + Z_t delta + mu + u_t``, ``u_t = lambda W u_t + e_t``.

    Parameters
    ----------
    y : array, shape (n_periods, n_entities)
        At least two periods.
    Z : array, shape (n_periods, n_entities, k)
        Of full column rank when stacked; with a constant if one is wanted. Columns that do not
        vary over time are allowed.
    W : sparse array, shape (n_entities, n_entities)
    spectrum : Spectrum of W
    lag, error : bool
        Whether rho, and whether lambda, is estimated.
    form : {"baltagi", "kkp"}
        Whether mu is outside or inside the spatial error; without ``error`` they are the same.
    hessian : bool
        Whether the covariance is the inverse of the observed information, not the expected one.

    Raises
    ------
    ValueError
        If ``form`` is unknown, there is one period only, or Wy is a combination of Z.
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {FORMS}, not {form!r}.")
    if len(y) < 2:
        raise ValueError("Random effects need two periods or more: with one, phi is not defined.")
    model = _Model(y, Z, W, spectrum, lag, error, form if error else "kkp")
    if model.is_exact:
        return model.exact()
    best, *rest = _search(model)
    found = model.label(*best, hessian=hessian)
    low, high = spectrum.interval
    others = [
        Peak(float(point[0]), float(point[1]), best[1] - value)
        for point, value, converged in rest
        if converged and best[1] - value < ALIKE and not model.at_bound(point)
    ]
    if found.at_bound:
        return found
    return replace(found, others=apart(found.rho, found.lambda_, others, high - low))


def log_likelihood(
    y: Array,
    Z: Array,
    W: sp.csr_array,
    spectrum: Spectrum,
    *,
    rho: float | None = None,
    lambda_: float | None = None,
    phi: float,
    form: str = "baltagi",
) -> float:
    """The likelihood at given parameters, delta and sigma2 being the best for them.

    Parameters
    ----------
    y, Z, W, spectrum, form
        As for `estimate`.
    rho, lambda_ : float, optional
        None where the model has no such term.
    phi : float
        Variance of mu over sigma2.
    """
    lag, error = rho is not None, lambda_ is not None
    model = _Model(y, Z, W, spectrum, lag, error, form if error else "kkp")
    return model.value(np.array([rho or 0.0, lambda_ or 0.0, np.log1p(len(y) * phi)]))[0]


class _Model:
    """The likelihood with delta and sigma2 concentrated out, as a function of (rho, lambda, tau).

    Z is made orthonormal, y and Wy are made orthogonal to it (which changes delta alone), so that
    the Gram matrices are as well conditioned as the data allow. Columns: Z, then Wy, then y.
    """

    def __init__(
        self,
        y: Array,
        Z: Array,
        W: sp.csr_array,
        spectrum: Spectrum,
        lag: bool,
        error: bool,
        form: str,
    ) -> None:
        self.y, self.Z, self.W, self.spectrum = y, Z, W, spectrum
        self.lag, self.error, self.form = lag, error, form
        self.n_periods, self.n, self.k = Z.shape
        self.nobs = self.n_periods * self.n
        Q, self._R = np.linalg.qr(Z.reshape(self.nobs, self.k))
        left = np.stack([(W @ y.T).T, y], axis=-1) if lag else y[..., None]
        left = left.reshape(self.nobs, -1)
        self._pooled = Q.T @ left  # (k, 1 or 2)
        rest = left - Q @ self._pooled
        rest -= Q @ (Q.T @ rest)
        if lag and np.linalg.norm(rest[:, 0]) <= 1e-10 * np.linalg.norm(left[:, 0]):
            raise ValueError("Wy is a linear combination of Z, so that rho is not identified.")
        X = np.column_stack([Q, rest]).reshape(self.n_periods, self.n, -1)
        self.columns = Columns(X, W, form)
        self._unexplained = _unexplained(X)

    @property
    def is_exact(self) -> bool:
        """Whether Z, Wy and the entity means leave nothing of y."""
        return self._unexplained <= EXACT * float(np.square(self.y).sum())

    @property
    def free(self) -> tuple[bool, bool, bool]:
        """Which of (rho, lambda, tau) are estimated."""
        return self.lag, self.error, True

    @cached_property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """Admissible (rho, lambda, tau); a single point for what is not estimated."""
        low, high = self.spectrum.interval
        edge = EDGE * (high - low)
        inside = (low + edge, high - edge)
        nowhere = (0.0, 0.0)
        return inside if self.lag else nowhere, inside if self.error else nowhere, (0.0, _TAU_MAX)

    @cached_property
    def units(self) -> Array:
        """Natural sizes of (rho, lambda, tau): the width of the interval, and one."""
        low, high = self.spectrum.interval
        return np.array([high - low, high - low, 1.0])

    def profile(self, moments: Moments) -> tuple[Array, float, float, float]:
        """Cholesky root of the Gram matrix, and (least, c, r): SSR = least + (rho - r)^2 c."""
        root = np.asarray(np.linalg.cholesky(moments.gram), dtype=np.float64)
        least = float(root[-1, -1]) ** 2
        if not self.lag:
            return root, least, 0.0, 0.0
        return root, least, float(root[-2, -2]) ** 2, float(root[-1, -2] / root[-2, -2])

    def loglik(self, ssr: Array, tau: float, logdet_c: float, logdets: Array) -> Array:
        """Concentrated likelihood; ``logdets`` is ln|A| + ln|B|."""
        constant = np.log(2 * np.pi) + 1 + np.log(ssr / self.nobs)
        jacobian = self.n_periods * logdets - 0.5 * (logdet_c + self.n * tau)
        return np.asarray(-0.5 * self.nobs * constant + jacobian)

    def on_grid(self, rhos: Array, lambdas: Array, taus: Array) -> Array:
        """Likelihood at every combination, shape (len(rhos), len(lambdas), len(taus))."""
        values = np.empty((len(rhos), len(lambdas), len(taus)))
        of_rho, of_lambda = (np.array([self._logdet(r) for r in grid]) for grid in (rhos, lambdas))
        for i, lambda_ in enumerate(lambdas):
            for j, tau in enumerate(taus):
                moments = self.columns.moments(lambda_, tau, derivatives=False)
                _, least, c, r = self.profile(moments)
                ssr = least + (rhos - r) ** 2 * c
                values[:, i, j] = self.loglik(ssr, tau, moments.logdet, of_rho + of_lambda[i])
        return values

    def _logdet(self, rho: float) -> float:
        return self.spectrum.logdet(rho) if rho else 0.0

    def _trace_g(self, rho: float) -> float:
        if self.spectrum.method not in ("lu", "cholmod"):
            return self.spectrum.trace_g(rho)
        A = sp.csr_array(sp.eye_array(self.n) - rho * self.W)
        return trace_of_solution(A, self.W, symmetric=self._symmetric_pattern)

    @cached_property
    def _symmetric_pattern(self) -> bool:
        pattern = (abs(self.W) > 0).astype(np.int8)
        return bool((pattern - pattern.T).nnz == 0)

    def value(self, point: Array) -> tuple[float, Array]:
        """Likelihood and its gradient at (rho, lambda, tau)."""
        rho, lambda_, tau = (float(value) for value in point)
        moments = self.columns.moments(lambda_, tau)
        root, least, c, r = self.profile(moments)
        ssr = least + (rho - r) ** 2 * c
        s2 = ssr / self.nobs
        value = self.loglik(
            np.asarray(ssr),
            tau,
            moments.logdet,
            np.asarray(self._logdet(rho) + self._logdet(lambda_)),
        )
        w = np.append(-self._gls(root, rho), [-rho, 1.0] if self.lag else [1.0])
        gradient = np.zeros(3)
        if self.lag:
            gradient[0] = (r - rho) * c / s2 - self.n_periods * self._trace_g(rho)
        if self.error:
            trace = self.n_periods * self._trace_g(lambda_) + 0.5 * moments.logdet_lambda
            gradient[1] = -trace - w @ moments.d_lambda @ w / (2 * s2)
        gradient[2] = -0.5 * (moments.logdet_tau + self.n) - w @ moments.d_tau @ w / (2 * s2)
        return float(value), gradient

    def _gls(self, root: Array, rho: float) -> Array:
        """Coefficients of the orthonormal Z at a given rho."""
        row = root[-1, : self.k] - (rho * root[-2, : self.k] if self.lag else 0.0)
        return np.asarray(solve_triangular(root[: self.k, : self.k], row, lower=True, trans="T"))

    def exact(self) -> RandomEffectsEstimate:
        """What is said when there is no error: nothing can be inferred."""
        names = self._names()
        size = self.k + len(names)
        nan = float("nan")
        delta, cov = np.full(self.k, nan), np.full((size, size), nan)
        rest = (cov, names, np.zeros_like(self.y), (), True)
        return RandomEffectsEstimate(delta, nan, nan, 0.0, nan, np.inf, *rest)

    def _names(self) -> tuple[str, ...]:
        present = zip(("rho", "lambda", "phi"), self.free, strict=True)
        return (*(name for name, free in present if free), "sigma2")

    def label(
        self, point: Array, value: float, converged: bool, *, hessian: bool = False
    ) -> RandomEffectsEstimate:
        """Estimates, covariance and residuals at the maximum."""
        rho, lambda_, tau = (float(x) for x in point)
        root, least, c, r = self.profile(self.columns.moments(lambda_, tau, derivatives=False))
        s2 = float(least + (rho - r) ** 2 * c) / self.nobs
        pooled = self._pooled[:, -1] - (rho * self._pooled[:, 0] if self.lag else 0.0)
        delta = solve_triangular(self._R, pooled + self._gls(root, rho))
        resid = self.y - rho * (self.W @ self.y.T).T - self.Z @ delta
        phi = float(np.expm1(tau)) / self.n_periods
        at_bound, names = self.at_bound(point), self._names()
        where = Point(delta, rho, lambda_, tau, s2)
        cov = covariance(
            *(where, self.Z, self.W, self.spectrum, self.form, names, at_bound),
            y=self.y if hessian else None,
        )
        return RandomEffectsEstimate(
            delta, rho, lambda_, s2, phi, value, cov, names, resid, at_bound, converged
        )

    def at_bound(self, point: Array) -> tuple[str, ...]:
        """Those of "rho", "lambda", "phi" that are at an edge."""
        names = []
        for name, free, x, (low, high) in zip(
            ("rho", "lambda", "phi"), self.free, point, self.bounds, strict=True
        ):
            margin = 1e-5 * (high - low) if name != "phi" else 0.0
            if free and (x - low <= margin or high - x <= margin):
                names.append(name)
        return tuple(names)


def _unexplained(X: Array) -> float:
    """Within sum of squares of the last column that is left by the columns before it."""
    within = (X - X.mean(axis=0)).reshape(-1, X.shape[-1])
    norms = np.linalg.norm(X.reshape(within.shape), axis=0)
    varies = np.linalg.norm(within[:, :-1], axis=0) > 1e-10 * norms[:-1]
    others = within[:, :-1][:, varies] / norms[:-1][varies]
    fitted = others @ np.linalg.lstsq(others, within[:, -1], rcond=None)[0]
    return float(np.square(within[:, -1] - fitted).sum())


def _search(model: _Model) -> list[tuple[Array, float, bool]]:
    """Maxima, the highest first: a grid, since there may be several, and climbs from its best."""
    spatial = [np.linspace(low, high, _GRID + 2)[1:-1] for low, high in model.bounds[:2]]
    rhos, lambdas = (
        grid if free else np.zeros(1) for grid, free in zip(spatial, model.free[:2], strict=True)
    )
    values = model.on_grid(rhos, lambdas, _TAUS)
    peaks = np.argwhere(values == maximum_filter(values, size=3, mode="nearest"))
    peaks = peaks[np.argsort(-values[tuple(peaks.T)], kind="stable")][:_STARTS]
    starts = [np.array([rhos[a], lambdas[b], _TAUS[c]]) for a, b, c in peaks]
    found = [_climb(model, start) for start in starts]
    return sorted(found, key=lambda peak: -peak[1])


def _climb(model: _Model, start: Array) -> tuple[Array, float, bool]:
    """A quasi-Newton search within bounds, then Newton steps on the exact gradient.

    In units of the width of the interval, so that the scale of W does not matter.
    """
    units = model.units

    def objective(point: Array) -> tuple[float, Array]:
        value, gradient = model.value(point * units)
        return -value / model.nobs, -gradient * units / model.nobs

    options = {"ftol": 1e-14, "gtol": 1e-8, "maxiter": 200}
    bounds = [
        (low / unit, high / unit) for (low, high), unit in zip(model.bounds, units, strict=True)
    ]
    found = minimize(
        objective, start / units, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    low, high = np.array(model.bounds).T
    return _polish(model, np.clip(found.x * units, low, high))


def _polish(model: _Model, point: Array) -> tuple[Array, float, bool]:
    """Newton steps, the Hessian from central differences of the gradient, while they improve it."""
    low, high = np.array(model.bounds).T
    value, gradient = model.value(point)
    size = np.inf
    for _ in range(8):
        free = np.array(model.free) & ~((point <= low) & (gradient <= 0))
        free &= ~((point >= high) & (gradient >= 0))
        where = np.flatnonzero(free)
        if not where.size:
            size = 0.0
            break
        hessian = _hessian(model, point, where)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[-1] >= 0:
            break
        step = np.zeros(3)
        units = model.units[where]
        step[where] = -units * np.linalg.solve(hessian, gradient[where] * units)
        moved = np.clip(point + step, low, high)
        new_value, new_gradient = model.value(moved)
        if not new_value >= value - 1e-9 * (1 + abs(value)):
            break
        size = float(np.abs((moved - point) / model.units).max())
        point, value, gradient = moved, new_value, new_gradient
        if size < 1e-11:
            break
    return point, value, size < 1e-8


def _hessian(model: _Model, point: Array, where: npt.NDArray[np.intp]) -> Array:
    """Derivatives of the gradient in the coordinates ``where``, in their units, symmetrised."""
    low, high = np.array(model.bounds).T
    units = model.units
    rows = []
    for j in where:
        step = np.zeros(3)
        room = np.inf if j == 2 else min(point[j] - low[j], high[j] - point[j]) / units[j]
        share = min(5e-6, 0.1 * room)
        if share <= 0:  # at a bound that the gradient points away from: no two-sided difference
            return np.full((len(where), len(where)), np.nan)
        step[j] = share * units[j]
        up, down = model.value(point + step)[1], model.value(point - step)[1]
        rows.append(((up - down) * units)[where] / (2 * share))
    hessian = np.array(rows)
    return np.asarray(0.5 * (hessian + hessian.T))


def scores_of(found: RandomEffectsEstimate, Z: Array, W: sp.csr_array) -> Scores:
    """The score of (delta, ``found.names``), by cell; phi is left out if it is at its bound.

    With a = 1 + T phi, data less (1 - a^-1/2) times their mean over periods have independent errors
    v_t of variance s2, and the log-likelihood is (Baltagi, Song and Koh 2003; Elhorst 2014, section
    3.4)

        l = -(NT/2) ln(2 pi s2) + T ln|A| - (N/2) ln a - sum_t |v_t|^2 / (2 s2).

    The removal of means commutes with W, so that scores of delta, rho and sigma2 are those of a
    panel without effects whose data are these (`sandwich`). That of phi,

        sum_i [T^2 ubar_i^2 / (2 s2 a^2) - T / (2a)],      ubar: mean of A y - Z delta over periods,

    is a sum over entities. Errors of an entity need not be uncorrelated once less that mean, which
    is why clusters have to hold entities as a whole. With a spatial error outside of which mu
    stands, only the sum of mu and the mean of e can be estimated, and contributions of entities
    cannot.

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
