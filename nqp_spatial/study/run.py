"""The steps of a study, in order; each one calls the public API."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial import comparison, diagnostics
from nqp_spatial.diagnostics.autocorrelation import side_by_side
from nqp_spatial.exceptions import DataWarning, GeometryError, NqpError
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.panel.formula import quoted
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.results import Calculation, TestResult, tests_frame
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.parallel import check_jobs
from nqp_spatial.shared.source import Source, located
from nqp_spatial.shared.tests import df_text
from nqp_spatial.shared.values import Entry, Key
from nqp_spatial.study import graphs as _graphs
from nqp_spatial.study.advice import speaking, voice
from nqp_spatial.study.data import StudyData, check_names, members, prepare
from nqp_spatial.study.file import language, load
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.laboratory import inquire
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.models import call, clusters, fit, noted, rows_of, under
from nqp_spatial.study.registry import DIAGNOSTICS, SHOWN, how
from nqp_spatial.study.result import Answer, Found, StudyResult
from nqp_spatial.study.rows import found as api_of
from nqp_spatial.study.schema import Study
from nqp_spatial.study.write import Writer


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
    OptionError
        ``n_jobs`` is no number of processes.
    StudyFileError
        A mistake in the file: file, line, key, what was expected, the nearest valid key.
    OutputError
        The folder cannot be written, or has files in it.
    NqpError
        Whatever is wrong with the data or the weights, by its own class; the message begins with
        the key. So does the error of the first model where none could be fitted. Nothing is
        written then.

    Warns
    -----
    FailureWarning
        A model, comparison, question, diagnostic or table failed. It costs no other: the rest is
        written, and why it failed stands in its place, in ``failures`` of the result, in the
        notes of tables, in results.json and in run.log.
    NqpWarning
        What the steps warned of, after the last one; ``run.log`` has all of it.

    Notes
    -----
    What is wrong, and what to do, is told in the language of the file.
    """
    with speaking(language(path, overrides)):
        check_jobs(n_jobs)
        study, source = load(path, overrides)
        own = source.file(("output", "folder"), study.output.folder)
        target = Path(output) if output is not None else own
        with Folder(target, overwrite=overwrite) as folder:
            log = RunLog(_n_steps(study), study.language)
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
    fitted = [study.fitted[model] for _, model in fits(study)]
    each = sum(2 + 2 * len(study.graphs_of(own)) if own.row.spatial else 2 for own in fitted)
    asked = len(study.heterogeneity) + len(study.counterfactuals) + len(study.group_effects)
    asked += sum(len(study.asked_about(q)) * len(study.asked_under(q)) for q in study.did.values())
    return 7 + len(study.weights) + each + len(study.blocks) + asked


def fits(study: Study) -> list[tuple[str, str]]:
    """Outcome and model of each fit; a model with an outcome of its own comes beside the first."""
    main = study.outcome_names[0]
    return [
        (options.outcome or outcome, model)
        for outcome in study.outcome_names
        for model, options in study.fitted.items()
        if options.outcome is None or outcome == main
    ]


def _run(study: Study, source: Source, folder: Folder, log: RunLog, n_jobs: int) -> StudyResult:
    with log.step("reading data"):
        data = prepare(study, source)
        check_names(study, source, data)
    found = Found(data, _graphs.build(study, source, data, log), failures=log.failures)
    with (
        log.attempt("autocorrelation"),
        source.at("diagnostics", "autocorrelation"),
        log.step("autocorrelation"),
    ):
        if study.diagnostics.autocorrelation is not None and found.graphs:
            _autocorrelation(study, found, study.diagnostics.autocorrelation)
    for outcome, model in fits(study):
        fit(study, source, found, outcome, model, log, n_jobs)
    if not found.results:
        _raise_failure(found, study.language)
    compare(study, source, found, log, n_jobs)
    ask(study, source, found, log)
    inquire(study, source, found, log, n_jobs)
    with log.step("diagnostics"):
        diagnose(study, source, found, log, n_jobs)
    writer = Writer(study, source, found, log)
    with log.step("tables"):
        found.tables = writer.all_tables()
    with log.step("plots"):
        writer.plots(folder)
    with log.step("maps"):
        writer.maps(folder)
    with log.step("writing"):
        writer.write(folder)
    files = folder.finish(study, source, found, log)
    return StudyResult(
        **vars(found),
        study=study,
        warnings=tuple(text for _, text in log.warned),
        output=folder.path,
        files=tuple(files),
        seconds=log.seconds,
    )


def _raise_failure(found: Found, lang: str) -> None:
    """The first failure, where no model is left to show."""
    places = [place for place in found.failures if "/" in place]
    error = found.failures[places[0]]
    if not places[1:] or not isinstance(error, NqpError):
        raise error
    more = voice(lang).say(f"No other model could be fitted: {first(places[1:])}.")
    raise located(type(error)(f"{error}\n{more}")) from error


