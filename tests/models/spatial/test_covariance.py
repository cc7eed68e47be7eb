"""Covariances of fit(cov_type=...) against least squares, loops with geodesics, and mistakes."""

import dataclasses
import itertools
import json
import warnings

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pyproj import Geod
from scipy import stats

from nqp_spatial import (
    GNS,
    SAC,
    SLX,
    FixedEffects,
    SpatialDiD,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
)
from nqp_spatial.core.spatial import sandwich
from nqp_spatial.exceptions import (
    BoundaryWarning,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    IslandWarning,
    OptionError,
)
from nqp_spatial.models.spatial import covariance
from tests import panels

N, T = 40, 7
MODELS = (SpatialLag, SLX, SpatialError, SpatialDurbin, SpatialDurbinError, SAC, GNS)
NAMES = [f"c{i:02d}" for i in range(N)]
PROVINCES = pd.Series([f"省{i % 23}" for i in range(N)], index=NAMES, name="province")


@pytest.fixture(scope="module")
def weights():
    return panels.knn(N, seed=4), NAMES


@pytest.fixture(scope="module")
def data():
    W = panels.knn(N, seed=4)
    y, X = panels.arrays(W, T, seed=4)
    return panels.frame(y, X, NAMES)


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(4)
    lon, lat = rng.uniform(100, 110, N), rng.uniform(25, 35, N)
    return pd.DataFrame({"lon": lon, "lat": lat}, index=NAMES)


@pytest.fixture(scope="module")
def options(places):
    return {
        "robust": {"cov_type": "robust"},
        "entity": {"cov_type": "clustered"},
        "province": {"cov_type": "clustered", "clusters": PROVINCES},
        "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": 2},
        "conley": {
            "cov_type": "conley",
            "cutoff_km": 400,
            "coordinates": places,
            "serial_lags": 1,
        },
    }


KINDS = ["robust", "entity", "province", "driscoll-kraay", "conley"]


def durbin(data, weights, model=SpatialDurbin, **choice):
    return model(data["y"], data[["x1", "x2"]], weights, **choice)


# least squares --------------------------------------------------------------------------------

TWO = pd.DataFrame({"province": PROVINCES, "ten": np.arange(N) % 21}, index=NAMES)


def by_row(labels, index):
    return labels.reindex(index.get_level_values(0)).set_axis(index)


@pytest.mark.parametrize("effects", ["twoway", "entity", "time", None])
@pytest.mark.parametrize(
    "kind", ["robust", "entity", "province", "time", "two", "entity, time", "driscoll-kraay"]
)
@pytest.mark.parametrize("lags", [False, True])
@pytest.mark.filterwarnings("ignore:There are only:nqp_spatial.exceptions.DataWarning")
@pytest.mark.filterwarnings("ignore:The covariance of what is:nqp_spatial.exceptions.DataWarning")
def test_without_rho_the_inference_is_that_of_fixed_effects(data, weights, effects, kind, lags):
    """Which in turn is that of reghdfe and fixest (test_fixed_effects)."""
    ours = {
        "robust": {"cov_type": "robust"},
        "entity": {"cov_type": "clustered", "clusters": "entity"},
        "province": {"cov_type": "clustered", "clusters": PROVINCES},
        "time": {"cov_type": "clustered", "clusters": "time"},
        "two": {"cov_type": "clustered", "clusters": TWO},
        "entity, time": {"cov_type": "clustered", "clusters": ["entity", "time"]},
        "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": 2},
    }[kind]
    theirs = dict(ours)
    if kind in ("province", "two"):
        theirs["clusters"] = by_row(ours["clusters"], data.index)
    x = data[["x1", "x2"]].copy()
    if lags:
        W = weights[0]
        for name in ("x1", "x2"):
            wide = data[name].unstack("year").loc[NAMES]
            x[f"W_{name}"] = pd.DataFrame(W @ wide.to_numpy(), wide.index, wide.columns).stack()
    least = FixedEffects(data["y"], x, effects=effects).fit(**theirs)
    durbin_names = None if lags else []
    model = durbin(data, weights, SLX, durbin=durbin_names, effects=effects)
    spatial = model.fit(**ours)
    assert_allclose(spatial.params, least.params[spatial.params.index], rtol=1e-9)
    names = spatial.params.index
    assert_allclose(spatial.cov, least.cov.loc[names, names], rtol=1e-9, atol=1e-13)
    assert spatial.df_resid == least.df_resid
    assert_allclose(spatial.pvalues, least.pvalues[names], rtol=1e-7)
    restriction = [f"{name} = 0" for name in x.columns]
    assert_allclose(
        spatial.wald_test(restriction).pvalue, least.wald_test(restriction).pvalue, rtol=1e-6
    )


