"""Kernel densities of a variable over the years: where the mass is, how wide, how many peaks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from nqp_spatial.exceptions import ConstantColumnError, DataError, OptionError
from nqp_spatial.language.catalogue import note
from nqp_spatial.panel.sample import Sample, column_beside
from nqp_spatial.results import Calculation, Frame, Named
from nqp_spatial.shared.checks import refuse
from nqp_spatial.shared.messages import first
from nqp_spatial.shared.options import Between, Positive, check_options, positive, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[np.float64]

_SPREAD = 3.0  # bandwidths beyond the outermost values that the grid reaches
_DEEP = 1e-3  # of the highest peak, by which a peak must stand out to count


@dataclass(frozen=True, eq=False, repr=False)
class DensityResult(Calculation):
    """Densities of each period on one grid.

    Attributes
    ----------
    density : DataFrame, index value, a column for each period
        In one over the unit of the variable; each integrates to one over all values.
    shape : DataFrame, index time
        ``n``, ``bandwidth``, ``mean``, ``std`` (divisor n - 1), ``peak`` (where the density is
        highest), ``height`` there, ``peaks`` (local maxima that stand out by a thousandth of the
        highest one).
    notes : tuple of str
        What the data say that readers must be told, and the kernel.
    """

    what = "Kernel density"
    citation = (
        "Silverman, B. W. (1986). Density Estimation for Statistics and Data Analysis. Chapman and "
        "Hall, pp. 43-48."
    )

    density: pd.DataFrame
    shape: pd.DataFrame
    variable: str
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """What the densities look like, by period."""
        return self.shape

    @property
    def frames(self) -> Mapping[str, Frame]:
        """What the densities look like."""
        return self._titled({"density": self.shape})

    @property
    def figures(self) -> Mapping[str, Callable[..., Axes]]:
        """Densities one above another, and over one another."""
        return Named({"ridges": self._ridges, "curves": self._curves})

    def _ridges(
        self, *, label: str | None = None, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        from nqp_spatial.plots.curves import ridges

        x = label or self.variable
        return ridges(self.density, x=x, ax=ax, notes=self.notes, lang=lang)

    def _curves(
        self, *, label: str | None = None, ax: Axes | None = None, lang: str = "en"
    ) -> Axes:
        """Of at most five periods, evenly chosen, which can be told apart."""
        from nqp_spatial.plots.curves import series

        count = self.density.shape[1]
        chosen = np.unique(np.linspace(0, count - 1, min(count, 5)).round().astype(int))
        shown, x = self.density.iloc[:, chosen], label or self.variable
        return series(shown, x=x, marks=False, ax=ax, notes=self.notes, lang=lang)


def kernel_density(
    values: pd.Series,
    *,
    periods: Sequence[Hashable] | None = None,
    kernel: Literal["gaussian", "epanechnikov"] = "gaussian",
    bandwidth: Literal["silverman", "scott"] | Positive = "silverman",
    weights: pd.Series | None = None,
    points: Annotated[int, Between(16)] = 256,
) -> DensityResult:
    r"""Kernel density of each period, :math:`\hat f(x) = \sum_i p_i K((x - y_i) / h) / h`.

    Parameters
    ----------
    values : Series, index (entity, time)
    periods : sequence, optional
        Those that are wanted; by default all.
    kernel : {"gaussian", "epanechnikov"}
        Stata's ``kdensity`` has the second one, :math:`K(u) = \frac{3}{4 \sqrt 5} (1 - u^2 / 5)`,
        whose variance is one as well.
    bandwidth : {"silverman", "scott"} or float
        h = 0.9 min(s, IQR / 1.34) n^(-1/5) (Silverman 1986, p. 48; R's bw.nrd0), 1.06 in place of
        0.9 for "scott" (R's bw.nrd), both of each period; or h itself, in the unit of the values,
        for all.
    weights : Series, index (entity, time), optional
        Above zero, such as population; the rules for h take the weighted s and quartiles, and
        :math:`1 / \sum p_i^2` in place of n.
    points : int
        Of the grid, which all periods share.

    Returns
    -------
    DensityResult

    Raises
    ------
    DataError
        A period has fewer than two values, or there is no such period; text, missing cells.
    ConstantColumnError
        The values of a period are all equal, so that no bandwidth is defined.

    References
    ----------
    .. [1] Silverman, B. W. (1986). Density Estimation for Statistics and Data Analysis. Chapman
       and Hall.
    """
    check_options(kernel_density, kernel=kernel)
    whole("points", points, 16)
    if not isinstance(bandwidth, str):
        positive("bandwidth", bandwidth)
    elif bandwidth not in ("silverman", "scott"):
        raise OptionError(
            f"bandwidth={bandwidth!r} is not known. Use 'silverman', 'scott', or a number.",
            option="bandwidth",
        )
    sample = Sample.of_one(values, "values")
    y, keys = sample.series(), sample.keys
    p = pd.Series(1.0, y.index)
    if weights is not None:
        p = column_beside(y.to_frame(), weights, "values", "weights")
        refuse(p, p <= 0, "zero or negative")
    wanted = keys.periods if periods is None else pd.Index(periods)
    absent = wanted.difference(keys.periods)
    if len(absent):
        raise DataError(
            f"There are no values of {first(absent)}. The periods are {first(keys.periods, 12)}."
        )
    parts = {}
    for code, time in enumerate(keys.periods):
        if time in wanted:
            here = keys.period == code
            parts[time] = (y.to_numpy()[here], p.to_numpy()[here] / p.to_numpy()[here].sum())
    widths = {time: _width(*part, bandwidth, time, str(y.name)) for time, part in parts.items()}
    reach = _SPREAD * max(widths.values())
    ends = [part[0] for part in parts.values()]
    low, high = min(e.min() for e in ends) - reach, max(e.max() for e in ends) + reach
    grid = np.linspace(low, high, points)
    density, rows = {}, {}
    for time, (x, share) in parts.items():
        curve = _curve(grid, x, share, widths[time], kernel)
        density[time] = curve
        mean = float(share @ x)
        n = 1 / (share**2).sum()
        rows[time] = {
            "n": len(x),
            "bandwidth": widths[time],
            "mean": mean,
            "std": float(np.sqrt(share @ (x - mean) ** 2 * n / (n - 1))),
            "peak": float(grid[curve.argmax()]),
            "height": float(curve.max()),
            "peaks": _peaks(curve),
        }
    name = y.index.names[1] or "time"
    said = note(f"density.{kernel}")
    return DensityResult(
        density=pd.DataFrame(density, pd.Index(grid, name="value")).rename_axis(columns=name),
        shape=pd.DataFrame.from_dict(rows, orient="index").rename_axis(index=name),
        variable=str(y.name),
        notes=(*sample.notes, said),
    )


def _width(x: Array, p: Array, rule: str | float, time: Hashable, name: str) -> float:
    """The bandwidth of one period."""
    if len(x) < 2:
        raise DataError(f"{name!r} has {len(x)} value in period {first([time])}; give two or more.")
    if np.ptp(x) == 0:
        raise ConstantColumnError(
            f"All values of {name!r} are equal in period {first([time])}: there is no density to "
            "estimate. Leave the period out with periods=."
        )
    if not isinstance(rule, str):
        return float(rule)
    n = 1 / (p**2).sum()  # of equal weights the number of values
    mean = p @ x
    std = np.sqrt(p @ (x - mean) ** 2 * n / (n - 1))
    low, high = _quantiles(x, p)
    spread = min(std, (high - low) / 1.34) if high > low else std
    return float((0.9 if rule == "silverman" else 1.06) * spread * n**-0.2)


def _quantiles(x: Array, p: Array) -> tuple[float, float]:
    """Quartiles, of equal weights as numpy and R have them (type 7)."""
    order = np.argsort(x)
    x, p = x[order], p[order]
    place = (np.cumsum(p) - p) / (1 - p)  # from zero at the first to one at the last
    return float(np.interp(0.25, place, x)), float(np.interp(0.75, place, x))


def _curve(grid: Array, x: Array, p: Array, h: float, kernel: str) -> Array:
    u = (grid[:, None] - x[None, :]) / h
    if kernel == "gaussian":
        K = np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    else:
        K = np.maximum(1 - u**2 / 5, 0.0) * 3 / (4 * np.sqrt(5))
    curve: Array = K @ p / h
    return curve


def _peaks(curve: Array) -> int:
    """Local maxima that stand out, counted with `scipy.signal`."""
    from scipy.signal import find_peaks

    padded = np.r_[0.0, curve, 0.0]
    return len(find_peaks(padded, prominence=_DEEP * curve.max())[0])
