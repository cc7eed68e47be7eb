import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import DataError, MissingValuesError, OptionError
from nqp_spatial.indices.patents import co_patents
from nqp_spatial.weights import flows

ROWS = [
    ("P1", "南京", 2020),
    ("P1", "苏州", 2020),
    ("P1", "苏州", 2020),  # two applicants of one city
    ("P2", "南京", 2020),
    ("P2", "苏州", 2020),
    ("P2", "上海", 2020),
    ("P3", "南京", 2020),
    ("P3", "武汉", 2020),
    ("P4", "上海", 2021),
    ("P4", "苏州", 2021),
    ("P5", "武汉", 2021),
]


@pytest.fixture
def table():
    return pd.DataFrame(ROWS, columns=["application", "city", "year"])


@pytest.fixture
def groups():
    return pd.Series({"南京": "长三角", "苏州": "长三角", "上海": "长三角", "武汉": "长江中游"})


def test_full_counts_by_hand(table):
    result = co_patents(table)
    assert result.counts.xs(2020, level="year").to_dict() == {
        "上海": 1,
        "南京": 3,
        "武汉": 1,
        "苏州": 2,
    }
    assert result.counts.loc[("武汉", 2021)] == 0  # P5 is of one city
    flow = result.flows.set_index(["origin", "destination", "time"])["value"]
    assert flow.to_dict() == {
        ("上海", "南京", 2020): 1,
        ("上海", "苏州", 2020): 1,
        ("上海", "苏州", 2021): 1,
        ("南京", "武汉", 2020): 1,
        ("南京", "苏州", 2020): 2,
    }
    assert result.report.to_dict() == {
        "applications": 5,
        "of one city": 1,
        "joint": 4,
        "counted": 4,
        "not counted": 0,
        "repeated rows": 1,
    }


def test_only_cooperation_inside_an_agglomeration(table, groups):
    result = co_patents(table, groups=groups)
    assert result.counts.loc[("南京", 2020)] == 2 and result.counts.loc[("武汉", 2020)] == 0
    assert "武汉" not in set(result.flows["origin"]) | set(result.flows["destination"])
    assert result.report["counted"] == 3 and result.report["not counted"] == 1


def test_fractional_counts_share_an_application(table):
    result = co_patents(table, counting="fractional")
    assert_allclose(result.counts.loc[("南京", 2020)], 1 / 2 + 1 / 3 + 1 / 2)
    assert_allclose(result.counts.sum(), 4)
    assert_allclose(result.flows["value"].sum(), 4)
    flow = result.flows.set_index(["origin", "destination", "time"])["value"]
    assert_allclose(flow["南京", "苏州", 2020], 1 + 1 / 3)


def test_cities_in_two_agglomerations_count_once(table):
    both = pd.DataFrame(
        [(g, c) for g in ("A", "B") for c in ("南京", "苏州")], columns=["agglomeration", "adcode"]
    )
    assert co_patents(table, groups=both).counts.loc[("南京", 2020)] == 2
    shared = co_patents(table, groups=both, counting="fractional")
    assert_allclose(shared.counts.loc[("南京", 2020)], 1 / 2 + 1 / 2)
    assert_allclose(shared.flows["value"].sum(), 2)


def test_the_panel_of_the_counts_is_yours(table):
    result = co_patents(table, entities=["南京", "苏州", "无锡"], periods=[2019, 2020])
    assert result.counts.loc[("无锡", 2019)] == 0 and len(result.counts) == 6
    assert result.counts.loc[("南京", 2020)] == 2  # P3 was with 武汉 only
    assert list(result.left_out) == ["上海", "武汉"]
    tally = result.tally()
    assert tally.loc["cities outside the panel", "number"] == 2
    assert tally["number"].iloc[:-1].to_dict() == result.report.to_dict()


def test_per_head_and_flows_to_weights(table):
    result = co_patents(table)
    people = result.counts * 0 + 200
    assert_allclose(result.per_head(people, scale=100).loc[("南京", 2020)], 1.5)
    graph = flows(result.flow_table(), symmetric=True)
    assert graph["上海"]["苏州"] == graph["苏州"]["上海"] == 2
    window = result.flow_table((2021, 2021))
    assert window.to_numpy().tolist() == [["上海", "苏州", 1.0]]
    with pytest.raises(OptionError, match=r"window=\(2030, 2031\) holds no flow"):
        result.flow_table((2030, 2031))
    with pytest.raises(MissingValuesError, match=r"no value for 1 .*\('上海', 2020\)"):
        result.per_head(people.iloc[1:])
    with pytest.raises(DataError, match="zero or negative in 8 row"):
        result.per_head(people * 0)


teams = st.lists(st.sets(st.sampled_from("abcde"), min_size=1, max_size=5), min_size=1, max_size=8)


@settings(deadline=None, max_examples=40)
@given(teams, st.randoms())
def test_totals(teams, random):
    rows = [(k, c, 2020) for k, team in enumerate(teams) for c in team]
    joint = [team for team in teams if len(team) > 1]
    random.shuffle(rows)
    table = pd.DataFrame(rows, columns=["application", "city", "year"])
    if not joint:
        with pytest.raises(DataError, match="applications is joint"):
            co_patents(table)
        return
    full, part = co_patents(table), co_patents(table, counting="fractional")
    assert full.counts.sum() == sum(map(len, joint))
    assert full.flows["value"].sum() == sum(len(t) * (len(t) - 1) / 2 for t in joint)
    assert_allclose([part.counts.sum(), part.flows["value"].sum()], len(joint))


def test_labels_of_a_category_are_those_of_their_text(table):
    found = co_patents(table.astype({"city": "category", "application": "category"}))
    expected = co_patents(table)
    pd.testing.assert_series_equal(found.counts, expected.counts)
    pd.testing.assert_frame_equal(found.flows, expected.flows)


def test_bad_input_is_named(table):
    with pytest.raises(MissingValuesError, match=r"'city' is empty in 1 row\(s\) .*first 3"):
        co_patents(table.assign(city=table["city"].where(table.index != 3)))
    with pytest.raises(DataError, match="1 applications have more than one 'year', first 'P1'"):
        co_patents(table.assign(year=table["year"].where(table.index != 0, 2019)))
    with pytest.raises(DataError, match="no column 'patent'"):
        co_patents(table, application="patent")
    with pytest.raises(DataError, match="The table of applications is empty"):
        co_patents(table.iloc[:0])
    with pytest.raises(DataError, match="None of entities= is in the table: it has '南京'"):
        co_patents(table, entities=[320100])
    with pytest.raises(DataError, match=r"None of periods= .* has '2020'. .*types differ"):
        co_patents(table, periods=["2020"])
    with pytest.raises(DataError, match=r"'city' has labels of several types, such as .*, 7"):
        co_patents(table.assign(city=table["city"].replace("武汉", 7)))
    with pytest.raises(DataError, match="None of 11 applications is joint"):
        co_patents(table.assign(application=range(11)))
    with pytest.raises(OptionError, match="counting='half'"):
        co_patents(table, counting="half")
