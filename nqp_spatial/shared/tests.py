"""Tests of hypotheses: linear restrictions, what a test is, several by name, and Wald's."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from nqp_spatial.exceptions import DataWarning, OptionError
from nqp_spatial.shared.messages import first, outside


@dataclass(frozen=True)
class TestResult:
    """A hypothesis test: what was tested, the statistic, and its reference distribution.

    Attributes
    ----------
    name, null : str
        Name of the test, and the null hypothesis in words or symbols.
    statistic, pvalue : float
    df : float or tuple of float
        Degrees of freedom of the chi-squared (one) or F (two) distribution; 0 for the normal.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever its name tells pytest

    name: str
    null: str
    statistic: float
    df: float | tuple[float, float]
    pvalue: float

    def __str__(self) -> str:
        return (
            f"{self.name}: statistic {self.statistic:.4f}, df {self.df}, p = {self.pvalue:.4g}"
            f"  (H0: {self.null})"
        )


class Tests(dict[str, TestResult]):
    """Tests by name; one of several parts, ``"lr/sar"``, is found as ``tests["lr", "sar"]`` too."""

    __test__: ClassVar[bool] = False

    def __missing__(self, key: object) -> TestResult:
        if isinstance(key, tuple) and (name := "/".join(map(str, key))) in self:
            return self[name]
        raise KeyError(key)


def tests_frame(tests: Mapping[Any, TestResult], name: str = "test") -> pd.DataFrame:
    """Statistic, df, pvalue and null of each test; ``name`` is that of the index."""
    frame = pd.DataFrame(
        {
            "statistic": [test.statistic for test in tests.values()],
            "df": [test.df for test in tests.values()],
            "pvalue": [test.pvalue for test in tests.values()],
        },
        index=pd.Index(list(tests), name=name, tupleize_cols=False),
    )
    # As objects, for a column of text would forget the Chinese form of a note.
    frame["null"] = pd.Series([test.null for test in tests.values()], frame.index, dtype=object)
    return frame


def df_text(df: float | tuple[float, float]) -> str:
    """``2``, or ``2, 97`` of an F."""
    return ", ".join(f"{d:g}" for d in (df if isinstance(df, tuple) else (df,)))


def wald(
    difference: npt.NDArray[np.float64],
    covariance: npt.NDArray[np.float64],
    *,
    null: str,
    name: str = "Wald",
    df_resid: float | None = None,
) -> TestResult:
    """Test that an estimated vector of length q is zero.

    Chi-squared(q); with ``df_resid`` the statistic over q, compared with F(q, df_resid).

    Warns
    -----
    DataWarning
        If the covariance of the vector is not positive definite, as with as many restrictions as
        clusters, or a kernel that is not positive definite: there is no statistic then, but NaN.
    """
    q = len(difference)
    df = q if df_resid is None else (q, df_resid)
    if np.isnan(covariance).any():  # no covariance was estimated (rho at its bound)
        return TestResult(name, null, np.nan, df, np.nan)
    scale = np.sqrt(np.abs(np.diag(covariance)))  # so that units do not decide what is singular
    if (scale == 0).any() or not _definite(covariance / np.outer(scale, scale)):
        warnings.warn(
            f"The covariance of what is tested ({null}) is not positive definite: there are no "
            "more clusters or periods than restrictions, or the kernel is not positive definite. "
            "The test is nan. Test fewer restrictions, or use another cov_type=.",
            DataWarning,
            stacklevel=outside(),
        )
        return TestResult(name, null, np.nan, df, np.nan)
    scaled = difference / scale
    statistic = float(scaled @ np.linalg.solve(covariance / np.outer(scale, scale), scaled))
    if df_resid is None:
        return TestResult(name, null, statistic, df, float(stats.chi2(q).sf(statistic)))
    statistic /= q
    return TestResult(name, null, statistic, df, float(stats.f(q, df_resid).sf(statistic)))


def _definite(correlation: npt.NDArray[np.float64]) -> bool:
    values = np.linalg.eigvalsh(correlation)
    return bool(values[0] > len(values) * np.finfo(float).eps * values[-1])


_SIMPLE = re.compile(r"\s*(?P<name>\S.*?)\s*=\s*(?P<value>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*")


def restrictions(
    equations: Sequence[str], names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The matrix R and vector r of ``R params = r``."""
    found = [_SIMPLE.fullmatch(text) for text in equations]
    if found and all(match and _is_parameter(match["name"], names) for match in found):
        matches = [match for match in found if match]  # nothing for formulaic, which loads slowly
        matrix = np.zeros((len(matches), len(names)))
        matrix[range(len(matches)), [names.index(match["name"]) for match in matches]] = 1.0
        return matrix, np.array([float(match["value"]) for match in matches])
    from formulaic.errors import FormulaParsingError
    from formulaic.utils.constraints import LinearConstraints

    plain = [f"nqp_param_{j}" for j in range(len(names))]
    try:
        parsed = LinearConstraints.from_spec([_plain(text, names) for text in equations], plain)
    except (FormulaParsingError, ValueError, KeyError, RuntimeError) as error:
        raise _unreadable(equations, names) from error
    if not len(parsed.constraint_matrix):
        raise _unreadable(equations, names)
    return np.asarray(parsed.constraint_matrix), np.asarray(parsed.constraint_values).ravel()


def _is_parameter(name: str, names: Sequence[str]) -> bool:
    return name in names and not name.isdigit()


def _unreadable(equations: Sequence[str], names: Sequence[str]) -> OptionError:
    return OptionError(
        f"The restriction {', '.join(equations)!r} cannot be read. "
        f"Write it in the names of params: {first(names, 8)}."
    )


def _plain(equation: str, names: Sequence[str]) -> str:
    """Parameter names, such as ``W_log(gdp)`` or 城市化, as words that any parser reads."""
    alternatives = [
        rf"(?<!\w)`?{re.escape(name)}`?(?!\w)"
        for name in sorted(names, key=len, reverse=True)
        if not name.isdigit()
    ]

    def word(match: re.Match[str]) -> str:
        found = match.group()
        return f"nqp_param_{names.index(found if found in names else found.strip('`'))}"

    return re.sub("|".join(alternatives), word, equation) if alternatives else equation
