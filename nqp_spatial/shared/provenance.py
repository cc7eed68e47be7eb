"""What a number was made from: versions of the programs that computed it."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("nqp_spatial", "numpy", "scipy", "pandas", "geopandas", "libpysal", "linearmodels")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers pass through."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout that is not installed
            found[name] = "not installed"
    return found
