"""heterogeneity(): groups and tests against explicit dummies, published values and enumeration."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial import FixedEffects
from nqp_spatial.comparison.heterogeneity import heterogeneity
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    MissingValuesError,
    OptionError,
)
from tests.by_hand import dummies

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

REGIONS = ["东部", "中部", "西部"]


def simulate(seed, n_entities=15, n_periods=6, slopes=(1.0, 1.5, 0.2), noise=(1.0, 1.0, 1.0)):
    """Entities in turn in each region; x1 with the region's slope, x2 with -0.5 in all."""
    rng = np.random.default_rng(seed)
    names = [f"c{i:02d}" for i in range(n_entities)]
    index = pd.MultiIndex.from_product([names, range(2010, 2010 + n_periods)])
    index.names = ["city", "year"]
    region = np.repeat(np.arange(n_entities) % len(slopes), n_periods)
    frame = pd.DataFrame(rng.normal(size=(len(index), 2)), index, ["x1", "x2"])
    frame["x1"] += np.repeat(rng.normal(size=n_entities), n_periods)
    error = rng.normal(size=len(index)) * np.asarray(noise)[region]
    frame["y"] = np.asarray(slopes)[region] * frame["x1"] - 0.5 * frame["x2"] + error
    frame["y"] += np.repeat(rng.normal(size=n_entities), n_periods) + region
    groups = pd.Series(np.array(REGIONS)[np.arange(n_entities) % len(slopes)], names)
    return frame, groups


@pytest.fixture(scope="module")
def data():
    """Three regions, unbalanced."""
    frame, groups = simulate(1)
    return frame.drop([("c03", 2012), ("c04", 2010)]), groups


def model_of(frame, **options):
    return FixedEffects(frame["y"], frame[["x1", "x2"]], **options)


def dummy_regression(y, X, D, clusters):
    """Coefficients of X beside dummies D, and their cluster sandwich without any factor."""
    y, Z = np.asarray(y, dtype=float), np.hstack([X, D])
    bread = np.linalg.pinv(Z.T @ Z)
    beta = bread @ Z.T @ y
    scores = pd.DataFrame(Z * (y - Z @ beta)[:, None]).groupby(np.asarray(clusters)).sum()
    cov = bread @ (scores.T.to_numpy() @ scores.to_numpy()) @ bread
    k = X.shape[1]
    return beta[:k], cov[:k, :k], np.linalg.matrix_rank(Z)


def split_columns(frame, region, names):
    return np.column_stack([frame[n] * (region == r) for r in REGIONS for n in names])


# groups and tests against dummies ------------------------------------------------------------


def test_each_group_is_the_regression_of_its_rows(data):
    frame, groups = data
    found = heterogeneity(model_of(frame), groups, tests=())
    rows = found.estimates()
    for region in REGIONS:
        part = frame[frame.index.get_level_values(0).map(groups) == region]
        city, year = (part.index.get_level_values(i) for i in (0, 1))
        D = dummies(city, year)
        beta, cov, rank = dummy_regression(part["y"], part[["x1", "x2"]].to_numpy(), D, city)
        n, G = len(part), city.nunique()
        factor = G / (G - 1) * (n - 1) / (n - (rank - (G - 1)))
        assert_allclose(rows.loc[("x1", region), "estimate"], beta[0], rtol=1e-9)
        assert_allclose(rows.loc[("x1", region), "std_error"], np.sqrt(factor * cov[0, 0]))
        assert rows.loc[("x1", region), "nobs"] == n
        assert rows.loc[("x1", region), "n_entities"] == G == 5


