"""The tables of keys in docs/study_file.md, made from the registry.

    python -m nqp_spatial.study.reference docs/study_file.md

writes them between their marks, ``<!-- models -->`` and ``<!-- end -->``; a test compares them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from nqp_spatial.shared.options import Between, Parameter
from nqp_spatial.shared.values import ColumnOf, Entry, Of, members
from nqp_spatial.study.registry import DID, MODELS, SINGLE, STEPS, WEIGHTS
from nqp_spatial.study.rows import Model, Row, Step

_MARKED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def takes(parameter: Parameter) -> str:
    """What a key takes, in words."""
    none = parameter.optional and parameter.default is not None
    words = [_takes(m, beside) for m, beside in members(parameter.hint)]
    words = [word for word in words if word]
    words += ["`none`"] if none and parameter.choices is not None else []
    return ", ".join(dict.fromkeys(words))


def _takes(member: Any, beside: tuple[Any, ...]) -> str:
    origin, inner = get_origin(member) or member, get_args(member)
    column = next((b for b in beside if isinstance(b, ColumnOf)), None)
    if column is not None:
        one = origin is str
        own = [f"`{word}`" for word in column.words]
        return ", ".join([*own, "column" if one else "columns"])
    if origin is Literal:
        return ", ".join(f"`{known}`" for known in inner)
    if origin is Entry:
        of = next((b.name for b in beside if isinstance(b, Of)), "")
        return f"keys of `{of}`" if of else "keys"
    if origin in (int, float):
        span = next((b for b in beside if isinstance(b, Between)), None)
        return ("whole number" if origin is int else "number") + _span(span)
    if origin is type(None) or getattr(origin, "__module__", "") in ("numpy", "pandas"):
        return ""  # what only Python has
    plain = {str: "text", bool: "`true`, `false`", Any: "a value"}
    if origin in plain:
        return plain[origin]
    if is_dataclass(origin):
        return f"{{{', '.join(f'{name}:' for name in origin.__dataclass_fields__)}}}"
    if origin in (dict, Mapping) or "Mapping" in str(origin):
        return "keys"
    each = [", ".join(_takes(m, b) for m, b in members(part)) for part in inner if part is not ...]
    if origin is tuple:
        return f"[{', '.join(each)}]"
    return f"list of: {each[0]}" if each else "list"


def _span(span: Between | None) -> str:
    if span is None:
        return ""
    low, high = f"{span.low:g}", f"{span.high:g}"
    if span.high == float("inf"):
        return f" above {low}" if span.open else f" from {low}"
    return f" between {low} and {high}" if span.open else f" from {low} to {high}"


def default(parameter: Parameter) -> str:
    """What holds where a key is not said."""
    value = parameter.default
    if parameter.required:
        return "needed"
    if value is None or isinstance(value, Entry) or value in ("", " ", [], (), {}):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join('' if v is None else str(v) for v in value)}]`"
    return f"`{value}`"


def options(rows: Mapping[str, Row]) -> str:
    """A table with a line for each key: what it takes, its default, and what has it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for kind, row in rows.items():
        for name, parameter in row.keys.items():
            found.setdefault((name, takes(parameter), default(parameter)), []).append(kind)
    lines = ["| key | takes | default | of |", "|---|---|---|---|"]
    for (name, said, value), kinds in found.items():
        of = _kinds(kinds, rows)
        lines.append(f"| `{name}` | {said} | {value} | {of} |")
    return "\n".join(lines)


def _kinds(kinds: list[str], rows: Mapping[str, Row]) -> str:
    """Names of rows; all of them, and all models with weights, in words."""
    spatial = [kind for kind, row in rows.items() if isinstance(row, Model) and row.spatial]
    if len(kinds) == len(rows):
        return "all"
    names = [f"`{kind}`" for kind in kinds if kind not in spatial]
    if spatial and set(spatial) <= set(kinds):
        return ", ".join([*names, "all with weights"])
    return ", ".join(f"`{kind}`" for kind in kinds)


def models() -> str:
    """Models by name, with their classes."""
    classes: dict[str, str] = {name: row.api.split(":")[1] for name, row in MODELS.items()}
    lines = ["| model | class in Python |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | `{of}` |" for name, of in classes.items())])


def steps() -> str:
    """Steps with their keys and the parts of their answers."""
    lines = ["| kind | keys | parts of the answer |", "|---|---|---|"]
    for kind, row in STEPS.items():
        keys = [_key(name, p) for name, p in row.keys.items() if name != "into"]
        lines.append(f"| `{kind}` | {'; '.join(keys)} | {_parts(row)} |")
    return "\n".join(lines)


def _parts(row: Step) -> str:
    if isinstance(row.parts, str):
        more = ", `leader`" if row.parts == "values" else ""
        return f"the columns of `{row.parts}`{more}"
    return ", ".join(f"`{part}`" for part in row.parts)


def _key(name: str, parameter: Parameter) -> str:
    value = default(parameter)
    return f"`{name}`: {takes(parameter)}" + (f" ({value})" if value else "")


def policy() -> str:
    """Questions of difference-in-differences, with their calls in Python and their keys."""
    lines = ["| kind | in Python | keys |", "|---|---|---|"]
    for kind, row in DID.items():
        module, name = row.api.split(":")
        call = f"res.{name.split('.')[1]}" if "." in name else f"{module}.{name}"
        keys = "; ".join(_key(n, p) for n, p in row.keys.items())
        lines.append(f"| `{kind}` | `{call}` | {keys} |")
    return "\n".join(lines)


TABLES: Mapping[str, Callable[[], str]] = {
    "models": models,
    "options": lambda: options(MODELS),
    "weights": lambda: options(WEIGHTS),
    "steps": steps,
    "policy": policy,
    "questions": lambda: "\n".join(
        ["| place | keys |", "|---|---|"]
        + [
            f"| `{name}` | {'; '.join(_key(n, p) for n, p in row.keys.items())} |"
            for name, row in SINGLE.items()
        ]
    ),
}


def written(text: str) -> str:
    """A page with its tables made anew."""
    return _MARKED.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
