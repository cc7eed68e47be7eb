"""Analytic weights of rows: against linearmodels, statsmodels with dummies, and repeated rows."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, DataWarning, IdMismatchError, OptionError

RTOL = 1e-8


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product([range(30), range(2001, 2009)], names=["city", "year"])
    f = pd.DataFrame(rng.normal(size=(len(index), 3)), index, ["x1", "x2", "e"])
    f = f[rng.random(len(f)) > 0.1]
    f["w"] = rng.uniform(0.1, 9, len(f))
    city = f.index.get_level_values("city").to_numpy()
    f["province"] = city % 7
    f["y"] = f["x1"] - 0.5 * f["x2"] + 0.1 * city + f["e"] * (1 + (city % 3)) / np.sqrt(f["w"])
    return f


def models(f: pd.DataFrame, weights: str | None = "w") -> dict[str, nqp.FixedEffects]:
    w = None if weights is None else f[weights]
    y, x = f["y"], f[["x1", "x2"]]
    return {
        "pooled": nqp.PooledOLS(y, x, weights=w),
        "entity": nqp.FixedEffects(y, x, effects="entity", weights=w),
        "twoway": nqp.FixedEffects(y, x, weights=w),
    }


COVARIANCES = {
    "unadjusted": ({"cov_type": "unadjusted"}, {"cov_type": "unadjusted"}),
    "robust": ({"cov_type": "robust"}, {"cov_type": "robust"}),
    "entity": ({"cov_type": "clustered"}, {"cov_type": "clustered", "cluster_entity": True}),
    "driscoll-kraay": (
        {"cov_type": "driscoll-kraay", "bandwidth": 2},
        {"cov_type": "kernel", "kernel": "bartlett", "bandwidth": 2},
    ),
}


@pytest.mark.filterwarnings("ignore:.*There are only .* clusters")
@pytest.mark.parametrize("kind", ["pooled", "entity", "twoway"])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_estimates_and_errors_are_those_of_linearmodels(data, kind, covariance):
    from linearmodels.panel import PanelOLS

    ours, theirs = COVARIANCES[covariance]
    x = data[["x1", "x2"]]
    effects = {"entity_effects": kind != "pooled", "time_effects": kind == "twoway"}
    x = x.assign(const=1.0) if kind == "pooled" else x
    found = PanelOLS(data["y"], x, weights=data["w"], **effects).fit(
        **theirs, debiased=False, auto_df=False, count_effects=False
    )
    result = models(data)[kind].fit(**ours)
    factor = result.provenance["covariance"]["small_sample_factor"]
    assert_allclose(result.params, found.params[result.params.index], rtol=RTOL)
    bare = result.std_errors / np.sqrt(factor)
    assert_allclose(bare, found.std_errors[result.params.index], rtol=RTOL)
    assert_allclose(result.rsquared["within"], found.rsquared, rtol=RTOL)


def test_residuals_fit_and_likelihood_are_those_of_weighted_dummies(data):
    sm = pytest.importorskip("statsmodels.api")
    dummies = [pd.get_dummies(data.index.get_level_values(i), dtype=float) for i in (0, 1)]
    dummies[1] = dummies[1].iloc[:, 1:]
    columns = np.column_stack([data[["x1", "x2"]], *dummies])
    theirs = sm.WLS(data["y"].to_numpy(), columns, weights=data["w"] / data["w"].mean()).fit()
    result = models(data)["twoway"].fit(cov_type="unadjusted")
    assert_allclose(result.params, theirs.params[:2], rtol=RTOL)
    assert_allclose(result.std_errors, theirs.bse[:2], rtol=RTOL)  # K counts all dummies
    assert_allclose(result.resids, theirs.resid, rtol=1e-6, atol=1e-9)
    assert_allclose(result.loglik, theirs.llf, rtol=RTOL)
    mean = np.average(data["y"], weights=data["w"])
    around = float((data["w"] * (data["y"] - mean) ** 2).sum())
    left = float((data["w"] * theirs.resid**2).sum())
    assert_allclose(result.rsquared["overall"], 1 - left / around, rtol=RTOL)


def test_the_constant_is_that_of_the_weighted_means(data):
    result = models(data)["twoway"].fit().with_constant()
    means = {n: np.average(data[n], weights=data["w"]) for n in ("y", "x1", "x2")}
    level = means["y"] - sum(result.params[n] * means[n] for n in ("x1", "x2"))
    assert_allclose(result.params["const"], level, rtol=RTOL)


def test_a_weight_counts_as_rows_of_the_same_mean(data):
    """Weight m of a mean of m rows gives the estimate of these rows, where x is their mean."""
    rows = data[["y", "x1", "x2"]].copy()
    rng = np.random.default_rng(1)
    times = rng.integers(1, 4, len(rows))
    many = rows.loc[rows.index.repeat(times)]
    many["y"] += rng.normal(size=len(many))
    rows["y"] = many.groupby(level=[0, 1])["y"].mean()
    rows["n"] = many.groupby(level=[0, 1]).size()
    effects = many.index.to_frame(index=False)
    single = pd.MultiIndex.from_arrays([range(len(many)), [0] * len(many)])
    micro = nqp.FixedEffects(
        many["y"].set_axis(single),
        many[["x1", "x2"]].set_axis(single),
        effects=None,
        other_effects=effects.set_axis(single),
    )
    macro = nqp.FixedEffects(rows["y"], rows[["x1", "x2"]], weights=rows["n"])
    assert_allclose(macro.fit().params, micro.fit().params, rtol=RTOL)


def test_units_of_weights_and_equal_weights_do_not_matter(data):
    one = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=data["w"]).fit()
    other = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=1e6 * data["w"]).fit()
    assert_allclose(one.cov, other.cov, rtol=1e-10)
    assert_allclose(one.loglik, other.loglik, rtol=1e-10)
    equal = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=0 * data["w"] + 3).fit()
    plain = nqp.FixedEffects(data["y"], data[["x1", "x2"]]).fit()
    assert_allclose(equal.params, plain.params, rtol=1e-11)
    assert_allclose(equal.cov, plain.cov, rtol=1e-11)
    assert_allclose(equal.loglik, plain.loglik, rtol=1e-11)
    assert_allclose(equal.resids, plain.resids, rtol=1e-9, atol=1e-11)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_trends_and_further_effects_are_removed_with_the_weights(data):
    sm = pytest.importorskip("statsmodels.api")
    year = data.index.get_level_values("year").to_numpy(dtype=float)
    city = pd.get_dummies(data.index.get_level_values("city"), dtype=float)
    province = data["province"].to_numpy()
    slopes = pd.get_dummies(province, dtype=float).to_numpy() * (year - 2004)[:, None]
    both = pd.get_dummies(pd.Series(province * 10_000 + year), dtype=float)
    for options, more in (
        ({"trends": data["province"], "effects": "entity"}, [slopes]),
        ({"other_effects": pd.Series(province * 10_000 + year, data.index, name="py")}, [both]),
    ):
        columns = np.column_stack([data[["x1", "x2"]], city, *more])
        theirs = sm.WLS(data["y"].to_numpy(), columns, weights=data["w"].to_numpy()).fit()
        ours = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=data["w"], **options)
        found = ours.fit(cov_type="unadjusted")
        assert_allclose(found.params, theirs.params[:2], rtol=1e-7)
        assert_allclose(found.std_errors, theirs.bse[:2], rtol=1e-7)


@pytest.fixture(scope="module")
def instrumented(data) -> pd.DataFrame:
    rng = np.random.default_rng(9)
    f = data.copy()
    f[["z1", "z2"]] = rng.normal(size=(len(f), 2))
    f["d"] = f["z1"] - 0.5 * f["z2"] + 0.6 * f["e"] + rng.normal(size=len(f))
    f["y"] = f["y"] + 0.7 * f["d"]
    return f


@pytest.mark.parametrize("effects", ["twoway", "entity", None])
def test_instruments_with_weights_are_those_of_weighted_dummies(instrumented, effects):
    """Two stages by hand on columns times roots of weights, errors robust and clustered."""
    f, root = instrumented, np.sqrt(instrumented["w"].to_numpy())
    dummies = [np.ones((len(f), 1))]
    if effects:
        dummies = [pd.get_dummies(f.index.get_level_values("city"), dtype=float)]
    if effects == "twoway":
        dummies.append(pd.get_dummies(f.index.get_level_values("year"), dtype=float).iloc[:, 1:])
    own = np.column_stack([f["d"], f[["x1", "x2"]], *dummies]) * root[:, None]
    H = np.column_stack([f[["z1", "z2"]], f[["x1", "x2"]], *dummies]) * root[:, None]
    y = f["y"].to_numpy() * root
    fitted = H @ np.linalg.lstsq(H, own, rcond=None)[0]
    beta = np.linalg.lstsq(fitted, y, rcond=None)[0]
    resid = y - own @ beta
    inverse = np.linalg.inv(fitted.T @ fitted)
    model = nqp.IV2SLS(
        *(f["y"], f[["x1", "x2"]], f[["d"]], f[["z1", "z2"]]), effects=effects, weights=f["w"]
    )
    order = ["d", "x1", "x2"]
    for cov_type in ("robust", "clustered"):
        result = model.fit(cov_type=cov_type)
        scores = fitted * resid[:, None]
        if cov_type == "clustered":
            codes = pd.factorize(f.index.get_level_values("city"))[0]
            sums = np.zeros((codes.max() + 1, scores.shape[1]))
            np.add.at(sums, codes, scores)
            scores = sums
        cov = (inverse @ (scores.T @ scores) @ inverse)[:3, :3]
        factor = result.provenance["small_sample_factor"]["estimates"]
        assert_allclose(result.params[order], beta[:3], rtol=1e-8)
        assert_allclose(result.cov.loc[order, order], factor * cov, rtol=1e-7)
        assert_allclose(result.resids, resid / root, rtol=1e-6, atol=1e-9)
    mean = np.average(f["y"], weights=f["w"])
    around = float((f["w"] * (f["y"] - mean) ** 2).sum())
    assert_allclose(result.rsquared["overall"], 1 - resid @ resid / around, rtol=1e-8)
    stage = result.first_stage["d"]
    first = np.linalg.lstsq(H, f["d"].to_numpy() * root, rcond=None)[0]
    assert_allclose(stage.params[["z1", "z2"]], first[:2], rtol=1e-8)


@pytest.mark.parametrize("estimator", ["2sls", "liml", "gmm"])
def test_equal_weights_and_weights_of_zero_with_instruments(instrumented, estimator):
    f = instrumented
    columns = f["y"], f[["x1", "x2"]], f[["d"]], f[["z1", "z2"]]
    plain = nqp.IV2SLS(*columns).fit(estimator=estimator)
    equal = nqp.IV2SLS(*columns, weights=0 * f["w"] + 2).fit(estimator=estimator)
    assert_allclose(equal.params, plain.params, rtol=1e-9)
    assert_allclose(equal.cov, plain.cov, rtol=1e-8)
    weak = equal.weak_instruments.kleibergen_paap_f
    assert_allclose(weak, plain.weak_instruments.kleibergen_paap_f, rtol=1e-8)
    weights = f["w"].where(f["w"] > 2, 0.0)
    kept = f[(weights > 0).to_numpy()]
    labels = f["province"]
    some = nqp.IV2SLS(*columns, weights=weights)
    alone = nqp.IV2SLS(
        *(kept["y"], kept[["x1", "x2"]], kept[["d"]], kept[["z1", "z2"]]), weights=kept["w"]
    )
    assert_allclose(
        some.fit(estimator=estimator).params, alone.fit(estimator=estimator).params, rtol=1e-9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # of seven clusters
        ours = some.fit(clusters=labels)
        theirs = alone.fit(clusters=labels[(weights > 0).to_numpy()])
    assert_allclose(ours.cov, theirs.cov, rtol=1e-9)
    assert any("weight zero" in n for n in ours.notes) and ours.nobs == len(kept)
    with pytest.raises(OptionError, match="Rows of the model are weighted"):
        nqp.crosscheck(ours)


def test_rows_of_weight_zero_leave_and_are_told(data):
    out = data["w"] > 5
    weights = data["w"].where(out, 0.0)
    result = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=weights).fit()
    kept = data[out.to_numpy()]
    alone = nqp.FixedEffects(kept["y"], kept[["x1", "x2"]], weights=kept["w"]).fit()
    assert_allclose(result.params, alone.params, rtol=1e-11)
    assert_allclose(result.cov, alone.cov, rtol=1e-11)
    assert result.nobs == len(kept) and result.resids.index.equals(alone.resids.index)
    (told,) = [n for n in result.notes if "weight" in n]
    assert f"{(~out).sum()} of {len(data)} rows have weight zero" in told and "权重为零" in told.zh


@pytest.mark.filterwarnings("ignore:.*There are only .* clusters")
def test_labels_of_clusters_are_given_for_all_rows(data):
    weights = data["w"].where(data["w"] > 3, 0.0)
    model = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=weights)
    provinces = data["province"]
    kept = (weights > 0).to_numpy()
    alone = nqp.FixedEffects(
        data["y"][kept], data[["x1", "x2"]][kept], weights=data["w"][kept]
    ).fit(clusters=provinces[kept])
    assert_allclose(model.fit(clusters=provinces).cov, alone.cov, rtol=1e-11)


@pytest.mark.filterwarnings("ignore:.*There are only .* clusters")
def test_predictions_crosscheck_and_groups_know_the_weights(data):
    model = models(data)["twoway"]
    result = model.fit(cov_type="robust")
    said = result.predict()
    assert_allclose(said["fitted"], result.fitted, rtol=1e-12)
    assert_allclose(result.predict(data[["x1", "x2"]])["fitted"], result.fitted, rtol=1e-6)
    checked = nqp.crosscheck(result)
    assert len(checked) >= 6 and set(checked["verdict"]) == {"same"}
    halves = pd.Series(["a" if c < 15 else "b" for c in range(30)], range(30))
    by_group = nqp.comparison.heterogeneity(model, halves, tests=("interaction",), interact="all")
    part = data[data.index.get_level_values("city") < 15]
    alone = nqp.FixedEffects(part["y"], part[["x1", "x2"]], weights=part["w"]).fit()
    assert_allclose(by_group["a"].params, alone.params, rtol=1e-10)
    with pytest.raises(OptionError, match="weighted"):
        nqp.comparison.heterogeneity(model, halves, tests=("sur",))


def test_what_does_not_know_weights_refuses_them(data):
    entity = models(data)["entity"].fit()
    with pytest.raises(OptionError, match="Rows of fe are weighted"):
        nqp.diagnostics.hausman(entity, nqp.RandomEffects(data["y"], data[["x1", "x2"]]).fit())
    pooled = models(data)["pooled"].fit()
    with pytest.raises(OptionError, match="weighted"):
        nqp.diagnostics.effects_lm_test(pooled)


def test_weights_that_are_none_are_named(data):
    y, x = data["y"], data[["x1", "x2"]]
    bad = data["w"].copy()
    bad.iloc[3] = -1
    with pytest.raises(DataError, match=r"negative in 1 rows, first \(0, "):
        nqp.FixedEffects(y, x, weights=bad)
    with pytest.raises(DataError, match="All weights are zero"):
        nqp.FixedEffects(y, x, weights=0 * data["w"])
    with pytest.raises(DataError, match="DataFrame"):
        nqp.FixedEffects(y, x, weights=data[["w"]])
    with pytest.raises(IdMismatchError):
        nqp.FixedEffects(y, x, weights=data["w"].iloc[1:])
    bad.iloc[3] = np.nan
    with pytest.raises(DataError):
        nqp.PooledOLS(y, x, weights=bad)


def test_singletons_are_those_of_the_rows_that_have_a_weight(data):
    weights = data["w"].copy()
    first_city = weights.loc[[0]].index
    weights[first_city[1:]] = 0.0
    with pytest.warns(DataWarning, match="1 of .* rows are alone"):
        model = nqp.FixedEffects(data["y"], data[["x1", "x2"]], weights=weights, singletons="drop")
    assert model.fit().nobs == len(data) - len(first_city)
