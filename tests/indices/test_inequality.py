import libpysal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    DuplicateKeysError,
    MissingValuesError,
    OptionError,
)
from nqp_spatial.indices.inequality import (
    contributions,
    gap,
    gini,
    inequality,
    pairwise_gap,
    period_means,
    theil_decomposition,
)
from nqp_spatial.indices.location import location_quotient
from nqp_spatial.indices.structure import primacy
from tests import panels

# Printed in the documentation of pysal's inequality 1.1.2 (Theil, TheilD) for output per head of
# the 32 Mexican states, 1940 to 2000, regimes hanson98: total, between, within.
THEIL = [0.20894344, 0.15222451, 0.10472941, 0.10194725, 0.09560113, 0.10511256, 0.10660832]
BETWEEN = [0.0345889, 0.02816853, 0.05260921, 0.05931219, 0.03205257, 0.02963731, 0.03635872]
WITHIN = [0.17435454, 0.12405598, 0.0521202, 0.04263506, 0.06354856, 0.07547525, 0.0702496]


@pytest.fixture(scope="module")
def mexico():
    table = pd.read_csv(libpysal.examples.get_path("mexico.csv")).set_index("State")
    years = range(1940, 2010, 10)
    wide = table[[f"pcgdp{year}" for year in years]].set_axis(years, axis=1)
    values = wide.stack().rename_axis(["state", "year"]).rename("pcgdp").astype(float)
    return values, table["hanson98"]


@pytest.fixture(scope="module")
def gdp():
    return panels.read("indices_data.csv", "city", "year")["gdp"]


@pytest.fixture(scope="module")
def expected():
    """tests/reference/indices.R: package ineq."""
    return panels.read("indices.csv", "case", "name")["value"]


def test_measures_equal_package_ineq(gdp, expected):
    table = inequality(gdp)
    for name in ("theil_t", "theil_l", "gini", "cv"):
        assert_allclose(table[name], expected[name][["1", "2", "3"]], rtol=1e-12)
    assert table["n_cities"].tolist() == [24] * 3 and table.index.name == "year"


def test_decomposition_equals_pysal(mexico):
    values, regimes = mexico
    table = theil_decomposition(values, regimes)
    assert_allclose(table["total"], THEIL, atol=5.1e-9)  # eight printed decimals
    assert_allclose(table["between"], BETWEEN, atol=5.1e-9)
    assert_allclose(table["within"], WITHIN, atol=5.1e-9)
    assert_allclose(inequality(values)["theil_t"], THEIL, atol=5.1e-9)


def test_small_inequality_keeps_its_digits():
    """Two incomes m - h and m + h; the series of ln(1 + d), d = h / m, taken to its third term."""
    for d in (1e-3, 1e-6, 1e-8):
        values = 2.0**30 * np.array([1 - d, 1 + d])
        d = (values[1] - values[0]) / values.sum()
        T = d**2 / 2 + d**4 / 12 + d**6 / 30  # of ((1 + d) ln(1 + d) + (1 - d) ln(1 - d)) / 2
        L = d**2 / 2 + d**4 / 4 + d**6 / 6  # of -ln(1 - d²) / 2
        frame = pd.Series(values, pd.MultiIndex.from_product([["a", "b"], [2020]]))
        row = inequality(frame).loc[2020]
        assert_allclose(row[["theil_t", "theil_l", "gini", "cv"]], [T, L, d / 2, d], rtol=1e-7)
        parts = theil_decomposition(frame, pd.Series({"a": 1, "b": 2})).loc[2020]
        assert_allclose(parts[["total", "between"]], T, rtol=1e-7)
        assert parts["within"] == 0


def two(values, groups, names=("甲", "乙", "丙")):
    index = pd.MultiIndex.from_product([names, [2020]], names=["city", "year"])
    return pd.Series(values, index, dtype=float, name="y"), pd.Series(groups, list(names))


