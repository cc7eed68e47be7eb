"""Effects that others imply are absorbed, marked in tables, and cost no degrees of freedom."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import IV2SLS, FixedEffects, Mediation, Moderation, comparison, tables
from nqp_spatial.core.linear.absorb import Absorber
from nqp_spatial.exceptions import ConstantColumnError
from tests.by_hand import dummies

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

X = ["x1", "x2"]


@pytest.fixture(scope="module")
def cities():
    """30 cities of 5 provinces of 2 regions over 8 years, rows missing; a year has two halves."""
    rng = np.random.default_rng(21)
    index = pd.MultiIndex.from_product(
        [[f"c{i:02d}" for i in range(30)], range(2008, 2016)], names=["city", "year"]
    )
    index = index[rng.random(len(index)) > 0.2]
    n, place = len(index), index.codes[0]
    year = index.get_level_values(1).to_numpy()
    data = pd.DataFrame(rng.normal(size=(n, 5)), index, ["e", *X, "z", "m"])
    data["x2"] += data["z"]
    data["province"], data["region"] = place // 6, place // 18
    data["province_year"] = [f"{p}-{t}" for p, t in zip(place // 6, year, strict=True)]
    data["region_year"] = [f"{p}-{t}" for p, t in zip(place // 18, year, strict=True)]
    data["era"] = np.where(year < 2012, "early", "late")
    data["same_city"] = index.get_level_values(0)
    data["industry"] = rng.integers(0, 3, n)
    data["y"] = data["x1"] - data["x2"] + place / 9 + np.sin(year) * (place // 6) + data["e"]
    return data


# name: effects, other effects, what implies what
CASES = {
    "year beside province-year": ("twoway", ["province_year"], {"time": "province_year"}),
    "year alone beside province-year": ("time", ["province_year"], {"time": "province_year"}),
    "provinces beside cities": ("entity", ["province"], {"province": "entity"}),
    "regions, provinces, cities": (
        "twoway",
        ["region", "province"],
        {"region": "entity", "province": "entity"},
    ),
    "without those of the panel": (None, ["region", "province"], {"region": "province"}),
    "a chain": (
        "twoway",
        ["era", "region_year", "province_year", "industry"],
        dict.fromkeys(("time", "era", "region_year"), "province_year"),
    ),
    "one thing twice": ("entity", ["same_city", "industry"], {"same_city": "entity"}),
}
COVARIANCES = [
    {"cov_type": "unadjusted"},
    {"cov_type": "robust"},
    {},
    {"clusters": "time"},
    {"clusters": "province"},
    {"cov_type": "driscoll-kraay"},
]


def specification(data, case):
    effects, others, _ = CASES[case]
    return FixedEffects(data["y"], data[X], effects=effects, other_effects=data[others])


def without(data, case):
    """The same with what implies alone."""
    effects, others, implied = CASES[case]
    levels = {"twoway": ["entity", "time"], None: []}.get(effects, [effects])
    left = tuple(name for name in levels if name not in implied)
    kept = {("entity", "time"): "twoway", ("entity",): "entity", ("time",): "time", (): None}[left]
    names = [name for name in others if name not in implied]
    return FixedEffects(
        data["y"], data[X], effects=kept, other_effects=data[names] if names else None
    )


def with_labels(data, options):
    if options.get("clusters") == "province":
        return {"clusters": data["province"]}
    return options


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_those_of_all_dummies(cities, case):
    """Least squares with every dummy, the rank found from them all."""
    effects, others, implied = CASES[case]
    model = specification(cities, case)
    assert model.absorbed.implied == implied
    blocks = [dummies(cities[name]) for name in others]
    blocks += [dummies(cities.index.get_level_values(0))] * (effects in ("entity", "twoway"))
    blocks += [dummies(cities.index.get_level_values(1))] * (effects in ("time", "twoway"))
    Z = np.hstack([cities[X], *blocks])
    beta = np.linalg.lstsq(Z, cities["y"], rcond=None)[0]
    e, rank = cities["y"] - Z @ beta, np.linalg.matrix_rank(Z)
    result = model.fit(cov_type="unadjusted")
    assert result.rank == rank and result.df_resid == len(cities) - rank
    assert_allclose(result.params, beta[:2], rtol=1e-9)
    D = np.hstack(blocks)
    left = cities[X] - D @ np.linalg.lstsq(D, cities[X], rcond=None)[0]
    errors = np.sqrt(np.diag(np.linalg.inv(left.T @ left)) * (e @ e) / (len(cities) - rank))
    assert_allclose(result.std_errors, errors, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", COVARIANCES, ids=str)
def test_every_covariance_is_that_without_what_is_implied(cities, case, options):
    """Also the effects that are nested in clusters, which small-sample factors do not count."""
    how = with_labels(cities, options)
    result, plain = specification(cities, case).fit(**how), without(cities, case).fit(**how)
    assert_allclose(result.cov, plain.cov, rtol=1e-9)
    assert result.df_resid == plain.df_resid
    assert_allclose(result.constant, plain.constant, rtol=1e-9)


def test_clusters_count_effects_as_their_dummies_do(cities):
    """Province-by-year effects and cities lie within provinces, and years in their span."""
    result = specification(cities, "year beside province-year").fit(clusters=cities["province"])
    D = np.hstack([dummies(cities["province_year"]), dummies(cities.index.get_level_values(0))])
    n, nested = len(cities), np.linalg.matrix_rank(D) - 1
    K = 2 + np.linalg.matrix_rank(D) - nested
    factor = result.provenance["covariance"]["small_sample_factor"]
    assert_allclose(factor, 5 / 4 * (n - 1) / (n - K), rtol=1e-12)


def test_iterations_have_the_exact_rank_too(cities):
    """Years beside province by year cost nothing where the rank is counted by connected parts."""
    case = "year beside province-year"
    kept = list(specification(cities, case).absorbed.kept.values())
    D = np.hstack([np.eye(codes.max() + 1)[codes] for codes in kept])
    assert Absorber(kept, direct=0).rank == np.linalg.matrix_rank(D)


def test_tables_mark_them_and_say_so(cities):
    result = specification(cities, "year beside province-year").fit()
    assert result.effects_included == ("entity", "time", "province_year")
    (told,) = result.notes
    assert told.startswith("The time effects are implied by the province_year effects:")
    assert told.zh.startswith("province_year固定效应已包含时间固定效应")
    table = tables.regression([result, without(cities, "provinces beside cities").fit()])
    rows = table.to_frame()
    assert rows.loc["Time fixed effects"].tolist() == ["Yes", "No"]
    assert rows.loc["province_year fixed effects"].tolist() == ["Yes", "No"]
    assert str(told) in " ".join(table.notes)


def test_order_and_labels_do_not_matter(cities):
    model = specification(cities, "a chain").fit()
    shuffled = cities.sample(frac=1, random_state=3)
    shuffled["province_year"] = "p" + shuffled["province_year"].astype(str)
    effects, others, _ = CASES["a chain"]
    again = FixedEffects(
        shuffled["y"], shuffled[X], effects=effects, other_effects=shuffled[others[::-1]]
    ).fit()
    assert_allclose(again.params, model.params, rtol=1e-9)
    assert_allclose(again.cov, model.cov, rtol=1e-9)
    assert again.rank == model.rank


def test_rows_alone_in_a_category_are_dropped_with_them(cities):
    frame = cities.copy()
    frame.iloc[0, frame.columns.get_loc("province_year")] = "alone"
    with pytest.warns(match="1 of .* rows are alone"):
        model = FixedEffects(
            frame["y"], frame[X], other_effects=frame["province_year"], singletons="drop"
        )
    assert len(model.y) == len(frame) - 1
    assert model.absorbed.implied == {"time": "province_year"} and len(model.notes) == 2


def test_instrumental_variables_have_them(cities):
    f = cities
    results = [
        IV2SLS(f["y"], f["x1"], f["x2"], f["z"], effects=effects, other_effects=f["province_year"])
        for effects in ("twoway", "entity")
    ]
    both, plain = (model.fit() for model in results)
    assert_allclose(both.params, plain.params, rtol=1e-9)
    assert_allclose(both.cov, plain.cov, rtol=1e-9)
    assert_allclose(both.fit_statistics["kp_rk_wald_f"], plain.fit_statistics["kp_rk_wald_f"])
    assert both.effects_included == ("entity", "time", "province_year")
    assert both.notes[-1].startswith("The time effects are implied") and not plain.notes


@pytest.mark.parametrize("model", [Moderation, Mediation])
def test_mechanisms_have_them(cities, model):
    f = cities
    both, plain = (
        model(f["y"], f["x1"], f["m"], f["x2"], effects=e, other_effects=f["province_year"]).fit(
            **({"replications": 20, "seed": 1} if model is Mediation else {})
        )
        for e in ("twoway", "entity")
    )
    for name, part in both.parts.items():
        assert_allclose(part.params, plain.parts[name].params, rtol=1e-9)
        assert_allclose(part.cov, plain.parts[name].cov, rtol=1e-9)


@pytest.mark.parametrize("test", ["interaction", "sur"])
def test_groups_have_them(cities, test):
    groups = cities["region"].map({0: "near", 1: "far"})
    found = [
        comparison.heterogeneity(
            FixedEffects(cities["y"], cities[X], effects=e, other_effects=cities["province_year"]),
            groups,
            tests=[test],
        ).to_frame()
        for e in ("twoway", "entity")
    ]
    pd.testing.assert_frame_equal(*found, rtol=1e-8)


def test_linearmodels_agrees(cities):
    pytest.importorskip("linearmodels")
    result = specification(cities, "year beside province-year").fit(cov_type="unadjusted")
    frame = comparison.crosscheck(result)
    assert set(frame["verdict"]) <= {"same", "convention"}


def test_what_only_the_implying_effects_remove_is_named(cities):
    f = cities.assign(x3=pd.factorize(cities["province_year"])[0] ** 1.5)
    with pytest.raises(ConstantColumnError, match="'x3' does not vary once the effects"):
        FixedEffects(f["y"], f[["x1", "x3"]], other_effects=f["province_year"])
