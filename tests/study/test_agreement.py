"""One declaration of each option: signatures of the API, study files, the command line, the guide.

What a study file can say is read off the signatures, so that these tests look for what could still
part them: a function that no row names, a parameter that no key reaches, a guide that is older than
the code.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nqp_spatial as nqp
from nqp_spatial import comparison, diagnostics, did, indices, models, weights
from nqp_spatial.cli.arguments import _parser, weight_kinds, weight_options
from nqp_spatial.panel import transform
from nqp_spatial.shared.options import parameters
from nqp_spatial.shared.values import Checker
from nqp_spatial.study import reference
from nqp_spatial.study.registry import ROWS
from nqp_spatial.study.rows import SUPPLIED, Model, Question, Row, found

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "study_file.md"
EVERY = [(table, kind, row) for table, rows in ROWS.items() for kind, row in rows.items()]

# What the API has and a study file cannot ask for, with the reason.
NO_ROW = {
    "as_graph": "graphs are built from the file",
    "by_period": "window: period does it",
    "check_time_varying": "models do it",
    "describe": "the table of weights is made anyhow",
    "normalise": "the key normalise of all weights",
    "row_normalised": "normalise: row",
    "sparse_for": "for programs",
    "subset": "weights are of the entities of the study",
    "write": "nqp-spatial weights convert",
    "rta_rows": "comes with rta",
    "krugman_pairs": "krugman with against: pairs",
    "condition_index": "comes with vif",
    "effects_f_test": "diagnostics.effects_f",
    "effects_lm_test": "diagnostics.effects_lm",
    "geary": "comes with autocorrelation",
    "moran": "comes with autocorrelation",
    "hausman": "is made for random effects anyhow",
    "numbers": "data.numbers, as a table is read",
    "bivariate_moran": "takes a second variable, which no diagnostic of a study names",
    "lisa_transitions": "about each city and year: for a map, not for a table of a study",
    "local_bivariate_moran": "about each city and year: for a map, not for a table of a study",
    "local_g": "about each city and year: for a map, not for a table of a study",
    "local_geary": "about each city and year: for a map, not for a table of a study",
    "local_moran": "about each city and year: for a map, not for a table of a study",
    "moran_scatter": "about each city and year: for a map, not for a table of a study",
    "moran_residuals": "is among the tests of spatial models",
    "tests_frame": "the table of tests is made anyhow",
    "unit_root": "diagnostics.unit_root, through unit_root_table",
    "compare_weights": "each spatial model under each of its weights",
    "treatment": "policy: cohort:",
    "exposed_in_rings": "rings: of staggered",
    "exposed_through": "weights: of staggered",
    "first_treated": "the policy of the study says it",
    "first_years": "policy: last_month:",
    "crosscheck": "a result is checked in Python, with its data at hand",
}
# Parameters that no key reaches: for what they are the run gives, or has another word.
NO_KEY = {
    "table": {"results", "path", "labels", "lang", "rows"},  # of the study, and of Python
    "where": {"name"},  # of the note
    "sdm_did": {"treatment"},
    "mediation": {"treatment"},
    "moderation": {"controls", "treatment"},
    "sdm_moderation": {"controls", "treatment"},
    "iv": {"exog"},
    "spatial_iv": {"x"},
    "effects": {"seed", "transform", "horizon"},
    "match_cities": {"table", "column"},
    "merge": {"on"},
    "recode": {"name"},
    "combine": {"name", "how", "centre"},
    "interact": {"name", "how", "separator"},
    "counterfactual": {"variable", "value"},
    "group_effects": {"groups", "variable"},
    "heterogeneity": {"model", "groups"},
    "robustness": {"formula", "model", "options", "fit", "base_name"},
    "variation": {"name", "columns"},
    "getis_ord": {"series"},
    "beta_convergence": {"model"},
    "read": {"path", "encoding"},
    "pesaran_cd": {"resids"},
    "grid_bootstrap": {"result"},
    "power": {"y", "x", "candidates"},
    "implied_bias": {"graph"},  # of a result without W
    "unit_root": {"frame"},
    "autocorrelation": {"series", "graphs"},
    "entropy": {"system"},
    "topsis": {"system"},
    "pca": {"directions"},
    "co_patents": {"entities", "periods"},
    "keyword_frequency": {"reports", "expected"},
    "market_integration": {"prices", "pairs"},
    "group": {"groups", "how"},
    "aggregate": {"groups", "how"},
    "economic": {"kind"},
    "queen": {"kind"},
    "rook": {"kind"},
    "threshold_test": set(parameters(models.PanelThreshold.fit)),  # of its search alone
}


def functions_of(module: Any) -> Iterator[str]:
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value) and not name.startswith("load_"):
            yield name


def named() -> set[str]:
    """Every function and class that a row names."""
    apis = [row.api for _, _, row in EVERY if row.api]
    return {api.split(":")[1].split(".")[0] for api in apis}


@pytest.mark.parametrize("module", [weights, transform, indices, diagnostics, comparison, did])
def test_every_function_of_the_api_has_a_row_or_a_reason(module):
    lacking = set(functions_of(module)) - named() - {row.api.split(":")[-1] for _, _, row in EVERY}
    assert lacking <= set(NO_ROW), lacking - set(NO_ROW)


def test_reasons_are_not_given_for_what_has_a_row():
    assert not set(NO_ROW) & {row.api.split(":")[-1] for _, _, row in EVERY}


def test_every_model_has_a_row():
    classes = [getattr(m, n) for m in (models, did) for n in m.__all__]
    fitted = {c.__name__ for c in classes if inspect.isclass(c) and hasattr(c, "fit")}
    fitted -= {"SpatialModel", *NO_ROW}  # what spatial models share, and those with a reason
    rows = [*ROWS["models"].values(), *ROWS["did"].values()]
    named = {row.api.split(":")[1] for row in rows if not row.api.split(":")[1][0].islower()}
    assert fitted == {name for name in named if "." not in name}


@pytest.mark.parametrize(("table", "kind", "row"), EVERY)
def test_every_parameter_has_a_key_or_is_supplied(table: str, kind: str, row: Row):
    if not row.api:
        return
    calls = [row.function, *([row.function.fit] if isinstance(row, Model) else [])]
    signed = {name for call in calls for name in parameters(call)}
    reached = {row.names.get(name, name) for name in signed} & set(row.keys)
    back = {key: name for name, key in row.names.items()}
    reached = {back.get(name, name) for name in reached}
    supplied = SUPPLIED | set(row.roles if isinstance(row, Question) else ())
    assert signed - reached - supplied - NO_KEY.get(kind, set()) <= {"values"}


@pytest.mark.parametrize(("table", "kind", "row"), EVERY)
def test_defaults_of_the_api_are_values_that_a_file_may_have(table: str, kind: str, row: Row):
    for name, parameter in row.options.items():
        default = parameter.default
        if parameter.required or default is None:
            continue
        checked = Checker(ROWS)
        checked.value(parameter.hint, list(default) if isinstance(default, tuple) else default)
        assert not checked.problems, (name, checked.problems)


@pytest.mark.parametrize(("table", "kind", "row"), EVERY)
def test_choices_are_those_that_the_api_takes(table: str, kind: str, row: Row):
    """A value that no annotation has is refused by the annotation."""
    for name, parameter in row.options.items():
        if parameter.choices is None:
            continue
        checked = Checker(ROWS)
        checked.value(parameter.hint, "no such choice", (name,))
        (told,) = [text for _, text in checked.problems]
        assert all(str(c) in told for c in parameter.choices if c is not None), told


# ---------------------------------------------------------------- the command line


def build_parser() -> Any:
    commands = next(a for a in _parser()._actions if a.dest == "command" or a.choices)
    parser = commands.choices["weights"]
    built = next(a for a in parser._actions if a.choices).choices["build"]
    while built.later:
        built.later.pop()(built)
    return built


def test_the_flags_of_weights_are_the_options_of_their_functions():
    flags = {action.dest: action for action in build_parser()._actions}
    assert list(flags["kind"].choices) == weight_kinds()
    for name, by_kind in weight_options().items():
        known = [c for p in by_kind.values() for c in p.choices or ()]
        assert set(flags[name].choices or ()) == set(known), name
    for kind in weight_kinds():
        taken = {name for name, by in weight_options().items() if kind in by}
        signed = set(parameters(ROWS["weights"][kind].function)) - SUPPLIED - {"membership"}
        back = ROWS["weights"][kind].names
        assert taken == {back.get(n, n) for n in signed if n not in ("kind",) or n in back}


def test_what_is_read_off_the_source_is_what_the_functions_declare():
    """The command line reads options without importing the builders."""
    for name, by_kind in weight_options().items():
        for kind, parameter in by_kind.items():
            row = ROWS["weights"][kind]
            own = row.options[name]
            assert (parameter.annotation, parameter.choices) == (own.annotation, own.choices), name
            assert (parameter.default, parameter.span) == (own.default, own.span), name
            assert parameter.text == own.text


def test_the_normalisations_of_the_command_line():
    flags = {action.dest: action for action in build_parser()._actions}
    assert flags["normalise"].choices == parameters(nqp.weights.normalise)["kind"].choices


# ---------------------------------------------------------------- the guide


def test_the_tables_of_the_guide_are_made_from_the_registry():
    text = GUIDE.read_text(encoding="utf-8")
    assert {f"<!-- {name} -->" in text for name in reference.TABLES} == {True}
    assert reference.written(text) == text, (
        "type: python -m nqp_spatial.study.reference docs/study_file.md"
    )


def test_rows_import_nothing_until_they_are_used():
    import subprocess
    import sys

    code = (
        "import sys, nqp_spatial.study.registry; "
        "print([m for m in ('pandas', 'libpysal', 'geopandas', 'yaml') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_names_of_rows_are_found():
    for _, _, row in EVERY:
        if row.api:
            assert callable(found(row.api))
