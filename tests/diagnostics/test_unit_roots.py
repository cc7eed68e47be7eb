"""Panel unit root tests against plm, gretl, formulas in base R, and simulated random walks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.tsa.stattools import adfuller

from nqp_spatial.core.linear import unit_roots as core
from nqp_spatial.diagnostics import UnitRootResult, unit_root, unit_root_table
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.results import TestResult
from tests import REFERENCE
from tests.reference import published_unit_roots as published

TRENDS = {"none": "none", "intercept": "constant", "trend": "trend"}
MAX_LAGS = {"grunfeld": 4, "cigar": 5, "cut": 5, "emplUK": 1}
FISHER = {"madwu": "p", "Pm": "pm", "invnormal": "z", "logit": "l"}


def read(name):
    return pd.read_csv(REFERENCE / name, comment="#", na_values="NA", keep_default_na=False)


DATA = {
    key: part.set_index(["entity", "time"])["value"]
    for key, part in read("unit_roots_data.csv").groupby("data")
}
ROWS = read("unit_roots.csv")
ROWS = ROWS[(ROWS["lags"] != "Hall") & ~ROWS["name"].isin(["tbar", "z-tbar", "z-ttilde"])]
PLM, BASE = ROWS[ROWS["source"] == "plm"], ROWS[ROWS["source"] == "base"]
GRETL = read("unit_roots_gretl.csv")


def wide(data):
    return DATA[data].unstack().to_numpy()


def options_of(row):
    lags = int(row.lags) if row.lags.isdigit() else row.lags.lower()
    chosen = {"lags": lags, "max_lags": MAX_LAGS[row.data]} if isinstance(lags, str) else {
        "lags": lags
    }  # fmt: skip
    return {"trend": TRENDS[row.exo], **chosen}


@pytest.fixture
def series():
    """Four random walks of 15 years, in the middle of which nothing is missing."""
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product(
        [["北京", "上海", "广州", "a"], range(2000, 2015)], names=["city", "year"]
    )
    return pd.Series(rng.normal(size=(4, 15)).cumsum(axis=1).ravel(), index, name="产出")


# tables ----------------------------------------------------------------------------------------


def table_cells():
    """Ours, keyed as those of plm in unit_roots_tables.csv."""
    names = dict(zip(TRENDS.values(), TRENDS, strict=True))
    cells = {}
    for trend, moments in core.LLC_MOMENTS.items():
        for moment, line in zip(("mu", "sigma"), moments, strict=True):
            for periods, value in zip(core.LLC_PERIODS, line, strict=True):
                cells["llc", f"{periods}|{moment}|{names[trend]}"] = value
    for trend, moments in core.IPS_MOMENTS.items():
        for moment, table in zip(("mean", "var"), moments, strict=True):
            for lags, line in enumerate(table):
                for periods, value in zip(core.IPS_PERIODS, line, strict=True):
                    cells["ips", f"{lags}|{periods}|{moment}|{names[trend]}"] = value
    return pd.Series(cells).sort_index()


def test_published_tables_as_plm_has_them():
    theirs = read("unit_roots_tables.csv").set_index(["table", "key"])["value"]
    theirs = theirs.loc[["ips", "llc"]].sort_index()  # plm has the tables for no lags too
    ours = table_cells()
    assert len(ours) == len(theirs) == 78 + 360
    assert list(ours.index) == list(theirs.index)
    assert_allclose(ours, theirs, rtol=0, atol=1e-12)


# plm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["grunfeld", "cigar", "cut", "emplUK"])
@pytest.mark.parametrize("test", FISHER)
def test_fisher_as_plm(data, test):
    """Statistics of our t under the p-values that plm was asked for, those of MacKinnon (1994)."""
    rows = PLM[(PLM["test"] == test) & (PLM["data"] == data)]
    assert len(rows) >= 8
    for row in rows.itertuples():
        found = unit_root(DATA[data], test="fisher", statistic=row.name, **options_of(row))
        entities = found.entities if row.dfcor else published.over_rows(found)
        p = published.mackinnon_1994(entities["statistic"].to_numpy(), found.trend)
        if np.isinf(row.statistic):  # theirs, of a p-value of 1
            assert 1 - p.max() < 1e-15
            continue
        with np.errstate(divide="ignore"):  # l and z of a p-value of 1
            statistic, df, pvalue = core.combine(p)[row.name]
        assert_allclose(statistic, row.statistic, rtol=1e-8, err_msg=str(row))
        assert_allclose(pvalue, float(row.pvalue), rtol=1e-6, atol=1e-300)
        assert df == row.df == found.df
        ours = core.combine(found.entities["pvalue"].to_numpy())[row.name]
        assert (found.statistic, found.pvalue) == (ours[0], ours[2])


@pytest.mark.parametrize("trend", core.TRENDS)
def test_pvalues_as_mackinnon_1996(trend):
    """His quantiles are simulated, from 0.0001 on; urca's p-values differ by 1.6e-4 at most."""
    urca = read("unit_root_t.csv")
    ours = core.pvalues(urca["t"].to_numpy(), trend)
    assert_allclose(ours, urca[trend], rtol=0, atol=1.7e-4)
    small = urca[trend].between(5e-4, 0.01)
    assert small.sum() >= 6
    assert_allclose(ours[small], urca.loc[small, trend], rtol=0.03)
    assert (np.diff(ours) > 0).all()


