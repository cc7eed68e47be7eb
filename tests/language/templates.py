"""Every sentence of the package that is told as an error, a warning or a line of a study's log.

    python -m tests.language.templates            what has no Chinese, and what is left over
    python -m tests.language.templates --write    the same; each gets a place in the catalogue,
                                                  language/messages.zh.toml, in the source's order

The source is read, not run. A sentence is what an error or a warning is made of, followed to where
it is written: through names, functions that give parts of messages, and parameters that take them.
As a template it has ``{0}`` where something is filled in, ``{0!r}`` for a value in quotes,
``{0:list}`` for labels, ``{0:number}``, and ``{0:is|are}`` for words that the code chooses from.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from string import Formatter

import nqp_spatial
from nqp_spatial.language.messages import CATALOGUE

PACKAGE = Path(nqp_spatial.__file__).parent
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
# Errors that only who writes the package can meet.
OWN_FAULTS = {"KeyError", "AttributeError", "AssertionError", "NotImplementedError", "SystemExit"}
TOLD = {"HELPS"}  # names of what is told
LOGGING = {"step", "attempt", "note", "fail"}  # methods of RunLog
COUNTS = {"len", "int", "sum", "round", "abs"}
LISTS = {"first", "listed"}
PLACED = {"CellError": 1}  # errors that are given a place before their text
# Where English is not told to who reads a Chinese study.
ELSEWHERE = ("cli/", "language/", "study/reference.py", "study/advice.py")
# Functions that are given keys or patterns, and values that are made to be told.
NOT_SENTENCES = {"note", "both", "word", "words", "known", "compile", "sub", "fullmatch"}


@dataclass(eq=False)
class Function:
    """A function or a module, with what its names are assigned."""

    module: Module
    node: ast.AST
    outer: Function | None
    assigned: dict[str, list[ast.expr]] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    returned: list[ast.expr] = field(default_factory=list)

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "")


@dataclass(eq=False)
class Module:
    """A file of the package, read."""

    path: str
    functions: dict[str, list[Function]] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[ast.Call, Function]] = field(default_factory=list)
    roots: list[tuple[ast.expr, Function, bool]] = field(default_factory=list)

    @classmethod
    def of(cls, path: str, text: str) -> Module:
        """Read."""
        module = cls(path)
        Reader(module, ast.parse(text))
        return module


class Reader(ast.NodeVisitor):
    """Fills a `Module`."""

    def __init__(self, module: Module, tree: ast.Module) -> None:
        self.module = module
        self.at = Function(module, tree, None)
        self.visit(tree)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:  # noqa: N802
        self.function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:  # noqa: N802
        self.function(node)

    def function(self, node: ast.FunctionDef | ast.Lambda) -> None:
        arguments = node.args
        names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        made = Function(self.module, node, self.at, parameters=names)
        if isinstance(node, ast.Lambda):
            made.returned.append(node.body)
        else:
            self.module.functions.setdefault(node.name, []).append(made)
            for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
                self.visit(default)
        before, self.at = self.at, made
        for child in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(child)
        self.at = before

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if (node.module or "").startswith("nqp_spatial"):
            for name in node.names:
                self.module.imported[name.asname or name.name] = f"{node.module}.{name.name}"

    def visit_Import(self, node: ast.Import) -> None:  # noqa: N802
        for name in node.names:
            if name.name.startswith("nqp_spatial"):
                self.module.imported[name.asname or name.name] = name.name

    def assign(self, target: ast.expr, value: ast.expr | None) -> None:
        if value is None:
            return
        if isinstance(target, ast.Name):
            if target.id in TOLD:
                self.module.roots.append((value, self.at, False))
            self.at.assigned.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple):
            if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
                for one, own in zip(target.elts, value.elts, strict=True):
                    self.assign(one, own)
            elif isinstance(value, ast.IfExp):
                self.assign(target, value.body)
                self.assign(target, value.orelse)
            else:
                for one in target.elts:
                    self.assign(one, value)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.assign(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.assign(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.assign(node.target, node.value)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.assign(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        if isinstance(node.iter, ast.Tuple | ast.List):
            for value in node.iter.elts:
                self.assign(node.target, value)
        else:
            self.assign(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.assign(node.target, node.iter)
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.at.returned.append(node.value)
        self.generic_visit(node)

    def visit_Yield(self, node: ast.Yield) -> None:
        if node.value is not None:
            self.at.returned.append(node.value)
            problem = isinstance(node.value, ast.Tuple) and self._tells_problems()
            if problem:
                self.module.roots.append((node.value.elts[-1], self.at, False))
        self.generic_visit(node)

    def _tells_problems(self) -> bool:
        said = getattr(self.at.node, "returns", None)
        return said is not None and bool(re.search(r"Problem|Key, str", ast.unparse(said)))

    def visit_Call(self, node: ast.Call) -> None:
        self.module.calls.append((node, self.at))
        name = called(node)
        if name == "append" and isinstance(node.func, ast.Attribute):
            self.assign(node.func.value, node.args[0])
            if getattr(node.func.value, "attr", "") == "problems":  # (key, text)
                self.module.roots.append((node.args[0], self.at, False))
        for own in node.keywords:
            if name == "OneOf" and own.arg == "unknown":  # which is filled later
                self.module.roots.append((own.value, self.at, True))
        if node.args and self._tells(node, name):
            self.module.roots.append((node.args[PLACED.get(name, 0)], self.at, False))
        self.generic_visit(node)

    def _tells(self, node: ast.Call, name: str) -> bool:
        """Whether the first argument is a message: of an error, a warning, a log."""
        base = getattr(node.func, "value", None)
        if isinstance(node.func, ast.Call):  # type(error)(text)
            return called(node.func) == "type"
        if name in LOGGING:
            return base is not None and ast.unparse(base) in ("log", "self.log")
        if name == "say":
            return base is not None and self.module.path.startswith(("study/", "shared/source"))
        if name == "Source":  # what stands in the place of a file's name
            return True
        return name == "warn" or name.endswith(("Error", "Warning")) and name not in OWN_FAULTS


def called(node: ast.Call) -> str:
    """The name of what is called, without what it belongs to."""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


@cache
def modules() -> list[Module]:
    """Every file of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        found.append(Module.of(name, path.read_text(encoding="utf-8")))
    return found


