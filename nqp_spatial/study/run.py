"""The steps of a study, in order; each one calls the public API."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import comparison, diagnostics, models
from nqp_spatial.comparison.robustness import Variation, robustness
from nqp_spatial.diagnostics.autocorrelation import side_by_side
from nqp_spatial.exceptions import DataWarning
from nqp_spatial.language import labels
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.panel.formula import quoted
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.results import TestResult
from nqp_spatial.shared.options import Effects
from nqp_spatial.study import graphs as _graphs
from nqp_spatial.study import schema
from nqp_spatial.study.data import StudyData, prepare
from nqp_spatial.study.file import Source, load
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.keys import Entry
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.models import call, clusters, fit, noted
from nqp_spatial.study.named import check_names, members, restricted
from nqp_spatial.study.pictures import write_maps, write_plots
from nqp_spatial.study.record import Answer, Found
from nqp_spatial.study.registry_steps import how
from nqp_spatial.study.result import StudyResult
from nqp_spatial.study.schema import Study
from nqp_spatial.study.variations import Variation as Said
from nqp_spatial.study.write import df_text, make_tables, write_tables


def run_study(
    path: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    overrides: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
) -> StudyResult:
    """Run a study file: data, weights, models, effects, and the files of the output folder.

    Parameters
    ----------
    path : path
        A YAML file; ``nqp-spatial init`` writes a commented one to start from.
    output : path, optional
        Folder to write; by default ``output.folder`` of the file, relative to it.
    overwrite : bool
        Whether the files of an earlier run in that folder are replaced. Files that no run wrote
        are never touched.
    overrides : mapping of str to object, optional
        Values for keys of the file, such as ``{"data.table": "panel.csv"}``; files named here are
        relative to the current folder.
    n_jobs : int
        Fits at a time, see `compare_weights`.

    Returns
    -------
    StudyResult

    Raises
    ------
    StudyFileError
        A mistake in the file: file, line, key, what was expected, the nearest valid key.
    OutputError
        The folder cannot be written, or has files in it.
    NqpError
        Whatever is wrong with the data, by its own class; the message begins with the key.

    Warns
    -----
    NqpWarning
        What the steps warned of, after the last one; ``run.log`` has all of it.
    """
    study, source = load(path, overrides)
    target = Path(output) if output is not None else _default_folder(study, source)
    with Folder(target, overwrite=overwrite) as folder:
        log = RunLog(total=_n_steps(study))
        try:
            result = _run(study, source, folder, log, n_jobs)
        except BaseException:
            log.emit_quietly()
            raise
        finally:
            log.close()
    log.emit()
    return result


def _n_steps(study: Study) -> int:
    fitted = [study.fitted[model] for _, model in _fits(study)]
    fits = sum(2 * len(study.graphs_of(own)) if own.row.spatial else 2 for own in fitted)
    asked = len(study.heterogeneity) + len(study.counterfactuals) + len(study.group_effects)
    return 6 + len(study.weights) + fits + len(study.blocks) + asked


def _fits(study: Study) -> list[tuple[str, str]]:
    """Outcome and model of each fit; a model with an outcome of its own comes beside the first."""
    main = study.outcome_names[0]
    return [
        (options.outcome or outcome, model)
        for outcome in study.outcome_names
        for model, options in study.fitted.items()
        if options.outcome is None or outcome == main
    ]


def _default_folder(study: Study, source: Source) -> Path:
    return source.file(("output", "folder"), study.output.folder)


def _run(study: Study, source: Source, folder: Folder, log: RunLog, n_jobs: int) -> StudyResult:
    with log.step("reading data"):
        data = prepare(study, source)
        check_names(study, source, data)
    found = Found(data, _graphs.build(study, source, data, log))
    with log.step("autocorrelation"):
        if study.diagnostics.autocorrelation is not None and found.graphs:
            if data.panel.is_balanced:
                _autocorrelation(study, found)
            else:
                warnings.warn(
                    "No Moran's I and Geary's C of the outcomes: the panel has gaps, so that the "
                    "weights differ by period.",
                    DataWarning,
                    stacklevel=2,
                )
    for outcome, model in _fits(study):
        with source.at("models", model):
            fit(study, found, outcome, model, log, n_jobs)
    compare(study, source, found, log, n_jobs)
    ask(study, source, found, log)
    with log.step("diagnostics"):
        diagnose(study, source, found)
    with log.step("tables"):
        make_tables(study, source, found)
        write_tables(study, found, folder)
    with log.step("plots"):
        write_plots(study, found, folder)
    with log.step("maps"):
        write_maps(study, source, found, folder, log)
    files = folder.finish(study, source, found, log)
    return StudyResult(
        **vars(found),
        study=study,
        warnings=tuple(text for _, text in log.warned),
        output=folder.path,
        files=tuple(files),
        seconds=log.seconds,
    )


# ---------------------------------------------------------------- autocorrelation


def _autocorrelation(study: Study, found: Found) -> None:
    asked = study.diagnostics.autocorrelation
    assert asked is not None  # the caller looks
    given, parts = asked.row.given(asked), {}
    for outcome in study.outcome_names:
        series = found.data.panel[outcome]
        found.moran[outcome] = diagnostics.moran(series, found.graphs, **given)
        geary = diagnostics.geary(series, found.graphs, **given)
        parts[outcome] = side_by_side(found.moran[outcome], geary)
    found.autocorrelation = pd.concat(parts, names=["outcome"])


# ---------------------------------------------------------------- comparisons


def compare(study: Study, source: Source, found: Found, log: RunLog, n_jobs: int) -> None:
    """Every block of ``robustness`` and ``heterogeneity``; what they give is put into ``found``."""
    for (key, _), (name, block) in zip(study.block_keys, study.blocks.items(), strict=True):
        with log.step(name), source.at(*key):
            found.robustness[name] = _robustness(study, found, block, n_jobs)
    for name, asked in study.heterogeneity.items():
        with log.step(f"heterogeneity: {name}"), source.at("heterogeneity", name):
            found.heterogeneity[name] = _heterogeneity(study, found, name, asked, n_jobs)


def _robustness(
    study: Study, found: Found, block: schema.Robustness, n_jobs: int
) -> comparison.Robustness:
    name = study.base_model(block.model)
    options = study.fitted[name]
    data = restricted(found.data, options.where, labels.model(name, study.language))
    specification, fit = _split(options, data)
    if options.row.spatial:
        specification["graph"] = found.graphs[block.weights or study.graphs_of(options)[0]]
    frame = data.panel.frame.copy()
    frame.attrs = {"notes": list(data.panel.notes)}
    return robustness(
        _formula(study, options),
        frame,
        [_variation(n, v, data.panel) for n, v in block.variations.items()],
        focus=block.focus or study.regressors_of(options)[0],
        model=options.row.function,
        options=specification,
        fit=fit,
        base_name=word("robustness.base", study.language),
        n_jobs=n_jobs,
    )


def _formula(study: Study, options: Entry) -> str:
    """The equation of a model; of instrumental variables with its brackets."""
    endogenous = options.said.get("endog", [])
    terms = [quoted(name) for name in study.regressors_of(options) if name not in endogenous]
    if options.kind == "iv":
        outside = " + ".join(map(quoted, options.instruments))
        terms.append(f"[{' + '.join(map(quoted, endogenous))} ~ {outside}]")
    return f"{quoted(study.outcomes_of(options)[0])} ~ {' + '.join(terms)}"


def _split(options: Entry, data: StudyData) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the specification and of ``fit``; columns stay names, cut to each variation."""
    given = {
        name: value
        for name, value in options.row.given(options).items()
        if name not in ("endog", "instruments")
    }
    named = given.get("clusters")
    if named is not None and {"entity", "time"} & set(named):
        given["clusters"] = clusters(named, data.panel)
    fit = {name: value for name, value in given.items() if name in options.row.fit}
    if fit.get("cov_type") == "conley":
        fit["coordinates"] = data.panel.polygons
    return {n: v for n, v in given.items() if n not in fit}, fit


