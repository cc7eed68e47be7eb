"""Draw the plan of the house from its imports: `python docs/make_architecture.py`.

Each box is a folder or loose module of `nqp_spatial`, on the floor that the import-linter contract
in setup.cfg gives it. An arrow is as wide as the number of modules that import something of
the other, inside functions and for types alone included.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as MplPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "nqp_spatial"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"

SHARED = ("language", "shared", "core", "exceptions")  # what nearly every room asks for
ROAD, ASKED = "#b5472f", "#7d8b99"
HALF = 1.82  # half the width of a box


@dataclass(frozen=True)
class Room:
    """A folder or a loose module: what its docstring says it holds, and how large it is."""

    name: str
    holds: str
    modules: int
    lines: int


def floors() -> list[list[str]]:
    """Names of rooms from the top floor down, as the contract has them."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["importlinter:contract:layers"]["layers"].split("\n")
    return [re.split(r"\s*[|:]\s*", line.strip()) for line in lines if line.strip()]


def files(name: str) -> list[Path]:
    """Python files of a room."""
    folder = ROOT / PACKAGE / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def room(name: str) -> Room:
    """What a room is, from its files."""
    own = files(name)
    first = next((path for path in own if path.name == "__init__.py"), own[0])
    told = ast.get_docstring(ast.parse(first.read_text(encoding="utf-8"))) or ""
    return Room(
        name=name,
        holds=told.split("\n")[0].rstrip("."),
        modules=sum(path.name != "__init__.py" for path in own),
        lines=sum(len(path.read_text(encoding="utf-8").splitlines()) for path in own),
    )


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports of the package, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows(names: list[str]) -> Counter[tuple[str, str]]:
    """How many modules of a room import something of another."""
    found: Counter[tuple[str, str]] = Counter()
    for name in names:
        for path in files(name):
            parts = (full.split(".") for full in imports(path) if full.startswith(f"{PACKAGE}."))
            asked = {part[1] for part in parts} & set(names) - {name}
            found.update((name, other) for other in asked)
    return found


def draw(target: Path = PICTURE) -> None:
    """Make the picture."""
    plan = floors()
    names = [name for floor in plan for name in floor]
    heights = _heights(plan)
    figure, ax = plt.subplots(figsize=(9, 10))
    for floor in plan:
        _floor(ax, [heights[name] for name in floor])
    for name in names:
        _box(ax, room(name), heights[name])
    found = arrows(names)
    for side in (-1, 1):
        own = {pair: n for pair, n in found.items() if (pair[1] in SHARED) == (side < 0)}
        ports = _ports(list(own), heights)
        for pair, count in sorted(own.items(), key=lambda item: -item[1]):
            _arrow(ax, *ports[pair], count, side)
    ax.text(-3.3, 0.75, "what every room asks for", color=ASKED, fontsize=9)
    ax.text(3.3, 0.75, "the road of the data", color=ROAD, ha="right", fontsize=9)
    ax.set(xlim=(-3.35, 3.35), ylim=(min(heights.values()) - 0.6, 1.1))
    ax.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    with plt.rc_context({"svg.hashsalt": PACKAGE}):  # the same bytes from the same imports
        figure.savefig(target, dpi=100, metadata={"Date": None} if target.suffix == ".svg" else {})
    plt.close(figure)


def _heights(plan: list[list[str]]) -> dict[str, float]:
    found, height = {}, 0.0
    for floor in plan:
        for name in floor:
            found[name] = height
            height -= 1.0
        height -= 0.25
    return found


def _ports(
    pairs: list[tuple[str, str]], heights: dict[str, float]
) -> dict[tuple[str, str], tuple[float, float]]:
    """Heights at which arrows leave and enter, so that bows lie within each other."""
    leaves, enters = {}, {}
    for name, height in heights.items():
        out = sorted((p for p in pairs if p[0] == name), key=lambda p: heights[p[1]])
        into = sorted((p for p in pairs if p[1] == name), key=lambda p: heights[p[0]])
        for i, pair in enumerate(out):
            leaves[pair] = height - 0.02 - 0.32 * (i + 0.5) / len(out)
        for i, pair in enumerate(into):
            enters[pair] = height + 0.34 - 0.32 * (i + 0.5) / len(into)
    return {pair: (leaves[pair], enters[pair]) for pair in pairs}


def _floor(ax: Axes, heights: list[float]) -> None:
    low, high = min(heights) - 0.42, max(heights) + 0.42
    ax.add_patch(
        FancyBboxPatch(
            (-HALF - 0.06, low), 2 * HALF + 0.12, high - low,
            boxstyle="round,pad=0.04,rounding_size=0.12", facecolor="#e6eaee", edgecolor="none",
        )
    )  # fmt: skip


def _box(ax: Axes, what: Room, height: float) -> None:
    ax.add_patch(
        FancyBboxPatch(
            (-HALF, height - 0.38), 2 * HALF, 0.76, zorder=3,
            boxstyle="round,pad=0,rounding_size=0.1", facecolor="white", edgecolor="#55606b",
        )
    )  # fmt: skip
    size = f"{what.lines:,} lines".replace(",", " ")
    if what.modules > 1:
        size = f"{what.modules} modules, {size}"
    edge = HALF - 0.07
    ax.text(-edge, height + 0.13, what.name, weight="bold", va="center", fontsize=10.5, zorder=4)
    ax.text(edge, height + 0.13, size, va="center", ha="right", fontsize=8, zorder=4)
    small = 7 * min(1.0, 85 / len(what.holds))
    ax.text(-edge, height - 0.2, what.holds, va="center", fontsize=small, color="#333", zorder=4)


def _arrow(ax: Axes, upper: float, lower: float, count: int, side: int) -> None:
    """A bow down one side, the wider the further it goes."""
    bow = 0.25 + 1.75 * ((upper - lower) / 24) ** 0.7
    x, out = side * (HALF + 0.01), side * (HALF + bow)
    curve = MplPath(
        [(x, upper), (out, upper), (out, lower), (x, lower)],
        [MplPath.MOVETO, MplPath.CURVE4, MplPath.CURVE4, MplPath.CURVE4],
    )
    ax.add_patch(
        FancyArrowPatch(
            path=curve, zorder=2, arrowstyle="-|>", mutation_scale=6, fill=False,
            linewidth=0.5 + 0.13 * count, color=ROAD if side > 0 else ASKED, alpha=0.6,
        )
    )  # fmt: skip


if __name__ == "__main__":
    draw()
