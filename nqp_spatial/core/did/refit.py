"""Models that differ in their policy alone, fitted many at a time.

What does not change is computed once: with Q an orthonormal basis of all other regressors, free of
fixed effects, a policy D adds the columns P = (D, W D) less Q Q'P, and only their products with
what Q leaves of the outcome are new (Frisch, Waugh and Lovell). In the spatial Durbin model that
compresses a fit to a 2 x 2 problem in (Wy, y), whose profile likelihood is searched for all
policies at once; log-determinants and traces are sums over the eigenvalues of W, found once. The
information matrix of (D, WD, rho, sigma2) has [X, WX] eliminated, which leaves its inverse as it
is. Nothing is approximated: each answer is that of a fit by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.linear.collinear import TOLERANCE
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial.likelihood import Scale, gaussian, jacobian_slope, log_jacobians
from nqp_spatial.core.spatial.multiplier import Multiplier
from nqp_spatial.core.spectrum.eigen import EigenSpectrum, Spectrum
from nqp_spatial.core.spectrum.structure import symmetric_form, symmetriser

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_GRID = 41  # of rho, on which peaks are looked for, as `core.spatial.likelihood` has it
_ROUNDS = 80  # of Newton's method with bisection, which needs five
_VECTORS = 1500  # entities up to which eigenvectors are found


def basis(columns: Array) -> Array:
    """Orthonormal basis of columns (rows, k), none of which depends on others."""
    size = np.sqrt((columns**2).sum(axis=0))
    return np.asarray(np.linalg.qr(columns / size)[0]) if columns.shape[1] else columns


# ---------------------------------------------------------------- least squares


@dataclass(frozen=True, eq=False)
class LinearRefit:
    """Least squares of y on a policy that changes and on what does not.

    Attributes
    ----------
    remove : callable
        Takes fixed effects out of columns (n, m).
    Q : array, shape (n, k)
        Orthonormal basis of the other regressors, free of them.
    y : array, shape (n,)
        What effects and Q leave of the outcome.
    sums : callable or None
        Covariance (m, m) of sums of scores (n, m); None for equal variances.
    factor : float
        On the variance: of ``sums``, or of the mean of squared residuals.
    """

    remove: Callable[[Array], Array]
    Q: Array
    y: Array
    sums: Callable[[Array], Array] | None
    factor: float

    def __call__(self, D: Array) -> tuple[Array, Array]:
        """Coefficients and standard errors (m,) of policies (n, m); NaN if not identified."""
        P = self.remove(D)
        P = P - self.Q @ (self.Q.T @ P)
        size = np.einsum("ij,ij->j", P, P)
        size = np.where(size > TOLERANCE**2 * np.einsum("ij,ij->j", D, D), size, np.nan)
        found = self.y @ P / size
        resid = self.y[:, None] - P * found
        if self.sums is None:
            variance = self.factor * (resid**2).mean(axis=0) / size
        else:
            scores = np.where(np.isnan(found), 0.0, P * resid)
            variance = self.factor * np.diag(self.sums(scores)) / size**2
        return found, np.sqrt(np.where(variance > 0, variance, np.nan))


# ---------------------------------------------------------------- many values of rho


class Many(Protocol):
    """Traces and products with G = W (I - rho W)^-1 at many values of rho, shape (m,)."""

    def g(self, rhos: Array) -> Array:
        """tr(G)."""

    def gg(self, rhos: Array) -> Array:
        """tr(G G)."""

    def gtg(self, rhos: Array) -> Array:
        """tr(G' G)."""

    def column_sums(self, rhos: Array) -> Array:
        """Sum of squares of G' 1."""

    def row_sums(self, rhos: Array) -> tuple[Array, Array]:
        """Mean row sum of G, and its derivative, that of G G."""

    def apply(self, rhos: Array, values: Array) -> Array:
        """G values, each (n_periods, n), by its own rho; shape (m, n_periods, n)."""


class ByVectors:
    """From the eigenvectors of the symmetric form of W: W = D^-1/2 V diag(w) V' D^1/2."""

    def __init__(self, W: sp.csr_array, scale: Array) -> None:
        self.n, self.root = W.shape[0], np.sqrt(scale)
        self.w, V = np.linalg.eigh(symmetric_form(W, scale).toarray())
        self.to, self.back = V.T * self.root, V / self.root[:, None]  # V' D^1/2, D^-1/2 V

    @cached_property
    def _grams(self) -> tuple[Array, Array]:
        """V'DV, and its element-wise product with V'D^-1 V."""
        own = self.to @ self.to.T
        return own, own * (self.back.T @ self.back)

    def _ratio(self, rhos: Array) -> Array:
        return np.asarray(self.w / (1 - np.multiply.outer(rhos, self.w)))

    def g(self, rhos: Array) -> Array:
        """tr(G)."""
        return np.asarray(self._ratio(rhos).sum(axis=-1))

    def gg(self, rhos: Array) -> Array:
        """tr(G G)."""
        return np.asarray((self._ratio(rhos) ** 2).sum(axis=-1))

    def gtg(self, rhos: Array) -> Array:
        """tr(G' G)."""
        g = self._ratio(rhos)
        return np.asarray(((g @ self._grams[1]) * g).sum(axis=-1))

    def column_sums(self, rhos: Array) -> Array:
        """Sum of squares of G' 1."""
        g = self._ratio(rhos) * self.back.sum(axis=0)
        return np.asarray(((g @ self._grams[0]) * g).sum(axis=-1))

    def row_sums(self, rhos: Array) -> tuple[Array, Array]:
        """Mean row sum of G, and its derivative, that of G G."""
        share, g = self.back.sum(axis=0) * self.to.sum(axis=1) / self.n, self._ratio(rhos)
        return g @ share, g**2 @ share

    def apply(self, rhos: Array, values: Array) -> Array:
        """G values, each (n_periods, n), by its own rho; shape (m, n_periods, n)."""
        turned = values.reshape(-1, self.n) @ self.to.T
        turned = turned.reshape(values.shape) * self._ratio(rhos)[:, None, :]
        return np.asarray((turned.reshape(-1, self.n) @ self.back.T).reshape(values.shape))


class OneByOne:
    """From a spectrum, for any other W: sums over eigenvalues where it has them."""

    def __init__(self, W: sp.csr_array, spectrum: Spectrum) -> None:
        self.W, self.n, self.spectrum = W, W.shape[0], spectrum
        self._at: dict[float, Multiplier] = {}

    def _multiplier(self, rho: float) -> Multiplier:
        if rho not in self._at:
            self._at = {rho: Multiplier(self.W, rho, self.spectrum)}
        return self._at[rho]

    def _each(self, function: Callable[[float], float], rhos: Array) -> Array:
        return np.array([function(float(rho)) for rho in rhos])

    def _powers(self, rhos: Array, power: int) -> Array | None:
        if not isinstance(self.spectrum, EigenSpectrum):
            return None
        omega = self.spectrum.eigenvalues
        found = ((omega / (1 - np.multiply.outer(rhos, omega))) ** power).sum(axis=-1)
        return np.asarray(np.real(found))

    def g(self, rhos: Array) -> Array:
        """tr(G)."""
        found = self._powers(rhos, 1)
        return self._each(self.spectrum.trace_g, rhos) if found is None else found

    def gg(self, rhos: Array) -> Array:
        """tr(G G)."""
        found = self._powers(rhos, 2)
        return self._each(self.spectrum.trace_gg, rhos) if found is None else found

    def gtg(self, rhos: Array) -> Array:
        """tr(G' G)."""
        return self._each(self.spectrum.trace_gtg, rhos)

    def column_sums(self, rhos: Array) -> Array:
        """Sum of squares of G' 1."""
        ones = np.ones(self.n)
        return self._each(
            lambda rho: float((self._multiplier(rho).apply_g_transposed(ones) ** 2).sum()), rhos
        )

    def row_sums(self, rhos: Array) -> tuple[Array, Array]:
        """Mean row sum of G, and its derivative, that of G G."""
        sums = np.asarray(self.W.sum(axis=1))
        if np.ptp(sums) <= 1e-12 * np.abs(sums).max():
            one = sums[0] / (1 - rhos * sums[0])
            return one, one**2
        first = [self.W @ self._multiplier(float(rho)).solve(np.ones(self.n)) for rho in rhos]
        second = [
            self.W @ self._multiplier(float(rho)).solve(v)
            for rho, v in zip(rhos, first, strict=True)
        ]
        return np.mean(first, axis=1), np.mean(second, axis=1)

    def apply(self, rhos: Array, values: Array) -> Array:
        """G values, each (n_periods, n), by its own rho; shape (m, n_periods, n)."""
        parts = [
            (self.W @ self._multiplier(float(rho)).solve(own.T)).T
            for rho, own in zip(rhos, values, strict=True)
        ]
        return np.array(parts).reshape(values.shape)


def many(W: sp.csr_array, spectrum: Spectrum) -> Many:
    """The quickest exact way for this W."""
    scale = symmetriser(W) if W.shape[0] <= _VECTORS else None
    return OneByOne(W, spectrum) if scale is None else ByVectors(W, scale)


# ---------------------------------------------------------------- the search for rho


def search(gram: Array, spectrum: Spectrum, traces: Many, scale: Scale) -> tuple[Array, Mask]:
    """Maximum likelihood of rho where Wy and y, free of regressors, have these products.

    Every peak of a grid is climbed by Newton's method, kept between its neighbours by bisection.

    Parameters
    ----------
    gram : array, shape (m, 2, 2)
        Of (Wy, y).

    Returns
    -------
    rho : array, shape (m,)
    regular : array of bool, shape (m,)
        Whether rho is inside its interval, at a root of the score. The others must be fitted by
        themselves.
    """
    curvature = gram[:, 0, 0]
    best = gram[:, 0, 1] / curvature
    least = gram[:, 1, 1] - best * gram[:, 0, 1]
    low, high = spectrum.interval
    grid = _grid(low, high)

    def height(rhos: Array, rows: npt.NDArray[np.intp]) -> Array:
        ssr = least[rows] + (rhos - best[rows]) ** 2 * curvature[rows]
        return np.asarray(gaussian(ssr, scale.n) + log_jacobians(spectrum, scale, rhos))

    def score(rhos: Array, rows: npt.NDArray[np.intp], slope: Array) -> Array:
        away = best[rows] - rhos
        ssr = least[rows] + away**2 * curvature[rows]
        return np.asarray(scale.n * away * curvature[rows] / ssr + slope)

    ssr = least[:, None] + (grid - best[:, None]) ** 2 * curvature[:, None]
    heights = gaussian(ssr, scale.n) + log_jacobians(spectrum, scale, grid)
    padded = np.pad(heights, ((0, 0), (1, 1)), constant_values=-np.inf)
    rows, at = np.nonzero((heights >= padded[:, :-2]) & (heights >= padded[:, 2:]))
    slopes = np.array([jacobian_slope(spectrum, scale, float(rho)) for rho in grid])
    left, right = np.maximum(at - 1, 0), np.minimum(at + 1, len(grid) - 1)
    rising = score(grid[left], rows, slopes[left]) > 0
    climbed = rising & (score(grid[right], rows, slopes[right]) < 0)
    regular = np.bincount(rows, ~climbed, minlength=len(gram)) == 0
    rows, rho, a, b = rows[climbed], grid[at[climbed]], grid[left[climbed]], grid[right[climbed]]
    for _ in range(_ROUNDS):
        unit = scale.unit_roots / (1 - rho)
        slope = -scale.n_periods * (traces.g(rho) - unit)
        bend = -scale.n_periods * (traces.gg(rho) - unit / (1 - rho))
        away = best[rows] - rho
        ssr = least[rows] + away**2 * curvature[rows]
        s = scale.n * away * curvature[rows] / ssr + slope
        tilt = away * curvature[rows] / ssr
        h = scale.n * (2 * tilt**2 - curvature[rows] / ssr) + bend
        a, b = np.where(s > 0, rho, a), np.where(s > 0, b, rho)
        new = rho - s / np.where(h < 0, h, -np.inf)
        new = np.where((h < 0) & (new > a) & (new < b), new, 0.5 * (a + b))
        new = np.where(s == 0, rho, new)
        step, rho = np.abs(new - rho), new
        if not step.size or step.max() <= 4e-16 * (high - low):
            break
    found = np.full(len(gram), np.nan)
    top = np.full(len(gram), -np.inf)
    if len(rho):
        tall = height(rho, rows)
        order = np.argsort(tall, kind="stable")  # the highest is written last
        found[rows[order]], top[rows[order]] = rho[order], tall[order]
    margin = 1e-5 * (high - low)
    regular &= (found > low + margin) & (found < high - margin)
    return found, regular


def _grid(low: float, high: float) -> Array:
    """Equal steps; finer around zero where one side of the interval is much longer."""
    edge = 1e-9 * (high - low)
    low, high = low + edge, high - edge
    grid, r = np.linspace(low, high, _GRID), min(-low, high)
    return grid if high - low < 4 * r else np.unique(np.r_[grid, np.linspace(-r, r, _GRID)])


# ---------------------------------------------------------------- the spatial Durbin model


class Refits(NamedTuple):
    """Estimates of m models.

    ``effects`` and ``errors`` (m, 3) are of direct, indirect and total; NaN where ``regular``
    (m,) is False: such a model must be fitted by itself.
    """

    rho: Array
    policy: Array
    effects: Array
    errors: Array
    regular: Mask


@dataclass(frozen=True, eq=False)
class DurbinRefit:
    """Spatial Durbin (or lag) model by maximum likelihood, with a policy that changes.

    Attributes
    ----------
    y : array, shape (n_periods, n_entities)
    Z : array, shape (n_periods, n_entities, k)
        Other regressors and their lags, before demeaning.
    W : sparse array, shape (n_entities, n_entities)
    spectrum : Spectrum
    scale : Scale
        What the correction leaves: "none" or "lee-yu".
    removed : {"twoway", "entity", "time", None}
        Fixed effects; with None a constant is in Z.
    lagged : bool
        Whether the policy has a spatial lag.
    """

    y: Array
    Z: Array
    W: sp.csr_array
    spectrum: Spectrum
    scale: Scale
    removed: str | None
    lagged: bool

    @cached_property
    def traces(self) -> Many:
        """Of W, at many values of rho."""
        return many(self.W, self.spectrum)

    @cached_property
    def Q(self) -> Array:  # noqa: N802
        """Orthonormal basis of the other regressors, shape (cells, k)."""
        return basis(demean(self.Z, self.removed).reshape(self.y.size, -1))

    @cached_property
    def outcomes(self) -> Array:
        """Wy and y free of fixed effects, shape (2, cells)."""
        return self.within(np.stack([self.lag(self.y[None])[0], self.y])).reshape(2, -1)

    def lag(self, values: Array) -> Array:
        """W applied to values (m, n_periods, n_entities)."""
        moved = self.W @ values.reshape(-1, values.shape[-1]).T
        return np.asarray(moved.T).reshape(values.shape)

    def within(self, values: Array) -> Array:
        """Values (m, n_periods, n_entities) free of fixed effects."""
        if self.removed is None:
            return values
        first, *more = {"entity": (1,), "time": (2,), "twoway": (1, 2)}[self.removed]
        found = values - values.mean(axis=first, keepdims=True)
        for axis in more:
            found -= found.mean(axis=axis, keepdims=True)
        return np.asarray(found)

    def left(self, values: Array) -> Array:
        """What the other regressors leave of columns (m, cells)."""
        explained = (values @ self.Q) @ self.Q.T
        return np.subtract(values, explained, out=explained)

    def policies(self, D: Array) -> tuple[Array, Mask]:
        """What is left of D and W D, (m, p, cells), and whether they are identified, (m,)."""
        m, cells = len(D), self.y.size
        both = np.stack([D, self.lag(D)], axis=1) if self.lagged else D[:, None]
        p = both.shape[1]
        flat = both.reshape(m * p, *self.y.shape)
        given = np.einsum("mtn,mtn->m", flat, flat).reshape(m, p)
        P = self.left(self.within(flat).reshape(m * p, cells)).reshape(m, p, cells)
        size = np.einsum("mpc,mpc->mp", P, P)
        fine = (size > TOLERANCE**2 * given).all(axis=1)
        if p == 2:  # neither may be a multiple of the other
            ratio = np.einsum("mc,mc->m", P[:, 0], P[:, 1]) / np.where(fine, size[:, 0], 1.0)
            rest = P[:, 1] - ratio[:, None] * P[:, 0]
            fine &= np.einsum("mc,mc->m", rest, rest) > TOLERANCE**2 * size[:, 1]
        return P, fine

    def __call__(self, D: Array) -> Refits:
        """The model under each of the policies D, shape (m, n_periods, n_entities)."""
        P, fine = self.policies(D)
        return self.solve(P, fine, self.outcomes[None])

    def solve(self, P: Array, fine: Mask, outcomes: Array) -> Refits:
        """Fits of policies (m, p, cells) to outcomes (m, 2, cells), either of which may be one."""
        m = max(len(P), len(outcomes))
        Y = self.left(outcomes.reshape(-1, self.y.size)).reshape(outcomes.shape)
        PP = P @ P.transpose(0, 2, 1)
        PP = np.where(fine[:, None, None], PP, np.eye(P.shape[1]))
        PY = P @ Y.transpose(0, 2, 1)
        coefficients = np.linalg.solve(np.broadcast_to(PP, (m, *PP.shape[1:])), PY)
        gram = Y @ Y.transpose(0, 2, 1) - PY.transpose(0, 2, 1) @ coefficients
        rho, regular = search(gram, self.spectrum, self.traces, self.scale)
        regular = regular & fine
        if not regular.all():
            rho = np.where(regular, rho, 0.0)
        policy = np.asarray(coefficients[:, :, 1] - rho[:, None] * coefficients[:, :, 0])
        V = self._covariance(P, PP, Y, outcomes[:, 0], rho, policy)
        effects, errors = self.average(rho, policy, V)
        nothing = ~regular[:, None]
        effects, errors = (np.where(nothing, np.nan, v) for v in (effects, errors))
        return Refits(np.where(regular, rho, np.nan), policy, effects, errors, regular)

    def _covariance(
        self, P: Array, PP: Array, Y: Array, wy: Array, rho: Array, policy: Array
    ) -> Array:
        """Of (policy, W policy, rho), shape (m, p + 1, p + 1), from the expected information."""
        resid = Y[:, 1] - rho[:, None] * Y[:, 0] - (policy[:, None] @ P)[:, 0]
        sigma2 = np.einsum("mc,mc->m", resid, resid) / self.scale.n
        return self._invert(P, PP, self.left(wy - self._moved(rho, resid)), sigma2, rho)

    def expected(self, P: Array, rho: Array, policy: Array, sigma2: float) -> Array:
        """The same at parameters (m,), (m, p) in place of an estimate, without other regressors.

        Expected Wy free of effects is then G (P policy): G leaves a constant a constant where rows
        of W have one sum.
        """
        g = self._moved(rho, (policy[:, None] @ P)[:, 0])
        PP = P @ P.transpose(0, 2, 1)
        return self._invert(P, PP, g, np.full(len(rho), sigma2), rho)

    def _moved(self, rho: Array, values: Array) -> Array:
        """G values (m, cells), free of fixed effects."""
        moved = self.traces.apply(rho, values.reshape(-1, *self.y.shape))
        return self.within(moved).reshape(values.shape)

    def _invert(self, P: Array, PP: Array, g: Array, sigma2: Array, rho: Array) -> Array:
        """From the information, g being expected Wy less what Q explains."""
        scale, traces, m, p = self.scale, self.traces, len(rho), P.shape[1]
        one, single, pair = 1 / (1 - rho), traces.g(rho), traces.gg(rho) + traces.gtg(rho)
        if scale.unit_roots:
            single = single - one
            pair = pair - one**2 - traces.column_sums(rho) / self.y.shape[1]
        info = np.zeros((m, p + 2, p + 2))
        info[:, :p, :p] = PP / sigma2[:, None, None]
        info[:, :p, p] = info[:, p, :p] = (P @ g[..., None])[..., 0] / sigma2[:, None]
        info[:, p, p] = np.einsum("mc,mc->m", g, g) / sigma2 + scale.n_periods * pair
        info[:, p, -1] = info[:, -1, p] = scale.n_periods * single / sigma2
        info[:, -1, -1] = scale.n / (2 * sigma2**2)
        root = 1 / np.sqrt(np.einsum("mii->mi", info))
        inverse = np.linalg.inv(info * root[:, :, None] * root[:, None, :])
        inverse *= root[:, :, None] * root[:, None, :]
        return np.asarray(inverse[:, : p + 1, : p + 1])

    def variance(self) -> tuple[float, float]:
        """Estimates of rho and sigma2 in the model without the policy."""
        Y = self.left(self.outcomes)
        gram = (Y @ Y.T)[None]
        rho, regular = search(gram, self.spectrum, self.traces, self.scale)
        if not regular[0]:
            return np.nan, np.nan
        v = np.array([-rho[0], 1.0])
        return float(rho[0]), float(v @ gram[0] @ v / self.scale.n)

    def weights(self, rho: Array) -> tuple[Array, Array]:
        """Of (policy, W policy) in the three effects, and their derivatives in rho, (m, 3, 2)."""
        n, g, gg = self.y.shape[1], self.traces.g(rho), self.traces.gg(rho)
        sums, slope = self.traces.row_sums(rho)
        direct = np.stack([1 + rho * g / n, g / n], axis=-1)
        d_direct = np.stack([(g + rho * gg) / n, gg / n], axis=-1)
        total = np.stack([1 + rho * sums, sums], axis=-1)
        d_total = np.stack([sums + rho * slope, slope], axis=-1)
        weights = np.stack([direct, total - direct, total], axis=1)
        return weights, np.stack([d_direct, d_total - d_direct, d_total], axis=1)

    def average(self, rho: Array, policy: Array, V: Array) -> tuple[Array, Array]:
        """Direct, indirect and total effects, and their errors by the delta method, (m, 3)."""
        p = policy.shape[1]
        weights, slopes = (w[:, :, :p] for w in self.weights(rho))
        effects = np.einsum("mep,mp->me", weights, policy)
        d_rho = np.einsum("mep,mp->me", slopes, policy)
        gradient = np.concatenate([weights, d_rho[..., None]], axis=-1)
        variance = np.einsum("mei,mij,mej->me", gradient, V, gradient)
        return effects, np.sqrt(np.maximum(variance, 0.0))
