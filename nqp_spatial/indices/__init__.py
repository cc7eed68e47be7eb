"""Indicators to one column: entropy weights, principal components, and the systems they follow."""

from nqp_spatial.indices.entropy import IndexResult, entropy
from nqp_spatial.indices.pca import Bartlett, PCAResult, pca
from nqp_spatial.indices.system import Indicator, IndicatorGroup, IndicatorSystem

__all__ = [
    "Bartlett",
    "IndexResult",
    "Indicator",
    "IndicatorGroup",
    "IndicatorSystem",
    "PCAResult",
    "entropy",
    "pca",
]
