"""A study in Chinese: mistakes, warnings, failures and steps of a run are told in Chinese."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nqp_spatial.cli.main import main
from nqp_spatial.exceptions import (
    DataError,
    DataWarning,
    FailureWarning,
    NqpError,
    NqpWarning,
    OutputError,
    StudyFileError,
)
from nqp_spatial.language.catalogue import note
from nqp_spatial.study import check_study, run_study
from nqp_spatial.study.advice import in_a_file, on_a_terminal
from nqp_spatial.study.file import language, load
from nqp_spatial.study.log import RunLog
from tests.language import templates
from tests.language.chinese import CHINESE, assert_chinese, assert_log_is_chinese
from tests.study import laboratory_project as laboratory
from tests.study import test_comparison_mistakes, test_hints, test_mistakes
from tests.study.comparisons_project import study
from tests.study.data_project import data_of, steps
from tests.study.study_project import STUDY, panel_frame, write_project
from tests.study.test_advice import PYTHON
from tests.study.test_variable_mistakes import MISTAKES as STEPS

ZH = "lang: zh\n"
BROKEN = {
    **{name: (old, new) for name, (old, new, *_) in test_mistakes.MISTAKES.items()},
    **{f"hint, {name}": (old, new) for name, (old, new, *_) in test_hints.BROKEN.items()},
}


def some(names: Iterable[str], each: int) -> list[Any]:
    """All of them; those that are not the first of so many are slow."""
    slow = pytest.mark.slow
    return [n if i % each == 0 else pytest.param(n, marks=slow) for i, n in enumerate(names)]


def chinese(path: Path) -> Path:
    """The study file, in Chinese."""
    path.write_text(ZH + path.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def assert_told(text: str) -> None:
    """Each line is Chinese, with the place where it is about a line of the file."""
    for line in text.splitlines():
        assert_chinese(line)
    assert re.search("^(study.yaml|没有|另|其|.*：)", text), text


# ---------------------------------------------------------------- mistakes in the file


@pytest.mark.parametrize("name", some(BROKEN, 3))
def test_a_mistake_in_a_file_is_told_in_chinese(project, name):
    old, new = BROKEN[name]
    project.write_text(STUDY.replace(old, new) + ZH, encoding="utf-8")
    try:
        load(project)
    except NqpError as error:
        assert str(error).startswith("study.yaml第")
        assert_told(str(error))
        return
    problems = check_study(project).problems  # of what the file names
    assert problems
    for problem in problems:
        assert_told(problem)


def test_places_are_those_of_the_english_file(edited):
    path = edited("{kind: queen}", "{kind: queeen}")
    with pytest.raises(StudyFileError) as english:
        load(path)
    with pytest.raises(StudyFileError) as told:
        load(path, {"lang": "zh"})
    (line,) = re.findall(r"line (\d+)", str(english.value))
    assert str(told.value).startswith(
        f"study.yaml第{line}行，weights.adjacency.kind：应为queen、rook"
    )
    assert str(told.value).endswith("或file，实为'queeen'。是否应为'queen'？")


def test_several_mistakes_are_told_one_a_line(edited):
    path = chinese(edited("{kind: queen}", "{kind: queeen, odd: 1}"))
    path.write_text(
        path.read_text(encoding="utf-8").replace("seed: 3", "sead: 3"), encoding="utf-8"
    )
    with pytest.raises(StudyFileError) as caught:
        load(path)
    first, more, *rest = str(caught.value).splitlines()
    assert more == f"另有{len(rest)}处错误：" and all(
        line.startswith("  study.yaml第") for line in rest
    )
    found = check_study(path)
    assert found.problems == (first, *(line.strip() for line in rest))
    assert found.summary().startswith(f"study.yaml: {len(rest) + 1}处错误：")


@pytest.mark.parametrize("step", some(STEPS, 5))
def test_a_step_that_cannot_be_is_told_in_chinese(tmp_path, step):
    path = chinese(steps(tmp_path, step))
    with pytest.raises(NqpError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_of(path)
    assert str(caught.value).startswith("study.yaml第7行，data.transforms[0]")
    assert_told(str(caught.value))


@pytest.mark.slow
@pytest.mark.parametrize("name", test_comparison_mistakes.MISTAKES)
def test_a_mistake_in_a_comparison_is_told_in_chinese(tmp_path, name):
    text, _ = test_comparison_mistakes.MISTAKES[name]
    path, told = chinese(study(tmp_path, text)), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told += map(str, run_study(path).failures.values())
        except NqpError as error:
            told.append(str(error))
    assert told
    for line in [*told, *(str(w.message) for w in caught if issubclass(w.category, NqpWarning))]:
        assert_told(line)


def test_indicators_in_a_file_of_their_own_are_told_in_chinese(tmp_path):
    (tmp_path / "own.yaml").write_text("name: x\ngroups:\n  - name: g\n", encoding="utf-8")
    (tmp_path / "twice.yaml").write_text("name: x\nname: y\n", encoding="utf-8")
    step = "{kind: entropy, into: e, indicators: own.yaml}"
    with pytest.raises(StudyFileError, match=r"^own.yaml第3行，groups\[0\]：组'g'须有"):
        data_of(chinese(steps(tmp_path, step)))
    with pytest.raises(StudyFileError, match=r"^own.yaml, line 3, groups\[0\]: group 'g' needs"):
        data_of(steps(tmp_path, step))
    step = step.replace("own", "twice")
    with pytest.raises(StudyFileError, match=r"^twice.yaml第2行，name：键'name'给出了两次"):
        data_of(chinese(steps(tmp_path, step)))


# ---------------------------------------------------------------- difference-in-differences


@pytest.mark.parametrize(
    "asks",
    [
        "{polcy_impact: {}}",
        "{mine: {}}",
        "{mine: {kind: plazebo}}",
        "{policy_impact: {weights: [far]}}",
        "{policy_impact: {model: fe}}",
        "{policy_impact: {model: sdm}}",
        "{wild_bootstrap: {model: sdm_did}}",
        "{policy_impact: {kind: indirect_source}}",
        "{policy_impact: {by: nowhere}}",
        "{indirect_source: {level: 2}}",
        "{honest: {of: event_study}}",
        "{event_study: {}, honest: {}}",
        "{event_study: {}, honest: {of: event_stduy}}",
        "{exposure: {cov_type: conley, cutoff_km: 9}}",
        "{event_study: {form: sdmm, weights: [near]}}",
        "{event_study: {window: [3, -3]}}",
        "{event_study: {window: [-2]}}",
        "{event_study: {outcome: yy}}",
        "{event_study: {controls: [x9]}}",
        "{event_study: {odd: 1}}",
        "{staggered: {method: sun}}",
        "{staggered: {rings: [a]}}",
        "{staggered: {method: imputation, rings: [100], places: none.csv}}",
        "{staggered: {method: imputation, rings: [100]}}",
        "{rings: {}}",
        "{rings: {edges: [100], directions: both}}",
        "{placebo: {draws: 9}}",
        "{placebo: {within: nowhere}}",
        "{match: {k: 0}}",
        "{leave_out: {groups: nowhere}}",
        "{power: {draws: 5}}",
        "{synthetic: {errors: placebos}}",
        "{compare_estimators: {methods: [twfee]}}",
        "{checks: {km: [a]}}",
        "[plazebo]",
        "placebo",
    ],
)
def test_a_mistake_in_a_question_about_the_policy_is_told_in_chinese(tmp_path, asks):
    path = chinese(laboratory.study(tmp_path, f"did: {asks}\n"))
    told = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            told += map(str, run_study(path).failures.values())
        except NqpError as error:
            told.append(str(error))
    assert told
    for text in told:
        assert text.startswith("study.yaml第"), text
    assert_all_told(told, caught)


def test_a_question_without_a_policy_is_told_in_chinese(tmp_path):
    head = laboratory.HEAD.replace("policy: {column: did}\n", "controls: [did]\n")
    head = head.replace("\ncontrols: [x1]", "").replace("[fe, sdm_did]", "[fe]")
    path = chinese(laboratory.study(tmp_path, "did: {bacon: {}}\n", head))
    with pytest.raises(
        StudyFileError, match="did.bacon：bacon需要政策，例如 policy: {column: did}。"
    ):
        run_study(path)


def _all(frame: pd.DataFrame) -> pd.DataFrame:
    late = (frame["city"] > "c11") & (frame["year"] == 2017)
    return frame.assign(did=np.maximum(frame["did"], late))


QUESTIONS: dict[str, tuple[str, Any]] = {  # what is asked, of which table
    "all treated": ("staggered: {}", _all),
    "all treated, synthetic": ("synthetic: {draws: 9}", _all),
    "all treated, event study": ("event_study: {}", _all),
    "all at once": (
        "bacon: {}, event_study: {base: -9}, staggered: {balance: 9}",
        lambda f: f.assign(did=((f["city"] < "c12") & (f["year"] > 2013)) * 1),
    ),
    "always treated": ("staggered: {}, event_study: {}", lambda f: f[f["year"] > 2012]),
    "too early for placebos": ("placebo: {model: fe, form: time}", lambda f: f[f["year"] > 2014]),
    "small cohorts": (
        "staggered: {}, synthetic: {draws: 9, errors: jackknife}",
        lambda f: f.assign(did=f["did"] * f["city"].isin(["c00", "c04", "c05", "c08"])),
    ),
    "nobody alike": (
        "match: {}, near: {kind: match, method: radius, caliper: 0.000001}",
        lambda f: f.assign(x1=f["x1"] + 99 * (f["city"] < "c12")),
    ),
    "few alike": ("match: {method: kernel, by: time}", lambda f: f),
    "few clean": (
        "staggered: {method: imputation, exposure: 0, weights: [near]}, "
        "clean: {kind: staggered, method: two-stage, rings: [60], places: far.csv}, "
        "rings: {edges: [60, 150], places: far.csv}",
        lambda f: f,
    ),
    "two directions": (
        "rings: {edges: [60, 150], places: one_way.csv}",
        lambda f: f,
    ),
    "few clusters": (
        "wild_bootstrap: {clusters: [side], draws: 99}, "
        "event_study: {cov_type: clustered, clusters: [side]}",
        lambda f: f,
    ),
    "windows": (
        "event_study: {window: [-1, 0]}, stacked: {kind: staggered, method: stacked, "
        "window: [-9, 9]}, wide: {kind: event_study, window: [-9, 9]}, "
        "bounds: {kind: honest, of: wide, form: smoothness}",
        lambda f: f,
    ),
    "absent rows": ("bacon: {}, staggered: {}, event_study: {}", lambda f: f.drop(index=3)),
    "power": ("power: {draws: 100, effects: [1], start: 40}", lambda f: f),
}


@pytest.mark.parametrize("name", some(QUESTIONS, 5))
def test_what_becomes_of_a_question_is_told_in_chinese(tmp_path, name):
    asks, change = QUESTIONS[name]
    head = laboratory.HEAD.replace("time: year}", "time: year, incomplete: keep}")
    if name == "absent rows":
        head = head.replace("[fe, sdm_did]", "[fe]")
    path = chinese(laboratory.study(tmp_path, f"did: {{{asks}}}\n", head))
    change(pd.read_csv(tmp_path / "panel.csv")).to_csv(tmp_path / "panel.csv", index=False)
    apart = travel()
    apart.to_csv(tmp_path / "far.csv", index=False)
    apart.assign(km=lambda t: t["km"] + (t["origin"] < t["destination"])).to_csv(
        tmp_path / "one_way.csv", index=False
    )
    told = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = run_study(path)
        except NqpError as error:
            told.append(str(error))
        else:
            told += [*found.warnings, *map(str, found.failures.values())]
            assert_log_is_chinese(found.output / "run.log")
    assert_all_told(told, caught)
    assert told, "nothing is told"


def travel() -> pd.DataFrame:
    """Kilometres between the places, as if the earth were flat."""
    places = laboratory.frame()[["lon", "lat"]].groupby(level=0).first()
    apart = 100 * np.linalg.norm(places.to_numpy()[:, None] - places.to_numpy(), axis=-1)
    table = pd.DataFrame(apart, places.index, places.index)
    long = table.rename_axis("origin").reset_index().melt("origin", var_name="destination")
    return long.rename(columns={"value": "km"}).query("origin != destination")


def assert_all_told(told: Iterable[str], caught: Iterable[warnings.WarningMessage]) -> None:
    """Failures and warnings of ours."""
    for text in [*told, *(str(w.message) for w in caught if issubclass(w.category, NqpWarning))]:
        assert_told(text)


# ---------------------------------------------------------------- which language


@pytest.mark.parametrize(
    ("text", "overrides", "lang"),
    [
        ("title: x\n", None, "en"),
        ("lang: zh\n", None, "zh"),
        ("lang: 'zh'\n", None, "zh"),
        ("lang：zh\n", None, "zh"),  # as it is often written, and told in Chinese then
        ("output: {lang: zh}\n", None, "zh"),
        ("lang: en\noutput:\n  lang: zh\n", None, "zh"),
        ("lang: zh\noutput: {lang: en}\n", None, "en"),
        ("# lang: zh\n", None, "en"),
        ("lang: zh\n", {"output.lang": "en"}, "en"),
        ("lang: zh\n", {"lang": "en"}, "en"),
        ("output: {lang: zh}\n", {"lang": "en"}, "zh"),
        ("slang: zh\n", None, "en"),
        ("lang: fr\n", None, "en"),
        ("a: [\nlang: zh\n", None, "zh"),  # no YAML
    ],
)
def test_the_language_of_a_file(tmp_path, text, overrides, lang):
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    assert language(path, overrides) == lang


def test_a_file_that_is_not_there_is_told_in_the_language_that_is_asked_for(tmp_path):
    path = tmp_path / "studie.yaml"
    write_project(tmp_path)
    with pytest.raises(StudyFileError, match="^There is no study file"):
        run_study(path)
    with pytest.raises(StudyFileError, match=r"^没有研究文件.*是否应为'study.yaml'？可用"):
        run_study(path, overrides={"lang": "zh"})


# ---------------------------------------------------------------- a run


def fails(folder: Path) -> Path:
    """A study of which one model and one table fail."""
    path = write_project(folder)
    bad = "models:\n  iv: {effects: twoway, endog: [x2], instruments: [lon]}\n"
    table = "tables:\n  own: {models: [sdm_did], keep: [zz]}\n"
    text = STUDY.replace("models:\n", bad).replace("maps: [adjacency]\n", table)
    text = text.replace("docx, tex, html, xlsx, md", "md").replace("[png]", "[]")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same study in English and in Chinese, with what was warned."""
    found = []
    for head in ("", ZH):
        path = fails(tmp_path_factory.mktemp("study"))
        path.write_text(head + path.read_text(encoding="utf-8"), encoding="utf-8")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append((run_study(path), caught))
    return found


