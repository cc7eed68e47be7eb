"""robustness(): every variation is the fit made by hand; failures are named and the rest go on."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial import FixedEffects, PanelData
from nqp_spatial.comparison.robustness import Variation, robustness
from nqp_spatial.exceptions import DataWarning, MissingValuesError, OptionError
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.panel import transform

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose

CITIES = [f"城{i:02d}" for i in range(12)]
FORMULA = "y ~ did + x1"


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(8)
    index = pd.MultiIndex.from_product([CITIES, range(2008, 2016)], names=["city", "year"])
    data = pd.DataFrame(rng.normal(size=(96, 5)), index, ["x1", "x2", "keywords", "z", "e"])
    entity, year = np.repeat(np.arange(12), 8), index.get_level_values(1)
    data["did"] = ((entity % 3 == 0) & (year >= 2011 + entity % 2)).astype(float)
    data["y"] = 0.7 * data["did"] + data["x1"] - 0.4 * data["x2"] + data["e"]
    data["other"] = 2 * data["did"] + rng.normal(size=96)
    data["size"] = np.exp(data["x2"])
    data["region"] = np.where(entity < 6, "东部", "西部")
    data["sector"] = rng.integers(0, 3, 96)
    return data.drop(columns="e")


def dummy_slopes(data, outcome, names, kinds=("city", "year")):
    """Least squares with dummies of every kind: coefficients of the regressors."""
    flat = data.reset_index()
    D = [pd.get_dummies(flat[kind]).to_numpy(float) for kind in kinds]
    Z = np.column_stack([flat[list(names)].to_numpy(float), *D])
    beta = np.linalg.lstsq(Z, flat[outcome].to_numpy(float), rcond=None)[0]
    return pd.Series(beta[: len(names)], list(names))


def estimate(found, name):
    return found.to_frame().loc[name, "estimate"]


def rows(frame, condition):
    return frame[np.asarray(condition)]


# each variation by hand ----------------------------------------------------------------------


def test_samples_outcomes_and_terms_are_regressions_with_dummies(frame):
    year, region = frame.index.get_level_values(1), frame["region"]
    found = robustness(
        FORMULA,
        frame,
        [
            Variation("early", where="year <= 2013"),
            Variation("东部", where="region == '东部'"),
            Variation("mask", where=lambda table: table["x2"] < 0.5),
            Variation("cities", where=pd.Series([c != "城03" for c in CITIES], CITIES)),
            Variation("outcome", outcome="other"),
            Variation("controls", add=["x2", "keywords"]),
            Variation("no controls", drop="x1"),
            Variation("regressor", replace={"did": "keywords"}),
            Variation("entity", effects="entity"),
            Variation("sectors", options={"other_effects": "sector"}),
        ],
        focus="did",
    )
    expected = {
        "base": dummy_slopes(frame, "y", ["did", "x1"]),
        "early": dummy_slopes(rows(frame, year <= 2013), "y", ["did", "x1"]),
        "东部": dummy_slopes(rows(frame, region == "东部"), "y", ["did", "x1"]),
        "mask": dummy_slopes(rows(frame, frame["x2"] < 0.5), "y", ["did", "x1"]),
        "cities": dummy_slopes(frame.drop("城03", level=0), "y", ["did", "x1"]),
        "outcome": dummy_slopes(frame, "other", ["did", "x1"]),
        "controls": dummy_slopes(frame, "y", ["did", "x1", "x2", "keywords"]),
        "no controls": dummy_slopes(frame, "y", ["did"]),
        "regressor": dummy_slopes(frame, "y", ["keywords", "x1"]),
        "entity": dummy_slopes(frame, "y", ["did", "x1"], ["city"]),
        "sectors": dummy_slopes(frame, "y", ["did", "x1"], ["city", "year", "sector"]),
    }
    table = found.to_frame()
    assert table.index.tolist() == list(expected)
    for name, slopes in expected.items():
        assert_allclose(table.loc[name, "estimate"], slopes.iloc[0], rtol=1e-8, err_msg=name)
    assert table.loc["regressor", "variable"] == "keywords"
    assert table.loc["东部", ["nobs", "n_entities", "rows_left_out"]].tolist() == [48, 6, 48]
    assert table.loc["early", "rows_left_out"] == 24
    assert table.loc["cities", "changed"] == "where rows given (8 of 96 rows left out)"
    assert set(found.samples["cities"].outside) == {("城03", year) for year in range(2008, 2016)}
    assert table.loc["controls", "changed"] == "add x2, keywords"
    assert table.loc["regressor", "changed"] == "keywords for did"
    assert (table["error"] == "").all()


def test_standard_errors_follow_cov_type_and_fit_options(frame):
    found = robustness(
        FORMULA,
        frame,
        [
            Variation("robust", cov_type="robust"),
            Variation("two ways", fit={"clusters": ["entity", "time"]}),
            Variation("regions", where="year > 2008", fit={"clusters": frame["region"]}),
        ],
        fit={"clusters": "region"},
    )
    model = FixedEffects(frame["y"], frame[["did", "x1"]])
    expected = {
        "base": model.fit(clusters=frame["region"]),
        "robust": model.fit(cov_type="robust"),
        "two ways": model.fit(clusters=["entity", "time"]),
    }
    table = found.to_frame()
    for name, result in expected.items():
        t = result.params["did"] / result.std_errors["did"]
        p = 2 * stats.t(result.df_resid).sf(abs(t))
        row = table.loc[name]
        assert_allclose([row["std_error"], row["pvalue"]], [result.std_errors["did"], p])
    assert table["estimate"].iloc[:3].nunique() == 1
    assert table.loc["regions", "nobs"] == 84
    assert len(set(table["std_error"])) == 4


def test_winsorising_leaves_dummies_alone_and_reports_its_cells(frame):
    found = robustness(
        FORMULA,
        frame,
        [
            Variation("5%", transform=partial(transform.winsorise, p=0.05)),
            Variation("y only", transform=partial(transform.winsorise, p=0.05), columns="y"),
            Variation(
                "5%, then 东部", transform=partial(transform.winsorise, p=0.05),
                where="region == '东部'",
            ),
        ],
    )  # fmt: skip
    clipped = frame.copy()
    for name in ("y", "x1"):
        clipped[name] = frame[name].clip(*np.quantile(frame[name], [0.05, 0.95]))
    only = frame.assign(y=clipped["y"])
    east = clipped[clipped["region"] == "东部"]
    assert_allclose(estimate(found, "5%"), dummy_slopes(clipped, "y", ["did", "x1"])["did"])
    assert_allclose(estimate(found, "y only"), dummy_slopes(only, "y", ["did", "x1"])["did"])
    assert_allclose(estimate(found, "5%, then 东部"), dummy_slopes(east, "y", ["did", "x1"])["did"])
    report = found.samples["5%"].report
    assert report.columns.index.tolist() == ["x1", "y"]
    moved = int((clipped[["x1", "y"]] != frame[["x1", "y"]]).to_numpy().sum())
    assert found.to_frame().loc["5%", "cells_changed"] == moved == 20
    assert "winsorise(p=0.05" in found.to_frame().loc["5%", "changed"]


def test_three_sigma_leaves_rows_out_on_record(frame):
    spiked = frame.copy()
    spiked.loc[("城05", 2010), "y"] = 60.0
    found = robustness(FORMULA, spiked, [Variation("3σ", transform=transform.three_sigma)])
    less = spiked.drop(("城05", 2010))
    assert_allclose(estimate(found, "3σ"), dummy_slopes(less, "y", ["did", "x1"])["did"])
    assert found.samples["3σ"].emptied.tolist() == [("城05", 2010)]
    row = found.to_frame().loc["3σ"]
    assert (row["nobs"], row["rows_left_out"], row["cells_changed"]) == (95, 1, 1)
    assert row["changed"].endswith("(1 cells, 1 rows left out)")


def test_logs_and_lags_replace_their_terms_and_the_focus_follows(frame):
    found = robustness(
        "y ~ size + x1",
        frame,
        [
            Variation("log", transform=transform.log, columns="size"),
            Variation("lag", transform=transform.lag, columns=["size"], where="year >= 2011"),
        ],
    )
    logged = dummy_slopes(frame.assign(ln_size=np.log(frame["size"])), "y", ["ln_size", "x1"])
    lagged = frame.assign(L1_size=frame["size"].groupby(level=0).shift())
    lagged = lagged[lagged.index.get_level_values(1) >= 2011]
    table = found.to_frame()
    assert table["variable"].tolist() == ["size", "ln_size", "L1_size"]
    assert_allclose(table.loc["log", "estimate"], logged["ln_size"], rtol=1e-8)
    slopes = dummy_slopes(lagged, "y", ["L1_size", "x1"])
    assert_allclose(table.loc["lag", "estimate"], slopes["L1_size"], rtol=1e-8)
    assert table.loc["lag", "nobs"] == 60


def test_names_that_a_formula_reads_otherwise_are_quoted(frame):
    data = frame.rename(columns={"x1": "x-1", "x2": "城市 规模", "size": "规模-2"})
    found = robustness(
        "y ~ did + `x-1` + `城市 规模` + `规模-2`:keywords",
        data,
        [
            Variation("less", drop=["x-1", "城市 规模", "规模-2:keywords"]),
            Variation("lag", transform=transform.lag, columns="x-1", drop="城市 规模"),
        ],
        focus="did",
    )
    assert found.results["less"].params.index.tolist() == ["did"]
    lagged = data.assign(
        L=data["x-1"].groupby(level=0).shift(), k=data["规模-2"] * data["keywords"]
    )
    slopes = dummy_slopes(lagged.dropna(), "y", ["did", "L", "k"])
    assert_allclose(estimate(found, "less"), dummy_slopes(data, "y", ["did"])["did"], rtol=1e-8)
    assert_allclose(estimate(found, "lag"), slopes["did"], rtol=1e-8)


def test_another_table_may_be_of_other_entities(frame):
    """Cities aggregated to regions, as sums."""
    total = frame.groupby(["region", frame.index.get_level_values(1)])[["y", "did", "x1"]].sum()
    total = pd.concat([total, total.rename(index={"东部": "南部", "西部": "北部"}, level=0) ** 2])
    found = robustness(FORMULA, frame, [Variation("regions", data=PanelData.from_frame(total))])
    total.index.names = ["city", "year"]
    assert_allclose(estimate(found, "regions"), dummy_slopes(total, "y", ["did", "x1"])["did"])
    row = found.to_frame().loc["regions"]
    assert (row["n_entities"], row["rows_left_out"], row["changed"]) == (
        4,
        0,
        "other data (32 rows)",
    )


# other models --------------------------------------------------------------------------------


def test_spatial_models_vary_their_weights_and_effects(frame):
    ring = np.roll(np.eye(12), 1, axis=1)
    graphs = [
        nqp.weights.normalise(nqp.weights.as_graph(W, ids=CITIES), "row")
        for W in (ring + ring.T, ring @ ring + (ring @ ring).T)
    ]
    found = robustness(
        FORMULA,
        frame,
        [
            Variation("second ring", options={"graph": graphs[1]}),
            Variation("entity", effects="entity"),
            Variation("later", where="year > 2009"),
        ],
        model=nqp.SpatialLag,
        options={"graph": graphs[0]},
    )
    y, x = frame["y"], frame[["did", "x1"]]
    later = frame[frame.index.get_level_values(1) > 2009]
    by_hand = {
        "base": nqp.SpatialLag(y, x, graphs[0]),
        "second ring": nqp.SpatialLag(y, x, graphs[1]),
        "entity": nqp.SpatialLag(y, x, graphs[0], effects="entity"),
        "later": nqp.SpatialLag(later["y"], later[["did", "x1"]], graphs[0]),
    }
    for name, model in by_hand.items():
        assert_allclose(estimate(found, name), model.fit().params["did"], rtol=1e-8, err_msg=name)


def test_terms_of_instrumental_variables_stay_in_brackets(frame):
    data = frame.assign(did2=frame["did"] + 3 * frame["z"] + frame["keywords"])
    found = robustness(
        "y ~ x1 + [did2 ~ z]", data, [Variation("x2", add="x2")], model=IV2SLS, focus="did2"
    )
    flat = data.reset_index()
    D = np.column_stack([pd.get_dummies(flat[k]).to_numpy(float) for k in ("city", "year")])
    X = np.column_stack([flat[["did2", "x1", "x2"]], D])
    Z = np.column_stack([flat[["z", "x1", "x2"]], D])
    fitted = Z @ np.linalg.lstsq(Z, X, rcond=None)[0]
    slopes = np.linalg.lstsq(fitted, flat["y"], rcond=None)[0]
    assert_allclose(estimate(found, "x2"), slopes[0], rtol=1e-7)


# what comes back -----------------------------------------------------------------------------


def test_table_has_a_column_for_each_and_tells_what_changed(frame, tmp_path):
    found = robustness(FORMULA, frame, [Variation("早期", where="year <= 2013")], base_name="基准")
    table = found.table(tmp_path / "robustness.md", keep=["did"], lang="zh")
    text = (tmp_path / "robustness.md").read_text("utf-8")
    for part in (text, str(table)):
        assert "早期" in part
        assert "基准" in part
        assert "样本为满足" in part and "共96行中剔除24行" in part
        assert f"{estimate(found, '早期'):.4f}" in part
    assert list(found.results) == ["基准", "早期"]


def test_plot_marks_the_base_and_leaves_failures_empty(frame):
    import matplotlib.pyplot as plt

    with pytest.warns(DataWarning):
        found = robustness(
            FORMULA, frame, [Variation("none", where="year > 3000"), Variation("x2", add="x2")]
        )
    ax = found.plot()
    points = next(line for line in ax.lines if len(line.get_xdata()) == 3)
    assert_allclose(points.get_xdata(), [estimate(found, n) for n in ("base", "none", "x2")])
    dashed = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert estimate(found, "base") in dashed
    plt.close("all")


@pytest.mark.slow
def test_plain_keys_and_processes_give_the_same(frame):
    keys = {"early": {"where": "year <= 2013"}, "x2": {"add": ["x2"], "cov_type": "robust"}}
    one = robustness(FORMULA, PanelData.from_frame(frame), keys).to_frame()
    two = robustness(
        FORMULA, frame, [Variation(n, **k) for n, k in keys.items()], n_jobs=2
    ).to_frame()
    pd.testing.assert_frame_equal(one, two)


# bad input -----------------------------------------------------------------------------------


def test_failures_are_named_and_the_others_go_on(frame):
    holes = frame.copy()
    holes.loc[("城01", 2009), "x2"] = np.nan
    variations = [
        Variation("empty", where="year > 2050"),
        Variation("holes", add="x2"),
        Variation("unknown", add="x9"),
        Variation("typo", where="yera > 2010"),
        Variation("numbers", where="year - 2010"),
        Variation("dropped focus", drop="did"),
        Variation("fine", drop="x1"),
    ]
    with pytest.warns(
        DataWarning, match=r"6 of 7 variations could not be fitted: 'empty', 'holes'"
    ):
        found = robustness(FORMULA, holes, variations)
    table = found.to_frame()
    messages = {
        "empty": "keeps none of 96 rows (96 are outside where=",
        "holes": "'x2' is empty in 1 of 96 rows, first ('城01', 2009)",
        "unknown": "names 'x9', which is not a column",
        "typo": "where='yera > 2010' cannot be evaluated",
        "numbers": "'year - 2010' gives numbers. It must be true or false for each row",
        "dropped focus": "no parameter 'did'; it has 'x1'",
    }
    for name, message in messages.items():
        assert message in table.loc[name, "error"], name
        assert np.isnan(table.loc[name, "estimate"])
    assert isinstance(found.errors["holes"], MissingValuesError)
    assert_allclose(table.loc["fine", "estimate"], dummy_slopes(frame, "y", ["did"])["did"])
    assert list(found.results) == ["base", "fine"]


def test_unknown_keys_and_names_say_what_to_type(frame):
    with pytest.raises(OptionError, match=r"'a' has the unknown key 'outcom'.*mean 'outcome'"):
        robustness(FORMULA, frame, {"a": {"outcom": "other"}})
    with pytest.raises(OptionError, match=r"'a' changes nothing"):
        Variation("a")
    with pytest.raises(OptionError, match=r"columns= but no transform="):
        Variation("a", columns="y", add="x2")
    with pytest.raises(OptionError, match=r"'a' is given twice"):
        robustness(FORMULA, frame, [Variation("a", add="x2"), Variation("a", drop="x1")])
    with pytest.raises(OptionError, match=r"'base' is given twice"):
        robustness(FORMULA, frame, [Variation("base", add="x2")])
    with pytest.raises(OptionError, match=r"There are no variations"):
        robustness(FORMULA, frame, [])
    with pytest.raises(OptionError, match=r"Give Variation\('name'"):
        robustness(FORMULA, frame, ["early"])
    with pytest.raises(OptionError, match=r"Did you mean 'did'"):
        robustness(FORMULA, frame, [Variation("a", add="x2")], focus="ddi")


def test_terms_that_are_not_there_or_there_already_are_named(frame):
    variations = [
        Variation("drop", drop="x_1"),
        Variation("add", add="x1"),
        Variation("values", transform=lambda table: table * 2),
        Variation("option", options={"effect": "entity"}),
    ]
    with pytest.warns(DataWarning, match=r"4 of 4"):
        found = robustness(FORMULA, frame, variations)
    errors = found.to_frame()["error"]
    assert "drop= has 'x_1', which is not a term" in errors["drop"]
    assert "Did you mean 'x1'" in errors["drop"]
    assert "add= has 'x1', which is a term of 'y ~ did + x1' already" in errors["add"]
    assert "unexpected keyword argument 'effect'" in errors["option"]
    assert "without a report of what it changed" in errors["values"]


def test_an_error_that_is_not_ours_stops_and_names_the_variation(frame):
    def broken(table):
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError) as caught:
        robustness(FORMULA, frame, [Variation("broken", where=broken)])
    assert caught.value.__notes__ == ["In the variation 'broken'."]


def test_the_callers_table_is_left_alone(frame):
    before = frame.copy(deep=True)
    changes = [
        Variation("5%", transform=partial(transform.winsorise, p=0.05)),
        Variation("x", add="x2"),
    ]
    robustness(FORMULA, frame, changes)
    pd.testing.assert_frame_equal(frame, before)
