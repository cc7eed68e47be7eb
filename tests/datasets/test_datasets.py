import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from linearmodels.panel import PanelOLS
from numpy.testing import assert_allclose

import nqp_spatial.indices
from nqp_spatial.cities.layers import load_cities, load_pilots
from nqp_spatial.datasets import load
from nqp_spatial.datasets.load import bundled, load_castle, load_simulated_clusters, simulate_durbin
from nqp_spatial.exceptions import (
    DataError,
    IdMismatchError,
    IslandWarning,
    OptionError,
    UnstableModelError,
)
from nqp_spatial.indices import IndicatorSystem, entropy
from nqp_spatial.weights import contiguity, normalise, sparse_for
from tests import panels

CONTROLS = ["edu", "fin", "urb", "eco", "ope", "mar"]


def demeaned(wide):
    """(n, T) without row and column means."""
    return wide - wide.mean(axis=1, keepdims=True) - wide.mean(axis=0) + wide.mean()


def pair_graph():
    """Two neighbours."""
    return Graph.from_arrays(["甲", "乙"], ["乙", "甲"], [1.0, 1.0])


def ring_graph(n=12):
    i = np.arange(n)
    return Graph.from_arrays(np.r_[i, i], np.r_[(i + 1) % n, (i - 1) % n], np.full(2 * n, 0.5))


# simulated clusters


@pytest.fixture(scope="module")
def clusters():
    return load_simulated_clusters()


@pytest.fixture(scope="module")
def study_matrix(clusters):
    cities = load_cities().loc[clusters.index.unique("city")]
    with pytest.warns(IslandWarning, match="330900 - 330200"):  # Zhoushan - Ningbo
        graph = normalise(contiguity(cities, islands="nearest"), "row")
    return sparse_for(graph, cities.index)


def test_clusters_have_the_study_frame(clusters):
    """Li and Wei (2025): 277 cities, 2011-2022, table 2: mean of the treatment 0.1089."""
    assert clusters.index.names == ["city", "year"]
    assert clusters.index.is_monotonic_increasing and clusters.index.is_unique
    assert [len(level) for level in clusters.index.levels] == [277, 12]
    assert clusters.shape == (3324, 40)
    assert not clusters.drop(columns="first_treated").isna().to_numpy().any()
    assert round(clusters["did"].mean(), 4) == 0.1089
    assert round(clusters["did"].std(), 4) == 0.3116


def test_clusters_have_the_real_pilots(clusters):
    pilots = load_pilots().query("first_year <= 2017").set_index("adcode")["first_year"]
    first = clusters["first_treated"].groupby("city").first().dropna()
    assert len(first) == 52
    shifted = pilots.replace({2014: 2015, 2017: 2018}).loc[first.index]
    assert (first.astype(int) == shifted).all()
    year = clusters.index.get_level_values("year")
    assert (clusters["did"] == (year >= clusters["first_treated"].fillna(9999))).all()


@pytest.mark.parametrize(
    ("column", "mean", "sd", "low", "high"),
    [  # table 2 as printed
        ("nqp", 0.2825, 0.0576, None, None),
        ("edu", 0.1768, 0.0392, 0.0357, 0.3562),
        ("fin", 1.0417, 0.5992, 0.1180, 9.6221),
        ("urb", 5.7103, 0.9641, 1.7342, 9.0881),
        ("eco", 10.7611, 0.5671, 8.7729, 12.4565),
        ("ope", 5.6310, 1.9651, 0.0, 9.5647),
        ("mar", 0.5383, 0.1383, 0.0493, 0.8602),
    ],
)
def test_clusters_have_the_printed_moments(clusters, column, mean, sd, low, high):
    values = clusters[column]
    assert_allclose(values.mean(), mean, rtol=1e-6)
    assert_allclose(values.std(ddof=0), sd, rtol=1e-6)
    if low is not None:
        assert low < values.min() and values.max() < high


def test_clusters_outcome_is_skewed_within_its_range(clusters):
    """Printed range 0.1750 to 0.7773; a linear model cannot be bounded, so only near it."""
    assert 0.12 < clusters["nqp"].min() < 0.20
    assert 0.55 < clusters["nqp"].max() < 0.85
    assert clusters["nqp"].skew() > 0.5
    assert_allclose(np.log(clusters["gdp_pc"]), clusters["eco"])


