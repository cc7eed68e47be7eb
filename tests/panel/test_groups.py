"""What was computed of groups or periods, put on the rows that it is about."""

import numpy as np
import pandas as pd
from numpy.testing import assert_array_equal

from nqp_spatial.panel.groups import on_rows


def rows() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["a", "b", "c"], [2010, 2011]], names=["city", "year"])
    return pd.DataFrame({"group": ["x", "x", "y", "y", None, None]}, index)


def test_values_of_groups_and_periods():
    index = pd.MultiIndex.from_product([["x", "y"], [2010, 2011]])
    found = on_rows(rows(), pd.Series([1.0, 2.0, 3.0, 4.0], index), "group")
    assert found.index.equals(rows().index)
    assert_array_equal(found.iloc[:, 0], [1, 2, 3, 4, np.nan, np.nan])


def test_values_of_groups_for_all_periods_and_of_periods_alone():
    by_group = on_rows(rows(), pd.DataFrame({"v": {"x": 1.0, "y": 2.0}}), "group")
    assert_array_equal(by_group["v"], [1, 1, 2, 2, np.nan, np.nan])
    by_time = on_rows(rows(), pd.DataFrame({"v": {2010: 5.0, 2011: 6.0}}))
    assert_array_equal(by_time["v"], [5, 6] * 3)
