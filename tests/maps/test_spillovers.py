"""What goes into a map of effects, and what is refused."""

import json
import re
from html import escape

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import Point

from nqp_spatial.exceptions import (
    CRSError,
    DataError,
    GeometryError,
    IdMismatchError,
    MissingValuesError,
    OptionError,
    UnstableModelError,
)
from nqp_spatial.language.catalogue import both, word
from nqp_spatial.maps import footprints, spillovers, spillovers_figure
from nqp_spatial.maps import geometry as _geometry
from nqp_spatial.maps.data import LAYERS, gather
from nqp_spatial.maps.page import polygons
from nqp_spatial.maps.static import paths

DRAW = pytest.mark.parametrize("draw", [spillovers, spillovers_figure], ids=["web", "print"])


def panel_data(page):
    """The data that the page's script works with."""
    text = re.search(r"const D=(\{.*\}), map=", page.get_root().render())[1]
    return json.loads(text)


def features(page):
    """The polygons with results, as they stand in the page."""
    html = page.get_root().render()
    found = [json.loads(m) for m in re.findall(r"_add\((\{.*\})\);", html)]
    return next(c["features"] for c in found if "direct" in c["features"][0]["properties"])


def test_values_and_classes_follow_the_polygons_not_the_result_order(lattice, result):
    page = spillovers(result, lattice, "did", k=3)
    S = pd.DataFrame(result.S, index=result.entities, columns=result.entities)
    data = panel_data(page)
    for i, (entity, feature) in enumerate(zip(lattice.index, features(page), strict=True)):
        properties = feature["properties"]
        assert properties["i"] == i
        assert data["names"][i] == lattice.name_en[entity]
        assert properties["direct"] == S.loc[entity, entity]
        sent = S[entity].drop(entity).sum()
        received = S.loc[entity].drop(entity).sum()
        assert properties["sent"] == pytest.approx(sent, rel=1e-12)
        assert properties["received"] == pytest.approx(received, rel=1e-12)
        assert properties["total"] == pytest.approx(S.loc[entity].sum(), rel=1e-12)
        assert properties["sent_std_error"] == pytest.approx(abs(sent) / 4, rel=1e-12)
    assert data["treated"] == [lattice.index.get_loc(e) for e in (120, 101)]
    sent = data["layers"][1]
    ranks = pd.Series([f["properties"]["sent"] for f in features(page)]).rank(method="max")
    assert (np.diff(np.array(sent["codes"])[np.argsort(ranks.to_numpy())]) >= 0).all()
    assert sum(sent["counts"]) == 36


def test_four_layers_share_one_geometry(lattice, result):
    html = spillovers(result, lattice, "did").get_root().render()
    assert html.count("_add({") == 2  # the land below, and the polygons once
    assert [layer["key"] for layer in panel_data(spillovers(result, lattice, "did"))["layers"]] == [
        *LAYERS
    ]


def test_chinese_labels_and_names(lattice, result):
    data = panel_data(spillovers(result, lattice, "did", lang="zh", title="《政策》"))
    names = [layer["name"] for layer in data["layers"]]
    assert names == ["直接效应", "溢出（送出）", "溢出（接收）", "总效应"]
    assert data["title"] == "《政策》"
    page = spillovers(result, lattice, "did", lang="zh")
    assert panel_data(page)["names"][1] == "城1"


TEMPLATES = ["{{ 7 * 7 }}", "{% raw %}", "{# a #}", "{{{", "a </script> & b", "{{ this.tools }}"]


@pytest.mark.parametrize("draw", [spillovers, footprints])
@pytest.mark.parametrize("text", TEMPLATES)
def test_names_and_titles_are_text_and_no_template(lattice, result, draw, text):
    """folium runs what it is given as a template, twice: data must come out as they were."""
    lattice["name_en"] = [text, *lattice["name_en"].iloc[1:]]
    lattice.attrs["note"] = text
    page = draw(result, lattice, "did", title=text)
    data = panel_data(page)
    assert data["names"][0] == data["title"] == text
    assert text in data["notes"]
    assert f"<title>{escape(text)}</title>" in page.get_root().render()


