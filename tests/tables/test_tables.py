"""Tables: every number and note arrives in every format, and the layout is a three-line table."""

import dataclasses
import inspect
import re
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import openpyxl
import pandas as pd
import pytest
from docx import Document
from docx.oxml.ns import qn
from lxml import html as lxml_html

from nqp_spatial import tables
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    InfiniteValuesError,
    NotNumericError,
    OptionError,
    OutputError,
)
from nqp_spatial.language.headings import headed
from nqp_spatial.results import Results
from nqp_spatial.shared.text import width
from nqp_spatial.tables import style as numbers
from nqp_spatial.tables.regression import PROTOCOL

COLON = "\uff1a"  # the full-width colon of Chinese text


def fitted(params, std_errors, cls=Results, **options):
    """A result made by hand: params by name, a diagonal covariance."""
    names = list(params)
    defaults = {
        "nobs": 3324,
        "resids": pd.Series(dtype=float),
        "fitted": pd.Series(dtype=float),
        "loglik": None,
        "rsquared": {"within": 0.78012},
        "dependent": "NQP",
        "cov_type": "robust",
        "effects_included": ("entity", "time"),
    }
    return cls(
        params=pd.Series(params, dtype=float),
        cov=pd.DataFrame(np.diag(np.square(std_errors)), index=names, columns=names),
        **{**defaults, **options},
    )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SpatialFake(Results):
    """A result that answers effects() with the frame it was given."""

    frame: pd.DataFrame | None = None

    def effects(self, *, method="delta"):
        return self.frame if method == "delta" else self.frame.assign(std_error=1.0)


def effects_frame(values, variables=("did",)):
    """Estimates, standard errors and p-values by (effect, variable), in that order."""
    index = pd.MultiIndex.from_product(
        [["direct", "indirect", "total"], variables], names=["effect", "variable"]
    )
    frame = pd.DataFrame(values, index=index, columns=["estimate", "std_error", "pvalue"])
    return frame.assign(lower=0.0, upper=0.0)


# Table 8 of Li and Wei (2025), printed: direct, indirect, total, rho, R-squared, by matrix.
PRINTED = {
    "地理邻接": [
        (0.0151, 0.0034),
        (0.0079, 0.0020),
        (0.0230, 0.0052),
        (0.3632, 0.0302),
        0.5623,
    ],
    "地理距离": [
        (0.0144, 0.0035),
        (0.0134, 0.0040),
        (0.0278, 0.0068),
        (0.4937, 0.0547),
        0.7282,
    ],
    "经济距离": [
        (0.0136, 0.0032),
        (0.0094, 0.0030),
        (0.0230, 0.0057),
        (0.4169, 0.0520),
        0.3335,
    ],
}


def spatial(values, **options):
    direct, indirect, total, rho, rsquared = values
    frame = effects_frame([(*pair, 0.001) for pair in (direct, indirect, total)])
    return fitted(
        {"did": 0.014, "edu": 0.2, "W_did": 0.001, "W_edu": 0.1, "rho": rho[0]},
        [0.003, 0.1, 0.002, 0.1, rho[1]],
        SpatialFake,
        frame=frame,
        cov_type="asymptotic",
        rsquared={"within": rsquared},
        **options,
    )


@pytest.fixture
def table8():
    models = {name: spatial(values) for name, values in PRINTED.items()}
    return tables.effects(
        models,
        "did",
        lang="zh",
        title="表8 空间溢出效应检验结果",
        statistics=["rsquared_within", "nobs"],
    )


@pytest.fixture
def two_models():
    first = fitted({"INN": 0.0178, "Intercept": -0.3118}, [0.0035, 0.0878])
    second = fitted(
        {"INN": 0.02, "edu_%": -0.5, "rho": 0.36},
        [0.01, 1.0, 0.03],
        cov_type="clustered",
        dependent="STP",
        effects_included=("entity",),
        loglik=-12.3,
        provenance={"notes": ("Simulated data, not observed.",)},
    )
    return [first, second]


def cells(table):
    return [row.cells for row in table.rows]


def row(table, name):
    return next(r.cells[1:] for r in table.rows if r.cells[0] == name)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.01784, "0.0178"),
        (-0.31184, "-0.3118"),
        (12.3, "12.3000"),
        (0.0, "0.0000"),
        (-0.0, "0.0000"),
        (-0.00001234, "0.0000"),
        (0.00005, "0.0001"),
        (0.000049, "0.0000"),
        (1234567.891, "1234567.8910"),
        (3.21e12, "3210000000000.0000"),
        (-1.5e16, "-15000000000000000"),
        (3324, "3324"),
        (np.int64(7), "7"),
        (float("nan"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (float("-inf"), "-inf"),
    ],
)
def test_a_number_has_one_printed_form(value, printed):
    assert numbers.number(value, 4) == printed


@pytest.mark.parametrize(
    ("value", "printed"),
    [(0.0499, "0.050"), (0.0004, "<0.001"), (0.0005, "0.001"), (1.0, "1.000"), (np.nan, "–")],
)
def test_p_values_have_three_decimals(value, printed):
    assert numbers.pvalue(value) == printed


@pytest.mark.parametrize(
    ("pvalue", "printed"),
    [
        (0.0099, "1.0000***"),
        (0.01, "1.0000**"),
        (0.0499, "1.0000**"),
        (0.05, "1.0000*"),
        (0.0999, "1.0000*"),
        (0.1, "1.0000"),
        (np.nan, "1.0000"),
    ],
)
def test_stars_change_at_one_five_and_ten_per_cent(pvalue, printed):
    fake = SimpleNamespace(
        params=pd.Series({"x": 1.0}),
        std_errors=pd.Series({"x": 0.5}),
        pvalues=pd.Series({"x": pvalue}),
        fit_statistics=pd.Series({"nobs": 10.0}),
        effects_included=(),
        dependent="y",
        notes=(),
        cov_type="robust",
    )
    assert row(tables.regression(fake), "x") == (printed,)
    assert row(tables.regression(fake, stars=False), "x") == ("1.0000",)


# ---------------------------------------------------------------- regression


