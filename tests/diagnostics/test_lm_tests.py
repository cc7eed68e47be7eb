"""LM tests against splm, spdep and plain numpy; labels, lags in the null, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import diagnostics, weights
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    DroppedLagWarning,
    EstimationError,
    IdMismatchError,
    IslandWarning,
    MissingValuesError,
    NotRowNormalisedError,
    OptionError,
    UnbalancedPanelError,
)
from tests import panels

KEYS = ["lag", "error", "robust_lag", "robust_error", "joint"]
SPDEP = dict(zip(KEYS, ["LMlag", "LMerr", "RLMlag", "RLMerr", "SARMA"], strict=True))


@pytest.fixture
def frame():
    y, X = panels.arrays(panels.contiguity(8), 5)
    return panels.frame(y, X, entities=list("北京上海广州深圳"))


@pytest.fixture
def graph(frame):
    return weights.as_graph(panels.contiguity(8), ids=list("北京上海广州深圳"))


def run(frame, graph, **options):
    options = {"effects": None, "correction": "none", **options}
    return diagnostics.lm_tests(frame["y"], frame[["x1", "x2"]], graph, **options)


def statistics(tests):
    return [tests[key].statistic for key in KEYS]


# other programs --------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("source", ["arbiter", "splm"])
def test_cigarettes_as_splm_and_plain_numpy(shared, effects, source):
    """The data file has nine digits, the peers read more: 1e-6, and on -ln p 1e-5."""
    data, W = panels.cigar(shared)
    graph = weights.as_graph(panels.row(W), ids=range(1, 47))
    given = data["logc"], data[["logp", "logy"]], graph
    found = diagnostics.lm_tests(*given, effects=effects, correction="none")
    table = panels.read("lagrange_cigar.csv")
    rows = table[(table["source"] == source) & (table["effects"] == (effects or "none"))]
    assert rows["test"].tolist() == KEYS[:4]
    for row in rows.itertuples():
        assert_allclose(found[row.test].statistic, row.statistic, rtol=1e-6, err_msg=row.test)
        if source == "splm":
            assert_allclose(np.log(found[row.test].pvalue), np.log(row.pvalue), rtol=1e-5)


@pytest.mark.parametrize("kind", ["queen_W", "queen_B", "knn4_W", "knn4_decay", "islands_W"])
@pytest.mark.parametrize("null", ["plain", "lags"])
@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IslandWarning")
def test_one_cross_section_as_spdep(kind, null):
    """tests/reference/lagrange_columbus.R; "lags" has W INC and W HOVAL in the null."""
    data, _ = panels.columbus()
    links = panels.read("autocorrelation_links.csv").query("weights == @kind")
    W = np.zeros((49, 49))
    W[links["i"] - 1, links["j"] - 1] = links["w"]
    found = diagnostics.lm_tests(
        data["CRIME"],
        data[["INC", "HOVAL"]],
        weights.as_graph(W, ids=range(1, 50)),
        effects=None,
        durbin=None if null == "lags" else (),
    )
    table = panels.read("lagrange_columbus.csv").query("weights == @kind and null == @null")
    table = table.set_index("test")
    for key, test in SPDEP.items():
        expected = table.loc[test]
        assert_allclose(found[key].statistic, expected["statistic"], rtol=1e-8, err_msg=key)
        assert_allclose(found[key].pvalue, expected["pvalue"], rtol=1e-7, err_msg=key)
        assert found[key].df == expected["df"]


# what the numbers mean -------------------------------------------------------------------------


def by_hand(y, X, W, effects):
    """LM lag and error of transformed data, with Q = I - dummies written out; version A."""
    n_periods, n = y.shape
    T, N = np.eye(n_periods), np.eye(n)
    if effects in ("entity", "twoway"):
        T = T - 1 / n_periods
    if effects in ("time", "twoway"):
        N = N - 1 / n
    Q, K = np.kron(T, N), np.kron(np.eye(n_periods), W)
    Z = Q @ X.reshape(n * n_periods, -1)
    Z = np.column_stack([np.ones(len(Z)), Z]) if effects is None else Z
    rows = Q @ y.ravel()
    M = np.eye(len(rows)) - Z @ np.linalg.inv(Z.T @ Z) @ Z.T
    e = M @ rows
    s2 = e @ e / len(rows)
    trace = n_periods * np.trace(W @ W + W.T @ W)
    signal = K @ (rows - e)
    lag = (e @ K @ rows / s2) ** 2 / (signal @ M @ signal / s2 + trace)
    return lag, (e @ K @ e / s2) ** 2 / trace


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_lags_in_the_null_are_columns_of_x(effects):
    """The names of durbin choose W x; x1 alone, then both."""
    W = panels.contiguity(10, 1)
    y, X = panels.arrays(W, 5, seed=2)
    data, graph = panels.frame(y, X), weights.as_graph(W, ids=range(10))
    lagged = np.einsum("ij,tjk->tik", W, X)
    for durbin, columns in ((["x1"], lagged[..., :1]), (["x2", "x1"], lagged)):
        found = run(data, graph, effects=effects, durbin=durbin)
        expected = by_hand(y, np.concatenate([X, columns], axis=-1), W, effects)
        assert_allclose(statistics(found)[:2], expected, rtol=1e-9)


def test_the_default_is_that_of_the_models(frame, graph):
    given = frame["y"], frame[["x1", "x2"]], graph
    asked = diagnostics.lm_tests(*given, effects="twoway", correction="lee-yu")
    assert statistics(diagnostics.lm_tests(*given)) == statistics(asked)


def test_without_fixed_effects_both_corrections_are_the_same(frame, graph):
    one, other = (run(frame, graph, correction=c) for c in ("none", "lee-yu"))
    assert statistics(one) == statistics(other)


def test_joint_is_either_sum(frame, graph):
    for correction in ("none", "lee-yu"):
        lag, error, robust_lag, robust_error, joint = statistics(
            run(frame, graph, effects="twoway", correction=correction)
        )
        assert_allclose([error + robust_lag, lag + robust_error], joint, rtol=1e-10)


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_rows_and_weights_are_matched_by_label(frame, graph, effects):
    expected = statistics(run(frame, graph, effects=effects))
    shuffled = frame.sample(frac=1, random_state=1)
    order = list("圳深州广海上京北")
    W = panels.contiguity(8)[::-1, ::-1]
    turned = weights.as_graph(W, ids=order)
    found = diagnostics.lm_tests(
        shuffled["y"], frame[["x2", "x1"]], turned, effects=effects, correction="none"
    )
    assert_allclose(statistics(found), expected, rtol=1e-8)
    relabelled = frame.rename(index=dict(zip("北京上海广州深圳", range(8), strict=True)))
    graph = weights.as_graph(panels.contiguity(8), ids=range(8))
    assert_allclose(statistics(run(relabelled, graph, effects=effects)), expected, rtol=1e-8)


def test_results_and_their_table(frame, graph):
    found = run(frame, graph, effects="twoway")
    assert list(found) == KEYS
    table = diagnostics.tests_frame(found)
    assert table.index.tolist() == KEYS and table.index.name == "test"
    assert table.columns.tolist() == ["name", "statistic", "df", "pvalue", "null"]
    assert table["df"].tolist() == [1, 1, 1, 1, 2]
    assert table.loc["joint", "statistic"] == found["joint"].statistic
    assert_allclose(table.loc["joint", "pvalue"], np.exp(-found["joint"].statistic / 2))  # 2 df
    assert "rho = 0" in str(found["lag"]) and "lambda = 0" in str(found["error"])
    other = diagnostics.moran_residuals(frame["y"], graph)
    assert diagnostics.tests_frame({"moran": other}).loc["moran", "df"] == 0


def test_what_the_caller_gave_is_left_alone(frame, graph):
    before, links = frame.copy(), graph.adjacency.copy()
    run(frame, graph, effects="twoway", durbin=["x1"], correction="lee-yu")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_series_equal(graph.adjacency, links)


# bad input -------------------------------------------------------------------------------------


def test_a_lag_that_is_collinear_is_left_out_of_the_null_and_said_so(frame, graph):
    """With equal weights among all W x is a combination of x and its period mean."""
    W = (np.ones((8, 8)) - np.eye(8)) / 7
    equal = weights.as_graph(W, ids=list("北京上海广州深圳"))
    with (
        pytest.warns(DroppedLagWarning, match="lag of 'x1' is collinear"),
        pytest.warns(DataWarning, match="robust and joint tests are NaN"),
    ):
        found = run(frame, equal, effects="twoway", durbin=["x1"])
    assert np.isnan(found["robust_lag"].pvalue) and np.isnan(found["joint"].pvalue)
    assert 0 <= found["lag"].pvalue <= 1
    with pytest.raises(EstimationError, match="tell no pair of entities from another"):
        run(frame, equal, effects="twoway", correction="lee-yu")


def test_weights_whose_rows_do_not_sum_to_one(frame):
    raw = weights.as_graph(panels.general(8), ids=list("北京上海广州深圳"))
    for effects in ("time", "twoway"):
        run(frame, raw, effects=effects)  # splm's form takes any weights
        with pytest.raises(NotRowNormalisedError, match=r"with \w+ effects .* first '上'.*'row'"):
            run(frame, raw, effects=effects, correction="lee-yu")
    assert list(run(frame, raw, effects="entity", correction="lee-yu")) == KEYS


def test_islands_are_named(frame):
    W = panels.islands(8)
    with pytest.warns(IslandWarning, match="2 entities have no neighbours"):
        run(frame, weights.as_graph(W, ids=list("北京上海广州深圳")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effects": "both"}, "effects='both' is not known"),
        ({"correction": "leeyu"}, "Did you mean 'lee-yu'"),
        ({"correction": "bias-corrected"}, "Use one of 'none', 'lee-yu'"),
        ({"durbin": "x1"}, r"durbin=\['x1'\]"),
        ({"durbin": ["x3"]}, "durbin='x3' is not known"),
    ],
)
def test_unknown_options(frame, graph, options, message):
    with pytest.raises(OptionError, match=message):
        run(frame, graph, **options)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.iloc[1:], UnbalancedPanelError, r"1 of 40 .*\('北', 2001\)"),
        (lambda f: f.assign(x1=f["x1"].mask(f["x1"] == f["x1"].iloc[7])), MissingValuesError,
         r"'x1' is empty in 1 of 40 rows, first \('京', 2003\)"),
        (lambda f: f.rename(index={"北": "南"}), IdMismatchError, "'南'"),
        (lambda f: f.assign(x2=2 * f["x1"]), CollinearityError, "'x2'"),
        (lambda f: f.assign(x2=f.groupby("city")["x2"].transform("mean")), ConstantColumnError,
         "'x2' does not vary once"),
        (lambda f: f.assign(y=f["x1"] - f["x2"]), EstimationError, "fit 'y' exactly"),
        (lambda f: f.reset_index(), DataError, "not indexed by"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_tested(frame, graph, change, error, message):
    with pytest.raises(error, match=message):
        run(change(frame), graph, effects="entity")


def test_too_many_coefficients(graph):
    y, X = panels.arrays(panels.contiguity(8), 2, k=7)
    data = panels.frame(y, X, entities=list("北京上海广州深圳"))
    with pytest.raises(EstimationError, match="7 observations are left .* for 7 coefficients"):
        diagnostics.lm_tests(data["y"], data.drop(columns="y"), graph, effects="twoway")
