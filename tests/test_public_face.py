"""The names users import, and which modules may know which."""

import ast
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


def imported(path: Path) -> set[str]:
    """Modules that a file imports, each submodule by its own name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
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
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = nqp.nonsense


def test_the_contract_of_names():
    """DESIGN, "The public face", as far as it is built."""
    data = {"load_cities", "load_agglomerations", "load_pilots", "load_simulated_clusters"}
    data |= {"load_castle", "match_cities", "PanelData"}
    models = {"SpatialDurbin", "SpatialDiD", "FixedEffects", "compare_weights", "run_study"}
    rooms = {"weights", "diagnostics", "maps", "tables"}
    assert data | models | rooms <= set(nqp.__all__)
    builders = {"contiguity", "inverse_distance", "distance_band", "knn", "kernel", "exponential"}
    builders |= {"economic", "nested", "gravity", "agglomeration", "masked", "flows"}
    for name in builders | {"normalise", "describe", "read", "write"}:
        assert callable(getattr(nqp.weights, name)), name
    for name in ("moran", "geary"):
        assert callable(getattr(nqp.diagnostics, name)), name


def test_importing_does_not_load_maps_or_plots():
    code = "import sys, nqp_spatial; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:nqp_spatial", "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert "nqp_spatial" in loaded
    assert not loaded & {"folium", "branca", "matplotlib", "maketables", "docx", "jieba"}
    assert done.stderr == ""


def test_core_knows_only_arrays():
    core = {name: path for name, path in MODULES.items() if name.startswith("nqp_spatial.core")}
    assert len(core) > 3
    for name, path in core.items():
        for module in imported(path):
            top = module.split(".")[0]
            allowed = (
                top in sys.stdlib_module_names
                or top in ("numpy", "scipy")
                or module.startswith("nqp_spatial.core")
            )
            assert allowed, f"{name} imports {module}"


def test_models_do_not_import_what_shows_them():
    above = ("maps", "plots", "tables", "study", "cli", "report")
    for name, path in MODULES.items():
        if not name.startswith(("nqp_spatial.models", "nqp_spatial.core", "nqp_spatial.weights")):
            continue
        for module in imported(path):
            for part in above:
                assert not module.startswith(f"nqp_spatial.{part}"), f"{name} imports {module}"
            assert not module.startswith(("folium", "matplotlib")), f"{name} imports {module}"


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
def test_modules_are_short_and_say_what_they_are(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < 450
    assert ast.get_docstring(ast.parse(text))
