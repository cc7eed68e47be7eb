"""What the web maps share: polygons as layers, the look of the panel, and its small script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import folium
import pandas as pd
from branca.element import MacroElement
from folium.template import Template
from geopandas import GeoDataFrame, GeoSeries
from pandas.api.types import is_numeric_dtype

from nqp_spatial.maps import geometry as _geometry
from nqp_spatial.maps.offline import OfflineMap, script_json

LAND, NO_DATA, BORDER, MARK, OUTLINE = "#f0f0ee", "#d5d5d5", "#8c8c8c", "#111111", "#1a7a3c"

STYLE = """
.leaflet-container{background:#fff}
.nqp{font:13px/1.45 "Helvetica Neue",Arial,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",
 "WenQuanYi Zen Hei",sans-serif;color:#222}
.nqp-panel{background:rgba(255,255,255,.94);padding:10px 12px;border-radius:4px;max-width:250px;
 box-shadow:0 0 5px rgba(0,0,0,.3)}
.nqp-title{font-weight:600;font-size:14px;margin-bottom:6px;overflow-wrap:anywhere}
.nqp-panel label{display:block;cursor:pointer}
.nqp-panel input{margin:0 6px 0 0;vertical-align:-1px}
.nqp-legend{margin-top:8px;padding-top:8px;border-top:1px solid #ddd}
.nqp-row{display:flex;align-items:center;white-space:nowrap}
.nqp-row.nqp-wrap{white-space:normal}
.nqp-row i{flex:none;width:22px;height:13px;margin-right:7px;box-sizing:border-box}
.nqp-row small,.nqp-small{color:#666;font-size:11px}
.nqp-row small{margin-left:6px}
.nqp-notes{background:rgba(255,255,255,.85);padding:3px 8px;
 max-width:min(860px,80vw);font-size:11px;
 color:#444}
.nqp-tip b{display:block}
.nqp-tip td{padding:0 10px 0 0;font-variant-numeric:tabular-nums}
.nqp-tip tr.nqp-on td{font-weight:600}
"""

TOOLS = """
 const el=(tag,cls,text)=>{const e=document.createElement(tag); if(cls) e.className=cls;
  if(text!==undefined) e.textContent=text; return e;};
 const row=(parent,colour,text,extra,border)=>{const r=el('div','nqp-row'+(border?' nqp-wrap':'')),
  i=el('i'); i.style.background=colour||'transparent'; if(border) i.style.border=border;
  r.append(i,el('span','',text)); if(extra) r.append(el('small','',extra)); parent.append(r);};
 const corner=(position,node)=>{const c=L.control({position}); c.onAdd=()=>{
  L.DomEvent.disableClickPropagation(node); L.DomEvent.disableScrollPropagation(node);
  return node;}; c.addTo(map);};
 const show=(v,digits=4)=>{if(v===null||v===undefined) return '–'; if(v===0) return '0';
  const a=Math.abs(v), t=a<1e-4||a>=1e6?v.toExponential(digits-1):v.toPrecision(digits);
  return t.replace('-','\\u2212');};
 const notes=list=>{if(list.length){const n=el('div','nqp nqp-notes');
  for(const t of list) n.append(el('div','',t)); corner('bottomleft',n);}};
 if(map.attributionControl) map.attributionControl.setPrefix(false);
"""


class Panel(MacroElement):
    """A panel on the map, and the script that recolours its layer.

    Parameters
    ----------
    script : str
        The body of a function that knows ``D`` (the data), ``map``, ``layer`` and ``overlay``.
    data : mapping
        Sent as JSON; text in it reaches the page as text only.
    layer, overlay : folium.GeoJson
        The polygons, and outlines that can be switched (or None).
    """

    _template = Template(
        "{% macro header(this, kwargs) %}<style>{{ this.style }}</style>{% endmacro %}"
        "{% macro script(this, kwargs) %}(function(){\n"
        " const D={{ this.data }}, map={{ this._parent.get_name() }},"
        " layer={{ this.layer.get_name() }},"
        " overlay={% if this.overlay %}{{ this.overlay.get_name() }}{% else %}null{% endif %};\n"
        "{{ this.tools }}{{ this.body }}\n})();{% endmacro %}"
    )

    def __init__(
        self,
        script: str,
        data: Mapping[str, object],
        layer: folium.GeoJson,
        overlay: folium.GeoJson | None = None,
    ) -> None:
        super().__init__()
        self._name = "Panel"
        self.style, self.tools, self.body = STYLE, TOOLS, script
        self.data, self.layer, self.overlay = script_json(data), layer, overlay


def base_map(
    shapes: GeoSeries,
    background: GeoDataFrame | None,
    title: str,
    notes: Sequence[str],
    **light: Any,
) -> OfflineMap:
    """An empty map with the land, placed so that panel and notes leave the polygons free."""
    page = OfflineMap(title=title, zoom_snap=0.1, zoom_delta=0.5, wheel_px_per_zoom_level=120)
    if background is None:
        land = _geometry.outline(shapes)
    else:
        _geometry.check(background, "background")
        land = _geometry.light(background, **light)
    style = {"className": "nqp-land", "fillColor": LAND, "fillOpacity": 1, "color": "#c4c4c4"}
    polygons(GeoDataFrame(geometry=land), {**style, "weight": 0.8}, interactive=False).add_to(page)
    west, south, east, north = map(float, shapes.total_bounds)
    lines = sum(1 + len(note.encode()) // 150 for note in notes)
    page.fit_bounds(
        [[south, west], [north, east]],
        padding_top_left=(12, 12),
        padding_bottom_right=(270, 20 + 17 * lines),
    )
    return page


def polygons(frame: GeoDataFrame, style: Mapping[str, object], **options: Any) -> folium.GeoJson:
    """A frame in longitude and latitude as one GeoJSON layer, its columns as properties.

    Numbers alone: folium runs what a layer holds as a template, so that a name in it would be
    code. Names go through the `Panel`, which sends them as text.
    """
    text = [c for c in frame.columns.drop("geometry") if not is_numeric_dtype(frame[c])]
    if text:
        raise TypeError(f"A layer holds numbers; {text} must go to the panel.")
    data = frame.to_geo_dict(drop_id=True)
    return folium.GeoJson(
        data, style_function=lambda _: dict(style), control=False, smooth_factor=0.5, **options
    )


def city_layer(shapes: GeoSeries, properties: pd.DataFrame) -> folium.GeoJson:
    """The polygons, as yet without colour; properties are values, and places in the lists."""
    frame = GeoDataFrame(properties, geometry=shapes)
    style = {"className": "nqp-place", "fillColor": NO_DATA, "fillOpacity": 1}
    return polygons(frame, {**style, "color": BORDER, "weight": 0.5})


def outline_layer(outlines: GeoDataFrame | None) -> folium.GeoJson | None:
    """Agglomerations as lines above the polygons, through which the pointer passes."""
    if outlines is None:
        return None
    style = {"className": "nqp-outline", "fill": False, "color": OUTLINE, "weight": 1.5}
    return polygons(GeoDataFrame(geometry=outlines.geometry), style, interactive=False)
