"""One model many times: under weights, variations, specifications and in groups."""

from nqp_spatial.comparison.heterogeneity import Heterogeneity, heterogeneity
from nqp_spatial.comparison.robustness import Robustness, robustness
from nqp_spatial.comparison.specification import SpecificationPath, specification_path
from nqp_spatial.comparison.variations import Variation
from nqp_spatial.comparison.weights import WeightComparison, compare_weights

__all__ = [
    "Heterogeneity",
    "Robustness",
    "SpecificationPath",
    "Variation",
    "WeightComparison",
    "compare_weights",
    "heterogeneity",
    "robustness",
    "specification_path",
]
