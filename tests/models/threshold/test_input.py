"""What PanelThreshold refuses, by its message."""

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
from nqp_spatial.models.threshold.model import PanelThreshold
from tests.models.threshold.panels import cities, model_of

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture
def frame():
    return cities(n_entities=12, n_periods=6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regime": "ino"}, r"regime has 'ino'.*Known are 'inno', 'edu'.*Did you mean 'inno'"),
        ({"regime": []}, "regime is empty"),
        ({"regime": 0}, "regime has '0', which is not a regressor"),
        ({"regime": ["edu", "edu"]}, "regime has 'edu' twice"),
        ({"threshold": "inn"}, r"threshold='inn' is not a column of x.*Did you mean 'inno'"),
        ({"effects": "city"}, r"effects='city' is not known"),
    ],
)
def test_unknown_names(frame, options, message):
    with pytest.raises(OptionError, match=message):
        model_of(frame, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresholds": 4}, "thresholds=4 is not 1, 2 or 3"),
        ({"thresholds": 0}, "thresholds=0"),
        ({"thresholds": True}, "thresholds=True"),
        ({"trim": 0.0}, r"trim=0\.0 is not a share between 0 and 0\.5"),
        ({"trim": 0.5}, r"trim=0\.5 is not a share"),
        ({"trim": 5}, "trim=5 is not a share"),
        ({"trim": np.nan}, "trim=nan is not a share"),
        ({"trim": "0.01"}, r"trim='0\.01' is neither"),
        ({"thresholds": 2, "trim": (0.01,)}, r"neither one share nor 2"),
        ({"thresholds": 2, "trim": (0.01, 0.6)}, r"trim=0\.6 is not a share"),
        ({"grid": 1}, "grid=1 quantiles are too few"),
        ({"grid": 0.5}, r"grid=0\.5 is not None"),
        ({"grid": True}, "grid=True is not None"),
        ({"grid": "all"}, "grid='all' is not None"),
        ({"grid": []}, r"grid=\[\] is not None"),
        ({"grid": [0.1, np.nan]}, "grid=.*nan.* is not None"),
        ({"refine": "full"}, "refine='full' is not known"),
        ({"cov_type": "hc3"}, "cov_type='hc3' is not known"),
    ],
)
def test_impossible_options(frame, options, message):
    with pytest.raises(OptionError, match=message):
        model_of(frame).fit(**options)


def test_missing_cells_are_named(frame):
    for column in ("nqp", "inno", "edu"):
        data = frame.copy()
        data.loc[("城市02", 2013), column] = np.nan
        with pytest.raises(MissingValuesError, match=rf"'{column}' is empty.*\('城市02', 2013\)"):
            model_of(data)
    q = frame["gap"].copy()
    q.iloc[7] = np.nan
    with pytest.raises(MissingValuesError, match=r"'gap' is empty.*\('城市01', 2012\)"):
        model_of(frame, threshold=q)


def test_threshold_variables_that_are_none(frame):
    gap = frame["gap"]
    with pytest.raises(ConstantColumnError, match="'gap' has the same value 2"):
        model_of(frame, threshold=gap * 0 + 2)
    with pytest.raises(InfiniteValuesError, match=r"'gap' is infinite.*\('城市00', 2011\)"):
        model_of(frame, threshold=gap.mask(gap.index == gap.index[0], np.inf))
    with pytest.raises(NotNumericError, match="'gap' holds text"):
        model_of(frame, threshold=gap.map(lambda value: f"about {value:.1f}"))
    with pytest.raises(DataError, match="threshold is a ndarray"):
        model_of(frame, threshold=gap.to_numpy())
    with pytest.raises(DataError, match="threshold is a DataFrame"):
        model_of(frame, threshold=frame[["gap"]])
    with pytest.raises(IdMismatchError, match=r"only in y.*\('城市00', 2011\)"):
        model_of(frame, threshold=gap.iloc[1:])
    with pytest.raises(DuplicateKeysError, match=r"\('城市00', 2011\)"):
        model_of(frame, threshold=pd.concat([gap, gap.iloc[:1]]))
    with pytest.raises(DataError, match="threshold is not indexed by"):
        model_of(frame, threshold=gap.reset_index(drop=True))