@pytest.mark.parametrize("interact", ["all", "regressors", "variable"])
def test_interaction_is_the_regression_with_dummies(data, interact):
    frame, groups = data
    found = heterogeneity(
        model_of(frame), groups, variable="x1", tests="interaction", interact=interact
    )
    city, year = (np.asarray(frame.index.get_level_values(i)) for i in (0, 1))
    region = groups.loc[city].to_numpy()
    X = split_columns(frame, region, ["x1", "x2"] if interact != "variable" else ["x1"])
    if interact == "variable":
        X = np.column_stack([X, frame["x2"]])
    times = [f"{t} {r}" for t, r in zip(year, region, strict=True)] if interact == "all" else year
    beta, cov, rank = dummy_regression(frame["y"], X, dummies(city, times), city)
    n, G = len(frame), 15
    cov = cov * G / (G - 1) * (n - 1) / (n - (rank - (G - 1)))
    step = 1 if interact == "variable" else 2
    for g, h in combinations(range(3), 2):
        R = np.zeros(len(beta))
        R[g * step], R[h * step] = 1, -1
        test = found.tests["x1", f"{REGIONS[g]} - {REGIONS[h]}", "interaction"]
        F = (R @ beta) ** 2 / (R @ cov @ R)
        assert_allclose([test.statistic, test.pvalue], [F, stats.f(1, 14).sf(F)], rtol=1e-8)
        row = found.differences.loc[("x1", f"{REGIONS[g]} - {REGIONS[h]}", "interaction")]
        assert_allclose(row["estimate"], R @ beta, rtol=1e-9)
        assert_allclose(row["std_error"], np.sqrt(R @ cov @ R), rtol=1e-9)
    R = np.zeros((2, len(beta)))
    R[:, 0], R[0, step], R[1, 2 * step] = 1, -1, -1
    F = R @ beta @ np.linalg.solve(R @ cov @ R.T, R @ beta) / 2
    joint = found.tests["x1", "all", "interaction"]
    assert_allclose([joint.statistic, joint.pvalue], [F, stats.f(2, 14).sf(F)], rtol=1e-8)
    assert joint.df == (2, 14)


def test_interaction_of_the_variable_alone_is_that_of_linearmodels(data):
    """linearmodels' PanelOLS; its clustered factor is 1, ours the one of reghdfe."""
    from linearmodels.panel import PanelOLS

    frame, groups = data
    region = groups.loc[frame.index.get_level_values(0)].to_numpy()
    X = pd.DataFrame({r: frame["x1"] * (region == r) for r in REGIONS}).join(frame["x2"])
    raw = PanelOLS(frame["y"], X, entity_effects=True, time_effects=True).fit(
        cov_type="clustered", cluster_entity=True, debiased=False
    )
    found = heterogeneity(
        model_of(frame), groups, variable="x1", tests="interaction", interact="variable"
    )
    row = found.differences.loc[("x1", "东部 - 西部", "interaction")]
    assert_allclose(row["estimate"], raw.params["东部"] - raw.params["西部"], rtol=1e-8)


def test_sur_of_groups_without_common_clusters_adds_their_variances(data):
    frame, groups = data
    found = heterogeneity(model_of(frame), groups, variable=["x1", "x2"], tests="sur")
    b, V = [], []
    for region in REGIONS:
        part = frame[frame.index.get_level_values(0).map(groups) == region]
        city, year = (part.index.get_level_values(i) for i in (0, 1))
        D = dummies(city, year)
        beta, cov, _ = dummy_regression(part["y"], part[["x1", "x2"]].to_numpy(), D, city)
        b.append(beta)
        V.append(cov * 15 / 14)
    z = (b[0][0] - b[2][0]) / np.sqrt(V[0][0, 0] + V[2][0, 0])
    test = found.tests["x1", "东部 - 西部", "sur"]
    assert_allclose([test.statistic, test.pvalue], [z, 2 * stats.norm.sf(abs(z))], rtol=1e-9)
    assert test.df == 0
    R = np.kron([[1, -1, 0], [1, 0, -1]], np.eye(2))
    middle = R @ np.kron(np.diag([1, 0, 0]), V[0]) @ R.T
    middle += R @ np.kron(np.diag([0, 1, 0]), V[1]) @ R.T
    middle += R @ np.kron(np.diag([0, 0, 1]), V[2]) @ R.T
    difference = R @ np.concatenate(b)
    chi2 = difference @ np.linalg.solve(middle, difference)
    joint = found.tests["all", "all", "sur"]
    assert_allclose([joint.statistic, joint.df], [chi2, 4], rtol=1e-8)
    assert_allclose(joint.pvalue, stats.chi2(4).sf(chi2), rtol=1e-8)


def test_sur_of_periods_counts_entities_in_both(data):
    """Before and after: the difference of a system in which clusters span the groups."""
    frame, _ = data
    city, year = (frame.index.get_level_values(i) for i in (0, 1))
    late = pd.Series(np.where(year >= 2013, "late", "early"), frame.index)
    found = heterogeneity(
        model_of(frame), late, variable="x1", tests=("sur", "interaction"), seed=0
    )
    is_late = (late == "late").to_numpy()
    X = np.column_stack([frame[n] * part for part in (~is_late, is_late) for n in ("x1", "x2")])
    D = dummies(city + late.to_numpy(), year)
    beta, cov, rank = dummy_regression(frame["y"], X, D, city)
    R = np.array([1, 0, -1, 0])
    z = (R @ beta) / np.sqrt(R @ cov @ R * 15 / 14)
    assert_allclose(found.tests["x1", "early - late", "sur"].statistic, z, rtol=1e-9)
    alone = cov[0, 0] + cov[2, 2]
    assert abs(R @ cov @ R / alone - 1) > 0.01  # what independent groups would have missed
    n = len(frame)
    factor = 15 / 14 * (n - 1) / (n - (rank - (30 - 1)))
    error = found.differences.loc[("x1", "early - late", "interaction"), "std_error"]
    assert_allclose(error, np.sqrt(R @ cov @ R * factor), rtol=1e-9)