LETTERS = re.compile(r"[A-Za-z]{2}")
SMALL = {"and", "or", "in", "at", "of"}  # which any text may have


class Collector:
    """Follows sentences to where they are written."""

    def __init__(self, found: list[Module]) -> None:
        self.found: dict[str, tuple[str, int, int]] = {}  # template: module, line, column
        self.seen: set[tuple[int, int]] = set()
        self.takes: set[tuple[str, str, bool]] = set()  # (function, parameter) that are told
        self.named_calls: dict[str, list[tuple[ast.Call, Function]]] = {}
        self.by_name: dict[str, list[Function]] = {}
        for module in found:
            for name, own in module.functions.items():
                self.by_name.setdefault(name, []).extend(own)
            for node, at in module.calls:
                self.named_calls.setdefault(called(node), []).append((node, at))
        for module in found:
            for node, at, form in module.roots:
                self.sentence(node, at, form, form)
        known: set[tuple[str, str, bool]] = set()
        while new := self.takes - known:
            known |= new
            for name, parameter, form in sorted(new):
                for node, at in self.named_calls.get(name, []):
                    self.argument(node, at, name, parameter, form)

    # ------------------------------------------------------------ following

    def sentence(
        self, node: ast.expr, at: Function, inner: bool = False, form: bool = False
    ) -> None:
        """What a message is made of.

        ``inner``: it is filled into another; ``form``: it is filled by ``str.format``.
        """
        if (id(node), id(at)) in self.seen:
            return
        self.seen.add((id(node), id(at)))
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp) and self.literal(node):
            self.template(node, at, inner, form)
            return
        parts: list[ast.expr] = []
        if isinstance(node, ast.IfExp):
            parts = [node.body, node.orelse]
        elif isinstance(node, ast.BoolOp | ast.Dict):
            parts = node.values
        elif isinstance(node, ast.Tuple | ast.List | ast.Set):
            parts = node.elts
        elif isinstance(node, ast.GeneratorExp | ast.ListComp):
            inner, parts = True, [node.elt]
        elif isinstance(node, ast.Starred | ast.NamedExpr | ast.Subscript):
            parts = [node.value]
        elif isinstance(node, ast.BinOp):
            parts = [node.left, node.right]
        elif isinstance(node, ast.Name):
            self.named(node.id, at, form)
        elif isinstance(node, ast.Attribute):
            for own in self.by_name.get(node.attr, []):
                if _is_property(own) and _gives_text(own):
                    for value in own.returned:
                        self.sentence(value, own, True)
        elif isinstance(node, ast.Call):
            self.call(node, at)
        for part in parts:
            self.sentence(part, at, inner, form)

    def named(self, name: str, at: Function | None, form: bool) -> None:
        """What a name stands for, here or around."""
        while at is not None:
            if name in at.assigned:
                for value in at.assigned[name]:
                    self.sentence(value, at, True, form)
                if name not in at.parameters:
                    return
            if name in at.parameters:
                self.takes.add((at.name, name, form))
                return
            at = at.outer

    def call(self, node: ast.Call, at: Function) -> None:
        name = called(node)
        if name in NOT_SENTENCES:
            return
        if isinstance(node.func, ast.Attribute) and name == "join":
            return self.sentence(node.args[0], at, True)
        if isinstance(node.func, ast.Attribute) and name == "format":
            self.sentence(node.func.value, at, True, True)
        if isinstance(node.func, ast.Attribute) and name == "get":  # a sentence for each case
            self.sentence(node.func.value, at, True)
        for own in self.functions(node, at):
            for value in own.returned:
                self.sentence(value, own, True)
        if name in LISTS or name in COUNTS or name == "repr":
            return
        for argument in (*node.args, *(k.value for k in node.keywords)):
            if not isinstance(argument, ast.Constant) or name == "Path":
                self.sentence(argument, at, True)

    def functions(self, node: ast.Call, at: Function) -> list[Function]:
        """Functions of ours that a call may mean, that give text."""
        own = self.by_name.get(called(node), [])
        return [f for f in own if _gives_text(f) and self.means(node, at, f, far=False)]

    def means(self, node: ast.Call, at: Function, owner: Function, *, far: bool) -> bool:
        """Whether a call may be one of this function; ``far``: of methods of other modules too."""
        method = owner.parameters[:1] in (["self"], ["cls"])
        base = getattr(node.func, "value", None)
        if base is None:
            name = at.module.imported.get(called(node), "")
            here = at.module is owner.module
            return not method and (here or _holds(name.rpartition(".")[0], owner))
        if isinstance(base, ast.Name) and base.id in at.module.imported:
            module = at.module.imported[base.id]
            return _holds(module.rpartition(".")[0] if method else module, owner)
        return method and (far or at.module is owner.module)

    def argument(self, node: ast.Call, at: Function, name: str, parameter: str, form: bool) -> None:
        """What is given for a parameter that is told."""
        for owner in self.by_name.get(name, []):
            names = owner.parameters
            if parameter not in names or not self.means(node, at, owner, far=True):
                continue
            for keyword in node.keywords:
                if keyword.arg == parameter:
                    self.sentence(keyword.value, at, True, form)
            place = names.index(parameter) - (1 if names[0] in ("self", "cls") else 0)
            if 0 <= place < len(node.args):
                self.sentence(node.args[place], at, True, form)

    # ------------------------------------------------------------ writing

    def literal(self, node: ast.expr) -> bool:
        """Whether an expression is text, or a sum with text in it."""
        if isinstance(node, ast.BinOp):
            parts = (node.left, node.right)
            return isinstance(node.op, ast.Add) and any(self.literal(part) for part in parts)
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        return isinstance(node, ast.JoinedStr)

    def template(self, node: ast.expr, at: Function, inner: bool, form: bool) -> None:
        pieces: list[str] = []
        self.write(node, at, pieces, {}, form)
        text = "".join(pieces)
        bare = re.sub(r"\{\d+[^}]*\}", " ", text)
        if at.module.path.startswith(ELSEWHERE) or not LETTERS.search(bare):
            return
        if inner and not re.search(r"[A-Za-z]{2,} |[A-Za-z,:;] ?\{| [A-Za-z]{2,}| \{\d+:\w", text):
            return  # one word: a name, a key or code
        if set(re.findall(r"[A-Za-z]+", bare)) <= SMALL and "|" not in text:
            return  # between labels
        self.found.setdefault(text, (at.module.path, node.lineno, node.col_offset))

    def write(
        self,
        node: ast.expr,
        at: Function,
        pieces: list[str],
        places: dict[str, str],
        form: bool = False,
    ) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if not form:
                pieces.append(node.value.replace("{", "{{").replace("}", "}}"))
                return
            for text, name, _, _ in Formatter().parse(node.value):
                pieces.append(text.replace("{", "{{").replace("}", "}}"))
                if name is not None:
                    key = name or f"#{len(places)}"
                    pieces.append(places.setdefault(key, f"{{{len(places)}}}"))
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                if isinstance(part, ast.Constant):
                    self.write(part, at, pieces, places, form)
                else:
                    assert isinstance(part, ast.FormattedValue)
                    self.place(part.value, at, pieces, places, part)
        elif self.literal(node):
            assert isinstance(node, ast.BinOp)
            self.write(node.left, at, pieces, places, form)
            self.write(node.right, at, pieces, places, form)
        else:
            self.place(node, at, pieces, places, None)

    def place(
        self,
        node: ast.expr,
        at: Function,
        pieces: list[str],
        places: dict[str, str],
        formatted: ast.FormattedValue | None,
    ) -> None:
        """A placeholder; the same expression has one number."""
        key = ast.unparse(node)
        kind = self.kind(node, at, formatted)
        key += kind
        if key not in places:
            places[key] = f"{{{len(places)}{kind}}}"
        pieces.append(places[key])
        if not kind.startswith(("!r", ":number")) and "|" not in kind:
            self.sentence(node, at, True)

    def kind(self, node: ast.expr, at: Function, formatted: ast.FormattedValue | None) -> str:
        if formatted is not None and formatted.conversion == ord("r"):
            return "!r"
        if isinstance(node, ast.Call) and called(node) == "repr":
            return "!r"
        if formatted is not None and formatted.format_spec is not None:
            return ":number"
        if isinstance(node, ast.Call) and called(node) in LISTS:
            return ":list"
        if isinstance(node, ast.Call) and called(node) in COUNTS:
            return ":number"
        if _sum_of_numbers(node):
            return ":number"
        choices = self.choices(node, at)
        choices = list(dict.fromkeys(choices or ()))
        if len(choices) > 1 and any(LETTERS.search(c) or c == "s" for c in choices):
            return ":" + "|".join(choices)
        return ""

    def choices(self, node: ast.expr, at: Function | None, depth: int = 0) -> list[str] | None:
        """The words that an expression is one of, if it is written so."""
        if at is None or depth > 4:
            return None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return None if re.search(r"[{}|]", node.value) else [node.value]
        if isinstance(node, ast.IfExp):
            parts = [self.choices(p, at, depth + 1) for p in (node.body, node.orelse)]
            return None if None in parts else [c for p in parts for c in p or []]
        if isinstance(node, ast.Subscript):
            inner = node.value
            if isinstance(inner, ast.Name):
                values = _looked_up(inner.id, at)
                inner = values[0] if len(values) == 1 else inner
            options = getattr(inner, "elts", None) or getattr(inner, "values", None)
            if isinstance(inner, ast.Tuple | ast.List | ast.Dict) and options:
                parts = [self.choices(p, at, depth + 1) for p in options]
                return None if None in parts else [c for p in parts for c in p or []]
        if isinstance(node, ast.Name):
            values = _looked_up(node.id, at)
            if values and node.id not in at.parameters:
                parts = [self.choices(p, at, depth + 1) for p in values]
                return None if None in parts else [c for p in parts for c in p or []]
        return None


