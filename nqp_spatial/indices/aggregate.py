"""Sums and means over groups of entities, under the name that indices have always had.

`PanelData.aggregate` is the same; its arithmetic stands with the panel, below the indices.
"""

from nqp_spatial.panel.groups import Aggregated, AggregateReport, aggregate

__all__ = ["AggregateReport", "Aggregated", "aggregate"]
