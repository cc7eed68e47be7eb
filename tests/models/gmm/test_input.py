"""What difference and system GMM refuse, and by which words."""

import numpy as np
import pandas as pd
import pytest

from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataError,
    DataWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    InfiniteValuesError,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import gaps, simulated


@pytest.fixture
def frame():
    return simulated()


def model(frame, x=("x", "v"), **options):
    return DifferenceGMM(frame["y"], frame[list(x)], **options)


# data ----------------------------------------------------------------------------------------


def test_missing_duplicate_infinite_and_text_cells_are_named(frame):
    with pytest.raises(MissingValuesError, match=r"'v' is empty in 1 of 423 rows, first \(1, 2001"):
        model(frame.assign(v=frame["v"].mask(frame.index == (1, 2001))))
    with pytest.raises(DuplicateKeysError, match=r"occur more than once in y, first \(1, 2000\)"):
        model(pd.concat([frame, frame.iloc[:1]]))
    with pytest.raises(InfiniteValuesError, match=r"'y' is infinite in 1 rows, first \(1, 2000\)"):
        model(frame.assign(y=frame["y"].mask(frame.index == (1, 2000), -np.inf)))
    with pytest.raises(NotNumericError, match="'x' holds text"):
        model(frame.assign(x="hoch"))
    with pytest.raises(IdMismatchError, match="1 are only in y"):
        DifferenceGMM(frame["y"], frame[["x"]].iloc[1:])
    with pytest.raises(DataError, match="bare array"):
        DifferenceGMM(frame["y"].to_numpy(), frame[["x"]])
    with pytest.raises(DataError, match="y is a DataFrame"):
        DifferenceGMM(frame[["y"]], frame[["x"]])
    with pytest.raises(DataError, match="y has no rows"):
        model(frame.iloc[:0])


def test_a_regressor_that_is_constant_in_time_is_named(frame):
    with pytest.raises(ConstantColumnError, match=r"'s' does not change over time.*SystemGMM"):
        model(frame, ("x", "s"))
    with pytest.raises(ConstantColumnError, match="vanishes in orthogonal deviations"):
        model(frame, ("x", "s"), transformation="orthogonal")
    found = SystemGMM(frame["y"], frame[["x", "s"]], predetermined="x", gmm_lags=(2, 3)).fit()
    assert np.isfinite(found.std_errors["s"])


def test_collinear_regressors_are_named_once_transformed(frame):
    shifted = frame.assign(a=frame["x"] + 3 * frame["s"])  # the same differences
    with pytest.raises(CollinearityError, match=r"'a' is a linear combination of 'x' in diff"):
        model(shifted, ("x", "a"))
    with pytest.raises(CollinearityError, match=r"'a' is .* of 'x', 's' in differences and levels"):
        SystemGMM(shifted["y"], shifted[["x", "s", "a"]])
    moved = frame.assign(a=2 * frame["x"] + 3)  # in levels with the constant
    with pytest.raises(CollinearityError, match=r"'a' is .* of 'const', 'x' in differences and"):
        SystemGMM(moved["y"], moved[["x", "a"]])
    year = frame.index.get_level_values(1)
    trend = frame.assign(price=np.sin(year))
    with pytest.raises(
        CollinearityError, match=r"'price' is .* of the time effects in differences"
    ):
        model(trend, ("x", "price"))
    assert "price" in model(trend, ("x", "price"), effects=None).fit().params
    lagged = frame.assign(own=frame["y"].groupby(level=0).shift()).dropna()
    with pytest.raises(CollinearityError, match="'own' is a linear combination of 'L1.y'"):
        model(lagged, ("x", "own"))


def test_periods_of_two_kinds_have_no_order(frame):
    renamed = frame.rename(index=lambda year: str(year) if year == 2003 else year, level=1)
    with pytest.raises(DataError, match=r"mixes text \('2003'\) and numbers \(2000, 2001 and"):
        model(renamed)