def _holds(module: str, owner: Function) -> bool:
    """Whether a module, or one in its folder, has the function."""
    own = "nqp_spatial." + owner.module.path.removesuffix(".py").replace("/", ".")
    return bool(module) and f"{own}.".startswith(f"{module}.")


def _looked_up(name: str, at: Function | None) -> list[ast.expr]:
    while at is not None:
        if name in at.assigned:
            return at.assigned[name]
        if name in at.parameters:
            return []
        at = at.outer
    return []


def _sum_of_numbers(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return any(
            isinstance(p, ast.Constant)
            and isinstance(p.value, int | float)
            or isinstance(p, ast.Call)
            and called(p) in COUNTS
            or _sum_of_numbers(p)
            for p in (node.left, node.right)
        )
    return False


def _is_property(function: Function) -> bool:
    return any("property" in ast.unparse(d) for d in getattr(function.node, "decorator_list", ()))


def _gives_text(function: Function) -> bool:
    said = getattr(function.node, "returns", None)
    return said is not None and bool(re.search(r"\bstr\b|Note|Error", ast.unparse(said)))


@cache
def templates() -> dict[str, str]:
    """Every template with the module it is in, in the order of the source."""
    found = Collector(modules()).found
    return {text: place[0] for text, place in sorted(found.items(), key=lambda item: item[1])}


def quoted(text: str) -> str:
    """As TOML has it."""
    if re.search(r'["\\]', text) and "'" not in text and "\n" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False)


