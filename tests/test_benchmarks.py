"""The speed command runs, compares estimates, and says what is missing. Nothing is timed here."""

from __future__ import annotations

import json
import os
import sys

import _cases
import entry
import numpy as np
import peers
import pytest

from tests import ROOT

FOLDER = ROOT / "benchmarks"
pytestmark = pytest.mark.slow

TABLE = """# Speed

before
<!-- tiny: begin -->
an older table
<!-- tiny: end -->
after
"""


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """No R in reach, and the checkout on the path of other processes."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(peers.shutil, "which", lambda name: None)
    monkeypatch.setenv("PYTHONPATH", str(ROOT) + os.pathsep + os.environ.get("PYTHONPATH", ""))
    return tmp_path


def cells(lines, program):
    [line] = [line for line in lines.splitlines() if line.startswith(f"| {program}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_run_writes_its_table_and_says_which_peers_are_missing(environment, capsys):
    path = environment / "README.md"
    path.write_text(TABLE, encoding="utf-8")
    peers.main(["--cases", "tiny", "--repeats", "1", "--write", str(path)])
    text = path.read_text(encoding="utf-8")
    assert "an older table" not in text
    assert text.startswith("# Speed\n\nbefore\n") and text.endswith("-->\nafter\n")
    assert cells(text, "**nqp_spatial")[1] == "two-way Lee-Yu, eigenvalues"
    for phase in cells(text, "**nqp_spatial")[2:5]:
        assert phase.endswith(" ms") or phase.endswith(" s") or "1 run" in phase
    printed = capsys.readouterr().out
    for peer in ("splm", "SDPDmod"):
        assert cells(text, peer)[1] == "not installed"
        assert f"{peer}: not installed" in printed


def test_the_version_a_reference_is_spreg_s_estimate(environment):
    """W times demeaned y: another program's numbers for the column that compares with it."""
    _cases.simulate(_cases.voronoi(25), 4, k=2).write(environment)
    limits = peers.Limits(repeats=1, longest=10, seconds=120, gigabytes=12)
    script = str(FOLDER / "_peers.py")
    ours = peers.measure([sys.executable, script, "ours", "--references"], environment, limits)
    theirs = peers.measure([sys.executable, script, "spreg"], environment, limits)
    assert not ours["stopped"] and not theirs["stopped"]
    same = peers.agreement(theirs, ours["references"]["demeaned"])
    other = peers.agreement(theirs, ours["references"]["dummies"])
    assert float(same[0].split()[0]) < 1e-5  # spreg stops its search at 1e-7
    assert float(other[0].split()[0]) > 1e-3  # exact dummies are another estimate
    # the effects of our timed model are those of the closed form that the references use
    expected, found = ours["references"]["lee-yu"], ours["effects"]
    np.testing.assert_allclose(found["direct"], expected["direct"], rtol=1e-10)
    np.testing.assert_allclose(found["total"], expected["total"], rtol=1e-10)


def test_gaps_are_relative_and_in_standard_errors():
    reference = {"beta": [2.0], "theta": [-0.1], "rho": 0.5, "se": [0.5, 0.2, 0.1]}
    reference |= {"direct": [2.0], "direct_se": [0.5], "total": [4.0], "total_se": [2.0]}
    fit = {"beta": [2.2], "theta": [-0.12], "rho": 0.5}
    effects = {"direct": [2.0], "total": [5.0]}
    texts = peers.agreement({"fit": fit, "effects": effects}, reference)
    assert texts == ("2e-01 (4e-01 s.e.)", "2e-01 (5e-01 s.e.)")  # 0.02/0.1, 0.2/0.5; 1/4, 1/2
    assert peers.agreement({}, reference) == ("", "")


def test_what_stops_a_program_is_in_the_table(environment):
    limits = peers.Limits(repeats=1, longest=10, seconds=0.5, gigabytes=12)
    code = 'import time; print(\'{"phase": "fit", "times": [0.25]}\', flush=True); time.sleep(9)'
    late = peers.measure([sys.executable, "-c", code], environment, limits)
    assert peers._cells(late)[:3] == ["250.0 ms (1 run)", "> 0 s", ""]
    undefined = {"phase": "effects", "times": [0.1], "direct": [float("nan")], "total": [0.0]}
    assert peers._cells({**late, "effects": undefined})[1] == "undefined"
    error = json.dumps({"phase": "error", "error": "MemoryError: no"})
    code = f"print('''{error}''')"
    limits = peers.Limits(repeats=1, longest=10, seconds=60, gigabytes=12)
    assert peers.measure([sys.executable, "-c", code], environment, limits)["stopped"] == "> 12 GB"
    code = "raise SystemExit('wrong from the start')"
    stopped = peers.measure([sys.executable, "-c", code], environment, limits)["stopped"]
    assert stopped == "wrong from the start"


def test_slopes_are_powers_of_n():
    points = [(n, 3e-6 * n, 1e-5 * n**1.5, 0.2 * n**0.5) for n in (1e4, 3e4, 1e5)]
    assert "N^1.00, all as N^1.50, memory added as N^0.50" in peers.slopes("W", points)


def test_cigarettes_without_their_data_are_skipped_loudly(environment, monkeypatch, capsys):
    monkeypatch.setattr(_cases, "SHARED", environment / "absent")
    peers.main(["--cases", "cigarettes"])
    assert "SKIPPED: the case 'cigarettes' needs ../shared" in capsys.readouterr().out


def test_a_panel_survives_its_files(tmp_path):
    from _peers import Data

    panel = _cases.simulate(_cases.nearest(30), 3, k=2)
    panel.write(tmp_path)
    data = Data.read(tmp_path)
    np.testing.assert_array_equal(data.frame.loc[(7, 2), "y"], panel.y[2, 7])
    np.testing.assert_array_equal(data.frame.loc[7, ["x1", "x2"]].to_numpy(), panel.x[:, 7])
    np.testing.assert_array_equal(data.W.toarray(), panel.W.toarray())


def test_unknown_cases_are_refused(capsys):
    with pytest.raises(SystemExit):
        peers.main(["--cases", "contigiuty"])
    assert "unknown case 'contigiuty'; known are tiny, cigarettes" in capsys.readouterr().err


def test_entry_times_the_command_of_a_checkout():
    found = entry.programs(ROOT)
    assert {"`import nqp_spatial`", "`nqp-spatial --help`", "`nqp-spatial demo`"} <= set(found)
    assert entry.seconds(ROOT, *found["`nqp-spatial --version`"]) > 0
