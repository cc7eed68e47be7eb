"""Properties of difference and system GMM, and what their results say."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import FixedEffects, tables
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import gaps, simulated

X = ["x", "v"]
OPTIONS = {"predetermined": ["x"], "gmm_lags": (2, 3), "collapse": True}


@pytest.mark.parametrize("kind", [DifferenceGMM, SystemGMM])
def test_order_labels_and_units_do_not_matter(kind):
    frame = gaps()
    found = kind(frame["y"], frame[X], **OPTIONS).fit()
    shuffled = frame.sample(frac=1, random_state=1)
    shuffled.index = pd.MultiIndex.from_arrays(
        [
            [f"城市{1000 - i}" for i in shuffled.index.get_level_values(0)],
            pd.to_datetime(shuffled.index.get_level_values(1).astype(str) + "-12-31"),
        ],
        names=["城市", "年份"],
    )
    regressors = shuffled[X].mul([1e-4, 1]).rename(columns={"x": "创新"})
    again = kind(
        1e3 * shuffled["y"].rename("产出"), regressors,
        predetermined=["创新"], gmm_lags=(2, 3), collapse=True,
    ).fit()  # fmt: skip
    scale = np.array([1, 1e7, 1e3, *([1e3] if kind is SystemGMM else [])])
    assert list(again.params.index)[:3] == ["L1.产出", "创新", "v"]
    assert_allclose(again.params, found.params * scale, rtol=1e-6)
    assert_allclose(again.std_errors, found.std_errors * scale, rtol=1e-6)
    for name in ("ar1", "ar2", "sargan", "hansen"):
        assert again.tests[name].statistic == pytest.approx(found.tests[name].statistic, rel=1e-6)


def test_time_effects_are_those_of_regressors_made_by_hand():
    frame = simulated()
    years = range(2002, 2009)  # lags begin in 2001, the base
    dummies = pd.DataFrame(
        {f"d{t}": (frame.index.get_level_values(1) == t).astype(float) for t in years},
        index=frame.index,
    )
    found = DifferenceGMM(frame["y"], frame[X], **OPTIONS).fit()
    by_hand = DifferenceGMM(
        frame["y"], pd.concat([frame[X], dummies], axis=1), effects=None, **OPTIONS
    ).fit()
    assert_allclose(found.params, by_hand.params[:3], rtol=1e-9)
    assert_allclose(found.cov, by_hand.cov.iloc[:3, :3], rtol=1e-8)
    assert_allclose(found.time_effects["estimate"], by_hand.params[3:], rtol=1e-8)
    assert_allclose(found.time_effects["std_error"], by_hand.std_errors[3:], rtol=1e-8)
    assert list(found.time_effects.index) == list(years)


def test_lags_of_regressors_are_those_of_columns_made_by_hand():
    """A column shifted by hand loses the first level of y too, which is not an instrument here."""
    frame = simulated()
    shifted = frame.assign(**{"L1_v": frame["v"].groupby(level=0).shift()}).dropna()
    options = {"effects": None, "gmm_lags": (2, 2)}
    made = DifferenceGMM(frame["y"], frame[X], x_lags={"v": 1}, **options)
    assert list(made.fit().params.index) == ["L1.y", "x", "v", "L1.v"]
    by_hand = DifferenceGMM(shifted["y"], shifted[["x", "v", "L1_v"]], **options)
    assert made.fit().sample["rows_transformed"] > by_hand.fit().sample["rows_transformed"]
    # the same rows of the equation: then only the levels that are instruments differ
    cells = made.system.rows.M.shape[1]
    assert made.system.X.shape == (cells, 4)
    lagged = made._columns["L1.v"]
    at = made._grid.place
    expected = frame["v"].groupby(level=0).shift().to_numpy()
    assert_allclose(lagged[at], expected)


def test_a_wholly_absent_year_is_a_gap_and_not_a_step():
    frame = simulated()
    without = frame[frame.index.get_level_values(1) != 2004]
    found = DifferenceGMM(without["y"], frame[X].loc[without.index], effects=None).fit()
    assert found.sample["gaps"] == (frame.index.get_level_values(1) == 2005).sum()
    years = found.resids.index.get_level_values(1)
    assert not set(years) & {2004, 2005, 2006}  # lag, difference
    orthogonal = DifferenceGMM(
        without["y"], without[X], effects=None, transformation="orthogonal"
    ).fit()
    assert orthogonal.sample["rows_transformed"] > found.sample["rows_transformed"]


def test_external_instruments_stand_beside_those_of_the_panel():
    """x endogenous, instrumented by v alone: GMM exactly identified is IV in differences."""
    frame = simulated()
    model = DifferenceGMM(
        frame["y"], frame[["x"]], endogenous=["x"], effects=None, iv=frame[["v"]],
        gmm_lags={"y": (2, 2), "x": (2, 2)}, collapse=True,
    )  # fmt: skip
    found = model.fit()
    kinds = found.instruments.set_index("group")["variable"].to_dict()
    assert kinds == {"external": "v", "gmm(y)": "y", "gmm(x)": "x"}
    test = found.tests["difference-in-hansen: external"]
    assert test.df == 1 and test.statistic == pytest.approx(found.tests["hansen"].statistic)
    formula = DifferenceGMM.from_formula(
        "y ~ x", frame, iv="v", endogenous=["x"], effects=None,
        gmm_lags={"y": (2, 2), "x": (2, 2)}, collapse=True,
    ).fit()  # fmt: skip
    pd.testing.assert_series_equal(formula.params, found.params)
    both = SystemGMM.from_formula("y ~ x", frame, iv=["v"], iv_equation="transformed", **OPTIONS)
    line = both.fit().instruments.query("group == 'external'")
    assert line["equation"].tolist() == ["transformed"]


def test_the_table_of_instruments_counts_what_is_used():
    frame = simulated()
    found = DifferenceGMM(frame["y"], frame[X], effects=None, gmm_lags=(2, 3)).fit()
    table = found.instruments
    own = table[table["group"] == "gmm(y)"]
    # periods 2002 to 2008: one lag in 2002, two in the six later ones
    assert own.groupby("period").size().to_dict() == {
        2002: 1,
        **dict.fromkeys(range(2003, 2009), 2),
    }
    assert found.n_instruments == len(table) == 13 + 2
    assert set(table["equation"]) == {"transformed"}
    repeated = frame.assign(z=2 * frame["v"] - frame["x"])  # an instrument the others imply
    again = DifferenceGMM(
        frame["y"], frame[X], effects=None, gmm_lags=(2, 3), iv=repeated[["z"]]
    ).fit()
    assert again.n_instruments == 15 and not again.instruments.set_index("variable")["used"]["z"]
    assert_allclose(again.params, found.params, rtol=1e-9)
    assert again.tests["hansen"].df == found.tests["hansen"].df == 12


def test_residuals_and_fitted_values_add_up_to_the_transformed_outcome():
    frame = gaps()
    found = DifferenceGMM(frame["y"], frame[X], effects=None).fit()
    change = frame["y"].groupby(level=0).diff()[found.resids.index]
    assert_allclose(found.resids + found.fitted, change, atol=1e-12)
    lag = frame["y"].groupby(level=0).shift()
    moved = pd.concat([lag, frame[X]], axis=1).groupby(level=0).diff().loc[found.resids.index]
    assert_allclose(found.fitted, moved.to_numpy() @ found.params.to_numpy(), atol=1e-10)
    system = SystemGMM(frame["y"], frame[X], effects=None, **OPTIONS).fit()
    assert_allclose(system.resids + system.fitted, frame["y"][system.resids.index], atol=1e-12)
    assert len(system.resids) == system.nobs


def test_serial_correlation_is_undefined_where_differences_are_too_few():
    frame = simulated()
    short = frame[frame.index.get_level_values(1).isin(range(2002, 2006))]
    found = DifferenceGMM(short["y"], short[X], effects=None).fit(ar_orders=3)
    assert np.isfinite(found.tests["ar1"].statistic)
    assert np.isnan(found.tests["ar2"].statistic) and np.isnan(found.tests["ar3"].pvalue)
    assert "nan" in str(found.tests["ar2"])


def test_results_stand_beside_fixed_effects_in_one_table():
    frame = simulated()
    one = DifferenceGMM(frame["y"], frame[X], **OPTIONS).fit(steps=1)
    two = DifferenceGMM(frame["y"], frame[X], **OPTIONS).fit()
    fixed = FixedEffects(frame["y"], frame[X]).fit()
    statistics = ["nobs", "n_entities", "n_instruments", "ar2_pvalue", "hansen_pvalue"]
    text = str(tables.regression([fixed, one, two], statistics=statistics))
    for word in ("L1.y", f"{two.params['L1.y']:.4f}", f"{two.std_errors['x']:.4f}", "Windmeijer"):
        assert word in text
    assert f"{two.tests['hansen'].pvalue:.3f}"[1:] in text
    assert two.loglik is None and np.isnan(two.aic)
    assert "Windmeijer" in two.cite() and "hansen" in two.summary()
    assert two.wald_test("L1.y = 0").statistic == pytest.approx(two.tstats["L1.y"] ** 2)
    assert "<table" in two._repr_html_()
    assert two.provenance["options"]["gmm_lags"] == {"y": (2, 3), "x": (1, 2)}


@pytest.mark.slow
def test_coverage_and_sizes_of_the_tests():
    """N = 100, T = 7, 200 panels; benchmarks/monte_carlo_gmm.py has more."""
    rng = np.random.default_rng(7)
    index = pd.MultiIndex.from_product([range(100), range(7)])
    rows = []
    for _ in range(200):
        mu, y, paths = rng.normal(size=100), np.zeros(100), []
        for _ in range(27):
            y = 0.5 * y + mu + rng.normal(size=100)
            paths.append(y)
        panel = pd.Series(np.array(paths[20:]).T.ravel(), index, name="y")
        found = DifferenceGMM(panel, collapse=True, gmm_lags=(2, 4)).fit()
        bounds = found.conf_int().loc["L1.y"]
        rejected = [found.tests[name].pvalue < 0.05 for name in ("ar2", "hansen")]
        rows.append([bounds["lower"] < 0.5 < bounds["upper"], *rejected])
    covered, ar2, hansen = np.mean(rows, axis=0)
    error = 3 * np.sqrt(0.05 * 0.95 / 200)
    assert abs(covered - 0.95) < error
    assert ar2 < 0.05 + error and hansen < 0.05 + error