def test_a_panel_too_short_for_its_lags_says_how_long_it_must_be(frame):
    short = frame[frame.index.get_level_values(1) < 2003]
    with pytest.raises(EstimationError, match=r"spans 3 periods; lags=2 need at least 4"):
        model(short, lags=2)
    with pytest.raises(
        EstimationError, match=r"spans 3 periods; lags=1 and x_lags need at least 4"
    ):
        model(short, x_lags={"v": 2})
    with pytest.raises(EstimationError, match=r"gmm_lags begin at lag 9, .* spans 9 periods"):
        model(frame, gmm_lags=(9, None), endogenous="x")
    every_second = frame[frame.index.get_level_values(1).isin([2000, 2001, 2003, 2005, 2007])]
    with pytest.raises(EstimationError, match="No entity has two adjacent periods with all lags"):
        model(every_second)


def test_too_few_and_too_many_instruments_are_counted(frame):
    with pytest.raises(EstimationError, match=r"1 independent instruments for 2 parameters"):
        DifferenceGMM(frame["y"], lags=2, gmm_lags=(2, 2), collapse=True, effects=None)
    few = frame.loc[:6]
    with pytest.raises(EstimationError, match=r"There are \d+ instruments for \d+ rows of data"):
        model(few, endogenous=["x", "v"])


def test_more_instruments_than_entities_warn(frame):
    few = frame.loc[:20]
    with pytest.warns(DataWarning, match="30 instruments for 20 entities.*generalised inverse"):
        model(few, effects=None).fit()


def test_moments_that_are_singular_with_few_instruments_warn(frame):
    """Residuals of two entities alone, and every moment is in the plane of two points."""
    same = pd.concat([frame.loc[[2]].rename(index={2: i}) for i in range(5)])
    more = pd.concat([same, frame.loc[[3, 4]].rename(index={3: 8, 4: 9})])
    with pytest.warns(DataWarning, match=r"covariance matrix of the 4 moments is singular"):
        DifferenceGMM(
            more["y"], more[["x", "v"]], effects=None, gmm_lags=(2, 3), collapse=True
        ).fit()


def test_periods_must_have_one_spacing_and_text_years_are_read(frame):
    text = frame.copy()
    text.index = text.index.set_levels(text.index.levels[1].astype(str), level=1)
    assert model(text).fit().params.equals(model(frame).fit().params)
    odd = frame.copy()
    odd.index = odd.index.set_levels([2000, 2001.5, *range(2003, 2010)], level=1)
    with pytest.raises(DataError, match="Periods are not equally spaced"):
        model(odd)


def test_an_outcome_that_regressors_fit_exactly_is_refused(frame):
    exact = frame.assign(z=frame["y"] - 0.5 * frame["y"].groupby(level=0).shift()).dropna()
    with pytest.raises(EstimationError, match="fit 'y' exactly"):
        model(exact, ["z"], effects=None, gmm_lags=(2, 3)).fit()


# options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gmm_lags": (4, 2)}, r"gmm_lags=\(4, 2\) for 'y' ends before it begins. Type \(2, 4\)"),
        ({"gmm_lags": (1, 3)}, r"for 'y' begins at lag 1; lag 2 is the first"),
        ({"endogenous": "x", "gmm_lags": {"x": (1, 2)}}, r"'x' begins at lag 1; lag 2 is the"),
        ({"predetermined": "x", "gmm_lags": {"x": (0, 2)}}, "at least 1"),
        ({"gmm_lags": 2}, r"gmm_lags for 'y' is 2. Give first and last lag"),
        ({"gmm_lags": {"v": (2, 3)}}, r"names 'v', which has no GMM-style instruments"),
        ({"endogenous": ["xx"]}, r"endogenous names 'xx', which is not in x.*Did you mean 'x'"),
        ({"endogenous": ["y"]}, "endogenous names the outcome"),
        ({"endogenous": ["x"], "predetermined": ["x"]}, "'x' is both endogenous and"),
        ({"x_lags": {"z": 1}}, "x_lags names 'z'"),
        ({"x_lags": {"x": -1}}, r"x_lags\['x'\]=-1 must be a whole number of at least 0"),
        ({"lags": 0}, "lags=0 must be a whole number of at least 1"),
        ({"lags": 1.5}, "lags=1.5 must be a whole number"),
        ({"effects": "twoway"}, "effects='twoway' is not known"),
        ({"transformation": "diff"}, r"transformation='diff' is not known.*'difference'"),
        ({"first_step": "h"}, "first_step='h' is not known"),
        ({"collapse": ["v"]}, "collapse='v' is not known"),
    ],
)
def test_wrong_options_say_what_to_type(frame, options, words):
    with pytest.raises(OptionError, match=words):
        model(frame, **options)


