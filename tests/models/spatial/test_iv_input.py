"""What SpatialIV refuses or warns of, by its message."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import (
    BoundaryWarning,
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    DroppedLagWarning,
    DuplicateKeysError,
    EstimationError,
    IdMismatchError,
    MissingValuesError,
    NotRowNormalisedError,
    OptionError,
    UnstableModelError,
)
from nqp_spatial.models.spatial.iv import SpatialIV
from tests import panels as spatial_panels
from tests.models.spatial import iv_panels as panels

N, T = 40, 6
weak = pytest.mark.filterwarnings("ignore:Weak instruments")


@pytest.fixture
def data():
    return panels.frame(panels.weights(N), T, seed=3)


@pytest.fixture(scope="module")
def graph():
    return panels.graph_of(panels.weights(N))


def make(data, graph, *, x=("x1",), endog=("d",), z=("z1",), **options):
    columns = [None if not names else data[list(names)] for names in (x, endog, z)]
    options = {"durbin": None} | options
    return SpatialIV(
        data["y"], columns[0], graph, endog=columns[1], instruments=columns[2], **options
    )


def test_fewer_instruments_than_endogenous_regressors(data, graph):
    message = (
        r"underidentified: 2 endogenous regressors were given \('d', 'x2'\) and 1 instruments "
        r"for them: 'z1'\. .*at least one instrument for each"
    )
    with pytest.raises(EstimationError, match=message):
        make(data, graph, endog=("d", "x2"))
    with pytest.raises(EstimationError, match="0 instruments for them. Lags of x instrument Wy"):
        make(data, graph, z=())
    with pytest.raises(OptionError, match=r"'d' is endogenous and has no instruments"):
        make(data, graph, z=(), lag=False)


def test_too_few_are_left_after_dropping(data, graph):
    data["z2"] = 2 * data["z1"] - data["x1"]
    model = make(data, graph, endog=("d", "x2"), z=("z1", "z2"), lag=False, durbin=[])
    message = (
        r"2 endogenous regressors \('d', 'x2'\) and 1 excluded instruments: 'z1'\. 'z2' were "
        r"left out as linear combinations of others once the twoway effects are removed"
    )
    with pytest.raises(EstimationError, match=message):
        model.fit()


@weak
def test_collinear_instruments_are_named_and_left_out(data, graph):
    data["z2"] = 2 * data["z1"] - data["x1"]
    with pytest.warns(DataWarning, match=r"instruments 'z2', 'W_z2', 'W2_z2', 'W3_z2' are coll"):
        res = make(data, graph, z=("z1", "z2")).fit()
    assert res.dropped_instruments == ("z2", "W_z2", "W2_z2", "W3_z2")
    assert "not used, collinear: 'z2'" in res.summary()
    assert_allclose(res.params, make(data, graph).fit().params, rtol=1e-8)


@pytest.mark.parametrize(
    ("effects", "level", "named"), [("entity", "city", "z2"), ("time", "year", "z2")]
)
def test_an_instrument_that_the_effects_absorb_is_named(data, graph, effects, level, named):
    data[named] = data.index.get_level_values(level).astype(float)
    message = f"The instrument 'z2' does not vary once the {effects} effects are removed"
    with pytest.raises(ConstantColumnError, match=message):
        make(data, graph, z=("z1", "z2"), effects=effects).fit()


def test_cells_of_an_instrument_that_are_missing_are_named(data, graph):
    data.loc[(3, 2002), "z1"] = np.nan
    with pytest.raises(MissingValuesError, match=r"'z1' is empty in 1 of 240 rows, .*\(3, 2002\)"):
        make(data, graph)


def test_a_column_has_one_role(data, graph):
    with pytest.raises(OptionError, match="'x1' is in x and in endog"):
        make(data, graph, endog=("d", "x1"), z=("z1", "z2"))
    with pytest.raises(OptionError, match="'d' is in endog and in instruments"):
        make(data, graph, z=("d",))
    with pytest.raises(OptionError, match="'x1' is in x and in instruments.*x instruments itself"):
        make(data, graph, z=("x1",))


def test_rows_that_differ_are_named(data, graph):
    short = data.drop((0, 2001))
    with pytest.raises(IdMismatchError, match=r"y and instruments do not.*1 are only in y.*\(0, 2"):
        SpatialIV(
            data["y"], data[["x1"]], graph, endog=data["d"], instruments=short["z1"]
        )  # fmt: skip
    shifted = data["z1"].rename(index=lambda i: i + 1, level=0)
    with pytest.raises(IdMismatchError, match="6 are only in y, 6 only in instruments"):
        SpatialIV(data["y"], data[["x1"]], graph, endog=data["d"], instruments=shifted)
    twice = pd.concat([data["z1"], data["z1"].iloc[:1]])
    with pytest.raises(DuplicateKeysError, match="in instruments, first"):
        SpatialIV(data["y"], data[["x1"]], graph, endog=data["d"], instruments=twice)


def test_what_is_not_a_frame_is_refused(data, graph):
    with pytest.raises(ValueError, match="instruments is a ndarray"):
        SpatialIV(
            data["y"], data[["x1"]], graph, endog=data["d"], instruments=data["z1"].to_numpy()
        )


def test_endogenous_and_exogenous_regressors_that_are_collinear(data, graph):
    data["d"] = 2 * data["x1"]
    with pytest.raises(CollinearityError, match="'d' is a linear combination of 'x1'"):
        make(data, graph)


def test_perfect_fit(data, graph):
    data["y"] = data["x1"] + 2 * data["d"]
    with pytest.raises(EstimationError, match="fit the outcome exactly"):
        make(data, graph, lag=False, durbin=[]).fit()


@pytest.mark.filterwarnings("ignore:The instruments")
def test_more_moments_than_observations():
    W = panels.weights(8, kind="contiguity")
    data = panels.frame(W, 2)
    model = make(data, panels.graph_of(W), z=("z1", "z2"))
    message = "7 observations are left by the twoway effects for 5 regressors and"
    with pytest.raises(EstimationError, match=message):
        model.fit()


def complete(n=N):
    return panels.graph_of((np.ones((n, n)) - np.eye(n)) / (n - 1))


def test_equal_weights_leave_no_instrument(data):
    """W^2 = (I + (n - 2) W) / (n - 1): with X and WX in the model nothing is excluded."""
    message = (
        r"underidentified: 1 endogenous regressors \('W_y'\) and 0 excluded instruments\. "
        r"'W2_x1', 'W3_x1' were left out .*with equal weights among all entities"
    )
    with pytest.raises(EstimationError, match=message):
        make(data, complete(), endog=(), z=(), effects="entity").fit()
    with (
        pytest.warns(DroppedLagWarning, match="spatial lag of 'x1'"),
        pytest.raises(EstimationError, match="'W_x1', 'W2_x1' were left out"),
    ):
        make(data, complete(), endog=(), z=()).fit()


def test_weak_instruments_are_said(data, graph):
    data["z1"] = np.random.default_rng(0).normal(size=len(data))
    message = r"Weak instruments: the smallest conditional first-stage F is \d\.\d\d, below 10"
    with pytest.warns(DataWarning, match=message) as caught:
        res = make(data, graph, lag=False, durbin=[]).fit()
    assert caught[0].filename == __file__
    table = res.first_stage.strength
    assert f"{table.loc['d', 'conditional_f']:.2f}" in str(caught[0].message)
    assert table.loc["d", "conditional_f"] == table.loc["d", "f"] < 10
    assert res.fit_statistics["weakest_f"] == table["conditional_f"].min()
    assert np.isnan(table.loc["d", "robust_f"])
    assert table.attrs["df"] == (1, (N - 1) * (T - 1) - 2)


def test_strong_instruments_are_not_warned_of(data, graph):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        res = make(data, graph, lag=False, durbin=[]).fit(cov_type="robust")
    assert res.first_stage.strength.loc["d", "robust_f"] > 10


def test_unmoved_combinations_of_endogenous_regressors(data, graph):
    """z2 moves nothing that z1 does not: d and d2 differ by what H leaves alone."""

    def within(name):
        return panels.within(panels.array(data[name]), "twoway")

    H = np.column_stack([within("z1"), within("z2"), within("x1")])
    noise = within("d")
    noise = noise - H @ np.linalg.lstsq(H, noise, rcond=None)[0]
    rest = noise.reshape(T, N).T.ravel()  # rows of the frame are entity after entity
    data["d"], data["d2"] = data["z1"] + rest, data["z1"] - 2 * rest
    model = make(data, graph, endog=("d", "d2"), z=("z1", "z2"), lag=False, durbin=[])
    with pytest.raises(EstimationError, match="leave a combination of the endogenous regressors"):
        model.fit()


@weak
def test_rho_outside_its_interval(graph):
    """Twelve entities and two periods: the instruments hardly move Wy."""
    W = spatial_panels.contiguity(12, 1)
    y, X = spatial_panels.arrays(W, 2, rho=0.4, seed=3)
    data = spatial_panels.frame(y, X)
    model = SpatialIV(data["y"], data[["x1"]], panels.graph_of(W), durbin=[], effects=None)
    with pytest.warns(
        BoundaryWarning, match=r"rho = 2\.9903 is outside its interval \(-1\.2563, 1"
    ):
        res = model.fit()
    low, high = model.design.spectrum.interval
    assert not low < res.rho < high
    for ask in (res.effects, lambda: res.effects(method="simulation", seed=1)):
        with pytest.raises(UnstableModelError, match="rho = 2.9903 is not inside"):
            ask()
    assert np.isnan(res.rsquared["squared_correlation"])
    assert np.isfinite(res.std_errors).all()


@weak
def test_gmm_cannot_weight_by_a_covariance_that_is_not_positive_definite(data, graph):
    """A uniform kernel over places on a plane has negative frequencies."""
    places = np.random.default_rng(1).random((N, 2)) * 5 + [110, 30]
    coordinates = pd.DataFrame(places, data.index.unique(0), ["lon", "lat"])
    options = {"cov_type": "conley", "cutoff_km": 350, "coordinates": coordinates}
    message = "not positive definite, as a uniform kernel allows. Use kernel='bartlett'"
    with pytest.raises(EstimationError, match=message):
        make(data, graph).fit(estimator="gmm", kernel="uniform", **options)


def test_gmm_needs_a_covariance_and_enough_clusters(data, graph):
    model = make(data, graph)
    with pytest.raises(OptionError, match="With equal variances two-step GMM is 2SLS"):
        model.fit(estimator="gmm")
    with pytest.raises(EstimationError, match="GMM cannot weight 8 moments by this covariance"):
        model.fit(estimator="gmm", cov_type="driscoll-kraay")
    with pytest.raises(OptionError, match="estimator='liml' is not known"):
        model.fit(estimator="liml")


@weak
def test_a_singular_covariance_has_no_j(data, graph):
    res = make(data, graph).fit(cov_type="driscoll-kraay")
    found = res.overidentification
    assert (found.name, found.df) == ("Hansen J", 3)
    assert np.isnan(found.statistic) and np.isnan(found.pvalue)


@weak
def test_an_exactly_identified_model_has_no_overidentification(data, graph):
    res = make(data, graph, lag=False, durbin=[]).fit()
    assert res.overidentification.df == 0 and np.isnan(res.overidentification.pvalue)
    assert "Sargan" not in res.summary()


@pytest.mark.parametrize("orders", [0, -1, 1.5, True, "2"])
def test_orders_of_instruments(data, graph, orders):
    with pytest.raises(OptionError, match="instrument_orders=.* must be a whole number of at leas"):
        make(data, graph, instrument_orders=orders)


def test_options_that_are_unknown(data, graph):
    with pytest.raises(OptionError, match="effects='random' is not known"):
        make(data, graph, effects="random")
    with pytest.raises(OptionError, match="durbin='z1' is not known"):
        make(data, graph, durbin=["z1"])
    with pytest.raises(OptionError, match='clusters= belongs to cov_type="clustered"'):
        make(data, graph).fit(clusters="entity")
    with pytest.raises(OptionError, match="Nothing is endogenous.*Use SLX"):
        make(data, graph, endog=(), z=(), lag=False)
    with pytest.raises(OptionError, match="instruments= are given, but nothing is endogenous"):
        make(data, graph, endog=(), lag=False)
    with pytest.raises(OptionError, match="There is no regressor"):
        make(data, graph, x=(), endog=(), z=())


@pytest.mark.parametrize(
    "formula", ["y ~ x1 + [d]", "y ~ [d ~ z1] + [x1 ~ z2]", "y ~ x1 + [d + z1"]
)
def test_formulas_that_cannot_be_read(data, graph, formula):
    with pytest.raises(OptionError, match=r"\[d ~ z1 \+ z2\]"):
        SpatialIV.from_formula(formula, data, graph)


def test_a_formula_names_columns_that_are_absent(data, graph):
    with pytest.raises(OptionError, match="'z9', which is not a column"):
        SpatialIV.from_formula("y ~ x1 + [d ~ z9]", data, graph)


@weak
def test_weights_that_do_not_sum_to_one(data):
    graph = panels.graph_of(spatial_panels.general(N))
    with pytest.raises(NotRowNormalisedError, match="A spatial error with twoway effects needs"):
        make(data, graph, error=True)
    res = make(data, graph).fit()  # a spatial lag takes any weights
    assert list(res.params.index) == ["x1", "d", "W_x1", "W_d", "rho"]


def test_one_period_has_no_entity_effects(data, graph):
    with pytest.raises(EstimationError, match="one period, which entity effects fit exactly"):
        make(data[data.index.get_level_values(1) == 2001], graph)


def test_few_clusters_are_said(data, graph):
    model = make(data, graph, lag=False, durbin=[])
    with pytest.warns(DataWarning, match="There are only 6 clusters by 'time'") as caught:
        model.fit(cov_type="clustered", clusters="time")
    assert [w.filename for w in caught] == [__file__]


@weak
def test_a_policy_that_was_not_instrumented_has_no_policy_effects(data, graph):
    res = make(data, graph, endog=(), z=()).fit()
    with pytest.raises(OptionError, match="No policy was instrumented.*policy_effects\\('x1'\\)"):
        res.policy_effects()
    assert_allclose(
        res.policy_effects("x1")["estimate"], res.effects().xs("x1", level=1)["estimate"]
    )


def test_what_was_passed_is_not_changed(data, graph):
    before = data.copy()
    model = make(data, graph, lag=False, durbin=[])
    first = model.fit().params
    pd.testing.assert_frame_equal(data, before)
    data["z1"] = 0.0
    assert_allclose(model.fit().params, first)
    assert_allclose(model.with_graph(graph).fit().params, first)
