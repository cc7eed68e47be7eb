"""What a policy did where it was: dense algebra, complex steps, counterfactuals, groups."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, DuplicateKeysError, OptionError, UnstableModelError
from tests import panels

N, T = 15, 6
CITIES = [f"c{i:02d}" for i in range(N)]
YEARS = range(2001, 2001 + T)
FIRST = {"c01": 2003, "c04": 2003, "c09": 2005, "c10": 2005}
STEP = 1e-30


def graph(W):
    return nqp.weights.as_graph(W, ids=CITIES)


def data(W, seed=6):
    frame = panels.frame(*panels.arrays(W, T, seed=seed), entities=CITIES)
    city, year = (frame.index.get_level_values(level) for level in (0, 1))
    first = city.map(FIRST).to_numpy(dtype=float)
    frame["did"] = (year.to_numpy() >= first).astype(float)  # NaN, and no year reaches it
    frame["y"] += 0.7 * frame["did"]
    return frame


QUEEN, GENERAL, KNN = panels.contiguity(N, 3), panels.general(N, 4), panels.knn(N, 2)


def did(W=QUEEN, frame=None, graphs=None, **options):
    f = data(W) if frame is None else frame
    return nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], graphs or graph(W), **options)


def gaps():
    frame = data(QUEEN)
    return frame.drop([("c01", 2004), ("c07", 2001), ("c11", 2006), ("c12", 2006)])


CHANGING = {year: panels.contiguity(N, 3 + i % 3) for i, year in enumerate(YEARS)}
OTHER = {"durbin_graph": graph(panels.general(N, 9))}
ADJUSTED = {"correction": "adjusted-score"}
MODELS = {
    "row-normalised": lambda: (did(), QUEEN),
    "asymmetric": lambda: (did(KNN), KNN),
    "not row-normalised": lambda: (did(GENERAL, effects="entity"), GENERAL),
    "no effects": lambda: (did(effects=None), QUEEN),
    "second W": lambda: (did(**OTHER), QUEEN),
    "random effects": lambda: (did(effects="random"), QUEEN),
    "no lag of the policy": lambda: (did(durbin=["x1"]), QUEEN),
    "W by period": lambda: (
        did(graphs={t: graph(W) for t, W in CHANGING.items()}, **ADJUSTED),
        CHANGING,
    ),
    "gaps": lambda: (did(frame=gaps(), unbalanced="submatrix", **ADJUSTED), QUEEN),
    "slx": lambda: (_family(nqp.SLX), QUEEN),
    "sdem": lambda: (_family(nqp.SpatialDurbinError), QUEEN),
    "sem": lambda: (_family(nqp.SpatialError), QUEEN),
    "gns": lambda: (_family(nqp.GNS), QUEEN),
    "dynamic": lambda: (_family(nqp.DynamicSpatialDurbin), QUEEN),
    "iv": lambda: (_instrumented(), QUEEN),
}


def _family(kind):
    f = data(QUEEN)
    return kind(f["y"], f[["did", "x1", "x2"]], graph(QUEEN))


def _instrumented():
    f = data(QUEEN)
    z = f["did"] + 0.3 * np.random.default_rng(1).normal(size=len(f))
    return nqp.SpatialIV(
        f["y"], f[["x1", "x2"]], graph(QUEEN), endog=f["did"], instruments=z.rename("z")
    )


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples as small as these
        model, W = MODELS[request.param]()
        return model.fit(), W


def dense(res, W, params, own):
    """Effects of each cell as (entity, time) Series, from inverses of N x N matrices."""
    index, p = res.resids.index, dict(zip(res.params.index, params, strict=True))
    M = None if res.design.durbin is None else res.design.durbin.W.toarray()
    values = data(QUEEN)["did"] if not isinstance(W, dict) else data(QUEEN)["did"]
    found = {}
    for year in index.unique(1):
        here = [CITIES.index(c) for c, t in index if t == year]
        at = (W[year] if isinstance(W, dict) else W)[np.ix_(here, here)]
        lag = at if M is None else M[np.ix_(here, here)]
        eye = np.eye(len(here))
        S = p["did"] * eye + p.get("W_did", 0.0) * lag
        S = np.linalg.solve(eye - p.get("rho", 0.0) * at, S)
        D = np.array([values[CITIES[i], year] for i in here])
        effect = np.diag(S) * D if own else S @ D
        found |= {(CITIES[i], year): e for i, e in zip(here, effect, strict=True)}
    return pd.Series([found[key] for key in index], index)


def test_cells_are_those_of_dense_algebra(fitted):
    res, W = fitted
    cells = res.policy_impact("did").cells
    own, total = (dense(res, W, res.params, kind) for kind in (True, False))
    assert cells.index.equals(res.resids.index)
    assert_allclose(cells["own"], own, rtol=0, atol=1e-10)
    assert_allclose(cells["total"], total, rtol=0, atol=1e-10)
    assert_allclose(cells["received"], total - own, rtol=0, atol=1e-10)


def gradients(res, W, own):
    """By complex steps, shape (cells, parameters)."""
    columns = []
    for j in range(len(res.params)):
        moved = res.params.to_numpy().astype(complex)
        moved[j] += 1j * STEP
        columns.append(dense(res, W, moved, own).to_numpy().imag / STEP)
    return np.stack(columns, axis=-1)


def test_errors_of_cells_and_of_sums_follow_from_the_gradient_of_each(fitted):
    res, W = fitted
    found, V = res.policy_impact("did"), res.cov.to_numpy()
    own, total = gradients(res, W, True), gradients(res, W, False)
    province = pd.Series(["a", "b", "c"] * (N // 3), CITIES, name="province")
    where = found.index.get_level_values(0).map(province)
    by_group = found.sums(province)
    for name, gradient in {"own": own, "received": total - own, "total": total}.items():
        error = np.sqrt(np.einsum("ip,pq,iq->i", gradient, V, gradient))
        assert_allclose(found.cells[f"{name}_std_error"], error, rtol=1e-9, atol=1e-12)
        for label, row in by_group.iterrows():
            whole = gradient[where == label].sum(axis=0)
            expected = np.sqrt(whole @ V @ whole)
            assert_allclose(row[f"{name}_std_error"], expected, rtol=1e-9, atol=1e-12)
            assert_allclose(row[name], found.cells[name][where == label].sum(), atol=1e-11)


def test_the_total_is_what_a_counterfactual_takes_away():
    res = did().fit()
    found, other = res.policy_impact(), res.counterfactual("did", 0)
    assert_allclose(found.cells["total"], other["effect"], atol=1e-13)
    assert_allclose(found.cells["total_std_error"], other["std_error"], atol=1e-13)
    means = res.counterfactual_means("did", 0).loc["all"]
    assert_allclose(found.means()["total"], means["effect"], atol=1e-13)
    later = means.loc[2003:]
    assert_allclose(found.means().loc[2003:, "total_std_error"], later["std_error"], rtol=1e-10)


def test_a_policy_everywhere_has_the_average_effects():
    """Where all are treated in the last year, means are the effects of a unit change."""
    f = data(QUEEN)
    f.loc[f.index.get_level_values(1) == 2006, "did"] = 1.0
    res = did(frame=f).fit()
    last = res.policy_impact().path("mean").xs(2006, level="period")
    effects = res.policy_effects()
    for ours, theirs in {"own": "direct", "received": "indirect", "total": "total"}.items():
        assert_allclose(last.loc[ours], effects.loc[theirs], rtol=1e-9)


def test_sums_by_period_group_and_treatment_add_up():
    found = did().fit().policy_impact()
    cells = found.cells
    assert_allclose(found.sums()["total"], cells["total"].groupby("year").sum())
    both = found.sums(["period", "treated"])
    assert both.index.names == ["period", "treated"]
    assert both.xs(True, level="treated")["cells"].to_dict() == {2003: 2, 2004: 2, 2005: 4, 2006: 4}
    assert (both.xs(False, level="treated")["own"] == 0).all()
    assert_allclose(both.groupby("period")["received"].sum(), found.sums()["received"])
    ever = found.sums("ever_treated")
    assert ever["cells"].to_dict() == {False: (N - 4) * T, True: 4 * T}
    assert_allclose(found.sums(None).loc["all", "total"], cells["total"].sum())
    assert_allclose(found.means("entity")["own"], cells["own"].groupby("city").mean())


def test_groups_of_any_form_and_overlapping_ones():
    found = did().fit().policy_impact()
    cells = found.cells
    table = pd.DataFrame(
        {"agglomeration": ["A", "A", "B", "B"], "adcode": ["c01", "c02", "c02", "c09"]}
    )
    sums = found.sums(table)
    expected = cells.loc[["c01", "c02"], "total"].sum(), cells.loc[["c02", "c09"], "total"].sum()
    assert_allclose(sums["total"], expected)
    assert sums["cells"].tolist() == [2 * T, 2 * T]
    assert f"{(N - 3) * T} cells have no label" in sums.attrs["notes"][-1]
    moving = pd.Series(np.arange(len(cells)) % 2, cells.index, name="half")
    assert_allclose(found.sums(moving)["own"], cells["own"].groupby(moving).sum())
    two = found.sums([table, "period"])
    assert_allclose(two.groupby("group")["total"].sum(), expected)
    same = pd.Series("all", CITIES, name="period")
    assert found.sums(["period", same]).index.names == ["period", "period_1"]


def test_order_of_rows_and_names_of_entities_decide_nothing():
    f = data(QUEEN)
    found = did().fit().policy_impact().cells
    shuffled = f.sample(frac=1, random_state=2)
    assert_allclose(did(frame=shuffled).fit().policy_impact().cells, found, atol=1e-10)
    doubled = did(frame=f.assign(y=10 * f["y"])).fit().policy_impact().cells
    assert_allclose(doubled, 10 * found, rtol=1e-7, atol=1e-9)


def test_periods_of_text_stay_in_the_order_of_time():
    f = data(QUEEN)
    names = {year: f"{year - 1994}月" for year in YEARS}  # 10月 sorts before 7月 as text
    f.index = f.index.set_levels([names[t] for t in f.index.levels[1]], level=1)
    sums = did(frame=f).fit().policy_impact().sums()
    assert list(sums.index) == [names[t] for t in YEARS]
    assert_allclose(sums["own"], did().fit().policy_impact().sums()["own"], atol=1e-9)


def test_notes_say_what_is_compared_and_what_is_not_counted():
    twoway = did().fit().policy_impact().notes
    assert any("against zero everywhere" in note for note in twoway)
    assert any("part of the period effect and not counted" in note for note in twoway)
    entity = did(effects="entity").fit().policy_impact().notes
    assert not any("period effect" in note for note in entity)
    dynamic = _family(nqp.DynamicSpatialDurbin).fit().policy_impact().notes
    assert any("carry into later periods is not counted" in note for note in dynamic)
    assert all("政" in n.zh or "影响" in n.zh for n in twoway[-2:])


def test_several_terms_of_one_policy():
    f = data(QUEEN)
    f["m"] = f.index.get_level_values(0).map({c: i % 4 for i, c in enumerate(CITIES)})
    asked = dict(treatment=f["did"], moderator=f["m"], x=f[["x1"]], graph=graph(QUEEN))
    res = nqp.SpatialModeration(f["y"], **asked).fit()
    found = res.policy_impact()
    assert found.variables == ("did", "did:m")
    other = res.counterfactual({"did": 0, "did:m": 0})
    assert_allclose(found.cells["total"], other["effect"], atol=1e-12)
    assert_allclose(found.cells["total_std_error"], other["std_error"], atol=1e-12)
    with pytest.raises(OptionError, match="Fit with centre=False"):
        nqp.SpatialModeration(f["y"], **asked, centre=True).fit().policy_impact()


def test_what_cannot_be_asked_is_told():
    found = did().fit().policy_impact()
    with pytest.raises(OptionError, match="by='year' is not known. Use one of 'period'"):
        found.sums("year")
    with pytest.raises(DataError, match="No entity of the model has a label in by="):
        found.sums(pd.Series("a", ["z1", "z2"]))
    with pytest.raises(DuplicateKeysError):
        found.sums(pd.Series(1, found.index.append(found.index[:1])))
    with pytest.raises(OptionError, match="variable='nope' is not known"):
        did().fit().policy_impact("nope")
    with pytest.raises(OptionError, match="measure='median'"):
        found.path("median")


def test_at_the_bound_no_impact_is_defined():
    res = did().fit()
    edge = res.as_(type(res), cov=res.cov * np.nan)
    with pytest.raises(UnstableModelError, match="no effect is defined"):
        edge.policy_impact()


def test_figures_and_text():
    found = did().fit().policy_impact()
    ax = found.plot(lang="zh")
    assert [t.get_text() for t in ax.get_legend().get_texts()][0] == "自身效应"
    assert found.plot(measure="mean").get_ylabel() == "Mean effect of did"
    assert "Policy impact: did, 12 cells" in found.summary()
    facts = found.facts
    assert_allclose(facts["own"] + facts["received"], facts["total"])


@pytest.mark.slow
def test_three_thousand_places_and_twenty_years_are_comfortable():
    n, t = 3000, 20
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"lon": 100 + 20 * rng.random(n), "lat": 25 + 15 * rng.random(n)})
    W = nqp.weights.normalise(nqp.weights.knn(frame, k=6), "row")
    index = pd.MultiIndex.from_product([range(n), range(t)], names=["city", "year"])
    first = rng.choice([5, 10, 99], n, p=[0.1, 0.1, 0.8])
    on = index.get_level_values(1).to_numpy() >= first[index.get_level_values(0)]
    f = pd.DataFrame({"did": on.astype(float), "y": rng.normal(size=n * t)}, index)
    res = nqp.SpatialDiD(f["y"], f["did"], None, W).fit()
    start = time.perf_counter()
    found = res.policy_impact()
    sums = found.sums(["period", "treated"])
    cells = found.cells
    assert time.perf_counter() - start < 30
    assert len(cells) == n * t and np.isfinite(sums.to_numpy()).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:1 entities had no neighbour")
def test_intervals_of_sums_and_of_the_implied_bias_cover():
    """277 cities and their pilots; docs/monte_carlo_policy.md has more of them."""
    import monte_carlo_policy as simulation

    frame = nqp.load_simulated_clusters()
    cities = nqp.load_cities().loc[frame.index.unique(0)]
    queen = simulation.graphs(cities)["contiguity"]
    samples = 100
    table = simulation.case(frame, queen, 0.37, 0.01, samples, 7)
    error = np.sqrt(0.95 * 0.05 / samples)
    assert (np.abs(table["coverage"] - 0.95) < 3 * error).all()
    assert (np.abs(table["mean"] - table["truth"]) < 4 * table["sd"] / np.sqrt(samples)).all()
    assert table["se_sd"].between(0.8, 1.25).all()