# ---------------------------------------------------------------- comparisons


def compare(study: Study, source: Source, found: Found, log: RunLog, n_jobs: int) -> None:
    """Every block of ``robustness`` and ``heterogeneity``; what they give is put into ``found``."""
    for (key, _), name in zip(study.block_keys, study.blocks, strict=True):
        with log.attempt(name), source.at(*key), log.step(name):
            found.robustness[name] = _robustness(study, source, found, key, log, n_jobs)
    for name, asked in study.heterogeneity.items():
        place = f"heterogeneity: {name}"
        with log.attempt(place), source.at("heterogeneity", name), log.step(place):
            found.heterogeneity[name] = _heterogeneity(study, found, name, asked, n_jobs)


def _robustness(
    study: Study, source: Source, found: Found, key: Key, log: RunLog, n_jobs: int
) -> comparison.Robustness:
    """The variations of a block; one that fails costs no other."""
    name, block = dict(zip((k for k, _ in study.block_keys), study.blocks.items(), strict=True))[
        key
    ]
    base = study.base_model(block.model)
    options = study.fitted[base]
    data = rows_of(study, found.data, base)
    specification, fit = _split(options, data)
    if options.row.spatial:
        specification = under(specification, found.graphs)
        specification["graph"] = found.graphs[block.weights or study.graphs_of(options)[0]]
    frame = data.panel.frame.copy()
    frame.attrs = {"notes": list(data.panel.notes)}
    vary = partial(
        comparison.robustness,
        _formula(study, options),
        frame,
        focus=block.focus or study.regressors_of(options)[0],
        model=options.row.function,
        options=specification,
        fit=fit,
        base_name=word("robustness.base", study.language),
        n_jobs=n_jobs,
    )
    varied = vary(variations(source, name, key, block, data.panel, log))
    for own, error in varied.errors.items():
        with log.attempt(f"{name}: {own}"), source.at(*key, "variations", own):
            raise error
    return varied


def variations(
    source: Source, name: str, key: Key, block: Entry, panel: PanelData, log: RunLog
) -> list[comparison.Variation]:
    """Those of a block that can be made of the panel."""
    sound = []
    for own, said in block.variations.items():
        with log.attempt(f"{name}: {own}"), source.at(*key, "variations", own):
            sound.append(_variation(own, said, panel))
    return sound


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


def _variation(name: str, said: Entry, panel: PanelData) -> comparison.Variation:
    """As the API has it: terms as a formula names them, a step as a function."""
    given = {n: v for n, v in said.row.given(said).items() if v is not None}
    if "outcome" in given:
        given["outcome"] = quoted(given["outcome"])
    if "add" in given:
        given["add"] = [_term(n, panel) for n in given["add"]]
    if "replace" in given:
        given["replace"] = {old: _term(new, panel) for old, new in given["replace"].items()}
    if given.get("effects") == "none":
        given["effects"] = None
    if step := given.pop("transform", None):
        given["transform"] = partial(step.row.function, **step.row.given(step))
        given["columns"] = step.columns
    if said.aggregate is not None:
        asked = said.aggregate
        rules = asked.row.given(asked)
        given["data"] = panel.aggregate(asked.by, how(asked.columns), **rules).frame
    return comparison.Variation(name, **given)


def _term(name: str, panel: PanelData) -> str:
    """A column, or a product of columns, as a formula names it."""
    parts = [name] if name in panel.columns else name.split(":")
    return ":".join(map(quoted, parts))


def _heterogeneity(
    study: Study, found: Found, name: str, asked: Entry, n_jobs: int
) -> comparison.Heterogeneity:
    model = study.base_model(asked.model)
    options = study.fitted[model]
    data = rows_of(study, found.data, model).where(asked.where, name)
    made = call(study, data, study.outcomes_of(options)[0], options, n_jobs)
    own = {"variable": study.regressors_of(options)[0], "seed": study.seed}
    tested = {n: v for n, v in asked.row.given(asked).items() if n not in SHOWN}
    given: Mapping[str, Any] = {**own, **tested, **made.fit}
    return comparison.heterogeneity(made.specify(), data.panel[asked.by], n_jobs=n_jobs, **given)


# ---------------------------------------------------------------- questions to spatial models


def ask(study: Study, source: Source, found: Found, log: RunLog) -> None:
    """Every question to a spatial model; the answers are put into ``found``."""
    for name, asked in study.counterfactuals.items():
        for file, outcome in study.files_of(name, asked).items():
            place = f"counterfactual: {file}"
            with log.attempt(place), source.at("counterfactuals", name), log.step(place):
                found.counter[file] = _counterfactual(study, found, outcome, asked)
    for name, asked in study.group_effects.items():
        key = ("group_effects", name)
        for file, outcome in study.files_of(name, asked).items():
            place = f"group effects: {file}"
            with log.attempt(place), source.at(*key), log.step(place):
                groups = members(asked, key, source, found.data)
                found.between[file] = _between(study, found, outcome, asked, groups)


