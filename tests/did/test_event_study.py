"""Event studies against dummies by hand, pyfixest and dense algebra; what bad input is told."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose
from scipy import stats

import nqp_spatial as nqp
from nqp_spatial.did import EventPath, EventStudy
from nqp_spatial.exceptions import (
    CollinearityError,
    DataError,
    DataWarning,
    DroppedLagWarning,
    OptionError,
    TreatmentError,
)
from tests import REFERENCE
from tests.assertions import quietly
from tests.by_hand import dummies, slopes
from tests.panels import contiguity, general

N, T = 24, 12


def panel(seed=0, starts=(4, 6, 7, 9), never=8, n=N, t=T, first_year=2001):
    """Simulated; entities in cohorts by turns, the last ``never`` of them untreated."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"c{i:02d}" for i in range(n)], range(first_year, first_year + t)], names=["city", "year"]
    )
    entity, period = np.divmod(np.arange(n * t), t)
    start = np.array([starts[i % len(starts)] if i < n - never else 10**6 for i in range(n)])
    f = pd.DataFrame(rng.normal(size=(n * t, 2)), index, ["x1", "x2"])
    since = period - start[entity]
    f["did"] = (since >= 0).astype(float)
    f["since"] = np.where(start[entity] > 10**5, np.nan, since)
    y = 0.3 * f["x1"] + 0.2 * np.maximum(since, -1).clip(-1, 4) * f["did"]
    f["y"] = y + rng.normal(size=n)[entity] + 0.1 * period + 0.5 * rng.normal(size=n * t)
    return f


def graph(n=N, W=None):
    W = contiguity(n, 3) if W is None else W
    names = [f"c{i:02d}" for i in range(n)]
    links = {names[i]: {names[j]: W[i, j] for j in np.flatnonzero(W[i])} for i in range(n)}
    return Graph.from_weights_dict(links)


@pytest.fixture(scope="module")
def f():
    return panel()


@pytest.fixture(scope="module")
def W():  # noqa: N802
    return graph()


def study(f, x=("x1", "x2"), W=None, **options):
    return EventStudy(f["y"], f["did"], f[list(x)] if x else None, W, **options)


# ------------------------------------------------------------- the ordinary form


@pytest.mark.parametrize("window", [(-5, 5), (-3, 2), None])
def test_the_path_is_that_of_explicit_dummies(f, window):
    res = study(f, window=window).fit()
    low, high = window or (int(f["since"].min()), int(f["since"].max()))
    clipped = f["since"].clip(low, high)
    times = [t for t in range(low, high + 1) if t != -1 and (clipped == t).any()]
    own = np.column_stack([(clipped == t).astype(float) for t in times])
    entity, period = np.divmod(np.arange(len(f)), T)
    Z = np.column_stack([own, f[["x1", "x2"]], dummies(entity, period)])
    params, _, rank, _ = np.linalg.lstsq(Z, f["y"], rcond=None)
    resid = f["y"].to_numpy() - Z @ params
    k = len(times) + 2
    # clustered by entity: effects of entities are nested in the clusters and not counted
    X = Z[:, :k] - dummies(entity, period) @ np.linalg.lstsq(
        dummies(entity, period), Z[:, :k], rcond=None)[0]  # fmt: skip
    scores = dummies(entity).T @ (X * resid[:, None])
    bread = np.linalg.inv(X.T @ X)
    factor = N / (N - 1) * (len(f) - 1) / (len(f) - (rank - (N - 1)))
    cov = factor * bread @ scores.T @ scores @ bread
    found = res.path.drop(index=-1)
    assert list(found.index) == times
    assert_allclose(found["estimate"], params[: len(times)], atol=1e-12)
    assert_allclose(found["std_error"], np.sqrt(np.diag(cov))[: len(times)], rtol=1e-10)
    t = found["estimate"] / found["std_error"]
    assert_allclose(found["pvalue"], 2 * stats.t(N - 1).sf(np.abs(t)), rtol=1e-9)
    width = stats.t(N - 1).ppf(0.975) * found["std_error"]
    assert_allclose(found["upper"] - found["estimate"], width, rtol=1e-10)
    leads = [j for j, time in enumerate(times) if time < 0]
    V, b = cov[np.ix_(leads, leads)], params[leads]
    chi2 = float(b @ np.linalg.solve(V, b))
    q = len(leads)
    assert_allclose(res.pretrend.statistic, chi2 / q, rtol=1e-8)
    assert res.pretrend.df == (q, N - 1)
    assert_allclose(res.pretrend.pvalue, stats.f(q, N - 1).sf(chi2 / q), rtol=1e-8)
    assert_allclose(res.tests["pretrend_chi2"].pvalue, stats.chi2(q).sf(chi2), rtol=1e-8)
    assert (res.path.loc[-1].drop("pvalue") == 0).all() and np.isnan(res.path.loc[-1, "pvalue"])


