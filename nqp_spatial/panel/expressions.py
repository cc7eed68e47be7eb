"""Formulas and conditions in columns: numbers, operators, comparisons and a few functions.

An expression is read into its parts, with limits and nothing else of Python in them, and each part
is worked out here. Neither the text nor the names of columns are ever handed to Python, so that no
table and no study file can run anything.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, NotNumericError, OptionError
from nqp_spatial.shared.messages import first, suggest

_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "log": np.log,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
}
FUNCTIONS = (*_FUNCTIONS, "missing")
_ALLOWED = (
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv),
    *(ast.UnaryOp, ast.UAdd, ast.USub, ast.Not, ast.Invert, ast.BoolOp, ast.And, ast.Or),
    *(ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn),
    *(ast.Call, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple),
)
_LENGTH, _DEPTH = 10_000, 100
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_WORDS = re.compile(rf"(?P<text>{_TEXT})|`(?P<name>[^`]+)`|(?P<joint>[&|])|#")
_JOINTS = {"&": " and ", "|": " or "}


def names(expression: str) -> list[str]:
    """Columns and index names that an expression uses, in their order.

    Raises
    ------
    OptionError
        It cannot be read, or has anything but columns, values, operators and known functions.
    """
    tree = parsed(expression)
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n not in called]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in found))


def parsed(expression: str) -> ast.expr:
    """The parts of an expression; names are those of the columns, whatever their spelling.

    ``&`` and ``|`` bind as ``and`` and ``or`` do, which is what ``DataFrame.query`` makes of them.
    """
    if not isinstance(expression, str):
        raise OptionError(
            f"An expression is text, such as 'year >= 2012', not a {type(expression).__name__}."
        )
    if len(expression) > _LENGTH:
        raise OptionError(
            f"{short(expression)} has {len(expression)} characters, and an expression at most "
            f"{_LENGTH}. Make a column of it in steps."
        )
    stand_in = "quoted"
    while stand_in in expression:
        stand_in += "_"
    quoted: list[str] = []

    def plain(match: re.Match[str]) -> str:
        if match[0] == "#":  # which would end the expression here, unseen
            raise OptionError(f"{short(expression)} has a #. A name with one stands in ` `.")
        if match["name"] is None:
            return match["text"] or _JOINTS[match["joint"]]
        quoted.append(match["name"])
        return f" {stand_in}{len(quoted) - 1} "

    text = _WORDS.sub(plain, expression).strip()
    try:
        with warnings.catch_warnings():  # of escapes in text, which are the user's
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or str(error) or "it is nested too deeply"
        raise OptionError(
            f"{short(expression)} cannot be read: {reason}. Write it in columns, numbers and "
            "operators, such as 100 * firms / population; a name with blanks stands in ` `."
        ) from error
    _check_depth(tree, expression)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            name = ast.get_source_segment(text, node) or node.id  # node.id has other full widths
            known = name.startswith(stand_in)
            node.id = quoted[int(name.removeprefix(stand_in))] if known else name
    for node in ast.walk(tree):
        _refuse(node, expression)
    return tree


def short(expression: str) -> str:
    """An expression as messages have it."""
    return repr(expression) if len(expression) <= 200 else f"{expression[:80]!r} ..."


def _check_depth(tree: ast.AST, expression: str) -> None:
    level, depth = [tree], 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
        if depth > _DEPTH:
            raise OptionError(
                f"{short(expression)} is nested more than {_DEPTH} deep. Make a column "
                "of it in steps; for many values write x in [1, 2, 3]."
            )


def _refuse(node: ast.AST, expression: str) -> None:
    """Raise `OptionError` for what an expression may not have."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS or node.keywords or len(node.args) != 1:
            raise OptionError(
                f"{short(expression)} has {ast.unparse(node)!r}. The functions are "
                f"{', '.join(f'{f}(x)' for f in FUNCTIONS)}." + suggest(name, FUNCTIONS)
            )
    elif not isinstance(node, _ALLOWED) or (
        isinstance(node, ast.Constant) and not isinstance(node.value, str | int | float)
    ):
        raise OptionError(
            f"{short(expression)} has {_shown(node)}, which expressions do not have. Write "
            f"it in columns, numbers, operators, comparisons and {', '.join(FUNCTIONS)}."
        )