def test_clusters_truth_is_the_printed_column(clusters, study_matrix):
    """Table 8, contiguity: direct 0.0151, indirect 0.0079, total 0.0230, rho 0.3632."""
    truth = clusters.attrs["truth"]
    assert truth["rho"] == 0.3632
    W = study_matrix.toarray()
    S = np.linalg.solve(
        np.eye(277) - truth["rho"] * W,
        truth["beta"]["did"] * np.eye(277) + truth["theta"]["did"] * W,
    )
    direct, total = np.trace(S) / 277, S.sum() / 277
    assert_allclose([direct, total - direct, total], [0.0151, 0.0079, 0.0230], atol=1e-9)
    assert_allclose([truth["direct"], truth["indirect"], truth["total"]], [0.0151, 0.0079, 0.0230])
    assert clusters.attrs["simulated"] is True
    assert clusters.attrs["note"].startswith("Simulated outcomes")


@pytest.mark.parametrize("seed", [0, 7])
def test_clusters_follow_their_truth(seed, clusters, study_matrix):
    """What the stated parameters leave over is noise of the stated size, unrelated to did."""
    frame = clusters if seed == 0 else load_simulated_clusters(seed=seed)
    truth, W = frame.attrs["truth"], study_matrix
    wide = {c: frame[c].to_numpy(dtype=float).reshape(277, 12) for c in ["nqp", "did", *CONTROLS]}
    u = wide["nqp"] - truth["rho"] * (W @ wide["nqp"])
    for name, beta in truth["beta"].items():
        u = u - beta * wide[name] - truth["theta"][name] * (W @ wide[name])
    u = demeaned(u)
    sigma = np.sqrt((u**2).sum() / (276 * 11))
    assert_allclose(sigma, truth["sigma"], rtol=0.06)  # three standard errors of a gamma's sd
    for x in ("did", *CONTROLS):
        d = demeaned(wide[x])
        for z in (d, demeaned(W @ wide[x])):
            assert abs((z * u).sum() / np.sqrt((z**2).sum())) < 4 * truth["sigma"]


@pytest.mark.parametrize("seed", [0, 7])
def test_clusters_indicators_give_the_outcome(seed, clusters):
    frame = clusters if seed == 0 else load_simulated_clusters(seed=seed)
    path = Path(nqp_spatial.indices.__file__).parent / "nqp_indicators.yaml"
    result = entropy(frame, IndicatorSystem.from_yaml(path))
    assert np.corrcoef(result.score, frame["nqp"])[0, 1] > 0.99
    assert_allclose(result.score.mean(), frame["nqp"].mean(), rtol=0.01)
    assert_allclose(result.score.std(), frame["nqp"].std(), rtol=0.01)
    top = result.group_scores[["technology", "green", "digital"]]
    # printed means 0.2323, 0.7492, 0.2258
    assert_allclose(top.mean(), [0.2323, 0.7492, 0.2258], rtol=0.2)
    assert (top.corrwith(frame["nqp"]) > [0.6, 0.2, 0.6]).all()


def test_clusters_have_real_places(clusters):
    cities = load_cities().loc[clusters.index.unique("city")]
    for column, real in (("province", "province_zh"), ("latitude", "lat")):
        assert clusters[column].groupby("city").nunique().eq(1).all()
        assert list(clusters[column].groupby("city").first()) == list(cities[real])