@pytest.mark.parametrize("effects", ["twoway", "entity", "time"])
@pytest.mark.parametrize("clusters", ["entity", "time", ["entity", "time"]])
@pytest.mark.filterwarnings("ignore:There are only:nqp_spatial.exceptions.DataWarning")
def test_clusters_after_the_analytic_correction(data, weights, effects, clusters):
    """Period effects that are nested in clusters of periods are not counted there either."""
    x = data[["x1", "x2"]]
    chosen = {"cov_type": "clustered", "clusters": clusters}
    model = SLX(data["y"], x, weights, durbin=[], effects=effects, correction="bias-corrected")
    least = FixedEffects(data["y"], x, effects=effects).fit(**chosen)
    assert_allclose(model.fit(**chosen).cov, least.cov, rtol=1e-9)


@pytest.mark.parametrize("clusters", ["entity", "time", ["entity", "time"]])
@pytest.mark.filterwarnings("ignore:There are only:nqp_spatial.exceptions.DataWarning")
def test_clusters_where_two_parts_share_no_period(data, weights, clusters):
    """The dummies of both kinds of effects then have rank N + T - 2."""
    even = data.index.get_level_values(0).isin(NAMES[::2])
    years = data.index.get_level_values(1)
    parts = data[even == (years < years.min() + 3)]
    x, chosen = parts[["x1", "x2"]], {"cov_type": "clustered", "clusters": clusters}
    options = {"correction": "adjusted-score", "unbalanced": "submatrix"}
    with warnings.catch_warnings(action="ignore", category=IslandWarning):
        model = SLX(parts["y"], x, weights, durbin=[], **options)
    least = FixedEffects(parts["y"], x).fit(**chosen)
    assert_allclose(model.fit(**chosen).cov, least.cov, rtol=1e-8)


def geodesic_kernel(places, cutoff_km, kernel):
    """Weights of pairs, one geodesic at a time."""
    geod, n = Geod(ellps="WGS84"), len(places)
    K = np.eye(n)
    lon, lat = places["lon"].to_numpy(), places["lat"].to_numpy()
    for i, j in itertools.combinations(range(n), 2):
        km = geod.inv(lon[i], lat[i], lon[j], lat[j])[2] / 1000
        if km <= cutoff_km:
            K[i, j] = K[j, i] = 1 - km / cutoff_km if kernel == "bartlett" else 1.0
    return K


@pytest.mark.parametrize(("kernel", "cutoff"), [("bartlett", 500), ("uniform", 150)])
@pytest.mark.parametrize("effects", ["twoway", None])
def test_conley_of_slx_is_the_double_sum_with_geodesics(
    data, weights, places, kernel, cutoff, effects
):
    result = durbin(data, weights, SLX, durbin=[], effects=effects).fit(
        cov_type="conley", cutoff_km=cutoff, coordinates=places, kernel=kernel
    )
    X = data[["x1", "x2"]].to_numpy().reshape(N, T, 2)
    if effects is None:
        X = np.concatenate([np.ones((N, T, 1)), X], axis=-1)
    else:
        X = X - X.mean(0) - X.mean(1)[:, None] + X.mean((0, 1))
    u = X * result.resids.to_numpy().reshape(N, T)[..., None]
    K = geodesic_kernel(places, cutoff, kernel)
    M = sum(K[i, j] * u[i].T @ u[j] for i in range(N) for j in range(N))
    bread = np.linalg.inv(np.einsum("itp,itq->pq", X, X))
    left = N * T - 3 if effects is None else (N - 1) * (T - 1) - 2
    factor = N * T / left
    assert_allclose(result.cov, bread @ M @ bread * factor, rtol=1e-9)


