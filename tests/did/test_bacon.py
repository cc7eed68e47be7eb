"""The parts of a two-way fixed-effects coefficient, and the weights that it gives to effects."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    TreatmentError,
    UnbalancedPanelError,
)
from tests import REFERENCE
from tests.did.staggered_panels import drawn, reference_panel

did = nqp.did


@pytest.fixture(scope="module")
def panel():
    frame = reference_panel()
    return frame.assign(zt=frame["z"] * frame.index.get_level_values(1))


TWOS = pd.read_csv(REFERENCE / "two_by_twos.csv")
REGRESSORS = {
    "plain": None,
    "always": None,
    "x": ["x"],
    "x z-trend": ["x", "zt"],
    "always x": ["x"],
}


def _case(panel, case):
    return panel[panel.index.get_level_values(1) >= 2003] if "always" in case else panel


@pytest.mark.filterwarnings("ignore:12 entities are treated in every period")
@pytest.mark.parametrize("case", REGRESSORS)
def test_parts_are_those_of_regressions_with_dummies(panel, case):
    """tests/reference/two_by_twos.R: each part a regression of its own, by base R."""
    frame, x = _case(panel, case), REGRESSORS[case]
    found = did.bacon(frame["y"], frame["did"], None if x is None else frame[x])
    expected = TWOS[TWOS["case"] == case]
    pairs = expected[expected["kind"] == "pair"]
    ours = {}
    for _, treated, control, *values in found.pairs.itertuples(index=False):
        key = (treated, 0 if control == "never" else control)
        ours[key if x is None else frozenset(key)] = values
    keys = [(int(a), int(b)) for a, b in zip(pairs["a"], pairs["b"], strict=True)]
    theirs = pairs[["estimate", "weight"]].to_numpy()
    assert len(ours) == len(pairs)
    assert_allclose([ours[k if x is None else frozenset(k)] for k in keys], theirs, rtol=1e-9)
    whole = expected[expected["kind"] == "twfe"]["estimate"].item()
    assert_allclose(found.estimate, whole, rtol=1e-10)
    assert (found.within is None) == (x is None)
    if x is not None:
        (within,) = expected[expected["kind"] == "within"][["estimate", "weight"]].to_numpy()
        assert_allclose(found.within[["estimate", "weight"]], within, rtol=1e-9)


def test_castle_is_what_r_and_stata_print(shared):
    reference = json.loads((shared / "reference/panel_reference.json").read_text("utf-8"))
    printed = reference["3_goodman_bacon"]["castle_causaldata"]
    frame = pd.read_csv(shared / "reference/data/castle_causaldata.csv").set_index(["sid", "year"])
    found = did.bacon(frame["l_homicide"], frame["post"])
    assert_allclose(found.estimate, printed["dd"], atol=1e-9)
    for kind, (weight, estimate) in printed["components"].items():
        assert_allclose(found.by_kind.loc[kind], [weight, estimate], atol=1e-9)
    assert list(found.by_kind.index) == list(printed["components"])
    assert_allclose(found.forbidden, printed["components"]["Later vs Earlier Treated"][0],
                    atol=1e-9)  # fmt: skip


def random_panel(seed, cohorts, years):
    frame = drawn(cohorts, years=range(2001, 2001 + years), seed=seed)
    return frame.assign(w=np.random.default_rng(seed).uniform(size=len(frame)))


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(2, 6), min_size=2, max_size=4),
    never=st.integers(0, 5),
    years=st.integers(5, 8),
    regressors=st.sampled_from([None, ["x"], ["x", "w"]]),
)
@pytest.mark.filterwarnings("ignore:.*entities are treated in every period")
def test_parts_sum_to_the_coefficient(seed, sizes, never, years, regressors):
    cohorts = {0: never} | {2001 + years - 1 - i: n for i, n in enumerate(sizes)}
    frame = random_panel(seed, {g: n for g, n in cohorts.items() if n}, years)
    x = None if regressors is None else frame[regressors]
    found = did.bacon(frame["y"], frame["did"], x)
    columns = frame[["did", *(regressors or [])]]
    slope = nqp.FixedEffects(frame["y"], columns).fit(cov_type="unadjusted").params["did"]
    kinds = found.by_kind
    assert_allclose(found.estimate, slope, rtol=1e-10, atol=1e-12)
    assert_allclose(kinds["weight"].sum(), 1.0, rtol=1e-12)
    assert_allclose((kinds["weight"] * kinds["estimate"]).sum(), slope, rtol=1e-9, atol=1e-12)
    assert (found.pairs["weight"] > 0).all()
    weights = did.twfe_weights(frame["y"], frame["did"], x)
    assert_allclose(weights.estimate, slope, rtol=1e-9, atol=1e-12)
    assert_allclose(weights.weights.sum(), 1.0, rtol=1e-9)
    assert_allclose(weights.cells["weight"].sum(), 1.0, rtol=1e-9)


def test_one_effect_for_all_is_the_estimate_of_every_part():
    frame = drawn({0: 5, 2001: 3, 2003: 4, 2005: 6}, seed=3)
    year = frame.index.get_level_values(1)
    level = frame.groupby(level=0)["x"].transform("mean")
    frame["y"] = level + np.sin(year.to_numpy()) + 2.5 * frame["did"]
    with pytest.warns(DataWarning, match="3 entities are treated in every period"):
        found = did.bacon(frame["y"], frame["did"])
    assert_allclose(found.pairs["estimate"], 2.5, rtol=1e-10)
    assert set(found.by_kind.index) == {
        *("Treated vs Untreated", "Earlier vs Later Treated", "Later vs Earlier Treated"),
        "Later vs Always Treated",
    }
    forbidden = found.by_kind.loc[["Later vs Earlier Treated", "Later vs Always Treated"], "weight"]
    assert_allclose(found.forbidden, forbidden.sum(), rtol=1e-12)
    assert f"{100 * found.forbidden:.1f} % of the weight" in found.notes[-1]


def test_the_coefficient_is_the_weighted_sum_of_the_effects():
    """Without noise, whatever the effects and the regressors: what the weights are for."""
    frame = drawn({0: 5, 2003: 4, 2005: 6}, seed=4)
    rng = np.random.default_rng(0)
    effects = pd.Series(rng.normal(size=len(frame)), frame.index)
    year = frame.index.get_level_values(1).to_numpy()
    frame["y"] = rng.normal(size=15).repeat(8) + np.cos(year) + effects * frame["did"]
    frame["y"] += 0.7 * frame["x"]
    for x in (None, frame[["x"]]):
        if x is None:
            frame["plain"] = frame["y"] - 0.7 * frame["x"]
        y = frame["plain"] if x is None else frame["y"]
        found = did.twfe_weights(y, frame["did"], x)
        expected = (found.weights * effects.loc[found.weights.index]).sum()
        assert_allclose(found.estimate, expected, rtol=1e-10)


WEIGHTS = {"weights": None, "weights x": ["x"], "weights unbalanced": None, "weights dose": None}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_and_sensitivity_are_those_of_the_definitions(panel, case):
    """tests/reference/two_by_twos.R; a dose that ends in some units among them."""
    frame, x = panel, WEIGHTS[case]
    if "unbalanced" in case:
        frame = panel[panel["kept"] == 1]
    if "dose" in case:
        unit, year = (panel.index.get_level_values(i) for i in (0, 1))
        dose = panel["did"] * (1 + unit % 3)
        frame = panel.assign(did=dose.where((unit % 7 > 0) | (year < 2008), 0.0))
    found = did.twfe_weights(frame["y"], frame["did"], None if x is None else frame[x])
    expected = TWOS[TWOS["case"] == case]
    weights = expected[expected["kind"] == "weight"]
    keys = list(zip(weights["a"].astype(int), weights["b"].astype(int), strict=True))
    assert len(keys) == len(found.weights)
    assert_allclose(found.weights.loc[keys], weights["estimate"], atol=1e-12)
    assert_allclose(found.sigma, expected[expected["kind"] == "sigma"]["estimate"].item(),
                    rtol=1e-9)  # fmt: skip
    opposite = expected[expected["kind"] == "opposite"]["estimate"]
    if len(opposite):
        assert_allclose(found.sigma_opposite, opposite.item(), rtol=1e-9)
    else:
        assert np.isnan(found.sigma_opposite)
    negative = weights["estimate"] < -1e-10
    assert found.n_negative == negative.sum()
    assert_allclose(found.sum_negative, weights["estimate"][negative].sum(), atol=1e-12)
    assert_allclose(found.sum_positive + found.sum_negative, 1.0, rtol=1e-10)
    assert found.cells["negative"].sum() == found.n_negative
    assert found.cells["n_treated"].sum() == len(weights)


def test_order_and_names_do_not_matter(panel):
    one = did.bacon(panel["y"], panel["did"], panel[["x"]])
    other = panel.sample(frac=1, random_state=0)
    names = {unit: f"c{(unit * 37) % 80:02d}" for unit in panel.index.unique(0)}
    other.index = other.index.set_levels([names[u] for u in other.index.levels[0]], level=0)
    two = did.bacon(other["y"] * 10 + 3, other["did"], other[["x"]] / 7)
    assert two.pairs[["kind", "treated", "control"]].equals(
        one.pairs[["kind", "treated", "control"]]
    )
    assert_allclose(two.pairs["estimate"], 10 * one.pairs["estimate"], rtol=1e-8)
    assert_allclose(two.by_kind["weight"], one.by_kind["weight"], rtol=1e-8)
    a, b = (did.twfe_weights(f["y"], f["did"]) for f in (panel, other))
    assert_allclose(b.cells["weight"], a.cells["weight"], atol=1e-12)
    assert_allclose(b.sigma_opposite, a.sigma_opposite, rtol=1e-9)


def test_what_cannot_be_decomposed(panel):
    absent = panel.drop(index=[(5, 2004), (7, 2002)])
    with pytest.raises(UnbalancedPanelError, match=r"2 .*missing, first \(5, 2004\), \(7, 2002\)"):
        did.bacon(absent["y"], absent["did"])
    on = panel["did"].copy()
    on.loc[(30, 2008)] = 0.0
    with pytest.raises(TreatmentError, match="switches off"):
        did.bacon(panel["y"], on)
    for value in (0.0, 1.0):
        with pytest.raises(TreatmentError, match="in every row"):
            did.twfe_weights(panel["y"], panel["did"] * 0 + value)
    with pytest.raises(CollinearityError, match="'did'"):
        did.bacon(panel["y"], panel["did"], panel[["did"]].rename(columns={"did": "same"}))
    once = drawn({2004: 10})
    with pytest.raises(TreatmentError, match="All treated entities are so from 2004"):
        did.bacon(once["y"], once["did"])
    for x in (None, once[["x"]]):
        with pytest.raises((CollinearityError, ConstantColumnError), match="'did'"):
            did.twfe_weights(once["y"], once["did"], x)
