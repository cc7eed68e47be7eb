"""Empty cells: their rows leave the equation, and the cells beside them stay instruments."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import MissingValuesError
from nqp_spatial.models.gmm.model import DifferenceGMM, SystemGMM
from tests.models.gmm.panels import reference, simulated
from tests.models.gmm.test_reference import check_against


def late_and_early():
    """As tests/reference/gmm_missing.inp makes them empty."""
    frame = simulated()
    entity, year = (pd.Series(frame.index.get_level_values(k), frame.index) for k in (0, 1))
    begin, final = (year.groupby(level=0).transform(how) for how in ("min", "max"))
    v = frame["v"].mask((entity % 2 == 1) & (year < begin + 2))
    return frame.assign(v=v, x=frame["x"].mask((entity % 3 == 0) & (year == final)))


def scattered(seed=5, share=0.08):
    """Cells of y, x and v that are empty at random, also between others."""
    frame, rng = simulated()[["y", "x", "v"]], np.random.default_rng(seed)
    return frame.mask(rng.random(frame.shape) < share)


def of_gretl(frame, **more):
    x, more = frame[["x", "v"]], {"missing": "keep", **more}
    limits = {"predetermined": ["x"], "gmm_lags": {"y": (2, 3), "x": (1, 2)}, "effects": None}
    return {
        "plain": DifferenceGMM(frame["y"], x, effects=None, **more),
        "limited": DifferenceGMM(frame["y"], x, predetermined=["x"], gmm_lags=(2, 4), **more),
        "system": SystemGMM(frame["y"], x, **limits, **more),
    }


@pytest.mark.parametrize("case", ["plain one", "plain two", "limited two", "system two"])
def test_gretl_uses_the_lags_that_exist(case):
    """253 differences, where leaving rows out leaves 223."""
    model, steps = case.rsplit(" ", 1)
    tests = ["ar1", "ar2", "hansen"] + ["sargan"] * (model != "system")
    found = of_gretl(late_and_early())[model]
    result, known = found.fit(steps={"one": 1, "two": 2}[steps]), reference("gmm_missing.csv")
    check_against(result, known.loc[case], tests)
    assert result.nobs == known.loc[case, "nobs", ""]
    whole = late_and_early().dropna()
    without = DifferenceGMM(whole["y"], whole[["x", "v"]], effects=None)
    assert (found.system.n_transformed, without.system.n_transformed) == (253, 223)


def dense(frame, *, last, level):
    """Two-step estimates and Windmeijer's errors by loops over cells, from Roodman (2009).

    y on its lag, x and v; y instrumented by lags 2 to ``last``, x predetermined by lags 1 to
    ``last``, v by itself; with ``level`` the equation in levels too. No time effects.
    """
    cells = {c: frame[c].dropna().to_dict() for c in frame}
    y, x, v = (cells[c] for c in "yxv")

    def row(i, t):
        """y, its lag, x and v of a row; None if one of them is empty."""
        found = [y.get((i, t)), y.get((i, t - 1)), x.get((i, t)), v.get((i, t))]
        return None if None in found else np.array([*found, 1.0])

    rows, columns = [], {}
    for i in frame.index.unique(level=0):
        for t in range(1990, 2020):
            now, before = row(i, t), row(i, t - 1)
            if now is not None and before is not None:
                z = {("y", k, t): y.get((i, t - k)) for k in range(2, last + 1)}
                z |= {("x", k, t): x.get((i, t - k)) for k in range(1, last + 1)}
                rows.append((i, t, False, (now - before)[:4], z | {"v": v[i, t] - v[i, t - 1]}))
        for t in range(1990, 2020):
            now = row(i, t)
            if level and now is not None:
                z = {"v": v[i, t], "one": 1.0}
                for name, of, k in (("dy", y, 1), ("dx", x, 0)):
                    a, b = of.get((i, t - k)), of.get((i, t - k - 1))
                    z[name, t] = None if a is None or b is None else a - b
                rows.append((i, t, True, now, z))
    for *_, z in rows:
        for name, value in z.items():
            if value is not None:
                columns.setdefault(name, len(columns))
    k = 4 if level else 3
    Z = np.zeros((len(rows), len(columns)))
    outcome, X = np.zeros(len(rows)), np.zeros((len(rows), k))
    for r, (_, _, _, values, z) in enumerate(rows):
        outcome[r] = values[0]
        X[r, : len(values) - 1] = values[1:]
        for name, value in z.items():
            if value is not None:
                Z[r, columns[name]] = value
    who = np.array([i for i, *_ in rows])
    M = np.zeros((len(rows), len(frame.index.unique(level=0)) * 40))
    place = {i: j for j, i in enumerate(frame.index.unique(level=0))}
    for r, (i, t, at_level, *_) in enumerate(rows):
        M[r, place[i] * 40 + t - 1985] = 1
        if not at_level:
            M[r, place[i] * 40 + t - 1986] = -1
    A1 = np.linalg.pinv(Z.T @ M @ M.T @ Z)
    XZ = X.T @ Z
    first = np.linalg.solve(XZ @ A1 @ XZ.T, XZ @ A1 @ Z.T @ outcome)
    u = outcome - X @ first
    scores = np.array([Z[who == i].T @ u[who == i] for i in place])
    A2 = np.linalg.pinv(scores.T @ scores)
    bread = np.linalg.inv(XZ @ A2 @ XZ.T)
    second = bread @ XZ @ A2 @ Z.T @ outcome
    left = outcome - X @ second
    V1 = np.linalg.inv(XZ @ A1 @ XZ.T)
    V1 = V1 @ XZ @ A1 @ scores.T @ scores @ A1 @ XZ.T @ V1
    D = np.zeros((k, k))
    for j in range(k):
        change = np.zeros_like(A2)
        for i in place:
            own = who == i
            a, b = Z[own].T @ X[own][:, j], Z[own].T @ u[own]
            change -= np.outer(a, b) + np.outer(b, a)
        D[:, j] = -bread @ XZ @ A2 @ change @ A2 @ Z.T @ left
    V2 = bread + D @ bread + bread @ D.T + D @ V1 @ D.T
    return second, np.sqrt(np.diag(V2)), len(rows)


@pytest.mark.parametrize("level", [False, True])
@pytest.mark.parametrize("seed", [5, 6])
def test_cells_empty_at_random_by_loops(seed, level):
    frame = scattered(seed)
    kind = SystemGMM if level else DifferenceGMM
    options = {"predetermined": ["x"], "gmm_lags": {"y": (2, 3), "x": (1, 3)}, "effects": None}
    model = kind(frame["y"], frame[["x", "v"]], missing="keep", **options)
    found = model.fit()
    params, errors, rows = dense(frame, last=3, level=level)
    assert len(model.system.outcome) == rows
    assert_allclose(found.params, params, rtol=1e-7)
    assert_allclose(found.std_errors, errors, rtol=1e-6)
    whole = frame.dropna()
    assert kind(whole["y"], whole[["x", "v"]], **options).system.n_transformed < (
        model.system.n_transformed
    )


@pytest.mark.parametrize("transformation", ["difference", "orthogonal"])
@pytest.mark.parametrize("kind", [DifferenceGMM, SystemGMM])
def test_nothing_empty_and_rows_of_nothing_change_nothing(kind, transformation):
    frame = simulated().query("hole == 0")[["y", "x", "v"]]
    options = {"predetermined": ["x"], "transformation": transformation, "gmm_lags": (2, 3)}
    options["collapse"] = True
    expected = kind(frame["y"], frame[["x", "v"]], **options).fit()
    for table in (frame, simulated()[["y", "x", "v"]].where(simulated()["hole"] == 0)):
        found = kind(table["y"], table[["x", "v"]], missing="keep", **options).fit()
        assert_allclose(found.params, expected.params, rtol=1e-12)
        assert_allclose(found.cov, expected.cov, rtol=1e-12)


def test_an_empty_external_instrument_costs_its_row():
    frame = simulated()
    v = frame["v"].mask(frame["hole"] == 1)
    model = DifferenceGMM(frame["y"], frame[["x"]], iv=v.to_frame(), missing="keep")
    usable = (
        v.notna()
        & v.groupby(level=0).shift().notna()
        & frame["y"].groupby(level=0).shift(2).notna()
    )
    assert model.system.n_transformed == int(usable.sum())


def test_what_is_empty_is_counted_and_said():
    frame = scattered()
    result = DifferenceGMM(frame["y"], frame[["x", "v"]], missing="keep").fit()
    empty = frame.isna()
    assert result.sample["rows_given"] == len(frame)
    assert result.sample["rows_complete"] == (~empty.any(axis=1)).sum()
    (said,) = [n for n in result.provenance["notes"] if "empty cell" in n]
    cells = ", ".join(f"{c} {empty[c].sum()}" for c in frame)
    assert said.startswith(f"{empty.any(axis=1).sum()} of {len(frame)} rows have an empty cell")
    assert cells in said


@pytest.mark.parametrize("kind", ["float", "Float64", "double[pyarrow]"])
def test_empty_cells_of_every_kind_are_refused_until_they_are_kept(kind):
    frame = scattered().astype(kind)
    with pytest.raises(MissingValuesError, match="'y' is empty in.*Or type missing='keep'"):
        DifferenceGMM(frame["y"], frame[["x", "v"]])
    found = DifferenceGMM(frame["y"], frame[["x", "v"]], missing="keep").fit()
    plain = scattered()
    expected = DifferenceGMM(plain["y"], plain[["x", "v"]], missing="keep").fit()
    assert_allclose(found.params, expected.params, rtol=1e-12)
    formula = DifferenceGMM.from_formula("y ~ x + v", frame, missing="keep").fit()
    assert_allclose(formula.params, expected.params, rtol=1e-12)


def test_a_column_of_nothing_is_refused():
    frame = scattered().assign(x=np.nan)
    with pytest.raises(MissingValuesError, match="'x' is empty in 423 of 423 rows"):
        nqp.DifferenceGMM(frame["y"], frame[["x", "v"]], missing="keep")
