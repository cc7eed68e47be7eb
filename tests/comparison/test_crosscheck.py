"""crosscheck: agreement under one convention, conventions told apart, and what is wrong said.

Tolerances are what was measured, with room: 1e-10 for linearmodels (1e-14), 2e-6 for spreg (5e-7),
whose searches stop at 1e-7.
"""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import spreg
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import weights
from nqp_spatial.comparison.programs.numbers import Comparison, Reason
from nqp_spatial.exceptions import EstimationError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.shared.notes import in_language
from tests import REFERENCE
from tests.reference import independent_random_effects as independent

pytestmark = [  # few clusters and weak instruments, told on purpose
    pytest.mark.filterwarnings("ignore:There are only"),
    pytest.mark.filterwarnings("ignore:Weak instruments"),
]

KINDS = ("direct", "indirect", "total")
SPATIAL = {
    "lag": nqp.SpatialLag,
    "durbin": nqp.SpatialDurbin,
    "error": nqp.SpatialError,
    "durbin error": nqp.SpatialDurbinError,
    "slx": nqp.SLX,
}


@pytest.fixture(scope="module")
def panel():
    """A durbin model of 25 entities in six periods; links of a ring and of chance, W by rows."""
    n, n_periods, rng = 25, 6, np.random.default_rng(3)
    ids = [f"e{j:02d}" for j in range(n)]
    links = np.triu(rng.random((n, n)) < 0.12, 1) + np.roll(np.eye(n), 1, axis=1)
    near = ((links + links.T) > 0).astype(float)
    by_row = near / near.sum(axis=1, keepdims=True)
    x = rng.normal(size=(n_periods, n, 2))
    signal = x @ [1.0, -0.5] + (by_row @ x[..., 0].T).T * 0.6 + rng.normal(size=n)
    signal += rng.normal(size=(n_periods, n)) + rng.normal(size=(n_periods, 1))
    y = np.linalg.solve(np.eye(n) - 0.4 * by_row, signal.T)
    index = pd.MultiIndex.from_product([ids, range(2001, 2001 + n_periods)])
    data = pd.DataFrame({"y": y.ravel(), "城镇化": x[..., 0].T.ravel(), "x2": x[..., 1].T.ravel()})
    data = data.set_index(index)
    as_is = weights.as_graph(near, ids=ids)
    return data["y"], data[["城镇化", "x2"]], weights.normalise(as_is, "row"), as_is


@pytest.fixture(scope="module")
def city():
    data = pd.read_csv(REFERENCE / "fixed_effects_data.csv").set_index(["city", "year"])
    return data.assign(y=data["y"] - 5e6)


def without_unexplained(frame):
    assert not (frame["verdict"] == "unexplained").any(), frame[frame["verdict"] == "unexplained"]
    assert (frame.loc[frame["verdict"] == "same", "explanation"] == "").all()
    assert (frame.loc[frame["verdict"] != "same", "explanation"] != "").all()
    assert_allclose(frame["difference"], frame["ours"] - frame["theirs"], rtol=1e-12)
    return frame


