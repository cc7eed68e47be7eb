"""From city polygons and a city-year table to a published spatial policy evaluation."""

from lazy_loader import attach_stub

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi
