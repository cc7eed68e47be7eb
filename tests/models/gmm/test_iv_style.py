"""Instruments as xtabond2 says them: which variables GMM-style, which IV-style, with which lags."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import gaps, simulated


def same(found, expected):
    assert_allclose(found.params, expected.params, rtol=1e-9)
    assert_allclose(found.cov, expected.cov, rtol=1e-8, atol=1e-15)
    for name, test in expected.tests.items():
        assert found.tests[name].df == test.df
        assert_allclose(found.tests[name].statistic, test.statistic, rtol=1e-7)


def by_hand(frame, lags, *, zero):
    """Lags over the periods, as columns; over a gap there is none."""
    years = range(1999, 2012)
    grid = frame.reindex(pd.MultiIndex.from_product([frame.index.unique(0), years]))
    columns = {f"{c}_{k}": grid.groupby(level=0)[c].shift(k) for c, ks in lags for k in ks}
    table = pd.DataFrame(columns).reindex(frame.index)
    table.index.names = frame.index.names
    return table.fillna(0.0) if zero else table


@pytest.mark.parametrize("missing", ["zero", "drop"])
@pytest.mark.parametrize("transformation", ["difference", "orthogonal"])
@pytest.mark.parametrize("kind", [DifferenceGMM, SystemGMM])
def test_one_variable_in_both_styles(kind, transformation, missing):
    """gmm(x, lag(2 3) collapse) iv(L(0/2).x L(1/2).v), x and v also regressors."""
    frame = gaps()
    options = {"endogenous": ["x"], "gmm_lags": (2, 3), "collapse": True, "effects": None}
    options["transformation"] = transformation
    x = frame[["x", "v"]]
    lags = {"x": (0, 2), "v": (1, 2)}
    found = kind(frame["y"], x, iv_lags=lags, iv_missing=missing, **options)
    hand = by_hand(frame, [("x", (0, 1, 2)), ("v", (1, 2))], zero=missing == "zero")
    expected = kind(frame["y"], x, iv=hand, missing="keep", **options)
    same(found.fit(), expected.fit())
    of = found.fit().instruments.query("group == 'external'")
    assert list(of["variable"]) == ["x", "L1.x", "L2.x", "L1.v", "L2.v"]
    rows = {"drop": len(frame), "zero": 0}[missing]
    plain = kind(frame["y"], x, **options)
    lost = int(plain._usable.sum() - found._usable.sum())
    said = [n for n in found.fit().provenance["notes"] if "IV-style" in n]
    assert said == (
        [
            f"{lost} rows lack an IV-style instrument and are not in the equation; "
            'iv_missing="zero" would keep them.'
        ]
        if lost
        else []
    )
    assert found.system.nobs <= plain.system.nobs
    assert (found.system.nobs == plain.system.nobs) == (rows == 0)


def test_a_regressor_instruments_itself_once():
    frame = simulated()
    options = {"gmm_lags": (2, 3), "collapse": True, "effects": None, "iv_missing": "zero"}
    found = DifferenceGMM(frame["y"], frame[["v"]], iv_lags={"v": (0, 1)}, **options)
    variables = found.fit().instruments["variable"]
    assert list(variables[variables == "v"]) == ["v"]
    assert "L1.v" in set(variables)
    lagged = DifferenceGMM(
        frame["y"], frame[["v"]], x_lags=1, iv_lags={"v": (0, 2)}, **options
    ).fit()
    assert lagged.instruments["variable"].value_counts()["L1.v"] == 1
    assert lagged.instruments["used"].all()


def test_anderson_and_hsiao():
    """The difference of the second lag instruments that of the first: a ratio of two sums."""
    frame = simulated()
    y = frame["y"].groupby(level=0)
    change, first, second = (y.shift(k) - y.shift(k + 1) for k in range(3))
    there = second.notna()
    expected = (second * change)[there].sum() / (second * first)[there].sum()
    model = DifferenceGMM(frame["y"], gmm_lags={"y": None}, iv_lags={"y": (2, 2)}, effects=None)
    found = model.fit(steps=1)
    assert_allclose(found.params["L1.y"], expected, rtol=1e-10)
    assert found.nobs == there.sum() and found.n_instruments == 1


@pytest.mark.parametrize("collapse", [False, True, ["z"]])
def test_a_variable_outside_the_equation_in_gmm_style(collapse):
    """gmm(z, lag(1 2)) of a z that is not in the equation, column by column."""
    frame = simulated().rename(columns={"v": "z"})
    options = {"gmm_lags": {"y": (2, 2), "z": (1, 2)}, "collapse": collapse, "effects": None}
    found = DifferenceGMM(frame["y"], frame[["x"]], iv=frame[["z"]], **options)
    result = found.fit()
    table = result.instruments
    assert set(table["group"]) == {"exogenous", "gmm(y)", "gmm(z)"}
    own = np.flatnonzero(table["group"] == "gmm(z)")
    assert (len(own) == 2) == (collapse is not False)
    Z, columns = found._instruments(found._rows)
    Z = Z.toarray()
    z = frame["z"].to_dict()
    years = [found._grid.periods[t] for t in found._rows.period]
    cities = found._grid.entities[found._rows.entity]
    for j in own:
        k, t = table["lag"][j], table["period"][j]
        expected = [
            z.get((i, year - k), 0.0) if pd.isna(t) or t == year else 0.0
            for i, year in zip(cities, years, strict=True)
        ]
        assert_allclose(Z[:, j], expected, rtol=0, atol=0)
        assert columns[j].variable == "z"
    both = DifferenceGMM(
        frame["y"], frame[["x"]], iv=frame[["z"]], iv_lags={"z": (0, 0)}, **options
    ).fit()
    assert both.n_instruments == result.n_instruments + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iv_lags": {"w": (0, 1)}}, "iv_lags names 'w', which is neither the outcome nor in x"),
        ({"iv_lags": {"x": 2}}, r"iv_lags for 'x' is 2. Give first and last lag: \(0, 2\)"),
        ({"iv_lags": {"x": (0, None)}}, "The last of iv_lags for 'x'=None must be a whole"),
        ({"iv_lags": {"x": (2, 0)}}, r"iv_lags=\(2, 0\) for 'x' ends before.*Type \(0, 2\)"),
        ({"iv_lags": {"y": (1, 2)}}, r"iv_lags=\(1, 2\) for 'y' begins at lag 1; lag 2 is the"),
        ({"iv_lags": ["x"]}, r"iv_lags=\['x'\] does not say of which variables"),
        ({"iv_missing": "zeros"}, "iv_missing='zeros'.*Did you mean 'zero'"),
        ({"gmm_lags": {"v": (2, 3)}}, "gmm_lags names 'v'.*endogenous=, predetermined= and iv="),
    ],
)
def test_mistakes(options, message):
    frame = simulated()
    with pytest.raises(OptionError, match=message):
        DifferenceGMM(frame["y"], frame[["x", "v"]], **options)