def test_everything_that_a_run_tells_is_chinese(both):
    _, (result, caught) = both
    told = [str(w.message) for w in caught if issubclass(w.category, NqpWarning)]
    assert any(w.category is FailureWarning for w in caught)
    told += [*result.warnings, *map(str, result.failures.values())]
    for text in told:
        assert_told(text)
    assert_log_is_chinese(result.output / "run.log")
    failed = (result.output / "tables" / "failures.md").read_text(encoding="utf-8")
    assert "study.yaml第" in failed and ", line" not in failed and "own的表" in failed
    summary = str(result)
    assert "2个部分失败" in summary and "own的表：study.yaml第" in summary


def test_results_are_the_same_in_both_languages(both):
    (english, _), (told, _) = both
    records = [json.loads((r.output / "results.json").read_text("utf-8")) for r in (english, told)]
    places = [list(record["failures"]) for record in records]
    assert places[0] == places[1] == list(english.failures) == list(told.failures)
    for one, other in zip(*(record["failures"].values() for record in records), strict=True):
        assert one["error"] == other["error"]
        assert not CHINESE.search(one["message"])
        assert_told(other["message"])
    for key, own in records[0]["models"].items():
        assert records[1]["models"][key].get("estimates") == own.get("estimates")
    assert records[0]["weights"] == records[1]["weights"]
    notes = json.loads((told.output / "provenance.json").read_text("utf-8"))
    for text in [*notes["failures"].values(), *(w["text"] for w in notes["warnings"])]:
        assert_told(text)


