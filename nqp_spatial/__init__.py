"""From city polygons and a city-year table to a published spatial policy evaluation."""

from typing import TYPE_CHECKING, Any

from nqp_spatial import comparison, diagnostics, did, indices, weights
from nqp_spatial.cities.layers import (
    load_agglomerations,
    load_cities,
    load_pilots,
    read_polygons,
    select_cities,
)
from nqp_spatial.cities.matching import match_cities
from nqp_spatial.comparison.robustness import Robustness, Variation, robustness
from nqp_spatial.comparison.weights import WeightComparison, compare_weights
from nqp_spatial.datasets.load import load_castle, load_simulated_clusters, simulate_durbin
from nqp_spatial.datasets.studies.study import load_simulated_study
from nqp_spatial.did import SpatialDiD
from nqp_spatial.models import (
    GNS,
    IV2SLS,
    SAC,
    SLX,
    DifferenceGMM,
    DynamicSpatialDurbin,
    DynamicSpatialLag,
    FirstDifference,
    FixedEffects,
    Mediation,
    Moderation,
    PanelQuantile,
    PanelThreshold,
    PooledOLS,
    RandomEffects,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialIV,
    SpatialLag,
    SystemGMM,
)
from nqp_spatial.panel import instruments, transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table

if TYPE_CHECKING:
    from nqp_spatial import maps, plots, tables
    from nqp_spatial.study import run_study

__version__ = "0.1.0"

__all__ = [
    "GNS",
    "IV2SLS",
    "SAC",
    "SLX",
    "DifferenceGMM",
    "DynamicSpatialDurbin",
    "DynamicSpatialLag",
    "FirstDifference",
    "FixedEffects",
    "Mediation",
    "Moderation",
    "PanelData",
    "PanelQuantile",
    "PanelThreshold",
    "PooledOLS",
    "RandomEffects",
    "Robustness",
    "SpatialDiD",
    "SpatialDurbin",
    "SpatialDurbinError",
    "SpatialError",
    "SpatialIV",
    "SpatialLag",
    "SystemGMM",
    "Variation",
    "WeightComparison",
    "compare_weights",
    "comparison",
    "diagnostics",
    "did",
    "indices",
    "instruments",
    "load_agglomerations",
    "load_castle",
    "load_cities",
    "load_pilots",
    "load_simulated_clusters",
    "load_simulated_study",
    "maps",
    "match_cities",
    "plots",
    "read_polygons",
    "read_table",
    "robustness",
    "run_study",
    "select_cities",
    "simulate_durbin",
    "tables",
    "transform",
    "weights",
]

_ON_DEMAND = {"maps", "plots", "tables"}  # folium and matplotlib are imported when asked for


def __getattr__(name: str) -> Any:
    import importlib

    if name in _ON_DEMAND:
        return importlib.import_module(f"nqp_spatial.{name}")
    if name == "run_study":
        return importlib.import_module("nqp_spatial.study").run_study
    raise AttributeError(f"module 'nqp_spatial' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
