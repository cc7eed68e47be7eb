from .cohorts import first_treated as first_treated
from .cohorts import first_years as first_years
from .cohorts import treatment as treatment
from .matched import MatchResult as MatchResult
from .matching import match as match
from .model import SpatialDiD as SpatialDiD
from .model import SpatialDiDResults as SpatialDiDResults
