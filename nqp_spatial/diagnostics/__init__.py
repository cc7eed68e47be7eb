"""Tests and exploratory statistics: results or data in, frames or TestResult out."""

from nqp_spatial.diagnostics.autocorrelation import (
    autocorrelation_table,
    geary,
    moran,
    moran_residuals,
)
from nqp_spatial.diagnostics.collinearity import condition_index, vif
from nqp_spatial.diagnostics.dependence import DependenceResult, pesaran_cd
from nqp_spatial.diagnostics.hausman import HausmanResult, hausman
from nqp_spatial.diagnostics.lagrange import lm_tests, tests_frame
from nqp_spatial.diagnostics.likelihood_ratio import likelihood_ratio
from nqp_spatial.diagnostics.panel_effects import effects_f_test, effects_lm_test
from nqp_spatial.diagnostics.unit_roots import UnitRootResult, unit_root, unit_root_table

__all__ = [
    "DependenceResult",
    "HausmanResult",
    "UnitRootResult",
    "autocorrelation_table",
    "condition_index",
    "effects_f_test",
    "effects_lm_test",
    "geary",
    "hausman",
    "likelihood_ratio",
    "lm_tests",
    "moran",
    "moran_residuals",
    "pesaran_cd",
    "tests_frame",
    "unit_root",
    "unit_root_table",
    "vif",
]