def test_models_stand_side_by_side(two_models):
    table = tables.regression(two_models)
    assert table.header == (("", "NQP", "STP"), ("Variable", "(1)", "(2)"))
    assert table.title == "Regression results"  # of two outcomes, which the header names
    assert cells(table) == [
        ("INN", "0.0178***", "0.0200**"),  # 0.02 / 0.01 = 2: p = 0.0455
        ("", "(0.0035)", "(0.0100)"),
        ("edu_%", "", "-0.5000"),
        ("", "", "(1.0000)"),
        ("Constant", "-0.3118***", ""),
        ("", "(0.0878)", ""),
        ("ρ", "", "0.3600***"),
        ("", "", "(0.0300)"),
        ("Entity fixed effects", "Yes", "Yes"),
        ("Time fixed effects", "Yes", "No"),
        ("Observations", "3324", "3324"),
        ("R² (within)", "0.7801", "0.7801"),
        ("Log-likelihood", "", "-12.3000"),
    ]
    assert [r.kind for r in table.rows[:3]] == ["coefficient", "std_error", "coefficient"]


def test_notes_say_what_is_in_parentheses_and_whose_data_are_simulated(two_models):
    assert tables.regression(two_models).notes == (
        "***, ** and * denote significance at the 1%, 5% and 10% levels.",
        "Standard errors in parentheses: robust in (1); clustered in (2).",
        "(2): Simulated data, not observed.",
    )
    alone = tables.regression(two_models[1], notes="Own note.", stars=False)
    assert alone.notes == (
        "Standard errors in parentheses (clustered).",
        "Own note.",
        "Simulated data, not observed.",
    )


def test_clusters_are_named():
    result = fitted({"x": 1}, [1], cov_type="clustered by entity and prov")
    en, zh = (
        tables.regression(result, lang=lang, labels={"prov": "省份"}) for lang in ("en", "zh")
    )
    assert en.notes[1] == "Standard errors in parentheses (clustered by entity and 省份)."
    assert zh.notes[1] == "括号内为按个体和省份聚类的稳健标准误。"


@pytest.mark.parametrize(
    ("kind", "below", "note"),
    [
        ("brackets", "[0.0035]", "Standard errors in square brackets (robust)."),
        ("tstats", "(5.0857)", "t statistics in parentheses, from standard errors (robust)."),
    ],
)
def test_what_stands_below_an_estimate(two_models, kind, below, note):
    table = tables.regression(two_models[0], std_errors=kind)  # 0.0178 / 0.0035 = 5.0857
    assert cells(table)[1] == ("", below)
    assert note in table.notes


def test_standard_errors_can_be_left_out(two_models):
    table = tables.regression(two_models[0], std_errors="none")
    assert "std_error" not in {r.kind for r in table.rows}
    assert not any("Standard errors" in note for note in table.notes)


def test_a_missing_standard_error_is_a_dash_and_has_no_star():
    table = tables.regression(fitted({"x": 0.5}, [np.nan]))
    assert cells(table)[:2] == [("x", "0.5000"), ("", "(–)")]


def test_what_is_not_shown_is_told(two_models):
    for table in (
        tables.regression(two_models, keep=["INN"]),
        tables.regression(two_models, drop=["edu_%", "Intercept", "rho"]),
    ):
        assert [r.cells[0] for r in table.rows[:3]] == ["INN", "", "Controls"]
        assert row(table, "Controls") == ("No", "Yes")
        assert "Estimated but not shown: Constant, edu_%, ρ." in table.notes


def test_the_lag_of_a_shown_variable_is_no_control():
    table = tables.regression(spatial(PRINTED["地理邻接"]), keep=["did", "edu", "rho"])
    assert "Controls" not in [r.cells[0] for r in table.rows]
    assert "Estimated but not shown: W×did, W×edu." in table.notes


def test_order_comes_first(two_models):
    table = tables.regression(two_models, order=["rho", "edu_%"])
    names = [r.cells[0] for r in table.rows if r.kind == "coefficient"]
    assert names == ["ρ", "edu_%", "INN", "Constant"]


def test_a_lag_takes_the_label_of_its_variable_and_w_names_of_users_stay():
    result = fitted({"x": 1, "W_x": 2, "W_shape": 3, "time": 4, "I": 5}, [1] * 5)
    names = [
        r.cells[0]
        for r in tables.regression(result, labels={"x": "税收"}).rows
        if r.kind == "coefficient"
    ]
    assert names == ["税收", "W×税收", "W_shape", "time", "I"]


def test_chinese_words_and_labels(two_models):
    table = tables.regression(
        two_models,
        lang="zh",
        columns=["全国", "分组"],
        labels={"NQP": "新质生产力", "entity": "城市固定"},
    )
    assert table.header == (
        ("", "新质生产力", "STP"),
        ("", "全国", "分组"),
        ("变量", "(1)", "(2)"),
    )
    names = [r.cells[0] for r in table.rows if r.kind == "statistic"]
    assert names == ["城市固定", "时间固定效应", "观测值", "组内R²", "对数似然值"]
    assert row(table, "时间固定效应") == ("是", "否")
    assert table.note_lines[0].startswith(f"注{COLON}***、**和*分别表示在1%、5%和10%")
    assert table.notes[1] == f"括号内为{COLON}列(1)为稳健标准误\uff1b列(2)为聚类稳健标准误。"


def test_statistics_are_chosen_by_name_and_p_values_print_as_such():
    result = fitted(
        {"x": 1},
        [1],
        extra_statistics={"hansen": 1.25, "hansen_pvalue": 0.26359, "n_entities": 277},
    )
    table = tables.regression(result, statistics=["n_entities", "hansen", "hansen_pvalue"])
    assert cells(table)[-3:] == [
        ("Entities", "277"),
        ("Hansen", "1.2500"),
        ("p (Hansen)", "0.264"),
    ]
    below = tables.regression(result, statistics=["hansen"])
    assert cells(below)[-2:] == [("Hansen", "1.2500"), ("", "[0.264]")]
    assert "p-values in square brackets below statistics." in below.notes


def test_every_kind_of_r_squared_is_named():
    pooled = fitted({"x": 1}, [1], rsquared={"overall": 0.5, "adjusted": 0.4})
    table = tables.regression([pooled, fitted({"x": 1}, [1])])
    assert cells(table)[-2:] == [("R² (overall)", "0.5000", ""), ("R² (within)", "", "0.7801")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ["INM"]}, r"keep has 'INM', which no model has.*Did you mean 'INN'"),
        ({"drop": ["edu"]}, r"drop has 'edu'.*Did you mean 'edu_%'"),
        ({"order": "INN"}, r"order='INN' is a text. Type order=\['INN'\]"),
        ({"keep": ["INN"], "drop": ["rho"]}, "keep and drop are both given"),
        ({"columns": ["a"]}, "columns has 1 names for 2 models"),
        ({"statistics": ["r2"]}, "statistics has 'r2'.*'nobs'"),
        ({"lang": "cn"}, r"lang='cn' is not known. Use one of 'en', 'zh'"),
        ({"std_errors": "round"}, "std_errors='round'"),
        ({"digits": 2.5}, "digits=2.5"),
    ],
)
def test_wrong_options_are_named(two_models, options, message):
    with pytest.raises(OptionError, match=message):
        tables.regression(two_models, **options)


