"""Without each group in turn: against fits on the rows that are left, and another program."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import DataError, DataWarning, OptionError, TreatmentError
from tests import panels
from tests.reference.wild_bootstrap import panel

pytestmark = pytest.mark.filterwarnings("ignore:There are only .* clusters")

N, T = 16, 6
CITIES = [f"c{i:02d}" for i in range(N)]
FIRST = {"c01": 2003, "c04": 2003, "c09": 2005, "c10": 2005, "c13": 2006}
QUEEN, GENERAL = panels.contiguity(N, 3), panels.general(N, 4)
PROVINCE = pd.Series(list("aaaabbbbccccdddd"), CITIES, name="province")


def graph(W, ids=CITIES):
    return nqp.weights.as_graph(W, ids=ids)


def data(W=QUEEN):
    frame = panels.frame(*panels.arrays(W, T, seed=6), entities=CITIES)
    city, year = (frame.index.get_level_values(level) for level in (0, 1))
    first = city.map(FIRST).to_numpy(dtype=float)
    frame["did"] = (year.to_numpy() >= first).astype(float)  # NaN, and no year reaches it
    frame["y"] += 0.7 * frame["did"]
    return frame


def ordinary(f, **options):
    return nqp.FixedEffects(f["y"], f[["did", "x1", "x2"]], **options)


def spatial(f, W=QUEEN, ids=CITIES, **options):
    return nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], graph(W, ids), **options)


def without(f, names):
    rows = f[~f.index.get_level_values(0).isin(names)]
    return rows.set_axis(rows.index.remove_unused_levels())


def among(W, names):
    kept = [i for i, city in enumerate(CITIES) if city not in names]
    return W[np.ix_(kept, kept)], [CITIES[i] for i in kept]


def test_coefficients_are_those_of_the_rows_that_are_left():
    f = data()
    found = nqp.did.leave_out(ordinary(f), PROVINCE, cov_type="robust")
    assert list(found.table.loc["coefficient"].index) == ["all", "a", "b", "c", "d"]
    for label, own in PROVINCE.groupby(PROVINCE):
        fit = ordinary(without(f, own.index)).fit(cov_type="robust")
        row = found.table.loc[("coefficient", label)]
        assert_allclose(row["estimate"], fit.params["did"], rtol=1e-10)
        assert_allclose(row["std_error"], fit.std_errors["did"], rtol=1e-10)
        assert_allclose(row["change"], row["estimate"] - found.full["estimate"].iloc[0])
        assert row["entities"] == N - 4 and row["error"] == ""


def test_effects_and_trends_are_removed_anew():
    f = data()
    kinds = pd.Series(f.index.get_level_values(1) % 2, f.index, name="half").astype(str)
    kinds = kinds + pd.Series(f.index.get_level_values(0), f.index).map(PROVINCE)
    model = ordinary(f, other_effects=kinds, trends="entity")
    found = nqp.did.leave_out(model, "cohort").table.loc["coefficient"]
    gone = [city for city, year in FIRST.items() if year == 2005]
    left = without(f, gone)
    fit = ordinary(left, other_effects=kinds.loc[left.index], trends="entity").fit()
    assert_allclose(found.loc[2005, "estimate"], fit.params["did"], rtol=1e-8)


def test_cohorts_treated_entities_and_all_entities():
    f = data()
    cohorts = nqp.did.leave_out(ordinary(f)).table.loc["coefficient"]
    assert list(cohorts.index) == ["all", 2003, 2005, 2006]
    assert cohorts["entities"].tolist() == [N, N - 2, N - 2, N - 1]
    treated = nqp.did.leave_out(ordinary(f), "treated").table.loc["coefficient"]
    assert list(treated.index) == ["all", *FIRST]
    every = nqp.did.leave_out(ordinary(f), "entity")
    assert list(every.table.loc["coefficient"].index) == ["all", *CITIES]
    same = every.table.loc["coefficient"].loc[list(FIRST), "estimate"]
    assert_allclose(same, treated.loc[list(FIRST), "estimate"], rtol=1e-12)
    assert every.jackknife is not None and nqp.did.leave_out(ordinary(f)).jackknife is None


def test_the_jackknife_is_that_of_pyfixest():
    """tests/reference/jackknife_clusters.py, whose variance is the plain sum of squares."""
    f = panel()
    expected = panels.read("jackknife_clusters.csv", "variable").loc["did"]
    provinces = f["province"].groupby(level=0).first()
    found = nqp.did.leave_out(nqp.FixedEffects(f["y"], f[["did", "x"]]), provinces)
    assert_allclose(found.full["estimate"], expected["estimate"], rtol=1e-9)
    n = provinces.nunique()
    own = found.jackknife.loc["coefficient", "std_error"] / np.sqrt((n - 1) / n)
    assert_allclose(own, expected["std_error"], rtol=1e-7)
    changes = found.table["change"].dropna()
    assert_allclose(found.jackknife.loc["coefficient", "bias"], (n - 1) * changes.mean())


@pytest.mark.parametrize("W", [QUEEN, GENERAL], ids=["row-normalised", "general"])
def test_spatial_effects_are_those_of_w_restricted(W):
    f = data(W)
    options = {} if W is QUEEN else {"effects": "entity"}
    found = nqp.did.leave_out(spatial(f, W, **options), PROVINCE, cov_type="robust", level=0.9)
    for label, own in PROVINCE.groupby(PROVINCE):
        part, ids = among(W, own.index)
        alone = [c for c, s in zip(ids, part.sum(axis=1), strict=True) if s == 0]
        part, ids = among(W, [*own.index, *alone])
        part = panels.row(part) if W is QUEEN else part
        left = without(f, [*own.index, *alone])
        expected = spatial(left, part, ids, **options).fit(cov_type="robust")
        expected = expected.policy_effects(level=0.9)
        got = found.table.xs(label, level="left_out")
        assert_allclose(got[list(expected)], expected, rtol=1e-6, atol=1e-9)
        assert (got["islands"] == len(alone)).all() and (got["entities"] == len(ids)).all()
    assert "W is restricted" in found.notes[-1]


def test_who_has_lost_all_neighbours_is_left_out_too_and_told():
    """c00 hangs on c01, and c15 on c00: without c01 both are gone."""
    W = panels.symmetric(N, 3)
    for i, only in ((0, [1, 15]), (15, [0])):
        W[i] = W[:, i] = 0
        for j in only:
            W[i, j] = W[j, i] = 1
    f = data()
    found = nqp.did.leave_out(spatial(f, panels.row(W)), pd.Series({"c01": "x", "c02": "y"}))
    counts = found.table.xs("x", level="left_out")
    assert (counts["islands"] == 0).all()  # they still have each other
    W[0, 15] = W[15, 0] = 0
    W[15, 14] = W[14, 15] = 1
    found = nqp.did.leave_out(spatial(f, panels.row(W)), pd.Series({"c01": "x", "c02": "y"}))
    got = found.table.xs("x", level="left_out")
    assert (got["islands"] == 1).all() and (got["entities"] == N - 2).all()
    part, ids = among(W, ["c00", "c01"])
    expected = spatial(without(f, ["c00", "c01"]), panels.row(part), ids).fit().policy_effects()
    assert_allclose(got["estimate"], expected["estimate"], rtol=1e-6)


def test_second_weights_weights_of_rows_and_w_by_period():
    f = data()
    other = panels.general(N, 9)
    two = nqp.did.leave_out(spatial(f, durbin_graph=graph(other)), PROVINCE[["c00", "c01"]])
    part, ids = among(QUEEN, ["c00", "c01"])
    second = among(other, ["c00", "c01"])[0]
    left = without(f, ["c00", "c01"])
    expected = spatial(left, panels.row(part), ids, durbin_graph=graph(second, ids)).fit()
    got = two.table.xs("a", level="left_out")["estimate"]
    assert_allclose(got, expected.policy_effects()["estimate"], rtol=1e-6)

    precision = pd.Series(np.random.default_rng(0).uniform(0.5, 2, len(f)), f.index)
    adjusted = {"correction": "adjusted-score"}
    weighted = spatial(f, observation_weights=precision, **adjusted)
    got = nqp.did.leave_out(weighted, PROVINCE[["c00", "c01"]]).table.xs("a", level="left_out")
    asked = {"observation_weights": precision.loc[left.index], **adjusted}
    expected = spatial(left, panels.row(part), ids, **asked).fit().policy_effects()
    assert_allclose(got["estimate"], expected["estimate"], rtol=1e-6)

    by_year = {year: graph(panels.contiguity(N, 3 + year % 2)) for year in range(2001, 2007)}
    model = nqp.SpatialDiD(f["y"], f["did"], f[["x1", "x2"]], by_year, **adjusted)
    got = nqp.did.leave_out(model, PROVINCE[["c00", "c01"]]).table.xs("a", level="left_out")
    parts = {
        year: graph(panels.row(among(panels.contiguity(N, 3 + year % 2), ["c00", "c01"])[0]), ids)
        for year in by_year
    }
    same = nqp.SpatialDiD(left["y"], left["did"], left[["x1", "x2"]], parts, **adjusted).fit()
    assert_allclose(got["estimate"], same.policy_effects()["estimate"], rtol=1e-6)


def test_dynamic_models():
    f = data()
    x = f[["did", "x1", "x2"]]
    found = nqp.did.leave_out(nqp.DynamicSpatialDurbin(f["y"], x, graph(QUEEN)), PROVINCE[:2])
    left = without(f, PROVINCE.index[:2])
    part, ids = among(QUEEN, PROVINCE.index[:2])
    own = nqp.DynamicSpatialDurbin(
        left["y"], left[["did", "x1", "x2"]], graph(panels.row(part), ids)
    ).fit()
    got = found.table.xs("a", level="left_out")["estimate"]
    expected = own.effects().xs("did", level="variable")["estimate"]
    assert_allclose(got, expected, rtol=1e-6)


def test_results_stand_for_their_models_and_processes_change_nothing():
    f = data()
    model = spatial(f)
    found = nqp.did.leave_out(model, PROVINCE)
    with joblib.parallel_config("threading"):
        fitted = nqp.did.leave_out(model.fit(), PROVINCE, n_jobs=2)
    pd.testing.assert_frame_equal(found.table, fitted.table)
    durbin = nqp.SpatialDurbin(f["y"], f[["x1", "did"]], graph(QUEEN))
    assert nqp.did.leave_out(durbin, PROVINCE).variable == "x1"
    assert nqp.did.leave_out(durbin, "cohort", treatment="did").variable == "did"


def test_labels_of_clusters_and_places_are_cut():
    f = data()
    by_city = nqp.did.leave_out(ordinary(f), PROVINCE, clusters=PROVINCE)
    rows = pd.Series(f.index.get_level_values(0), f.index).map(PROVINCE)
    by_row = nqp.did.leave_out(ordinary(f), PROVINCE, clusters=rows.rename("province"))
    pd.testing.assert_frame_equal(by_city.table, by_row.table)
    places = pd.DataFrame({"lon": np.arange(N) / 5, "lat": 30.0}, CITIES)
    conley = {"cov_type": "conley", "cutoff_km": 60.0, "coordinates": places}
    found = nqp.did.leave_out(ordinary(f), PROVINCE, **conley)
    left = without(f, PROVINCE.index[:4])
    expected = ordinary(left).fit(**{**conley, "coordinates": places.iloc[4:]})
    got = found.table.loc[("coefficient", "a"), "std_error"]
    assert_allclose(got, expected.std_errors["did"], rtol=1e-9)


def test_membership_in_several_groups_and_entities_in_none():
    table = pd.DataFrame({"agglomeration": ["A", "A", "B"], "adcode": ["c01", "c02", "c02"]})
    found = nqp.did.leave_out(ordinary(data()), table)
    assert found.table.loc["coefficient", "entities"].tolist() == [N, N - 2, N - 1]
    assert found.jackknife is None


def test_the_most_influential_group_is_named():
    f = data()
    loud = f.copy()
    loud.loc[("c09", 2006), "y"] += 50
    found = nqp.did.leave_out(ordinary(loud), "treated")
    assert found.influential["coefficient"] == "c09"
    assert (
        "changes most without c09" in found.notes[0]
        and "剔除c09时系数变化最大" in found.notes[0].zh
    )
    facts = found.facts
    assert facts["coefficient min"] <= facts["coefficient"] <= facts["coefficient max"]
    weak = [note for note in found.notes if "is not significant" in note]
    full, p = found.full["pvalue"].iloc[0], found.table["pvalue"]
    assert bool(weak) == (full <= 0.05 and (p > 0.05).any())


def test_a_fit_that_fails_is_a_row_with_its_error():
    f = data()
    f["did"] = (f["did"] > 0) & f.index.get_level_values(0).isin(["c01", "c04"])
    found = nqp.did.leave_out(ordinary(f.astype(float)), pd.Series({"c01": 1, "c04": 1, "c05": 2}))
    assert "ConstantColumnError: 'did'" in found.table.loc[("coefficient", 1), "error"]
    assert np.isnan(found.table.loc[("coefficient", 1), "estimate"])
    assert "1 fits without a group did not come about" in found.notes[-1]
    assert found.plot() is not None


def test_many_groups_are_a_picture_of_forty():
    index = pd.MultiIndex.from_product([range(60), range(4)], names=["city", "year"])
    rng = np.random.default_rng(0)
    did = (index.get_level_values(0) < 20) & (index.get_level_values(1) >= 2)
    f = pd.DataFrame({"did": did.astype(float), "y": rng.normal(size=240)}, index)
    found = nqp.did.leave_out(nqp.FixedEffects(f["y"], f[["did"]]), "entity")
    ax = found.plot(lang="zh")
    assert len(ax.get_yticks()) == 40
    assert any("变化最大的40组" in text.get_text() for text in ax.figure.findobj()
               if hasattr(text, "get_text"))  # fmt: skip


def test_mistakes():
    f = data()
    with pytest.raises(OptionError, match="groups='province' is not known"):
        nqp.did.leave_out(ordinary(f), "province")
    with pytest.raises(DataError, match="No entity of the model has a label in groups"):
        nqp.did.leave_out(ordinary(f), pd.Series({"z": 1}))
    with pytest.raises(DataError, match="nothing is left without"):
        nqp.did.leave_out(ordinary(f), pd.Series("one", CITIES))
    with pytest.raises(DataError, match="A group is called 'all'"):
        nqp.did.leave_out(ordinary(f), pd.Series(["all", "b"], CITIES[:2]))
    with pytest.raises(OptionError, match="model is a float"):
        nqp.did.leave_out(1.0)
    with pytest.raises(OptionError, match="treatment='policy' is not known"):
        nqp.did.leave_out(ordinary(f), treatment="policy")
    with pytest.raises(TreatmentError, match="'x1' is not 0 or 1"):
        nqp.did.leave_out(ordinary(f), treatment="x1")
    with pytest.raises(OptionError, match="effect='sideways'"):
        nqp.did.leave_out(ordinary(f), PROVINCE).plot(effect="sideways")


def test_islands_of_the_whole_sample_warn_once():
    W = panels.islands(N, 3)
    f = data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = spatial(f, W, effects="entity")
        nqp.did.leave_out(model, PROVINCE)
    told = [w for w in caught if "have no neighbours" in str(w.message)]
    assert len(told) == 1 and not [w for w in caught if w.category is DataWarning]