def test_a_threshold_variable_that_is_constant_in_time_is_said(frame):
    q = frame["gap"].groupby(level=0).transform("mean")
    with pytest.warns(DataWarning, match="'gap' is constant over time in every entity"):
        model = model_of(frame, threshold=q)
    result = model.fit(trim=0.1)
    regime = (q <= result.thresholds.loc[1, "estimate"]).groupby(level=0).nunique()
    assert (regime == 1).all()
    model_of(frame, threshold=q, effects="time")  # nothing to say


def test_one_period_leaves_nothing(frame):
    data = frame.xs(2012, level="year", drop_level=False)
    with pytest.raises(DataError, match=r"observed once.*\('城市00', 2012\)"):
        model_of(data)
    model_of(data, effects=None).fit(trim=0.2)


def test_a_grid_finer_than_the_variable(frame):
    q = frame["gap"].round(0)
    count = q.nunique()
    with pytest.raises(DataError, match=rf"grid=50.*'gap' has distinct values \({count}\)"):
        model_of(frame, threshold=q).fit(grid=50)


def test_too_few_values_between_the_trimmed_ends(frame):
    dummy = (frame["gap"] > 1.5).astype(float).rename("rare")
    share = dummy.mean()
    assert 0 < share < 0.2
    with pytest.raises(DataError, match=r"'rare' has 0 values that leave 0\.2 of the observations"):
        model_of(frame, threshold=dummy).fit(trim=0.2)
    with pytest.raises(DataError, match=r"'rare' has 1 values .* too few for 2 thresholds"):
        model_of(frame, threshold=dummy).fit(2)
    assert model_of(frame, threshold=dummy).fit().thresholds.loc[1, "estimate"] == 0


def test_no_room_for_a_second_threshold(frame):
    with pytest.raises(EstimationError, match=r"left for threshold 2: with trim=0\.45"):
        model_of(frame).fit(2, trim=(0.01, 0.45))


def test_given_values_outside_are_said(frame):
    with pytest.warns(
        DataWarning, match=r"2 of 4 values of grid leave less than 0\.1.*-3\.0, 9\.0"
    ):
        result = model_of(frame).fit(grid=[9.0, 0.4, -3.0, 0.6], trim=0.1)
    assert result.thresholds.loc[1, "estimate"] in (0.4, 0.6)


def test_a_regressor_that_vanishes_below_every_candidate(frame):
    data = frame.assign(inno=frame["inno"].where(frame["gap"] > 1, 0.0))
    with pytest.raises(EstimationError, match=r"No value of 'gap' identifies the slopes of 'inno'"):
        model_of(data, threshold=data["gap"]).fit(grid=[-0.5, 0.0, 0.5])


def test_candidates_that_identify_nothing_are_counted(frame):
    data = frame.assign(inno=frame["inno"].where(frame["gap"] > 0, 0.0))
    result = model_of(data, threshold=data["gap"]).fit(trim=0.1)
    count = int(((data["gap"] <= 0).sum()) - np.ceil(0.1 * len(data)) + 1)
    assert any(note.startswith(f"{count} of ") for note in result.notes)
    assert result.thresholds.loc[1, "estimate"] > 0


def test_collinear_regressors_are_named(frame):
    data = frame.assign(edu=2 * frame["inno"])
    with pytest.raises(CollinearityError, match="'edu' is a linear combination of 'inno'"):
        model_of(data)


def test_formula_without_its_threshold(frame):
    with pytest.raises(DataError, match=r"no column 'gapp'.*Did you mean 'gap'"):
        PanelThreshold.from_formula("nqp ~ inno", frame, threshold="gapp", regime="inno")
    with pytest.raises(OptionError, match="threshold is not a name"):
        PanelThreshold.from_formula("nqp ~ inno", frame, threshold=frame["gap"], regime="inno")


def test_numbers_of_thresholds_that_are_not_there(frame):
    result = model_of(frame).fit(trim=0.1)
    for number in (0, 2, True):
        with pytest.raises(OptionError, match="the model has 1 to 1"):
            result.lr(number)
    with pytest.raises(OptionError, match=r"one threshold. Type fit\(thresholds=2\)"):
        result.distinct()
    for level in (0, 1, 95):
        with pytest.raises(OptionError, match="between 0 and 1"):
            result.confidence_sets([level])
