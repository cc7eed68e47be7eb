"""Lambda of SpatialIV with its standard error: spreg, dense matrices, and a known truth."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import kelejian_prucha
from nqp_spatial.models.spatial.iv import SpatialIV
from tests import panels

pytestmark = pytest.mark.filterwarnings("ignore:Weak instruments")


def lattice(side):
    cells = np.arange(side * side).reshape(side, side)
    links = {int(i): [] for i in cells.ravel()}
    for a, b in ((cells[:, :-1], cells[:, 1:]), (cells[:-1], cells[1:])):
        for i, j in zip(a.ravel(), b.ravel(), strict=True):
            links[int(i)].append(int(j))
            links[int(j)].append(int(i))
    graph = Graph.from_adjacency(
        pd.DataFrame(
            [(i, j, 1 / len(own)) for i, own in links.items() for j in sorted(own)],
            columns=["focal", "neighbor", "weight"],
        )
    )
    return graph, np.asarray(graph.sparse.todense())


def cases():
    """y, [1, x, endogenous, Wy], H and W as spreg has them, and the model of ours."""
    data, links = panels.columbus()
    data = data.join(panels.read("spatial_iv_columbus_data.csv", "area"))
    graph = Graph.from_dicts(links).transform("r")
    data["share"] = data["HOVAL"] / 100
    made = panels.read("spatial_iv_last_step_data.csv")
    grid, _ = lattice(20)
    made.index = pd.MultiIndex.from_product([range(400), [1]], names=["cell", "year"])
    options = {"effects": None, "error": True}
    endog = {"endog": data["share"], "instruments": data["DISCBD"]}
    return {
        "columbus": SpatialIV(data["CRIME"], data[["INC", "HOVAL"]], graph, **options),
        "endog": SpatialIV(data["CRIME"], data[["INC"]], graph, **endog, **options),
        "simulated": SpatialIV(made["y"], made[["x", "z"]], grid, **options),
    }


def dense(model):
    """y, Z = [1, x, endogenous, Wy], H unfiltered and W, of one period."""
    design, W = model.design, model.design.W.toarray()
    y, x = design.y[0], design.x[0]
    Z = np.column_stack([np.ones(len(y)), x, W @ y])
    roles = model._roles
    moved = [design.x_names.index(name) for name in roles.endogenous]
    own = np.delete(x, moved, axis=1)
    given = np.column_stack([own, roles.values[0]]) if moved else own
    H = np.column_stack([np.ones(len(y)), given, W @ given, W @ W @ given])
    return y, Z, H, W


def gain(Z, H, W, lambda_):
    filtered = Z - lambda_ * W @ Z
    fitted = H @ np.linalg.lstsq(H, filtered, rcond=None)[0]
    return fitted @ np.linalg.inv(filtered.T @ fitted)


def forms(W, kind):
    n = len(W)
    A = W.T @ W
    level = np.trace(A) / n if kind == "equal" else np.diag(A)
    return A - level * np.eye(n), W


def first_lambda(W, u, kind):
    """Without weights, by search."""
    A = forms(W, kind)

    def criterion(lambda_):
        e = u - lambda_ * W @ u
        return sum((e @ a @ e / len(u)) ** 2 for a in A)

    return minimize_scalar(criterion, bounds=(-0.99, 0.99), options={"xatol": 1e-12}).x


def meat(kind):
    """Covariance of L'e in one period, as spreg's."""
    if kind == "equal":
        return lambda e, L: L[0].T @ L[0] * (e**2).mean()
    return lambda e, L: (L[0] * e[0][:, None] ** 2).T @ L[0]


@pytest.mark.parametrize("kind", ["equal", "unequal"])
@pytest.mark.parametrize("case", ["columbus", "endog", "simulated"])
def test_the_last_step_is_that_of_spreg(case, kind):
    known = panels.known("spatial_iv_last_step.csv", "case", "kind", "quantity", "place")
    known = known.loc[case, kind]
    betas, row = known["betas"].to_numpy(), known["vm"].to_numpy()
    y, Z, H, W = dense(cases()[case])
    delta, lambda_ = betas[:-1], betas[-1]
    plain = gain(Z, H, W, 0.0).T @ y
    first = first_lambda(W, y - Z @ plain, kind)
    assert_allclose(gain(Z, H, W, first).T @ (y - first * W @ y), delta, rtol=2e-5)

    def step(at):
        return kelejian_prucha.LastStep(
            u=(y - Z @ delta)[None],
            D=Z[None],
            gain=gain(Z, H, W, at)[None],
            W=sp.csr_array(W),
            moments=meat(kind),
            effects=None,
            innovations=kind,
        )

    found = step(first).estimate(first, (-1.0, 1.0))
    assert_allclose(found.lambda_, lambda_, rtol=0, atol=2e-6)  # spreg's search
    variance, covariance = step(lambda_).covariance(lambda_)
    assert_allclose([*covariance, variance], row, rtol=1e-9)


@pytest.mark.parametrize("case", ["columbus", "simulated"])
def test_the_robust_model_is_that_of_spreg(case):
    """Ours keeps the slopes' influence at the first lambda, spreg takes it at the last."""
    known = panels.known("spatial_iv_last_step.csv", "case", "kind", "quantity", "place")
    known = known.loc[case, "unequal"]
    res = cases()[case].fit(cov_type="robust")
    assert_allclose(res.params, known["betas"], rtol=0, atol=5e-6 * np.abs(known["betas"]).max())
    assert_allclose(res.std_errors["lambda"] ** 2, known["vm"].iloc[-1], rtol=0.03)
    assert_allclose(res.lambda_, known["betas"].iloc[-1], atol=3e-6)


