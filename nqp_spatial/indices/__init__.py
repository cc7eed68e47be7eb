"""Indicators to one column, and the indices that studies of cities use."""

from nqp_spatial.indices.aggregate import Aggregated, AggregateReport, aggregate
from nqp_spatial.indices.coupling import coupling
from nqp_spatial.indices.diversity import rta
from nqp_spatial.indices.entropy import IndexResult, entropy
from nqp_spatial.indices.inequality import gap, inequality, theil_decomposition
from nqp_spatial.indices.integration import krugman, krugman_pairs, market_integration
from nqp_spatial.indices.keywords import KeywordResult, Lexicon, keyword_frequency
from nqp_spatial.indices.location import location_quotient, relative_to_leader
from nqp_spatial.indices.malmquist import MalmquistResult, dea, malmquist
from nqp_spatial.indices.patents import CoPatents, co_patents
from nqp_spatial.indices.pca import Bartlett, PCAResult, pca
from nqp_spatial.indices.structure import industrial_structure, primacy, rank_size
from nqp_spatial.indices.system import Indicator, IndicatorGroup, IndicatorSystem
from nqp_spatial.indices.topsis import TopsisResult, topsis

__all__ = [
    "AggregateReport",
    "Aggregated",
    "Bartlett",
    "CoPatents",
    "IndexResult",
    "Indicator",
    "IndicatorGroup",
    "IndicatorSystem",
    "KeywordResult",
    "Lexicon",
    "MalmquistResult",
    "PCAResult",
    "TopsisResult",
    "aggregate",
    "co_patents",
    "coupling",
    "dea",
    "entropy",
    "gap",
    "industrial_structure",
    "inequality",
    "keyword_frequency",
    "krugman",
    "krugman_pairs",
    "location_quotient",
    "malmquist",
    "market_integration",
    "pca",
    "primacy",
    "rank_size",
    "relative_to_leader",
    "rta",
    "theil_decomposition",
    "topsis",
]
