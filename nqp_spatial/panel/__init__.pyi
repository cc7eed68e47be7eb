from . import instruments as instruments
from . import transform as transform
from .panel import PanelData as PanelData
from .reading import read_table as read_table
