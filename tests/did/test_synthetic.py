"""`SpatialSDID` against its authors' programs, against refits by hand, and on data that fail it."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import (
    DataWarning,
    EstimationError,
    OptionError,
    TreatmentError,
    UnbalancedPanelError,
)
from tests import REFERENCE

SIDE, PERIODS, START = 7, 14, 9


def grid(side=SIDE):
    row, column = np.divmod(np.arange(side**2), side)
    W = (np.abs(row[:, None] - row) + np.abs(column[:, None] - column) == 1).astype(float)
    labels = pd.RangeIndex(side**2)
    return pd.DataFrame(W / W.sum(axis=1, keepdims=True), labels, labels)


@pytest.fixture(scope="module")
def panel():
    """Simulated; see tests/reference/spatial_sdid.py."""
    return pd.read_csv(REFERENCE / "spatial_sdid_data.csv").set_index(["unit", "period"])


def reference(name):
    return pd.read_csv(REFERENCE / name, index_col="name")["value"]


# ---------------------------------------------------------------- against other programs


def test_spatial_form_is_that_of_its_authors(panel):
    """tests/reference/spatial_sdid.py: the code of Serenini and Masek, on the same data."""
    theirs = reference("spatial_sdid.csv")
    found = nqp.did.SpatialSDID(panel["y"], panel["did"], None, grid()).fit(draws=20)
    assert_allclose(found.params["did"], theirs["without_att"], rtol=2e-6)
    assert_allclose(found.params["W_did"], theirs["without_spill"], rtol=2e-6)
    assert_allclose(found.params["did"], theirs["as_published_att"], rtol=1e-4)  # weights + 1e-5
    units = {int(n[5:]): v for n, v in theirs.items() if n.startswith("unit_")}
    assert_allclose(found.unit_weights.loc[list(units), START], list(units.values()), rtol=1e-4)
    periods = {int(n[7:]): v for n, v in theirs.items() if n.startswith("period_")}
    weights = found.period_weights.loc[list(periods), START]
    assert_allclose(weights, list(periods.values()), rtol=1e-4)


def test_ordinary_form_is_that_of_its_authors(panel):
    """tests/reference/synthdid.R, whose Frank-Wolfe steps have not quite come to an end.

    A control that has no weight at the least still has 7e-4 there, and the objective is larger.
    """
    theirs = reference("synthdid.csv")
    found = nqp.did.SpatialSDID(panel["y"], panel["did"]).fit(errors="jackknife")
    assert_allclose(found.params["did"], theirs["att"], rtol=1e-5)
    assert_allclose(found.std_errors["did"], theirs["jackknife"], rtol=1e-3)
    units = theirs[theirs.index.str.startswith("unit_")]
    units.index = units.index.str[5:].astype(int)
    ours = found.unit_weights.loc[units.index, START]
    assert_allclose(ours, units, atol=1e-3)
    y = panel["y"].unstack("unit").iloc[:START]
    left = y[units.index].sub(y[[8, 24, 38]].mean(axis=1), axis=0)

    def objective(weights):
        path = left @ weights
        return ((path - path.mean()) ** 2).sum() + START * theirs["zeta"] ** 2 * (weights**2).sum()

    assert objective(ours) < objective(units) < objective(ours) * (1 + 1e-4)
    periods = theirs[theirs.index.str.startswith("period_")]
    assert_allclose(found.period_weights[START], periods, atol=2e-4)


# ---------------------------------------------------------------- against refits by hand


def test_one_treated_unit_has_every_placebo_once(panel):
    one = panel.drop([8, 38], level="unit")
    found = nqp.did.SpatialSDID(one["y"], one["did"]).fit()
    never = one.drop(24, level="unit")
    zeta = placebo_noise(one) * (PERIODS - START) ** 0.25
    expected = [placebo(never, unit, zeta) for unit in never.index.unique("unit")]
    assert_allclose(found.sampled["did"], expected, atol=1e-8)
    assert_allclose(found.std_errors["did"], np.std(expected), rtol=1e-8)
    larger = (np.abs(expected) >= abs(found.params["did"])).sum()
    assert_allclose(found.tests["placebo"].pvalue, (1 + larger) / (1 + len(expected)))


def placebo_noise(frame):
    controls = frame.drop(24, level="unit")["y"].unstack("unit").iloc[:START]
    return controls.diff().iloc[1:].to_numpy().std(ddof=1)


def placebo(frame, unit, zeta):
    """The estimate for one unit that is not treated, by a general search for its weights."""
    from scipy.optimize import nnls

    y = frame["y"].unstack("unit")
    own, others = y[unit].to_numpy(), y.drop(columns=unit).to_numpy()

    def weights(A, b, ridge):
        M = np.vstack([(A - b[:, None]) - (A - b[:, None]).mean(axis=0)])
        big = 1e4  # the sum is held to one by a heavy row
        left = np.vstack([M, np.sqrt(ridge) * np.eye(A.shape[1]), big * np.ones(A.shape[1])])
        found, _ = nnls(left, np.r_[np.zeros(len(left) - 1), big])
        return found / found.sum()

    noise = zeta / (PERIODS - START) ** 0.25
    omega = weights(others[:START], own[:START], START * zeta**2)
    ridge = others.shape[1] * (1e-6 * noise) ** 2
    lambda_ = weights(others[:START].T, others[START:].mean(axis=0), ridge)
    path = own - others @ omega
    return path[START:].mean() - lambda_ @ path[:START]


def test_cohorts_are_estimated_one_by_one(panel):
    """Clarke et al. (2024): each cohort with those never treated, by its treated cells."""
    later = panel["did"].where(
        ~((panel.index.get_level_values(0) == 38) & (panel.index.get_level_values(1) < 11)), 0
    )
    found = nqp.did.SpatialSDID(panel["y"], later).fit()
    first = nqp.did.SpatialSDID(*columns(panel.drop(38, level="unit"), later)).fit()
    second = nqp.did.SpatialSDID(*columns(panel.drop([8, 24], level="unit"), later)).fit()
    parts = [first.params["did"], second.params["did"]]
    assert_allclose(found.by_cohort["estimate"], parts, rtol=1e-9)
    assert_allclose(found.params["did"], np.average(parts, weights=[2 * 5, 1 * 3]), rtol=1e-9)
    assert list(found.by_cohort["n_cells"]) == [10, 3]


def columns(frame, treatment):
    return frame["y"], treatment.loc[frame.index]


def test_controls_are_taken_from_the_outcome(panel):
    """Their slopes by dummies on untreated cells (Kranz 2022)."""
    rng = np.random.default_rng(8)
    x = pd.DataFrame({"x1": rng.normal(size=len(panel)), "x2": rng.normal(size=len(panel))})
    x.index = panel.index
    y = panel["y"] + x @ [2.0, -1.0]
    found = nqp.did.SpatialSDID(y, panel["did"], x)
    clean = (panel["did"] == 0).to_numpy()
    unit, period = (panel.index.codes[i] for i in (0, 1))
    Z = np.column_stack([x, np.eye(SIDE**2)[unit], np.eye(PERIODS)[period]])
    slopes = np.linalg.lstsq(Z[clean], y.to_numpy()[clean], rcond=None)[0][:2]
    assert_allclose(found.slopes, slopes, atol=1e-9)
    by_hand = nqp.did.SpatialSDID((y - x @ slopes).rename("y"), panel["did"]).fit()
    assert_allclose(found.fit().params, by_hand.params, rtol=1e-9)


# ---------------------------------------------------------------- properties


@pytest.mark.parametrize("spatial", [False, True])
def test_order_labels_levels_and_units_do_not_matter(panel, spatial):
    W = grid() if spatial else None
    base = nqp.did.SpatialSDID(panel["y"], panel["did"], None, W).fit(draws=30, seed=3)
    unit = panel.index.get_level_values(0).to_numpy()
    period = panel.index.get_level_values(1).to_numpy()
    other = panel.assign(y=100 * panel["y"] + np.sin(unit) + 2 * period)
    names = {i: f"u{i:02d}" for i in range(SIDE**2)}
    other = other.rename(index=names, level=0).sample(frac=1, random_state=1)
    if spatial:
        W = grid().rename(index=names, columns=names).iloc[::-1]
    moved = nqp.did.SpatialSDID(other["y"], other["did"], None, W).fit(draws=30, seed=3)
    assert_allclose(moved.params, 100 * base.params, rtol=1e-7)
    assert_allclose(moved.std_errors, 100 * base.std_errors, rtol=1e-6)


def test_adding_to_treated_cells_adds_to_the_effect(panel):
    base = nqp.did.SpatialSDID(panel["y"], panel["did"]).fit(draws=30)
    more = nqp.did.SpatialSDID(panel["y"] + 3 * panel["did"], panel["did"]).fit(draws=30)
    assert_allclose(more.params - base.params, 3.0, rtol=1e-9)
    assert_allclose(more.unit_weights, base.unit_weights, atol=1e-9)


def test_effects_are_sums_of_what_the_regression_says(panel):
    W = grid()
    found = nqp.did.SpatialSDID(panel["y"], panel["did"], None, W).fit(draws=40)
    D = panel["did"].unstack("period").to_numpy(dtype=float)
    exposure = W.to_numpy() @ D
    never = (D == 0).all(axis=1)
    cells = exposure[never]
    tau, spill = found.params
    effects = found.policy_effects()["estimate"]
    assert_allclose(effects["direct"], tau)
    assert_allclose(effects["indirect"], spill * cells[cells > 0].mean())
    assert_allclose(effects["total"], tau + spill * exposure.sum() / D.sum())
    turn = np.array([1.0, exposure.sum() / D.sum()])
    error = np.sqrt(turn @ found.cov.to_numpy() @ turn)
    assert_allclose(found.policy_effects().loc["total", "std_error"], error)


def test_fitted_values_are_the_synthetic_control_with_the_effect(panel):
    found = nqp.did.SpatialSDID(panel["y"], panel["did"], None, grid()).fit(draws=20)
    assert_allclose(found.fitted + found.resids, panel["y"].loc[found.fitted.index])
    after = found.resids.index.get_level_values(1) >= START
    assert_allclose(found.resids[after].mean(), 0.0, atol=0.05)  # exposed units share the effects
    ordinary = nqp.did.SpatialSDID(panel["y"], panel["did"]).fit(draws=20)
    assert_allclose(ordinary.resids[after].mean(), 0.0, atol=1e-10)
    gap = ordinary.paths.loc[START, "gap"]
    assert_allclose(gap[gap.index >= START].mean(), ordinary.params["did"], rtol=1e-9)


@pytest.mark.slow
def test_processes_do_not_change_the_draws(panel):
    model = nqp.did.SpatialSDID(panel["y"], panel["did"], None, grid())
    one, two = (model.fit(draws=40, seed=5, n_jobs=jobs) for jobs in (1, 2))
    assert_allclose(one.sampled, two.sampled, rtol=0)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_picture_has_both_paths(panel, lang):
    found = nqp.did.SpatialSDID(panel["y"], panel["did"]).fit(draws=20)
    axes = found.plot(lang=lang)
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    names = {"en": ("Treated", "Synthetic control"), "zh": ("处理组", "合成控制")}[lang]
    path = found.paths.loc[START]
    for name, column in zip(names, ("treated", "synthetic"), strict=True):
        assert_allclose(lines[name], path[column])
    plt.close(axes.figure)


# ---------------------------------------------------------------- what fails


def test_an_absent_pair_is_named(panel):
    with pytest.raises(UnbalancedPanelError, match=r"\(3, 4\)"):
        nqp.did.SpatialSDID(panel["y"].drop((3, 4)), panel["did"].drop((3, 4)))


def test_treatment_from_the_second_period_is_refused(panel):
    did = panel["did"].copy()
    did.loc[(5, slice(1, None))] = 1
    with pytest.raises(
        TreatmentError, match=r"1 entities are treated from the first or second .*5"
    ):
        nqp.did.SpatialSDID(panel["y"], did)


def test_a_dense_graph_leaves_no_control(panel):
    n = SIDE**2
    W = pd.DataFrame((1 - np.eye(n)) / (n - 1))
    with pytest.raises(TreatmentError, match=r"46 are exposed.*sparser W"):
        nqp.did.SpatialSDID(panel["y"], panel["did"], None, W)


def test_everybody_treated_in_the_end_leaves_no_control(panel):
    unit = panel.index.get_level_values(0).to_numpy()
    did = pd.Series((panel.index.get_level_values(1) >= 4 + unit % 9).astype(int), panel.index)
    with pytest.raises(TreatmentError, match="control='not-yet'"):
        nqp.did.SpatialSDID(panel["y"], did)


def test_one_treated_entity_has_no_jackknife(panel):
    one = panel.drop([8, 38], level="unit")
    model = nqp.did.SpatialSDID(one["y"], one["did"])
    for errors in ("jackknife", "bootstrap"):
        with pytest.raises(EstimationError, match=r"those of 9 have one.*errors='placebo'"):
            model.fit(errors=errors)


def test_more_treated_than_others_have_no_placebos(panel):
    unit = panel.index.get_level_values(0).to_numpy()
    did = pd.Series(((panel.index.get_level_values(1) >= 9) & (unit < 30)).astype(int), panel.index)
    with pytest.raises(EstimationError, match=r"\(19\) than treated ones \(30\)"):
        nqp.did.SpatialSDID(panel["y"], did).fit()


def test_nobody_exposed_is_told(panel):
    W = grid().to_numpy().copy()
    treated = panel["did"].groupby("unit").max().to_numpy() == 1
    W[np.ix_(~treated, treated)] = 0
    model = nqp.did.SpatialSDID(panel["y"], panel["did"], None, pd.DataFrame(W))
    with pytest.raises(EstimationError, match=r"nobody who is never treated has a treated"):
        model.fit()


def test_draws_that_fail_are_counted(panel):
    model = nqp.did.SpatialSDID(panel["y"], panel["did"], None, grid())
    with pytest.warns(DataWarning, match=r"of 60 draws \(bootstrap\) leave no control"):
        found = model.fit(errors="bootstrap", draws=60)
    assert len(found.sampled) < 60


def test_an_unknown_error_lists_the_known(panel):
    with pytest.raises(OptionError, match="'placebo', 'jackknife', 'bootstrap'"):
        nqp.did.SpatialSDID(panel["y"], panel["did"]).fit(errors="robust")


@pytest.mark.slow
def test_intervals_cover_where_errors_are_alike():
    """100 simulated panels on a lattice, four units treated at random; both kinds of errors."""
    side, periods, start = 8, 12, 7
    W = grid(side)
    index = pd.MultiIndex.from_product([range(side**2), range(periods)], names=["i", "t"])
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        D = np.zeros((side**2, periods))
        D[rng.choice(side**2, 4, replace=False), start:] = 1
        y = rng.normal(size=(side**2, 1)) + rng.normal(size=periods)
        y = y + D + 2 * (W.to_numpy() @ D) + rng.normal(size=D.shape)
        did = pd.Series(D.ravel().astype(int), index, name="did")
        model = nqp.did.SpatialSDID(pd.Series(y.ravel(), index, name="y"), did, None, W)
        fits = (model.fit(errors=kind, draws=60, seed=seed) for kind in ("placebo", "jackknife"))
        found.append([[*fit.params, *fit.std_errors] for fit in fits])
    at, se = np.split(np.array(found), 2, axis=2)
    assert (np.abs(at.mean(axis=0) - [1, 2]) < 4 * at.std(axis=0) / 10).all()
    covered = (np.abs(at - [1, 2]) < 1.96 * se).mean(axis=0)
    assert (covered > 0.83).all() and (covered < 0.99).all()  # 0.94 and 0.90 of 150