def test_no_text_enters_a_layer(lattice):
    """A layer's properties are a template to folium: the next map must not try."""
    with pytest.raises(TypeError, match=r"\['name_en'\] must go to the panel"):
        polygons(lattice[["name_en", "geometry"]], {})


def test_notes_of_result_and_polygons_are_on_the_map(lattice, result):
    lattice.attrs["note"] = "Boundaries for analysis, not an approved base map"
    expected = ["Simulated outcomes: not an estimate.", lattice.attrs["note"]]
    assert panel_data(spillovers(result, lattice, "did"))["notes"] == expected
    assert panel_data(footprints(result, lattice, "did"))["notes"] == expected
    printed = spillovers_figure(result, lattice, "did").get_supxlabel()
    assert printed == "\n".join(expected)


def test_the_note_of_the_bundled_cities_is_in_the_language_of_the_map(lattice, result):
    lattice.attrs["note"] = both("cities.base_map")  # as `load_cities` has it
    assert panel_data(spillovers(result, lattice, "did", lang="zh"))["notes"][1:] == [
        word("cities.base_map", "zh")
    ]


@DRAW
def test_the_callers_frame_is_not_touched(draw, lattice, result):
    before = lattice.copy(deep=True)
    draw(result, lattice, "did")
    pd.testing.assert_frame_equal(lattice.drop(columns="geometry"), before.drop(columns="geometry"))
    assert (lattice.geometry.to_wkb() == before.geometry.to_wkb()).all()
    assert lattice.crs == before.crs


def test_projected_polygons_land_where_they_are(lattice, result):
    page = spillovers(result, lattice.to_crs("EPSG:3857"), "did", simplify_km=0, decimals=4)
    for feature, shape in zip(features(page), lattice.geometry, strict=True):
        found = np.array(feature["geometry"]["coordinates"][0])
        np.testing.assert_allclose(
            [*found.min(axis=0), *found.max(axis=0)], shape.bounds, atol=1e-4
        )


def test_polygons_without_a_result_are_grey_and_counted(lattice, make_result):
    absent = [0, 7, 8, 20, 21, 35]
    part = lattice.drop(lattice.index[absent])
    res = make_result(part)
    page = spillovers(res, lattice, "did")
    data = panel_data(page)
    assert data["n_no_data"] == 6
    codes = data["layers"][1]["codes"]
    assert [i for i, code in enumerate(codes) if code is None] == absent
    assert [i for i, f in enumerate(features(page)) if f["properties"]["sent"] is None] == absent
    assert sum(data["layers"][1]["counts"]) == 30
    sent = res.entity_effects("did")["sent"].reindex(lattice.index)
    assert codes[lattice.index.get_loc(sent.idxmax())] == max(c for c in codes if c is not None)
    assert codes[lattice.index.get_loc(sent.idxmin())] == 0


@DRAW
def test_an_entity_without_polygon_is_named(draw, lattice, result):
    with pytest.raises(IdMismatchError, match=r"1 of 36 ids of the result .* first 117"):
        draw(result, lattice.drop(117), "did")


@DRAW
def test_ids_of_another_type_are_explained(draw, lattice, result):
    text = lattice.set_axis(lattice.index.map(str), axis=0)
    with pytest.raises(IdMismatchError, match=r"gdf\.index\.astype\(int\)"):
        draw(result, text, "did")


@DRAW
def test_a_repeated_polygon_is_named(draw, lattice, result):
    with pytest.raises(IdMismatchError, match=r"first 135\. .*dissolve"):
        draw(result, pd.concat([lattice, lattice.iloc[:1]]), "did")


@DRAW
def test_an_unknown_treated_entity_is_named(draw, lattice, result):
    with pytest.raises(IdMismatchError, match="treated entities .* first 999"):
        draw(result, lattice, "did", treated=[101, 999])


@DRAW
def test_no_coordinate_system(draw, lattice, result):
    with pytest.raises(CRSError, match=r'set_crs\("EPSG:4326"\)'):
        draw(result, lattice.set_crs(None, allow_override=True), "did")


