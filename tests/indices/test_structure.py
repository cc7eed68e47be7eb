import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, DataWarning, MissingValuesError, OptionError
from nqp_spatial.indices.structure import industrial_structure, primacy, rank_size
from tests import panels


def sizes(values, year=2020):
    index = pd.MultiIndex.from_product([range(1, len(values) + 1), [year]], names=["city", "year"])
    return pd.Series(values, index, dtype=float, name="people")


def one_group(size, name="G"):
    return pd.Series(name, index=size.index.get_level_values(0).unique())


def test_industrial_structure_by_hand():
    index = pd.MultiIndex.from_product([["甲", "乙"], [2020]])
    frame = pd.DataFrame({"s1": [0.1, 0], "s2": [0.4, 0], "s3": [0.5, 1]}, index)
    sectors = ["s1", "s2", "s3"]
    assert_allclose(industrial_structure(frame, sectors), [0.1 + 0.8 + 1.5, 3])
    assert_allclose(industrial_structure(frame * 70, sectors, values="amounts"), [2.4, 3])
    rounded = frame + np.array([[0.004, 0, 0], [0, 0, 0]])  # as yearbooks round: used as it is
    assert_allclose(industrial_structure(rounded, sectors), [2.404, 3])
    with pytest.raises(DataError, match=r"sum to 100 in \('甲', 2020\).*Divide per cent by 100"):
        industrial_structure(frame * 100, sectors)
    with pytest.raises(DataError, match=r"sum to 0.9 in \('甲', 2020\) and are not one in 1 row"):
        industrial_structure(frame - np.array([[0.1, 0, 0], [0, 0, 0]]), sectors)
    with pytest.raises(DataError, match="'s1' is negative in 1 row"):
        industrial_structure(frame - np.array([[0.2, 0, 0], [0, 0, 0]]), sectors)
    with pytest.raises(DataError, match="the sum of the sectors' is zero"):
        industrial_structure(frame.mul([1, 0], axis=0), sectors, values="amounts")
    with pytest.raises(OptionError, match="name two columns or more"):
        industrial_structure(frame, "s1")


def test_primacy_under_the_rank_size_rule():
    """P_r = P_1 / r: 2, 12/13 and 2 / (H_11 - 1) = 0.990169..."""
    size = sizes([1200 / r for r in range(1, 13)]).sample(frac=1, random_state=2)
    row = primacy(size, one_group(size)).loc[("G", 2020)]
    harmonic = sum(1 / r for r in range(2, 12))
    ratios = row[["primacy2", "primacy4", "primacy11"]].astype(float)
    assert_allclose(ratios, [2, 12 / 13, 2 / harmonic])
    assert row["leader"] == 1 and row["n_cities"] == 12


def test_the_leader_of_equals_does_not_depend_on_the_order_of_rows():
    size = sizes([3, 7, 7, 1])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 1, 3]):
        assert primacy(size.iloc[order], one_group(size))["leader"].tolist() == [2]


def test_small_groups_have_the_ratios_they_can():
    size = sizes([5, 4, 3, 2, 1])
    groups = pd.Series(["A", "A", "A", "B", "C"], index=range(1, 6))
    with pytest.warns(DataWarning, match=r"2 group\(s\) have no second city.*'B', 'C'"):
        table = primacy(size, groups)
    assert_allclose(table["primacy2"], [5 / 4, np.nan, np.nan])
    assert table["primacy4"].isna().all()
    with pytest.warns(DataWarning, match=r"2 group\(s\) have too few for a slope.*'B', 'C'"):
        table = rank_size(size, groups)
    assert table["exponent"].isna().tolist() == [False, True, True]
    assert table["structure"].isna().tolist() == [False, True, True]


def test_exponents_equal_lm():
    """tests/reference/indices.R: lm of ln(rank - 1/2) on ln size, and of ln size on ln rank."""
    data = panels.read("indices_data.csv", "city", "year")
    expected = panels.read("indices.csv", "case", "name")["value"]
    groups = pd.Series({city: city % 3 for city in range(1, 25)})
    rank, size = (rank_size(data["gdp"], groups, form=form) for form in ("rank", "size"))
    for g in range(3):
        for year in (1, 2, 3):
            key = str(year)
            zeta = expected[f"zeta_{g}", key]
            assert_allclose(rank.loc[(g, year), "exponent"], zeta, rtol=1e-10)
            assert_allclose(rank.loc[(g, year), "rsquared"], expected[f"zeta_r2_{g}", key])
            assert_allclose(rank.loc[(g, year), "std_error"], zeta * np.sqrt(2 / 8))
            assert_allclose(size.loc[(g, year), "exponent"], expected[f"q_{g}", key], rtol=1e-10)
            assert_allclose(size.loc[(g, year), "std_error"], expected[f"q_se_{g}", key])
            assert (size.loc[(g, year), "structure"] == "monocentric") == (
                expected[f"q_{g}", key] > 1
            )


@settings(deadline=None, max_examples=30)
@given(st.floats(0.3, 3), st.integers(3, 15), st.floats(1, 1e6))
def test_exact_power_laws(q, n, scale):
    size = sizes([scale * r**-q for r in range(1, n + 1)])
    row = rank_size(size, one_group(size), form="size").iloc[0]
    assert_allclose(row["exponent"], q, rtol=1e-9)
    assert_allclose(row["rsquared"], 1)
    row = rank_size(size, one_group(size), shift=0).iloc[0]
    assert_allclose(row["exponent"], 1 / q, rtol=1e-9)
    assert row["structure"] == ("monocentric" if 1 / row["exponent"] > 1 else "polycentric")


def test_one_centre_and_several():
    table = rank_size(
        pd.concat([sizes([1000, 100, 50, 40]), sizes([100, 95, 90, 85], 2021)]),
        pd.Series("G", index=range(1, 5)),
    )
    assert table["structure"].tolist() == ["monocentric", "polycentric"]


def test_bad_input_is_named():
    size = sizes([5, 4, 3])
    with pytest.raises(DataError, match=r"'people' is zero or negative .*\(2, 2020\) \(0\)"):
        primacy(size.where(size != 4, 0), one_group(size))
    with pytest.raises(MissingValuesError, match="'people' is empty in 1 of 3 rows"):
        rank_size(size.where(size != 4), one_group(size))
    with pytest.raises(DataError, match="No entity of groups is in the data"):
        primacy(size, pd.Series("G", index=[7, 8]))
    with pytest.raises(MissingValuesError, match=r"1 \(member, time\) pairs .*first \(4, 2020\)"):
        primacy(size, pd.Series("G", index=[1, 2, 3, 4]))
    with pytest.raises(OptionError, match="min_cities=2: two cities lie on a line"):
        rank_size(size, one_group(size), min_cities=2)
    with pytest.raises(OptionError, match="shift=1 is not"):
        rank_size(size, one_group(size), shift=1)
    with pytest.warns(DataWarning, match=r"All cities have one size in \('G', 2020\)"):
        rank_size(size * 0 + 3, one_group(size))
