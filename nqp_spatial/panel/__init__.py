"""The data road: tables in, one checked sample out."""

from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.reading import read_table

__all__ = ["PanelData", "read_table"]
