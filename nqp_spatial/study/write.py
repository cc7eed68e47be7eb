"""The tables of a study: what was found as tables and files, in the language of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial import tables
from nqp_spatial.exceptions import OptionError
from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.language.headings import frame_label, headed
from nqp_spatial.panel import transform
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.tests import df_text
from nqp_spatial.shared.values import columns
from nqp_spatial.study.answers import counterfactual_tables, group_tables, order_tables, write_rows
from nqp_spatial.study.data import truth_applies
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.graphs import flat
from nqp_spatial.study.models import effects_options, stationary
from nqp_spatial.study.record import Found
from nqp_spatial.study.schema import Study, either
from nqp_spatial.weights import describe

EFFECTS = ("direct", "indirect", "total")


def make_tables(study: Study, source: Source, found: Found) -> None:
    """All of them, by the name of their files."""
    panel = found.data.panel
    shared: dict[str, Any] = {"labels": study.labels, "lang": study.language}
    noted = {**shared, "notes": panel.notes}
    for outcome in dict.fromkeys([*study.outcome_names, *(k.split("/")[0] for k in found.effects)]):
        _effects(study, found, outcome, shared)
    for outcome in study.outcome_names:
        made = _regression_tables(study, source, found, outcome, shared)
        found.tables |= {_named(name, outcome, study): table for name, table in made.items()}
        if found.autocorrelation is not None:
            name = _named("autocorrelation", outcome, study)
            found.tables[name] = tables.autocorrelation(
                found.autocorrelation.xs(outcome, level="outcome"), **noted
            )
    _tests(study, found, noted)
    _frames(study, found, noted)
    _comparisons(study, source, found, shared)
    order_tables(study, found, noted)
    group_tables(study, found, noted)
    counterfactual_tables(study, found, noted)
    _described(study, source, found, shared)
    if found.graphs:
        found.tables["weights"] = tables.weights(
            describe(flat(found.graphs, every=False)), **{**noted, "notes": _changing(study, panel)}
        )
    if found.data.transforms:
        found.tables["transforms"] = _printed(
            transform.counts(found.data.transforms), "transforms", study, noted
        )
    for outcome, index in found.data.indices.items():
        name = "index-weights" if len(found.data.indices) == 1 else f"index-weights-{outcome}"
        found.tables[name] = tables.index_weights(index.weights, **noted)
    for name, frame in found.data.step_frames.items():
        found.tables[name] = _printed(frame, name, study, noted)


def _changing(study: Study, panel: PanelData) -> list[str]:
    """Notes of the panel, and which weights change over time."""
    names = [name for name in study.weights if study.changes(name)]
    said = word("study.changing", study.language).format(names=", ".join(names))
    return [*([said] if names else []), *panel.notes]


def _printed(
    frame: pd.DataFrame, name: str, study: Study, options: dict[str, Any], head: str = ""
) -> tables.Table:
    """A frame with a title and headings in the language of the study."""
    title = f"{head}{frame_label(name, study.language)}"
    shown = headed(frame, name, study.language)
    own = shown.attrs.get("notes", ())  # which `from_frame` prints too
    notes = [note for note in options["notes"] if in_language(note, study.language) not in own]
    return tables.from_frame(shown, title=title, **{**options, "notes": notes})


def write_tables(study: Study, found: Found, folder: Folder) -> None:
    """Each table in each format, every cell that was transformed, every outcome of other worlds."""
    if found.data.transforms:
        cells = transform.cells(found.data.transforms)
        cells.to_csv(folder.new("transforms.csv"), index=False, encoding="utf-8-sig")
    write_rows(found, folder)
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
    for key in spatial:
        model = key.split("/")[1]
        variable = study.variable_of(model)
        extra = "" if key == spatial[-1] else f"-{model}"
        found.tables[_named("effects", outcome, study) + extra] = found.comparisons[key].table(
            variable=variable, **shared, **effects_options(study)
        )
        if key in found.long_run:
            name = _named("effects-long-run", outcome, study) + extra
            found.tables[name] = _long_run(study, found, key, shared)
    truth = found.data.truth
    if spatial and truth is not None and _true(study, truth, spatial[-1]):
        said = words("study", study.language)
        found.tables["truth"] = tables.from_frame(
            _truth_frame(study, found, spatial[-1], truth),
            title=said["truth_title"],
            lang=study.language,
            labels={**shared["labels"], "rho": "ρ", "truth": said["true_value"]},
            notes=(
                said["drawn"].format(W=in_language(truth["W"], study.language)),
                *found.data.panel.notes,
            ),
        )


def _true(study: Study, truth: Mapping[str, Any], key: str) -> bool:
    outcome, model = key.split("/")
    return truth_applies(truth, outcome, study.variable_of(model))


def _long_run(study: Study, found: Found, key: str, shared: dict[str, Any]) -> tables.Table:
    comparison, said = found.comparisons[key], words("study", study.language)
    results = stationary(comparison)
    lacking = [name for name in comparison.results if name not in results]
    notes = (said["not_stationary"].format(names=", ".join(lacking)),) if lacking else ()
    return tables.effects(
        results,
        study.variable_of(key.split("/")[1]),
        horizon="long",
        title=said["long_run_title"],
        notes=notes,
        **shared,
    )


def _tests(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Every test of every model, with its null hypothesis."""
    rows = {
        (key.split("/")[0], _column(study, *key.split("/", 2)[1:]), name): {
            "statistic": test.statistic,
            "df": df_text(test.df),
            "pvalue": test.pvalue,
            "null": in_language(test.null, study.language),
        }
        for key, tests in found.tests.items()
        for name, test in tests.items()
    }
    if rows:
        index = pd.MultiIndex.from_tuples(list(rows), names=["outcome", "model", "test"])
        frame = pd.DataFrame(list(rows.values()), index=index)
        found.tables["tests"] = _printed(frame, "tests", study, noted)