def _variation(name: str, keys: Said, panel: PanelData) -> Variation:
    """As the API has it."""
    plain = ("where", "cov_type", "options", "fit", "focus")
    given: dict[str, Any] = {n: getattr(keys, n) for n in plain if getattr(keys, n) is not None}
    if keys.outcome is not None:
        given["outcome"] = quoted(keys.outcome)
    for term in ("add", "drop"):
        if (names := getattr(keys, term)) is not None:
            given[term] = [_term(n, panel) if term == "add" else n for n in names]
    if keys.replace is not None:
        given["replace"] = {old: _term(new, panel) for old, new in keys.replace.items()}
    if keys.effects is not None:
        given["effects"] = None if keys.effects == "none" else keys.effects
    if keys.transform is not None:
        step = keys.transform
        given["transform"] = partial(step.row.function, **step.row.given(step))
        given["columns"] = step.columns
    if keys.aggregate is not None:
        given["data"] = _aggregated(panel, keys.aggregate)
    return Variation(name, **given)


def _term(name: str, panel: PanelData) -> str:
    """A column, or a product of columns, as a formula names it."""
    parts = [name] if name in panel.columns else name.split(":")
    return ":".join(map(quoted, parts))


def _aggregated(panel: PanelData, asked: Entry) -> Any:
    """Groups of entities in place of entities."""
    return panel.aggregate(asked.by, how(asked.columns), **asked.row.given(asked)).frame


