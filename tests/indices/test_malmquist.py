import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nqp_spatial.core.linear.dea import own_scores, scores, undominated
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    MissingValuesError,
    OptionError,
    UnbalancedPanelError,
)
from nqp_spatial.indices.malmquist import dea, malmquist
from tests import panels

INPUTS, OUTPUTS = ["labour", "capital", "energy"], ["gdp", "patents"]


@pytest.fixture(scope="module")
def production():
    return panels.read("indices_data.csv", "city", "year")


@pytest.fixture(scope="module")
def programmes():
    """tests/reference/indices.R: lpSolve, each programme written out and solved alone."""
    return panels.read("indices.csv", "case", "name")["value"]


@pytest.fixture(scope="module")
def eg4(shared):
    """DEAP 2.1's example 4: 5 firms, 3 years, one input, one output."""
    reference = json.loads((shared / "reference/panel_reference.json").read_text(encoding="utf-8"))
    data = pd.read_csv(shared / "reference/data/deap_eg4.csv").set_index(["firm", "yr"])
    return data, reference["8_entropy_topsis_dea_ccd"]["malmquist_deap_eg4"]


NAMES = {
    "effch": "efficiency_change",
    "techch": "technical_change",
    "pech": "pure_efficiency_change",
    "sech": "scale_efficiency_change",
    "tfpch": "tfp_change",
}


def test_malmquist_is_deap_example_4(eg4):
    data, expected = eg4
    result = malmquist(data, ["x"], ["y"])
    second = result.changes.xs(2, level="yr")
    for theirs, ours in NAMES.items():
        assert_allclose(second[ours], expected["year2"][theirs], rtol=1e-7)  # 7 printed digits
        assert_allclose(result.changes[ours].xs(3, level="yr"), 1, rtol=1e-12)
        assert_allclose(
            result.means().loc[2, ours], expected["year2"]["geomean"][theirs], atol=6e-4
        )
        assert_allclose(
            result.means("all")[ours], [expected["mean_of_means"][theirs]], atol=6e-4
        )  # three printed decimals
    for kind in ("crs", "vrs"):
        for year in (1, 2):
            ours = result.efficiency[kind].xs(year, level="yr")
            assert_allclose(ours, expected[f"{kind}_te"][f"y{year}"], rtol=1e-7)
    assert "output orientation" in repr(result)


def test_chained_changes_of_example_4(eg4):
    """Firm 2: 1, 1.5, 1.5 by the printed table."""
    data, _ = eg4
    chain = malmquist(data, ["x"], ["y"]).cumulative()["tfp_change"]
    assert_allclose(chain.loc[2], [1, 1.5, 1.5], rtol=1e-9)
    assert_allclose(chain.loc[4], [1, 0.75, 0.75], rtol=1e-9)


@pytest.mark.parametrize("orientation", ["output", "input"])
@pytest.mark.parametrize("returns", ["crs", "vrs"])
def test_every_programme_equals_lpsolve(production, programmes, orientation, returns):
    frames = {t: production.xs(t, level="year") for t in (1, 2, 3)}
    for unit in (1, 2, 3):
        for frontier in (1, 2, 3):
            case = f"{orientation}_{returns}_{unit}_{frontier}"
            if case not in programmes.index:
                continue
            ours = scores(
                *(frames[unit][names].to_numpy() for names in (INPUTS, OUTPUTS)),
                *(frames[frontier][names].to_numpy() for names in (INPUTS, OUTPUTS)),
                output=orientation == "output",
                variable=returns == "vrs",
            )
            assert_allclose(ours, programmes[case], rtol=1e-9)  # nan where it has no solution
        own = own_scores(
            *(frames[unit][names].to_numpy() for names in (INPUTS, OUTPUTS)),
            output=orientation == "output",
            variable=returns == "vrs",
        )
        assert_allclose(own, programmes[f"{orientation}_{returns}_{unit}_{unit}"], rtol=1e-9)


def test_index_from_the_programmes(production, programmes):
    """The definition, from lpSolve's distances."""
    result = malmquist(production, INPUTS, OUTPUTS)
    d = {(t, f): programmes[f"output_crs_{t}_{f}"].to_numpy() for t in (1, 2) for f in (1, 2)}
    tfp = np.sqrt(d[2, 1] / d[1, 1] * d[2, 2] / d[1, 2])
    assert_allclose(result.changes["tfp_change"].xs(2, level="year"), tfp, rtol=1e-9)
    pure = (programmes["output_vrs_2_2"] / programmes["output_vrs_1_1"]).to_numpy()
    assert_allclose(result.changes["pure_efficiency_change"].xs(2, level="year"), pure, rtol=1e-9)
    assert_allclose(
        dea(production, INPUTS, OUTPUTS)["crs"].xs(3, level="year"),
        programmes["output_crs_3_3"],
        rtol=1e-9,
    )


