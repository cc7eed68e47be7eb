"""The section ``did``: what is written is what the calls of Python answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal

import nqp_spatial as nqp
from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.study import StudyResult
from tests.study.answers import run, text_of, written
from tests.study.laboratory_project import HEAD, frame, study


def data():
    f = frame()
    places = f[["lon", "lat"]].groupby(level=0).first()
    graph = nqp.weights.normalise(nqp.weights.knn(places, k=3))
    return f["y"], f["did"], f[["x1"]], graph


few_clean = pytest.mark.filterwarnings("ignore:Fewer than 10 clean")


def spatial():
    return nqp.SpatialDiD(*data()).fit()


ASKED = """\
did:
  placebo: {draws: 39}
  mine: {kind: placebo, model: fe, draws: 39, form: mixed, within: side, seed: 3}
  early: {kind: placebo, model: fe, form: time}
  match: {method: kernel, by: time}
  implied_bias: {}
  event_study: {window: [-3, 3], cov_type: robust}
  paths: {kind: event_study, weights: [near], window: [-3, 2], form: sar, correction: none}
  bounds: {kind: honest, of: paths, form: smoothness, effect: direct, grid: [0, 0.1]}
  bacon: {controls: []}
  twfe_weights: {}
  compare_estimators: {methods: [twfe, sun-abraham], weights: [near]}
  exposure: {}
  imputed: {kind: staggered, method: imputation, leads: 1}
  clean: {kind: staggered, method: two-stage, rings: [40], places: far.csv, leads: 1}
  neighbours: {kind: staggered, method: two-stage, weights: [near], leads: 1, exposure: 0.4}
  checks: {km: [50], places: far.csv, draws: 99}
  leave_out: {groups: side}
  rings: {edges: [20, 40], places: far.csv}
  power: {draws: 100, effects: [0.5, 1], sigma: 1}
  staggered: {control: not-yet}
  sun: {kind: staggered, method: sun-abraham, controls: [], where: year < 2017}
  synthetic: {weights: [near], draws: 30}
  wild_bootstrap: {draws: 99, factors: webb}
  policy_impact: {by: [period, side]}
  source: {kind: indirect_source, level: 0.9}
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    folder = tmp_path_factory.mktemp("laboratory")
    travel().to_csv(folder / "far.csv", index=False)
    return run(study(folder, ASKED))


def travel() -> pd.DataFrame:
    """Minutes between places, as if roads were straight."""
    places = frame()[["lon", "lat"]].groupby(level=0).first()
    apart = np.linalg.norm(places.to_numpy()[:, None] - places.to_numpy(), axis=-1)
    table = pd.DataFrame(60 * apart, places.index, places.index)
    long = table.rename_axis("origin").reset_index().melt("origin", var_name="destination")
    return long.rename(columns={"value": "minutes"}).query("origin != destination")


def assert_record(record, frame: pd.DataFrame) -> None:
    """Every number of a frame stands in results.json, under its labels."""
    for labels, row in frame.iterrows():
        place = record
        for label in labels if isinstance(labels, tuple) else (labels,):
            place = place[str(label)]
        for name, value in row.items():
            if isinstance(value, float) and value == value:
                assert_allclose(place[name], value, rtol=1e-9, atol=1e-12)


def test_what_the_policy_did_by_period_and_group(asked):
    expected = spatial().policy_impact()
    record = written(asked)["did"]["policy_impact-near"]["frames"]
    assert_record(record["policy-impact"], expected.sums("period"))
    assert_record(record["policy-impact-sums"], expected.sums(["period", frame()["side"]]))
    assert "near: Impact of the policy by period" in text_of(
        asked, "policy_impact-near-policy-impact"
    )


def test_a_question_under_a_name_of_ones_own(asked):
    expected = spatial().indirect_source(level=0.9)
    record = written(asked)["did"]["source-near"]
    assert_record(record["frames"]["indirect-source"], expected.to_frame())
    for name, test in expected.tests.items():
        assert_allclose(record["tests"][name]["pvalue"], test.pvalue, rtol=1e-9)
    assert "source, near: Source of the indirect effect" in text_of(
        asked, "source-near-indirect-source"
    )


def fixed():
    y, did, x, _ = data()
    return nqp.FixedEffects(y, did.to_frame().join(x))


PLACEBOS = {  # by the names of their files
    "placebo-near": lambda: nqp.did.placebo(nqp.SpatialDiD(*data()), draws=39, seed=0),
    "mine": lambda: nqp.did.placebo(
        *(fixed(), "mixed"), draws=39, seed=3, within=frame()["side"].groupby(level=0).first()
    ),
}


