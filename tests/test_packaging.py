"""setup.cfg lists what there is."""

import configparser

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
