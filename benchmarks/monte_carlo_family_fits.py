"""The spatial family on simulated panels: draws, fits, coverage of coefficients and effects.

Truth: y_t = rho W y_t + X_t beta + W X_t theta + mu + tau_t + u_t, u_t = lambda W u_t + e_t, with

- X: x, standard normal, and d, a policy dummy: three tenths of the entities, from a period of their
  own on, at the earliest the second; beta = (1, 0.5), theta = (0.5, 0.25) where the model has it;
- mu and tau_t as ``effects`` has them: standard normal, half of each in x; random effects mu are
  standard normal and unrelated to x;
- rho as in the grid; in models without a lag of y the grid is that of lambda; where a model has
  both, lambda = 0.3;
- e of unit variance on average (``ERRORS``); all of it drawn anew each time;
- W row-normalised contiguity: queen lattice of 7 x 7, or 277 cities (islands joined to
  the nearest).

Estimation is by the functions of ``nqp_spatial.core`` that the classes call; ``check_public`` holds
them against the classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial import weights
from nqp_spatial.cities.layers import select_cities
from nqp_spatial.core.spatial import multiplier, random_effects, sandwich
from nqp_spatial.core.spatial.ml import Estimate, estimate, lag
from nqp_spatial.core.spectrum.eigen import Spectrum, prepare
from nqp_spatial.exceptions import NqpWarning

Array = npt.NDArray[np.float64]

BETA, THETA = np.array([1.0, 0.5]), np.array([0.5, 0.25])
LAMBDA, AR, TREATED = 0.3, 0.6, 0.3
VARIABLES = ("x", "d")


@dataclass(frozen=True)
class Terms:
    """Which terms a model has."""

    lag: bool
    theta: bool
    error: bool
    public: str  # name of the class


MODELS = {
    "OLS": Terms(False, False, False, "SLX"),
    "SLX": Terms(False, True, False, "SLX"),
    "SAR": Terms(True, False, False, "SpatialLag"),
    "SEM": Terms(False, False, True, "SpatialError"),
    "SDM": Terms(True, True, False, "SpatialDurbin"),
    "SDEM": Terms(False, True, True, "SpatialDurbinError"),
    "SAC": Terms(True, False, True, "SAC"),
    "GNS": Terms(True, True, True, "GNS"),
}


@dataclass(frozen=True)
class Cell:
    """One design: what is simulated and what is done with it."""

    task: str  # a model, or a family of tests
    errors: str
    effects: str
    correction: str
    n_entities: int
    n_periods: int
    rho: float

    @property
    def name(self) -> str:
        """File name and seed."""
        return "_".join(str(value) for value in asdict(self).values())


# places and errors ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Place:
    """Weights and what is made of them once."""

    W: sp.csr_array
    dense: Array
    spectrum: Spectrum
    ids: pd.Index
    graph: Any


@lru_cache
def place(n_entities: int) -> Place:
    """The lattice or the cities."""
    if n_entities == 49:
        line = np.eye(7, k=1) + np.eye(7) + np.eye(7, k=-1)
        queen = np.kron(line, line) - np.eye(49)
        W = sp.csr_array(queen / queen.sum(axis=1, keepdims=True))
    else:
        cities = select_cities(
            municipalities=False, exclude_provinces=["Hainan", "Qinghai", "Xinjiang", "Tibet"]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NqpWarning)  # three cities are joined to the nearest
            graph = weights.normalise(weights.contiguity(cities, islands="nearest"), "row")
        W = weights.sparse_for(graph, graph.unique_ids)
    ids = pd.Index([f"{i:03d}" for i in range(W.shape[0])], name="entity")
    return Place(W, W.toarray(), prepare(W), ids, weights.as_graph(W, ids=ids))


@lru_cache
def inverse(n_entities: int, rho: float) -> Array:
    """(I - rho W)^-1."""
    return np.asarray(np.linalg.inv(np.eye(n_entities) - rho * place(n_entities).dense))


Draw = Callable[[Array, np.random.Generator], Array]


def _t5(x: Array, rng: np.random.Generator) -> Array:
    return np.asarray(rng.standard_t(5, x.shape) * np.sqrt(3 / 5))


def _by_x(x: Array, rng: np.random.Generator) -> Array:
    return rng.standard_normal(x.shape) * np.sqrt(0.3 + 0.7 * x**2)


def _by_entity(x: Array, rng: np.random.Generator) -> Array:
    variance = rng.permutation(np.where(np.arange(x.shape[1]) % 2, 0.25, 1.75))
    return np.asarray(rng.standard_normal(x.shape) * np.sqrt(variance / variance.mean()))


def _persistent(values: Array) -> Array:
    """AR(1) of unit variance within entities, made of white noise in place."""
    for t in range(1, len(values)):
        values[t] = AR * values[t - 1] + np.sqrt(1 - AR**2) * values[t]
    return values


def _clustered(x: Array, rng: np.random.Generator) -> Array:
    return _persistent(rng.standard_normal(x.shape))


def _normal(x: Array, rng: np.random.Generator) -> Array:
    return rng.standard_normal(x.shape)


ERRORS: Mapping[str, tuple[Draw, tuple[str, ...], str]] = {
    "normal": (_normal, ("asymptotic",), "independent standard normal"),
    "t5": (_t5, ("robust", "asymptotic"), "t with 5 degrees of freedom"),
    "by-x": (_by_x, ("robust", "entity"), "variance 0.3 + 0.7 x^2"),
    "by-entity": (
        _by_entity,
        ("robust", "entity"),
        "variance seven times as large in a half of the entities, chosen at random",
    ),
    "clustered": (_clustered, ("entity",), "AR(1) of 0.6 within each entity, in x too"),
}
"""How errors are drawn, the covariances that are made for them (the first is meant), in words."""


def draw(cell: Cell, model: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """y (n_periods, n_entities) and X (n_periods, n_entities, 2) of a model."""
    shape = cell.n_periods, cell.n_entities
    own = rng.standard_normal(shape)
    if cell.errors == "clustered":
        own = _persistent(own)
    e = ERRORS[cell.errors][0](own, rng)
    has_mu = cell.effects in ("entity", "twoway", "random")
    mu = rng.standard_normal(shape[1]) * has_mu
    tau = rng.standard_normal((shape[0], 1)) * (cell.effects in ("time", "twoway"))
    x = own + 0.5 * (mu * (cell.effects != "random") + tau)
    start = rng.integers(1, shape[0], size=shape[1])
    never = rng.permutation(shape[1]) >= TREATED * shape[1]
    d = (np.arange(shape[0])[:, None] >= np.where(never, shape[0], start)).astype(float)
    X = np.stack([x, d], axis=-1)
    terms, rho, lambda_ = MODELS[model], *spatial(model, cell.rho)
    mean = X @ BETA + mu + tau
    if terms.theta:
        mean = mean + lag(place(shape[1]).W, X) @ THETA
    u = e @ inverse(shape[1], lambda_).T if terms.error else e
    return (mean + u) @ inverse(shape[1], rho).T, X


def spatial(model: str, rho: float) -> tuple[float, float]:
    """True rho and lambda of a model at a value of the grid."""
    terms = MODELS[model]
    if not terms.lag:
        return 0.0, rho * terms.error
    return rho, LAMBDA * terms.error


# one fit --------------------------------------------------------------------------------------


def regressors(cell: Cell, model: str, X: Array) -> Array:
    """Constant where one is estimated, X and its lags."""
    parts = [X, lag(place(cell.n_entities).W, X)] if MODELS[model].theta else [X]
    if cell.effects in ("None", "random"):
        parts.insert(0, np.ones((*X.shape[:2], 1)))
    return np.concatenate(parts, axis=-1)


def fit(cell: Cell, model: str, y: Array, X: Array) -> Estimate:
    """The fixed-effects estimate."""
    where, terms = place(cell.n_entities), MODELS[model]
    return estimate(
        y,
        regressors(cell, model, X),
        where.W,
        where.spectrum,
        effects=None if cell.effects == "None" else cell.effects,
        correction=cell.correction,
        lag=terms.lag,
        error=terms.error,
    )


def covariance(cell: Cell, found: Estimate, kind: str) -> Array:
    """Of all but sigma2, with the factors of ``models._covariance``."""
    cov = found.cov
    if kind != "asymptotic" and not found.at_bound:
        scores = sandwich.scores_of(found, place(cell.n_entities).W)
        (T, N), k = found.resid.shape, len(cov) - 1
        if kind == "robust":
            M, factor = sandwich.robust(scores), N * T / (found.scale.n - k)
        else:
            M = sandwich.clustered(scores, np.array(np.broadcast_to(np.arange(N), (T, N))))
            nested = N - 1 if found.scale.n_periods < T else 0
            factor = N / (N - 1) * (N * T - 1) / (found.scale.n + nested - k)
        cov = sandwich.sandwich(cov, M, factor)
    return np.asarray(cov[:-1, :-1])


def degrees(cell: Cell, kind: str, size: int, k: int) -> float:
    """Of t, for n = ``size`` after the fixed effects and k coefficients; infinite: the normal."""
    return {"asymptotic": np.inf, "robust": size - k, "entity": cell.n_entities - 1}[kind]


def left(cell: Cell) -> int:
    """What the fixed effects leave of the cells, by the transformation of Lee and Yu."""
    N, T = cell.n_entities, cell.n_periods
    if cell.correction != "lee-yu":
        return N * T
    time, entity = (cell.effects in ("twoway", one) for one in ("time", "entity"))
    return (N - time) * (T - entity)


def names_of(cell: Cell) -> list[str]:
    """Coefficients, then effects where they are more than coefficients."""
    terms = MODELS[cell.task]
    names = ["const"] if cell.effects in ("None", "random") else []
    names += [*VARIABLES, *(f"W_{name}" for name in VARIABLES if terms.theta)]
    names += ["rho"] * terms.lag + ["lambda"] * terms.error + ["phi"] * (cell.effects == "random")
    kinds = ["direct", "indirect", "total"] if terms.lag else ["total"] * terms.theta
    return names + [f"{kind} {name}" for kind in kinds for name in VARIABLES]


def with_effects(cell: Cell, point: Array, covs: list[Array]) -> Array:
    """Coefficients and effects, then their standard errors by covariance."""
    terms, where = MODELS[cell.task], place(cell.n_entities)
    names = names_of(cell)
    rho = point[names.index("rho")] if terms.lag else 0.0
    gradient, values = [*np.eye(len(point))], [*point]
    inside = where.spectrum.interval[0] < rho < where.spectrum.interval[1]
    if len(names) > len(point) and inside:
        direct = multiplier.average_direct(where.spectrum, rho)
        total = multiplier.average_total(multiplier.Multiplier(where.W, rho, where.spectrum))
        for kind in (direct, total - direct, total) if terms.lag else (total,):
            for name in VARIABLES:
                row, at = np.zeros(len(point)), names.index(name)
                to = names.index(f"W_{name}") if terms.theta else None
                theta = float(point[to]) if to is not None else 0.0
                slopes = kind.gradient(float(point[at]), theta)
                row[at] = slopes[0]
                if to is not None:
                    row[to] = slopes[1]
                if terms.lag:
                    row[names.index("rho")] = slopes[2]
                gradient.append(row)
                values.append(float(kind.effect(float(point[at]), theta)))
    out = np.full((1 + len(covs), len(names)), np.nan)
    out[0, : len(values)] = values
    for row, cov in zip(out[1:], covs, strict=True):
        row[: len(values)] = np.sqrt(np.einsum("qi,ij,qj->q", gradient, cov, gradient))
    return out


def one(cell: Cell, rng: np.random.Generator, *, check: bool) -> Array:
    """Estimates and standard errors of one replication, shape (1 + covariances, quantities)."""
    y, X = draw(cell, cell.task, rng)
    if cell.effects == "random":
        where, terms = place(cell.n_entities), MODELS[cell.task]
        Z = regressors(cell, cell.task, X)
        own = random_effects.estimate(
            y, Z, where.W, where.spectrum, lag=terms.lag, error=terms.error, form="baltagi"
        )
        spatial_ = [own.rho] * terms.lag + [own.lambda_] * terms.error
        point, covs = np.array([*own.delta, *spatial_, own.phi]), [own.cov[:-1, :-1]]
    else:
        found = fit(cell, cell.task, y, X)
        point = np.array([*found.delta, *found.spatial])
        covs = [covariance(cell, found, kind) for kind in ERRORS[cell.errors][1]]
    out = with_effects(cell, point, covs)
    if check:
        for row, kind in zip(out[1:], ERRORS[cell.errors][1], strict=True):
            check_public(cell, y, X, kind, pd.DataFrame({"e": out[0], "s": row}, names_of(cell)))
    return out


# the same through the classes -----------------------------------------------------------------


def frames(cell: Cell, y: Array, X: Array) -> tuple[pd.Series, pd.DataFrame, Any]:
    """Labelled data and weights."""
    where = place(cell.n_entities)
    index = pd.MultiIndex.from_product([where.ids, range(len(y))], names=["entity", "time"])
    x = pd.DataFrame(X.transpose(1, 0, 2).reshape(-1, 2), index=index, columns=list(VARIABLES))
    return pd.Series(y.T.ravel(), index=index, name="y"), x, where.graph


def public_fit(cell: Cell, model: str, data: tuple[Any, ...], kind: str) -> Any:
    """The fit of a class."""
    options: dict[str, Any] = {"effects": None if cell.effects == "None" else cell.effects}
    if model == "OLS":
        options["durbin"] = []
    spec = getattr(nqp, MODELS[model].public)(*data, correction=cell.correction, **options)
    return spec.fit(cov_type="clustered" if kind == "entity" else kind)


def check_public(cell: Cell, y: Array, X: Array, kind: str, own: pd.DataFrame) -> None:
    """Estimates and standard errors are those of the class."""
    result = public_fit(cell, cell.task, frames(cell, y, X), kind)
    theirs = pd.DataFrame({"e": result.params, "s": result.std_errors})
    effects = result.effects()[["estimate", "std_error"]].set_axis(["e", "s"], axis=1)
    effects.index = pd.Index([" ".join(key) for key in effects.index])
    theirs = pd.concat([theirs, effects]).reindex(own.index.drop("phi", errors="ignore"))
    both = own.loc[theirs.index]
    np.testing.assert_allclose(both, theirs, rtol=1e-9, atol=1e-12, err_msg=cell.name)


# coverage -------------------------------------------------------------------------------------


def coverage_rows(cell: Cell, runs: Array) -> list[dict[str, Any]]:
    """Bias, standard error and coverage by covariance and quantity."""
    names, true = names_of(cell), truth(cell)
    rows = []
    for position, kind in enumerate(ERRORS[cell.errors][1], start=1):
        estimates, errors = runs[:, 0], runs[:, position]
        coefficients = names[: next((j for j, n in enumerate(names) if " " in n), len(names))]
        df = degrees(cell, kind, left(cell), len(coefficients))
        for j, name in enumerate(names):
            inside = np.isfinite(errors[:, j])
            value, error = estimates[inside, j], errors[inside, j]
            z, sd = np.abs(value - true[j]) / error, value.std(ddof=1)
            row = {
                "covariance": kind,
                "quantity": name,
                "truth": true[j],
                "without": int((~inside).sum()),
                "bias_sd": (value.mean() - true[j]) / sd,
                "sd": sd,
                "se_sd": error.mean() / sd,
                "coverage": (z <= stats.t.ppf(0.975, df)).mean(),
                "coverage_normal": (z <= stats.norm.ppf(0.975)).mean(),
            }
            rows.append({k: v if isinstance(v, str | int) else float(v) for k, v in row.items()})
    return rows


def truth(cell: Cell) -> list[float]:
    """In the order of ``names_of``, from the dense inverse."""
    terms, (rho, lambda_) = MODELS[cell.task], spatial(cell.task, cell.rho)
    W, n = place(cell.n_entities).dense, cell.n_entities
    values = dict(zip((*VARIABLES, "W_x", "W_d"), (*BETA, *THETA), strict=True))
    values |= {"const": 0.0, "rho": rho, "lambda": lambda_, "phi": 1.0}
    for r, name in enumerate(VARIABLES):
        S = inverse(n, rho) @ (BETA[r] * np.eye(n) + THETA[r] * terms.theta * W)
        direct, total = np.trace(S) / n, S.sum() / n
        parts = {"direct": direct, "indirect": total - direct, "total": total}
        values |= {f"{kind} {name}": value for kind, value in parts.items()}
    return [float(values[name]) for name in names_of(cell)]