def test_programmes_without_solution_are_named(production, programmes):
    cases = ["output_vrs_1_2", "output_vrs_2_1", "output_vrs_2_3", "output_vrs_3_2"]
    lost = int(programmes[cases].isna().sum())
    assert lost > 0
    with pytest.warns(DataWarning, match=rf"{lost} programmes have no solution, first \("):
        result = malmquist(production, INPUTS, OUTPUTS, returns="vrs")
    assert len(result.infeasible) == lost
    row = result.infeasible.iloc[0]
    t, f = int(row["time"]), int(row["frontier"])
    assert np.isnan(programmes[f"output_vrs_{t}_{f}", str(row["entity"])])
    assert np.isnan(result.changes.loc[(row["entity"], max(t, f)), "tfp_change"])
    assert result.changes["efficiency_change"].notna().all()  # needs no other period
    assert np.isnan(result.means().loc[2, "tfp_change"])
    assert "scale_efficiency_change" not in result.changes


def test_pooled_frontier_by_hand():
    """One input, one output: efficiency is the ratio over the best ratio."""
    index = pd.MultiIndex.from_product([["甲", "乙"], [2019, 2020]], names=["city", "year"])
    frame = pd.DataFrame({"x": [1.0, 2, 4, 5], "y": [1.0, 4, 4, 15]}, index)
    pooled = dea(frame, ["x"], ["y"], by="pooled")
    assert_allclose(pooled["crs"], [1 / 3, 2 / 3, 1 / 3, 1])
    assert_allclose(dea(frame, ["x"], ["y"])["crs"], [1, 2 / 3, 1, 1])
    # variable returns, output: at x = 2 the line from (1, 1) to (5, 15) gives 4.5
    assert_allclose(pooled["vrs"], [1, 4 / 4.5, 4 / 11.5, 1])
    inward = dea(frame, ["x"], ["y"], by="pooled", orientation="input")
    assert_allclose(inward["vrs"], [1, (1 + 3 / 3.5) / 2, (1 + 3 / 3.5) / 4, 1])
    assert_allclose(inward["scale"], inward["crs"] / inward["vrs"])


amounts = st.floats(0.1, 100)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(amounts, amounts, amounts), min_size=8, max_size=8), amounts)
def test_parts_multiply_and_units_do_not_matter(rows, unit):
    index = pd.MultiIndex.from_product([range(4), [1, 2]])
    frame = pd.DataFrame(rows, index, columns=["a", "b", "y"])
    changes = malmquist(frame, ["a", "b"], ["y"]).changes
    assert_allclose(
        changes["tfp_change"], changes["efficiency_change"] * changes["technical_change"]
    )
    assert_allclose(
        changes["efficiency_change"],
        changes["pure_efficiency_change"] * changes["scale_efficiency_change"],
    )
    scaled = malmquist(frame.assign(a=frame["a"] * unit), ["a", "b"], ["y"]).changes
    assert_allclose(scaled, changes, rtol=1e-6)  # the tolerance of the solver
    inward = malmquist(frame, ["a", "b"], ["y"], orientation="input").changes
    assert_allclose(inward["tfp_change"], changes["tfp_change"], rtol=1e-6)  # under CRS


def test_order_of_rows_and_workers_change_nothing(production):
    result = malmquist(production, INPUTS, OUTPUTS)
    shuffled = production.sample(frac=1, random_state=3)
    again = malmquist(shuffled, INPUTS, OUTPUTS, n_jobs=2)
    pd.testing.assert_frame_equal(again.changes, result.changes)
    assert again.efficiency.index.equals(shuffled.index)


def test_blocks_and_dropped_units_change_nothing():
    """60 units are two blocks; each score equals its own programme with all units."""
    rng = np.random.default_rng(5)
    x, y = np.exp(rng.normal(size=(60, 2))), np.exp(rng.normal(size=(60, 2)))
    y[::7, 1] = 0
    for options in ({}, {"variable": True}, {"output": False}):
        alone = np.concatenate([scores(x[[i]], y[[i]], x, y, **options) for i in range(60)])
        assert_allclose(own_scores(x, y, **options), alone, rtol=1e-9)


