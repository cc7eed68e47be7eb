"""Expressions in columns read into parts, with limits and nothing else of Python in them."""

from __future__ import annotations

import ast
import re
import warnings

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.messages import suggest

FUNCTIONS = ("log", "exp", "sqrt", "abs", "missing")
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
