"""One door to joblib: many independent tasks with progress, the same answer for any n_jobs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm

from nqp_spatial.exceptions import OptionError

if TYPE_CHECKING:
    import numpy as np

Task = TypeVar("Task")
Answer = TypeVar("Answer")

MOST = 1024  # processes
_BLOCK = 20  # replications in one task


def progress(tasks: Sequence[Task], label: str) -> Any:
    """The tasks with a bar on a terminal once two seconds have passed; silent elsewhere."""
    return tqdm(tasks, desc=label, delay=2, disable=None, leave=False)


def check_jobs(n_jobs: object, name: str = "n_jobs") -> None:
    """Raise `OptionError` unless it is a number of processes that a machine may have."""
    whole = isinstance(n_jobs, Integral) and not isinstance(n_jobs, bool)
    if not whole or n_jobs == 0 or n_jobs > MOST:  # type: ignore[operator]
        raise OptionError(
            f"{name}={n_jobs!r} is not a number of processes. Use 1, 2, ... up to {MOST}, or -1 "
            "for one a processor.",
            option=name,
        )


def workers(n_jobs: int) -> int:
    """How many tasks are done at a time."""
    check_jobs(n_jobs)
    from joblib import effective_n_jobs

    return max(int(effective_n_jobs(n_jobs)), 1)


def run(
    function: Callable[[Task], Answer],
    tasks: Sequence[Task],
    *,
    n_jobs: int = 1,
    label: str = "working",
) -> list[Answer]:
    """Answers in the order of ``tasks``.

    Parameters
    ----------
    function : callable of one task
        Must not depend on global state: random tasks carry their own seed, for example from
        ``numpy.random.SeedSequence(seed).spawn(len(tasks))``.
    n_jobs : int
        1 works in this process; other values go to joblib, whose backend may be replaced with
        ``joblib.parallel_config`` (threads, processes, dask). Warnings of other processes are
        given here.

    Raises
    ------
    OptionError
        ``n_jobs`` is no number of processes, or more than any machine has.
    """
    check_jobs(n_jobs)
    n_jobs = min(n_jobs, max(len(tasks), 1))  # who has nothing to do is not called
    if n_jobs == 1:
        return [function(task) for task in progress(tasks, label)]
    from joblib import Parallel, delayed

    parent = os.getpid()
    found = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_with_warnings)(function, task, parent) for task in tasks
    )
    answers = []
    for answer, caught in tqdm(
        found, total=len(tasks), desc=label, delay=2, disable=None, leave=False
    ):
        for message, category in caught:
            warnings.warn(message, category, stacklevel=2)
        answers.append(answer)
    return answers


def seeded(
    function: Callable[[np.random.SeedSequence], Answer],
    replications: int,
    *,
    seed: int,
    n_jobs: int,
    label: str,
) -> list[Answer]:
    """Answers of a random function that can be pickled; more replications extend fewer."""
    import numpy as np

    seeds = np.random.SeedSequence(seed).spawn(replications)
    blocks = [seeds[i : i + _BLOCK] for i in range(0, replications, _BLOCK)]
    found = run(partial(_each, function), blocks, n_jobs=n_jobs, label=label)
    return [answer for block in found for answer in block]


def _each(function: Callable[[Task], Answer], tasks: Sequence[Task]) -> list[Answer]:
    return [function(task) for task in tasks]


def _with_warnings(
    function: Callable[[Task], Answer], task: Task, parent: int
) -> tuple[Answer, list[tuple[str, type[Warning]]]]:
    """The answer, and what was warned of if this is not the parent process."""
    if os.getpid() == parent:  # threads share the filters of the caller
        return function(task), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = function(task)
    return answer, [(str(warning.message), warning.category) for warning in caught]
