"""Predictions of new rows: those of the sample again, and periods that come after it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, MissingValuesError, OptionError
from tests.panels import contiguity

N, T = 14, 7
W = contiguity(N, 2)
IDS = [f"c{i:02d}" for i in range(N)]
GRAPH = (W, IDS)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product([IDS, range(2000, 2000 + T)], names=["city", "year"])
    frame = pd.DataFrame(rng.normal(size=(N * T, 3)), index, ["y", "x1", "x2"])
    frame["y"] += frame["x1"] + rng.normal(size=N).repeat(T) + np.tile(rng.normal(size=T), N)
    return frame


def later(data: pd.DataFrame, years: list[int]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([IDS, years], names=["city", "year"])
    return pd.DataFrame(rng.normal(size=(len(index), 2)), index, ["x1", "x2"])


MODELS = [
    nqp.SpatialDurbin,
    nqp.SpatialLag,
    nqp.SLX,
    nqp.SpatialError,
    nqp.SpatialDurbinError,
    nqp.SAC,
]


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "options",
    [
        {"effects": "twoway"},
        {"effects": "twoway", "correction": "none"},
        {"effects": "entity"},
        {"effects": "time"},
        {"effects": None},
        {"effects": "random"},
    ],
    ids=str,
)
def test_rows_of_the_sample_are_what_they_are_without_being_named(data, model, options):
    result = model(data["y"], data[["x1", "x2"]], GRAPH, **options).fit()
    known = result.predict()
    mixed = data.sample(frac=1, random_state=1)[["x2", "x1"]]
    again = result.predict(mixed)
    assert again.index.equals(mixed.index)
    for column in ("trend", "reduced_form"):
        assert again[column].to_numpy() == pytest.approx(
            known[column].loc[mixed.index].to_numpy(), abs=1e-9
        )


def test_new_periods_by_hand(data):
    result = nqp.SpatialDurbin(data["y"], data[["x1", "x2"]], GRAPH).fit()
    b, rho = result.params, result.rho
    wide = {n: data[n].unstack("city").to_numpy() for n in data}
    gap = wide["y"] - rho * wide["y"] @ W.T
    for name in ("x1", "x2"):
        gap -= b[name] * wide[name] + b["W_" + name] * wide[name] @ W.T
    mu, tau = gap.mean(axis=0), gap.mean(axis=1) - gap.mean()
    new = later(data, [2007, 2010])
    at = {n: new[n].unstack("city").to_numpy() for n in new}
    for given, add in (("last", [tau[-1]] * 2), ("mean", [0, 0]), (0.3, [0.3, 0.3])):
        trend = mu + np.array(add)[:, None]
        trend = trend + sum(b[n] * at[n] + b["W_" + n] * at[n] @ W.T for n in ("x1", "x2"))
        found = result.predict(new, period_effects=given)
        assert found["trend"].unstack("city").to_numpy() == pytest.approx(trend, abs=1e-9)
        reduced = np.linalg.solve(np.eye(N) - rho * W, trend.T).T
        assert found["reduced_form"].unstack("city").to_numpy() == pytest.approx(reduced, abs=1e-9)
    own = pd.Series({2010: -1.0, 2007: 0.3})
    one = result.predict(new, period_effects=own)["trend"]
    assert one.xs(2010, level=1).to_numpy() == pytest.approx(
        result.predict(new, period_effects=-1.0)["trend"].xs(2010, level=1).to_numpy()
    )


def test_cells_in_one_stack_predict_as_the_balanced_panel(data):
    ones = pd.Series(1.0, data.index)
    x, new = data[["x1", "x2"]], later(data, [2007])
    plain, stacked = (
        nqp.SpatialDurbin(data["y"], x, GRAPH, correction="none", **more).fit()
        for more in ({}, {"observation_weights": ones})
    )
    wanted = plain.predict(new, period_effects="last")
    found = stacked.predict(new, period_effects="last")
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-6)


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.IdentificationWarning")
def test_a_dynamic_model_goes_on_from_the_last_outcomes(data):
    result = nqp.DynamicSpatialDurbin(data["y"], data[["x1", "x2"]], GRAPH, effects="entity").fit()
    new = later(data, [2007, 2008])
    found = result.predict(new)
    b = result.params
    design = result.predict()
    mu = (
        (
            design["trend"]
            - sum(b[n] * data[n].loc[design.index] for n in ("x1", "x2"))
            - sum(
                b["W_" + n]
                * (data[n].unstack("city") @ W.T).set_axis(IDS, axis=1).unstack().loc[design.index]
                for n in ("x1", "x2")
            )
        )
        .groupby(level=0)
        .mean()
    )
    before = data["y"].xs(2006, level=1).to_numpy()
    for year in (2007, 2008):
        x = new.xs(year, level=1)
        trend = mu.to_numpy() + sum(
            b[n] * x[n].to_numpy() + b["W_" + n] * W @ x[n].to_numpy() for n in ("x1", "x2")
        )
        memory = b["tau"] * before + b["eta"] * W @ before
        before = np.linalg.solve(np.eye(N) - b["rho"] * W, trend + memory)
        assert found["memory"].xs(year, level=1).to_numpy() == pytest.approx(memory, abs=1e-8)
        assert found["reduced_form"].xs(year, level=1).to_numpy() == pytest.approx(before, abs=1e-8)
    with pytest.raises(DataError, match="2006 is in the sample"):
        result.predict(later(data, [2006, 2007]))
    with pytest.raises(DataError, match="do not follow 2006 one by one"):
        result.predict(later(data, [2008, 2009]))


@pytest.mark.parametrize(
    ("change", "options", "match"),
    [
        (lambda f: f, {}, "2007 is not in the sample, so that its time effect"),
        (lambda f: f.drop(columns="x2"), {}, "no column 'x2'"),
        (lambda f: f.drop(index="c03", level=0), {"period_effects": "last"}, "lack 'c03'"),
        (lambda f: f.rename({"c03": "c99"}, level=0), {"period_effects": "last"}, "c99|c03"),
        (lambda f: f.iloc[:-1], {"period_effects": "last"}, "c13"),
        (lambda f: f.reset_index(), {"period_effects": "last"}, "index"),
        (lambda f: f["x1"], {"period_effects": "last"}, "Series"),
        (lambda f: f, {"period_effects": pd.Series({2009: 1.0})}, "no number for 2007"),
    ],
)
def test_what_is_wrong_is_said_with_labels(data, change, options, match):
    result = nqp.SpatialDurbin(data["y"], data[["x1", "x2"]], GRAPH).fit()
    with pytest.raises(DataError, match=match):
        result.predict(change(later(data, [2007])), **options)


def test_empty_cells_and_needless_options_are_refused(data):
    result = nqp.SpatialDurbin(data["y"], data[["x1", "x2"]], GRAPH).fit()
    new = later(data, [2007])
    with pytest.raises(MissingValuesError, match="x1"):
        result.predict(new.assign(x1=np.nan), period_effects="last")
    with pytest.raises(OptionError, match="period_effects='next' is not known"):
        result.predict(new, period_effects="next")
    entity = nqp.SpatialDurbin(data["y"], data[["x1", "x2"]], GRAPH, effects="entity").fit()
    with pytest.raises(OptionError, match="Leave it out"):
        entity.predict(new, period_effects="last")
    changing = {year: GRAPH for year in range(2000, 2000 + T)}
    changing[2003] = (contiguity(N, 5), IDS)
    moved = nqp.SpatialDurbin(
        data["y"], data[["x1", "x2"]], changing, correction="adjusted-score"
    ).fit()
    with pytest.raises(OptionError, match="one W for all periods"):
        moved.predict(new, period_effects="last")