# panels, by matrices over all cells ------------------------------------------------------------


def projection(effects, periods, n):
    def centre(m, used):
        return np.eye(m) - used * np.full((m, m), 1 / m)

    return np.kron(
        centre(periods, effects in ("entity", "twoway")), centre(n, effects in ("time", "twoway"))
    )


@pytest.mark.parametrize("innovations", ["equal", "unequal", "entities"])
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_covariance_by_dense_matrices(effects, innovations):
    """Forms of all cells; over entities the demeaning changes traces by less than 3 / N."""
    rng = np.random.default_rng(3)
    _, W = lattice(7)
    n, periods, k, lambda_ = 49, 4, 3, 0.3
    P = projection(effects, periods, n)
    left = round(np.trace(P))
    u, D = (demean(rng.normal(size=(periods, n, *more)), effects) for more in ((), (k,)))
    u = demean(u + 0.4 * u**2, effects)
    T = demean(rng.normal(size=(periods, n, k)), effects) / left
    codes = np.tile(np.arange(n), periods)

    def moments(e, L):
        flat, e = L.reshape(-1, L.shape[-1]), e.ravel()
        if innovations == "equal":
            return flat.T @ flat * (e @ e) / left
        scores = flat * e[:, None]
        if innovations == "entities":
            scores = np.array([scores[codes == i].sum(axis=0) for i in range(n)])
        return scores.T @ scores

    step = kelejian_prucha.LastStep(u, D, T, sp.csr_array(W), moments, effects, innovations)
    variance, covariance = step.covariance(lambda_)

    big = P @ np.kron(np.eye(periods), W) @ P
    flat_D, flat_T = D.reshape(-1, k), T.reshape(-1, k)
    e = u.ravel() - lambda_ * big @ u.ravel()
    squares = big.T @ big
    if innovations == "equal":
        A = [squares - np.trace(squares) / left * P, big - np.trace(big) / left * P]
    else:
        core = np.diag(step._forms.d[0]), np.diag(step._forms.d[1])
        over = [P @ np.kron(np.eye(periods), c) @ P for c in core]
        A = [squares - over[0], big - over[1]]
        assert all(np.abs(np.diag(a)).max() < 1e-12 for a in A)
    S = [a + a.T for a in A]
    G = flat_D - lambda_ * big @ flat_D
    a = np.column_stack([-flat_T @ (G.T @ s @ e) for s in S])
    both = moments(e.reshape(u.shape), np.column_stack([flat_T, a]).reshape(periods, n, k + 2))
    own, cross = both[k:, k:], both[:k, k:]
    if innovations == "equal":
        sigma2 = e @ e / left
        row = P[0]
        mu3 = (e**3).mean() / (row**3).sum()
        mu4 = ((e**4).mean() - 3 * ((row**2).sum() ** 2 - (row**4).sum()) * sigma2**2) / (
            row**4
        ).sum()
        d = np.column_stack([np.diag(x) for x in A])
        own = own + np.array([[np.trace(r @ s) for r in S] for s in S]) * sigma2**2 / 2
        own += (mu4 - 3 * sigma2**2) * d.T @ d + mu3 * (a.T @ d + d.T @ a)
        cross = cross + mu3 * flat_T.T @ d
    else:
        flat = e.reshape(periods, n)
        together = innovations == "entities" or effects in ("entity", "twoway")
        pairs = (flat.T @ flat) ** 2 if together else (flat**2).T @ flat**2
        shapes = [2 * W.T @ W, W + W.T]
        for s in shapes:
            np.fill_diagonal(s, 0.0)
        own = own + np.array([[(r * s * pairs).sum() / 2 for r in shapes] for s in shapes])
    psi = own / left
    slope = np.array([-(e @ s @ (big @ u.ravel())) for s in S]) / left
    inner = 1 / (slope @ np.linalg.solve(psi, slope))
    exact = effects in (None, "entity") or innovations != "equal"
    tolerance = {"rtol": 1e-9} if exact else {"rtol": 3 / n}
    assert_allclose(variance, inner / left, **tolerance)
    expected = -cross @ np.linalg.solve(psi, slope) * inner / left
    size = np.sqrt(variance * np.diag(both)[:k])
    assert_allclose(covariance, expected, rtol=1e-9, atol=0 if exact else (3 / n * size).min())


