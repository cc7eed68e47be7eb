"""What plm, gretl and the papers do otherwise, from the regressions of this package.

plm divides error variances by rows unless ``dfcor=TRUE``; differences lose their mean or trend
before the long-run variance of Levin, Lin and Chu, whose Table 2 plm reads at all periods.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from nqp_spatial.core.linear import unit_roots as core
from nqp_spatial.diagnostics.unit_roots import mackinnon


def over_rows(found):
    """Entities of a test whose t statistics have variances over rows, with their p-values."""
    entities = found.entities
    k = entities["lags"] + core.TRENDS[found.trend] + 1
    t = entities["statistic"] * np.sqrt(entities["nobs"] / (entities["nobs"] - k))
    return entities.assign(statistic=t, pvalue=mackinnon(t.to_numpy(), found.trend))


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
