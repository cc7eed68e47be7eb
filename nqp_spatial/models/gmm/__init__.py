"""Difference and system GMM of dynamic panels."""