# properties and unhappy paths --------------------------------------------------------------------


def draw(W, periods, effects, kind, rng, *, lambda_=0.5):
    """Data with lambda known; ``kind`` of the errors."""
    n = len(W)
    x, z = rng.normal(size=(2, periods, n))
    e = rng.normal(size=(periods, n))
    if kind == "skewed":
        e = (rng.chisquare(3, size=(periods, n)) - 3) / np.sqrt(6)
    if kind == "within":
        for t in range(1, periods):
            e[t] = 0.6 * e[t - 1] + 0.8 * e[t]
    if kind in ("unequal", "within"):
        e = e * np.sqrt(0.2 + 0.5 * x**2)
    u = e @ np.linalg.inv(np.eye(n) - lambda_ * W).T
    fixed = rng.normal(size=n) * (effects is not None)
    fixed = fixed + rng.normal(size=(periods, 1)) * (effects == "twoway")
    y = (x - z / 2 + fixed + u) @ np.linalg.inv(np.eye(n) - 0.4 * W).T
    index = pd.MultiIndex.from_product([range(n), range(periods)], names=["i", "t"])
    return pd.DataFrame({k: v.T.ravel() for k, v in (("y", y), ("x", x), ("z", z))}, index)


@pytest.mark.parametrize("cov_type", ["asymptotic", "robust", "clustered"])
def test_order_labels_and_units_do_not_matter(cov_type):
    graph, W = lattice(7)
    frame = draw(W, 3, "twoway", "unequal", np.random.default_rng(5))
    expected = SpatialIV(frame["y"], frame[["x", "z"]], graph, error=True).fit(cov_type=cov_type)
    moved = frame.sample(frac=1, random_state=1)
    again = SpatialIV(10 * moved["y"], moved[["x", "z"]] / 7, graph, error=True)
    found = again.fit(cov_type=cov_type)
    for name in ("lambda", "rho"):
        assert_allclose(found.params[name], expected.params[name], rtol=1e-8)
        assert_allclose(found.std_errors[name], expected.std_errors[name], rtol=1e-8)
    assert_allclose(found.cov.loc["x", "lambda"], 70 * expected.cov.loc["x", "lambda"], rtol=1e-6)


