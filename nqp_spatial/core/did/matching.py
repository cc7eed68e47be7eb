"""Scores, matches and weights that make untreated units like treated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linprog
from scipy.spatial import KDTree
from scipy.special import expit, log_ndtr, ndtr, xlogy

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TIE = 1e-12  # of two distances that are one but for rounding
_STOP = 1e-12  # of Newton's steps, in units of standardised columns
_ITERATIONS = 100
_BLOCK = 4_000_000  # numbers in a block of distances
_UNDERFLOW = 39.0  # standard deviations beyond which the normal density is zero

# ---------------------------------------------------------------- the score


@dataclass(frozen=True)
class Binary:
    """A logit or probit of treatment.

    Attributes
    ----------
    params : array, shape (1 + k,)
        The constant first.
    index, score : array, shape (n,)
        x'b and its probability, of every row given.
    loglik, null : float
        Log-likelihood, and that of a constant alone.
    converged : bool
        False where the likelihood has no maximum, or none was found.
    """

    params: Array
    index: Array
    score: Array
    loglik: float
    null: float
    converged: bool

    @property
    def pseudo_rsquared(self) -> float:
        """McFadden's."""
        return 1 - self.loglik / self.null

    @property
    def chi2(self) -> float:
        """Likelihood ratio against a constant alone."""
        return 2 * (self.loglik - self.null)


def binary(treated: Mask, x: Array, weights: Array | None = None, link: str = "logit") -> Binary:
    """Maximum likelihood by Newton's method, on standardised columns.

    Parameters
    ----------
    treated : array of bool, shape (n,)
    x : array, shape (n, k)
        Without a constant, of full rank beside one.
    weights : array, shape (n,), optional
        How often each row counts; rows of weight zero have a score too.
    link : {"logit", "probit"}
    """
    n, k = x.shape
    w = np.ones(n) if weights is None else weights
    used = w > 0
    mean, std = x[used].mean(axis=0), x[used].std(axis=0)
    std = np.where(std > 0, std, 1.0)
    Z = np.column_stack([np.ones(n), (x - mean) / std])
    sign, parts = np.where(treated, 1.0, -1.0), _LINKS[link]
    share = float(w @ treated / w.sum())
    null = float(w.sum() * (xlogy(share, share) + xlogy(1 - share, 1 - share)))
    beta = np.zeros(1 + k)
    level, converged = float(w @ parts(Z @ beta, sign)[0]), False
    for _ in range(_ITERATIONS):
        _, slope, bend = parts(Z @ beta, sign)
        gradient, information = Z.T @ (w * slope), (Z * (w * bend)[:, None]).T @ Z
        step = np.linalg.lstsq(information, gradient, rcond=1e-14)[0]
        size, found = 1.0, -np.inf
        while size > 1e-6:
            found = float(w @ parts(Z @ (beta + size * step), sign)[0])
            if found >= level - 1e-12 * abs(level):
                break
            size /= 2
        beta, level = beta + size * step, found
        if np.abs(size * step).max() < _STOP * (1 + np.abs(beta).max()):
            converged = True
            break
    index = Z @ beta
    params = np.concatenate([[beta[0] - beta[1:] @ (mean / std)], beta[1:] / std])
    score = expit(index) if link == "logit" else ndtr(index)
    return Binary(params, index, score, level, null, converged)


def _logit(index: Array, sign: Array) -> tuple[Array, Array, Array]:
    """Log-likelihood, its derivative in the index, and minus its second one, row by row."""
    p = expit(index)
    return -np.logaddexp(0, -sign * index), sign * expit(-sign * index), p * (1 - p)


def _probit(index: Array, sign: Array) -> tuple[Array, Array, Array]:
    level = log_ndtr(sign * index)
    slope = sign * np.exp(-0.5 * index**2 - 0.5 * np.log(2 * np.pi) - level)
    return level, slope, slope * (slope + index)


_LINKS = {"logit": _logit, "probit": _probit}


