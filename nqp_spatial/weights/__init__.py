"""Weight matrices: polygons, coordinates, economic values, membership or flows -> libpysal Graph.

Every builder keeps ids and their order, and returns raw weights: ``normalise(graph, "row")`` is a
separate step, and nothing changes a graph that is passed in.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi
