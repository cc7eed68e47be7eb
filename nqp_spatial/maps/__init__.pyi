from .footprints import footprints as footprints
from .offline import OfflineMap as OfflineMap
from .policy import policy as policy
from .spillovers import spillovers as spillovers
from .static import spillovers_figure as spillovers_figure