def test_a_decomposition_in_two_frames():
    y, groups = two([1, 3, 8], [1, 1, 2])
    table = theil_decomposition(y, groups)
    parts = contributions(table)
    assert list(parts["theil-decomposition"]) == ["total", "within", "between", "within_share"]
    assert parts["theil-contributions"].index.tolist() == ["1", "2"]
    assert_allclose(parts["theil-contributions"].sum(), table["within"], rtol=1e-14)


def test_means_by_period():
    y, groups = two([1, 3, 8], [1, 1, 2])
    table = inequality(y, groups=groups)
    assert_allclose(period_means(table).loc[2020], table.mean(), rtol=1e-15)
    assert period_means(inequality(y)) is not None and len(period_means(inequality(y))) == 1


def test_by_hand():
    """y = 1, 3, 8, mean 4; groups {1, 3} (mean 2) and {8}."""
    y, groups = two([1, 3, 8], ["A", "A", "B"])
    row = inequality(y).loc[2020]
    assert_allclose(row["gini"], (2 + 7 + 5) * 2 / 9 / (2 * 4))
    assert_allclose(row["cv"], np.sqrt((9 + 1 + 16) / 3) / 4)
    within = (4 / 12) * (0.25 * np.log(0.5) + 0.75 * np.log(1.5))
    between = (4 / 12) * np.log(0.5) + (8 / 12) * np.log(2)
    table = theil_decomposition(y, groups).loc[2020]
    assert_allclose(
        table[["within", "between", "within: A", "within: B"]].astype(float),
        [within, between, within, 0],
        atol=1e-15,
    )
    by = inequality(y, groups=groups)
    assert_allclose(by.loc[("A", 2020), "gini"], 2 * 2 / 4 / (2 * 2))
    assert_allclose(
        by.loc[("B", 2020), ["theil_t", "theil_l", "gini", "cv"]].astype(float), 0, atol=1e-15
    )


def test_gap_by_hand():
    y, groups = two([1, 3, 8], ["A", "A", "B"])
    table = gap(y, groups)
    assert_allclose(table["ratio"], [0.5, 1.5, 1])
    assert_allclose(table["log_gap"], [np.log(2), np.log(1.5), 0])
    people = y * 0 + [3, 1, 1]
    assert_allclose(gap(y, groups, weights=people)["reference"], [1.5, 1.5, 8])
    assert_allclose(gap(y, groups, reference="max")["ratio"], [1 / 3, 1, 1])


positive = st.floats(0.01, 1e4)
rows = st.lists(st.tuples(positive, positive, st.sampled_from("ABC")), min_size=3, max_size=12)


@settings(deadline=None, max_examples=50)
@given(rows, positive)
def test_parts_add_up_and_scale_does_not_matter(rows, scale):
    index = pd.MultiIndex.from_product([range(len(rows)), [1]])
    y = pd.Series([r[0] for r in rows], index)
    p = pd.Series([r[1] for r in rows], index)
    groups = pd.Series([r[2] for r in rows])
    for kind, name in (("T", "theil_t"), ("L", "theil_l")):
        part = theil_decomposition(y, groups, weights=p, kind=kind)
        assert_allclose(part["within"] + part["between"], part["total"], rtol=1e-9, atol=1e-12)
        assert_allclose(part["total"], inequality(y, weights=p)[name], rtol=1e-12, atol=1e-15)
        assert (part[["within", "between"]] > -1e-12).all(axis=None)
    assert_allclose(
        inequality(y * scale, weights=p), inequality(y, weights=p), rtol=1e-7, atol=1e-9
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(positive, st.integers(1, 4)), min_size=2, max_size=8))
def test_weights_are_repetitions(pairs):
    y, times = np.array([v for v, _ in pairs]), np.array([n for _, n in pairs])
    repeated = np.repeat(y, times)
    assert_allclose(gini(y, times.astype(float)), gini(repeated), atol=1e-12)
    apart = np.abs(repeated[:, None] - repeated).mean() / (2 * repeated.mean())  # the definition
    assert_allclose(gini(repeated), apart, atol=1e-12)


