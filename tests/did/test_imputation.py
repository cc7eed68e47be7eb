"""Imputation and two-stage estimators, ordinary and with clean cells of spillovers."""

import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    DataWarning,
    EstimationError,
    IdMismatchError,
    OptionError,
    TreatmentError,
)
from tests import REFERENCE

pytestmark = pytest.mark.filterwarnings("ignore:Fewer than 10 clean:UserWarning")

METHODS = ["imputation", "two-stage"]
GIVEN = {
    "cohort-event": {},
    "cohort": {"alike": "cohort"},
    "event": {"alike": "event"},
    "leave one out": {"leave_one_out": True},
    "post": {"method": "two-stage", "leads": 0},
    "leads": {"method": "two-stage", "leads": 10},
}


def staggered(y, treatment, x=None, **options):
    model = nqp.did.Staggered(y, treatment, x, **{"method": "imputation"} | options)
    return model.fit()


# ---------------------------------------------------------------- against other programs


@pytest.fixture(scope="module")
def rows():
    """Simulated; see tests/reference/staggered.py."""
    return pd.read_csv(REFERENCE / "staggered_data.csv")


def of_case(rows, case, *, two_stage):
    """Outcome, treatment and controls of a case of tests/reference/staggered_imputation.py."""
    name = case.split(", ")[0]
    used = rows[rows["kept"] == 1] if "gaps" in name else rows
    on = (used["cohort"] > 0) & (used["year"] >= used["cohort"])
    if two_stage:
        used = used[(~on).groupby(used["unit"]).transform("sum") >= 2]
    frame = used.set_index(["unit", "year"])
    did = on.loc[used.index].astype(int).set_axis(frame.index).rename("did")
    return frame["y"], did, frame[["x"]] if name.endswith(" x") else None


EXPECTED = pd.read_csv(REFERENCE / "staggered_imputation.csv")
CASES = sorted(EXPECTED.groupby(["program", "case"]).groups)


@pytest.mark.parametrize(("program", "case"), CASES)
@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.DataWarning")
def test_matches_other_programs(rows, program, case):
    """pyfixest's alternating projections leave 1e-5 of an estimate."""
    y, did, x = of_case(rows, case, two_stage=program == "pyfixest")
    found = staggered(y, did, x, **GIVEN[case.split(", ")[1]])
    within = {"rtol": 3e-6, "atol": 2e-5} if program == "pyfixest" else {"rtol": 1e-9}
    expected = EXPECTED[(EXPECTED.program == program) & (EXPECTED.case == case)]
    for kind, theirs in expected.groupby("kind"):
        ours = found.overall.to_frame().T if kind == "overall" else found.by(kind)
        ours = ours if kind == "overall" else ours.loc[theirs["when"]]
        assert_allclose(ours["estimate"], theirs["estimate"], **within)
        assert_allclose(ours["std_error"], theirs["std_error"], **within)


def test_castle_is_what_didimputation_prints(shared):
    """Its documentation (did_imputation.Rd, version 0.4): homicide, gname the year of the law."""
    frame = pd.read_csv(shared / "reference" / "data" / "castle_causaldata.csv")
    frame = frame.set_index(["sid", "year"])
    did = (frame.index.get_level_values(1) >= frame["ft"] - 1) & frame["ft"].gt(0)
    with pytest.warns(DataWarning, match="The cohorts 2005, 2009 have one entity"):
        found = staggered(frame["l_homicide"], did.astype(int).rename("did"))
    assert_allclose(found.overall["estimate"], 0.07980155, rtol=1e-7)
    assert_allclose(found.overall["std_error"], 0.06088398, rtol=1e-7)


# ---------------------------------------------------------------- against explicit moments