def by_hand(name, y, x, graph, factor=1.0, **options):
    """A panel model of spreg, given period after period."""
    entities = y.index.levels[0]
    cells = [v.unstack(0)[entities].to_numpy().reshape(-1, 1) for v in (y, *(x[c] for c in x))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(spreg, name)(
            factor * cells[0], np.hstack(cells[1:]), graph.to_W(), **options
        )


def printed_impacts(text):
    """What spreg's summary says of each variable."""
    rows = re.findall(r"^\s+(\S+)((?:\s+-?\d+\.\d{4}){3})$", text.partition("IMPACTS")[2], re.M)
    return {name: [float(value) for value in values.split()] for name, values in rows}


# spreg -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("kind", SPATIAL)
def test_spreg_has_our_numbers_with_exact_dummies(panel, kind, effects):
    y, x, graph, _ = panel
    res = SPATIAL[kind](y, x, graph, effects=effects).fit()
    frame = without_unexplained(nqp.crosscheck(res))
    assert_allclose(frame.loc[(slice(None), "params"), "ours"], res.params)
    known = frame.dropna(subset="converted")
    size = np.maximum(known["theirs"].abs(), 0.05)  # of a standard error: some are near zero
    assert ((known["converted"] - known["theirs"]).abs() <= 2e-6 * size).all()
    quantities = frame.index.get_level_values("quantity")
    if effects is None:
        expected = {"std_errors", "sigma2"} if kind == "slx" else set()
    elif effects == "entity":
        expected = {"std_errors", "sigma2", "loglik"} - (
            {"std_errors", "sigma2"} if kind == "slx" else set()
        )
    else:
        expected = {"params", "std_errors", "sigma2", "loglik"} - (
            {"params"} if kind == "slx" else set()
        )
    apart = set(quantities[frame["verdict"] != "same"]) - set(KINDS)
    assert apart == expected


def test_theirs_are_what_spreg_returns(panel):
    y, x, graph, _ = panel
    frame = nqp.crosscheck(nqp.SpatialDurbin(y, x, graph, effects="entity").fit())
    theirs = by_hand("ML_LagFE", y, x, graph, slx_lags=1, spat_impacts="full")
    part = frame.xs("spreg.ML_LagFE")["theirs"]
    assert_allclose(part["params"], theirs.betas.ravel(), rtol=1e-12)
    assert_allclose(part["std_errors"], np.sqrt(np.diag(theirs.vm)), rtol=1e-12)
    assert_allclose(part["sigma2"], np.ravel(theirs.sig2), rtol=1e-12)
    assert_allclose(part["loglik"], theirs.logll, rtol=1e-12)
    known = list(printed_impacts(theirs.summary).values())
    assert_allclose(part[list(KINDS)].unstack(0)[list(KINDS)].loc[list(x)], known, atol=5.1e-5)


def test_conventions_are_told_apart(panel):
    """The default's rho, that of dummies, and theirs: the difference is that of the first two."""
    y, x, graph, _ = panel
    model = nqp.SpatialDurbin(y, x, graph)
    res, dummies = model.fit(cov_type="clustered"), model.with_options(correction="none").fit()
    frame = nqp.crosscheck(res)
    rho = frame.loc[("spreg.ML_LagFE", "params", "rho")]
    assert rho["verdict"] == "convention" and abs(rho["relative"]) > 0.01
    assert_allclose([rho["ours"], rho["converted"]], [res.rho, dummies.rho], rtol=1e-12)
    assert_allclose(rho["theirs"], dummies.rho, rtol=1e-6)
    assert "correction='lee-yu'" in rho["explanation"]
    error = frame.loc[("spreg.ML_LagFE", "std_errors", "rho")]
    assert "clustered by entity covariance" in error["explanation"]
    assert_allclose(error["converted"], dummies.std_errors["rho"], rtol=1e-12)
    assert frame.attrs["versions"] == {"spreg": spreg.__version__}
    assert frame.attrs["call"] == "ML_LagFE(y, x, w, slx_lags=1, period dummies in x)"


@pytest.mark.parametrize("correction", ["bias-corrected", "adjusted-score", "none"])
def test_every_correction_is_compared_with_dummies(panel, correction):
    y, x, graph, _ = panel
    frame = nqp.crosscheck(nqp.SpatialLag(y, x, graph, correction=correction).fit())
    verdict = without_unexplained(frame).loc[("spreg.ML_LagFE", "params", "rho"), "verdict"]
    assert verdict == ("same" if correction == "none" else "convention")


def test_spreg_s_direct_effect_leaves_theta_out(panel):
    """Of the regressors that have a lag; the total is right where rows sum to one."""
    y, x, graph, _ = panel
    res = nqp.SpatialDurbin(y, x, graph, effects="entity", correction="none", durbin=["x2"]).fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_LagFE")
    for kind in ("direct", "indirect"):
        assert frame.loc[kind, "verdict"].tolist() == ["same", "wrong"]
        assert "leaves theta out" in frame.loc[(kind, "x2"), "explanation"]
    assert (frame.loc["total", "verdict"] == "same").all()
    W = graph.sparse.toarray()
    mean = np.trace(np.linalg.inv(np.eye(25) - res.rho * W)) / 25
    assert_allclose(frame.loc[("direct", "x2"), "theirs"], mean * res.params["x2"], rtol=1e-6)


def test_spreg_s_total_effect_is_for_rows_that_sum_to_one(panel):
    y, x, _, as_is = panel
    res = nqp.SpatialLag(y, x, as_is, effects="entity", correction="none").fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_LagFE")
    assert (frame.loc["direct", "verdict"] == "same").all()
    assert (frame.loc["total", "verdict"] == "wrong").all()
    assert frame.loc["total", "explanation"].str.contains("1 / (1 - rho)", regex=False).all()
    theirs = by_hand("ML_LagFE", y, x, as_is, spat_impacts="full")
    known = [row[2] for row in printed_impacts(theirs.summary).values()]
    assert_allclose(frame.loc["total", "theirs"], known, atol=5.1e-5)
    W = as_is.sparse.toarray()
    right = np.linalg.inv(np.eye(25) - res.rho * W).sum() / 25 * res.params[list(x)]
    assert_allclose(frame.loc["total", "ours"], right, rtol=1e-10)


@pytest.mark.parametrize("durbin", [[], None])
def test_random_effects_lag_has_our_estimates_and_errors_in_units_of_y(panel, durbin):
    y, x, graph, _ = panel
    res = nqp.SpatialDurbin(y, x, graph, durbin=durbin, effects="random").fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_LagRE")
    for quantity in ("params", "sigma2", "loglik"):
        assert (frame.loc[quantity, "verdict"] == "same").all()
        assert_allclose(
            frame.loc[quantity, "theirs"], frame.loc[quantity, "ours"], rtol=2e-6, atol=1e-7
        )
    rho = frame.loc[("std_errors", "rho")]
    assert rho["verdict"] == "wrong" and "unit of y" in rho["explanation"]
    lags = {} if durbin == [] else {"slx_lags": 1}
    again = [by_hand("ML_LagRE", y, x, graph, f, spat_impacts=None, **lags) for f in (1, 10)]
    errors = [np.sqrt(found.vm[-2, -2]) for found in again]
    assert abs(errors[1] / errors[0] - 1) > 1e-4
    assert_allclose(rho["theirs"], errors[0], rtol=1e-12)
    assert f"{errors[1]:.5g}" in rho["explanation"]
    share = frame.loc[("variances", "phi")]
    assert share["verdict"] == "convention"
    assert_allclose(share["converted"], share["theirs"], rtol=2e-6)


def test_random_effects_error_is_not_at_its_maximum(panel):
    """By the normal density with NT x NT matrices, at spreg's estimates and at ours."""
    y, x, graph, _ = panel
    res = nqp.SpatialError(y, x, graph, effects="random").fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_ErrorRE")
    assert (frame.loc["params", "verdict"] == "wrong").all()
    assert frame.loc["params", "explanation"].str.contains("eigenvectors").all()
    wide = [v.unstack(0).to_numpy() for v in (y, *(x[c] for c in x))]
    Z = np.stack([np.ones_like(wide[0]), *wide[1:]], axis=-1)
    model = independent.Model(wide[0], Z, graph.sparse.toarray(), lag=False, error=True)

    def loglik(params, sigma2_mu, sigma2):
        delta, lambda_ = params[:-1], params.iloc[-1]
        return independent.loglik(model, np.array([*delta, 0, lambda_, sigma2_mu / sigma2, sigma2]))

    at = {
        side: loglik(
            frame.loc["params", side],
            frame.loc[("variances", "sigma2_mu"), side],
            frame.loc[("sigma2", "sigma2"), side],
        )
        for side in ("ours", "theirs")
    }
    assert_allclose(at["ours"], res.loglik, rtol=1e-12)
    drop = float(re.search(r"log-likelihood is (\S+) lower", frame["explanation"].iloc[0]).group(1))
    assert drop > 1e-5
    assert at["ours"] - at["theirs"] >= drop * 0.99  # delta and sigma2 are not the best at theirs
    loglik = frame.loc[("loglik", "loglik")]
    assert loglik["verdict"] == "wrong" and f"{loglik['theirs']:.6f}" in loglik["explanation"]


def test_random_effects_error_with_a_symmetric_w_stops_early_and_squares_traces(panel):
    """Its information has (tr G)^2 for tr(G^2), and sqrt(phi) for phi: put right it is ours."""
    y, x, _, as_is = panel
    graph = weights.normalise(as_is, "spectral")
    res = nqp.SpatialError(y, x, graph, effects="random").fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_ErrorRE")
    assert set(frame.loc["params", "verdict"]) <= {"same", "search"}
    assert_allclose(
        frame.loc["params", "theirs"], frame.loc["params", "ours"], rtol=1e-3, atol=1e-4
    )
    error = frame.loc[("std_errors", "lambda")]
    assert error["verdict"] == "wrong" and "curvature" in error["explanation"]

    found = by_hand("ML_ErrorRE", y, x, graph)
    W, (n, T), s2 = graph.sparse.toarray(), (25, 6), float(found.sig2.item())
    B = np.eye(n) - found.lam * W
    V = np.linalg.inv(B.T @ B)
    gamma = (W.T @ B + B.T @ W) @ V

    def information(square, phi):
        vi = np.linalg.inv(T * phi * np.eye(n) + V)
        sigma = vi @ V
        sg = sigma @ gamma
        ab = np.trace(sg @ vi) * T / (2 * s2)
        ac = ((T - 1) * np.trace(gamma) + np.trace(sg @ sigma)) / (2 * s2)
        bc = T * np.trace(sigma @ vi) / (2 * s2**2)
        aa = (T - 1) / 2 * square(gamma) + square(sg) / 2
        bb = T**2 * square(vi) / (2 * s2**2)
        cc = ((T - 1) * n + square(sigma)) / (2 * s2**2)
        return np.array([[aa, ab, ac], [ab, bb, bc], [ac, bc, cc]])

    def root(matrix):
        return np.sqrt(np.linalg.inv(matrix)[0, 0])

    theirs = information(lambda M: np.trace(M) ** 2, np.sqrt(found.phi))
    right = information(lambda M: np.trace(M @ M), found.phi)
    assert_allclose(root(theirs), error["theirs"], rtol=1e-6)
    assert_allclose(root(right), error["ours"], rtol=1e-3)  # at estimates that stop early


def test_panelfe_s_log_likelihood_has_residuals_with_the_entity_effects(panel):
    y, x, graph, _ = panel
    res = nqp.SLX(y, x, graph, effects="entity", correction="none").fit()
    row = nqp.crosscheck(res).loc[("spreg.PanelFE", "loglik", "loglik")]
    assert row["verdict"] == "wrong" and "still have the entity effects" in row["explanation"]
    squares = float(re.search(r"log-likelihood is (\S+),", row["explanation"]).group(1))
    assert_allclose(-75 * (np.log(2 * np.pi * squares / 150) + 1), row["theirs"], rtol=1e-5)


def test_spreg_looks_between_minus_one_and_one_only(panel):
    """The interval of rho is -1.4 to 1 here."""
    _, x, graph, _ = panel
    rng, W = np.random.default_rng(0), graph.sparse.toarray()
    noise = rng.normal(size=(25, 6)) * 0.2 + x["x2"].to_numpy().reshape(25, 6)
    y = pd.Series(np.linalg.solve(np.eye(25) + 1.15 * W, noise).ravel(), x.index, name="y")
    res = nqp.SpatialLag(y, x, graph, effects="entity", correction="none").fit()
    assert -1.3 < res.rho < -1.05
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_LagFE")
    assert (frame["verdict"] == "search").all()
    assert_allclose(frame.loc[("params", "rho"), "theirs"], -0.99, atol=1e-4)
    assert "between -0.99 and 0.99" in frame["explanation"].iloc[0]


def test_one_period_is_a_cross_section():
    """Columbus: spreg and spatialreg have the same numbers (tests/reference/columbus_family.R)."""
    data = pd.read_csv(REFERENCE / "columbus_data.csv", comment="#")
    links = {r.area: [int(j) for j in str(r.neighbours).split()] for r in data.itertuples()}
    graph = weights.normalise(Graph.from_dicts(links), "row")
    data = data.assign(year=1980).set_index(["area", "year"]).astype({"HOVAL": float})
    more = pd.read_csv(REFERENCE / "spatial_iv_columbus_data.csv", comment="#")
    given = data["CRIME"], data[["INC", "HOVAL"]], graph
    for model, name in (
        (nqp.SpatialLag(*given, effects=None), "ML_Lag"),
        (nqp.SpatialError(*given, effects=None), "ML_Error"),
        (nqp.SpatialDurbinError(*given, effects=None), "ML_Error"),
        (nqp.SpatialIV(*given, effects=None, durbin=[]), "GM_Lag"),
    ):
        frame = nqp.crosscheck(model.fit())
        assert (frame["verdict"] == "same").all(), frame
        assert set(frame.index.get_level_values(0)) == {f"spreg.{name}"}
        assert_allclose(frame["ours"], frame["theirs"], rtol=2e-6)
    instrument = pd.Series(
        more.set_index("area")["DISCBD"].reindex(data.index.get_level_values(0)).to_numpy(),
        data.index,
        name="DISCBD",
    )
    model = nqp.SpatialIV(
        data["CRIME"],
        data["INC"].to_frame(),
        graph,
        endog=data["HOVAL"],
        instruments=instrument,
        effects=None,
        durbin=[],
    )
    frame = nqp.crosscheck(model.fit(cov_type="robust"))
    assert (frame["verdict"] == "same").all()
    assert_allclose(frame["ours"], frame["theirs"], rtol=1e-8)


@pytest.mark.parametrize("cov_type", ["asymptotic", "robust", "clustered"])
def test_spatial_iv_without_effects(panel, cov_type):
    y, x, graph, _ = panel
    frame = nqp.crosscheck(
        nqp.SpatialIV(y, x, graph, effects=None, durbin=None).fit(cov_type=cov_type)
    )
    frame = without_unexplained(frame).xs("spreg.GM_Lag")
    assert (frame.loc["params", "verdict"] == "same").all()
    expected = "absent" if cov_type == "clustered" else "same"
    assert (frame.loc["std_errors", "verdict"] == expected).all()
    assert (frame.loc["direct", "verdict"] == "wrong").all()  # theta


def test_a_policy_is_checked_as_a_durbin_model(panel):
    y, x, graph, _ = panel
    late = y.index.get_level_values(1) >= 2004
    did = pd.Series((late & (y.index.get_level_values(0) < "e10")).astype(int), y.index, name="did")
    res = nqp.SpatialDiD(y, did, x, graph).fit()
    frame = without_unexplained(nqp.crosscheck(res)).xs("spreg.ML_LagFE")
    assert list(frame.loc["params"].index) == list(res.params.index)


def test_weights_by_period_that_are_all_the_same(panel):
    y, x, graph, _ = panel
    graphs = dict.fromkeys(range(2001, 2007), graph)
    res = nqp.SpatialLag(y, x, graphs, effects="entity", correction="none").fit()
    assert (nqp.crosscheck(res)["verdict"] == "same").all()


# linearmodels ------------------------------------------------------------------------------------


COVARIANCES = [
    {},
    {"cov_type": "unadjusted"},
    {"cov_type": "robust"},
    {"clusters": ["entity", "time"]},
    {"cov_type": "driscoll-kraay", "bandwidth": 2},
    {"clusters": "province"},
]


def options(how, data):
    return {"clusters": data["province"]} if how.get("clusters") == "province" else how


def assert_converted(frame, rtol=1e-10):
    without_unexplained(frame)
    assert not (frame["verdict"] == "absent").any()
    assert_allclose(frame["converted"], frame["theirs"], rtol=rtol)


@pytest.mark.slow
@pytest.mark.parametrize("how", COVARIANCES)
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
def test_fixed_effects_are_linearmodels_but_for_factors(city, effects, how):
    res = nqp.FixedEffects(city["y"], city[["x1", "x2"]], effects=effects)
    frame = nqp.crosscheck(res.fit(**options(how, city)))
    assert_converted(frame)
    apart = set(frame.index.get_level_values(1)[frame["verdict"] != "same"])
    assert apart == (set() if how.get("cov_type") in ("unadjusted", "robust") else {"std_errors"})


def test_factors_of_grunfeld():
    """docs/differences.md: 0.010824 here and in fixest, 0.010565 in linearmodels."""
    data = pd.read_csv(REFERENCE / "hausman_data.csv").set_index(["firm", "year"])
    res = nqp.FixedEffects(data["inv"], data[["value", "capital"]]).fit()
    row = nqp.crosscheck(res).loc[("linearmodels.PanelOLS", "std_errors", "value")]
    assert_allclose([row["ours"], row["theirs"]], [0.010824, 0.010565], atol=5e-7)
    factors = [float(f) for f in re.findall(r"\d\.\d{3,}", row["explanation"])]
    assert_allclose((row["ours"] / row["theirs"]) ** 2, factors[0] / factors[1], rtol=1e-5)


@pytest.mark.parametrize("how", COVARIANCES)
@pytest.mark.filterwarnings("ignore:22 rows follow a gap")
def test_random_effects_and_first_differences(city, how):
    y, x = city["y"], city[["x1", "x2"]]
    across = how.get("clusters") == ["entity", "time"]
    how = options(how, city)
    frame = nqp.crosscheck(nqp.RandomEffects(y, x).fit(**how))
    assert_converted(frame)
    assert (frame.loc[(slice(None), "params"), "verdict"] == "convention").all()
    assert frame["explanation"].iloc[0].endswith("components='harmonic'.")
    harmonic = nqp.crosscheck(nqp.RandomEffects(y, x, components="harmonic").fit(**how))
    assert_converted(harmonic)
    assert (harmonic.loc[(slice(None), ["params", "variances"]), "verdict"] == "same").all()
    for constant in (False, True):
        frame = nqp.crosscheck(nqp.FirstDifference(y, x, constant=constant).fit(**how))
        if across:  # not the same for both rows of a difference
            assert (frame.loc[(slice(None), "std_errors"), "verdict"] == "absent").all()
        else:
            assert_converted(frame)


@pytest.mark.slow
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.parametrize("estimator", ["2sls", "liml", "gmm"])
def test_instrumental_variables(effects, estimator):
    data = pd.read_csv(REFERENCE / "iv_panel_data.csv").set_index(["city", "year"])
    model = nqp.IV2SLS.from_formula("y ~ x + [d + e ~ z1 + z2 + z3]", data, effects=effects)
    for cov_type in ("clustered", "robust", "unadjusted"):
        if estimator == "gmm" and cov_type == "unadjusted":
            continue
        res = model.fit(estimator=estimator, cov_type=cov_type)
        frame = nqp.crosscheck(res)
        assert_converted(frame, rtol=1e-9)
        assert (frame.loc[(slice(None), "params"), "verdict"] == "same").all()
        assert (frame.loc[(slice(None), "overidentification"), "verdict"] == "same").all()
        factor = res.provenance["small_sample_factor"]["estimates"]
        errors = frame.loc[(slice(None), "std_errors"), :]
        assert_allclose(errors["ours"] / errors["theirs"], np.sqrt(factor), rtol=1e-10)
    if estimator != "gmm":
        frame = nqp.crosscheck(model.fit(estimator=estimator, cov_type="driscoll-kraay"))
        errors = frame.loc[(slice(None), "std_errors"), :]
        assert (errors["verdict"] == "absent").all() and errors["theirs"].isna().all()


def test_further_effects(city):
    group = pd.Series(np.arange(len(city)) % 7, city.index, name="firm")
    x = city[["x1", "x2"]]
    res = nqp.FixedEffects(city["y"], x, effects="entity", other_effects=group).fit()
    frame = without_unexplained(nqp.crosscheck(res))
    assert frame.attrs["tolerance"] == 1e-6
    assert_allclose(frame["converted"], frame["theirs"], rtol=1e-7)


def test_text_periods_and_what_linearmodels_has_not(city):
    names = city.index.get_level_values(1).map(lambda year: f"第{year - 2000:02d}期")
    data = city.set_axis(pd.MultiIndex.from_arrays([city.index.get_level_values(0), names]))
    model = nqp.FixedEffects(data["y"], data[["x1", "policy"]])
    assert_converted(nqp.crosscheck(model.fit()))
    frame = nqp.crosscheck(model.fit(cov_type="kernel"))
    errors = frame.loc[(slice(None), "std_errors"), :]
    assert (errors["verdict"] == "absent").all()
    assert errors["explanation"].str.contains("has no such covariance").all()
    assert (frame.loc[(slice(None), "params"), "verdict"] == "same").all()


# esda --------------------------------------------------------------------------------------------


def test_moran_and_geary_by_label(panel):
    y, _, graph, as_is = panel
    shuffled = y.sample(frac=1, random_state=1)
    frame = without_unexplained(nqp.crosscheck(shuffled, graph))
    moran, geary = frame.xs("esda.Moran"), frame.xs("esda.Geary")
    assert_allclose(moran.loc["I", "ours"], nqp.diagnostics.moran(y, graph)["I"], rtol=1e-12)
    assert (moran["verdict"] == "same").all()
    assert (geary.drop(index="pvalue", level=0)["verdict"] == "same").all()
    assert (geary.loc["pvalue", "explanation"] == "The p-value of esda is one-sided.").all()
    frame = without_unexplained(nqp.crosscheck(shuffled, as_is))
    assert (frame.loc[(slice(None), ["I", "C"]), "verdict"] == "convention").all()
    assert_allclose(frame["converted"], frame["theirs"], rtol=1e-10)
    one = nqp.crosscheck(y.xs(2003, level=1), graph)
    assert list(one.index.get_level_values("name").unique()) == ["all"]
    assert_allclose(one.loc[("esda.Moran", "I", "all"), "theirs"], moran.loc[("I", 2003), "ours"])


# the frame, its words, and errors -----------------------------------------------------------------


def test_what_cannot_be_explained_says_so():
    comparison = Comparison("spreg.ML_Lag", "ML_Lag(y, x, w)", 1e-5)
    reason = Reason(
        note("crosscheck.correction", program="spreg", correction="lee-yu"), {"a": 1.5, "b": 2.0}
    )
    comparison.add("params", {"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 2.0, "b": 2.0, "c": 1.0}, reason)
    comparison.add("std_errors", {"a": 1.0, "b": np.nan}, {"b": 1.0})
    frame = comparison.frame()
    known = ["unexplained", "convention", "same", "absent", "absent"]
    assert frame["verdict"].tolist() == known
    assert frame["explanation"].iloc[0].startswith("The numbers differ by 0.25 of theirs")
    assert_allclose(frame["remaining"].iloc[:2], [-0.25, 0])


def test_words_are_in_both_languages(panel):
    y, x, graph, _ = panel
    frame = nqp.crosscheck(nqp.SpatialDurbin(y, x, graph).fit())
    told = frame.loc[("spreg.ML_LagFE", "direct", "x2")]
    assert in_language(told["verdict"], "zh") == "对方有误"
    assert "直接效应遗漏了θ" in in_language(told["explanation"], "zh")
    printed = nqp.tables.from_frame(frame, lang="zh").to_frame().to_string()
    assert "惯例不同" in printed and "直接效应遗漏了θ" in printed and "convention" not in printed


def test_a_result_hands_out_its_specification(panel, city):
    y, x, graph, _ = panel
    data = pd.read_csv(REFERENCE / "iv_panel_data.csv").set_index(["city", "year"])
    for model in (
        nqp.SpatialDurbin(y, x, graph),
        nqp.SpatialIV(y, x, graph, durbin=[]),
        nqp.DynamicSpatialLag(y, x, graph),
        nqp.FixedEffects(city["y"], city[["x1"]]),
        nqp.IV2SLS.from_formula("y ~ x + [d ~ z1 + z2]", data),
        nqp.Moderation(city["y"], city["x1"], city["x2"]),
    ):
        res = model.fit()
        assert res.model is model
        again = pickle.loads(pickle.dumps(res))
        assert_allclose(again.model.fit().params, res.params, rtol=1e-12)


def test_the_specification_holds_its_data_once(panel):
    y, x, graph, _ = panel
    res = nqp.SpatialDurbin(y, x, graph).fit()
    assert res.design is res.model.design
    assert res.model.__getstate__()["_kept"] is None  # a pickle has no regressors of the last fit
    frame = x.copy()
    model = nqp.SpatialLag(y, frame, graph)
    frame["x2"] = 0.0  # a later change of the caller's frame
    assert_allclose(model.with_graph(graph).fit().params, nqp.SpatialLag(y, x, graph).fit().params)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda y, x, g: nqp.SAC(y, x, g).fit(), "combined model: neither linearmodels nor spreg"),
        (lambda y, x, g: nqp.DynamicSpatialLag(y, x, g).fit(), "neither linearmodels"),
        (
            lambda y, x, g: nqp.Mediation(y, x["x2"], x["城镇化"]).fit(replications=0),
            "such as res.total",
        ),
        (lambda y, x, g: 5, "int: neither"),
        (lambda y, x, g: y, r"Type|type|crosscheck\(series, graph\)"),
        (lambda y, x, g: nqp.SLX(y, x, g, effects="random").fit(), "effects='entity'"),
        (lambda y, x, g: nqp.SpatialIV(y, x, g, durbin=None).fit(), "spreg.GM_Lag has"),
        (
            lambda y, x, g: nqp.SpatialLag(
                y.iloc[1:], x.iloc[1:], g, correction="none", unbalanced="submatrix"
            ).fit(),
            "lack",
        ),
        (
            lambda y, x, g: nqp.SpatialLag(
                y, x, g, correction="none", observation_weights=1 + y.abs()
            ).fit(),
            "observation weights",
        ),
        (
            lambda y, x, g: nqp.SpatialLag(
                y,
                x,
                dict.fromkeys(range(2001, 2006), g) | {2006: weights.normalise(g, "spectral")},
                effects="entity",
                correction="none",
            ).fit(),
            "change over time",
        ),
        (lambda y, x, g: nqp.FixedEffects(y, x, trends="entity").fit(), "without trends="),
        (
            lambda y, x, g: nqp.FixedEffects(
                y, x, other_effects=pd.Series(np.arange(len(y)) % 4, y.index, name="k")
            ).fit(),
            r"at most 2 kinds of effects, and the model has 3 \(entity, time, k\)",
        ),
    ],
)
def test_what_no_program_has_is_an_error_that_says_what_can_be_done(panel, make, message):
    y, x, graph, _ = panel
    with pytest.raises(OptionError, match=message):
        nqp.crosscheck(make(y, x, graph))


