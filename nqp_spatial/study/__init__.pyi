from .bundled import DEMO as DEMO
from .bundled import TEMPLATE as TEMPLATE
from .result import StudyResult as StudyResult
from .run import run_study as run_study