def test_effects_and_predictions_have_no_part_of_lambda():
    graph, W = lattice(7)
    frame = draw(W, 3, "twoway", "normal", np.random.default_rng(5))
    res = SpatialIV(frame["y"], frame[["x", "z"]], graph, error=True).fit(cov_type="robust")
    assert list(res.response.params) == list(res.params.drop("lambda"))
    assert res.effects(method="simulation", draws=50, seed=1).notna().all().all()
    assert "lambda" in res.to_frame().index and res.wald_test("lambda = 0").df == 1


def test_groups_whose_members_have_one_weight():
    """W'W is then a combination of W and the identity: one form, and lambda has an error still."""
    rng = np.random.default_rng(2)
    W = np.kron(np.eye(30), (np.ones((4, 4)) - np.eye(4)) / 3)
    frame = draw(W, 1, None, "normal", rng)
    graph = Graph.from_sparse(sp.coo_array(W))
    given = {"endog": frame["x"], "instruments": (frame["x"] + rng.normal(size=120)).rename("q")}
    model = SpatialIV(frame["y"], frame[["z"]], graph, **given, lag=False, error=True, effects=None)
    for cov_type in ("asymptotic", "robust"):
        found = model.fit(cov_type=cov_type)
        assert 0 < found.std_errors["lambda"] < 0.5


@pytest.mark.parametrize(
    ("options", "there"),
    [
        ({"cov_type": "clustered", "clusters": ["entity"]}, True),
        ({"cov_type": "clustered", "clusters": "time"}, False),
        ({"cov_type": "clustered", "clusters": ["entity", "time"]}, False),
        ({"cov_type": "driscoll-kraay"}, False),
    ],
)
def test_lambda_has_an_error_where_there_is_a_theory_of_it(options, there):
    graph, W = lattice(7)
    frame = draw(W, 8, "twoway", "normal", np.random.default_rng(5))
    with warnings.catch_warnings(action="ignore"):  # of few clusters
        res = SpatialIV(frame["y"], frame[["x", "z"]], graph, error=True).fit(**options)
    assert ("lambda" in res.params) == there
    assert any("no standard error" in n for n in res.provenance["notes"]) == (not there)
    assert res.lambda_ != 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effects", "periods", "kind", "cov_type"),
    [
        (None, 1, "skewed", "asymptotic"),
        (None, 1, "unequal", "robust"),
        ("entity", 2, "normal", "asymptotic"),
        ("entity", 5, "unequal", "robust"),
        ("twoway", 5, "within", "clustered"),
    ],
)
def test_coverage_of_lambda(effects, periods, kind, cov_type):
    """300 panels each; docs/monte_carlo_lambda.md has more of them."""
    graph, W = lattice({1: 30, 2: 20}.get(periods, 12))
    rng = np.random.default_rng(1)
    found = []
    for _ in range(300):
        frame = draw(W, periods, effects, kind, rng)
        res = SpatialIV(frame["y"], frame[["x", "z"]], graph, error=True, effects=effects)
        res = res.fit(cov_type=cov_type)
        found.append((res.params["lambda"], res.std_errors["lambda"]))
    at, error = np.array(found).T
    assert abs(at.mean() - 0.5) < 0.03 + 3 * at.std() / np.sqrt(300)
    covered = (np.abs(at - 0.5) < 1.96 * error).mean()
    assert 0.95 - 3 * 0.0126 < covered < 0.95 + 3 * 0.0126
