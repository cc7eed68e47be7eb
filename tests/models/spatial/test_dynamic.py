"""Dynamic models: estimates, labels and standard errors against explicit matrices and arbiters."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import SpatialDurbin, SpatialLag
from nqp_spatial.diagnostics import likelihood_ratio
from nqp_spatial.exceptions import BoundaryWarning, UnstableModelError
from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from tests import panels
from tests.by_hand import delta_errors
from tests.models.spatial import dynamic_panels as dyn
from tests.reference import independent_dynamic as independent

COORDINATES = pd.DataFrame(
    {"lon": 110 + np.arange(dyn.N) % 4 * 1.0, "lat": 30 + np.arange(dyn.N) // 4 * 1.0}
)
COVARIANCES = [
    {"cov_type": "asymptotic"},
    {"cov_type": "robust"},
    {"cov_type": "clustered"},
    {"cov_type": "clustered", "clusters": ["entity", "time"]},
    {"cov_type": "driscoll-kraay", "bandwidth": 2},
    {"cov_type": "conley", "cutoff_km": 150.0, "coordinates": COORDINATES, "serial_lags": 1},
]


@pytest.mark.parametrize("correction", ["none", "lee-yu", "bias-corrected"])
@pytest.mark.parametrize("effects", ["entity", "time", "twoway"])
@pytest.mark.parametrize("name", dyn.CLASSES)
def test_labels_and_values(name, effects, correction):
    res, W = dyn.fitted(name, effects=effects, correction=correction)
    data, _ = dyn.panel()
    y, X = dyn.arrays(data, dyn.N)
    Z = independent.durbin(X[1:], W) if name == "SDM" else X[1:]
    known = independent.estimate(y, Z, W, effects, correction)
    lags = ["W_x1", "W_x2"] if name == "SDM" else []
    assert list(res.params.index) == ["x1", "x2", *lags, "tau", "eta", "rho"]
    assert_allclose([*res.params, res.sigma2], known["corrected"], rtol=1e-6, atol=1e-8)
    assert_allclose(res.std_errors, np.sqrt(np.diag(known["cov"]))[:-1], rtol=1e-6)
    assert res.nobs == dyn.N * 9 and res.fit_statistics["n_periods"] == 9
    years = res.resids.index.get_level_values(1)
    assert years.min() == 2002 and len(res.resids) == dyn.N * 9
    assert_allclose(res.fitted + res.resids, data["y"].loc[(slice(None), slice(2002, 2010))])
    assert_allclose(res.loglik, known["loglik"], rtol=1e-9)
    assert any("Given 2001" in note for note in res.notes)
    assert (res.tau, res.eta, res.rho) == tuple(res.params[["tau", "eta", "rho"]])


@pytest.fixture(scope="module")
def entries(shared):
    import json

    path = shared / "reference" / "spatial_reference.json"
    return json.loads(path.read_text(encoding="utf-8"))


THEIRS = {
    "logc(t-1)": "tau",
    "W*logc(t-1)": "eta",
    "W*logp": "W_logp",
    "W*logy": "W_logy",
    "logp": "logp",
    "logy": "logy",
    "rho": "rho",
}


@pytest.mark.parametrize("step", ["uncorrected", "bias_corrected"])
@pytest.mark.parametrize("name", dyn.CLASSES)
def test_cigarettes_with_entity_effects(cigar, entries, name, step):
    """The arbiter of the shared reference file, estimates and standard errors."""
    data, graph, _ = cigar
    entry = entries["results"][f"arbiter|cigar|dynamic {name}|individual"]
    known = entry[step]
    for option in ("none",) if step == "uncorrected" else ("lee-yu", "bias-corrected"):
        model = dyn.CLASSES[name](
            data["logc"], data[["logp", "logy"]], graph, effects="entity", correction=option
        )
        if name == "SDM" and option != "none":  # tau + rho + eta is 1.0179
            with pytest.warns(BoundaryWarning, match=r"= 1\.0179, largest root .* 1\.0279"):
                res = model.fit()
            with pytest.raises(UnstableModelError, match=r"1\.0179"):
                res.effects(horizon="long")
        else:
            res = model.fit()
        for part, ours in (("coef", res.params), ("se", res.std_errors)):
            expected = pd.Series(known[part]).drop("sigma2").rename(THEIRS)
            assert set(expected.index) == set(ours.index)
            assert_allclose(ours[expected.index], expected, rtol=1e-6)
        assert_allclose(res.sigma2, known["coef"]["sigma2"], rtol=1e-6)
        if option == "none":
            assert_allclose(res.spectral_radius, entry["max_abs_eig_A"], rtol=1e-6)
            continue
        for horizon in ("short", "long"):
            if res.spectral_radius >= 1 and horizon == "long":
                continue
            found = res.effects(horizon=horizon)["estimate"]
            for variable, averages in entry[f"{horizon}_run"].items():
                for kind, value in averages.items():
                    assert_allclose(found[kind, variable], value, rtol=1e-6)


def test_cigarettes_with_two_way_effects(cigar, entries):
    """Values printed in the findings of the reference file, four decimals; then 1e-6, ours."""
    data, graph, _ = cigar
    text = next(f["text"] for f in entries["findings"] if "nearPD" in f["topic"])
    assert "0.8646, W*logc 0.0763, W*logc(t-1) -0.0153, -0.2660, 0.0998, 0.1704, -0.0224" in text
    printed = {"tau": 0.8646, "rho": 0.0763, "eta": -0.0153, "logp": -0.2660, "logy": 0.0998}
    printed |= {"W_logp": 0.1704, "W_logy": -0.0224}
    y, x = data["logc"], data[["logp", "logy"]]
    res = DynamicSpatialDurbin(y, x, graph).fit()
    assert_allclose(res.params[list(printed)], list(printed.values()), atol=5.1e-5)
    before = DynamicSpatialLag(y, x, graph).fit()
    assert_allclose(before.rho, 0.0382, atol=5.1e-5)
    wide = [values.unstack().sort_index() for values in (y, x["logp"], x["logy"])]
    arrays = [values.to_numpy().T for values in wide]
    W = graph.sparse.toarray()
    X = np.stack(arrays[1:], axis=-1)
    known = independent.estimate(arrays[0], independent.durbin(X[1:], W), W, "twoway", "lee-yu")
    assert_allclose(known["uncorrected"][-2], 0.0769, atol=5.1e-5)
    assert_allclose([*res.params, res.sigma2], known["corrected"], rtol=1e-6)
    assert_allclose(res.std_errors, np.sqrt(np.diag(known["cov"]))[:-1], rtol=1e-6)


@pytest.mark.parametrize("options", COVARIANCES, ids=lambda o: o["cov_type"])
@pytest.mark.parametrize("effects", ["entity", "twoway"])
def test_without_correction_it_is_the_static_model_with_lags_as_regressors(effects, options):
    """Every covariance of the static model, with y_{t-1} and W y_{t-1} put in by hand."""
    data, W = dyn.panel(n_periods=24)
    model, _ = dyn.model("SAR", n_periods=24, effects=effects, correction="none")
    y, X = dyn.arrays(data, dyn.N)
    later = panels.frame(y[1:], np.concatenate([X[1:]], axis=-1), periods=range(2002, 2026))
    later["lag"] = y[:-1].T.ravel()
    later["wlag"] = (y[:-1] @ W.T).T.ravel()
    static = SpatialLag(
        later["y"],
        later[["x1", "x2", "lag", "wlag"]],
        (W, range(dyn.N)),
        effects=effects,
        correction="none",
    )
    with pytest.warns(match="16 clusters") if options["cov_type"] == "clustered" else NOTHING:
        ours = model.fit(**options)
    with pytest.warns(match="16 clusters") if options["cov_type"] == "clustered" else NOTHING:
        theirs = static.fit(**options)
    assert_allclose(ours.params, theirs.params, rtol=1e-8)
    assert_allclose(ours.loglik, theirs.loglik, rtol=1e-10)
    assert_allclose(ours.cov, theirs.cov, rtol=1e-5, atol=1e-10)
    for kind in ("within", "overall"):
        assert_allclose(ours.rsquared[kind], theirs.rsquared[kind], rtol=1e-8)


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


NOTHING = _Nothing()


@pytest.mark.parametrize("options", COVARIANCES, ids=lambda o: o["cov_type"])
def test_every_covariance_flows_into_effects(options):
    model, W = dyn.model("SDM", n_periods=24, effects="twoway")
    with pytest.warns(match="16 clusters") if options["cov_type"] == "clustered" else NOTHING:
        res = model.fit(**options)
    point, cov = dyn.parameters(res, "x1")
    for horizon in ("short", "long"):

        def averages(p, horizon=horizon):
            matrices, long = independent.responses(W, *p, 0)
            return independent.averages(matrices[0] if horizon == "short" else long)

        frame = res.effects(horizon=horizon).xs("x1", level="variable")
        assert_allclose(frame["std_error"], delta_errors(averages, point, cov), rtol=1e-6)


def test_labels_of_clusters_may_cover_the_first_period():
    model, _ = dyn.model("SAR", n_periods=24)
    data, _ = dyn.panel(n_periods=24)
    cells = pd.Series(np.arange(len(data)) // 5, index=data.index, name="five")
    later = cells[cells.index.get_level_values(1) > 2001]
    one, other = (model.fit(cov_type="clustered", clusters=c) for c in (cells, later))
    assert_allclose(one.std_errors, other.std_errors, rtol=1e-14)
    assert one.cov_type == "clustered by five"


@pytest.mark.parametrize("lag", ["time_lag", "space_time_lag"])
def test_one_lag_alone(lag):
    options = dict.fromkeys(["time_lag", "space_time_lag"], False) | {lag: True}
    res, W = dyn.fitted("SDM", effects="twoway", **options)
    name = {"time_lag": "tau", "space_time_lag": "eta"}[lag]
    assert list(res.params.index)[-2:] == [name, "rho"] and len(res.params) == 6
    y, X = dyn.arrays(dyn.panel()[0], dyn.N)
    Z = independent.durbin(X[1:], W)
    known = independent.estimate(y, Z, W, "twoway", "lee-yu", **options)
    assert_allclose([*res.params, res.sigma2], known["corrected"], rtol=1e-6, atol=1e-8)
    point, cov = dyn.parameters(res, "x2")
    found = res.effects(horizon="long").xs("x2", level="variable")

    def long(p):
        return independent.averages(independent.responses(W, *p, 0)[1])

    assert_allclose(found["estimate"], long(point), rtol=1e-9)
    assert_allclose(found["std_error"], delta_errors(long, point, cov), rtol=1e-6)


def test_formula_and_other_weights():
    data, W = dyn.panel()
    graph = (W, range(dyn.N))
    frames = DynamicSpatialDurbin(data["y"], data[["x1", "x2"]], graph, durbin=["x1"]).fit()
    formula = DynamicSpatialDurbin.from_formula("y ~ x1 + x2", data, graph, durbin=["x1"])
    assert_allclose(formula.fit().params, frames.params, rtol=1e-14)
    assert "W_x2" not in frames.params
    other = panels.knn(dyn.N, seed=1)
    for options in ({"time_lag": False}, {"effects": "entity", "correction": "none"}):
        for Model in (DynamicSpatialDurbin, DynamicSpatialLag):
            moved = Model(data["y"], data[["x1", "x2"]], graph, **options)
            moved = moved.with_graph((other, range(dyn.N))).fit()
            direct = Model(data["y"], data[["x1", "x2"]], (other, range(dyn.N)), **options).fit()
            assert_allclose(moved.params, direct.params, rtol=1e-14)


@pytest.mark.parametrize("correction", ["lee-yu", "bias-corrected", "none"])
def test_order_names_and_units_do_not_matter(correction):
    data, W = dyn.panel()
    options = {"effects": "twoway", "correction": correction}
    base = DynamicSpatialDurbin(data["y"], data[["x1", "x2"]], (W, range(dyn.N)), **options).fit()
    order = np.random.default_rng(1).permutation(dyn.N)
    names = [f"城市{i:02d}" for i in range(dyn.N)]
    renamed = data.rename(index=dict(zip(order, names, strict=True)), level=0)
    renamed = renamed.sample(frac=1, random_state=3)
    moved = DynamicSpatialDurbin(
        renamed["y"], renamed[["x1", "x2"]], (W[np.ix_(order, order)], names), **options
    ).fit()
    assert_allclose(moved.params, base.params, rtol=1e-7)
    assert_allclose(moved.std_errors, base.std_errors, rtol=1e-6)
    scaled = DynamicSpatialDurbin(
        100 * data["y"], data[["x1", "x2"]] / 10, (W, range(dyn.N)), **options
    ).fit()
    factor = np.array([1000.0] * 4 + [1.0] * 3)
    assert_allclose(scaled.params, factor * base.params, rtol=1e-7)
    assert_allclose(scaled.std_errors, factor * base.std_errors, rtol=1e-6)
    assert_allclose(scaled.sigma2, 1e4 * base.sigma2, rtol=1e-7)


def test_likelihood_ratios_are_of_one_kind_of_likelihood():
    small, _ = dyn.fitted("SAR", correction="none")
    large, _ = dyn.fitted("SDM", correction="none")
    data, W = dyn.panel()
    later = data[data.index.get_level_values(1) > 2001]
    static = SpatialDurbin(
        later["y"], later[["x1", "x2"]], (W, range(dyn.N)), effects="entity", correction="none"
    ).fit()
    assert likelihood_ratio(small, large).df == 2
    assert_allclose(likelihood_ratio(static, large).statistic, 2 * (large.loglik - static.loglik))
    corrected, _ = dyn.fitted("SDM")
    other = SpatialDurbin(
        later["y"], later[["x1", "x2"]], (W, range(dyn.N)), effects="entity"
    ).fit()
    with pytest.raises(ValueError, match="corrections differ"):
        likelihood_ratio(other, corrected)
