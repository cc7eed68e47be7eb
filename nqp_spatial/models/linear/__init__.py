"""Pooled, fixed-effects, random-effects and first-difference regressions."""
