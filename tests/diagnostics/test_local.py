"""Local statistics, general G and bivariate Moran: spdep, esda, every relabelling written out."""

import warnings
from itertools import permutations as orders

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

from nqp_spatial import diagnostics as d
from nqp_spatial import weights as w
from nqp_spatial.exceptions import ConstantColumnError, DataError, IdMismatchError, OptionError
from tests import REFERENCE, panels

KINDS = ["queen_W", "queen_B", "knn4_B", "knn4_decay"]
LOCAL = {"I": d.local_moran, "c": d.local_geary, "G": d.local_g}


@pytest.fixture(scope="module")
def crime():
    return pd.read_csv(REFERENCE / "autocorrelation_columbus.csv", index_col="id")["CRIME"]


@pytest.fixture(scope="module")
def graphs():
    links = panels.read("autocorrelation_links.csv")
    found = {}
    for name in KINDS:
        part, M = links[links["weights"] == name], np.zeros((49, 49))
        M[part["i"] - 1, part["j"] - 1] = part["w"]
        found[name] = w.as_graph(M, ids=range(1, 50))
    return found


@pytest.fixture(scope="module")
def spdep():
    return panels.read("local_autocorrelation.csv").set_index(["weights", "statistic"])


@pytest.fixture
def panel():
    index = pd.MultiIndex.from_product([list("fbadce"), range(2000, 2003)], names=["c", "t"])
    return pd.Series(np.random.default_rng(2).gamma(2.0, size=18), index, name="gdp")


@pytest.fixture
def ring():
    """Six places in a ring with weights that are not symmetric."""
    M = np.zeros((6, 6))
    for i in range(6):
        M[i, (i + 1) % 6], M[i, (i + 2) % 6] = 1.0, 0.5
    return w.as_graph(M, ids=list("abcdef"))


# ------------------------------------------------------------- other programs


@pytest.mark.parametrize("name", KINDS)
def test_local_moran_is_that_of_spdep(crime, graphs, spdep, name):
    """spdep's variance has the divisor n; ours, GeoDa's and esda's has n - 1."""
    found, theirs = d.local_moran(crime, graphs[name], permutations=0), spdep.loc[(name, "I")]
    ratio = 49 / 48
    assert_allclose(found["I"] * ratio, theirs["value"], rtol=1e-10)
    assert_allclose(found["expected"] * ratio, theirs["expected"], rtol=1e-10)
    assert_allclose(found["variance"] * ratio**2, theirs["variance"], rtol=1e-10)
    assert_allclose(found["z"], theirs["z"], rtol=1e-10)


@pytest.mark.parametrize("name", KINDS)
def test_local_geary_and_g_are_those_of_spdep(crime, graphs, spdep, name):
    geary = d.local_geary(crime, graphs[name], permutations=0)
    assert_allclose(geary["c"], spdep.loc[(name, "c"), "value"], rtol=1e-10)
    g = d.local_g(crime, graphs[name], star=False, permutations=0)
    assert_allclose(g["z"], spdep.loc[(name, "g"), "z"], rtol=1e-10)


@pytest.mark.parametrize("name", ["queen_B", "knn4_B"])
def test_g_star_is_that_of_spdep(crime, graphs, spdep, name):
    found = d.local_g(crime, graphs[name], permutations=0)
    assert_allclose(found["z"], spdep.loc[(name, "g_star"), "z"], rtol=1e-10)
    rows = d.local_g(crime, w.normalise(graphs[name], "row"), permutations=0)
    assert_allclose(rows["z"], found["z"], rtol=1e-10)  # z does not see the scale of a row


@pytest.mark.parametrize("name", KINDS)
def test_the_general_g_is_that_of_spdep(crime, graphs, name):
    found = d.getis_ord(crime, graphs[name]).iloc[0]
    theirs = panels.read("global_g.csv").set_index("weights").loc[name]
    assert_allclose(found[["G", "expected", "variance", "z"]], theirs[:4], rtol=1e-9)
    assert_allclose(found["pvalue"], theirs["pvalue"], rtol=1e-9)


