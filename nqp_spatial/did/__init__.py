"""Difference-in-differences."""

from nqp_spatial.did.model import SpatialDiD, SpatialDiDResults

__all__ = ["SpatialDiD", "SpatialDiDResults"]
