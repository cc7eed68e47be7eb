"""What was found as tables, plots and maps: files in the language of the study."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from nqp_spatial import tables
from nqp_spatial.cities.layers import load_agglomerations, load_cities
from nqp_spatial.datasets.packaged import CHINA
from nqp_spatial.exceptions import (
    DataWarning,
    MissingValuesError,
    OptionError,
    UnstableModelError,
)
from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.language.headings import frame_label, headed
from nqp_spatial.panel import transform
from nqp_spatial.results import tests_frame
from nqp_spatial.shared.messages import first, suggest
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.tests import TestResult, df_text
from nqp_spatial.shared.values import columns
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.graphs import flat
from nqp_spatial.study.log import RunLog, told
from nqp_spatial.study.models import effects_options, stationary
from nqp_spatial.study.result import EFFECTS, Answer, Found
from nqp_spatial.study.schema import Study, printing
from nqp_spatial.tables import Table
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import Style, number
from nqp_spatial.weights import describe

_STAGES = "first-stage"
_WIDE = 8  # groups above which a matrix does not fit on a page
_SHOWN = 40  # effects on other groups that are shown then

_Columns = dict[str, Any]


@dataclass(frozen=True)
class Writer:
    """Makes the files of a study; each is named in one place."""

    study: Study
    source: Source
    found: Found
    log: RunLog

    @property
    def lang(self) -> str:
        """Of everything that is written."""
        return self.study.language

    @property
    def colon(self) -> str:
        """Between a name and what it is the name of."""
        return word("tables.colon", self.lang)

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be told of the data."""
        return self.found.data.panel.notes

    @property
    def shared(self) -> dict[str, Any]:
        """Options of every table."""
        return {"labels": self.study.labels, "lang": self.lang}

    def named(self, name: str, outcome: str) -> str:
        """The name of a file: that of the main outcome has no suffix."""
        return name if outcome == self.study.outcome_names[0] else f"{name}-{outcome}"

    def label(self, name: Any) -> str:
        """The printed name of a variable."""
        return self.study.labels.get(str(name), str(name))

    def printed(
        self,
        frame: pd.DataFrame,
        name: str,
        *,
        like: str = "",
        head: str = "",
        more: Sequence[str] = (),
        notes: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Table:
        """A frame with a title and headings in the language, and notes: ``more``, then the data's.

        ``like`` is the frame whose headings it has, if it is not called so itself.
        """
        labels = self.study.labels if labels is None else labels
        shown = headed(frame, like or name, self.lang, labels)
        own = shown.attrs.get("notes", ())  # which `from_frame` prints too
        told = (*more, *(self.notes if notes is None else notes))
        return tables.from_frame(
            shown,
            title=f"{head}{frame_label(name, self.lang)}",
            notes=[note for note in told if in_language(note, self.lang) not in own],
            labels=labels,
            lang=self.lang,
        )

    # ------------------------------------------------------------ all of them

    def all_tables(self) -> dict[str, Table]:
        """By the name of their files."""
        found, study, made = self.found, self.study, dict[str, Table]()
        outcomes = dict.fromkeys([*study.outcome_names, *(k.split("/")[0] for k in found.effects)])
        for outcome in outcomes:
            with self.log.attempt(f"{self.named('effects', outcome)}, table"):
                made |= self._effects(outcome)
        for outcome in study.outcome_names:
            if found.autocorrelation is not None:
                made[self.named("autocorrelation", outcome)] = tables.autocorrelation(
                    found.autocorrelation.xs(outcome, level="outcome"),
                    notes=self.notes,
                    **self.shared,
                )
        for parts in (
            *(self._regressions, self._tests, self._frames, self._comparisons, self._orders),
            *(self._groups, self._counterfactuals, self._laboratory, self._described),
            self._of_data,
        ):
            with self.log.attempt(f"tables: {parts.__name__.removeprefix('_')}"):
                for name, table in parts():
                    made[name] = table
        return made

    def _failures(self) -> Table:
        """What failed, where, and why."""
        frame = pd.DataFrame(
            {"message": [told(error, self.lang) for error in self.found.failures.values()]},
            index=pd.Index(list(map(self.log.say, self.found.failures)), name="place"),
        )
        return self.printed(frame, "failures")

    def _lacking(self, table: Table, models: Iterable[str], outcome: str = "") -> Table:
        """The table with a note for each of its models that failed, by default of any outcome."""
        said, notes = words("study", self.lang)["lacking"], []
        for place, error in self.found.failures.items():
            own, *rest = place.split("/", 2)
            if rest and rest[0] in models and outcome in ("", own):
                name = self._column(*rest)
                name = name if own == self.study.outcome_names[0] else f"{self.label(own)}, {name}"
                notes.append(said.format(name=name, message=told(error, self.lang)))
        return replace(table, notes=(*table.notes, *notes))

    def write(self, folder: Folder) -> None:
        """Tables in each format; every cell that was transformed; every row of answers."""
        found = self.found
        if found.failures:
            found.tables["failures"] = self._failures()
        rows = {f"counterfactual-{name}": answer.frame for name, answer in found.counter.items()}
        rows |= {f"group-effects-{name}": answer.frame for name, answer in found.between.items()}
        if found.data.transforms:
            cells = transform.cells(found.data.transforms)
            cells.to_csv(folder.new("transforms.csv"), index=False, encoding="utf-8-sig")
        for name, frame in rows.items():
            frame.to_csv(folder.new(f"{name}.csv"), encoding="utf-8-sig")
        for name, table in found.tables.items():
            for suffix in self.study.output.tables:
                table.save(folder.new("tables", f"{name}.{suffix}"))

    # ------------------------------------------------------------ effects, tests, frames

    def _effects(self, outcome: str) -> dict[str, Table]:
        """Effects under each W, in the short and the long run, and the truth of simulated data."""
        study, found, made = self.study, self.found, dict[str, Table]()
        spatial = [key for key in found.comparisons if key.startswith(f"{outcome}/")]
        for key in spatial:
            model = key.split("/")[1]
            extra = "" if key == spatial[-1] else f"-{model}"
            table = found.comparisons[key].table(
                variable=study.variable_of(model), **self.shared, **effects_options(study)
            )
            made[self.named("effects", outcome) + extra] = self._lacking(table, [model], outcome)
            if key in found.long_run:
                made[self.named("effects-long-run", outcome) + extra] = self._long_run(key)
        variable = study.variable_of(spatial[-1].split("/")[1]) if spatial else ""
        if truth := found.truth_of(outcome, variable):
            said = words("study", self.lang)
            made["truth"] = tables.from_frame(
                self._truth(spatial[-1], truth),
                title=said["truth_title"],
                lang=self.lang,
                labels={**study.labels, "rho": "ρ", "truth": said["true_value"]},
                notes=(said["drawn"].format(W=in_language(truth["W"], self.lang)), *self.notes),
            )
        return made

    def _long_run(self, key: str) -> Table:
        comparison, said = self.found.comparisons[key], words("study", self.lang)
        results = stationary(comparison)
        lacking = [name for name in comparison.results if name not in results]
        notes = (said["not_stationary"].format(names=", ".join(lacking)),) if lacking else ()
        return tables.effects(
            results,
            self.study.variable_of(key.split("/")[1]),
            horizon="long",
            title=said["long_run_title"],
            notes=notes,
            **self.shared,
        )

    def _truth(self, key: str, truth: Mapping[str, Any]) -> pd.DataFrame:
        """Rows direct, indirect, total, rho; the truth, then estimate and standard error by W."""
        variable = self.study.variable_of(key.split("/")[1])
        shown: dict[tuple[str, str], list[float]] = {
            ("truth", ""): [float(truth[name]) for name in (*EFFECTS, "rho")]
        }
        for name, result in self.found.comparisons[key].results.items():
            effects = self.found.effects[key].xs((name, variable), level=("weights", "variable"))
            for column, whole in {
                "estimate": result.params,
                "std_error": result.std_errors,
            }.items():
                values = [float(effects.loc[e, column]) for e in EFFECTS]
                shown[name, column] = [*values, float(whole.get("rho", np.nan))]
        return pd.DataFrame(shown, index=[*EFFECTS, "rho"])

    def _tests(self) -> Iterator[tuple[str, Table]]:
        """Every test of every model, with its null hypothesis."""
        rows = {
            (self.label(key.split("/")[0]), self._column(*key.split("/", 2)[1:]), name): {
                "statistic": test.statistic,
                "df": df_text(test.df) if test.df else "–",  # none of a normal distribution
                "pvalue": test.pvalue,
                "null": printed.hypothesis(test.null, self.lang, self.study.labels),
            }
            for key, tests in self.found.tests.items()
            for name, test in self._named(tests)
        }
        if rows:
            index = pd.MultiIndex.from_tuples(list(rows), names=["outcome", "model", "test"])
            yield "tests", self.printed(pd.DataFrame(list(rows.values()), index=index), "tests")

    def _named(self, tests: Mapping[str, TestResult]) -> Iterator[tuple[str, TestResult]]:
        for name, test in tests.items():
            yield printed.test_name(name, self.lang, self.study.labels), test

    def _frames(self) -> Iterator[tuple[str, Table]]:
        """What a model has besides estimates and tests, such as its first stage."""
        for key, frames in self.found.tables_of.items():
            outcome, *rest = key.split("/", 2)
            own = self.study.fitted[rest[0]].outcome is not None
            for name, frame in frames.items():
                file = "-".join([name if own else self.named(name, outcome), *rest])
                shown, head = frame.to_frame(self.lang), self._column(*rest) + self.colon
                yield file, self.printed(shown, name, head=head)

    def _comparisons(self) -> Iterator[tuple[str, Table]]:
        """Variations of a regression, and groups, each with what was found in a line below."""
        study, columns = self.study, ["estimate", "std_error", "pvalue", "nobs", "rows_left_out"]
        for name, varied in self.found.robustness.items():
            title = frame_label("robustness", self.lang)
            with self.log.attempt(f"{name}, table"), self.source.at("robustness"):
                yield name, varied.table(title=title, **printing(study.blocks[name]), **self.shared)
            frame, head = varied.to_frame()[columns], self.label(varied.focus) + self.colon
            summary = self.printed(frame, "robustness", head=head, notes=varied.notes)
            yield f"{name}-summary", summary
        for name, groups in self.found.heterogeneity.items():
            title = frame_label("heterogeneity", self.lang) + self.colon + name
            options, place = printing(study.heterogeneity[name]), f"heterogeneity: {name}, table"
            with self.log.attempt(place), self.source.at("heterogeneity", name):
                table = groups.table(title=title, **options, **self.shared)
                yield f"heterogeneity-{name}", table

    # ------------------------------------------------------------ data and diagnostics

    def _described(self) -> Iterator[tuple[str, Table]]:
        """Descriptive statistics, correlations, and the other diagnostics."""
        study, panel, asked = self.study, self.found.data.panel, self.study.diagnostics
        at = self.source.at("diagnostics", "descriptive")
        with self.log.attempt("descriptive"), at:
            shown = asked.descriptive or self._used()
            yield "descriptive", tables.descriptive(panel, columns=shown, **self.shared)
        if asked.correlation:
            named = asked.correlation if isinstance(asked.correlation, list) else None
            shown = named or [*study.outcome_names, *study.regressors]
            at = self.source.at("diagnostics", "correlation")
            with self.log.attempt("correlation"), at:
                yield "correlation", tables.correlation(panel, columns=shown, **self.shared)
        for name, frame in self.found.diagnostics.items():
            labels = dict(study.labels)
            if name == "unit-root":  # without df, which is that of the normal
                labels = {f"D.{n}": f"D.{label}" for n, label in labels.items()} | labels
                attrs, frame = frame.attrs, frame.drop(columns="df")
                frame.attrs = dict(attrs)
            yield name, self.printed(frame, name, labels=labels)
        for name, path in self.found.paths.items():
            yield name, path.table(title=frame_label(name, self.lang), **self.shared)

    def _used(self) -> list[str]:
        """Columns of the models with numbers, those that all share first."""
        study, panel = self.study, self.found.data.panel
        named = (c for options in study.fitted.values() for c in columns(options))
        own = [name for _, name, of in named if of.kind != "labels"]
        used = dict.fromkeys([*study.outcome_names, *study.regressors, *own])
        return [name for name in used if pd.api.types.is_numeric_dtype(panel[name].dtype)]

    def _of_data(self) -> Iterator[tuple[str, Table]]:
        """Weights, what was done to columns, indices and what they found besides."""
        data, noted = self.found.data, {**self.shared, "notes": self.notes}
        if self.found.graphs:
            names = [name for name in self.study.weights if self.study.changes(name)]
            said = words("study", self.lang)["changing"].format(names=", ".join(names))
            notes = [*([said] if names else []), *self.notes]
            shown = describe(flat(self.found.graphs, every=False))
            yield "weights", tables.weights(shown, **{**noted, "notes": notes})
        if data.transforms:
            counts = transform.counts(data.transforms)
            yield "transforms", self.printed(counts, "transforms")
        for outcome, index in data.indices.items():
            name = "index-weights" if len(data.indices) == 1 else f"index-weights-{outcome}"
            yield name, tables.index_weights(index.weights, **noted)
            if "indicators" in index.frames:
                table = index.frames["indicators"].to_frame(self.lang)
                table.attrs = {}  # whose notes are those of the data
                name = name.replace("index-weights", "indicators")
                yield name, tables.index_weights(table, digits=2, **noted)
        for name, frame in data.step_frames.items():
            yield name, self.printed(frame, name)

    # ------------------------------------------------------------ regressions

    def _regressions(self) -> Iterator[tuple[str, Table]]:
        """Those of ``tables``, then the models that none of them has, of every outcome.

        The models of a further outcome stand to the right of those of the first; a model with an
        outcome of its own stands beside those of the main outcome.
        """
        taken = set[str]()
        for name, asked in self.study.tables.items():
            models = list(dict.fromkeys(entry.split("/", 1)[0] for entry in asked.models))
            shown: list[tuple[str, Any]] = []
            of: list[int] = []  # the entry of each column
            for outcome in self.study.outcome_names:
                for i, entry in enumerate(asked.models):
                    place = f"{self.named(name, outcome)}, table: {entry}"
                    with self.log.attempt(place), self.source.at("tables", name, "models", i):
                        shown += self._entry(outcome, entry, alone=len(models) == 1).items()
                    of += [i] * (len(shown) - len(of))
            taken |= set(models)
            if shown:
                options = {"title": asked.title, **printing(asked)}
                if heads := asked.heads:  # of entries, each of which may be several columns
                    whole = len(heads) == len(asked.models)
                    options["heads"] = [heads[i] for i in of] if whole else heads
                with self.log.attempt(f"{name}, table"), self.source.at("tables", name):
                    table = self._side_by_side(shown, **options)
                    yield name, self._lacking(table, models)
        rest: dict[str, list[tuple[str, Any]]] = {}  # of one regression, and of each of several
        of_rest: dict[str, list[str]] = {}
        for outcome in self.study.outcome_names:
            for model in (name for name in self.study.fitted if name not in taken):
                parts = self._parts(outcome, model)
                alone = list(parts) != [""] and not self.study.fitted[model].row.spatial
                named = self._part if alone else self._column
                name = f"regression-{model}" if alone and parts else "regression"
                rest.setdefault(name, []).extend((named(model, n), r) for n, r in parts.items())
                of_rest.setdefault(name, []).append(model)
        for name, shown in rest.items():
            if shown:
                with self.log.attempt(f"{name}, table"):
                    yield name, self._lacking(self._side_by_side(shown), of_rest[name])

    def _parts(self, outcome: str, model: str) -> _Columns:
        """Results of a model by part, "" for that of a single regression.

        Empty for a model with an outcome of its own beside an outcome that is not the main one.
        """
        own = self.study.fitted[model].outcome
        if own is not None and outcome != self.study.outcome_names[0]:
            return {}
        key = f"{own or outcome}/{model}"
        return {
            place[len(key) + 1 :]: result
            for place, result in self.found.results.items()
            if place == key or place.startswith(f"{key}/")
        }

    def _entry(self, outcome: str, entry: str, *, alone: bool) -> _Columns:
        """Columns of ``model`` or ``model/part``.

        Raises
        ------
        OptionError
            A part that the model does not have.
        """
        model, _, part = entry.partition("/")
        parts = self._parts(outcome, model)
        if not parts:
            return {}
        stages = self._stages(outcome, model)
        if part == _STAGES and stages:
            parts = stages
        elif part:
            if part not in parts:
                known = [*(name for name in parts if name), *([_STAGES] if stages else [])]
                raise OptionError(
                    f"{model!r} has no part {part!r}. It has {first(known, 12) or 'none'}."
                    + suggest(part, known)
                )
            parts = {part: parts[part]}
        several = alone and list(parts) != [""]
        name = self._part if several else self._column
        return {name(model, own): result for own, result in parts.items()}

    def _column(self, model: str, part: str = "") -> str:
        """``SDM: adjacency``."""
        label = printed.model(model, self.lang)
        return self.colon.join([label, *([self._part(model, part)] if part else [])])

    def _part(self, model: str, part: str) -> str:
        """A part in the language of the study; most are names of the user's, or numbers."""
        if self.study.fitted[model].kind != "mediation":
            return part
        return printed.mediation_part(part, self.lang)

    def _stages(self, outcome: str, model: str) -> _Columns:
        """First stages of instrumental variables, one for each endogenous regressor."""
        fit = self.found.fits.get(f"{self.study.fitted[model].outcome or outcome}/{model}")
        stages = getattr(getattr(fit, "first_stage", None), "parts", {})
        title = frame_label(_STAGES, self.lang)
        one = len(stages) == 1
        return {title if one else f"{title}, {name}": stage for name, stage in stages.items()}

    def _side_by_side(self, shown: Sequence[tuple[str, Any]], **options: Any) -> Table:
        """The results side by side; slopes of a threshold by the regime in words."""
        labels = self.study.labels
        regimes = [own for _, r in shown if (own := r.labels(self.lang))]
        if len(regimes) == 1:
            labels = {**regimes[0], **labels}
        options = {"columns": [name for name, _ in shown], **options}
        results = [result for _, result in shown]
        return tables.regression(results, labels=labels, lang=self.lang, **options)

    # ------------------------------------------------------------ answers of spatial models

    def _counterfactuals(self) -> Iterator[tuple[str, Table]]:
        """Means by period of each counterfactual, and outcomes of the entities asked for."""
        said = words("answers", self.lang)
        for file, counter in self.found.counter.items():
            name, means = f"counterfactual-{file}", counter.said["means"]
            level = 100 * counter.said["level"]
            about = said["counter"].format(
                values=said["and"].join(
                    f"{self.label(n)} = {self.label(v)}" for n, v in counter.said["values"].items()
                ),
                **self._about(counter),
            )
            notes = [about, said["means"]]
            notes += [said["mean_interval"].format(level=level)] if "lower" in means else []
            yield name, self.printed(means, name, like="counterfactual", more=notes)
            if (entities := counter.said["entities"]) is not None:
                rows = counter.frame[counter.frame.index.isin(entities, level=0)]
                rows = rows[["actual", "counterfactual", "lower", "upper", "effect", "std_error"]]
                notes = [about, said["interval"].format(level=level)]
                table = self.printed(rows, name, like="counterfactual", more=notes)
                yield f"{name}-entities", table

    def _about(self, answer: Answer) -> dict[str, str]:
        """Whose answer it is, in the printed names."""
        model = printed.model(answer.model, self.lang)
        return {"outcome": self.label(answer.outcome), "model": model, "weights": answer.weights}

    def _orders(self) -> Iterator[tuple[str, Table]]:
        """Effects of the variable of interest by order of neighbours, under each W."""
        said = words("answers", self.lang)
        for key, frame in self.found.by_order.items():
            outcome, model = key.split("/")
            variable = self.study.variable_of(model)
            about = {"outcome": self.label(outcome), "model": printed.model(model, self.lang)}
            notes = [said["orders"].format(variable=self.label(variable), **about)]
            notes += [said["short"]] if self.study.fitted[model].has("time_lag") else []
            last = [k for k in self.found.by_order if k.startswith(f"{outcome}/")][-1]
            name = self.named("effects-by-order", outcome) + ("" if key == last else f"-{model}")
            own = frame.xs(variable, level="variable")
            yield name, self.printed(own, "effects-by-order", more=notes)

    def _groups(self) -> Iterator[tuple[str, Table]]:
        """What groups send to each other: a matrix, or of many groups the largest effects."""
        said = words("answers", self.lang)
        for file, between in self.found.between.items():
            name, frame, horizon = f"group-effects-{file}", between.frame, between.said["horizon"]
            variable = self.label(between.said["variable"])
            notes = [said["groups"].format(variable=variable, **self._about(between))]
            notes += [] if horizon is None else [said[horizon]]
            groups = list(dict.fromkeys(frame.index.get_level_values("sender")))
            if len(groups) <= _WIDE:
                yield name, self._matrix(frame, groups, name, notes)
                continue
            shown, n = _largest(frame)
            notes.append(said["largest"].format(n=n, of=len(frame) - len(groups)))
            yield name, self.printed(shown, name, like="group-effects", more=notes)

    def _laboratory(self) -> Iterator[tuple[str, Table]]:
        """What each answer of difference-in-differences has: estimates, further tables, tests."""
        for place, answer in self.found.did.items():
            with self.log.attempt(f"did: {place}, tables"):
                notes = tuple(getattr(answer, "notes", ()))
                about = self._about_policy(place)
                head = f"{about}{self.colon}" if about else ""
                if answer.parts:
                    shown = {name or place: part for name, part in answer.parts.items()}
                    yield place, self._side_by_side([*shown.items()])
                for name, frame in self.found.did_frames[place].items():
                    own = frame.to_frame(self.lang)
                    yield f"{place}-{name}", self.printed(own, name, head=head, notes=notes)
                if answer.tests:
                    tests = tests_frame(answer.tests)
                    tests["df"] = [df_text(t.df) if t.df else "–" for t in answer.tests.values()]
                    tests.index = pd.Index([n for n, _ in self._named(answer.tests)], name="test")
                    yield f"{place}-tests", self.printed(tests, "did-tests", head=head)

    def _about_policy(self, place: str) -> str:
        """What of a question its tables do not say themselves: a name of the user's, the W."""
        name = max((n for n in self.study.did if place.startswith(n)), key=len)
        rest = place[len(name) :].removeprefix("-")
        own = "" if name == self.study.did[name].kind else name
        return word("tables.comma", self.lang).join(part for part in (own, rest) if part)

    def _matrix(
        self, frame: pd.DataFrame, groups: list[Any], name: str, notes: Sequence[str]
    ) -> Table:
        """Senders in rows, receivers in columns, errors below."""
        said = words("answers", self.lang)
        shown = [Style(self.study.labels, self.lang, 4).text(group) for group in groups]
        rows = []
        for group, label in zip(groups, shown, strict=True):
            own = frame.loc[[(group, other) for other in groups]]
            rows.append(Row((label, *map(number, own["effect"])), "coefficient"))
            rows.append(Row(("", *(f"({number(e)})" for e in own["std_error"])), "std_error"))
        return Table(
            title=frame_label(name, self.lang),
            header=(
                ("", said["receiver"], *[None] * (len(groups) - 1)),
                (said["sender"], *shown),
            ),
            rows=tuple(rows),
            align=("l", *["c"] * len(groups)),
            notes=(notes[0], said["errors"], *notes[1:], *self.notes),
            lang=self.lang,
        )

    # ------------------------------------------------------------ plots

    def plots(self, folder: Folder) -> None:
        """Effects under each W, Moran's I by period, and what results have of their own."""
        import matplotlib.pyplot as plt

        from nqp_spatial import plots

        if not self.study.output.plots:
            return
        for name, draw in self._figures():
            with self.log.attempt(f"{name}, plot"):
                figure = draw()
                for suffix in self.study.output.plots:
                    plots.save(figure, folder.new("plots", f"{name}.{suffix}"))
                plt.close(figure)

    def _figures(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        from nqp_spatial import plots

        study, found = self.study, self.found
        options: dict[str, Any] = {"lang": self.lang, "notes": self.notes}
        for key, effects in found.effects.items():
            outcome, model = key.split("/")
            variable = study.variable_of(model)
            name = self.named("forest", outcome)
            name += "" if model == study.spatial[-1] else f"-{model}"
            title = f"{self.label(variable)} → {self.label(outcome)}"
            frame = effects.xs(variable, level="variable")
            yield name, partial(plots.forest, frame, title=title, **options)
        for outcome, moran in found.moran.items():
            drawn = partial(_figure, plots.moran_by_period, moran, **options)
            yield self.named("moran", outcome), drawn
        for key, result in found.fits.items():
            outcome, model = key.split("/")[:2]
            main = study.fitted[model].outcome or study.outcome_names[0]
            parts = [*([] if outcome == main else [outcome]), model]
            for kind, draw in result.figures.items():
                own = {"variable": study.variable_of(model)} if kind == "quantiles" else {}
                if kind != "effects":  # which are drawn under each W, side by side
                    yield "-".join([kind, *parts]), partial(_figure, draw, lang=self.lang, **own)
        for name, answer in {**found.did, **found.drawn}.items():
            for kind in (k for k in answer.figures if k != "effects"):  # of all regressors
                draw = answer.figures[kind]
                yield f"{name}-{kind}", partial(_figure, draw, lang=self.lang)
        for name, varied in found.robustness.items():
            for draw in varied.figures.values():
                yield name, partial(_figure, draw, lang=self.lang)
        for name, groups in found.heterogeneity.items():
            yield f"heterogeneity-{name}", partial(_figure, groups.plot, lang=self.lang)

    # ------------------------------------------------------------ maps

    def maps(self, folder: Folder) -> None:
        """A web map and its printed twin for each W that is mapped."""
        study, polygons = self.study, self.found.data.panel.polygons
        asked = study.output.maps is True or study.maps is not None
        main = self.found.main_of(study)
        if main is None and study.mapped_model is not None:
            self.log.note("no maps: the spatial models failed")
            return
        if polygons is None or main is None:
            if asked:
                key = ("maps",) if study.maps is not None else ("output", "maps")
                lacks = "polygons under data" if polygons is None else "a spatial model"
                raise self.source.error(key, f"a map needs {lacks}, and the study has none.")
            self.log.note("no maps: the study has no polygons or no spatial model")
            return
        if study.output.maps is False:
            return
        results = self.found.comparisons[main].results
        variable = study.variable_of(main.split("/")[1])
        fixed = [name for name in results if not study.changes(name)]
        if not fixed:
            why = "a map shows one W, and the weights of the main model change over time"
            if asked:
                raise self.source.error(("output", "maps"), f"{why}. Set it to false.")
            self.log.note(f"no maps: {why}")
        shown = [n for n in study.maps if n in results] if study.maps is not None else fixed[:1]
        for name in shown:
            with self.log.attempt(f"map: {name}"), self.source.at("weights", name):
                try:
                    self._map(results[name], name, variable, folder)
                except (UnstableModelError, MissingValuesError) as error:  # tables say it too
                    warnings.warn(f"No map under {name!r}: {error}", DataWarning, stacklevel=2)

    def _map(self, result: Any, name: str, variable: str, folder: Folder) -> None:
        import matplotlib.pyplot as plt

        from nqp_spatial import maps, plots

        options: dict[str, Any] = {"lang": self.lang}
        if self.study.data.polygons == CHINA:  # outlines, and the other units
            options |= {"agglomerations": load_agglomerations(), "background": load_cities()}
        polygons = self.found.data.panel.polygons
        named = self.study.data.polygon_name
        page = maps.spillovers(result, polygons, variable, name=named, **options)
        figure = maps.spillovers_figure(result, polygons, variable, **options)
        page.save(str(folder.new("maps", f"spillovers-{name}.html")))
        plots.save(figure, folder.new("maps", f"spillovers-{name}.png"))
        plt.close(figure)


def _figure(draw: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The figure of what gives its axes."""
    return draw(*args, **options).get_figure()


def _largest(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Effects of groups on themselves, then the largest on others, and how many of these."""
    senders, receivers = (frame.index.get_level_values(i) for i in (0, 1))
    inside = senders == receivers
    order = frame.loc[~inside, "effect"].abs().sort_values(ascending=False, kind="stable").index
    kept = order[:_SHOWN]
    return pd.concat([frame[inside], frame.loc[kept]]), len(kept)
