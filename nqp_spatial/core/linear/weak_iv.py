"""Rank, strength and robust tests of instruments, and k-class estimates, on data free of effects.

y (n,), exogenous X (n, k1), endogenous E (n, k2) and excluded Z (n, q) are first freed of X, and Z
is replaced by orthonormal columns Q that span it (:class:`Reduced`). The covariance of the moments
comes from ``meat(V, H)``, that of vec(H'V), columns of V outermost, without a small-sample factor:
equal variances, or any sum over scores (:func:`of_scores`).

With Q orthonormal and U = E R^-1 orthonormal, Theta = Q'U has the canonical correlations of E and
Z as singular values, and everything about rank is a statement on the smallest.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from scipy.linalg import eigh, eigvals

from nqp_spatial.core.linear.iv import SingularMomentsError, inverse_root

Array = npt.NDArray[np.float64]
Meat = Callable[[Array, Array], Array]

_REAL = 1e-6  # imaginary part over modulus below which an eigenvalue may be a boundary of the set


def equal(V: Array, H: Array) -> Array:
    """Meat under equal variances, sigma^2 the mean square."""
    return np.asarray(np.kron(V.T @ V / len(V), H.T @ H))


def scores(V: Array, H: Array) -> Array:
    """Rows of vec(H'V), columns of V outermost, shape (n, m * l)."""
    return np.asarray((V[:, :, None] * H[:, None, :]).reshape(len(V), -1))


def of_scores(covariance: Callable[[Array], Array]) -> Meat:
    """Meat from a function of the scores (n, p) that gives the covariance of their sum (p, p)."""
    return lambda V, H: covariance(scores(V, H))


def orthonormal(values: Array) -> Array:
    """Columns that span those of values (n, l), which has full rank."""
    norms = np.linalg.norm(values, axis=0)
    return np.asarray(np.linalg.qr(values / np.where(norms > 0, norms, 1.0))[0])


@dataclass(frozen=True, eq=False)
class Reduced:
    """The equation less its regression on X: y (n,), E (n, k2), orthonormal instruments Q (n, q).

    ``left`` are the degrees of freedom of a regression on X, Z and the effects.
    """

    y: Array
    E: Array
    Q: Array
    left: int


def reduce(y: Array, X: Array, E: Array, Z: Array, left: int) -> Reduced:
    """Partial X out of everything."""
    basis = orthonormal(X)
    values = np.column_stack([y, E, Z])
    for _ in range(2):  # the second pass removes what rounding has left
        values = values - basis @ (basis.T @ values)
    k2 = E.shape[1]
    return Reduced(values[:, 0], values[:, 1 : 1 + k2], orthonormal(values[:, 1 + k2 :]), left)


@dataclass(frozen=True)
class RankTests:
    """Whether the instruments move every combination of the endogenous regressors.

    Attributes
    ----------
    lm, wald : float
        Kleibergen and Paap's (2006) rk statistics, chi-squared with ``df``; under equal variances
        Anderson's LM statistic and n times Cragg and Donald's eigenvalue. NaN if their covariance
        has no inverse.
    df : int
        q - k2 + 1.
    cragg_donald_f : float
        Smallest eigenvalue of the first-stage F matrix (Cragg and Donald 1993).
    """

    lm: float
    wald: float
    df: int
    cragg_donald_f: float


def rank_tests(reduced: Reduced, meat: Meat) -> RankTests:
    """Rank statistics for the null that one combination of E is not moved.

    References
    ----------
    .. [1] Kleibergen, F. and Paap, R. (2006). Journal of Econometrics 133, 97-126.
    .. [2] Cragg, J. G. and Donald, S. G. (1993). Econometric Theory 9, 222-240.
    """
    Q, q, k2 = reduced.Q, reduced.Q.shape[1], reduced.E.shape[1]
    U = orthonormal(reduced.E)
    theta = Q.T @ U
    left, sizes, right = np.linalg.svd(theta, full_matrices=True)
    select = np.kron(right[k2 - 1 :], left[:, k2 - 1 :].T)
    smallest = select @ theta.ravel(order="F")
    square = min(float(sizes[k2 - 1]) ** 2, 1 - 1e-15)
    return RankTests(
        lm=quadratic(smallest, select @ meat(U, Q) @ select.T),
        wald=quadratic(smallest, select @ meat(U - Q @ theta, Q) @ select.T),
        df=q - k2 + 1,
        cragg_donald_f=square / (1 - square) * reduced.left / q,
    )


def quadratic(vector: Array, covariance: Array) -> float:
    """The form vector' covariance^-1 vector; NaN without an inverse."""
    try:
        return float(((inverse_root(covariance) @ vector) ** 2).sum())
    except SingularMomentsError:
        return np.nan


@dataclass(frozen=True, eq=False)
class ReducedForm:
    """Coefficients of (y, e) on Q, shape (q, 1 + k2), and their covariance, factor included."""

    coefficients: Array
    covariance: Array

    def at(self, beta: Array) -> tuple[Array, Array]:
        """Coefficients of y - E beta on Q and their covariance."""
        contrast = np.concatenate([[1.0], -beta])
        blocks = np.kron(contrast[None, :], np.eye(len(self.coefficients)))
        return self.coefficients @ contrast, blocks @ self.covariance @ blocks.T


def reduced_form(reduced: Reduced, meat: Meat, factor: float) -> ReducedForm:
    """Reduced form and first stage together, with ``factor`` on the meat."""
    values = np.column_stack([reduced.y, reduced.E])
    coefficients = reduced.Q.T @ values
    resid = values - reduced.Q @ coefficients
    return ReducedForm(coefficients, factor * meat(resid, reduced.Q))


def anderson_rubin(form: ReducedForm, beta: Array) -> float:
    """Wald statistic over q that the instruments do not move y - E beta; NaN if singular.

    References
    ----------
    .. [1] Anderson, T. W. and Rubin, H. (1949). Annals of Mathematical Statistics 20, 46-63.
    """
    vector, covariance = form.at(beta)
    return quadratic(vector, covariance) / len(vector)


def anderson_rubin_set(form: ReducedForm, critical: float) -> list[tuple[float, float]]:
    """Intervals of beta (one endogenous regressor) where the statistic is at most ``critical``.

    With c(b) linear and S(b) quadratic in b, the statistic equals ``critical`` only where the
    matrix q critical S(b) - c(b) c(b)' is singular: at real eigenvalues of a quadratic matrix
    polynomial, so that no grid is needed and no piece is missed. The set may be empty (only if
    overidentified), an interval, two half-lines or the whole line (Dufour and Taamouti 2005,
    Econometrica 73, 1351-1365, for equal variances).

    Raises
    ------
    SingularMomentsError
        If the covariance has no inverse somewhere.
    """
    q = len(form.coefficients)
    roots = [np.sqrt(np.trace(part)) for part in (form.covariance[:q, :q], form.covariance[q:, q:])]
    c, d = form.coefficients[:, 0] / roots[0], form.coefficients[:, 1] / roots[1]
    S = form.covariance * q * critical / np.kron(np.outer(roots, roots), np.ones((q, q)))
    a, b, g = S[:q, :q], S[:q, q:], S[q:, q:]
    scale = roots[0] / roots[1]
    constant = a - np.outer(c, c)
    linear = -(b + b.T) + np.outer(c, d) + np.outer(d, c)
    square = g - np.outer(d, d)
    edges = scale * _real_eigenvalues(constant, linear, square)
    inside = [anderson_rubin(form, np.array([p])) for p in _between(edges, scale)]
    if np.isnan(inside).any():
        raise SingularMomentsError
    bounds = [-np.inf, *edges, np.inf]
    found: list[tuple[float, float]] = []
    for low, high, value in zip(bounds[:-1], bounds[1:], inside, strict=True):
        if value > critical:
            continue
        if found and found[-1][1] == low:
            low = found.pop()[0]
        found.append((float(low), float(high)))
    return found


def _real_eigenvalues(constant: Array, linear: Array, square: Array) -> Array:
    """Real b, ascending, where constant + b linear + b^2 square is singular."""
    q = len(constant)
    zero, one = np.zeros((q, q)), np.eye(q)
    A = np.block([[zero, one], [-constant, -linear]])
    B = np.block([[one, zero], [zero, square]])
    values = eigvals(A, B)
    values = values[np.isfinite(values)]
    return np.sort(values[np.abs(values.imag) <= _REAL * (1 + np.abs(values))].real)


def _between(edges: Array, scale: float) -> list[float]:
    """A point below, between and above the edges."""
    if not len(edges):
        return [0.0]
    reach = max(float(np.ptp(edges)), float(np.abs(edges).max()), scale)
    middle = [float(m) for m in (edges[:-1] + edges[1:]) / 2]
    return [float(edges[0]) - reach, *middle, float(edges[-1]) + reach]


@dataclass(frozen=True)
class EffectiveF:
    """Montiel Olea and Pflueger's statistic and, by tau, the values it must exceed.

    Attributes
    ----------
    statistic : float
    critical, simplified : dict of float to float
        By the worst bias tau tolerated, as a share of the benchmark: with the bias bound of these
        data, and with the bound 1, which is larger.
    """

    statistic: float
    critical: dict[float, float]
    simplified: dict[float, float]


def effective_f(
    form: ReducedForm,
    *,
    taus: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3),
    level: float = 0.05,
) -> EffectiveF:
    """Effective F of one endogenous regressor, for 2SLS.

    Critical values use Patnaik's approximation, as in the article.

    References
    ----------
    .. [1] Montiel Olea, J. L. and Pflueger, C. (2013). A robust test for weak instruments. Journal
       of Business and Economic Statistics 31, 358-369.
    """
    q = len(form.coefficients)
    first = form.coefficients[:, 1]
    W2 = form.covariance[q:, q:]
    bound = _bias_bound(form.covariance, q)
    return EffectiveF(
        statistic=float(first @ first / np.trace(W2)),
        critical={tau: _patnaik(W2, bound / tau, level) for tau in taus},
        simplified={tau: _patnaik(W2, 1 / tau, level) for tau in taus},
    )


