"""Panel quantile regression."""
