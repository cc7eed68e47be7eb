"""What tests assert of two results, or do to have them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import NqpWarning


def quietly(function: Any, *args: Any, **options: Any) -> Any:
    """The call, without the warnings of so small a panel."""
    with warnings.catch_warnings(action="ignore", category=NqpWarning):
        return function(*args, **options)


def assert_same_fit(
    found: Any, expected: Any, *, params: tuple[float, float], cov: tuple[float, float]
) -> None:
    """Model, names, estimates and covariance; ``params`` and ``cov`` are (rtol, atol)."""
    assert found.model_name == expected.model_name
    assert list(found.params.index) == list(expected.params.index)
    assert_allclose(found.params, expected.params, rtol=params[0], atol=params[1])
    assert_allclose(found.cov, expected.cov, rtol=cov[0], atol=cov[1])


def assert_covariance(found: Any, expected: Any, tolerance: float = 1e-6) -> None:
    """Covariances, relative to the standard errors."""
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert_allclose(np.asarray(found) / size, expected / size, rtol=0, atol=tolerance)
