"""Web map of what each place does to itself, sends to the others and receives from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from geopandas import GeoDataFrame

from nqp_spatial.language.catalogue import word, words
from nqp_spatial.maps import geometry
from nqp_spatial.maps import page as _page
from nqp_spatial.maps.classes import Classes, classify
from nqp_spatial.maps.data import LAYERS, MapData, gather
from nqp_spatial.maps.offline import OfflineMap

_SCRIPT = """
 const T=D.text, panel=el('div','nqp nqp-panel'), legend=el('div','nqp-legend');
 panel.append(el('div','nqp-title',D.title));
 let on=D.layers[0].key;
 const treated=p=>D.treated.includes(p.i);
 const style=p=>{const k=D.layers.find(l=>l.key===on), c=k.codes[p.i];
  return {fillColor:c===null?D.no_data_colour:k.colours[c], color:treated(p)?D.mark:D.border,
   weight:treated(p)?1.7:0.5};};
 function draw(){
  layer.eachLayer(l=>l.setStyle(style(l.feature.properties)));
  const k=D.layers.find(l=>l.key===on); legend.textContent=''; panel.dataset.layer=on;
  for(let c=k.colours.length-1;c>=0;c--) row(legend,k.colours[c],k.labels[c],'n = '+k.counts[c]);
  if(D.treated.length) row(legend,'',T.treated,'n = '+D.treated.length,'2px solid '+D.mark);
  if(D.n_no_data) row(legend,D.no_data_colour,T.no_data,'n = '+D.n_no_data);
  legend.append(el('div','nqp-small',T.classes+': '+k.scheme));
  if(k.differs) legend.append(el('div','nqp-small nqp-differs',k.differs));}
 for(const k of D.layers){const label=el('label'), input=el('input'); input.type='radio';
  input.name='nqp-layer-'+layer._leaflet_id; input.value=k.key; input.checked=k.key===on;
  input.onchange=()=>{on=k.key; draw();}; label.append(input,k.name); panel.append(label);}
 if(overlay){const label=el('label'), input=el('input'); input.type='checkbox'; input.checked=true;
  input.className='nqp-overlay'; label.style.color=D.outline;
  input.onchange=()=>{input.checked?overlay.addTo(map).bringToFront():overlay.remove();};
  label.append(input,T.agglomerations); panel.append(label); overlay.addTo(map);}
 panel.append(legend);
 function tip(l){const p=l.feature.properties, d=el('div','nqp nqp-tip');
  d.append(el('b','',D.names[p.i]));
  if(D.layers[0].codes[p.i]===null){d.append(el('span','',T.no_data)); return d;}
  const t=el('table'); for(const k of D.layers){const r=el('tr',k.key===on?'nqp-on':'');
   r.append(el('td','',k.name),el('td','',show(p[k.key])+' ('+show(p[k.key+'_std_error'])+')'));
   t.append(r);}
  d.append(t,el('div','nqp-small',T.values+(treated(p)?' · '+T.treated:''))); return d;}
 layer.eachLayer(l=>{const p=l.feature.properties; l.bindTooltip(tip,{sticky:true,opacity:1});
  const node=l.getElement(); if(node) node.dataset.i=p.i;
  l.on('mouseover',()=>l.setStyle({weight:2.4,color:'#000'}));
  l.on('mouseout',()=>l.setStyle(style(p)));});
 layer.eachLayer(l=>{if(treated(l.feature.properties)) l.bringToFront();});
 if(overlay) overlay.bringToFront();
 draw(); corner('topright',panel); notes(D.notes);