# MacKinnon (2010, Queen's Economics Department Working Paper 1227), Table 2: quantiles at infinity
QUANTILES = {
    "none": [-2.56574, -1.94100, -1.61682],
    "constant": [-3.43035, -2.86154, -2.56677],
    "trend": [-3.95877, -3.41049, -3.12705],
}


@pytest.mark.parametrize("trend", core.TRENDS)
def test_published_quantiles(trend):
    """He gives standard errors of 0.4e-4 to 1.3e-4 for them."""
    ours = core.pvalues(np.array(QUANTILES[trend]), trend)
    assert_allclose(ours, [0.01, 0.05, 0.10], rtol=0, atol=3e-5)


def test_probability_of_a_negative_t_in_closed_form():
    """Without a constant N = (W(1)^2 - 1) / 2; with one N = (s d - 1) / 2, s and d independent."""
    at = np.zeros(1)
    assert_allclose(core.pvalues(at, "none"), stats.chi2(1).cdf(1), atol=1e-9)
    x, weight = np.polynomial.hermite_e.hermegauss(60)
    for trend, variance in (("constant", 1.0), ("trend", 0.2)):  # of d; that of s is 1/3
        below = 1 - stats.norm.cdf(1 / np.abs(x) / np.sqrt(variance / 3))
        expected = 1 - (weight / weight.sum()) @ below
        assert_allclose(core.pvalues(at, trend), expected, atol=2e-4)  # of the quadrature
    assert 0 < core.pvalues(np.array([-1e3]), "none")[0] < 1e-80
    assert core.pvalues(np.array([1e3]), "trend")[0] < 1


def test_table_of_the_law_is_what_its_script_computes():
    """Also halfway between its rows, where a spline is read."""
    import dickey_fuller

    for trend in core.TRENDS:
        for t in (-17.2, -5.975, -3.41, -1.025, -0.537, 0.0, 0.012, 1.975, 6.2):
            z = stats.norm.ppf(core.pvalues(np.array([t]), trend)[0])
            p = stats.norm.cdf(dickey_fuller.quantile(t, trend))
            assert_allclose(stats.norm.cdf(z), p, rtol=1e-4, atol=1e-8, err_msg=f"{trend} {t}")


@pytest.mark.slow
def test_shares_of_long_random_walks():
    """50,000 walks of 1,000 steps without drift."""
    rng = np.random.default_rng(11)
    walks = rng.normal(size=(50, 1000, 1000)).astype(np.float64)
    for trend in core.TRENDS:
        t = np.concatenate(
            [core.dickey_fuller(block.cumsum(axis=1), 0, trend).t() for block in walks]
        )
        p = core.pvalues(t, trend)
        for level in (0.01, 0.1, 0.5, 0.9, 0.99):
            error = np.sqrt(level * (1 - level) / len(p))
            assert abs((p < level).mean() - level) < 4 * error + 1e-3  # of 1/T


