from .model import SpatialDiD as SpatialDiD
from .model import SpatialDiDResults as SpatialDiDResults
