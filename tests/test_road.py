"""The road of the data in docs/architecture.md: downwards only, from constructor to result."""

import configparser
import re
import sys
from pathlib import Path

import nqp_spatial as nqp
from tests import ROOT, panels

PACKAGE = Path(nqp.__file__).parent


def room(frame):
    """The folder or loose module of a call; None outside the package, and for a decorator."""
    path = Path(frame.f_code.co_filename)
    if PACKAGE not in path.parents or frame.f_code.co_name == "called":  # of `shared_options`
        return None
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def calls_between_rooms(action):
    """Pairs (caller, called) of rooms, while something is done."""
    found = []

    def note(frame, event, _):
        called = room(frame) if event == "call" else None
        if called is None:
            return
        caller = frame.f_back
        while caller is not None and room(caller) is None:
            caller = caller.f_back
        if caller is not None and room(caller) != called:
            found.append((room(caller), called))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return found


def floors():
    """The floor of each room, from the top down."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["importlinter:contract:layers"]["layers"].split("\n")
    rows = [re.findall(r"\w+", line) for line in lines if line.strip()]
    return {name: i for i, row in enumerate(rows) for name in row}


def test_no_call_goes_up_a_floor_before_there_is_a_result():
    W = panels.contiguity(12)
    data = panels.frame(*panels.arrays(W))
    graph = nqp.weights.as_graph(W, range(12))

    def walk():
        nqp.SpatialDurbin(data["y"], data[["x1", "x2"]], graph).fit(cov_type="robust")

    walk()  # what is loaded when it is first used
    floor = floors()
    found = [pair for pair in calls_between_rooms(walk) if "__init__" not in pair]
    assert {"models", "panel", "core"} <= {room for pair in found for room in pair}
    assert [pair for pair in found if floor[pair[1]] < floor[pair[0]]] == []
