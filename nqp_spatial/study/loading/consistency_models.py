"""Models, comparisons and tables of a study file that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nqp_spatial.shared.messages import suggest
from nqp_spatial.study.loading.source import Key
from nqp_spatial.study.output.frame_words import TITLES
from nqp_spatial.study.schema import comparisons as comparisons_schema
from nqp_spatial.study.schema import models as models_schema
from nqp_spatial.study.schema.model_keys import Model
from nqp_spatial.study.schema.study import Study

Problem = tuple[Key, str]


def contradictions(study: Study) -> Iterator[Problem]:
    """Every problem with its key."""
    yield from _models_fit(study)
    yield from _robustness(study)
    for name, asked in study.heterogeneity.items():
        yield from _base(study, ("heterogeneity", name), asked.model, _SPLIT, "split into groups")
    yield from _tables(study)


def not_one_of(name: str, names: Sequence[str], what: str) -> str:
    """That nothing has this name, with the names that there are."""
    known = ", ".join(names) if names else "none"
    return f"no {what} are called {name!r}. They are: {known}.{suggest(name, names)}"


# ---------------------------------------------------------------- models


def _models_fit(study: Study) -> Iterator[Problem]:
    for name, options in study.fitted.items():
        if name in models_schema.MODELS and name != options.model:
            yield (
                ("models", name, "model"),
                f"the name {name!r} is that of another model than {options.model!r}. Choose one.",
            )
        yield from _covariance(study, name, options)
        yield from _gaps(study, name, options)
        yield from _equation(study, name, options)
        own = study.regressors_of(options)
        known = [*own, *(getattr(options, "endog", None) or [])]
        for option in _REGRESSORS:
            for i, named in enumerate(getattr(options, option, None) or []):
                if named not in known:
                    yield (
                        ("models", name, option, i),
                        (
                            f"{named!r} is not a regressor of this "
                            f"{'study' if own == study.regressors else 'model'}. They are: "
                            f"{', '.join(own)}.{suggest(named, own)}"
                        ),
                    )


_REGRESSORS = ("durbin", "predetermined", "endogenous", "regime")


def _equation(study: Study, name: str, options: Model) -> Iterator[Problem]:
    """A column has one role in a model that names its own."""
    own = [
        *([("regressor", options.regressor)] if options.regressor else []),
        *((("controls", i), c) for i, c in enumerate(options.controls or [])),
    ]
    seen = set(study.outcomes_of(options))
    for place, column in own:
        at: Key = place if isinstance(place, tuple) else (place,)
        if column in seen:
            yield ("models", name, *at), f"{column!r} is used twice in this model. Keep one."
        seen.add(column)


def _gaps(study: Study, name: str, options: Model) -> Iterator[Problem]:
    """Spatial models of a panel with gaps say what W is where entities are absent."""
    if not options.spatial:
        return
    keep, unbalanced = study.data.incomplete == "keep", getattr(options, "unbalanced", None)
    if keep and not options.gaps:
        yield (
            ("models", name),
            f"{options.model} needs every entity in every period: type incomplete: drop under "
            "data.",
        )
    elif keep and unbalanced is None:
        yield (
            ("models", name),
            "with incomplete: keep say what W is where entities are absent: unbalanced: submatrix "
            "(W among those present) or renormalised (its rows scaled back to their sums).",
        )
    elif unbalanced is not None and not keep:
        yield ("models", name, "unbalanced"), "unbalanced belongs to incomplete: keep under data."


def _covariance(study: Study, name: str, options: Model) -> Iterator[Problem]:
    """Options of a covariance stand beside the one they belong to."""
    kind = getattr(options, "cov_type", None)
    for key, owner in (("clusters", "clustered"), ("cutoff_km", "conley")):
        if getattr(options, key, None) is not None and kind != owner:
            yield ("models", name, key), f"{key} belongs to cov_type: {owner}."
    if kind == "conley" and getattr(options, "cutoff_km", None) is None:
        yield ("models", name, "cov_type"), "conley needs cutoff_km, such as cutoff_km: 300."
    if kind == "conley" and study.data.polygons is None:
        yield ("models", name, "cov_type"), "conley needs polygons under data, for distances."


# ---------------------------------------------------------------- comparisons

_SPLIT = ("fe", "pooled")
_VARIED = ("fe", "pooled", "re", "fd", "iv", "sar", "slx", "sem", "sdem", "sac", "gns", "sdm")


def _base(
    study: Study, key: Key, model: str | None, known: Sequence[str], what: str
) -> Iterator[Problem]:
    """A comparison starts from a model of the study that can be compared."""
    if model is not None and model not in study.fitted:
        yield (*key, "model"), not_one_of(model, list(study.fitted), "models")
    elif (kind := study.fitted[study.base_model(model)].model) not in known:
        yield (
            (*key, "model"),
            f"{kind} cannot be {what} here. Name a model that is one of {', '.join(known)}.",
        )


def _robustness(study: Study) -> Iterator[Problem]:
    listed = isinstance(study.robustness, list)
    given = study.robustness or []
    blocks = given if isinstance(given, list) else [given]
    if len(study.blocks) < len(blocks):
        yield ("robustness",), "two blocks have one name. Give each its own name."
    for i, block in enumerate(blocks):
        key: Key = ("robustness", i) if listed else ("robustness",)
        if block.name is not None and _is_taken(block.name):
            problem = f"a table of the name {block.name!r} is made anyhow. Choose another."
            yield (*key, "name"), problem
        found = list(_base(study, key, block.model, _VARIED, "varied"))
        yield from found
        if not found:
            yield from _varied(study, key, block)


def _varied(study: Study, key: Key, block: comparisons_schema.Robustness) -> Iterator[Problem]:
    """Terms and options of variations are those of their model."""
    options = study.fitted[study.base_model(block.model)]
    if block.weights is not None and not options.spatial:
        yield (*key, "weights"), f"{options.model} has no weights. Leave this key out."
    elif block.weights is not None and block.weights not in study.graphs_of(options):
        own = study.graphs_of(options)
        yield (*key, "weights"), not_one_of(block.weights, own, "weights of the model")
    if isinstance(options, models_schema.IV) and not all(
        isinstance(item, str) for item in options.instruments
    ):
        yield (
            (*key, "model"),
            "instruments of a regression that is varied are columns: make lags and trends under "
            "data.transforms.",
        )
    terms = study.regressors_of(options)
    fields = set(type(options).model_fields) - {"model", *options.EQUATION, *options.OWN}
    for name, varied in block.variations.items():
        at: Key = (*key, "variations", name)
        for role, names in (("drop", varied.drop or []), ("replace", list(varied.replace or {}))):
            for i, term in enumerate(names):
                if term not in terms:
                    place = i if role == "drop" else term
                    yield (*at, role, place), not_one_of(term, terms, "regressors of the model")
        for role, known in (("options", fields - options.FIT), ("fit", fields & options.FIT)):
            for option in getattr(varied, role) or {}:
                if option not in known:
                    listed = sorted(known)
                    yield (
                        (*at, role, option),
                        f"{options.model} has no such option of {role}. It has "
                        f"{', '.join(listed)}.{suggest(option, listed)}",
                    )


_RESERVED = (
    *("aggregate", "autocorrelation", "condition-index", "correlation", "descriptive", "effects"),
    *("effects-f", "effects-lm", "index-weights", "regression", "tests", "transforms", "truth"),
    *("unit-root", "vif", "weights"),
)


def _is_taken(name: str) -> bool:
    """Whether a table that is made anyhow may have this name, such as ``thresholds-fe``."""
    begins = (own for own in (*_RESERVED, *TITLES) if own != "robustness")
    return name in _RESERVED or any(name.startswith(f"{own}-") for own in begins)


def _tables(study: Study) -> Iterator[Problem]:
    names: list[str] = [*study.blocks, *(f"{name}-summary" for name in study.blocks)]
    for name, table in study.tables.items():
        each = [name, *(f"{name}-{outcome}" for outcome in study.outcome_names[1:])]
        if _is_taken(name) or set(each) & set(names):
            yield ("tables", name), f"a table of the name {name!r} is made anyhow. Choose another."
        names += each
        for i, entry in enumerate(table.models):
            model = entry.split("/", 1)[0]
            if model not in study.fitted:
                problem = not_one_of(model, list(study.fitted), "models")
                yield ("tables", name, "models", i), problem