def missing() -> list[str]:
    """Templates without Chinese."""
    known = read()
    return [text for text in templates() if not known.get(text)]


def left_over() -> list[str]:
    """Templates of the catalogue that nothing in the package says."""
    return [text for text in read() if text not in templates() and text not in others()]


def others() -> list[str]:
    """What the parser of YAML says, which messages repeat."""
    tables = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return [en for en, _ in tables["PyYAML"]["texts"]]


def read() -> dict[str, str]:
    """The Chinese of each template."""
    tables = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    return {en: zh for own in tables.values() for en, zh in own.get("texts", ())}


def catalogue() -> str:
    """The file, in the order of the source; what is new is empty, beside what is left over."""
    known, old = read(), left_over()
    lines = CATALOGUE.read_text(encoding="utf-8").partition('\n["')[0].splitlines()  # its head
    section = ""
    for text, module in templates().items():
        if module != section:
            lines += ["]"] if section else []
            lines += ["", f'["{module}"]', "texts = ["]
            section = module
        if text not in known:
            near = get_close_matches(text, old, 1, 0.5)
            lines += [f"    # {quoted(known[near[0]])}, if it has not changed"] if near else []
        lines += _pair(text, known.get(text, ""))
    lines += [
        "]",
        "",
        "[PyYAML]",
        "texts = [",
        *(row for text in others() for row in _pair(text, known[text])),
    ]
    return "\n".join([*lines, "]", ""])


def _pair(en: str, zh: str) -> list[str]:
    return [f"    [{quoted(en)},", f"     {quoted(zh)}],"]


if __name__ == "__main__":
    for title, texts in (("No Chinese yet:", missing()), ("No longer said:", left_over())):
        if texts:
            print(title, *texts, sep="\n  ")
    if "--write" in sys.argv:
        CATALOGUE.write_text(catalogue(), encoding="utf-8", newline="\n")
