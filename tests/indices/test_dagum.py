import libpysal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, DuplicateKeysError, MissingValuesError
from nqp_spatial.indices import dagum_gini
from nqp_spatial.indices.inequality import gini
from tests import panels

# Printed in the documentation of pysal's inequality 1.1.2 (Gini) for output per head of the 32
# Mexican states in 1940; there without the factor n / (n - 1), as here.
MEXICO_1940 = 0.35372371173452849


def by_the_paper(y, group):
    """The definitions of Dagum (1997), by loops over pairs of units; equal weights."""
    names, n, mean = sorted(set(group)), len(y), np.mean(y)
    units = {g: [v for v, own in zip(y, group, strict=True) if own == g] for g in names}
    p = {g: len(units[g]) / n for g in names}
    s = {g: sum(units[g]) / (n * mean) for g in names}

    def between(g, h):
        apart = sum(abs(a - b) for a in units[g] for b in units[h])
        means = np.mean(units[g]) + np.mean(units[h])
        return apart / (len(units[g]) * len(units[h]) * means) if means else 0.0

    within = sum(between(g, g) * p[g] * s[g] for g in names)
    net = overlap = 0.0
    for j, g in enumerate(names):
        for h in names[:j]:
            rich, poor = sorted((g, h), key=lambda k: -np.mean(units[k]))
            pairs = [(a, b) for a in units[rich] for b in units[poor]]
            d = sum(a - b for a, b in pairs if a > b) / len(pairs)
            first = sum(b - a for a, b in pairs if b > a) / len(pairs)
            affluence = (d - first) / (d + first) if d + first else 0.0
            both = between(g, h) * (p[g] * s[h] + p[h] * s[g])
            net, overlap = net + both * affluence, overlap + both * (1 - affluence)
    return within, net, overlap


def frame(values, groups, time=2020):
    names = [f"c{i:03d}" for i in range(len(values))]
    index = pd.MultiIndex.from_product([names, [time]], names=["city", "year"])
    return pd.Series(np.asarray(values, float), index, name="y"), pd.Series(list(groups), names)


@pytest.fixture(scope="module")
def gdp():
    return panels.read("indices_data.csv", "city", "year")["gdp"]


@pytest.fixture(scope="module")
def regions(gdp):
    cities = gdp.index.unique(0)
    return pd.Series([f"r{i % 3}" for i in cities], cities)


def test_equals_the_formulas_of_the_paper(gdp, regions):
    found = dagum_gini(gdp, regions)
    for year, row in found.decomposition.iterrows():
        y = gdp.xs(year, level=1)
        expected = by_the_paper(y.to_numpy(), regions[y.index].to_numpy())
        assert_allclose(row[["within", "between", "transvariation"]], expected, rtol=1e-12)
        assert_allclose(row["gini"], sum(expected), rtol=1e-12)
        shares = row[["within_share", "between_share", "transvariation_share"]]
        assert_allclose(shares, np.array(expected) / sum(expected), rtol=1e-12)


def test_the_whole_is_the_gini_of_pysal():
    table = pd.read_csv(libpysal.examples.get_path("mexico.csv"))
    values, groups = frame(table["pcgdp1940"], table["hanson98"])
    found = dagum_gini(values, groups)
    assert_allclose(found.decomposition["gini"], MEXICO_1940, rtol=1e-14)
    assert found.groups.index.unique(0).tolist() == sorted(table["hanson98"].unique())


def test_two_groups_that_do_not_overlap_have_no_transvariation():
    values, groups = frame([1, 2, 10, 12], "aabb")
    found = dagum_gini(values, groups)
    pair = found.pairs.loc[("a", "b", 2020)]
    # E|y - z| = 9.5 and means 1.5 and 11; both Gini within by hand: 1/4/1.5·... = 1/6 and 1/22
    assert_allclose(pair[["gini", "affluence", "transvariation"]], [9.5 / 12.5, 1, 0], atol=1e-15)
    assert_allclose(found.groups["gini"], [1 / 6, 1 / 22], rtol=1e-14)
    assert_allclose(found.groups["total_share"], [3 / 25, 22 / 25], rtol=1e-14)


def test_groups_of_equal_means_have_transvariation_only():
    values, groups = frame([1, 3, 2, 2], "aabb")
    row = dagum_gini(values, groups).decomposition.loc[2020]
    assert row["between"] == 0 and row["transvariation"] > 0


cities = st.lists(
    st.tuples(st.floats(0, 1e6), st.sampled_from("abc"), st.floats(0.01, 100)), min_size=2
).filter(lambda rows: sum(row[0] for row in rows) > 1e-3)


