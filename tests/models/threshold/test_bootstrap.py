"""The bootstrap test: any number of workers, interruption, files of other models."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from nqp_spatial.core.linear import threshold as core
from nqp_spatial.exceptions import FileFormatError, OptionError, OutputError, UnbalancedPanelError
from nqp_spatial.models.threshold.model import PanelThreshold
from tests import ROOT
from tests.models.threshold.panels import cities


@pytest.fixture(scope="module")
def frame():
    return cities(n_entities=25, n_periods=6)


def fitted(frame, thresholds=2, **options):
    model = PanelThreshold(frame["nqp"], frame[["inno", "edu"]], "inno", regime="inno")
    return model.fit(thresholds, trim=0.1, **options)


def test_table_is_made_of_the_draws(frame):
    result = fitted(frame)
    draws = result.bootstrap_test(replications=120, seed=3).draws
    table = result.bootstrap_test(replications=120, seed=3).to_frame()
    assert list(table.index) == ["single", "double"]
    for name, row in table.iterrows():
        own = np.sort(draws[name])
        assert row["pvalue"] == np.mean(own > row["F"])
        expected = own[np.ceil(np.array([0.90, 0.95, 0.99]) * 120).astype(int) - 1]
        assert_array_equal(row[["crit_10", "crit_5", "crit_1"]].astype(float), expected)
    assert table.loc["single", "pvalue"] == 0.0  # a jump of three standard deviations of y
    assert any("seed 3" in note for note in table.attrs["notes"])


def test_more_replications_extend_fewer_and_seeds_differ(frame):
    result = fitted(frame)
    few, many = (result.bootstrap_test(replications=n, seed=4).draws for n in (30, 130))
    assert_frame_equal(few, many.head(30))
    other = result.bootstrap_test(replications=30, seed=5).draws
    assert not np.isclose(few, other).any()
    assert not np.isclose(many["single"], many["double"]).any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["residual", "wild"])
def test_the_answer_does_not_depend_on_workers(frame, method):
    result = fitted(frame)
    options = {"replications": 150, "seed": 6, "method": method}
    assert_frame_equal(
        result.bootstrap_test(**options).draws, result.bootstrap_test(n_jobs=2, **options).draws
    )


def test_methods_differ(frame):
    result = fitted(frame)
    one, other = (
        result.bootstrap_test(replications=50, method=m).draws for m in ("residual", "wild")
    )
    assert not np.isclose(one, other).any()


def test_an_interrupted_test_goes_on_where_it_was(frame, tmp_path, monkeypatch):
    result, path = fitted(frame), tmp_path / "断点.npz"
    options = {"replications": 200, "seed": 7}
    whole = result.bootstrap_test(**options).draws
    real, calls = core.block, []

    def counting(*args):
        calls.append(args[1].number)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(core, "block", counting)
    stop = 6  # in the second block of the second test
    with pytest.raises(KeyboardInterrupt):
        result.bootstrap_test(checkpoint=path, **options)
    assert calls == [0, 0, 0, 0, 1, 1]
    calls.clear()
    stop = 0
    assert_frame_equal(result.bootstrap_test(checkpoint=path, **options).draws, whole)
    assert calls == [1, 1, 1]
    calls.clear()
    again = result.bootstrap_test(checkpoint=path, **options).draws
    assert calls == [] and again.equals(whole)
    longer = result.bootstrap_test(checkpoint=path, replications=250, seed=7).draws
    assert calls == [0, 1]
    assert_frame_equal(longer.head(200), whole)
    assert [file.name for file in tmp_path.iterdir()] == ["断点.npz"]


KILLED = """
import os
from tests.models.threshold.panels import cities
from tests.models.threshold.test_bootstrap import fitted
from nqp_spatial.core.linear import threshold as core
real, calls = core.block, []
def dying(*args):
    calls.append(1)
    if len(calls) == 4:
        os._exit(9)  # no exception, no clean-up
    return real(*args)
