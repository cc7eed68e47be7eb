"""Likelihood ratios of thresholds, as in the figures of Hansen (1999)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from nqp_spatial.core.linear.threshold import critical_value
from nqp_spatial.exceptions import DataError, OptionError
from nqp_spatial.plots.figures import COLOURS, GREY, check_glyphs, fonts, write_notes
from nqp_spatial.shared.options import check_option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WORDS = {
    "en": {
        "ratio": "Likelihood ratio",
        "title": "Threshold {}: {}",
        "line": "{:g} % level: {:.2f}",
    },
    "zh": {"ratio": "似然比统计量", "title": "门槛{}: {}", "line": "{:g}% 水平: {:.2f}"},
}


def likelihood_ratio(
    profiles: Mapping[int, pd.Series],
    estimates: Sequence[float],
    *,
    level: float = 0.95,
    notes: Iterable[str] = (),
    lang: str = "en",
) -> Figure:
    """One panel a threshold: LR over the candidates; the set is where it is below the line.

    Parameters
    ----------
    profiles : mapping of int to Series
        LR by candidate, as ``res.lr(number)`` gives it.
    estimates : sequence of float
    level : float
        Of the confidence set.
    notes : iterable of str
        Printed below.
    lang : {"en", "zh"}

    Raises
    ------
    DataError
        If profiles and estimates are not as many, or there are none.
    OptionError
        An unknown language, or a level that is none.
    """
    import matplotlib.pyplot as plt

    check_option("lang", lang, _WORDS)
    if not 0 < level < 1:
        raise OptionError(f"level={level!r} is not between 0 and 1. Type level=0.95.")
    if not profiles or len(profiles) != len(estimates):
        raise DataError(f"{len(profiles)} profiles and {len(estimates)} estimates do not match.")
    text = _WORDS[lang]
    critical = critical_value(level)
    with fonts():
        figure, axes = plt.subplots(
            1,
            len(profiles),
            figsize=(1.0 + 3.6 * len(profiles), 3.2),
            squeeze=False,
            layout="constrained",
        )
        panels = zip(axes[0], profiles.items(), estimates, strict=True)
        for ax, (number, profile), estimate in panels:
            ax.plot(profile.index, profile, color=COLOURS[0], lw=1.1)
            ax.axhline(critical, color=COLOURS[1], lw=1.0, ls=(0, (4, 3)),
                       label=text["line"].format(100 * level, critical))  # fmt: skip
            ax.axvline(estimate, color=GREY, lw=0.8)
            ax.set_title(text["title"].format(number, f"{estimate:.6g}"))
            ax.set_xlabel(str(profile.index.name))
            ax.set_ylim(bottom=0)
            ax.legend(loc="upper right")
        axes[0][0].set_ylabel(text["ratio"])
        write_notes(figure, notes, lang)
        check_glyphs(figure)
    return figure