@pytest.mark.parametrize("name", PLACEBOS)
def test_placebos_of_models_of_the_study(asked, name):
    expected = PLACEBOS[name]()
    record = written(asked)["did"][name]["frames"]
    assert_record(record["placebo"], expected.frames["placebo"].frame)
    assert_frame_equal(asked.did[name].draws, expected.draws)


def test_a_placebo_in_time(asked):
    expected = nqp.did.placebo(fixed(), "time")
    assert_record(written(asked)["did"]["early"]["frames"]["placebo-time"], expected.to_frame())


def test_a_regression_of_the_matched(asked):
    y, did, x, _ = data()
    ever = did.groupby(level=0).transform("max")
    with pytest.warns(nqp.exceptions.DataWarning, match="2 of 96 treated units have no match"):
        matched = nqp.did.match(ever, x, method="kernel", by="time")
    record = written(asked)["did"]
    assert_record(record["match"]["frames"]["balance"], matched.balance)
    weights = matched.panel_weights(y.index)
    expected = nqp.FixedEffects(y, did.to_frame().join(x), weights=weights).fit()
    assert_record(record["match-fe"]["estimates"][""], expected.to_frame())
    assert "weight zero and are left out" in text_of(asked, "match-fe")


def test_the_bias_that_spillovers_imply(asked):
    record = written(asked)["did"]["implied_bias-near"]["frames"]["implied-bias"]
    assert_record(record, nqp.did.implied_bias(spatial()).to_frame())


def test_event_studies_ordinary_and_through_w(asked):
    y, did, x, graph = data()
    record = written(asked)["did"]
    plain = nqp.did.EventStudy(y, did, x, window=(-3, 3)).fit(cov_type="robust")
    assert_record(record["event_study"]["frames"]["event-path"], plain.path)
    assert_allclose(
        record["event_study"]["tests"]["pretrend"]["pvalue"], plain.pretrend.pvalue, rtol=1e-9
    )
    model = nqp.did.EventStudy(y, did, x, graph, window=(-3, 2), model="sar", correction="none")
    assert_record(record["paths-near"]["frames"]["event-path"], model.fit().path)


def test_bounds_of_an_event_study_of_the_file(asked):
    y, did, x, graph = data()
    model = nqp.did.EventStudy(y, did, x, graph, window=(-3, 2), model="sar", correction="none")
    expected = nqp.did.honest(model.fit(), "smoothness", grid=[0, 0.1], effect="direct", seed=0)
    record = written(asked)["did"]["bounds-near"]["frames"]["honest-bounds"]
    assert_record(record, expected.frames["honest-bounds"].frame)


def test_what_two_way_fixed_effects_compare(asked):
    y, did, x, graph = data()
    record = written(asked)["did"]
    expected = nqp.did.bacon(y, did)
    assert_record(record["bacon"]["frames"]["bacon-kinds"], expected.by_kind)
    negative = nqp.did.twfe_weights(y, did, x)
    frames = record["twfe_weights"]["frames"]
    assert_record(frames["twfe-weights-cells"], negative.frames["twfe-weights-cells"].frame)
    both = nqp.did.compare_estimators(y, did, x, graph, methods=["twfe", "sun-abraham"])
    assert_record(
        record["compare_estimators-near"]["frames"]["estimators"], both.frames["estimators"].frame
    )


def test_spillovers_on_the_treated_and_on_others(asked):
    expected = nqp.did.Exposure(*data()).fit()
    record = written(asked)["did"]["exposure-near"]
    assert_record(record["estimates"][""], expected.to_frame())
    assert_record(record["frames"]["exposure"], expected.frames["exposure"].frame)


SPILLOVERS = {
    "imputed": lambda y, did, x, graph: {"method": "imputation"},
    "clean": lambda y, did, x, graph: {
        "method": "two-stage",
        "exposure": nqp.did.exposed_in_rings(did, square(), edges=[0, 40]),
    },
    "neighbours-near": lambda y, did, x, graph: {
        **{"method": "two-stage", "graph": graph, "exposure": 0.4}
    },
}


@few_clean
@pytest.mark.parametrize("name", SPILLOVERS)
def test_imputation_and_two_stages_with_spillovers(asked, name):
    options = SPILLOVERS[name](*data())
    expected = nqp.did.Staggered(*data()[:3], leads=1, **options).fit(seed=0)
    record = written(asked)["did"][name]
    assert_record(record["estimates"][""], expected.to_frame())
    assert_record(record["frames"]["staggered-event"], expected.by("event"))


def square() -> pd.DataFrame:
    return travel().pivot(index="origin", columns="destination", values="minutes").fillna(0)


@few_clean
def test_checks_of_what_is_assumed(asked):
    expected = nqp.did.checks(spatial(), km=[50], places=square(), draws=99, seed=0)
    record = written(asked)["did"]["checks-near"]["frames"]
    assert_record(record["exposed"], expected.exposure)
    assert expected.frames["checks"].frame.iloc[0, 0] in str(record["checks"])