def test_the_shape_of_what_is_given_is_said():
    y, groups = two([1, 2, 3], ["A", "A", "B"])
    both = y.to_frame().assign(z=1.0)
    with pytest.raises(DataError, match="values has 2 columns. Give one"):
        inequality(both)
    with pytest.raises(DataError, match="size has 2 columns. Give one"):
        primacy(both, groups)
    with pytest.raises(DataError, match="values has no rows"):
        inequality(y.iloc[:0])
    with pytest.raises(DataError, match="More than one column is named 'y'"):
        location_quotient(pd.concat([y, y], axis=1))
    assert_allclose(inequality(y.to_frame()), inequality(y))


def test_bad_input_is_named():
    y, groups = two([1, 3, 8], ["A", "A", "B"])
    with pytest.raises(DataError, match=r"'y' is zero or negative.*first \('乙', 2020\) \(0\)"):
        inequality(y.where(y != 3, 0))
    with pytest.raises(MissingValuesError, match=r"'y' is empty in 1 of 3 rows.*\('丙', 2020\)"):
        gap(y.where(y < 8), groups)
    with pytest.raises(MissingValuesError, match="1 entities of the data have no group: '丙'"):
        theil_decomposition(y, groups.drop("丙"))
    with pytest.raises(MissingValuesError, match="1 entities have an empty group label: '丙'"):
        gap(y, groups.where(groups == "A"))
    both = pd.concat([groups, pd.Series({"甲": "B"})])
    with pytest.raises(DuplicateKeysError, match="1 entities are in more than one group: '甲'"):
        theil_decomposition(y, both)
    assert inequality(y, groups=both).loc[("B", 2020), "n_cities"] == 2
    with pytest.raises(DuplicateKeysError, match=r"Groups list \('甲', 'A'\) more than once"):
        inequality(y, groups=pd.concat([groups, groups.iloc[:1]]))
    with pytest.raises(OptionError, match='weights= goes with reference="mean"'):
        gap(y, groups, reference="max", weights=y)
    with pytest.raises(DataError, match="do not have the same rows"):
        inequality(y, weights=y.iloc[:2])
    with pytest.raises(MissingValuesError, match="ids are the same but their types differ"):
        gap(y.rename(index={"甲": 1, "乙": 2, "丙": 3}), pd.Series("A", index=["1", "2", "3"]))
    with pytest.raises(DataError, match="groups is a list"):
        gap(y, ["A", "A", "B"])


def test_groups_outside_the_data_are_said():
    y, groups = two([1, 3, 8], ["A", "A", "B"])
    more = pd.concat([groups, pd.Series({"丁": "C"})])
    with pytest.warns(DataWarning, match="1 group.* no city in the data .*: 'C'"):
        assert list(inequality(y, groups=more).index.get_level_values(0)) == ["A", "B"]
    partly = pd.concat([groups, pd.Series({"丁": "B"})])
    with pytest.raises(MissingValuesError, match=r"not in the data, first \('丁', 2020\)"):
        inequality(y, groups=partly)


def test_gap_to_each_other_city(gdp):
    groups = pd.Series([f"r{i % 3}" for i in gdp.index.unique(0)], gdp.index.unique(0))
    logs = np.log(gdp)
    for own in (None, groups):
        found = pairwise_gap(gdp.sample(frac=1, random_state=0), own)
        for (city, year), value in found.items():
            others = logs.xs(year, level=1).drop(city)
            if own is not None:
                others = others[own[others.index] == own[city]]
            assert_allclose(value, (others - logs[city, year]).abs().mean(), rtol=1e-11)
    assert_allclose(pairwise_gap(gdp * 7), pairwise_gap(gdp), rtol=1e-10)
    alone = groups.where(groups.index != 1, "alone")
    with pytest.raises(DataError, match=r"no other city to compare with, first \(1, 1\)"):
        pairwise_gap(gdp, alone)
    with pytest.raises(DataError, match="has no logarithm"):
        pairwise_gap(gdp - gdp.min())