def test_things_that_are_no_results_are_named(two_models):
    with pytest.raises(OptionError, match=r"Column \(2\) is a DataFrame.*'params'"):
        tables.regression([two_models[0], pd.DataFrame()])
    with pytest.raises(OptionError, match="no result to print"):
        tables.regression([])
    twice = SimpleNamespace(
        **{name: () for name in PROTOCOL if name != "params"},
        params=pd.Series([1, 2], index=["x", "x"]),
    )
    with pytest.raises(DataError, match=r"column \(1\) has two parameters named 'x'"):
        tables.regression(twice)


# ---------------------------------------------------------------- effects


def test_table_8_is_set_as_printed(table8):
    """Li and Wei (2025), table 8: same rows, same order, same digits."""
    assert table8.header[-2:] == (
        ("", "地理邻接", "地理距离", "经济距离"),
        ("变量", "(1)", "(2)", "(3)"),
    )
    assert cells(table8) == [
        ("直接效应", "0.0151***", "0.0144***", "0.0136***"),
        ("", "(0.0034)", "(0.0035)", "(0.0032)"),
        ("间接效应", "0.0079***", "0.0134***", "0.0094***"),
        ("", "(0.0020)", "(0.0040)", "(0.0030)"),
        ("总效应", "0.0230***", "0.0278***", "0.0230***"),
        ("", "(0.0052)", "(0.0068)", "(0.0057)"),
        ("ρ", "0.3632***", "0.4937***", "0.4169***"),
        ("", "(0.0302)", "(0.0547)", "(0.0520)"),
        ("控制变量", "是", "是", "是"),
        ("个体固定效应", "是", "是", "是"),
        ("时间固定效应", "是", "是", "是"),
        ("组内R²", "0.5623", "0.7282", "0.3335"),
        ("观测值", "3324", "3324", "3324"),
    ]


def test_effects_carry_their_own_p_values():
    model = spatial(PRINTED["地理邻接"])
    frame = effects_frame([(0.2, 0.1, 0.04), (0.3, 0.1, 0.07), (0.5, 0.1, 0.2)])
    table = tables.effects(dataclasses.replace(model, frame=frame), "did")
    shown = [r.cells[1] for r in table.rows if r.kind == "coefficient"]
    assert shown == ["0.2000**", "0.3000*", "0.5000", "0.3632***"]


def test_several_variables_stand_under_the_name_of_the_effect():
    values = [(0.1 * i, 0.01, 0.5) for i in range(1, 7)]
    model = spatial(PRINTED["地理邻接"])
    model = dataclasses.replace(model, frame=effects_frame(values, ("did", "edu")))
    table = tables.effects([model], ["edu", "did"], coefficients=["W_did"], std_errors="none")
    assert cells(table)[:10] == [
        ("W×did", "0.0010"),
        ("Direct effect", ""),
        ("edu", "0.2000"),
        ("did", "0.1000"),
        ("Indirect effect", ""),
        ("edu", "0.4000"),
        ("did", "0.3000"),
        ("Total effect", ""),
        ("edu", "0.6000"),
        ("did", "0.5000"),
    ]
    assert "Controls" not in [r.cells[0] for r in table.rows]


def test_options_reach_the_effects_and_the_method_is_told():
    table = tables.effects(spatial(PRINTED["地理邻接"]), "did", method="simulation", notes="Mine.")
    assert cells(table)[1] == ("", "(1.0000)")
    assert "Standard errors of effects: simulation." in table.notes
    assert "Mine." in table.notes


def test_effects_name_what_is_missing(two_models):
    with pytest.raises(OptionError, match=r"Column \(1\) is a Results, which has no effects"):
        tables.effects(two_models, "INN")
    with pytest.raises(OptionError, match=r"Column \(1\) has no effects of 'dud'.*mean 'did'"):
        tables.effects(spatial(PRINTED["地理邻接"]), "dud")
    with pytest.raises(OptionError, match="coefficients has 'x'"):
        tables.effects(spatial(PRINTED["地理邻接"]), "did", coefficients=["x"])


def test_notes_of_simulated_data_stay_below_effects():
    model = spatial(PRINTED["地理邻接"], provenance={"notes": ("模拟数据。",)})
    assert tables.effects([model, model], "did", lang="zh").notes[-1] == "模拟数据。"


# ---------------------------------------------------------------- frames


def autocorrelation_frame():
    index = pd.MultiIndex.from_tuples(
        [("queen", 2011), ("queen", 2012), ("距离", 2011)], names=["weights", "period"]
    )
    return pd.DataFrame(
        {
            "I": [0.31, 0.02, -0.1],
            "z_I": [5.5, 0.4, -1.8],
            "p_I": [0.0001, 0.69, 0.07],
            "C": [0.7, 0.99, 1.2],
            "z_C": [-4.0, -0.1, 2.1],
            "p_C": [0.0002, 0.9, 0.04],
        },
        index=index,
    )


def test_autocorrelation_by_period_and_matrix():
    table = tables.autocorrelation(autocorrelation_frame(), digits=2)
    assert table.header == (
        ("", "queen", None, None, None, "距离", None, None, None),
        ("Period", *["Moran's I", "z", "Geary's C", "z"] * 2),
    )
    assert cells(table) == [
        ("2011", "0.31***", "5.50", "0.70***", "-4.00", "-0.10*", "-1.80", "1.20**", "2.10"),
        ("2012", "0.02", "0.40", "0.99", "-0.10", "", "", "", ""),
    ]


def test_autocorrelation_of_one_statistic_with_p_values():
    """The frame that diagnostics.moran gives for one graph: index period, z and pvalue."""
    frame = pd.DataFrame(
        {"I": [0.3], "expected": [-0.1], "variance": [0.01], "z": [4.0], "pvalue": [0.00006]},
        index=pd.Index([2011], name="period"),
    )
    table = tables.autocorrelation(frame, lang="zh", stars=False, pvalues=True)
    assert table.header == (("年份", "莫兰指数I", "z值", "p值"),)
    assert cells(table) == [("2011", "0.3000", "4.0000", "<0.001")]
    assert table.notes == ()


def test_autocorrelation_names_what_is_wrong():
    frame = autocorrelation_frame()
    with pytest.raises(DataError, match="'z_I' is absent"):
        tables.autocorrelation(frame.drop(columns="z_I"))
    with pytest.raises(DataError, match="I or C is absent"):
        tables.autocorrelation(frame[["p_I"]])
    with pytest.raises(DuplicateKeysError, match=r"\('queen', 2011\) occurs twice"):
        tables.autocorrelation(pd.concat([frame, frame.iloc[:1]]))


