"""Critical values of Stock and Yogo (2005) for the Cragg-Donald F, by number of instruments.

By number of endogenous regressors (1, 2), then of excluded instruments (1 to 12); each row has the
values at the levels named. They are derived for equal variances; beside a Kleibergen-Paap F they
are a habit without theory (Baum, Schaffer and Stillman 2007, Stata Journal 7, 465-506).

References
----------
.. [1] Stock, J. H. and Yogo, M. (2005). Testing for weak instruments in linear IV regression. In
   Andrews, D. W. K. and Stock, J. H. (eds), Identification and Inference for Econometric Models,
   Cambridge University Press, 80-108, tables 5.1, 5.2 and 5.4; as gretl 2022c prints them.
"""

from __future__ import annotations

from collections.abc import Mapping

Table = Mapping[int, Mapping[int, tuple[float, ...]]]

BIAS_LEVELS = (0.05, 0.10, 0.20, 0.30)
SIZE_LEVELS = (0.10, 0.15, 0.20, 0.25)

# largest bias of 2SLS relative to that of least squares; needs two overidentifying restrictions
BIAS_2SLS: Table = {
    1: {
        3: (13.91, 9.08, 6.46, 5.39),
        4: (16.85, 10.27, 6.71, 5.34),
        5: (18.37, 10.83, 6.77, 5.25),
        6: (19.28, 11.12, 6.76, 5.15),
        7: (19.86, 11.29, 6.73, 5.07),
        8: (20.25, 11.39, 6.69, 4.99),
        9: (20.53, 11.46, 6.65, 4.92),
        10: (20.74, 11.49, 6.61, 4.86),
        11: (20.9, 11.51, 6.56, 4.8),
        12: (21.01, 11.52, 6.53, 4.75),
    },
    2: {
        4: (11.04, 7.56, 5.57, 4.73),
        5: (13.97, 8.78, 5.91, 4.79),
        6: (15.72, 9.48, 6.08, 4.78),
        7: (16.88, 9.92, 6.16, 4.76),
        8: (17.7, 10.22, 6.2, 4.73),
        9: (18.3, 10.43, 6.22, 4.69),
        10: (18.76, 10.58, 6.23, 4.66),
        11: (19.12, 10.69, 6.23, 4.62),
        12: (19.4, 10.78, 6.22, 4.59),
    },
}

# largest size of a 5% Wald test on the 2SLS estimates
SIZE_2SLS: Table = {
    1: {
        1: (16.38, 8.96, 6.66, 5.53),
        2: (19.93, 11.59, 8.75, 7.25),
        3: (22.3, 12.83, 9.54, 7.8),
        4: (24.58, 13.96, 10.26, 8.31),
        5: (26.87, 15.09, 10.98, 8.84),
        6: (29.18, 16.23, 11.72, 9.38),
        7: (31.5, 17.38, 12.48, 9.93),
        8: (33.84, 18.54, 13.24, 10.5),
        9: (36.19, 19.71, 14.01, 11.07),
        10: (38.54, 20.88, 14.78, 11.65),
        11: (40.9, 22.06, 15.56, 12.23),
        12: (43.27, 23.24, 16.35, 12.82),
    },
    2: {
        2: (7.03, 4.58, 3.95, 3.63),
        3: (13.43, 8.18, 6.4, 5.45),
        4: (16.87, 9.93, 7.54, 6.28),
        5: (19.45, 11.22, 8.38, 6.89),
        6: (21.68, 12.33, 9.1, 7.42),
        7: (23.72, 13.34, 9.77, 7.91),
        8: (25.64, 14.31, 10.41, 8.39),
        9: (27.51, 15.24, 11.03, 8.85),
        10: (29.32, 16.16, 11.65, 9.31),
        11: (31.11, 17.06, 12.25, 9.77),
        12: (32.88, 17.95, 12.86, 10.22),
    },
}

# the same of LIML, whose tests suffer less
SIZE_LIML: Table = {
    1: {
        1: (16.38, 8.96, 6.66, 5.53),
        2: (8.68, 5.33, 4.42, 3.92),
        3: (6.46, 4.36, 3.69, 3.32),
        4: (5.44, 3.87, 3.3, 2.98),
        5: (4.84, 3.56, 3.05, 2.77),
        6: (4.45, 3.34, 2.87, 2.61),
        7: (4.18, 3.18, 2.73, 2.49),
        8: (3.97, 3.04, 2.63, 2.39),
        9: (3.81, 2.93, 2.54, 2.32),
        10: (3.68, 2.84, 2.46, 2.25),
        11: (3.58, 2.76, 2.4, 2.19),
        12: (3.5, 2.69, 2.34, 2.14),
    },
}


def critical_values(
    n_endogenous: int, n_instruments: int, *, estimator: str = "2sls"
) -> dict[tuple[str, float], float]:
    """Values that the Cragg-Donald F must exceed, by criterion ("bias", "size") and level.

    Empty where nothing is tabulated, as for three endogenous regressors.
    """
    tables: dict[str, tuple[Table, tuple[float, ...]]] = {"size": (SIZE_LIML, SIZE_LEVELS)}
    if estimator != "liml":
        tables = {"bias": (BIAS_2SLS, BIAS_LEVELS), "size": (SIZE_2SLS, SIZE_LEVELS)}
    return {
        (criterion, level): value
        for criterion, (table, levels) in tables.items()
        for level, value in zip(
            levels, table.get(n_endogenous, {}).get(n_instruments, ()), strict=False
        )
    }
