"""How alike matched groups are: biases of covariates, and densities of the score."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.style import COLOURS, GREY, checked, drawing, few_ticks, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_SMALL = 10.0  # per cent, below which a bias is called small
_POINTS = 256


def love(
    balance: pd.DataFrame,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Standardised biases before and after, a line for each covariate, the largest above.

    Parameters
    ----------
    balance : DataFrame, index (variable, sample)
        Sample is "before" or "after"; a column bias in per cent.
    ax : Axes, optional
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        A column or a level of the index is missing.
    """
    text = words("pictures", lang)
    frame = checked(balance, ("variable", "sample"), ("bias",))["bias"].unstack("sample")
    frame = frame.loc[frame["before"].abs().sort_values(kind="stable").index]
    place = np.arange(len(frame))
    with drawing(ax, (5.6, 1.5 + 0.3 * len(frame)), notes, lang) as ax:
        for side in (-_SMALL, _SMALL):
            ax.axvline(side, color=GREY, lw=0.7, ls=(0, (4, 3)), zorder=1)
        ax.axvline(0, color=GREY, lw=0.8, zorder=1)
        ax.hlines(place, frame["before"], frame["after"], color=GREY, lw=0.8, zorder=2)
        for i, (sample, mark) in enumerate((("before", "o"), ("after", "D"))):
            fill = "white" if sample == "before" else COLOURS[i]
            ax.plot(frame[sample], place, mark, ms=5, mec=COLOURS[i], mfc=fill,
                    label=text[sample], zorder=3)  # fmt: skip
        ax.set_yticks(place, [str(name) for name in frame.index])
        ax.set_ylim(-0.6, len(frame) - 0.4)
        ax.tick_params(axis="y", length=0)
        ax.xaxis.set_major_locator(few_ticks(7))
        ax.set_xlabel(text["bias"])
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.3)
    return ax


def scores(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """Densities of the score of treated and untreated units, before and after matching.

    Parameters
    ----------
    frame : DataFrame
        A row for each unit: score, treated (bool), weight in the matched sample.
    ax : Axes, optional
        Shows what is after matching alone.
    notes, lang
        As in `love`.
    """
    text = words("pictures", lang)
    frame = checked(frame, None, ("score", "treated", "weight"))
    ones = np.ones(len(frame))
    both = {"before": ones, "after": frame["weight"].to_numpy(dtype=float)}
    shown = {"after": both["after"]} if ax is not None else both
    score, on = frame["score"].to_numpy(dtype=float), frame["treated"].to_numpy(dtype=bool)
    reach = 0.05 * np.ptp(score)
    grid = np.linspace(max(0.0, score.min() - reach), min(1.0, score.max() + reach), _POINTS)
    width = 3.4 * len(shown) + 0.6
    with panels(ax, len(shown), (width, 3.2), notes, lang, sharey=True) as axes:
        for panel, (sample, weight) in zip(axes, shown.items(), strict=True):
            for group, colour, name in (
                (on, COLOURS[0], "treated"),
                (~on, COLOURS[1], "untreated"),
            ):
                used = group & (weight > 0)
                curve = _density(grid, score[used], weight[used])
                panel.plot(grid, curve, color=colour, lw=1.4, label=text[name])
                panel.fill_between(grid, 0, curve, color=colour, alpha=0.15, lw=0)
            panel.set_title(text[sample])
            panel.set_xlabel(text["score"])
            panel.set_ylim(bottom=0)
        axes[0].set_ylabel(text["density"])
        axes[-1].legend(fontsize=8)
    return axes[0]


def _density(grid: Array, values: Array, weights: Array) -> Array:
    """Gaussian kernels, their width by Silverman's rule; the score ends at zero and one.

    What is beyond an end is folded back, so that the curve has an area of one.
    """
    p = weights / weights.sum()
    n = 1 / (p**2).sum()
    mean = p @ values
    std = np.sqrt(p @ (values - mean) ** 2)
    h = max(0.9 * std * n**-0.2, 1e-3)
    curve = np.zeros_like(grid)
    for place in (values, -values, 2 - values):
        u = (grid[:, None] - place[None, :]) / h
        curve += np.exp(-0.5 * u**2) @ p / (h * np.sqrt(2 * np.pi))
    return curve
