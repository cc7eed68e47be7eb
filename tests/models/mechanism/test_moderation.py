"""Moderation against a regression with dummies in R, hand computation, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial import FixedEffects, tables
from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    IdMismatchError,
    InfiniteValuesError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.models.mechanism.moderation import Moderation
from tests import panels

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture(scope="module")
def data():
    frame = panels.read("panel_quantile_data.csv", "city", "year")
    number = frame.index.get_level_values(0).str[1:].astype(int)
    stage = np.array(["early", "middle", "late"])[number % 3]
    return frame.assign(stage=stage, high=(frame["b"] > 1).astype(int), core=number % 2 == 0)


@pytest.fixture(scope="module")
def r():
    return panels.known("panel_quantile.csv", "case", "kind", "name")["moderation"]


def fit(data, moderator="b", **options):
    cov_type = options.pop("cov_type", "unadjusted")
    return Moderation(data["y"], data["a"], data[moderator], **options).fit(cov_type=cov_type)


# other programs and hand computation ----------------------------------------------------------


@pytest.mark.parametrize("centre", [False, True])
def test_marginal_effects_equal_a_regression_with_dummies(data, r, centre):
    at = [-1.0, 0.0, 0.5, 2.0]
    frame = fit(data, centre=centre).marginal_effects(at)
    names = ["-1", "0", "0.5", "2"]
    assert_allclose(frame["estimate"], r["effect"].loc[names], rtol=1e-9)
    assert_allclose(frame["std_error"], r["effect_se"].loc[names], rtol=1e-9)
    assert list(frame.index) == at


def test_a_centred_product_moves_the_slope_to_the_mean(data):
    plain, centred = fit(data), fit(data, centre=True)
    mean = data["b"].mean()
    assert centred.params["a"] == pytest.approx(plain.params["a"] + mean * plain.params["a:b"])
    assert centred.params["b"] == pytest.approx(
        plain.params["b"] + data["a"].mean() * plain.params["a:b"]
    )
    assert centred.params["a:b"] == pytest.approx(plain.params["a:b"], rel=1e-9)
    assert any("not centred" in note for note in plain.notes)
    assert any(f"less their means ({data['a'].mean():.6g}" in note for note in centred.notes)
    assert_allclose(centred.resids, plain.resids, atol=1e-9)


@pytest.mark.parametrize("cov_type", ["unadjusted", "robust", "clustered", "driscoll-kraay"])
def test_means_beside_which_deviations_are_small_take_no_digits(data, cov_type):
    """The product less both means and the plain one are the same regression."""
    far = data.assign(b=data["b"] + 1e8)
    plain, near = fit(far, cov_type=cov_type), fit(data, cov_type=cov_type)
    assert_allclose(plain.params["a:b"], near.params["a:b"], rtol=1e-6)
    assert_allclose(plain.std_errors["a:b"], near.std_errors["a:b"], rtol=1e-6)
    effects, expected = (each.marginal_effects("quantiles") for each in (plain, near))
    columns = ["estimate", "std_error", "lower", "upper"]
    assert_allclose(effects[columns], expected[columns], rtol=1e-6)
    bounds, known = (np.array(each.johnson_neyman().attrs["bounds"]) for each in (plain, near))
    assert_allclose(bounds - 1e8, known, atol=1e-5)


def test_columns_of_short_types_are_multiplied_as_long_ones(data):
    """The same numbers, which float32 holds exactly: so are the estimates."""
    exact = data.assign(a=(data["a"] * 64).round() + 1000, b=(data["b"] * 64).round() + 1000)
    short = exact.astype({"a": "float32", "b": "float32"})
    assert_allclose(fit(short).params, fit(exact).params, rtol=1e-9)


def test_the_constant_of_an_uncentred_product(data):
    result = fit(data, effects=None)
    columns = np.column_stack([np.ones(len(data)), data[["a", "b"]], data["a"] * data["b"]])
    expected = np.linalg.lstsq(columns, data["y"], rcond=None)[0]
    assert_allclose(result.params[["const", "a", "b", "a:b"]], expected, rtol=1e-9)


def test_categories_give_the_slope_of_each_group(data):
    """Slopes by group without entity effects: as many regressions as groups."""
    result = fit(data, "stage", effects=None)
    frame = result.marginal_effects()
    assert list(frame.index) == ["early", "late", "middle"]
    for stage, group in data.groupby("stage"):
        own = FixedEffects(group["y"], group[["a"]], effects=None).fit()
        assert frame.loc[stage, "estimate"] == pytest.approx(own.params["a"], rel=1e-9)
    late = frame.loc["late", "estimate"] - frame.loc["early", "estimate"]
    assert result.params["a:stage[late]"] == pytest.approx(late)
    assert set(result.params.index) == {
        "const", "a", "stage[late]", "stage[middle]", "a:stage[late]", "a:stage[middle]",
    }  # fmt: skip
    assert result.tests["interaction"].df == (2, result.df_resid)
    assert list(result.marginal_effects(["late"]).index) == ["late"]


def test_the_order_of_categories_decides_the_base(data):
    order = pd.CategoricalDtype(["middle", "late", "early", "none"], ordered=True)
    result = fit(data.assign(stage=data["stage"].astype(order)), "stage", effects=None)
    assert list(result.marginal_effects().index) == ["middle", "late", "early"]
    assert "a:stage[middle]" not in result.params and "a:stage[early]" in result.params


def test_an_own_effect_that_is_absorbed_is_left_out_and_said(data):
    """With entity effects the regression on x and products alone, by hand."""
    result = fit(data, "stage", cov_type="clustered")
    columns = {"a": data["a"]}
    for stage in ("late", "middle"):
        columns[f"a:stage[{stage}]"] = data["a"] * (data["stage"] == stage)
    expected = FixedEffects(data["y"], pd.DataFrame(columns)).fit()
    assert_allclose(result.params, expected.params, rtol=1e-9)
    assert_allclose(result.cov, expected.cov, rtol=1e-9)
    assert any("absorb the own effect of stage[late], stage[middle]" in n for n in result.notes)
    assert not any("absorb" in note for note in fit(data, "b").notes)
    assert not any("absorb" in note for note in fit(data, "stage", effects="time").notes)


def test_binary_moderators_have_two_effects(data):
    frame = fit(data, "high").marginal_effects()
    assert list(frame.index) == [0.0, 1.0]
    result = fit(data, "high")
    assert frame.loc[1.0, "estimate"] == pytest.approx(result.params[["a", "a:high"]].sum())
    boolean = fit(data, "core")
    assert list(boolean.marginal_effects().index) == [False, True]
    assert "a:core[True]" in boolean.params


def test_points_of_the_moderator(data):
    result = fit(data)
    b = data["b"]
    assert_allclose(
        result.marginal_effects("quantiles").index, b.quantile([0.1, 0.25, 0.5, 0.75, 0.9])
    )
    assert_allclose(result.marginal_effects("sd").index, b.mean() + b.std() * np.array([-1, 0, 1]))
    grid = result.marginal_effects()
    assert len(grid) == 101 and grid.index[0] == b.min() and grid.index[-1] == b.max()
    narrow, wide = result.marginal_effects(1.0, level=0.9), result.marginal_effects(1.0, level=0.99)
    assert wide["lower"].iloc[0] < narrow["lower"].iloc[0] < narrow["estimate"].iloc[0]


@settings(max_examples=20, deadline=None)
@given(slope=st.floats(-2, 2), product=st.floats(-2, 2), shift=st.floats(-5, 5))
def test_the_interval_touches_zero_at_every_bound_and_nowhere_else(slope, product, shift):
    rng = np.random.default_rng(3)
    index = pd.MultiIndex.from_product([range(12), range(6)], names=["city", "year"])
    x, m, e = rng.normal(size=(3, 72))
    frame = pd.DataFrame({"x": x, "m": m + shift}, index)
    frame["y"] = slope * x + product * x * m + e
    result = Moderation(frame["y"], frame["x"], frame["m"]).fit()
    regions = result.johnson_neyman()
    for bound in regions.attrs["bounds"]:
        row = result.marginal_effects(bound).iloc[0]
        assert row["pvalue"] == pytest.approx(0.05, rel=1e-4)
    grid = result.marginal_effects(np.linspace(frame["m"].min(), frame["m"].max(), 400))
    for _, region in regions.iterrows():
        width = 1e-6 * (region["upper"] - region["lower"])
        inside = grid[
            (grid.index > region["lower"] + width) & (grid.index < region["upper"] - width)
        ]
        assert ((inside["pvalue"] < 0.05) == region["significant"]).all()
        if region["significant"]:
            assert (np.sign(inside["estimate"]) == region["sign"]).all()
    assert regions["share"].sum() == pytest.approx(1)
    assert (regions["lower"].to_numpy()[1:] == regions["upper"].to_numpy()[:-1]).all()


def test_bounds_by_hand(data):
    """|b1 + b3 m| = t se(m), written out: the quadratic of Bauer and Curran (2005, eq. 13)."""
    from scipy.stats import t

    result = fit(data)
    b1, b3 = result.params[["a", "a:b"]]
    v = result.cov.loc[["a", "a:b"], ["a", "a:b"]].to_numpy()
    c = t(result.df_resid).ppf(0.975) ** 2
    qa, qb, qc = b3**2 - c * v[1, 1], 2 * (b1 * b3 - c * v[0, 1]), b1**2 - c * v[0, 0]
    disc = qb**2 - 4 * qa * qc
    expected = sorted((-qb + s * np.sqrt(disc)) / (2 * qa) for s in (-1, 1)) if disc > 0 else []
    assert_allclose(result.johnson_neyman().attrs["bounds"], expected, rtol=1e-8)
    centred = fit(data, centre=True).johnson_neyman()
    assert_allclose(centred.attrs["bounds"], expected, rtol=1e-8)


# results -------------------------------------------------------------------------------------


def test_rows_in_any_order_change_nothing(data):
    controls = data[["m1", "m2"]]
    one = fit(data, x=controls)
    some = data.sample(frac=1, random_state=5)
    other = Moderation(
        some["y"], data["a"], some["b"], controls.sample(frac=1, random_state=6)
    ).fit(cov_type="unadjusted")
    assert_allclose(other.to_frame(), one.to_frame(), rtol=1e-9)
    assert list(one.params.index) == ["a", "b", "m1", "m2", "a:b"]


def test_it_stands_in_a_table_and_is_tested(data):
    result = fit(data)
    frame = tables.regression([fit(data, "high"), result]).to_frame()
    assert frame.loc["a:b"].iloc[1].startswith(f"{result.params['a:b']:.4f}")
    expected = (result.params["a:b"] / result.std_errors["a:b"]) ** 2
    assert result.tests["interaction"].statistic == pytest.approx(expected)
    assert result.model_name == "Moderation" and "Brambor" in result.cite()


def test_the_plot_draws_the_effects(data):
    result = fit(data)
    ax = result.plot(lang="zh")
    frame = result.marginal_effects()
    line = next(line for line in ax.lines if len(line.get_xdata()) == 101)
    assert_allclose(line.get_ydata(), frame["estimate"])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(frame["lower"].min())
    inside = [
        b for b in result.johnson_neyman().attrs["bounds"] if data["b"].min() < b < data["b"].max()
    ]
    drawn = [
        x.get_xdata()[0] for x in ax.lines if x.get_linestyle() != "-" and len(x.get_xdata()) == 2
    ]
    assert_allclose(sorted(drawn), sorted(inside))
    assert ax.get_ylabel() == "a的边际效应"
    shares = [patch.get_height() for patch in ax.figure.axes[1].patches]
    assert sum(shares) == pytest.approx(1)
    ax = fit(data, "stage").plot()
    points = next(line for line in ax.lines if line.get_marker() == "o")
    assert_allclose(points.get_ydata(), fit(data, "stage").marginal_effects()["estimate"])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["early", "late", "middle"]


def test_formula(data):
    ours = Moderation.from_formula("y ~ a + m1", data, treatment="a", moderator="b").fit()
    assert_allclose(ours.params, fit(data, x=data[["m1"]]).params)
    with pytest.raises(OptionError, match="treatment='b' is not a regressor"):
        Moderation.from_formula("y ~ a", data, treatment="b", moderator="m1")
    with pytest.raises(DataError, match="no column 'm9'"):
        Moderation.from_formula("y ~ a", data, treatment="a", moderator="m9")


# bad input -----------------------------------------------------------------------------------


def test_a_constant_moderator_is_refused(data):
    with pytest.raises(ConstantColumnError, match="moderator 'one' has the same value 1"):
        fit(data.assign(one=1), "one")
    with pytest.raises(ConstantColumnError, match="moderator 'one' has the same value 'x'"):
        fit(data.assign(one="x"), "one")


def test_a_product_that_does_not_vary_is_refused(data):
    fixed = data.assign(a=data.groupby(level=0)["a"].transform("first"))
    with pytest.raises(ConstantColumnError, match="'a', 'a:stage"):
        fit(fixed, "stage")


def test_cells_and_rows_must_be_there(data):
    holes = data.copy()
    holes["b"] = holes["b"].where(holes.index != ("c02", 2006))
    with pytest.raises(MissingValuesError, match=r"'b' is empty in 1 of 200.*\('c02', 2006\)"):
        fit(holes)
    holes["stage"] = holes["stage"].where(holes.index != ("c02", 2006))
    with pytest.raises(MissingValuesError, match=r"'stage' is empty"):
        fit(holes, "stage")
    wild = data.assign(b=data["b"].where(data["b"] > 1, np.inf))
    with pytest.raises(InfiniteValuesError, match="'b' is infinite"):
        fit(wild)
    with pytest.raises(IdMismatchError, match="y and moderator do not have the same"):
        Moderation(data["y"], data["a"], data["b"].iloc[1:])
    with pytest.raises(DataError, match="moderator is a list"):
        Moderation(data["y"], data["a"], [1, 2])
    with pytest.raises(DataError, match="y has 2 columns"):
        Moderation(data[["y", "b"]], data["a"], data["b"])


def test_roles_and_options(data):
    with pytest.raises(OptionError, match="'b' is in moderator and in x"):
        fit(data, x=data[["b"]])
    with pytest.raises(OptionError, match="'a' is in treatment and in moderator"):
        fit(data, "a")
    with pytest.raises(OptionError, match="centre=True, but 'stage' holds categories"):
        fit(data, "stage", centre=True)
    with pytest.raises(OptionError, match="at='median' is not known"):
        fit(data).marginal_effects("median")
    with pytest.raises(OptionError, match="at='young' is not known.*'early'"):
        fit(data, "stage").marginal_effects("young")
    with pytest.raises(DataError, match="are not numbers"):
        fit(data).marginal_effects(["low"])
    with pytest.raises(DataError, match="not finite"):
        fit(data).marginal_effects([np.nan])
    with pytest.raises(OptionError, match="'stage' has 3 values; Johnson-Neyman"):
        fit(data, "stage").johnson_neyman()
    for call in (fit(data).marginal_effects, fit(data).johnson_neyman):
        with pytest.raises(OptionError, match="level=2"):
            call(level=2)
