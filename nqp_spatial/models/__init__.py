"""Models, one file per family: specification, fit, results."""

from nqp_spatial.models._spatial_model import SpatialModel
from nqp_spatial.models.did import SpatialDiD, SpatialDiDResults
from nqp_spatial.models.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from nqp_spatial.models.dynamic_results import DynamicResults
from nqp_spatial.models.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.models.gmm import DifferenceGMM, SystemGMM
from nqp_spatial.models.gmm_results import DynamicGMMResults
from nqp_spatial.models.iv import IV2SLS
from nqp_spatial.models.iv_results import IV2SLSResults
from nqp_spatial.models.mediation import Mediation
from nqp_spatial.models.mediation_results import MediationResults
from nqp_spatial.models.moderation import Moderation
from nqp_spatial.models.moderation_results import ModerationResults
from nqp_spatial.models.panel import (
    FirstDifference,
    FirstDifferenceResults,
    PooledOLS,
    RandomEffects,
    RandomEffectsResults,
)
from nqp_spatial.models.quantile import PanelQuantile
from nqp_spatial.models.quantile_results import PanelQuantileResults, QuantileResults
from nqp_spatial.models.spatial import (
    GNS,
    SAC,
    SLX,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
)
from nqp_spatial.models.spatial_iv import SpatialIV
from nqp_spatial.models.spatial_iv_results import SpatialIVResults
from nqp_spatial.models.spatial_results import SpatialResults
from nqp_spatial.models.threshold import PanelThreshold
from nqp_spatial.models.threshold_results import PanelThresholdResults

__all__ = [
    "GNS",
    "IV2SLS",
    "SAC",
    "SLX",
    "DifferenceGMM",
    "DynamicGMMResults",
    "DynamicResults",
    "DynamicSpatialDurbin",
    "DynamicSpatialLag",
    "FirstDifference",
    "FirstDifferenceResults",
    "FixedEffects",
    "FixedEffectsResults",
    "IV2SLSResults",
    "Mediation",
    "MediationResults",
    "Moderation",
    "ModerationResults",
    "PanelQuantile",
    "PanelQuantileResults",
    "PanelThreshold",
    "PanelThresholdResults",
    "PooledOLS",
    "QuantileResults",
    "RandomEffects",
    "RandomEffectsResults",
    "SpatialDiD",
    "SpatialDiDResults",
    "SpatialDurbin",
    "SpatialDurbinError",
    "SpatialError",
    "SpatialIV",
    "SpatialIVResults",
    "SpatialLag",
    "SpatialModel",
    "SpatialResults",
    "SystemGMM",
]