def _counterfactual(study: Study, found: Found, outcome: str, asked: Entry) -> Answer:
    model, weights = study.model_of(asked), study.weights_of(asked)
    result, named = found.fit_of(f"{outcome}/{model}/{weights}"), study.values_of(asked)
    panel = rows_of(study, found.data, model).panel
    values = {n: panel[v] if isinstance(v, str) else v for n, v in named.items()}
    outcomes = result.counterfactual(values, level=asked.level)
    means = result.counterfactual_means(values, level=asked.level)
    said = {"values": dict(named), "level": asked.level, "means": means}
    return Answer(outcome, model, weights, outcomes, {**said, "entities": asked.entities})


def _between(study: Study, found: Found, outcome: str, asked: Entry, groups: pd.Series) -> Answer:
    model, weights = study.model_of(asked), study.weights_of(asked)
    variable, horizon = asked.variable or study.variable_of(model), asked.said.get("horizon")
    given = {} if horizon is None else {"horizon": horizon}
    result = found.fit_of(f"{outcome}/{model}/{weights}")
    if asked.groups is not None:
        groups = groups[groups.isin(asked.groups)]
    effects = result.group_effects(variable, groups, **given)
    if asked.groups is not None:  # in the order of the file
        names = effects.index.names
        effects = effects.loc[pd.MultiIndex.from_product([asked.groups] * 2, names=names)]
    said = {"variable": variable, "by": asked.by or asked.group, "horizon": horizon}
    return Answer(outcome, model, weights, effects, said)


# ---------------------------------------------------------------- diagnostics


def _autocorrelation(study: Study, found: Found, asked: Entry) -> None:
    """Moran's I and Geary's C of the outcomes under each W."""
    if not found.data.panel.is_balanced:
        warnings.warn(
            "No Moran's I and Geary's C of the outcomes: the panel has gaps, so that the weights "
            "differ by period.",
            DataWarning,
            stacklevel=2,
        )
        return
    given, parts = asked.row.given(asked), {}
    for outcome in study.outcome_names:
        series = found.data.panel[outcome]
        found.moran[outcome] = diagnostics.moran(series, found.graphs, **given)
        geary = diagnostics.geary(series, found.graphs, **given)
        parts[outcome] = side_by_side(found.moran[outcome], geary)
    found.autocorrelation = pd.concat(parts, names=["outcome"])


def diagnose(study: Study, source: Source, found: Found, log: RunLog, n_jobs: int) -> None:
    """What ``diagnostics`` asks for besides autocorrelation; put into ``found.diagnostics``."""
    for name in DIAGNOSTICS:
        asked = getattr(study.diagnostics, name)
        if asked is None or name == "autocorrelation":
            continue
        label, at = name.replace("_", "-"), ("diagnostics", name)
        if name == "unit_root":
            with log.attempt(label), source.at(*at):
                found.diagnostics[label] = _unit_roots(study, found, asked)
            continue
        frames: dict[tuple[str, ...], pd.DataFrame] = {}
        named: dict[str, dict[tuple[str, ...], pd.DataFrame]] = {}
        for key, answer in _answers(study, found, asked, n_jobs):
            with log.attempt(": ".join([label, *filter(None, key)])), source.at(*at):
                given, place = answer(), "-".join(filter(None, [label, *key]))
                if getattr(given, "figures", None):
                    found.drawn[place] = given
                if hasattr(given, "table"):  # one that has a table of its own
                    found.paths[place] = given
                if isinstance(given, Calculation | diagnostics.Convergence):
                    for own, one in given.frames.items():
                        shown = one.to_frame(study.language)
                        named.setdefault(asked.row.titles.get(own, own), {})[key] = shown
                    if tests := getattr(given, "found", None):  # its own, not those of its parts
                        named.setdefault(asked.row.tests, {})[key] = _frame(tests)
                elif not hasattr(given, "table"):
                    frames[key] = _frame(given)
        for own, parts in named.items():
            found.diagnostics[own] = _joined(parts, asked.row.roles)
        if frames:
            found.diagnostics[label] = _joined(frames, asked.row.roles)
        for other, api in asked.row.beside.items():
            with log.attempt(other), source.at(*at):
                found.diagnostics[other] = api_of(api)(found.data.panel[study.regressors])


_Answers = Iterator[tuple[tuple[str, ...], Callable[[], Any]]]