def test_leaving_groups_out(asked):
    model = nqp.SpatialDiD(*data())
    expected = nqp.did.leave_out(model, frame()["side"].groupby(level=0).first())
    record = written(asked)["did"]["leave_out-near"]["frames"]["leave-out"]
    assert_record(record, expected.frames["leave-out"].frame)


@pytest.mark.filterwarnings("ignore:7 units are never treated")
def test_rings_by_a_table_of_travel_times(asked):
    y, did, x, _ = data()
    expected = nqp.did.Rings(y, did, x, travel(), edges=[20, 40]).fit()
    record = written(asked)["did"]["rings"]
    assert_record(record["estimates"][""], expected.to_frame())
    assert_record(record["frames"]["rings"], expected.rings)


def test_power_with_the_rho_of_the_model(asked):
    """Of which sigma is not taken, as the file says it."""
    *_, graph = data()
    options = {"rho": spatial().rho, "sigma": 1.0, "effects": [0.5, 1]}
    expected = nqp.did.power(graph, data()[1], draws=100, seed=0, **options)
    record = written(asked)["did"]["power-near"]["frames"]["power-minimum"]
    assert_record(record, expected.frames["power-minimum"].frame)


def test_estimators_of_staggered_adoption(asked):
    y, did, x, _ = data()
    record = written(asked)["did"]
    expected = nqp.did.Staggered(y, did, x, control="not-yet").fit(seed=0)
    assert_record(record["staggered"]["estimates"][""], expected.to_frame())
    assert_record(record["staggered"]["frames"]["staggered-event"], expected.by("event"))
    early = y.index.get_level_values(1) < 2017
    sun = nqp.did.Staggered(y[early], did[early], method="sun-abraham").fit()
    assert_record(record["sun"]["estimates"][""], sun.to_frame())
    assert "sun: Effects by event time" in text_of(asked, "sun-staggered-event")


@pytest.mark.filterwarnings("ignore:9 of 30 draws .placebo. leave no control")
def test_synthetic_controls_and_wild_bootstraps(asked):
    record = written(asked)["did"]
    expected = nqp.did.SpatialSDID(*data()).fit(draws=30, seed=0)
    assert_record(
        record["synthetic-near"]["frames"]["synthetic-effects"], expected.policy_effects()
    )
    wild = fixed().fit().wild_bootstrap(draws=99, weights="webb", seed=0)
    assert_record(record["wild_bootstrap"]["frames"]["wild-bootstrap"], wild.to_frame())


@pytest.mark.parametrize(
    ("asks", "message"),
    [
        ("did: {polcy_impact: {}}", "did.polcy_impact: unknown question.*Did you mean 'policy"),
        ("did: {mine: {}}", "add kind: placebo"),
        ("did: {policy_impact: {weights: [far]}}", "no weights of this are called 'far'"),
        ("did: {policy_impact: {model: fe}}", "is asked of a model that is one of sar"),
        ("did: {policy_impact: {model: sdm}}", "no models are called 'sdm'"),
        ("did: {policy_impact: {kind: indirect_source}}", "is that of another question"),
        ("did: {indirect_source: {level: 2}}", "expected a number below 1"),
        ("did: {policy_impact: {by: nowhere}}", "nowhere"),
        ("did: {honest: {of: event_study}}", "no event studies under did are called 'event_study'"),
        ("did: {event_study: {}, honest: {}}", "did.honest.of: this key is missing"),
        ("did: {exposure: {cov_type: conley, cutoff_km: 9}}", "conley needs polygons under data"),
        ("did: {event_study: {form: sdmm, weights: [near]}}", "Did you mean 'sdm'"),
    ],
)
def test_mistakes_have_their_place(tmp_path, asks, message):
    with pytest.raises(StudyFileError, match=message):
        run(study(tmp_path, f"{asks}\n"))


def test_a_question_that_fails_costs_no_other(tmp_path):
    head = HEAD.replace("models: [fe, sdm_did]", "models: {fe: {}, sem: {}, sdm_did: {}}")
    asks = "did: {policy_impact: {by: patchy}, indirect_source: {}}\n"
    path = study(tmp_path, asks, head)
    table = pd.read_csv(tmp_path / "panel.csv")
    table.assign(patchy=pd.NA).to_csv(tmp_path / "panel.csv", index=False)
    with pytest.warns(Warning, match="did: policy_impact-near"):
        found = nqp.run_study(path)
    assert "policy-impact" in found.did_frames["policy_impact-near"]  # which needs no labels
    assert list(found.did) == ["policy_impact-near", "indirect_source-near"]
    assert list(found.failures) == ["did: policy_impact-near"]
