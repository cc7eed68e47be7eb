"""Web map of one place's footprint: click it, and the places that it reaches light up."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from geopandas import GeoDataFrame
from scipy.sparse.linalg import splu

from nqp_spatial.exceptions import OptionError, UnstableModelError
from nqp_spatial.language.catalogue import words
from nqp_spatial.maps import geometry
from nqp_spatial.maps import page as _page
from nqp_spatial.maps.classes import ramp
from nqp_spatial.maps.data import label_column, match_ids, notes
from nqp_spatial.maps.offline import OfflineMap
from nqp_spatial.shared.options import check_option

_LARGEST_NORM = 0.995  # the browser sums the series (rho W)^k, which takes longer the nearer to one
_DECADES = 3

_SCRIPT = """
 const T=D.text, N=D.n, panel=el('div','nqp nqp-panel'), body=el('div','nqp-legend');
 panel.append(el('div','nqp-title',D.title));
 const bytes=s=>Uint8Array.from(atob(s),c=>c.charCodeAt(0)).buffer;
 const ptr=new Uint32Array(bytes(D.ptr)), idx=new Uint32Array(bytes(D.idx)),
  val=new Float64Array(bytes(D.val));
 const names=[]; layer.eachLayer(l=>{const p=l.feature.properties; names[p.i]=D.names[p.at];});
 const mul=(x,t)=>{const y=new Float64Array(N);
  for(let i=0;i<N;i++) for(let k=ptr[i];k<ptr[i+1];k++){
   if(t) y[idx[k]]+=val[k]*x[i]; else y[i]+=val[k]*x[idx[k]];} return y;};
 // Column j of S, or row j: the two factors of S commute, so the series is summed last.
 function effect(j,t){const e=new Float64Array(N); e[j]=1; const w=mul(e,t), x=new Float64Array(N);
  for(let i=0;i<N;i++) x[i]=D.beta*e[i]+D.theta*w[i];
  let term=x.slice(); const size=v=>v.reduce((m,a)=>Math.max(m,Math.abs(a)),0), first=size(term);
  for(let k=0;k<20000 && size(term)>1e-16*first;k++){term=mul(term,t);
   for(let i=0;i<N;i++){term[i]*=D.rho; x[i]+=term[i];}}
  return x;}
 let direction='out', chosen=null, shown=null;
 for(const d of ['out','in']){const label=el('label'), input=el('input'); input.type='radio';
  input.name='nqp-direction-'+layer._leaflet_id; input.value=d; input.checked=d===direction;
  input.onchange=()=>{direction=d; draw();}; label.append(input,T[d]); panel.append(label);}
 panel.append(body);
 const limits=x=>{let m=0; x.forEach((v,i)=>{if(i!==chosen) m=Math.max(m,Math.abs(v));});
  return D.warm.map((_,c)=>m*Math.pow(10,-D.decades*(1-(c+1)/D.warm.length)));};
 const colour=(v,top)=>{const a=Math.abs(v), low=top[0]*Math.pow(10,-D.decades/top.length);
  if(a===0||a<=low) return D.none; const c=top.findIndex(t=>a<=t*(1+1e-12));
  return (v>0?D.warm:D.cold)[c<0?top.length-1:c];};
 function legend(x,top){body.textContent=''; body.append(el('b','',names[chosen]));
  body.append(el('div','',T.own+': '+show(x[chosen]))); row(body,D.mark,T.selected);
  const others=Array.from(x).filter((_,i)=>i!==chosen),
   low=top[0]*Math.pow(10,-D.decades/top.length);
  const text=c=>show(c?top[c-1]:low,3)+' – '+show(top[c],3);
  if(others.some(v=>v>0)) for(let c=top.length-1;c>=0;c--) row(body,D.warm[c],text(c));
  row(body,D.none,T.negligible+' (< '+show(low,3)+')');
  if(others.some(v=>v<0)) for(let c=0;c<top.length;c++) row(body,D.cold[c],'\\u2212('+text(c)+')');
  body.append(el('div','nqp-small',T.point));}
 function draw(){panel.dataset.direction=direction;
  if(chosen===null){body.textContent=T.click; return;}
  shown=effect(chosen,direction==='in'); const top=limits(shown);
  layer.eachLayer(l=>{const i=l.feature.properties.i; if(i<0) return;
   l.setStyle({fillColor:i===chosen?D.mark:colour(shown[i],top)});}); legend(shown,top);}
 layer.on('click',e=>{L.DomEvent.stopPropagation(e); const i=e.layer.feature.properties.i;
  if(i>=0){chosen=i; draw();}});
 layer.eachLayer(l=>{const i=l.feature.properties.i, name=D.names[l.feature.properties.at];
  l.bindTooltip(()=>{const d=el('div','nqp nqp-tip'); d.append(el('b','',name));
   if(i<0) d.append(el('span','',T.no_data));
   else if(shown){const v=el('span','nqp-value',show(shown[i]));
    v.dataset.value=shown[i]; d.append(v);}
   return d;},{sticky:true,opacity:1});
  const node=l.getElement(); if(node) node.dataset.i=i; if(i>=0) l.setStyle({fillColor:D.none});});
 draw(); corner('topright',panel); notes(D.notes);