def separating(treated: Mask, x: Array) -> Codes | None:
    """Columns of a combination that tells treated from untreated rows; None if there is none.

    A hyperplane with no row on its wrong side, and some beside it: the likelihood of a logit has no
    maximum then (Albert and Anderson 1984, Biometrika 71, 1-10).
    """
    for j, column in enumerate(x.T):  # one alone, which is what a reader can see
        one, other = column[treated], column[~treated]
        if one.min() >= other.max() or one.max() <= other.min():
            return np.array([j])
    std = x.std(axis=0)
    Z = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / np.where(std > 0, std, 1.0)])
    sides = np.where(treated, 1.0, -1.0)[:, None] * Z
    found = linprog(-sides.sum(axis=0), A_ub=-sides, b_ub=np.zeros(len(x)), bounds=(-1, 1))
    if found.status != 0 or -found.fun <= 1e-7:
        return None
    return np.flatnonzero(np.abs(found.x[1:]) > 1e-6)


# ---------------------------------------------------------------- matches


@dataclass(frozen=True)
class Matches:
    """Who is compared with whom.

    Attributes
    ----------
    shares : sparse array, shape (n_treated, n_controls)
        Of each control in what a treated unit is compared with; rows sum to one, or to zero where
        a unit has no match.
    ties : int
        Treated units for which distances that are equal decided.
    """

    shares: sp.csr_array
    ties: int = 0


def whitened(x: Array, treated: Mask) -> Array:
    """Columns whose Euclidean distances are Mahalanobis', by the covariance within the groups."""
    inside = x.copy()
    for group in (treated, ~treated):
        inside[group] -= x[group].mean(axis=0)
    cov = inside.T @ inside / (len(x) - 2)
    scale = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / np.outer(scale, scale))
    return np.asarray((x - x.mean(axis=0)) / scale @ (vectors / np.sqrt(values)))


def nearest(one: Array, other: Array, k: int, caliper: float = np.inf) -> Matches:
    """The k nearest controls of each treated unit, and all that are as near as the last of them.

    Parameters
    ----------
    one, other : array, shapes (n_treated, p), (n_controls, p)
        Places of treated units and of controls.
    caliper : float
        The largest distance.
    """
    tree = KDTree(other)
    reach = tree.query(one, k=[k])[0][:, 0] + TIE
    found = _shared(tree, one, np.minimum(reach, caliper + TIE))
    counts = np.diff(found.indptr)
    return Matches(_even(found), int((counts > k).sum()))


def least(one: Array, other: Array) -> Array:
    """Distance of each treated unit to its nearest control, shape (n_treated,)."""
    return np.asarray(KDTree(other).query(one)[0])


def radius(one: Array, other: Array, caliper: float) -> Matches:
    """All controls within the caliper, alike."""
    return Matches(_even(_shared(KDTree(other), one, np.full(len(one), caliper + TIE))))


def _shared(tree: KDTree, places: Array, reach: Array) -> sp.csr_array:
    """Ones for the points of a tree within a reach of each place."""
    near = tree.query_ball_point(places, reach, return_sorted=True)
    counts = [len(found) for found in near]
    columns = np.concatenate([np.asarray(found, dtype=np.int64) for found in near])
    starts = np.concatenate([[0], np.cumsum(counts)])
    return sp.csr_array((np.ones(len(columns)), columns, starts), shape=(len(places), tree.n))


def _even(found: sp.csr_array) -> sp.csr_array:
    counts = np.diff(found.indptr)
    return sp.csr_array(
        (np.repeat(1 / np.maximum(counts, 1), counts), found.indices, found.indptr), found.shape
    )


