"""Numbers are what they were; every public name is called by a golden case.

See README.md of this folder. Not a reference: what is right is tested elsewhere.
"""

from __future__ import annotations

import inspect
import types

import pytest

import nqp_spatial as nqp

from . import calls, store, studies
from .flatten import seen
from .regenerate import told
from .registry import Called, public_names, wanted

pytestmark = pytest.mark.filterwarnings("ignore:.*There are only .* clusters")


@pytest.mark.parametrize("name", calls.NAMES)
def test_calls(name):
    now = calls.group(name).run()
    found = store.differences(store.read(name), now)
    assert not found, told(name, found, len(now))


@pytest.mark.slow
@pytest.mark.parametrize("name", studies.NAMES)
def test_studies(name):
    now = studies.run(name)
    found = store.differences(store.read(name), now)
    assert not found, told(name, found, len(now))


# Public things that have no value to keep.
NOT_CALLED: dict[str, str] = {
    "models.SpatialModel": "what the spatial models share; each of them is called",
}
# Asked of every class in tests/test_result_protocol.py; views of numbers that are here.
PROTOCOL = {
    *("parts", "tests", "frames", "figures", "maps", "plot", "explore", "tidy", "glance", "labels"),
    *("as_", "summary", "cite", "focus", "response", "decisions", "keys", "with_options"),
    *("facts", "headline", "to_frame", "setting", "critical_values"),
    "check_stacked",  # raises or does nothing
}
# Made after these numbers were taken, with tests of their own.
LATER = {
    "PanelData": "tests/panel/test_verbs.py and test_columns.py",
    "StudyResult": "tests/study",
    "IndicatorSystem.of": "tests/indices/test_system.py",
    "IndexResult.indicators": "tests/indices/test_system.py",
    "TopsisResult.indicators": "tests/indices/test_system.py",
    "Links": "tests/indices/test_links.py",
    "Convergence": "tests/diagnostics/test_convergence.py",
    "EllipseResult": "tests/diagnostics/test_ellipse.py",
    "CoPatents.tally": "tests/indices/test_patents.py",
    "AggregateReport": "tests/panel/test_groups.py",
    "Lexicon": "tests/indices/test_keywords.py",
    "PCAResult": "tests/indices/test_pca.py",
    "rta_rows": "tests/indices/test_diversity.py",
    "numbers": "tests/shared/test_numerals.py",
    "OfflineMap.save": "tests/maps/test_offline.py",
    # What IV2SLS, groups, the Hausman test and heterogeneity are made of, which have cases.
    **{
        f"{model}.{method}": "tests/models, tests/comparison and tests/diagnostics of those"
        for model in ("FixedEffects", "RandomEffects", "PooledOLS", "FirstDifference", "BetweenOLS")
        for method in (
            *("equation", "fit_as", "with_columns", "effects", "other_effects", "rank"),
            *("regressors", "weights"),
            "regressors",
            "restricted",
        )
    },
    "DifferenceGMM.instrument_table": "tests/models/gmm",
    "DifferenceGMM.rows_used": "tests/models/gmm",
    "SystemGMM.instrument_table": "tests/models/gmm",
    "SystemGMM.rows_used": "tests/models/gmm",
    "WeakInstruments.stock_yogo_value": "tests/models/iv",
    "SpatialResults.cumulative_effects": "tests/effects",
    "IV2SLS.regressors": "tests/models/linear/test_predict_new.py",
    "IV2SLS.absorbed": "tests/models/linear/test_predict_new.py",
    "RandomEffectsResults.predict": "tests/models/linear/test_predict_new.py",
    "RandomEffects.predicted": "tests/models/linear/test_predict_new.py",
    "IV2SLS.weights": "tests/models/linear/test_row_weights.py",
    "IV2SLSResults.predict": "tests/models/linear/test_predict_new.py",
    "FixedEffectsResults.predict": "tests/models/linear/test_predict_new.py",
    "Row.texts": "tests/tables",
    **dict.fromkeys(
        ("Table.body", "Table.stubs", "Table.is_ruled", "Table.points"), "tests/tables"
    ),
    "Table.figure": "tests/tables",
    "SpatialModeration.from_formula": "tests/models/mechanism",
    "Moderator": "tests/models/mechanism",  # asked by both kinds of moderation
    "SpatialResults.counterfactual_means": "tests/effects",
    "policy": "tests/maps/test_policy.py; a case of did_impact",
    "FixedEffectsResults.wild_bootstrap": "tests/models/linear/test_wild.py",
    **dict.fromkeys(
        (
            f"{model}.restricted"
            for model in (
                *("SpatialDurbin", "SpatialDiD", "SpatialLag", "SpatialError", "SAC", "SLX"),
                *("SpatialDurbinError", "GNS", "SpatialModeration", "DynamicSpatialDurbin"),
                "DynamicSpatialLag",
            )
        ),
        "tests/did/test_leave_out.py",
    ),
    "SpatialResults.policy_impact": "tests/effects/test_policy.py",
    "SpatialResults.indirect_source": "tests/effects/test_source.py",
    "EventStudyResults.predict": "tests/models/linear/test_predict_new.py",
    "SpatialDiD.event_study": "tests/did/test_event_study.py",
    "paths": "tests/plots/test_events.py",
    "Exposure.restricted": "tests/did/test_exposure.py",
    **dict.fromkeys(
        ("SpatialDiD.placebo", "SpatialDiD.with_treatment"), "the group did_placebo, tests/did"
    ),
    "SpatialDiD.exposure": "calls/did_matching.py",
}


