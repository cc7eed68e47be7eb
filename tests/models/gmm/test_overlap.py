"""Difference-in-Hansen where groups of instruments overlap.

Tested is what a group adds to the span of the others, whichever of two equivalent columns the model
leaves out.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from nqp_spatial.exceptions import EstimationError
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import simulated

NAME = "difference-in-hansen: "


def groups_of(result):
    """Statistic and degrees of freedom by group."""
    found = {name: test for name, test in result.tests.items() if name.startswith(NAME)}
    return {name.removeprefix(NAME): (t.statistic, t.df) for name, t in found.items()}


def check_same(found, expected, rel):
    assert {g: df for g, (_, df) in found.items()} == {g: df for g, (_, df) in expected.items()}
    for group, (statistic, _) in expected.items():
        assert found[group][0] == pytest.approx(statistic, rel=rel)


# an independent computation ------------------------------------------------------------------


def span(Z):
    """An orthonormal basis, which knows of no column that is left out."""
    return linalg.orth(Z / np.linalg.norm(Z, axis=0), rcond=1e-9)


def by_spans(model):
    """The tests by group, dense; each J is made from a basis of all columns that are left.

    Both weigh by the moments of the first step's residuals. As in the results, groups that add
    nothing, and those without which the parameters are not identified, have no test.
    """
    rows, entity = model.system.rows, model.system.rows.entity
    Z, columns = model._instruments(rows)
    M, Z = rows.M.toarray(), Z.toarray()
    y, X = M @ model.system.y, M @ model.system.X
    entities, k = np.unique(entity), X.shape[1]

    def residuals(B, W):
        XB = X.T @ B
        return y - X @ np.linalg.solve(XB @ W @ XB.T, XB @ W @ (B.T @ y))

    def hansen(B, first):
        scores = np.array([B[entity == i].T @ first[entity == i] for i in entities])
        W = np.linalg.inv(scores.T @ scores)
        moment = B.T @ residuals(B, W)
        return moment @ W @ moment, B.shape[1] - k

    full = span(Z)
    root = M.T @ full
    first = residuals(full, np.linalg.inv(root.T @ root))
    J, df = hansen(full, first)
    group = np.array([c.group for c in columns])
    tested = {name: group == name for name in group if name != "const"}
    levels = np.array([c.lag is not None and c.equation == "level" for c in columns])
    if levels.any():
        tested["gmm levels"] = levels
    found = {}
    for name, member in tested.items():
        rest = span(Z[:, ~member])
        if np.linalg.matrix_rank(rest.T @ X) == k and rest.shape[1] < full.shape[1]:
            less, left = hansen(rest, first)
            found[name] = J - less, df - left
    return found


# synthetic overlaps --------------------------------------------------------------------------


def summed(series, lag):
    """Its difference is the lag, zero where there is none: a collapsed GMM-style instrument."""
    lagged = series.groupby(level=0).shift(lag).fillna(0.0)
    return lagged.groupby(level=0).cumsum()


def external():
    """Model, options and external instruments by case, all of which others imply in part."""
    frame = simulated()
    x, v = frame["x"], frame["v"]
    noise = pd.Series(np.random.default_rng(5).normal(size=len(frame)), frame.index)
    year = (frame.index.get_level_values(1) == 2005).astype(float)
    columns = {
        "a column": {"a": summed(x, 2), "b": noise},
        "combinations": {"a": 1e3 * (summed(x, 1) - 2 * summed(x, 2)) + v, "b": noise},
        "two columns": {"a": summed(x, 1) + noise, "b": summed(x, 2), "c": noise, "d": noise**2},
        "a dummy": {"a": year + noise, "b": noise, "c": v + noise**2},
        "deviations": {"a": v + noise, "b": noise, "c": noise**2},
        "system": {"a": summed(x, 1) + noise, "b": summed(x, 2), "c": noise},
    }
    of_case = {
        "two columns": (DifferenceGMM, {"effects": None}),
        "deviations": (DifferenceGMM, {"transformation": "orthogonal"}),
        "system": (SystemGMM, {"iv_equation": "transformed"}),
    }
    return {
        case: (*of_case.get(case, (DifferenceGMM, {})), pd.DataFrame(made))
        for case, made in columns.items()
    }


def model(kind, options, iv, seed=None):
    """y on x and v; with a seed the instruments come in an order of its own."""

    class Shuffled(kind):
        def _instruments(self, rows):
            Z, columns = super()._instruments(rows)
            order = np.arange(len(columns))
            if seed is not None:
                order = np.random.default_rng(seed).permutation(order)
            return Z[:, order], [columns[j] for j in order]

    frame = simulated()
    options = {"predetermined": ["x"], "gmm_lags": (2, 3), "collapse": True} | options
    return Shuffled(frame["y"], frame[["x", "v"]], iv=iv, **options)


@pytest.mark.parametrize("case", external())
def test_which_of_two_equivalent_columns_is_left_out_does_not_matter(case):
    expected = by_spans(model(*external()[case]))
    left_out = set()
    for seed in (None, *range(10)):
        found = model(*external()[case], seed).fit()
        check_same(groups_of(found), expected, 1e-7)
        unused = found.instruments[~found.instruments["used"]]
        left_out.add(frozenset(zip(unused["group"], unused["variable"], strict=True)))
    assert len(left_out) > 1


def test_degrees_of_freedom_are_what_a_group_adds_to_the_rank():
    """Of two external columns one is the lag of x that instruments x: the other is tested."""
    kind, options, iv = external()["a column"]
    found = model(kind, options, iv).fit()
    alone = model(kind, options, iv[["b"]]).fit()  # the same span
    assert found.n_instruments == alone.n_instruments == len(found.instruments) - 1
    assert groups_of(found)["external"] == pytest.approx(groups_of(alone)["external"], rel=1e-8)
    together = found.difference_in_hansen("external", "gmm(x)")
    again = alone.difference_in_hansen("external", "gmm(x)")
    assert together.df == again.df == 3
    assert together.statistic == pytest.approx(again.statistic, rel=1e-8)


@pytest.mark.parametrize("seed", [None, 0, 1, 2, 3])
def test_a_group_that_the_others_imply_has_no_test_and_a_note_says_so(seed):
    kind, options, iv = external()["a column"]
    found = model(kind, options, iv[["a"]], seed).fit()
    assert NAME + "external" not in found.tests and NAME + "gmm(x)" in found.tests
    (note,) = (n for n in found.notes if "difference-in-Hansen" in n)
    assert note.startswith("The other instruments imply those of 'external'")
    assert note in found.summary()
    assert note.zh.startswith("external的工具变量是其余工具变量的线性组合")
    with pytest.raises(EstimationError, match=r"imply those of 'external'.*Test them together"):
        found.difference_in_hansen("external")
    assert found.difference_in_hansen("external", "gmm(x)").df == 2
    assert all(np.isfinite(test.pvalue) for test in found.tests.values())


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_a_column_left_out_can_identify_where_the_group_tested_had_its_double(seed):
    """Without external instruments the lag of x is what identifies x, though it was left out."""
    kind, _, iv = external()["a column"]
    limits = {"y": (2, 2), "x": (2, 2)}
    options = {"effects": None, "predetermined": [], "endogenous": ["x"], "gmm_lags": limits}
    found = model(kind, options, iv, seed).fit()
    test = found.tests[NAME + "external"]
    assert test.df == found.tests["hansen"].df == 1  # the others are just as many as parameters
    assert test.statistic == pytest.approx(found.tests["hansen"].statistic, rel=1e-8)


# a published panel ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def growth(shared):
    """Growth, wars and coups: D.L2.War is a combination of the instruments of War."""
    table = pd.read_csv(shared / "cases" / "gmm_growth_panel.csv.gz").set_index(["cty", "Year"])
    countries = table.index.unique("cty")
    grid = pd.MultiIndex.from_product([countries, range(1955, 2016, 5)], names=["cty", "Year"])
    whole = table.reindex(grid)
    lags = {"War": (0, 1, 2), "Coup": (0, 1)}
    iv = {
        f"{name}{lag}": whole[name].groupby(level=0).shift(lag)
        for name, orders in lags.items()
        for lag in orders
    }
    return DifferenceGMM(
        table["lnGDPpercapita"],
        table[["War", "Coup"]],
        x_lags={"War": 2, "Coup": 1},
        endogenous=["War", "Coup"],
        gmm_lags=(2, 6),
        iv=pd.DataFrame(iv).fillna(0.0).loc[table.index],
    )


def test_the_growth_panel_without_lags_made_by_hand(growth, shared):
    """gmm(War Coup, lag(2 6)) iv(L(0/2).War L(0/1).Coup, mz)."""
    table = pd.read_csv(shared / "cases" / "gmm_growth_panel.csv.gz").set_index(["cty", "Year"])
    found = DifferenceGMM(
        table["lnGDPpercapita"],
        table[["War", "Coup"]],
        x_lags={"War": 2, "Coup": 1},
        endogenous=["War", "Coup"],
        gmm_lags=(2, 6),
        iv_lags={"War": (0, 2), "Coup": (0, 1)},
        iv_missing="zero",
    ).fit()
    expected = growth.fit()
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-9)
    np.testing.assert_allclose(found.std_errors, expected.std_errors, rtol=1e-9)
    check_same(groups_of(found), groups_of(expected), 1e-7)


def test_the_growth_panel_s_external_instruments(growth):
    """xtabond2 prints 1.82 too, but counts 5; before, 6.875 on 5, without one column of War's."""
    found = growth.fit()
    unused = found.instruments[~found.instruments["used"]]
    assert unused["group"].tolist() == ["gmm(War)"]
    test = found.tests[NAME + "external"]
    assert (test.statistic, test.df) == (pytest.approx(1.816, abs=5e-4), 4)
    assert found.tests["hansen"].statistic - test.statistic == pytest.approx(142.505, abs=5e-4)
    check_same(groups_of(found), by_spans(growth), 1e-6)
