"""Matplotlib figures of effects and of spatial dependence.

Every function returns its Axes or Figure, shows nothing, and leaves matplotlib's settings alone.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, OptionError, OutputError
from nqp_spatial.language.catalogue import words
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.width import lines_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 16  # of notes, to an inch
LATIN = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")
CJK = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Heiti SC",
    "Hiragino Sans GB",
)
# Okabe and Ito's colours, told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
_HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


def installed(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that matplotlib finds on this machine, in their order."""
    from matplotlib import font_manager

    here = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in names if name in here]


@contextmanager
def fonts() -> Iterator[None]:
    """Settings of every figure here: a Latin font, a Chinese one behind it, text kept as text.

    Examples
    --------
    >>> with fonts():
    ...     figure, ax = plt.subplots()
    """
    import matplotlib as mpl

    settings = {
        "font.family": installed(LATIN) + installed(CJK)[:1],
        "font.size": 9.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.titlesize": 10.0,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "svg.fonttype": "none",
    }
    # Some Chinese fonts have no "normal" weight; matplotlib takes the nearest and logs a line.
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        logger.setLevel(level)


def check_glyphs(figure: Figure) -> None:
    """Warn if the figure has Chinese text and no font here can draw it.

    Warns
    -----
    DataWarning
        Names the font packages to install.
    """
    from matplotlib.text import Text

    texts = [text.get_text() for text in figure.findobj(Text)]
    chinese = [text for text in texts if _HAN.search(text)]
    if chinese and not installed(CJK):
        warnings.warn(
            f"No font on this machine has Chinese characters, so {first(chinese, 1)} will be drawn "
            "as boxes. Install one, for example with: apt-get install fonts-noto-cjk "
            "(or fonts-wqy-zenhei), and delete matplotlib's font cache.",
            DataWarning,
            stacklevel=3,
        )


def save(figure: Figure | Axes, path: str | PathLike[str]) -> Path:
    """Write a figure, or that of some Axes, to ``.png`` (200 dots per inch), ``.pdf`` or ``.svg``.

    No date goes into the file: the same script writes the same bytes.

    Raises
    ------
    OutputError
        Another suffix, or a folder that does not exist.
    """
    import matplotlib as mpl

    path = Path(path)
    metadata: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
        ".svg": {"Date": None, "Creator": None},
    }
    suffix = path.suffix.lower()
    if suffix not in metadata:
        raise OutputError(f"{path.name!r} does not end in {', '.join(metadata)}. Name it so.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {str(path.parent)!r} does not exist. Make it first.")
    whole: Any = figure if hasattr(figure, "savefig") else figure.get_figure()
    with fonts(), mpl.rc_context({"svg.hashsalt": "nqp_spatial"}):
        whole.savefig(path, dpi=200, bbox_inches="tight", metadata=metadata[suffix])
    return path


def write_notes(figure: Figure, notes: Iterable[str], lang: str = "en") -> None:
    """Print notes below everything else, in lines no wider than the figure."""
    columns = int(_COLUMNS * figure.get_size_inches()[0])
    if lines := _lines(notes, columns, lang):
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7.5, color=GREY)


def forest(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    title: str | None = None,
    lang: str = "en",
) -> Figure:
    """Estimates and intervals of one variable's effects under several weight matrices.

    Parameters
    ----------
    frame : DataFrame
        Index (weights, effect); columns estimate, lower, upper, in units of the dependent variable
        per unit of the variable. Drawn from top to bottom and left to right in its order.
    ax : Axes, optional
        For a frame with one effect.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing, or a (weights, effect) pair stands twice.
    """
    text = words("pictures", lang)
    frame = _checked(frame, ("weights", "effect"), ("estimate", "lower", "upper"))
    weights = list(frame.index.unique("weights"))
    effects = list(frame.index.unique("effect"))
    size = (2.0 + 2.3 * len(effects), 1.3 + 0.32 * len(weights))
    notes = (text["estimate"], *notes)
    with panels(ax, len(effects), size, notes, lang, sharey=True) as axes:
        for panel, effect in zip(axes, effects, strict=True):
            part = frame.xs(effect, level="effect").reindex(weights)
            _intervals(panel, part, np.arange(len(weights)), COLOURS[0])
            panel.set_title(text.get(str(effect), str(effect)))
            panel.tick_params(axis="y", length=0)
            panel.spines["left"].set_visible(False)
        axes[0].set_yticks(range(len(weights)), [str(name) for name in weights])
        axes[0].set_ylim(len(weights) - 0.5, -0.5)
        figure: Any = axes[0].get_figure()
        if title:
            figure.suptitle(title)
    return figure


def effects(
    frame: pd.DataFrame,
    variable: str | None = None,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Direct, indirect and total effects with their intervals.

    Parameters
    ----------
    frame : DataFrame
        Index (effect, variable); columns estimate, lower, upper: what ``res.effects()`` gives.
    variable : str, optional
        One regressor; default all.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing.
    OptionError
        No such variable.
    """
    text = words("pictures", lang)
    frame = _checked(frame, ("effect", "variable"), ("estimate", "lower", "upper"))
    variables = list(frame.index.unique("variable"))
    if variable is not None:
        check_option("variable", variable, variables)
        variables = [variable]
    kinds = list(frame.index.unique("effect"))
    with drawing(ax, (5.2, 1.2 + 0.55 * len(variables)), notes, lang) as ax:
        for i, kind in enumerate(kinds):
            part = frame.xs(kind, level="effect").reindex(variables)
            place = np.arange(len(variables)) + (i - (len(kinds) - 1) / 2) * 0.22
            colour = COLOURS[i % len(COLOURS)]
            _intervals(ax, part, place, colour, label=text.get(str(kind), str(kind)))
        ax.set_yticks(range(len(variables)), [str(name) for name in variables])
        ax.set_ylim(len(variables) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(text["estimate"])
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(kinds), borderaxespad=0.3)
    return ax


def moran_by_period(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    level: float = 0.05,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Moran's I (or Geary's C) by period; filled marks where it is significant.

    Parameters
    ----------
    frame : DataFrame
        Index period, or (weights, period); columns ``I`` or ``C``, ``expected``, ``pvalue``: what
        `nqp_spatial.diagnostics.moran` gives.
    ax : Axes, optional
    level : float
        Marks are filled where ``pvalue < level``.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column is missing, or a (weights, period) pair stands twice.
    """
    text = words("pictures", lang)
    statistic = next((name for name in ("I", "C") if name in frame), "I")
    frame = frame if frame.index.nlevels > 1 else pd.concat({"": frame}, names=["weights"])
    frame = frame.set_axis(frame.index.set_names(["weights", "period"]), axis=0)
    frame = _checked(frame, ("weights", "period"), (statistic, "expected", "pvalue"))
    with drawing(ax, (6.0, 3.4), notes, lang) as ax:
        _expected(ax, frame["expected"], text["expected"])
        for i, (name, group) in enumerate(frame.groupby(level="weights", sort=False)):
            part = group.droplevel("weights").sort_index()
            _marked_line(ax, part, statistic, level, COLOURS[i % len(COLOURS)], str(name))
        _significance_key(ax, text, level)
        if pd.api.types.is_integer_dtype(frame.index.unique("period")):
            ax.xaxis.set_major_locator(_few_ticks(8, integer=True))
        ax.set_xlabel(text["period"])
        ax.set_ylabel({"I": "Moran's I", "C": "Geary's C"}[statistic])
        ax.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.3)
    return ax


def _expected(ax: Axes, values: pd.Series, label: str) -> None:
    """Dashed lines at the expected values; as a rule they coincide and look like one."""
    for _, group in values.groupby(level="weights", sort=False):
        line = group.droplevel("weights").sort_index()
        ax.plot(line.index, line, color=GREY, lw=0.9, ls=(0, (4, 3)), label=label)
        label = "_nolegend_"


