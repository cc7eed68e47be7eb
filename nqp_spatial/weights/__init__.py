"""Weight matrices: polygons, coordinates, economic values, membership or flows -> libpysal Graph.

Every builder keeps ids and their order, and returns raw weights: ``normalise(graph, "row")`` is a
separate step, and nothing changes a graph that is passed in.
"""

from nqp_spatial.weights.combine import nested
from nqp_spatial.weights.contiguity import contiguity
from nqp_spatial.weights.convert import (
    as_graph,
    by_period,
    check_time_varying,
    row_normalised,
    sparse_for,
    subset,
)
from nqp_spatial.weights.describe import describe
from nqp_spatial.weights.distance import (
    distance_band,
    exponential,
    gravity,
    inverse_distance,
    kernel,
    knn,
)
from nqp_spatial.weights.economic import economic
from nqp_spatial.weights.flows import flows
from nqp_spatial.weights.io import read, write
from nqp_spatial.weights.membership import agglomeration, masked
from nqp_spatial.weights.normalise import normalise

__all__ = [
    "agglomeration",
    "as_graph",
    "by_period",
    "check_time_varying",
    "contiguity",
    "describe",
    "distance_band",
    "economic",
    "exponential",
    "flows",
    "gravity",
    "inverse_distance",
    "kernel",
    "knn",
    "masked",
    "nested",
    "normalise",
    "read",
    "row_normalised",
    "sparse_for",
    "subset",
    "write",
]
