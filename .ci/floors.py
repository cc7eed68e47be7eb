"""The lowest versions that setup.cfg allows, as constraints for pip: name==floor, a line each."""

import configparser
import re
import sys
from pathlib import Path

FLOOR = re.compile(r"^([A-Za-z0-9._-]+)\s*>=\s*([0-9][0-9.]*)")

found = configparser.ConfigParser()
found.read(Path(__file__).parents[1] / "setup.cfg")
needs = found["options"]["install_requires"].split("\n")
floors = [match.groups() for need in needs if (match := FLOOR.match(need.strip()))]
without = [need for need in needs if need.strip() and not FLOOR.match(need.strip())]
if without:
    sys.exit(f"No lowest version in setup.cfg: {', '.join(without)}")
print("\n".join(f"{name}=={version}" for name, version in floors))
