"""The same answers, errors and warnings for any number of jobs."""

import os
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config

from nqp_spatial.exceptions import DataError, IslandWarning, OptionError
from nqp_spatial.shared import parallel


def slow_square(task):
    time.sleep(0.02 * (task % 3))
    return task**2


def draw(seed):
    return float(np.random.default_rng(seed).normal())


def warn(task):
    if task == 2:
        warnings.warn(f"task {task} has islands", IslandWarning, stacklevel=2)
    return os.getpid()


def fail(task):
    if task == 2:
        raise DataError(f"task {task} is wrong")
    return task


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_answers_come_in_the_order_of_tasks(n_jobs):
    assert parallel.run(slow_square, list(range(9)), n_jobs=n_jobs) == [k * k for k in range(9)]
    assert parallel.run(slow_square, [], n_jobs=n_jobs) == []


def test_random_tasks_are_the_same_for_any_number_of_jobs():
    seeds = np.random.SeedSequence(7).spawn(6)
    assert parallel.run(draw, seeds, n_jobs=2) == [draw(s) for s in seeds]
    assert parallel.run(draw, seeds) == [draw(s) for s in seeds]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_errors_keep_class_and_words(n_jobs):
    with pytest.raises(DataError, match="task 2 is wrong"):
        parallel.run(fail, list(range(4)), n_jobs=n_jobs)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_warnings_of_other_processes_are_given_here(n_jobs):
    with pytest.warns(IslandWarning, match="task 2 has islands") as caught:
        processes = parallel.run(warn, list(range(4)), n_jobs=n_jobs)
    assert len(caught) == 1
    assert (os.getpid() in processes) == (n_jobs == 1)


def test_threads_leave_the_warning_filters_alone():
    filters = list(warnings.filters)
    with (
        parallel_config(backend="threading"),
        pytest.warns(IslandWarning, match="task 2"),
    ):
        assert set(parallel.run(warn, list(range(4)), n_jobs=2)) == {os.getpid()}
    assert warnings.filters == filters


def test_it_is_silent_where_there_is_no_terminal(capfd):
    parallel.run(slow_square, [1, 2], n_jobs=1, label="squaring")
    parallel.run(slow_square, [1, 2], n_jobs=2, label="squaring")
    assert list(parallel.progress([1, 2], "counting")) == [1, 2]
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


@pytest.mark.parametrize("n_jobs", [0, 999_999_999_999, 1025, 2.0, True, None])
def test_numbers_of_processes_that_no_machine_has(n_jobs):
    with pytest.raises(OptionError, match=r"n_jobs=.* Use 1, 2, \.\.\. up to 1024, or -1"):
        parallel.run(abs, [1, 2], n_jobs=n_jobs)


def test_no_more_processes_than_tasks():
    """Of a thousand processes for one task nobody is called: the task is done here."""
    assert parallel.run(lambda task: os.getpid(), [1], n_jobs=1000) == [os.getpid()]
