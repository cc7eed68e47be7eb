"""Difference-in-differences on arrays."""
