"""Values into classes and colours."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nqp_spatial.exceptions import OptionError
from nqp_spatial.maps.classes import NEUTRAL, SCHEMES, classify


def lightness(colour):
    red, green, blue = mpl.colors.to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def is_warm(colour):
    red, _, blue = mpl.colors.to_rgb(colour)
    return red > blue


def test_quantile_limits_are_numpy_quantiles():
    values = np.random.default_rng(0).gamma(2.0, size=101)
    classes = classify(values, k=4)
    expected = np.quantile(values, [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose([high for _, high in classes.intervals], expected, rtol=1e-9)
    assert classes.counts == (26, 25, 25, 25)
    assert classes.intervals[0][0] == pytest.approx(values.min())


def test_equal_intervals_by_hand():
    classes = classify(np.arange(11.0), scheme="equal_interval", k=2)
    assert classes.intervals == ((0, 5), (5, 10))
    assert classes.codes.tolist() == [0] * 6 + [1] * 5
    assert classes.labels == ("0.0 – 5.0", "5.0 – 10.0") or classes.labels == ("0 – 5", "5 – 10")


@pytest.mark.parametrize("scheme", ["fisher_jenks", "natural_breaks"])
def test_natural_breaks_find_the_gaps_without_touching_the_random_state(scheme):
    values = np.array([1, 1.1, 1.2, 5, 5.1, 5.2, 9, 9.1, 9.2])
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert classify(values, scheme=scheme, k=3).codes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_given_limits_get_the_largest_value_behind_them():
    classes = classify(np.array([0.5, 1.0, 1.5, 4.0]), scheme=[1, 2])
    assert [high for _, high in classes.intervals] == [1, 2, 4]
    assert classes.codes.tolist() == [0, 0, 1, 2]
    assert classes.scheme == "given"


def test_rounding_noise_is_one_class():
    values = 0.2166666666666667 * (1 + 1e-15 * np.random.default_rng(1).normal(size=277))
    classes = classify(values)
    assert (classes.counts, classes.labels, classes.scheme) == ((277,), ("0.217",), "each")


def test_zero_is_a_limit_where_signs_differ_and_colours_keep_the_sign():
    values = np.linspace(-0.3, 0.7, 50)
    classes = classify(values)
    assert 0.0 in [high for _, high in classes.intervals]
    for (low, high), colour in zip(classes.intervals, classes.colours, strict=True):
        assert low >= 0 or high <= 0
        assert is_warm(colour) == (high > 0)
    pairs = list(zip(classes.intervals, classes.colours, strict=True))
    below = [lightness(colour) for (_, high), colour in pairs if high <= 0]
    above = [lightness(colour) for (_, high), colour in pairs if high > 0]
    assert below == sorted(below) and above == sorted(above, reverse=True)


def test_a_class_that_holds_both_signs_by_request_is_neutral():
    assert classify(np.array([-1.0, 1, 2]), scheme=[1, 2]).colours[0] == NEUTRAL


def test_negative_numbers_have_a_minus_sign_and_a_zero_class_is_neutral():
    classes = classify(np.array([-0.25, 0.0, 0.0]))
    assert classes.labels == ("−0.250", "0.000")
    assert classes.colours[1] == NEUTRAL
    assert not is_warm(classes.colours[0])


@pytest.mark.parametrize("scheme", SCHEMES)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60))
def test_every_value_lies_in_its_class(scheme, values):
    values = np.array(values)
    classes = classify(values, scheme=scheme, k=4)
    slack = 1e-9 * np.abs(values).max()
    for value, code in zip(values, classes.codes, strict=True):
        low, high = classes.intervals[code]
        assert low - slack <= value <= high + slack
    assert sum(classes.counts) == len(values)
    assert len(set(classes.labels)) == len(classes.labels)


def test_own_colours():
    values = np.arange(10.0)
    assert classify(values, k=2, colours=["white", "#b30000"]).colours == ("#ffffff", "#b30000")
    assert len(classify(values, k=4, colours=["white", "#b30000"]).colours) == 4
    assert len(set(classify(values, k=5, colours="viridis").colours)) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "quantile"}, "Did you mean 'quantiles'"),
        ({"scheme": [2, 1]}, "not a list of increasing class limits"),
        ({"scheme": [0.1, np.nan]}, "not a list of increasing class limits"),
        ({"k": 1}, "Type k=5"),
        ({"colours": "virdis"}, "Did you mean 'viridis'"),
        ({"colours": ["white", "url(x)"]}, r"url\(x\).*list of two or more colours"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(OptionError, match=message):
        classify(np.arange(10.0), **options)
