from .layers import load_agglomerations as load_agglomerations
from .layers import load_cities as load_cities
from .layers import load_pilots as load_pilots
from .layers import read_polygons as read_polygons
from .layers import select_cities as select_cities
from .matching import match_cities as match_cities
from .matching import with_adcodes as with_adcodes
