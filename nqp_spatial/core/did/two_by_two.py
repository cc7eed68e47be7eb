"""Two groups before and after: the effect on the treated one, and what each row adds to its error.

With D the treated group, C the others, dY the change of the outcome and X covariates (with a
constant), the effect on D is, in the three forms of Sant'Anna and Zhao (2020, Journal of
Econometrics 219, 101-122):

reg   mean over D of dY - X'b, b from the regression of dY on X among C;
ipw   mean over D of dY less the mean over C, weighted by p(X) / (1 - p(X)), p a logit of D;
dr    both means of dY - X'b: right if the regression or the logit is.

Without X all are the difference of two means. Scores (n,) sum to the estimation error to first
order, logit and regression included, so that sums of their squares are the variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TRIM = 0.995  # controls whose probability is above have no counterpart and weigh nothing
SEPARATED = 0.999  # a fitted probability above says that covariates tell the groups apart
_STEPS = 50
_RANK = 1e-10


class SeparationError(ArithmeticError):
    """Covariates tell the treated group from the others, or depend on each other among these."""


def panel(change: Array, treated: Mask, X: Array | None, method: str) -> tuple[Array, Array]:
    """Effects (m,) and scores (n, m) of m changes of the same rows.

    Parameters
    ----------
    change : array, shape (n, m)
        Of the outcome, from before to after.
    treated : array of bool, shape (n,)
        Rows that are not are controls.
    X : array, shape (n, k), or None
        With a constant.
    method : {"dr", "reg", "ipw"}

    Raises
    ------
    SeparationError
        Too few controls for the regression, or probabilities of one.
    """
    D, C = treated[:, None], ~treated[:, None]
    if X is None:
        top, own = _mean(D, change)
        other, theirs = _mean(C, change)
        return top - other, own - theirs
    if method == "reg":
        line = Line(X, change, ~treated)
        top, own = _mean(D, change - line.fit)
        return top, own - line.along(_centre(D, X))
    logit = Logit(X, treated)
    weight = logit.odds
    if method == "ipw":
        top, own = _mean(D, change)
        other, theirs = _mean(weight, change)
        return top - other, own - theirs - logit.along(_moved(weight, change - other, X))
    line = Line(X, change, ~treated)
    left = change - line.fit
    top, own = _mean(D, left)
    other, theirs = _mean(weight, left)
    turn = line.along(_centre(D, X) - _centre(weight, X))
    return top - other, own - theirs - turn - logit.along(_moved(weight, left - other, X))


def cross_sections(
    y: Array, after: Mask, treated: Mask, X: Array | None, method: str
) -> tuple[float, Array]:
    """The effect, and scores (n,), where rows before and after need not be the same entities.

    Parameters
    ----------
    y : array, shape (n,)
    after, treated : array of bool, shape (n,)
    X : array, shape (n, k), or None
        Of each row, with a constant.
    method : {"dr", "reg", "ipw"}
        "dr" is the form that is efficient where both models are right (Sant'Anna and Zhao 2020,
        section 3.2).

    Raises
    ------
    SeparationError
        As `panel`.
    """
    value = y[:, None]
    D, late = treated[:, None], after[:, None]
    X = np.ones((len(y), 1)) if X is None else X
    estimate, scores = np.zeros(1), np.zeros((len(y), 1))

    def add(sign: float, part: tuple[Array, Array]) -> None:
        nonlocal estimate, scores
        estimate, scores = estimate + sign * part[0], scores + sign * part[1]

    if method == "ipw":
        logit = Logit(X, treated)
        for sign, when in ((1.0, late), (-1.0, ~late)):
            add(sign, _mean(D & when, value))
            other, theirs = _mean(logit.odds * when, value)
            moved = logit.along(_moved(logit.odds * when, value - other, X))
            add(-sign, (other, theirs + moved))
        return float(estimate[0]), scores[:, 0]
    lines = [Line(X, value, ~treated & when) for when in (after, ~after)]
    if method == "reg":
        for sign, when, line in ((1.0, late, lines[0]), (-1.0, ~late, lines[1])):
            add(sign, _mean(D & when, value))
            other, theirs = _mean(D, line.fit)
            add(-sign, (other, theirs + line.along(_centre(D, X))))
        return float(estimate[0]), scores[:, 0]
    logit = Logit(X, treated)
    own = [Line(X, value, treated & when) for when in (after, ~after)]
    for sign, when, line, mine in ((1.0, late, lines[0], own[0]), (-1.0, ~late, lines[1], own[1])):
        left = value - line.fit
        top, ours = _mean(D & when, left)
        weight = logit.odds * when
        other, theirs = _mean(weight, left)
        moved = logit.along(_moved(weight, left - other, X))
        turn = line.along(_centre(D & when, X) - _centre(weight, X))
        add(sign, (top - other, ours - theirs - moved - turn))
        gap = mine.fit - line.fit
        every, here = _mean(D, gap), _mean(D & when, gap)
        along = _centre(D, X) - _centre(D & when, X)
        turn = mine.along(along) - line.along(along)
        add(sign, (every[0] - here[0], every[1] - here[1] + turn))
    return float(estimate[0]), scores[:, 0]


@dataclass(frozen=True, eq=False)
class Line:
    """Least squares of columns Y (n, m) on X (n, k) among some rows, fitted for all.

    Raises
    ------
    SeparationError
        X depends on itself among these rows.
    """

    X: Array
    Y: Array
    rows: Mask

    def __post_init__(self) -> None:
        X = self.X[self.rows]
        size = np.linalg.norm(X, axis=0)
        if len(X) < X.shape[1] or not (size > 0).all():
            raise SeparationError("too few controls")
        if np.linalg.svd(X / size, compute_uv=False)[-1] < _RANK:
            raise SeparationError("covariates depend on each other")

    @cached_property
    def _inner(self) -> Array:
        X = self.X[self.rows]
        return np.asarray(np.linalg.inv(X.T @ X))

    @cached_property
    def fit(self) -> Array:
        """X b for all rows, shape (n, m)."""
        X, Y = self.X[self.rows], self.Y[self.rows]
        return np.asarray(self.X @ np.linalg.lstsq(X, Y, rcond=None)[0])

    def along(self, direction: Array) -> Array:
        """Scores (n, m) of direction'b, direction of shape (k,)."""
        part = np.where(self.rows, self.X @ (self._inner @ direction), 0.0)
        return np.asarray(part[:, None] * (self.Y - self.fit))


