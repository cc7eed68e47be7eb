"""Formulas: the same frames as by hand, and nothing dropped or moved in silence."""

import numpy as np
import pandas as pd
import pytest

from nqp_spatial import FixedEffects, PanelData, Variation, robustness
from nqp_spatial.exceptions import (
    DataError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.panel.formula import brackets, quoted, split_formula, split_iv_formula


@pytest.fixture
def frame():
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([list("dacb"), range(2000, 2005)], names=["city", "year"])
    data = pd.DataFrame(rng.uniform(1, 2, size=(20, 3)), index, ["y", "x", "z"])
    data["城市化"] = rng.uniform(1, 2, 20)
    data["人均 GDP"] = rng.uniform(1, 2, 20)
    data["region"] = ["east", "west"] * 10
    return data


@pytest.mark.parametrize(
    ("formula", "outcome", "expected"),
    [
        ("y ~ x", "y", {"x": lambda f: f.x}),
        ("y ~ z + x", "y", {"z": lambda f: f.z, "x": lambda f: f.x}),
        ("y ~ log(x)", "y", {"log(x)": lambda f: np.log(f.x)}),
        ("log(y) ~ x", "log(y)", {"x": lambda f: f.x}),
        ("y ~ x:z", "y", {"x:z": lambda f: f.x * f.z}),
        ("y ~ x*z", "y", {"x": lambda f: f.x, "z": lambda f: f.z, "x:z": lambda f: f.x * f.z}),
        ("y ~ I(x**2)", "y", {"I(x ** 2)": lambda f: f.x**2}),
        ("y ~ x - 1", "y", {"x": lambda f: f.x}),
        ("y ~ 0 + x", "y", {"x": lambda f: f.x}),
        ("y ~ 城市化", "y", {"城市化": lambda f: f["城市化"]}),
        ("城市化 ~ x", "城市化", {"x": lambda f: f.x}),
        ("y ~ `人均 GDP`", "y", {"人均 GDP": lambda f: f["人均 GDP"]}),
        ("y ~ log(`人均 GDP`)", "y", {"log(`人均 GDP`)": lambda f: np.log(f["人均 GDP"])}),
        ("y ~ C(region)", "y", {"C(region)[T.west]": lambda f: (f.region == "west") * 1.0}),
    ],
)
def test_columns_are_those_made_by_hand(frame, formula, outcome, expected):
    y, x = split_formula(formula, frame)
    assert y.name == outcome
    assert x.columns.tolist() == list(expected)
    assert x.index.equals(frame.index)
    assert y.index.equals(frame.index)
    for name, column in expected.items():
        np.testing.assert_allclose(x[name], column(frame), rtol=1e-15)


def test_number_and_category_types(frame):
    frame["did"] = frame["x"] > 1.5
    frame["kind"] = frame["region"].astype("category")
    frame["count"] = pd.array(range(20), dtype="Int64")
    _, x = split_formula("y ~ did + kind + count", frame)
    assert x.columns.tolist() == ["did", "kind[T.west]", "count"]
    assert x["did"].tolist() == frame["did"].astype(int).tolist()
    assert x["count"].tolist() == list(range(20))


def test_a_panel_does_as_well(frame):
    frame.attrs["note"] = "Simulated."
    panel = PanelData.from_frame(frame)
    y, x = split_formula("y ~ x", panel)
    pd.testing.assert_series_equal(y, panel["y"])
    pd.testing.assert_frame_equal(x, panel[["x"]])
    assert y.attrs["notes"] == ["Simulated."]
    assert split_formula("y ~ x", frame)[0].attrs["note"] == "Simulated."


def test_missing_cells_stay_and_the_model_names_them(frame):
    frame.iloc[3, 1] = np.nan
    frame["count"] = pd.array([*range(19), None], dtype="Int64")
    y, x = split_formula("y ~ log(x) + count", frame)
    assert len(y) == len(x) == 20
    assert x.isna().sum().tolist() == [1, 1]
    with pytest.raises(MissingValuesError, match=r"'log\(x\)' in 1, 'count' in 1; first \('"):
        FixedEffects(y, x)
    with pytest.raises(MissingValuesError, match=r"'count' is empty in 1 .*\('b', 2004\)"):
        FixedEffects.from_formula("y ~ count", frame)


def test_logarithms_of_zero_are_named_by_the_model(frame):
    frame.iloc[3, 1] = 0.0
    with pytest.raises(InfiniteValuesError, match=r"'log\(x\)' is infinite.*\('d', 2003\)"):
        FixedEffects.from_formula("y ~ log(x)", frame)
    frame.iloc[3, 1] = -1.0
    with pytest.raises(MissingValuesError, match=r"'log\(x\)' is empty .*\('d', 2003\)"):
        FixedEffects.from_formula("y ~ log(x)", frame)


def test_empty_categories_do_not_become_the_first_one(frame):
    frame["region"] = frame["region"].where(frame["x"] > frame["x"].iloc[2])
    with pytest.raises(MissingValuesError, match=r"'region' is empty in .*\('d', 2002\)"):
        split_formula("y ~ C(region)", frame)


def test_text_does_not_become_dummies_unasked(frame):
    frame["gdp"] = "1,234"
    with pytest.raises(NotNumericError, match=r"'gdp' holds text.*'1,234' at \('d', 2000\)"):
        split_formula("y ~ gdp", frame)
    with pytest.raises(NotNumericError, match=r"write C\(region\)"):
        split_formula("y ~ region", frame)
    with pytest.raises(NotNumericError, match="'region' holds text"):
        split_formula("region ~ x", frame)


@pytest.mark.parametrize(
    "term", ["lag(x)", "lag(x, 2)", "x.shift(1)", "x.diff()", "log(x).cumsum()"]
)
def test_terms_that_reach_into_another_entity(frame, term):
    with pytest.raises(OptionError, match="rows of another entity.*groupby"):
        split_formula(f"y ~ {term}", frame)


def test_a_column_may_have_lag_in_its_name(frame):
    frame["x_lag"] = frame.groupby(level=0)["x"].shift()
    assert split_formula("y ~ log(x_lag)", frame)[1].columns.tolist() == ["log(x_lag)"]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ zz", "names 'zz', which is not a column.*Did you mean 'z'"),
        ("yy ~ z", "names 'yy', which is not a column.*Did you mean 'y'"),
        ("y ~ foo(x)", "names 'foo'"),
        ("x + z", "'x . z' is not of the form 'outcome ~ x1 . x2'"),
        ("~ x", "not of the form"),
        ("", "not of the form"),
        ("y ~ x | city", "Fixed effects are options of the model"),
        ("y + z ~ x", "needs one outcome"),
        ("0 ~ x", "needs one outcome"),
        ("y ~ x +", "cannot be read: [^\x1b]*$"),
        ("y ~ log(x", "cannot be read: [^\x1b]*$"),
        ("y ~ x ~ z", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_formulas_that_cannot_be_read(frame, formula, message):
    with pytest.raises(OptionError, match=message):
        split_formula(formula, frame)


def test_a_formula_without_regressors_is_refused_by_the_model(frame):
    with pytest.raises(OptionError, match="x has no columns"):
        FixedEffects.from_formula("y ~ 1", frame)


def test_data_must_be_labelled(frame):
    with pytest.raises(DataError, match="ndarray"):
        split_formula("y ~ x", frame[["y", "x"]].to_numpy())
    with pytest.raises(DataError, match="y is not indexed by"):
        FixedEffects.from_formula("y ~ x", frame.reset_index())


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int64"])
def test_products_of_whole_numbers_do_not_overflow(frame, kind):
    large = 100 if kind.endswith("8") else 30_000 if kind == "int16" else 4_000_000_000
    whole = frame.assign(n=np.array([large, large - 3] * 10), m=np.array([2, large] * 10))
    small = whole.astype({"n": kind, "m": kind})
    x = split_formula("y ~ n:m + I(n ** 2) + n", small)[1]
    exact = [[int(a) * int(b), int(a) ** 2, int(a)] for a, b in whole[["n", "m"]].to_numpy()]
    found = x[["n:m", "I(n ** 2)", "n"]].to_numpy()
    np.testing.assert_allclose(found, np.array(exact, dtype=float), rtol=1e-15)


def test_whole_numbers_that_are_labels_stay(frame):
    x = split_formula("y ~ x + C(k)", frame.assign(k=np.arange(20) % 3))[1]
    assert list(x.columns) == ["x", "C(k)[T.1]", "C(k)[T.2]"]


@pytest.mark.parametrize("formula", ["y ~ a ** 2", "y ~ b + a**2", "y ~ a^3", "y ~ b:a ** 2"])
def test_a_power_of_one_term_is_no_square(formula):
    """Formulas of this kind take a ** 2 as interactions of a with itself, that is, a."""
    index = pd.MultiIndex.from_product([["u", "v"], [1, 2]])
    frame = pd.DataFrame({"y": [1.0, 2, 3, 5], "a": [1.0, 2, 4, 8], "b": [3.0, 1, 2, 2]}, index)
    with pytest.raises(OptionError, match=r"write I\(a \*\* 2\)"):
        split_formula(formula, frame)
    squared = split_formula("y ~ I(a ** 2)", frame)[1]
    assert list(squared.iloc[:, 0]) == [1, 4, 16, 64]
    assert split_formula("y ~ (a + b) ** 2", frame)[1].shape[1] == 3


def test_names_of_columns_are_never_read_as_formulas():
    """Headings of a file that would close their quotes, or look like a block of instruments."""
    index = pd.MultiIndex.from_product([list("abcdef"), range(6)], names=["c", "t"])
    rng = np.random.default_rng(0)
    block = "z [{1 / 0} ~ {1 / 0}] (y ~ x)"
    frame = pd.DataFrame(rng.normal(size=(36, 4)), index, columns=["y", "d", "x", block])
    with pytest.raises(OptionError, match="cannot stand in a formula.*Rename the column"):
        quoted("x` + {1 / 0} + `y")
    assert [quoted(name) for name in ("x", "x y", "lambda")] == ["x", "`x y`", "`lambda`"]
    y, x, endog, z = split_iv_formula(f"y ~ x + [d ~ {quoted(block)}]", frame)
    assert (list(x), list(endog), list(z)) == (["x"], ["d"], [block])
    assert brackets(f"y ~ {quoted(block)}") == (f"y ~ `{block}`", [])
    variation = Variation("more", add=quoted(block))
    given = {"options": {"effects": "entity"}, "fit": {"cov_type": "unadjusted"}}
    found = robustness("y ~ x", frame, [variation], **given)
    assert list(found.results["more"].params.index) == ["x", block]


@pytest.mark.parametrize("name", ["scale", "I", "lag", "Q", "np", "log", "center", "C", "exp"])
@pytest.mark.parametrize("term", ["{}", "`{}`", "{} + z", "log({}) + z", "I({} ** 2)", "{}:z"])
def test_columns_that_are_called_as_functions_are(name, term):
    """The terms of such a column are those of one with an ordinary name, under its own."""
    index = pd.MultiIndex.from_product([list("abc"), range(3)])
    values = np.random.default_rng(0).uniform(1, 2, (9, 3))
    frame = pd.DataFrame(values, index, ["y", "x", "z"])
    _, plain = split_formula(f"y ~ {term.format('x')}", frame)
    y, found = split_formula(f"y ~ {term.format(name)}", frame.rename(columns={"x": name}))
    np.testing.assert_array_equal(found.to_numpy(), plain.to_numpy())
    assert y.name == "y"
    assert list(found.columns)[0].replace(name, "x") == list(plain.columns)[0] or "(" in term
