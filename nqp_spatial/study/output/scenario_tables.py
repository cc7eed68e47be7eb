"""What spatial models answered besides effects, as tables and as files with every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial import tables
from nqp_spatial.study.fits.questions import Counter
from nqp_spatial.study.output.folder import Folder
from nqp_spatial.study.output.frame_words import frame_label, headed
from nqp_spatial.study.output.words import model_label
from nqp_spatial.study.schema.models import Dynamic
from nqp_spatial.study.schema.study import Study
from nqp_spatial.tables.frames import label_text
from nqp_spatial.tables.layout import Row
from nqp_spatial.tables.numbers import number

if TYPE_CHECKING:
    from nqp_spatial.study.record import Found

_WIDE = 8  # groups above which a matrix does not fit on a page
_SHOWN = 40  # effects on other groups that are shown then

_WORDS = {
    "en": {
        "counter": "{outcome} as it would have been with {values}, by {model} under {weights}; the "
        "errors of each cell stay what they were.",
        "means": "Means over entities. An entity is changed in a period if its own values would "
        "have been others.",
        "mean_interval": "Lower and upper bound the effect, with {level:g}% confidence.",
        "interval": "Lower and upper bound the counterfactual outcome, with {level:g}% confidence.",
        "and": ", ",
        "orders": "Of {variable} on {outcome}, {model}. Order 0 is the entity itself, order 1 its "
        "neighbours, order 2 theirs; the last sum is the whole effect.",
        "groups": "Change of the mean of {outcome} in the receiver if {variable} rises by one in "
        "all members of the sender; {model} under {weights}.",
        "short": "In the short run.",
        "long": "In the long run.",
        "errors": "Standard errors in parentheses.",
        "largest": "Effects of each group on itself, then the {n} largest in absolute value of "
        "{of} on others; all are in the .csv file of this name.",
        "sender": "Sender",
        "receiver": "Receiver",
    },
    "zh": {
        "counter": "{values}的假设下的{outcome}，依据{model} (权重矩阵{weights})；"
        "各观测的误差项保持不变。",
        "means": "各期对个体取均值。自身取值在当期改变的个体记为“改变”。",
        "mean_interval": "上下限为效应的{level:g}%置信区间。",
        "interval": "上下限为反事实结果的{level:g}%置信区间。",
        "and": "、",
        "orders": "{variable}对{outcome}的效应，{model}。0阶为自身，1阶为邻居，2阶为邻居的邻居；"
        "最后一行的累计为全部效应。",
        "groups": "发出组全体成员的{variable}各增加1时，接收组{outcome}均值的变化；{model} "
        "(权重矩阵{weights})。",
        "short": "短期效应。",
        "long": "长期效应。",
        "errors": "括号内为标准误。",
        "largest": "先列各组对自身的效应，再列{of}个对其他组的效应中绝对值最大的{n}个；"
        "全部结果见同名.csv文件。",
        "sender": "发出组",
        "receiver": "接收组",
    },
}


def counterfactual_tables(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Means by period of each counterfactual, and outcomes of the entities that are asked for."""
    for file, counter in found.counterfactuals.items():
        name, lang = f"counterfactual-{file}", study.language
        options = {**noted, "title": frame_label(name, lang)}
        own = [_said(study, counter), _WORDS[lang]["means"]]
        if "lower" in counter.means:
            own.append(_interval("mean_interval", counter, lang))
        found.tables[name] = tables.from_frame(
            headed(counter.means, "counterfactual", lang),
            **{**options, "notes": [*own, *noted["notes"]]},
        )
        if counter.entities is not None:
            rows = counter.outcomes[counter.outcomes.index.isin(counter.entities, level=0)]
            rows = rows[["actual", "counterfactual", "lower", "upper", "effect", "std_error"]]
            own = [_said(study, counter), _interval("interval", counter, lang)]
            found.tables[f"{name}-entities"] = tables.from_frame(
                headed(rows, "counterfactual", lang),
                **{**options, "notes": [*own, *noted["notes"]]},
            )


def _said(study: Study, counter: Counter) -> str:
    """What would have been another, in which model."""
    labels, words = study.labels, _WORDS[study.language]
    parts = [f"{labels.get(n, n)} = {labels.get(str(v), v)}" for n, v in counter.values.items()]
    return words["counter"].format(
        outcome=labels.get(counter.outcome, counter.outcome),
        values=words["and"].join(parts),
        model=model_label(counter.model, study.language),
        weights=counter.weights,
    )


def _interval(key: str, counter: Counter, lang: str) -> str:
    return _WORDS[lang][key].format(level=100 * counter.level)


# ---------------------------------------------------------------- effects


def order_tables(study: Study, found: Found, noted: dict[str, Any]) -> None:
    """Effects of the variable of interest by order of neighbours, under each W."""
    lang = study.language
    for key, frame in found.by_order.items():
        outcome, model = key.split("/")
        variable = study.variable_of(model)
        own = frame.xs(variable, level="variable")
        labels = study.labels
        said = _WORDS[lang]["orders"].format(
            variable=labels.get(variable, variable),
            outcome=labels.get(outcome, outcome),
            model=model_label(model, lang),
        )
        run = [_WORDS[lang]["short"]] if isinstance(study.fitted[model], Dynamic) else []
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
    lang, words, labels = study.language, _WORDS[study.language], study.labels
    for file, between in found.group_effects.items():
        name, frame = f"group-effects-{file}", between.effects
        said = words["groups"].format(
            variable=labels.get(between.variable, between.variable),
            outcome=labels.get(between.outcome, between.outcome),
            model=model_label(between.model, lang),
            weights=between.weights,
        )
        notes = [said, *([] if between.horizon is None else [words[between.horizon]])]
        groups = list(dict.fromkeys(frame.index.get_level_values("sender")))
        if len(groups) <= _WIDE:
            found.tables[name] = _matrix(frame, groups, name, study, (*notes, *noted["notes"]))
            continue
        shown, n = _largest(frame)
        notes.append(words["largest"].format(n=n, of=len(frame) - len(groups)))
        found.tables[name] = tables.from_frame(
            headed(shown, "group-effects", lang),
            title=frame_label(name, lang),
            **{**noted, "notes": [*notes, *noted["notes"]]},
        )


def _matrix(
    frame: pd.DataFrame, groups: list[Any], name: str, study: Study, notes: tuple[str, ...]
) -> tables.Table:
    """Senders in rows, receivers in columns, errors below."""
    lang, words = study.language, _WORDS[study.language]
    shown = [label_text(group, lang, study.labels, {}) for group in groups]
    rows = []
    for group, label in zip(groups, shown, strict=True):
        own = frame.loc[[(group, other) for other in groups]]
        rows.append(Row((label, *map(number, own["effect"])), "coefficient"))
        rows.append(Row(("", *(f"({number(e)})" for e in own["std_error"])), "std_error"))
    return tables.Table(
        title=frame_label(name, lang),
        header=(
            ("", words["receiver"], *[None] * (len(groups) - 1)),
            (words["sender"], *shown),
        ),
        rows=tuple(rows),
        align=("l", *["c"] * len(groups)),
        notes=(notes[0], words["errors"], *notes[1:]),
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
    for file, counter in found.counterfactuals.items():
        path = folder.new(f"counterfactual-{file}.csv")
        counter.outcomes.to_csv(path, encoding="utf-8-sig")
    for file, between in found.group_effects.items():
        path = folder.new(f"group-effects-{file}.csv")
        between.effects.to_csv(path, encoding="utf-8-sig")
