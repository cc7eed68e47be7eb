"""FixedEffects against plm, fixest and lm with dummies; and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal, assert_series_equal
from scipy import stats

from nqp_spatial import FixedEffects, PanelData
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from tests import REFERENCE, panels

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

EFFECT = {"pooled": None, "individual": "entity", "time": "time", "twoways": "twoway"}


@pytest.fixture(scope="module")
def grunfeld():
    return panels.grunfeld()


@pytest.fixture(scope="module")
def plm():
    return panels.known("grunfeld.csv", "effect", "kind", "name")


@pytest.fixture(scope="module")
def fixest():
    return pd.read_csv(REFERENCE / "grunfeld_fixest.csv", comment="#", index_col="kind")


@pytest.fixture(scope="module")
def unbalanced():
    return panels.read("fixed_effects_data.csv", "city", "year")


@pytest.fixture(scope="module")
def lm():
    table = panels.read("fixed_effects.csv")
    table["name"] = table["name"].replace("(Intercept)", "const")
    return table.set_index(["case", "kind", "name"])["value"].sort_index()


@pytest.fixture
def frame():
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product(
        [[f"c{i:02d}" for i in range(9)], range(2000, 2006)], names=["city", "year"]
    )
    return pd.DataFrame(rng.normal(size=(54, 3)), index, ["y", "a", "b"])


def model(data, **options):
    return FixedEffects(data["inv"], data[["value", "capital"]], **options)


# other programs ------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", EFFECT)
def test_estimates_and_plain_errors_equal_plm(grunfeld, plm, effect):
    result = model(grunfeld, effects=EFFECT[effect]).fit(cov_type="unadjusted")
    for kind, ours in (("params", result.params), ("iid", result.std_errors)):
        assert_allclose(ours, plm[effect, kind].loc[ours.index], rtol=1e-9)


@pytest.mark.parametrize("effect", EFFECT)
def test_sandwiches_equal_plm_times_the_stated_factor(grunfeld, plm, effect):
    """n = 200; K counts all effects; effects nested in the clusters leave one behind."""
    every = {"pooled": 3, "individual": 12, "time": 22, "twoways": 31}[effect]
    by_firm = {"pooled": 3, "individual": 3, "time": 22, "twoways": 22}[effect]
    by_year = {"pooled": 3, "individual": 12, "time": 3, "twoways": 12}[effect]
    kraay = 20 / 19 * 199 / (200 - every)
    cases = {
        "white": ({"cov_type": "robust"}, 200 / (200 - every)),
        "arellano": ({}, 10 / 9 * 199 / (200 - by_firm)),
        "time": ({"clusters": "time"}, 20 / 19 * 199 / (200 - by_year)),
        "scc2": ({"cov_type": "driscoll-kraay", "bandwidth": 2}, kraay),
        "scc4": ({"cov_type": "driscoll-kraay", "bandwidth": 4}, kraay),
    }
    specification = model(grunfeld, effects=EFFECT[effect])
    for kind, (options, factor) in cases.items():
        if kind == "white" and effect != "pooled":
            continue  # plm's white1 lets errors share a variance within a firm
        ours = specification.fit(**options).std_errors
        assert_allclose(
            ours, plm[effect, kind].loc[ours.index] * np.sqrt(factor), rtol=1e-8, err_msg=kind
        )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("iid", {"cov_type": "unadjusted"}),
        ("hetero", {"cov_type": "robust"}),
        ("cluster_firm", {}),
        ("twoway", {"clusters": ["entity", "time"]}),
        ("DK2", {"cov_type": "driscoll-kraay", "bandwidth": 2}),
        ("DK4", {"cov_type": "driscoll-kraay", "bandwidth": 4}),
    ],
)
def test_two_way_errors_equal_fixest(grunfeld, fixest, kind, options):
    ours = model(grunfeld).fit(**options).std_errors
    assert_allclose(ours, fixest.loc[kind, ours.index], rtol=1e-8)


def test_clustered_errors_equal_statas_print(grunfeld, fixest):
    ours = model(grunfeld, effects="entity").fit().std_errors
    assert_allclose(ours, fixest.loc["stata_cluster", ours.index], rtol=5e-6)  # digits printed


def test_reference_values_kept_beside_the_checkout_agree(shared, grunfeld):
    import json

    values = json.loads((shared / "reference" / "panel_reference.json").read_text())
    plm_values = values["6_panel_fe_re_tests"]["plm"]
    for name, effects in (("Grunfeld_FE", "entity"), ("Grunfeld_TW", "twoway")):
        result = model(grunfeld, effects=effects).fit(cov_type="unadjusted")
        assert_allclose(result.params, pd.Series(plm_values[name]["b"]), rtol=1e-9)
        assert_allclose(result.std_errors, pd.Series(plm_values[name]["se"]), rtol=1e-9)


CASES = {
    "pooled": (None, None),
    "entity": ("entity", None),
    "time": ("time", None),
    "twoway": ("twoway", None),
    "entity_province_year": ("entity", "province_year"),
    "province_year": (None, "province_year"),
    "province_and_year": ("time", "province"),
}


@pytest.mark.parametrize("case", CASES)
def test_unbalanced_panel_equals_lm_with_dummies(unbalanced, lm, case):
    """fixed_effects.R; city and province-year effects lie in four parts that nothing links."""
    effects, other = CASES[case]
    data = unbalanced
    specification = FixedEffects(
        data["y"],
        data[["x1", "x2", "policy"]],
        effects=effects,
        other_effects=None if other is None else data[other],
    )
    kinds = {
        "iid": {"cov_type": "unadjusted"},
        "hetero": {"cov_type": "robust"},
        "cluster_city": {"clusters": "entity"},
        "cluster_province": {"clusters": data["province"]},
        "dk2": {"cov_type": "driscoll-kraay", "bandwidth": 2},
    }
    if case != "entity":  # there one variance is negative: tested below
        kinds["clusters2"] = {"clusters": ["entity", "time"]}
    for kind, options in kinds.items():
        result = specification.fit(**options)
        assert_allclose(
            result.std_errors, lm[case, kind].loc[result.params.index], rtol=1e-7, err_msg=kind
        )
    assert_allclose(result.params, lm[case, "params"].loc[result.params.index], rtol=1e-7)
    fit = lm[case, "fit"]
    assert_allclose(result.loglik, fit["loglik"], rtol=1e-9)
    assert_allclose(result.rsquared["within"], fit["within"], rtol=1e-9)
    assert_allclose(result.rsquared["overall"], fit["overall"], rtol=1e-9)
    assert specification.fit(cov_type="robust").df_resid == len(data) - fit["rank"]


def test_a_negative_two_way_variance_is_named(unbalanced, lm):
    assert "policy" not in lm["entity", "clusters2"].index  # NaN in R
    data = unbalanced
    entity = FixedEffects(data["y"], data[["x1", "x2", "policy"]], effects="entity")
    with pytest.raises(EstimationError, match="variance of 'policy' is negative"):
        entity.fit(clusters=["entity", "time"])


# inference -----------------------------------------------------------------------------------


def test_t_distribution_has_the_right_degrees_of_freedom(grunfeld):
    specification = model(grunfeld)
    expected = {
        "unadjusted": 200 - 31,
        "robust": 200 - 31,
        "clustered": 9,
        "driscoll-kraay": 19,
    }
    for cov_type, df in expected.items():
        result = specification.fit(cov_type=cov_type)
        assert result.df_resid == df
        ratio = result.params / result.std_errors
        assert_allclose(result.pvalues, 2 * stats.t(df).sf(abs(ratio)), rtol=1e-12)
        width = (result.conf_int(0.9)["upper"] - result.params) / result.std_errors
        assert_allclose(width, stats.t(df).ppf(0.95), rtol=1e-10)
    assert specification.fit(clusters=["entity", "time"]).df_resid == 9  # the smaller number


def test_default_bandwidth(grunfeld):
    """floor(4 (20 / 100)^(2/9)) = 2."""
    ours = model(grunfeld).fit(cov_type="driscoll-kraay").std_errors
    two = model(grunfeld).fit(cov_type="driscoll-kraay", bandwidth=2).std_errors
    assert_series_equal(ours, two)


def test_cluster_labels_of_any_kind_give_the_same_numbers(grunfeld):
    specification = model(grunfeld)
    by_name = specification.fit(clusters="entity")
    firms = pd.Series(grunfeld.index.get_level_values(0), grunfeld.index, name="firm")
    codes = pd.Series(pd.factorize(firms)[0] * 7.0, grunfeld.index, name="code")
    for labels in (firms, firms.sample(frac=1, random_state=3), codes, firms.astype("category")):
        assert_allclose(specification.fit(clusters=labels).cov, by_name.cov, rtol=1e-12)
    both = specification.fit(clusters=["entity", "time"])
    years = pd.Series(grunfeld.index.get_level_values(1).astype(str), grunfeld.index, name="when")
    result = specification.fit(clusters=pd.concat([firms, years], axis=1))
    assert_allclose(result.cov, both.cov, rtol=1e-12)
    assert result.cov_type == "clustered by firm and when"


# properties ----------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_shifting_y_within_the_effects_changes_nothing(unbalanced, effects):
    data = unbalanced
    before = FixedEffects(data["y"], data[["x1", "x2"]], effects=effects).fit()
    level = {"entity": ["city"], "time": ["year"], "twoway": ["city", "year"]}[effects]
    shift = sum(pd.Series(pd.factorize(data.index.get_level_values(n))[0] ** 2.0) for n in level)
    after = FixedEffects(
        data["y"] + shift.to_numpy(), data[["x1", "x2"]] + 1e6, effects=effects
    ).fit()
    assert_allclose(after.params, before.params, rtol=1e-7)
    assert_allclose(after.std_errors, before.std_errors, rtol=1e-7)


@pytest.mark.parametrize("effects", [None, "entity", "twoway"])
@pytest.mark.parametrize("unit", [1e-12, 1e6, 1e13])
def test_units_do_not_matter(unbalanced, effects, unit):
    """GDP in yuan beside a share: least squares must not drop the smaller column."""
    data = unbalanced
    x = data[["x1", "x2"]]
    before = FixedEffects(data["y"], x, effects=effects).fit()
    after = FixedEffects(data["y"], x.assign(x1=x["x1"] * unit), effects=effects).fit()
    assert_allclose(after.params["x1"] * unit, before.params["x1"], rtol=1e-7)
    assert_allclose(after.std_errors["x1"] * unit, before.std_errors["x1"], rtol=1e-7)
    assert_allclose(after.params["x2"], before.params["x2"], rtol=1e-7)


def test_a_large_mean_is_not_taken_for_a_constant(frame):
    before = FixedEffects(frame["y"], frame[["a"]]).fit()
    after = FixedEffects(frame["y"] + 1e9, frame[["a"]] + 1e9).fit()
    assert_allclose(after.params, before.params, rtol=1e-6)  # nine of sixteen digits are the mean


@pytest.mark.parametrize("effects", list(EFFECT.values()))
def test_row_order_and_arguments_are_left_alone(unbalanced, effects):
    data = unbalanced
    y, x = data["y"].copy(), data[["x1", "x2"]].copy()
    before = FixedEffects(y, x, effects=effects).fit()
    assert_series_equal(y, data["y"])
    assert_frame_equal(x, data[["x1", "x2"]])
    mixed = FixedEffects(
        y.sample(frac=1, random_state=1), x.sample(frac=1, random_state=2), effects=effects
    ).fit()
    assert_series_equal(mixed.params, before.params)
    assert_frame_equal(mixed.cov, before.cov)
    assert_series_equal(mixed.resids, before.resids)


def test_residuals_and_fitted_add_up_on_the_labels(unbalanced):
    data = unbalanced
    result = FixedEffects(data["y"], data[["x1", "x2"]]).fit()
    total = (result.fitted + result.resids).reindex(data.index)
    assert_allclose(total, data["y"], rtol=1e-14)
    for level in (0, 1):
        assert_allclose(result.resids.groupby(level=level).mean(), 0, atol=1e-8)


@pytest.mark.parametrize(
    "periods",
    [
        lambda years: years.astype(str),
        lambda years: years.astype(float),
        lambda years: pd.to_datetime(years.astype(str)),
        lambda years: pd.PeriodIndex(years.astype(str), freq="Y"),
        lambda years: years.astype("Int64"),
    ],
    ids=["text", "float", "datetime", "period", "nullable"],
)
def test_periods_of_any_type(frame, periods):
    index = frame.index.set_levels(periods(frame.index.levels[1]), level=1)
    for cov_type in ("clustered", "driscoll-kraay"):
        before = FixedEffects(frame["y"], frame[["a"]]).fit(cov_type=cov_type)
        after = FixedEffects(frame["y"].set_axis(index), frame[["a"]].set_axis(index)).fit(
            cov_type=cov_type
        )
        assert_allclose(after.cov, before.cov, rtol=1e-12)
    assert after.resids.index.equals(index)
    assert_allclose(after.resids, before.resids, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int32", "float32", "boolean", "bool"])
def test_number_types_give_the_numbers_of_floats(frame, dtype):
    x = (frame["a"] > 0) if dtype in ("bool", "boolean") else (frame["a"] * 8).round()
    expected = FixedEffects(frame["y"], x.astype(float).to_frame()).fit()
    assert_allclose(
        FixedEffects(frame["y"], x.astype(dtype).to_frame()).fit().params, expected.params
    )


def test_formula_panel_and_notes(unbalanced):
    data = unbalanced.copy()
    data.attrs["note"] = "数据为模拟"
    panel = PanelData.from_frame(data)
    by_formula = FixedEffects.from_formula("y ~ x1 + log(x2)", panel).fit()
    by_hand = FixedEffects(data["y"], data[["x1"]].assign(**{"log(x2)": np.log(data["x2"])})).fit()
    assert_series_equal(by_formula.params, by_hand.params)
    assert by_formula.notes == ("数据为模拟",)
    assert "数据为模拟" in by_formula.summary()
    assert FixedEffects(panel["y"], panel["x1"]).fit().params.index.tolist() == ["x1"]


def test_an_unnamed_outcome_is_called_y(frame):
    assert FixedEffects(frame["y"].rename(None), frame[["a"]]).fit().dependent == "y"


# what is refused -----------------------------------------------------------------------------


def changed(frame, column, value, row=3):
    frame = frame.copy()
    frame[column] = frame[column].astype(object if isinstance(value, str) else float)
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (lambda f: changed(f, "a", np.nan), MissingValuesError, r"'a' is empty.*\('c00', 2003\)"),
        (lambda f: changed(f, "y", np.nan), MissingValuesError, r"'y' is empty.*\('c00', 2003\)"),
        (lambda f: changed(f, "b", np.inf), InfiniteValuesError, r"'b' is inf.*\('c00', 2003\)"),
        (lambda f: changed(f, "a", "1,2"), NotNumericError, r"'a' holds text.*'1,2' at .*2003"),
        (lambda f: f.assign(a=7.0), ConstantColumnError, "'a' has the same value 7.0"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), DuplicateKeysError, r"\('c00', 2003\)"),
        (lambda f: f.rename(index={"c01": np.nan}), DataError, "no 'city', first row number 7"),
        (lambda f: f.iloc[:0], DataError, "no rows"),
        (lambda f: f.assign(a=f["y"]), EstimationError, "fit 'y' exactly"),
    ],
)
def test_bad_cells_and_keys_are_named(frame, data, error, message):
    bad = data(frame)
    with pytest.raises(error, match=message):
        FixedEffects(bad["y"], bad[["a", "b"]])


def test_absorbed_and_collinear_regressors_are_named(frame):
    city = pd.Series(pd.factorize(frame.index.get_level_values(0))[0], frame.index)
    year = frame.index.get_level_values(1).to_numpy()
    y = frame["y"]
    with pytest.raises(ConstantColumnError, match="'area' does not vary"):
        FixedEffects(y, frame[["a"]].assign(area=1e9 + city), effects="entity")
    with pytest.raises(ConstantColumnError, match="'trend' does not vary"):
        FixedEffects(y, frame[["a"]].assign(trend=year), effects="time")
    with pytest.raises(ConstantColumnError, match="'both' does not vary"):
        FixedEffects(y, frame[["a"]].assign(both=year + city**2), effects="twoway")
    together = frame[["a", "b"]].assign(c=2 * frame["a"] - frame["b"] + city)
    with pytest.raises(CollinearityError, match="'c' is a linear combination of 'a', 'b'"):
        FixedEffects(y, together, effects="entity")
    assert "c" in FixedEffects(y, together, effects="time").fit().params


def test_rows_that_differ_are_named(frame):
    with pytest.raises(IdMismatchError, match=r"0 are only in y, 1 only in x.*\('c00', 2000\)"):
        FixedEffects(frame["y"].iloc[1:], frame[["a"]])
    with pytest.raises(DataError, match="ndarray"):
        FixedEffects(frame["y"].to_numpy(), frame[["a"]])
    with pytest.raises(DataError, match="not indexed by"):
        FixedEffects(frame["y"], frame[["a"]].reset_index(drop=True))
    with pytest.raises(DataError, match="y is a DataFrame"):
        FixedEffects(frame[["y"]], frame[["a"]])


def test_names_of_regressors(frame):
    y = frame["y"]
    with pytest.raises(OptionError, match="no columns"):
        FixedEffects(y, frame[[]])
    with pytest.raises(OptionError, match="'a' repeats"):
        FixedEffects(y, frame[["a", "a"]])
    named = frame[["a"]].rename(columns={"a": "const"})
    with pytest.raises(OptionError, match="'const'"):
        FixedEffects(y, named, effects=None)
    assert FixedEffects(y, named).fit().params.index.tolist() == ["const"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cov_type": "cluster"}, OptionError, "Did you mean 'clustered'"),
        ({"clusters": "firm"}, OptionError, "clusters='firm' is not known"),
        ({"clusters": None}, OptionError, "clusters is a NoneType"),
        ({"clusters": np.arange(54)}, OptionError, "clusters is a ndarray"),
        ({"cov_type": "driscoll-kraay", "kernel": "foo"}, OptionError, "kernel='foo'"),
        ({"cov_type": "driscoll-kraay", "bandwidth": 6}, OptionError, "from 0 to 5"),
        ({"cov_type": "driscoll-kraay", "bandwidth": -1}, OptionError, "from 0 to 5"),
    ],
)
def test_unknown_options(frame, options, error, message):
    with pytest.raises(error, match=message):
        FixedEffects(frame["y"], frame[["a"]]).fit(**options)


def test_cluster_labels_that_do_not_fit(frame):
    specification = FixedEffects(frame["y"], frame[["a"]])
    labels = pd.Series("p", frame.index, name="province")
    with pytest.raises(EstimationError, match="at least two clusters"):
        specification.fit(clusters=labels)
    with pytest.raises(OptionError, match=r"empty at \('c00', 2000\)"):
        specification.fit(clusters=labels.where(frame["a"] > 9))
    with pytest.raises(IdMismatchError, match=r"\('c00', 2000\)"):
        specification.fit(clusters=labels.iloc[1:])
    with pytest.raises(DuplicateKeysError, match=r"\('c00', 2000\)"):
        specification.fit(clusters=pd.concat([labels, labels.iloc[:1]]))
    by_entity = labels.groupby(level=0).first()
    with pytest.raises(IdMismatchError, match="'c00'"):
        specification.fit(clusters=by_entity.iloc[1:])
    with pytest.raises(DuplicateKeysError, match="more than one label for 'c00'"):
        specification.fit(clusters=pd.concat([by_entity, by_entity.iloc[:1]]))
    with pytest.raises(OptionError, match="3 cluster dimensions"):
        specification.fit(clusters=frame)


def test_clusters_by_entity_are_those_of_its_rows(frame):
    labels = pd.Series({f"c{i:02d}": i // 2 for i in range(40)}, name="pair")
    labels = labels[labels.index.isin(frame.index.get_level_values(0))]
    rows = pd.Series(labels.reindex(frame.index.get_level_values(0)).array, index=frame.index)
    model = FixedEffects.from_formula("y ~ a", frame)
    one, other = (model.fit(clusters=c) for c in (labels.sample(frac=1, random_state=1), rows))
    assert_allclose(one.cov, other.cov, rtol=1e-12)
    assert one.df_resid == labels.nunique() - 1


def test_other_effects_that_do_not_fit(frame):
    y, x = frame["y"], frame[["a"]]
    city = (
        pd.Series(pd.factorize(frame.index.get_level_values(0))[0], frame.index, name="zone") // 3
    )
    crossed = (city.astype(str) + frame.index.get_level_values(1).astype(str)).rename("zone_year")
    with pytest.raises(OptionError, match=r"'zone' is empty at \('c00', 2000\)"):
        FixedEffects(y, x, effects="time", other_effects=city.where(city > 0))
    with pytest.raises(OptionError, match="other_effects 'entity' has the name of the panel's own"):
        FixedEffects(y, x, effects="entity", other_effects=crossed.rename("entity"))
    twice = pd.concat([city, city], axis=1)
    with pytest.raises(OptionError, match="other_effects has a column name twice: 'zone', 'zone'"):
        FixedEffects(y, x, effects=None, other_effects=twice)
    with pytest.raises(OptionError, match="clusters has a column name twice"):
        FixedEffects(y, x).fit(clusters=twice)
    result = FixedEffects(y, x, effects="entity", other_effects=crossed).fit()
    assert result.effects_included == ("entity", "zone_year")


def test_no_degrees_of_freedom(frame):
    with pytest.raises(EstimationError, match="4 observations leave no degrees of freedom"):
        few = frame.iloc[[0, 1, 6, 7]]
        FixedEffects(few["y"], few[["a"]])
    with pytest.raises(OptionError, match="Did you mean 'twoway'"):
        FixedEffects(frame["y"], frame[["a"]], effects="twoways")


def test_driscoll_kraay_needs_periods(frame):
    one = frame.xs(2000, level="year", drop_level=False)
    specification = FixedEffects(one["y"], one[["a"]], effects=None)
    with pytest.raises(EstimationError, match="at least two periods"):
        specification.fit(cov_type="driscoll-kraay", bandwidth=0)


@pytest.mark.parametrize("cov_type", ["unadjusted", "robust", "clustered", "driscoll-kraay"])
def test_errors_keep_their_digits_where_columns_are_nearly_collinear(cov_type):
    """x beside z + 1e8 x: errors of x are those of the regression on x and z, times matrices."""
    rng = np.random.default_rng(11)
    index = pd.MultiIndex.from_product([range(30), range(8)], names=["city", "year"])
    frame = pd.DataFrame(rng.normal(size=(240, 3)), index, ["y", "x", "z"])
    frame["near"] = frame["z"] + 1e7 * frame["x"]
    plain = FixedEffects(frame["y"], frame[["x", "z"]]).fit(cov_type=cov_type)
    mixed = FixedEffects(frame["y"], frame[["x", "near"]]).fit(cov_type=cov_type)
    assert_allclose(mixed.params["near"], plain.params["z"], rtol=1e-6)
    assert_allclose(mixed.std_errors["near"], plain.std_errors["z"], rtol=1e-6)
    assert_allclose(mixed.std_errors["x"], 1e7 * plain.std_errors["z"], rtol=1e-6)


def test_other_columns_on_the_same_rows_have_the_same_effects(frame):
    zone = pd.Series(np.arange(len(frame)) % 7, frame.index, name="zone")
    removed = {"effects": "twoway", "other_effects": zone, "trends": "entity"}
    base = FixedEffects(frame["y"], frame[["a"]], **removed)
    found = base.with_columns(frame["a"], frame[["y"]])
    own = FixedEffects(frame["a"], frame[["y"]], **removed)
    assert found.absorbed is base.absorbed and found.rank == own.rank
    pd.testing.assert_frame_equal(found.fit().cov, own.fit().cov, rtol=1e-14)
    with pytest.raises(IdMismatchError, match="the model and y do not have the same"):
        base.with_columns(frame["a"].iloc[1:], frame[["y"]].iloc[1:])
