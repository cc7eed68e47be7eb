"""Cohorts and event time of a treatment, where rows are out of order and absent."""

import numpy as np
import pandas as pd
import pytest

from nqp_spatial.did.sample import NEVER, Adoption
from nqp_spatial.exceptions import DataWarning, TreatmentError
from nqp_spatial.panel.sample import Sample

FIRST = {"a": 2012, "b": 2014, "c": None, "d": 2012}
YEARS = range(2010, 2016)


def _column(absent=(), **switch):
    rows = [(e, t) for t in YEARS for e in FIRST if (e, t) not in absent]
    index = pd.MultiIndex.from_tuples(rows, names=["city", "year"])
    on = [int(FIRST[e] is not None and t >= FIRST[e]) for e, t in rows]
    column = pd.Series(on, index, name="did")
    for (entity, year), value in switch.get("values", {}).items():
        column[entity, year] = value
    return column


def _adoption(column):
    return Adoption.of(Sample.of(treatment=column))


def test_cohorts_are_the_first_treated_periods_whatever_the_order_of_rows():
    found = _adoption(_column().sample(frac=1, random_state=0))
    assert found.cohort.tolist() == [2, 4, NEVER, 2]
    assert found.cohorts.to_dict() == {2012: 2, 2014: 1}
    assert found.entities.tolist() == ["a", "b", "d"]
    assert not found.always.any()


def test_who_has_no_row_just_before_the_policy_may_have_been_treated_earlier():
    found = _adoption(_column(absent=[("a", 2011), ("b", 2011), ("d", 2014)]))
    assert found.keys.entities[found.unsure].tolist() == ["a"]
    assert not _adoption(_column()).unsure.any()
    with pytest.warns(DataWarning, match="treated in every period"):
        late = _adoption(_column(absent=[("b", year) for year in range(2010, 2014)]))
    assert late.keys.entities[late.unsure].tolist() == ["b"]


def test_event_time_counts_periods_by_the_clock_and_knows_absent_ones():
    column = _column(absent=[(e, 2013) for e in FIRST] + [("b", 2010)])
    found = _adoption(column)
    times = pd.Series(found.event_time, found.keys.index)
    assert times["a"].to_dict() == {2010: -2, 2011: -1, 2012: 0, 2014: 2, 2015: 3}
    assert times["b"].to_dict() == {2011: -3, 2012: -2, 2014: 0, 2015: 1}
    assert np.isnan(times["c"]).all()


def test_entities_without_a_time_before_the_policy_are_told():
    always = {("a", t): 1 for t in YEARS}
    with pytest.warns(DataWarning, match="1 entities are treated in every period, first 'a'"):
        found = _adoption(_column(values=always))
    assert found.always.tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({("a", 2013): 0.5}, r"not 0 or 1 in 1 rows, first 0.5 at \('a', 2013\)"),
        ({("a", 2014): 0}, r"switches off in 1 entities, first at \('a', 2014\)"),
        ({(e, t): 1 for e in FIRST for t in YEARS}, "always on"),
        ({(e, t): 0 for e in FIRST for t in YEARS}, "never on"),
    ],
)
def test_what_is_no_policy_that_stays_is_an_error(values, message):
    column = _column().astype(float)
    for key, value in values.items():
        column[key] = value
    with pytest.raises(TreatmentError, match=message):
        Adoption.of(Sample.of(treatment=column, may_be_constant=["treatment"]))


def test_a_first_treated_row_after_a_gap_is_unsure():
    """The policy of b may have begun in the period that b lacks."""
    index = pd.MultiIndex.from_tuples(
        [(c, t) for c in "abc" for t in range(5) if (c, t) not in (("b", 2), ("c", 1))]
    )
    on = pd.Series([float(c != "c" and t >= 3) for c, t in index], index, name="did")
    adoption = Adoption.of(Sample.of(treatment=on))
    assert adoption.unsure.tolist() == [False, True, False]
