"""Likelihood ratios of thresholds, as in the figures of Hansen (1999)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.core.linear.threshold import critical_value
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.language.catalogue import words
from nqp_spatial.plots.figures import COLOURS, GREY, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def likelihood_ratio(
    profiles: Mapping[int, pd.Series],
    estimates: Sequence[float],
    *,
    level: float = 0.95,
    ax: Axes | None = None,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Axes:
    """One panel a threshold: LR over the candidates; the set is where it is below the line.

    The first panel is returned.

    Parameters
    ----------
    profiles : mapping of int to Series
        LR by candidate, as ``res.lr(number)`` gives it.
    estimates : sequence of float
    level : float
        Of the confidence set.
    ax : Axes, optional
        For one profile.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        If profiles and estimates are not as many, or there are none.
    OptionError
        An unknown language, a level that is none, or Axes for several profiles.
    """
    text = words("likelihood_ratio", lang)
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
    if not profiles or len(profiles) != len(estimates):
        raise DataError(f"{len(profiles)} profiles and {len(estimates)} estimates do not match.")
    critical = critical_value(level)
    size = (1.0 + 3.6 * len(profiles), 3.2)
    with panels(ax, len(profiles), size, notes, lang) as axes:
        for panel, (number, profile), estimate in zip(
            axes, profiles.items(), estimates, strict=True
        ):
            panel.plot(profile.index, profile, color=COLOURS[0], lw=1.1)
            panel.axhline(critical, color=COLOURS[1], lw=1.0, ls=(0, (4, 3)),
                          label=text["line"].format(100 * level, critical))  # fmt: skip
            panel.axvline(estimate, color=GREY, lw=0.8)
            panel.set_title(text["title"].format(number, f"{estimate:.6g}"))
            panel.set_xlabel(str(profile.index.name))
            panel.set_ylim(bottom=0)
            panel.legend(loc="upper right")
        axes[0].set_ylabel(text["ratio"])
    return axes[0]
