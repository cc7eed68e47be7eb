"""The bootstrap of every test in a search: seeded, parallel, resumable."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.core.linear import threshold_bootstrap as core
from nqp_spatial.exceptions import FileFormatError, OptionError, OutputError, UnbalancedPanelError
from nqp_spatial.models.threshold.search import ORDINALS, ThresholdSearch
from nqp_spatial.shared import parallel
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

LEVELS = {"crit_10": 0.90, "crit_5": 0.95, "crit_1": 0.99}


def draws(
    search: ThresholdSearch,
    *,
    replications: int,
    seed: int,
    method: str,
    n_jobs: int,
    checkpoint: str | os.PathLike[str] | None,
) -> pd.DataFrame:
    """Bootstrapped F, one column for each test."""
    check_option("method", method, core.METHODS)
    for name, value, least in (("replications", replications, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise OptionError(f"{name}={value!r} is not a whole number of at least {least}.")
    rows = _rows(search, method)
    file = None if checkpoint is None else Checkpoint.open(checkpoint, search, int(seed), method)
    blocks = -(-int(replications) // core.BLOCK)
    found = {}
    for number, name in enumerate(ORDINALS[: search.options.thresholds]):
        task = partial(_block, search, _null(search, number, rows, method), int(seed))
        own = file.draws(number) if file else np.empty(0)
        step = blocks if file is None else parallel.workers(n_jobs)
        while len(own) < blocks * core.BLOCK:
            done = len(own) // core.BLOCK
            new = range(done, min(done + step, blocks))
            label = f"bootstrap ({name} threshold)"
            own = np.concatenate([own, *parallel.run(task, new, n_jobs=n_jobs, label=label)])
            if file:
                file.write(number, own)
        found[name] = own[: int(replications)]
    return pd.DataFrame(found, pd.RangeIndex(int(replications), name="replication"))


def table(search: ThresholdSearch, found: pd.DataFrame) -> pd.DataFrame:
    """F, bootstrap p-values of so many draws, critical values, in the order of the search."""
    lines = []
    values = search.problem.candidates.values
    for step, (name, own) in zip(search.path.steps, found.items(), strict=True):
        statistic = search.df * (step.before - step.after) / step.after
        lines.append(
            {
                "model": name,
                "threshold": values[step.found],
                "F": statistic,
                "pvalue": float((own > statistic).mean()),
                "draws": len(own),
                **{
                    column: float(np.quantile(own, level, method="inverted_cdf"))
                    for column, level in LEVELS.items()
                },
            }
        )
    return pd.DataFrame(lines).set_index("model")


def _null(search: ThresholdSearch, number: int, rows: npt.NDArray[Any], method: str) -> core.Null:
    fixed = search.path.steps[number].fixed
    fitted, resid = core.null_model(search.problem, search.y, fixed)
    return core.Null(number, fitted, resid, rows, method, search.options.trims[number], search.df)


def _block(search: ThresholdSearch, null: core.Null, seed: int, number: int) -> Array:
    return core.block(search.problem, null, seed, number)


def _rows(search: ThresholdSearch, method: str) -> npt.NDArray[Any]:
    """Rows of each entity, or the entity of each row; see `core.threshold_bootstrap.Null`."""
    if method == "wild":
        return search.entity
    index = search.q.index
    periods = index.get_level_values(1).nunique()
    n_entities = int(search.entity.max()) + 1
    if len(index) < periods * n_entities:
        missing = pd.MultiIndex.from_product(
            [index.unique(0), index.unique(1).sort_values()], names=index.names
        ).difference(index)
        raise UnbalancedPanelError(
            f"{len(missing)} of {periods * n_entities} (entity, time) pairs are missing, first "
            f"{first(missing, 3)}: the residuals of one entity cannot stand in for another's. "
            "Type method='wild', which gives each entity's own residuals a random sign."
        )
    return np.arange(len(index)).reshape(n_entities, -1)


@dataclass(frozen=True)
class Checkpoint:
    """Draws on disk, with a hash of what they are draws of."""

    path: Path
    key: str

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], search: ThresholdSearch, seed: int, method: str
    ) -> Checkpoint:
        """The file at ``path``, which need not exist yet.

        Raises
        ------
        OutputError
            No such folder.
        FileFormatError
            A file that is not a checkpoint.
        OptionError
            A checkpoint of other data, options, seed or method.
        """
        file = cls(Path(path), f"{search.key} {core.BLOCK} {seed} {method}")
        if not file.path.parent.is_dir():
            raise OutputError(
                f"The folder {str(file.path.parent)!r} does not exist. Make it first."
            )
        if file.path.exists() and file._load()["key"] != file.key:
            raise OptionError(
                f"{file.path.name!r} is the checkpoint of another model: data, options, seed or "
                "method differ. Name another file, or remove that one."
            )
        return file

    def draws(self, number: int) -> Array:
        """What is there of a test."""
        empty = np.empty(0)
        return self._load().get(f"draws_{number}", empty) if self.path.exists() else empty

    def write(self, number: int, values: Array) -> None:
        """Replace the draws of a test; a reader sees the old file or the new one."""
        content = self._load() if self.path.exists() else {"key": np.array(self.key)}
        content[f"draws_{number}"] = values
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as stream:
            np.savez(stream, **content)
        os.replace(part, self.path)

    def _load(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                content = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise self._unreadable() from error
        if "key" not in content:
            raise self._unreadable()
        return content

    def _unreadable(self) -> FileFormatError:
        return FileFormatError(
            f"{self.path.name!r} is not a checkpoint of a threshold bootstrap. Name another file."
        )
