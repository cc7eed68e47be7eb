"""Draws on disk: an interrupted computation goes on where it was."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nqp_spatial.exceptions import FileFormatError, OptionError, OutputError
from nqp_spatial.shared.files import replacing

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Checkpoint:
    """Draws in a file (.npz), with a hash of what they are draws of.

    Attributes
    ----------
    path : Path
    key : str
        Of data, options and seed.
    what : str
        Whose draws these are, in a message.
    """

    path: Path
    key: str
    what: str

    @classmethod
    def open(cls, path: str | os.PathLike[str], key: str, what: str) -> Checkpoint:
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
        file = cls(Path(path), key, what)
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

    def draws(self, name: object) -> Array:
        """Rows that are there under a name, none if there are not."""
        empty = np.empty(0)
        return self._load().get(f"draws_{name}", empty) if self.path.exists() else empty

    def write(self, name: object, values: Array) -> None:
        """Replace the draws of a name; a reader sees the old file or the new one.

        Several processes may have one file: draws follow from the seed, so that the longer list
        begins with the shorter one, which it is not replaced by.
        """
        content = self._load() if self.path.exists() else {"key": np.array(self.key)}
        if len(content.get(f"draws_{name}", ())) >= len(values):
            return
        content[f"draws_{name}"] = values
        with replacing(self.path) as part, part.open("wb") as stream:
            np.savez(stream, **content)

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
            f"{self.path.name!r} is not a checkpoint of {self.what}. Name another file."
        )