@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 4])
def test_efficiency_does_not_depend_on_size_under_constant_returns(seed, output):
    """Cities of 1e-4 to 1e4 times the mean: the tolerance of the solver is not theirs."""
    rng = np.random.default_rng(seed)
    x, y = np.exp(0.3 * rng.normal(size=(2, 60, 2)))
    size = 10 ** rng.uniform(-4, 4, (60, 1))
    expected = own_scores(x, y, output=output)
    assert_allclose(own_scores(x * size, y * size, output=output), expected, rtol=1e-10)


def test_scale_efficiency_of_one_input_and_output_by_hand():
    """y = 1, 3, 4 for x = 1, 2, 4 spans the frontier; then 1e9 times as large, and far below."""
    x = np.array([1.0, 2, 4, 4e9, 3, 1e9])[:, None]
    y = np.array([1.0, 3, 4, 8e8, 1.75, 1e8])[:, None]
    assert_allclose(own_scores(x, y), y[:, 0] / x[:, 0] / 1.5, rtol=1e-9)
    line = 4 + (x[5:, 0] - 4) / (4e9 - 4) * (8e8 - 4)  # between the third and the fourth
    expected = [1, 1, 1, 1, 0.5, y[5, 0] / line[0]]
    assert_allclose(own_scores(x, y, variable=True), expected, rtol=1e-9)


def test_dominated_units_leave_the_frontier():
    x, y = np.array([[1.0], [2], [2], [2]]), np.array([[1.0], [1], [3], [3]])
    assert undominated(x, y).tolist() == [True, False, True, True]  # equals keep each other


def test_bad_input_is_named(production):
    negative = production.assign(gdp=production["gdp"].where(production.index != (5, 2), -1.0))
    with pytest.raises(DataError, match=r"'gdp' is negative.*first \(5, 2\)"):
        malmquist(negative, INPUTS, OUTPUTS)
    with pytest.raises(UnbalancedPanelError, match=r"1 of 72 .* first \(5, 2\)"):
        malmquist(production.drop((5, 2)), INPUTS, OUTPUTS)
    empty = production.assign(gdp=production["gdp"].where(production.index != (5, 2)))
    with pytest.raises(MissingValuesError, match=r"'gdp' is empty in 1 of 72 rows, first \(5, 2\)"):
        malmquist(empty, INPUTS, OUTPUTS)
    idle = production.copy()
    idle.loc[(7, 1), OUTPUTS] = 0
    with pytest.raises(DataError, match=r"1 row\(s\) have no output above zero, first \(7, 1\)"):
        dea(idle, INPUTS, OUTPUTS)
    with pytest.raises(DataError, match="only one period, 1"):
        malmquist(production.xs(1, level="year", drop_level=False), INPUTS, OUTPUTS)
    with pytest.raises(OptionError, match=r"orientation='outputs' .* Did you mean 'output'"):
        dea(production, INPUTS, OUTPUTS, orientation="outputs")
    with pytest.raises(OptionError, match=r"inputs='labour' is not a list"):
        dea(production, "labour", OUTPUTS)
    with pytest.raises(DataError, match="'gdp' is given twice"):
        dea(production, ["labour", "gdp"], OUTPUTS)
    with pytest.raises(OptionError, match="n_jobs=0"):
        malmquist(production, INPUTS, OUTPUTS, n_jobs=0)


def test_unequal_distances_are_said(production):
    late = production.rename(index={3: 9}, level="year")
    with pytest.warns(DataWarning, match="periods 1, 2, 9 are not equally far apart"):
        malmquist(late, INPUTS, OUTPUTS)


def test_an_output_nobody_makes_has_no_distance():
    """City b alone makes z in year 2; no mix of year 1 does."""
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]])
    frame = pd.DataFrame({"x": 1.0, "y": [1.0, 1, 1, 0], "z": [0.0, 0, 0, 1]}, index)
    with pytest.warns(DataWarning, match=r"1 programmes have no solution, first \('b', 2\)"):
        result = malmquist(frame, ["x"], ["y", "z"])
    assert np.isnan(result.changes.loc[("b", 2), "tfp_change"])
    assert_allclose(result.changes.loc[("a", 2), "tfp_change"], 1)
