"""Formulas and conditions in columns: what they may say, and what they give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, NotNumericError, OptionError
from nqp_spatial.panel.expressions import computed, kept, names


@pytest.fixture
def frame() -> pd.DataFrame:
    index = pd.MultiIndex.from_product([["p", "q"], [2000, 2001]], names=["city", "year"])
    return pd.DataFrame(
        {
            "a": [1.0, 2.0, 0.0, np.nan],
            "人口 数": [1, 2, 3, 4],
            "g": ["x", "y", "x", "y"],
            "log": [3, 3, 3, 3],
            "占比（%）": [0.5, 1, 1.5, 2],
            "yes": [True, False, True, False],
        },
        index=index,
    )


NAN = float("nan")
VALUES = {
    "100 * a / `人口 数`": [100, 100, 0, NAN],
    "log(`人口 数`)": np.log([1, 2, 3, 4]),
    "`占比（%）` / `人口 数` + 0 * `占比（%）`": [0.5, 0.5, 0.5, 0.5],
    "`year` - 2000": [0, 1, 0, 1],
    "log + 1": [4, 4, 4, 4],  # a column, where it is not called
    "sqrt(`人口 数`) ** 2": [1, 2, 3, 4],
    "exp(log(`人口 数`)) - abs(-a)": [0, 0, 3, NAN],
    "a > 0": [1, 1, 0, NAN],  # not 0 where the cell is empty
    "a * (a <= 1)": [1, 0, 0, NAN],
    "g == 'x'": [1, 0, 1, 0],
    "g in ['x', 'z']": [1, 0, 1, 0],
    "1 < `人口 数` <= 3": [0, 1, 1, 0],
    "year >= 2001 and not g == 'x'": [0, 1, 0, 1],
    "city == 'q' or yes": [1, 0, 1, 1],
    "yes": [1, 0, 1, 0],
    "2": [2, 2, 2, 2],
}


@pytest.mark.parametrize("expression", VALUES)
def test_values_of_a_formula(frame, expression):
    found = computed(expression, frame)
    assert found.index.equals(frame.index)
    assert_allclose(found.to_numpy(dtype=float), VALUES[expression], rtol=1e-15, atol=1e-15)


def test_the_columns_of_a_formula():
    assert names("100 * `new firms` / b + log(b) - year") == ["new firms", "b", "year"]


@pytest.mark.parametrize(
    ("expression", "error", "part"),
    [
        ("a.__class__", OptionError, r"'a.__class__', which expressions do not have"),
        ("__import__('os').getcwd()", OptionError, "The functions are log"),
        ("(lambda: 1)()", OptionError, "The functions are log"),
        ("[a for a in g]", OptionError, "do not have"),
        ("a[0]", OptionError, "do not have"),
        ("a if a else a", OptionError, "do not have"),
        ("f'{a}'", OptionError, "do not have"),
        ("None", OptionError, "do not have"),
        ("@a", OptionError, "cannot be read"),
        ("a = 3", OptionError, "cannot be read"),
        ("a +", OptionError, r"cannot be read.*such as 100 \* firms / population"),
        ("lgo(a)", OptionError, r"'lgo\(a\)'.*Did you mean 'log'"),
        ("log(a, 2)", OptionError, r"The functions are log\(x\)"),
        ("a.sum()", OptionError, "The functions are"),
        ("aa + 1", OptionError, "names 'aa', which is no column.*'city', 'year', 'a'"),
        ("g + 1", OptionError, "cannot be evaluated"),
        ("g", NotNumericError, "not numbers"),
        ("log(a)", DataError, r"infinite or undefined in 1 row\(s\), first \('q', 2000\)"),
        ("1 / a", DataError, "division by zero"),
    ],
)
def test_formulas_that_cannot_be(frame, expression, error, part):
    with pytest.raises(error, match=part):
        computed(expression, frame)


def test_rows_that_are_kept(frame):
    assert kept("a > 0 and year == 2000", frame).tolist() == [True, False, False, False]
    assert kept("a < 5", frame).tolist() == [True, True, True, False]  # an empty cell is not
    with pytest.raises(OptionError, match="It must be true or false for each row"):
        kept("a + 1", frame)


def test_whole_numbers_do_not_overflow(frame):
    small = frame.assign(n=np.array([100, 99, 2, 3], dtype="int8"))
    assert_allclose(computed("100 * n / 2", small), [5000, 4950, 100, 150])
    assert_allclose(computed("n * n + n", small), [10_100, 9_900, 6, 12])
    large = frame.assign(n=[4_000_000_000, 1, 2, 3])
    assert_allclose(computed("n * n * n", large), [6.4e28, 1, 8, 27])


EVIL = "x` > 0) + __import__('os').system('exit 1') + (`x"


def test_no_name_of_a_column_is_run(frame):
    """A heading with a backtick ends a quoted name, and what follows was Python to pandas."""
    odd = frame.rename(columns={"a": EVIL}).assign(x=1.0)
    assert kept("x > 0", odd).all() and computed("x + `人口 数`", odd).tolist() == [2, 3, 4, 5]
    with pytest.raises(OptionError, match="__import__"):
        kept(f"`{EVIL}` > 0", odd)


def test_names_are_as_typed(frame):
    odd = frame.assign(**{"ＧＤＰ": [1, 2, 3, 4], "_quoted_0_": 1.0, "lambda": 2.0})
    assert computed("ＧＤＰ", odd).tolist() == [1, 2, 3, 4]  # Python reads GDP
    assert computed("_quoted_0_ + `lambda`", odd).tolist() == [3.0] * 4
    assert kept("g == '`x`' or g == 'a & b | c'", odd).tolist() == [False] * 4
    assert names("`x y` > 1 & x in ['`z`']") == ["x y", "x"]


def test_whole_numbers_are_compared_exactly(frame):
    ids = frame.assign(code=[9007199254740993, 9007199254740992, 1, 2])
    assert kept("code == 9007199254740993", ids).tolist() == [True, False, False, False]
    small = frame.assign(n=np.array([1, 2, 3, 4], dtype="uint8"))
    assert kept("n > -1 and n != 300", small).all()


def test_conditions_count_as_zero_and_one(frame):
    assert computed("(a > 0) + (`人口 数` > 1)", frame).tolist()[:3] == [1, 2, 1]


def test_ordered_categories_keep_their_order(frame):
    levels = pd.Categorical(["low", "high", "low", None], ["low", "mid", "high"], ordered=True)
    assert kept("c >= 'mid'", frame.assign(c=levels)).tolist() == [False, True, False, False]
