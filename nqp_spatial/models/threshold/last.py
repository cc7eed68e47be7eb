"""The regression of Hansen's program, which leaves the last demeaned period out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nqp_spatial.exceptions import OptionError
from nqp_spatial.models.covariance import Covariance, CovarianceOptions
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.threshold.search import ThresholdSearch
from nqp_spatial.results import Results
from nqp_spatial.shared.options import check_option
from nqp_spatial.shared.provenance import versions

COV_TYPES = ("clustered", "unadjusted", "robust")


def without_last_period(model: FixedEffects, search: ThresholdSearch, asked: Covariance) -> Results:
    """Least squares on the rows that are kept.

    With n rows and k slopes the factors are n / (n - k); G / (G - 1) (n - 1) / (n - k) for
    clusters by entity. (The program itself has n - N - k for equal variances, and no factor for
    unequal ones.)
    """
    if "bandwidth" in asked or "kernel" in asked:
        raise OptionError("bandwidth= and kernel= do not belong to drop_last_period.")
    cov_type = CovarianceOptions(asked).cov_type
    check_option("cov_type", cov_type, COV_TYPES)
    clusters = asked.get("clusters", "entity")
    if not (isinstance(clusters, str) and clusters == "entity"):
        raise OptionError("With drop_last_period=True clusters are entities. Leave clusters out.")
    within = search.problem.within
    assert within.last is not None
    X, y = within.reduce(model.x.to_numpy()), search.y
    n, k = X.shape
    params = np.linalg.lstsq(X, y, rcond=None)[0]
    resid = y - X @ params
    bread = np.linalg.inv(X.T @ X)
    entity = search.entity[~within.last]
    df = float(n - k)
    if cov_type == "unadjusted":
        cov = bread * (resid @ resid) / df
    else:
        scores = X * resid[:, None]
        factor = n / df
        if cov_type == "clustered":
            groups = len(np.unique(entity))
            scores = np.stack([np.bincount(entity, scores[:, j]) for j in range(k)], axis=1)
            factor, df = groups / (groups - 1) * (n - 1) / (n - k), float(groups - 1)
        cov = factor * bread @ (scores.T @ scores) @ bread
    names = model.x.columns
    kept = model.y.index[~within.last]
    residuals = pd.Series(resid, kept, name="resid")
    deviation = model.y - model.y.mean()
    return Results(
        params=pd.Series(params, names, name="estimate"),
        cov=pd.DataFrame(cov, names, names),
        nobs=n,
        resids=residuals,
        fitted=(model.y.loc[kept] - residuals).rename("fitted"),
        loglik=None,
        rsquared={
            "within": 1 - float(resid @ resid) / float(y @ y),
            "overall": 1 - float(resid @ resid) / float((deviation.loc[kept] ** 2).sum()),
        },
        dependent=str(model.y.name),
        cov_type="clustered by entity" if cov_type == "clustered" else cov_type,
        df_resid=df,
        effects_included=("entity",),
        extra_statistics={"n_entities": len(np.unique(search.entity))},
        provenance={
            "versions": versions(),
            "options": {"effects": "entity", "cov_type": cov_type},
            "notes": tuple(model.y.attrs.get("notes", ())),
        },
    )
