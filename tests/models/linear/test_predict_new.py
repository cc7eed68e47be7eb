"""Predictions of regressions at rows of the sample and at new ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, EstimationError, OptionError

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