def test_entities_at_one_place_are_correlated_in_full(data, weights, places):
    """As at a metre from each other, where the Bartlett weight is 1 - 0.001 / 500."""
    same, near = places.copy(), places.copy()
    same.iloc[1] = same.iloc[0]
    near.iloc[1] = near.iloc[0] + [0.0, 0.001 / 111.0]
    model = durbin(data, weights, SLX, durbin=[])
    one, other = (
        model.fit(cov_type="conley", cutoff_km=500, coordinates=where) for where in (same, near)
    )
    assert_allclose(one.std_errors, other.std_errors, rtol=1e-5)
    apart = model.fit(cov_type="conley", cutoff_km=500, coordinates=places)
    assert (np.abs(one.std_errors / apart.std_errors - 1) > 1e-3).all()


def test_conley_equals_fixest_and_a_sphere_but_for_the_ellipsoid(shared):
    """Depth on magnitude of 1 000 earthquakes; distances on the ellipsoid, not on a sphere.

    fixest counts pairs within the cutoff on a sphere of 6 378.137 km: pairs near the cutoff differ.
    The triangular kernel moves less; its sphere has 6 371 km.
    """
    quakes = pd.read_csv(shared / "reference" / "data" / "quakes.csv")
    saved = json.loads((shared / "reference" / "panel_reference.json").read_text())["11_conley"]
    index = pd.MultiIndex.from_product([quakes.index, [0]])
    n = len(quakes)
    ring = np.roll(np.eye(n), 1, axis=1)  # some weights have to be given, and none are used
    model = SLX(
        quakes["depth"].astype(float).set_axis(index),
        quakes[["mag"]].set_axis(index),
        (ring, list(quakes.index)),
        durbin=[],
        effects=None,
    )
    places = quakes.rename(columns={"long": "lon"})[["lon", "lat"]]
    places["lon"] = (places["lon"] + 180) % 360 - 180  # they cross the date line
    places.loc[[779, 394], "lat"] += 1e-5  # two pairs are at one place, which is refused
    noadj = np.sqrt((n - 2) / n)  # both references are without the small-sample factor
    for cutoff in (25, 50, 100, 200):
        key = {"cov_type": "conley", "cutoff_km": cutoff, "coordinates": places}
        uniform = model.fit(**key, kernel="uniform")
        assert_allclose(uniform.params, [881.6250236, -123.4209210], rtol=1e-9)
        fixest = saved["values"][f"quakes noadj {cutoff} spherical"]
        assert_allclose(uniform.std_errors * noadj, list(fixest.values()), rtol=0.007)
        sphere = saved["bartlett_bruteforce_R6371"][f"c{cutoff}"]
        assert_allclose(model.fit(**key).std_errors * noadj, sphere, rtol=0.0012)


