"""Two-stage least squares with fixed effects."""
