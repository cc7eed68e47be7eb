"""Bounds of event studies: paths of spatial models, rho held, breakdown, what bad input is told."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.core.did import honest as core
from nqp_spatial.did import EventPath, EventStudy, honest
from nqp_spatial.exceptions import EstimationError, OptionError
from tests.assertions import quietly
from tests.did.test_event_study import graph, panel


@pytest.fixture(scope="module")
def f():
    made = panel(seed=4)
    made["y"] += 1.5 * made["did"]
    return made


@pytest.fixture(scope="module")
def ordinary(f):
    return EventStudy(f["y"], f["did"], f[["x1"]], window=(-4, 3)).fit()


@pytest.fixture(scope="module")
def spatial(f):
    made = EventStudy(f["y"], f["did"], f[["x1"]], graph(), window=(-4, 3))
    return quietly(made.fit, cov_type="clustered")


def arrays(path):
    leads = [j for j, t in enumerate(path.times) if t < 0]
    return core.Path(path.estimates, path.cov, len(leads), np.eye(len(path.times) - len(leads))[0])


def test_bounds_are_those_of_the_arrays(ordinary):
    one = arrays(ordinary.paths[""])
    found = honest(ordinary, points=None)
    assert list(found.bounds.index) == [0.5, 1.0, 1.5, 2.0]
    for bound in found.bounds.index:
        assert_allclose(found.loc[bound], core.relative(one, bound, 0.95), rtol=1e-10)
    assert_allclose(found["lower"], found.to_frame()["lower"])
    smooth = honest(ordinary, "smoothness", (0.0, 0.1), level=0.9)
    assert_allclose(smooth.loc[0.1], core.smoothness(one, 0.1, 0.9), rtol=1e-10)
    by_hand = EventPath.of(one.beta, one.cov, 3, 4)
    assert_allclose(honest(by_hand, points=None).bounds, found.bounds, rtol=1e-10)
    assert_allclose(
        found.original.loc["effect", ["estimate", "lower", "upper"]].astype(float),
        [one.estimate, *one.original(0.95)],
    )


def test_another_base_gives_the_same_bounds(f, ordinary):
    other = EventStudy(f["y"], f["did"], f[["x1"]], window=(-4, 3), base=-3).fit()
    for kind in ("relative", "smoothness"):
        found = honest(other, kind, (0.3, 1.0)).bounds
        assert_allclose(found, honest(ordinary, kind, (0.3, 1.0)).bounds, rtol=1e-6)


@pytest.mark.parametrize("kind", ["relative", "smoothness"])
def test_the_breakdown_value_is_where_zero_comes_in(ordinary, kind):
    found = honest(ordinary, kind)
    at = found.breakdown
    assert 0 < at < np.inf
    inside = honest(ordinary, kind, (0.999 * at, 1.001 * at), points=None).bounds
    assert inside.iloc[0]["lower"] > 0 >= inside.iloc[1]["lower"]
    assert f"{at:.3g}" in found.notes[-1]
    assert f"{at:.3g}" in found.summary()


def test_without_an_effect_nothing_breaks_down():
    rng = np.random.default_rng(0)
    noise = EventPath.of(0.01 * rng.normal(size=5), np.eye(5), 2)
    assert honest(noise).breakdown == 0
    assert "even without any violation" in honest(noise).notes[-1]
    certain = EventPath.of([0.0, 0.0, 1e9], 1e-6 * np.eye(3), 2)
    assert honest(certain, grid=(1.0,)).breakdown == np.inf


def test_what_is_wanted_of_the_path(ordinary):
    one = arrays(ordinary.paths[""])
    for wanted, l in (  # noqa: E741
        ({"period": 2}, [0, 0, 1, 0]),
        ({"period": "average"}, [0.25] * 4),
        ({"weights": (0, 1, -1, 0)}, [0, 1, -1, 0]),
    ):
        found = honest(ordinary, grid=(0.5,), points=None, **wanted)
        expected = core.Path(one.beta, one.cov, one.n_pre, np.array(l, dtype=float))
        assert_allclose(found.loc[0.5], core.relative(expected, 0.5, 0.95), rtol=1e-10)
        assert found.weights.tolist() == l


def test_ends_on_the_grid_are_inside_those_of_the_interval_by_a_step(ordinary):
    whole, printed = honest(ordinary, points=None), honest(ordinary)
    step = 40 * arrays(ordinary.paths[""]).std_error / 999
    inside = printed.bounds - whole.bounds
    assert (inside["lower"] >= 0).all() and (inside["lower"] <= step).all()
    assert (inside["upper"] <= 0).all() and (inside["upper"] >= -step).all()
    finer = honest(ordinary, points=20_000).bounds - whole.bounds
    assert (finer.abs() <= step / 19).all(axis=None)


def test_spatial_paths_have_the_uncertainty_of_rho(spatial):
    found = honest(spatial, grid=(0.5, 1.0), points=None)
    assert list(found.bounds.index.unique("effect")) == ["direct", "indirect", "total"]
    for effect in ("direct", "indirect", "total"):
        one = arrays(spatial.paths[effect])
        assert_allclose(found.loc[(effect, 0.5)], core.relative(one, 0.5, 0.95), rtol=1e-9)
        alone = honest(spatial, "relative", (0.5,), effect, points=None)
        assert_allclose(alone.loc[0.5], found.loc[(effect, 0.5)], rtol=1e-12)
        assert list(alone.bounds.index.names) == ["bound"]


def test_bounds_over_a_grid_of_rho(spatial):
    held = (0.0, spatial.rho)
    found = honest(spatial, "smoothness", (0.1, 0.2), "indirect", rho=held).over_rho
    assert list(found.index.names) == ["rho", "bound"]
    for rho in held:
        one = arrays(spatial.paths_at(rho)["indirect"])
        assert_allclose(found.loc[(rho, 0.1), "estimate"], one.estimate, rtol=1e-10)
        assert_allclose(
            found.loc[(rho, 0.1), ["lower", "upper"]], core.smoothness(one, 0.1, 0.95), rtol=1e-10
        )
    # at the estimate the path is the same, its intervals lack the uncertainty of rho
    own = honest(spatial, "smoothness", (0.1,), "total")
    there = honest(spatial, "smoothness", (0.1,), "total", rho=(spatial.rho,)).over_rho
    assert_allclose(there["estimate"], own.original["estimate"], rtol=1e-6)
    default = honest(spatial, "smoothness", effect="total").over_rho
    assert default.index.unique("rho").min() <= 0 and len(default.index.unique("rho")) == 4


def test_models_without_rho_have_no_grid_of_it(f, ordinary):
    with pytest.raises(OptionError, match="no rho"):
        honest(ordinary, grid=(1.0,)).over_rho  # noqa: B018
    with pytest.raises(OptionError, match="rho= belongs to a spatial event study"):
        honest(ordinary, rho=(0.1,))
    slx = EventStudy(f["y"], f["did"], None, graph(), window=(-3, 2), model="slx")
    found = honest(quietly(slx.fit), "smoothness", (0.1,))
    assert "honest-rho" not in found.frames
    sem = quietly(EventStudy(f["y"], f["did"], None, graph(), window=(-3, 2), model="sem").fit)
    both = honest(sem, "smoothness", (0.1,)).bounds  # indirect effects are zero by construction
    assert list(both.index.unique("effect")) == ["direct", "total"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "monotone"}, "kind='monotone' is not known"),
        ({"grid": (-1.0,)}, "grid has -1.0"),
        ({"grid": ()}, "grid is empty"),
        ({"grid": ("1",)}, "grid has '1'"),
        ({"effect": "direct"}, "effect='direct' belongs to a spatial event study"),
        ({"period": 9}, "period=9 is not an event time from 0 to 3"),
        ({"period": True}, "period=True"),
        ({"weights": (1, 0)}, "weights has 2 numbers, and there are 4"),
        ({"level": 0.3}, "level=0.3 is not above one half"),
    ],
)
def test_options(ordinary, options, told):
    with pytest.raises(OptionError, match=told):
        honest(ordinary, **options)


def test_paths_that_cannot_be_bounded(f, spatial):
    with pytest.raises(OptionError, match="effect='own' is not known"):
        honest(spatial, effect="own")
    with pytest.raises(OptionError, match="event_study is a DataFrame"):
        honest(pd.DataFrame())
    never = panel(never=0)
    second = EventStudy(never["y"], never["did"], window=(-4, 3)).fit()
    with pytest.raises(OptionError, match="has the base periods -1, -4"):
        honest(second)
    no_leads = EventStudy(f["y"], f["did"], window=(-1, 3)).fit()
    with pytest.raises(OptionError, match="no estimate before it"):
        honest(no_leads)
    gap = EventPath((-4, -2, 0), np.zeros(3), np.eye(3))
    with pytest.raises(OptionError, match="event times -3 have no estimate"):
        honest(gap)
    with pytest.raises(EstimationError, match="deficient rank"):
        honest(EventPath.of(np.zeros(3), np.ones((3, 3)), 1))
    with pytest.raises(EstimationError, match="no covariance"):
        honest(EventPath((-2, 0), np.zeros(2), np.full((2, 2), np.nan)))
    with pytest.raises(OptionError, match="outside"):
        honest(spatial, rho=(1.5,))


def test_pictures_have_the_parallel_interval_first(ordinary, spatial):
    found = honest(ordinary, grid=(0.5, 1.0))
    ax = found.plot(lang="zh")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["平行趋势", "0.5", "1"]
    assert ax.get_ylabel() == "效应"
    axes = honest(spatial, "smoothness", (0.1,)).plot().figure.axes
    assert [one.get_title() for one in axes] == ["direct effect", "indirect effect", "total effect"]
    assert nqp.did.honest is honest
