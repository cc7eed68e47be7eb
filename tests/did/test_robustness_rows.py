"""Every robustness row of a cluster study is one call, whose number is held against another way.

Rows E2, E6, E7, E8 and E9 of the studies and what goes with few clusters, on the simulated
clusters: 277 real cities and their real pilots, 12 years.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import tables

CONTROLS = ["edu", "fin", "urb", "eco", "ope", "mar"]
FORMULA = f"nqp ~ did + {' + '.join(CONTROLS)}"


@pytest.fixture(scope="module")
def cities():
    frame = nqp.load_simulated_clusters()
    return nqp.load_cities().loc[frame.index.unique(0)]


@pytest.fixture(scope="module")
def panel(cities):
    """With the province of each city, and what the simulated data do not have."""
    frame = nqp.load_simulated_clusters()
    rng = np.random.default_rng(0)
    codes = frame.index.get_level_values(0)
    frame["province"] = codes.map(cities["province_zh"])
    frame["north"] = codes.map(cities["ns_province"])
    other = pd.Series(rng.choice([2013, 2015, 2016, 9999], len(cities)), cities.index)
    year = frame.index.get_level_values(1).to_numpy()
    frame["smart_city"] = (year >= codes.map(other).to_numpy()).astype(float)
    again = pd.Series(rng.permutation(other), cities.index)
    frame["broadband"] = (year >= codes.map(again).to_numpy()).astype(float)
    return frame


def by_dummies(frame, y, x, dummies):
    """The first coefficient, by least squares with columns of dummies."""
    columns = [frame[name].to_numpy(dtype=float) for name in x]
    blocks = [pd.get_dummies(label, dtype=float).to_numpy() for label in dummies]
    X = np.column_stack([*columns, *blocks])
    return np.linalg.lstsq(X, np.asarray(y, dtype=float), rcond=None)[0][0]


def levels(frame):
    return [frame.index.get_level_values(level) for level in (0, 1)]


def test_e2_the_parts_of_an_index_are_columns_of_one_table(panel):
    parts = {"nqp": "nqp", "technology": "patents", "green": "so2", "digital": "telecom"}
    fits = {
        name: nqp.FixedEffects(panel[column], panel[["did", *CONTROLS]]).fit()
        for name, column in parts.items()
    }
    table = tables.regression(fits, keep=["did"]).to_frame()
    assert [heads[1] for heads in table.columns] == list(parts)
    assert [heads[0] for heads in table.columns] == list(parts.values())
    expected = by_dummies(panel, panel["patents"], ["did", *CONTROLS], levels(panel))
    assert_allclose(fits["technology"].params["did"], expected, rtol=1e-7)


@pytest.mark.filterwarnings("ignore:There are only 12 clusters by 'time'")
def test_e6_windows_other_policies_effects_of_provinces_and_trends_are_one_call(panel):
    province_year = panel["province"] + "-" + panel.index.get_level_values(1).astype(str)
    found = nqp.robustness(
        FORMULA,
        panel,
        [
            nqp.Variation("2011-2019", where="2011 <= year <= 2019"),
            nqp.Variation("other policies", add=["smart_city", "broadband"]),
            nqp.Variation("province x year", options={"other_effects": province_year}),
            nqp.Variation("city trends", options={"trends": "entity"}),
            nqp.Variation("two-way clusters", fit={"clusters": ["entity", "time"]}),
        ],
        focus="did",
    )
    frame = found.to_frame()
    assert (frame["error"] == "").all()
    window = panel[panel.index.get_level_values(1) <= 2019]
    expected = by_dummies(window, window["nqp"], ["did", *CONTROLS], levels(window))
    assert_allclose(frame.loc["2011-2019", "estimate"], expected, rtol=1e-7)
    x = ["did", *CONTROLS, "smart_city", "broadband"]
    expected = by_dummies(panel, panel["nqp"], x, levels(panel))
    assert_allclose(frame.loc["other policies", "estimate"], expected, rtol=1e-7)
    own = [levels(panel)[0], province_year.to_numpy()]
    expected = by_dummies(panel, panel["nqp"], ["did", *CONTROLS], own)
    assert_allclose(frame.loc["province x year", "estimate"], expected, rtol=1e-7)
    with_years = by_dummies(panel, panel["nqp"], ["did", *CONTROLS], [*own, levels(panel)[1]])
    assert_allclose(with_years, expected, rtol=1e-7)  # years beside them add nothing
    assert any("implied by" in note for note in found["province x year"].notes)
    city, year = levels(panel)
    slopes = pd.get_dummies(city, dtype=float).to_numpy() * (year.to_numpy() - 2016.5)[:, None]
    blocks = [pd.get_dummies(label, dtype=float).to_numpy() for label in (city, year)]
    X = np.column_stack([panel[["did", *CONTROLS]].to_numpy(), *blocks, slopes])
    expected = np.linalg.lstsq(X, panel["nqp"].to_numpy(), rcond=None)[0][0]
    assert_allclose(frame.loc["city trends", "estimate"], expected, rtol=1e-6)
    assert frame.loc["two-way clusters", "estimate"] == frame.loc["base", "estimate"]
    assert frame.loc["two-way clusters", "std_error"] != frame.loc["base", "std_error"]


def test_e7_did_with_an_instrument_of_count_by_trend(panel, cities):
    """A count of each city in a year before, times a national series by year."""
    rng = np.random.default_rng(1)
    ever = panel["did"].groupby(level=0).max()
    count = (rng.poisson(20, len(ever)) + 12 * ever).rename("posts_1984")
    trend = pd.Series(np.arange(12.0) ** 1.2, range(2011, 2023), name="users")
    z = nqp.instruments.cross_section_trend(count, panel.index, trend)
    res = nqp.IV2SLS(panel["nqp"], panel[CONTROLS], panel["did"], z).fit()
    within = nqp.FixedEffects(panel["nqp"], panel[["did", *CONTROLS]]).absorbed
    columns = pd.concat([panel["nqp"], panel["did"], z, panel[CONTROLS]], axis=1)
    y, d, instrument, x = np.split(within.remove(columns), [1, 2, 3], axis=1)
    left = instrument - x @ np.linalg.lstsq(x, instrument, rcond=None)[0]
    expected = (left.T @ y / (left.T @ d)).item()
    assert_allclose(res.params["did"], expected, rtol=1e-7)
    assert {"kp_rk_lm", "kp_rk_wald_f", "cragg_donald_f"} <= set(res.fit_statistics.index)
    first = nqp.FixedEffects(panel["did"], pd.concat([z, panel[CONTROLS]], axis=1)).fit()
    f = first.wald_test(f"{z.name} = 0").statistic
    assert_allclose(res.fit_statistics["kp_rk_wald_f"], f, rtol=1e-6)


def test_e8_mechanisms_by_interaction(panel):
    fits = {
        name: nqp.Moderation(panel["nqp"], panel["did"], panel[name], panel[["edu", "fin"]]).fit()
        for name in ("digital_finance", "ope")
    }
    table = tables.regression(fits).to_frame()
    assert [heads[1] for heads in table.columns] == list(fits)
    product = (panel["did"] * panel["ope"]).rename("did:ope")
    frame = panel.assign(product=product)
    x = ["product", "did", "ope", "edu", "fin"]
    expected = by_dummies(frame, frame["nqp"], x, levels(frame))
    assert_allclose(fits["ope"].params["did:ope"], expected, rtol=1e-6)


def test_e9_groups_with_the_p_of_their_difference_as_a_row(panel, cities):
    model = nqp.FixedEffects(panel["nqp"], panel[["did", *CONTROLS]])
    found = nqp.comparison.heterogeneity(
        model, cities["ns_province"], variable="did", tests="permutation", replications=40, seed=1
    )
    table = found.table().to_frame()
    assert any("p, equal did" in str(label) for label in table.index.get_level_values(0))
    name = found.estimates("did").index.get_level_values("group")[0]
    part = panel[panel.index.get_level_values(0).map(cities["ns_province"]) == name]
    expected = by_dummies(part, part["nqp"], ["did", *CONTROLS], levels(part))
    assert_allclose(found.results[name].params["did"], expected, rtol=1e-7)


def test_e9_groups_that_change_from_year_to_year(panel):
    """Cities above and below the mean market level of each year change groups."""
    market = panel["mar"]
    high = market > market.groupby(level=1).transform("mean")
    groups = high.map({True: "high", False: "low"}).rename("market")
    model = nqp.FixedEffects(panel["nqp"], panel[["did", *CONTROLS]])
    found = nqp.comparison.heterogeneity(
        model, groups, variable="did", tests=("interaction", "sur")
    )
    part = panel[high]
    expected = by_dummies(part, part["nqp"], ["did", *CONTROLS], levels(part))
    assert_allclose(found.results["high"].params["did"], expected, rtol=1e-7)
    assert {"interaction", "sur"} == {key[-1] for key in found.by_comparison}


def test_few_clusters_have_a_bootstrap(panel):
    """Four regions: clustered t has no footing, and 16 sign vectors allow no p below 1 / 8."""
    regions = panel["province"].map(lambda name: sum(map(ord, name)) % 4).rename("region")
    with pytest.warns(nqp.exceptions.DataWarning, match="only 4 clusters"):
        res = nqp.FixedEffects(panel["nqp"], panel[["did", *CONTROLS]]).fit(clusters=regions)
    signs = res.wild_bootstrap("did")
    assert signs.table["draws"].iloc[0] == 16 and signs.pvalue >= 2 / 16
    webb = res.wild_bootstrap("did", weights="webb", draws=999)
    assert 1 / 1000 <= webb.pvalue <= 1
    provinces = nqp.FixedEffects(panel["nqp"], panel[["did", *CONTROLS]]).fit(
        clusters=panel["province"]
    )
    found = provinces.wild_bootstrap("did", draws=999)
    assert found.pvalue == 1 / 1000 and found.conf_int()[0] > 0
    assert_allclose(found.statistic, provinces.tstats["did"], rtol=1e-8)


def test_one_cohort_or_province_and_the_checks_are_one_call(panel, cities):
    graph = nqp.weights.normalise(nqp.weights.knn(cities, k=5), "row")
    model = nqp.SpatialDiD(panel["nqp"], panel["did"], panel[CONTROLS], graph)
    cohorts = nqp.did.leave_out(model, "cohort")
    assert cohorts.table.index.unique("left_out").tolist() == ["all", 2013, 2015, 2018]
    checked = nqp.did.checks(model.fit(), places=cities, km=(50, 100), draws=199)
    assert checked.sizes[["treated", "cohorts", "never"]].tolist() == [52, 3, 225]
    assert set(checked.answers) == {
        *("clustering", "exposure", "bias", "neighbours", "size", "verdict")
    }
