"""Options that 0.1 had in Python only: a study file can say what a signature can."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import models
from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.study import StudyResult, run_study
from nqp_spatial.study.file import load
from tests.study.models_project import REGRESSORS, panel_frame, write
from tests.study.test_models import asked, assert_same, near, run, table

FE = nqp.FixedEffects
# a name, the model in the file, and the call it stands for: of the table, y, x (and W)
SAID: dict[str, tuple[str, Callable[..., Any]]] = {
    "kernel": (
        "{model: fe, cov_type: driscoll-kraay, kernel: parzen, bandwidth: 2}",
        lambda f, y, x: FE(y, x).fit(cov_type="driscoll-kraay", kernel="parzen", bandwidth=2),
    ),
    "singletons": (
        "{model: fe, singletons: drop, other_effects: alone}",
        lambda f, y, x: FE(y, x, singletons="drop", other_effects=f[["alone"]]).fit(),
    ),
    "weights of rows": (
        "{model: fe, observation_weights: lon}",
        lambda f, y, x: FE(y, x, weights=f["lon"]).fit(),
    ),
    "trends": ("{model: fe, trends: entity}", lambda f, y, x: FE(y, x, trends="entity").fit()),
    "trends of regions": (
        "{model: fe, trends: region}",
        lambda f, y, x: FE(y, x, trends=f["region"]).fit(),
    ),
    "constant": (
        "{model: fd, constant: true}",
        lambda f, y, x: models.FirstDifference(y, x, constant=True).fit(),
    ),
    "trends of an iv": (
        "{model: iv, endog: d, instruments: z, trends: entity}",
        lambda f, y, x: nqp.IV2SLS(y, x, f[["d"]], f[["z"]], trends="entity").fit(),
    ),
    "first step": (
        "{model: gmm_system, gmm_lags: [2, 3], collapse: true, first_step: identity}",
        lambda f, y, x: nqp.SystemGMM(
            y, x, gmm_lags=(2, 3), collapse=True, first_step="identity"
        ).fit(),
    ),
    "kernel of a moderation": (
        "{model: moderation, moderator: q, cov_type: driscoll-kraay, kernel: parzen}",
        lambda f, y, x: models.Moderation(
            y, x["did"], f["q"], x[["x1", "x2"]]
        ).fit(cov_type="driscoll-kraay", kernel="parzen"),
    ),
}  # fmt: skip
UNDER: dict[str, tuple[str, Callable[..., Any]]] = {
    "logdet": (
        "{model: sar, logdet: lu, weights: near}",
        lambda f, y, x, W: nqp.SpatialLag(y, x, W).fit(logdet="lu"),
    ),
    "without a lag": (
        "{model: spatial_iv, lag: false, error: true, weights: near}",
        lambda f, y, x, W: nqp.SpatialIV(y, x, W, lag=False, error=True).fit(),
    ),
    "weights of the error": (
        "{model: sac, error_graph: far, weights: near, cov_type: observed}",
        lambda f, y, x, W: nqp.SAC(y, x, W, error_graph=far()).fit(cov_type="observed"),
    ),
    "weights of lags": (
        "{model: sdm_did, durbin_graph: far, weights: near}",
        lambda f, y, x, W: nqp.SpatialDiD(
            y, x["did"], x[["x1", "x2"]], W, durbin_graph=far()
        ).fit(),
    ),
    "weights of both": (
        "{model: gns, error_graph: far, durbin_graph: far, weights: near}",
        lambda f, y, x, W: nqp.GNS(y, x, W, error_graph=far(), durbin_graph=far()).fit(),
    ),
}


def far() -> Any:
    places = table()[["lon", "lat"]].groupby(level=0).first()
    return nqp.weights.normalise(nqp.weights.inverse_distance(places))


def frame() -> pd.DataFrame:
    """The panel with a group of one row."""
    f = panel_frame()
    f["alone"] = np.where(np.arange(len(f)) == 7, 9, np.arange(len(f)) * 7 % 3)
    return f


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    lines = "".join(f"  {name}: {options}\n" for name, (options, _) in (SAID | UNDER).items())
    return run(write(tmp_path_factory.mktemp("said"), lines, frame=frame()))


@pytest.mark.filterwarnings("ignore:1 of 200 rows are alone in a category")
@pytest.mark.parametrize("name", SAID)
def test_an_option_of_python_is_a_key(said: StudyResult, name: str, monkeypatch):
    f = table()
    f["alone"] = frame()["alone"].to_numpy()
    own = SAID[name][1](f, f["y"], f[REGRESSORS])
    assert_same(said.results[f"y/{name}"], own)


@pytest.mark.parametrize("name", UNDER)
def test_an_option_of_python_is_a_key_of_a_spatial_model(said: StudyResult, name: str):
    assert_same(said.results[f"y/{name}/near"], asked(UNDER[name][1], near()))


def test_results_name_the_weights_of_single_terms(said: StudyResult):
    fitted = said.results["y/weights of both/near"]
    told = " ".join(map(str, fitted.notes))
    assert "The error has weights of its own (far)" in told
    assert "Lags of regressors have weights of their own (far)" in told
    assert fitted.provenance["weights"]["error_graph"]["name"] == "far"


def project(folder: Path, text: str) -> Path:
    panel_frame().reset_index().to_csv(folder / "panel.csv", index=False)
    path = folder / "study.yaml"
    path.write_text(text + "output: {tables: [], plots: [], maps: false}\n", encoding="utf-8")
    return path


def test_options_of_steps_joins_and_questions(tmp_path):
    frame = panel_frame()
    extra = frame[["x1"]].rename(columns={"x1": "extra"}).drop("c07", level=0)
    extra.reset_index().to_csv(tmp_path / "extra.csv", index=False)
    path = project(
        tmp_path,
        "data:\n  table: panel.csv\n  entity: cell\n  time: year\n"
        "  merge: [{table: extra.csv, entity: cell, time: year, columns: [extra], "
        "unmatched: missing}]\n"
        "  transforms:\n"
        "    - {kind: lag, columns: x1, step: 1}\n"
        "    - {kind: recode, column: q, into: level, bins: [-9, 0, 9], labels: [low, high]}\n"
        "outcome: y\nregressor: x2\n"
        "weights: {near: {kind: knn, k: 4, points: [lon, lat]}}\n"
        "models: {sar: {logdet: eigenvalues}}\n"
        "effects: {level: 0.9}\n"
        "diagnostics: {autocorrelation: {alternative: greater}}\n",
    )
    result = run(path)
    assert result.panel["extra"].isna().groupby(level=0).all().sum() == 1
    q = result.panel["q"]
    assert (result.panel["level"] == np.where(q <= 0, "low", "high")).all()
    fitted = result.results["y/sar/near"]
    expected = fitted.effects(level=0.9)
    assert_allclose(result.effects["y/sar"].loc["near", "lower"], expected["lower"])
    own = nqp.diagnostics.autocorrelation_table(
        result.panel["y"], {"near": result.graphs["near"]}, alternative="greater"
    )
    assert_allclose(result.autocorrelation.loc["y"].to_numpy(), own.to_numpy())


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("fe: {cov_type: robust, cutoff_km: 3}", r"models.fe.cutoff_km: cutoff_km belongs to"),
        ("fe: {bandwidth: 2}", r"models.fe.bandwidth: bandwidth belongs to"),
        ("fe: {cov_type: clusterd}", "line 11, models.fe.cov_type: .*Did you mean 'clustered'"),
        ("sar: {serial_lags: 2}", "models.sar.serial_lags: .*belongs to cov_type"),
        ("sar: {logdet: ul}", "models.sar.logdet: expected auto, eigenvalues, lu"),
        ("sar: {cov_type: conley, cutoff_km: 9}", "conley needs polygons under data"),
        ("sac: {error_graph: fra}", "models.sac.error_graph: .*Did you mean 'far'"),
        ("sac: {durbin_graph: far}", "models.sac.durbin_graph: unknown key"),
        ("fe: {cov_type: observed}", "models.fe.cov_type: .*Type cov_type.*unadjusted"),
        (
            "dynamic_sar: {cov_type: observed}",
            "models.dynamic_sar.cov_type: .*Type cov_type.*asymptotic",
        ),
        ("fe: {singletons: none}", "models.fe.singletons: expected keep or drop, found 'none'"),
    ],
)
def test_options_that_do_not_go_together_are_told_before_data_are_read(tmp_path, model, part):
    path = write(tmp_path, f"  {model}\n")
    (tmp_path / "panel.csv").unlink()
    with pytest.raises(StudyFileError, match=part):
        load(path)


def test_mistakes_of_options_come_with_all_others(tmp_path):
    path = write(tmp_path, "  fe: {bandwidth: 2, effcts: time}\n  sar: {logdet: ul}\n")
    with pytest.raises(StudyFileError) as caught:
        run_study(path)
    assert "models.fe.effcts" in str(caught.value) and "models.sar.logdet" in str(caught.value)