def test_castle_as_pyfixest_has_it():
    """tests/reference/event_study_castle.py."""
    expected = pd.read_csv(REFERENCE / "event_study_castle.csv", index_col="event_time")
    castle = nqp.load_castle()
    res = EventStudy(
        castle["l_homicide"], castle["post"], castle[["unemployrt", "poverty"]], window=(-5, 3)
    ).fit()
    found = res.path.drop(index=-1)
    assert_allclose(found["estimate"], expected["estimate"], atol=1e-9)
    assert_allclose(found["std_error"], expected["se_entity"], rtol=1e-8)
    assert_allclose(found["pvalue"], expected["p_entity"], rtol=1e-7)
    assert_allclose(res.tests["pretrend_chi2"].statistic, expected["chi2_leads"].iloc[0], rtol=1e-8)
    with pytest.warns(DataWarning, match="only 11 clusters"):
        others = res.covariances()
    for kind in ("robust", "entity", "time"):
        own = others.to_frame().loc[kind].drop(index=-1)
        assert_allclose(own["std_error"], expected[f"se_{kind}"], rtol=1e-8)
        assert_allclose(own["pvalue"], expected[f"p_{kind}"], rtol=1e-7)
    # two-way variances are negative there, in pyfixest too, which is said and not hidden
    assert expected["se_twoway"].isna().any()
    assert "twoway" not in others.to_frame().index.unique("covariance")
    assert any("No standard errors twoway" in note for note in others.notes)


def test_order_of_rows_names_and_units_do_not_matter(f):
    res = study(f).fit()
    mixed = f.sample(frac=1, random_state=1)
    assert_allclose(study(mixed).fit().path, res.path, rtol=1e-9, atol=1e-12)
    renamed = f.rename(index=lambda name: f"z{99 - int(name[1:])}", level=0)
    assert_allclose(study(renamed).fit().path, res.path, rtol=1e-8, atol=1e-12)
    scaled = f.assign(y=1e6 * f["y"])
    columns = [c for c in res.path if c != "pvalue"]
    assert_allclose(study(scaled).fit().path[columns], 1e6 * res.path[columns], rtol=1e-7)


def test_another_base_shifts_the_path(f):
    one, other = study(f).fit(), study(f, base=-3).fit()
    shifted = one.path["estimate"] - one.path.loc[-3, "estimate"]
    assert_allclose(other.path["estimate"], shifted, atol=1e-10)
    turned = one.paths[""].against(-3)
    assert_allclose(turned.frame()["estimate"], other.path["estimate"], atol=1e-10)
    assert_allclose(turned.frame()["std_error"], other.path["std_error"], rtol=1e-8)
    with pytest.raises(OptionError, match="event time 99 has no estimate"):
        one.paths[""].against(99)


def test_trimmed_ends_leave_rows_out(f):
    res = study(f, window=(-2, 2), ends="trim").fit()
    kept = f[f["since"].isna() | f["since"].between(-2, 2)]
    x = pd.DataFrame({f"e{t}": (kept["since"] == t).astype(float) for t in (-2, 0, 1, 2)})
    fe = nqp.FixedEffects(kept["y"], pd.concat([x, kept[["x1", "x2"]]], axis=1)).fit()
    assert res.nobs == len(kept) < len(f)
    assert_allclose(res.path.drop(index=-1)["estimate"], fe.params.iloc[:4], atol=1e-12)
    assert_allclose(res.path.drop(index=-1)["std_error"], fe.std_errors.iloc[:4], rtol=1e-10)


