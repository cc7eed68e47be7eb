import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import ConstantColumnError, DataError, MissingValuesError, OptionError
from nqp_spatial.indices.diversity import rta, rta_rows

KINDS = ["young", "gazelle", "unicorn"]


def firms(*rows):
    index = pd.MultiIndex.from_product([["甲", "乙", "丙"][: len(rows)], [2010]])
    return pd.DataFrame(rows, index, columns=KINDS)


def test_by_hand():
    """(1, 2, 3): sum of squares 2; (0, 0, 6): mean 2, sum of squares 24."""
    frame = firms((1, 2, 3), (0, 0, 6))
    assert_allclose(rta(frame, KINDS), [1, 1 / 12])
    assert_allclose(rta(frame, KINDS, ddof=0), [1.5, 1 / 8])


def test_equal_counts_are_an_error_or_the_cap():
    frame = firms((1, 2, 3), (4, 4, 4), (0, 0, 0))
    with pytest.raises(ConstantColumnError, match=r"2 of 3 row\(s\), first \('乙', 2010\)"):
        rta(frame, KINDS)
    assert_allclose(rta(frame, KINDS, cap=0.5), [0.5, 0.5, 0.5])
    assert_allclose(rta(frame, KINDS, cap=7.112), [1, 7.112, 7.112])


def test_equal_fractions_are_equal():
    """0.1 + 0.2 is not 0.3: three times 0.1 has no variance although rounding gives one."""
    for row in ((0.1, 0.1, 0.1), (0.1 + 0.2, 0.3, 0.3)):
        with pytest.raises(ConstantColumnError):
            rta(firms(row), KINDS)


def test_bad_input_is_named():
    with pytest.raises(DataError, match=r"'gazelle' is negative in 1 row.*\('乙', 2010\) \(-1\)"):
        rta(firms((1, 2, 3), (1, -1, 2)), KINDS)
    with pytest.raises(MissingValuesError, match="'unicorn' is empty in 1 of 2 rows"):
        rta(firms((1, 2, 3), (1, 1, np.nan)), KINDS)
    with pytest.raises(OptionError, match="a variance needs two columns"):
        rta(firms((1, 2, 3)), ["young"])
    with pytest.raises(OptionError, match="cap=inf"):
        rta(firms((1, 2, 3)), KINDS, cap=np.inf)
    with pytest.raises(DataError, match="no column 'gazele'.*Did you mean 'gazelle'"):
        rta(firms((1, 2, 3)), ["young", "gazele"])


def test_rows_at_the_cap_are_counted():
    frame = firms((1, 2, 3), (4, 4, 4), (9, 9, 9.5))
    found = rta_rows(frame, KINDS, cap=5.0)
    assert found["rows"].to_dict() == {"all": 3, "equal counts": 1, "at the cap": 2}
    assert rta_rows(firms((1, 2, 3)), KINDS)["rows"].tolist() == [1, 0, 0]
