"""The treatment from first treated periods, and these from it."""

import doctest

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.did import cohorts, first_treated, first_years, treatment
from nqp_spatial.exceptions import DataError, OptionError, TreatmentError

INDEX = pd.MultiIndex.from_product([list("abc"), range(2010, 2014)], names=["city", "year"])


@pytest.fixture
def cohort():
    return pd.Series(np.repeat([2011, np.nan, 2020], 4), INDEX, name="start")


def test_examples_of_the_docstrings():
    assert not doctest.testmod(cohorts, extraglobs={"nqp": nqp}).failed


def test_treatment_is_one_from_the_first_treated_period_on(cohort):
    did = treatment(cohort, name="pilot")
    assert did.name == "pilot" and did.tolist() == [0, 1, 1, 1] + [0] * 8
    starts = first_treated(did)
    assert starts.index.tolist() == list("abc") and starts.dtype == "Int64"
    assert starts["a"] == 2011 and starts[["b", "c"]].isna().all()
    shuffled = cohort.sample(frac=1, random_state=0)
    assert treatment(shuffled).reindex(INDEX).tolist() == did.tolist()


def test_it_is_the_simulated_one():
    panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
    did = treatment(panel["first_treated"], given=panel["did"])
    assert (did == panel["did"]).all()
    expected = panel.by_entity("first_treated").dropna()
    assert (first_treated(panel["did"]).dropna() == expected[expected <= 2022]).all()


def test_what_disagrees_is_named(cohort):
    given = treatment(cohort)
    given.loc["a", 2013] = 0
    with pytest.raises(TreatmentError, match=r"'did' and 'start' disagree in 1 rows, .*'a', 2013"):
        treatment(cohort, given=given)
    cohort.loc["c", 2013] = 2013
    with pytest.raises(TreatmentError, match="'start' has several values in 1 entities, first 'c'"):
        treatment(cohort)
    text = pd.Series("late", INDEX, name="start")
    with pytest.raises(
        TreatmentError, match="not of the kind of the periods, such as 2010: 'late'"
    ):
        treatment(text)
    with pytest.raises(DataError, match="not indexed by"):
        treatment(cohort.reset_index(drop=True))
    with pytest.raises(DataError, match="did is a DataFrame"):
        first_treated(given.to_frame())


SPELLINGS = {
    "text": ["2013-07-31", "2013-08-01", "2014-12-1", None],
    "months": ["2013-07", "2013-8", "2014-12", None],
    "slashes": ["2013/7/31", "2013/08/01 09:30", "2014/12/31", None],
    "Chinese": ["2013年7月", "2013年8月1日", "2014 年 12 月 5 日", None],
    "points": ["2013.7", "2013.08.01", "2014.12", None],
    "dates": pd.to_datetime(["2013-07-31", "2013-08-01", "2014-12-01", None]),
    "periods": pd.PeriodIndex(["2013-07", "2013-08", "2014-12", None], freq="M"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_is_approved_after_july_counts_from_the_next_year(spelling):
    dates = pd.Series(SPELLINGS[spelling], list("abcd"), name="approved")
    found = first_years(dates)
    assert found.dtype == "Int64" and found.name == "approved"
    assert found.iloc[:3].tolist() == [2013, 2014, 2015] and found.isna().tolist()[-1]
    assert first_years(dates, last_month=8).iloc[:3].tolist() == [2013, 2013, 2015]
    assert first_years(dates, last_month=12).iloc[:3].tolist() == [2013, 2013, 2014]
    (note,) = found.attrs["notes"]
    assert "after month 7" in note and "2 of 3 treated" in note and "7月以后" in note.zh


def test_the_rule_of_study_e_on_dates_of_the_pilots():
    """The years that the simulated panel has: pilots of 2014 and 2017 begin a year later."""
    months = {2013: "2013-07-15", 2014: "2014-10-08", 2017: "2017-12-05", 2023: "2023-01-09"}
    pilots = nqp.load_pilots().set_index("adcode")["first_year"]
    years = first_years(pilots.map(months))
    panel = nqp.PanelData.from_frame(nqp.load_simulated_clusters())
    there = panel.by_entity("first_treated").dropna()
    there = there[there <= 2022]
    assert years[there.index].tolist() == there.astype(int).tolist()


def test_treatment_takes_dates_with_the_rule():
    dates = pd.Series(np.repeat(["2011-03-01", None, "2011-11-01"], 4), INDEX, name="approved")
    did = treatment(dates, last_month=7)
    assert did.tolist() == [0, 1, 1, 1] + [0] * 4 + [0, 0, 1, 1]
    assert "1 of 2 treated" in did.attrs["notes"][0]
    assert treatment(dates, last_month=11).tolist()[8:] == [0, 1, 1, 1]
    by_hand = treatment(pd.Series(np.repeat([2011, np.nan, 2012], 4), INDEX, name="start"))
    assert did.tolist() == by_hand.tolist()
    with pytest.raises(TreatmentError, match="disagree in 1 rows"):
        treatment(dates, last_month=11, given=did)
    quarters = dates.set_axis(INDEX.set_levels(["2010Q1", "2010Q2", "2010Q3", "2010Q4"], level=1))
    with pytest.raises(TreatmentError, match="about years, and periods are such as '2010Q1'"):
        treatment(quarters, last_month=7)


def test_dates_without_a_month_are_told():
    for value in (2013, 2013.5, "2013", "2013-13-01", "autumn 2013", pd.Period("2013", "Y")):
        dates = pd.Series([value, None], ["a", "b"], name="approved", dtype=object)
        with pytest.raises(TreatmentError, match="'approved' has 1 cells that are no date with"):
            first_years(dates)
    for month in (0, 13, 7.5):
        with pytest.raises(OptionError, match="last_month"):
            first_years(pd.Series(["2013-09"], ["a"]), last_month=month)
    assert first_years(pd.Series([None, None], ["a", "b"], dtype=object)).isna().all()
