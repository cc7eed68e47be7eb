"""What plm, gretl and the papers do otherwise, from the regressions of this package.

plm divides error variances by rows unless ``dfcor=TRUE``; differences lose their mean or trend
before the long-run variance of Levin, Lin and Chu, whose Table 2 plm reads at all periods.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from nqp_spatial.core.linear import unit_roots as core

# MacKinnon (1994, J. Business and Economic Statistics 12, 167-176), Table 3: polynomials of the
# normal quantile of p in t, and where the second takes over
SMALL = {
    "none": [0.032496, 1.2378, 0.6344],
    "constant": [0.038269, 1.4412, 2.1659],
    "trend": [0.049588, 1.6047, 3.2512],
}
LARGE = {
    "none": [0.033066, -0.06999, 0.93557, 0.4797],
    "constant": [-0.010368, -0.12745, 0.93202, 1.7339],
    "trend": [-0.060285, -0.37956, 0.61654, 2.5261],
}
CHANGE = {"none": -1.04, "constant": -1.61, "trend": -2.89}


def mackinnon_1994(t, trend):
    """p-values as plm's p.approx="MacKinnon1994", beyond the polynomials' range too."""
    small, large = np.polyval(SMALL[trend], t), np.polyval(LARGE[trend], t)
    return stats.norm.cdf(np.where(t <= CHANGE[trend], small, large))


def over_rows(found):
    """Entities of a test whose t statistics have variances over rows."""
    entities = found.entities
    k = entities["lags"] + core.TRENDS[found.trend] + 1
    t = entities["statistic"] * np.sqrt(entities["nobs"] / (entities["nobs"] - k))
    return entities.assign(statistic=t)


def ips(found, entities):
    """Statistic and p-value of Im, Pesaran and Shin from the t of entities."""
    mean, variance = found.details["mean"], found.details["variance"]
    z = np.sqrt(len(entities) / variance) * (entities["statistic"].mean() - mean)
    return z, stats.norm.cdf(z)


def hadri(found, periods):
    """Statistic and p-value of Hadri with variances over all periods."""
    factor = periods / (periods - core.TRENDS[found.trend])
    mean, variance = {"constant": (1 / 6, 1 / 45), "trend": (1 / 15, 11 / 6300)}[found.trend]
    lm = factor * found.entities["statistic"]
    z = np.sqrt(len(lm) / variance) * (lm.mean() - mean)
    return z, stats.norm.sf(z)


def levin_lin_chu(values, lags, trend, *, bandwidth, centre, table_periods=None):
    """t* with ``centre`` taken out of the differences, and the table read at ``table_periods``."""
    plain = core.levin_lin_chu(values, lags, trend, bandwidth=bandwidth)
    differences = core.without(np.diff(values, axis=1), centre)
    long_run = core.long_run_variance(differences, bandwidth)
    ratio = np.sqrt(long_run / plain.variances).mean()
    mean, std = core.llc_moments(table_periods or plain.periods, trend)
    shift = plain.t - plain.statistic * plain.std
    return (plain.t - shift * ratio * mean / (plain.ratio * plain.mean)) / std