def test_names_of_the_model_s_own_are_refused(frame):
    with pytest.raises(OptionError, match="named 'L1.y', as the model names one of its own"):
        model(frame.rename(columns={"v": "L1.y"}), ("x", "L1.y"))
    with pytest.raises(OptionError, match="named 'const'"):
        SystemGMM(frame["y"], frame[["x"]].assign(const=frame["v"]))
    with pytest.raises(OptionError, match="'v' is in x and in iv"):
        model(frame, iv=frame[["v"]])
    with pytest.raises(OptionError, match="iv_equation='diff' is not known"):
        SystemGMM(frame["y"], frame[["x"]], iv_equation="diff")


def test_wrong_options_of_fit(frame):
    made = model(frame)
    with pytest.raises(OptionError, match="steps=3 is not known"):
        made.fit(steps=3)
    with pytest.raises(OptionError, match="cov_type='clustered' is not known"):
        made.fit(cov_type="clustered")
    with pytest.raises(OptionError, match="ar_orders=0 must be"):
        made.fit(ar_orders=0)
    with pytest.raises(OptionError, match=r"group='iv' is not known.*'exogenous'"):
        made.fit().difference_in_hansen("iv")
    with pytest.raises(OptionError, match="Name at least one group"):
        made.fit().difference_in_hansen()
    with pytest.raises(EstimationError, match=r"Without the instruments of 'gmm\(y\)'"):
        made.fit().difference_in_hansen("gmm(y)")
    with pytest.raises(EstimationError, match="needs at least two entities"):
        one = simulated().loc[[1]]
        DifferenceGMM(one["y"], effects=None, gmm_lags=(2, 2), collapse=True).fit(small=True)


def test_formulas_name_columns_and_refuse_lags(frame):
    found = DifferenceGMM.from_formula("y ~ x + v", frame, predetermined=["x"], collapse=True).fit()
    expected = model(frame, predetermined=["x"], collapse=True).fit()
    pd.testing.assert_series_equal(found.params, expected.params)
    with pytest.raises(OptionError, match="rows of another entity"):
        DifferenceGMM.from_formula("y ~ lag(y) + x", frame)
    with pytest.raises(DataError, match="There is no column 'zz'"):
        DifferenceGMM.from_formula("y ~ x", frame, iv=["zz"])
    alone = DifferenceGMM.from_formula("y ~ 1", frame).fit()
    pd.testing.assert_series_equal(alone.params, DifferenceGMM(frame["y"]).fit().params)


def test_gaps_are_told_and_counted():
    frame = gaps()
    found = model(frame).fit()
    # 16 rows follow a hole: counted by hand from the years of each entity
    expected = sum(
        int((np.diff(np.sort(years.to_numpy())) > 1).sum())
        for _, years in frame.reset_index().groupby("id")["year"]
    )
    assert found.sample["gaps"] == expected == 16
    assert found.sample["rows_given"] == len(frame)
    assert "16 gaps within entities" in found.summary()
    assert "2 of 60 entities have no usable row" in found.summary()
    assert found.extra_statistics["n_entities"] == found.sample["entities_used"] == 58
    assert len(found.resids) == found.nobs == found.sample["rows_transformed"]


def test_one_step_needs_no_second_with_fewer_entities_than_parameters():
    """Just identified, so that the estimate is (Z'X)^-1 Z'y under any weights."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=(8, 12)).cumsum(axis=1)
    index = pd.MultiIndex.from_product([range(8), range(12)])
    gmm = DifferenceGMM(pd.Series(y.ravel(), index, name="y"), gmm_lags=(2, 2), collapse=True)
    with pytest.raises(EstimationError, match="8 entities say .* for 11 parameters.*steps=1"):
        gmm.fit()
    with pytest.warns(DataWarning, match="11 instruments for 8 entities"):
        found = gmm.fit(steps=1)
    dy = np.diff(y, axis=1)
    dummies = np.tile(np.eye(10), (8, 1))
    X = np.column_stack([dy[:, :-1].ravel(), dummies])
    Z = np.column_stack([y[:, :-2].ravel(), dummies])
    expected = np.linalg.solve(Z.T @ X, Z.T @ dy[:, 1:].ravel())[0]
    assert found.params["L1.y"] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(found.tests["hansen"].statistic)