def _heterogeneity(
    study: Study, found: Found, name: str, asked: Entry, n_jobs: int
) -> comparison.Heterogeneity:
    model = study.base_model(asked.model)
    options = study.fitted[model]
    data = restricted(found.data, options.where, labels.model(model, study.language))
    data = restricted(data, asked.where, name)
    made = call(study, data, study.outcomes_of(options)[0], options, n_jobs)
    own = {"variable": study.regressors_of(options)[0], "seed": study.seed}
    given: Mapping[str, Any] = {**own, **asked.row.given(asked)}
    return comparison.heterogeneity(
        made.specify(),
        data.panel[asked.by],
        n_jobs=n_jobs,
        **given,
        **made.fit,
    )


# ---------------------------------------------------------------- questions to spatial models


def ask(study: Study, source: Source, found: Found, log: RunLog) -> None:
    """Every question to a spatial model; the answers are put into ``found``."""
    for name, asked in study.counterfactuals.items():
        with log.step(f"counterfactual: {name}"), source.at("counterfactuals", name):
            for file, outcome in files(study, name, asked).items():
                found.counter[file] = _counterfactual(study, found, outcome, asked)
    for name, grouped in study.group_effects.items():
        with log.step(f"group effects: {name}"), source.at("group_effects", name):
            for file, outcome in files(study, name, grouped).items():
                groups = members(grouped, ("group_effects", name), source, found.data)
                found.between[file] = _between(study, found, outcome, grouped, groups)


def files(study: Study, name: str, asked: Entry) -> dict[str, str]:
    """The outcomes of the model by the name of their files: that of the main one has no suffix."""
    outcomes = study.outcomes_of(study.fitted[study.model_of(asked)])
    return {name if i == 0 else f"{name}-{y}": y for i, y in enumerate(outcomes)}


# ---------------------------------------------------------------- other worlds


def _counterfactual(study: Study, found: Found, outcome: str, asked: Entry) -> Answer:
    model, weights = study.model_of(asked), study.weights_of(asked)
    result, where = found.fits[f"{outcome}/{model}/{weights}"], study.fitted[model].where
    label = labels.model(model, study.language)
    panel = restricted(found.data, where, label).panel
    named = study.values_of(asked)
    values = {n: panel[v] if isinstance(v, str) else v for n, v in named.items()}
    outcomes = result.counterfactual(values, level=asked.level)
    means = result.counterfactual_means(values, level=asked.level)
    said = {"values": dict(named), "level": asked.level, "means": means}
    return Answer(outcome, model, weights, outcomes, {**said, "entities": asked.entities})


def _between(study: Study, found: Found, outcome: str, asked: Entry, groups: pd.Series) -> Answer:
    model, weights = study.model_of(asked), study.weights_of(asked)
    variable = asked.variable or study.variable_of(model)
    if asked.groups is not None:
        groups = groups[groups.isin(asked.groups)]
    horizon = asked.said.get("horizon")
    given = {} if horizon is None else {"horizon": horizon}
    result: Any = found.fits[f"{outcome}/{model}/{weights}"]
    effects = result.group_effects(variable, groups, **given)
    if asked.groups is not None:
        names = effects.index.names
        effects = effects.loc[pd.MultiIndex.from_product([asked.groups] * 2, names=names)]
    said = {"variable": variable, "by": asked.by or asked.group, "horizon": horizon}
    return Answer(outcome, model, weights, effects, said)


