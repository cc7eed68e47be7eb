"""Places: bundled layers of Chinese cities, any other polygons, and matching of names."""

from nqp_spatial.cities.layers import (
    load_agglomerations,
    load_cities,
    load_pilots,
    read_polygons,
    select_cities,
)
from nqp_spatial.cities.matching import match_cities

__all__ = [
    "load_agglomerations",
    "load_cities",
    "load_pilots",
    "match_cities",
    "read_polygons",
    "select_cities",
]