def test_statistics_are_those_of_esda(crime, graphs):
    """esda's p is one-sided: half of ours, within the error of 9,999 permutations."""
    import esda

    other = crime.sample(frac=1, random_state=1).set_axis(crime.index).rename("other")
    W = graphs["queen_W"].to_W()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        moran = esda.Moran_Local(crime, W, permutations=9999, seed=3)
        pair = esda.Moran_Local_BV(crime, other, W, permutations=99)
        g = esda.G_Local(crime, W, permutations=99, n_jobs=1, seed=3)
    whole = esda.Moran_BV(crime, other, W, permutations=0)
    found = d.local_moran(crime, graphs["queen_W"], permutations=9999)
    assert_allclose(found["I"], moran.Is, rtol=1e-12)
    assert_allclose(found["pvalue"] / 2, moran.p_sim, atol=4 * np.sqrt(0.25 / 9999) * np.sqrt(2))
    assert (found["quadrant"] == np.array([None, *d.local.QUADRANTS])[moran.q]).all()
    both = d.local_bivariate_moran(crime, other, graphs["queen_W"], permutations=0)
    assert_allclose(both["I"], pair.Is, rtol=1e-12)
    assert_allclose(d.local_g(crime, graphs["queen_W"], star=False, permutations=0)["G"], g.Gs)
    assert_allclose(d.bivariate_moran(crime, other, graphs["queen_W"])["I"], whole.I, rtol=1e-12)


# ------------------------------------------------------------- every relabelling of six places


def every(x, statistic, i=None):
    """Mean and variance of a statistic over all orders of the values, that of i staying."""
    others = [j for j in range(len(x)) if j != i]
    values = []
    for order in orders(others):
        y = x.copy()
        y[others] = x[list(order)]
        values.append(statistic(y))
    return np.mean(values), np.var(values)


def test_moments_are_those_of_all_relabellings(panel, ring):
    x = panel.xs(2001, level=1).sort_index()
    M = ring.sparse.toarray()
    z = ((x - x.mean()) / x.std()).to_numpy()
    local = {
        "I": lambda i: lambda y: y[i] * M[i] @ y,
        "c": lambda i: lambda y: M[i] @ (y[i] - y) ** 2,
    }
    for name, statistic in local.items():
        found = LOCAL[name](x, ring, permutations=0)
        for i in range(6):
            moments = every(z, statistic(i), i)
            assert_allclose(found[["expected", "variance"]].iloc[i], moments, rtol=1e-10)
    raw = x.to_numpy()
    found = d.local_g(x, ring, star=False, permutations=0)
    for i in range(6):
        moments = every(raw, lambda y, i=i: M[i] @ y / (y.sum() - y[i]), i)
        assert_allclose(found[["expected", "variance"]].iloc[i], moments, rtol=1e-10)
    pairs = raw.sum() ** 2 - raw @ raw
    moments = every(raw, lambda y: y @ M @ y / pairs)
    found = d.getis_ord(x, ring).iloc[0]
    assert_allclose(found[["expected", "variance"]], moments, rtol=1e-10)
    u = panel.xs(2002, level=1).sort_index()
    v = ((u - u.mean()) / u.std()).to_numpy()
    moments = every(v, lambda y: 6 / (M.sum() * 5) * z @ M @ y)
    found = d.bivariate_moran(x, u, ring).iloc[0]
    assert_allclose(found[["expected", "variance"]], moments, rtol=1e-10, atol=1e-15)


def test_permutations_have_the_law_of_all_relabellings(panel, ring):
    """p-values of 20,000 draws beside those of the 120 orders of the others."""
    x = panel.xs(2000, level=1).sort_index()
    M, z = ring.sparse.toarray(), ((x - x.mean()) / x.std()).to_numpy()
    found = d.local_moran(x, ring, permutations=20_000, alternative="greater")
    for i in range(6):
        others = [j for j in range(6) if j != i]
        own = z[i] * M[i] @ z
        drawn = [z[i] * M[i, others] @ z[list(o)] for o in orders(others)]
        exact = np.mean(np.array(drawn) >= own - 1e-12)
        assert abs(found["pvalue"].iloc[i] - exact) < 4 * np.sqrt(0.25 / 20_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(LOCAL))
