"""Bundled panels, and simulated ones with a known truth."""