@pytest.mark.parametrize("exo", TRENDS)
def test_fisher_of_mackinnon_1996_as_plm(exo):
    """L of Grunfeld's value with a constant: 0.274; 0.162 by the polynomials of 1994."""
    value = read("unit_root_value.csv").set_index(["firm", "year"])["value"]
    rows = read("unit_root_fisher.csv")
    rows = rows[rows["exo"] == exo]
    assert len(rows) == 4
    found = unit_root(value, test="fisher", trend=TRENDS[exo], lags=1).statistics
    for row in rows.itertuples():
        ours = found.loc[FISHER[row.test]]
        # entities' p-values differ by up to 1.6e-4
        assert_allclose(ours["statistic"], row.statistic, rtol=4e-3, err_msg=str(row))
        assert_allclose(ours["pvalue"], row.pvalue, rtol=0, atol=1e-3, err_msg=str(row))


@pytest.mark.parametrize("data", ["grunfeld", "cigar", "cut", "emplUK"])
def test_lags_and_t_of_each_entity_as_plm(data):
    """plm's are summed with weights 1, 2, ..., so that an exchange of two is seen."""
    rows = PLM[(PLM["test"] == "adf") & (PLM["data"] == data)]
    for row in rows.itertuples():
        whole = unit_root(DATA[data], test="fisher", **options_of(row))
        found = whole.entities if row.dfcor else published.over_rows(whole)
        of = found["lags"] if row.name == "lags" else found["statistic"]
        weighted = (of * np.arange(1, len(of) + 1)).sum()
        assert_allclose(weighted, row.statistic, rtol=1e-8, err_msg=str(row))


