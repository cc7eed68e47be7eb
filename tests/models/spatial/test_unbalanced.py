"""Panels with absent cells against a dense likelihood, and what their users can get wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import models, weights
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataWarning,
    EstimationError,
    IdMismatchError,
    IslandWarning,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.models.spatial import covariance
from tests import panels, slow
from tests.models.spatial import stacked_panels as stacked
from tests.reference import stacked_likelihood as dense

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


T, N = 4, 12
GAPS = stacked.gaps(T, N, seed=2)


def panel(case="contiguity", k=1, seed=1):
    if case == "contiguity":
        return stacked.make([panels.contiguity(N, 3)] * T, GAPS, constant=True, seed=seed, k=k)
    if case == "time-varying knn":
        return stacked.make(stacked.varying(panels.knn, N, T, 5), GAPS, seed=seed, k=k)
    assert case == "all together"
    Ws, v = stacked.varying(stacked.directed, N, T, 5), stacked.draw_weights(T, N, "cell")
    return stacked.make(Ws, GAPS, v=v, seed=seed, k=k)


CASES = ("contiguity", "time-varying knn", "all together")


def test_the_panels_have_what_they_are_for():
    """Gaps at random, entities that enter late, one that is seen once; complex eigenvalues."""
    seen = GAPS.sum(axis=0)
    assert seen.min() == 1
    assert (GAPS[: T // 2, : N // 6] == 0).all()
    assert 0.1 < 1 - GAPS.mean() < 0.3
    K = panel("all together").K
    assert np.abs(np.linalg.eigvals(K).imag).max() > 0.05
    assert np.ptp(K.sum(axis=1)) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("effects", stacked.EFFECTS)
@pytest.mark.parametrize("name", stacked.MODELS)
@pytest.mark.parametrize("case", [*CASES[:1], *slow(*CASES[1:])])
def test_exact_dummies(case, name, effects):
    stacked.assert_is_maximum_likelihood(panel(case), name, effects)


@pytest.mark.slow
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("name", ["SLX", "SAR", "SDM"])
@pytest.mark.parametrize("case", CASES)
def test_adjusted_score(case, name, effects):
    stacked.assert_is_the_root_of_the_adjusted_score(panel(case, k=2), name, effects)


@pytest.mark.parametrize("name", ["SAR", "SDM"])
def test_rows_scaled_back_to_their_sums(name):
    p = stacked.make(stacked.varying(panels.contiguity, N, T, 5), GAPS, seed=1, renormalised=True)
    sums = p.K.sum(axis=1)
    assert_allclose(sums, 1.0)
    model = p.model(name, "twoway", unbalanced="renormalised")
    found = dense.maximise(p.cells(name, "twoway"))
    res = model.fit()
    assert_allclose(res.rho, found["rho"], atol=1e-7)
    assert_allclose(res.loglik, found["loglik"], atol=1e-8)
    plain = stacked.make(stacked.varying(panels.contiguity, N, T, 5), GAPS, seed=1)
    assert abs(plain.fit(name, "twoway").rho - res.rho) > 1e-3


def test_an_island_made_by_absence_is_named_and_has_no_lag():
    present = np.ones((T, N), dtype=bool)
    W = panels.contiguity(N, 3)
    present[1, W[0] > 0] = False
    p = stacked.make([W] * T, present, constant=True, seed=1)
    for unbalanced in ("submatrix", "renormalised"):
        with pytest.warns(IslandWarning, match=r"none that is present, first \(0, 2002\)"):
            model = p.model("SAR", "twoway", unbalanced=unbalanced)
        assert (0, 2002) in model.design.islands
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        stacked.assert_is_maximum_likelihood(p, "SDM", "twoway")
        stacked.assert_is_the_root_of_the_adjusted_score(p, "SDM", "twoway")


@pytest.mark.parametrize("name", ["SAR", "SEM", "SDM", "GNS"])
@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_a_period_with_no_cells_is_a_panel_without_that_period(name, correction):
    if correction != "none" and stacked.MODELS[name][3]:
        return
    p = panel("contiguity")
    left = p.frame.drop(2003, level=1)
    x = left[["x1"]]
    options = {"effects": "twoway", "correction": correction, "unbalanced": "submatrix"}
    constant = stacked.MODELS[name][0](left["y"], x, p.graph, **options).fit()
    mapping = dict.fromkeys(p.periods, p.graph)  # with a graph for the absent period, too
    varying = stacked.MODELS[name][0](left["y"], x, mapping, **options).fit()
    assert_allclose(constant.params, varying.params, rtol=1e-10)
    present = GAPS.copy()[[0, 1, 3]]
    cells = p.frame.index.get_level_values(1) != 2003
    K = p.K[np.ix_(cells, cells)]
    whole = stacked.Panel(left, p.Ws[:3], K, p.v[cells], True, False)
    assert present.sum() == len(left)
    if correction == "none":
        stacked.assert_is_maximum_likelihood(whole, name, "twoway")
    else:
        stacked.assert_is_the_root_of_the_adjusted_score(whole, name, "twoway")
    assert_allclose(whole.fit(name, "twoway", correction).loglik, constant.loglik, rtol=1e-12)


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_order_of_rows_and_of_entities_does_not_matter(correction):
    p = panel("all together")
    a = p.fit("SDM", "twoway", correction)
    order = np.random.default_rng(3).permutation(N)
    frame = p.frame.copy()
    new = [(f"城{order[i]:02d}", t) for i, t in frame.index]
    frame.index = pd.MultiIndex.from_tuples(new, names=["city", "year"])
    v = pd.Series(p.v, index=frame.index)
    ids = [f"城{i:02d}" for i in order]
    graphs = {t: weights.as_graph(W, ids=ids) for t, W in zip(p.periods, p.Ws, strict=True)}
    frame = frame.sample(frac=1, random_state=2)
    b = models.SpatialDurbin(
        frame["y"], frame[["x1"]], graphs,
        correction=correction, unbalanced="submatrix", observation_weights=v,
    ).fit()  # fmt: skip
    assert_allclose(b.params, a.params, rtol=1e-8)
    assert_allclose(b.cov, a.cov, rtol=1e-7, atol=1e-12)
    assert_allclose(b.loglik, a.loglik, rtol=1e-11)


def test_parts_that_never_meet_have_effects_of_their_own():
    """Ten entities in the first three periods, ten in the last: a dummy is redundant in each part,
    and a likelihood with coefficients and variance of its own in each is at least as high."""
    present = np.zeros((6, 20), dtype=bool)
    present[:3, :10] = present[3:, 10:] = True
    W = np.zeros((20, 20))
    W[:10, :10], W[10:, 10:] = panels.contiguity(10, 1), panels.contiguity(10, 2)
    p = stacked.make([W] * 6, present, constant=True, seed=4)
    model = p.model("SAR", "twoway")
    assert model.design.removal.rank == 20 + 6 - 2
    stacked.assert_is_maximum_likelihood(p, "SAR", "twoway")
    stacked.assert_is_the_root_of_the_adjusted_score(p, "SAR", "twoway")
    rho = model.fit().rho
    halves = (_half(p, slice(0, 30)), _half(p, slice(30, 60)))
    assert model.fit().loglik <= sum(dense.profile(cells, rho, 0.0) for cells in halves)


def _half(p, rows):
    part = stacked.Panel(
        p.frame.iloc[rows], p.Ws, p.K[rows, rows], p.v[rows], p.constant, p.weighted
    )
    return part.cells("SAR", "twoway")


# covariances ------------------------------------------------------------------------------------


def labels(p, m=25):
    return pd.Series(np.arange(len(p.frame)) % m, index=p.frame.index, name="group")


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
@pytest.mark.parametrize("name", ["SAR", "SDM"])
def test_each_cell_its_own_cluster_is_robust(name, correction):
    p = panel("all together")
    cells = pd.Series(np.arange(len(p.frame)), index=p.frame.index)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clustered = p.fit(name, "entity", correction, cov_type="clustered", clusters=cells)
    robust = p.fit(name, "entity", correction, cov_type="robust")
    assert_allclose(clustered.cov, robust.cov, rtol=1e-9, atol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("options", [
    {"cov_type": "robust"},
    {"cov_type": "clustered"},
    {"cov_type": "clustered", "clusters": "time"},
    {"cov_type": "driscoll-kraay"},
])  # fmt: skip
@pytest.mark.parametrize("name", ["SAR", "SDM", "SEM", "GNS"])
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_one_w_without_gaps_has_the_covariance_of_the_balanced_panel(name, effects, options):
    full = np.ones((T, N), dtype=bool)
    p = stacked.make([panels.contiguity(N, 3)] * T, full, constant=True, seed=1)
    correction = "none" if stacked.MODELS[name][3] else "adjusted-score"
    balanced = "none" if stacked.MODELS[name][3] else "lee-yu"
    mapping = dict.fromkeys(p.periods, p.graph)
    with warnings.catch_warnings(action="ignore", category=DataWarning):
        stacked_fit = stacked.MODELS[name][0](
            p.frame["y"], p.frame[["x1"]], mapping, effects=effects, correction=correction
        ).fit(**options)
        plain = p.fit(name, effects, balanced, **options)
    assert_allclose(stacked_fit.cov, plain.cov, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_white_errors_of_least_squares(correction):
    """SLX is least squares: the sandwich of White (1980) on demeaned data, cells or clusters."""
    p = panel("all together")
    cells = p.cells("SLX", "twoway")
    root = np.sqrt(p.v)
    D = root[:, None] * cells.D
    basis = np.linalg.qr(D)[0]
    M = np.eye(len(root)) - basis @ basis.T
    X, y = M @ (root[:, None] * cells.Z), M @ (root * cells.y)
    bread = np.linalg.inv(X.T @ X)
    e = y - X @ (bread @ X.T @ y)
    n, rank = D.shape
    lost = (rank if correction == "adjusted-score" else 0) + X.shape[1]
    nested = N - 1 if correction == "adjusted-score" else 0
    score = X * e[:, None]
    robust = bread @ score.T @ score @ bread * n / (n - lost)
    res = p.fit("SLX", "twoway", correction, cov_type="robust")
    assert_allclose(res.cov, robust, rtol=1e-9)
    sums = np.array([score[cells.entity == i].sum(axis=0) for i in range(N)])
    factor = N / (N - 1) * (n - 1) / (n - lost + nested)
    by_entity = bread @ sums.T @ sums @ bread * factor
    with pytest.warns(DataWarning, match="only 12 clusters by 'entity'"):
        res = p.fit("SLX", "twoway", correction, cov_type="clustered")
    assert_allclose(res.cov, by_entity, rtol=1e-9)
    totals = np.array([score[cells.period == t].sum(axis=0) for t in range(T)])
    lagged = totals[1:].T @ totals[:-1]
    middle = totals.T @ totals + 0.5 * (lagged + lagged.T)
    driscoll = bread @ middle @ bread * (n - 1) / (n - lost) * T / (T - 1)
    res = p.fit("SLX", "twoway", correction, cov_type="driscoll-kraay", bandwidth=1)
    assert_allclose(res.cov, driscoll, rtol=1e-9)


def test_conley_of_least_squares():
    """Uniform kernel: products of scores of cells of one period within 300 km, and of the cells of
    one entity in periods that follow on each other, at half weight."""
    p = panel("all together")
    cells = p.cells("SLX", "twoway")
    places = pd.DataFrame(
        {"lon": np.linspace(100.0, 110.0, N), "lat": np.full(N, 0.0)}, index=p.entities
    )
    km = np.abs(np.subtract.outer(places["lon"].to_numpy(), places["lon"].to_numpy())) * 111.3
    near = km < 250  # neighbours are 101.2 km apart
    root = np.sqrt(p.v)
    basis = np.linalg.qr(root[:, None] * cells.D)[0]
    M = np.eye(len(root)) - basis @ basis.T
    X, y = M @ (root[:, None] * cells.Z), M @ (root * cells.y)
    bread = np.linalg.inv(X.T @ X)
    score = X * (y - X @ (bread @ X.T @ y))[:, None]
    i, t = cells.entity, cells.period
    same = np.equal.outer(t, t) & near[np.ix_(i, i)]
    after = np.equal.outer(i, i) & (np.abs(np.subtract.outer(t, t)) == 1)
    weights_ = same + 0.5 * after
    n, k = X.shape
    expected = bread @ score.T @ weights_ @ score @ bread * n / (n - k)
    res = p.fit(
        "SLX", "twoway", cov_type="conley", cutoff_km=250.0, coordinates=places,
        kernel="uniform", serial_lags=1,
    )  # fmt: skip
    assert_allclose(res.cov, expected, rtol=1e-9)


def test_clusters_of_other_cells_are_refused():
    p = panel()
    with pytest.raises(IdMismatchError, match=r"clusters.*1 are only in the panel"):
        p.fit("SAR", "twoway", cov_type="clustered", clusters=labels(p).iloc[1:])
    empty = labels(p).astype(float).mask(p.frame.index == p.frame.index[3])
    with pytest.raises(OptionError, match="'group' are empty at"):
        p.fit("SAR", "twoway", cov_type="clustered", clusters=empty)


def test_many_cells_say_that_dense_matrices_are_needed(monkeypatch):
    monkeypatch.setattr(covariance, "LARGEST", 20)
    with pytest.raises(EstimationError, match=r"dense matrices of \d+ entity-periods; 20"):
        panel().fit("SAR", "twoway", cov_type="robust")


# results ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SLX", "SDM", "GNS"])
@pytest.mark.parametrize("case", CASES)
def test_effects_counterfactual_and_residuals(case, name):
    p = panel(case)
    res = p.fit(name, "twoway")
    n = len(p.K)
    inverse = np.linalg.inv(np.eye(n) - res.rho * p.K)
    S = inverse @ (res.params["x1"] * np.eye(n) + res.params["W_x1"] * p.K)
    effects = res.effects()["estimate"]
    assert_allclose(effects["direct", "x1"], np.trace(S) / n, rtol=1e-9)
    assert_allclose(effects["indirect", "x1"], (S.sum() - np.trace(S)) / n, rtol=1e-9)
    by_cell = res.entity_effects("x1")
    assert list(by_cell.index) == list(p.frame.index)
    assert_allclose(by_cell["direct"], np.diag(S), rtol=1e-9)
    found = res.counterfactual("x1", 0.0).reindex(p.frame.index)
    assert_allclose(found["effect"], S @ p.frame["x1"].to_numpy(), rtol=1e-9, atol=1e-11)
    assert res.nobs == n
    assert list(res.resids.index) == list(p.frame.index.sort_values())
    assert_allclose(res.fitted + res.resids, p.frame["y"].sort_index(), rtol=1e-12)


def test_moran_uses_the_cells_that_are_present():
    p = panel("contiguity")
    res = p.fit("SDM", "twoway")
    resid = res.resids.reindex(p.frame.index).to_numpy()
    assert_allclose(res.tests["moran"].statistic, stacked.moran_z(resid, p.K), rtol=1e-9)


def test_groups_of_cells():
    """With the labels of cells: the sender's cells to the receiver's."""
    p = panel("contiguity")
    res = p.fit("SDM", "twoway")
    n = len(p.K)
    S = np.linalg.inv(np.eye(n) - res.rho * p.K) @ (
        res.params["x1"] * np.eye(n) + res.params["W_x1"] * p.K
    )
    early = p.frame.index.get_level_values(0) < 5
    groups = pd.Series(np.where(early, "a", "b"), index=p.frame.index)
    found = res.group_effects("x1", groups)
    assert_allclose(found.loc[("a", "b"), "effect"], S[~early][:, early].sum() / (~early).sum())


def test_groups_of_entities_hold_in_every_period():
    """Labels by entity where W varies: those of its cells."""
    p = panel("contiguity")
    res = p.fit("SDM", "twoway")
    by_entity = pd.Series(np.where(p.entities < 5, "a", "b"), index=p.entities)
    early = p.frame.index.get_level_values(0) < 5
    by_cell = pd.Series(np.where(early, "a", "b"), index=p.frame.index)
    expected = res.group_effects("x1", by_cell)
    pd.testing.assert_frame_equal(res.group_effects("x1", by_entity), expected)


def test_notes_say_what_is_absent():
    notes = " ".join(panel("contiguity").fit("SAR", "twoway").provenance["notes"])
    assert f"{(~GAPS).sum()} (entity, time) pairs are absent" in notes


def test_the_covariance_of_effects_follows_the_covariance_asked_for():
    p = panel("all together")
    plain = p.fit("SDM", "twoway").effects()["std_error"]
    robust = p.fit("SDM", "twoway", cov_type="robust").effects()["std_error"]
    assert (np.abs(plain / robust - 1) > 1e-3).all()


# bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize("correction", ["lee-yu", "none", "adjusted-score"])
def test_gaps_are_an_error_unless_asked_for(correction):
    p = panel("contiguity")
    missing = int((~GAPS).sum())
    with pytest.raises(UnbalancedPanelError, match=rf"{missing} of 48 .*first \(0, 2001\)"):
        p.model("SAR", "twoway", correction, unbalanced="error")


def test_the_error_says_how_to_go_on_with_gaps():
    with pytest.raises(UnbalancedPanelError, match="unbalanced='submatrix'"):
        panel("contiguity").model("SAR", "twoway", unbalanced="error")


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_corrections_of_the_balanced_panel_are_refused(correction):
    with pytest.raises(OptionError, match=rf"'submatrix' cannot use correction='{correction}'"):
        panel().model("SDM", "twoway", correction)


def test_random_effects_and_unknown_options_are_refused():
    with pytest.raises(OptionError, match="'submatrix' is for fixed effects"):
        panel().model("SAR", "random", "none")
    with pytest.raises(OptionError, match="Did you mean 'submatrix'"):
        panel().model("SAR", "twoway", unbalanced="submatrx")


def test_each_entity_seen_once_is_absorbed():
    present = np.zeros((T, N), dtype=bool)
    present[np.arange(N) % T, np.arange(N)] = True
    W = 1.0 - np.eye(N)
    p = stacked.make([W / W.sum()] * T, present, constant=True, seed=1)
    with pytest.raises(ConstantColumnError, match="'y', 'x1' does not vary once the twoway"):
        p.model("SAR", "twoway")


def test_too_few_cells_are_counted():
    present = np.ones((2, 4), dtype=bool)
    present[0, 0] = False
    p = stacked.make([panels.contiguity(4, 3)] * 2, present, constant=True, seed=1)
    with pytest.raises(EstimationError, match="2 observations are left by the twoway"):
        p.model("SDM", "twoway").fit()


def test_ids_of_the_weights_that_the_panel_lacks_are_named():
    p = panel("contiguity")
    wider = weights.as_graph(panels.contiguity(N + 1), ids=range(N + 1))
    with pytest.raises(IdMismatchError, match=r"(?s)not in the panel: 12"):
        models.SpatialLag(
            p.frame["y"], p.frame[["x1"]], wider, correction="none", unbalanced="submatrix"
        )


# a known truth ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_periods", [5, 8])
def test_estimates_are_unbiased_and_intervals_cover(n_periods):
    """500 replications of benchmarks/monte_carlo_unbalanced.py: W of its own in each period, 15 per
    cent absent, two-way effects. A bias of b standard deviations has a Monte Carlo error of 0.045,
    a coverage of 0.95 one of 0.0097: allowed are 0.1 and two errors, and 0.93 to 0.97. Exact
    dummies are seen to be biased in rho, and their intervals to be short.
    """
    import monte_carlo_unbalanced as monte_carlo

    wanted = [run for run in monte_carlo.RUNS if run[0] == "normal" and run[2] == "asymptotic"]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", IslandWarning)
        patch.setattr(monte_carlo, "RUNS", wanted)
        table = monte_carlo.summary(monte_carlo.replicate(n_periods, 500))
    table = table.droplevel(["T", "errors", "covariance"])
    good, dummies = table.loc["adjusted-score"], table.loc["none"]
    assert (good["bias / sd"].abs() <= 0.1 + 2 / np.sqrt(500)).all(), good
    assert good["coverage"].between(0.93, 0.97).all(), good
    assert dummies.loc["rho", "bias / sd"] < -0.2
    assert (dummies["se / sd"] < good["se / sd"]).all()