def test_english_messages_are_as_they_were(both):
    (english, caught), _ = both
    assert not CHINESE.search("".join(str(w.message) for w in caught))
    assert not CHINESE.search((english.output / "run.log").read_text("utf-8"))
    assert "FAILED: y/iv: study.yaml, line " in (english.output / "run.log").read_text("utf-8")


def test_a_folder_that_is_taken_is_told_in_chinese(project):
    chinese(project)
    taken = project.parent / "out"
    taken.mkdir()
    (taken / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(
        OutputError, match=r"不是空的，其中的文件也不是以前的运行结果：'mine.txt'。"
    ):
        run_study(project, taken)


@pytest.mark.slow
def test_the_demo_tells_nothing_in_english(tmp_path, capsys):
    assert main(["demo", "--lang", "zh", "--output", str(tmp_path / "demo")]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("警告：权重矩阵：adjacency：1个个体没有邻居")
    for line in told.err.splitlines():
        assert_chinese(line)
    assert_log_is_chinese(tmp_path / "demo" / "run.log", ["no W·did"])


# ---------------------------------------------------------------- a log, a terminal


def test_warnings_of_others_stay_and_notes_have_their_own_chinese():
    log = RunLog(1, "zh")
    with log.step("reading data"):
        warnings.warn("All weights are zero: no entity has a neighbour.", DataWarning, stacklevel=1)
        warnings.warn("There is no file data.", RuntimeWarning, stacklevel=1)
        warnings.warn(note("robustness.replace", old="x", new="z"), DataWarning, stacklevel=1)
    log.close()
    assert [text for _, text in log.warned] == [
        "读取数据：所有权重都为零：没有任何个体有邻居。",
        "读取数据：There is no file data.",
        "读取数据：以z替换x",
    ]
    assert re.search(r" s  读取数据 \(", log.lines[0])


def test_errors_of_others_are_told_with_their_class():
    log = RunLog(1, "zh")
    log.fail("data", ZeroDivisionError("division by zero"))
    log.fail("y/fe", DataError("There is no file a.csv."))
    log.close()
    assert log.lines[0] == "            失败：数据：ZeroDivisionError: division by zero"
    assert log.lines[-1] == "            失败：y/fe：没有文件a.csv。"
    with pytest.warns(FailureWarning, match="^研究中有2个部分失败，其余结果已给出：\n  数据：Zero"):
        log.emit()


def test_a_terminal_is_told_in_the_language_of_the_study(project, capsys):
    path = chinese(project)
    taken = project.parent / "out"
    taken.mkdir()
    (taken / "mine.txt").write_text("x", encoding="utf-8")
    assert main(["run", str(path), "--output", str(taken)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("nqp-spatial: 输出文件夹") and "请用 --output 另选一个。" in told
    assert main(["check", str(path), "--set", "seed"]) == 2
    assert "--set seed：应为KEY=VALUE的形式" in capsys.readouterr().err
    assert main(["run", str(path), "--lang", "en", "--output", str(taken)]) == 2
    assert "The output folder" in capsys.readouterr().err
    assert main(["check", str(path), "--set", "outcome=zz"]) == 2
    assert "study.yaml: 1处错误：\n  --set outcome：没有列'zz'" in capsys.readouterr().out
    assert main(["check", str(path), "--set", "outcome=zz", "--lang", "en"]) == 2
    assert "--set outcome: there is no column 'zz'" in capsys.readouterr().out


def test_warnings_on_a_terminal_have_a_chinese_head(tmp_path, capsys):
    frame = panel_frame()
    frame.loc[:, "x2"] = np.where(frame["year"] > 2012, 1.0, 2.0)
    path = chinese(write_project(tmp_path))
    pd.DataFrame(frame).to_csv(tmp_path / "panel.csv", index=False)
    main(["run", str(path), "--output", str(tmp_path / "o")])
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith(("警告：", "  ", "nqp-spatial: ", "其他模型")), line


# ---------------------------------------------------------------- advice


def test_chinese_has_no_python_where_english_has_none():
    """Of each message: what a file is told in English has its words in Chinese too."""
    left = []
    for english, told in templates.read().items():
        texts = [re.sub(r"\{\d+[^}]*\}", "X", text).replace("{{", "{") for text in (english, told)]
        spelt = [in_a_file(text) for text in texts]
        if PYTHON.search(spelt[1]) and not PYTHON.search(spelt[0]):
            left.append(spelt[1])
    assert not left, "\n".join(left)


@pytest.mark.parametrize(
    ("told", "file", "terminal"),
    [
        ("请用cov_type='robust'。", "请用cov_type: robust。", "请用--cov-type robust。"),
        ("请写 steps=1或effects=None。", "请写 steps: 1或effects: none。", None),
        ("collapse=True，或", "collapse: true，或", "--collapse，或"),
        ("window=(2009, 2012)。", "window: [2009, 2012]。", None),
        ("请用 output= 另选一个。", "请用 output 另选一个。", "请用 --output 另选一个。"),
    ],
)
def test_options_are_respelt_beside_chinese(told, file, terminal):
    if "output" not in told:
        assert in_a_file(told, "zh") == file
    if terminal is not None:
        assert on_a_terminal(told) == terminal
