"""What fails in a study costs nothing else, and stands in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from nqp_spatial.cli.main import main
from nqp_spatial.exceptions import EstimationError, FailureWarning, NotRowNormalisedError, NqpError
from nqp_spatial.study import StudyResult, run_study
from tests.assertions import quietly
from tests.study.answers import text_of, written
from tests.study.study_project import STUDY, write_project

pytestmark = pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.NqpWarning")

BAD_W = "  spectral: {kind: queen, normalise: spectral}\n"  # not for lee-yu
MODELS = """\
models:
  fe: {clusters: entity}
  late: {model: fe, where: year > 2013}
  re: {}
  sdm: {}
  sar: {weights: [adjacency]}
counterfactuals:
  none: {model: sdm, weights: spectral}
  sound: {model: sdm, weights: adjacency}
group_effects:
  start: {by: start, model: sdm, weights: spectral}
heterogeneity:
  constant: {by: one, model: fe}
robustness:
  - {model: fe, variations: {log: {transform: {kind: log, columns: [x1]}}, few: {drop: [x2]}}}
diagnostics:
  likelihood_ratio: {restricted: [sar], full: sdm}
tables:
  both: [fe, late]
"""
FAILED = {
    "y/late": "line 29, models.late: ",
    "y/sdm/spectral": "models.sdm: Under the weights 'spectral': .*rows of W that sum to one",
    "counterfactual: none": "counterfactuals.none: this needs y/sdm/spectral, which failed",
    "group effects: start": "group_effects.start: this needs y/sdm/spectral, which failed",
    "heterogeneity: constant": "heterogeneity.constant: ",
    "robustness: log": "'x1'",
}


def text(
    models: str = MODELS, weights: str = BAD_W, pictures: bool = False, **replaced: str
) -> str:
    """The study with weights that two-way effects cannot have, and models some of which fail."""
    whole = STUDY[: STUDY.index("models:")] + weights + models + STUDY[STUDY.index("maps:") :]
    whole = whole.replace("[docx, tex, html, xlsx, md]", "[md]").replace("  time: year\n", TIME, 1)
    if not pictures:
        whole = whole.replace("plots: [png]", "plots: []\n  maps: false")
        whole = whole.replace("maps: [adjacency]\n", "")
    for old, new in replaced.items():
        whole = whole.replace(f"{old}:", f"{new}\n{old}:", 1)
    return whole


TIME = "  time: year\n  transforms: [{kind: compute, formula: x1 * 0 + 1, into: one}]\n"
SOUND = (
    MODELS.replace("  late: {model: fe, where: year > 2013}\n", "")
    .replace("  none: {model: sdm, weights: spectral}\n", "")
    .replace("group_effects:\n  start: {by: start, model: sdm, weights: spectral}\n", "")
    .replace("heterogeneity:\n  constant: {by: one, model: fe}\n", "")
    .replace("log: {transform: {kind: log, columns: [x1]}}, ", "")
    .replace("tables:\n  both: [fe, late]\n", "")
)


def run(folder: Path, content: str, **options: object) -> StudyResult:
    folder.mkdir(exist_ok=True)
    path = write_project(folder)
    path.write_text(content, encoding="utf-8")
    return quietly(run_study, path, **options)


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(tmp_path_factory.mktemp("partly"), text(pictures=True))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return run(tmp_path_factory.mktemp("sound"), text(SOUND, "", pictures=True))


def test_each_failure_is_kept_with_its_place_in_the_file(partly):
    assert set(partly.failures) == set(FAILED)
    for place, pattern in FAILED.items():
        with pytest.raises(NqpError, match=pattern):
            raise partly.failures[place]
    assert isinstance(partly.failures["y/sdm/spectral"], NotRowNormalisedError)
    assert isinstance(partly.failures["counterfactual: none"], EstimationError)


@pytest.mark.slow
def test_nothing_else_is_lost(partly, sound):
    assert not sound.failures
    assert set(sound.results) == set(partly.results)
    for key, result in sound.results.items():
        assert_array_equal(partly.results[key].params, result.params)
        assert_array_equal(partly.results[key].cov, result.cov)
    for name in ("effects", "tests", "counter", "diagnostics", "robustness"):
        assert set(getattr(sound, name)) == set(getattr(partly, name)), name
    names = {path.relative_to(sound.output) for path in sound.files}
    there = {path.relative_to(partly.output) for path in partly.files}
    assert there - names == {Path("tables/failures.md"), Path("tables/both.md")}
    assert names <= there


def test_it_stands_in_its_place(partly):
    record = written(partly)
    assert set(record["failures"]) == set(FAILED)
    assert record["models"]["y/sdm/spectral"] == {
        "outcome": "y",
        "model": "sdm",
        "weights": "spectral",
        "error": "NotRowNormalisedError",
        "message": str(partly.failures["y/sdm/spectral"]),
    }
    assert "estimates" in record["models"]["y/sdm/adjacency"]
    log = (partly.output / "run.log").read_text(encoding="utf-8")
    summary = partly.summary()
    assert f"{len(FAILED)} part(s) failed" in summary
    for place in FAILED:
        assert f"FAILED: {place}: " in log
        assert place in summary and place in text_of(partly, "failures")
    assert "failed: study.yaml, line 29, models.late" in text_of(partly, "both")
    assert "spectral failed: " in text_of(partly, "regression")
    assert "late" not in text_of(partly, "regression")


@pytest.mark.slow
def test_python_warns_and_the_command_line_has_status_1(tmp_path, capsys):
    path = write_project(tmp_path)
    path.write_text(text(), encoding="utf-8")
    with pytest.warns(FailureWarning, match=r"(?s)6 part\(s\) of the study failed.*y/late: "):
        run_study(path)
    assert main(["run", str(path), "--output", str(tmp_path / "again")]) == 1
    told = capsys.readouterr()
    assert "y/sdm/spectral: study.yaml, line" in told.out
    assert (tmp_path / "again" / "results.json").is_file()
    path.write_text(text(SOUND, ""), encoding="utf-8")
    assert main(["run", str(path), "--output", str(tmp_path / "sound")]) == 0


def test_where_no_model_is_left_the_first_failure_is_raised_and_nothing_written(tmp_path):
    models = "models:\n  sdm: {weights: [spectral]}\n  late: {model: fe, where: year > 2013}\n"
    with pytest.raises(NqpError, match=r"(?s)models.*No other model could be fitted: 'y/"):
        run(tmp_path, text(models))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_several_at_a_time_lose_no_more(tmp_path, partly):
    found = run(tmp_path, text(), n_jobs=2)
    assert set(found.failures) == set(FAILED)
    for key, result in partly.results.items():
        assert_array_equal(found.results[key].params, result.params)


def test_an_error_that_is_not_ours_has_its_class_and_its_traceback(tmp_path, monkeypatch):
    def broken(*_args: object, **_options: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("nqp_spatial.study.models.hausman", broken)
    found = run(tmp_path, text(SOUND, ""))
    assert list(found.failures) == ["y/re/tests"]
    assert "y/re" in found.results and "ZeroDivisionError: a fault" in found.summary()
    log = (found.output / "run.log").read_text(encoding="utf-8")
    assert "in broken" in log and "in _random_or_fixed" in log


def test_a_full_disk_is_no_failure_of_a_part(tmp_path, monkeypatch):
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nqp_spatial.tables.Table.save", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path, text(SOUND, ""))
    assert not (tmp_path / "out").exists()


def test_in_chinese(tmp_path):
    found = run(tmp_path, text(seed="lang: zh"))
    assert f"{len(FAILED)}个部分失败" in found.summary()
    assert "失败的部分" in text_of(found, "failures")
    assert "失败：" in text_of(found, "regression")
