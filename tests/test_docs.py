"""Pages of the docs: links lead somewhere, the plan has every room, no move is forgotten."""

import re
import runpy

import pytest

from tests import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "tests/golden/README.md"])
PACKAGE = ROOT / "nqp_spatial"
PLAN = ROOT / "docs" / "architecture.md"


def outside_code(page):
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page):
    """Ids that GitHub gives to headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", outside_code(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "docs" / "make_architecture.py"))


def rooms():
    """Folders and loose modules of the package."""
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    return folders | {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"}


def test_the_picture_of_the_plan_has_every_room(script, tmp_path):
    target = tmp_path / "plan.svg"
    script["draw"](target)
    for picture in (target, script["PICTURE"]):
        drawn = set(re.findall(r"<!-- (\w+) -->", picture.read_text(encoding="utf-8")))
        assert rooms() <= drawn


def test_arrows_go_down(script):
    height = {name: i for i, floor in enumerate(script["floors"]()) for name in floor}
    found = script["arrows"](list(height))
    assert found["models", "panel"] > 10 and found["panel", "shared"] > 10
    assert [pair for pair in found if height[pair[0]] >= height[pair[1]]] == []


def test_what_went_where_names_modules_that_exist():
    text = PLAN.read_text(encoding="utf-8")
    table = re.search(r"<!-- moves -->(.*)<!-- end -->", text, flags=re.DOTALL).group(1)
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    now, before = set(), []
    for folder, moved, same in rows:
        place = folder.strip("`").replace("loose", "")
        for new, old in re.findall(r"`([^`]+)` ← ((?:`[^`]+`(?:, )?)+)", moved):
            now.add(place + new)
            before += re.findall(r"`([^`]+)`", old)
        kept = [place + name for name in re.findall(r"`([^`]+)`", same)]
        now.update(kept)
        before += kept
    assert sorted(name for name in now if not (PACKAGE / f"{name}.py").exists()) == []
    assert len(before) == len(set(before)) == 252