def test_effects_trends_and_panels_with_gaps_are_those_of_fixed_effects(f):
    region = pd.Series([f"r{i % 3}" for i in range(N)], f.index.unique(0))
    by_year = f.index.get_level_values(0).map(region) + f.index.get_level_values(1).astype(str)
    other = pd.Series(by_year, f.index, name="region_year")
    rows = np.random.default_rng(2).random(len(f)) < 0.93
    rows |= (f["since"] == -1).to_numpy() | (f["since"] == 0).to_numpy()
    g = f[rows]
    res = study(g, other_effects=other[rows], effects="entity").fit(cov_type="robust")
    clipped = g["since"].clip(-5, 5)
    times = [t for t in range(-5, 6) if t != -1]
    x = pd.DataFrame({f"e{t}": (clipped == t).astype(float) for t in times})
    fe = nqp.FixedEffects(
        g["y"], pd.concat([x, g[["x1", "x2"]]], axis=1), effects="entity", other_effects=other[rows]
    ).fit(cov_type="robust")
    assert_allclose(res.path.drop(index=-1)["estimate"], fe.params.iloc[:10], atol=1e-11)
    assert_allclose(res.path.drop(index=-1)["std_error"], fe.std_errors.iloc[:10], rtol=1e-9)


def test_entity_trends_take_a_second_lead_as_a_base(f):
    """A linear trend in event time is one of the trends of entities."""
    res = study(f, window=None, trends="entity").fit()
    assert len(res.events.base) == 2 and res.events.base[0] == -1
    second = res.events.base[1]
    assert second == int(f["since"].min())
    assert any("are bases too" in note for note in res.notes)
    assert res.path.loc[second, "estimate"] == 0


def test_names_and_words(f):
    res = study(f).fit()
    assert list(res.params.index[:3]) == ["did[-5]", "did[-4]", "did[-3]"]
    assert res.wald_test("did[-2] = 0").df == (1, N - 1)
    labels = res.labels("zh")
    assert labels["did[-5]"] == "did：t ≤ −5" and labels["did[0]"] == "did：t = 0"
    assert res.labels()["did[5]"] == "did: t ≥ 5"
    for part in ("did[-2]", "H0: the effects before the policy are zero"):
        assert part in res.summary()
    assert "find a linear violation of the effect" in res.summary()
    assert nqp.tables.regression([res], labels=res.labels()).rows


def test_clocks_of_two_years_and_dates(f):
    """Event time counts periods, whatever their labels are."""
    res = study(f).fit()
    every_second = f.rename(index=lambda y: 2 * y, level=1)
    assert_allclose(study(every_second).fit().path, res.path, rtol=1e-10)
    dated = f.rename(index=lambda y: pd.Timestamp(year=y, month=1, day=1), level=1)
    assert_allclose(study(dated).fit().path, res.path, rtol=1e-10)


# ------------------------------------------------------------- who is compared


def test_without_untreated_entities_a_second_lead_is_a_base():
    f = panel(never=0)
    with warnings.catch_warnings(action="error"):
        res = study(f, window=(-4, 3)).fit()
    assert res.events.base == (-1, -4)
    assert any("Every entity is treated in some period" in note for note in res.notes)
    assert res.path.loc[-4, "std_error"] == 0
    assert res.pretrend.df[0] == 2
    own = study(f, window=(-4, 3), base=(-1, -2)).fit()
    assert own.events.base == (-1, -2) and not any("Every" in note for note in own.notes)
    with pytest.raises(TreatmentError, match="no lead beside the base -1"):
        study(f, window=(-1, 3))


def test_two_cohorts_two_periods_apart_need_a_base_of_each_parity():
    """Without untreated entities only differences of event times two apart are identified."""
    f = panel(starts=(5, 7), never=0)
    res = study(f, window=None, x=()).fit()
    assert res.events.base[0] == -1
    assert {base % 2 for base in res.events.base} == {0, 1}
    Z = [(f["since"] == t).astype(float) for t in res.events.times]
    entity, period = np.divmod(np.arange(len(f)), T)
    design = np.column_stack([*Z, dummies(entity, period)])
    assert np.linalg.matrix_rank(design) == len(Z) + N + T - 1
    params = np.linalg.lstsq(design, f["y"], rcond=None)[0]
    known = res.path.drop(index=list(res.events.base))
    assert_allclose(known["estimate"], params[: len(Z)], atol=1e-8)


def test_one_cohort_without_untreated_is_nothing_to_compare():
    f = panel(starts=(5,), never=0)
    with pytest.raises(TreatmentError, match="absorb every event time"):
        study(f, x=())


def test_entities_that_are_always_treated_are_left_out(f):
    g = f.copy()
    first = g.index.get_level_values(0).isin(["c00", "c05"])
    g.loc[first, "did"] = 1.0
    with pytest.warns(DataWarning, match="2 entities are treated in every period"):
        res = study(g).fit()
    expected = study(f[~first]).fit()
    assert_allclose(res.path, expected.path, rtol=1e-10, atol=1e-13)
    assert any("are left out" in note for note in res.notes)
    with pytest.warns(DataWarning):
        spatial = study(g, W=graph()).fit()
    assert any("stay because they are neighbours" in note for note in spatial.notes)
    assert spatial.nobs == len(g)


