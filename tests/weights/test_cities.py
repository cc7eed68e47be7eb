"""The bundled cities: link counts made independently with libpysal when the layer was built."""

import pytest
from libpysal.graph import Graph

from nqp_spatial import weights as w
from nqp_spatial.cities import layers
from nqp_spatial.exceptions import DataWarning, IslandWarning


@pytest.fixture(scope="module")
def study():
    """The 277 cities of Li and Wei (2025)."""
    return layers.select_cities(
        municipalities=False, exclude_provinces=["Hainan", "Qinghai", "Xinjiang", "Tibet"]
    )


def test_all_units():
    everywhere = layers.load_cities()
    with pytest.warns(IslandWarning, match="2 of 370 entities have no neighbour: 460300, 710000"):
        queen = w.contiguity(everywhere)
    facts = w.describe(queen)["W"]
    assert (facts["n"], facts["links"], facts["components"]) == (370, 969, 4)
    theirs = Graph.build_contiguity(everywhere, rook=False, strict=True)
    assert (queen.sparse != theirs.sparse).nnz == 0
    rook = w.contiguity(everywhere, "rook", islands="ignore")
    assert (rook.sparse != queen.sparse).nnz == 0  # no two units meet in a point only


def test_zhoushan_is_the_one_island_of_the_study(study):
    with pytest.warns(IslandWarning, match="1 of 277 entities have no neighbour: 330900"):
        queen = w.contiguity(study)
    facts = w.describe(queen)["W"]
    assert (facts["n"], facts["links"], facts["components"]) == (277, 689, 3)
    with pytest.warns(IslandWarning, match=r"330900 - 330200 \(1.9 km\)"):  # to Ningbo
        joined = w.contiguity(study, islands="nearest")
    assert w.describe(joined).loc["links", "W"] == 690


def test_agglomerations_on_the_study(study):
    members = layers.load_agglomerations()
    with pytest.warns(DataWarning, match="not among the entities"), pytest.warns(IslandWarning):
        block = w.agglomeration(members, ids=study.index)
    inside = members[members["adcode"].isin(study.index)]
    sizes = inside.groupby("agglomeration").size()
    listed = int((sizes * (sizes - 1) // 2).sum())
    together = inside.merge(inside, on="agglomeration")
    pairs = together[together["adcode_x"] < together["adcode_y"]]
    assert len(pairs) == listed
    links = len(pairs.drop_duplicates(["adcode_x", "adcode_y"]))
    with pytest.warns(DataWarning):
        facts = w.describe(block, members)["W"]
    assert facts["links"] == links
    assert facts["share_inside"] == 1.0
