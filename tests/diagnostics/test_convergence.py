"""Sigma and beta convergence: other programs, the truth of simulated panels, what they refuse."""

import warnings

import libpysal
import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import curve_fit

import nqp_spatial as nqp
from nqp_spatial.diagnostics import beta_convergence, sigma_convergence
from nqp_spatial.exceptions import DataError, DataWarning, OptionError
from nqp_spatial.weights import read
from tests import panels


@pytest.fixture(scope="module")
def states():
    """Income per head of 48 US states by year, and their contiguity."""
    table = pd.read_csv(libpysal.examples.get_path("usjoin.csv"))
    wide = table[[str(year) for year in range(1929, 2010)]].astype(float)
    graph = read(libpysal.examples.get_path("states48.gal"))
    wide.index = pd.Index(sorted(graph.unique_ids, key=int), name="state")
    wide.columns = wide.columns.astype(int)
    return wide.rename_axis(columns="year").stack().rename("income"), graph.transform("r")


def panel(n=40, T=12, *, beta=0.1, sigma=0.01, seed=0, effects=False):
    """Levels that make up (1 - e^-beta) of the distance to their own long-run level a year."""
    rng = np.random.default_rng(seed)
    logs = np.empty((T, n))
    logs[0] = rng.normal(0, 1, n)
    own = rng.normal(0, 0.5, n) if effects else np.zeros(n)
    for t in range(1, T):
        logs[t] = own + np.exp(-beta) * (logs[t - 1] - own) + sigma * rng.normal(size=n)
    names = [f"c{i:02d}" for i in range(n)]
    index = pd.MultiIndex.from_product([names, range(2000, 2000 + T)], names=["city", "year"])
    return pd.Series(np.exp(logs).T.ravel(), index, name="y")


# ---------------------------------------------------------------- sigma


def test_dispersion_trend_and_test_are_those_of_scipy(states):
    income, _ = states
    found = sigma_convergence(income)
    wide = income.unstack()
    assert_allclose(found.dispersion["std_log"], np.log(wide).std(ddof=0), rtol=1e-12)
    assert_allclose(found.dispersion["cv"], stats.variation(wide, axis=0), rtol=1e-12)
    fit = stats.linregress(wide.columns, np.log(wide).std(ddof=0))
    expected = [fit.slope, fit.stderr, fit.pvalue]
    assert_allclose(found.trend.loc["std_log"], expected, rtol=1e-9)
    begun, ended = np.log(wide[1929]), np.log(wide[2009])
    test = found.tests["all"]
    r = stats.pearsonr(begun + ended, begun - ended)
    assert_allclose(test.pvalue, r.pvalue, rtol=1e-9)
    # Carree and Klomp (1997): T2 = (n - 2.5) ln(1 + (a - b)² / (4 (a b - c²))), the same r
    (a, c), (_, b) = np.cov(begun, ended)
    T2 = (48 - 2.5) * np.log(1 + (a - b) ** 2 / (4 * (a * b - c**2)))
    assert_allclose(-(48 - 2.5) * np.log(1 - r.statistic**2), T2, rtol=1e-10)
    assert_allclose(test.statistic, r.statistic * np.sqrt(46 / (1 - r.statistic**2)), rtol=1e-9)


def test_groups_are_by_themselves(states):
    income, _ = states
    names = income.index.unique(0)
    groups = pd.Series(["north", "south"] * 24, names)
    found = sigma_convergence(income, groups=groups)
    assert found.dispersion.index.unique(0).tolist() == ["all", "north", "south"]
    own = sigma_convergence(income[income.index.isin(groups.index[groups == "south"], level=0)])
    assert_allclose(found.dispersion.loc["south"], own.dispersion, rtol=1e-12)
    assert_allclose(found.trend.loc["south"], own.trend, rtol=1e-10)
    assert found.tests["south"].pvalue == pytest.approx(own.tests["all"].pvalue)
    assert_allclose(found.dispersion.loc["all"], sigma_convergence(income).dispersion)


def test_units_and_order_leave_dispersion_as_it_is(states):
    income, _ = states
    base = sigma_convergence(income)
    for other in (income * 100, income.sample(frac=1, random_state=0)):
        assert_allclose(sigma_convergence(other).dispersion, base.dispersion, rtol=1e-9)


# ---------------------------------------------------------------- beta