def _patnaik(W2: Array, x: float, level: float) -> float:
    """Quantile of the effective F under the least favourable strength x."""
    trace, largest = float(np.trace(W2)), float(np.linalg.eigvalsh(W2)[-1])
    k = trace**2 * (1 + 2 * x) / (float((W2**2).sum()) + 2 * x * trace * largest)
    return float(stats.ncx2(k, k * x).ppf(1 - level) / k)


def _bias_bound(W: Array, q: int) -> float:
    """Largest Nagar bias of 2SLS over the benchmark, over all beta and directions of strength."""
    W1, W12, W2 = W[:q, :q], W[:q, q:], W[q:, q:]
    cross = (W12 + W12.T) / 2
    scale = np.sqrt(np.trace(W1) / np.trace(W2))

    def ratio(angle: float) -> float:
        """At beta = scale tan(angle), from minus to plus infinity."""
        s, c = scale * np.sin(angle), np.cos(angle)
        S12 = c * cross - s * W2
        size = c**2 * np.trace(W1) - 2 * c * s * np.trace(W12) + s**2 * np.trace(W2)
        ends = np.trace(S12) - 2 * np.linalg.eigvalsh(S12)[[0, -1]]
        return float(np.abs(ends).max() / np.sqrt(size * np.trace(W2)))

    grid = np.linspace(-np.pi / 2, np.pi / 2, 401)
    values = [ratio(angle) for angle in grid]
    best = int(np.argmax(values))
    step = grid[1] - grid[0]
    found = optimize.minimize_scalar(
        lambda angle: -ratio(angle), bounds=(grid[best] - step, grid[best] + step), method="bounded"
    )
    return max(values[best], -float(found.fun))


