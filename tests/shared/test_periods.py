"""The order of periods in time: spellings, categories, and text that has none."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, DataWarning
from nqp_spatial.panel.clock import Clock
from nqp_spatial.shared.periods import looks_like_time, order_of, ranks_of


def drawn(n, n_periods):
    """y, x1, x2 of entities named by number, in years."""
    index = pd.MultiIndex.from_product([range(1, n + 1), range(2001, 2001 + n_periods)])
    values = np.random.default_rng(5).standard_normal((len(index), 3))
    return pd.DataFrame(values, index, ["y", "x1", "x2"])


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SPELLINGS = {
    "whole numbers": [str(k) for k in range(5, 17)],
    "years": [f"{1999 + k}年" for k in range(12)],
    "months": [f"2020-{k}" for k in range(1, 13)],
    "months over years": [f"{2019 + k // 6}-{k % 6 + 7}" for k in range(6)],
    "months in Chinese": [f"2020年{k}月" for k in range(1, 13)],
    "Stata's months": [f"2020m{k}" for k in range(1, 13)],
    "month first": [f"{k}/2020" for k in range(1, 13)],
    "quarters": [f"{2010 + k // 4}Q{k % 4 + 1}" for k in range(12)],
    "quarters first": [f"Q{k % 4 + 1} {2010 + k // 4}" for k in range(12)],
    "quarters in Chinese": [f"{2010 + k // 4}年第{'一二三四'[k % 4]}季度" for k in range(12)],
    "halves": [f"{2010 + k // 2}h{k % 2 + 1}" for k in range(12)],
    "names": MONTHS,
    "numbered": [f"t{k}" for k in range(1, 13)],
    "dates": [f"2020-{k}-1" for k in range(1, 13)],
    "dates in Chinese": [f"2020年{k}月1日" for k in range(1, 13)],
}


@pytest.mark.parametrize("name", list(SPELLINGS))
def test_text_that_says_when_is_ordered_and_spaced(name):
    labels = pd.Index(SPELLINGS[name])
    mixed = labels[np.random.default_rng(1).permutation(len(labels))]
    assert list(mixed[order_of(mixed)]) == list(labels)
    assert Clock(labels).even
    gap = labels.delete(2)
    assert list(Clock(gap).position[:3]) == [0, 1, 3]


@pytest.mark.parametrize("name", list(SPELLINGS))
def test_results_do_not_depend_on_how_periods_are_written(name):
    """The same panel with years, and with text for them: differences, lags, errors, trends."""
    labels = SPELLINGS[name]
    panel = drawn(8, len(labels))
    years = panel.index.get_level_values(1)
    names = dict(zip(sorted(years.unique()), labels, strict=True))
    other = panel.set_axis(
        pd.MultiIndex.from_arrays([panel.index.get_level_values(0), years.map(names)])
    ).sample(frac=1, random_state=0)
    x = ["x1", "x2"]

    def answers(d):
        fe = nqp.FixedEffects(d["y"], d[x], effects="entity", trends="entity")
        return [
            nqp.FirstDifference(d["y"], d[x]).fit(cov_type="robust").params,
            nqp.FixedEffects(d["y"], d[x]).fit(cov_type="driscoll-kraay").std_errors,
            fe.fit(cov_type="unadjusted").params,
            nqp.transform.lag(d["x1"]).values.groupby(level=0).sum(),
            nqp.transform.growth(d["x1"].abs() + 1).values.groupby(level=0).sum(),
        ]

    for ours, theirs in zip(answers(panel), answers(other), strict=True):
        assert_allclose(theirs.to_numpy(), ours.to_numpy(), rtol=1e-9, atol=1e-12)


def test_an_ordered_category_has_its_order_in_a_panel():
    labels = ["low", "mid", "high"]
    index = pd.MultiIndex.from_product(
        [["a", "b"], pd.CategoricalIndex(labels, labels, ordered=True)]
    )
    frame = pd.DataFrame({"v": range(6)}, index).iloc[::-1]
    panel = nqp.PanelData.from_frame(frame)
    assert list(panel.periods) == labels and panel["v"].tolist() == list(range(6))
    again = nqp.PanelData.from_frame(frame.reset_index(names=["c", "t"]), entity="c", time="t")
    assert list(again.periods) == labels


def test_text_without_an_order_is_refused_and_the_advice_works():
    frame = pd.DataFrame({"c": [1, 1, 2, 2], "t": ["pre", "post"] * 2, "v": range(4)})
    with pytest.raises(DataError, match=r"no order in time: 'post', 'pre'.*ordered=T"):
        nqp.PanelData.from_frame(frame, entity="c", time="t")
    frame["t"] = pd.Categorical(frame["t"], ["pre", "post"], ordered=True)
    assert list(nqp.PanelData.from_frame(frame, entity="c", time="t").periods) == ["pre", "post"]


def test_one_period_in_two_spellings():
    with pytest.raises(DataError, match="'2020-1', '2020-01' are one period in two spellings"):
        order_of(pd.Index(["2020-1", "2020-01", "2020-2"]))


def test_windows_of_text_are_by_time():
    index = pd.MultiIndex.from_product([list("abc"), [f"2020-{k}" for k in range(1, 13)]])
    gdp = pd.Series(np.arange(36.0) ** 1.1, index, name="gdp")
    late = nqp.weights.economic(gdp, window=("2020-9", "2020-11")).sparse.toarray()
    mean = gdp.groupby(level=0).apply(lambda v: v.iloc[8:11].mean())
    assert_allclose(late[0, 1], 1 / abs(mean["a"] - mean["b"]))


def test_a_cohort_of_text_is_treated_from_then_on():
    index = pd.MultiIndex.from_product([list("ab"), [f"2020-{k}" for k in range(1, 13)]])
    cohort = pd.Series(["2020-9"] * 12 + [None] * 12, index, name="first")
    did = nqp.did.treatment(cohort)
    assert did["a"].tolist() == [0] * 8 + [1] * 4 and did["b"].sum() == 0
    assert nqp.did.first_treated(did).tolist()[:1] == ["2020-9"]


def test_ranks_of_numbers_and_categories():
    assert ranks_of(pd.Index([2001, 2003, 2001]), 2002)[1][0] == 1.0
    months = pd.CategoricalIndex(["Feb", "Jan"], MONTHS, ordered=True)
    when, march = ranks_of(months, "Mar")
    assert when.tolist() == [1, 0] and march[0] == 2


def test_what_looks_like_time():
    yes = [[2001, 2020], ["2001", "2002"], ["2001-1", "2001Q2"], pd.date_range("2001", periods=2)]
    no = [[1, 2], [110000, 120000], ["a", "b"], ["city2001", "x"]]
    assert all(looks_like_time(pd.Index(v)) for v in yes)
    assert not any(looks_like_time(pd.Index(v)) for v in no)


# ------------------------------------------------------------- entities


def test_years_in_the_place_of_entities_are_said():
    panel = drawn(6, 5)
    swapped = panel.swaplevel().sort_index()
    names = [f"place {k}" for k in swapped.index.get_level_values(1)]
    swapped.index = pd.MultiIndex.from_arrays(
        [swapped.index.get_level_values(0), names], names=["year", "city"]
    )
    with pytest.warns(DataWarning, match=r"index of y is \('year', 'city'\).*frame.swaplevel\(\)"):
        nqp.PooledOLS(swapped["y"], swapped[["x1"]]).fit(cov_type="robust")


def test_labels_that_differ_in_blanks_are_one_in_a_panel_and_said_elsewhere():
    frame = pd.DataFrame({"c": ["a", "a ", "b", "b\u3000"], "t": [1, 2, 1, 2], "v": [1.0, 2, 3, 5]})
    with pytest.warns(DataWarning, match="differ in blanks .* are one, such as 'a', 'a '"):
        panel = nqp.PanelData.from_frame(frame, entity="c", time="t")
    assert list(panel.entities) == ["a", "b"] and "blanks" in panel.notes[0]
    raw = frame.set_index(["c", "t"])
    with pytest.warns(DataWarning, match="are taken as different, first 'a', 'a '"):
        nqp.PooledOLS(raw["v"], raw[["v"]].rename(columns={"v": "x"}) ** 2)


def test_nanoseconds_are_the_dates_that_they_were():
    """Months are no multiples of each other in nanoseconds: lags went by place, over gaps too."""
    months = pd.date_range("2020-01-01", periods=12, freq="MS").delete(4)
    numbers = pd.Index(months.astype("datetime64[ns]").astype("int64"))
    assert list(Clock(numbers).position) == list(Clock(months).position)
    assert list(Clock(numbers).position[3:6]) == [3, 5, 6]