# ---------------------------------------------------------------- diagnostics


def diagnose(study: Study, source: Source, found: Found) -> None:
    """What ``diagnostics`` asks for besides autocorrelation; put into ``found.diagnostics``."""
    asked, panel = study.diagnostics, found.data.panel
    if asked.vif:
        with source.at("diagnostics", "vif"):
            x = panel[study.regressors]
            found.diagnostics["vif"] = diagnostics.vif(x)
            found.diagnostics["condition-index"] = diagnostics.condition_index(x)
    for name, make, wanted in (
        ("effects_f", _f_tests, asked.effects_f),
        ("effects_lm", _lm_tests, asked.effects_lm),
    ):
        if wanted:
            with source.at("diagnostics", name):
                parts = {y: make(study, found, y) for y in study.outcome_names}
                frame = pd.concat(parts, names=["outcome"])
                found.diagnostics[name.replace("_", "-")] = frame
    if asked.unit_root is not None:
        with source.at("diagnostics", "unit_root"):
            found.diagnostics["unit-root"] = _unit_roots(study, found, asked.unit_root)


def _unit_roots(study: Study, found: Found, asked: Entry) -> pd.DataFrame:
    """Tests of columns, by (variable, test), under each trend if there are several."""
    policy = None if study.policy is None else study.policy.name
    used = [*study.outcome_names, *(name for name in study.regressors if name != policy)]
    x = found.data.panel[asked.columns or used]
    trends = [asked.trend] if isinstance(asked.trend, str) else asked.trend
    given = {n: v for n, v in asked.row.given(asked).items() if n != "trend"}
    parts = {t: diagnostics.unit_root_table(x, trend=t, **given) for t in trends}
    several = len(parts) > 1
    frame = pd.concat(parts, names=["trend"]) if several else parts[trends[0]]
    known, most = words("unit_roots", study.language), asked.max_lags
    notes = [known["lags"].format(lags=asked.lags)]
    if isinstance(asked.lags, str):
        bound = known["schwert"] if most is None else known["at most"].format(n=most)
        notes = [known["chosen"].format(lags=asked.lags.upper(), most=bound)]
    if list(asked.tests) == ["hadri"]:  # which has no lags
        notes = []
    notes += [known["demeaned"]] if asked.demean else []
    notes += [known["hadri"]] if {"hadri"} < set(asked.tests) else []
    notes += [known["D"]] if 1 in asked.differences else []
    frame.attrs["notes"] = notes
    return frame


def _f_tests(study: Study, found: Found, outcome: str) -> pd.DataFrame:
    """Against pooled regressions, and of periods beside entities."""
    y, x = noted(found.data.panel, outcome), noted(found.data.panel, study.regressors)
    pooled = models.PooledOLS(y, x).fit()
    entity = models.FixedEffects(y, x, effects="entity").fit()
    twoway = models.FixedEffects(y, x, effects="twoway").fit()
    pairs = {
        "entity": (pooled, entity),
        "entity and time": (pooled, twoway),
        "time, given entity": (entity, twoway),
    }
    return _frame({n: diagnostics.effects_f_test(*pair) for n, pair in pairs.items()})


def _lm_tests(study: Study, found: Found, outcome: str) -> pd.DataFrame:
    """Of random effects, by Breusch and Pagan."""
    y, x = noted(found.data.panel, outcome), noted(found.data.panel, study.regressors)
    pooled = models.PooledOLS(y, x).fit()
    kinds: dict[str, Effects] = {"entity": "entity", "time": "time", "entity and time": "twoway"}
    tests = {n: diagnostics.effects_lm_test(pooled, effects=e) for n, e in kinds.items()}
    return _frame(tests)


def _frame(tests: dict[str, TestResult]) -> pd.DataFrame:
    """One row each: statistic, df (as text), pvalue."""
    rows = {
        name: {"statistic": test.statistic, "df": df_text(test.df), "pvalue": test.pvalue}
        for name, test in tests.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("effects")
