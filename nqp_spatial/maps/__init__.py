"""Maps of effects: self-contained web maps (folium), and their printed twins (matplotlib)."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)  # names: __init__.pyi