core.block = dying
fitted(cities(n_entities=25, n_periods=6)).bootstrap_test(
    replications=200, seed=8, checkpoint={path!r}
).draws
"""


@pytest.mark.slow
def test_a_killed_process_loses_one_block(frame, tmp_path):
    path = tmp_path / "draws.npz"
    code = KILLED.format(path=str(path))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert run.returncode == 9, run.stderr.decode()
    with np.load(path) as archive:
        assert len(archive["draws_0"]) == 3 * core.BLOCK
    result = fitted(frame)
    found = result.bootstrap_test(replications=200, seed=8, checkpoint=path).draws
    assert_frame_equal(found, result.bootstrap_test(replications=200, seed=8).draws)


def test_the_checkpoint_of_another_model_is_refused(frame, tmp_path):
    path = tmp_path / "draws.npz"
    fitted(frame).bootstrap_test(replications=50, checkpoint=path)
    changed = frame.copy()
    changed.iloc[3, 0] += 1e-9
    others = {
        "data": (fitted(changed), {}),
        "options": (fitted(frame, refine=False), {}),
        "seed": (fitted(frame), {"seed": 1}),
        "method": (fitted(frame), {"method": "wild"}),
    }
    for what, (result, options) in others.items():
        with pytest.raises(OptionError, match="'draws.npz' is the checkpoint of another model"):
            result.bootstrap_test(replications=50, checkpoint=path, **options)
        assert what in "data, options, seed or method"


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut short"])
def test_another_file_is_not_taken_for_a_checkpoint(frame, tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"'notes\.txt' is not a checkpoint"):
        fitted(frame).bootstrap_test(replications=50, checkpoint=path).to_frame()
    assert path.read_bytes() == content
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(FileFormatError, match=r"'other\.npz' is not a checkpoint"):
        fitted(frame).bootstrap_test(replications=50, checkpoint=tmp_path / "other.npz").to_frame()


def test_a_folder_that_does_not_exist_is_named(frame, tmp_path):
    with pytest.raises(OutputError, match="absent' does not exist"):
        fitted(frame).bootstrap_test(
            replications=50, checkpoint=tmp_path / "absent" / "draws.npz"
        ).to_frame()


def test_unbalanced_panels_take_the_wild_bootstrap(frame):
    data = frame.drop(("城市03", 2013))
    result = fitted(data)
    with pytest.raises(UnbalancedPanelError, match=r"\('城市03', 2013\).*method='wild'"):
        result.bootstrap_test(replications=50).to_frame()
    assert (
        result.bootstrap_test(replications=50, method="wild").to_frame().loc["single", "pvalue"]
        == 0.0
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replications": 0}, "replications=0 is not a whole number of at least 1"),
        ({"replications": 99.5}, "replications=99.5"),
        ({"seed": -1}, "seed=-1 is not a whole number of at least 0"),
        ({"seed": None}, "seed=None"),
        ({"method": "pairs"}, "method='pairs' is not known"),
    ],
)
def test_impossible_options(frame, options, message):
    with pytest.raises(OptionError, match=message):
        fitted(frame).bootstrap_test(**options).to_frame()


TOGETHER = """
from tests.models.threshold.panels import cities
from tests.models.threshold.test_bootstrap import fitted
draws = fitted(cities(n_entities=25, n_periods=6)).bootstrap_test(
    replications=200, seed=8, checkpoint={path!r}
).draws
print(float(draws.to_numpy().sum()))
"""


@pytest.mark.slow
def test_two_processes_have_one_checkpoint(frame, tmp_path):
    """Each writes whole files of its own name, and none takes draws from the other."""
    path = tmp_path / "draws.npz"
    code, environment = TOGETHER.format(path=str(path)), {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]  # fmt: skip
    answers = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], answers
    alone = fitted(frame).bootstrap_test(replications=200, seed=8).draws
    assert {out.strip() for out, _ in answers} == {str(float(alone.to_numpy().sum()))}
    assert [file.name for file in tmp_path.iterdir()] == ["draws.npz"]
    with np.load(path) as archive:
        assert len(archive["draws_0"]) == 200