# what must not change -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_estimate_is_the_same_and_the_errors_are_not(data, weights, options, model, kind):
    plain = durbin(data, weights, model).fit()
    result = durbin(data, weights, model).fit(**options[kind])
    assert_allclose(result.params, plain.params, rtol=0, atol=0)
    assert result.loglik == plain.loglik
    ratio = result.std_errors / plain.std_errors
    assert ((ratio > 0.2) & (ratio < 2) & (np.abs(ratio - 1) > 1e-6)).all(), ratio
    assert (np.linalg.eigvalsh(result.cov) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("effects", ["twoway", "entity"])
def test_order_and_labels_do_not_matter(data, weights, options, places, kind, effects):
    expected = durbin(data, weights, GNS, effects=effects).fit(**options[kind])
    order = np.random.default_rng(0).permutation(N)
    W = weights[0][np.ix_(order, order)]
    new = {name: f"城市{order.tolist().index(i):03d}" for i, name in enumerate(NAMES)}
    shuffled = data.rename(index=new, level=0).sample(frac=1, random_state=1)
    chosen = dict(options[kind])
    if "clusters" in chosen:
        chosen["clusters"] = PROVINCES.rename(index=new).sample(frac=1, random_state=2)
    if "coordinates" in chosen:
        chosen["coordinates"] = places.rename(index=new).sample(frac=1, random_state=3)
    graph = (W, [new[NAMES[i]] for i in order])
    ours = durbin(shuffled, graph, GNS, effects=effects).fit(**chosen)
    assert_allclose(ours.params, expected.params, rtol=1e-6, atol=1e-8)
    assert_allclose(ours.std_errors, expected.std_errors, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_units_scale_the_errors(data, weights, options, kind):
    expected = durbin(data, weights).fit(**options[kind]).std_errors
    scaled = data * pd.Series({"y": 1e3, "x1": 1e-2, "x2": 1.0})
    ours = durbin(scaled, weights).fit(**options[kind]).std_errors
    units = pd.Series({"x1": 1e5, "x2": 1e3, "W_x1": 1e5, "W_x2": 1e3, "rho": 1.0})
    assert_allclose(ours, expected * units, rtol=1e-6)


def test_labels_by_row_by_entity_and_as_numbers_are_the_same(data, weights):
    def fitted(clusters):
        return durbin(data, weights).fit(cov_type="clustered", clusters=clusters).cov

    expected = fitted(PROVINCES)
    assert_allclose(fitted(by_row(PROVINCES, data.index).sample(frac=1, random_state=1)), expected)
    assert_allclose(fitted(PROVINCES.str[1:].astype(int)), expected)
    assert_allclose(fitted(PROVINCES.to_frame()), expected)
    itself = pd.Series(NAMES, index=NAMES)
    entity = durbin(data, weights).fit(cov_type="clustered").cov
    assert_allclose(fitted(itself), entity)


@pytest.mark.filterwarnings("ignore:There are only:nqp_spatial.exceptions.DataWarning")
def test_two_dimensions_are_one_and_the_other_less_both(data, weights):
    """Of M: factors are taken out, each with the effects that are nested in its clusters."""
    years = data.index.get_level_values(1).to_series().set_axis(data.index)
    rows = by_row(PROVINCES, data.index)
    both = rows + years.astype(str)
    model = durbin(data, weights)

    def middle(clusters, groups, left):
        cov = model.fit(cov_type="clustered", clusters=clusters).cov
        return cov / (groups / (groups - 1) * (N * T - 1) / (left - 5))

    one, other = middle(PROVINCES, 23, (N - 1) * T), middle("time", T, N * (T - 1))
    intersection = middle(both.rename("both"), 23 * T, (N - 1) * (T - 1))
    two = middle(pd.DataFrame({"province": rows, "year": years}), T, N * T - 1)
    assert_allclose(two, one + other - intersection, rtol=1e-8, atol=1e-12)


def test_robust_is_clusters_of_one_cell(data, weights):
    cells = pd.Series(range(N * T), index=data.index, name="row")
    one = durbin(data, weights).fit(cov_type="clustered", clusters=cells).cov
    assert_allclose(one, durbin(data, weights).fit(cov_type="robust").cov)


# what uses it ---------------------------------------------------------------------------------


def test_effects_and_wald_tests_use_it(data, weights):
    """Total: (b + c) / (1 - rho), rows of W sum to one; gradient (1, 1, total) / (1 - rho)"""
    result = durbin(data, weights).fit(cov_type="clustered", clusters=PROVINCES)
    names = ["x1", "W_x1", "rho"]
    b, c, rho = result.params[names]
    V = result.cov.loc[names, names].to_numpy()
    total = (b + c) / (1 - rho)
    gradient = np.array([1.0, 1.0, total]) / (1 - rho)
    row = result.effects().loc[("total", "x1")]
    assert_allclose(row["estimate"], total, rtol=1e-9)
    assert_allclose(row["std_error"], np.sqrt(gradient @ V @ gradient), rtol=1e-7)
    found = result.wald_test(["W_x1 = 0", "W_x2 = 0"])
    theta = ["W_x1", "W_x2"]
    size = result.params[theta] @ np.linalg.solve(
        result.cov.loc[theta, theta], result.params[theta]
    )
    assert_allclose(found.statistic, size / 2, rtol=1e-9)  # F(2, 22)
    assert found.df == (2, 22)
    assert_allclose(row["pvalue"], 2 * stats.t(22).sf(total / row["std_error"]), rtol=1e-9)
    width = stats.t(22).ppf(0.975) * row["std_error"]
    assert_allclose(row[["lower", "upper"]], [total - width, total + width], rtol=1e-9)


def test_simulated_effects_have_the_tails_of_t(data, weights):
    """Percentiles of 40,000 draws with 22 degrees of freedom, W_x1 being a draw itself in SLX."""
    result = durbin(data, weights, SLX).fit(cov_type="clustered", clusters=PROVINCES)
    drawn = result.effects(method="simulation", draws=40_000, seed=0).loc[("indirect", "x1")]
    width = (drawn["upper"] - drawn["lower"]) / 2 / result.std_errors["W_x1"]
    assert_allclose(width, stats.t(22).ppf(0.975), rtol=0.012)  # 1.96 would be 0.055 away


def test_simulated_standard_errors_are_not_those_of_t(data, weights):
    """With 5 clusters draws of t(4) have a standard deviation of sqrt(2) standard errors."""
    five = pd.Series([i % 5 for i in range(N)], index=NAMES, name="five")
    with pytest.warns(DataWarning, match="only 5 clusters"):
        result = durbin(data, weights, SLX).fit(cov_type="clustered", clusters=five)
    drawn = result.effects(method="simulation", draws=40_000, seed=0)
    delta = result.effects()
    direct = [("direct", "x1"), ("direct", "x2")]  # coefficients themselves
    assert_allclose(drawn.loc[direct, "std_error"], delta.loc[direct, "std_error"], rtol=0.02)
    expected = 2 * stats.t(4).sf((drawn["estimate"] / drawn["std_error"]).abs())
    assert_allclose(drawn["pvalue"], expected, rtol=1e-9)


def test_no_draws_from_a_covariance_with_a_negative_variance(data, weights):
    result = durbin(data, weights, SLX, durbin=[]).fit()
    worse = result.cov.copy()
    worse.loc["x1", "x2"] = worse.loc["x2", "x1"] = 1.5 * np.sqrt(
        worse.loc["x1", "x1"] * worse.loc["x2", "x2"]
    )
    result = dataclasses.replace(result, cov=worse)
    with pytest.raises(OptionError, match='not positive definite.*method="delta"'):
        result.effects(method="simulation", seed=1)
    sd = result.std_errors
    along = {"x1": 1 / sd["x1"], "x2": -1 / sd["x2"]}  # variance 1 + 1 - 3
    found = result.combined_effects(along)
    assert found.loc["direct", ["std_error", "pvalue", "lower", "upper"]].isna().all()
    changed = result.discrete_change(along)
    assert changed.loc["changed", ["std_error", "pvalue", "lower", "upper"]].isna().all()
    assert np.isfinite(result.effects().loc[("direct", "x1")]).all()
    with pytest.warns(DataWarning, match=r"tested \(x1 = 0, x2 = 0\) is not positive definite"):
        test = result.wald_test(["x1 = 0", "x2 = 0"])
    assert np.isnan(test.statistic) and np.isnan(test.pvalue)


def test_more_restrictions_than_clusters_have_no_wald_test(data, weights):
    """Rank two for three clusters: four coefficients cannot be tested, one can."""
    three = pd.Series([i % 3 for i in range(N)], index=NAMES, name="three")
    with pytest.warns(DataWarning, match="only 3 clusters"):
        result = durbin(data, weights, SLX).fit(cov_type="clustered", clusters=three)
    with pytest.warns(DataWarning, match="no more clusters or periods than restrictions"):
        assert np.isnan(result.wald_test([f"{name} = 0" for name in result.params.index]).pvalue)
    assert np.isfinite(result.wald_test("x1 = 0").pvalue)
    drawn = result.effects(method="simulation", draws=20_000, seed=0).loc[("direct", "x1")]
    assert_allclose(drawn["std_error"], result.std_errors["x1"], rtol=0.03)


def test_tables_say_which(data, weights, options, places):
    def label(**chosen):
        return durbin(data, weights).fit(**chosen).cov_type

    assert label(**options["province"]) == "clustered by province"
    assert label(**options["entity"]) == "clustered by entity"
    assert label(**options["conley"]) == "conley 400 km"
    assert label(cov_type="robust") == "robust"
    assert label(**options["driscoll-kraay"]) == "driscoll-kraay"
    unnamed = PROVINCES.rename(None)
    assert label(cov_type="clustered", clusters=unnamed) == "clustered by clusters"
    result = durbin(data, weights).fit(**options["province"])
    assert "clustered by province" in str(result.summary())
    two = TWO.rename(columns={"ten": "group"})
    assert label(cov_type="clustered", clusters=two) == "clustered by province and group"


def test_the_policy_model_has_them(data, weights, options):
    year, city = data.index.get_level_values(1), data.index.get_level_values(0)
    policy = pd.Series(((year > 2003) & (city < "c15")).astype(float), index=data.index, name="did")
    model = SpatialDiD(data["y"], policy, data[["x1"]], weights)
    result = model.fit(**options["province"])
    same = SpatialDurbin(data["y"], data[["x1"]].assign(did=policy)[["did", "x1"]], weights)
    assert_allclose(result.cov, same.fit(**options["province"]).cov, rtol=1e-12)
    assert result.policy_effects()["std_error"].gt(0).all()


def test_metres_and_degrees_give_the_same(data, weights, places):
    """UTM zone 48 is at most 0.4% off within 500 km of 105 degrees east."""
    layer = gpd.GeoDataFrame(
        index=places.index, geometry=gpd.points_from_xy(places["lon"], places["lat"]), crs=4326
    )
    key = {"cov_type": "conley", "cutoff_km": 400}
    degrees = durbin(data, weights).fit(**key, coordinates=places).std_errors
    same = durbin(data, weights).fit(**key, coordinates=layer).std_errors
    assert_allclose(same, degrees, rtol=1e-12)
    metres = durbin(data, weights).fit(**key, coordinates=layer.to_crs(32648)).std_errors
    assert_allclose(metres, degrees, rtol=2e-3)
    feet = layer.to_crs("+proj=utm +zone=48 +datum=WGS84 +units=us-ft")
    assert_allclose(durbin(data, weights).fit(**key, coordinates=feet).std_errors, metres)


# mistakes -------------------------------------------------------------------------------------


def assert_refused(data, weights, error, match, **chosen):
    with pytest.raises(error, match=match):
        durbin(data, weights).fit(**chosen)


def test_mistakes_in_clusters_are_named(data, weights):
    def wrong(error, match, clusters):
        assert_refused(data, weights, error, match, cov_type="clustered", clusters=clusters)

    wrong(OptionError, r"'province' are empty at .*c07", PROVINCES.where(PROVINCES.index != "c07"))
    wrong(IdMismatchError, "c03", PROVINCES.drop("c03"))
    wrong(IdMismatchError, "c99", PROVINCES.rename(index={"c03": "c99"}))
    rows = by_row(PROVINCES, data.index)
    wrong(IdMismatchError, r"c05.*2003", rows.drop(("c05", 2003)))
    wrong(DuplicateKeysError, "c01", pd.concat([PROVINCES, PROVINCES[["c01"]]]))
    wrong(DuplicateKeysError, r"c01.*2002", pd.concat([rows, rows.loc[[("c01", 2002)]]]))
    wrong(OptionError, "3 cluster dimensions", TWO.assign(third=1))
    wrong(OptionError, "0 cluster dimensions", [])
    wrong(OptionError, r"province.*entity", "province")
    wrong(OptionError, "int", 5)
    one = pd.Series("all", index=NAMES, name="country")
    wrong(EstimationError, "at least two clusters", one)
    wrong(EstimationError, "at least two clusters", TWO.assign(ten="all"))


@pytest.mark.parametrize(
    ("name", "value", "owner"),
    [
        ("clusters", "entity", "clustered"),
        ("bandwidth", 2, "driscoll-kraay"),
        ("cutoff_km", 100, "conley"),
        ("kernel", "uniform", "conley"),
        ("serial_lags", 1, "conley"),
    ],
)
def test_options_of_another_kind_are_refused(data, weights, name, value, owner):
    assert_refused(
        data, weights, OptionError, rf'{name}= belongs to cov_type="{owner}"', **{name: value}
    )
    chosen = {"cov_type": "robust", name: value}
    assert_refused(data, weights, OptionError, rf'{name}= belongs to cov_type="{owner}"', **chosen)


def test_unknown_kinds_are_named_with_the_closest(data, weights):
    assert_refused(data, weights, OptionError, "robust", cov_type="robst")
    assert_refused(data, weights, OptionError, "clustered", cov_type="cluster")


def test_mistakes_in_conley_are_named(data, weights, places):
    def wrong(error, match, **chosen):
        assert_refused(data, weights, error, match, cov_type="conley", **chosen)

    needs = r"needs cutoff_km= and coordinates="
    wrong(OptionError, needs, coordinates=places)
    wrong(OptionError, needs, cutoff_km=100)
    wrong(OptionError, "cutoff_km=-5", cutoff_km=-5, coordinates=places)
    wrong(OptionError, "cutoff_km='300'", cutoff_km="300", coordinates=places)
    wrong(OptionError, "uniform", cutoff_km=100, coordinates=places, kernel="uniformly")
    wrong(IdMismatchError, "c02", cutoff_km=100, coordinates=places.drop("c02"))
    wrong(OptionError, "from 0 to 6", cutoff_km=100, coordinates=places, serial_lags=7)
    everybody = {"cutoff_km": 5000, "coordinates": places, "kernel": "uniform"}
    wrong(OptionError, "All entities are within cutoff_km=5000", **everybody)


@pytest.mark.parametrize("bandwidth", [-1, T, 1.5])
def test_a_bandwidth_out_of_range_is_refused(data, weights, bandwidth):
    key = {"cov_type": "driscoll-kraay", "bandwidth": bandwidth}
    assert_refused(data, weights, OptionError, rf"bandwidth={bandwidth} .*from 0 to 6", **key)


def test_driscoll_kraay_needs_two_periods(weights):
    y, X = panels.arrays(weights[0], 1, seed=4)
    one = panels.frame(y, X, NAMES)
    with pytest.raises(EstimationError, match="at least two periods"):
        durbin(one, weights, effects=None).fit(cov_type="driscoll-kraay", bandwidth=0)


def caught(data, weights, **chosen):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = durbin(data, weights).fit(**chosen)
    assert [w.category for w in found] == [DataWarning]
    fit = caught.__code__.co_firstlineno + 3
    assert (found[0].filename, found[0].lineno) == (__file__, fit)  # the line of the caller
    return result, str(found[0].message)


def test_few_clusters_and_a_short_cutoff_are_told(data, weights, places):
    few = pd.Series(np.arange(N) % 19, index=NAMES, name="region")
    message = caught(data, weights, cov_type="clustered", clusters=few)[1]
    assert "only 19 clusters by 'region'" in message
    key = {"cov_type": "conley", "cutoff_km": 0.001, "coordinates": places}
    result, message = caught(data, weights, **key)
    assert "No two entities are within cutoff_km=0.001" in message
    assert result.std_errors.gt(0).all()
    twenty = pd.Series(np.arange(N) % 20, index=NAMES, name="region")
    durbin(data, weights).fit(cov_type="clustered", clusters=twenty)  # a warning would be an error


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_entities_are_refused_with_the_number(data, weights, options, kind, monkeypatch):
    monkeypatch.setattr(covariance, "LARGEST", N - 1)
    assert_refused(
        data, weights, EstimationError, rf"dense matrices of {N} entities", **options[kind]
    )
    assert durbin(data, weights).fit().std_errors.gt(0).all()
    monkeypatch.setattr(covariance, "LARGEST", N)
    assert durbin(data, weights).fit(**options[kind]).std_errors.gt(0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_rho_at_its_bound_gives_no_errors_of_any_kind(options, kind):
    """Pairs of entities that are negative copies of each other: rho is driven to -1."""
    W = np.kron(np.eye(N // 2), np.array([[0.0, 1.0], [1.0, 0.0]]))
    rng = np.random.default_rng(0)
    half = rng.normal(size=(T, N // 2))
    y = np.stack([half, -half], axis=-1).reshape(T, N) + 1e-9 * rng.normal(size=(T, N))
    data = panels.frame(y, rng.normal(size=(T, N, 2)), NAMES)
    model = durbin(data, (W, NAMES), SpatialLag, effects="entity")
    with pytest.warns(BoundaryWarning):
        result = model.fit(**options[kind])
    assert result.cov.isna().all(axis=None)
    assert result.params.notna().all()


def test_a_negative_variance_is_refused(data, weights, monkeypatch):
    monkeypatch.setattr(sandwich, "robust", lambda scores: -np.eye(6))
    assert_refused(
        data, weights, EstimationError, "variance that is not positive", cov_type="robust"
    )


# coverage -------------------------------------------------------------------------------------

RUNS = 1500
MARGIN = 3 * np.sqrt(0.95 * 0.05 / RUNS)  # three Monte-Carlo errors


@pytest.fixture(scope="module")
def simulated():
    """Lattice of 49 entities and 10 periods; docs/monte_carlo_covariance.md has all cases."""
    import monte_carlo_covariance as study

    def run(errors, rho=0.4):
        seed = np.random.SeedSequence([7, list(study.ERRORS).index(errors)])
        draws = study.block(("lattice", errors, rho, seed, RUNS))
        return study.summarise(draws, "lattice", rho)

    return {errors: run(errors) for errors in ("normal", "skewed", "by x", "serial")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ("normal", "robust"),
        ("normal", "entity"),
        ("skewed", "robust"),
        ("skewed", "entity"),
        ("by x", "robust"),
        ("by x", "entity"),
        ("serial", "entity"),
    ],
)
def test_intervals_cover_with_the_covariance_made_for_the_errors(simulated, errors, kind):
    """0.93 to 0.97 and three Monte-Carlo errors."""
    found = simulated[errors].loc[kind]
    assert found["coverage"].between(0.93 - MARGIN, 0.97 + MARGIN).all(), found.to_string()
    # a simulated standard deviation has an error of 1 / sqrt(2 * RUNS) = 0.018
    assert (np.abs(found["se_sd"] - 1) < 0.10).all(), found.to_string()


@pytest.mark.slow
def test_conley_with_nothing_to_correct_is_a_little_short(simulated):
    """Its kernel sums over a good part of 49 entities, whose demeaned errors sum to zero."""
    found = simulated["normal"].loc["conley"]
    assert found["coverage"].between(0.90, 0.97 + MARGIN).all(), found.to_string()
    assert found["se_sd"].between(0.88, 1.1).all(), found.to_string()


@pytest.mark.slow
def test_the_other_covariances_do_not_cover(simulated):
    """What the choice is for; ten periods are too few for Driscoll and Kraay whatever the errors.

    The share of the standard deviation of beta under variances 0.3 + 0.7 x^2 is
    1 / sqrt(0.3 + 0.7 * 3) = 0.65.
    """
    plain = simulated["by x"].loc[("asymptotic", "beta")]
    assert abs(plain["se_sd"] - 1 / np.sqrt(2.4)) < 0.06
    assert plain["coverage"] < 0.88
    assert (simulated["serial"].loc["robust", "coverage"] < 0.91).all()
    short = simulated["normal"].loc["driscoll-kraay"]
    assert (short["coverage"] < 0.91).all()
    assert (short["se_sd"] < 0.95).all()
