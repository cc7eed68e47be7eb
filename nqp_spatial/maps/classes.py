"""Values into classes and colours: one answer for the web map and for its printed twin."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared.options import check_option

Array = npt.NDArray[np.float64]

SCHEMES = ("quantiles", "equal_interval", "fisher_jenks", "natural_breaks")
NEUTRAL = "#f7f7f7"
_DIGITS = 10  # significant digits that tell values apart; what is below is rounding noise


@dataclass(frozen=True)
class Classes:
    """Values in classes.

    Attributes
    ----------
    intervals : tuple of (float, float)
        Lower and upper end of each class, the upper one included; equal for a class of one value.
    codes : int array, shape (n,)
        The class of each value.
    colours : tuple of str
        ``#rrggbb`` of each class.
    labels : tuple of str
    scheme : str
        A key of the words: the scheme asked for, "given", or "each" for one class per value.
    """

    intervals: tuple[tuple[float, float], ...]
    codes: npt.NDArray[np.int64]
    colours: tuple[str, ...]
    labels: tuple[str, ...]
    scheme: str

    @property
    def counts(self) -> tuple[int, ...]:
        """How many values each class has."""
        return tuple(np.bincount(self.codes, minlength=len(self.labels)).tolist())


def classify(
    values: Array,
    *,
    scheme: str | Sequence[float] = "quantiles",
    k: int = 5,
    colours: str | Sequence[str] | None = None,
) -> Classes:
    """Put values into classes and give each class a colour.

    Values that differ by rounding noise only (beyond ten significant digits of the largest) are
    one value, and no more than ``k`` distinct values make one class each. Where signs differ,
    zero becomes a class limit, so that no colour stands for both signs.

    Parameters
    ----------
    values : float array, shape (n,), finite
    scheme : str or sequence of float
        One of `SCHEMES`, or the upper limits of the classes. Natural breaks are found exactly
        (Fisher-Jenks), so that they do not depend on a random start.
    k : int
        Number of classes, at least 2.
    colours : str or sequence of str, optional
        A matplotlib colour map, or colours from the lowest class to the highest. The default is
        blue below zero and red above it, darker away from zero.

    Raises
    ------
    OptionError
        Unknown scheme or colour, limits not increasing, or fewer than two classes.
    """
    rounded = _without_noise(np.asarray(values, dtype=float))
    distinct = np.unique(rounded)
    if not isinstance(scheme, str):
        upper, kind = _given(scheme, distinct), "given"
    else:
        _check_scheme(scheme, k)
        each = len(distinct) <= k
        upper, kind = (distinct, "each") if each else (_limits(rounded, scheme, k), scheme)
    lower = upper if kind == "each" else np.concatenate([[distinct[0]], upper[:-1]])
    lower = np.minimum(lower, upper)
    intervals = tuple(zip(lower.tolist(), upper.tolist(), strict=True))
    codes = np.searchsorted(upper, rounded, side="left")
    return Classes(intervals, codes, _colours(intervals, colours), _labels(intervals), kind)


def _check_scheme(scheme: str, k: int) -> None:
    check_option("scheme", scheme, SCHEMES)
    if k < 2:
        raise OptionError(f"k={k!r} classes do not make a map. Type k=5.")


def _without_noise(values: Array) -> Array:
    largest = np.abs(values).max(initial=0.0)
    if largest == 0:
        return values
    rounded: Array = np.round(values / largest, _DIGITS) * largest
    return rounded + 0.0  # minus zero is zero


def _limits(values: Array, scheme: str, k: int) -> Array:
    """Upper limits of the classes by mapclassify, with zero among them where signs differ."""
    import mapclassify

    names = {"quantiles": "Quantiles", "equal_interval": "EqualInterval"}
    classifier = getattr(mapclassify, names.get(scheme, "FisherJenks"))
    with warnings.catch_warnings():
        # Slower without numba, not different; and fewer classes than k are seen in the legend.
        warnings.filterwarnings("ignore", message=".*([Nn]umba|Not enough unique values)")
        limits = np.asarray(classifier(values, k=k).bins, dtype=float)
    limits[-1] = values.max()
    if values.min() < 0 < values.max():
        limits = np.append(limits, 0.0)
    return np.unique(limits)


def _given(limits: Sequence[float], distinct: Array) -> Array:
    """The caller's upper limits, with the largest value behind them if it lies above."""
    upper = np.asarray(limits, dtype=float)
    if upper.ndim != 1 or not len(upper) or not (np.diff(upper) > 0).all():
        raise OptionError(
            f"scheme={list(limits)!r} is not a list of increasing class limits. "
            "Type the upper limit of each class, such as scheme=[0.01, 0.02, 0.05]."
        )
    return np.append(upper, distinct[-1]) if distinct[-1] > upper[-1] else upper


def _colours(
    intervals: Sequence[tuple[float, float]], colours: str | Sequence[str] | None
) -> tuple[str, ...]:
    if colours is not None:
        return _own_colours(len(intervals), colours)
    below = [i for i, (_, upper) in enumerate(intervals) if upper <= 0]
    above = [i for i, (lower, upper) in enumerate(intervals) if lower >= 0 and upper > 0]
    below = [i for i in below if intervals[i] != (0.0, 0.0)]
    out = [NEUTRAL] * len(intervals)
    for indices, name in ((below[::-1], "Blues"), (above, "OrRd")):
        for i, colour in zip(indices, ramp(name, len(indices)), strict=True):
            out[i] = colour
    return tuple(out)


def ramp(name: str, n: int) -> list[str]:
    """``n`` colours of a ColorBrewer ramp, light to dark, without its palest and darkest ends."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    points = np.linspace(0.12, 0.84, n) if n != 1 else np.array([0.5])
    return [to_hex(colormaps[name](point)) for point in points]


def _own_colours(n: int, colours: str | Sequence[str]) -> tuple[str, ...]:
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap, is_color_like, to_hex

    if isinstance(colours, str):
        check_option("colours", colours, colormaps)
        return tuple(to_hex(colormaps[colours](point)) for point in np.linspace(0.05, 0.95, n))
    wrong = [colour for colour in colours if not is_color_like(colour)]
    if wrong or len(colours) < 2:
        raise OptionError(
            f"colours={list(colours)!r} is not a list of two or more colours. "
            'Type the name of a matplotlib colour map, or colours such as ["#fee8c8", "#b30000"].'
        )
    if len(colours) == n:
        return tuple(to_hex(colour) for colour in colours)
    blend = LinearSegmentedColormap.from_list("own", list(colours))
    return tuple(to_hex(blend(point)) for point in np.linspace(0, 1, n))


def _labels(intervals: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    limits = sorted({limit for pair in intervals for limit in pair})
    decimals = _decimals(np.array(limits))
    text = {limit: number(limit, decimals) for limit in limits}
    return tuple(
        text[low] if low == high else f"{text[low]} – {text[high]}" for low, high in intervals
    )


def _decimals(limits: Array) -> int | None:
    """Decimals that keep neighbouring limits apart; None where only exponents can."""
    largest = np.abs(limits).max(initial=0.0)
    if largest == 0:
        return 0
    start = max(0, 2 - int(np.floor(np.log10(largest))))
    for decimals in range(start, 9):
        shown = np.round(limits, decimals)
        if len(np.unique(shown)) == len(limits) and (shown[limits != 0] != 0).all():
            return decimals if largest < 1e7 else None
    return None


def number(value: float, decimals: int | None) -> str:
    """A number with a true minus sign."""
    text = f"{value:.3e}" if decimals is None else f"{value:.{decimals}f}"
    return text.replace("-", "−")