def test_a_graph_belongs_to_a_series(panel):
    y, x, graph, _ = panel
    with pytest.raises(OptionError, match="a result has its own weights"):
        nqp.crosscheck(nqp.SpatialLag(y, x, graph).fit(), graph)


def test_what_the_other_program_raises_is_under_its_name(panel):
    """spreg compares complex numbers where W has complex eigenvalues."""
    y, x, _, _ = panel
    n = 25
    ring = np.roll(np.eye(n), 1, axis=1)
    graph = weights.as_graph(ring, ids=y.index.levels[0])
    with pytest.raises(EstimationError, match="spreg.ML_ErrorRE failed: "):
        nqp.crosscheck(nqp.SpatialError(y, x, graph, effects="random").fit())


def test_what_the_page_of_differences_says_of_spreg(shared):
    """docs/differences.md: Baltagi's cigarettes."""
    folder = shared / "reference" / "data"
    data = pd.read_csv(folder / "cigar.csv").set_index(["state", "year"])
    W = np.loadtxt(folder / "cigar_w.csv", delimiter=",")
    as_is = weights.as_graph(W, ids=range(1, 47))
    graph, y, x = weights.normalise(as_is, "row"), data["logc"], data[["logp", "logy"]]

    frame = nqp.crosscheck(nqp.SpatialLag(y, x, graph, effects="random").fit()).xs("spreg.ML_LagRE")
    assert_allclose(frame.loc[("loglik", "loglik"), "theirs"], 1348.30, atol=5e-3)
    assert_allclose(frame.loc[("std_errors", "rho"), "theirs"], 0.02788, atol=5e-6)
    assert "0.028528 where y is ten times" in frame.loc[("std_errors", "rho"), "explanation"]

    frame = nqp.crosscheck(nqp.SpatialError(y, x, graph, effects="random").fit())
    frame = without_unexplained(frame).xs("spreg.ML_ErrorRE")
    theirs = frame.loc["params", "theirs"][["logp", "logy"]]
    assert_allclose(theirs, [-0.7923, 0.0677], atol=1e-4)
    assert_allclose(frame.loc["params", "ours"][["logp", "logy"]], [-0.7922, 0.0673], atol=5e-5)
    assert_allclose(frame.loc[("loglik", "loglik"), "theirs"], 1404.73, atol=5e-3)
    assert "at its estimates is 1403.52" in frame.loc[("loglik", "loglik"), "explanation"]
    errors = frame.loc[("std_errors", "lambda")]
    assert_allclose([errors["ours"], errors["theirs"]], [0.0275, 0.0187], atol=5e-5)

    lag = nqp.SpatialLag(y, x, as_is, effects="entity", correction="none").fit()
    row = nqp.crosscheck(lag).loc[("spreg.ML_LagFE", "indirect", "logp")]
    assert_allclose([row["ours"], row["theirs"]], [-0.187, -0.027], atol=5e-4)

    slx = nqp.SLX(y, x, graph, effects="entity", correction="none").fit()
    row = nqp.crosscheck(slx).loc[("spreg.PanelFE", "loglik", "loglik")]
    assert_allclose([row["ours"], row["theirs"]], [1475.4, -4151.4], atol=5e-2)
