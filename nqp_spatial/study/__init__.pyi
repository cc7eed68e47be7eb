from .bundled import DEMO as DEMO
from .bundled import TEMPLATE as TEMPLATE
from .check import StudyCheck as StudyCheck
from .check import check_study as check_study
from .result import StudyResult as StudyResult
from .run import run_study as run_study