@DRAW
@pytest.mark.parametrize("shape", [None, Point(0, 0)])
def test_a_missing_polygon_is_named(draw, lattice, result, shape):
    lattice.loc[110, "geometry"] = shape
    with pytest.raises(GeometryError, match="1 of 36 rows of gdf have no polygon, first 110"):
        draw(result, lattice, "did")


@DRAW
def test_a_plain_frame_is_refused(draw, lattice, result):
    with pytest.raises(GeometryError, match="is a DataFrame, not a GeoDataFrame"):
        draw(result, pd.DataFrame(lattice.drop(columns="geometry")), "did")


@DRAW
def test_an_effect_that_is_not_finite_is_named(draw, lattice, result, monkeypatch):
    effects = result.entity_effects("did")
    effects.loc[105, "received"] = np.nan
    monkeypatch.setattr(result, "entity_effects", lambda variable: effects)
    with pytest.raises(MissingValuesError, match=r"first 105\. Look at res\.entity_effects"):
        draw(result, lattice, "did")


@DRAW
@pytest.mark.parametrize(
    ("options", "message"),
    [({"lang": "cn"}, "'en', 'zh'"), ({"scheme": "quantils"}, "Did you mean 'quantiles'")],
)
def test_unknown_options(draw, lattice, result, options, message):
    with pytest.raises(OptionError, match=message):
        draw(result, lattice, "did", **options)


def test_unknown_variable_and_label_column(lattice, result):
    with pytest.raises(OptionError, match="Did you mean 'did'"):
        spillovers(result, lattice, "dit")
    with pytest.raises(OptionError, match="Did you mean 'name_zh'"):
        spillovers(result, lattice, "did", name="name_zn")


def test_missing_names_fall_back_to_the_id(lattice, result):
    lattice.loc[110, "name_en"] = None
    assert gather(result, lattice, "did").labels[110] == "110"


def test_the_legend_counts_effects_that_differ_from_zero(lattice, result, monkeypatch):
    effects = result.entity_effects("did")
    errors = effects["sent"].abs() / 1.9
    errors.iloc[:7] *= 1.9 / 2.0
    changed = effects.assign(sent_std_error=errors)
    monkeypatch.setattr(result, "entity_effects", lambda variable: changed)
    layers = panel_data(spillovers(result, lattice, "did"))["layers"]
    assert layers[0]["differs"] == "Differ from zero at 5%: 36 of 36"  # four standard errors away
    assert layers[1]["differs"] == "Differ from zero at 5%: 7 of 36"
    figure = spillovers_figure(result, lattice, "did")
    assert [ax.texts[0].get_text() for ax in figure.axes] == [x["differs"] for x in layers]


def test_a_result_without_standard_errors_is_drawn(lattice, result, monkeypatch):
    full = result.entity_effects("did")
    monkeypatch.setattr(result, "entity_effects", lambda variable: full[list(LAYERS)])
    page = spillovers(result, lattice, "did")
    assert features(page)[0]["properties"]["sent_std_error"] is None
    assert panel_data(page)["layers"][1]["differs"] == ""


def membership(**columns):
    return pd.DataFrame({"agglomeration": ["A", "A", "B", "B"], **columns})


def test_outlines_surround_their_members(lattice):
    shapes = _geometry.light(lattice)
    frame = membership(adcode=[135, 134, 100, 999], agglomeration_zh=["甲", "甲", "乙", "乙"])
    outlines = _geometry.agglomeration_outlines(frame, shapes, lang="zh")
    assert outlines.label.tolist() == ["甲", "乙"]
    assert [shape.area for shape in outlines.geometry] == [2, 1]
    assert outlines.bounds.to_numpy().tolist() == [[0, 0, 2, 1], [5, 5, 6, 6]]


def test_outlines_with_wrong_columns_or_ids(lattice, result):
    with pytest.raises(DataError, match="no column 'adcode'"):
        spillovers(result, lattice, "did", agglomerations=membership(code=[1, 2, 3, 4]))
    with pytest.raises(IdMismatchError, match="its adcode are '135', '134', '1'"):
        spillovers(
            result, lattice, "did", agglomerations=membership(adcode=["135", "134", "1", "2"])
        )