def test_one_entity_alone_is_warned_of():
    f = panel(starts=(4, 4, 4, 9), never=16)  # of eight treated entities two begin late
    lonely = f.copy()
    lonely.loc["c07", "did"] = 0.0
    with pytest.warns(DataWarning, match=r"One entity alone is at the event times -9, -8"):
        res = study(lonely, window=None).fit()
    assert any("Cohorts of one entity: 2010" in note for note in res.notes)
    assert res.events.cells.loc[-9, "n_entities"] == 1
    with warnings.catch_warnings(action="error"):
        study(lonely, window=(-4, 2))


def test_a_first_treated_row_after_a_gap_is_warned_of(f):
    g = f.drop(("c00", 2004))  # treated from 2005 on
    with pytest.warns(DataWarning, match=r"absent in 1 entities, first 'c00'"):
        study(g)


def test_event_times_that_the_effects_absorb_are_named():
    """The last event time is that of one cohort in the last year, whose effects take it up."""
    f = panel()
    own = f.index.get_level_values(0).map(lambda c: int(c[1:]) % 4 == 0 and int(c[1:]) < 16)
    year = f.index.get_level_values(1)
    cell = pd.Series(np.where(own & (year == 2012), 1, 0), f.index, name="cell")
    with pytest.warns(DataWarning, match=r"absorb the event times 7 of 'did'"):
        res = study(f, window=(-5, 7), other_effects=cell).fit()
    assert res.path.loc[7].isna().all()
    assert 7 not in res.events.times and res.events.lost == (7,)
    nqp.plots.paths(res.path, base=-1)


# ------------------------------------------------------------- the spatial form


@pytest.mark.parametrize("cov_type", ["robust", "clustered"])
def test_without_rho_and_lags_it_is_the_ordinary_form(f, W, cov_type):
    ordinary = study(f).fit(cov_type=cov_type)
    spatial = study(f, W=W, model="slx", durbin=[]).fit(cov_type=cov_type)
    for effect in ("direct", "total"):
        assert_allclose(spatial.path.loc[effect], ordinary.path, rtol=1e-9, atol=1e-10)
        assert_allclose(spatial.pretrend[effect].statistic, ordinary.pretrend.statistic, rtol=1e-9)
    nothing = spatial.path.loc["indirect"].drop(columns="pvalue")
    assert (nothing.abs() < 1e-12).all(axis=None)


@pytest.mark.parametrize("model", ["sar", "sdm_did", "sdem", "gns"])
def test_rho_held_at_zero_is_the_model_without_it(f, W, model):
    """Also the covariance, which then has no uncertainty of rho."""
    without = {"sar": "slx", "sdm_did": "slx", "sdem": "sdem", "gns": "sdem"}[model]
    durbin = {"durbin": []} if model == "sar" else {}
    expected = quietly(study(f, W=W, model=without, **durbin).fit)
    if model == "sdem":
        with pytest.raises(OptionError, match="no rho to be held"):
            expected.paths_at(0.0)
        return
    found = quietly(quietly(study(f, W=W, model=model).fit).paths_at, 0.0)
    for effect, path in found.items():
        frame = path.frame()
        assert_allclose(frame["estimate"], expected.path.loc[effect, "estimate"], atol=1e-10)
        assert_allclose(frame["std_error"], expected.path.loc[effect, "std_error"], atol=1e-10)


def dense_paths(point, k, times, W, lagged):
    """Direct, indirect and total effects of all event times, by a dense inverse."""
    beta = point[: len(times)]
    theta = point[k : k + len(times)] if lagged else np.zeros(len(times))
    rho = point[-1]
    A = np.linalg.inv(np.eye(len(W)) - rho * W)
    direct, total = [], []
    for b, c in zip(beta, theta, strict=True):
        S = A @ (b * np.eye(len(W)) + c * W)
        direct.append(np.trace(S) / len(W))
        total.append(S.sum() / len(W))
    direct, total = np.array(direct), np.array(total)
    return np.concatenate([direct, total - direct, total])