def public() -> dict[str, object]:
    """Functions and classes of the package and its public modules, by dotted name."""
    found: dict[str, object] = {}
    for name in nqp.__all__:
        thing = getattr(nqp, name)
        if thing is nqp.exceptions:
            continue
        if isinstance(thing, types.ModuleType):
            parts = {f"{name}.{part}": getattr(thing, part) for part in public_names(thing)}
            found |= {n: part for n, part in parts.items() if callable(part)}
        else:
            found[name] = thing
    return found


def covered() -> dict[str, object]:
    """What the groups say they call."""
    found: dict[str, object] = {}
    for name in calls.NAMES:
        for thing in calls.group(name).covers:
            is_module = isinstance(thing, types.ModuleType)
            parts = [getattr(thing, n) for n in public_names(thing)] if is_module else [thing]
            found |= {f"{p.__module__}.{p.__qualname__}": p for p in parts if callable(p)}
    return found


def test_every_public_name_is_in_a_group():
    known = {id(thing) for thing in covered().values()}
    absent = [n for n, thing in public().items() if id(thing) not in known and n not in NOT_CALLED]
    assert not absent, f"no golden group covers {absent}: write a case in tests/golden/calls"


@pytest.mark.slow
@pytest.mark.parametrize("name", calls.NAMES)
def test_every_public_name_is_called(name):
    """Each function, class and method that the group covers, and each class that it returns."""
    group, classes = calls.group(name), [c for c in covered().values() if isinstance(c, type)]
    called: Called = set()
    seen.clear()
    group.run(called=called)
    asked = {n: c for thing in group.covers for n, c in wanted(thing, classes).items()}
    there = called.union(*(c.__mro__ for c in seen | called if isinstance(c, type)))
    absent = [n for n, c in asked.items() if c not in there and not _excused(n)]
    assert not absent, f"no case of {name} calls {absent}"
    unknown = [c.__name__ for c in seen if c not in classes and _has_methods(c)]
    assert not unknown, f"{name} returns {unknown}: add them to covers of a group"


def _excused(name: str) -> bool:
    owner, _, method = name.partition(".")
    return name in NOT_CALLED or method in PROTOCOL or name in LATER or owner in LATER


def _has_methods(cls: type) -> bool:
    return cls.__name__[0] != "_" and any(
        inspect.isfunction(part) for n, part in vars(cls).items() if n[0] != "_"
    )
