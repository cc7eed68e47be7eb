"""Sizes of the tests of the spatial family: Wald, likelihood ratio, LM, Moran, Pesaran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from monte_carlo_family_fits import (
    ERRORS,
    MODELS,
    Cell,
    Terms,
    covariance,
    degrees,
    draw,
    fit,
    frames,
    place,
    public_fit,
    regressors,
)
from scipy.special import chdtrc, fdtrc, ndtr

from nqp_spatial import diagnostics
from nqp_spatial.core.linear.within import demean
from nqp_spatial.core.spatial import lagrange
from nqp_spatial.core.spatial.ml import Estimate, lag

Array = npt.NDArray[np.float64]

RESTRICTIONS: Mapping[str, tuple[str, str, str]] = {  # larger model, null, key of ``tests``
    "SDM: theta = 0": ("SDM", "theta", "sar"),
    "SDM: rho = 0": ("SDM", "rho", "slx"),
    "SDM: theta + rho beta = 0": ("SDM", "factor", "sem"),
    "SDEM: theta = 0": ("SDEM", "theta", "sem"),
    "SDEM: lambda = 0": ("SDEM", "lambda", "slx"),
    "SAR: rho = 0": ("SAR", "rho", "ols"),
    "SEM: lambda = 0": ("SEM", "lambda", "ols"),
    "SLX: theta = 0": ("SLX", "theta", "ols"),
    "SAC: rho = 0": ("SAC", "rho", "sem"),
    "SAC: lambda = 0": ("SAC", "lambda", "sar"),
    "GNS: lambda = 0": ("GNS", "lambda", "sdm"),
}
NULLS = {
    "OLS": ("SAR: rho = 0", "SEM: lambda = 0", "SLX: theta = 0"),
    "SAR": ("SDM: theta = 0",),
    "SEM": ("SDM: theta + rho beta = 0", "SDEM: theta = 0"),
    "SLX": ("SDM: rho = 0", "SDEM: lambda = 0"),
    "SAR-SAC": ("SAC: lambda = 0",),
    "SEM-SAC": ("SAC: rho = 0",),
    "SDM-GNS": ("GNS: lambda = 0",),
}
"""True model (and what it is nested in): Wald and likelihood ratio tests of a true null."""


def wald_pvalue(found: Estimate, cov: Array, null: str, terms: Terms, df: float) -> float:
    """P-value of theta = 0, rho = 0, lambda = 0 or theta + rho beta = 0: F, chi-squared."""
    params = np.array([*found.delta, *found.spatial])
    gradient = np.eye(len(params))
    if null == "theta":
        value, gradient = params[2:4], gradient[2:4]
    elif null == "factor":
        gradient = gradient[2:4] + found.rho * gradient[:2]
        gradient[:, 4] = params[:2]
        value = params[2:4] + found.rho * params[:2]
    else:
        at = len(found.delta) + (null == "lambda" and terms.lag)
        value, gradient = params[[at]], gradient[[at]]
    variance = gradient @ cov @ gradient.T
    statistic, q = value @ np.linalg.solve(variance, value), len(value)
    return float(chdtrc(q, statistic) if np.isinf(df) else fdtrc(q, df, statistic / q))


def nested(cell: Cell, rng: np.random.Generator, *, check: bool) -> dict[str, float]:
    """P-values of the Wald and likelihood ratio tests of a null model."""
    label = cell.task.removeprefix("null-")
    null = label.split("-")[0]
    y, X = draw(cell, null, rng)
    restricted, out, kind = fit(cell, null, y, X), {}, ERRORS[cell.errors][1][0]
    for test in NULLS[label]:
        model, restriction, key = RESTRICTIONS[test]
        found = fit(cell, model, y, X)
        cov = covariance(cell, found, kind)
        inference = degrees(cell, kind, found.scale.n, len(cov))
        out[f"Wald {test}"] = wald_pvalue(found, cov, restriction, MODELS[model], inference)
        df = 2 if restriction in ("theta", "factor") else 1
        difference = 2 * (found.loglik - restricted.loglik)
        out[f"LR {test}"] = float(chdtrc(df, difference))
        if check:
            data = frames(cell, y, X)
            full = public_fit(cell, model, data, kind)
            small = public_fit(cell, null, data, kind)
            theirs = full.tests[key].pvalue, diagnostics.likelihood_ratio(small, full).pvalue
            own = out[f"Wald {test}"], out[f"LR {test}"]
            np.testing.assert_allclose(own, theirs, rtol=1e-6, atol=1e-9, err_msg=cell.name)
    return out


def lagrange_tests(cell: Cell, rng: np.random.Generator, *, check: bool) -> dict[str, float]:
    """P-values of the LM tests without spatial dependence."""
    y, X = draw(cell, "OLS", rng)
    effects = None if cell.effects == "None" else cell.effects
    Z, out = regressors(cell, "OLS", X), {}
    for correction in lagrange.CORRECTIONS:
        found = lagrange.statistics(
            y, Z, place(cell.n_entities).W, effects=effects, correction=correction
        )
        for name, statistic in asdict(found).items():
            out[f"{correction} {name}"] = float(chdtrc(1 + (name == "joint"), statistic))
        if check:
            tests = diagnostics.lm_tests(
                *frames(cell, y, X), effects=effects, correction=correction
            )
            for name, test in tests.items():
                np.testing.assert_allclose(out[f"{correction} {name}"], test.pvalue, rtol=1e-9)
    return out


def residual_tests(cell: Cell, rng: np.random.Generator, *, check: bool) -> dict[str, float]:
    """P-values of Moran's I (the first period, and pooled) and Pesaran's CD of residuals."""
    y, X = draw(cell, "OLS", rng)
    effects = None if cell.effects == "None" else cell.effects
    Z = demean(regressors(cell, "OLS", X), effects).reshape(y.size, -1)
    own = demean(y, effects)
    e = own - (Z @ np.linalg.lstsq(Z, own.ravel(), rcond=None)[0]).reshape(y.shape)
    where = place(cell.n_entities)
    unit = (e - e.mean(axis=0)) / e.std(axis=0)
    n, T = cell.n_entities, cell.n_periods
    cd = (float((unit.sum(axis=1) ** 2).sum()) / T - n) / 2 * np.sqrt(2 * T / (n * (n - 1)))
    out = {
        "Moran by period": 2 * float(ndtr(-abs(moran_z(e[:1], where.W, True)))),
        "Moran pooled": 2 * float(ndtr(-abs(moran_z(e, where.W, False)))),
        "Pesaran CD": 2 * float(ndtr(-abs(cd))),
    }
    if check:
        series, _, graph = frames(cell, e, X)
        theirs = [
            diagnostics.moran(series, graph)["pvalue"].iloc[0],
            diagnostics.moran_residuals(series, graph).pvalue,
            diagnostics.pesaran_cd(series).pvalue,
        ]
        np.testing.assert_allclose([*out.values()], theirs, rtol=1e-8, err_msg=cell.name)
    return out


def moran_z(e: Array, W: sp.csr_array, randomisation: bool) -> float:
    """Moran's I of block-diagonal weights, standardised (Cliff and Ord 1981, pp. 42-46)."""
    T, n = len(e), e.size
    z = e - e.mean()
    s0, s1 = T * W.sum(), T * (W + W.T).power(2).sum() / 2
    s2 = T * ((W.sum(axis=0) + W.sum(axis=1)) ** 2).sum()
    moran, expected = n / s0 * float((z * lag(W, z)).sum() / (z**2).sum()), -1 / (n - 1)
    variance = (n**2 * s1 - n * s2 + 3 * s0**2) / ((n**2 - 1) * s0**2)
    if randomisation:
        k = float((z**4).mean() / (z**2).mean() ** 2)
        a = n * ((n**2 - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
        b = k * ((n**2 - n) * s1 - 2 * n * s2 + 6 * s0**2)
        variance = (a - b) / ((n - 1) * (n - 2) * (n - 3) * s0**2)
    return float((moran - expected) / np.sqrt(variance - expected**2))


def size_rows(pvalues: pd.DataFrame) -> list[dict[str, Any]]:
    """Share of rejections at five per cent by test."""
    return [
        {"test": str(name), "without": int(column.isna().sum()), "size": float(share)}
        for name, column in pvalues.items()
        for share in [(column.dropna() < 0.05).mean()]
    ]
