"""The names users import, what importing loads, and modules that know what they are."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import nqp_spatial as nqp

PACKAGE = Path(nqp.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}
DOORS = sorted(PACKAGE.rglob("__init__.pyi"))  # names of a package, opened when they are first used


def at_import(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run when the module is imported: no functions, no type checking."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If):
            if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from at_import(node.body)
            yield from at_import(node.orelse)
        elif isinstance(node, ast.Try):
            yield from at_import(
                [*node.body, *node.orelse, *node.finalbody]
                + [statement for handler in node.handlers for statement in handler.body]
            )
        elif isinstance(node, ast.With | ast.ClassDef):
            yield from at_import(node.body)


def behind(door: Path) -> set[str]:
    """Modules whose names a package opens on."""
    found, name = set(), module_name(door)
    for node in at_import(ast.parse(door.read_text(encoding="ascii")).body):
        assert isinstance(node, ast.ImportFrom) and node.level == 1, f"{door}: not from within"
        base = name if node.module is None else f"{name}.{node.module}"
        inner = (f"{base}.{alias.name}" for alias in node.names)
        found |= {module if module in MODULES else base for module in inner}
    return found


def imported(path: Path) -> set[str]:
    """Modules that a file imports, each submodule by its own name; those behind a door too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = behind(path.with_suffix(".pyi")) if path.with_suffix(".pyi") in DOORS else set()
    for node in at_import(tree.body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        assert node.level == 0, f"{path}: relative import"
        base = str(node.module)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            found.add(inner if inner in MODULES else base)
    return found


def test_every_public_name_is_there_and_documented():
    assert len(set(nqp.__all__)) == len(nqp.__all__)
    for name in nqp.__all__:
        thing = getattr(nqp, name)
        assert (thing.__doc__ or "").strip(), f"nqp.{name} has no docstring"
        for part in getattr(thing, "__all__", []):
            assert (getattr(thing, part).__doc__ or "").strip(), f"nqp.{name}.{part}"
    assert set(nqp.__all__) <= set(dir(nqp))
    with pytest.raises(AttributeError, match="nqp_spatial attribute nonsense"):
        _ = nqp.nonsense


@pytest.mark.slow
@pytest.mark.parametrize("path", DOORS, ids=module_name)
def test_a_door_opens_on_what_its_stub_names(path):
    """Also when the modules behind it were imported before, one of them named as a function is."""
    name = module_name(path)
    statements = ast.parse(path.read_text(encoding="ascii")).body
    froms = [(f".{node.module or ''}", node.names) for node in at_import(statements)]
    promised = [(module, alias.name) for module, aliases in froms for alias in aliases]
    code = f"""
from importlib import import_module
door = import_module({name!r})
for module, thing in {promised!r}:
    import_module(module if module != "." else f".{{thing}}", {name!r})
for module, thing in {promised!r}:
    home = import_module(module, {name!r})
    expected = getattr(home, thing) if home is not door else import_module(f".{{thing}}", {name!r})
    assert getattr(door, thing) is expected, thing
assert door.__all__ == dir(door) == sorted(thing for _, thing in {promised!r})
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=PACKAGE.parent, check=True)


def test_the_contract_of_names():
    """DESIGN, "The public face", as far as it is built."""
    data = {"load_cities", "load_agglomerations", "load_pilots", "load_simulated_clusters"}
    data |= {"load_castle", "match_cities", "PanelData"}
    models = {"SpatialDurbin", "SpatialDiD", "FixedEffects", "compare_weights", "run_study"}
    models |= {"crosscheck"}
    rooms = {"weights", "diagnostics", "maps", "tables"}
    assert data | models | rooms <= set(nqp.__all__)
    builders = {"contiguity", "inverse_distance", "distance_band", "knn", "kernel", "exponential"}
    builders |= {"economic", "nested", "gravity", "agglomeration", "masked", "flows"}
    for name in builders | {"normalise", "describe", "read", "write"}:
        assert callable(getattr(nqp.weights, name)), name
    for name in ("moran", "geary"):
        assert callable(getattr(nqp.diagnostics, name)), name


def loaded_by(code: str) -> set[str]:
    """Top-level packages that a program has loaded in the end; nothing else may be on stderr."""
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error::UserWarning:nqp_spatial", "-c"),
            f"import sys\n{code}\nprint('', *sorted({{m.split('.')[0] for m in sys.modules}}))",
        ],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.splitlines()[-1].split())


SLOW = {
    "numba",
    "sklearn",
    "statsmodels",
    "linearmodels",
    "libpysal",
    "esda",
    "formulaic",
    "joblib",
}
SHOWING = {"folium", "branca", "matplotlib", "maketables", "docx", "jieba", "openpyxl"}


def test_importing_loads_nothing_heavy():
    found = loaded_by("import nqp_spatial")
    assert "nqp_spatial" in found
    assert not found & {*SLOW, *SHOWING, "numpy", "pandas", "scipy", "geopandas", "pydantic"}


@pytest.mark.parametrize("words", ["--version", "--help", "run --help", "weights build --help"])
def test_the_command_line_answers_before_anything_heavy_is_loaded(words):
    code = f"from nqp_spatial.cli.main import main\nassert main({words.split()!r}) == 0"
    found = loaded_by(code)
    assert "nqp_spatial" in found
    assert not found & {*SLOW, *SHOWING, "numpy", "pandas", "scipy", "geopandas", "pydantic"}


def test_models_and_weights_wait_for_their_libraries():
    """libpysal, which loads numba and sklearn, is there once a graph is made."""
    code = """
import nqp_spatial as nqp
for name in ("FixedEffects", "IV2SLS", "SpatialDurbin", "SpatialDiD", "PanelData", "load_cities"):
    getattr(nqp, name)
for room in (nqp.weights, nqp.diagnostics, nqp.indices, nqp.comparison, nqp.tables, nqp.plots):
    for name in room.__all__:
        getattr(room, name)
"""
    assert not loaded_by(code) & (SLOW | SHOWING)


def test_no_two_modules_import_each_other():
    """A package that gathers its own modules is imported by others, never by these."""
    links = {
        name: {m for m in imported(path) if m in MODULES and m != name}
        for name, path in MODULES.items()
    }
    for name, found in links.items():
        for module in found:
            inside = name.startswith(f"{module}.")
            assert not (inside and name in links[module]), f"{name} and {module}"
    assert list(TopologicalSorter(links).static_order())  # raises CycleError, naming the cycle


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_modules_say_in_a_sentence_what_they_hold(path):
    """Length alone is no reason to split, but 900 lines are not one thing."""
    text = path.read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    assert re.fullmatch(r"\S.*[.?!]", first, re.DOTALL), f"{path}: no sentence at the top"
    assert text.count("\n") < 900
