"""What a difference-in-differences assumes about space: tables by hand, verdicts by design."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    DataWarning,
    DroppedLagWarning,
    IdMismatchError,
    OptionError,
    TreatmentError,
)
from tests import panels

SIDE, T = 10, 6
N = SIDE**2
CITIES = [f"c{i:03d}" for i in range(N)]
YEARS = list(range(2001, 2001 + T))
ROOK = panels.row(panels.rook(SIDE))
CORNER = [i for i in range(N) if i % SIDE < 4 and i // SIDE < 5]  # 20 side by side
BOARD = [i for i in range(N) if (i % SIDE + i // SIDE) % 2 == 0]  # every other field


def graph(W=ROOK):
    return nqp.weights.as_graph(W, ids=CITIES)


def data(treated, *, rho=0.0, theta=0.0, beta=1.0, sigma=0.3, seed=0, late=()):
    """One policy from 2004 on (2005 for late ones) in an SDM-DiD."""
    rng = np.random.default_rng(seed)
    D = np.zeros((T, N))
    D[3:, treated] = 1
    D[3, list(late)] = 0
    x = rng.normal(size=(T, N))
    mean = beta * D + theta * D @ ROOK.T + x + rng.normal(size=N) + rng.normal(size=(T, 1))
    y = (mean + sigma * rng.normal(size=(T, N))) @ np.linalg.inv(np.eye(N) - rho * ROOK).T
    index = pd.MultiIndex.from_product([CITIES, YEARS], names=["city", "year"])
    columns = {"y": y, "did": D, "x": x}
    return pd.DataFrame({name: v.T.ravel() for name, v in columns.items()}, index)


def spatial(f, **options):
    return nqp.SpatialDiD(f["y"], f["did"], f[["x"]], graph(), **options).fit()


def checked(res, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Fewer than 10 clean controls")
        return nqp.did.checks(res, **{"draws": 199, **options})


# ---------------------------------------------------------------- tables


def test_exposure_by_hand():
    f = data(CORNER, late=CORNER[:5])
    places = pd.DataFrame({"lon": 110 + np.arange(N) % SIDE, "lat": 30 + np.arange(N) // SIDE})
    places.index = pd.Index(CITIES)
    found = checked(spatial(f), places=places.sample(frac=1, random_state=1), km=[100, 150])
    from pyproj import Geod

    geod = Geod(ellps="WGS84")
    lon, lat = places["lon"].to_numpy(), places["lat"].to_numpy()
    km = np.array([geod.inv(np.full(N, lon[i]), np.full(N, lat[i]), lon, lat)[2] for i in range(N)])
    matrices = {"W": ROOK > 0, "100 km": km < 100e3, "150 km": km < 150e3}
    wide = f["did"].unstack(0)
    for kind, near in matrices.items():
        for year in (2004, 2005, 2006):
            on = wide.loc[year, CITIES].to_numpy() == 1
            exposed = int((near[:, on].any(axis=1) & ~on).sum())
            row = found.exposure.loc[(kind, year)]
            assert row[["treated", "exposed"]].tolist() == [on.sum(), exposed], (kind, year)
            assert row["clean"] == N - on.sum() - exposed
            assert_allclose(row["share"], exposed / (N - on.sum()))
    assert list(found.exposure.index.unique(0)) == ["W", "100 km", "150 km"]
    table = pd.DataFrame(km / 1000, CITIES, CITIES)
    same = checked(spatial(f), places=table.iloc[::-1], km=[100, 150])
    pd.testing.assert_frame_equal(same.exposure, found.exposure)


def test_sets_are_the_ever_treated_those_of_a_period_and_cohorts():
    f = data(CORNER, late=CORNER[:5])
    found = checked(spatial(f)).clusters
    assert list(found.index) == [
        ("ever", ""), ("period", 2004), ("period", 2005), ("cohort", 2004), ("cohort", 2005)
    ]  # fmt: skip
    assert found["treated"].tolist() == [20, 15, 20, 15, 5]
    assert found["eligible"].tolist() == [N, N, N, N, N - 15]
    y = np.zeros(N)
    y[CORNER] = 1
    assert_allclose(found.loc[("ever", ""), "joins"], y @ ROOK @ y / 2)
    assert found.loc[("ever", ""), "pvalue"] == 1 / 200
    from esda import Moran

    ours = found.loc[("ever", ""), "moran"]
    assert_allclose(ours, Moran(y, graph(), transformation="r", permutations=0).I)


def test_without_neighbours_both_models_are_fitted_again():
    f = data(CORNER)
    res = spatial(f)
    found = checked(res)
    on = np.zeros(N, dtype=bool)
    on[CORNER] = True
    beside = (ROOK[:, on].sum(axis=1) > 0) & ~on
    gone = [CITIES[i] for i in np.flatnonzero(beside)]
    left = f[~f.index.get_level_values(0).isin(gone)]
    left = left.set_axis(left.index.remove_unused_levels())
    ordinary = nqp.FixedEffects(left["y"], left[["did", "x"]]).fit()
    row = found.neighbours.loc[("ordinary", "coefficient", "neighbours")]
    assert_allclose(row["estimate"], ordinary.params["did"], rtol=1e-9)
    kept = np.flatnonzero(~beside)
    W = panels.row(ROOK[np.ix_(kept, kept)])
    ids = [CITIES[i] for i in kept]
    again = nqp.SpatialDiD(left["y"], left["did"], left[["x"]], nqp.weights.as_graph(W, ids=ids))
    with pytest.warns(DroppedLagWarning, match="spatial lag of 'did' is collinear"):
        effects = again.fit().policy_effects()["estimate"]
    got = found.neighbours.loc["spatial"]["estimate"].xs("neighbours", level="left_out")
    assert_allclose(got, effects, rtol=1e-6)
    assert f"Without the {beside.sum()} untreated neighbours" in found.answers["neighbours"]
    assert "spatial lag of the policy cannot be told" in found.answers["neighbours"]


def test_bias_source_and_tests_are_those_of_their_own_functions():
    res = spatial(data(CORNER, rho=0.4))
    found = checked(res)
    pd.testing.assert_frame_equal(found.bias.table, nqp.did.implied_bias(res).table)
    pd.testing.assert_frame_equal(found.source.sources, res.indirect_source().sources)
    assert list(found.tests) == ["joins", "moran", "bias", "theta", "indirect"]
    assert found.tests["joins"].pvalue == found.clusters["pvalue"].iloc[0]


# ---------------------------------------------------------------- verdicts


def test_yes_where_the_treated_receive_more_than_their_controls():
    res = spatial(data(CORNER, rho=0.4, theta=0.6))
    found = checked(res)
    assert found.verdict == "yes"
    bias, ordinary = found.bias.estimate, found.bias.table.loc["ordinary", "estimate"]
    told = found.answers["verdict"]
    assert f"{bias:.4g} of the ordinary coefficient {ordinary:.4g}" in told
    assert f"普通系数{ordinary:.4g}中有{bias:.4g}" in told.zh
    assert found.bias.table.loc["bias", "pvalue"] < 0.05


def test_alike_where_all_receive_the_same():
    """Treated at random: a treated one's neighbours are as often treated as an untreated one's."""
    treated = sorted(np.random.default_rng(0).choice(N, 50, replace=False))
    found = checked(spatial(data(treated, rho=0.3, theta=0.1, beta=3.0)))
    assert found.verdict == "alike" and found.tests["indirect"].pvalue < 0.001
    assert "treated and controls receive nearly alike" in found.answers["verdict"]
    assert abs(found.bias.estimate) < 0.1 * found.bias.table.loc["ordinary", "estimate"]


def test_no_where_none_are_found_and_a_bias_is_excluded():
    found = checked(spatial(data(CORNER, sigma=0.03, seed=3)))
    assert found.verdict == "no" and "the two agree" in found.answers["verdict"]
    row = found.bias.table.loc["bias"]
    reach = max(abs(row["lower"]), abs(row["upper"])) / found.bias.table.loc["ordinary", "estimate"]
    assert reach <= 0.1 and f"{100 * reach:.1f}%" in found.answers["verdict"]


def test_unknown_where_the_data_are_too_few():
    found = checked(spatial(data(CORNER, sigma=4.0, seed=3)))
    assert found.verdict == "unknown"
    assert "No spillover found is not one excluded" in found.answers["verdict"]
    assert "未发现溢出不等于排除溢出" in found.answers["verdict"].zh


@pytest.mark.parametrize(
    ("bias", "error", "scale", "verdict"),
    [
        (0.5, 0.1, 1.0, "yes"),
        (0.01, 0.001, 1.0, "alike"),
        (0.05, 0.2, 1.0, "unequal"),
        (0.01, 0.005, 1e4, "no"),
        (0.05, 0.2, 1e4, "unknown"),
        (0.5, 0.1, 1e4, "yes"),
    ],
)
def test_every_verdict_follows_from_its_numbers(monkeypatch, bias, error, scale, verdict):
    """A given bias of a coefficient of about one, and an indirect effect that is sure or not."""
    res = spatial(data(CORNER, rho=0.4, theta=0.6))
    real = nqp.did.implied_bias(res)
    table = real.table.copy()
    width = 1.959964 * error
    p = float(2 * stats.norm.sf(bias / error))
    table.loc["bias"] = [bias, error, p, bias - width, bias + width]
    table.loc["ordinary", "estimate"] = 1.0
    module = sys.modules["nqp_spatial.did.checks"]
    monkeypatch.setattr(module, "implied_bias", lambda *a, **k: replace(real, table=table))
    found = checked(res.as_(type(res), cov=res.cov * scale))
    assert found.verdict == verdict
    told = found.answers["verdict"]
    if verdict != "yes":
        assert f"{100 * (bias + width):.1f}%" in told and f"{100 * (bias + width):.1f}%" in told.zh
    else:
        assert f"({100 * bias:.1f}%, p" in told and f"占{100 * bias:.1f}%" in told.zh


def test_the_part_of_rho_is_told():
    found = checked(spatial(data(CORNER, rho=0.6, seed=5)))
    assert found.tests["theta"].pvalue > 0.05 > found.tests["indirect"].pvalue
    assert "that which rho implies for every regressor" in found.answers["verdict"]
    without = checked(spatial(data(CORNER, rho=0.4), durbin=["x"]))
    assert "follow from rho and the direct coefficient alone" in without.answers["verdict"]


def test_none_and_undefined():
    f = data(CORNER)
    fe = nqp.FixedEffects(f["y"], f[["did", "x"]]).fit()
    plain = checked(fe)
    assert plain.verdict == "none" and plain.clusters.empty and plain.exposure.empty
    assert "Give graph=" in plain.answers["clustering"] and not plain.figures
    trends = nqp.FixedEffects(f["y"], f[["did", "x"]], trends="entity").fit()
    with_graph = checked(trends, graph=graph())
    assert with_graph.verdict == "undefined" and "entity trends" in with_graph.answers["bias"]
    assert with_graph.neighbours.index.unique("model").tolist() == ["ordinary"]
    random = spatial(f, effects="random")
    assert checked(random).verdict == "undefined"
    x = f[["did", "x"]]
    error = checked(nqp.SpatialError(f["y"], x, graph()).fit())
    assert error.verdict == "undefined" and "by construction" in error.answers["verdict"]
    dynamic = checked(nqp.DynamicSpatialDurbin(f["y"], x, graph()).fit())
    assert dynamic.verdict == "undefined" and dynamic.bias is None


def test_an_ordinary_result_with_weights_is_that_of_the_spatial_one():
    f = data(CORNER, rho=0.4)
    fe = nqp.FixedEffects(f["y"], f[["x", "did"]]).fit()
    found, own = checked(fe, treatment="did", graph=graph()), checked(spatial(f))
    assert found.verdict == own.verdict
    pd.testing.assert_frame_equal(found.clusters, own.clusters)
    assert_allclose(found.bias.table, own.bias.table, rtol=1e-5)
    columns = ["estimate", "std_error"]
    assert_allclose(found.neighbours[columns], own.neighbours[columns], rtol=1e-5)
    changing = {year: graph() for year in YEARS}
    by_year = checked(fe, treatment="did", graph=changing)
    assert_allclose(by_year.bias.table, own.bias.table, rtol=1e-4)
    pd.testing.assert_frame_equal(by_year.exposure, own.exposure)


# ---------------------------------------------------------------- sizes, and what is wrong


def test_few_treated_few_cohorts_and_few_clusters_are_told():
    f = data(CORNER[:6], late=CORNER[:2])
    found = checked(spatial(f))
    assert found.sizes[["treated", "cohorts", "smallest_cohort", "never"]].tolist() == [6, 2, 2, 94]
    assert "cohorts 2004, 2005 have fewer than five" in found.answers["size"]
    assert "look at permutations (placebo)" in found.answers["size"]
    provinces = pd.Series([i // 4 for i in range(N)], CITIES, name="province")
    fe = nqp.FixedEffects(f["y"], f[["did", "x"]]).fit(clusters=provinces)
    sized = checked(fe)
    treated = provinces.iloc[CORNER[:6]].nunique()
    assert sized.sizes["treated_clusters"] == treated and sized.sizes["clusters"] == 25
    assert f"{treated} of 25 clusters" in sized.answers["size"]
    enough = checked(spatial(data(CORNER)))
    assert "look at" not in enough.answers["size"]


def test_nobody_never_treated():
    f = data(range(N), late=range(40))
    found = checked(spatial(f))
    assert "Nobody is never treated" in found.answers["size"]
    assert "none to leave out" in found.answers["neighbours"]
    assert found.exposure.loc[("W", 2005), "untreated"] == 0
    assert np.isnan(found.exposure.loc[("W", 2005), "share"])


@pytest.mark.filterwarnings("ignore:The spatial lag of 'did' is collinear")
def test_few_clean_controls_warn():
    f = data(BOARD)
    with pytest.warns(DataWarning, match=r"Fewer than 10 clean controls \(W\) in 2004, 2005, 2006"):
        found = nqp.did.checks(spatial(f), draws=99)
    assert (found.exposure["clean"] == 0).all()
    assert "All 50 never-treated entities are near a treated one" in found.answers["neighbours"]
    assert found.neighbours is None


def test_a_dense_w_says_nothing_of_clusters_and_distance_decides_who_is_left_out():
    dense = (np.ones((N, N)) - np.eye(N)) / (N - 1)
    f = data(CORNER)
    places = pd.DataFrame({"lon": 110 + np.arange(N) % SIDE, "lat": 30 + np.arange(N) // SIDE})
    places.index = pd.Index(CITIES)
    fe = nqp.FixedEffects(f["y"], f[["did", "x"]], effects="entity").fit()
    found = checked(fe, graph=graph(dense), places=places, km=115)
    assert "links all entities alike" in found.answers["clustering"]
    near = found.exposure.loc[("115 km", 2006), "exposed"]
    assert f"Without the {near} untreated neighbours" in found.answers["neighbours"]


def test_units_and_order_of_rows_decide_nothing():
    f = data(CORNER, rho=0.4, theta=0.6)
    found = checked(spatial(f))
    other = f.assign(y=1000 * f["y"]).sample(frac=1, random_state=0)
    same = checked(spatial(other))
    assert same.verdict == found.verdict
    pd.testing.assert_frame_equal(same.clusters, found.clusters)
    assert_allclose(same.bias.table[["estimate"]], 1000 * found.bias.table[["estimate"]], rtol=1e-4)


def test_frames_figures_and_text():
    found = checked(spatial(data(CORNER, rho=0.4)))
    names = ["checks", "treatment-clustering", "exposed", "implied-bias", "indirect-source"]
    assert list(found.frames) == [*names, "without-neighbours"]
    answers = found.frames["checks"].to_frame("zh")["answer"]
    assert answers["clustering"].startswith("处理在空间上集聚")
    text = found.summary()
    assert all(str(answer) in text for answer in found.answers.values())
    ax = found.plot(lang="zh")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["由W相连"]


def test_mistakes():
    f = data(CORNER)
    res = spatial(f)
    with pytest.raises(OptionError, match="weights of its own. Leave graph= out"):
        nqp.did.checks(res, graph=graph())
    with pytest.raises(OptionError, match="res is a DataFrame"):
        nqp.did.checks(f)
    with pytest.raises(OptionError, match="treatment='policy' is not known"):
        nqp.did.checks(res, treatment="policy")
    with pytest.raises(TreatmentError, match="'x' is not 0 or 1"):
        nqp.did.checks(res, treatment="x")
    with pytest.raises(OptionError, match="km=-1.0"):
        nqp.did.checks(res, km=-1)
    with pytest.raises(OptionError, match="draws=5"):
        nqp.did.checks(res, draws=5)
    places = pd.DataFrame({"lon": 1.0, "lat": 1.0}, CITIES[:-1])
    with pytest.raises(IdMismatchError, match="c099"):
        nqp.did.checks(res, places=places)
    table = pd.DataFrame(-1.0, CITIES, CITIES)
    with pytest.raises(nqp.exceptions.NegativeWeightsError, match="4950 pairs of places"):
        nqp.did.checks(res, places=table)
    fe = nqp.FixedEffects(f["y"], f[["did", "x"]]).fit()
    with pytest.raises(OptionError, match="has none for the periods"):
        nqp.did.checks(fe, graph={2001: graph()})
    small = nqp.weights.as_graph(ROOK[:50, :50], ids=CITIES[:50])
    with pytest.raises(IdMismatchError):
        nqp.did.checks(fe, graph=small)
