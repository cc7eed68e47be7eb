"""Maps of effects: self-contained web maps (folium), and their printed twins (matplotlib)."""

from nqp_spatial.maps.footprints import footprints
from nqp_spatial.maps.offline import OfflineMap
from nqp_spatial.maps.spillovers import spillovers
from nqp_spatial.maps.static import spillovers_figure

__all__ = ["OfflineMap", "footprints", "spillovers", "spillovers_figure"]