def _frames(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """What a model has besides estimates and tests, such as its first stage."""
    for key, frames in found.tables_of.items():
        outcome, *rest = key.split("/", 2)
        for name, frame in frames.items():
            own = study.fitted[rest[0]].outcome is not None
            file = "-".join([name if own else _named(name, outcome, study), *rest])
            shown = frame.to_frame(study.language)
            found.tables[file] = _printed(shown, name, study, noted, f"{_column(study, *rest)}: ")


def _comparisons(study: Study, source: Source, found: Found, shared: dict[str, Any]) -> None:
    """Variations of a regression, and groups, each with what was found in a line below."""
    blocks = study.blocks
    for name, varied in found.robustness.items():
        with source.at("robustness"):
            found.tables[name] = varied.table(
                title=frame_label("robustness", study.language),
                **either(blocks[name].keep, blocks[name].drop),
                **shared,
            )
        frame = varied.to_frame()[["estimate", "std_error", "pvalue", "nobs", "rows_left_out"]]
        notes = {**shared, "notes": varied.notes}
        found.tables[f"{name}-summary"] = _printed(
            frame, "robustness", study, notes, f"{varied.focus}: "
        )
    for name, groups in found.heterogeneity.items():
        asked = study.heterogeneity[name]
        head = f"{frame_label('heterogeneity', study.language)}: {name}"
        with source.at("heterogeneity", name):
            found.tables[f"heterogeneity-{name}"] = groups.table(
                title=head, **either(asked.keep, asked.drop), **shared
            )


def _described(study: Study, source: Source, found: Found, shared: dict[str, Any]) -> None:
    """Descriptive statistics, correlations, and the other diagnostics."""
    panel, asked = found.data.panel, study.diagnostics
    shown = asked.descriptive or _used(study, panel)
    with source.at("diagnostics", "descriptive"):
        found.tables["descriptive"] = tables.descriptive(panel, columns=shown, **shared)
    if asked.correlation:
        named = asked.correlation if isinstance(asked.correlation, list) else None
        shown = named or [*study.outcome_names, *study.regressors]
        with source.at("diagnostics", "correlation"):
            found.tables["correlation"] = tables.correlation(panel, columns=shown, **shared)
    for name, frame in found.diagnostics.items():
        options = {**shared, "notes": panel.notes}
        if name == "unit-root":
            frame, options["labels"] = _roots(frame, study)
        found.tables[name] = _printed(frame, name, study, options)
    for name, path in found.paths.items():
        title = frame_label(name, study.language)
        found.tables[name] = path.table(title=title, **shared)


def _roots(frame: pd.DataFrame, study: Study) -> tuple[pd.DataFrame, dict[str, str]]:
    """Unit root tests without df, which is that of the normal; differences by their labels too."""
    differences = {f"D.{name}": f"D.{label}" for name, label in study.labels.items()}
    shown = frame.drop(columns="df")
    shown.attrs = dict(frame.attrs)
    return shown, differences | study.labels


def _used(study: Study, panel: PanelData) -> list[str]:
    """Columns of the models with numbers, those that all share first."""
    named = (c for options in study.fitted.values() for c in columns(options))
    own = [name for _, name, of in named if of.kind != "labels"]
    used = dict.fromkeys([*study.outcome_names, *study.regressors, *own])
    return [name for name in used if pd.api.types.is_numeric_dtype(panel[name].dtype)]


def _truth_frame(study: Study, found: Found, key: str, truth: Mapping[str, Any]) -> pd.DataFrame:
    """Rows direct, indirect, total, rho; the truth, then estimate and standard error by W."""
    variable = study.variable_of(key.split("/")[1])
    columns: dict[tuple[str, str], list[float]] = {
        ("truth", ""): [float(truth[name]) for name in (*EFFECTS, "rho")]
    }
    for name, result in found.comparisons[key].results.items():
        effects = found.effects[key].xs((name, variable), level=("weights", "variable"))
        spatial = {"estimate": result.params, "std_error": result.std_errors}
        for column, whole in spatial.items():
            values = [float(effects.loc[e, column]) for e in EFFECTS]
            columns[name, column] = [*values, float(whole.get("rho", np.nan))]
    return pd.DataFrame(columns, index=[*EFFECTS, "rho"])


# ---------------------------------------------------------------- regressions

_STAGES = "first-stage"

_Columns = dict[str, Any]


def _regression_tables(
    study: Study, source: Source, found: Found, outcome: str, shared: Mapping[str, Any]
) -> dict[str, tables.Table]:
    """By name: those of ``tables``, then the models that none of them has.

    Models with an outcome of their own stand beside those of the main outcome.
    """
    made: dict[str, tables.Table] = {}
    taken: set[str] = set()
    for name, asked in study.tables.items():
        columns: _Columns = {}
        alone = len({_model_of(entry) for entry in asked.models}) == 1
        for i, entry in enumerate(asked.models):
            with source.at("tables", name, "models", i):
                columns |= _entry(study, found, outcome, entry, alone)
            taken.add(_model_of(entry))
        if columns:
            options = {**either(asked.keep, asked.drop), "title": asked.title}
            with source.at("tables", name):
                made[name] = _table(study, columns, {**shared, **options})
    others = [name for name in study.fitted if name not in taken]
    for extra, columns in _default(study, found, outcome, others).items():
        made[f"regression{extra}"] = _table(study, columns, shared)
    return made


def _model_of(entry: str) -> str:
    """The model of ``model/part``."""
    return entry.split("/", 1)[0]


def _default(study: Study, found: Found, outcome: str, names: list[str]) -> dict[str, _Columns]:
    """One table of all, and one for each model of several regressions."""
    own: dict[str, _Columns] = {}
    for name in names:
        parts = _parts(study, found, outcome, name)
        alone = list(parts) != [""] and not study.fitted[name].row.spatial
        for part, result in parts.items():
            column = _part(study, name, part) if alone else _column(study, name, part)
            own.setdefault(f"-{name}" if alone else "", {})[column] = result
    return own


def _parts(study: Study, found: Found, outcome: str, model: str) -> _Columns:
    """Results of a model by part, "" for that of a single regression.

    Empty for a model with an outcome of its own beside an outcome that is not the main one.
    """
    own = study.fitted[model].outcome
    if own is not None and outcome != study.outcome_names[0]:
        return {}
    key = f"{own or outcome}/{model}"
    beginning = f"{key}/"
    return {
        place[len(beginning) :]: result
        for place, result in found.results.items()
        if place == key or place.startswith(beginning)
    }


def _entry(study: Study, found: Found, outcome: str, entry: str, alone: bool) -> _Columns:
    """Columns of ``model`` or ``model/part``.

    Raises
    ------
    OptionError
        A part that the model does not have.
    """
    model, _, part = entry.partition("/")
    parts = _parts(study, found, outcome, model)
    if not parts:
        return {}
    if part == _STAGES and (stages := _stages(study, found, outcome, model)):
        parts = stages
    elif part:
        if part not in parts:
            known = [name for name in parts if name]
            known += [_STAGES] if _stages(study, found, outcome, model) else []
            raise OptionError(
                f"{model!r} has no part {part!r}. It has {first(known, 12) or 'none'}."
                + suggest(part, known)
            )
        parts = {part: parts[part]}
    several = alone and list(parts) != [""]
    return {
        _part(study, model, name) if several else _column(study, model, name): result
        for name, result in parts.items()
    }


def _column(study: Study, model: str, part: str = "") -> str:
    """``SDM: adjacency``."""
    label = printed.model(model, study.language)
    return ": ".join([label, *([_part(study, model, part)] if part else [])])


def _part(study: Study, model: str, part: str) -> str:
    """A part in the language of the study; most are names of the user's, or numbers."""
    if study.fitted[model].kind != "mediation":
        return part
    return printed.mediation_part(part, study.language)


def _stages(study: Study, found: Found, outcome: str, model: str) -> _Columns:
    """First stages of instrumental variables, one for each endogenous regressor."""
    fit = found.fits.get(f"{study.fitted[model].outcome or outcome}/{model}")
    stages = getattr(getattr(fit, "first_stage", None), "parts", {})
    title = frame_label(_STAGES, study.language)
    one = len(stages) == 1
    return {title if one else f"{title}, {name}": stage for name, stage in stages.items()}


def _table(study: Study, columns: _Columns, options: Mapping[str, Any]) -> tables.Table:
    """The results side by side; slopes of a threshold by the regime in words."""
    labels = dict(options["labels"])
    regimes = [own for r in columns.values() if (own := r.labels(study.language))]
    if len(regimes) == 1:
        labels = {**regimes[0], **labels}
    results = list(columns.values())
    return tables.regression(results, columns=list(columns), **{**options, "labels": labels})
