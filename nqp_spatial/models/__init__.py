"""Models, one file per family: specification, fit, results."""

from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from nqp_spatial.models.gmm.results import DynamicGMMResults
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.iv.results import IV2SLSResults
from nqp_spatial.models.linear.fixed_effects import FixedEffects, FixedEffectsResults
from nqp_spatial.models.linear.panel import (
    FirstDifference,
    FirstDifferenceResults,
    PooledOLS,
    RandomEffects,
    RandomEffectsResults,
)
from nqp_spatial.models.mechanism.mediation import Mediation
from nqp_spatial.models.mechanism.mediation_results import MediationResults
from nqp_spatial.models.mechanism.moderation import Moderation
from nqp_spatial.models.mechanism.moderation_results import ModerationResults
from nqp_spatial.models.quantile.model import PanelQuantile
from nqp_spatial.models.quantile.results import PanelQuantileResults, QuantileResults
from nqp_spatial.models.spatial.dynamic import DynamicSpatialDurbin, DynamicSpatialLag
from nqp_spatial.models.spatial.dynamic_results import DynamicResults
from nqp_spatial.models.spatial.family import (
    GNS,
    SAC,
    SLX,
    SpatialDurbin,
    SpatialDurbinError,
    SpatialError,
    SpatialLag,
)
from nqp_spatial.models.spatial.iv import SpatialIV
from nqp_spatial.models.spatial.iv_results import SpatialIVResults
from nqp_spatial.models.spatial.model import SpatialModel
from nqp_spatial.models.spatial.results import SpatialResults
from nqp_spatial.models.threshold.model import PanelThreshold
from nqp_spatial.models.threshold.results import PanelThresholdResults

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
