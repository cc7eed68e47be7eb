"""Models, one file per family: specification, fit, results."""

from nqp_spatial.models.did import SpatialDiD, SpatialDiDResults
from nqp_spatial.models.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.models.spatial import SpatialDurbin
from nqp_spatial.models.spatial_results import SpatialDurbinResults

__all__ = [
    "FixedEffects",
    "FixedEffectsResults",
    "SpatialDiD",
    "SpatialDiDResults",
    "SpatialDurbin",
    "SpatialDurbinResults",
]