def _answers(study: Study, found: Found, asked: Entry, n_jobs: int) -> _Answers:
    """What a diagnostic answers if it is asked, by the outcome, model and weights it is about."""
    row, given, panel = asked.row, asked.row.given(asked), found.data.panel
    if given.get("weights") is not None:
        given["weights"] = panel[given["weights"]]
    if given.get("groups") is not None:
        given["groups"] = panel.by_entity(given["groups"]).dropna()
    if "resids" in row.roles:
        for key, result in found.results.items():
            outcome, model = key.split("/", 1)
            yield (outcome, model), partial(row.function, result.resids, **given)
    elif "result" in row.roles:
        model = study.model_of(asked)
        given = {"seed": study.seed, **given, "n_jobs": n_jobs}
        for outcome in study.outcomes_of(study.fitted[model]):
            for name in [asked.weights] if asked.weights else study.graphs_of(study.fitted[model]):
                ask = partial(_of_fit, row.function, found, f"{outcome}/{model}/{name}", given)
                yield (outcome, f"{model}/{name}"), ask
    elif "full" in row.roles:
        for smaller in asked.restricted:
            for key, full in found.fits.items():
                outcome, model, *weights = key.split("/")
                part = "/".join([outcome, smaller, *weights])
                if model == asked.full and (part in found.fits or found.failed_of(part)):
                    place = (outcome, "/".join([smaller, *weights]))
                    ask = partial(_ratio, row.function, found, part, full, given)
                    yield place, ask
    else:
        graphs = {n: g for n, g in found.graphs.items() if not isinstance(g, Mapping)}
        x = noted(panel, study.regressors)
        for outcome in study.outcome_names if "y" in row.roles else [""]:
            for name, graph in graphs.items() if "graph" in row.roles else [("", None)]:
                y = noted(panel, outcome) if outcome else None
                roles = {"y": y, "x": x, "graph": graph, "polygons": panel.polygons}
                yield (outcome, name), partial(_answer, asked, roles, given)


def _answer(asked: Entry, roles: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    if "polygons" in asked.row.roles and roles["polygons"] is None:
        raise GeometryError(
            f"{asked.kind} needs polygons, and the study has none. Give polygons under data, such "
            "as polygons: bundled:china-cities, or a layer with polygon_id."
        )
    return asked.row.function(*(roles[name] for name in asked.row.roles), **given)


def _of_fit(
    function: Callable[..., Any], found: Found, place: str, given: Mapping[str, Any]
) -> Any:
    return function(found.fit_of(place), **given)


def _ratio(
    function: Callable[..., Any], found: Found, part: str, full: Any, given: Mapping[str, Any]
) -> Any:
    return function(found.fit_of(part), full, **given)


def _frame(answer: Any) -> pd.DataFrame:
    """A frame of what is one, of a test, or of tests by name."""
    if isinstance(answer, pd.DataFrame):
        return answer
    tests = {answer.name: answer} if isinstance(answer, TestResult) else answer
    frame = tests_frame(tests)
    return frame.assign(df=[df_text(test.df) for test in tests.values()])


def _joined(frames: Mapping[tuple[str, ...], pd.DataFrame], roles: Sequence[str]) -> pd.DataFrame:
    """One frame of those by (outcome, model or weights), where there are outcomes and such."""
    if set(frames) == {("", "")}:
        return frames["", ""]
    if all(not weights for _, weights in frames):
        return pd.concat({y: frame for (y, _), frame in frames.items()}, names=["outcome"])
    return pd.concat(frames, names=["outcome", "weights" if "graph" in roles else "model"])


def _unit_roots(study: Study, found: Found, asked: Entry) -> pd.DataFrame:
    """Tests of columns, by (variable, test), under each trend if there are several."""
    policy = None if study.policy is None else study.policy.name
    used = [*study.outcome_names, *(name for name in study.regressors if name != policy)]
    x = found.data.panel[asked.columns or used]
    trends = [asked.trend] if isinstance(asked.trend, str) else asked.trend
    given = {n: v for n, v in asked.row.given(asked).items() if n not in ("trend", "columns")}
    parts = {t: asked.row.function(x, trend=t, **given) for t in trends}
    frame = pd.concat(parts, names=["trend"]) if len(parts) > 1 else parts[trends[0]]
    frame.attrs["notes"] = list(_notes_of_roots(asked, words("unit_roots", study.language)))
    return frame


def _notes_of_roots(asked: Entry, known: Mapping[str, str]) -> Iterator[str]:
    """How lags were chosen, and what the names of the table mean."""
    if isinstance(asked.lags, str):
        most = asked.max_lags
        bound = known["schwert"] if most is None else known["at most"].format(n=most)
        yield known["chosen"].format(lags=asked.lags.upper(), most=bound)
    elif list(asked.tests) != ["hadri"]:  # which has no lags
        yield known["lags"].format(lags=asked.lags)
    if asked.demean:
        yield known["demeaned"]
    if {"hadri"} < set(asked.tests):
        yield known["hadri"]
    if 1 in asked.differences:
        yield known["D"]
