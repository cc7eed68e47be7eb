"""Numbers typed as text: what each cell is, what cannot be one, and what a message proposes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nqp_spatial as nqp
from nqp_spatial.exceptions import NotNumericError
from nqp_spatial.shared.numerals import looks_like, numbers_in

CELLS = {
    "1,234.5": 1234.5, "12,345,678": 12345678.0, "1 234": 1234.0, "-1,000": -1000.0, "15%": 0.15,
    "15.5 %": 0.155, "１２３": 123.0, "１，２３４．５": 1234.5, "（3）": -3.0, "(3.5)": -3.5,
    "\u22122": -2.0, "+4": 4.0, "1e3": 1000.0, ".5": 0.5, "5.": 5.0, "是": 1.0, "否": 0.0,
    "Yes": 1.0, "no": 0.0, "100％": 1.0, " 7 ": 7.0,
}  # fmt: skip
EMPTY = ["", "-", "--", "—", "——", "…", "...", "n/a", "NA", "null", " "]
TEXT = ["abc", "1,23", "12,34,567", "1.2.3", "1,234,5", "3 years", "1-2", "%", "()", "１２a"]


@pytest.mark.parametrize("cell", list(CELLS))
def test_what_a_cell_is(cell):
    assert numbers_in(pd.Series([cell]), "x").values.iloc[0] == pytest.approx(CELLS[cell], abs=0)


@pytest.mark.parametrize("cell", EMPTY)
def test_marks_of_nothing(cell):
    found = numbers_in(pd.Series([cell, "1"]), "x")
    assert np.isnan(found.values.iloc[0]) and found.kinds == {"marks of empty cells": 1}


@pytest.mark.parametrize("cell", TEXT)
def test_text_is_refused_with_its_place(cell):
    with pytest.raises(NotNumericError, match=r"'gdp' has 1 cell\(s\) that are no number: .* at 3"):
        numbers_in(pd.Series(["1", cell], index=[2, 3]), "gdp")
    assert looks_like(pd.Series(["1", cell])) in ("", "commas")


@pytest.mark.parametrize(("cell", "value"), [("1,5", 1.5), ("1.234,5", 1234.5), ("2", 2.0)])
def test_decimal_commas(cell, value):
    assert numbers_in(pd.Series([cell]), "x", decimal=",").values.iloc[0] == value


@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: round(v, 3)))
def test_what_is_printed_with_separators_is_read_back(value):
    for text in (f"{value:,}", f"{value:,}".replace(",", " "), repr(value)):
        assert numbers_in(pd.Series([text]), "x").values.iloc[0] == value
    swapped = f"{value:,}".replace(",", "_").replace(".", ",").replace("_", ".")
    assert numbers_in(pd.Series([swapped]), "x", decimal=",").values.iloc[0] == value


def test_cells_that_are_numbers_stay():
    found = numbers_in(pd.Series([1, 2.5, "3", None], dtype=object), "x").values
    np.testing.assert_array_equal(found, [1, 2.5, 3, np.nan])


@pytest.mark.parametrize(
    ("cells", "like"),
    [
        (["1,234", "2,000"], "thousands separators"),
        (["15%", "7 %"], "per cent signs"),
        (["１２", "３"], "full-width characters"),
        (["是", "否"], "yes and no"),
        (["1", "--"], "marks of empty cells"),
        (["1,5", "2,25"], "commas"),
        (["a", "b"], ""),
    ],
)
def test_the_advice_of_a_text_column_works(cells, like):
    """The message of a model says what the cells look like, and its advice makes them numbers."""
    index = pd.MultiIndex.from_product([["A", "B"], [2010]], names=["city", "year"])
    panel = nqp.PanelData.from_frame(pd.DataFrame({"gdp": cells}, index))
    with pytest.raises(NotNumericError) as error:
        panel.check(["gdp"])
    if like:
        assert f"look like numbers with {like}: read the file with numbers=['gdp']" in str(
            error.value
        )
        frame = panel.frame.copy()
        if like != "commas":  # which need decimal=","
            advice = str(error.value).rpartition("or type ")[2].rstrip(".")
            exec(advice, {"nqp": nqp, "frame": frame})
            assert pd.api.types.is_float_dtype(frame["gdp"])
    else:
        assert ".map({" in str(error.value)


def test_the_transformation_reports_what_became_empty():
    values, report = nqp.transform.numbers(pd.Series(["1,000", "--", None, "2"], name="gdp"))
    np.testing.assert_array_equal(values, [1000, np.nan, np.nan, 2])
    assert report.cells["row"].tolist() == [1]
    assert report.columns.loc["gdp", "missing_before"] == 1
