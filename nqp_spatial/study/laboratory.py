"""Questions of difference-in-differences: each asked of the data, or of models, by its API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from nqp_spatial.did.exposed import exposed_in_rings
from nqp_spatial.exceptions import EstimationError, GeometryError
from nqp_spatial.results import Findings, Frame
from nqp_spatial.shared.options import parameters
from nqp_spatial.shared.source import Source
from nqp_spatial.shared.values import Entry, columns
from nqp_spatial.study.data import StudyData, further
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.models import call, clusters, keeps_entities, noted, rows_of, under
from nqp_spatial.study.result import Found
from nqp_spatial.study.rows import Question
from nqp_spatial.study.schema import Study

BY_ENTITY = ("within", "groups")  # labels of entities; other columns are passed by row
SEVERAL = ("by",)  # columns and words, each by itself


def inquire(study: Study, source: Source, found: Found, log: RunLog, n_jobs: int) -> None:
    """Every question of ``did``; the answers are put into ``found``."""
    for name, asked in study.did.items():
        for outcome in study.asked_about(asked):
            for weights in study.asked_under(asked):
                own = _Ask(study, source, found, name, asked, outcome, weights, n_jobs)
                place = f"did: {own.place}"
                with log.attempt(place), source.at("did", name), log.step(place):
                    answer = own.answer()
                    frames = found.did_frames[own.place] = dict(answer.frames)
                    found.did[own.place] = answer
                    frames |= own.asked_of(answer)
                    if hasattr(answer, "panel_weights"):
                        model = study.base_of(asked)
                        found.did[f"{own.place}-{model}"] = own.on_the_matched(answer)
                        found.did_frames[f"{own.place}-{model}"] = {}


@dataclass(frozen=True)
class _Ask:
    """One question about one outcome, under one W or without any."""

    study: Study
    source: Source
    found: Found
    name: str
    asked: Entry
    outcome: str
    weights: str | None
    n_jobs: int

    @property
    def row(self) -> Question:
        own: Question = self.asked.row
        return own

    @property
    def place(self) -> str:
        """The name of its files: that of the main outcome, without weights, is its own."""
        main = self.outcome == self.study.outcome_names[0]
        return "-".join(
            [self.name, *([] if main else [self.outcome]), *([self.weights or ""])]
        ).rstrip("-")

    @property
    def data(self) -> StudyData:
        """The rows it is about."""
        if self.asked.has("model"):
            return rows_of(self.study, self.found.data, self.study.base_of(self.asked))
        if self.asked.has("where"):
            return self.found.data.where(self.asked.where, self.name)
        return self.found.data

    def answer(self) -> Findings:
        """What the API says."""
        function = self.row.function
        roles = {role: getattr(self, f"_{role}")() for role in self.row.roles}
        given = {"n_jobs": self.n_jobs, "seed": self.study.seed, **self._options()}
        if given.get("cov_type") == "conley":
            given["coordinates"] = self.data.panel.polygons
        if self.asked.has("rings") and self.asked.rings:
            places, edges = self._places(), (0.0, *self.asked.rings)
            given["exposure"] = exposed_in_rings(self._treatment(), places, edges=edges)
        if self.asked.kind == "power":
            res = self._res()
            given = {"rho": res.rho, "sigma": float(res.sigma2**0.5), **given}
        own = parameters(function)
        first = {n: v for n, v in given.items() if n in own and n not in roles}
        if "self" in roles:
            answer: Findings = getattr(roles["self"], function.__name__)(**first)
            return answer
        made = function(**roles, **first)
        if self.row.estimates:
            made = made.fit(**{n: v for n, v in given.items() if n in self.row.fit - set(own)})
        found: Findings = made
        return found

    def asked_of(self, answer: Any) -> dict[str, Frame]:
        """Tables that are made of the answer with keys of the file, such as sums by province."""
        made, given = dict[str, Frame](), self._options()
        for method, names in self.row.asks.items():
            name = method.rsplit(".", 1)[-1]
            if own := {n: given[n] for n in names if n in given}:
                made[f"{self.asked.kind}-{name}".replace("_", "-")] = Frame.of(
                    f"{self.asked.kind}-{name}".replace("_", "-"), getattr(answer, name)(**own)
                )
        return made

    def on_the_matched(self, match: Any) -> Findings:
        """The regression of the study on the rows that were matched, with their weights."""
        options = self.study.fitted[self.study.base_of(self.asked)]
        asked = call(self.study, self.data, self.outcome, options)
        weights = match.panel_weights(self._y().index)
        kept = replace(asked, options={**asked.options, "weights": weights})
        fitted: Findings = kept.specify().fit(**kept.fit)
        return fitted

    def _options(self) -> dict[str, Any]:
        """What the file says, with columns in place of their names."""
        given, panel = self.row.given(self.asked), self.data.panel
        named: dict[str, set[str]] = {}
        for key, column, _ in columns(self.asked):
            named.setdefault(str(key[0]), set()).add(column)
        for name in set(named) & set(given):
            value = given[name]
            if name == "clusters":
                given[name] = clusters(value, panel)
            elif name in BY_ENTITY:
                given[name] = panel.by_entity(value)
            elif name in SEVERAL:
                given[name] = [panel[one] if one in named[name] else one for one in value]
            else:
                given[name] = panel[value]
        return given

    # ------------------------------------------------------------ what it is asked of

    def _y(self) -> pd.Series:
        found: pd.Series = noted(self.data.panel, self.outcome)
        return found

    def _treatment(self) -> Any:
        """The policy; its name, where the question is about a model that has it."""
        assert self.study.policy is not None  # `consistency` asks for it
        name = self.study.policy.name
        of_model = {"model", "res"} & set(self.row.roles)
        return name if of_model else noted(self.data.panel, name)

    def _treated(self) -> pd.Series:
        """Who is treated at some time, in all rows."""
        assert self.study.policy is not None
        on: pd.Series = noted(self.data.panel, self.study.policy.name)
        return on.groupby(level=0).transform("max")

    def _x(self) -> pd.DataFrame | None:
        own = self.asked.controls if self.asked.has("controls") else None
        named = self.study.controls if own is None else own
        return noted(self.data.panel, list(named)) if named else None

    def _graph(self) -> Any:
        if self.weights is None:
            return None
        keeps_entities(self.found.data, self.data)
        return self.found.graphs[self.weights]

    def _places(self) -> Any:
        """Polygons, or a table with distances or times."""
        if self.asked.places is not None:
            return further(self.asked.places, ("did", self.name, "places"), self.source, self.data)
        own = parameters(self.row.function).get("places")
        needed = own is None or own.required
        if self.data.panel.polygons is None and needed:
            raise GeometryError(
                f"{self.asked.kind} needs to know how far apart places are. Give polygons under "
                "data, or places, a table with a row for each pair."
            )
        return self.data.panel.polygons

    def _fit_key(self) -> str:
        base = self.study.base_of(self.asked)
        return "/".join([self.outcome, base, *([self.weights] if self.weights else [])])

    def _res(self) -> Any:
        return self.found.fit_of(self._fit_key())

    _self = _res

    def _model(self) -> Any:
        """The specification of a model of the study, not fitted."""
        options = self.study.fitted[self.study.base_of(self.asked)]
        asked = call(self.study, self.data, self.outcome, options)
        whole = replace(asked, options=under(asked.options, self.found.graphs))
        graph = self.found.graphs[self.weights] if self.weights else None
        return whole.specify(self.weights, graph)

    def _event_study(self) -> Any:
        """What another question has made."""
        of = type(self)(
            *(self.study, self.source, self.found, self.asked.of, self.study.did[self.asked.of]),
            *(self.outcome, self.weights, self.n_jobs),
        )
        if of.place not in self.found.did:
            raise EstimationError(f"this needs {of.place}, which failed.")
        return self.found.did[of.place]