@pytest.mark.parametrize("data", ["grunfeld", "cigar", "cut"])
def test_ips_as_plm(data):
    rows = PLM[(PLM["test"] == "ips") & (PLM["data"] == data)]
    assert len(rows) >= 2
    for row in rows.itertuples():
        if np.isnan(row.statistic):  # a blank of Table 3
            with pytest.raises(EstimationError, match="published moments of w-tbar begin"):
                unit_root(DATA[data], statistic=row.name, **options_of(row))
            continue
        found = unit_root(DATA[data], statistic=row.name, **options_of(row))
        z, p = found.statistic, found.pvalue
        if not row.dfcor:
            z, p = published.ips(found, published.over_rows(found))
        assert_allclose(z, row.statistic, rtol=1e-8, err_msg=str(row))
        assert_allclose(p, float(row.pvalue), rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize("data", ["grunfeld", "cigar"])
def test_llc_as_plm(data):
    """plm reads the adjustments at T, rounds the bandwidth, and detrends differences."""
    values = wide(data)
    for row in PLM[(PLM["test"] == "levinlin") & (PLM["data"] == data)].itertuples():
        trend = TRENDS[row.exo]
        if row.lags.isdigit():
            lags = np.full(len(values), int(row.lags))
        else:
            most, criterion = MAX_LAGS[data], row.lags.lower()
            lags = core.select_lags(values, most, trend, criterion)
        found = published.levin_lin_chu(
            values, lags, trend, bandwidth=round(3.21 * values.shape[1] ** (1 / 3)),
            centre=trend, table_periods=values.shape[1],
        )  # fmt: skip
        assert_allclose(found, row.statistic, rtol=1e-8, err_msg=str(row))


@pytest.mark.parametrize("data", ["grunfeld", "cigar"])
def test_hadri_as_plm(data):
    rows = PLM[(PLM["test"] == "hadri") & (PLM["data"] == data)]
    assert len(rows) == 8
    for row in rows.itertuples():
        trend = TRENDS[row.exo]
        found = unit_root(DATA[data], test="hadri", statistic=row.name, trend=trend)
        z, p = found.statistic, found.pvalue
        if not row.dfcor:
            z, p = published.hadri(found, wide(data).shape[1])
        assert_allclose(z, row.statistic, rtol=1e-9)
        assert_allclose(p, float(row.pvalue), rtol=1e-6, atol=1e-300)


# base R and gretl ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Levin-Lin-Chu:nqp_spatial.exceptions.DataWarning")
@pytest.mark.parametrize("data", ["grunfeld", "cigar"])
def test_llc_as_its_formulas_in_base_r(data):
    rows = BASE[BASE["data"] == data]
    assert len(rows) == 27
    for row in rows.itertuples():
        trend, lags, values = TRENDS[row.exo], int(row.lags), wide(data)
        found = published.levin_lin_chu(
            values, np.full(len(values), lags), trend, centre=row.name,
            bandwidth=int(3.21 * values.shape[1] ** (1 / 3)),
        )  # fmt: skip
        assert_allclose(found, row.statistic, rtol=1e-8, err_msg=str(row))
        if row.name == {"none": "none", "constant": "none", "trend": "constant"}[trend]:
            ours = unit_root(DATA[data], test="llc", trend=trend, lags=lags)
            assert_allclose(ours.statistic, row.statistic, rtol=1e-8)
            assert_allclose(ours.pvalue, float(row.pvalue), rtol=1e-6, atol=1e-300)


@pytest.mark.parametrize("data", ["grunfeld", "cigar"])
def test_llc_as_gretl(data):
    """gretl reads the table at a row: 25 for 20 periods, 30 for 30."""
    values = wide(data)
    rows = GRETL[(GRETL["test"] == "levinlin") & (GRETL["data"] == data)]
    assert len(rows) == 9
    for row in rows.itertuples():
        found = published.levin_lin_chu(
            values, np.full(len(values), int(row.lags)), row.trend,
            bandwidth=int(3.21 * values.shape[1] ** (1 / 3)), centre=row.trend,
            table_periods=values.shape[1],
        )  # fmt: skip
        assert_allclose(found, row.statistic, rtol=1e-9, err_msg=str(row))


@pytest.mark.parametrize("data", ["grunfeld", "cigar"])
def test_ips_as_gretl(data):
    """gretl prints six digits."""
    rows = GRETL[(GRETL["test"] == "w-tbar") & (GRETL["data"] == data)]
    assert len(rows) == 4
    for row in rows.itertuples():
        options = {"trend": row.trend, "lags": int(row.lags), "statistic": row.test}
        found = unit_root(DATA[data], **options)
        assert_allclose(found.statistic, row.statistic, rtol=1e-5)


# other programs and definitions ----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:adfuller currently returns:FutureWarning")
@pytest.mark.parametrize(("trend", "kind"), [("none", "n"), ("constant", "c"), ("trend", "ct")])
@pytest.mark.parametrize("lags", [0, 2])
def test_each_entity_as_statsmodels(trend, kind, lags):
    found = unit_root(DATA["grunfeld"], test="fisher", trend=trend, lags=lags).entities
    for firm, row in found.iterrows():
        y = DATA["grunfeld"][firm].to_numpy()
        t, p, _, nobs, *_ = adfuller(y, maxlag=lags, regression=kind, autolag=None)
        assert_allclose(row["statistic"], t, rtol=1e-8)
        assert_allclose(row["pvalue"], p, atol=0.008)  # by MacKinnon's polynomials of 1994
        assert row["nobs"] == nobs and row["lags"] == lags


def test_default_of_max_lags_and_of_the_bandwidth():
    """Schwert: 4 (20/100)^(1/4) = 2.67; Levin, Lin and Chu: 3.21 20^(1/3) = 8.71."""
    chosen = unit_root(DATA["grunfeld"], test="fisher", lags="aic")
    given_ = unit_root(DATA["grunfeld"], test="fisher", lags="aic", max_lags=2)
    assert chosen.statistic == given_.statistic and chosen.entities["lags"].max() == 2
    with pytest.warns(DataWarning, match="18 effective periods.*begin at 25"):
        found = unit_root(DATA["grunfeld"], test="llc")
    assert found.details["bandwidth"] == 8 and found.details["mean"] == -0.554


# properties ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(60)),
    scale=st.floats(1e-6, 1e6),
    shift=st.floats(-100, 100),
    trend=st.sampled_from(["constant", "trend"]),
    lags=st.sampled_from([0, 1, "aic"]),
    test=st.sampled_from(["ips", "fisher", "hadri"]),
)
def test_rows_units_and_levels_do_not_matter(order, scale, shift, trend, lags, test):
    rng = np.random.default_rng(8)
    index = pd.MultiIndex.from_product([range(3), range(20)])
    y = pd.Series(rng.normal(size=(3, 20)).cumsum(axis=1).ravel(), index, name="y")
    expected = unit_root(y, test=test, trend=trend, lags=lags).statistic
    level = np.repeat([0.0, 7.0, -3.0], 20)
    moved = (scale * (y + level + shift)).iloc[list(order)]
    found = unit_root(moved, test=test, trend=trend, lags=lags).statistic
    assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_a_common_factor_is_removed_by_demean(series):
    factor = np.random.default_rng(1).normal(size=15).cumsum()
    moved = series + np.tile(10 * factor, 4)
    for test in ("ips", "fisher", "hadri"):
        ours = unit_root(moved, test=test, demean=True).statistic
        assert_allclose(ours, unit_root(series, test=test, demean=True).statistic, rtol=1e-9)
    by_hand = series - series.groupby(level="year").transform("mean")
    assert_allclose(
        unit_root(series, demean=True).statistic, unit_root(by_hand).statistic, rtol=1e-12
    )


