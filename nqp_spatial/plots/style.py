"""How every figure looks: fonts, colours, panels, notes; and how it is saved.

What draws returns its Axes or Figure, shows nothing, and leaves matplotlib's settings alone.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nqp_spatial.exceptions import DataError, DataWarning, OptionError, OutputError
from nqp_spatial.shared.frames import by_label, table_of
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.notes import in_language
from nqp_spatial.shared.text import lines_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

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
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",  # as matplotlib calls a collection of which it reads the first face
    "Noto Serif CJK SC",
    "Noto Serif CJK JP",
    "SimSun",
    "Arial Unicode MS",
)
# Okabe and Ito's colours, told apart by readers with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#6b6b6b"
INTERVAL = ("estimate", "lower", "upper")  # columns of estimates with their ends
_HAN = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


def installed(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that matplotlib finds on this machine, in their order.

    Where it finds none, fonts that were installed since it last looked are read.
    """
    from matplotlib import font_manager

    wanted = tuple(names)
    for look in (False, True):
        if look and not _read_new_fonts():
            break
        here = {font.name for font in font_manager.fontManager.ttflist}
        if found := [name for name in wanted if name in here]:
            return found
    return []


@cache
def _read_new_fonts() -> bool:
    """Read all fonts again, if there are some that matplotlib's own list does not have.

    That list is a file, which may be older than the fonts.
    """
    from matplotlib import font_manager

    manager = font_manager.fontManager
    known = {font.fname for font in manager.ttflist}
    if known.issuperset(font_manager.findSystemFonts()):
        return False
    manager.ttflist = font_manager.FontManager().ttflist
    return True


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
        "text.parse_math": False,  # names are data: what is between two $ need not be TeX
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
            "(or fonts-wqy-zenhei), and start Python again.",
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


def few_ticks(n: int = 5, *, integer: bool = False) -> Any:
    """A locator of at most so many ticks."""
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
        before = _texts(axes)
        yield axes
        for text in _texts(axes) - before:  # into labels that the caller's Axes had already
            text[0].set_parse_math(False)
        figure: Any = axes[0].get_figure()
        if own:
            write_notes(figure, notes, lang)
        elif lines := _lines(notes, 80, lang):
            axes[0].annotate(
                "\n".join(lines), (0, 0), (0, -34), "axes fraction", "offset points",
                va="top", fontsize=7.5, color=GREY,
            )  # fmt: skip
        check_glyphs(figure)


def _texts(axes: Iterable[Axes]) -> set[tuple[Text, str]]:
    from matplotlib.text import Text

    found: Any = (text for ax in axes for text in ax.findobj(Text))
    return {(text, text.get_text()) for text in found}


def _lines(notes: Iterable[str], columns: int, lang: str) -> list[str]:
    said = (str(in_language(note, lang)) for note in notes)
    return [line for note in said for line in lines_of(note, columns)]


def framed(frame: Any) -> pd.DataFrame:
    """What is to be drawn as a DataFrame; of other libraries the first column has the labels."""
    return table_of(by_label(frame, "the frame"), "frame")


def checked(
    frame: pd.DataFrame,
    levels: Sequence[str] | None,
    columns: Sequence[str],
    *,
    once: bool = True,
) -> pd.DataFrame:
    """The frame, if its index and columns are what a plot needs; without levels any index is."""
    frame = framed(frame)
    missing = [name for name in columns if name not in frame]
    names = list(frame.index.names)
    if frame.empty or missing or names != list(levels or names):
        raise DataError(
            f"The frame has {len(frame)} rows, index {names} and columns {first(frame.columns, 8)};"
            f" the plot needs index {list(levels or names)} and columns {first(columns, 8)}."
        )
    repeated = frame.index[frame.index.duplicated()].unique()
    if once and len(repeated):
        raise DataError(
            f"{len(repeated)} labels {names} of the frame stand in several rows, first "
            f"{first(repeated)}. Keep one row for each."
        )
    return frame.set_axis(_drawable(frame.index), axis=0)


def _drawable(index: pd.Index) -> pd.Index:
    """Places that have no axis in matplotlib as numbers: days, or left ends."""
    places = index.levels[-1] if isinstance(index, pd.MultiIndex) else index
    if isinstance(places, pd.TimedeltaIndex):
        numbers: pd.Index = places / pd.Timedelta(days=1)
    elif isinstance(places, pd.IntervalIndex):
        numbers = places.left
    else:
        return index
    if isinstance(index, pd.MultiIndex):
        return index.set_levels(numbers, level=-1)
    return numbers.rename(index.name)
