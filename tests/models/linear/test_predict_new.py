"""Predictions of regressions at rows of the sample and at new ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, EstimationError, OptionError
from tests import panels

IDS = [f"c{i:02d}" for i in range(12)]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([IDS, range(2000, 2008)], names=["city", "year"])
    frame = pd.DataFrame(rng.normal(size=(96, 4)), index, ["y", "x", "z", "e"])
    frame["d"] = frame["z"] + frame["e"]
    frame["y"] += frame["x"] + frame["d"] + frame["e"] + rng.normal(size=12).repeat(8)
    return frame.sample(frac=0.8, random_state=0)  # gaps, in no order


def fits(data: pd.DataFrame, effects: str | None):
    yield nqp.FixedEffects(data["y"], data[["x", "d"]], effects=effects).fit(cov_type="robust")
    yield nqp.IV2SLS(data["y"], data[["x"]], data["d"], data["z"], effects=effects).fit(
        cov_type="robust"
    )


@pytest.mark.parametrize("effects", ["twoway", "entity", "time", None])
def test_rows_of_the_sample_are_its_fitted_values(data, effects):
    for result in fits(data, effects):
        plain = result.predict()
        assert plain["fitted"].to_numpy() == pytest.approx(result.fitted.to_numpy())
        part = data.iloc[3:40][["d", "x"]]
        again = result.predict(part)
        assert again.index.equals(part.index)
        assert again.to_numpy() == pytest.approx(plain.loc[part.index].to_numpy(), abs=1e-9)


@pytest.mark.parametrize("effects", ["twoway", "time"])
def test_new_periods_have_the_effects_that_are_given(data, effects):
    for result in fits(data, effects):
        index = pd.MultiIndex.from_product([IDS[:3], [2008]], names=["city", "year"])
        new = pd.DataFrame({"x": [1.0, 2.0, 3.0], "d": 0.5}, index)
        last = result.predict(new, period_effects="last")
        here = pd.DataFrame({"x": 0.0, "d": 0.0}, pd.MultiIndex.from_product([IDS[:3], [2007]]))
        zero = result.predict(here)["fitted"].to_numpy()
        slopes = result.params["x"] * new["x"].to_numpy() + result.params["d"] * 0.5
        assert last["fitted"].to_numpy() == pytest.approx(zero + slopes)
        years = pd.MultiIndex.from_product([IDS[:1], range(2000, 2008)])
        mean = result.predict(pd.DataFrame({"x": 1.0, "d": 0.5}, years))["fitted"].mean()
        found = result.predict(new.iloc[:1], period_effects="mean")["fitted"].iloc[0]
        assert found == pytest.approx(mean)


def test_explicit_dummies_predict_the_same(data):
    """Least squares on dummies, at the combinations that are absent from the sample."""
    result = nqp.FixedEffects(data["y"], data[["x", "d"]]).fit(cov_type="robust")
    whole = pd.MultiIndex.from_product([IDS, range(2000, 2008)], names=["city", "year"])
    new = pd.DataFrame({"x": 0.3, "d": -0.2}, whole.difference(data.index))

    def dummies(index):
        city, year = (index.get_level_values(i) for i in (0, 1))
        parts = [city.to_numpy()[:, None] == IDS, year.to_numpy()[:, None] == range(2000, 2008)]
        return np.column_stack(parts).astype(float)

    X = np.column_stack([data[["x", "d"]], dummies(data.index)])
    b = np.linalg.lstsq(X, data["y"].to_numpy(), rcond=None)[0]
    wanted = np.column_stack([new, dummies(new.index)]) @ b
    assert result.predict(new)["fitted"].to_numpy() == pytest.approx(wanted, abs=1e-9)


def test_what_cannot_be_predicted_is_said(data):
    result = nqp.FixedEffects(data["y"], data[["x", "d"]]).fit(cov_type="robust")
    index = pd.MultiIndex.from_tuples([("c77", 2003)], names=["city", "year"])
    new = pd.DataFrame({"x": [1.0], "d": [1.0]}, index)
    with pytest.raises(DataError, match="'c77' is not in the sample, so that its effect"):
        result.predict(new)
    with pytest.raises(DataError, match="period_effects="):
        result.predict(new.rename({"c77": "c01", 2003: 2012}))
    west = pd.Series(np.where(np.arange(12) < 6, "west", "east"), IDS)
    others = data.index.get_level_values(0).map(west) + data.index.get_level_values(1).astype(str)
    other = nqp.FixedEffects(
        data["y"], data[["x", "d"]], effects="entity", other_effects=pd.Series(others, data.index)
    ).fit(cov_type="robust")
    with pytest.raises(OptionError, match="effects= alone"):
        other.predict(new.rename({"c77": "c01"}))
    # provinces beside cities add nothing
    implied = pd.Series(data.index.get_level_values(0).map(west), data.index, name="part")
    same = nqp.FixedEffects(data["y"], data[["x", "d"]], other_effects=implied).fit(
        cov_type="robust"
    )
    rows = data[["x", "d"]].head()
    assert same.predict(rows).to_numpy() == pytest.approx(result.predict(rows).to_numpy())


def test_parts_that_never_meet_have_no_common_prediction():
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_tuples(
        [(c, t) for c in "ab" for t in (1, 2, 3)] + [(c, t) for c in "cd" for t in (4, 5, 6)],
        names=["city", "year"],
    )
    frame = pd.DataFrame(rng.normal(size=(12, 2)), index, ["y", "x"])
    result = nqp.FixedEffects(frame["y"], frame[["x"]]).fit(cov_type="robust")
    with pytest.raises(EstimationError, match="cannot be told apart"):
        result.predict(frame[["x"]])


# random effects ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def produc() -> pd.DataFrame:
    frame = panels.read("produc_data.csv", "state", "year")
    logs = ["gsp", "pcap", "pc", "emp"]
    return frame.assign(**{name: np.log(frame[name]) for name in logs})


@pytest.mark.parametrize("panel", ["produc", "dropped"])
def test_random_effects_are_predicted_as_by_plm(produc, panel):
    known = panels.read("random_effects_predicted.csv", "panel", "label")["value"]
    known = known.sort_index().loc[panel]
    rows = [2, 19, 20, 149, *range(399, 405), 815]  # random_effects_predicted.R counts from one
    frame = produc if panel == "produc" else produc.drop(produc.index[rows])
    x = frame[["pcap", "pc", "emp", "unemp"]]
    fitted = nqp.RandomEffects(frame["gsp"], x).fit(cov_type="unadjusted")
    by = fitted.predict()["effects"].groupby(level=0)
    assert (by.max() - by.min()).max() < 1e-14
    assert by.first()[known.index].to_numpy() == pytest.approx(known.to_numpy(), rel=1e-7)


@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
def test_random_effects_are_their_mean_given_the_outcomes(produc, effects):
    """E(u | y) of a normal law, from matrices of all rows; gaps too."""
    frame = produc.iloc[: 17 * 9].drop(produc.index[[2, 19, 20, 100]])
    # shocks of years and states, so that these have a variance
    entity, year = frame.index.codes[0], frame.index.get_level_values(1) - 1970
    draws = np.random.default_rng(0).normal(size=100)
    shocks = 3 * draws[year] + 3 * draws[50 + entity]
    model = nqp.RandomEffects(frame["gsp"] + shocks, frame[["pcap", "unemp"]], effects=effects)
    result = model.fit(cov_type="unadjusted")
    keys = model.sample.keys
    blocks = {"sigma2_u": keys.entity, "sigma2_t": keys.period}
    parts = [(b, getattr(result, name)) for name, b in blocks.items()]
    G = sum(v * (b[:, None] == b) for b, v in parts if v == v)
    V = G + result.sigma2_e * np.eye(len(frame))
    expected = G @ np.linalg.solve(V, result.resids.to_numpy())
    found = result.predict(frame.sample(frac=1, random_state=1))["effects"]
    assert found.loc[keys.index].to_numpy() == pytest.approx(expected, abs=1e-10)


def test_entities_that_the_sample_lacks_get_the_mean_of_all(data):
    years = data.index.get_level_values(1)
    y = data["y"] + 5 * np.random.default_rng(1).normal(size=8)[years - 2000]
    model = nqp.RandomEffects(y, data[["x", "d"]], effects="twoway")
    result = model.fit(cov_type="unadjusted")
    index = pd.MultiIndex.from_tuples([("c77", 2003), ("c01", 2012)], names=["city", "year"])
    found = result.predict(pd.DataFrame({"d": [1.0, 2.0], "x": [0.0, 1.0]}, index))
    b = result.params
    assert found["linear"].tolist() == pytest.approx(
        [b["const"] + b["d"], b["const"] + 2 * b["d"] + b["x"]]
    )
    inside = result.predict()["effects"]
    here = inside.xs(2003, level=1)
    of_entities = found["effects"].iloc[1]  # c01 in a year that is not there: its own alone
    assert found["effects"].iloc[0] == pytest.approx(here["c01"] - of_entities)  # 2003 alone
    with pytest.raises(DataError, match="have no column 'x', a regressor"):
        result.predict(pd.DataFrame({"d": [1.0, 2.0]}, index))