def test_p_values_are_right_without_a_pattern(graphs, name):
    """Of 400 maps of noise each place is below 0.05 in 5 %, within 2 % (a share of 19,600 is)."""
    rng = np.random.default_rng(11)
    index = pd.MultiIndex.from_product([range(1, 50), range(400)], names=["id", "draw"])
    noise = pd.Series(rng.gamma(3.0, size=len(index)), index, name="noise")
    found = LOCAL[name](noise, graphs["queen_W"], permutations=199)
    assert abs((found["pvalue"] <= 0.05).mean() - 0.05) < 0.01
    assert (found["pvalue_fdr"] <= 0.05).groupby(level=1).any().mean() < 0.08


# ------------------------------------------------------------- rows, labels, seeds


@pytest.mark.parametrize("name", list(LOCAL))
def test_each_period_is_a_cross_section_of_its_own(panel, ring, name):
    found = LOCAL[name](panel, ring, permutations=99)
    assert found.index.names == ["entity", "period"]
    assert found.index.is_monotonic_increasing
    for period in (2000, 2001, 2002):
        alone = LOCAL[name](panel.xs(period, level=1), ring, permutations=99)
        assert_frame_equal(found.xs(period, level=1), alone)


@pytest.mark.parametrize("name", list(LOCAL))
def test_the_order_of_rows_and_of_weights_does_not_matter(panel, ring, name):
    found = LOCAL[name](panel, ring, permutations=99)
    mixed = panel.sample(frac=1, random_state=0)
    turned = w.subset(ring, list("cafbed"))
    assert_frame_equal(LOCAL[name](mixed, turned, permutations=99), found)


def test_several_weights_and_weights_by_period(panel, ring):
    back = w.as_graph(ring.sparse.toarray().T, ids=list("abcdef"))
    found = d.local_moran(panel, {"ring": ring, "back": back}, permutations=19)
    assert found.index.names == ["weights", "entity", "period"]
    assert_frame_equal(found.loc["back"], d.local_moran(panel, back, permutations=19))
    moving = {"W": {2000: ring, 2001: back, 2002: ring}}
    of_period = d.local_moran(panel, moving, permutations=0).loc["W"]
    other = d.local_moran(panel, back, permutations=0)
    assert_allclose(of_period.xs(2001, level=1)["I"], other.xs(2001, level=1)["I"])


def test_seeds(crime, graphs):
    one, same, other = (d.local_moran(crime, graphs["queen_W"], seed=s) for s in (0, 0, 1))
    assert_frame_equal(one, same)
    assert (one["pvalue"] != other["pvalue"]).any()


def test_an_entity_without_neighbours_has_no_statistic(panel):
    M = np.zeros((6, 6))
    M[0, 1] = M[1, 0] = M[2, 3] = M[3, 2] = M[4, 3] = 1.0
    lonely = w.as_graph(M, ids=list("abcdef"))
    for name, function in LOCAL.items():
        found = function(panel, lonely, permutations=19).loc["f"]
        assert found[[name, "z", "pvalue", "pvalue_fdr"]].isna().all(axis=None)
        assert found["quadrant"].isna().all() and (found["cluster"] == "no neighbour").all()
    assert d.moran_scatter(panel, lonely).loc["f"][["lag", "quadrant"]].isna().all(axis=None)