def test_an_entity_alone_keeps_its_t_when_others_have_other_periods(series):
    part = series.drop([("a", 2000), ("a", 2001), ("上海", 2014)])
    found = unit_root(part, test="fisher", lags=1).entities
    whole = unit_root(series, test="fisher", lags=1).entities
    assert_allclose(found.loc["北京"], whole.loc["北京"], rtol=1e-12)
    assert found["nobs"].to_dict() == {"a": 11, "上海": 12, "北京": 13, "广州": 13}


@pytest.mark.parametrize(
    "times",
    [
        range(1990, 2020, 2),
        np.arange(2000.0, 2015.0),
        pd.date_range("2000-12-31", periods=15, freq="YE"),
        pd.period_range("2000", periods=15, freq="Y"),
    ],
)
def test_periods_of_other_kinds(series, times):
    moved = series.copy()
    moved.index = moved.index.set_levels(times, level=1)
    assert unit_root(moved).statistic == unit_root(series).statistic
    with pytest.raises(UnbalancedPanelError, match="gaps in 1 entities"):
        unit_root(moved.drop(("a", times[5])))


# Monte Carlo -----------------------------------------------------------------------------------


def walks(n, periods, seed, replications, root=1.0):
    """Panels of AR(1) series with standard normal errors, from zero."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(n), range(periods)])
    for _ in range(replications):
        errors = rng.normal(size=(n, periods))
        y = errors.cumsum(axis=1) if root == 1 else np.empty_like(errors)
        if root != 1:
            y[:, 0] = errors[:, 0]
            for t in range(1, periods):
                y[:, t] = root * y[:, t - 1] + errors[:, t]
        yield pd.Series(y.ravel(), index, name="y")


SIZES = [
    ("ips", "constant", 1, {}), ("ips", "trend", 1, {}), ("ips", "trend", 0, {}),
    ("fisher", "constant", 0, {}),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("periods", [20, 50])
@pytest.mark.parametrize(("test", "trend", "lags", "more"), SIZES)
def test_size_and_power(periods, test, trend, lags, more):
    """50 entities, 1,000 panels of random walks: a Monte-Carlo error of 0.007 at 5 %."""
    options = {"test": test, "trend": trend, "lags": lags, **more}
    rejected = np.mean([unit_root(y, **options).pvalue < 0.05 for y in walks(50, periods, 3, 1000)])
    assert 0.03 < rejected < 0.07
    stationary = walks(50, periods, 4, 50, root=0.5 if periods == 20 else 0.7)
    assert np.mean([unit_root(y, **options).pvalue < 0.05 for y in stationary]) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("trend", "lags"), [("none", 0), ("constant", 0), ("constant", 1),
                                             ("trend", 0)])  # fmt: skip
def test_llc_has_its_size_in_long_panels(trend, lags):
    """50 entities, 51 periods; differences centred as published reject far more random walks."""
    options = {"test": "llc", "trend": trend, "lags": lags}
    found = [unit_root(y, **options).pvalue < 0.05 for y in walks(50, 51, 5, 1000)]
    assert 0.03 < np.mean(found) < 0.08
    if trend == "constant" and lags == 0:
        lags_, panels = np.zeros(50, dtype=int), walks(50, 51, 5, 300)
        centred = [
            published.levin_lin_chu(
                y.to_numpy().reshape(50, 51), lags_, "constant", bandwidth=11, centre="constant"
            )
            for y in panels
        ]
        assert np.mean(stats.norm.cdf(centred) < 0.05) > 0.25
    stationary = walks(50, 51, 6, 50, root=0.7)
    assert np.mean([unit_root(y, **options).pvalue < 0.05 for y in stationary]) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("trend", ["constant", "trend"])
@pytest.mark.parametrize("statistic", ["own-variance", "common-variance"])
def test_hadri_keeps_its_size_and_finds_unit_roots(trend, statistic):
    """50 entities, 50 periods of independent errors, 1,000 panels."""
    options = {"test": "hadri", "trend": trend, "statistic": statistic}
    noise = walks(50, 50, 7, 1000, root=0.0)
    assert 0.03 < np.mean([unit_root(y, **options).pvalue < 0.05 for y in noise]) < 0.08
    assert all(unit_root(y, **options).pvalue < 0.001 for y in walks(50, 50, 8, 20))


# tables of several tests -----------------------------------------------------------------------


def test_table_has_a_row_for_each_variable_and_test(series):
    frame = pd.DataFrame({"产出": series, "y": 2 * series + 1})
    found = unit_root_table(frame, tests=("ips", "fisher", "hadri"), differences=(0, 1), lags=0)
    assert found.index.names == ["variable", "test"]
    assert list(found.index.unique(0)) == ["产出", "D.产出", "y", "D.y"] and len(found) == 12
    one = unit_root(series, test="fisher", lags=0)
    row = found.loc["产出", "fisher"]
    assert (row["statistic"], row["pvalue"]) == (one.statistic, one.pvalue)
    assert (row["n_entities"], row["nobs"], row["null"]) == (4, 56, "all series have a unit root")
    changes = series.groupby(level="city").diff().dropna()
    assert_allclose(found.loc[("D.y", "ips"), "statistic"], unit_root(changes, lags=0).statistic)


def test_result_says_what_was_tested(series):
    found = unit_root(series)
    assert isinstance(found, UnitRootResult) and isinstance(found, TestResult)
    assert (found.variable, found.test, found.trend) == ("产出", "ips", "constant")
    assert "Im-Pesaran-Shin w-tbar" in str(found) and "unit root" in found.null
    assert found.alternative == "some series are stationary" and found.df == 0
    assert "stationary" in unit_root(series, test="hadri").null
    before = series.copy()
    unit_root(series, demean=True)
    pd.testing.assert_series_equal(series, before)


# bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.drop(("a", 2005)), UnbalancedPanelError, r"gaps.*\('a', 2006\)"),
        (lambda s: s.drop(2005, level=1), UnbalancedPanelError, r"gaps in 4 entities"),
        (lambda s: s.mask(s == s.iloc[9]), MissingValuesError, r"is empty.*\('北京', 2009\)"),
        (lambda s: s.replace(s.iloc[9], np.inf), InfiniteValuesError, r"\('北京', 2009\)"),
        (lambda s: pd.concat([s, s.iloc[:1]]), DuplicateKeysError, r"\('北京', 2000\)"),
        (lambda s: s.astype(str) + "x", NotNumericError, "'产出' holds text"),
        (lambda s: s.where(s.index.get_level_values(0) != "广州", 0.3), ConstantColumnError,
         r"does not vary over time in 1 entities: '广州'.*y.drop\('广州', level=0\)"),
        (lambda s: s.loc[["a"]], EstimationError, "'产出' has one entity"),
        (lambda s: s.droplevel(0), DataError, "not indexed by"),
        (lambda s: s.to_frame(), DataError, "unit_root_table"),
        (lambda s: s.to_numpy(), DataError, "y is a ndarray"),
    ],
)  # fmt: skip
def test_series_that_cannot_be_tested(series, change, error, message):
    with pytest.raises(error, match=message):
        unit_root(change(series))


def test_too_short_for_the_lags_names_the_entities(series):
    part = series.drop([("a", year) for year in range(2000, 2009)])
    with pytest.raises(EstimationError, match="too short in 1 entities, 'a': 6 periods.*need 8"):
        unit_root(part, test="fisher", lags=2)
    with pytest.raises(EstimationError, match=r"too short in 1 entities, 'a'"):
        unit_root(part, test="fisher", lags="aic", max_lags=2)
    with pytest.raises(
        EstimationError, match=r"begin at 10 .*'a'; the first has 4 rows and 1 lags"
    ):
        unit_root(part, lags=1)


def test_more_than_eight_lags_have_no_published_moments():
    index = pd.MultiIndex.from_product([["a", "b"], range(60)])
    y = pd.Series(np.random.default_rng(2).normal(size=120), index, name="y")
    with pytest.raises(EstimationError, match="end at 8 lags: 2 entities"):
        unit_root(y, lags=9)


@pytest.mark.parametrize("test", ["llc", "hadri"])
def test_unbalanced_panels_are_refused_where_the_test_needs_balance(series, test):
    message = "needs every entity in all 15 periods from 2000 to 2014; 1 entities have fewer: 'a'"
    with pytest.raises(UnbalancedPanelError, match=message):
        unit_root(series.drop(("a", 2000)), test=test)


def test_series_without_error_are_named(series):
    line = pd.Series(np.arange(15.0), series["a"].index)
    straight = series.copy()
    straight["a"] = line.to_numpy()
    with pytest.raises(EstimationError, match="trend='trend', exactly in 1 entities, 'a'"):
        unit_root(straight, trend="trend", lags=0)
    with pytest.raises(EstimationError, match="interpolated"):
        unit_root(straight, lags="sic")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": "lcc"}, "Did you mean 'llc'"),
        ({"trend": "constnt"}, "Did you mean 'constant'"),
        ({"lags": "bic"}, "lags='bic' is not known.*'sic'"),
        ({"lags": -1}, "lags=-1 is not a whole number"),
        ({"lags": 1.5}, "lags=1.5 is not a whole number"),
        ({"lags": 1, "max_lags": 3}, "max_lags belongs to"),
        ({"trend": "none"}, "'ips' has no version without a constant"),
        ({"test": "hadri", "trend": "none"}, "'hadri' has no version"),
        ({"bandwidth": 3}, "belongs to test='llc'"),
        ({"lags": "hall"}, "lags='hall' is not known"),
        ({"statistic": "p"}, "statistic='p' is not known.*'w-tbar'"),
    ],
)
def test_options_that_do_not_fit(series, options, message):
    with pytest.raises(OptionError, match=message):
        unit_root(series, **options)


def test_tables_refuse_what_belongs_to_one_test(series):
    frame = series.to_frame()
    with pytest.raises(OptionError, match="'statistic' belongs to one test"):
        unit_root_table(frame, statistic="z")
    with pytest.raises(OptionError, match="tests='adf' is not known"):
        unit_root_table(frame, tests=("adf",))
    with pytest.raises(OptionError, match="differences=2 is not known"):
        unit_root_table(frame, differences=(2,))
    with pytest.raises(DataError, match="frame is a Series"):
        unit_root_table(series)
