"""Tests and exploratory statistics: results or data in, frames or TestResult out."""

from nqp_spatial.diagnostics.autocorrelation import (
    autocorrelation_table,
    geary,
    moran,
    moran_residuals,
)

__all__ = ["autocorrelation_table", "geary", "moran", "moran_residuals"]
