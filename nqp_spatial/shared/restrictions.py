"""Linear restrictions on named parameters, from text such as ``"W_x1 = 0"``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import first


def restrictions(
    equations: Sequence[str], names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The matrix R and vector r of ``R params = r``."""
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
