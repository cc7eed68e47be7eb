"""Exact log-determinants by CHOLMOD (Chen, Davis, Hager and Rajamanickam 2008), an optional extra.

Only scikit-sparse with ``analyze`` (0.4) is used. The symbolic analysis is made once.
"""

from __future__ import annotations

import importlib
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from nqp_spatial.core.spectrum import structure
from nqp_spatial.core.spectrum.lu import LUSpectrum

Array = npt.NDArray[np.float64]


def cholmod() -> ModuleType | None:
    """The module, or None if it is not installed or has another interface."""
    try:
        module = importlib.import_module("sksparse.cholmod")
    except ImportError:
        return None
    return module if hasattr(module, "analyze") else None


class CholmodSpectrum(LUSpectrum):
    """A sparse Cholesky factorisation of the symmetric form for each rho.

    Raises
    ------
    ImportError
        If scikit-sparse is not installed.
    ValueError
        If W has no symmetric form.
    """

    method = "cholmod"

    def __init__(self, W: sp.csr_array, *, seed: int = 0) -> None:
        super().__init__(W, seed=seed)
        self._cholmod = cholmod()
        if self._cholmod is None:
            raise ImportError(
                "logdet='cholmod' needs scikit-sparse 0.4, which is not installed. "
                'Type: pip install "scikit-sparse>=0.4.16,<0.5", or use logdet="lu".'
            )
        if self._scale is None:
            raise ValueError(
                "CHOLMOD needs a W with a symmetric form: no d makes d_i w_ij symmetric (nearest "
                "neighbours, for example). Use logdet='lu'."
            )

    def __getstate__(self) -> dict[str, object]:
        """Without the module and its analysis, which cannot be copied to another process."""
        left_out = ("_cholmod", "_analysed")
        return {k: v for k, v in super().__getstate__().items() if k not in left_out}

    @cached_property
    def _analysed(self) -> tuple[sp.csc_matrix, sp.csc_matrix, Any]:
        """S, I on the pattern of both, and the analysis of that pattern."""
        assert self._scale is not None
        S = sp.csc_matrix(structure.symmetric_form(self._W, self._scale))
        identity = sp.eye(self.n, format="csc")
        analyze = importlib.import_module("sksparse.cholmod").analyze
        return S, identity, analyze(identity + 0.0 * S + S * 0.5 / structure.largest_row_sum(S))

    def _logdet(self, rho: float | Array) -> float:
        """Cholesky of I - C^1/2 S C^1/2, C = diag(rho), if it is positive definite; else LU."""
        low, high = self.interval
        if not (np.all(np.asarray(rho) > 0) or np.isscalar(rho)) or not (
            low < np.min(rho) and np.max(rho) < high
        ):
            return super()._logdet(rho)
        S, identity, factor = self._analysed
        if np.isscalar(rho):
            A = identity - rho * S
        else:
            root = sp.diags(np.sqrt(np.asarray(rho)), format="csc")
            A = identity - root @ S @ root
        factor.cholesky_inplace(A)
        return float(factor.logdet())