"""


def footprints(
    res: Any,
    gdf: GeoDataFrame,
    variable: str,
    *,
    name: str | None = None,
    background: GeoDataFrame | None = None,
    lang: str = "en",
    title: str | None = None,
    simplify_km: float | None = None,
    decimals: int | None = None,
) -> OfflineMap:
    r"""Map what a place that is clicked sends to every other, or receives from it.

    The page holds W, rho, beta and theta, not the n x n matrix of effects; the browser finds the
    column or row of :math:`S = (I - \rho W)^{-1}(\beta I + \theta W)` in milliseconds. Classes are
    half powers of ten below the largest effect on another place, for effects decay by orders of
    magnitude.

    Parameters
    ----------
    res : result
        With ``params`` (``variable``, and where the model has them ``W_variable`` and ``rho``),
        ``graph`` and ``entity_effects(variable)``.
    gdf, variable, name, background, lang, title, simplify_km, decimals
        As in `nqp_spatial.maps.spillovers`.

    Returns
    -------
    OfflineMap

    Raises
    ------
    UnstableModelError
        The norm of rho W is too near one for the browser's series.
    OptionError
        The effects of the result are not those of W, rho, beta and theta; or an unknown option.
    IdMismatchError, CRSError, GeometryError
        As in `nqp_spatial.maps.spillovers`.
    """
    text = words("pictures", lang)
    geometry.check(gdf)
    if getattr(res, "variables", None) is not None:
        check_option("variable", variable, res.variables)
    ids = pd.Index(res.graph.unique_ids)
    match_ids(ids, gdf.index, "result")
    operator = _operator(res, variable, ids)
    title = title or text["footprint"].format(variable=variable)
    shapes = geometry.light(gdf, simplify_km=simplify_km, decimals=decimals)
    said = notes(res, gdf, background, lang=lang)
    page = _page.base_map(
        shapes, background, title, said, simplify_km=simplify_km, decimals=decimals
    )
    places = pd.DataFrame({"i": ids.get_indexer(gdf.index), "at": range(len(gdf))}, gdf.index)
    layer = _page.city_layer(shapes, places).add_to(page)
    payload = {
        **operator,
        "title": title,
        "names": list(label_column(gdf, name, lang)),
        "notes": said,
        "text": {
            key: text[key]
            for key in ("click", "out", "in", "own", "selected", "negligible", "point", "no_data")
        },
        "warm": ramp("OrRd", 6),
        "cold": ramp("Blues", 6),
        "decades": _DECADES,
        "none": _page.LAND,
        "mark": "#ffd92f",
    }
    _page.Panel(_SCRIPT, payload, layer).add_to(page)
    return page


def _operator(res: Any, variable: str, ids: pd.Index) -> dict[str, object]:
    """W (compressed rows) and the three scalars, checked against the result's own effects."""
    if getattr(getattr(res, "design", None), "durbin", None) is not None:
        raise OptionError(
            "A map of footprints has one W, and lags of regressors have a W of their own here "
            "(durbin_graph=). Look at single places with res.footprint(variable, entity)."
        )
    W = sp.csr_array(res.graph.sparse)
    rho = float(res.params.get("rho", 0.0))
    beta, theta = float(res.params[variable]), float(res.params.get(f"W_{variable}", 0.0))
    _check_norm(W, rho)
    _check_effects(res, variable, ids, W, rho, beta, theta)
    return {
        "n": len(ids),
        "rho": rho,
        "beta": beta,
        "theta": theta,
        "ptr": _base64(W.indptr.astype("<u4")),
        "idx": _base64(W.indices.astype("<u4")),
        "val": _base64(W.data.astype("<f8")),
    }


def _check_norm(W: sp.csr_array, rho: float) -> None:
    norms = [abs(rho) * abs(W).sum(axis=axis).max(initial=0.0) for axis in (0, 1)]
    if min(norms) > _LARGEST_NORM:
        raise UnstableModelError(
            f"The norm of rho W is {min(norms):.4f}, too near one (or above) for a map that sums "
            "its powers. Look at single places with res.footprint(variable, entity)."
        )


def _check_effects(
    res: Any,
    variable: str,
    ids: pd.Index,
    W: sp.csr_array,
    rho: float,
    beta: float,
    theta: float,
) -> None:
    """What each place sends and receives in total must be the result's, or the map would lie."""
    n, ones = len(ids), np.ones(len(ids))
    solve = splu(sp.csc_matrix(sp.eye_array(n) - rho * W))
    received = solve.solve(beta * ones + theta * (W @ ones))
    feedback = solve.solve(ones, "T")
    sent = beta * feedback + theta * (W.T @ feedback)
    theirs = res.entity_effects(variable).reindex(ids)
    close = np.allclose(received, theirs["total"], rtol=1e-6, atol=1e-12) and np.allclose(
        sent, theirs["direct"] + theirs["sent"], rtol=1e-6, atol=1e-12
    )
    if not close:
        raise OptionError(
            f"The effects of {variable!r} in this result are not those of (I - rho W)^-1 (beta I + "
            "theta W), so that this map cannot draw them. Type res.footprint(variable, entity)."
        )


def _base64(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
