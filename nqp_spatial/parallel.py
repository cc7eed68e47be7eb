"""One door to joblib: many independent tasks with progress, the same answer for any n_jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def progress(tasks: Sequence[Task], label: str) -> Any:
    """The tasks with a bar on a terminal once two seconds have passed; silent elsewhere."""
    return tqdm(tasks, desc=label, delay=2, disable=None, leave=False)


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
        ``joblib.parallel_config`` (threads, processes, dask).
    """
    if n_jobs == 1:
        return [function(task) for task in progress(tasks, label)]
    answers = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(function)(t) for t in tasks)
    return list(tqdm(answers, total=len(tasks), desc=label, delay=2, disable=None, leave=False))
