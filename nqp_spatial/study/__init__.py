"""Study files: YAML to data, weights, models, effects, tables, plots and maps, in one run."""

from pathlib import Path

from nqp_spatial.study.result import StudyResult
from nqp_spatial.study.steps import run_study

TEMPLATE = Path(__file__).with_name("template.yaml")
DEMO = Path(__file__).with_name("demo.yaml")

__all__ = ["DEMO", "TEMPLATE", "StudyResult", "run_study"]
