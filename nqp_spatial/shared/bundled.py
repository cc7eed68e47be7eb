"""Where bundled files lie."""

from __future__ import annotations

from pathlib import Path

from nqp_spatial.exceptions import DataError

_PACKAGE = Path(__file__).resolve().parents[1]


def bundled(*parts: str) -> Path:
    """Path of a bundled file below ``shapefiles/``.

    A wheel carries the folder inside the package; a checkout has it beside the package.

    Raises
    ------
    DataError
        If the file is in neither place, so that the installation is incomplete.
    """
    for root in (_PACKAGE / "shapefiles", _PACKAGE.parent / "shapefiles"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise DataError(
        f"The bundled file {'/'.join(parts)} is missing from this installation. "
        "Install the package again with pip."
    )