def test_a_cross_section_is_that_of_nonlinear_least_squares(states):
    """The form of Barro and Sala-i-Martin fitted as it is: a - (1 - e^(-beta h)) / h ln y."""
    income, _ = states
    found = beta_convergence(income, effects=None, horizon="whole", fit={"cov_type": "unadjusted"})
    wide = np.log(income.unstack())
    h = 80
    growth = (wide[2009] - wide[1929]) / h
    (a, beta), cov = curve_fit(
        lambda x, a, beta: a - (1 - np.exp(-beta * h)) / h * x, wide[1929], growth, p0=[0.1, 0.02]
    )
    row = found.speeds.loc[("absolute", "coefficient")]
    assert_allclose(row["speed"], beta, rtol=1e-5)
    assert_allclose(row["speed_std_error"], np.sqrt(cov[1, 1]), rtol=1e-4)
    assert_allclose(row["half_life"], np.log(2) / beta, rtol=1e-5)
    assert_allclose(row["half_life_std_error"], np.log(2) / beta**2 * np.sqrt(cov[1, 1]), rtol=1e-4)
    fit = stats.linregress(wide[1929], growth)
    assert_allclose(row[["estimate", "std_error"]], [fit.slope, fit.stderr], rtol=1e-9)
    assert found.horizon == 80 and len(found.points) == 48
    assert_allclose(found.points, pd.DataFrame({"initial": wide[1929], "growth": growth}))


def test_spatial_cross_sections_equal_spreg(states):
    spreg = pytest.importorskip("spreg")
    income, graph = states
    wide = np.log(income.unstack())
    y, x = ((wide[2009] - wide[1929]) / 80).to_numpy(), wide[[1929]].to_numpy()
    order = [list(graph.unique_ids).index(i) for i in wide.index]
    assert order == list(range(48))
    w = graph.to_W()
    w.transform = "r"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = spreg.ML_Lag(y[:, None], x, w=w)
        error = spreg.ML_Error(y[:, None], x, w=w)
    kwargs = {"effects": None, "horizon": "whole"}
    lag = beta_convergence(income, graph=graph, model="sar", **kwargs)
    assert_allclose(lag.results["absolute"].params["initial"], theirs.betas[1, 0], rtol=1e-5)
    assert_allclose(lag.results["absolute"].params["rho"], theirs.rho, rtol=1e-5)
    sem = beta_convergence(income, graph=graph, model="sem", **kwargs)
    assert_allclose(sem.results["absolute"].params["initial"], error.betas[1, 0], rtol=1e-5)
    row = lag.speeds.loc[("absolute", "total")]
    total = theirs.betas[1, 0] / (1 - float(theirs.rho))
    assert_allclose(row["speed"], -np.log(1 + 80 * total) / 80, rtol=1e-4)


def test_regressions_are_those_of_the_models(states):
    income, graph = states
    logs = np.log(income).rename("initial")
    x = pd.DataFrame({"z": np.sin(np.arange(len(income)))}, income.index)
    growth = logs.groupby(level=0).shift(-1) - logs
    rows = growth.notna()
    y, both = growth[rows].rename("growth"), logs.to_frame().join(x)[rows]
    found = beta_convergence(income, x, graph, model="sdm")
    durbin = nqp.SpatialDurbin(y, both, graph).fit()
    assert_allclose(found.results["conditional"].params, durbin.params, rtol=1e-9)
    alone = nqp.SpatialDurbin(y, both[["initial"]], graph).fit()
    assert_allclose(found["absolute"].params, alone.params, rtol=1e-9)
    direct = found.speeds.loc[("conditional", "direct"), ["estimate", "std_error"]]
    own = durbin.effects().loc[("direct", "initial"), ["estimate", "std_error"]]
    assert_allclose(direct.astype(float), own.astype(float), rtol=1e-9)
    assert found.frames["convergence"].frame.shape == (6, 7)
    assert "Nickell" in found.notes[-1] and "Nickell" in str(found.frames["convergence"].notes)


def test_horizons_do_not_overlap():
    values = panel(T=11)
    found = beta_convergence(values, effects="time", horizon=5)
    result = found.results["absolute"]
    assert result.resids.index.unique(1).tolist() == [2000, 2005]
    logs = np.log(values.unstack())
    expected = (logs[2010] - logs[2005]) / 5
    got = (result.fitted + result.resids).xs(2005, level=1)
    assert_allclose(got, expected, rtol=1e-10)
    assert found.horizon == 5


def test_errors_of_speeds_are_those_of_the_delta_method():
    values = panel(T=11, beta=0.05, sigma=0.05)
    row = beta_convergence(values, effects="time", horizon=2).speeds.iloc[0]
    step = 1e-6

    def speed(b):
        return -np.log(1 + 2 * b) / 2

    slope = (speed(row["estimate"] + step) - speed(row["estimate"] - step)) / (2 * step)
    assert_allclose(row["speed_std_error"], abs(slope) * row["std_error"], rtol=1e-6)
    life = np.log(2) / speed(row["estimate"] + step) - np.log(2) / speed(row["estimate"] - step)
    expected = abs(life) / (2 * step) * row["std_error"]
    assert_allclose(row["half_life_std_error"], expected, rtol=1e-5)


@pytest.mark.slow
def test_the_speed_is_found_and_covered():
    """Pooled, where there are no entity effects: 400 panels with a speed of 0.1."""
    rows = []
    for seed in range(400):
        values = panel(beta=0.1, sigma=0.05, seed=seed)
        found = beta_convergence(values, effects="time", fit={"cov_type": "clustered",
                                                              "clusters": "entity"})  # fmt: skip
        rows.append(found.speeds.iloc[0])
    table = pd.DataFrame(rows)
    speed, error = table["speed"], table["speed_std_error"]
    assert abs(speed.mean() - 0.1) < 4 * speed.std() / 20
    covered = ((speed - 0.1).abs() < 1.96 * error).mean()
    assert 0.91 < covered < 0.98