@settings(deadline=None, max_examples=60)
@given(rows=cities)
def test_parts_add_up_to_the_gini_and_are_none_of_them_negative(rows):
    y, group, p = zip(*rows, strict=True)
    values, groups = frame(y, group)
    weights = pd.Series(p, values.index, name="p")
    found = dagum_gini(values, groups, weights=weights).decomposition.iloc[0]
    parts = found[["within", "between", "transvariation"]]
    assert_allclose(parts.sum(), gini(np.array(y), np.array(p)), rtol=1e-9, atol=1e-12)
    assert (parts >= 0).all() and found["gini"] < 1


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(rows=cities, factor=st.floats(0.01, 1e4), seed=st.integers(0, 99))
def test_what_leaves_it_as_it_is(rows, factor, seed):
    """Units, order and names of cities, names of groups, each city twice, weights times a number"""
    y, group, _ = zip(*rows, strict=True)
    values, groups = frame(y, group)
    base = dagum_gini(values, groups).decomposition
    shuffled = values.sample(frac=1, random_state=seed)
    twice, both = frame([*y, *y], [*group, *group])
    renamed = groups.map({"a": "z", "b": "y", "c": "x"})
    weights = pd.Series(factor, values.index, name="p")
    for other in (
        dagum_gini(values * factor, groups),
        dagum_gini(shuffled, groups),
        dagum_gini(twice, both),
        dagum_gini(values, renamed),
        dagum_gini(values, groups, weights=weights),
    ):
        assert_allclose(other.decomposition, base, rtol=1e-8, atol=1e-10)


def test_weights_are_repeated_cities():
    values, groups = frame([1, 4, 2, 9, 5], "aabbb")
    weights = pd.Series([1, 3, 2, 1, 1], values.index, name="people")
    found = dagum_gini(values, groups, weights=weights).decomposition
    repeated = frame([1, 4, 4, 4, 2, 2, 9, 5], "aaaabbbb")
    assert_allclose(found, dagum_gini(*repeated).decomposition, rtol=1e-13)


def test_tables_as_papers_print_them(gdp, regions):
    found = dagum_gini(gdp, regions)
    assert found.within_groups().columns.tolist() == ["r0", "r1", "r2"]
    assert found.between_groups().columns.tolist() == ["r0 - r1", "r0 - r2", "r1 - r2"]
    assert found.within_groups().index.tolist() == [1, 2, 3]
    assert list(found.frames) == ["dagum", "dagum-within", "dagum-between"]
    assert_allclose(found.within_groups().loc[2, "r1"], found.groups.loc[("r1", 2), "gini"])
    within = found.groups["contribution"].groupby(level=1).sum()
    assert_allclose(within, found.decomposition["within"], rtol=1e-13)
    for part in ("between", "transvariation"):
        sums = found.pairs[part].groupby(level=2).sum()
        assert_allclose(sums, found.decomposition[part], rtol=1e-13)


def test_one_group_is_all_within():
    values, groups = frame([1, 2, 5], "aaa")
    found = dagum_gini(values, groups)
    assert found.pairs.empty and list(found.frames) == ["dagum", "dagum-within"]
    assert found.decomposition["within_share"].tolist() == [1.0]
    assert_allclose(found.decomposition["gini"], gini(np.array([1.0, 2, 5])), rtol=1e-14)


def test_equal_values_have_no_inequality_and_no_shares():
    values, groups = frame([3, 3, 3], "aab")
    row = dagum_gini(values, groups).decomposition.iloc[0]
    assert row[:4].tolist() == [0, 0, 0, 0] and row[4:].isna().all()


def test_a_group_may_come_later():
    one, groups = frame([1, 2, 3], "aab", 2020)
    two = one[one.index.get_level_values(0) != "c002"].rename(index={2020: 2019}, level=1)
    found = dagum_gini(pd.concat([one, two]), groups)
    assert found.groups.index.tolist() == [("a", 2019), ("a", 2020), ("b", 2020)]
    assert found.within_groups().isna().sum().tolist() == [0, 1]


def test_what_has_no_gini_is_refused():
    values, groups = frame([0, 0, 0], "aab")
    with pytest.raises(DataError, match="All values of 'y' are zero in period 2020"):
        dagum_gini(values, groups)
    values, groups = frame([1, -2, 3], "aab")
    with pytest.raises(DataError, match=r"'y' is negative.*\('c001', 2020\)"):
        dagum_gini(values, groups)
    values, groups = frame([1, 2, 3], "aab")
    with pytest.raises(DataError, match="'p' is zero or negative"):
        dagum_gini(values, groups, weights=(values - 1).rename("p"))
    with pytest.raises(MissingValuesError, match="have no group: 'c002'"):
        dagum_gini(values, groups.iloc[:2])
    with pytest.raises(DuplicateKeysError, match="more than one group"):
        dagum_gini(values, pd.concat([groups, pd.Series(["b"], ["c000"])]))