"""


def spillovers(
    res: Any,
    gdf: GeoDataFrame,
    variable: str,
    *,
    name: str | None = None,
    treated: Iterable[object] | None = None,
    agglomerations: pd.DataFrame | None = None,
    background: GeoDataFrame | None = None,
    scheme: str | Sequence[float] = "quantiles",
    k: int = 5,
    colours: str | Sequence[str] | None = None,
    lang: str = "en",
    title: str | None = None,
    simplify_km: float | None = None,
    decimals: int | None = None,
) -> OfflineMap:
    """Map the direct effect, the spillover sent, the spillover received and the total, by entity.

    With S the effect matrix of the variable, the direct effect of a place is its own diagonal
    element, what it sends is the rest of its column, what it receives the rest of its row, and
    its total effect is direct + received. Buttons choose which is shown; pointing at a place
    shows all four with their standard errors. Each layer has its own classes, and its legend says
    how many places are more than 1.96 standard errors from zero.

    Parameters
    ----------
    res : result
        Anything with ``entity_effects(variable)``, as every spatial model's result has.
    gdf : GeoDataFrame
        Polygons indexed by entity id, in any coordinate reference system. Those without a result
        are drawn grey, and the legend says so.
    variable : str
        A regressor.
    name : str, optional
        Column of ``gdf`` with the labels; default ``name_en`` or ``name_zh`` by ``lang``, else ids.
    treated : iterable of ids, optional
        Drawn with a thick border; default ``res.treated_entities``.
    agglomerations : DataFrame, optional
        Membership as `nqp_spatial.load_agglomerations` gives it; outlined.
    background : GeoDataFrame, optional
        Land drawn below; default the outer outline of ``gdf``.
    scheme : {"quantiles", "equal_interval", "fisher_jenks", "natural_breaks"} or list of float
        How classes are found, or their upper limits.
    k : int
        Number of classes.
    colours : str or list of str, optional
        A matplotlib colour map or colours from low to high; default blue below zero, red above.
    lang : {"en", "zh"}
    title : str, optional
    simplify_km : float, optional
        Tolerance of the borders, for display only; default the map's longer side over 2500.
    decimals : int, optional
        Decimals of the coordinates in degrees, for display only.

    Returns
    -------
    OfflineMap
        A ``folium.Map``; ``save(path)`` writes one file that opens with no network.

    Raises
    ------
    IdMismatchError
        An entity of the result has no polygon, or an id stands twice.
    CRSError, GeometryError
        The polygons have no coordinate reference system, or some are missing.
    MissingValuesError
        An effect is not finite.
    OptionError
        An option is not known.
    """
    data = gather(res, gdf, variable, name=name, treated=treated, background=background, lang=lang)
    return draw(
        data,
        LAYERS,
        gdf,
        title=title or word("pictures.spillovers", lang).format(variable=variable),
        agglomerations=agglomerations,
        background=background,
        scheme=scheme,
        k=k,
        colours=colours,
        lang=lang,
        simplify_km=simplify_km,
        decimals=decimals,
    )


def draw(
    data: MapData,
    keys: Sequence[str],
    gdf: GeoDataFrame,
    *,
    title: str,
    agglomerations: pd.DataFrame | None = None,
    background: GeoDataFrame | None = None,
    scheme: str | Sequence[float] = "quantiles",
    k: int = 5,
    colours: str | Sequence[str] | None = None,
    lang: str = "en",
    simplify_km: float | None = None,
    decimals: int | None = None,
) -> OfflineMap:
    """A page of layers of numbers by entity, of which buttons choose one; options of `spillovers`.

    Parameters
    ----------
    keys : sequence of str
        Columns of ``data.effects``, named in the section "pictures" of the catalogue.
    """
    text = words("pictures", lang)
    shapes = geometry.light(gdf, simplify_km=simplify_km, decimals=decimals)
    page = _page.base_map(
        shapes, background, title, data.notes, simplify_km=simplify_km, decimals=decimals
    )
    layer = _page.city_layer(shapes, _properties(data)).add_to(page)
    outlines = None
    if agglomerations is not None:
        outlines = geometry.agglomeration_outlines(agglomerations, shapes, lang=lang)
    overlay = _page.outline_layer(outlines)
    if overlay is not None:
        overlay.add_to(page)
    layers = [
        _layer(key, data, classify(_values(data, key), scheme=scheme, k=k, colours=colours), text)
        for key in keys
    ]
    _page.Panel(_SCRIPT, _payload(data, layers, text, title), layer, overlay).add_to(page)
    return page


def _values(data: MapData, key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return data.effects[key].to_numpy(dtype=float)


def _properties(data: MapData) -> pd.DataFrame:
    """Values of every polygon, null where there is no result, and its place among the labels."""
    values = data.effects.reindex(data.labels.index)
    return values.assign(i=range(len(values)))


def _layer(key: str, data: MapData, classes: Classes, text: Mapping[str, str]) -> dict[str, object]:
    codes = pd.Series(classes.codes, index=data.effects.index).reindex(data.labels.index)
    return {
        "key": key,
        "name": text[key],
        "codes": [None if pd.isna(code) else int(code) for code in codes],
        "colours": classes.colours,
        "labels": classes.labels,
        "counts": classes.counts,
        "scheme": text[classes.scheme],
        "differs": significance(data, key, text),
    }


def significance(data: MapData, key: str, text: Mapping[str, str]) -> str:
    """How many of the coloured places differ from zero; empty if nobody knows."""
    some = data.significant(key)
    return "" if some is None else text["differs"].format(some=some, all=len(data.effects))


def _payload(
    data: MapData, layers: list[dict[str, object]], text: Mapping[str, str], title: str
) -> dict[str, object]:
    shown = ("treated", "no_data", "values", "classes", "agglomerations")
    return {
        "title": title,
        "names": list(data.labels),
        "layers": layers,
        "treated": np.flatnonzero(data.labels.index.isin(data.treated)).tolist(),
        "n_no_data": len(data.without_result),
        "notes": data.notes,
        "text": {key: text[key] for key in shown},
        "no_data_colour": _page.NO_DATA,
        "border": _page.BORDER,
        "mark": _page.MARK,
        "outline": _page.OUTLINE,
    }
