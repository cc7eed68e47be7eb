"""Simulated data of four published designs, by subject."""

from nqp_spatial.datasets.studies.study import load_simulated_study

__all__ = ["load_simulated_study"]
