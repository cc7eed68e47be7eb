"""Coverage of SpatialDurbin by kind of covariance and error: writes docs/monte_carlo_covariance.md.

Run from a checkout: OMP_NUM_THREADS=1 python benchmarks/monte_carlo_covariance.py [runs] [jobs]

Truth: y_t = rho W y_t + x_t beta + W x_t theta + mu + tau_t + e_t with beta = 1, theta = 0.5 and
errors of unit variance, on average; W row-normalised: contiguity of 277 cities (12 years) and the
rook lattice of 7 x 7 with sides of 100 km (10 years). All is drawn anew each time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from nqp_spatial import weights
from nqp_spatial.cities.layers import select_cities
from nqp_spatial.core.spatial import multiplier, sandwich
from nqp_spatial.core.spatial.ml import Estimate, estimate, lag
from nqp_spatial.core.spectrum.eigen import Spectrum, prepare
from nqp_spatial.exceptions import NqpWarning
from nqp_spatial.shared import parallel

Array = npt.NDArray[np.float64]

BETA, THETA, AR = 1.0, 0.5, 0.6
CUTOFF_KM = 300.0
RHOS = (0.0, 0.4)
QUANTITIES = ("beta", "theta", "rho", "direct", "indirect")
WITHOUT_LAG = ("province, SLX",)
COVARIANCES = ("asymptotic", "robust", "entity", "province", "driscoll-kraay", "conley")
_BLOCK = 50  # replications in one task


@dataclass(frozen=True, eq=False)
class Place:
    """Where a panel lives."""

    W: sp.csr_array
    spectrum: Spectrum
    n_periods: int
    kernel: Array
    province: npt.NDArray[np.int64] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(n_periods, n_entities)."""
        return self.n_periods, self.W.shape[0]