def liml_kappa(reduced: Reduced) -> float:
    """Smallest eigenvalue of Y'Y relative to Y'(I - QQ')Y, Y = [y, E]; 1 if just identified."""
    Y = np.column_stack([reduced.y, reduced.E])
    Y = Y / np.linalg.norm(Y, axis=0)
    resid = Y - reduced.Q @ (reduced.Q.T @ Y)
    return float(eigh(Y.T @ Y, resid.T @ resid, eigvals_only=True)[0])


@dataclass(frozen=True, eq=False)
class KClass:
    """Estimates (k,), factors of their covariance, and residuals (n,).

    The covariance is G S G' with S of H'u, under equal variances sigma^2 ``bread`` (for 2SLS the
    same).
    """

    delta: Array
    G: Array
    bread: Array
    resid: Array


def k_class(y: Array, D: Array, H: Array, kappa: float) -> KClass:
    """Estimate with (D'(I - kappa M)D)^-1 D'(I - kappa M)y, M the residual maker of H.

    H has orthonormal columns. G maps H'u to delta: the covariance takes S of H'u between G and G',
    as for 2SLS (kappa = 1).
    """
    norms = np.linalg.norm(D, axis=0)
    A = D / norms
    moved = H.T @ A
    weight = (1 - kappa) * A.T @ A + kappa * moved.T @ moved
    delta = np.linalg.solve(weight, (1 - kappa) * A.T @ y + kappa * moved.T @ (H.T @ y)) / norms
    inverse = np.linalg.inv(weight)
    G = inverse @ moved.T / norms[:, None]
    return KClass(delta, G, inverse / np.outer(norms, norms), y - D @ delta)


@cache
def _stock_yogo() -> dict[tuple[str, int, int], dict[tuple[str, float], float]]:
    """The tables by estimator, endogenous regressors and instruments."""
    found: dict[tuple[str, int, int], dict[tuple[str, float], float]] = {}
    text = files(__package__).joinpath("stock_yogo.csv").read_text(encoding="ascii")
    for row in csv.DictReader(text.splitlines()):
        key = (row["estimator"], int(row["n_endogenous"]), int(row["n_instruments"]))
        values = found.setdefault(key, {})
        values[row["criterion"], float(row["level"])] = float(row["value"])
    return found


def stock_yogo(
    n_endogenous: int, n_instruments: int, *, estimator: str = "2sls"
) -> dict[tuple[str, float], float]:
    """Values that the Cragg-Donald F must exceed, by criterion ("bias", "size") and level.

    "bias": the largest bias of 2SLS relative to that of least squares, which needs two
    overidentifying restrictions; "size": the largest size of a 5% Wald test on the estimates, for
    LIML smaller. For one or two endogenous regressors and up to twelve instruments, empty beyond.
    They are derived for equal variances; beside a Kleibergen-Paap F they are a habit without theory
    (Baum, Schaffer and Stillman 2007, Stata Journal 7, 465-506).

    References
    ----------
    .. [1] Stock, J. H. and Yogo, M. (2005). Testing for weak instruments in linear IV regression.
       In Andrews, D. W. K. and Stock, J. H. (eds), Identification and Inference for Econometric
       Models, Cambridge University Press, 80-108, tables 5.1, 5.2 and 5.4; as gretl 2022c prints
       them.
    """
    key = ("liml" if estimator == "liml" else "2sls", n_endogenous, n_instruments)
    return dict(_stock_yogo().get(key, {}))
