"""W of its own in each period, and observation weights, against a dense likelihood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import models, weights
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
    WeightsError,
)
from tests import panels, slow
from tests.assertions import assert_same_fit
from tests.models.spatial import stacked_panels as stacked
from tests.reference import stacked_likelihood as dense

# small panels have likelihoods with several peaks: test_family_peaks.py
pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")


T, N = 4, 11
FULL = np.ones((T, N), dtype=bool)


def panel(case, k=1):
    """By name; all entities in all periods."""
    if case.startswith("varying"):
        kind = {"knn": panels.knn, "directed": stacked.directed, "contiguity": panels.contiguity}
        Ws = stacked.varying(kind[case.split()[1]], N, T, 5)
        v = stacked.draw_weights(T, N, "cell") if case.endswith("weighted") else None
        return stacked.make(Ws, FULL, v=v, seed=1, k=k)
    kind, by = {
        "weights by entity": (panels.contiguity, "entity"),
        "weights by cell": (panels.general, "cell"),
        "islands, weights by cell": (panels.islands, "cell"),
    }[case]
    v = stacked.draw_weights(T, N, by)
    return stacked.make([kind(N, 3)] * T, FULL, v=v, constant=True, seed=1, k=k)


CASES = (
    "varying knn",
    "varying directed",
    "varying directed weighted",
    "weights by entity",
    "weights by cell",
)


@pytest.mark.slow
@pytest.mark.parametrize("effects", stacked.EFFECTS)
@pytest.mark.parametrize("name", stacked.MODELS)
@pytest.mark.parametrize("case", [*CASES[:2], *slow(*CASES[2:])])
def test_exact_dummies(case, name, effects):
    stacked.assert_is_maximum_likelihood(panel(case), name, effects)


@pytest.mark.slow
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("name", ["SLX", "SAR", "SDM"])
@pytest.mark.parametrize("case", CASES)
def test_adjusted_score(case, name, effects):
    stacked.assert_is_the_root_of_the_adjusted_score(panel(case), name, effects)


# the same by other roads ------------------------------------------------------------------------


def assert_same(a, b, rtol=1e-9):
    assert_same_fit(a, b, params=(rtol, rtol), cov=(1e-7, 1e-12))
    assert_allclose(a.loglik, b.loglik, rtol=1e-11)
    assert_allclose(a.effects(), b.effects(), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", stacked.MODELS)
@pytest.mark.parametrize("effects", stacked.EFFECTS)
def test_one_w_in_all_periods_is_the_balanced_panel(name, effects):
    plain = stacked.make([panels.contiguity(N, 3)] * T, FULL, constant=True, seed=1)
    repeated = dict.fromkeys(plain.periods, plain.graph)
    frame = plain.frame
    for correction in ("none", "adjusted-score"):
        if correction != "none" and stacked.MODELS[name][3]:
            continue
        balanced = plain.fit(name, effects, correction.replace("adjusted-score", "lee-yu"))
        varying = stacked.MODELS[name][0](
            frame["y"], frame[["x1"]], repeated, effects=effects, correction=correction
        ).fit()
        assert_same(varying, balanced)


@pytest.mark.parametrize("name", ["SAR", "SDM", "SLX"])
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("kind", ["contiguity", "knn"])
def test_adjusted_score_is_lee_yu_where_both_exist(name, effects, kind):
    """The transformation approach; knn has no basis of eigenvectors, hence 1e-7."""
    plain = stacked.make([panels.KINDS[kind](N, 3)] * T, FULL, constant=True, seed=1)
    assert_same(
        plain.fit(name, effects, "adjusted-score"), plain.fit(name, effects, "lee-yu"), 1e-7
    )


@pytest.mark.parametrize("name", stacked.MODELS)
@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_a_common_factor_of_the_weights_scales_the_variance_alone(name, correction):
    if correction != "none" and stacked.MODELS[name][3]:
        return
    one = panel("varying directed weighted")
    ten = stacked.Panel(one.frame, one.Ws, one.K, 10 * one.v, one.constant, True)
    a, b = (p.fit(name, "twoway", correction) for p in (one, ten))
    assert_same(a, b)
    assert_allclose(b.sigma2, 10 * a.sigma2, rtol=1e-9)
    assert_allclose(a.resids, b.resids, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_weights_of_one_are_no_weights(correction):
    plain = panel("varying directed")
    ones = stacked.Panel(plain.frame, plain.Ws, plain.K, plain.v, plain.constant, True)
    assert_same(plain.fit("SDM", "twoway", correction), ones.fit("SDM", "twoway", correction))


def test_a_weight_is_a_precision_not_a_number_of_copies():
    """Without W's part, weights 2 in every cell give the estimate of doubled rows, and as the
    precision is common, standard errors of undoubled ones: 1 / sqrt(2) would be frequency weights.
    """
    plain = panel("varying contiguity")
    two = stacked.Panel(plain.frame, plain.Ws, plain.K, 2 * plain.v, plain.constant, True)
    a, b = plain.fit("SLX", "entity"), two.fit("SLX", "entity")
    assert_allclose(b.std_errors, a.std_errors, rtol=1e-10)
    assert a.nobs == b.nobs == N * T
    uneven = plain.v.copy()
    uneven[:5] = 2.0
    c = stacked.Panel(plain.frame, plain.Ws, plain.K, uneven, plain.constant, True)
    X = np.column_stack([plain.cells("SLX", "entity").Z, plain.cells("SLX", "entity").D])
    y = plain.frame["y"].to_numpy()
    twice = np.concatenate([np.arange(len(y)), np.arange(5)])
    copies = np.linalg.lstsq(X[twice], y[twice], rcond=None)[0][:2]
    weighted = c.fit("SLX", "entity")
    assert_allclose(weighted.params, copies, rtol=1e-9)  # the estimate of least squares
    assert weighted.nobs == N * T


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_row_order_and_labels_do_not_matter(correction):
    p = panel("varying directed weighted")
    a = p.fit("SDM", "twoway", correction)
    order = np.random.default_rng(0).permutation(N)
    names = pd.Index([f"城{i:02d}" for i in range(N)])
    frame = p.frame.copy()
    new = [(names[order[i]], 3000 - t) for i, t in frame.index]  # time runs backwards, too
    frame.index = pd.MultiIndex.from_tuples(new, names=frame.index.names)
    v = pd.Series(p.v, index=frame.index).sample(frac=1, random_state=1)
    graphs = {
        3000 - t: weights.as_graph(W, ids=names[order])
        for t, W in zip(p.periods, p.Ws, strict=True)
    }
    frame = frame.sample(frac=1, random_state=2)
    b = models.SpatialDurbin(
        frame["y"], frame[["x1"]], graphs, correction=correction, observation_weights=v
    ).fit()
    assert_same(a, b, 1e-8)
    moved = pd.MultiIndex.from_tuples(new, names=frame.index.names)
    assert_allclose(b.resids.reindex(moved), a.resids.reindex(p.frame.index), atol=1e-8)


@pytest.mark.parametrize("correction", ["none", "adjusted-score"])
def test_units_of_y_and_x(correction):
    p = panel("varying directed weighted")
    a = p.fit("SDM", "twoway", correction)
    scaled = stacked.Panel(p.frame * [1000.0, 0.01], p.Ws, p.K, p.v, p.constant, True)
    b = scaled.fit("SDM", "twoway", correction)
    assert_allclose(b.rho, a.rho, rtol=1e-9)
    assert_allclose(b.params[["x1", "W_x1"]], 1e5 * a.params[["x1", "W_x1"]], rtol=1e-8)
    lost = a.raw.scale.n
    assert_allclose(b.loglik, a.loglik - lost * np.log(1000), rtol=1e-10)


@pytest.mark.parametrize(
    ("correction", "logdet"),
    [("none", "lu"), ("none", "eigenvalues"), ("adjusted-score", "eigenvalues")],
)
def test_ways_to_the_log_determinant_agree(correction, logdet):
    p = panel("varying knn")
    assert_same(
        p.fit("SDM", "twoway", correction), p.fit("SDM", "twoway", correction, logdet=logdet)
    )


def test_adjusted_score_takes_eigenvalues_only():
    with pytest.raises(OptionError, match="logdet='lu' cannot be used .* needs the eigenvalues"):
        panel("varying knn").fit("SDM", "twoway", "adjusted-score", logdet="lu")


# bad input --------------------------------------------------------------------------------------


def varying(graphs, **options):
    frame = panel("varying contiguity").frame
    chosen = {"correction": "none", **options}
    return models.SpatialLag(frame["y"], frame[["x1"]], graphs, **chosen)


def graphs(**replaced):
    p = panel("varying contiguity")
    found = p.graph
    for period, graph in replaced.items():
        found[int(period[1:])] = graph
    return found


def test_a_period_without_a_graph_is_named():
    lacking = graphs()
    del lacking[2003]
    with pytest.raises(IdMismatchError, match=r"none for the periods 2003"):
        varying(lacking)


def test_a_period_that_the_panel_lacks_is_no_harm():
    extra = {**graphs(), 1999: graphs()[2001]}
    assert varying(extra).fit().rho == varying(graphs()).fit().rho


def test_ids_that_change_between_periods_are_named():
    fewer = weights.as_graph(panels.contiguity(N - 1), ids=range(N - 1))
    with pytest.raises(IdMismatchError, match=r"(?s)graph of 2001.*graph of 2003: 10"):
        varying(graphs(t2003=fewer))


def test_ids_in_another_order_are_refused():
    turned = weights.as_graph(panels.contiguity(N), ids=range(N)[::-1])
    with pytest.raises(
        IdMismatchError, match="2003 has its ids in another order than that of 2001"
    ):
        varying(graphs(t2003=turned))


def test_matrices_without_ids_are_refused_and_pairs_taken():
    p = panel("varying contiguity")
    bare = dict(zip(p.periods, p.Ws, strict=True))
    with pytest.raises(WeightsError, match="period 2001 are a matrix without ids"):
        varying(bare)
    pairs = {t: (W, list(p.entities)) for t, W in bare.items()}
    assert_allclose(varying(pairs).fit().rho, varying(graphs()).fit().rho)


def test_a_period_without_links_is_named():
    p = panel("varying contiguity")
    # a Graph keeps entities without links as islands
    none = weights.as_graph(np.zeros((N, N)), ids=list(p.entities))
    with pytest.raises(WeightsError, match="Period 2003: All weights are zero"):
        varying(graphs(t2003=none))


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected"])
def test_corrections_of_the_balanced_panel_are_refused(correction):
    with pytest.raises(
        OptionError, match=f"graph for each period cannot use correction='{correction}'"
    ):
        varying(graphs(), correction=correction)
    p = panel("weights by cell")
    with pytest.raises(OptionError, match="observation_weights= cannot use"):
        p.model("SAR", "twoway", correction)


def test_random_effects_are_refused():
    with pytest.raises(OptionError, match="graph for each period is for fixed effects"):
        varying(graphs(), effects="random")
    with pytest.raises(OptionError, match="'adjusted-score' is for fixed effects"):
        varying(graphs()[2001], effects="random", correction="adjusted-score")


@pytest.mark.parametrize("name", ["SEM", "SDEM", "SAC", "GNS"])
@pytest.mark.parametrize("correction", ["adjusted-score", "lee-yu"])
def test_a_spatial_error_has_exact_dummies_only(name, correction):
    with pytest.raises(OptionError, match="spatial error has no correction"):
        panel("varying contiguity").model(name, "twoway", correction)


def replaced(value):
    def change(v):
        v = v.copy()
        v.loc[(3, 2002)] = value
        return v

    return change


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (replaced(0.0), OptionError, r"1 are not, first 0.0 at \(3, 2002\)"),
        (replaced(-2.0), OptionError, r"1 are not, first -2.0 at \(3, 2002\)"),
        (replaced(np.nan), MissingValuesError, r"empty in 1 of 44 rows, first \(3, 2002\)"),
        (replaced(np.inf), InfiniteValuesError, r"\(3, 2002\)"),
        (lambda v: v.astype(str), NotNumericError, r"not numbers: .*\(0, 2001\)"),
        (lambda v: v.iloc[1:], IdMismatchError, r"observation_weights.*first \(0, 2001\)"),
        (lambda v: pd.concat([v, v.iloc[:1]]), DuplicateKeysError, r"first \(0, 2001\)"),
        (lambda v: v.droplevel(1), DataError, r"not indexed by \(entity, time\)"),
        (lambda v: v.to_numpy(), DataError, "is a ndarray"),
        (lambda v: v.to_frame(), DataError, "DataFrame. Give one column"),
    ],
)
def test_bad_observation_weights(change, error, message):
    p = panel("weights by cell")
    with pytest.raises(error, match=message):
        p.model("SAR", "twoway", observation_weights=change(p.v_series))


# what results say -------------------------------------------------------------------------------


def multiplier_of(p, res):
    """S of the cells, by dense matrices."""
    inverse = np.linalg.inv(np.eye(len(p.K)) - res.rho * p.K)
    own, theta = res.params["x1"], res.params.get("W_x1", 0.0)
    return inverse @ (own * np.eye(len(p.K)) + theta * p.K)


@pytest.mark.parametrize("name", ["SLX", "SAR", "SDM", "SAC", "GNS"])
@pytest.mark.parametrize("case", ["varying directed", "varying directed weighted"])
def test_effects_are_averages_over_all_cells(name, case):
    p = panel(case)
    res = p.fit(name, "twoway")
    S, effects = multiplier_of(p, res), res.effects()["estimate"]
    assert_allclose(effects["direct", "x1"], np.trace(S) / len(S), rtol=1e-9)
    assert_allclose(effects["total", "x1"], S.sum() / len(S), rtol=1e-9)


@pytest.mark.parametrize("kind", ["direct", "indirect", "total"])
def test_standard_errors_of_effects_are_those_of_numerical_derivatives(kind):
    p = panel("varying directed weighted")
    res = p.fit("SDM", "twoway", "adjusted-score")
    names = ["x1", "W_x1", "rho"]

    def effect(values):
        inverse = np.linalg.inv(np.eye(len(p.K)) - values[2] * p.K)
        S = inverse @ (values[0] * np.eye(len(p.K)) + values[1] * p.K)
        direct, total = np.trace(S) / len(S), S.sum() / len(S)
        return {"direct": direct, "total": total, "indirect": total - direct}[kind]

    at, h = res.params[names].to_numpy(), 1e-5
    gradient = [(effect(at + h * u) - effect(at - h * u)) / (2 * h) for u in np.eye(3)]
    expected = np.sqrt(gradient @ res.cov.loc[names, names].to_numpy() @ gradient)
    assert_allclose(res.effects().loc[(kind, "x1"), "std_error"], expected, rtol=1e-6)


def test_entity_effects_and_footprints_are_by_cell_where_w_varies():
    p = panel("varying directed weighted")
    res = p.fit("SDM", "twoway")
    S = multiplier_of(p, res)
    found = res.entity_effects("x1")
    assert list(found.index) == list(p.frame.index)
    assert_allclose(found["direct"], np.diag(S), rtol=1e-9)
    assert_allclose(found["received"], S.sum(axis=1) - np.diag(S), rtol=1e-9, atol=1e-12)
    assert_allclose(found["sent"], S.sum(axis=0) - np.diag(S), rtol=1e-9, atol=1e-12)
    cell = (4, 2002)
    column = S[:, list(p.frame.index).index(cell)]
    assert_allclose(res.footprint("x1", cell)["effect"], column, atol=1e-12)
    other = p.frame.index.get_level_values(1) != 2002
    assert (res.footprint("x1", cell)["effect"].to_numpy()[other] == 0).all()


def test_entity_effects_are_by_entity_where_w_is_constant():
    p = panel("weights by cell")
    res = p.fit("SDM", "twoway")
    W = p.Ws[0]
    inverse = np.linalg.inv(np.eye(N) - res.rho * W)
    S = inverse @ (res.params["x1"] * np.eye(N) + res.params["W_x1"] * W)
    found = res.entity_effects("x1")
    assert list(found.index) == list(p.entities)
    assert_allclose(found["direct"], np.diag(S), rtol=1e-9)
    effects = res.effects()["estimate"]
    assert_allclose(effects["indirect", "x1"], (S.sum() - np.trace(S)) / N, rtol=1e-9)
    groups = pd.Series(["a"] * 5 + ["b"] * (N - 5), index=p.entities)
    between = res.group_effects("x1", groups)
    assert_allclose(between.loc[("a", "b"), "effect"], S[5:, :5].sum() / (N - 5), rtol=1e-9)


@pytest.mark.parametrize("name", ["SLX", "SDM", "GNS"])
def test_counterfactual_is_a_dense_recomputation(name):
    p = panel("varying directed weighted")
    res = p.fit(name, "twoway")
    found = res.counterfactual("x1", 0.0)
    effect = multiplier_of(p, res) @ p.frame["x1"].to_numpy()
    found = found.reindex(p.frame.index)
    assert_allclose(found["effect"], effect, rtol=1e-9, atol=1e-11)
    assert_allclose(found["counterfactual"], p.frame["y"] - effect, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", ["varying directed weighted", "weights by cell"])
@pytest.mark.parametrize("name", ["SAR", "SDM", "SEM", "GNS"])
def test_predictors_are_those_of_dense_matrices(case, name):
    p = panel(case)
    res = p.fit(name, "twoway")
    cells = p.cells(name, "twoway")
    gamma, _ = dense.given(cells, res.rho, res.lambda_)
    trend = cells.H @ gamma
    signal = res.rho * cells.K @ cells.y
    u = cells.y - signal - trend
    e = u - res.lambda_ * cells.K @ u
    found = res.predict().reindex(p.frame.index)
    assert_allclose(found["trend"], trend, atol=1e-7)
    assert_allclose(found["signal"], signal, atol=1e-7)
    assert_allclose(found["noise"], u - e, atol=1e-7)
    assert_allclose(res.resids.reindex(p.frame.index), e, atol=1e-7)
    reduced = np.linalg.solve(np.eye(len(trend)) - res.rho * cells.K, trend)
    assert_allclose(found["reduced_form"], reduced, atol=1e-7)


def test_rsquared_within_is_that_of_the_weighted_regression():
    p = panel("weights by cell")
    res = p.fit("SDM", "twoway")
    A = dense.annihilator(p.cells("SDM", "twoway"))[0]
    y, e = p.frame["y"].to_numpy(), res.resids.reindex(p.frame.index).to_numpy()
    assert_allclose(res.rsquared["within"], 1 - e @ (p.v * e) / (y @ A @ y), rtol=1e-9)


def test_moran_uses_the_w_of_each_period():
    """The graph of the first period would be wrong in silence."""
    p = panel("varying directed")
    res = p.fit("SDM", "twoway")
    resid = res.resids.reindex(p.frame.index).to_numpy()
    assert_allclose(res.tests["moran"].statistic, stacked.moran_z(resid, p.K), rtol=1e-9)


def test_plots_and_tables_are_made():
    import matplotlib.pyplot as plt

    res = panel("varying directed weighted").fit("SDM", "twoway", "adjusted-score")
    ax = res.plot(variable="x1")
    assert len(ax.get_yticklabels() or ax.get_xticklabels()) > 0
    plt.close("all")
    assert "rho" in res.to_frame().index
    assert res.provenance["options"]["correction"] == "adjusted-score"
