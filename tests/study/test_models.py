"""Each model of a study file gives the numbers of the same call of the Python API."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataWarning, MissingValuesError, NqpError, StudyFileError
from nqp_spatial.models.linear.panel import FirstDifference, PooledOLS, RandomEffects
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.mechanism.moderation import Moderation
from nqp_spatial.models.quantile.model import PanelQuantile
from nqp_spatial.models.threshold.model import PanelThreshold
from nqp_spatial.study import StudyResult, run_study
from tests.assertions import assert_same_fit
from tests.study.answers import run, written
from tests.study.models_project import CONTROLS, REGRESSORS, panel_frame, write

assert_same = partial(assert_same_fit, params=(1e-12, 0), cov=(1e-9, 1e-15))


def table() -> pd.DataFrame:
    """The panel as the study reads it."""
    text = panel_frame().reset_index().to_csv(index=False)
    return pd.read_csv(io.StringIO(text)).set_index(["cell", "year"])


def near() -> Any:
    places = table()[["lon", "lat"]].groupby(level=0).first()
    return nqp.weights.normalise(nqp.weights.knn(places, k=4))


# ---------------------------------------------------------------- spatial models


# options in the file, and the call they stand for: of the table, y, x and W
SPATIAL: dict[str, tuple[str, Callable[..., Any]]] = {
    "dynamic_sar": (
        "{effects: entity}",
        lambda f, y, x, W: nqp.DynamicSpatialLag(y, x, W, effects="entity").fit(),
    ),
    "dynamic_sdm": (
        "{correction: none, space_time_lag: false, durbin: [did], cov_type: clustered}",
        lambda f, y, x, W: nqp.DynamicSpatialDurbin(
            y, x, W, correction="none", space_time_lag=False, durbin=["did"]
        ).fit(cov_type="clustered"),
    ),
    "spatial_iv": (
        "{endog: d, instruments: z, durbin: [x1], estimator: gmm, cov_type: robust}",
        lambda f, y, x, W: nqp.SpatialIV(
            y, x, W, endog=f[["d"]], instruments=f[["z"]], durbin=["x1"]
        ).fit(estimator="gmm", cov_type="robust"),
    ),
    "sdm": (
        "{correction: adjusted-score, observation_weights: sample}",
        lambda f, y, x, W: nqp.SpatialDurbin(
            y, x, W, correction="adjusted-score", observation_weights=f["sample"]
        ).fit(),
    ),
    "sar": (
        "{effects: random}",
        lambda f, y, x, W: nqp.SpatialLag(y, x, W, effects="random").fit(),
    ),
    "sdm_moderation": (
        "{moderator: q, durbin: [did, 'did:q']}",
        lambda f, y, x, W: nqp.SpatialModeration(
            y, f["did"], f["q"], f[CONTROLS], W, durbin=["did", "did:q"]
        ).fit(),
    ),
    "sdm_did": (
        "{cov_type: driscoll-kraay, bandwidth: 1}",
        lambda f, y, x, W: nqp.SpatialDiD(y, f["did"], f[CONTROLS], W).fit(
            cov_type="driscoll-kraay", bandwidth=1
        ),
    ),
}


def asked(call: Callable[..., Any], *more: Any) -> Any:
    """The call on the table."""
    f = table()
    with warnings.catch_warnings(action="ignore", category=nqp.exceptions.NqpWarning):
        return call(f, f["y"], f[REGRESSORS], *more)


@pytest.fixture(scope="module")
def spatial(tmp_path_factory) -> StudyResult:
    models = "".join(f"  {name}: {options}\n" for name, (options, _) in SPATIAL.items())
    return run(write(tmp_path_factory.mktemp("spatial"), models))


@pytest.mark.parametrize("name", SPATIAL)
def test_a_spatial_model_is_that_of_the_python_interface(spatial, name):
    own = asked(SPATIAL[name][1], near())
    assert_same(spatial.results[f"y/{name}/near"], own)
    effects = own.effects()
    assert_allclose(spatial.effects[f"y/{name}"].loc["near", "estimate"], effects["estimate"])
    record = written(spatial)["models"][f"y/{name}/near"]
    assert record["estimates"]["did"]["estimate"] == pytest.approx(own.params["did"], rel=1e-12)


def test_long_run_effects_of_dynamic_models(spatial):
    """The formula of the long run, with the dense inverse."""
    own = spatial.results["y/dynamic_sdm/near"]
    b, W = own.params, nqp.weights.sparse_for(near(), table().index.unique(0)).toarray()
    n = len(W)
    S = np.linalg.inv((1 - b["tau"]) * np.eye(n) - b["rho"] * W) @ (
        b["did"] * np.eye(n) + b["W_did"] * W
    )
    record = written(spatial)["models"]["y/dynamic_sdm/near"]
    found = record["long_run_effects"]
    assert found["total"]["did"]["estimate"] == pytest.approx(S.sum() / n, rel=1e-9)
    assert found["direct"]["did"]["estimate"] == pytest.approx(np.trace(S) / n, rel=1e-9)
    assert record["effects"]["total"]["did"] != found["total"]["did"]
    text = (spatial.output / "tables" / "effects-long-run-dynamic_sdm.md").read_text("utf-8")
    assert f"{S.sum() / n:.4f}" in text and "Long-run effects" in text
    assert set(spatial.long_run) == {"y/dynamic_sar", "y/dynamic_sdm"}
    assert "tau" in spatial.frames["y/dynamic_sdm/near"]["stationarity"].index[0]


def test_no_long_run_of_what_is_not_stationary(tmp_path):
    """An outcome that grows by a quarter each year, whatever the neighbours do."""
    frame = panel_frame()
    year = frame.index.get_level_values(1) - 2005
    frame["y"] = frame.groupby(level=0)["x1"].transform("first") * 1.25**year + 0.1 * frame["y"]
    models = "  dynamic_sdm: {correction: none, space_time_lag: false, durbin: []}\n"
    result = run(write(tmp_path, models, frame=frame))
    assert result.results["y/dynamic_sdm/near"].spectral_radius > 1
    assert result.long_run == {}
    assert "long_run_effects" not in written(result)["models"]["y/dynamic_sdm/near"]
    assert not list((result.output / "tables").glob("effects-long-run*"))
    assert any("not stationary" in text for text in result.warnings)


def test_hausman_of_random_effects(spatial):
    re = spatial.results["y/sar/near"]
    expected = nqp.diagnostics.hausman(None, re)
    found = written(spatial)["models"]["y/sar/near"]["tests"]["hausman"]
    assert found["statistic"] == expected.statistic
    assert found["pvalue"] == expected.pvalue
    assert "hausman" not in written(spatial)["models"]["y/sdm/near"]["tests"]
    assert "Hausman" in (spatial.output / "tables" / "tests.md").read_text("utf-8")


def test_the_first_stage_of_a_spatial_iv(spatial):
    frame = spatial.frames["y/spatial_iv/far"]["first-stage"]
    assert list(frame.index) == ["d", "W_y"]
    expected = spatial.results["y/spatial_iv/far"].first_stage.strength
    pd.testing.assert_frame_equal(frame, expected)
    assert (spatial.output / "tables" / "first-stage-spatial_iv-far.md").is_file()
    tests = written(spatial)["models"]["y/spatial_iv/far"]["tests"]
    assert tests["overidentification"]["name"] == "Hansen J"


def test_the_main_model_is_the_last_in_the_order_of_models(spatial):
    assert spatial.main == "y/sdm_did"
    assert "Dynamic SDM" in spatial.summary()


def test_one_model_under_several_names(tmp_path):
    models = (
        "  fixed: {model: sdm, effects: entity}\n"
        "  random: {model: sdm, effects: random}\n"
        "  fe: {effects: entity}\n"
    )
    result = run(write(tmp_path, models))
    assert list(result.study.fitted) == ["fe", "fixed", "random"]
    assert "hausman" in result.tests["y/random/far"]
    assert "hausman" not in result.tests["y/fixed/far"]
    assert "fixed: near" in (tmp_path / "out" / "tables" / "regression.md").read_text("utf-8")


# ---------------------------------------------------------------- gaps


def with_gaps() -> pd.DataFrame:
    frame = table()
    frame.loc[("c03", 2007), "x1"] = np.nan
    return frame.drop(index=("c10", 2005))


@pytest.mark.parametrize("how", ["submatrix", "renormalised"])
def test_a_panel_with_gaps_is_kept(tmp_path, how):
    models = f"  sdm: {{correction: adjusted-score, unbalanced: {how}}}\n  fe:\n"
    path = write(tmp_path, models, frame=with_gaps())
    path.write_text(path.read_text().replace("time: year", "time: year, incomplete: keep"))
    with pytest.warns(DataWarning, match=r"1 rows with empty cells were left out: \('c03', 2007\)"):
        result = run_study(path)
    frame = with_gaps().dropna()
    y, x = frame["y"], frame[REGRESSORS]
    own = nqp.SpatialDurbin(y, x, near(), correction="adjusted-score", unbalanced=how).fit()
    assert_same(result.results["y/sdm/near"], own)
    assert_same(result.results["y/fe"], nqp.FixedEffects(y, x).fit())
    assert result.panel.nobs == 25 * 8 - 2
    assert any("left out" in note for note in written(result)["notes"])


def test_autocorrelation_needs_every_entity_in_every_period(tmp_path):
    path = write(tmp_path, "  fe:\n", frame=with_gaps())
    text = path.read_text().replace("time: year", "time: year, incomplete: keep")
    path.write_text(text.replace("diagnostics: {autocorrelation: false}\n", ""))
    with pytest.warns(DataWarning) as caught:
        result = run_study(path)
    assert any("No Moran's I and Geary's C" in str(w.message) for w in caught)
    assert result.autocorrelation is None


@pytest.mark.parametrize(
    ("models", "keep", "part"),
    [
        ("  sdm:\n", True, "models.sdm: with incomplete: keep say what W is"),
        ("  dynamic_sdm:\n", True, "models.dynamic_sdm: dynamic_sdm needs every entity"),
        ("  sdm: {unbalanced: submatrix}\n", False, "unbalanced belongs to incomplete: keep"),
    ],
)
def test_gaps_and_models_that_do_not_fit_together(tmp_path, models, keep, part):
    path = write(tmp_path, models)
    if keep:
        path.write_text(path.read_text().replace("time: year", "time: year, incomplete: keep"))
    with pytest.raises(StudyFileError, match=part):
        run_study(path)


# ---------------------------------------------------------------- models without W


def with_trend(f: pd.DataFrame) -> pd.DataFrame:
    """z, and the telephones of a cell times the users of a year."""
    phones, users = f["phones"].groupby(level=0).first(), f["users"].groupby(level=1).first()
    return pd.DataFrame({"z": f["z"], "phones_x_users": phones.reindex(f.index, level=0).to_numpy()
                         * users.reindex(f.index, level=1).to_numpy()})  # fmt: skip


PLAIN: dict[str, tuple[str, Callable[..., Any]]] = {
    "pooled": ("{cov_type: robust}", lambda f, y, x: PooledOLS(y, x).fit(cov_type="robust")),
    "re": (
        "{clusters: region}",
        lambda f, y, x: RandomEffects(y, x).fit(clusters=f[["region"]]),
    ),
    "re_both": (
        "{model: re, effects: twoway, components: wallace-hussain}",
        lambda f, y, x: RandomEffects(y, x, effects="twoway", components="wallace-hussain").fit(),
    ),
    "fd": ("{}", lambda f, y, x: FirstDifference(y, x).fit()),
    "between": ("{weighted: true}", lambda f, y, x: nqp.BetweenOLS(y, x, weighted=True).fit()),
    "fe": (
        "{effects: entity, cov_type: driscoll-kraay, bandwidth: 2}",
        lambda f, y, x: nqp.FixedEffects(y, x, effects="entity").fit(
            cov_type="driscoll-kraay", bandwidth=2
        ),
    ),
    "iv": (
        "{endog: d, instruments: [z, {cross_section: phones, trend: users}], estimator: liml}",
        lambda f, y, x: nqp.IV2SLS(y, x, f[["d"]], with_trend(f)).fit(estimator="liml"),
    ),
    "own": (
        "{model: iv, endog: [x1], instruments: [z], cov_type: robust}",
        lambda f, y, x: nqp.IV2SLS(y, x.drop(columns="x1"), f[["x1"]], f[["z"]]).fit(
            cov_type="robust"
        ),
    ),
    "gmm_difference": (
        "{gmm_lags: [2, 3], collapse: true, effects: none, predetermined: x2}",
        lambda f, y, x: nqp.DifferenceGMM(
            y, x, gmm_lags=(2, 3), collapse=True, effects=None, predetermined=["x2"]
        ).fit(),
    ),
    "gmm_system": (
        "{gmm_lags: {y: [2, 2]}, collapse: true, steps: 1, iv: [z]}",
        lambda f, y, x: nqp.SystemGMM(y, x, gmm_lags={"y": (2, 2)}, collapse=True, iv=f[["z"]]).fit(
            steps=1
        ),
    ),
    "threshold": (
        "{threshold: q, regime: x1, effects: entity, replications: 20, grid: 50}",
        lambda f, y, x: PanelThreshold(y, x, f["q"], regime=["x1"], effects="entity").fit(grid=50),
    ),
    "moderation": (
        "{moderator: q, centre: true}",
        lambda f, y, x: Moderation(y, f["did"], f["q"], f[CONTROLS], centre=True).fit(),
    ),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> StudyResult:
    models = "".join(f"  {name}: {options}\n" for name, (options, _) in PLAIN.items())
    models += "  quantile: {quantiles: [0.25, 0.5], cov_type: clustered}\n"
    models += "  mediation: {mediators: m, replications: 25}\n"
    return run(write(tmp_path_factory.mktemp("plain"), models, "seed: 4\n"))


@pytest.mark.parametrize("name", PLAIN)
def test_a_model_without_weights_is_that_of_the_python_interface(plain, name):
    own = asked(PLAIN[name][1])
    assert_same(plain.results[f"y/{name}"], own)
    record = written(plain)["models"][f"y/{name}"]
    for parameter, row in own.to_frame().iterrows():
        assert record["estimates"][parameter]["estimate"] == pytest.approx(row["estimate"])


def test_they_stand_side_by_side(plain):
    text = (plain.output / "tables" / "regression.md").read_text("utf-8")
    for label in ("Pooled", "FE", "RE", "FD", "IV", "own", "System GMM", "Threshold"):
        assert label in text
    assert "0.25" in (plain.output / "tables" / "regression-quantile.md").read_text("utf-8")


def test_what_instrumental_variables_are_judged_by(plain):
    own = asked(PLAIN["iv"][1])
    record = written(plain)
    tests = record["models"]["y/iv"]["tests"]
    assert set(tests) == set(own.tests)
    assert tests["overidentification"]["pvalue"] == own.overidentification.pvalue
    weak = record["frames"]["y/iv"]["weak-instruments"]
    assert weak["Cragg-Donald F"]["statistic"] == own.weak_instruments.cragg_donald_f
    stage = plain.frames["y/iv"]["first-stage"]
    assert ("d", "phones_x_users") in stage.index
    for name in ("first-stage-iv", "weak-instruments-iv", "reduced-form-iv"):
        assert (plain.output / "tables" / f"{name}.md").is_file()


def test_tests_of_gmm_and_of_random_effects(plain):
    tests = written(plain)["models"]["y/gmm_difference"]["tests"]
    assert {"ar1", "ar2", "sargan", "hansen"} <= set(tests)
    re = asked(PLAIN["re"][1])
    expected = nqp.diagnostics.hausman(None, re, form="robust")
    assert plain.tests["y/re"]["hausman"].statistic == pytest.approx(expected.statistic)


def test_hausman_beside_entity_effects(tmp_path):
    result = run(write(tmp_path, "  fe: {effects: entity}\n  re:\n  two: {model: fe}\n"))
    own = asked(
        lambda f, y, x: nqp.diagnostics.hausman(
            nqp.FixedEffects(y, x, effects="entity").fit(),
            RandomEffects(y, x).fit(),
            form="sigmamore",
        )
    )
    tests = result.tests["y/re"]
    assert list(tests) == ["hausman", "hausman classical (fe)", "hausman sigmamore (fe)"]
    assert np.isnan(tests["hausman classical (fe)"].pvalue)  # there all the same, and said below
    assert tests["hausman sigmamore (fe)"].statistic == pytest.approx(own.statistic, rel=1e-9)
    (told,) = [text for text in result.warnings if "not positive semi-definite" in text]
    assert "form='sigmamore' or 'robust'" in told


def test_the_threshold_and_its_test(plain):
    own = asked(PLAIN["threshold"][1])
    frames = plain.frames["y/threshold"]
    pd.testing.assert_frame_equal(frames["thresholds"], own.thresholds)
    assert frames["thresholds"]["estimate"].iloc[0] == pytest.approx(0.2, abs=0.2)  # the truth
    pd.testing.assert_frame_equal(
        frames["threshold-test"], own.bootstrap_test(replications=20, seed=4).to_frame()
    )


def test_marginal_effects_of_a_moderation(plain):
    own = asked(PLAIN["moderation"][1]).marginal_effects("quantiles")
    pd.testing.assert_frame_equal(plain.frames["y/moderation"]["marginal-effects"], own)


def test_quantiles_have_a_result_each(plain):
    own = asked(lambda f, y, x: PanelQuantile(y, x).fit([0.25, 0.5], cov_type="clustered", seed=4))
    for name, part in own.by_quantile.items():
        assert_same(plain.results[f"y/quantile/{name}"], part)


def test_the_steps_of_a_mediation(plain):
    def call(f, y, x):
        return Mediation(y, f["did"], f[["m"]], f[CONTROLS]).fit(replications=25, seed=4)

    own = asked(call)
    for name, part in own.steps.items():
        assert_same(plain.results[f"y/mediation/{name}"], part)
    pd.testing.assert_frame_equal(plain.frames["y/mediation"]["indirect"], own.indirect())


# ---------------------------------------------------------------- instruments


def test_a_lag_comes_from_the_periods_before_the_study(tmp_path):
    models = "  iv: {endog: x1, instruments: [{lag: z, periods: 2}, z]}\n"
    path = write(tmp_path, models)
    path.write_text(path.read_text().replace("time: year", "time: year, periods: [2007, 2012]"))
    result = run(path)
    f = table()
    lagged = f["z"].groupby(level=0).shift(2).rename("L2_z")
    both = pd.concat([lagged, f["z"]], axis=1).dropna()
    f = f.loc[both.index]
    with pytest.warns(DataWarning, match="Weak instruments"):
        own = nqp.IV2SLS(f["y"], f[["did", "x2"]], f[["x1"]], both).fit()
    assert result.panel.n_periods == 6
    assert_allclose(result.results["y/iv"].params, own.params, rtol=1e-10)
    assert result.results["y/iv"].instruments == ("L2_z", "z")


def test_a_cross_section_of_one_period(tmp_path):
    """Telephones are known of 2005 alone, which is before the study."""
    frame = panel_frame()
    frame.loc[frame.index.get_level_values(1) > 2005, "phones"] = np.nan
    models = "  iv: {endog: d, instruments: [z, {cross_section: phones, period: 2005}]}\n"
    path = write(tmp_path, models, frame=frame)
    path.write_text(path.read_text().replace("time: year", "time: year, periods: [2006, 2012]"))
    result = run(path)
    f = table().loc[pd.IndexSlice[:, 2006:2012], :]
    elapsed = f.index.get_level_values(1) - 2006
    both = pd.DataFrame({"z": f["z"], "phones_x_year": f["phones"] * elapsed})
    own = nqp.IV2SLS(f["y"], f[REGRESSORS], f[["d"]], both).fit()
    assert_allclose(result.results["y/iv"].params, own.params, rtol=1e-9)


@pytest.mark.parametrize(
    ("instrument", "error", "part"),
    [
        ("{lag: z}", MissingValuesError, r"lag of 'z' by 1 is missing in 25 rows, .*'c00', 2005"),
        ("{cross_section: x2}", NqpError, r"25 entities have more than one 'x2'.*period: 2005"),
        (
            "{cross_section: phones, trend: x2}",
            NqpError,
            "8 periods have more than one 'x2', first 2005",
        ),
        ("{cross_section: x2, period: 1999}", NqpError, "1999 is not a period of the table"),
        ("{cross_section: fones}", StudyFileError, r"instruments\[0\].*'fones'.*'phones'"),
        ("{lagg: z}", StudyFileError, r"instruments\[0\].lagg: unknown key.*'lag'"),
        ("zz", StudyFileError, r"models.iv.instruments\[0\]: there is no column 'zz'"),
    ],
)
def test_instruments_that_cannot_be_made(tmp_path, instrument, error, part):
    path = write(tmp_path, f"  iv: {{endog: d, instruments: [{instrument}]}}\n")
    with pytest.raises(error, match=part) as caught:
        run_study(path)
    assert "study.yaml, line" in str(caught.value) and "models.iv" in str(caught.value)


@pytest.mark.parametrize(
    ("models", "part"),
    [
        ("  iv: {endog: d}\n", "models.iv.instruments: this key is missing"),
        ("  spatial_iv: {endog: d}\n", "models.spatial_iv: endog and instruments belong together"),
        ("  a/b: {model: fe}\n", "models: the name 'a/b' has a slash"),
        ("  mine: {model: fee}\n", "models.mine: unknown model.*Did you mean 'fe'"),
        ("  fe: {model: sdm}\n", "models.fe.model: the name 'fe' is that of another model"),
        ("  fe: 3\n", "models.fe: expected keys below it, found 3"),
        ("  threshold: {threshold: q, regime: [q]}\n", r"regime\[0\]: 'q' is not a regressor"),
        ("  gmm_system: {endogenous: z}\n", r"endogenous\[0\]: 'z' is not a regressor"),
        ("  gmm_system: {missing: keep}\n", "missing: rows with empty cells.*incomplete: keep"),
        ("  quantile: {quantiles: [1.5]}\n", r"quantiles\[0\]: expected a number"),
    ],
)
def test_mistakes_in_models(tmp_path, models, part):
    with pytest.raises(StudyFileError, match=part):
        run_study(write(tmp_path, models))
