"""What all results share, on numbers worked out by hand."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from maketables import ETable
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial.exceptions import OptionError
from nqp_spatial.results import Results, TestResult, wald
from nqp_spatial.shared.text import format_frame, stars

NAMES = [
    "x1",
    "W_x1",
    "log(gdp)",
    "W_log(gdp)",
    "log(gdp):x1",
    "城市化",
    "W_城市化",
    "人均 GDP",
    "log(`人均 GDP`)",
    "C(g)[T.q]",
    "I(x ** 2)",
    "x",
    "rho",
]


def make(params, cov, **options):
    params = pd.Series(params, name="estimate")
    fields = {
        "nobs": 50,
        "resids": pd.Series(dtype=float),
        "fitted": pd.Series(dtype=float),
        "loglik": -10.0,
        "rsquared": {"within": 0.25},
        "dependent": "质量",
        "cov_type": "robust",
    }
    cov = pd.DataFrame(cov, params.index, params.index)
    return Results(params=params, cov=cov, **(fields | options))


@pytest.fixture
def result():
    return make({"x1": 2.0, "W_x1": -1.0, "x2": 0.5}, [[4, 1, 0], [1, 1, 0], [0, 0, 0.25]])


def test_a_result_becomes_one_of_another_class(result):
    @dataclasses.dataclass(frozen=True, eq=False, repr=False)
    class Own(Results):
        more: int = 0

    own = result.as_(Own, more=3, model_name="Own")
    assert isinstance(own, Own) and (own.more, own.model_name) == (3, "Own")
    for name in ("params", "cov", "nobs", "loglik", "dependent", "rsquared"):
        assert getattr(own, name) is getattr(result, name)
    back = own.as_(Results)
    assert type(back) is Results and back.model_name == "Own"


def test_tidy_and_glance(result):
    tidy, glance = result.tidy(0.9), result.glance()
    assert list(tidy["term"]) == ["x1", "W_x1", "x2"]
    assert_allclose(tidy["statistic"], [1, -1, 1])
    assert_allclose(tidy["upper"], result.conf_int(0.9)["upper"])
    assert glance.loc[0, "model"] == "Model" and glance.loc[0, "nobs"] == 50
    assert glance.loc[0, "loglik"] == -10 and glance.loc[0, "rsquared_within"] == 0.25


@pytest.fixture
def many():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(len(NAMES), len(NAMES)))
    return make(dict(zip(NAMES, rng.normal(size=len(NAMES)), strict=True)), A @ A.T)


# estimates -----------------------------------------------------------------------------------


def test_errors_ratios_and_pvalues(result):
    assert result.std_errors.tolist() == [2.0, 1.0, 0.5]
    assert result.tstats.tolist() == [1.0, -1.0, 1.0]
    assert_allclose(result.pvalues, math.erfc(1 / math.sqrt(2)), rtol=1e-12)


def test_t_distribution_where_degrees_of_freedom_are_given(result):
    """The t distribution with one degree of freedom is the Cauchy distribution: p(1) = 1/2."""
    cauchy = dataclasses.replace(result, df_resid=1)
    assert_allclose(cauchy.pvalues, 0.5, rtol=1e-12)
    assert_allclose(cauchy.conf_int(0.5)["upper"], result.params + result.std_errors, atol=1e-14)


def test_confidence_intervals(result):
    for level, z in ((0.9, 1.6448536269514722), (0.95, 1.959963984540054), (0.99, 2.5758293035489)):
        interval = result.conf_int(level)
        assert_allclose(interval["upper"], [2 + 2 * z, -1 + z, 0.5 + z / 2], rtol=1e-10)
        assert_allclose(interval["lower"], [2 - 2 * z, -1 - z, 0.5 - z / 2], rtol=1e-10)
    for level in (0, 1, 95):
        with pytest.raises(OptionError, match="not between 0 and 1"):
            result.conf_int(level)


def test_to_frame(result):
    frame = result.to_frame(0.9)
    assert frame.columns.tolist() == ["estimate", "std_error", "tstat", "pvalue", "lower", "upper"]
    assert frame.index.tolist() == ["x1", "W_x1", "x2"]
    assert frame.index.name == "variable"
    assert_allclose(frame["upper"]["x1"], 2 + 2 * 1.6448536269514722)


def test_information_criteria(result):
    """k = 3 slopes and the error variance; log L = -10; n = 50."""
    assert result.n_free == 4
    assert result.aic == 2 * 4 + 20
    assert_allclose(result.bic, 4 * math.log(50) + 20, rtol=1e-15)
    statistics = result.fit_statistics
    assert statistics[["nobs", "loglik", "aic", "rsquared_within"]].tolist() == [50, -10, 28, 0.25]


def test_without_a_likelihood(result):
    none = dataclasses.replace(result, loglik=None)
    assert math.isnan(none.aic)
    assert math.isnan(none.bic)
    assert not {"loglik", "aic", "bic"} & set(none.fit_statistics.index)
    assert "loglik" not in none.summary()
    assert none.__maketables_stat__("loglik") is None


def test_stars():
    values = [0.0099, 0.01, 0.0499, 0.05, 0.0999, 0.1, 1.0, float("nan")]
    assert [stars(p) for p in values] == ["***", "**", "**", "*", "*", "", "", ""]


# Wald tests ----------------------------------------------------------------------------------


def test_one_restriction_by_hand(result):
    test = result.wald_test("x1 = 0")
    assert isinstance(test, TestResult)
    assert (test.statistic, test.df) == (1.0, 1)
    assert_allclose(test.pvalue, 0.31731050786291415, rtol=1e-12)
    assert "x1 = 0" in test.null
    # x1 + 2 W_x1 - 3: estimate -3, variance 4 + 4 + 2 * 2 * 1 = 12
    assert_allclose(result.wald_test("x1 + 2*W_x1 = 3").statistic, 9 / 12, rtol=1e-14)
    assert_allclose(result.wald_test("x1 = W_x1").statistic, 9 / (4 + 1 - 2), rtol=1e-14)


def test_several_restrictions_by_hand(result):
    """b = (2, -1), V = [[4, 1], [1, 1]], inverse [[1, -1], [-1, 4]] / 3: b'V^-1 b = 12 / 3."""
    test = result.wald_test(["x1 = 0", "W_x1 = 0"])
    assert_allclose(test.statistic, 4.0, rtol=1e-14)
    assert test.df == 2
    assert_allclose(test.pvalue, math.exp(-2), rtol=1e-12)  # chi-squared with 2 df
    assert_allclose(result.wald_test("x1 = 0, W_x1 = 0").statistic, 4.0, rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_parameter_can_be_written(many, name):
    ratio = (many.params / many.std_errors)[name]
    assert_allclose(many.wald_test(f"{name} = 0").statistic, ratio**2, rtol=1e-12)
    if "`" not in name:
        assert_allclose(many.wald_test(f"`{name}` = 0").statistic, ratio**2, rtol=1e-12)


def test_names_that_contain_each_other(many):
    R = np.zeros(len(NAMES))
    R[[NAMES.index(n) for n in ("W_log(gdp)", "log(gdp)", "log(gdp):x1", "x1")]] = [2, 1, -1, 3]
    expected = (R @ many.params - 0.5) ** 2 / (R @ many.cov.to_numpy() @ R)
    test = many.wald_test("2*W_log(gdp) + log(gdp) - log(gdp):x1 + 3*x1 = 0.5")
    assert_allclose(test.statistic, expected, rtol=1e-12)


def test_units_do_not_decide_what_is_redundant():
    result = make({"a": 1e-7, "b": 1e4}, np.diag([1e-14, 1e8]))
    assert_allclose(result.wald_test(["a = 0", "b = 0"]).statistic, 2.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("restriction", "message"),
    [
        (["x1 = 0", "x1 = 0"], "depend on each other"),
        (["x1 = 0", "2*x1 = 1"], "depend on each other"),
        (["x1 = W_x1", "W_x1 = x2", "x1 = x2"], "depend on each other"),
        ("0 = 0", "depend on each other"),
        ("x3 = 0", "'x3 = 0' cannot be read. Write it in the names of params: 'x1', 'W_x1', 'x2'"),
        ("W_x = 0", "cannot be read"),
        ("x1 + = 3", "cannot be read"),
        ("x1 * W_x1 = 0", "cannot be read"),
        ("x1 < 0", "cannot be read"),
        ("", "cannot be read"),
        ([], "cannot be read"),
    ],
)
def test_restrictions_that_cannot_be_tested(result, restriction, message):
    with pytest.raises(OptionError, match=message):
        result.wald_test(restriction)


def test_wald_of_a_vector():
    test = wald(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), null="both zero", name="W")
    assert (test.statistic, test.df, test.name) == (2.0, 2, "W")
    assert_allclose(test.pvalue, stats.chi2(2).sf(2.0))
    assert str(test) == "W: statistic 2.0000, df 2, p = 0.3679  (H0: both zero)"
    assert math.isnan(wald(np.ones(1), np.full((1, 1), np.nan), null="n").statistic)