@pytest.mark.parametrize("seed", [0, 7])
def test_clusters_contain_their_mechanisms(seed, clusters, study_matrix):
    """What the mechanisms leave of the error is smaller and unrelated to them, and to did."""
    frame = clusters if seed == 0 else load_simulated_clusters(seed=seed)
    truth = frame.attrs["truth"]
    columns = ["nqp", "did", *CONTROLS, *truth["mechanisms"]]
    wide = {c: frame[c].to_numpy(dtype=float).reshape(277, 12) for c in columns}
    u = wide["nqp"] - truth["rho"] * (study_matrix @ wide["nqp"])
    for name, beta in truth["beta"].items():
        u = u - beta * wide[name] - truth["theta"][name] * (study_matrix @ wide[name])
    whole, tested, share = demeaned(u).std(), [wide["did"]], 0.0
    sds = {"quality": 0.10, "human_capital": 0.80, "services": 0.05}
    for name, row in truth["mechanisms"].items():
        deviation = wide[name] - row["mean"]
        slopes = row["slope"] + row["more_where_did"] * wide["did"]
        assert_allclose(deviation.mean(), 0, atol=4 * sds[name] / np.sqrt(3324))
        assert_allclose(deviation.std(), sds[name], rtol=0.06)
        u = u - slopes * deviation
        share = share + (slopes * sds[name] / truth["sigma"]) ** 2
        tested += [deviation, wide["did"] * deviation]
    assert_allclose((demeaned(u).std() / whole) ** 2, 1 - share.mean(), rtol=0.02)
    for x in map(demeaned, tested):
        assert abs((x * demeaned(u)).sum() / np.sqrt((x**2).sum())) < 4 * truth["sigma"]


def test_clusters_have_other_policies_and_counts(clusters):
    """Policies begin where and when they are said to, and do not end; counts are of places."""
    dates = {
        "startup_base": {2016: 15, 2017: 45, 2020: 20},
        "ip_pilot": {2012: 20, 2013: 25, 2015: 30},
        "big_data": {2016: 30},
    }
    ever = clusters["did"].groupby("city").max() == 1
    for name, expected in dates.items():
        wide = clusters[name].unstack()
        assert set(np.unique(wide)) == {0, 1} and (wide.diff(axis=1).iloc[:, 1:] >= 0).all(
            axis=None
        )
        first = wide[wide[2022] == 1].idxmax(axis=1).value_counts()
        assert first.to_dict() == expected
        assert clusters.attrs["truth"]["policies"][name] == 0.0
    for name in ("old_brands", "colleges_1985"):
        count = clusters[name].groupby("city").first()
        assert clusters[name].groupby("city").nunique().eq(1).all()
        assert (count >= 0).all() and count.dtype.kind == "i"
        assert count[ever].mean() > 2 * count[~ever].mean()


def test_clusters_produce_below_a_frontier_that_moves(clusters):
    year = clusters.index.get_level_values("year") - 2011
    logs = np.log(clusters[["capital", "labour", "output"]])
    frontier = np.log(4.0) + np.log(1.03) * year + 0.4 * logs["capital"] + 0.6 * logs["labour"]
    below = frontier - logs["output"]
    assert below.min() > 0 and below.groupby("year").min().max() < 0.05
    assert clusters.attrs["truth"]["technical_change"] == 1.03


def test_clusters_depend_on_the_seed_only(clusters):
    again = load_simulated_clusters(seed=0)
    pd.testing.assert_frame_equal(again, clusters)
    assert again.attrs == clusters.attrs
    other = load_simulated_clusters(seed=1)
    assert abs(other["nqp"].corr(clusters["nqp"])) < 0.9
    assert other["did"].equals(clusters["did"])
    assert other.attrs["truth"]["beta"] == clusters.attrs["truth"]["beta"]


def test_clusters_attrs_survive_pandas(clusters):
    both = pd.concat([clusters.iloc[:5], clusters.iloc[5:9]])
    assert both.attrs == clusters.attrs


@pytest.mark.parametrize("seed", [-1, 1.5, None, True])
def test_clusters_seed_is_checked(seed):
    with pytest.raises(OptionError, match="must be a whole number of 0 or more"):
        load_simulated_clusters(seed=seed)


# simulate_durbin


def test_effects_of_two_neighbours_by_hand():
    """W swaps the two: direct (b + rho t) / (1 - rho^2), indirect (t + rho b) / (1 - rho^2)."""
    _, truth = simulate_durbin(pair_graph(), 2, rho=0.5, beta=[1.0, 2.0], theta=[0.25, -1.0])
    assert_allclose(truth.effects["direct"], [1.125 / 0.75, 1.5 / 0.75])
    assert_allclose(truth.effects["indirect"], [0.75 / 0.75, 0.0], atol=1e-14)
    assert_allclose(truth.effects["total"], [1.25 / 0.5, 1.0 / 0.5])
    assert list(truth.effects.index) == ["x1", "x2"]


