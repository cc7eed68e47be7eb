"""Options of a function read off its source text, where importing it would take a second.

The command line shows them in its help; a test compares them with `options.parameters`.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
from functools import cache
from pathlib import Path
from typing import Any

from nqp_spatial.shared.options import REQUIRED, Parameter, described, parameter

_ROOT = Path(__file__).parents[1]
_LIGHT = ("typing", "collections.abc", "nqp_spatial.shared.options")  # modules that may be loaded


def declared(module: str, name: str) -> dict[str, Parameter]:
    """The parameters of a function of a module, such as ``weights`` or ``weights.distance``.

    What only a heavy library knows, such as the type of a table, is ``Any``.
    """
    tree, place = _defined(f"nqp_spatial.{module}", name)
    assert isinstance(tree, ast.FunctionDef), name
    texts = described(inspect.cleandoc(ast.get_docstring(tree) or ""))
    own = tree.args
    positional = [*own.posonlyargs, *own.args]
    given: list[ast.expr | None] = [None] * (len(positional) - len(own.defaults))
    defaults = [*given, *own.defaults, *own.kw_defaults]
    found = {}
    for argument, value in zip([*positional, *own.kwonlyargs], defaults, strict=True):
        hint = _evaluated(argument.annotation, place)
        default = REQUIRED if value is None else _evaluated(value, place)
        text = texts.get(argument.arg, "")
        found[argument.arg] = parameter(argument.arg, hint, default, text)
    return found


@cache
def _read(module: str) -> ast.Module:
    base = _ROOT.joinpath(*module.split(".")[1:])
    stub = base / "__init__.pyi"
    path = stub if stub.exists() else base / "__init__.py"
    path = path if path.exists() else base.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _defined(module: str, name: str) -> tuple[ast.AST, str]:
    """Where a name of a module is defined, through imports within the package."""
    for node in _read(module).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node, module
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return node.value, module
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    source = f"{module}.{node.module}" if node.level else str(node.module)
                    if not source.startswith("nqp_spatial.") or source in _LIGHT:
                        return ast.Constant((source, alias.name)), ""  # type: ignore[arg-type]
                    return _defined(source, alias.name)
    raise NameError(name)


def _evaluated(node: ast.AST | None, module: str) -> Any:
    """The value of an annotation or a default; Any for what is not at hand."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} if node else set()
    space: dict[str, Any] = {}
    for name in names - set(dir(builtins)):
        try:
            tree, place = _defined(module, name)
        except NameError:
            return Any
        if not place:
            source, own = tree.value  # type: ignore[attr-defined]
            if source not in _LIGHT:
                return Any
            space[name] = getattr(importlib.import_module(source), own)
        else:
            space[name] = _evaluated(tree, place)
    if node is None:
        return Any
    try:
        return eval(ast.unparse(node), space)  # our own source text, never a user's
    except (NameError, TypeError, AttributeError):
        return Any
