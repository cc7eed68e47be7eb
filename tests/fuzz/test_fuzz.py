"""A minute of it, in a process of its own, as it changes the package; see docs/fuzz.md."""

import subprocess
import sys

import pytest

from tests import ROOT

from .disguises import ALL


@pytest.mark.slow
def test_a_minute_finds_nothing():
    """The first pairs in the order of the seed, the same on every machine; a minute or so."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--minutes", "15", "--pairs", "1200", "--seed", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "'same'" in done.stdout


@pytest.mark.slow
def test_a_wrong_package_is_found():
    """Rows in another order under the same labels are a difference, and it is seen."""
    code = """
from tests.fuzz import driver, disguises
found = []
def wrong(value, rng):
    return value.set_axis(value.index[::-1], axis=0) if disguises.panel_like(value) else value
groups = driver.warm()
driver.install()
how = disguises.Disguise("labels of other rows", wrong)
cases = groups["indices"].cases
print(driver.run("indices", "inequality", cases["inequality"], how, 0).kind)
print(driver.run("indices", "entropy/pooled", cases["entropy/pooled"], how, 0).kind)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "silent" in done.stdout, done.stdout + done.stderr[-2000:]


@pytest.mark.slow
def test_what_was_found_is_mended():
    """Pairs that were findings once."""
    pairs = [
        ("indices", "primacy/membership", "entities a category"),
        ("indices", "transform/three_sigma", "names of two levels"),
        ("output", "plots/moran_by_period", "years as timedelta"),
        ("weights", "normalise/row", "W with a missing weight"),
        ("weights", "masked/inside", "W without ids"),
    ]
    code = f"""
from tests.fuzz import driver
groups = driver.warm()
driver.install()
for group, case, name in {pairs!r}:
    how = next(d for d in driver.ALL if d.name == name)
    print(driver.run(group, case, groups[group].cases[case], how, 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.count("Outcome(") == len(pairs), done.stderr[-2000:]
    assert "kind='foreign'" not in done.stdout and "kind='silent'" not in done.stdout, done.stdout


def test_disguises_have_names_of_their_own():
    names = [disguise.name for disguise in ALL]
    assert len(set(names)) == len(names) > 60
