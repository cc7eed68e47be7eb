"""Least squares of every panel model against ``raw``, the same regression by linearmodels.

linearmodels is given the orthogonal columns that the models use, and no small-sample factor: its
estimates are taken back, and its covariances multiplied by the factor that the provenance states.
It has neither Conley's covariance nor a kernel within entities, which are summed here over all
pairs of rows.
"""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from linearmodels.iv.covariance import KERNEL_LOOKUP
from linearmodels.panel.results import PanelEffectsResults
from numpy.testing import assert_allclose
from pyproj import Geod

from nqp_spatial import (
    FirstDifference,
    FixedEffects,
    Moderation,
    PanelThreshold,
    PooledOLS,
    RandomEffects,
)
from nqp_spatial.core.linear.orthogonal import Basis
from nqp_spatial.core.spatial.sandwich import over_time

CITIES, YEARS, LAGS, CUTOFF = 40, 9, 2, 250.0
KERNELS = ("bartlett", "parzen", "quadratic-spectral")

pytestmark = [  # few periods, and gaps, on purpose
    pytest.mark.filterwarnings("ignore:There are only"),
    pytest.mark.filterwarnings("ignore:.* follow a gap"),
]


@pytest.fixture(scope="module")
def panel():
    """Unbalanced, columns of very different units, the errors of a city and of a year alike."""
    rng = np.random.default_rng(11)
    names = [f"c{i:02d}" for i in range(CITIES)]
    index = pd.MultiIndex.from_product([names, range(2010, 2010 + YEARS)], names=["city", "year"])
    city, year = index.codes
    x = rng.normal(size=(len(index), 3)) + rng.normal(size=(CITIES, 3))[city]
    e = rng.normal(size=len(index)) + rng.normal(size=CITIES)[city] + rng.normal(size=YEARS)[year]
    values = np.column_stack([x @ [1.0, -0.5, 0.2] + e, x * [1.0, 1e5, 1e-4] + [0.0, 1e6, 0.0]])
    frame = pd.DataFrame(values, index, ["y", "a", "b", "c"])
    return frame.drop(index[rng.choice(len(index), 23, replace=False)])


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(12)
    spots = {"lon": rng.uniform(112, 118, CITIES), "lat": rng.uniform(28, 33, CITIES)}
    return pd.DataFrame(spots, [f"c{i:02d}" for i in range(CITIES)])


MODELS = {
    "twoway": lambda y, x: FixedEffects(y, x),
    "entity": lambda y, x: FixedEffects(y, x, effects="entity"),
    "trends": lambda y, x: FixedEffects(y, x, trends="entity"),
    "pooled": PooledOLS,
    "random": RandomEffects,
    "differences": lambda y, x: FirstDifference(y, x, constant=True),
}
COVARIANCES = {
    "unadjusted": {"cov_type": "unadjusted"},
    "robust": {"cov_type": "robust"},
    "clustered": {"cov_type": "clustered"},
    "two-way": {"cov_type": "clustered", "clusters": ["entity", "time"]},
    "driscoll-kraay": {"cov_type": "driscoll-kraay", "bandwidth": LAGS},
    "parzen": {"cov_type": "driscoll-kraay", "kernel": "parzen", "bandwidth": LAGS},
    "quadratic": {"cov_type": "driscoll-kraay", "kernel": "quadratic-spectral", "bandwidth": 1},
    "kernel": {"cov_type": "kernel", "bandwidth": LAGS},
    "conley": {"cov_type": "conley", "cutoff_km": CUTOFF},
}


def pair_weights(kind, index, places):
    """What each pair of rows counts, shape (n, n); None where linearmodels has the covariance."""
    city, year = (pd.factorize(index.get_level_values(i), sort=True)[0] for i in (0, 1))
    apart = np.abs(year[:, None] - year)
    if kind == "kernel":
        return (city[:, None] == city) * np.clip(1 - apart / (LAGS + 1), 0, None)
    if kind == "conley":
        lon, lat = (np.tile(places[name], (CITIES, 1)) for name in ("lon", "lat"))
        km = Geod(ellps="WGS84").inv(lon.T, lat.T, lon, lat)[2] / 1000
        return (apart == 0) * np.clip(1 - km / CUTOFF, 0, None)[np.ix_(city, city)]
    return None


@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("name", MODELS)
def test_estimates_and_errors_are_those_of_linearmodels(panel, places, name, kind):
    options = COVARIANCES[kind] | ({"coordinates": places} if kind == "conley" else {})
    res = MODELS[name](panel["y"], panel[["a", "b", "c"]]).fit(**options)
    raw = res.raw
    assert isinstance(raw, PanelEffectsResults)
    names = raw.params.index
    x = res.model.equation().x[names].to_numpy()
    basis, X = Basis.of(x), raw.model.exog.values2d
    assert_allclose(res.params[names], basis.forward @ raw.params, rtol=1e-12)
    weights = pair_weights(kind, res.model.equation().y.index, places)
    cov = raw.cov.to_numpy()
    if weights is not None:
        bread, scores = np.linalg.inv(X.T @ X), X * raw.resids.to_numpy()[:, None]
        cov = bread @ scores.T @ weights @ scores @ bread
    cov = basis.covariance(cov) * res.provenance["covariance"]["small_sample_factor"]
    errors = np.sqrt(np.diag(cov))
    assert_allclose(res.std_errors[names], errors, rtol=1e-12)
    scale = np.outer(errors, errors)
    assert_allclose(res.cov.loc[names, names] / scale, cov / scale, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("bandwidth", [0, 1, 4])
def test_weights_of_lags_are_those_of_linearmodels(kernel, bandwidth):
    expected = KERNEL_LOOKUP[kernel](float(bandwidth), 8)
    assert_allclose(over_time(kernel, bandwidth, 9)[1:], expected[1:], rtol=1e-15)


def test_raw_is_made_once_and_travels_unmade(panel):
    res = FixedEffects(panel["y"], panel[["a", "b"]]).fit()
    copy = pickle.loads(pickle.dumps(res))
    assert res.raw is res.raw
    assert_allclose(copy.raw.params, res.raw.params, rtol=1e-15)


def test_models_around_fixed_effects_pass_raw_on(panel):
    moderation = Moderation(panel["y"], panel["a"], panel["c"]).fit()
    threshold = PanelThreshold(panel["y"], panel[["a", "b"]], "b", regime="a").fit()
    for res in (moderation, threshold):
        assert isinstance(res.raw, PanelEffectsResults)
        assert len(res.raw.params) == len(res.params)


def test_fitting_does_not_import_linearmodels():
    code = """
import sys
import numpy as np, pandas as pd
import nqp_spatial as nqp
index = pd.MultiIndex.from_product([range(30), range(5)], names=["city", "year"])
data = pd.DataFrame(np.random.default_rng(0).normal(size=(150, 2)), index, ["y", "x"])
for model in (nqp.FixedEffects, nqp.PooledOLS, nqp.RandomEffects, nqp.FirstDifference):
    res = model(data["y"], data[["x"]]).fit(cov_type="driscoll-kraay", kernel="parzen")
    res.summary()
assert "linearmodels" not in sys.modules
assert type(res.raw).__module__.startswith("linearmodels")
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
