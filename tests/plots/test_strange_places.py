"""Periods for which matplotlib has no axis are drawn as numbers, in their order."""

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp

YEARS = np.arange(2001, 2005)
PLACES = {
    "durations": (pd.to_timedelta(YEARS, unit="D"), YEARS),
    "intervals": (pd.IntervalIndex.from_arrays(YEARS - 0.5, YEARS + 0.5), YEARS - 0.5),
    "numbers": (pd.Index(YEARS), YEARS),
}


@pytest.mark.parametrize("kind", PLACES)
def test_lines_and_moran(kind):
    places, expected = PLACES[kind]
    frame = pd.DataFrame(
        {"I": [0.1, 0.2, 0.3, 0.4], "expected": -0.02, "pvalue": 0.01}, places.rename("period")
    )
    ax = nqp.plots.moran_by_period(frame)
    np.testing.assert_allclose(ax.lines[-1].get_xdata(), expected)
    frame = frame.rename(columns={"I": "estimate"})
    ax = nqp.plots.lines(frame, band=())
    assert any(np.array_equal(line.get_xdata(), expected) for line in ax.lines)