def test_without_errors_the_model_holds_exactly():
    graph = ring_graph()
    frame, truth = simulate_durbin(
        graph,
        5,
        rho=-0.6,
        beta={"policy": 1.0, "x": 2.0},
        theta={"x": 0.5, "policy": -1.0},
        sigma=0.0,
        effects=None,
        seed=1,
    )
    W = graph.sparse.toarray()
    y, policy, x = (frame[c].to_numpy().reshape(12, 5) for c in ("y", "policy", "x"))
    left = y + 0.6 * (W @ y)
    assert_allclose(left, policy + 2 * x - W @ policy + 0.5 * (W @ x), atol=1e-12)
    assert frame.index.names == ["entity", "time"]
    assert truth.theta.to_dict() == {"policy": -1.0, "x": 0.5}


@pytest.mark.parametrize(
    ("effects", "by_entity", "by_time"),
    [(None, False, False), ("entity", True, False), ("time", False, True), ("twoway", True, True)],
)
def test_fixed_effects_are_where_they_were_asked_for(effects, by_entity, by_time):
    graph = ring_graph()
    frame, _ = simulate_durbin(
        graph, 5, rho=0.4, beta=1.0, theta=0.5, sigma=0.0, effects=effects, seed=2
    )
    W = graph.sparse.toarray()
    y, x = (frame[c].to_numpy().reshape(12, 5) for c in ("y", "x1"))
    u = y - 0.4 * (W @ y) - x - 0.5 * (W @ x)
    assert_allclose(demeaned(u), 0, atol=1e-12)
    assert (np.ptp(u.mean(axis=1)) > 0.1) == by_entity
    assert (np.ptp(u.mean(axis=0)) > 0.1) == by_time


@pytest.mark.parametrize(
    ("errors", "skewness", "kurtosis"),
    [  # t5: 6 / (5 - 4) + 3; gamma of shape 2: 2 / sqrt(2), 3 + 6 / 2
        ("normal", 0.0, 3.0),
        ("t5", 0.0, 9.0),
        ("skewed", np.sqrt(2), 6.0),
    ],
)
def test_errors_have_their_moments(errors, skewness, kurtosis):
    graph = ring_graph(200)
    frame, truth = simulate_durbin(
        graph, 500, rho=0.0, beta=0.0, theta=0.0, sigma=2.0, effects=None, errors=errors, seed=3
    )
    e = frame["y"]
    assert truth.sigma == 2.0
    assert abs(e.mean()) < 4 * 2 / np.sqrt(len(e))
    assert_allclose(e.std(), 2.0, rtol=4 * np.sqrt((kurtosis - 1) / (4 * len(e))))
    if errors != "t5":  # the sample kurtosis of t5 does not converge
        assert_allclose(e.skew(), skewness, atol=0.05)
        assert_allclose(e.kurt() + 3, kurtosis, atol=0.5)


def test_heteroskedastic_errors_differ_by_entity():
    frame, _ = simulate_durbin(
        ring_graph(200),
        500,
        rho=0.0,
        beta=0.0,
        theta=0.0,
        effects=None,
        errors="heteroskedastic",
        seed=4,
    )
    by_entity = frame["y"].groupby("entity").std()
    assert_allclose(np.sqrt((by_entity**2).mean()), 1.0, rtol=0.02)
    assert 2.5 < by_entity.max() / by_entity.min() < 3.5  # 1.5 / 0.5, and sampling error


def test_simulation_depends_on_the_seed_only():
    def draw(seed):
        return simulate_durbin(ring_graph(), 3, rho=0.2, beta=1, theta=0, seed=seed)[0]

    pd.testing.assert_frame_equal(draw(5), draw(5))
    assert abs(draw(5)["y"] - draw(6)["y"]).min() > 0


