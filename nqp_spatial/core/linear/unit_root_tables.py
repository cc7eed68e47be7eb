"""Published moments and critical values of panel unit root tests, as their papers print them.

Levin, A., Lin, C.-F. and Chu, C.-S. J. (2002). Unit root tests in panel data: asymptotic and
finite-sample properties. Journal of Econometrics 108, 1-24: Table 2 (``unit_root_llc.csv``: mean
and standard deviation of the pooled t by effective periods).

Im, K. S., Pesaran, M. H. and Shin, Y. (2003). Testing for unit roots in heterogeneous panels.
Journal of Econometrics 115, 53-74: Table 1 (``unit_root_ips_exact.csv``: mean and variance of t,
and of t-tilde, whose error variance is that of the differences, without lags, with a constant),
Table 2 (``unit_root_ips_critical.csv``: critical values of t-bar without lags by level, entities
and rows of the regression) and Table 3 (``unit_root_ips.csv``: mean and variance of an entity's t
by lags and rows of its regression; empty where the paper has a blank).
"""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _read(name: str) -> tuple[Array, Array, dict[str, Array]]:
    """Columns, rows, and the tables: array of shape (statistics, rows, columns) by name."""
    text = files(__package__).joinpath(f"unit_root_{name}.csv").read_text(encoding="ascii")
    head, *lines = csv.reader(text.splitlines())
    rows = dict.fromkeys(float(line[2]) for line in lines)
    parts: dict[str, list[list[float]]] = {}
    for table, _, _, *values in lines:
        parts.setdefault(table, []).append([float(v) if v else np.nan for v in values])
    shape = (-1, len(rows), len(head) - 3)
    tables = {name: np.array(values).reshape(shape) for name, values in parts.items()}
    return np.array(head[3:], dtype=int), np.array(list(rows), dtype=int), tables


LLC_PERIODS, _, _llc = _read("llc")
LLC_MOMENTS = {name: values[:, 0] for name, values in _llc.items()}
IPS_PERIODS, _, IPS_MOMENTS = _read("ips")
IPS_EXACT_PERIODS, _, _exact = _read("ips_exact")
IPS_T_MOMENTS, IPS_T_TILDE_MOMENTS = _exact["t"][:, 0], _exact["t-tilde"][:, 0]
IPS_LEVELS = (0.01, 0.05, 0.1)
IPS_CRITICAL_PERIODS, IPS_ENTITIES, IPS_CRITICAL = _read("ips_critical")