def panel(seed=0, *, n=60, periods=8, gaps=0.0):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(n), range(2000, 2000 + periods)], names=["i", "t"])
    tenth = max(n // 10, 1)
    start = rng.permutation(np.repeat([2003, 2005, 2006, 9999], [tenth] * 3 + [n - 3 * tenth]))
    year = index.get_level_values(1).to_numpy()
    did = (year >= np.repeat(start, periods)).astype(int)
    frame = pd.DataFrame({"did": did, "x": rng.normal(size=len(index))}, index)
    frame["y"] = (
        np.repeat(rng.normal(size=n), periods)
        + np.tile(rng.normal(size=periods), n)
        + 0.5 * frame["x"]
        + did * (1 + 0.2 * (year - 2003))
        + rng.normal(size=len(index))
    )
    return frame[rng.random(len(index)) >= gaps]


def graph(n=60):
    """A circle: 0.3 from the unit before, 0.7 from that after."""
    W = 0.3 * np.eye(n, k=-1) + 0.7 * np.eye(n, k=1)
    W[0, n - 1], W[n - 1, 0] = 0.3, 0.7
    return pd.DataFrame(W, range(n), range(n))


def by_moments(frame, x, ring, column, clusters):
    """Gardner's two steps as one system of moments, dense; estimates and covariance.

    First stage Z'(y - Z g) on clean cells, second X'(y - Z g - X b) on all: the sandwich of both.
    """
    unit = pd.factorize(frame.index.get_level_values(0))[0]
    time = pd.factorize(frame.index.get_level_values(1), sort=True)[0]
    D = frame["did"].to_numpy() == 1
    clean = ~D & (ring == 0)
    Z = np.column_stack([np.eye(unit.max() + 1)[unit], np.eye(time.max() + 1)[time][:, 1:]])
    if x:
        Z = np.column_stack([Z, frame[x]])
    y = frame["y"].to_numpy()
    labels = sorted(set(column[column != ""]))
    X = (column[:, None] == np.array(labels)).astype(float)
    g = np.linalg.lstsq(Z[clean], y[clean], rcond=None)[0]
    b = np.linalg.lstsq(X, y - Z @ g, rcond=None)[0]
    u, v = np.where(clean, y - Z @ g, 0), y - Z @ g - X @ b
    v = np.where((X != 0).any(axis=1), v, 0)
    p, q = Z.shape[1], X.shape[1]
    bread = np.zeros((p + q, p + q))
    bread[:p, :p], bread[p:, :p], bread[p:, p:] = Z[clean].T @ Z[clean], X.T @ Z, X.T @ X
    scores = np.column_stack([Z * u[:, None], X * v[:, None]])
    summed = pd.DataFrame(scores).groupby(clusters).sum().to_numpy()
    inverse = np.linalg.pinv(bread, rcond=1e-12)
    cov = inverse @ summed.T @ summed @ inverse.T
    return labels, b, cov[p:, p:]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("x", [[], ["x"]])
@pytest.mark.parametrize("spatial", [False, True])
def test_two_stage_is_the_sandwich_of_both_steps(seed, x, spatial):
    frame, W = panel(seed), graph()
    exposure = nqp.did.exposed_through(frame["did"], W, above=(0, 0.5)) if spatial else None
    found = staggered(
        *(frame["y"], frame["did"], frame[x] if x else None),
        **{"method": "two-stage", "leads": 0, "exposure": exposure},
    )
    D = frame["did"].to_numpy() == 1
    ring = np.zeros(len(frame), int) if exposure is None else exposure.to_numpy() @ [1, 2]
    units = frame.index.get_level_values(0).to_numpy()
    names = np.array(["did", *([] if exposure is None else exposure.columns)])
    where = np.where(D, names[0], np.where(ring > 0, names[np.maximum(ring, 0)], ""))
    labels, b, cov = by_moments(frame, x, ring, where.astype(str), units)
    assert_allclose(found.params[labels], b, atol=1e-9)
    assert_allclose(found.cov.loc[labels, labels], cov, atol=1e-9)
    year = frame.index.get_level_values(1).to_numpy()
    since = year - pd.Series(np.where(D, year, 9999)).groupby(units).transform("min").to_numpy()
    label = np.where(D, [f"own {s:03d}" for s in since], "")
    if exposure is not None:
        first = pd.Series(np.where((ring > 0) & ~D, year, 9999)).groupby(units).transform("min")
        passed = year - first.to_numpy()
        spill = np.array([f"{names[r]} {s:03d}" for r, s in zip(ring, passed, strict=True)])
        label = np.where(D, label, np.where(ring > 0, spill, ""))
    labels, b, cov = by_moments(frame, x, ring, label.astype(str), units)
    own = [i for i, name in enumerate(labels) if name.startswith("own")]
    assert_allclose(found.by("event")["estimate"], b[own], atol=1e-9)
    assert_allclose(found.covariance("event"), cov[np.ix_(own, own)], atol=1e-9)
    if exposure is None:
        return
    rows = [labels.index(f"{name} {s:03d}") for name, s in found.by("spillover").index]
    assert_allclose(found.by("spillover")["estimate"], b[rows], atol=1e-9)
    assert_allclose(found.covariance("spillover"), cov[np.ix_(rows, rows)], atol=1e-9)


def test_totals_are_sums_of_the_effects_of_all_cells():
    frame = panel(2)
    for method in METHODS:
        found = staggered(frame["y"], frame["did"], graph=graph(), method=method)
        cells = found.cells.assign(year=found.cells.index.get_level_values(1))
        own = cells[cells["way"] == "own"].groupby("year")["effect"].sum()
        spill = cells[cells["way"] != "own"].groupby("year")["effect"].sum()
        total = found.by("total")["estimate"]
        assert_allclose(total["own"], own)
        assert_allclose(total["spillover"], spill)
        assert_allclose(total["total"], own.add(spill, fill_value=0))
        V = found.covariance("total")
        for t in own.index.intersection(spill.index):
            pair = V.loc[[("own", t), ("spillover", t)], [("own", t), ("spillover", t)]]
            assert_allclose(V.loc[("total", t), ("total", t)], pair.to_numpy().sum(), rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:.*have no row just before")
def test_own_effects_are_those_without_exposed_cells(method):
    """Exposed cells impute nothing: they may as well be absent."""
    frame = panel(3)
    exposure = nqp.did.exposed_through(frame["did"], graph())
    with_rings = staggered(frame["y"], frame["did"], frame[["x"]], exposure=exposure, method=method)
    kept = (exposure.to_numpy().sum(axis=1) == 0) | (frame["did"] == 1).to_numpy()
    less = frame[kept]
    without = staggered(less["y"], less["did"], less[["x"]], method=method)
    assert_allclose(with_rings.params["did"], without.params["did"], rtol=1e-10)
    assert_allclose(with_rings.std_errors["did"], without.std_errors["did"], rtol=1e-9)
    for kind in ("cohort", "period", "cell"):
        both = with_rings.by(kind), without.by(kind)
        assert_allclose(*(one[["estimate", "std_error"]] for one in both), rtol=1e-8)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "cov",
    [
        {"cov_type": "robust"},
        {"clusters": ["entity", "time"]},
        {"cov_type": "driscoll-kraay", "bandwidth": 1},
        {"cov_type": "conley", "cutoff_km": 300.0},
    ],
    ids=["robust", "two-way", "driscoll-kraay", "conley"],
)
@pytest.mark.filterwarnings("ignore:There are only 8 clusters")
def test_other_covariances_are_sums_of_the_same_scores(method, cov):
    """A cell's weight in the estimate, by dense algebra, times its residual."""
    frame = panel(4, n=20)  # where variances clustered in two ways are not below zero
    model = nqp.did.Staggered(frame["y"], frame["did"], method=method, leads=0)
    if cov.get("cov_type") == "conley":
        rng = np.random.default_rng(0)
        places = pd.DataFrame({"lon": 110 + 6 * rng.random(20), "lat": 30 + 6 * rng.random(20)})
        cov = cov | {"coordinates": places}
    found = model.fit(**cov)
    base = found.params["did"]
    clean = (frame["did"] == 0).to_numpy()
    Z = np.column_stack([np.kron(np.eye(20), np.ones((8, 1))), np.tile(np.eye(8), (20, 1))])
    share = ~clean / (~clean).sum()
    share = share - np.where(clean, Z @ np.linalg.pinv(Z[clean].T @ Z[clean]) @ Z.T @ share, 0)
    assert_allclose(share @ frame["y"], base, rtol=1e-9)
    left = found.resids.to_numpy().copy()
    if method == "two-stage":  # compared with the mean of all
        on = (frame["did"] == 1).to_numpy()
        left[on] = found.cells["effect"] - base
    scores = (share * left).reshape(20, 8)
    assert_allclose(found.std_errors["did"] ** 2, expected_variance(scores, cov), rtol=1e-6)


def expected_variance(scores, cov):
    if cov.get("cov_type") == "robust":
        return (scores**2).sum()
    if "clusters" in cov:
        return (scores.sum(1) ** 2).sum() + (scores.sum(0) ** 2).sum() - (scores**2).sum()
    if cov["cov_type"] == "driscoll-kraay":
        total = scores.sum(axis=0)
        return total @ total + 2 * 0.5 * total[1:] @ total[:-1]
    from pyproj import Geod

    lon, lat = cov["coordinates"].to_numpy().T
    i, j = np.meshgrid(range(20), range(20), indexing="ij")
    km = Geod(ellps="WGS84").inv(lon[i], lat[i], lon[j], lat[j])[2] / 1000
    near = np.maximum(1 - km / cov["cutoff_km"], 0)
    return sum(scores[:, t] @ near @ scores[:, t] for t in range(8))


# ---------------------------------------------------------------- before the policy


def test_leads_are_a_regression_on_clean_cells():
    """By dummies, clustered by unit, as FixedEffects has it on the untreated rows."""
    frame = panel(6)
    found = staggered(frame["y"], frame["did"], frame[["x"]], leads=3)
    clean = frame[frame["did"] == 0]
    year = clean.index.get_level_values(1)
    start = frame["did"].eq(1).groupby(level=0).transform("sum").rsub(2008)
    since = (year - start.loc[clean.index]).where(start.loc[clean.index] < 2008, -99)
    x = pd.DataFrame({f"lead{k}": (since == -k).astype(float) for k in (3, 2, 1)})
    fit = nqp.FixedEffects(clean["y"], x.join(clean[["x"]])).fit()
    leads = found.by("event").loc[[-3, -2, -1]]
    assert_allclose(leads["estimate"], fit.params[["lead3", "lead2", "lead1"]], atol=1e-9)
    assert_allclose(leads["std_error"], fit.std_errors[["lead3", "lead2", "lead1"]], rtol=1e-9)
    test = fit.wald_test(["lead3 = 0", "lead2 = 0", "lead1 = 0"])
    assert_allclose(found.pretrend.statistic, test.statistic, rtol=1e-9)
    assert found.pretrend.df == test.df


def test_spillovers_are_tested_before_exposure():
    frame = panel(7, n=60, periods=8)
    found = staggered(frame["y"], frame["did"], graph=graph(), leads=2)
    assert set(found.tests) == {"pretrend", "spillover_pretrend"}
    before = found.by("spillover-before")
    assert list(before.index) == [-2, -1]
    t = before["estimate"] / before["std_error"]
    one = staggered(frame["y"], frame["did"], graph=graph(), leads=1)
    assert_allclose(one.spillover_pretrend.statistic, one.by("spillover-before").pipe(
        lambda f: (f["estimate"] / f["std_error"]) ** 2).iloc[0], rtol=1e-9)  # fmt: skip
    assert np.isfinite(t).all()


def test_half_of_the_entities_have_a_period_before_the_leads():
    """Three, five and six periods before the policy, each six entities: four leads, then a base."""
    found = staggered(*panel().pipe(lambda f: (f["y"], f["did"])))
    assert found.by("event").index.min() == -4
    one = staggered(*panel().pipe(lambda f: (f["y"], f["did"])), method="two-stage")
    assert one.by("event").index.min() == -5


def test_no_leads_no_test():
    frame = panel()
    found = staggered(frame["y"], frame["did"], leads=0)
    assert found.pretrend is None and not found.tests
    assert found.by("event").index.min() == 0


def test_anticipated_cells_impute_nothing():
    frame = panel(8)
    found = staggered(frame["y"], frame["did"], anticipation=1, leads=0)
    early = frame["did"].groupby(level=0).shift(-1).fillna(frame["did"]).astype(int)
    shifted = staggered(frame["y"], early, leads=0)
    event, moved = found.by("event"), shifted.by("event")
    assert list(event.index) == list(moved.index - 1)
    assert_allclose(event["estimate"], moved["estimate"], rtol=1e-10)
    n = event["n_treated"][event.index >= 0]
    mean = np.average(event["estimate"][event.index >= 0], weights=n)
    assert_allclose(found.overall["estimate"], mean, rtol=1e-10)


# ---------------------------------------------------------------- properties


@pytest.mark.parametrize("method", METHODS)
def test_order_labels_and_units_do_not_matter(method):
    frame, W = panel(9, gaps=0.05), graph()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        base = staggered(frame["y"], frame["did"], frame[["x"]], graph=W, method=method)
        names = {i: f"u{i:02d}" for i in range(60)}
        other = frame.rename(index=names, level=0).sample(frac=1, random_state=2)
        other["y"] = 1e3 * other["y"] + 7
        W2 = W.rename(index=names, columns=names).sample(frac=1, random_state=3)
        moved = staggered(other["y"], other["did"], 1e-4 * other[["x"]], graph=W2, method=method)
    assert_allclose(moved.params, 1e3 * base.params, rtol=1e-8)
    assert_allclose(moved.std_errors, 1e3 * base.std_errors, rtol=1e-8)
    for kind in base.averages:
        a, b = base.by(kind), moved.by(kind)
        assert_allclose(b["estimate"], 1e3 * a["estimate"], rtol=1e-7, atol=1e-7)
        assert_allclose(b["std_error"], 1e3 * a["std_error"], rtol=1e-7)


def test_effects_without_noise_are_found_exactly():
    """Own effects by cohort and time, spillovers by ring: what was put in comes out."""
    frame = panel(10)
    exposure = nqp.did.exposed_through(frame["did"], graph(), above=(0, 0.5))
    year = frame.index.get_level_values(1).to_numpy()
    unit = frame.index.get_level_values(0).to_numpy()
    spill = exposure.to_numpy() @ [0.5, 2.0] * (frame["did"] == 0)
    y = (np.sin(unit) + np.cos(year) + 3 * frame["did"] + spill).rename("y")
    found = staggered(y, frame["did"], exposure=exposure)
    assert_allclose(found.params, [3, 0.5, 2.0], atol=1e-10)
    assert_allclose(found.by("spillover")["estimate"].groupby("ring").std().fillna(0), 0, atol=1e-9)
    ordinary = staggered(y, frame["did"], leads=0)
    assert ordinary.overall["estimate"] < 2.9  # untreated neighbours are no clean controls


def test_categories_of_the_first_stage():
    """Province by year: the same as explicit dummies among x would give."""
    frame = panel(11, n=60)
    region = pd.Series(frame.index.get_level_values(0) % 3, frame.index, name="region")
    year = pd.Series(frame.index.get_level_values(1), frame.index)
    cells = (region.astype(str) + "-" + year.astype(str)).rename("cell")
    found = staggered(frame["y"], frame["did"], other_effects=cells)
    dummies = pd.get_dummies(cells[region < 2], dtype=float).reindex(frame.index, fill_value=0.0)
    dummies = dummies.drop(columns=[f"{r}-2000" for r in (0, 1)])
    by_x = staggered(frame["y"], frame["did"], dummies)
    assert_allclose(found.overall, by_x.overall, rtol=1e-8, atol=1e-12)
    assert "cell" in found.effects_included


# ---------------------------------------------------------------- exposure


def test_rings_are_distances_to_the_nearest_treated():
    frame = panel(12)
    rng = np.random.default_rng(5)
    places = pd.DataFrame({"lon": 110 + 5 * rng.random(65), "lat": 30 + 5 * rng.random(65)})
    rings = nqp.did.exposed_in_rings(frame["did"], places, edges=(0, 60, 150))
    from pyproj import Geod

    on = frame["did"].unstack()
    for (i, t), row in rings.iterrows():
        others = [j for j in on.index[on[t] == 1] if j != i]
        km = np.inf
        if others:
            a, b = places.loc[[i] * len(others)], places.loc[others]
            km = Geod(ellps="WGS84").inv(a.lon, a.lat, b.lon, b.lat)[2].min() / 1000
        assert list(row) == [km <= 60, 60 < km <= 150]


def test_a_table_of_one_way_distances_is_told_and_mended():
    frame = panel(13, n=6)
    table = pd.DataFrame(np.inf, range(6), range(6))
    treated = frame["did"].groupby(level=0).max()
    one = int(treated.index[treated == 1][0])
    other = int(treated.index[treated == 0][0])
    table.loc[other, one] = 30.0
    with pytest.raises(nqp.exceptions.DataError, match="differ between the two directions"):
        nqp.did.exposed_in_rings(frame["did"], table, edges=(0, 30))
    table.loc[one, other] = 20.0
    rings = nqp.did.exposed_in_rings(frame["did"], table, edges=(0, 30), directions="max")
    assert rings.columns.tolist() == ["0-30"]
    assert_array_equal(rings.loc[other, "0-30"], frame.loc[one, "did"])
    assert rings.drop(other, level=0).to_numpy().sum() == 0


def test_members_are_exposed_through_their_agglomeration():
    frame = panel(14, n=12)
    members = pd.Series([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], range(12))
    W = (members.to_numpy()[:, None] == members.to_numpy()).astype(float)
    np.fill_diagonal(W, 0)
    found = nqp.did.exposed_through(frame["did"], pd.DataFrame(W, range(12), range(12)))
    for (i, t), row in found.iterrows():
        others = [j for j in range(12) if j != i and members[j] == members[i]]
        assert row.iloc[0] == any(frame.loc[(j, t), "did"] for j in others)


def test_exposed_rows_come_back_in_the_order_given():
    frame = panel(15).sample(frac=1, random_state=0)
    found = nqp.did.exposed_through(frame["did"], graph())
    assert found.index.equals(frame.index)
    again = nqp.did.exposed_through(frame["did"].sort_index(), graph())
    assert found.sort_index().equals(again)


# ---------------------------------------------------------------- what is told


def test_cells_that_nothing_determines_are_named_and_left_out():
    """Everybody is treated in the end: the last periods have no clean cell."""
    frame = panel(16)
    late = frame.copy()
    unit, year = (late.index.get_level_values(i).to_numpy() for i in (0, 1))
    late["did"] = (year >= 2003 + unit % 4).astype(int)
    with pytest.warns(DataWarning, match=r"120 of 210 treated.*left out.*First \(0, 2006\)"):
        found = staggered(late["y"], late["did"])
    assert found.left_out.get_level_values(1).unique().tolist() == [2006, 2007]
    assert found.by("period").index.tolist() == [2003, 2004, 2005]
    assert found.clean["n_left_out"].tolist() == [0, 0, 0, 0, 0, 0, 60, 60]
    assert any("210" in str(note) and "120" in str(note) for note in found.notes)


def test_few_clean_entities_are_warned_of():
    frame = panel(17, n=20)
    with pytest.warns(DataWarning, match=r"Fewer than 10 clean entities are left in"):
        found = staggered(frame["y"], frame["did"], graph=graph(20))
    few = found.clean["n_clean"] < 10
    assert few.any() and not few.all()


def test_how_many_clean_cells_are_left_is_a_note():
    frame = panel(18, n=80)
    found = staggered(frame["y"], frame["did"], graph=graph(80))
    clean = int(found.clean["n_clean"].sum())
    assert any(f"{clean} of {len(frame)} cells are neither" in note for note in found.notes)
    counts = found.clean[["n_clean", "n_treated", "n_exposed"]].sum(axis=1)
    assert (counts == 80).all()


def test_a_dense_graph_leaves_nothing_clean():
    frame = panel(19)
    W = pd.DataFrame((1 - np.eye(60)) / 59)
    frame["did"] = np.maximum(frame["did"], (frame.index.get_level_values(0) == 0).astype(int))
    with (
        pytest.warns(DataWarning, match="treated in every period"),
        pytest.raises(EstimationError, match=r"No clean cell is left.*above=0.25"),
    ):
        staggered(frame["y"], frame["did"], graph=W)


def test_a_dense_graph_leaves_no_treated_cell_determined():
    frame = panel(19)
    with (
        pytest.warns(DataWarning, match="are left out"),
        pytest.raises(EstimationError, match=r"determine no treated cell.*expose fewer"),
    ):
        staggered(frame["y"], frame["did"], graph=pd.DataFrame((1 - np.eye(60)) / 59))


def test_a_threshold_is_a_weight_of_neighbours():
    frame = panel(19)
    found = staggered(frame["y"], frame["did"], graph=graph(), exposure=0.5)
    table = nqp.did.exposed_through(frame["did"], graph(), above=0.5)
    by_table = staggered(frame["y"], frame["did"], exposure=table)
    assert_allclose(found.params, by_table.params)
    assert list(found.params.index) == ["did", "WD > 0.5"]


def test_a_cohort_of_one_is_told_and_has_no_leave_one_out():
    frame = panel(20)
    alone = int(frame["did"].groupby(level=0).max().idxmin())
    frame.loc[(alone, slice(2007, None)), "did"] = 1
    with pytest.warns(DataWarning, match=r"The cohorts 2007 have one entity.*alike='event'"):
        staggered(frame["y"], frame["did"])
    with pytest.raises(EstimationError, match=r"cohorts 2007 have one entity.*alike='event'"):
        staggered(frame["y"], frame["did"], leave_one_out=True)
    staggered(frame["y"], frame["did"], alike="event", leave_one_out=True)  # nobody is alone there


EXPOSURES = {
    "not 0 or 1": (lambda e: e * 0.5, r"'WD > 0' is not 0 or 1 in \d+ cells, first 0.5 at"),
    "in two rings": (lambda e: e.assign(again=e["WD > 0"]), r"rows are in several rings, first"),
    "nobody": (lambda e: e.assign(far=0), r"Nobody who is not treated is in the ring 'far'"),
    "ends": (
        lambda e: e.mul(e.index.get_level_values(1) != 2007, axis=0),
        r"Exposure ends in \d+ entities, first at \(\d+, 2007\)",
    ),
}


@pytest.mark.parametrize("name", EXPOSURES)
def test_exposure_that_is_no_ring_is_refused(name):
    frame = panel(21)
    change, message = EXPOSURES[name]
    exposure = change(nqp.did.exposed_through(frame["did"], graph()))
    with pytest.raises(TreatmentError, match=message):
        staggered(frame["y"], frame["did"], exposure=exposure)


def test_exposure_of_other_rows_is_refused():
    frame = panel(21)
    exposure = nqp.did.exposed_through(frame["did"], graph())
    with pytest.raises(IdMismatchError, match="exposure"):
        staggered(frame["y"], frame["did"], exposure=exposure.iloc[1:])


def test_exposure_is_said_once():
    frame = panel(21)
    exposure = nqp.did.exposed_through(frame["did"], graph())
    with pytest.raises(OptionError, match="Give one of them"):
        staggered(frame["y"], frame["did"], graph=graph(), exposure=exposure)
    with pytest.raises(OptionError, match=r"needs graph=.*exposed_in_rings"):
        staggered(frame["y"], frame["did"], exposure=0.2)
    with pytest.raises(OptionError, match=r"exposure=\(0.3, 0.1\).*does not rise"):
        staggered(frame["y"], frame["did"], graph=graph(), exposure=(0.3, 0.1))


@pytest.mark.parametrize("edges", [(100,), (100, 50), (-1, 5), (0, np.inf), ("a", "b"), 5])
def test_edges_must_rise(edges):
    places = pd.DataFrame({"lon": np.arange(60.0), "lat": 30.0})
    with pytest.raises(OptionError, match="does not rise from zero or more"):
        nqp.did.exposed_in_rings(panel()["did"], places, edges=edges)


def test_a_table_without_a_pair_is_named():
    frame = panel(n=6)
    table = pd.DataFrame(50.0, range(6), range(6))
    table.loc[2, 4] = np.nan
    with pytest.raises(nqp.exceptions.DataError, match=r"1 pairs of places have one.*\(2, 4\)"):
        nqp.did.exposed_in_rings(frame["did"], table, edges=(0, 60))
    with pytest.raises(IdMismatchError, match="places"):
        nqp.did.exposed_in_rings(frame["did"], table.drop(3), edges=(0, 60))


def test_controls_that_clean_cells_do_not_identify_are_named():
    frame = panel(22)
    frame["same"] = 2 * frame["x"] + frame.index.get_level_values(0)
    with pytest.raises(CollinearityError, match="'same' is a linear combination of 'x' in clean"):
        staggered(frame["y"], frame["did"], frame[["x", "same"]])
    frame["later"] = frame["did"] * np.arange(len(frame))
    with pytest.raises(ConstantColumnError, match="'later' does not vary in clean cells"):
        staggered(frame["y"], frame["did"], frame[["later"]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "two-stage", "alike": "event"}, r"alike= belongs to method=\"imputation\""),
        ({"method": "sun-abraham", "leads": 3}, r"leads= belongs to method="),
        ({"method": "stacked", "exposure": 0.1}, r"exposure= belongs to method="),
        ({"alike": "cohorts"}, r"alike='cohorts' is not known"),
        ({"leads": -1}, r"leads=-1"),
    ],
)
def test_options_of_other_methods_are_refused(options, message):
    frame = panel()
    with pytest.raises(OptionError, match=message):
        staggered(frame["y"], frame["did"], **options)


