"""Weight files that are cut off, overwritten or of another kind: told by us, in every format."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import NqpError
from nqp_spatial.weights.readers import READERS

NOISE = bytes(random.Random(0).randrange(256) for _ in range(400))
DAMAGE = {
    "empty": lambda whole: b"",
    "noise": lambda whole: NOISE,
    "half": lambda whole: whole[: len(whole) // 2],
    "another head": lambda whole: b"\0\0no header\n" + whole[10:],
    "text": lambda whole: b"hello world\n1 2 3\n",
    "zeros": lambda whole: b"\0" * 300,
    "a mark before it": lambda whole: b"\xff\xfe" + whole,
    "overwritten": lambda whole: whole[: len(whole) // 3] + NOISE[:20] + whole[-9:],
}


@pytest.fixture(scope="module")
def graph():
    return nqp.weights.normalise(nqp.weights.contiguity(nqp.load_castle().polygons), "row")


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.filterwarnings("ignore")
def test_damage_is_told_with_the_name_of_the_file(suffix, damage, graph, tmp_path: Path):
    path = tmp_path / f"w{suffix}"
    try:
        nqp.weights.write(graph, path)
    except NqpError:  # .gal has no weights, .txt is not written
        path.write_bytes(b"48\n")
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(NqpError, match=rf"w\{suffix}|weights|ids"):
        nqp.weights.read(path, ids=list(graph.unique_ids))


@pytest.mark.parametrize("path", [None, 5, [], object()])
def test_what_is_no_path(path):
    for door in (nqp.weights.read, nqp.read_table, nqp.run_study):
        with pytest.raises(NqpError, match="The path is a .* Give the name of a file"):
            door(path)
