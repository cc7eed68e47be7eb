"""Power before the data: against brute force, by hand, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from scipy.stats import norm

from nqp_spatial import SpatialDiD, SpatialDurbin, weights
from nqp_spatial.core.did import reassign
from nqp_spatial.did import power
from nqp_spatial.exceptions import (
    DataWarning,
    IdMismatchError,
    NotRowNormalisedError,
    OptionError,
    TreatmentError,
)
from tests import panels

N, T = 24, 6
CITIES = [f"城市{i:02d}" for i in range(N)]
W = panels.contiguity(N, seed=3)
PILOTS = [CITIES[i] for i in (1, 2, 4, 9, 10, 17, 20)]
INDEX = pd.MultiIndex.from_product([CITIES, range(2001, 2001 + T)], names=["city", "year"])


@pytest.fixture(scope="module")
def graph():
    return weights.as_graph(W, ids=CITIES)


@pytest.fixture(scope="module")
def found(graph):
    return power(graph, PILOTS, n_periods=T, draws=200, rho=0.4)


def policy(start: int = 2004) -> pd.Series:
    city, year = INDEX.get_level_values(0), INDEX.get_level_values(1)
    return pd.Series((city.isin(PILOTS) & (year >= start)).astype(float), INDEX, name="did")


@pytest.mark.slow
def test_power_is_the_share_of_rejections_of_brute_force(graph):
    """Outcomes by a dense inverse, with city and year effects, each fitted by the model itself."""
    draws, rho, sigma = 150, 0.4, 0.8
    sizes = (0.5, 1.5)
    found = power(graph, PILOTS, n_periods=T, draws=draws, rho=rho, sigma=sigma, effects=sizes)
    inverse, did = np.linalg.inv(np.eye(N) - rho * W), policy()
    D = did.unstack(0)[CITIES].to_numpy()
    rng = np.random.default_rng(9)
    for e, name in enumerate(("direct", "indirect")):
        for size in (0.0, *sizes):
            wanted = np.zeros(2)
            wanted[e] = size
            own = np.array([[np.trace(m), m.sum() - np.trace(m)] for m in (inverse, inverse @ W)])
            a, b = np.linalg.solve(own.T / N, wanted)
            hits, estimates = 0, []
            for number in range(draws):
                seed = np.random.SeedSequence(0, spawn_key=(number,))
                u = sigma * np.random.default_rng(seed).standard_normal((T, N))
                effects = rng.normal(size=N) + rng.normal(size=(T, 1))
                y = (a * D + b * D @ W.T + effects + u) @ inverse.T
                y = pd.Series(y.T.ravel(), INDEX, name="y")
                row = SpatialDiD(y, did, None, graph).fit().policy_effects().loc[name]
                hits += row["pvalue"] < 0.05
                estimates.append(row["estimate"])
            table = found.power.loc[(name, size)]
            assert table["power"] == hits / draws  # of the same draws: not one differs
            assert_allclose(table["mean"], np.mean(estimates), atol=1e-9)


def test_power_rises_from_the_level_and_is_near_the_asymptotic_one(found):
    for effect in ("direct", "indirect"):
        own = found.power.loc[effect]
        assert own.index[0] == 0 and own["power"].iloc[0] < 0.05 + 4 * np.sqrt(0.0475 / 200)
        assert (own["power"].diff().iloc[1:] > 0).all()
        gap = np.abs(own["power"] - own["asymptotic"])
        assert (gap < 0.06 + 4 * np.sqrt(0.25 / 200)).all()  # small panels: wider than the theory
        error = own["mean_std_error"].iloc[0] / np.sqrt(200)
        assert (np.abs(own["mean"] - own.index) < 5 * error).all()
        assert_allclose(own["std_error"], np.sqrt(own["power"] * (1 - own["power"]) / 200))


def test_the_smallest_effect_has_the_target_power(graph, found):
    for effect in ("direct", "indirect"):
        size = found.minimum.loc[effect, "size"]
        again = power(graph, PILOTS, n_periods=T, draws=200, rho=0.4, effects=[size])
        assert abs(again.power.loc[(effect, size), "power"] - 0.8) <= 0.03
    size = found.minimum.loc["direct"]
    assert abs(size["size"] - size["asymptotic"]) < 0.1 * size["size"]
    small = power(graph, PILOTS, n_periods=T, draws=200, rho=0.4, effects=[0.01])
    assert_allclose(small.minimum["size"], found.minimum["size"], rtol=0.06)


def test_sizes_are_in_units_of_sigma(graph, found):
    large = power(graph, PILOTS, n_periods=T, draws=200, rho=0.4, sigma=10.0)
    assert_allclose(large.minimum["size"], 10 * found.minimum["size"], rtol=1e-9)
    assert_allclose(large.power["power"], found.power["power"])


@pytest.mark.slow
def test_forms_of_pilots_are_the_same(graph, found):
    options = {"draws": 200, "rho": 0.4}
    marked = pd.Series([float(c in PILOTS) for c in CITIES], CITIES)
    begins = pd.Series([4.0 if c in PILOTS else np.nan for c in CITIES], CITIES)
    for treatment in (marked, begins, set(PILOTS), begins.sample(frac=1, random_state=1)):
        same = power(graph, treatment, n_periods=T, **options)
        assert_frame_equal(same.power, found.power)
    assert_frame_equal(power(graph, policy(), **options).power, found.power)
    assert_frame_equal(power(graph, policy(), n_periods=T, **options).cities, found.cities)
    later = power(graph, PILOTS, n_periods=T, start=5, **options)
    assert_frame_equal(later.power, power(graph, policy(2005), **options).power)


@pytest.mark.slow
def test_processes_do_not_matter_and_draws_follow_from_the_seed(graph, found):
    options = {"n_periods": T, "rho": 0.4}
    two = power(graph, PILOTS, draws=200, n_jobs=2, **options)
    assert_frame_equal(two.power, found.power)
    other = power(graph, PILOTS, draws=200, seed=1, **options)
    assert (other.power["mean"] != found.power["mean"]).all()


def test_the_truth_may_be_that_of_an_outcome(graph):
    frame = panels.frame(*panels.arrays(W, T, seed=6, sigma=0.5), entities=CITIES)
    model = SpatialDurbin(frame["y"], frame[["x1", "x2"]], graph).fit()
    options = {"y": frame["y"], "x": frame[["x1", "x2"]], "draws": 100}
    found = power(graph, PILOTS, **options)
    given = power(graph, PILOTS, n_periods=T, rho=model.rho, sigma=np.sqrt(model.sigma2), draws=100)
    assert_allclose(found.minimum["size"], given.minimum["size"], rtol=1e-6)
    assert any("are those of y" in str(told) for told in found.notes)
    own = power(graph, PILOTS, rho=0.0, **options)
    assert "ρ = 0 " in " ".join(map(str, own.notes))


def test_the_other_effect_may_be_there(graph):
    options = {"n_periods": T, "rho": 0.4, "draws": 100}
    beside = power(graph, PILOTS, direct=3.0, **options)
    alone = power(graph, PILOTS, **options)
    row = beside.power.loc[("indirect", 0.0)]
    assert abs(row["mean"]) < 5 * row["mean_std_error"] / 10
    assert row["mean_std_error"] > alone.power.loc[("indirect", 0.0), "mean_std_error"]
    assert_frame_equal(beside.power.loc[["direct"]], alone.power.loc[["direct"]])


def test_serial_correlation_that_the_test_does_not_know_is_said(graph):
    with pytest.warns(DataWarning, match="Without an effect the test rejects .*direct .* %"):
        found = power(graph, PILOTS, n_periods=12, serial=0.8, draws=200)
    assert found.power.loc[("direct", 0.0), "power"] > 0.15
    assert any("AR(1), 0.8" in str(told) for told in found.notes)


def test_the_map_says_what_each_place_adds(graph, found):
    cities = found.cities
    assert list(cities.index[cities["role"] == "pilot"]) == PILOTS
    treated = np.isin(CITIES, PILOTS).astype(float)
    assert_allclose(cities["exposure"], W @ treated)
    assert ((cities["role"] == "neighbour") == ((W @ treated > 0) & (treated == 0))).all()
    assert cities["treated_from"].dropna().eq(4).all()
    times = norm.ppf(0.975) + norm.ppf(0.8)
    for place in (PILOTS[0], CITIES[0]):
        changed = [c for c in PILOTS if c != place] if place in PILOTS else [*PILOTS, place]
        own = power(graph, changed, n_periods=T, rho=0.4, draws=100)
        assert_allclose(cities.loc[place, ["direct", "indirect"]].astype(float),
                        own.minimum["asymptotic"], rtol=1e-6)  # fmt: skip
        error = own.power.loc[("direct", 0.0), "mean_std_error"]  # which hardly depends on it
        assert abs(own.minimum.loc["direct", "asymptotic"] / times / error - 1) < 0.1


def test_candidates_say_how_many_and_how_far_apart():
    """A ring of 24, each linked to the next two; places one apart on the equator."""
    links = np.roll(np.eye(N), 1, axis=1) + np.roll(np.eye(N), -1, axis=1)
    ring = weights.as_graph(panels.row(links), ids=CITIES)
    places = pd.DataFrame({"lon": np.arange(N, dtype=float), "lat": 0.0}, CITIES)
    sets = {"together": CITIES[:6], "apart": CITIES[::4], "three": CITIES[1:20:8]}
    found = power(
        ring, CITIES[2:8:2], n_periods=T, draws=100, candidates=sets, places=places
    ).candidates
    assert list(found.index) == ["treatment", *sets]
    assert list(found["pilots"]) == [3, 6, 6, 3]
    assert_allclose(found["steps"], [2, 1, 4, 8])
    assert_allclose(found["linked"], [0, 10 / 12, 0, 0])
    degree = 111.319491  # km, of the equator on the ellipsoid
    assert_allclose(found["km"], degree * np.array([2, 1, 4, 8]), rtol=1e-6)
    assert found.loc["apart", "direct"] < found.loc["three", "direct"]
    assert (found[["direct_power", "indirect_power"]] > 0.6).all(axis=None)


def test_figures_and_words(found):
    axes = found.plot(lang="zh")
    assert axes.get_ylabel() == "功效" or axes.get_ylabel() == "检验功效"
    assert "least_direct" in found.summary() and found.headline.startswith("Power of 7 pilots")


def test_bad_input_is_named(graph):
    def ask(treatment=PILOTS, g=graph, **options):
        return power(g, treatment, **{"n_periods": T, "draws": 100} | options)

    with pytest.raises(OptionError, match="draws=50 is not valid.*from 100 up"):
        ask(draws=50)
    with pytest.raises(OptionError, match="How many periods"):
        ask(n_periods=None)
    with pytest.raises(OptionError, match="n_periods=2"):
        ask(n_periods=2)
    with pytest.raises(OptionError, match="start=9 is after the last of 6"):
        ask(start=9)
    with pytest.raises(OptionError, match="effects=-1 is not a number above zero"):
        ask(effects=[0.5, -1])
    with pytest.raises(OptionError, match="sigma=0"):
        ask(sigma=0)
    with pytest.raises(OptionError, match="rho=1.2"):
        ask(rho=1.2)
    with pytest.raises(OptionError, match=r"target=0.05 is not above level=0.1"):
        ask(target=0.05, level=0.1)
    with pytest.raises(OptionError, match="'Atlantis'"):
        ask(["Atlantis"])
    with pytest.raises(OptionError, match="treatment is a str"):
        ask("城市01")
    with pytest.raises(TreatmentError, match="none of the 24 places are pilots"):
        ask([])
    with pytest.raises(TreatmentError, match="all of the 24 places"):
        ask(CITIES)
    with pytest.raises(TreatmentError, match="2 places are treated from the first period on"):
        ask(pd.Series([1.0, 1, 3], CITIES[:3]))
    with pytest.raises(TreatmentError, match="outside 1 to 6: 9"):
        ask(pd.Series([9.0, 3], CITIES[:2]))
    with pytest.raises(TreatmentError, match="number of the first treated period"):
        ask(pd.Series(["late", "3"], CITIES[:2]))
    with pytest.raises(OptionError, match="x are controls of y="):
        ask(x=pd.DataFrame({"x": 1.0}, INDEX))
    with pytest.raises(OptionError, match="n_periods=5, and treatment has 6"):
        ask(policy(), n_periods=5)
    with pytest.raises(IdMismatchError, match="城市00"):
        ask(policy().drop(CITIES[0]))
    with pytest.raises(NotRowNormalisedError, match=r"first .* \(row sum .*nqp.weights.normalise"):
        ask(g=weights.as_graph(panels.general(N), ids=CITIES))
    with pytest.raises(OptionError, match="candidates= is a mapping"):
        ask(candidates=[PILOTS])
    full = weights.as_graph((np.ones((N, N)) - np.eye(N)) / (N - 1), ids=CITIES)
    with pytest.raises(TreatmentError, match="cannot be told apart"):
        ask(g=full)
    first = reassign.on(np.array([[0]]), 2)
    assert first.sum() == 2