def test_equal_variances_are_refused():
    frame = panel()
    model = nqp.did.Staggered(frame["y"], frame["did"], method="imputation")
    with pytest.raises(OptionError, match="cov_type='clustered'"):
        model.fit(cov_type="unadjusted")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_path_has_a_picture(lang):
    frame = panel(23)
    axes = staggered(frame["y"], frame["did"], graph=graph()).plot(lang=lang)
    assert len(axes.get_lines())
    plt.close(axes.figure)


@pytest.mark.slow
def test_intervals_cover_the_truth_on_the_real_cities_and_pilots():
    """60 simulated panels of benchmarks/monte_carlo_spillovers.py, whose page has 300.

    Clean cells find own effects, spillovers and sums; with neighbours as controls effects are too
    small by a fifth, and two-way effects by a third.
    """
    import monte_carlo_spillovers as mc

    given = mc.ground()
    truth = np.array(list(mc.truths(*given[:4]).values()))
    found = np.array([mc.one(seed, False, given) for seed in range(60)])
    at, se = found[..., 0], found[..., 1]
    error = at.std(axis=0) / np.sqrt(60)
    with_rings, ordinary, twoway = [0, 1], [2, 3], 4
    assert (np.abs(at[:, with_rings].mean(axis=0) - truth) < 4 * error[with_rings]).all()
    covered = (np.abs(at - truth) < 1.96 * se).mean(axis=0)
    assert (covered[with_rings] > 0.85).all()
    assert (at[:, ordinary, 0].mean(axis=0) < 0.85 * truth[0]).all()
    assert (covered[ordinary, 0] < 0.5).all()
    assert at[:, twoway, 0].mean() < 0.7 * truth[0]
