"""Likelihoods, moments, sandwiches and multipliers of spatial models, on arrays."""
