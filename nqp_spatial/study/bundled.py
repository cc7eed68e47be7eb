"""The study files that come with the package: one to fill in, one to look at."""

from pathlib import Path

TEMPLATE = Path(__file__).with_name("template.yaml")
DEMO = Path(__file__).with_name("demo.yaml")
