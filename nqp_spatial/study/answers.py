"""What spatial models answered besides effects, as tables and as files with every row."""

from __future__ import annotations

from typing import Any

import pandas as pd

from nqp_spatial import tables
from nqp_spatial.language import labels as printed
from nqp_spatial.language.catalogue import words
from nqp_spatial.language.headings import frame_label, headed
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.record import Answer, Found
from nqp_spatial.study.schema import Study
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.style import Style, number

_WIDE = 8  # groups above which a matrix does not fit on a page
_SHOWN = 40  # effects on other groups that are shown then


def counterfactual_tables(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Means by period of each counterfactual, and outcomes of the entities that are asked for."""
    for file, counter in found.counter.items():
        name, lang = f"counterfactual-{file}", study.language
        options = {**noted, "title": frame_label(name, lang)}
        own = [_said(study, counter), words("answers", lang)["means"]]
        if "lower" in counter.said["means"]:
            own.append(_interval("mean_interval", counter, lang))
        found.tables[name] = tables.from_frame(
            headed(counter.said["means"], "counterfactual", lang),
            **{**options, "notes": [*own, *noted["notes"]]},
        )
        if counter.said["entities"] is not None:
            rows = counter.frame[counter.frame.index.isin(counter.said["entities"], level=0)]
            rows = rows[["actual", "counterfactual", "lower", "upper", "effect", "std_error"]]
            own = [_said(study, counter), _interval("interval", counter, lang)]
            found.tables[f"{name}-entities"] = tables.from_frame(
                headed(rows, "counterfactual", lang),
                **{**options, "notes": [*own, *noted["notes"]]},
            )


def _said(study: Study, counter: Answer) -> str:
    """What would have been another, in which model."""
    labels, known = study.labels, words("answers", study.language)
    parts = [
        f"{labels.get(n, n)} = {labels.get(str(v), v)}" for n, v in counter.said["values"].items()
    ]
    return known["counter"].format(
        outcome=labels.get(counter.outcome, counter.outcome),
        values=known["and"].join(parts),
        model=printed.model(counter.model, study.language),
        weights=counter.weights,
    )


def _interval(key: str, counter: Answer, lang: str) -> str:
    return words("answers", lang)[key].format(level=100 * counter.said["level"])


# ---------------------------------------------------------------- effects


def order_tables(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Effects of the variable of interest by order of neighbours, under each W."""
    lang = study.language
    for key, frame in found.by_order.items():
        outcome, model = key.split("/")
        variable = study.variable_of(model)
        own = frame.xs(variable, level="variable")
        labels = study.labels
        said = words("answers", lang)["orders"].format(
            variable=labels.get(variable, variable),
            outcome=labels.get(outcome, outcome),
            model=printed.model(model, lang),
        )
        run = [words("answers", lang)["short"]] if study.fitted[model].has("time_lag") else []
        parts = ["effects-by-order", *([outcome] if outcome != study.outcome_names[0] else [])]
        last = [k for k in found.by_order if k.startswith(f"{outcome}/")][-1]
        parts += [] if key == last else [model]
        found.tables["-".join(parts)] = tables.from_frame(
            headed(own, "effects-by-order", lang),
            title=frame_label("effects-by-order", lang),
            **{**noted, "notes": [said, *run, *noted["notes"]]},
        )


def group_tables(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """What groups send to each other: a matrix, or of many groups the largest effects."""
    lang, known, labels = study.language, words("answers", study.language), study.labels
    for file, between in found.between.items():
        name, frame = f"group-effects-{file}", between.frame
        said = known["groups"].format(
            variable=labels.get(between.said["variable"], between.said["variable"]),
            outcome=labels.get(between.outcome, between.outcome),
            model=printed.model(between.model, lang),
            weights=between.weights,
        )
        notes = [
            said,
            *([] if between.said["horizon"] is None else [known[between.said["horizon"]]]),
        ]
        groups = list(dict.fromkeys(frame.index.get_level_values("sender")))
        if len(groups) <= _WIDE:
            found.tables[name] = _matrix(frame, groups, name, study, (*notes, *noted["notes"]))
            continue
        shown, n = _largest(frame)
        notes.append(known["largest"].format(n=n, of=len(frame) - len(groups)))
        found.tables[name] = tables.from_frame(
            headed(shown, "group-effects", lang),
            title=frame_label(name, lang),
            **{**noted, "notes": [*notes, *noted["notes"]]},
        )


def _matrix(
    frame: pd.DataFrame, groups: list[Any], name: str, study: Study, notes: tuple[str, ...]
) -> tables.Table:
    """Senders in rows, receivers in columns, errors below."""
    lang, known = study.language, words("answers", study.language)
    shown = [Style(study.labels, lang, 4).text(group) for group in groups]
    rows = []
    for group, label in zip(groups, shown, strict=True):
        own = frame.loc[[(group, other) for other in groups]]
        rows.append(Row((label, *map(number, own["effect"])), "coefficient"))
        rows.append(Row(("", *(f"({number(e)})" for e in own["std_error"])), "std_error"))
    return tables.Table(
        title=frame_label(name, lang),
        header=(
            ("", known["receiver"], *[None] * (len(groups) - 1)),
            (known["sender"], *shown),
        ),
        rows=tuple(rows),
        align=("l", *["c"] * len(groups)),
        notes=(notes[0], known["errors"], *notes[1:]),
        lang=lang,
    )


def _largest(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Effects of groups on themselves, then the largest on others, and how many of these."""
    senders, receivers = (frame.index.get_level_values(i) for i in (0, 1))
    inside = senders == receivers
    order = frame.loc[~inside, "effect"].abs().sort_values(ascending=False, kind="stable").index
    kept = order[:_SHOWN]
    return pd.concat([frame[inside], frame.loc[kept]]), len(kept)


# ---------------------------------------------------------------- files


def write_rows(found: Found, folder: Folder) -> None:
    """Every entity and period, and every pair of groups, in full precision."""
    for file, counter in found.counter.items():
        path = folder.new(f"counterfactual-{file}.csv")
        counter.frame.to_csv(path, encoding="utf-8-sig")
    for file, between in found.between.items():
        path = folder.new(f"group-effects-{file}.csv")
        between.frame.to_csv(path, encoding="utf-8-sig")
