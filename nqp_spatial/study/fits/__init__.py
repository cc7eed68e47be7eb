"""Weights, models, comparisons and diagnostics of a study, through the public API."""
