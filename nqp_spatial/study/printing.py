"""The tables of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nqp_spatial import tables
from nqp_spatial.study import transforming
from nqp_spatial.study.fitting import effects_options, stationary
from nqp_spatial.study.outcomes import truth_applies
from nqp_spatial.study.output import Folder
from nqp_spatial.study.result import EFFECTS
from nqp_spatial.study.schema import Study
from nqp_spatial.study.words import WORDS, frame_label, model_label
from nqp_spatial.weights import describe

if TYPE_CHECKING:
    from nqp_spatial.study.steps import Found


def make_tables(study: Study, found: Found) -> None:
    """All of them, by the name of their files."""
    panel = found.data.panel
    shared: dict[str, Any] = {"labels": study.labels, "lang": study.language}
    noted = {**shared, "notes": panel.notes}
    for outcome in study.outcome_names:
        _effects(study, found, outcome, shared)
        _coefficients(study, found, outcome, shared)
        if found.autocorrelation is not None:
            name = _named("autocorrelation", outcome, study)
            found.tables[name] = tables.autocorrelation(
                found.autocorrelation.xs(outcome, level="outcome"), **noted
            )
    _tests(study, found, noted)
    _frames(study, found, noted)
    columns = [*study.outcome_names, *study.regressors]
    found.tables["descriptive"] = tables.descriptive(panel, columns=columns, **shared)
    if found.graphs:
        found.tables["weights"] = tables.weights(describe(found.graphs), **noted)
    if found.data.transforms:
        found.tables["transforms"] = tables.from_frame(
            transforming.columns(found.data.transforms),
            title=WORDS[study.language]["transforms_title"],
            **noted,
        )
    for outcome, index in found.data.indices.items():
        name = "index-weights" if len(found.data.indices) == 1 else f"index-weights-{outcome}"
        found.tables[name] = tables.index_weights(index.weights, **noted)


def write_tables(study: Study, found: Found, folder: Folder) -> None:
    """Each table in each format, and every cell that a transformation touched."""
    if found.data.transforms:
        cells = transforming.cells(found.data.transforms)
        cells.to_csv(folder.new("transforms.csv"), index=False, encoding="utf-8-sig")
    for name, table in found.tables.items():
        for suffix in study.output.tables:
            table.save(folder.new("tables", f"{name}.{suffix}"))


def _named(name: str, outcome: str, study: Study) -> str:
    """The name of a file: that of the main outcome has no suffix."""
    return name if outcome == study.outcome_names[0] else f"{name}-{outcome}"


# ---------------------------------------------------------------- models


def _effects(study: Study, found: Found, outcome: str, shared: dict[str, Any]) -> None:
    """Effects under each W, in the short and the long run, and the truth of simulated data."""
    spatial = [key for key in found.comparisons if key.startswith(f"{outcome}/")]
    variable = study.regressors[0]
    for key in spatial:
        model = key.split("/")[1]
        extra = "" if key == spatial[-1] else f"-{model}"
        found.tables[_named("effects", outcome, study) + extra] = found.comparisons[key].table(
            variable=variable, **shared, **effects_options(study)
        )
        if key in found.long_run:
            name = _named("effects-long-run", outcome, study) + extra
            found.tables[name] = _long_run(study, found, key, shared)
    truth = found.data.truth
    if spatial and truth is not None and truth_applies(truth, outcome, variable):
        words = WORDS[study.language]
        found.tables["truth"] = tables.from_frame(
            _truth_frame(study, found, spatial[-1], truth),
            title=words["truth_title"],
            lang=study.language,
            labels={**shared["labels"], "rho": "ρ", "truth": words["true_value"]},
            notes=(words["drawn"].format(W=truth["W"]), *found.data.panel.notes),
        )


def _long_run(study: Study, found: Found, key: str, shared: dict[str, Any]) -> tables.Table:
    comparison, words = found.comparisons[key], WORDS[study.language]
    results = stationary(comparison)
    lacking = [name for name in comparison.results if name not in results]
    notes = (words["not_stationary"].format(names=", ".join(lacking)),) if lacking else ()
    return tables.effects(
        results,
        study.regressors[0],
        horizon="long",
        title=words["long_run_title"],
        notes=notes,
        **shared,
    )


def _coefficients(study: Study, found: Found, outcome: str, shared: dict[str, Any]) -> None:
    """Models side by side; a model of several regressions has a table of its own."""
    own: dict[str, dict[str, Any]] = {}
    for key, result in found.results.items():
        at, model, *part = key.split("/", 2)
        if at == outcome:
            alone = bool(part) and not study.fitted[model].spatial
            column = part[0] if alone else ": ".join([model_label(model), *part])
            own.setdefault(f"-{model}" if alone else "", {})[column] = result
    for extra, results in own.items():
        found.tables[_named("regression", outcome, study) + extra] = tables.regression(
            list(results.values()), columns=list(results), **shared
        )


def _tests(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Every test of every model, with its null hypothesis."""
    rows = {
        (key.split("/")[0], _column(key), name): {
            "statistic": test.statistic,
            "df": _df(test.df),
            "pvalue": test.pvalue,
            "null": test.null,
        }
        for key, tests in found.tests.items()
        for name, test in tests.items()
    }
    if rows:
        index = pd.MultiIndex.from_tuples(list(rows), names=["outcome", "model", "test"])
        frame = pd.DataFrame(list(rows.values()), index=index)
        title = WORDS[study.language]["tests_title"]
        found.tables["tests"] = tables.from_frame(frame, title=title, **noted)


def _df(df: float | tuple[float, float]) -> str:
    return ", ".join(f"{d:g}" for d in (df if isinstance(df, tuple) else (df,)))


def _frames(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """What a model has besides estimates and tests, such as its first stage."""
    for key, frames in found.frames.items():
        outcome, *rest = key.split("/", 2)
        for name, frame in frames.items():
            file = "-".join([_named(name, outcome, study), *rest])
            title = f"{_column(key)}: {frame_label(name, study.language)}"
            found.tables[file] = tables.from_frame(frame, title=title, **noted)


def _column(key: str) -> str:
    """``SDM: adjacency``."""
    model, *part = key.split("/", 2)[1:]
    return ": ".join([model_label(model), *part])


def _truth_frame(study: Study, found: Found, key: str, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Rows direct, indirect, total, rho; the truth, then estimate and standard error by W."""
    columns: dict[tuple[str, str], list[float]] = {
        ("truth", ""): [float(truth[name]) for name in (*EFFECTS, "rho")]
    }
    for name, result in found.comparisons[key].results.items():
        effects = found.effects[key].xs((name, study.regressors[0]), level=("weights", "variable"))
        spatial = {"estimate": result.params, "std_error": result.std_errors}
        for column, whole in spatial.items():
            values = [float(effects.loc[e, column]) for e in EFFECTS]
            columns[name, column] = [*values, float(whole.get("rho", np.nan))]
    return pd.DataFrame(columns, index=[*EFFECTS, "rho"])
