"""Rows A7, D4 and E7 of the studies: instruments made by the package recover a known truth.

One panel each, judged by its own standard error: within 3 of them, while least squares is not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nqp_spatial import tables
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.panel import instruments

CITIES, YEARS = 180, range(2009, 2022)


@pytest.fixture
def rng():
    return np.random.default_rng(17)


def panel(rng):
    index = pd.MultiIndex.from_product([range(CITIES), YEARS], names=["city", "year"])
    fixed = np.repeat(rng.normal(size=CITIES), len(YEARS))
    common = np.tile(rng.normal(size=len(YEARS)), CITIES)
    frame = pd.DataFrame({"x": rng.normal(size=len(index))}, index)
    return frame, fixed + common


def assert_recovers(res, ols, name, truth):
    assert abs(res.params[name] - truth) < 3 * res.std_errors[name]
    assert abs(ols.params[name] - truth) > 3 * ols.std_errors[name]
    assert truth in res.ar_confidence_set(0.999)
    assert res.weak_instruments.kleibergen_paap_f > 10
    assert res.weak_instruments.underidentification.pvalue < 0.01


def test_a7_the_lagged_regressor(rng):
    """Innovation is persistent; what is measured of it this year has an error of its own."""
    frame, effects = panel(rng)
    wide = rng.normal(size=(CITIES, len(YEARS)))
    for t in range(1, len(YEARS)):
        wide[:, t] = 0.8 * wide[:, t - 1] + 0.6 * wide[:, t]
    shock = rng.normal(size=len(frame))
    frame["inno"] = wide.ravel() + shock
    frame["nqp"] = 0.09 * frame["inno"] + frame["x"] * 0.1 + effects - 0.3 * shock
    frame["nqp"] += rng.normal(size=len(frame)) * 0.2
    lag = instruments.lagged(frame["inno"])
    assert len(lag.report.cells) == CITIES  # the first year, and nothing else
    sample = frame.assign(L1_inno=lag.values).dropna(subset=["L1_inno"])
    res = IV2SLS.from_formula("nqp ~ x + [inno ~ L1_inno]", sample).fit()
    ols = FixedEffects.from_formula("nqp ~ inno + x", sample).fit()
    assert_recovers(res, ols, "inno", 0.09)
    table = str(tables.regression([res.first_stage["inno"], res]))
    for text in ("L1_inno", "(1)", "(2)", f"{res.params['inno']:.4f}"):
        assert text in table
    size = res.weak_instruments.stock_yogo.loc[("size", 0.1), "critical"]
    assert size == 16.38 and res.weak_instruments.cragg_donald_f > size


def test_d4_cross_sections_times_trends(rng):
    """Telephones in 1984 times the country's internet users, distance to the port times years."""
    frame, effects = panel(rng)
    phones = pd.Series(rng.gamma(2, 1, CITIES), range(CITIES), name="phones1984")
    port = pd.Series(rng.gamma(2, 300, CITIES), range(CITIES), name="port_km")
    internet = pd.Series(np.cumsum(rng.gamma(2, 1, len(YEARS))), YEARS, name="internet")
    frame["z1"] = instruments.cross_section_trend(phones, frame.index, internet)
    frame["z2"] = instruments.cross_section_trend(port, frame.index)
    demand = rng.normal(size=len(frame))
    frame["digital"] = 0.05 * frame["z1"] - 0.0005 * frame["z2"] + demand + effects
    frame["innovation"] = 0.4 * frame["digital"] + 0.2 * frame["x"] + effects + demand
    res = IV2SLS.from_formula("innovation ~ x + [digital ~ z1 + z2]", frame).fit()
    ols = FixedEffects.from_formula("innovation ~ digital + x", frame).fit()
    assert_recovers(res, ols, "digital", 0.4)
    assert res.overidentification.pvalue > 0.01
    assert res.endogeneity.pvalue < 0.01


def test_e7_an_instrumented_policy(rng):
    """Cities are chosen by what also moves the outcome; counts times period dummies choose too."""
    frame, effects = panel(rng)
    count = pd.Series(rng.poisson(4, CITIES).astype(float), range(CITIES), name="relics")
    start = pd.Series((np.asarray(YEARS) >= 2014) * 1.0, YEARS, name="post")
    frame["z"] = instruments.cross_section_trend(count, frame.index, start)
    taste = np.repeat(rng.normal(size=CITIES), len(YEARS))
    post = frame.index.get_level_values("year") >= 2014
    chosen = np.repeat(count.to_numpy(), len(YEARS)) - 4 + 1.5 * taste > 1
    frame["did"] = (chosen & post).astype(float)
    frame["nqp"] = 0.5 * frame["did"] + 0.1 * frame["x"] + effects + 0.5 * taste * post
    frame["nqp"] += rng.normal(size=len(frame)) * 0.3
    res = IV2SLS.from_formula("nqp ~ x + [did ~ z]", frame).fit()
    ols = FixedEffects.from_formula("nqp ~ did + x", frame).fit()
    assert_recovers(res, ols, "did", 0.5)
