"""The treatment from first treated periods, and these from it."""

import doctest

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.did import cohorts, first_treated, treatment
from nqp_spatial.exceptions import DataError, TreatmentError

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