def _shown(node: ast.AST) -> str:
    try:
        return repr(ast.unparse(node)) or type(node).__name__
    except (AttributeError, ValueError):
        return type(node).__name__


_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MEMBERSHIP = {ast.In: ast.In, ast.Eq: ast.In, ast.NotIn: ast.NotIn, ast.NotEq: ast.NotIn}
NUMBERS, TEXT, TRUTH, DATES, PERIODS = "numbers", "text", "true or false", "dates", "periods"
_NOTHING, _MIXED = "nothing", "values of several kinds"
_INFERRED = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), NUMBERS),
    **dict.fromkeys(("datetime", "datetime64", "date"), DATES),
    **{"string": TEXT, "boolean": TRUTH, "period": PERIODS, "empty": _NOTHING},
}


def computed(expression: str, frame: pd.DataFrame) -> pd.Series:
    """A column from a formula; a comparison gives 0 and 1.

    Where a cell that it uses is empty, so is the result, except inside ``missing()``.

    Raises
    ------
    OptionError
        As in `names`, a name that is no column, or parts of the wrong kind.
    NotNumericError
        The result is text.
    DataError
        The result is infinite or undefined in a row whose cells are all there.
    """
    asked = _Evaluation.of(expression, frame)
    found = asked.value(asked.tree)
    kind, empty = _kind(found), asked.empty()
    if kind == TRUTH:
        whole = asked.as_condition(asked.tree, found).fillna(False).astype(int)
        whole = whole.set_axis(frame.index)
        return whole.astype(float).mask(empty) if empty.any() else whole
    if kind not in (NUMBERS, _NOTHING):
        raise NotNumericError(f"{short(expression)} gives {kind}, not numbers.")
    values = asked.rows(asked.as_numbers(asked.tree, found)).set_axis(frame.index)
    wrong = ~np.isfinite(values.to_numpy()) & ~empty.to_numpy()
    if wrong.any():
        raise DataError(
            f"{short(expression)} is infinite or undefined in {int(wrong.sum())} row(s), first "
            f"{first(frame.index[wrong], 3)}: a division by zero, the logarithm of a number "
            "that is not above zero, or a number too large. Correct those cells."
        )
    return values


def truth(expression: str, frame: pd.DataFrame) -> pd.Series:
    """Of which rows an expression is true, of dtype boolean.

    A comparison with an empty cell is neither true nor false, be it ``x != 1`` or ``not x == 1``;
    ``missing(x)`` asks for empty cells.

    Raises
    ------
    OptionError
        As in `computed`, or it is not true or false.
    """
    asked = _Evaluation.of(expression, frame)
    found = asked.value(asked.tree)
    if _kind(found) != TRUTH:
        raise OptionError(
            f"{short(expression)} gives {_kind(found)}. It must be true or false for each row, as "
            "year >= 2012 is."
        )
    return asked.as_condition(asked.tree, found).set_axis(frame.index)


def kept(expression: str, frame: pd.DataFrame) -> pd.Series:
    """Rows of which an expression is true for certain; see `truth`."""
    return truth(expression, frame).fillna(False).astype(bool)


def _places(frame: pd.DataFrame) -> dict[str, tuple[str, Hashable]]:
    """Names, and where their values are: a level of the index, or a column, which goes first."""
    found: dict[str, tuple[str, Hashable]] = {
        str(name): ("level", i) for i, name in enumerate(frame.index.names) if name is not None
    }
    return found | {str(name): ("column", name) for name in frame.columns}