def test_other_effects_and_trends_are_those_of_each_group():
    frame, groups = simulate(3, n_entities=18, n_periods=8)
    firm = pd.Series(np.random.default_rng(2).integers(0, 4, len(frame)), frame.index, name="firm")
    model = model_of(frame, effects="entity", other_effects=firm, trends="entity")
    found = heterogeneity(model, groups, variable="x1", tests=("interaction", "sur"))
    parts = []
    for region in REGIONS:
        part = frame[frame.index.get_level_values(0).map(groups) == region]
        city, year = (part.index.get_level_values(i) for i in (0, 1))
        own = dummies(city)
        D = np.hstack([own, dummies(firm[part.index]), own * (np.asarray(year) - 2013.5)[:, None]])
        parts.append(dummy_regression(part["y"], part[["x1", "x2"]].to_numpy(), D, city)[:2])
        assert_allclose(found.estimates().loc[("x1", region), "estimate"], parts[-1][0][0])
    (b0, V0), _, (b2, V2) = parts
    z = (b0[0] - b2[0]) / np.sqrt((V0[0, 0] + V2[0, 0]) * 18 / 17)
    assert_allclose(found.tests["x1", "东部 - 西部", "sur"].statistic, z, rtol=1e-8)
    difference = found.differences.loc[("x1", "东部 - 西部", "interaction"), "estimate"]
    assert_allclose(difference, b0[0] - b2[0], rtol=1e-8)


def test_pooled_ols_is_split_with_a_constant_each(data):
    frame, groups = data
    model = FixedEffects(frame["y"], frame[["x1", "x2"]], effects=None)
    found = heterogeneity(model, groups, variable="x1", tests="sur", cov_type="robust")
    b, V = [], []
    for region in REGIONS[:2]:
        part = frame[frame.index.get_level_values(0).map(groups) == region]
        ones, rows = np.ones((len(part), 1)), np.arange(len(part))
        beta, cov, _ = dummy_regression(part["y"], part[["x1", "x2"]].to_numpy(), ones, rows)
        b.append(beta[0])
        V.append(cov[0, 0])
    n = len(frame)
    key = [key for key in found.by_comparison if set(key[1].split(" - ")) == set(REGIONS[:2])]
    z = (b[0] - b[1]) / np.sqrt(sum(V) * n / (n - 1))
    assert_allclose(abs(found.tests[key[0]].statistic), abs(z), rtol=1e-9)


# permutation ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_permutation_is_the_share_among_all_splits():
    """Six entities, three a group: all 20 splits by explicit dummies."""
    frame, _ = simulate(11, n_entities=6, n_periods=5, slopes=(1.0, 1.6))
    frame, names = frame.drop([("c01", 2011)]), [f"c{i:02d}" for i in range(6)]

    def difference(chosen):
        inside = frame.index.get_level_values(0).isin(chosen)
        slopes = []
        for part in (frame[inside], frame[~inside]):
            D = dummies(*(part.index.get_level_values(i) for i in (0, 1)))
            slopes.append(dummy_regression(part["y"], part[["x1", "x2"]].to_numpy(), D, D[:, 0])[0])
        return slopes[0][0] - slopes[1][0]

    splits = {chosen: difference(chosen) for chosen in combinations(names, 3)}
    middle = sorted(splits, key=lambda chosen: abs(splits[chosen]))[12]
    groups = pd.Series(np.where(pd.Index(names).isin(middle), "a", "b"), names)
    every, observed = np.array(list(splits.values())), splits[middle]
    exact = float(np.mean(np.abs(every) >= abs(observed) - 1e-12))
    found = heterogeneity(
        model_of(frame), groups, variable="x1", tests="permutation", replications=1000, seed=5
    )
    test = found.tests["x1", "a - b", "permutation"]
    assert_allclose(test.statistic, observed, rtol=1e-9)
    assert exact == 0.4  # four of the ten pairs of splits
    assert abs(test.pvalue - exact) < 4 * np.sqrt(exact * (1 - exact) / 1000) + 1 / 1000
    assert_allclose(np.unique(found.draws.round(9)), np.unique(every.round(9)), atol=1e-8)


