"""Study files: YAML to data, weights, models, effects, tables, plots and maps, in one run."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi
