"""Printed names of parameters, statistics, standard errors, frames and models."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from nqp_spatial.language.catalogue import both, word, words
from nqp_spatial.shared.notes import Note


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
    return name


def mediation_part(name: str, lang: str) -> str:
    """The printed name of a regression of a mediation, such as that of its mediator."""
    known = words("mediation_parts", lang)
    kind, _, mediator = name.partition(" ")
    form = known.get(name) or known.get(kind.rstrip(":"), name)
    return form.format(name=mediator)
