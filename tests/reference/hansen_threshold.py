"""What Hansen's program (thresh_p.R, 1999) does otherwise, over the search of this package.

Its regression is that of entity effects whose last demeaned period is left out; an observation at a
threshold is in the regime above; quantiles and distances count distinct values of q. Rows that are
left out are zeros here, so that sums over all rows are sums over those that stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nqp_spatial.core.linear import threshold as core
from nqp_spatial.core.linear.projection import projection
from nqp_spatial.models.threshold.search import SearchOptions, ThresholdSearch

_FUZZ = 1e-10


@dataclass(frozen=True, eq=False)
class ByValues(core.Candidates):
    """Quantiles of the distinct values of q; ``ends`` counts observations below each."""

    grid: int = 0

    def allowed(self, fixed, trim):
        """One step less above a threshold than below; two excluded ranges add up here."""
        gap = trim * self.grid - _FUZZ
        mask = np.ones(len(self), dtype=bool)
        for index in fixed:
            away = np.arange(len(self)) - index
            mask &= (away >= gap - 1) | (away < -1 - gap - 2 * _FUZZ)
        return mask


def by_values(q, grid, trim):
    """``dd[floor(sq * n)]``, sq from trim to 1 - trim in steps of 1 / grid."""
    distinct = np.unique(q)
    share = trim + np.arange(int(np.floor(grid * (1 - 2 * trim) + _FUZZ)) + 1) * (1 / grid)
    places = np.maximum(np.floor(share * len(distinct)).astype(int), 1)
    values = np.unique(distinct[places - 1])
    ends = np.searchsorted(np.sort(q), values, side="left")
    keep = (ends > 0) & (ends < len(q))
    assert keep.all()  # distances count steps of the grid
    return ByValues(values, ends, len(q), grid)


@dataclass(frozen=True, eq=False)
class WithoutLast(core.Problem):
    """Rows that are not in ``kept`` are zeros once they are free of effects."""

    kept: np.ndarray | None = None

    def reduce(self, values):
        """Demeaned over all periods, the last left out."""
        return self.kept[:, None] * self.projection(values[None])[0]

    def free(self, values):
        """Of outcomes that are rows of the regression already: as his bootstrap leaves them."""
        return values

    def moments(self, residual):
        return super().moments(self.projection(residual[None])[0])

    def split(self, indices):
        return _columns(self, indices, self.reduce)


def _columns(problem, indices, reduce):
    rank = np.empty(len(problem.order), dtype=int)
    rank[problem.order] = np.arange(len(rank))
    below = rank[:, None] < problem.candidates.ends[np.asarray(indices, dtype=int)]
    return reduce((below[:, :, None] * problem.x[:, None, :]).reshape(len(rank), -1))


def prepare(x, z, q, candidates, entity):
    """As `core.prepare`, cross-products from explicit columns; entities in order, time within."""
    effects = projection("entity", entity, entity)
    plain = core.prepare(x, z, q, candidates, effects)
    kept = np.r_[entity[1:] == entity[:-1], False]
    fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    problem = WithoutLast(**fields, kept=kept)
    basis = np.linalg.qr(problem.reduce(np.hstack([z, x])))[0]
    problem = replace(problem, basis=basis)
    columns = [problem.residual(problem.split([g])) for g in range(len(candidates))]
    return replace(problem, gram=np.array([D.T @ D for D in columns]))


def search(model, thresholds, trim, *, grid=400, without_last):
    """The search of a ``PanelThreshold`` with entity effects, as his program makes it."""
    options = SearchOptions.checked(thresholds, trim, grid, True)
    q = model.threshold.to_numpy()
    entity = np.unique(np.asarray(model.y.index.codes[0]), return_inverse=True)[1]
    x = model.x[model.regime].to_numpy()
    z = model.x.drop(columns=model.regime)
    z = (z - z.mean()).to_numpy()
    y = (model.y - model.y.mean()).to_numpy()[:, None]
    found = by_values(q, grid, options.trims[0])
    if without_last:
        problem = prepare(x, z, q, found, entity)
        rows = problem.reduce(y)[:, 0]
    else:
        problem = core.prepare(x, z, q, found, projection("entity", entity, entity))
        rows = problem.free(y)[:, 0]
    path = core.estimate(problem, rows, options.trims, True)
    df = float(len(q) - entity.max() - 1)
    return ThresholdSearch(problem, rows, path, options, model.threshold, df, entity, "")


def slopes(model, values):
    """His regression at thresholds: slopes, errors for equal variances (n - k) and White's, n."""
    q, entity = model.threshold.to_numpy(), np.asarray(model.y.index.codes[0])
    regime = np.searchsorted(np.sort(values), q, side="right")
    (name,) = model.regime
    parts = [model.x[name] * (regime == r) for r in range(len(values) + 1)]
    columns = np.column_stack([model.y, model.x.drop(columns=name), *parts])
    kept = np.r_[entity[1:] == entity[:-1], False]
    free = projection("entity", entity, entity)(columns[None])[0][kept]
    y, X = free[:, 0], free[:, 1:]
    bread = np.linalg.inv(X.T @ X)
    b = bread @ X.T @ y
    e = y - X @ b
    equal = bread * (e @ e) / (len(y) - len(b))
    white = bread @ (X.T * e**2) @ X @ bread
    return b, np.sqrt(np.diag(equal)), np.sqrt(np.diag(white)), len(y)
