"""Rings: against loops and dummies, separate regressions, refits; travel tables; bad input."""

from __future__ import annotations

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.core.did import rings as core
from nqp_spatial.did.distances import Distances
from nqp_spatial.exceptions import (
    CollinearityError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    MissingValuesError,
    NegativeWeightsError,
    OptionError,
    TreatmentError,
)

Rings = nqp.did.Rings
N, YEARS = 60, range(2001, 2009)
EDGES = (20, 40, 70)


def towns(
    seed: int = 0, *, starts: tuple[int, ...] = (2004, 2006), n: int = N, pilots: int = 6
) -> pd.DataFrame:
    """Towns on a plane of 300 by 300 km, with pilots of one or several years."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 300, (n, 2))
    first = np.full(n, 9999)
    first[rng.choice(n, pilots, replace=False)] = rng.choice(starts, pilots)
    return pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "first": first}, [f"t{i}" for i in range(n)])


def square(t: pd.DataFrame) -> pd.DataFrame:
    xy = t[["x", "y"]].to_numpy()
    km = np.linalg.norm(xy[:, None] - xy, axis=-1)
    return pd.DataFrame(km, t.index, t.index)


def data(t: pd.DataFrame, seed: int = 0, *, balanced: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed + 100)
    index = pd.MultiIndex.from_product([t.index, YEARS], names=["town", "year"])
    f = pd.DataFrame({"z": rng.normal(size=len(index)), "e": rng.normal(size=len(index))}, index)
    year = index.get_level_values(1).to_numpy()
    f["did"] = (year >= t["first"].loc[index.get_level_values(0)].to_numpy()).astype(float)
    f["y"] = f["did"] + 0.5 * f["z"] + f["e"]
    if not balanced:  # rows of towns that are never treated, which tell no date
        never = (t["first"] == 9999).loc[index.get_level_values(0)].to_numpy()
        f = f[(rng.random(len(f)) > 0.1) | ~never]
    return f


def by_hand(t: pd.DataFrame, f: pd.DataFrame, edges=EDGES, *, kind="nearest", on="untreated"):
    """Columns of rings by loops over rows, rings and towns."""
    km, rows = square(t).to_numpy(), {}
    first, place = t["first"].tolist(), {town: i for i, town in enumerate(t.index)}
    bounds = [0.0, *edges]
    for town, year in f.index:
        i = place[town]
        near = [km[i, o] for o, date in enumerate(first) if o != i and date <= year]
        own, cells = first[i] <= year, []
        for inner, outer in zip(bounds[:-1], bounds[1:], strict=True):
            inside = float(sum(inner < d <= outer for d in near))
            if kind == "nearest":
                inside = float(bool(near) and inner < min(near) <= outer)
            elif kind == "any":
                inside = float(inside > 0)
            cells.append(inside * (not own if on == "untreated" else own if on == "treated" else 1))
        rows[town, year] = cells
    names = [f"ring_{a:g}_{b:g}" for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    found = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return found.set_axis(f.index)


def least_squares(y: pd.Series, x: pd.DataFrame) -> np.ndarray:
    """With dummies of entities and periods."""
    dummies = [pd.get_dummies(y.index.get_level_values(i), dtype=float) for i in (0, 1)]
    columns = np.column_stack([x, *dummies])
    return np.linalg.lstsq(columns, y.to_numpy(), rcond=None)[0][: x.shape[1]]


# ---------------------------------------------------------------- the columns and the estimates


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(
    ("options", "kind", "on"),
    [
        ({}, "nearest", "untreated"),
        ({"on": "all"}, "nearest", "all"),
        ({"count": True}, "count", "untreated"),
        ({"nearest": False, "on": "all"}, "any", "all"),
        ({"count": True, "on": "all"}, "count", "all"),
    ],
)
def test_rings_by_loops_and_estimates_by_dummies(options, kind, on, balanced):
    t = towns()
    f = data(t, balanced=balanced)
    model = Rings(f["y"], f["did"], f[["z"]], square(t), edges=EDGES, **options)
    expected = by_hand(t, f, kind=kind, on=on)
    assert_allclose(model.rings.loc[f.index], expected)
    result = model.fit()
    beta = least_squares(f["y"], pd.concat([f["did"], expected, f["z"]], axis=1))
    assert_allclose(result.params, beta, rtol=1e-8)
    rings = result.rings
    assert_allclose(rings["n_cells"], (expected > 0).sum())
    units = [(expected[name] > 0).groupby(level=0).any().sum() for name in expected]
    assert_allclose(rings["n_units"], units)
    clean = (expected.sum(axis=1) == 0).groupby(level=0).all()
    if on == "untreated":
        clean &= (t["first"] == 9999).loc[clean.index]
        assert result.n_clean == clean.sum()
    own = nqp.FixedEffects(f["y"], pd.concat([f["did"], expected, f[["z"]]], axis=1)).fit()
    assert_allclose(result.cov, own.cov, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:0 units are never treated")
def test_rings_of_treated_units_apart():
    t = towns(1)
    f = data(t)
    km = square(t)
    model = Rings(f["y"], f["did"], None, km, edges=(60, 100), on="separate")
    both = [by_hand(t, f, (60, 100), on=who) for who in ("untreated", "treated")]
    assert_allclose(model.rings.loc[f.index], pd.concat(both, axis=1))
    result = model.fit()
    assert list(result.rings["group"]) == ["untreated"] * 2 + ["treated"] * 2
    assert list(result.params.index[3:]) == ["treated_ring_0_60", "treated_ring_60_100"]
    assert "treated_ring_0_60" not in result.tests["rings"].null


def test_clean_controls_are_separate_regressions():
    """Each of the cells of one kind and earlier ones of the same units, and clean units."""
    t = towns(2)
    f = data(t)
    result = Rings(f["y"], f["did"], None, square(t), edges=EDGES, clean_control=True).fit()
    rings = by_hand(t, f)
    state = rings.to_numpy() @ [1, 2, 3] + 0.0
    state = pd.Series(np.where(f["did"] == 1, -1, state), f.index)
    clean = (state == 0).groupby(level=0).all()
    clean = set(clean.index[clean])
    assert result.n_clean == len(clean)
    for name, kind in zip(result.params.index, (-1, 1, 2, 3), strict=True):
        ever = (state == kind).groupby(level=0).any()
        mine = set(ever.index[ever])
        town = f.index.get_level_values(0)
        rows = (town.isin(mine) & state.isin([0, kind])) | town.isin(clean)
        part = f[rows]
        d = (state[rows] == kind).astype(float).rename(name)
        alone = nqp.FixedEffects(part["y"], d.to_frame())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            fit = alone.fit()
        assert_allclose(result.params[name], fit.params[name], rtol=1e-9)
        factors = [r.provenance["covariance"]["small_sample_factor"] for r in (result, fit)]
        bare = [
            r.std_errors[name] / np.sqrt(v) for r, v in zip((result, fit), factors, strict=True)
        ]
        assert_allclose(*bare, rtol=1e-9)
    assert any("stand in every comparison" in n for n in result.notes)
    assert result.setting["n_entities"] == N and result.loglik is None


@pytest.mark.parametrize("seed", range(3))
def test_with_one_date_both_forms_are_one(seed):
    """Then every comparison is of two groups and two times."""
    t = towns(seed, starts=(2005,))
    f = data(t, seed)
    forms = [
        Rings(f["y"], f["did"], None, square(t), edges=EDGES, clean_control=clean).fit()
        for clean in (False, True)
    ]
    assert_allclose(forms[0].params, forms[1].params, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:There are only")
@pytest.mark.parametrize("clusters", ["entity", "time", ["entity", "time"], "province"])
def test_clusters_of_clean_controls_are_those_of_the_panel(clusters):
    """A score of a town is the sum over all comparisons in which it is: by hand."""
    t = towns(2)
    f = data(t)
    model = Rings(f["y"], f["did"], None, square(t), edges=EDGES, clean_control=True)
    labels = pd.Series(np.arange(N) % 9, t.index, name="province")
    given = labels if clusters == "province" else clusters
    result = model.fit(clusters=given)
    equation = model.model.equation()
    X, resid = equation.x.to_numpy(), result.resids.to_numpy()
    inverse = np.linalg.inv(X.T @ X)
    town = model.sample.keys.entities[equation.y.index.get_level_values(0) % N]
    codes = {"entity": pd.factorize(town)[0]}
    codes["time"] = pd.factorize(equation.y.index.get_level_values(1))[0]
    codes["province"] = labels.loc[town].to_numpy()

    def middle(code):
        sums = np.zeros((code.max() + 1, X.shape[1]))
        np.add.at(sums, code, X * resid[:, None])
        return sums.T @ sums

    names = [clusters] if isinstance(clusters, str) else clusters
    M = sum(middle(codes[n]) for n in names)
    if len(names) == 2:
        M = M - middle(codes["entity"] * 100 + codes["time"])
    factor = result.provenance["covariance"]["small_sample_factor"]
    assert_allclose(result.cov, factor * inverse @ M @ inverse, rtol=1e-8, atol=1e-15)


# ---------------------------------------------------------------- properties


def test_labels_order_and_units_do_not_matter():
    t = towns(3)
    f, km = data(t), square(towns(3))
    one = Rings(f["y"], f["did"], f[["z"]], km, edges=EDGES).fit()
    order = np.random.default_rng(0).permutation(len(f))
    names = dict(zip(t.index, [f"z{i:03d}" for i in range(N)[::-1]], strict=True))
    g = f.iloc[order].rename(index=names, level=0)
    away = km.rename(index=names, columns=names).sample(frac=1, random_state=1)
    other = Rings(g["y"], g["did"], g[["z"]], away * 0.621371, edges=np.array(EDGES) * 0.621371)
    assert_allclose(other.fit().params, one.params, rtol=1e-8)
    assert_allclose(other.fit().cov.to_numpy(), one.cov.to_numpy(), rtol=1e-7)
    zero = Rings(f["y"], f["did"], f[["z"]], km, edges=(0, *EDGES)).fit()
    assert_allclose(zero.params, one.params)


def test_the_outer_edge_is_in_a_ring_and_the_inner_one_is_not():
    assert core.ring_of(np.array([0, 1, 10, 10.1, 20, 20.1, np.inf]), (0, 10, 20)).tolist() == [
        *(0, 0, 0, 1, 1, -1, -1)
    ]


def test_the_boundary_is_the_first_ring_that_covers_zero_with_all_after_it():
    t = towns(4)
    f = data(t)
    base = Rings(f["y"], f["did"], None, square(t), edges=EDGES).fit()
    names = list(base.rings.index)

    def boundary(*estimates: float) -> float | None:
        params = base.params.copy()
        params[names] = estimates
        cov = pd.DataFrame(np.eye(len(params)) * 0.01, params.index, params.index)
        return base.as_(type(base), params=params, cov=cov).boundary()

    assert boundary(1.0, 1.0, 0.1) == 40.0
    assert boundary(1.0, 0.1, 0.1) == 20.0
    assert boundary(0.1, -0.1, 0.1) == 0.0
    assert boundary(0.1, 1.0, 0.1) == 40.0  # the first covers zero, but not all after it
    assert boundary(1.0, 1.0, 1.0) is None


def test_edges_are_chosen_by_leaving_entities_out():
    """The error of the closed form is that of refits without each town."""
    rng = np.random.default_rng(0)
    entity = np.repeat(np.arange(12), 4)
    Z, y = rng.normal(size=(48, 3)), rng.normal(size=48)
    total = 0.0
    for g in range(12):
        beta = np.linalg.lstsq(Z[entity != g], y[entity != g], rcond=None)[0]
        total += ((y - Z @ beta)[entity == g] ** 2).sum()
    assert_allclose(core.left_out_error(y, Z, entity), total / 48, rtol=1e-10)


@pytest.mark.filterwarnings("ignore:.* units are never treated")
def test_chosen_edges_follow_an_effect_that_fades():
    """Next to no noise: estimates are the mean effect of a ring less that of the controls."""
    t = towns(5, starts=(2004,))
    f = data(t)
    model = Rings(f["y"], f["did"], None, square(t), edges="auto")
    nearest = square(t).where(~np.eye(N, dtype=bool)).loc[:, t["first"] == 2004].min(axis=1)
    after = f.index.get_level_values(1) >= 2004
    effect = 3 * np.exp(-nearest / 30).loc[f.index.get_level_values(0)].to_numpy() * after
    effect *= f["did"] == 0
    y = (f["did"] + effect + 0.01 * f["e"]).rename("y")
    model = Rings(y, f["did"], None, square(t), edges="auto")
    result = model.fit()
    errors = result.cross_validation
    assert errors.idxmin() == len(result.rings) >= 3
    beyond = effect[after & (f["did"] == 0) & (model.rings.sum(axis=1) == 0)].mean()
    for name, ring in result.rings.iterrows():
        inside = effect[model.rings[name] == 1].mean()
        assert abs(ring["estimate"] - (inside - beyond)) < 0.05
    assert any("left out" in n for n in result.notes)


# ---------------------------------------------------------------- places


def test_places_of_all_kinds_give_one_distance():
    import geopandas as gpd
    from pyproj import Geod
    from shapely import box

    lon, lat = [110.0, 111.0, 112.5, 110.0], [30.0, 30.5, 29.0, 33.0]
    ids = pd.Index(list("abcd"))
    frame = pd.DataFrame({"lon": lon, "lat": lat}, ids)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), index=ids, crs=4326)
    shapes = [box(x - 0.1, y - 0.1, x + 0.1, y + 0.1) for x, y in zip(lon, lat, strict=True)]
    polygons = gpd.GeoDataFrame(geometry=shapes, index=ids, crs=4326)
    geod = Geod(ellps="WGS84")
    km = np.array(
        [[geod.inv(a, b, c, d)[2] / 1000 for c, d in zip(lon, lat, strict=True)]
         for a, b in zip(lon, lat, strict=True)]
    )  # fmt: skip
    table = pd.DataFrame(km, ids, ids).rename_axis("origin").reset_index()
    table = table.melt("origin", var_name="destination", value_name="km")
    table = table[table["origin"] != table["destination"]]
    one_way = table[table["origin"] < table["destination"]]
    wanted = pd.Index(list("dba"))
    place = [3, 1, 0]
    expected = km[np.ix_(place, place)]
    for places, options, rtol in (
        (frame, {}, 1e-12),
        (points, {}, 1e-12),
        (polygons, {}, 1e-3),  # a centroid is not the middle of a box in degrees
        (table, {}, 1e-12),
        (one_way, {"directions": "mean"}, 1e-12),
        (pd.DataFrame(km, ids, ids), {}, 1e-12),
    ):
        found = Distances.of(places, wanted, **options)
        assert_allclose(found.values, expected, rtol=rtol)
        assert found.unit == ("" if "a" in places else "km")


def test_tables_with_pairs_that_are_absent_or_differ():
    ids = pd.Index(list("abc"))
    whole = pd.DataFrame([[0, 5, 9], [7, 0, 3], [9, 3, 0]], ids, ids, dtype=float)
    with pytest.raises(DataError, match=r"1 pairs of places differ .* first \('a', 'b'\)"):
        Distances.of(whole, ids)
    assert Distances.of(whole, ids, "mean").values[0, 1] == 6
    assert Distances.of(whole, ids, "max").values[1, 0] == 7
    assert Distances.of(whole, ids, "max").mended == 1
    whole.loc["a", "c"] = np.nan
    whole.loc["b", "a"] = 5
    with pytest.raises(DataError, match=r"1 pairs of places have one direction only.*'a', 'c'"):
        Distances.of(whole, ids)
    assert Distances.of(whole, ids, "mean").values[0, 2] == 9
    whole.loc["c", "a"] = np.nan
    with pytest.raises(MissingValuesError, match=r"1 pairs of places have no distance.*'a', 'c'"):
        Distances.of(whole, ids, "max")
    whole.loc["c", "a"] = -1
    with pytest.raises(NegativeWeightsError, match="below zero"):
        Distances.of(whole, ids, "max")
    pairs = pd.DataFrame(
        {"origin": ["a", "a", "a"], "destination": ["b", "c", "b"], "minutes": [1.0, 2, 1]}
    )
    with pytest.raises(DuplicateKeysError, match=r"listed twice, first \('a', 'b'\)"):
        Distances.of(pairs, ids, "mean")
    with pytest.raises(DataError, match="needs one column of numbers"):
        Distances.of(pairs.assign(km=3.0), ids)
    with pytest.raises(MissingValuesError, match=r"1 pairs of places have no distance.*'b', 'c'"):
        Distances.of(pairs.iloc[:2], ids, "mean")
    with pytest.raises(IdMismatchError, match="'d'"):
        Distances.of(pairs.iloc[:2], pd.Index(list("abcd")), "mean")
    with pytest.raises(IdMismatchError, match="'d'"):
        Distances.of(whole, pd.Index(list("abd")), "mean")
    with pytest.raises(MissingValuesError, match="1 rows of places are empty"):
        Distances.of(pairs.assign(minutes=[1.0, np.nan, 2]), ids)


# ---------------------------------------------------------------- bad input


def test_rings_that_nobody_is_in_are_told_with_the_distances():
    t = towns()
    f = data(t)
    with pytest.raises(
        OptionError, match=r"No untreated cell is in the ring from 0 to 0.5\..*from"
    ):
        Rings(f["y"], f["did"], None, square(t), edges=(0.5, 50))
    with pytest.raises(OptionError, match="in the ring from 900 to 1000"):
        Rings(f["y"], f["did"], None, square(t), edges=(50, 900, 1000))


@pytest.mark.parametrize(
    "edges", [(), (50, 20), (50, 50), (-10, 20), (0,), ("near",), (10, np.inf)]
)
def test_edges_that_do_not_rise(edges):
    t = towns()
    f = data(t)
    with pytest.raises(OptionError, match="edges="):
        Rings(f["y"], f["did"], None, square(t), edges=edges)


def test_no_clean_unit_is_an_error_or_a_warning():
    t = towns()
    f, km = data(t), square(t)
    with pytest.raises(EstimationError, match="no clean control. Use a smaller last edge"):
        Rings(f["y"], f["did"], None, km, edges=(50, 500), clean_control=True)
    with pytest.warns(DataWarning, match="units are never treated and always beyond 140"):
        Rings(f["y"], f["did"], None, km, edges=(50, 140))
    single = towns(starts=(2005,))
    g = data(single)
    with pytest.warns(DataWarning, match="^0 units"), pytest.raises(CollinearityError):
        Rings(g["y"], g["did"], None, square(single), edges=(50, 500))  # D and rings are the years


def test_options_and_treatments_are_checked():
    t = towns()
    f, km = data(t), square(t)
    with pytest.raises(OptionError, match="Leave count= out"):
        Rings(f["y"], f["did"], None, km, edges=EDGES, clean_control=True, count=True)
    with pytest.raises(OptionError, match="on='both' is not known"):
        Rings(f["y"], f["did"], None, km, edges=EDGES, on="both")
    with pytest.raises(TreatmentError, match="not 0 or 1"):
        Rings(f["y"], 2 * f["did"], None, km, edges=EDGES)
    clean = Rings(f["y"], f["did"], None, km, edges=EDGES, clean_control=True)
    with pytest.raises(OptionError, match="stand in several"):
        clean.fit(cov_type="kernel")
    assert np.isfinite(clean.fit(cov_type="driscoll-kraay").std_errors).all()
    with pytest.raises(OptionError, match="clusters"):
        clean.fit(clusters="town")


def test_pictures_tables_and_words():
    t = towns()
    f = data(t)
    result = Rings(f["y"], f["did"], None, square(t), edges=EDGES).fit()
    for lang, said in (
        ("en", "Distance to the nearest treated unit"),
        ("zh", "与最近处理个体的距离"),
    ):
        assert result.plot(lang=lang).get_xlabel() == said
        plt.close("all")
    assert result.frames["rings"].frame.shape == (3, 10)
    assert "units are never treated" in result.summary()
    assert list(nqp.tables.regression([result]).rows)


# ---------------------------------------------------------------- Monte Carlo


@pytest.mark.slow
def test_rings_are_covered_and_the_ordinary_regression_is_biased():
    """300 panels of 200 towns, 30 of them pilots; spillovers of 0.6 and 0.3 on untreated towns."""
    covered, found, plain = [], [], []
    t = towns(7, n=200, pilots=30)
    km, base = square(t), data(t)
    rings, truth = by_hand(t, base, (15, 30)), np.array([1.0, 0.6, 0.3])
    for seed in range(300):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=(200, len(YEARS))) + rng.normal(size=(200, 1))
        y = (base["did"] + rings @ truth[1:] + noise.ravel()).rename("y")
        result = Rings(y, base["did"], None, km, edges=(15, 30)).fit()
        interval = result.conf_int()
        covered.append((interval["lower"] < truth) & (truth < interval["upper"]))
        found.append(result.params)
        plain.append(nqp.FixedEffects(y, base[["did"]]).fit().params["did"])
    error = np.std(found, axis=0) / np.sqrt(300)
    assert (np.abs(np.mean(found, axis=0) - truth) < 3.5 * error).all()
    assert (np.abs(np.mean(covered, axis=0) - 0.94) < 0.04).all()
    assert np.mean(plain) < 1.0 - 3 * np.std(plain) / np.sqrt(300)
