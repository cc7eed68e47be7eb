"""FixedEffects with any number of effects, trends and covariances, against explicit dummies."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import FixedEffects
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    IdMismatchError,
    OptionError,
)
from tests import panels
from tests.by_hand import dummies

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

X = ["x1", "x2"]


@pytest.fixture(scope="module")
def firms():
    """60 firms in 9 cities of 3 provinces over 9 years; firms move, rows are missing."""
    rng = np.random.default_rng(12)
    index = pd.MultiIndex.from_product(
        [[f"f{i:02d}" for i in range(60)], range(2008, 2017)], names=["firm", "year"]
    )
    index = index[rng.random(len(index)) > 0.25]
    n = len(index)
    firm = index.codes[0]
    city = (firm // 7 + (rng.random(n) < 0.1)) % 9
    year = index.get_level_values(1).to_numpy()
    data = pd.DataFrame(rng.normal(size=(n, 3)), index, ["e", "x1", "x2"])
    data["x2"] = np.exp(data["x2"]) * 1e4
    data["city"], data["province"] = city, city // 3
    data["industry"] = np.array(list("abcd"))[(firm + (rng.random(n) < 0.2)) % 4]
    data["firm_city"] = [f"{f}-{c}" for f, c in zip(firm, city, strict=True)]
    data["province_year"] = [f"{c}-{y}" for c, y in zip(city // 3, year, strict=True)]
    trend = (firm % 5) * (year - 2012) * 0.2
    return data.assign(y=data["x1"] - data["x2"] / 1e4 + firm / 9 + trend + data["e"])


class Explicit:
    """Least squares on regressors and dummies: nothing is removed first."""

    def __init__(self, data, blocks):
        X_all = np.hstack([data[X], *blocks])
        self.n, size = len(data), np.linalg.norm(X_all, axis=0)
        self.rank = np.linalg.matrix_rank(X_all / size)
        self.beta = np.linalg.lstsq(X_all / size, data["y"], rcond=None)[0] / size
        self.e = (data["y"] - X_all @ self.beta).to_numpy()
        D = np.hstack(blocks)
        left = data[X].to_numpy()
        left = left - D @ np.linalg.lstsq(D, left, rcond=None)[0]  # Frisch and Waugh
        self.scores = left * self.e[:, None]
        self.bread = np.linalg.inv(left.T @ left)

    def errors(self, M, factor):
        return np.sqrt(np.diag(self.bread @ M @ self.bread) * factor)

    def unadjusted(self):
        return np.sqrt(np.diag(self.bread) * (self.e @ self.e) / (self.n - self.rank))

    def clustered(self, labels, nested):
        sums = pd.DataFrame(self.scores).groupby(np.asarray(labels)).sum().to_numpy()
        G = len(sums)
        return self.errors(
            sums.T @ sums, G / (G - 1) * (self.n - 1) / (self.n - self.rank + nested)
        )


def level(data, i):
    return data.index.get_level_values(i)


CASES = {
    "firm-city, industry, year": ("time", ["firm_city", "industry"], None),
    "firm, city, industry, province-year": (
        "entity",
        ["city", "industry", "province_year"],
        None,
    ),
    "firm, year, firm trends": ("twoway", [], "entity"),
    "firm, province-year, industry, firm trends": (
        "entity",
        ["province_year", "industry"],
        "entity",
    ),
    "firm, year, province trends": ("twoway", [], "province"),
}


def specification(data, case):
    effects, others, trends = CASES[case]
    return FixedEffects(
        data["y"],
        data[X],
        effects=effects,
        other_effects=data[others] if others else None,
        trends=data["province"] if trends == "province" else trends,
    )


def explicit(data, case):
    effects, others, trends = CASES[case]
    blocks = [dummies(data[name]) for name in others]
    blocks += [dummies(level(data, 0))] if effects in ("entity", "twoway") else []
    blocks += [dummies(level(data, 1))] if effects in ("time", "twoway") else []
    if trends:
        labels = level(data, 0) if trends == "entity" else data["province"]
        blocks.append(dummies(labels) * (level(data, 1).to_numpy() - 2012.0)[:, None])
    if case == "firm, year, province trends":  # firms move: their means do not span provinces'
        blocks.append(dummies(data["province"]))
    return Explicit(data, blocks)


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_effects_equals_dummies(firms, case):
    if case == "firm, year, province trends":
        firms = firms.assign(province=firms.index.codes[0] // 20)
    model, known = specification(firms, case), explicit(firms, case)
    plain = model.fit(cov_type="unadjusted")
    assert plain.rank == known.rank
    assert plain.df_resid == known.n - known.rank
    assert_allclose(plain.params, known.beta[:2], rtol=1e-9)
    assert_allclose(plain.resids.to_numpy(), known.e, atol=1e-9)
    assert_allclose(plain.std_errors, known.unadjusted(), rtol=1e-9)
    robust = model.fit(cov_type="robust").std_errors
    M = known.scores.T @ known.scores
    assert_allclose(robust, known.errors(M, known.n / (known.n - known.rank)), rtol=1e-9)
    # nested in the clusters: firm effects in firms, firm-city and city effects in none or both
    nested = 0 if "firm," not in case else firms.index.get_level_values(0).nunique() - 1
    if case == "firm-city, industry, year":
        nested = firms["firm_city"].nunique() - 1
    by_firm = model.fit().std_errors
    assert_allclose(by_firm, known.clustered(level(firms, 0), nested), rtol=1e-9)
    by_year = model.fit(clusters="time").std_errors
    inside = firms.index.get_level_values(1).nunique() - 1 if "year" in case else 0
    if "province-year" in case:
        inside = firms["province_year"].nunique() - 1
    assert_allclose(by_year, known.clustered(level(firms, 1), inside), rtol=1e-9)


def test_kernel_within_firms_by_loops(firms):
    """Newey and West: lags by calendar year, also across gaps, never from another firm."""
    result = specification(firms, "firm, year, firm trends").fit(cov_type="kernel", bandwidth=3)
    known = explicit(firms, "firm, year, firm trends")
    year = level(firms, 1).to_numpy()
    M = np.zeros((2, 2))
    for firm in range(60):
        rows = np.flatnonzero(firms.index.codes[0] == firm)
        for a in rows:
            for b in rows:
                gap = abs(year[a] - year[b])
                M += max(0, 1 - gap / 4) * np.outer(known.scores[a], known.scores[b])
    n = known.n
    assert_allclose(
        result.std_errors, known.errors(M, 9 / 8 * (n - 1) / (n - known.rank)), rtol=1e-8
    )
    assert (result.df_resid, result.cov_type) == (8, "kernel")


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(3)
    spots = {"lon": rng.uniform(110, 116, 60), "lat": rng.uniform(28, 32, 60)}
    return pd.DataFrame(spots, [f"f{i:02d}" for i in range(60)])


@pytest.mark.parametrize("kernel", ["bartlett", "uniform"])
def test_conley_by_loops(firms, places, kernel):
    from pyproj import Geod

    case = "firm, city, industry, province-year"
    result = specification(firms, case).fit(
        cov_type="conley", cutoff_km=200, coordinates=places, kernel=kernel
    )
    known = explicit(firms, case)
    geod, M = Geod(ellps="WGS84"), np.zeros((2, 2))
    lon, lat = places["lon"].to_numpy(), places["lat"].to_numpy()
    km = np.array(
        [[geod.inv(lon[i], lat[i], lon[j], lat[j])[2] / 1e3 for j in range(60)] for i in range(60)]
    )
    weight = np.where(km <= 200, 1 - km / 200 if kernel == "bartlett" else 1.0, 0.0)
    firm, year = firms.index.codes[0], level(firms, 1).to_numpy()
    for a in range(known.n):
        near = (year == year[a]) * weight[firm[a], firm]
        M += np.outer(known.scores[a], near @ known.scores)
    factor = known.n / (known.n - known.rank)
    assert_allclose(result.std_errors, known.errors(M, factor), rtol=1e-8)
    assert result.cov_type == "conley 200 km"


def test_conley_of_a_cross_section_equals_fixest_but_for_the_ellipsoid(shared):
    """panel_reference.json, 11_conley: as in spatial/test_covariance, with the factor of n - 2."""
    quakes = pd.read_csv(shared / "reference" / "data" / "quakes.csv")
    saved = json.loads((shared / "reference" / "panel_reference.json").read_text())["11_conley"]
    index = pd.MultiIndex.from_product([quakes.index, [0]])
    model = FixedEffects(
        quakes["depth"].astype(float).set_axis(index), quakes[["mag"]].set_axis(index), effects=None
    )
    places = quakes.rename(columns={"long": "lon"})[["lon", "lat"]]
    places["lon"] = (places["lon"] + 180) % 360 - 180
    places.loc[[779, 394], "lat"] += 1e-5  # two pairs are at one place, which is refused
    for cutoff in (25, 100, 200):
        options = {"cov_type": "conley", "cutoff_km": cutoff, "coordinates": places}
        fixest = list(saved["values"][f"quakes noadj {cutoff} spherical"].values())
        found = model.fit(**options, kernel="uniform")
        assert_allclose(found.params, [881.6250236, -123.4209210], rtol=1e-9)
        assert_allclose(found.std_errors * np.sqrt(998 / 1000), fixest, rtol=0.007)
        sphere = saved["bartlett_bruteforce_R6371"][f"c{cutoff}"]
        assert_allclose(model.fit(**options).std_errors * np.sqrt(0.998), sphere, rtol=0.0012)


def test_kernel_errors_equal_fixests_newey_west(shared):
    saved = json.loads((shared / "reference" / "panel_reference.json").read_text())
    known = saved["6_panel_fe_re_tests"]["conventions"]["Grunfeld_TW"]["fixest_NW2"]
    data = panels.grunfeld()
    model = FixedEffects(data["inv"], data[["value", "capital"]])
    found = model.fit(cov_type="kernel", bandwidth=2)
    assert_allclose(found.std_errors, known, rtol=1e-8)
    assert found.df_resid == 19


def test_effects_and_trends_are_told(firms):
    result = specification(firms, "firm, province-year, industry, firm trends").fit()
    assert result.effects_included == ("entity", "province_year", "industry", "entity trends")
    assert result.unadjusted.index.tolist() == X
    plain = specification(firms, "firm, province-year, industry, firm trends")
    assert_allclose(result.unadjusted, plain.fit(cov_type="unadjusted").cov, rtol=1e-12)


def test_order_of_rows_and_kinds_does_not_matter(firms):
    one = FixedEffects(
        firms["y"], firms[X], effects="entity", other_effects=firms[["city", "industry"]]
    ).fit()
    mixed = firms.sample(frac=1, random_state=4)
    other = FixedEffects(
        mixed["y"], mixed[X], effects="entity", other_effects=mixed[["industry", "city"]]
    ).fit()
    assert_allclose(one.params, other.params, rtol=1e-10)
    assert_allclose(one.cov, other.cov, rtol=1e-9)


def test_text_periods_have_trends_by_their_place(firms):
    index = firms.index.set_levels(firms.index.levels[1].astype(str), level=1)
    one = FixedEffects(firms["y"], firms[X], trends="entity").fit()
    text = firms.set_axis(index)
    assert_allclose(FixedEffects(text["y"], text[X], trends="entity").fit().cov, one.cov, rtol=1e-9)


# singletons --------------------------------------------------------------------------------------


def test_singletons_are_counted_or_dropped(firms):
    once = firms.groupby("firm_city")["y"].transform("size").eq(1)
    assert once.sum() > 3
    options = {"effects": "time", "other_effects": firms["firm_city"]}
    kept = FixedEffects(firms["y"], firms[X], **options).fit()
    assert kept.extra_statistics["n_singletons"] == once.sum()
    with pytest.warns(DataWarning, match=rf"{once.sum()} of {len(firms)} rows are alone .*first"):
        dropping = FixedEffects(firms["y"], firms[X], singletons="drop", **options)
    labels = firms["province"]
    dropped = dropping.fit(clusters=labels)
    rest = firms[~once]
    by_hand = FixedEffects(rest["y"], rest[X], effects="time", other_effects=rest["firm_city"]).fit(
        clusters=rest["province"]
    )
    assert_allclose(dropped.params, kept.params, rtol=1e-10)
    assert_allclose(dropped.cov, by_hand.cov, rtol=1e-10)
    assert dropped.nobs == len(rest)
    assert "n_singletons" not in dropped.extra_statistics
    assert set(dropped.singletons) == set(firms.index[once]) and not len(kept.singletons)
    told = f"{once.sum()} of {len(firms)} rows are alone in a category of the effects (singletons)"
    assert any(note.startswith(told) for note in dropped.notes) and told in dropped.summary()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing to drop, nothing to say
        FixedEffects(rest["y"], rest[X], effects="time", singletons="drop")


def test_nothing_is_left_without_singletons(firms):
    one = firms.groupby(level=0).head(1)
    with pytest.raises(EstimationError, match="Every row is alone in a category"):
        FixedEffects(one["y"], one[X], singletons="drop")


# what is refused ---------------------------------------------------------------------------------


def test_collinear_with_effects_and_trends(firms):
    y, year = firms["y"], level(firms, 1).to_numpy()
    slope = pd.Series(firms.index.codes[0] * year, firms.index, name="slope")
    with pytest.raises(ConstantColumnError, match="'slope' does not vary once the effects"):
        FixedEffects(y, firms[["x1"]].assign(slope=slope), trends="entity")
    assert "slope" in FixedEffects(y, firms[["x1"]].assign(slope=slope)).fit().params
    industrial = firms["industry"].map({"a": 1.0, "b": 5.0, "c": 2.0, "d": 8.0})
    mixed = firms[X].assign(z=firms["x1"] + industrial)
    with pytest.raises(CollinearityError, match="'z' is a linear combination of 'x1' once"):
        FixedEffects(y, mixed, other_effects=firms["industry"])


def test_trends_that_cannot_be(firms):
    y, x = firms["y"], firms[X]
    with pytest.raises(OptionError, match="Trends by 'entity' need effects that remove"):
        FixedEffects(y, x, effects="time", trends="entity")
    with pytest.raises(OptionError, match="Trends by 'city' need effects"):  # firms move
        FixedEffects(y, x, trends=firms["city"])
    with pytest.raises(OptionError, match="Did you mean 'entity'"):
        FixedEffects(y, x, trends="entiti")
    with pytest.raises(OptionError, match=r"trends 'industry' is empty at \('f00', 20"):
        FixedEffects(y, x, trends=firms["industry"].where(firms["x1"] > 9))
    with pytest.raises(IdMismatchError, match="y and trends do not have the same"):
        FixedEffects(y, x, trends=firms["industry"].iloc[1:])
    with pytest.raises(OptionError, match="singletons='leave' is not known"):
        FixedEffects(y, x, singletons="leave")


def test_clusters_that_effects_are_not_nested_in(firms):
    """Labels that cut across firms: all effects are counted; one cluster is none."""
    rng = np.random.default_rng(0)
    labels = pd.Series(rng.integers(0, 12, len(firms)), firms.index, name="cut")
    case = "firm, city, industry, province-year"
    found = specification(firms, case).fit(clusters=labels).std_errors
    assert_allclose(found, explicit(firms, case).clustered(labels, 0), rtol=1e-9)
    with pytest.raises(EstimationError, match="at least two clusters"):
        specification(firms, case).fit(clusters=labels * 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cov_type": "conley"}, "needs cutoff_km= and coordinates="),
        ({"cutoff_km": 100}, 'cutoff_km= belongs to cov_type="conley"'),
        ({"cov_type": "robust", "serial_lags": 1}, "serial_lags= belongs"),
        ({"cov_type": "kernel", "bandwidth": 9}, "bandwidth=9 must be from 0 to 8"),
        ({"cov_type": "kernel", "kernel": "uniform"}, "kernel='uniform' is not known"),
        ({"cov_type": "conley", "cutoff_km": 100, "coordinates": 0, "kernel": "parzen"}, "parzen"),
        ({"cov_type": "kernel", "clusters": "time"}, "clusters= belongs"),
    ],
)
def test_options_that_do_not_belong_together(firms, options, message):
    with pytest.raises(OptionError, match=message):
        FixedEffects(firms["y"], firms[X]).fit(**options)


def test_places_must_be_those_of_the_panel(firms, places):
    options = {"cov_type": "conley", "cutoff_km": 100, "coordinates": places.iloc[1:]}
    with pytest.raises(IdMismatchError, match="'f00'"):
        FixedEffects(firms["y"], firms[X]).fit(**options)