@pytest.mark.parametrize("model", ["sdm_did", "sar", "slx"])
@pytest.mark.parametrize("kind", ["contiguity", "general"])
def test_paths_and_their_covariance_by_dense_algebra(f, model, kind):
    M = contiguity(N, 3) if kind == "contiguity" else general(N, 3)
    options = {} if kind == "contiguity" else {"correction": "none"}
    if kind == "general":
        options["effects"] = "entity"
    res = quietly(study(f, W=graph(W=M), model=model, window=(-3, 3), **options).fit)
    times = res.events.times
    k = len(times) + 2
    point = np.r_[res.params.to_numpy(), [] if "rho" in res.params else 0.0]
    cov = np.zeros((len(point), len(point)))
    m = len(res.params)
    cov[:m, :m] = res.cov

    def function(p):
        return dense_paths(p, k, times, M, model != "sar")

    J = slopes(function, point)  # parameters in the first dimension
    V = J.T @ cov @ J
    values = function(point)
    for a, effect in enumerate(("direct", "indirect", "total")):
        at = slice(a * len(times), (a + 1) * len(times))
        own = res.paths[effect]
        assert_allclose(own.estimates, values[at], atol=1e-10)
        assert_allclose(own.cov, V[at, at], rtol=1e-7, atol=1e-8 * np.abs(V).max())
        leads = [j for j, t in enumerate(times) if t < 0]
        b, C = values[at][leads], V[at, at][np.ix_(leads, leads)]
        assert_allclose(res.pretrend[effect].statistic, b @ np.linalg.solve(C, b), rtol=1e-5)
        assert res.pretrend[effect].df == len(leads)


def test_the_path_is_that_of_the_effects_of_the_model(f, W):
    res = quietly(study(f, W=W).fit)
    effects = res.effects()
    for effect in ("direct", "indirect", "total"):
        for time in res.events.times:
            own = effects.loc[(effect, f"did[{time}]")]
            assert_allclose(res.path.loc[(effect, time)].iloc[:5], own, rtol=1e-9)


def test_spatial_did_has_the_same_study(f, W):
    did = nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], W, durbin=["did"])
    made = did.event_study(window=(-3, 3))
    assert isinstance(made, EventStudy)
    res = quietly(made.fit, cov_type="clustered")
    own = quietly(study(f, W=W, durbin=["did"], window=(-3, 3)).fit, cov_type="clustered")
    assert_allclose(res.path, own.path, rtol=1e-12)
    assert [n for n in res.params.index if n.startswith("W_")] == [
        f"W_did[{t}]" for t in (-3, -2, 0, 1, 2, 3)
    ]
    sar = quietly(did.event_study(model="sar").fit)
    assert not any(name.startswith("W_") for name in sar.params.index)
    assert res.model_name == "Spatial Durbin difference-in-differences by event time"


def test_a_lag_that_the_effects_absorb_is_named():
    """All are neighbours of all: the treated share of the others is period effects less one's own.

    So a lag says what the period and the column itself say.
    """
    W = (np.ones((N, N)) - np.eye(N)) / (N - 1)
    with pytest.warns(DroppedLagWarning, match=r"did\[-3\]"):
        res = quietly_but_lags(study(panel(), x=(), W=graph(W=W), window=(-3, 3), model="slx"))
    assert "W_did[0]" not in res.params and "did[0]" in res.params
    assert_allclose(res.path.loc["indirect", "estimate"], 0, atol=1e-12)


def quietly_but_lags(made):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", DroppedLagWarning)
        return made.fit()


def test_trimmed_ends_with_a_graph_need_an_unbalanced_form(f, W):
    with pytest.raises(OptionError, match="ends='trim' leaves rows out"):
        study(f, W=W, ends="trim", window=(-2, 2))
    own = {"unbalanced": "renormalised", "correction": "adjusted-score"}
    res = quietly(study(f, W=W, ends="trim", window=(-2, 2), **own).fit)
    kept = f["since"].isna() | f["since"].between(-2, 2)
    assert res.nobs == int(kept.sum())