@dataclass(frozen=True, eq=False)
class Logit:
    """Probability of the treated group given X (n, k), by maximum likelihood.

    Raises
    ------
    SeparationError
        A probability is one, or the likelihood has no maximum.
    """

    X: Array
    treated: Mask

    def __post_init__(self) -> None:
        if self.probability.max() > SEPARATED:
            raise SeparationError("probabilities of one")

    @cached_property
    def probability(self) -> Array:
        """Fitted, shape (n,)."""
        scale = np.abs(self.X).max(axis=0)
        X, D = self.X / np.where(scale > 0, scale, 1.0), self.treated.astype(float)
        share = D.mean()
        index = np.full(len(D), np.log(share / (1 - share)))
        beta = np.linalg.lstsq(X, index, rcond=None)[0]
        for _ in range(_STEPS):
            p = 1 / (1 + np.exp(-np.clip(X @ beta, -40, 40)))
            gradient = X.T @ (D - p)
            try:
                step = np.linalg.solve((X * (p * (1 - p))[:, None]).T @ X, gradient)
            except np.linalg.LinAlgError:
                raise SeparationError("covariates depend on each other") from None
            beta = beta + step
            if np.abs(X @ step).max() < 1e-11:
                return np.asarray(1 / (1 + np.exp(-np.clip(X @ beta, -40, 40))))
        raise SeparationError("probabilities of one")

    @cached_property
    def odds(self) -> Array:
        """Weights of controls, zero for the treated and for what is trimmed, shape (n, 1)."""
        p = self.probability
        kept = ~self.treated & (p < TRIM)
        return np.where(kept, p / (1 - p), 0.0)[:, None]

    def along(self, direction: Array) -> Array:
        """Scores (n, m) of direction'beta, direction of shape (k, m)."""
        p = self.probability
        inner = np.linalg.solve((self.X * (p * (1 - p))[:, None]).T @ self.X, direction)
        return np.asarray((self.treated - p)[:, None] * (self.X @ inner))


def _mean(weight: Array | Mask, values: Array) -> tuple[Array, Array]:
    """Weighted means (m,), and scores (n, m), weights as they are."""
    weight = np.asarray(weight, dtype=float)
    total = weight.sum()
    if not total > 0:
        raise SeparationError("no controls of weight")
    found = (weight.T @ values)[0] / total
    return found, weight / total * (values - found)


def _centre(weight: Array | Mask, X: Array) -> Array:
    """Weighted mean of X, shape (k,)."""
    weight = np.asarray(weight, dtype=float)
    return np.asarray((weight.T @ X)[0] / weight.sum())


def _moved(weight: Array, left: Array, X: Array) -> Array:
    """How a mean weighted by odds moves with the coefficients of the logit, shape (k, m)."""
    return np.asarray(X.T @ (weight * left) / weight.sum())
