"""Size, power and coverage of the threshold model, judged by their Monte-Carlo error.

docs/monte_carlo_threshold.md has the same with more samples.
"""

import monte_carlo_threshold as study
import numpy as np
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("method", ["residual", "wild"])
def test_size_is_five_per_cent(method):
    design = study.Design(60, 6, "twoway", method=method)
    count = 400
    rejected = (study._cell(design, 0, count)[:, 1] < 0.05).mean()
    assert abs(rejected - 0.05) < 3 * np.sqrt(0.05 * 0.95 / count)


@pytest.mark.slow
def test_power_under_the_truth_of_collaboration():
    """F about 33, as printed, is far above its critical value."""
    found = study._cell(study.Design(181, 11, "twoway", truth=1), 0, 60)
    assert (found[:, 1] < 0.05).mean() > 0.9
    assert 25 < np.median(found[:, 0]) < 42
    assert abs(np.median(found[:, 2]) - 0.0066) < 0.0002


@pytest.mark.slow
def test_the_set_covers_at_least_as_often_as_it_says():
    """It is conservative where the threshold effect is large (Hansen 2000)."""
    count = 300
    found = study._cell(study.Design(181, 11, "twoway", truth=1), 0, count, test=False)
    for share, level in zip(found[:, 3:].mean(axis=0), study.LEVELS, strict=True):
        assert share > level - 3 * np.sqrt(level * (1 - level) / count)
