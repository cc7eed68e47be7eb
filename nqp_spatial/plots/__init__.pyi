from .figures import check_glyphs as check_glyphs
from .figures import effects as effects
from .figures import fonts as fonts
from .figures import forest as forest
from .figures import moran_by_period as moran_by_period
from .figures import save as save
from .figures import write_notes as write_notes