# ------------------------------------------------------------- what is not an event study


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base": -9}, r"base=-9 is outside window=\(-5, 5\)"),
        ({"window": (0, 5)}, r"window=\(0, 5\) does not reach"),
        ({"window": (-5, -1)}, "does not reach"),
        ({"window": (-5.5, 5)}, "not two whole numbers"),
        ({"window": 5}, "not two whole numbers"),
        ({"base": "first"}, "base='first' is no event time"),
        ({"base": (-1, -1)}, "no event time"),
        ({"ends": "keep"}, "ends='keep' is not known"),
        ({"model": "sdm"}, "model= belongs to the spatial form"),
        ({"correction": "none"}, "correction= belongs to the spatial form"),
        ({"durbin": ["x1"]}, "durbin= belongs to the spatial form"),
        ({"effects": "random"}, "effects='random' is not known"),
    ],
)
def test_options_of_the_ordinary_form(f, options, told):
    with pytest.raises(OptionError, match=told):
        study(f, **options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"model": "sarma"}, "model='sarma' is not known"),
        ({"trends": "entity"}, "trends= belongs to the ordinary form"),
        ({"model": "sar", "durbin": ["did"]}, "model='sar' has no lags of regressors"),
        ({"durbin": "did"}, "durbin='did' is text"),
        ({"durbin": ["nothing"]}, "durbin='nothing' is not known"),
    ],
)
def test_options_of_the_spatial_form(f, W, options, told):
    with pytest.raises(OptionError, match=told):
        study(f, W=W, **options)


def test_a_base_without_rows_is_refused(f):
    g = f[f["since"] != -2]
    with warnings.catch_warnings(action="ignore"), pytest.raises(OptionError) as caught:
        study(g, base=-2)
    assert re.search(r"base=-2 is absent: no row of 'did'.*-5, -4, -3, -1, 0", str(caught.value))


def test_event_times_that_nobody_has_are_said():
    res = study(panel(starts=(3, 4), never=8), window=(-6, 3)).fit()
    assert list(res.path.index) == [-4, -3, -2, -1, 0, 1, 2, 3]
    assert any("observed at the event times -6, -5" in note for note in res.notes)


def test_the_treatment_is_checked(f):
    with pytest.raises(TreatmentError, match="switches off"):
        study(f.assign(did=f["did"].where(f["since"] != 2, 0.0)))
    with pytest.raises(TreatmentError, match="never on"):
        study(f.assign(did=0.0))
    always = panel(starts=(0,), never=8)
    with pytest.warns(DataWarning), pytest.raises(TreatmentError, match="in all its periods"):
        study(always)


def test_the_policy_among_the_controls_is_collinear(f):
    with pytest.raises(CollinearityError, match=r"did|policy"):
        study(f.assign(policy=f["did"]), x=("policy",)).fit()


def test_no_leads_means_no_pretrend(f):
    res = study(f, window=(-1, 3)).fit()
    assert not res.tests
    assert "pretrend-power" not in res.frames
    with pytest.raises(OptionError, match="no pre-trend to test"):
        res.pretrend  # noqa: B018
    assert "did[0]" in res.summary()


def test_arrays_of_a_path_are_checked():
    assert EventPath.of(np.zeros(3), np.eye(3), 1).times == (-2, 0, 1)
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        EventPath.of(np.zeros(3), np.eye(3), 1, 1)
    with pytest.raises(DataError, match="not finite"):
        EventPath.of([0, np.nan, 0], np.eye(3), 1)
    with pytest.raises(DataError, match="not a covariance"):
        EventPath.of(np.zeros(3), -np.eye(3), 1)


def test_coordinates_and_cutoff_come_together(f, W):
    res = study(f).fit()
    with pytest.raises(OptionError, match="together"):
        res.covariances(cutoff_km=100)
    places = pd.DataFrame(
        {"lon": np.linspace(100, 110, N), "lat": 30.0}, pd.Index(f.index.unique(0), name="city")
    )
    found = quietly(res.covariances, cutoff_km=300, coordinates=places)
    own = quietly(study(f).fit, cov_type="conley", cutoff_km=300, coordinates=places)
    assert_allclose(found.to_frame().loc["conley"], own.path, rtol=1e-12)
    assert list(found.tests) == list(found.to_frame().index.unique("covariance"))
    spatial = quietly(study(f, W=W).fit)
    both = quietly(spatial.covariances, {"mine": {"cov_type": "robust"}})
    again = quietly(study(f, W=W).fit, cov_type="robust")
    assert_allclose(both.to_frame().loc["mine"], again.path, rtol=1e-10)
    assert list(both.tests) == ["mine/direct", "mine/indirect", "mine/total"]


def test_formula_and_other_options(f, W):
    made = EventStudy.from_formula("y ~ did + x1 + x2", f, window=(-3, 3))
    assert_allclose(made.fit().path, study(f, window=(-3, 3)).fit().path, rtol=1e-12)
    other = study(f, W=W).with_options(window=(-3, 3), model="sar")
    assert_allclose(
        quietly(other.fit).path, quietly(study(f, W=W, window=(-3, 3), model="sar").fit).path
    )
    assert repr(made).startswith("EventStudy (not fitted)\n  outcome: y")
