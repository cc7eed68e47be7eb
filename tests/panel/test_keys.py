"""Rows of a panel: in the order of the panel, as they came, and cut to others."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from nqp_spatial.exceptions import DataError, DuplicateKeysError, IdMismatchError
from nqp_spatial.panel.keys import Keys, cut, spread
from nqp_spatial.panel.sample import Sample, column_beside, panel_columns


@pytest.fixture
def frame():
    index = pd.MultiIndex.from_tuples(
        [("b", 2), ("a", 1), ("b", 1), ("c", 1)], names=["city", "year"]
    )
    return pd.DataFrame({"x": [4, 1, 3, 5], "z": [1.0, 2.0, 2.0, 2.0]}, index=index)


def test_rows_go_back_as_they_came(frame):
    keys = Keys.of(frame.index, "the data")
    there = keys.take(frame, "the data")
    assert list(there["x"]) == [1, 3, 4, 5]
    assert_frame_equal(keys.as_given(there), frame)
    ordered = there.copy()
    assert_frame_equal(Keys.of(ordered.index, "the data").as_given(ordered), ordered)


def test_absent_pairs_are_those_of_a_balanced_panel(frame):
    absent = Keys.of(frame.index, "the data").absent
    assert list(absent) == [("a", 2), ("c", 2)] and list(absent.names) == ["city", "year"]


def test_columns_are_numbers_on_the_rows_as_they_came(frame):
    found = panel_columns(frame, ["x"])
    assert_frame_equal(found, frame[["x"]].astype(float))
    sample = Sample.of_columns(frame, role="prices")
    assert_array_equal(sample.array("prices")[:, 0], [1, 3, 4, 5])
    assert_series_equal(
        column_beside(frame, frame["z"].iloc[::-1], "values", "weights"), frame["z"]
    )
    with pytest.raises(DataError, match="given twice"):
        panel_columns(frame, ["x", "x"])
    with pytest.raises(DataError, match="prices has no columns"):
        panel_columns(frame[[]], role="prices")
    with pytest.raises(DataError, match=r"1 are in one only, first \('c', 1\)"):
        column_beside(frame, frame["z"].iloc[:3], "values", "weights")


def test_rows_are_cut_or_spread(frame):
    some = frame.index[[2, 0]]
    assert_frame_equal(cut(frame, some, "clusters"), frame.loc[some])
    more = some.append(pd.MultiIndex.from_tuples([("d", 1)]))
    with pytest.raises(IdMismatchError, match=r"clusters do not have the same.*\('d', 1\)"):
        cut(frame, more, "clusters")
    with pytest.raises(DuplicateKeysError, match="more than once in clusters"):
        cut(pd.concat([frame, frame.iloc[:1]]), some, "clusters")
    assert np.isnan(spread(frame["z"], more).iloc[-1])
