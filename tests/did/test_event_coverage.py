"""Event paths of simulated panels on the real cities and pilots hold the truth as often as said."""

import numpy as np
import pytest


@pytest.mark.slow
def test_spatial_paths_cover_and_tests_of_leads_have_their_size():
    """The table of docs/methods.md, by fewer draws; judged by the error of the simulation."""
    import monte_carlo_event_paths as runs

    draws = 200
    found = runs.run(draws, "asymptotic", seed=11)
    error = 3 * np.sqrt(0.05 * 0.95 / draws)
    assert list(found.index) == ["direct", "indirect", "total"]
    assert (np.abs(found[["pointwise", "simultaneous"]] - 0.95) < error).all(axis=None)
    assert (np.abs(found["rejected"] - 0.05) < error).all()


@pytest.mark.slow
def test_errors_that_last_need_clusters():
    """Variances of differences over time are not those of independent errors."""
    import monte_carlo_event_paths as runs

    draws = 100
    plain = runs.run(draws, "asymptotic", serial=True, seed=12)
    clustered = runs.run(draws, "clustered", serial=True, seed=12)
    error = 3 * np.sqrt(0.05 * 0.95 / draws)
    assert (np.abs(clustered["pointwise"] - 0.95) < error).all()
    assert (clustered["pointwise"] > plain["pointwise"] - 0.01).all()