@pytest.mark.slow
def test_permutation_is_the_same_for_any_number_of_processes_and_extends(data):
    frame, groups = data
    options = {"variable": "x1", "tests": "permutation", "seed": 7}
    one, two, more = (
        heterogeneity(model_of(frame), groups, **options, **how).draws
        for how in (
            {"replications": 40},
            {"replications": 40, "n_jobs": 2},
            {"replications": 60},
        )
    )
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(one, more.iloc[:40])
    other = heterogeneity(model_of(frame), groups, **{**options, "seed": 8}, replications=40).draws
    assert not np.allclose(one, other)


def test_studentised_statistics_are_those_of_sur(data):
    frame, groups = data
    found = heterogeneity(
        model_of(frame),
        groups,
        variable="x1",
        tests=("permutation", "sur"),
        studentise=True,
        replications=40,
    )
    for key in [("x1", "东部 - 西部"), ("x1", "all")]:
        ours, sur = found.tests[(*key, "permutation")], found.tests[(*key, "sur")]
        assert_allclose(ours.statistic, sur.statistic, rtol=1e-10)
        further = (found.draws[key].abs() >= abs(sur.statistic) * (1 - 1e-9)).sum()
        assert_allclose(ours.pvalue, (1 + further) / 41)


def rejections(runs, **options):
    """Share of simulated panels without a difference that are rejected at 5%."""
    pvalues = []
    for seed in range(runs):
        frame, groups = simulate(seed, n_entities=16, n_periods=4, slopes=(1.0, 1.0))
        model = FixedEffects(frame["y"], frame[["x1", "x2"]], effects="entity")
        found = heterogeneity(
            model, groups, variable="x1", tests="permutation", replications=39, seed=seed, **options
        )
        pvalues.append(found.tests["x1", "东部 - 中部", "permutation"].pvalue)
    return np.mean(np.array(pvalues) <= 0.05 + 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("studentise", [False, True])
def test_permutation_has_its_size(studentise):
    """Equal groups: 5% of 400 panels, within three standard errors."""
    size = rejections(400, studentise=studentise)
    assert abs(size - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
def test_studentising_helps_where_a_small_group_is_noisy():
    """Equal slopes, 8 of 40 entities with errors three times as large; 100 panels."""
    rejected = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        entity = np.repeat(np.arange(40), 3)
        index = pd.MultiIndex.from_arrays([entity, np.tile(range(3), 40)], names=["city", "year"])
        x = pd.DataFrame({"x1": rng.normal(size=120)}, index)
        y = x["x1"] + rng.normal(size=120) * np.where(entity < 8, 3, 1)
        groups = pd.Series(np.where(np.arange(40) < 8, "small", "large"))
        pvalues = [
            heterogeneity(
                FixedEffects(y, x, effects="entity"),
                groups,
                tests="permutation",
                replications=39,
                seed=seed,
                studentise=studentise,
            )
            .tests["x1", "large - small", "permutation"]
            .pvalue
            for studentise in (False, True)
        ]
        rejected.append(np.array(pvalues) <= 0.05 + 1e-12)
    plain, studentised = np.mean(rejected, axis=0)
    assert plain > 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert studentised < plain - 0.05


# published values ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wages(shared):
    """nlsw88 by race: 1 615 white and 572 black women, one row each."""
    reference = json.loads((shared / "reference" / "panel_reference.json").read_text("utf-8"))
    frame = pd.read_csv(shared / "reference" / "data" / "nlsw88_wb.csv")
    frame.index = pd.MultiIndex.from_arrays([np.arange(len(frame)), np.zeros(len(frame), int)])
    frame.index.names = ["id", "time"]
    x = frame[["ttl_exp", "married", "south", "hours", "tenure", "age", "agesq"]]
    model = FixedEffects(frame["wage"], x, effects=None, other_effects=frame["industry"])
    race = frame["black"].map({0.0: "0 white", 1.0: "1 black"})
    return model, race, reference["10_mediation_bdiff_psm"]["bdiff"]


def test_wages_by_race_have_the_published_coefficients_and_suest_statistics(wages):
    model, race, expected = wages
    found = heterogeneity(model, race, tests="sur", cov_type="robust")
    rows = found.estimates()
    assert rows.loc["married", "nobs"].tolist() == [1615, 572]
    for name, values in expected["coef"].items():
        assert_allclose(rows.loc[name, "estimate"], values, atol=5.1e-7)
    for name, value in expected["diff_b0_minus_b1"].items():
        row = found.differences.loc[(name, "0 white - 1 black", "sur")]
        assert_allclose(row["estimate"], value, atol=5.1e-7)
    for name, value in expected["suest_chi2"].items():
        z = found.tests[name, "0 white - 1 black", "sur"].statistic
        assert_allclose(z**2, value, atol=5.1e-8)


@pytest.mark.slow
def test_wages_by_race_have_the_permutation_p_values(wages):
    """Two-sided, 5 000 permutations there and 2 000 here: four standard errors of both."""
    model, race, expected = wages
    published = expected["permutation_5000_two_sided"]
    found = heterogeneity(
        model, race, variable=list(published), tests="permutation", replications=2000, seed=3
    )
    for name, p in published.items():
        ours = found.tests[name, "0 white - 1 black", "permutation"].pvalue
        assert abs(ours - p) < 4 * np.sqrt(p * (1 - p) * (1 / 2000 + 1 / 5000)) + 1 / 2000


# what comes back -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(data):
    frame, groups = data
    return heterogeneity(model_of(frame), groups, variable="x1", replications=40)


def test_frame_has_a_row_for_each_group_and_test(found):
    frame = found.to_frame()
    assert frame.index.names == ["variable", "groups", "test"]
    pairs = ["东部 - 中部", "东部 - 西部", "中部 - 西部"]
    order = sorted(REGIONS)
    assert frame.loc[("x1", slice(None), ""), :].index.get_level_values(1).tolist() == order
    tests = frame[frame.index.get_level_values("test") != ""]
    assert len(tests) == 3 * (len(pairs) + 1)
    for key, test in found.by_comparison.items():
        assert frame.loc[key, "pvalue"] == test.pvalue
        assert frame.loc[key, "statistic"] == test.statistic
    row = frame.loc[("x1", "东部", "")]
    result = found.results["东部"]
    assert row["estimate"] == result.params["x1"]
    assert row["lower"] == result.conf_int().loc["x1", "lower"]
    assert (row["nobs"], row["n_entities"]) == (result.nobs, 5)


def test_groups_stand_in_a_table_with_the_tests_below(found, tmp_path):
    table = found.table(tmp_path / "组间差异.md", lang="zh")
    text = (tmp_path / "组间差异.md").read_text("utf-8")
    assert all(region in text for region in REGIONS)
    assert f"{found.results['东部'].params['x1']:.4f}" in text
    p = found.tests["x1", "东部 - 西部", "sur"].pvalue
    assert p < 0.0005 and "似无相关检验 p < 0.001" in " ".join(table.notes)  # of pairs
    english = found.table()
    assert "sur p < 0.001" in " ".join(english.notes)
    (row,) = [r for r in english.rows if r.cells[0] == "p, equal x1 (sur)"]  # of all groups
    assert row.cells[1:] == ("< 0.001", None, None)
    together = nqp.tables.regression(list(found.results.values()))
    assert f"{found.results['西部'].params['x1']:.4f}" in str(together)


def test_plot_draws_each_group_where_it_is(found):
    import matplotlib.pyplot as plt

    ax = found.plot()
    points = next(line for line in ax.lines if len(line.get_xdata()) == 3)
    assert_allclose(points.get_xdata(), found.estimates("x1")["estimate"])
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert [label.split(" ")[0] for label in labels] == sorted(REGIONS)
    plt.close("all")


def test_order_of_a_categorical_is_kept(data):
    frame, groups = data
    ordered = groups.astype(pd.CategoricalDtype(["西部", "中部", "东部", "东北"]))
    found = heterogeneity(model_of(frame), ordered, tests="sur")
    assert list(found.results) == ["西部", "中部", "东部"]
    assert "x1/西部 - 东部/sur" in found.tests


def test_shuffled_rows_and_groups_change_nothing(data, found):
    frame, groups = data
    again = heterogeneity(
        model_of(frame.sample(frac=1, random_state=1)),
        groups.sample(frac=1, random_state=2),
        variable="x1",
        replications=40,
    )
    pd.testing.assert_frame_equal(again.to_frame(), found.to_frame())


# bad input -----------------------------------------------------------------------------------


def test_a_group_with_one_entity_is_named(data):
    frame, groups = data
    alone = groups.where(groups.index != "c02", "海南")
    with pytest.raises(DataError, match=r"'海南' has one entity, 'c02'"):
        heterogeneity(model_of(frame), alone)


def test_entities_without_a_group_are_named(data):
    frame, groups = data
    with pytest.raises(IdMismatchError, match=r"2 entities of the model have no group.*'c04'"):
        heterogeneity(model_of(frame), groups.drop(["c04", "c07"]))
    with pytest.raises(MissingValuesError, match=r"groups is empty at 'c04'\."):
        heterogeneity(model_of(frame), groups.where(groups.index != "c04"))
    with pytest.raises(IdMismatchError, match=r"types differ"):
        coded = frame.rename(index={f"c{i:02d}": i for i in range(15)}, level=0)
        heterogeneity(model_of(coded), groups.set_axis([str(i) for i in range(15)]))
    with pytest.raises(DuplicateKeysError, match=r"'c00' more than once"):
        heterogeneity(model_of(frame), pd.concat([groups, groups.iloc[:1]]))
    with pytest.raises(DataError, match=r"Give a Series of labels"):
        heterogeneity(model_of(frame), list(groups))


def test_a_group_without_variation_in_the_treatment_is_named(data):
    frame, groups = data
    region = frame.index.get_level_values(0).map(groups)
    flat = frame.assign(did=frame["x1"].where(region != "中部", 0.0))
    model = FixedEffects(flat["y"], flat[["did", "x2"]])
    with pytest.raises(ConstantColumnError, match=r"In the group '中部': 'did' has the same value"):
        heterogeneity(model, groups)


def test_unknown_options_and_models_say_what_to_type(data):
    frame, groups = data
    model = model_of(frame)
    with pytest.raises(OptionError, match=r"Did you mean 'x1'"):
        heterogeneity(model, groups, variable="x_1")
    with pytest.raises(OptionError, match=r"Did you mean 'permutation'"):
        heterogeneity(model, groups, tests="permutations")
    with pytest.raises(OptionError, match=r"interact='some' is not known"):
        heterogeneity(model, groups, interact="some")
    with pytest.raises(OptionError, match=r"replications=5"):
        heterogeneity(model, groups, replications=5)
    with pytest.raises(OptionError, match=r"Every row is in the group 'a'"):
        heterogeneity(model, groups.map(lambda _: "a"))
    with pytest.raises(OptionError, match=r"result\.model"):
        heterogeneity(model.fit(), groups)
    with pytest.raises(OptionError, match=r"not two-way clusters"):
        heterogeneity(model, groups, tests="sur", clusters=["entity", "time"])
    graph = nqp.weights.as_graph(np.roll(np.eye(15), 1, axis=1), ids=list(groups.index))
    full, _ = simulate(1)
    spatial = nqp.SpatialDurbin(full["y"], full[["x1"]], graph)
    with pytest.raises(OptionError, match=r"SpatialDurbin cannot be split"):
        heterogeneity(spatial, groups)


def test_groups_that_change_in_time_cannot_be_permuted(data):
    frame, _ = data
    year = frame.index.get_level_values(1)
    late = pd.Series(np.where(year >= 2013, "late", "early"), frame.index)
    with pytest.raises(OptionError, match=r"15 entities are in more than one group, first 'c00'"):
        heterogeneity(model_of(frame), late)


def test_permutations_without_variation_are_counted_or_refused():
    """x varies in four of twelve entities: some splits leave it constant in a group."""
    frame, _ = simulate(4, n_entities=12)
    names = frame.index.get_level_values(0)
    frame["did"] = frame["x1"].where(names.isin(["c00", "c01", "c02", "c03"]), 0.0)
    groups = pd.Series(["a", "b"] * 6, names.unique())
    model = FixedEffects(frame["y"], frame[["did"]], effects="entity")
    with pytest.warns(DataWarning, match=r"of 100 permutations of entities leave a group without"):
        found = heterogeneity(model, groups, tests="permutation", replications=100)
    assert 50 < len(found.draws) < 100
    rare = pd.Series(["a", "b", "b", "a"] + ["b"] * 8, names.unique())
    frame["did"] = frame["x1"].where(names.isin(["c00", "c01"]), 0.0)
    model = FixedEffects(frame["y"], frame[["did"]], effects="entity")
    with pytest.raises(EstimationError, match=r"Use tests=\('interaction', 'sur'\)"):
        heterogeneity(model, rare, tests="permutation", replications=30)
