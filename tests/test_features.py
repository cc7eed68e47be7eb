"""The table of features names every row of the studies, and calls and files that exist."""

import re

import pytest

import nqp_spatial as nqp
from nqp_spatial.study.registry import DID, MODELS, SINGLE, STEPS, WEIGHTS
from tests import ROOT

PAGE = ROOT / "docs" / "features.md"
STUDIES = (("A", 8), ("B", 4), ("C", 6), ("D", 7), ("E", 10))
ROWS = [f"{study}{i}" for study, n in STUDIES for i in range(1, n + 1)]
MODULES = ("diagnostics", "did", "indices", "instruments", "maps", "tables", "transform", "weights")


def table():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:2] == "| "
    ]


def calls():
    found = set()
    for cells in table():
        for text in re.findall(r"`([^`]+)`", cells[2]):
            name = re.match(r"[A-Za-z_][\w.]*", text)
            first = name.group().split(".")[0] if name else ""
            if first in MODULES or first[:1].isupper():
                found.add(name.group())
    return sorted(found)


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_a_call_and_a_key(row):
    named = [cells for cells in table() if row in re.split(r",\s*", cells[0].strip("*"))]
    assert len(named) == 1, row
    _, what, python, key = named[0]
    assert what and "`" in python and key not in ("", "–")


def test_no_row_stands_twice():
    what = [cells[1] for cells in table() if len(cells) == 4]
    assert [text for text in what if what.count(text) > 1] == []


def keys():
    """What the last column says of rows of a study file: their family and their names."""
    found = set()
    for *_, key in (cells for cells in table() if len(cells) == 4):
        found |= {(family, name) for family, name in re.findall(r"`(did|diagnostics): (\w+)", key)}
        for family, words in (("kinds", "kinds?"), ("models", "models?")):
            for listed in re.findall(rf"\b{words} ((?:`\w+`(?: with `[^`]+`)?(?:, )?)+)", key):
                named = re.sub(r" with `[^`]+`", "", listed)
                found |= {(family, name) for name in re.findall(r"`(\w+)`", named)}
    return sorted(found)


@pytest.mark.parametrize(("family", "name"), keys())
def test_rows_of_study_files_exist(family, name):
    known = {
        **{"did": DID, "diagnostics": SINGLE["diagnostics"].keys},
        **{"kinds": {*STEPS, *WEIGHTS}, "models": MODELS},
    }
    assert name in known[family]


def test_every_question_of_the_laboratory_is_in_the_table():
    assert {name for family, name in keys() if family == "did"} == set(DID)


@pytest.mark.parametrize("name", calls())
def test_calls_exist(name):
    place = nqp
    for part in name.split("."):
        assert hasattr(place, part), f"{name}: {part}"
        place = getattr(place, part)


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(links) >= 10
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