def test_descriptive_statistics_by_hand():
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "d": [0, 1, 1, np.nan], "b": [True] * 4})
    table = tables.descriptive(frame, labels={"x": "变量"})
    assert table.header == (("Variable", "N", "Mean", "Std. dev.", "Min", "Max"),)
    assert cells(table) == [
        ("变量", "4", "2.5000", "1.2910", "1.0000", "4.0000"),  # sqrt(5 / 3)
        ("d", "3", "0.6667", "0.5774", "0.0000", "1.0000"),  # sqrt(1 / 3)
        ("b", "4", "1.0000", "0.0000", "1.0000", "1.0000"),
    ]


def test_descriptive_takes_a_panel_and_keeps_its_notes():
    panel = SimpleNamespace(frame=pd.DataFrame({"x": [1.0, 3.0]}), notes=("Simulated.",))
    table = tables.descriptive(panel, lang="zh")
    assert table.title == "描述性统计"
    assert table.notes == ("Simulated.",)
    frame = pd.DataFrame({"x": [1.0, 3.0]})
    frame.attrs = {"notes": ("One.",), "note": "Two."}
    assert tables.descriptive(frame, notes="Zero.").notes == ("Zero.", "One.", "Two.")


def test_descriptive_names_columns_that_are_text_or_absent():
    frame = pd.DataFrame({"x": [1.0, 2.0], "city": ["京", "沪"]})
    with pytest.raises(NotNumericError, match=r"columns 'city' do not hold numbers.*columns=\["):
        tables.descriptive(frame)
    with pytest.raises(DataError, match=r"no column 'X'"):
        tables.descriptive(frame, columns=["X"])
    assert cells(tables.descriptive(frame, columns=["x"]))[0][0] == "x"
    with pytest.raises(NotNumericError, match="columns 'z' do not hold numbers"):
        tables.descriptive(frame.assign(z=1j), columns=["x", "z"])  # no part may be lost
    with pytest.raises(InfiniteValuesError, match="'x' has infinite cells"):
        tables.descriptive(frame.assign(x=[np.inf, 1]), columns=["x"])
    with pytest.raises(DataError, match="More than one column is named 'x'"):
        tables.descriptive(frame[["x", "x"]])


def test_any_frame_with_levels():
    frame = pd.DataFrame(
        {
            ("a", "estimate"): [0.5, np.nan],
            ("a", "pvalue"): [0.0001, 0.5],
            ("b", "n"): [3, 4],
            ("b", "ok"): [True, False],
        },
        index=pd.MultiIndex.from_tuples([("g", 2011.0), ("g", 2012.0)], names=["组", "year"]),
    )
    table = tables.from_frame(frame, title="T", digits=2)
    assert table.header == (
        ("", "", "a", None, "b", None),
        ("组", "year", "Estimate", "p-value", "n", "ok"),
    )
    assert cells(table) == [
        ("g", "2011", "0.50", "<0.001", "3", "Yes"),
        ("", "2012", "–", "0.500", "4", "No"),
    ]
    with pytest.raises(DataError, match="nothing to print"):
        tables.from_frame(frame.iloc[:0])


def test_columns_of_mixed_type_keep_their_digits():
    """What weights.describe returns: one column a matrix, facts of every type in it."""
    facts = {"n": 277, "density": 0.0123456, "row_sum_max": 1.0, "symmetric": False}
    table = tables.weights(pd.DataFrame({"queen": facts}, dtype=object), lang="zh")
    assert cells(table) == [
        ("个体数", "277"),
        ("密度", "0.0123"),
        ("行和最大值", "1.0000"),
        ("数值对称", "否"),
    ]
    assert table.align == ("l", "r")


def test_index_weights_in_chinese():
    frame = pd.DataFrame(
        {"group": ["科技", "绿色"], "direction": ["positive", "negative"], "weight": [0.75, 0.25]},
        index=pd.Index(["专利", "能耗"], name="indicator"),
    )
    table = tables.index_weights(frame, lang="zh")
    assert table.header == (("指标", "维度", "属性", "权重"),)
    assert cells(table) == [("专利", "科技", "正向", "0.7500"), ("能耗", "绿色", "负向", "0.2500")]


# ---------------------------------------------------------------- the table itself


def test_a_table_is_immutable_and_checked(two_models):
    table = tables.regression(two_models)
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.title = "other"
    assert dataclasses.replace(table, title="other").title == "other"
    with pytest.raises(DataError, match=r"\('x', 'y'\) has 2 cells, but the table has 1 columns"):
        tables.Table("", (), (tables.Row(("x", "y")),), ("l",))
    with pytest.raises(OptionError, match="kind='body'"):
        tables.Table("", (), (tables.Row(("x",), "body"),), ("l",))


def awkward():
    """Every character that some format takes for a command, in labels, cells, title and notes."""
    special = r"50%_a & b # $ {x} ~ ^ \ <i> | ρ² " + '"q"'
    return tables.Table(
        title="标题 100% & <b>",
        header=(("", "组", None), ("[标签]", "*a", "x_1")),
        rows=(
            tables.Row((special, "-0.5000*", "[0.1]"), "coefficient"),
            tables.RULE,
            tables.Row(("[b]", "=1+1", "`c`")),
            tables.Row(("*c", "0.0100", "-3"), "heading"),
        ),
        align=("l", "c", "r"),
        notes=("***, ** and * & _x_", "[n] <第二>"),
        lang="en",
    )


def body(table):
    return [list(r.cells) for r in table.rows if r.kind != "rule"]


def printed(table):
    """Header with spans filled, and body, with true minus signs in columns of numbers."""
    rows = [
        [re.sub(r"^-(?=[\d.])", "\N{MINUS SIGN}", c) if a != "l" else c for c, a in pairs]
        for pairs in (zip(line, table.align, strict=True) for line in body(table))
    ]
    return tables.plain.filled(table) + rows


@pytest.fixture(params=["awkward", "table8", "autocorrelation"])
def any_table(request):
    if request.param == "awkward":
        return awkward()
    if request.param == "autocorrelation":
        return tables.autocorrelation(autocorrelation_frame())
    return request.getfixturevalue("table8")


def test_word_has_every_cell_note_and_title(any_table, tmp_path):
    document = Document(str(any_table.save(tmp_path / "表.docx")))
    (table,) = document.tables
    assert [[c.text for c in r.cells] for r in table.rows] == printed(any_table)
    paragraphs = [p.text for p in document.paragraphs if p.text]
    assert paragraphs == [any_table.title, *any_table.note_lines]
    order = [child.tag for child in document.element.body]
    assert order.index(qn("w:p")) < order.index(qn("w:tbl"))  # the title is above


