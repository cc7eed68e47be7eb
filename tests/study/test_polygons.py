"""Layers of one's own: names of places on maps, and the encoding of a shapefile."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas as gpd
import pytest

from nqp_spatial.exceptions import NqpWarning, StudyFileError
from nqp_spatial.study import run_study

MAPS = {"output.tables": [], "output.plots": []}


def renamed(project: Path, **layer: str) -> gpd.GeoDataFrame:
    """The layer of the project with a column of names, written as it is asked."""
    cells = gpd.read_file(project.parent / "cells.gpkg")
    cells["called"] = "区域" + cells["cell"].str[1:]
    cells.to_file(project.parent / layer.pop("path", "cells.gpkg"), **layer)
    return cells


def said(project: Path, *edits: tuple[str, str]) -> None:
    text = project.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    project.write_text(text, encoding="utf-8")


def page(project: Path) -> str:
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        result = run_study(project, overwrite=True, overrides=MAPS)
    return (result.output / "maps" / "spillovers-adjacency.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_places_are_called_by_the_column_that_is_named(project):
    renamed(project)
    assert "区域07" not in page(project)
    said(project, ("polygon_id: cell", "polygon_id: cell\n  polygon_name: called"))
    text = page(project)
    assert "区域07" in text or r"\u533a\u57df07" in text


def test_a_column_that_the_layer_lacks_is_told_with_its_place_and_the_nearest(project):
    renamed(project)
    said(project, ("polygon_id: cell", "polygon_id: cell\n  polygon_name: caled"))
    with pytest.raises(StudyFileError, match=r"data.polygon_name: the layer has no column 'caled'"):
        run_study(project, overrides=MAPS)
    with pytest.raises(StudyFileError, match="Did you mean 'called'"):
        run_study(project, overrides=MAPS)


@pytest.mark.slow
def test_a_shapefile_is_read_in_the_encoding_that_is_said(project):
    """Big5 without a .cpg, which by trial is taken for GB 18030."""
    cells = gpd.read_file(project.parent / "cells.gpkg")
    cells["called"] = "區域" + cells["cell"].str[1:]
    cells.to_file(project.parent / "cells.shp", encoding="BIG5")
    (project.parent / "cells.cpg").unlink(missing_ok=True)
    named = "polygon_id: cell\n  polygon_name: called"
    said(project, ("cells.gpkg", "cells.shp"), ("polygon_id: cell", named))
    right = ("區域07", r"\u5340\u57df07")
    assert not any(name in page(project) for name in right)
    said(project, (named, f"{named}\n  polygon_encoding: big5"))
    assert any(name in page(project) for name in right)
