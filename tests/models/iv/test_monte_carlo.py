"""IV2SLS against a known truth; docs/monte_carlo_fixed_iv.md has all cases.

1,000 replications: the Monte-Carlo error of a share of 0.05 is 0.007, so that a share is held to
0.05 plus or minus three of them (0.029 to 0.071), a coverage likewise.
"""

from __future__ import annotations

import warnings

import monte_carlo_fixed_iv as simulation
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.models.iv.model import IV2SLS

RUNS = 1000


def test_the_benchmark_uses_what_fit_does(monkeypatch):
    """The same estimate, standard error, statistics and set as IV2SLS on the same panel."""
    case = simulation.Case(20, 3, "medium")
    raw = {}

    def keep(values, effects):
        raw["values"] = values
        return demean(values, effects)

    demean = simulation.demean
    monkeypatch.setattr(simulation, "demean", keep)
    found = simulation.replicate(case, np.random.default_rng(3))
    index = pd.MultiIndex.from_product([range(simulation.PERIODS), range(20)])
    names = ["y", "x", "d", "z1", "z2", "z3"]
    frame = pd.DataFrame(raw["values"].reshape(len(index), -1), index, names).swaplevel()
    res = IV2SLS.from_formula("y ~ x + [d ~ z1 + z2 + z3]", frame)
    with warnings.catch_warnings(action="ignore"):
        res = res.fit()
    assert_allclose(res.params["d"], found["estimate"], rtol=1e-9)
    assert_allclose(res.weak_instruments.kleibergen_paap_f, found["kp_f"], rtol=1e-9)
    low, high = res.conf_int().loc["d"]
    assert (low <= simulation.BETA <= high) == found["covered"]
    assert (simulation.BETA in res.ar_confidence_set()) == found["in_set"]
    assert (res.overidentification.pvalue < 0.05) == bool(found["j"])


@pytest.fixture(scope="module")
def table():
    todo = [simulation.Case(200, 3, s) for s in ("none", "weak", "strong")]
    return simulation.run(todo, RUNS, seed=2).loc[(200, 3)]


@pytest.mark.slow
def test_intervals_cover_and_tests_have_their_size_with_strong_instruments(table):
    strong = table.loc["strong"]
    assert 0.929 < strong["coverage"] < 0.971
    assert 0.029 < strong["j"] < 0.071
    assert abs(strong["bias"]) < 0.01
    assert strong["ols"] > 0.3  # least squares is far off
    assert strong["bounded"] == 1


@pytest.mark.slow
def test_anderson_rubin_covers_however_weak_the_instruments_are(table):
    assert ((table["ar_coverage"] > 0.929) & (table["ar_coverage"] < 0.971)).all()
    assert (table["set_agrees"] == 1).all()
    assert table.loc["weak", "coverage"] < 0.929  # the interval of 2SLS does not
    assert table.loc["none", "coverage"] < 0.7


@pytest.mark.slow
def test_underidentification_is_rejected_at_its_level_only(table):
    assert 0.029 < table.loc["none", "kp_lm"] < 0.071
    assert table.loc["strong", "kp_lm"] == 1
    assert table.loc["none", "bounded"] < 0.2