def test_word_table_has_three_rules_and_both_fonts(table8, tmp_path):
    document = Document(str(table8.to_docx(tmp_path / "t.docx")))
    (table,) = document.tables
    borders = table._tbl.tblPr.find(qn("w:tblBorders"))
    kinds = {b.tag.split("}")[1]: (b.get(qn("w:val")), b.get(qn("w:sz"))) for b in borders}
    assert kinds == {
        "top": ("single", "12"),
        "bottom": ("single", "12"),
        **dict.fromkeys(("left", "right", "insideH", "insideV"), ("nil", None)),
    }
    ruled = {
        i
        for i, line in enumerate(table.rows)
        for cell in line._tr.tc_lst
        if cell.tcPr.find(qn("w:tcBorders")) is not None
    }
    assert ruled == {len(table8.header) - 1}  # only the last header line has a rule below
    thin = table.rows[len(table8.header) - 1].cells[0]._tc.tcPr.find(qn("w:tcBorders"))
    assert [(b.tag.split("}")[1], b.get(qn("w:sz"))) for b in thin] == [("bottom", "6")]
    for fonts in document.element.iter(qn("w:rFonts")):
        assert fonts.get(qn("w:eastAsia")) == "宋体"
        assert fonts.get(qn("w:ascii")) == "Times New Roman"
    sizes = {
        s.get(qn("w:val")) for s in table._tbl.iter(qn("w:sz")) if s.getparent().tag == qn("w:rPr")
    }
    assert sizes == {"21"}  # half points


def test_word_properties_stand_in_the_order_of_the_schema(tmp_path):
    """ECMA-376 part 1, 17.4.60 and 17.4.70: Word repairs a document with another order."""
    table = tables.autocorrelation(autocorrelation_frame())
    (written,) = Document(str(table.save(tmp_path / "t.docx"))).tables
    names = ["tblStyle", "tblW", "jc", "tblBorders", "tblLayout", "tblCellMar", "tblLook"]
    found = [child.tag.split("}")[1] for child in written._tbl.tblPr]
    assert found == [name for name in names if name in found]
    for cell in written._tbl.iter(qn("w:tcPr")):
        found = [child.tag.split("}")[1] for child in cell]
        schema = ("tcW", "gridSpan", "vMerge", "tcBorders", "noWrap", "vAlign")
        assert found == [n for n in schema if n in found]


def test_html_has_every_cell_note_and_title(any_table):
    page = any_table.to_html()
    assert page.startswith("<!DOCTYPE html>")
    assert '<meta charset="utf-8">' in page
    root = lxml_html.fromstring(page)
    grid = []
    for line in root.iter("tr"):
        if line.get("class") != "rule":
            grid.append([c.text_content() for c in line for _ in range(int(c.get("colspan", 1)))])
    assert grid == printed(any_table)
    assert root.find(".//caption").text_content() == any_table.title
    assert [p.text_content() for p in root.iter("p")] == list(any_table.note_lines)


def test_html_has_three_rules(table8):
    root = lxml_html.fromstring(table8.to_html())
    rules = re.compile(r"border-(?:top|bottom):(\dpx)")
    drawn = [(e.tag, rules.findall(e.get("style", ""))) for e in root.iter() if e.get("style")]
    assert [d for d in drawn if d[1]] == [("table", ["2px", "2px"]), ("thead", ["1px"])]


def test_a_notebook_gets_the_table_without_a_page(table8):
    fragment = table8._repr_html_()
    assert fragment.startswith("<div")
    assert "<html" not in fragment
    assert "0.0151***" in fragment


def test_latex_escapes_and_has_three_rules(table8):
    source = awkward().to_latex(label="tab:x")
    assert r"\caption{标题 100\% \& \textless{}b\textgreater{}}" in source
    assert r"\label{tab:x}" in source
    expected = (
        r"50\%\_\allowbreak{}a \& b \# \$ \{x\} \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} "
        r"\textless{}i\textgreater{} \textbar{} $\rho$\textsuperscript{2} "
        r"\textquotedbl{}q\textquotedbl{} & -0.5000^{*} & [0.1] \\"
    )
    assert expected in source.splitlines()
    other = r"{}[b] & \multicolumn{1}{c}{=1+1} & \multicolumn{1}{c}{`c`} \\"
    assert other in source  # a bracket after \\ would be an option
    assert r" & \multicolumn{2}{c}{组} \\" in source
    assert re.search(r"\\begin\{tabular\}\{lD\{\.\}\{\.\}", source)  # where a hyphen is a minus
    assert r"\item {}[n] \textless{}第二\textgreater{}" in source
    rules = re.findall(r"\\(?:toprule|midrule|bottomrule|cmidrule|hline)", table8.to_latex())
    assert rules == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_latex_has_every_number(table8):
    source = table8.to_latex()
    for line in body(table8):
        for cell in line[1:]:
            assert re.sub(r"(\*+)$", r"^{\1}", cell) in source
    assert r"\caption{空间溢出效应检验结果}" in source  # LaTeX numbers the table itself


@pytest.mark.skipif(shutil.which("xelatex") is None, reason="xelatex is not installed")
def test_latex_compiles(any_table, tmp_path):
    (tmp_path / "t.tex").write_text(any_table.to_latex(standalone=True), encoding="utf-8")
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_excel_has_every_cell_with_numbers_as_numbers(any_table, tmp_path):
    sheet = openpyxl.load_workbook(any_table.save(tmp_path / "t.xlsx")).active
    found = [["" if c.value is None else c for c in line] for line in sheet.iter_rows()]
    n = len(any_table.header)
    printed = [[_shown(c) for c in line] for line in found[1 + n : 1 + n + len(body(any_table))]]
    assert printed == body(any_table)
    header = [[cell or "" for cell in line] for line in any_table.header]
    assert [[_shown(c) for c in line] for line in found[1 : 1 + n]] == header
    assert found[0][0].value == any_table.title
    notes = [_shown(line[0]) for line in found[1 + n + len(body(any_table)) :]]
    assert notes == list(any_table.note_lines)