@dataclass
class _Evaluation:
    """An expression about a frame; ``used`` takes up the columns that it reads."""

    expression: str
    tree: ast.expr
    frame: pd.DataFrame
    places: Mapping[str, tuple[str, Hashable]]
    used: list[Hashable] = field(default_factory=list)

    @classmethod
    def of(cls, expression: str, frame: pd.DataFrame) -> _Evaluation:
        """Every name must be one of the frame; a panel has entity and time, however called."""
        tree, places = parsed(expression), _places(frame)
        levels: dict[str, tuple[str, Hashable]] = {}
        if frame.index.nlevels == 2:
            levels = {"entity": ("level", 0), "time": ("level", 1)}
        absent = [name for name in names(expression) if name not in places | levels]
        if absent:
            raise OptionError(
                f"{short(expression)} names {absent[0]!r}, which is no column. The columns are "
                f"{first(places, 12)}.{suggest(absent[0], places | levels)}"
            )
        return cls(expression, tree, frame, levels | places)

    @property
    def short(self) -> str:
        """As messages have it."""
        return short(self.expression)

    def empty(self) -> pd.Series:
        """Rows in which a cell that was read is empty."""
        return self.frame[list(dict.fromkeys(self.used))].isna().any(axis=1)

    def value(self, node: ast.expr) -> Any:
        """What a part is: a number or text, or one for each row."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._column(node.id)
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                return ~self.condition(node.operand)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number  # whole numbers stay exact
            case ast.UnaryOp():
                sign = -1.0 if isinstance(node.op, ast.USub) else 1.0
                return sign * self.numbers(node.operand)
            case ast.BoolOp():
                join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
                return reduce(join, map(self.condition, node.values))
            case ast.BinOp():
                with np.errstate(all="ignore"):
                    calculate = _ARITHMETIC[type(node.op)]
                    return calculate(self.numbers(node.left), self.numbers(node.right))
            case ast.Compare():
                sides = [node.left, *node.comparators]
                pairs = zip(sides, node.ops, sides[1:], strict=False)
                return reduce(operator.and_, [self._compared(*pair) for pair in pairs])
            case ast.Call(func=ast.Name(id="missing")):
                read = len(self.used)
                found = pd.isna(self.value(node.args[0]))
                del self.used[read:]
                return found
            case ast.Call(func=ast.Name(id=name)):
                with np.errstate(all="ignore"):
                    return _FUNCTIONS[name](self.numbers(node.args[0]))
        raise OptionError(
            f"{self.short} has the list {ast.unparse(node)}. A list stands after in or "
            "not in: region in ['east', 'west']."
        )

    def numbers(self, node: ast.expr) -> Any:
        """A part that is calculated with: floats, so that whole numbers do not overflow."""
        return self.as_numbers(node, self.value(node))

    def as_numbers(self, node: ast.expr, found: Any) -> Any:
        """The value of a part as floats."""
        if _kind(found) not in (NUMBERS, TRUTH, _NOTHING):
            raise self._cannot(f"{_said(node, found)}, cannot be calculated with")
        try:
            if isinstance(found, pd.Series):
                return pd.Series(found.to_numpy(dtype=float, na_value=np.nan))
            return np.float64(found)
        except (OverflowError, ValueError, TypeError) as error:
            raise self._cannot(str(error)) from error

    def condition(self, node: ast.expr) -> pd.Series:
        """A part that is true, false or, with an empty cell, neither, for each row."""
        return self.as_condition(node, self.value(node))

    def as_condition(self, node: ast.expr, found: Any) -> pd.Series:
        """The value of a part as true or false."""
        if _kind(found) != TRUTH:
            raise self._cannot(
                f"{_said(node, found)}, is not true or false. Write a comparison, such as did == 1"
            )
        return self.rows(found).astype("boolean")

    def rows(self, found: Any) -> pd.Series:
        """One value for each row."""
        return found if isinstance(found, pd.Series) else pd.Series([found] * len(self.frame))

    def _column(self, name: str) -> pd.Series:
        kind, place = self.places[name]
        if kind == "column":
            self.used.append(place)
        found = self.frame[place] if kind == "column" else self.frame.index.get_level_values(place)
        values = pd.Series(found.array)
        if isinstance(values.dtype, pd.CategoricalDtype) and not values.cat.ordered:
            return values.astype(values.cat.categories.dtype)
        if pd.api.types.is_integer_dtype(values.dtype) and values.dtype.itemsize < 8:
            return values.astype("Int64" if values.hasnans else "int64")
        return values

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> pd.Series:
        if isinstance(right, ast.List | ast.Tuple) and type(op) in _MEMBERSHIP:
            return self._among(left, _MEMBERSHIP[type(op)], right)
        if isinstance(op, ast.In | ast.NotIn):
            raise OptionError(
                f"{self.short} needs a list after in, such as region in ['east', 'west']; "
                f"found {ast.unparse(right)}."
            )
        one, two = self.value(left), self.value(right)
        two, one = self._like(left, one, right, two), self._like(right, two, left, one)
        if not isinstance(two, pd.Series):  # one side has rows, and a number or text stays one
            one = self.rows(one)
        known = np.ones(len(self.frame), dtype=bool)
        for side in (one, two):
            known &= ~self.rows(pd.isna(side)).to_numpy(dtype=bool)
        one, two = (v[known] if isinstance(v, pd.Series) else v for v in (one, two))
        found = np.zeros(len(known), dtype=bool)
        try:
            found[known] = np.asarray(_COMPARISONS[type(op)](one, two), dtype=bool)
        except (TypeError, ValueError, OverflowError) as error:
            raise self._cannot(str(error).splitlines()[0]) from error
        return pd.Series(pd.arrays.BooleanArray(found, ~known))

    def _among(self, left: ast.expr, op: type, right: ast.List | ast.Tuple) -> pd.Series:
        values = self.rows(self.value(left))
        listed = []
        for item in right.elts:
            other = self.value(item)
            if isinstance(other, pd.Series):
                raise OptionError(
                    f"{self.short} has {ast.unparse(item)} in a list. A list has values "
                    "only; compare two columns with ==."
                )
            listed.append(self._like(left, values, item, other))
        found = values.isin(listed).to_numpy(dtype=bool)
        mask = values.isna().to_numpy()
        return pd.Series(pd.arrays.BooleanArray(found ^ (op is ast.NotIn), mask))

    def _like(self, node: ast.expr, own: Any, beside: ast.expr, other: Any) -> Any:
        """The other side of a comparison, as the own side can be compared with it."""
        kinds = {_kind(own), _kind(other)}
        same = len(kinds) == 1 and _MIXED not in kinds
        if same or _NOTHING in kinds or kinds <= {NUMBERS, TRUTH}:
            return other
        if kinds in ({TEXT, DATES}, {TEXT, PERIODS}) and (
            isinstance(own, str) or isinstance(other, str)
        ):
            try:
                return _moment(other, own) if isinstance(other, str) else other
            except ValueError as error:
                raise self._cannot(f"{other!r} is no date") from error
        raise OptionError(
            f"{self.short} compares {_said(node, own)}, with {_said(beside, other)}: the "
            f"two are never equal.{_hint(own, other) or _hint(other, own)}"
        )

    def _cannot(self, reason: str) -> OptionError:
        return OptionError(f"{self.short} cannot be evaluated: {reason}.")


def _kind(value: Any) -> str:
    """What sort of values a part has."""
    if not isinstance(value, pd.Series):
        if isinstance(value, bool | np.bool_):
            return TRUTH
        return TEXT if isinstance(value, str) else NUMBERS
    dtype = value.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _kind(pd.Series(dtype.categories))
    if pd.api.types.is_bool_dtype(dtype):
        return TRUTH
    if pd.api.types.is_numeric_dtype(dtype):
        return NUMBERS
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return DATES
    if isinstance(dtype, pd.PeriodDtype):
        return PERIODS
    return _INFERRED.get(pd.api.types.infer_dtype(value, skipna=True), _MIXED)


def _said(node: ast.expr, value: Any) -> str:
    """``year has numbers, such as 2003``; ``'2003' is text``."""
    shown = ast.unparse(node)
    if not isinstance(value, pd.Series):
        return f"{shown}, which is {'a number' if _kind(value) == NUMBERS else _kind(value)}"
    example = first(value.dropna().iloc[:1])
    return f"{shown}, which has {_kind(value)}" + (f" such as {example}" if example else "")


def _moment(text: str, values: pd.Series) -> Any:
    """A date or period as those beside it."""
    if _kind(values) == DATES:
        return pd.Timestamp(text)
    periods = isinstance(values.dtype, pd.PeriodDtype)
    return pd.Period(text, values.dtype.freq if periods else values.dropna().iloc[0].freq)


def _hint(one: Any, other: Any) -> str:
    """What to write where text stands beside numbers."""
    if isinstance(one, str) and _kind(other) == NUMBERS and one.strip().lstrip("-").isdecimal():
        return f" Write {one.strip()} without quotes."
    number = not isinstance(one, pd.Series | str) and _kind(one) == NUMBERS
    text = _kind(other) in (TEXT, DATES, PERIODS)
    return f" Write {str(one)!r}, in quotes." if number and text else ""
