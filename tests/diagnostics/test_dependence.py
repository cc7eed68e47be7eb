"""Pesaran's CD and its kin against plm's pcdtest and against sums written out."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from nqp_spatial.diagnostics import pesaran_cd
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    MissingValuesError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.results import TestResult
from tests import panels

PLM = {"cd": "cd", "lm": "lm", "scaled-lm": "sclm", "bias-corrected-lm": "bcsclm"}


@pytest.fixture(scope="module")
def residuals():
    table = panels.read("dependence_residuals.csv")
    return {k: part.set_index(["firm", "year"])["resid"] for k, part in table.groupby("kind")}


@pytest.fixture(scope="module")
def plm():
    return panels.read("dependence.csv", "kind", "test")


@pytest.fixture
def series():
    rng = np.random.default_rng(3)
    index = pd.MultiIndex.from_product([["北京", "上海", "广州", "a"], range(2000, 2008)])
    return pd.Series(rng.normal(size=32), index, name="残差").sort_index()


def warned_of_period_effects():
    return pytest.warns(DataWarning, match="sum to zero in every period")


# plm -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["own", "entity", "twoway", "gaps"])
@pytest.mark.parametrize("test", PLM)
def test_grunfeld_as_plm(residuals, plm, kind, test):
    """Balanced, and with 11 to 19 years in common ("gaps")."""
    with warned_of_period_effects() if (kind, test) == ("twoway", "cd") else nullcontext():
        found = pesaran_cd(residuals[kind], test=test)
    expected = plm.loc[kind, PLM[test]]
    assert_allclose(found.statistic, expected["statistic"], rtol=1e-9)
    assert_allclose(found.pvalue, expected["pvalue"], rtol=1e-7)
    assert found.df == expected["df"]
    assert_allclose(found.mean_correlation, plm.loc[(kind, "rho"), "statistic"], rtol=1e-9)
    absolute = plm.loc[(kind, "absrho"), "statistic"]
    assert_allclose(found.mean_absolute_correlation, absolute, rtol=1e-9)
    assert found.n_pairs == 45 and isinstance(found, TestResult)


def test_reference_values_kept_beside_the_checkout_agree(shared, residuals):
    known = json.loads((shared / "reference" / "panel_reference.json").read_text())
    known = known["6_panel_fe_re_tests"]["plm"]
    for test, name in PLM.items():
        expected = known[f"Grunfeld_pcd_{name}"]
        found = pesaran_cd(residuals["entity"], test=test)
        assert_allclose(found.statistic, expected["stat"], rtol=1e-9)
        assert_allclose(found.pvalue, expected["p"], rtol=1e-7)
    with warned_of_period_effects():
        twoway = pesaran_cd(residuals["twoway"])
    assert_allclose(twoway.statistic, known["Grunfeld_pcd_cd_tw"]["stat"], rtol=1e-8)
    absolute = pesaran_cd(residuals["entity"]).mean_absolute_correlation
    assert_allclose(absolute, known["Grunfeld_pcd_absrho"]["stat"], rtol=1e-9)


# definitions -----------------------------------------------------------------------------------


def test_pairs_by_their_definition(series):
    """Unbalanced: correlations by numpy over the periods that both entities have."""
    part = series.drop([("北京", 2000), ("上海", 2000), ("上海", 2003), ("a", 2007)])
    wide = part.unstack(0)
    r, common = [], []
    for i in range(4):
        for j in range(i):
            both = wide.iloc[:, [i, j]].dropna()
            r.append(np.corrcoef(both.to_numpy().T)[0, 1])
            common.append(len(both))
    assert sorted(common) == [5, 6, 6, 6, 7, 7]
    r, common = np.array(r), np.array(common)
    found = pesaran_cd(part)
    assert_allclose(found.statistic, np.sqrt(1 / 6) * (np.sqrt(common) * r).sum(), rtol=1e-10)
    assert_allclose(found.pvalue, 2 * stats.norm.sf(abs(found.statistic)), rtol=1e-12)
    lm = pesaran_cd(part, test="lm")
    assert_allclose(lm.statistic, (common * r**2).sum(), rtol=1e-10)
    assert_allclose(lm.pvalue, stats.chi2(6).sf(lm.statistic), rtol=1e-12)
    assert_allclose(found.mean_correlation, r.mean(), rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(32)),
    scale=st.floats(1e-8, 1e8),
    shift=st.floats(-100, 100),
    names=st.permutations(range(4)),
    test=st.sampled_from(list(PLM)),
)
def test_rows_names_units_and_means_do_not_matter(order, scale, shift, names, test):
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product([range(4), range(8)])
    series = pd.Series(rng.normal(size=32), index, name="e")
    expected = pesaran_cd(series, test=test)
    level = rng.normal(size=4).repeat(8)  # a mean for each entity
    moved = (scale * (series + level + shift)).iloc[list(order)]
    moved = moved.rename(index=dict(enumerate(names)), level=0)
    found = pesaran_cd(moved, test=test)
    assert_allclose(
        [found.statistic, found.mean_absolute_correlation],
        [expected.statistic, expected.mean_absolute_correlation],
        rtol=1e-7,
        atol=1e-9,
    )


@pytest.mark.slow
def test_a_common_factor_is_found_and_independence_is_not_rejected_too_often():
    """1,000 panels of 15 entities and 20 periods: a Monte-Carlo error of 0.007 at 5 %."""
    rng = np.random.default_rng(11)
    index = pd.MultiIndex.from_product([range(15), range(20)])

    def rejects(values, test):
        return pesaran_cd(pd.Series(values.ravel(), index), test=test).pvalue < 0.05

    independent = [rng.normal(size=(15, 20)) for _ in range(1000)]
    assert 0.03 < np.mean([rejects(e, "cd") for e in independent]) < 0.07
    factor = rng.normal(size=20)
    loaded = [e + 0.5 * factor for e in independent[:100]]
    assert np.mean([rejects(e, "cd") for e in loaded]) > 0.9


# bad input -------------------------------------------------------------------------------------


def test_pairs_with_too_few_common_periods_are_left_out_and_named(series):
    """Entity a has two periods; the others are as they were."""
    gone = [("a", year) for year in range(2002, 2008)]
    with pytest.warns(DataWarning, match="3 pairs of entities have fewer than 3 .*'a'.*left out"):
        found = pesaran_cd(series.drop(gone))
    assert found.n_pairs == 3
    assert_allclose(found.statistic, pesaran_cd(series.drop("a")).statistic, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.mask(s == s.iloc[9]), MissingValuesError,
         r"'残差' is empty .*\('上海', 2001\)"),
        (lambda s: pd.concat([s, s.iloc[:1]]), DuplicateKeysError, r"\('a', 2000\)"),
        (lambda s: s.loc[["a"]], EstimationError, "'残差' has one entity"),
        (lambda s: s[s.index.get_level_values(1) < 2002], UnbalancedPanelError,
         "All 6 pairs of entities have fewer than 3 periods"),
        (lambda s: s.where(s.index.get_level_values(0) != "广州", 0.3), ConstantColumnError,
         "residuals of '广州' do not vary"),
        (lambda s: s.droplevel(0), DataError, "not indexed by"),
        (lambda s: s.to_frame(), DataError, "resids is a DataFrame"),
        (lambda s: s.to_numpy(), DataError, "resids is a ndarray"),
    ],
)  # fmt: skip
def test_residuals_without_correlations(series, change, error, message):
    with pytest.raises(error, match=message):
        pesaran_cd(change(series))


def test_unknown_test(series):
    with pytest.raises(OptionError, match="Did you mean 'scaled-lm'"):
        pesaran_cd(series, test="scaled_lm")