def kernel_sums(one: Array, other: Array, kernel: str, bandwidth: float) -> tuple[Array, Mask]:
    """Sums of the shares of each control, and who has a match.

    Shares are proportional to K(distance / bandwidth); nothing of the size of all pairs is kept.

    Returns
    -------
    weights : array, shape (n_controls,)
    matched : array of bool, shape (n_treated,)
    """
    weights, matched = np.zeros(len(other)), np.zeros(len(one), dtype=bool)
    reach = bandwidth * (_UNDERFLOW if kernel == "gaussian" else 1 + 1e-9)
    first, last = np.argsort(one[:, 0], kind="stable"), np.argsort(other[:, 0], kind="stable")
    along = other[last, 0]  # beyond the reach along one axis nothing is near
    size = max(1, _BLOCK // len(other))
    for start in range(0, len(one), size):
        here = first[start : start + size]
        low = np.searchsorted(along, one[here[0], 0] - reach, side="left")
        high = np.searchsorted(along, one[here[-1], 0] + reach, side="right")
        there = last[low:high]
        squares = np.zeros((len(here), len(there)))
        for a, b in zip(one[here].T, other[there].T, strict=True):
            squares += (a[:, None] - b) ** 2
        K = _kernel(squares / bandwidth**2, kernel)
        total = K.sum(axis=1)
        matched[here] = total > 0
        K /= np.where(total > 0, total, 1.0)[:, None]
        weights[there] += K.sum(axis=0)
    return weights, matched


def _kernel(squares: Array, kernel: str) -> Array:
    """K of squared distances over the bandwidth; scale does not matter."""
    if kernel == "gaussian":
        return np.asarray(np.exp(-0.5 * squares))
    inside = squares <= 1 + TIE
    if kernel == "uniform":
        return inside.astype(float)
    power = {"epanechnikov": 1, "biweight": 2}[kernel]
    return np.asarray(np.where(inside, np.maximum(1 - squares, 0.0), 0.0) ** power)


def without_replacement(
    one: Array, other: Array, k: int, caliper: float, order: Codes | None
) -> Matches:
    """Each control at most once: treated units choose in an order, all once before any twice.

    Parameters
    ----------
    one, other : array, shapes (n_treated, p), (n_controls, p)
    order : array of int, shape (n_treated,), or None
        Who chooses first; None is the unit that has the nearest control left.

    Notes
    -----
    Of controls that are equally near the first row is taken, so that rows have to stand in an order
    that means something.
    """
    free = np.ones(len(other), dtype=bool)
    pairs: list[tuple[int, int]] = []
    ties = 0

    def nearest_left(i: int) -> tuple[float, int, bool]:
        distance = np.sqrt(((other - one[i]) ** 2).sum(axis=1))
        distance[~free] = np.inf
        least = float(distance.min())
        if least > caliper + TIE or least == np.inf:
            return np.inf, -1, False
        alike = np.flatnonzero(distance <= least + TIE)
        return least, int(alike[0]), len(alike) > 1

    for _ in range(k):
        if order is not None:
            for i in order:
                _, j, tied = nearest_left(int(i))
                if j >= 0:
                    free[j] = False
                    ties += tied
                    pairs.append((int(i), j))
            continue
        left = {i: nearest_left(i) for i in range(len(one))}
        while left:
            i = min(left, key=lambda unit: (left[unit][0], unit))
            _, j, tied = left.pop(i)
            if j < 0:
                break
            free[j] = False
            ties += tied
            pairs.append((i, j))
            left |= {u: nearest_left(u) for u, own in left.items() if own[1] == j}
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(one), len(other)))
    found.sort_indices()
    return Matches(_even(found), ties)


# ---------------------------------------------------------------- entropy balancing


