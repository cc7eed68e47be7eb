"""Critical values of Stock and Yogo (2005) for the Cragg-Donald F, in ``stock_yogo.csv``.

For one or two endogenous regressors and up to twelve excluded instruments. "bias": the largest bias
of 2SLS relative to that of least squares, which needs two overidentifying restrictions; "size": the
largest size of a 5% Wald test on the estimates, for LIML smaller. They are derived for equal
variances; beside a Kleibergen-Paap F they are a habit without theory (Baum, Schaffer and Stillman
2007, Stata Journal 7, 465-506).

References
----------
.. [1] Stock, J. H. and Yogo, M. (2005). Testing for weak instruments in linear IV regression. In
   Andrews, D. W. K. and Stock, J. H. (eds), Identification and Inference for Econometric Models,
   Cambridge University Press, 80-108, tables 5.1, 5.2 and 5.4; as gretl 2022c prints them.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files


@cache
def _tables() -> dict[tuple[str, int, int], dict[tuple[str, float], float]]:
    """By estimator, endogenous regressors and instruments."""
    found: dict[tuple[str, int, int], dict[tuple[str, float], float]] = {}
    text = files(__package__).joinpath("stock_yogo.csv").read_text(encoding="ascii")
    for row in csv.DictReader(text.splitlines()):
        key = (row["estimator"], int(row["n_endogenous"]), int(row["n_instruments"]))
        values = found.setdefault(key, {})
        values[row["criterion"], float(row["level"])] = float(row["value"])
    return found


def critical_values(
    n_endogenous: int, n_instruments: int, *, estimator: str = "2sls"
) -> dict[tuple[str, float], float]:
    """Values that the Cragg-Donald F must exceed, by criterion ("bias", "size") and level.

    Empty where nothing is tabulated, as for three endogenous regressors.
    """
    key = ("liml" if estimator == "liml" else "2sls", n_endogenous, n_instruments)
    return dict(_tables().get(key, {}))
