"""Regressions, absorbed effects, instruments, thresholds and quantiles, on arrays."""