def test_the_land_has_no_holes(lattice):
    ring = lattice.drop(lattice.index[[14, 15]])
    land = _geometry.outline(_geometry.light(ring))
    assert land.to_crs("EPSG:4326").bounds.to_numpy().tolist() == [[0, 0, 6, 6]]
    assert land.iloc[0].area == pytest.approx(36)


def test_shared_borders_stay_shared():
    rng = np.random.default_rng(3)
    wiggle = np.column_stack([0.5 + 0.02 * rng.normal(size=200), np.linspace(0, 1, 200)])
    from shapely.geometry import Polygon

    left = Polygon([(0, 0), *wiggle, (0, 1)])
    right = Polygon([(1, 0), *wiggle, (1, 1)])
    frame = gpd.GeoDataFrame(geometry=[left, right], crs="EPSG:4326")
    light = _geometry.light(frame, simplify_km=8, decimals=3)
    assert light.count_coordinates().sum() < 0.6 * frame.count_coordinates().sum()
    assert light.iloc[0].intersection(light.iloc[1]).area == pytest.approx(0, abs=1e-12)
    assert light.union_all().area == pytest.approx(frame.union_all().area, rel=1e-6)


def test_footprints_refuse_what_the_browser_cannot_compute(lattice, make_result):
    with pytest.raises(UnstableModelError, match=r"The norm of rho W is 0\.9990"):
        footprints(make_result(lattice, rho=0.999), lattice, "did")
    odd = make_result(lattice)
    odd.params["did"] = 0.11  # no longer what the effects were made from
    with pytest.raises(OptionError, match="are not those of"):
        footprints(odd, lattice, "did")
    with pytest.raises(IdMismatchError, match="first 117"):
        footprints(make_result(lattice), lattice.drop(117), "did")


def test_the_printed_twin_has_the_same_classes(lattice, result):
    layers = panel_data(spillovers(result, lattice, "did", k=4, treated=[]))["layers"]
    figure = spillovers_figure(result, lattice, "did", k=4, treated=[])
    from matplotlib.colors import to_hex

    for ax, layer in zip(figure.axes, layers, strict=True):
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert texts == layer["labels"][::-1]
        assert ax.get_title(loc="left") == layer["name"]
        drawn = [to_hex(colour) for colour in ax.collections[1].get_facecolor()]
        assert drawn == [layer["colours"][code] for code in layer["codes"]]


def test_paths_are_those_of_geopandas(lattice):
    """A hole, a shape of three parts, one of them with a hole."""
    shapes = lattice.geometry.to_crs("EPSG:3857")
    shapes[101] = shapes[101].difference(shapes[101].buffer(-3e4))
    shapes[103] = shapely.union_all([shapes[101], *shapes[[118, 116]].buffer(-2e4)])
    assert shapes[103].geom_type == "MultiPolygon" and len(shapes[103].geoms) == 3
    drawn = paths(shapes)
    expected = shapes.plot().collections[0].get_paths()
    for ours, theirs in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(ours.vertices, theirs.vertices)
        np.testing.assert_array_equal(ours.codes, theirs.codes)
    assert paths(shapes[:0]) == []


def test_the_printed_twin_has_five_layers(lattice, make_result):
    res = make_result(lattice.iloc[:30], treated=[135, 120])
    members = membership(adcode=[135, 134, 133, 132])
    figure = spillovers_figure(res, lattice, "did", agglomerations=members, background=lattice)
    for ax in figure.axes:
        layers = sorted(ax.collections, key=lambda layer: layer.get_zorder())
        assert [len(layer.get_paths()) for layer in layers] == [36, 6, 30, 2, 2]


def test_the_printed_twin_marks_treated_missing_and_outlines(lattice, make_result):
    res = make_result(lattice.iloc[:30], treated=[135, 120])
    figure = spillovers_figure(
        res, lattice, "did", lang="zh", agglomerations=membership(adcode=[135, 134, 133, 132])
    )
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[-3:] == ["处理组 (2)", "无结果 (6)", "城市群"]
    figure.canvas.draw()  # Chinese glyphs are found: a missing one would be a warning, so an error
