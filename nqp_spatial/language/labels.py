"""Printed names of parameters, statistics, standard errors, frames and models."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from nqp_spatial.language.catalogue import both, word, words
from nqp_spatial.shared.notes import Note, in_language


def label(name: object, labels: Mapping[str, str], known: Mapping[str, str]) -> str:
    """The printed name: the caller's label, ours for this context, or the name itself.

    A variable of the user's that happens to be called "time" or "I" must keep its name in a
    regression, so each context has a section of its own: ``known`` is ``words(section, lang)``.
    """
    key = str(name)
    return labels.get(key, known.get(key, key))


def parameter(name: str, lang: str, labels: Mapping[str, str], names: Collection[str]) -> str:
    """The printed name of a parameter.

    ``W_x`` becomes ``W×x`` only where x is a parameter too: a variable of the user's own whose
    name happens to begin with W_ keeps it.
    """
    known = words("parameters", lang)
    if name not in labels and name.startswith("W_") and name[2:] in names:
        return f"W×{label(name[2:], labels, known)}"
    return label(name, labels, known)


def statistic(name: str, lang: str, labels: Mapping[str, str]) -> str:
    """The printed name of a fit statistic; every kind of R-squared keeps its kind."""
    known = {**words("rows-test", lang), **words("statistics", lang)}
    if name in labels or not name.startswith("rsquared"):
        return label(name, labels, known)
    kind = name.removeprefix("rsquared").lstrip("_").replace("_", " ")
    return known.get(name.replace(" ", "_"), word("tables.rsquared", lang).format(kind))


def covariance(cov_type: str, lang: str, labels: Mapping[str, str]) -> str:
    """The kind of standard error in words; unknown kinds as they are.

    ``clustered by entity and province`` names its clusters by their labels.
    """
    kind, by, clusters = cov_type.partition(" by ")
    if not by or kind != "clustered":
        return label(cov_type, {}, words("covariances", lang))
    known = words("clusters", lang)
    names = (label(cluster, labels, known) for cluster in clusters.split(" and "))
    return word("tables.clustered", lang).format(word("tables.both", lang).join(names))


_ZERO = re.compile(r"(.+?) = 0(?:\.0+)?")
_SYMBOLS = {"rho": "ρ", "lambda": "λ", "theta": "θ", "beta": "β", "tau": "τ", "eta": "η"}
_SYMBOL = re.compile(rf"(?<![A-Za-z_])({'|'.join(_SYMBOLS)})(?![A-Za-z_])")  # beside Chinese too
_NULLS = {  # of restrictions that mean something as they are: a word of the section "nulls"
    ("rho",): "rho",
    ("lambda",): "lambda",
    ("tau", "eta"): "static",
    ("tau",): "static",
    ("eta",): "space_time",
}


def hypothesis(
    null: object, lang: str, labels: Mapping[str, str], names: Collection[str] = ()
) -> str:
    """A null hypothesis in words: what zero means, printed names of parameters, Greek letters.

    ``names`` are parameters, for lags (``W_x``) of which only one is tested.
    """
    text = str(in_language(null, lang))
    known = words("nulls", lang)
    if text in known:
        return known[text]
    model, _, whole = text.partition(" in ")
    if whole and {model, whole} <= set(words("model_names", "en")):
        both_names = (model_name(one, lang) for one in (model, whole))
        return known["nested"].format(*both_names)
    zero = [_ZERO.fullmatch(part) for part in text.split(", ")]
    tested = tuple(match[1] for match in zero if match)
    if len(tested) < len(zero) or " = " in "".join(tested):
        return _SYMBOL.sub(lambda found: _SYMBOLS[found[0]], text)
    if tested in _NULLS:
        return known[_NULLS[tested]]
    every = {*names, *tested, *(n[2:] for n in tested if n.startswith("W_"))}
    shown = (parameter(name, lang, labels, every) for name in tested)
    return known["lags" if all(n.startswith("W_") for n in tested) else "zero"].format(
        word("tables.and", lang).join(shown)
    )


def test_name(name: object, lang: str, labels: Mapping[str, str]) -> str:
    """The printed name of a test, of which parts are parted by a slash."""
    known = {**words("rows-indirect-model", lang), **words("rows-test", lang)}
    return word("tables.and", lang).join(label(p, labels, known) for p in str(name).split("/"))


def title(name: str) -> Note:
    """The title of a frame of a result; its name where there is none."""
    return both(f"frames.{name}") if name in words("frames", "en") else Note(name)


def model(name: str, lang: str = "en") -> str:
    """The printed name of a model of a study; a name of the user's own stays as it is."""
    return label(name, {}, words("models", lang))


def model_name(name: str, lang: str) -> str:
    """The printed name of a model as its result has it, such as one with random effects."""
    known = words("model_names", lang)
    if name in known:
        return known[name]
    for ending, form in words("model_endings", lang).items():
        if name.endswith(ending):
            return form.format(model_name(name.removesuffix(ending), lang))
    begins = [own for own in known if name.startswith(f"{own} (")]
    return known[begins[0]] + name.removeprefix(begins[0]) if begins else name


def mediation_part(name: str, lang: str) -> str:
    """The printed name of a regression of a mediation, such as that of its mediator."""
    known = words("mediation_parts", lang)
    kind, _, mediator = name.partition(" ")
    form = known.get(name) or known.get(kind.rstrip(":"), name)
    return form.format(name=mediator)
