import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DataWarning,
    MissingValuesError,
    NotNumericError,
    OptionError,
)
from nqp_spatial.indices import pca
from tests import panels


@pytest.fixture
def arrests():
    return panels.read("usarrests.csv", "state").drop(columns="year")


@pytest.fixture(scope="module")
def expected():
    """tests/reference/usarrests_indices.R: prcomp, and KMO and Bartlett from their formulas."""
    return panels.read("usarrests_pca.csv", "case", "name")["value"]


def signed(result, expected, k):
    """prcomp's k-th vector, turned round if its elements add up to less than zero."""
    rotation = expected[f"rotation_{k}"][result.coefficients.index]
    return np.sign(rotation.sum())


def test_components_equal_prcomp(arrests, expected):
    result = pca(arrests, n_components=4)
    for k in range(1, 5):
        sign = signed(result, expected, k)
        rotation = expected[f"rotation_{k}"][arrests.columns]
        assert_allclose(result.coefficients[f"pc{k}"], sign * rotation, atol=1e-12)
        x = expected[f"x_{k}"][arrests.index]
        assert_allclose(result.components[f"pc{k}"], sign * x, atol=1e-12)
        loading = sign * rotation * np.sqrt(expected["eigenvalue", f"pc{k}"])
        assert_allclose(result.loadings[f"pc{k}"], loading, atol=1e-12)
    eigenvalue = expected["eigenvalue"]
    assert_allclose(result.explained["eigenvalue"], eigenvalue, rtol=1e-12)
    assert_allclose(result.explained["cumulative"], eigenvalue.cumsum() / 4, rtol=1e-12)


def test_score_weighs_components_by_their_variance(arrests, expected):
    result = pca(arrests, n_components=2)
    value = expected["eigenvalue"].to_numpy()[:2]
    parts = [signed(result, expected, k) * expected[f"x_{k}"][arrests.index] for k in (1, 2)]
    assert_allclose(result.score, (value[0] * parts[0] + value[1] * parts[1]) / value.sum())
    standardised = (arrests - arrests.mean()) / arrests.std()
    assert_allclose(result.score, standardised @ result.weights["weight"], atol=1e-12)


def test_adequacy_equals_the_formulas(arrests, expected):
    result = pca(arrests)
    assert_allclose(result.kmo, expected["kmo"][result.kmo.index], rtol=1e-10)
    bartlett = expected["bartlett"]
    assert_allclose(result.bartlett.statistic, bartlett["statistic"], rtol=1e-10)
    assert result.bartlett.df == bartlett["df"] == 6
    assert_allclose(result.bartlett.pvalue, bartlett["pvalue"], rtol=1e-6)  # a far tail
    assert "KMO 0.65" in result.summary()


def test_share_keeps_the_fewest_components_that_reach_it(arrests):
    """Cumulative shares printed in textbooks: 0.62, 0.87, 0.96, 1."""
    assert pca(arrests, n_components=0.6).components.shape[1] == 1
    assert pca(arrests, n_components=0.63).components.shape[1] == 2
    assert pca(arrests, n_components=0.9).components.shape[1] == 3
    assert list(pca(arrests, n_components=0.8).to_frame()) == ["index", "pc1", "pc2"]


def test_negative_indicators_and_the_sign(arrests):
    directions = dict.fromkeys(arrests, "negative") | {"UrbanPop": "positive"}
    turned = pca(arrests, directions)
    negated = arrests.mul([-1, -1, 1, -1])
    assert_allclose(turned.score, pca(negated).score, atol=1e-12)
    mean = ((negated - negated.mean()) / negated.std()).mean(axis=1)
    for k in (1, 2, 3, 4):
        score = pca(arrests, directions, n_components=k).score
        assert np.corrcoef(score, mean)[0, 1] > 0
    assert turned.weights["direction"].tolist() == ["negative"] * 2 + ["positive", "negative"]


def test_units_do_not_matter(arrests):
    """Squares of these would leave the range of floating point numbers."""
    units = pd.Series([1e-200, 1e200, 1e-9, 1e12], arrests.columns)
    result, expected = pca(arrests * units), pca(arrests)
    assert_allclose(result.score, expected.score, rtol=1e-9)
    assert_allclose(result.kmo, expected.kmo, rtol=1e-9)


def test_collinear_indicators_warn_and_give_no_adequacy(arrests):
    frame = arrests.assign(total=arrests["Murder"] + arrests["Assault"])
    with pytest.warns(DataWarning, match="collinear: KMO and Bartlett's test are not defined"):
        result = pca(frame)
    assert result.kmo.isna().all() and np.isnan(result.bartlett.statistic)
    assert_allclose(result.explained["eigenvalue"].sum(), 5)


def test_bad_input_is_named(arrests):
    with pytest.raises(OptionError, match="n_components=5 is neither a number .* from 1 to 4"):
        pca(arrests, n_components=5)
    with pytest.raises(OptionError, match=r"n_components=1.0 is neither"):
        pca(arrests, n_components=1.0)
    with pytest.raises(OptionError, match="n_components=True is neither"):
        pca(arrests, n_components=True)
    with pytest.raises(DataError, match="needs two or more indicators, got 1"):
        pca(arrests[["Rape"]])
    with pytest.raises(NotNumericError, match="Expected a DataFrame .*, got ndarray"):
        pca(arrests.to_numpy())
    with pytest.raises(ConstantColumnError, match="'Rape' is constant"):
        pca(arrests.assign(Rape=1))
    with pytest.raises(MissingValuesError, match="'Rape' in row 'Alaska'"):
        pca(arrests.assign(Rape=arrests["Rape"].where(arrests.index != "Alaska")))


def test_unit_score_and_adequacy_as_a_frame(arrests):
    result = pca(arrests)
    unit = result.unit_score
    assert (unit.min(), unit.max()) == (0, 1)
    assert_allclose(np.corrcoef(unit, result.score)[0, 1], 1)
    frame = result.adequacy
    assert frame["statistic"].tolist() == [result.kmo["overall"], result.bartlett.statistic]
    assert frame.loc["Bartlett", ["df", "pvalue"]].tolist() == [6, result.bartlett.pvalue]
