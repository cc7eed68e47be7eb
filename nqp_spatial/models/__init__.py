"""Models, one folder a family: specification, fit, results."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi
