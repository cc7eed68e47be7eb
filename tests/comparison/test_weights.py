"""compare_weights: each row equals the fit made by hand; errors name the weights."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    IdMismatchError,
    IslandWarning,
    NotRowNormalisedError,
    OptionError,
    WeightsError,
)

IDS = [f"城{i:02d}" for i in range(14)]


@pytest.fixture(scope="module")
def graphs():
    near = np.zeros((14, 14))
    for i in range(13):
        near[i, i + 1] = near[i + 1, i] = 1
    far = near + np.roll(np.eye(14), 3, axis=1)
    return {
        name: nqp.weights.normalise(nqp.weights.as_graph(W, ids=IDS), "row")
        for name, W in (("z near", near), ("a far", far))
    }


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product([IDS, range(2000, 2006)], names=["city", "year"])
    data = pd.DataFrame(rng.normal(size=(84, 3)), index, ["y", "x1", "x2"])
    entity = np.repeat(np.arange(14), 6)
    data["did"] = ((entity % 3 == 0) & (index.get_level_values(1) >= 2002 + entity % 2)).astype(int)
    data["y"] += data["x1"] + 0.5 * data["did"]
    return data


@pytest.fixture(scope="module")
def durbin(frame, graphs):
    return nqp.SpatialDurbin(frame["y"], frame[["x1", "x2"]], graphs["a far"])


@pytest.fixture(scope="module")
def compared(durbin, graphs):
    return nqp.compare_weights(durbin, graphs)


def test_estimates_and_effects_are_those_of_separate_fits(frame, graphs, compared):
    assert list(compared.results) == ["z near", "a far"]
    assert compared.estimates.index.names == ["weights", "variable"]
    assert compared.effects().index.names == ["weights", "effect", "variable"]
    for name, graph in graphs.items():
        alone = nqp.SpatialDurbin(frame["y"], frame[["x1", "x2"]], graph).fit()
        assert_series_equal(compared.results[name].params, alone.params)
        assert_frame_equal(compared.estimates.loc[name], alone.to_frame(), check_names=False)
        assert_frame_equal(compared.effects().loc[name], alone.effects())
        row = compared.fit_statistics.loc[name]
        assert row["loglik"] == alone.loglik
        assert row["rho"] == alone.rho
        assert row["rho_std_error"] == alone.std_errors["rho"]
        assert row["residual_moran_z"] == alone.tests["moran"].statistic
        assert row["residual_moran_pvalue"] == alone.tests["moran"].pvalue


def test_to_frame_keeps_the_order_of_weights(compared):
    wide = compared.to_frame("x2")
    assert wide.index.tolist() == ["z near", "a far"]
    expected = ["direct", "indirect", "total"]
    assert [c for c in wide if c in expected] == expected
    assert {"direct_std_error", "loglik", "aic", "rho", "residual_moran_z"} <= set(wide.columns)
    for name, result in compared.results.items():
        effects = result.effects()
        for kind in expected:
            assert wide.loc[name, kind] == effects.loc[(kind, "x2"), "estimate"]
            assert wide.loc[name, f"{kind}_std_error"] == effects.loc[(kind, "x2"), "std_error"]
    assert_frame_equal(compared.to_frame(), compared.to_frame("x1"))
    with pytest.raises(OptionError, match="variable='x3' is not known. Use one of 'x1', 'x2'"):
        compared.to_frame("x3")


def test_two_processes_give_the_same(durbin, graphs, compared):
    assert_frame_equal(
        nqp.compare_weights(durbin, graphs, n_jobs=2).to_frame(), compared.to_frame()
    )


def test_options_of_the_specification_are_kept(frame, graphs):
    model = nqp.SpatialDurbin(
        frame["y"], frame[["x1", "x2"]], graphs["a far"], durbin=["x2"], effects="entity",
        correction="none",
    )  # fmt: skip
    found = nqp.compare_weights(model, graphs).results["z near"]
    alone = model.with_graph(graphs["z near"]).fit()
    assert found.params.index.tolist() == ["x1", "x2", "W_x2", "rho"]
    assert found.effects_included == ("entity",)
    assert_series_equal(found.params, alone.params)
    assert found.provenance["options"]["correction"] == "none"


def test_difference_in_differences_is_shown_by_its_treatment(frame, graphs):
    model = nqp.SpatialDiD(frame["y"], frame["did"], frame[["x1"]], graphs["a far"])
    compared = nqp.compare_weights(model, graphs)
    assert compared.variable == "did"
    alone = model.with_graph(graphs["z near"]).fit()
    wide = compared.to_frame()
    assert wide.loc["z near", "direct"] == alone.effects().loc[("direct", "did"), "estimate"]
    assert "did under each W" in repr(compared)
    assert "z near" in compared._repr_html_()


def test_simulated_effects_take_their_options(compared):
    options = {"method": "simulation", "draws": 50, "seed": 1}
    first, again = compared.effects(**options), compared.effects(**options)
    assert_frame_equal(first, again)
    assert first.loc["z near", "std_error"].iloc[0] != compared.effects()["std_error"].iloc[0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_says_under_which_weights(durbin, graphs, n_jobs):
    raw = nqp.weights.as_graph(1 - np.eye(14), ids=IDS)
    with pytest.raises(NotRowNormalisedError, match="Under the weights 'raw': .*sum to one"):
        nqp.compare_weights(durbin, {**graphs, "raw": raw}, n_jobs=n_jobs)


def test_other_errors_name_the_weights_too(durbin, graphs):
    others = nqp.weights.as_graph(1 - np.eye(14), ids=range(14))
    with pytest.raises(IdMismatchError, match="Under the weights 'others': .*'城00'"):
        nqp.compare_weights(durbin, {"others": others})
    with pytest.raises(WeightsError, match="Under the weights 'none'"):
        nqp.compare_weights(durbin, {"none": None})
    with pytest.raises(TypeError, match="cov_typ"):
        nqp.compare_weights(durbin, graphs, cov_typ="asymptotic")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_warnings_arrive_from_any_process(frame, graphs, n_jobs):
    W = np.zeros((14, 14))
    W[1:, 0] = 1
    model = nqp.SpatialDurbin(frame["y"], frame[["x1"]], graphs["a far"], effects="entity")
    with pytest.warns(IslandWarning, match="1 entities have no neighbours, first '城00'"):
        nqp.compare_weights(
            model, {"star": nqp.weights.as_graph(W, ids=IDS)}, n_jobs=n_jobs
        )  # fmt: skip


@pytest.mark.parametrize("wrong", [{}, [], None, "queen"])
def test_weights_must_be_named(durbin, wrong):
    with pytest.raises(OptionError, match="graphs must name each weight matrix"):
        nqp.compare_weights(durbin, wrong)


def test_a_model_without_weights(frame, graphs):
    model = nqp.FixedEffects(frame["y"], frame[["x1"]])
    with pytest.raises(OptionError, match="FixedEffects has no weights to compare"):
        nqp.compare_weights(model, graphs)