def entropy_weights(moments: Array, target: Array) -> Array | None:
    """Weights that sum to one, are as even as can be, and give columns the means wanted.

    They minimise the sum of w ln w (Hainmueller 2012, Political Analysis 20, 25-46), found from the
    dual by Newton's method.

    Parameters
    ----------
    moments : array, shape (n, q)
        Of full rank beside a constant.
    target : array, shape (q,)

    Returns
    -------
    array, shape (n,), or None
        None where no positive weights do it.
    """
    std = moments.std(axis=0)
    Z = (moments - target) / np.where(std > 0, std, 1.0)
    dual = np.zeros(Z.shape[1])

    def at(dual: Array) -> tuple[float, Array]:
        index = Z @ dual
        top = index.max()
        raw = np.exp(index - top)
        return float(top + np.log(raw.sum())), raw / raw.sum()

    level, w = at(dual)
    for _ in range(10 * _ITERATIONS):
        slope = w @ Z
        if np.abs(slope).max() < 1e-11:
            return w
        bend = (Z * w[:, None]).T @ Z - np.outer(slope, slope)
        step = -np.linalg.lstsq(bend, slope, rcond=1e-13)[0]
        size = 1.0
        while size > 1e-10:
            found, new = at(dual + size * step)
            if found <= level + 1e-4 * size * float(slope @ step) + 1e-15 * abs(level):
                break
            size /= 2
        else:
            break
        dual, level, w = dual + size * step, found, new
    return w if np.abs(w @ Z).max() < 1e-8 else None


# ---------------------------------------------------------------- what it achieved


def moments(x: Array, weights: Array) -> tuple[Array, Array]:
    """Means and variances of columns, with weights that count rows."""
    total = weights.sum()
    mean = weights @ x / total
    spread = weights @ (x - mean) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(mean), np.asarray(spread / (total - 1))


def t_of_difference(x: Array, treated: Mask, weights: Array) -> tuple[Array, float]:
    """T statistics of equal means, weights counting rows; and degrees of freedom.

    Those of a regression on the treatment with importance weights.
    """
    sums = [weights[g].sum() for g in (treated, ~treated)]
    means = [weights[g] @ x[g] / total for g, total in zip((treated, ~treated), sums, strict=True)]
    left = sum(
        weights[g] @ (x[g] - mean) ** 2 for g, mean in zip((treated, ~treated), means, strict=True)
    )
    df = float(sum(sums) - 2)
    error = np.sqrt(left / df * (1 / sums[0] + 1 / sums[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (means[0] - means[1]) / error, df


def simple_variance(y: Array, treated: Mask, weights: Array) -> float:
    """Of the effect on the treated, outcomes being independent and weights given (Lechner 2001).

    Variances of outcomes are those of matched treated units, and of controls with a weight.
    """
    one, other = treated & (weights > 0), ~treated & (weights > 0)
    n = weights[one].sum()
    own = y[one].var(ddof=1) / n
    return float(own + y[other].var(ddof=1) * (weights[other] ** 2).sum() / n**2)


def conditional_variances(y: Array, places: Array, neighbours: int) -> Array:
    """Of each outcome, from units of its own group nearest to it (Abadie and Imbens 2006, eq. 14).

    J / (J + 1) times the squared difference from the mean of the J nearest, J being more where
    distances are equal.
    """
    tree = KDTree(places)
    reach = tree.query(places, k=[neighbours + 1])[0][:, 0] + TIE
    near = _shared(tree, places, reach).tolil()
    near.setdiag(0)
    near = sp.csr_array(near)
    near.eliminate_zeros()
    counts = np.diff(near.indptr)
    means = near @ y / counts
    return np.asarray(counts / (counts + 1) * (y - means) ** 2)


def abadie_imbens_variance(
    gaps: Array, effect: float, shares: sp.csr_array, control_variances: Array
) -> float:
    """Of the effect on the treated in the population (Abadie and Imbens 2006, theorem 7).

    Parameters
    ----------
    gaps : array, shape (n_treated,)
        Outcomes less matched outcomes, of those that have a match.
    shares : sparse array, shape (n_treated, n_controls)
    control_variances : array, shape (n_controls,)
    """
    n = len(gaps)
    total = np.asarray(shares.sum(axis=0))
    squares = np.asarray(shares.power(2).sum(axis=0))
    own = ((gaps - effect) ** 2).sum()
    return float((own + ((total**2 - squares) * control_variances).sum()) / n**2)


def distances(one: Array, other: Array, pairs: Sequence[Codes]) -> Array:
    """Between places of pairs."""
    return np.asarray(np.sqrt(((one[pairs[0]] - other[pairs[1]]) ** 2).sum(axis=1)))