def test_clusters_are_quadrants_below_the_level(crime, graphs):
    found = d.local_moran(crime, graphs["queen_W"], level=0.1)
    inside = found["pvalue"] <= 0.1
    assert (found.loc[inside, "cluster"] == found.loc[inside, "quadrant"]).all()
    assert (found.loc[~inside, "cluster"] == "not significant").all()
    strict = d.local_moran(crime, graphs["queen_W"], level=0.1, fdr=True)
    named = strict["cluster"] != "not significant"
    assert (named == (strict["pvalue_fdr"] <= 0.1)).all()
    assert 0 < named.sum() < inside.sum()


def test_the_scatter_plot_has_morans_i_as_its_slope(crime, graphs):
    found = d.moran_scatter(crime, graphs["queen_W"])
    slope = np.polyfit(found["z"], found["lag"], 1)[0]
    assert_allclose(slope, d.moran(crime, graphs["queen_W"])["I"].iloc[0], rtol=1e-12)
    lag = d.moran_scatter(crime, graphs["queen_W"], other=crime.rename("same"))["lag"]
    assert_allclose(lag, found["lag"])


# ------------------------------------------------------------- transitions


def test_transitions_by_hand():
    states = {
        "a": ["high-high", "high-high", "low-high"],
        "b": ["low-low", "high-low", "high-low"],
        "c": ["low-low", "high-high", None],
    }
    index = pd.MultiIndex.from_product([list("abc"), [1, 2, 3]], names=["entity", "period"])
    frame = pd.DataFrame({"quadrant": sum(states.values(), [])}, index)
    found = d.lisa_transitions(frame)
    assert found.attrs == {"n_transitions": 4, "stability": 0.5}  # c leaves: one cell is empty
    counts = found[found["count"] > 0]
    assert counts["count"].to_dict() == {
        ("high-high", "high-high"): 1,
        ("high-high", "low-high"): 1,
        ("low-low", "high-low"): 1,
        ("high-low", "high-low"): 1,
    }
    assert counts["kind"].tolist() == ["none", "own", "own", "none"]
    assert found.loc[("high-high", "low-low"), "kind"] == "both"
    assert found.loc[("low-low", "low-high"), "kind"] == "neighbours"
    assert_allclose(found.loc["high-high", "probability"].sum(), 1.0)
    assert found.loc["low-high", "probability"].isna().all()


def test_transitions_of_clusters_have_what_is_not_significant(panel, ring):
    found = d.lisa_transitions(d.local_moran(panel, ring, permutations=19), "cluster")
    assert found["count"].sum() == 12
    assert found.loc[("not significant", "not significant"), "kind"] is None


# ------------------------------------------------------------- what cannot be answered


def test_errors(panel, ring):
    flat = panel.where(panel.index.get_level_values(1) != 2001, 3.0)
    with pytest.raises(ConstantColumnError, match="'gdp' is the same for all entities in .* 2001"):
        d.local_moran(flat, ring)
    with pytest.raises(DataError, match="'gdp' has negative values.*Use local_moran or"):
        d.local_g(panel - 5, ring)
    with pytest.raises(DataError, match="'gdp' has negative values.*Use moran or geary"):
        d.getis_ord(panel - 5, ring)
    with pytest.raises(OptionError, match="permutations=-1"):
        d.local_moran(panel, ring, permutations=-1)
    with pytest.raises(OptionError, match="alternative='both'"):
        d.local_geary(panel, ring, alternative="both")
    with pytest.raises(OptionError, match="level=5 is not between 0 and 1. Type level=0.05"):
        d.local_moran(panel, ring, level=5)
    with pytest.raises(IdMismatchError, match="are not in"):
        d.local_moran(panel.drop("a", level=0), ring)
    with pytest.raises(IdMismatchError, match="are not in"):
        d.local_bivariate_moran(panel, panel.drop("a", level=0).rename("other"), ring)
    with pytest.raises(DataError, match="other must be a Series"):
        d.bivariate_moran(panel, panel.to_frame(), ring)
    both = d.local_moran(panel, {"a": ring, "b": ring}, permutations=0)
    with pytest.raises(DataError, match=r"Take one W with local.loc\['queen'\]"):
        d.lisa_transitions(both)
