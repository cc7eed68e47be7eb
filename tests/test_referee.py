"""The page of a referee's questions: its code prints what it shows, and its study file runs."""

from __future__ import annotations

import contextlib
import io
import re
import warnings

import pandas as pd
import pytest
import yaml

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpWarning
from tests import ROOT

TEXT = (ROOT / "docs" / "referee.md").read_text(encoding="utf-8")
QUESTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
SECTIONS = ("data", "weights", "models", "heterogeneity")  # of a study file, beside `did`
BLOCK = r"```{}\n(.*?)```"


def blocks(kind: str, text: str = TEXT) -> list[str]:
    return re.findall(BLOCK.format(kind), text, flags=re.DOTALL)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_every_question_has_its_call_its_answer_and_its_line():
    assert len(QUESTIONS) == 21
    for number, question in enumerate(QUESTIONS[1:], start=1):
        assert question.startswith(f"{number}. ")
        for kind in ("python", "text", "yaml"):
            assert len(blocks(kind, question)) == 1, (number, kind)
        assert "\nRead: " in question, number


def test_numbers_in_the_text_are_those_that_are_printed():
    truth = nqp.load_simulated_clusters().attrs["truth"]
    known = {f"{truth[name]:.4f}" for name in ("direct", "indirect")}
    for question in QUESTIONS:
        printed = "".join(blocks("text", question))
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", question, flags=re.DOTALL)
        for number in re.findall(r"\d+\.\d+", prose):
            assert number in known or re.search(rf"(?<![\d.]){number}(?!\d)", printed), number


@pytest.mark.slow
def test_the_code_prints_what_the_page_shows():
    space: dict[str, object] = {}
    pairs = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(pairs) == len(blocks("python")) == 21
    with (
        pd.option_context("display.precision", 4),  # which the page changes, and more
        pd.option_context("display.width", 100, "display.max_columns", 12),
        warnings.catch_warnings(action="ignore", category=NqpWarning),
    ):
        for code, shown in pairs:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "docs/referee.md", "exec"), space)
            assert lines(printed.getvalue()) == lines(shown), code


@pytest.mark.slow
def test_the_study_file_of_the_page_answers_every_question(tmp_path):
    first, *rest = (yaml.safe_load(block) for block in blocks("yaml"))
    study = {**first, "did": {}, "heterogeneity": {}}
    asked = set()
    for block in rest:
        for key, value in block.items():
            if key in SECTIONS:
                study[key] |= value
            else:
                assert key not in study["did"], key
                study["did"][key] = value
                asked.add(key)
    study["output"] = {"tables": [], "plots": [], "maps": False}
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        found = nqp.run_study(path, tmp_path / "out")
    assert dict(found.failures) == {}
    answered = {name.split("-")[0] for name in found.did}
    assert answered == asked
    assert "regions" in found.heterogeneity
    assert "nqp/regional" in found.fits
