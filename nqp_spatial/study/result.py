"""What a study found, as the steps put it together; `StudyResult` with its summary in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nqp_spatial.comparison import Heterogeneity
from nqp_spatial.comparison.robustness import Robustness
from nqp_spatial.comparison.specification import SpecificationPath
from nqp_spatial.comparison.weights import WeightComparison
from nqp_spatial.exceptions import EstimationError
from nqp_spatial.language import labels
from nqp_spatial.language.catalogue import word, words
from nqp_spatial.language.messages import in_language as in_words
from nqp_spatial.panel.panel import PanelData
from nqp_spatial.panel.transform import Report
from nqp_spatial.results import Findings, Frame, Results, TestResult
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.text import lines_of, stars, width
from nqp_spatial.study.data import StudyData
from nqp_spatial.study.graphs import Weights
from nqp_spatial.study.log import told
from nqp_spatial.study.schema import Study
from nqp_spatial.tables import Table

EFFECTS = ("direct", "indirect", "total")
_TRUE_OUTCOME = "nqp"  # of load_simulated_clusters


@dataclass(frozen=True, eq=False)
class Answer:
    """What a spatial model answered to a question under one W.

    Attributes
    ----------
    frame : DataFrame
        As the method of the results gives it.
    said : dict of str to object
        What is told of it besides, such as ``level`` or ``horizon``.
    """

    outcome: str
    model: str
    weights: str
    frame: pd.DataFrame
    said: dict[str, Any]


@dataclass
class Found:
    """What the steps found so far.

    Attributes
    ----------
    data : StudyData
    graphs : dict of str to Graph, or to a mapping of period to Graph
        Normalised as the file says.
    autocorrelation : DataFrame or None
        Moran's I and Geary's C, index (outcome, weights, period); ``moran`` by outcome.
    results : dict of str to Results
        By ``outcome/model``, ``outcome/model/weights``, or ``outcome/model/part`` for a model of
        several regressions (quantile, mediation).
    comparisons : dict of str to WeightComparison
        By ``outcome/model``, the spatial models only.
    effects : dict of str to DataFrame
        By ``outcome/model``: index (weights, effect, variable), as the file asked for them.
    long_run : dict of str to DataFrame
        The same in the long run, of dynamic models under the weights where it is defined.
    by_order : dict of str to DataFrame
        Effects by order of neighbours, and their sums, if the file asks for them: index (weights,
        effect, variable, order).
    fits : dict of str to object
        What ``fit`` returned, such as `MediationResults`; keys as those of ``tests``.
    tests : dict of str to dict of str to TestResult
        By ``outcome/model`` or ``outcome/model/weights``, then by name.
    tables_of : dict of str to dict of str to Frame
        What some models have besides, such as "first-stage"; keys as those of ``tests``.
    robustness : dict of str to Robustness
    heterogeneity : dict of str to Heterogeneity
    between, counter : dict of str to Answer
        Effects between groups and outcomes in other worlds by name, those of a further outcome by
        ``name-outcome``.
    diagnostics : dict of str to DataFrame
        Those that the file asks for, such as "vif".
    paths : dict of str to SpecificationPath
        By ``specification-path-outcome-weights``.
    did : dict of str to Findings
        Answers to the questions of ``did`` by name, with the outcome if it is not the main one, and
        the weights: ``placebo-adjacency``; ``did_frames`` are their tables by name.
    drawn : dict of str to Findings
        Diagnostics that have figures, by the beginning of the names of their files.
    tables : dict of str to Table
        By the name of their files.
    failures : dict of str to Exception
        What failed and cost no other, by its place: ``outcome/model`` or
        ``outcome/model/weights``, the name of a comparison, question, diagnostic or table.
    """

    data: StudyData
    graphs: dict[str, Weights]
    autocorrelation: pd.DataFrame | None = None
    moran: dict[str, pd.DataFrame] = field(default_factory=dict)
    results: dict[str, Results] = field(default_factory=dict)
    comparisons: dict[str, WeightComparison] = field(default_factory=dict)
    effects: dict[str, pd.DataFrame] = field(default_factory=dict)
    long_run: dict[str, pd.DataFrame] = field(default_factory=dict)
    by_order: dict[str, pd.DataFrame] = field(default_factory=dict)
    fits: dict[str, Any] = field(default_factory=dict)
    tests: dict[str, dict[str, TestResult]] = field(default_factory=dict)
    tables_of: dict[str, dict[str, Frame]] = field(default_factory=dict)
    robustness: dict[str, Robustness] = field(default_factory=dict)
    heterogeneity: dict[str, Heterogeneity] = field(default_factory=dict)
    between: dict[str, Answer] = field(default_factory=dict)
    counter: dict[str, Answer] = field(default_factory=dict)
    diagnostics: dict[str, pd.DataFrame] = field(default_factory=dict)
    paths: dict[str, SpecificationPath] = field(default_factory=dict)
    did: dict[str, Findings] = field(default_factory=dict)
    did_frames: dict[str, dict[str, Frame]] = field(default_factory=dict)
    drawn: dict[str, Findings] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)

    def fit_of(self, key: str) -> Any:
        """The fit of this key.

        Raises
        ------
        EstimationError
            It failed.
        """
        if key not in self.fits:
            raise EstimationError(f"this needs {key}, which failed.")
        return self.fits[key]

    def failed_of(self, key: str) -> dict[str, Exception]:
        """Failures of ``outcome/model``: under its weights, of its tests."""
        return {p: e for p, e in self.failures.items() if p == key or p.startswith(f"{key}/")}

    def main_of(self, study: Study) -> str | None:
        """``outcome/model`` of the main outcome and its last spatial model: SDM-DiD before SDM."""
        own = [k for k in self.comparisons if k.startswith(f"{study.outcome_names[0]}/")]
        return own[-1] if own else None

    def truth_of(self, outcome: str, variable: str) -> Mapping[str, Any] | None:
        """The truth of simulated data, if it is about this outcome and this regressor.

        An index of the simulated indicators follows the outcome, and has no truth of its own. The
        truths of simulated studies are about more than one regressor, in words.
        """
        truth = self.data.truth
        about = truth is not None and truth.get("variable") == variable
        return truth if about and outcome == _TRUE_OUTCOME else None


@dataclass(kw_only=True, eq=False, repr=False)
class StudyResult(Found):
    """What `run_study` found, as `Found` has it, and wrote.

    Attributes
    ----------
    study : Study
        The study file, checked, with its defaults.
    warnings : tuple of str
    output : Path
        The folder, and ``files`` written in it.
    seconds : float
    """

    study: Study
    warnings: tuple[str, ...]
    output: Path
    files: tuple[Path, ...]
    seconds: float

    @property
    def panel(self) -> PanelData:
        """The sample, with the outcome and the policy as columns."""
        return self.data.panel

    @property
    def frames(self) -> Mapping[str, Mapping[str, pd.DataFrame]]:
        """What some models have besides, such as "first-stage"; keys as those of ``tests``."""
        lang = self.study.language
        return {
            key: {name: frame.to_frame(lang) for name, frame in own.items()}
            for key, own in self.tables_of.items()
        }

    @property
    def group_effects(self) -> Mapping[str, pd.DataFrame]:
        """By name: what `SpatialResults.group_effects` gives."""
        return {name: answer.frame for name, answer in self.between.items()}

    @property
    def counterfactuals(self) -> Mapping[str, pd.DataFrame]:
        """By name: what `SpatialResults.counterfactual` gives."""
        return {name: answer.frame for name, answer in self.counter.items()}

    @property
    def indices(self) -> Mapping[str, Any]:
        """IndexResult, PCAResult or TopsisResult by outcome."""
        return self.data.indices

    @property
    def transforms(self) -> tuple[Report, ...]:
        """What each step of ``data.transforms`` did to which cells."""
        return tuple(self.data.transforms)

    @property
    def truth(self) -> Mapping[str, Any] | None:
        """Parameters that simulated data were drawn with."""
        return self.data.truth

    @property
    def simulated(self) -> bool:
        """Whether the data are."""
        return self.data.simulated

    @property
    def comparison(self) -> WeightComparison | None:
        """The main outcome under each W by the last spatial model; None if there is none."""
        return self.comparisons.get(self.main) if self.main else None

    @property
    def main(self) -> str | None:
        """``outcome/model`` of `comparison`."""
        return self.main_of(self.study)

    @property
    def index(self) -> Any:
        """The first computed index, or None."""
        return next(iter(self.indices.values()), None)

    @property
    def variable(self) -> str:
        """The regressor whose effects are shown: policy, regressor, or the first control."""
        return self.study.regressors[0]

    def summary(self, lang: str | None = None) -> str:
        """What was run, the effects under each W, and where the files are."""
        lang = lang or self.study.language
        said = words("study", lang)
        parts = [self._head(said)]
        parts += [self._block(key, said, lang) for key in self.comparisons]
        if not self.comparisons:
            parts.append(self._regressions(said))
        parts += [self._varied(name, said) for name in self.robustness]
        parts += [self._grouped(name, said) for name in self.heterogeneity]
        parts += [self._asked(said, lang)] if self.did else []
        parts += [self._failed(said, lang)] if self.failures else []
        parts.append(self._tail(said, lang))
        return "\n\n".join(part for part in parts if part)

    def __repr__(self) -> str:
        return self.summary()

    def _head(self, said: Mapping[str, str]) -> str:
        panel, treated = self.panel, ""
        if self.study.policy is not None:
            on = panel[self.variable].groupby(level=0).max()
            treated = said["treated"].format(name=self.variable, n=int(on.sum()))
        sample = said["sample"].format(
            n=panel.n_entities, t=panel.n_periods, first=panel.periods[0], last=panel.periods[-1]
        )
        lines = [self.study.title or said["untitled"], f"{sample}{treated}"]
        if self.simulated:
            lines.insert(1, said["simulated"])
        return "\n".join(lines)

    def _block(self, key: str, said: Mapping[str, str], lang: str) -> str:
        """One model: a line for each W, and one for the truth of simulated data."""
        outcome, model = key.split("/")
        variable = self.study.variable_of(model)
        title = said["effects"].format(
            variable=variable, outcome=outcome, model=labels.model(model, lang)
        )
        header = ["W", *(said[e] for e in EFFECTS), "rho", "R2"]
        rows = [self._row(key, name) for name in self.comparisons[key].results]
        if truth := self.truth_of(outcome, variable):
            values = [f"{truth[e]:.4f}" for e in (*EFFECTS, "rho")]
            rows.append([said["truth"], *values, ""])
        return "\n".join([title, *aligned([header, *rows])])

    def _row(self, key: str, name: str) -> list[str]:
        variable = self.study.variable_of(key.split("/")[1])
        effects = self.effects[key].xs((name, variable), level=("weights", "variable"))
        result = self.comparisons[key].results[name]
        cells = [_cell(effects.loc[e]) for e in EFFECTS]
        return [name, *cells, f"{result.rho:.4f}", _plain(result.rsquared.get("within"))]

    def _regressions(self, said: Mapping[str, str]) -> str:
        rows = []
        for key, result in self.results.items():
            variable = self.study.variable_of(key.split("/")[1])
            for name in result.params.index:
                if name == variable or name.startswith(f"{variable}["):  # of a regime
                    told = key if name == self.variable else f"{key}, {name}"
                    rows.append([told, _cell(result.to_frame().loc[name])])
        lines = aligned(rows) if rows else []
        return "\n".join([said["coefficients"].format(variable=self.variable), *lines])

    def _varied(self, name: str, said: Mapping[str, str]) -> str:
        varied = self.robustness[name]
        head = said["robustness"].format(name=name, variable=varied.focus)
        rows = [[label, _cell(row)] for label, row in varied.to_frame().iterrows()]
        return "\n".join([head, *aligned([[str(a), b] for a, b in rows])])

    def _grouped(self, name: str, said: Mapping[str, str]) -> str:
        groups = self.heterogeneity[name]
        variable = groups.variables[0]
        head = said["heterogeneity"].format(name=name, variable=variable)
        frame = groups.estimates(variable).droplevel("variable")
        return "\n".join([head, *aligned([[str(g), _cell(row)] for g, row in frame.iterrows()])])

    def _asked(self, said: Mapping[str, str], lang: str) -> str:
        """What the questions about the policy were answered in words."""
        known = {str(note) for note in self.panel.notes}
        known |= {str(note) for result in self.results.values() for note in result.notes}
        lines: list[str] = []
        for place, answer in self.did.items():
            own = [note for note in getattr(answer, "notes", ()) if str(note) not in known]
            between = "" if lang == "zh" else " "
            text = between.join(in_language(note, lang) for note in own)
            lines += [f"  {part}" for part in lines_of(f"{place}: {text}", 94)] if own else []
        return "\n".join([said["asked"], *lines]) if lines else ""

    def _failed(self, said: Mapping[str, str], lang: str) -> str:
        """A line for each failure."""
        failed = self.failures.items()
        colon = word("tables.colon", lang)
        lines = [f"{in_words(place, lang)}{colon}{told(error, lang)}" for place, error in failed]
        wrapped = [f"  {part}" for line in lines for part in lines_of(line, 94)]
        return "\n".join([said["failed"].format(n=len(self.failures)), *wrapped])

    def _tail(self, said: Mapping[str, str], lang: str) -> str:
        lines = [said["stars"]]
        truths = [self.truth_of(outcome, self.variable) for outcome in self.study.outcome_names]
        for truth in [truth for truth in truths if truth is not None][:1]:
            lines.append(said["drawn"].format(W=in_language(truth["W"], lang)))
        if self.warnings:
            lines.append(said["warned"].format(n=len(self.warnings)))
        lines += ["", said["written"].format(n=len(self.files), folder=self.output)]
        lines += aligned(self._first(said))
        notes = [in_language(note, lang) for note in self.map_notes()]
        text = [*lines, *(["", *notes] if notes else [])]
        return "\n".join(part for line in text for part in (_wrapped(line) or [""]))

    def _first(self, said: Mapping[str, str]) -> list[tuple[str, str]]:
        """The files to open first."""
        relative = [path.relative_to(self.output).as_posix() for path in self.files]
        kinds = (
            ("tables/effects.", "open_effects"),
            *((f"tables/{name}.", "open_regression") for name in list(self.study.tables)[:1]),
            ("tables/regression.", "open_regression"),
            ("maps/", "open_map"),
            ("results.json", "open_json"),
        )
        found = []
        for start, key in kinds:
            own = [name for name in relative if name.startswith(start)]
            own.sort(key=lambda name: not name.endswith(".html"))
            if own:
                found.append((own[0], said[key]))
        return found

    def map_notes(self) -> list[str]:
        """What must be said of the polygons."""
        polygons = self.panel.polygons
        note = None if polygons is None else polygons.attrs.get("note")
        return [note] if isinstance(note, str) else []


def _cell(line: pd.Series) -> str:
    """``0.0159*** (0.0034)``; a dash where there is no estimate."""
    estimate, error = line["estimate"], line["std_error"]
    if estimate != estimate:
        return "–"
    return f"{estimate:.4f}{stars(line['pvalue'])} ({error:.4f})"


def _plain(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.4f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns of equal width; Chinese characters take two places."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = [c + " " * (w - width(c)) for c, w in zip(row, widths, strict=True)]
        lines.append(("  " + "  ".join(padded)).rstrip())
    return lines


def _wrapped(line: str) -> list[str]:
    """Sentences in lines of 96 columns; tables as they are."""
    return [line] if line.startswith("  ") else lines_of(line, 96)
