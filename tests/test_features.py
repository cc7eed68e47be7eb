"""The table of features names every row of the studies, and calls and files that exist."""

import re

import pytest

import nqp_spatial as nqp
from tests import ROOT

PAGE = ROOT / "docs" / "features.md"
ROWS = [
    f"{study}{i}" for study, n in (("A", 8), ("B", 4), ("C", 6), ("D", 7)) for i in range(1, n + 1)
]
MODULES = ("diagnostics", "indices", "instruments", "maps", "tables", "transform", "weights")


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
    named = [cells for cells in table() if row in re.split(r",\s*", cells[0])]
    assert len(named) == 1, row
    _, what, python, key = named[0]
    assert what and "`" in python and key not in ("", "–")


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