# shown ---------------------------------------------------------------------------------------


def test_summary_has_the_numbers_and_the_notes(result):
    noted = dataclasses.replace(
        result, provenance={"notes": ("数据为模拟",)}, effects_included=("entity", "time")
    )
    text = noted.summary()
    assert repr(noted) == text
    for part in ("质量", "entity and time", "robust", "50", "数据为模拟", "-1.00", "0.317"):
        assert part in text
    assert "loglik -10" in text
    assert "aic 28" in text


def test_html_escapes_what_users_wrote(result):
    noted = dataclasses.replace(result, provenance={"notes": ("<b>n</b>",)}, dependent="a<b")
    html = noted._repr_html_()
    assert "&lt;b&gt;n&lt;/b&gt;" in html
    assert "a&lt;b" in html
    assert "<td>-1</td>" in html


def test_format_frame_has_six_digits():
    text = format_frame(pd.DataFrame({"v": [1234567.891], "pvalue": [0.04999]}))
    assert "1.23457e+06" in text
    assert "0.050" in text


def test_results_are_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.nobs = 3
    errors = result.std_errors
    errors["x1"] = 0.0
    assert result.std_errors["x1"] == 2.0


def test_maketables_takes_them(result):
    table = ETable([result, dataclasses.replace(result, loglik=None)]).make(type="tex")
    assert "W_x1" in table.replace("\\_", "_")
    assert "2.000" in table
    assert "质量" in table
    assert "Observations" in table
