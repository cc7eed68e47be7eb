"""The test for spatial correlation in residuals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy import stats

from nqp_spatial.core.spatial import moran
from nqp_spatial.language.catalogue import note
from nqp_spatial.results import TestResult


def residual_moran(
    parts: Iterable[tuple[npt.NDArray[np.float64], sp.csr_array]],
) -> TestResult:
    """Moran's I of residuals, pooled over periods; see `diagnostics.moran_residuals`."""
    found = moran.pooled(parts)
    return TestResult(
        name=f"Moran's I of residuals (I = {found.statistic:.4f})",
        null=note("hypotheses.spatial"),
        statistic=found.z,
        df=0,
        pvalue=float(2 * stats.norm.sf(abs(found.z))),
    )
