"""A study before it is run: everything that can be wrong without a fit, and what would be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial.exceptions import StudyFileError
from nqp_spatial.language import labels
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.messages import nearby
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Key
from nqp_spatial.study import graphs
from nqp_spatial.study.data import StudyData, check_names, members, prepare
from nqp_spatial.study.file import language, load
from nqp_spatial.study.log import RunLog, told
from nqp_spatial.study.models import call, keeps_entities, rows_of
from nqp_spatial.study.result import aligned
from nqp_spatial.study.run import fits, variations
from nqp_spatial.study.schema import Study


@dataclass(frozen=True, eq=False, repr=False)
class StudyCheck:
    """What `check_study` found.

    Attributes
    ----------
    path : Path
    problems : tuple of str
        Every mistake that was found, with file, line and key.
    warnings : tuple of str
    study : Study or None
        The file with its defaults; None if it cannot be read.
    data : StudyData or None
        The table, joined; None if it cannot be.
    graphs : dict of str to Graph, or to a mapping of period to Graph
        The weights that can be built.
    plan : DataFrame
        What would be fitted: index (outcome, model, weights), columns rows, entities, periods.
    lang : {"en", "zh"}
        Of the file.
    """

    path: Path
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    study: Study | None = None
    data: StudyData | None = None
    graphs: Mapping[str, graphs.Weights] = field(default_factory=dict)
    plan: pd.DataFrame = field(default_factory=pd.DataFrame)
    lang: str = "en"

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def summary(self, lang: str | None = None) -> str:
        """Mistakes, then what would be done."""
        said = words("check", lang or self.lang)
        head = said["ok" if self.ok else "wrong"].format(name=self.path.name, n=len(self.problems))
        lines = [head, *(f"  {text}".replace("\n", "\n  ") for text in self.problems)]
        if self.data is not None and self.study is not None:
            lines += ["", *self._plan(self.study, self.data, said)]
        if self.warnings:
            lines += ["", said["warnings"], *(f"  {text}" for text in self.warnings)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.summary()

    def _plan(self, study: Study, data: StudyData, said: Mapping[str, str]) -> Iterator[str]:
        panel = data.panel
        yield said["sample"].format(
            rows=panel.nobs,
            n=panel.n_entities,
            t=panel.n_periods,
            first=panel.periods[0],
            last=panel.periods[-1],
        )
        if self.graphs:
            yield said["weights"]
            flat = graphs.flat(self.graphs, every=False)
            links = said["links"]
            sizes = {n: (g.n, int((g.adjacency != 0).sum())) for n, g in flat.items()}
            yield from aligned([[n, links.format(n=k, links=m)] for n, (k, m) in sizes.items()])
        if len(self.plan):
            yield said["models"]
            rows: list[dict[str, Any]] = self.plan.to_dict("records")
            yield from aligned(
                [
                    [outcome, labels.model(model, study.language), w, said["rows"].format(**row)]
                    for (outcome, model, w), row in zip(self.plan.index, rows, strict=True)
                ]
            )
        further = [
            *study.blocks,
            *study.heterogeneity,
            *study.counterfactuals,
            *study.group_effects,
            *(name for name in study.diagnostics.row.keys if getattr(study.diagnostics, name)),
        ]
        if further:
            yield said["further"].format(names=", ".join(further))


def check_study(path: str | Path, *, overrides: Mapping[str, Any] | None = None) -> StudyCheck:
    """Everything that can be wrong with a study before anything is fitted; nothing is written.

    The file is read, its tables are read and joined, steps are carried out, weights are built on
    the entities, and every model is specified with its columns, so that roles, options and ids are
    checked. What only a fit can tell, such as a search that does not converge, is not found.

    Parameters
    ----------
    path : path
        A YAML file, see `run_study`.
    overrides : mapping of str to object, optional
        Values for keys of the file, such as ``{"data.table": "panel.csv"}``.

    Returns
    -------
    StudyCheck
        ``ok``, ``problems`` and ``plan``; it is printed as text.
    """
    path = Path(path)
    lang = language(path, overrides)
    try:
        study, source = load(path, overrides)
    except StudyFileError as error:
        return StudyCheck(path, tuple(_lines(error, lang)), lang=lang)
    log = RunLog(2 + len(study.weights), study.language)
    data: StudyData | None = None
    built: dict[str, graphs.Weights] = {}
    plan: dict[tuple[str, str, str], dict[str, int]] = {}
    with log.attempt("data"), log.step("reading data"):
        data = prepare(study, source)
        check_names(study, source, data)
    if data is None:
        for place, key, text in _files(study):
            with log.attempt(place):
                _is_there(source, key, text)
    else:
        for name in study.weights:
            with log.attempt(f"weights/{name}"):
                built |= graphs.build(study, source, data, log, [name])
        with log.step("models"):
            _specify(study, source, data, built, log, plan)
    log.close()
    problems = [line for e in log.failures.values() for line in _lines(e, study.language)]
    index = pd.MultiIndex.from_tuples(plan, names=["outcome", "model", "weights"]) if plan else None
    return StudyCheck(
        path,
        tuple(dict.fromkeys(problems)),
        tuple(text for _, text in log.warned),
        study,
        data,
        built,
        pd.DataFrame(list(plan.values()), index=index),
        study.language,
    )


def _lines(error: Exception, lang: str) -> list[str]:
    """The mistakes of an error, one by one."""
    said = told(error, lang)
    head, *rest = said.split("\n")
    several = len(rest) > 1 and all(line.startswith("  ") for line in rest[1:])  # `Source.errors`
    return [head, *(line.strip() for line in rest[1:])] if several else [said]


def _specify(
    study: Study,
    source: Source,
    data: StudyData,
    built: Mapping[str, graphs.Weights],
    log: RunLog,
    plan: dict[tuple[str, str, str], dict[str, int]],
) -> None:
    """Every model under its weights, every variation and every group, without a fit."""
    for outcome, model in fits(study):
        options = study.fitted[model]
        with log.attempt(f"{outcome}/{model}"), source.at("models", model):
            used = rows_of(study, data, model)
            asked = call(study, used, outcome, options)
            if options.row.spatial:
                keeps_entities(data, used)
            panel = used.panel
            size = {"rows": panel.nobs, "entities": panel.n_entities, "periods": panel.n_periods}
            for name in study.graphs_of(options) if options.row.spatial else [""]:
                if name == "" or name in built:
                    with log.attempt(f"{outcome}/{model}/{name}"), source.at("models", model):
                        asked.specify(name or None, built.get(name))
                        plan[outcome, model, name] = size
    for name, (key, block) in zip(study.blocks, study.block_keys, strict=True):
        with log.attempt(name), source.at(*key):
            used = rows_of(study, data, study.base_model(block.model))
            variations(source, name, key, block, used.panel, log)
    for name, groups in study.heterogeneity.items():
        with log.attempt(f"heterogeneity/{name}"), source.at("heterogeneity", name):
            used = rows_of(study, data, study.base_model(groups.model)).where(groups.where, name)
            if used.panel[groups.by].dropna().nunique() < 2:
                said = f"{groups.by!r} has one group only: there is nothing to compare."
                raise source.error(("heterogeneity", name, "by"), said)
    for name, between in study.group_effects.items():
        with log.attempt(f"group_effects/{name}"):
            members(between, ("group_effects", name), source, data)


def _files(study: Study) -> Iterator[tuple[str, Key, str]]:
    """Files that entries name, where the data cannot be read, so that nothing else can be tried."""
    for name, entry in study.weights.items():
        for key in ("path", "table", "membership"):
            text = entry.said.get(key)
            if not isinstance(text, str) or text in study.data.tables or "{period}" in text:
                continue
            if not text.startswith("bundled:"):
                yield f"weights/{name}/{key}", ("weights", name, key), text
    for i, merge in enumerate(study.data.merge):
        if not merge.table.startswith("bundled:"):
            yield f"merge/{i}", ("data", "merge", i, "table"), merge.table


def _is_there(source: Source, key: Key, text: str) -> None:
    path = source.file(key, text)
    if not path.is_file():
        raise source.error(key, f"there is no file {str(path)!r}.{nearby(path)}")
