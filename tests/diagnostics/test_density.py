import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import gaussian_kde, norm

from nqp_spatial.diagnostics import kernel_density
from nqp_spatial.exceptions import ConstantColumnError, DataError, OptionError

Y = [2.1, 3.4, 3.9, 4.4, 5.2, 6.8, 7.7, 9.3, 11.2, 15.6]
NRD0, NRD = 2.06591443948272, 2.43318811761298  # bw.nrd0 and bw.nrd of Y in R 4.2.2


def panel(*columns, start=2010):
    wide = pd.DataFrame({start + i: column for i, column in enumerate(columns)})
    wide.index = pd.Index([f"c{i:02d}" for i in wide.index], name="city")
    return wide.rename_axis(columns="year").stack().rename("y").astype(float)


def test_bandwidths_are_those_of_r():
    found = kernel_density(panel(Y)).shape.loc[2010]
    assert_allclose(found["bandwidth"], NRD0, rtol=1e-13)
    scott = kernel_density(panel(Y), bandwidth="scott").shape.loc[2010]
    assert_allclose(scott["bandwidth"], NRD, rtol=1e-13)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), h=st.floats(0.05, 3))
def test_equals_scipy_with_and_without_weights(seed, h):
    rng = np.random.default_rng(seed)
    y, p = rng.gamma(2, 3, 30), rng.uniform(0.2, 5, 30)
    values = panel(y)
    weights = pd.Series(p, values.index, name="p")
    for own, w in ((None, None), (weights, p)):
        found = kernel_density(values, bandwidth=h, weights=own)
        n = 30 if w is None else w.sum() ** 2 / (w**2).sum()
        std = np.sqrt(np.cov(y, aweights=w))
        theirs = gaussian_kde(y, bw_method=h / std, weights=w)
        assert_allclose(found.density[2010], theirs(found.density.index), rtol=1e-9, atol=1e-14)
        assert_allclose(found.shape.loc[2010, "std"], std, rtol=1e-12)
        assert theirs.neff == pytest.approx(n)


def test_a_normal_sample_has_the_density_of_its_smoothed_distribution():
    """E of the estimate is the density of N(0, 1 + h²); quantiles in place of draws."""
    y = norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = kernel_density(panel(y), bandwidth=0.5)
    expected = norm.pdf(found.density.index, scale=np.sqrt(1.25))
    assert_allclose(found.density[2010], expected, atol=2e-4)


@pytest.mark.parametrize("kernel", ["gaussian", "epanechnikov"])
def test_densities_integrate_to_one_with_the_moments_of_the_kernel(kernel):
    found = kernel_density(panel(Y, Y[::-1]), kernel=kernel, bandwidth=0.8, points=6000)
    x, f = found.density.index.to_numpy(), found.density[2010].to_numpy()
    step = x[1] - x[0]
    assert_allclose(f.sum() * step, 1, atol=3e-3)  # the grid ends at three bandwidths
    mean = (x * f).sum() * step
    assert_allclose(mean, np.mean(Y), rtol=3e-3)
    assert_allclose(((x - mean) ** 2 * f).sum() * step, np.var(Y) + 0.64, rtol=0.01)


def test_peaks_are_counted():
    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, 200), np.r_[rng.normal(-4, 1, 100), rng.normal(4, 1, 100)]
    found = kernel_density(panel(one, two), bandwidth=1.0).shape
    assert found["peaks"].tolist() == [1, 2]
    assert abs(found.loc[2010, "peak"]) < 0.5


def test_what_leaves_it_as_it_is():
    values = panel(Y, [y**1.5 for y in Y])
    base = kernel_density(values)
    mixed = kernel_density(values.sample(frac=1, random_state=1))
    assert_allclose(mixed.density, base.density, rtol=1e-10)
    scaled = kernel_density(values * 100)
    assert_allclose(scaled.density * 100, base.density, rtol=1e-10)
    equal = kernel_density(values, weights=pd.Series(7.0, values.index, name="p"))
    assert_allclose(equal.shape, base.shape, rtol=1e-12)
    assert base.density.columns.tolist() == [2010, 2011]
    some = kernel_density(values, periods=[2011])
    assert_allclose(some.shape, base.shape.loc[[2011]], rtol=0.05)
    assert_allclose(some.shape["bandwidth"], base.shape.loc[[2011], "bandwidth"])


def test_what_has_no_density_is_told():
    values = panel(Y, [3.0] * 10)
    with pytest.raises(ConstantColumnError, match="equal in period 2011"):
        kernel_density(values)
    assert len(kernel_density(values, periods=[2010]).shape) == 1
    with pytest.raises(DataError, match="no values of 1999"):
        kernel_density(values, periods=[1999])
    with pytest.raises(DataError, match="1 value in period 2010"):
        kernel_density(values.iloc[:2])
    with pytest.raises(OptionError, match="bandwidth='sheather' is not known"):
        kernel_density(values, bandwidth="sheather")
    with pytest.raises(OptionError, match="bandwidth"):
        kernel_density(values, bandwidth=-1)
    with pytest.raises(OptionError, match="kernel='cosine' is not known"):
        kernel_density(values, kernel="cosine")