@lru_cache
def place(name: str) -> Place:
    """The lattice or the cities."""
    if name == "lattice":
        side = np.eye(7, k=1) + np.eye(7, k=-1)
        W = np.kron(side, np.eye(7)) + np.kron(np.eye(7), side)
        W = sp.csr_array(W / W.sum(axis=1, keepdims=True))
        xy = 100.0 * np.stack(np.meshgrid(range(7), range(7)), axis=-1).reshape(-1, 2)
        km = np.linalg.norm(xy[:, None] - xy, axis=-1)
        return Place(W, prepare(W), 10, np.clip(1 - km / CUTOFF_KM, 0, None), None)
    cities = select_cities(
        municipalities=False, exclude_provinces=["Hainan", "Qinghai", "Xinjiang", "Tibet"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NqpWarning)  # three cities are joined to the nearest
        graph = weights.normalise(weights.contiguity(cities, islands="nearest"), "row")
    W = weights.sparse_for(graph, cities.index)
    near = weights.inverse_distance(cities, cutoff_km=CUTOFF_KM, islands="ignore")
    links = weights.sparse_for(near, cities.index).toarray()
    kernel = np.eye(len(cities))
    kernel[links > 0] = 1 - 1 / links[links > 0] / CUTOFF_KM
    return Place(W, prepare(W), 12, kernel, pd.factorize(cities["province_en"])[0])


# errors and the part of x that belongs to them ------------------------------------------------

Draw = Callable[[Place, np.random.Generator], tuple[Array, Array]]


def _normal(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.standard_normal(where.shape), rng.standard_normal(where.shape)


def _t5(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.standard_normal(where.shape), rng.standard_t(5, where.shape) * np.sqrt(3 / 5)


def _skewed(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    return rng.standard_normal(where.shape), rng.standard_exponential(where.shape) - 1


def _by_x(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    x, e = _normal(where, rng)
    return x, e * np.sqrt(0.3 + 0.7 * x**2)


def _by_entity(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    """Variances 0.25 and 1.75 of entities with few and many neighbours."""
    x, e = _normal(where, rng)
    degree = np.diff(where.W.indptr)
    many = degree > np.median(degree) - (where.W.shape[0] == 49)
    variance = np.where(many, 1.75, 0.25)
    return x, e * np.sqrt(variance / variance.mean())


def _serial(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    out = []
    for values in _normal(where, rng):
        for t in range(1, len(values)):
            values[t] = AR * values[t - 1] + np.sqrt(1 - AR**2) * values[t]
        out.append(values)
    return out[0], out[1]


def _province(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    """A fifth of the variance of x and e is of the province and year."""
    out = []
    assert where.province is not None
    for values in _normal(where, rng):
        shock = rng.standard_normal((where.n_periods, where.province.max() + 1))
        out.append(np.sqrt(0.8) * values + np.sqrt(0.2) * shock[:, where.province])
    return out[0], out[1]


def _factor(where: Place, rng: np.random.Generator) -> tuple[Array, Array]:
    """x and e answer to common shocks of a year with the same loadings, unrelated to places."""
    loading = rng.standard_normal(where.shape[1])
    out = []
    for values in _normal(where, rng):
        shock = rng.standard_normal((where.n_periods, 1))
        out.append(np.sqrt(0.8) * values + np.sqrt(0.2) * shock * loading)
    return out[0], out[1]


ERRORS: Mapping[str, tuple[Draw, tuple[str, ...], str]] = {
    "normal": (_normal, COVARIANCES, "independent standard normal"),
    "t5": (_t5, ("robust", "entity"), "t with 5 degrees of freedom, unit variance"),
    "skewed": (_skewed, ("robust", "entity"), "exponential less one"),
    "by x": (_by_x, ("robust", "entity"), "variance 0.3 + 0.7 x^2"),
    "by entity": (_by_entity, ("robust", "entity"), "variance seven times as large in entities "
                  "with many neighbours"),
    "serial": (_serial, ("entity",), "AR(1) of 0.6 within each entity, in x too"),
    "province": (_province, ("province",), "a fifth of the variance is a shock of the province and "
                 "year, in x too"),
    "province, SLX": (_province, ("province",), "the same, and the model has no rho"),
    "factor": (_factor, ("driscoll-kraay",), "a fifth of the variance is a shock of the year times "
               "a loading of the entity, in x too"),
}  # fmt: skip
"""Errors: how they are drawn, which covariances are made for them, and in words."""


# one replication ------------------------------------------------------------------------------


def draw(where: Place, errors: str, rho: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """y (n_periods, n_entities) and Z (n_periods, n_entities, 2)."""
    mu, tau = rng.standard_normal(where.shape[1]), rng.standard_normal((where.n_periods, 1))
    own, e = ERRORS[errors][0](where, rng)
    x = own + 0.5 * (mu + tau)
    mean = BETA * x + THETA * lag(where.W, x) + mu + tau
    y = multiplier.Multiplier(where.W, rho).solve((mean + e).T).T
    return y, np.stack([x, lag(where.W, x)], axis=-1)


def covariances(where: Place, found: Estimate) -> dict[str, Array]:
    """Of (beta, theta, rho) by name, with the factors of ``models._covariance``."""
    scores = sandwich.scores_of(found, where.W)
    n_periods, n = where.shape
    cells, left = n_periods * n, found.scale.n - (len(found.cov) - 1)
    factor = cells / left
    groups = {"entity": np.arange(n)}
    if where.province is not None:
        groups["province"] = where.province
    lags = int(4 * (n_periods / 100) ** (2 / 9))
    parts = {
        "robust": (sandwich.robust(scores), factor),
        "driscoll-kraay": (
            sandwich.driscoll_kraay(scores, lags),
            factor * (cells - 1) / cells * n_periods / (n_periods - 1),
        ),
        "conley": (sandwich.conley(scores, where.kernel, 0), factor),
    }
    for name, codes in groups.items():
        M = sandwich.clustered(scores, np.array(np.broadcast_to(codes, where.shape)))
        g = int(codes.max()) + 1
        parts[name] = (M, g / (g - 1) * (cells - 1) / (left + n - 1))  # entities are nested
    out = {"asymptotic": found.cov}
    for name, (M, scale) in parts.items():
        out[name] = sandwich.sandwich(found.cov, M, scale)
    return {name: out[name][:3, :3] for name in COVARIANCES if name in out}


def one(where: Place, errors: str, rho: float, rng: np.random.Generator) -> Array:
    """Estimates, then standard errors by covariance, shape (1 + covariances, quantities)."""
    y, Z = draw(where, errors, rho, rng)
    options = {"effects": "twoway", "correction": "lee-yu", "lag": errors not in WITHOUT_LAG}
    found = estimate(y, Z, where.W, where.spectrum, **options)
    if errors in WITHOUT_LAG:
        errors_ = [np.sqrt(np.diag(cov))[:2] for cov in covariances(where, found).values()]
        return np.array([[b, c, np.nan, b, c] for b, c in [found.delta, *errors_]])
    direct = multiplier.average_direct(where.spectrum, found.rho)
    total = multiplier.average_total(multiplier.Multiplier(where.W, found.rho))
    parts = (direct, total - direct)
    gradient = np.vstack([np.eye(3), *(part.gradient(*found.delta) for part in parts)])
    averages = [float(part.effect(*found.delta)) for part in parts]
    rows = [np.array([*found.delta, found.rho, *averages])]
    for cov in covariances(where, found).values():
        rows.append(np.sqrt(np.einsum("qi,ij,qj->q", gradient, cov, gradient)))
    return np.array(rows)


def block(task: tuple[str, str, float, np.random.SeedSequence, int]) -> Array:
    """Some replications."""
    name, errors, rho, seed, replications = task
    rng, where = np.random.default_rng(seed), place(name)
    return np.array([one(where, errors, rho, rng) for _ in range(replications)])


def cases(name: str) -> list[tuple[str, float]]:
    """Errors and rho that make sense at a place."""
    possible = [e for e in ERRORS if not e.startswith("province") or name != "lattice"]
    return [(e, r) for e in possible for r in RHOS if r == 0.0 or e not in WITHOUT_LAG]


def run(name: str, replications: int, *, seed: int = 2025, n_jobs: int = 1) -> pd.DataFrame:
    """Bias, standard errors and coverage.

    Returns
    -------
    DataFrame, index (errors, rho, covariance, quantity)
        bias_sd, bias over sd of the estimates; se_sd, mean standard error over sd; coverage, with t
        of one degree less than clusters or periods as the classes have it, else normal;
        coverage_normal, of normal intervals throughout.
    """
    todo = cases(name)
    n_blocks = replications // _BLOCK
    seeds = iter(np.random.SeedSequence(seed).spawn(n_blocks * len(todo)))
    tasks = [(name, e, rho, next(seeds), _BLOCK) for e, rho in todo for _ in range(n_blocks)]
    answers = parallel.run(block, tasks, n_jobs=n_jobs, label=name)
    frames = [
        summarise(np.concatenate(answers[i * n_blocks : (i + 1) * n_blocks]), name, rho)
        for i, (_, rho) in enumerate(todo)
    ]
    return pd.concat(frames, keys=todo, names=["errors", "rho"])


def truth(name: str, rho: float) -> Array:
    """True values in the order of QUANTITIES, from the dense inverse."""
    dense = place(name).W.toarray()
    n = len(dense)
    S = np.linalg.solve(np.eye(n) - rho * dense, BETA * np.eye(n) + THETA * dense)
    direct, total = np.trace(S) / n, S.sum() / n
    return np.array([BETA, THETA, rho, direct, total - direct])


def summarise(runs: Array, name: str, rho: float) -> pd.DataFrame:
    """What ``run`` returns, of one case; ``runs`` (replications, 1 + covariances, quantities)."""
    where, true = place(name), truth(name, rho)
    names = COVARIANCES if where.province is not None else _WITHOUT_PROVINCE
    estimates, errors = runs[:, 0], runs[:, 1:]
    sd = estimates.std(axis=0, ddof=1)
    z = np.abs(estimates - true)[:, None] / errors
    groups = {"entity": where.shape[1], "driscoll-kraay": where.n_periods}
    if where.province is not None:
        groups["province"] = int(where.province.max()) + 1
    critical = [stats.t.ppf(0.975, groups.get(name, np.inf) - 1) for name in names]
    index = pd.MultiIndex.from_product([names, QUANTITIES], names=["covariance", "quantity"])
    columns = {
        "bias_sd": np.tile((estimates.mean(axis=0) - true) / sd, len(names)),
        "se_sd": (errors.mean(axis=0) / sd).ravel(),
        "coverage": (z <= np.array(critical)[:, None]).mean(axis=0).ravel(),
        "coverage_normal": (z <= stats.norm.ppf(0.975)).mean(axis=0).ravel(),
    }
    table = pd.DataFrame(columns, index=index)
    return table.where(table["se_sd"].notna())


_WITHOUT_PROVINCE = tuple(name for name in COVARIANCES if name != "province")


# the page -------------------------------------------------------------------------------------

_TITLES = {"lattice": "7 x 7 lattice, 10 periods", "cities": "277 cities, 12 years"}


def markdown(tables: Mapping[str, pd.DataFrame], replications: int) -> str:
    """The tables as a page of documentation."""
    lines = [
        "# Coverage by kind of covariance",
        "",
        f"Spatial Durbin model with two-way effects (Lee and Yu), {replications} replications a "
        "case (`benchmarks/monte_carlo_covariance.py`, which states the truth). A cell of the "
        "tables has the mean standard error over the standard deviation of the estimates and the "
        "coverage of nominal 95% intervals, whose Monte-Carlo error is "
        f"{np.sqrt(0.95 * 0.05 / replications):.3f}. Bias is in standard deviations of the "
        "estimate. Covariances made for the errors are **bold**. Conley: Bartlett kernel, "
        f"{CUTOFF_KM:g} km; Driscoll-Kraay: 2 lags.",
        "",
        *(f"- {name}: {words}." for name, (_, _, words) in ERRORS.items()),
        "",
        *NOTES,
    ]
    for name, table in tables.items():
        lines += [f"## {_TITLES[name]}", ""]
        for errors, rho in cases(name):
            lines += _section(errors, rho, table.xs((errors, rho), level=("errors", "rho")))
    return "\n".join(lines)


def _section(errors: str, rho: float, part: pd.DataFrame) -> list[str]:
    names = list(dict.fromkeys(part.index.get_level_values("covariance")))
    meant = ERRORS[errors][1]
    head = [f"**{name}**" if name in meant else name for name in names]
    lines = [f"### {errors}, rho = {rho}", "", _row("", "bias/sd", *head)]
    lines.append(_row(*["---"] * (2 + len(names))))
    for quantity in QUANTITIES[:2] if errors in WITHOUT_LAG else QUANTITIES:
        at = part.xs(quantity, level="quantity")
        cells = [f"{at.loc[n, 'se_sd']:.2f}, {at.loc[n, 'coverage']:.3f}" for n in names]
        lines.append(_row(quantity, f"{at['bias_sd'].iloc[0]:.2f}", *cells))
    return [*lines, ""]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


NOTES = (
    "What the tables show:",
    "",
    "- `robust` and clusters of entities cover 0.93 to 0.97 on the cities wherever they are meant "
    "to, and so do 57 of 60 coverages of entity clusters on the lattice (lowest 0.929). `robust` "
    "is at 0.92 there for beta under variances by x, and at 0.93 otherwise. They lose nothing "
    "under normal errors. Serial correlation needs clusters of entities or of groups of them: all "
    "others cover 0.80 to 0.89.",
    "- Variances that differ by entity bias rho where they go along with the diagonal of "
    "G = W (I - rho W)^-1, as they do here: by half a standard deviation at rho = 0.4 on the "
    "cities. No covariance mends an estimate; the intervals happen to cover still.",
    "- A shock that all cities of a province share looks like rho and is taken for it: the bias is "
    "nine standard deviations, and coverage zero, whatever the covariance. In a model without rho "
    "clusters of provinces cover 0.94 (beta) and 0.95 (theta), where all others but Driscoll and "
    "Kraay (0.89, 0.92) have 0.87 to 0.91.",
    "- With few clusters t and the small-sample factor matter: clusters of provinces (there are "
    "23) cover 0.93 to 0.97 where there is no bias; normal intervals of errors without the count "
    "of coefficients covered 0.92 to 0.95.",
    "- Ten or twelve years are too few for Driscoll and Kraay: 0.88 to 0.92 under independent "
    "errors, with t of T - 1 degrees (0.83 to 0.90 with normal intervals). Under common shocks "
    "they are nevertheless far better for beta than all others: 0.89 to 0.91 beside 0.45 to 0.82.",
    "- Conley errors are for correlation in space that W does not explain, and there is none in "
    "these cases: they cost 0.01 to 0.02 of coverage on the lattice, since demeaned errors of a "
    "period sum to zero, and nothing on the cities.",
    "",
)
"""What the tables show, in words."""


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    page = Path(__file__).resolve().parents[1] / "docs" / "monte_carlo_covariance.md"
    found = {name: run(name, count, n_jobs=jobs) for name in _TITLES}
    page.write_text(markdown(found, count), encoding="utf-8")