def _shown(cell):
    """What Excel shows: the text, or the number in its format, ``"("0.00")"`` in brackets."""
    if cell == "" or cell.value is None:
        return ""
    if cell.data_type == "s":
        return cell.value.replace("\N{MINUS SIGN}", "-")
    assert cell.data_type == "n"
    parts = cell.number_format.split(";")
    form = parts[-1] if cell.value < 0 else parts[0]
    before, digits, after = re.fullmatch(
        r'(?:"(.*?)")?(0(?:\.0+)?)(?:"(.*?)")?(?:_\*)*', form
    ).groups()
    value = abs(cell.value) if len(parts) > 1 else cell.value
    return f"{before or ''}{value:.{len(digits.partition('.')[2])}f}{after or ''}"


def test_excel_numbers_can_be_used_and_text_is_no_formula(tmp_path):
    sheet = openpyxl.load_workbook(awkward().save(tmp_path / "t.xlsx")).active
    values = {c.value: c for line in sheet.iter_rows() for c in line}
    assert values[0.01].data_type == "n"
    assert values["=1+1"].data_type == "s"
    assert (values[-0.5].data_type, values[-0.5].number_format) == ("n", '0.0000"*"')
    assert values[0.1].number_format == '"["0.0"]";"[-"0.0"]"'


def test_excel_has_three_rules(table8, tmp_path):
    sheet = openpyxl.load_workbook(table8.save(tmp_path / "t.xlsx")).active
    first = 2  # below the title
    last = first + len(table8.header) + len(table8.rows) - 1
    styles = {
        (line, side): style
        for line in range(1, sheet.max_row + 1)
        for side in ("top", "bottom", "left", "right")
        if (style := getattr(sheet.cell(line, 2).border, side).style)
    }
    assert styles == {
        (first, "top"): "medium",
        (first + len(table8.header) - 1, "bottom"): "thin",
        (last, "bottom"): "medium",
    }


def test_markdown_has_every_cell_and_no_markup(any_table):
    lines = any_table.to_markdown().splitlines()
    grid = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("|")
    ]
    plain = [[re.sub(r"\\(.)", r"\1", cell) for cell in line] for line in grid]
    assert plain[2:] == [[" ".join(c.split()) for c in line] for line in body(any_table)]
    notes = [re.sub(r"\\(.)", r"\1", line) for line in lines[-2 * len(any_table.notes) + 1 :: 2]]
    assert notes == list(any_table.note_lines)


def test_the_terminal_counts_chinese_as_two_columns(table8):
    lines = str(table8).splitlines()
    rule = width(lines[1])
    assert lines[1] == "━" * rule
    assert sum(set(line) == {"━"} for line in lines) == 2
    assert sum(set(line) == {"─"} for line in lines) == 1
    assert max(width(line) for line in lines[: -len(table8.notes)]) <= rule
    starts = {width(line[: line.index("(0.0")]) for line in lines if "(0.0" in line}
    assert len(starts) == 1  # columns stand below each other
    assert width("地理W²") == 6
    assert repr(table8) == str(table8)


def test_the_frame_has_the_text_of_the_cells(table8):
    frame = table8.to_frame()
    assert frame.shape == (13, 3)
    assert frame.loc["ρ"].tolist() == ["0.3632***", "0.4937***", "0.4169***"]
    assert frame.columns[0] == ("NQP", "地理邻接", "(1)")
    assert tables.descriptive(pd.DataFrame({"x": [1.0, 2]})).to_frame().loc["x", "Mean"] == "1.5000"


def test_a_title_longer_than_a_property_of_word_is_whole_above_the_table(tmp_path):
    title = "The total effect of collaborative innovation " * 6
    table = tables.from_frame(pd.DataFrame({"x": [1.5]}), title=title)
    document = Document(str(table.save(tmp_path / "t.docx")))
    assert document.paragraphs[0].text == title
    assert document.core_properties.title == title[:255]


def test_an_empty_title_and_no_notes_work(tmp_path):
    table = tables.from_frame(pd.DataFrame({"x": [1.5]}))
    for suffix in (".docx", ".tex", ".html", ".xlsx", ".md"):
        assert table.save(tmp_path / f"t{suffix}").stat().st_size > 0
    assert "caption" not in table.to_latex()
    assert "tablenotes" not in table.to_latex()
    assert Document(str(tmp_path / "t.docx")).tables[0].cell(1, 0).text == "1.5000"


# ---------------------------------------------------------------- files


