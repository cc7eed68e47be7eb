"""Plots and maps of a study."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from nqp_spatial.cities.layers import load_agglomerations, load_cities
from nqp_spatial.datasets.packaged import CHINA
from nqp_spatial.exceptions import DataWarning, MissingValuesError, UnstableModelError
from nqp_spatial.shared.source import Source
from nqp_spatial.study.folder import Folder
from nqp_spatial.study.log import RunLog
from nqp_spatial.study.record import Found
from nqp_spatial.study.schema import Study


def write_plots(study: Study, found: Found, folder: Folder) -> None:
    """Effects under each W, and Moran's I by period."""
    from nqp_spatial import plots

    if not study.output.plots:
        return
    notes, lang = found.data.panel.notes, study.language
    for key, effects in found.effects.items():
        frame = effects.xs(study.variable_of(key.split("/")[1]), level="variable")
        figure = plots.forest(frame, notes=notes, title=_label(study, key), lang=lang)
        _save(figure, folder, _file("forest", key, study), study)
    for outcome, moran in found.moran.items():
        drawn = plots.moran_by_period(moran, notes=notes, lang=lang).get_figure()
        _save(drawn, folder, _file("moran", f"{outcome}/", study), study)
    for name, figure in _figures(study, found):
        _save(figure, folder, name, study)


def _figures(study: Study, found: Found) -> Iterator[tuple[str, Any]]:
    """Of models that have a plot of their own, of groups and of variations."""
    lang = study.language
    for key, result in found.fits.items():
        outcome, model = key.split("/")[:2]
        main = study.fitted[model].outcome or study.outcome_names[0]
        parts = [*([] if outcome == main else [outcome]), model]
        for kind, draw in result.figures.items():
            own = {"variable": study.variable_of(model)} if kind == "quantiles" else {}
            if kind != "effects":  # which are drawn under each W, side by side
                yield "-".join([kind, *parts]), draw(lang=lang, **own).get_figure()
    for name, varied in found.robustness.items():
        for draw in varied.figures.values():
            yield name, draw(lang=lang).get_figure()
    for name, groups in found.heterogeneity.items():
        yield f"heterogeneity-{name}", groups.plot(lang=lang).get_figure()


def _label(study: Study, key: str) -> str:
    """``did → nqp``, in the printed names."""
    outcome, model = key.split("/")
    names = [study.variable_of(model), outcome]
    return " → ".join(study.labels.get(name, name) for name in names)


def _file(name: str, key: str, study: Study) -> str:
    """The name of a file: the main outcome and the last spatial model have no suffix."""
    outcome, model = key.split("/")
    parts = [name]
    if outcome != study.outcome_names[0]:
        parts.append(outcome)
    if model and model != study.spatial[-1]:
        parts.append(model)
    return "-".join(parts)


def _save(figure: Any, folder: Folder, name: str, study: Study) -> None:
    import matplotlib.pyplot as plt

    from nqp_spatial import plots

    for suffix in study.output.plots:
        plots.save(figure, folder.new("plots", f"{name}.{suffix}"))
    plt.close(figure)


def write_maps(study: Study, source: Source, found: Found, folder: Folder, log: RunLog) -> None:
    """A web map and its printed twin for each W that is mapped."""
    polygons = found.data.panel.polygons
    asked = study.output.maps is True or study.maps is not None
    main = [k for k in found.comparisons if k.startswith(f"{study.outcome_names[0]}/")]
    if polygons is None or not main:
        if asked:
            key = ("maps",) if study.maps is not None else ("output", "maps")
            lacks = "polygons under data" if polygons is None else "a spatial model"
            raise source.error(key, f"a map needs {lacks}, and the study has none.")
        log.note("no maps: the study has no polygons or no spatial model")
        return
    if study.output.maps is False:
        return
    results = found.comparisons[main[-1]].results
    variable = study.variable_of(main[-1].split("/")[1])
    fixed = [name for name in results if not study.changes(name)]
    if not fixed:
        why = "a map shows one W, and the weights of the main model change over time"
        if asked:
            raise source.error(("output", "maps"), f"{why}. Set it to false.")
        log.note(f"no maps: {why}")
    for name in study.maps if study.maps is not None else fixed[:1]:
        with source.at("weights", name):
            try:
                _map(study, results[name], name, variable, polygons, folder)
            except (UnstableModelError, MissingValuesError) as error:  # the tables say it too
                warnings.warn(f"No map under {name!r}: {error}", DataWarning, stacklevel=2)


def _map(
    study: Study, result: Any, name: str, variable: str, polygons: Any, folder: Folder
) -> None:
    import matplotlib.pyplot as plt

    from nqp_spatial import maps, plots

    options = {"lang": study.language, **_context(study)}
    page = maps.spillovers(result, polygons, variable, **options)
    figure = maps.spillovers_figure(result, polygons, variable, **options)
    page.save(str(folder.new("maps", f"spillovers-{name}.html")))
    plots.save(figure, folder.new("maps", f"spillovers-{name}.png"))
    plt.close(figure)


def _context(study: Study) -> dict[str, Any]:
    """What the bundled cities bring along: outlines of agglomerations, and the other units."""
    if study.data.polygons != CHINA:
        return {}
    background = load_cities()
    return {"agglomerations": load_agglomerations(), "background": background}