def test_simulation_refuses_what_makes_no_sense():
    graph = ring_graph()
    with pytest.raises(UnstableModelError, match="rho=1.0 is too large .* below 1 in absolute"):
        simulate_durbin(graph, 3, rho=1.0, beta=1, theta=0)
    with pytest.raises(IdMismatchError, match=r"beta names \['x1', 'x2'\] and theta \['x1'\]"):
        simulate_durbin(graph, 3, rho=0.1, beta=[1, 2], theta=0)
    with pytest.raises(OptionError, match=r"errors='norml' .* Did you mean 'normal'\?"):
        simulate_durbin(graph, 3, rho=0.1, beta=1, theta=0, errors="norml")
    with pytest.raises(OptionError, match="effects='both' is not known"):
        simulate_durbin(graph, 3, rho=0.1, beta=1, theta=0, effects="both")
    with pytest.raises(OptionError, match="n_periods=0 must be 1 or more"):
        simulate_durbin(graph, 0, rho=0.1, beta=1, theta=0)


# castle


@pytest.fixture(scope="module")
def castle():
    return load_castle()


def test_castle_is_complete_and_has_polygons(castle):
    frame, polygons = castle.frame, castle.polygons
    assert frame.index.names == ["state", "year"]
    assert frame.shape[0] == 48 * 11
    assert set(frame.index.unique("state")) == set(polygons.index)
    assert not {"AK", "HI", "DC"} & set(polygons.index)
    assert not frame.drop(columns="first_treated").isna().to_numpy().any()
    assert polygons.crs.to_epsg() == 4326
    assert polygons.loc["WV", "name"] == "West Virginia"


def test_castle_treatment_follows_the_laws(castle):
    """Laws took effect in 2005 (Florida) to 2009 (Montana); treated from the year after."""
    frame = castle.frame
    first = frame["first_treated"].groupby("state").first()
    assert first.notna().sum() == 20
    assert first["FL"] == 2006 and first["TX"] == 2008 and first["MT"] == 2010
    year = frame.index.get_level_values("year")
    assert (frame["post"] == (year >= frame["first_treated"].fillna(9999))).all()


def test_castle_neighbours(castle):
    """107 pairs, as in the weights file (states48.gal) that libpysal ships for these states."""
    graph = contiguity(castle.polygons)
    assert graph.n_edges == 2 * 107
    assert sorted(graph["ME"].index) == ["NH"]
    assert len(graph["MO"]) == len(graph["TN"]) == 8


@pytest.mark.parametrize("case", ["alone", "controls"])
def test_castle_two_way_effects_equal_r(castle, case):
    """tests/reference/castle_twoway.R: base lm with dummies, plm for the clustered errors."""
    expected = panels.read("castle_twoway.csv").query("case == @case")
    expected = expected.set_index("name")
    x = castle.frame[list(expected.index)]
    model = PanelOLS(castle.frame["l_homicide"], x, entity_effects=True, time_effects=True)
    fit = model.fit(
        cov_type="clustered",
        cluster_entity=True,
        group_debias=False,
        debiased=False,
        auto_df=False,
        count_effects=False,
    )
    assert_allclose(fit.params, expected["coef"], rtol=1e-8)
    n, k = x.shape
    factor = np.sqrt(48 / 47 * (n - 1) / (n - k))  # the R script states this convention
    assert_allclose(fit.std_errors * factor, expected["se"], rtol=1e-6)


def test_castle_source_gives_the_printed_estimate():
    """All 50 states, as printed from Stata 17 xtdidregress: 0.0693984 (0.0558596)."""
    spec = importlib.util.spec_from_file_location("build", bundled("us_states", "build.py"))
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    source = build.panel()
    assert_allclose(build.two_way(source), (0.0693984, 0.0558596), atol=6e-8)
    ours = load_castle().frame
    theirs = source.set_index(["state", "year"]).loc[ours.index]
    assert_allclose(ours[build.COLUMNS], theirs[build.COLUMNS].astype(float), rtol=1e-6)


# the module


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match="bundled file us_states/none.csv is missing"):
        bundled("us_states", "none.csv")


def test_an_unknown_name_is_suggested():
    with pytest.raises(AttributeError, match="Did you mean 'load_castle'"):
        load.load_castel  # noqa: B018