def test_every_function_saves_where_it_is_told(two_models, tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    made = {
        "r": tables.regression(two_models, tmp_path / "r.md"),
        "e": tables.effects(spatial(PRINTED["地理邻接"]), "did", tmp_path / "e.md"),
        "a": tables.autocorrelation(autocorrelation_frame(), tmp_path / "a.md"),
        "d": tables.descriptive(frame, tmp_path / "d.md"),
        "w": tables.weights(frame, tmp_path / "w.md"),
        "i": tables.index_weights(frame, tmp_path / "i.md"),
        "f": tables.from_frame(frame, str(tmp_path / "f.md")),
    }
    for name, table in made.items():
        assert (tmp_path / f"{name}.md").read_text(encoding="utf-8") == table.to_markdown()


def test_text_files_are_utf8(table8, tmp_path):
    for suffix in (".tex", ".html", ".md"):
        assert "间接效应" in table8.save(tmp_path / f"t{suffix}").read_bytes().decode("utf-8")


def test_an_unknown_suffix_lists_the_known(table8, tmp_path):
    message = r"suffix '.doc' is not known. Use one of .docx, .tex, .*, .md. Did you mean '.docx'"
    with pytest.raises(OptionError, match=message):
        table8.save(tmp_path / "t.doc")


@pytest.mark.parametrize("suffix", [".docx", ".tex", ".html", ".xlsx", ".md"])
def test_a_place_that_cannot_be_written_is_named(table8, tmp_path, suffix):
    with pytest.raises(OutputError, match="absent' does not exist"):
        table8.save(tmp_path / "absent" / f"t{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(OutputError, match=rf"folder{suffix}'.*directory.*another path"):
        table8.save(tmp_path / f"folder{suffix}")


# ---------------------------------------------------------------- other programs


class Foreign:
    """A model of another library, as maketables asks for it."""

    __maketables_coef_table__ = pd.DataFrame(
        {"b": [0.25], "se": [0.125], "t": [2.0], "p": [0.0455]}, index=["INN"]
    )
    __maketables_depvar__ = "NQP"
    __maketables_fixef_string__ = "entity"
    __maketables_vcov_info__ = {"vcov_type": "iid"}  # noqa: RUF012
    __maketables_stat_labels__ = {"N": "Observations"}  # noqa: RUF012
    __maketables_default_stat_keys__ = ["N"]  # noqa: RUF012

    def __maketables_stat__(self, key):
        return {"N": 100}.get(key)


def test_maketables_takes_our_results_beside_others(two_models):
    import maketables  # imports half a dozen table libraries

    made = maketables.ETable([two_models[0], Foreign()], coef_fmt="b:.4f* \n (se:.4f)")
    printed = made.make(type="tex")
    assert "0.0178" in printed
    assert "0.0035" in printed
    assert "0.2500" in printed
    assert re.search(r"Observations\s*&\s*3,?324\s*&\s*100", printed)
    assert re.search(r"time\s*&\s*x\s*&\s*-", printed)


# ---------------------------------------------------------------- options


def test_what_all_tables_share_is_seen_in_their_signatures():
    for make, digits in ((tables.weights, 4), (tables.autocorrelation, 4), (tables.correlation, 3)):
        shown = inspect.signature(make).parameters
        assert {"labels", "title", "notes", "lang", "digits"} <= set(shown), make
        assert shown["digits"].default == digits and shown["lang"].default == "en"
        assert "Decimals of numbers" in make.__doc__
    with pytest.raises(TypeError, match="'label'.*Did you mean 'labels'"):
        tables.from_frame(pd.DataFrame({"a": [1.0]}), label={})


# ---------------------------------------------------------------- alignment, digits, comparability


def mixed(n=3, k=4, lang="en", *, name="variable"):
    """Models with signs, stars and lengths of every kind; drawn with a seed."""
    rng = np.random.default_rng(n * 100 + k)
    models = [
        fitted(
            {f"{name}_{i}": rng.normal() * 10.0 ** rng.integers(-2, 3) for i in range(k)},
            0.05 + np.abs(rng.normal(size=k)),
            loglik=-1234.5 * (j + 1),
            dependent="digital economy" if lang == "en" else "数字经济发展水平",
        )
        for j in range(n)
    ]
    head = "Inverse distance" if lang == "en" else "地理距离矩阵"
    return tables.regression(models, columns=[f"{head} {j}" for j in range(n)], lang=lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("std_errors", ["parentheses", "brackets", "tstats", "pvalues"])
def test_decimal_points_stand_below_each_other_in_the_terminal(lang, std_errors):
    models = [
        fitted({"a": 123.4, "b": -0.5, "c": 0.25, "d": -12.0}, [20.0, 0.01, 0.4, 7.0]),
        fitted({"a": -1.0, "c": 55.5}, [0.6, 0.1]),
    ]
    table = tables.regression(models, lang=lang, std_errors=std_errors)
    places = {
        width(line[: match.start() + 1])
        for line in str(table).splitlines()
        for match in re.finditer(r"\d\.\d{3,4}", line)
    }
    assert len(places) == 2, str(table)  # one for each column


def test_a_small_estimate_is_told_with_its_figures_and_never_with_an_exponent():
    result = fitted({"x": 3.456e-05, "z": 0.5, "tiny": -2e-11}, [1.2e-05, 0.1, 1e-11])
    for lang in ("en", "zh"):
        table = tables.regression(result, lang=lang)
        assert row(table, "x") == ("0.0000***",)
        (said,) = [note for note in table.notes if "0.0000346" in note]
        assert "0.0000120" in said and "\N{MINUS SIGN}0.0000000000200" in said
        assert "e-" not in str(table) and "e-" not in table.to_latex()
        assert not any("0.500" in note for note in table.notes)
    assert not any(
        "Not zero" in note for note in tables.regression(fitted({"z": 0.5}, [0.1])).notes
    )


def test_other_levels_of_stars_are_told():
    result = fitted({"x": 2.2}, [1.0])  # p = 0.0278
    assert row(tables.regression(result, stars=[0.05, 0.01]), "x") == ("2.2000*",)
    table = tables.regression(result, stars=(0.001, 0.01, 0.05))
    assert row(table, "x") == ("2.2000*",)
    assert table.notes[0] == "Stars denote significance: *** at 0.1%, ** at 1%, * at 5%."
    with pytest.raises(OptionError, match=r"stars=\[5\] are not levels.*\[0.1, 0.05, 0.01\]"):
        tables.regression(result, stars=[5])


def test_p_values_may_stand_below_an_estimate():
    table = tables.regression(fitted({"x": 2.2}, [1.0]), std_errors="pvalues")
    assert cells(table)[1] == ("", "(0.028)")
    assert "p-values in parentheses, from standard errors (robust)." in table.notes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SettingFake(Results):
    """A result that says what it is told to say of itself."""

    said: dict = dataclasses.field(default_factory=dict)

    @property
    def setting(self):
        return self.said


LEE_YU = {"removed": "lee-yu", "used": 3036, "likelihood": "lee-yu", "n_entities": 277}
LEE_YU |= {"n_periods": 12, "weights": {"n": 277, "links": 1542, "row_normalised": True}}


def test_likelihoods_of_other_data_are_not_in_one_row():
    """The case of a published table: 3,036 of 3,324 observations (page 2 of the standard)."""
    plain = fitted({"x": 1.0}, [0.1], SettingFake, loglik=6385.4, said={"removed": "demeaning"})
    spatial = fitted({"x": 1.0}, [0.1], SettingFake, loglik=5818.0, said=LEE_YU)
    both = tables.regression(
        [plain, spatial, spatial], statistics=["nobs", "loglik", "aic"], lang="en"
    )
    assert cells(both)[-6:] == [
        ("Rows of data", "3324", "3324", "3324"),
        ("Observations used", "3324", "3036", "3036"),
        ("Log-likelihood, all rows", "6385.4000", "", ""),
        ("Log-likelihood, Lee–Yu", "", "5818.0000", "5818.0000"),
        ("AIC, all rows", "-12766.8000", "", ""),
        ("AIC, Lee–Yu", "", "-11632.0000", "-11632.0000"),
    ]
    assert row(both, "Effects removed by") == ("demeaning", "Lee–Yu", "Lee–Yu")
    assert "Lee–Yu leaves 3036 of 3324 observations in (2), (3)." in both.notes
    assert "W: 1542 links among 277 entities, rows sum to one in (2), (3)." in both.notes
    assert "Sample: 277 entities, 12 periods in (2), (3)." in both.notes
    told = "Log-likelihood, AIC is comparable only among columns with the same outcome and "
    assert f"{told}observations: (1); (2), (3)." in both.notes
    alone = tables.regression([spatial, spatial])
    assert "Log-likelihood" in [r.cells[0] for r in alone.rows]
    assert not any("comparable" in note for note in alone.notes)


@pytest.mark.parametrize("other", [{"dependent": "z"}, {"nobs": 3000}])
def test_likelihoods_of_other_outcomes_or_samples_are_told_apart(other):
    one = fitted({"x": 1.0}, [0.1], loglik=-1.0)
    two = fitted({"x": 1.0}, [0.1], loglik=-2.0, **other)
    assert any("comparable" in note for note in tables.regression([one, two]).notes)
    assert not any("comparable" in note for note in tables.regression([one, one]).notes)


def test_heads_span_columns_and_rows_may_be_added(two_models, tmp_path):
    table = tables.regression(
        [*two_models, *two_models],
        heads=["East", "East", "West", "West"],
        rows={"p of the difference": ["0.012", None, "0.300", None], "Sample": "all cities"},
    )
    assert table.header[0] == ("", "East", None, "West", None)
    assert row(table, "p of the difference") == ("0.012", None, "0.300", None)
    assert row(table, "Sample") == ("all cities", None, None, None)
    (word,) = Document(str(table.save(tmp_path / "t.docx"))).tables
    texts = [[c.text for c in r.cells] for r in word.rows]
    assert ["Sample", *["all cities"] * 4] in texts
    assert r"Sample & \multicolumn{4}{c}{all cities} \\" in table.to_latex()
    assert 'colspan="4"' in table.to_html()
    assert all(table.save(tmp_path / f"t{s}").stat().st_size for s in (".xlsx", ".md", ".html"))
    with pytest.raises(OptionError, match="heads has 1 texts for 4 columns"):
        tables.regression([*two_models, *two_models], heads=["East"])
    with pytest.raises(OptionError, match=r"rows\['a'\] has 2 texts for 4 columns"):
        tables.regression([*two_models, *two_models], rows={"a": ["1", "2"]})


def test_critical_values_and_p_values_stand_below_their_statistics():
    class Weak(Results):
        table_statistics = ("kp_rk_lm", "kp_rk_wald_f")
        critical_values = {"kp_rk_wald_f": 16.38}  # noqa: RUF012

    extra = {"kp_rk_lm": 14.3, "kp_rk_lm_pvalue": 0.00012, "kp_rk_wald_f": 319.83}
    iv = fitted({"x": 1.0}, [0.1], Weak, extra_statistics=extra)
    table = tables.regression([iv, fitted({"x": 1.0}, [0.1])])
    at = [r.cells[0] for r in table.rows].index("Kleibergen-Paap rk LM")
    assert cells(table)[at : at + 4] == [
        ("Kleibergen-Paap rk LM", "14.3000", ""),
        ("", "[<0.001]", ""),
        ("Kleibergen-Paap rk Wald F", "319.8300", ""),
        ("", "{16.38}", ""),
    ]
    assert "Critical values in braces: Stock-Yogo, 10% maximal size." in table.notes


# ---------------------------------------------------------------- pages

WIDE = [
    (n, k, lang) for n, k in ((1, 3), (5, 6), (9, 4), (20, 3), (4, 60)) for lang in ("en", "zh")
]


@pytest.mark.parametrize(("n", "k", "lang"), WIDE)
def test_a_wide_table_is_in_parts_that_fit_a_terminal_and_lose_nothing(n, k, lang):
    table = mixed(n, k, lang)
    printed = str(table)
    assert max(width(line) for line in printed.splitlines()) <= 80
    for cell in {c for r in table.rows for c in r.cells[1:] if c}:
        assert cell.replace("-", "\N{MINUS SIGN}") in printed
    assert sum(line.count("(1)") for line in printed.splitlines()) >= 1


def overfull(source, folder):
    """What LaTeX has to complain about in a document."""
    (folder / "t.tex").write_text(source, encoding="utf-8")
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-2000:]
    log = (folder / "t.log").read_text("utf-8", errors="replace")
    return [n for n in log.splitlines() if n.startswith("Overfull") or "Float too large" in n]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xelatex") is None, reason="xelatex is not installed")
@pytest.mark.parametrize(("n", "k", "lang"), WIDE)
def test_latex_fits_on_a4(n, k, lang, tmp_path):
    table = mixed(n, k, lang)
    assert overfull(table.to_latex(standalone=True), tmp_path) == []
    body = table.to_latex()
    needed = re.match(r"% needs (.*);", body)[1].replace(" and ", ", ").replace(" ", "")
    kind = "ctexart" if lang == "zh" else "article"
    document = (
        rf"\documentclass[a4paper]{{{kind}}}\usepackage{{{needed}}}"
        rf"\begin{{document}}{body}\end{{document}}"
    )
    assert overfull(document, tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
@pytest.mark.parametrize(("n", "k", "lang"), WIDE)
def test_word_breaks_no_number(n, k, lang, tmp_path):
    """Drawn by LibreOffice, in which every number is one word of a line."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed")
    table = mixed(n, k, lang)
    table.save(tmp_path / "t.docx")
    home = f"-env:UserInstallation=file://{tmp_path}/office"
    command = ["soffice", home, "--headless", "--convert-to", "pdf", "t.docx"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    subprocess.run(["pdftotext", "-layout", "t.pdf"], cwd=tmp_path, check=True)
    drawn = (tmp_path / "t.txt").read_text("utf-8").split()
    wanted = [c.replace("-", "\N{MINUS SIGN}") for r in table.rows for c in r.cells[1:] if c]
    missing = {cell for cell in wanted if drawn.count(cell) < wanted.count(cell)}
    assert not missing


def test_captions_of_word_have_their_style_and_headers_repeat(tmp_path):
    document = Document(str(mixed(20, 3).save(tmp_path / "t.docx")))
    captions = [p.text for p in document.paragraphs if p.style.name == "Caption"]
    assert len(captions) == len(document.tables) > 1
    assert captions[1] == f"{captions[0]} (continued)"
    for table in document.tables:
        heads = [r._tr.trPr.find(qn("w:tblHeader")) is not None for r in table.rows]
        assert heads == [True] * 3 + [False] * (len(heads) - 3)
        tabs = [t.get(qn("w:val")) for t in table._tbl.iter(qn("w:tab"))]
        assert tabs and set(tabs) == {"decimal"}


def test_statistics_of_a_frame_have_stars_by_the_column_that_it_names():
    frame = pd.DataFrame({"F": [30.5, 8.0], "pvalue": [0.003, 0.2], "draws": [300, 300]})
    frame.attrs["stars"] = {"F": "pvalue"}
    table = tables.from_frame(frame, digits=2)
    assert cells(table) == [("30.50***", "0.003", "300"), ("8.00", "0.200", "300")]
    assert table.notes[0].startswith("***, ** and * denote")
    told = tables.from_frame(headed(frame.rename_axis("model"), "threshold-test", "zh"), lang="zh")
    assert cells(told)[0][1] == "30.5000***"
