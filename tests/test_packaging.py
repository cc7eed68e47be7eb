"""setup.cfg lists what there is."""

import configparser
import subprocess
import sys

from tests import ROOT


def read() -> configparser.ConfigParser:
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def test_every_folder_of_the_package_is_installed():
    listed = read()["options"]["packages"].split()
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("nqp_spatial/**/__init__.py")}
    assert sorted(listed) == sorted(
        [*(".".join(f.parts) for f in folders), "nqp_spatial.shapefiles"]
    )


def test_every_kind_of_data_file_is_installed():
    patterns = read()["options.package_data"]
    there = {".csv": "core.linear", ".toml": "language", ".yaml": "study", ".pyi": "*"}
    for ending, place in there.items():
        key = place if place == "*" else f"nqp_spatial.{place}"
        assert f"*{ending}" in patterns[key]
        assert list(ROOT.glob(f"nqp_spatial/**/*{ending}"))


def test_every_dependency_has_a_lowest_version_that_ci_installs():
    """.ci/lowest installs name==floor, so that a floor is a version that exists."""
    floors = subprocess.run(
        [sys.executable, ROOT / ".ci" / "floors.py"], capture_output=True, text=True, check=True
    ).stdout.split()
    needs = read()["options"]["install_requires"].split()
    assert [floor.split("==")[0] for floor in floors] == [need.split(">=")[0] for need in needs]
    for floor, need in zip(floors, needs, strict=True):
        assert need.split(",")[0] == floor.replace("==", ">=")


def test_advice_to_install_is_what_the_extras_ask_for():
    """The package is on no index, so that its extras cannot be installed by name."""
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "nqp_spatial").rglob("*.py"))
    assert 'pip install "nqp_spatial[' not in text.replace("'", '"')
    extras = (ROOT / "setup.cfg").read_text("utf-8")
    for requirement in ("jieba>=0.42.1", "scikit-sparse>=0.4.16,<0.5"):
        assert requirement in text and requirement in extras