def _marked_line(
    ax: Axes, part: pd.DataFrame, statistic: str, level: float, colour: str, label: str
) -> None:
    significant = (part["pvalue"] < level).to_numpy()
    values = part[statistic]
    ax.plot(part.index, values, color=colour, lw=1.4, label=label or None, zorder=2)
    fill = np.where(significant, colour, "#ffffff")
    ax.scatter(part.index, values, s=26, c=fill, edgecolors=colour, linewidths=1.2, zorder=3)


def _significance_key(ax: Axes, text: Mapping[str, str], level: float) -> None:
    for key, face in (("significant", GREY), ("insignificant", "#ffffff")):
        label = text[key].format(level=f"{level:g}")
        ax.scatter([], [], s=26, c=face, edgecolors=GREY, linewidths=1.2, label=label)


def _intervals(
    ax: Axes,
    part: pd.DataFrame,
    place: np.ndarray[Any, Any],
    colour: str,
    label: str | None = None,
) -> None:
    """Points with horizontal intervals, and a line at zero; a row without estimate stays empty."""
    ax.axvline(0, color=GREY, lw=0.8, zorder=1)
    ax.hlines(place, part["lower"], part["upper"], color=colour, lw=1.6, zorder=2)
    ax.plot(part["estimate"], place, "o", ms=4.5, color=colour, label=label, zorder=3)
    ax.xaxis.set_major_locator(_few_ticks())


def _few_ticks(n: int = 5, *, integer: bool = False) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=n, min_n_ticks=3, integer=integer)


@contextmanager
def drawing(
    ax: Axes | None, size: tuple[float, float], notes: Iterable[str], lang: str
) -> Iterator[Axes]:
    """The caller's Axes or new ones, with fonts set while drawing and notes below."""
    with panels(ax, 1, size, notes, lang) as axes:
        yield axes[0]


@contextmanager
def panels(
    ax: Axes | None,
    count: int,
    size: tuple[float, float],
    notes: Iterable[str],
    lang: str,
    *,
    sharey: bool = False,
) -> Iterator[list[Axes]]:
    """As `drawing`, for panels side by side; the caller's Axes have room for one.

    Raises
    ------
    OptionError
        If Axes are given for several panels.
    """
    import matplotlib.pyplot as plt

    if ax is not None and count > 1:
        raise OptionError(
            f"ax= has room for one panel, and there are {count}. Ask for one of them."
        )
    with fonts():
        own = ax is None
        if ax is None:
            _, row = plt.subplots(
                1, count, figsize=size, sharey=sharey, squeeze=False, layout="constrained"
            )
            axes = list(row[0])
        else:
            axes = [ax]
        yield axes
        figure: Any = axes[0].get_figure()
        if own:
            write_notes(figure, notes, lang)
        elif lines := _lines(notes, 80, lang):
            axes[0].annotate(
                "\n".join(lines), (0, 0), (0, -34), "axes fraction", "offset points",
                va="top", fontsize=7.5, color=GREY,
            )  # fmt: skip
        check_glyphs(figure)


def _lines(notes: Iterable[str], columns: int, lang: str) -> list[str]:
    said = (str(in_language(note, lang)) for note in notes)
    return [line for note in said for line in lines_of(note, columns)]


def _checked(frame: pd.DataFrame, levels: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """The frame, if its index and columns are what a plot needs."""
    missing = [name for name in columns if name not in frame]
    if list(frame.index.names) != list(levels) or missing:
        raise DataError(
            f"The frame has index {list(frame.index.names)} and columns {first(frame.columns, 8)}; "
            f"the plot needs index {list(levels)} and columns {first(columns, 8)}."
        )
    repeated = frame.index[frame.index.duplicated()].unique()
    if len(repeated):
        raise DataError(
            f"{len(repeated)} rows of the frame have the same {levels}, first {first(repeated)}. "
            "Keep one row for each."
        )
    return frame
