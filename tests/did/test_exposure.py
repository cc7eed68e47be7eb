"""Decomposed exposure: dense algebra, the spatial Durbin DiD where both are equal, coverage."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataWarning, OptionError, TreatmentError
from nqp_spatial.weights import as_graph
from tests import panels

N, T = 24, 7
STARTS = {0: 2, 1: 4, 2: 4, 5: 2, 6: 4, 11: 5, 12: 5}  # first treated period by place


def policy(n: int = N, t: int = T, starts=STARTS) -> np.ndarray:
    D = np.zeros((t, n))
    for unit, start in starts.items():
        D[start:, unit] = 1.0
    return D


def panel(seed: int = 0, *, W=None, rho=0.3, a=1.0, b=0.8, c=-0.4, D=None):
    """y of the model, its columns, and W."""
    rng = np.random.default_rng(seed)
    W = panels.contiguity(N) if W is None else W
    D = policy() if D is None else D
    t, n = D.shape
    x = rng.normal(size=(t, n))
    lag = D @ W.T
    mean = a * D + b * D * lag + c * (1 - D) * lag + 0.5 * x + 0.3 * x @ W.T
    mean += rng.normal(size=n) + rng.normal(size=(t, 1))
    y = (mean + 0.5 * rng.normal(size=(t, n))) @ np.linalg.inv(np.eye(n) - rho * W).T
    f = panels.frame(y, x[..., None])
    f["did"] = D.T.ravel()
    return f, as_graph(W, ids=range(n)), W


def fitted(f, graph, **options):
    return nqp.did.Exposure(f["y"], f["did"], f[["x1"]], graph, **options).fit()


def dense(params, D, W, group, names):
    """Means of own and received effects by the whole inverse, sender by sender."""
    n = len(W)
    A = np.linalg.inv(np.eye(n) - params["rho"] * W)
    own = {g: [] for g in names}
    received = {g: {1: 0.0, 0: 0.0} for g in names}
    cells = {1: 0, 0: 0}
    for on in D:
        if not on.any():
            continue
        cells[1] += on.sum()
        cells[0] += n - on.sum()
        for g, (a, b, c) in names.items():
            coefficients = [params[name] if name else 0.0 for name in (a, b, c)]
            S = A @ (
                coefficients[0] * np.eye(n)
                + coefficients[1] * np.diag(on) @ W
                + coefficients[2] * np.diag(1 - on) @ W
            )
            senders = on * (group == g)
            effect = S * senders  # column j: what j does
            own[g] += list(np.diag(effect)[senders == 1])
            rest = effect.sum(axis=1) - np.diag(effect)
            for kind in (1, 0):
                received[g][kind] += rest[on == kind].sum()
    direct = np.concatenate([own[g] for g in names]).mean()
    on_treated = sum(received[g][1] for g in names) / cells[1]
    on_untreated = sum(received[g][0] for g in names) / cells[0]
    found = {
        ("all", "direct"): direct,
        ("all", "indirect_treated"): on_treated,
        ("all", "indirect_untreated"): on_untreated,
        ("all", "total_treated"): direct + on_treated,
    }
    if len(names) > 1:
        for g in names:
            found[g, "direct"] = np.mean(own[g])
            found[g, "indirect_treated"] = received[g][1] / cells[1]
            found[g, "indirect_untreated"] = received[g][0] / cells[0]
    return pd.Series(found)


WEIGHTS = {"contiguity": panels.contiguity(N), "knn": panels.knn(N), "directed": panels.directed(N)}


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("by", [None, "cohort"])
@pytest.mark.filterwarnings("ignore:No .* entity has a neighbour of the cohort")
def test_effects_and_errors_are_those_of_the_whole_inverse(kind, by):
    W = WEIGHTS[kind]
    f, graph, _ = panel(W=W)
    result = fitted(f, graph, by=by)
    D, group = policy(), np.full(N, "all", dtype=object)
    if by == "cohort":
        periods = f.index.unique(1)
        group = np.array([periods[STARTS[i]] if i in STARTS else -1 for i in range(N)], object)
    names = {g: tuple(result.terms.loc[g]) for g in result.terms.index}
    ours = result.decomposition()
    theirs = dense(result.params, D, W, group, names)
    if by is None:
        theirs = theirs["all"]
    assert list(ours.index) == list(theirs.index)
    assert_allclose(ours["estimate"], theirs, rtol=1e-9, atol=1e-12)
    step, J = 1e-5, []
    for name in result.params.index:
        ends = []
        for sign in (1, -1):
            moved = result.params.copy()
            moved[name] += sign * step
            found = dense(moved, D, W, group, names)
            ends.append(found["all"] if by is None else found)
        J.append((ends[0] - ends[1]) / (2 * step))
    J = np.array(J).T
    error = np.sqrt(np.einsum("ij,jk,ik->i", J, result.cov.to_numpy(), J))
    assert_allclose(ours["std_error"], error, rtol=1e-6)  # differences of step 1e-5


def test_columns_are_the_lag_by_receiver():
    f, graph, W = panel()
    model = nqp.did.Exposure(f["y"], f["did"], f[["x1"]], graph)
    D = policy()
    columns = model.sample.frame("x")
    assert list(columns) == ["did", "WTT_did", "WNT_did", "x1"]
    assert_allclose(columns["WTT_did"].to_numpy().reshape(N, T).T, D * (D @ W.T))
    assert_allclose(columns["WNT_did"].to_numpy().reshape(N, T).T, (1 - D) * (D @ W.T))
    assert model.durbin == ("x1",)
    explicit = nqp.SpatialDurbin(f["y"], columns, graph, durbin=["x1"]).fit()
    result = model.fit()
    assert_allclose(result.params[explicit.params.index], explicit.params, rtol=1e-10)
    assert_allclose(result.loglik, explicit.loglik, rtol=1e-12)


def test_cohorts_of_senders_add_up():
    f, graph, W = panel()
    model = nqp.did.Exposure(f["y"], f["did"], None, graph, by="cohort")
    own = model.sample.frame("x")
    whole = nqp.did.Exposure(f["y"], f["did"], None, graph).sample.frame("x")
    for start in ("did", "WTT_did", "WNT_did"):
        parts = [name for name in own if name.startswith(f"{start}_")]
        assert_allclose(own[parts].sum(axis=1), whole[start], atol=1e-14)
    frame = model.fit().decomposition()
    parts = frame.drop("all", level="sender").groupby(level="effect")["estimate"].sum()
    for effect in ("indirect_treated", "indirect_untreated"):
        assert_allclose(parts[effect], frame.loc[("all", effect), "estimate"], rtol=1e-10)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_equal_coefficients_are_the_spatial_durbin_did(kind):
    """The same likelihood with one coefficient, and effects as the counterfactual has them."""
    f, graph, _ = panel(W=WEIGHTS[kind])
    sdm = nqp.SpatialDiD(f["y"], f["did"], f[["x1"]], graph).fit()
    model = nqp.did.Exposure(f["y"], f["did"], f[["x1"]], graph)
    both = model.sample.frame("x")
    both["lag"] = both.pop("WTT_did") + both.pop("WNT_did")
    one = nqp.SpatialDurbin(f["y"], both, graph, durbin=["x1"]).fit()
    assert_allclose(one.loglik, sdm.loglik, rtol=1e-10)
    assert_allclose(one.params["lag"], sdm.params["W_did"], rtol=1e-6)
    free = model.fit()
    assert free.loglik >= sdm.loglik
    params = free.params.copy()
    params[["WTT_did", "WNT_did"]] = sdm.params["W_did"]
    params[["did", "x1", "W_x1", "rho"]] = sdm.params[["did", "x1", "W_x1", "rho"]]
    ours = free.as_(type(free), params=params).decomposition()["estimate"]
    effect = sdm.counterfactual("did", 0)["effect"]
    on = f["did"].loc[effect.index] == 1
    after = effect.index.get_level_values(1) >= f.index.unique(1)[2]
    entity = sdm.entity_effects("did")["direct"]
    own = entity.loc[effect.index[on].get_level_values(0)].to_numpy()
    assert_allclose(ours["direct"], own.mean(), rtol=1e-9)
    assert_allclose(ours["total_treated"], effect[on].mean(), rtol=1e-9)
    assert_allclose(ours["indirect_treated"], effect[on].mean() - own.mean(), rtol=1e-8)
    assert_allclose(ours["indirect_untreated"], effect[~on & after].mean(), rtol=1e-9)


def test_the_test_of_equality_is_walds():
    f, graph, _ = panel()
    result = fitted(f, graph)
    gap = result.params["WTT_did"] - result.params["WNT_did"]
    block = result.cov.loc[["WTT_did", "WNT_did"], ["WTT_did", "WNT_did"]].to_numpy()
    variance = np.array([1, -1]) @ block @ np.array([1, -1])
    assert_allclose(result.tests["equal"].statistic, gap**2 / variance, rtol=1e-9)
    assert result.tests["equal"].df == 1 and result.tests["no_spillover"].df == 2
    by = fitted(f, graph, by="cohort")
    assert by.tests["equal"].df == 3


def test_relabelled_and_reordered_panels_give_the_same():
    f, graph, W = panel()
    one = fitted(f, graph).decomposition()
    names = {i: f"z{N - i:02d}" for i in range(N)}
    g = f.rename(index=names, level=0).sample(frac=1, random_state=0)
    other = fitted(g, as_graph(W, ids=[names[i] for i in range(N)])).decomposition()
    assert_allclose(other, one, rtol=1e-7)


def test_the_method_of_the_did_keeps_its_options():
    f, graph, _ = panel()
    f["x2"] = np.random.default_rng(0).normal(size=len(f))
    did = nqp.SpatialDiD(
        *(f["y"], f["did"], f[["x1", "x2"]], graph), durbin=["did", "x2"], effects="entity",
        correction="none",
    )  # fmt: skip
    model = did.exposure(by="cohort")
    assert isinstance(model, nqp.did.Exposure)
    assert (model.durbin, model.effects, model.correction, model.by) == (
        *(("x2",), "entity", "none", "cohort"),
    )
    found = model.with_options(by=None).fit()
    alone = nqp.did.Exposure(
        *(f["y"], f["did"], f[["x1", "x2"]], graph), durbin=["x2"], effects="entity",
        correction="none",
    ).fit()  # fmt: skip
    assert_allclose(found.params, alone.params)
    other = as_graph(panels.knn(N), ids=range(N))
    assert_allclose(
        model.with_options(by=None).with_graph(other).fit().params,
        nqp.did.Exposure(
            *(f["y"], f["did"], f[["x1", "x2"]], other), durbin=["x2"], effects="entity",
            correction="none",
        ).fit().params,
    )  # fmt: skip


def test_a_w_of_its_own_for_the_lags_is_used_for_the_policy():
    f, graph, W = panel()
    M = panels.knn(N)
    result = fitted(f, graph, durbin_graph=as_graph(M, ids=range(N)))
    D = policy()
    column = result.model.sample.frame("x")["WTT_did"].to_numpy().reshape(N, T).T
    assert_allclose(column, D * (D @ M.T))
    A = np.linalg.inv(np.eye(N) - result.rho * W)
    a, b, c = (result.params[n] for n in ("did", "WTT_did", "WNT_did"))
    own = []
    for on in D:
        S = A @ (a * np.eye(N) + b * np.diag(on) @ M + c * np.diag(1 - on) @ M)
        own += list(np.diag(S)[on == 1])
    assert_allclose(result.decomposition().loc["direct", "estimate"], np.mean(own), rtol=1e-9)


def test_effects_are_of_controls_and_the_policy_is_told_apart():
    f, graph, _ = panel()
    result = fitted(f, graph)
    assert list(result.effects().index.unique("variable")) == ["x1"]
    with pytest.raises(OptionError, match="variable='did' is not known"):
        result.entity_effects("did")
    assert result.focus == "did" and not result.maps
    assert any("decomposition" in n for n in result.notes)
    for lang in ("en", "zh"):
        result.plot(lang=lang)
        fitted(f, graph, by="cohort").plot(lang=lang)
        plt.close("all")


def test_policies_without_treated_or_untreated_neighbours():
    W = panels.row(panels.rook(5))
    D = policy(25, 6, {0: 2, 12: 3})  # no two of them are neighbours
    f, graph, _ = panel(W=W, D=D)
    with pytest.raises(TreatmentError, match="No treated entity has a treated neighbour"):
        fitted(f, graph)
    D = policy(25, 6, {0: 2, 1: 2, 24: 4})
    f, graph, _ = panel(W=W, D=D)
    with pytest.warns(DataWarning, match="No treated entity has a neighbour of the cohort 2005"):
        model = nqp.did.Exposure(f["y"], f["did"], f[["x1"]], graph, by="cohort")
    assert model.terms.loc[2005, "on_treated"] == ""
    frame = model.fit().decomposition()
    assert frame["estimate"].notna().all() and frame["std_error"].gt(0).all()


def test_weights_over_time_and_wrong_treatments_are_refused():
    f, graph, _ = panel()
    with pytest.raises(OptionError, match="one W for all periods"):
        fitted(f, dict.fromkeys(f.index.unique(1), graph))
    with pytest.raises(OptionError, match="has the treatment 'did'"):
        fitted(f, graph, durbin=["did"])
    with pytest.raises(TreatmentError, match="not 0 or 1"):
        nqp.did.Exposure(f["y"], 2 * f["did"], f[["x1"]], graph)
    with pytest.raises(OptionError, match="by='year'"):
        fitted(f, graph, by="year")


def test_formulas_name_the_policy_first():
    f, graph, _ = panel()
    one = nqp.did.Exposure.from_formula("y ~ did + x1", f, graph).fit()
    assert_allclose(one.params, fitted(f, graph).params)
    other = nqp.did.Exposure.from_formula("y ~ x1 + did", f, graph, treatment="did").fit()
    assert_allclose(other.params, one.params)
    with pytest.raises(OptionError, match="treatment='post' is not in the formula"):
        nqp.did.Exposure.from_formula("y ~ did + x1", f, graph, treatment="post")


@pytest.mark.slow
def test_decomposed_effects_are_unbiased_and_covered():
    """200 panels of 100 places and 8 years, 25 treated; spillovers of 0.8 and -0.4, or alike."""
    W = panels.row(panels.rook(10))
    rng = np.random.default_rng(1)
    starts = dict(zip(rng.choice(100, 25, replace=False), rng.integers(2, 7, 25), strict=True))
    D = policy(100, 8, starts)
    names = {"all": ("did", "WTT_did", "WNT_did")}
    true = pd.Series({"did": 1.0, "WTT_did": 0.8, "WNT_did": -0.4, "rho": 0.3})
    truth = dense(true, D, W, np.full(100, "all", dtype=object), names)["all"]
    found, covered, alike = [], [], []
    for seed in range(200):
        f, graph, _ = panel(seed, W=W, D=D)
        frame = fitted(f, graph).decomposition()
        found.append(frame["estimate"])
        covered.append((frame["lower"] < truth) & (truth < frame["upper"]))
        f, graph, _ = panel(seed, W=W, D=D, b=0.5, c=0.5)
        alike.append(fitted(f, graph).tests["equal"].pvalue < 0.05)
    error = np.std(found, axis=0) / np.sqrt(200)
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.5 * error).all()
    within = 3 * np.sqrt(0.05 * 0.95 / 200)
    assert (np.abs(np.mean(covered, axis=0) - 0.95) < within).all()
    assert abs(np.mean(alike) - 0.05) < within


def test_restricted_to_some_entities_it_is_the_model_of_these():
    """The rows of W sum to one again, and the policy is split among those that are left."""
    f, graph, W = panel()
    kept = [i for i in range(N) if i not in (3, 12)]
    part = f[f.index.get_level_values(0).isin(kept)]
    part.index = part.index.remove_unused_levels()
    model = nqp.did.Exposure(f["y"], f["did"], f[["x1"]], graph)
    found = model.restricted(pd.Index(kept)).fit()
    own = as_graph(panels.row(W[np.ix_(kept, kept)]), ids=kept)
    expected = fitted(part, own)
    assert_allclose(found.params, expected.params, rtol=1e-8)
    assert_allclose(found.std_errors, expected.std_errors, rtol=1e-6)
