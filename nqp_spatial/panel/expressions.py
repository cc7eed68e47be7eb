"""Formulas of columns in a study file: numbers, operators, comparisons, log, exp, sqrt, abs.

Nothing else of Python can be reached by them. `pandas` evaluates what has been read here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, NotNumericError, OptionError
from nqp_spatial.shared.messages import first, suggest

FUNCTIONS = ("log", "exp", "sqrt", "abs")
_QUOTED = re.compile(r"`([^`]+)`")
_ALLOWED = (
    ast.Expression,
    ast.BinOp,
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv),
    *(ast.BitAnd, ast.BitOr, ast.Invert),
    *(ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.BoolOp, ast.And, ast.Or),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Call, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple),
)


def names(expression: str) -> list[str]:
    """Columns and index names that an expression uses, in their order.

    Raises
    ------
    OptionError
        It cannot be read, or has anything but columns, values, operators and known functions.
    """
    return list(_read(expression)[1].values())


def _read(expression: str) -> tuple[str, dict[str, str]]:
    """The expression with an alias for every name, and the names by their aliases."""
    quoted: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        quoted.append(match[1])
        return f"_quoted_{len(quoted) - 1}_"

    text = _QUOTED.sub(stand_in, expression).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError) as error:
        reason = getattr(error, "msg", str(error))
        raise OptionError(
            f"{expression!r} cannot be read: {reason}. Write it in columns, numbers and operators, "
            "such as 100 * firms / population; a name with blanks stands in ` `."
        ) from error
    for node in ast.walk(tree):
        _refuse(node, expression)
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n not in called]
    aliases: dict[str, str] = {}
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset)):
        name = quoted[int(node.id[8:-1])] if node.id.startswith("_quoted_") else node.id
        known = {own: alias for alias, own in aliases.items()}
        node.id = known.get(name, f"column_{len(aliases)}")
        aliases[node.id] = name
    return ast.unparse(tree), aliases


def _refuse(node: ast.AST, expression: str) -> None:
    """Raise `OptionError` for what an expression may not have."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords or len(node.args) != 1:
            raise OptionError(
                f"{expression!r} has {ast.unparse(node)!r}. The functions are "
                f"{', '.join(f'{f}(x)' for f in FUNCTIONS)}." + suggest(name, FUNCTIONS)
            )
    elif not isinstance(node, _ALLOWED) or (
        isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float)
    ):
        raise OptionError(
            f"{expression!r} has {_shown(node)}, which formulas of a study file do not have. Write "
            f"it in columns, numbers, operators, comparisons and {', '.join(FUNCTIONS)}."
        )


def _shown(node: ast.AST) -> str:
    try:
        return repr(ast.unparse(node)) or type(node).__name__
    except (AttributeError, ValueError):
        return type(node).__name__


def known_names(frame: pd.DataFrame) -> list[str]:
    """What an expression about a frame may name."""
    return [*(str(n) for n in frame.index.names if n is not None), *map(str, frame.columns)]


def _evaluated(expression: str, frame: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Values by row, and the names used."""
    text, aliases = _read(expression)
    known = known_names(frame)
    unknown = [name for name in aliases.values() if name not in known]
    if unknown:
        raise OptionError(
            f"{expression!r} names {unknown[0]!r}, which is no column. The columns are "
            f"{first(known, 12)}.{suggest(unknown[0], known)}"
        )
    plain = pd.RangeIndex(len(frame))
    table = pd.DataFrame(
        {alias: _values(frame, name).set_axis(plain) for alias, name in aliases.items()}, plain
    )
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = table.eval(text, engine="python")
    except Exception as error:  # of any class: whatever pandas says of operands
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(f"{expression!r} cannot be evaluated: {reason}.") from error
    values = found if isinstance(found, pd.Series) else pd.Series(found, index=plain)
    return values.set_axis(frame.index).rename(None), list(aliases.values())


def _values(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column, or a level of the index, by row; whole numbers as floats, which do not overflow."""
    in_frame = name in frame.columns
    found = frame[name] if in_frame else pd.Series(frame.index.get_level_values(name).array)
    whole = pd.api.types.is_integer_dtype(found.dtype)
    return pd.Series(found.astype(float) if whole else found)


def computed(expression: str, frame: pd.DataFrame) -> pd.Series:
    """A column from a formula; a comparison gives 0 and 1.

    Where a cell that it uses is empty, so is the result.

    Raises
    ------
    OptionError
        As in `names`, or a name that is no column.
    NotNumericError
        The result is text.
    DataError
        The result is infinite or undefined in a row whose cells are all there.
    """
    found, used = _evaluated(expression, frame)
    empty = _empty(frame, used)
    if pd.api.types.is_bool_dtype(found.dtype):
        whole = found.astype(int)
        return whole.astype(float).mask(empty) if empty.any() else whole
    if not pd.api.types.is_numeric_dtype(found.dtype):
        raise NotNumericError(f"{expression!r} gives {found.dtype}, not numbers.")
    values = found.astype(float) if empty.any() else found
    wrong = ~np.isfinite(values.to_numpy(dtype=float, na_value=np.nan)) & ~empty.to_numpy()
    if wrong.any():
        raise DataError(
            f"{expression!r} is infinite or undefined in {int(wrong.sum())} row(s), first "
            f"{first(frame.index[wrong], 3)}: a division by zero, or the logarithm of a number "
            "that is not above zero. Correct those cells."
        )
    return values


def kept(expression: str, frame: pd.DataFrame) -> pd.Series:
    """Which rows an expression is true of; a comparison with an empty cell is false.

    Raises
    ------
    OptionError
        As in `computed`, or it is not true or false.
    """
    found, _ = _evaluated(expression, frame)
    if not pd.api.types.is_bool_dtype(found.dtype):
        raise OptionError(
            f"{expression!r} gives {found.dtype} values. It must be true or false for each row, as "
            "year >= 2012 is."
        )
    return found.fillna(False).astype(bool)


def _empty(frame: pd.DataFrame, used: Iterable[str]) -> pd.Series:
    own = [name for name in used if name in frame.columns]
    return frame[own].isna().any(axis=1) if own else pd.Series(False, index=frame.index)