def test_entity_effects_are_biased_as_the_note_says():
    """Nickell: b - b0 is about -(2 + b0) / (T - 1), T = 11 periods of growth."""
    estimates = [
        beta_convergence(panel(60, sigma=0.3, seed=s, effects=True)).speeds["estimate"].iloc[0]
        for s in range(20)
    ]
    b = np.exp(-0.1) - 1
    bias = np.mean(estimates) - b
    assert -1.6 * (2 + b) / 10 < bias < -0.4 * (2 + b) / 10


@pytest.mark.filterwarnings("ignore:.*have no neighbours")
def test_clubs(states):
    income, graph = states
    names = income.index.unique(0)
    groups = pd.Series(np.where(np.arange(48) < 24, "a", "b"), names)
    found = beta_convergence(income, graph=graph, model="sar", effects="entity", groups=groups)
    assert list(found.parts) == ["absolute/a", "absolute/b"]
    own = names[:24]
    cut = nqp.weights.normalise(nqp.weights.subset(graph, own), "row")
    kind = {"model": "sar", "effects": "entity"}
    alone = beta_convergence(income[income.index.isin(own, level=0)], graph=cut, **kind)
    assert_allclose(found.speeds.loc["absolute/a"], alone.speeds.loc["absolute"], rtol=1e-9)
    test = found.tests["equal/absolute"]
    b = found.speeds.xs("coefficient", level=1)
    z = (b["estimate"].iloc[0] - b["estimate"].iloc[1]) ** 2 / (b["std_error"] ** 2).sum()
    assert_allclose([test.statistic, test.pvalue], [z, stats.chi2.sf(z, 1)], rtol=1e-10)
    assert test.df == 1


def test_rows_and_units_leave_speeds_as_they_are():
    values = panel()
    x = pd.DataFrame({"z": np.cos(np.arange(len(values)))}, values.index)
    base = beta_convergence(values, x).speeds
    for y, more in ((values * 1e4, x), (values.sample(frac=1, random_state=1), x.iloc[::-1])):
        assert_allclose(beta_convergence(y, more).speeds, base, rtol=1e-8)


def test_a_gap_costs_the_growth_on_both_sides():
    values = panel(n=24, T=6)
    found = beta_convergence(values.drop(("c00", 2002)), effects="time")
    rows = found.results["absolute"].resids.index
    assert len(rows) == 24 * 5 - 2 and ("c00", 2001) not in rows and ("c00", 2002) not in rows
    biennial = values[values.index.get_level_values(1) % 2 == 0]
    assert beta_convergence(biennial, effects="time").results["absolute"].nobs == 48


def test_what_cannot_converge_is_told():
    values = panel(n=24, T=5)
    with pytest.raises(DataError, match="zero or negative, which has no logarithm"):
        beta_convergence(values - values.max())
    with pytest.raises(DataError, match="zero or negative"):
        sigma_convergence(-values)
    with pytest.raises(DataError, match="have no trend"):
        sigma_convergence(values[values.index.get_level_values(1) < 2002])
    with pytest.raises(DataError, match="4 apart at most, and growth is over 9"):
        beta_convergence(values, horizon=9)
    with pytest.raises(OptionError, match="Type effects=None"):
        beta_convergence(values, horizon="whole")
    with pytest.raises(OptionError, match="model='sdm' needs a graph"):
        beta_convergence(values, model="sdm")
    W = panels.ring(24, 3)
    i, j = W.nonzero()
    names = np.array(values.index.unique(0))
    graph = Graph.from_arrays(names[i], names[j], W[i, j])
    with pytest.raises(OptionError, match="A graph needs a spatial model"):
        beta_convergence(values, graph=graph, model="linear")
    x = pd.DataFrame({"initial": 1.0}, values.index)
    with pytest.raises(OptionError, match="'initial', which is ours"):
        beta_convergence(values, x)
    with pytest.raises(DataError, match="x has no row for 5 of the values"):
        beta_convergence(values, x.rename(columns={"initial": "z"}).iloc[5:])
    with pytest.raises(OptionError, match="horizon"):
        beta_convergence(values, horizon=0)
    rng = np.random.default_rng(0)
    jumps = pd.Series(np.exp(rng.normal(size=len(values))), values.index, name="y")
    alternating = jumps.groupby(level=0).transform(
        lambda s: np.exp(np.array([1, -1.2, 1.3, -1.4, 1.5]) * np.log(s.iloc[0]))
    )
    with pytest.warns(DataWarning, match="there is no speed"):
        found = beta_convergence(alternating, effects="time")
    assert found.speeds["speed"].isna().all() and found.speeds["half_life"].isna().all()
