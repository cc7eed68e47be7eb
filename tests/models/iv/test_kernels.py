"""IV2SLS with Conley's and kernel covariances: loops over pairs, linearmodels, identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from linearmodels import iv as linear
from linearmodels.iv import IVGMM, IVLIML, kleibergen_paap, kleibergen_paap_f
from numpy.testing import assert_allclose
from pyproj import Geod

from nqp_spatial.exceptions import DataWarning, EstimationError, IdMismatchError, OptionError
from nqp_spatial.models.covariance import CovarianceOptions
from nqp_spatial.models.iv.model import IV2SLS
from nqp_spatial.models.linear.fixed_effects import FixedEffects
from nqp_spatial.models.scores import Rows, prepare

CITIES, YEARS, LAGS = 36, 8, 2
Z = ["z1", "z2", "z3"]
OVER = "y ~ x + [d ~ z1 + z2 + z3]"


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(5)
    spots = {"lon": rng.uniform(112, 118, CITIES), "lat": rng.uniform(28, 33, CITIES)}
    return pd.DataFrame(spots, [f"c{i:02d}" for i in range(CITIES)])


@pytest.fixture(scope="module")
def panel():
    """Errors persist; 17 rows are missing, so that lags cross gaps."""
    rng = np.random.default_rng(6)
    index = pd.MultiIndex.from_product(
        [[f"c{i:02d}" for i in range(CITIES)], range(2010, 2010 + YEARS)], names=["city", "year"]
    )
    walk = rng.normal(size=(CITIES, YEARS, 2)).cumsum(axis=1).reshape(-1, 2)
    z = rng.normal(size=(len(index), 3))
    x = rng.normal(size=len(index))
    d = z @ [0.8, 0.6, 0.4] + 0.3 * x + 0.6 * walk[:, 0] + rng.normal(size=len(index))
    e = z @ [0.2, -0.7, 0.9] + 0.5 * walk[:, 1] + rng.normal(size=len(index))
    y = d + 0.5 * e + x + walk[:, 0] + rng.normal(size=len(index))
    frame = pd.DataFrame(np.column_stack([y, x, d, e, z]), index, ["y", "x", "d", "e", *Z])
    return frame.drop(index[rng.choice(len(index), 17, replace=False)])


def codes(panel):
    return [pd.factorize(panel.index.get_level_values(i), sort=True)[0] for i in (0, 1)]


class Explicit:
    """Regression with dummies and sums over all pairs of rows, one pair at a time."""

    def __init__(self, panel, weight):
        city, year = codes(panel)
        self.fixed = np.column_stack([np.eye(CITIES)[city], np.eye(YEARS)[year][:, 1:]])
        self.n, self.weight, self.pairs = len(panel), weight, (city, year)
        self.frame = panel

    def columns(self, *names):
        return self.frame[list(names)].to_numpy()

    def free(self, values, exog):
        """Less the regression on the exogenous columns and all dummies."""
        X = np.column_stack([exog, self.fixed])
        return values - X @ np.linalg.lstsq(X, values, rcond=None)[0]

    def sums(self, scores):
        city, year = self.pairs
        S = np.zeros((scores.shape[1], scores.shape[1]))
        for a in range(self.n):
            for b in range(self.n):
                w = self.weight(city[a], city[b], int(year[a]) - int(year[b]))
                if w:
                    S += w * np.outer(scores[a], scores[b])
        return S


def conley_weight(places, cutoff, kernel, serial):
    geod, lon, lat = Geod(ellps="WGS84"), places["lon"].to_numpy(), places["lat"].to_numpy()

    def weight(i, j, gap):
        if gap:
            return max(0.0, 1 - abs(gap) / (serial + 1)) if i == j else 0.0
        if i == j:
            return 1.0
        km = geod.inv(lon[i], lat[i], lon[j], lat[j])[2] / 1000
        return 0.0 if km > cutoff else (1 - km / cutoff if kernel == "bartlett" else 1.0)

    table = {
        (i, j, g): weight(i, j, g)
        for i in range(CITIES)
        for j in range(CITIES)
        for g in range(1 - YEARS, YEARS)
    }
    return lambda i, j, gap: table[i, j, gap]


def newey_west_weight(i, j, gap):
    return max(0.0, 1 - abs(gap) / (LAGS + 1)) if i == j else 0.0


def asked(kind, places):
    if kind == "kernel":
        return {"cov_type": "kernel", "bandwidth": LAGS}
    kernel, serial = {"conley": ("bartlett", 0), "conley serial": ("bartlett", 2)}.get(
        kind, ("uniform", 1)
    )
    return {
        "cov_type": "conley",
        "cutoff_km": 150,
        "coordinates": places,
        "kernel": kernel,
        "serial_lags": serial,
    }


def explicit(kind, panel, places):
    fit = asked(kind, places)
    if kind == "kernel":
        return Explicit(panel, newey_west_weight)
    return Explicit(panel, conley_weight(places, 150, fit["kernel"], fit["serial_lags"]))


def factors(kind, n, k):
    """As stated by `_least_squares`; k counts coefficients and dummies."""
    return YEARS / (YEARS - 1) * (n - 1) / (n - k) if kind == "kernel" else n / (n - k)


KINDS = ["conley", "conley serial", "uniform", "kernel"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_statistic_equals_dummies_and_loops_over_pairs(panel, places, kind):
    """2SLS, two-step GMM and LIML; both stages; rk statistics, Anderson-Rubin, Hansen's J."""
    known, fit = explicit(kind, panel, places), asked(kind, places)
    model = IV2SLS.from_formula(OVER, panel)
    res = model.fit(**fit)
    dummies = known.fixed.shape[1]
    y, d, x, z = (known.columns(*names) for names in (["y"], ["d"], ["x"], Z))
    factor = factors(kind, known.n, 2 + dummies)
    stage_factor = factors(kind, known.n, 4 + dummies)

    # 2SLS by formula, everything free of x and the dummies
    y, d, q = (known.free(part, x) for part in (y, d, z))
    fitted = q @ np.linalg.lstsq(q, d, rcond=None)[0]
    beta = float((fitted.T @ y / (fitted.T @ d)).item())
    u = y - beta * d
    meat = float(known.sums(fitted * u).item())
    error = np.sqrt(factor * meat) / float((fitted.T @ fitted).item())
    assert_allclose(res.params["d"], beta, rtol=1e-9)
    assert_allclose(res.std_errors["d"], error, rtol=1e-9)

    # first stage and rank
    pi, Q = np.linalg.solve(q.T @ q, q.T @ d), np.linalg.inv(q.T @ q)
    V = stage_factor * Q @ known.sums(q * (d - q @ pi)) @ Q
    stage = res.first_stage["d"]
    assert_allclose(stage.std_errors[Z], np.sqrt(np.diag(V)), rtol=1e-8)
    wald = float((pi.T @ np.linalg.solve(V, pi)).item())
    assert_allclose(res.weak_instruments.kleibergen_paap_f, wald / 3, rtol=1e-8)
    assert_allclose(res.weak_instruments.by_regressor.loc["d", "robust_f"], wald / 3, rtol=1e-8)
    effective = float((pi.T @ q.T @ q @ pi).item()) / np.trace(V @ q.T @ q)
    assert_allclose(res.weak_instruments.effective_f, effective, rtol=1e-8)
    moved = q.T @ d
    lm = float((moved.T @ np.linalg.solve(known.sums(q * d), moved)).item())
    assert_allclose(res.weak_instruments.underidentification.statistic, lm, rtol=1e-8)

    # Anderson-Rubin at one, which is a regression of y - d
    value = y - d
    c = np.linalg.solve(q.T @ q, q.T @ value)
    V = stage_factor * Q @ known.sums(q * (value - q @ c)) @ Q
    rubin = float((c.T @ np.linalg.solve(V, c)).item()) / 3
    assert_allclose(res.anderson_rubin(1.0).statistic, rubin, rtol=1e-8)

    # Hansen's J, and two-step GMM, whose coefficient of x is not that of least squares given d
    D, H = (
        known.free(known.columns(*names), np.empty((known.n, 0))) for names in ("xd", ["x", *Z])
    )
    y = known.free(known.columns("y"), np.empty((known.n, 0)))
    A, b = H.T @ D, H.T @ y
    start = np.linalg.solve(
        D.T @ H @ np.linalg.solve(H.T @ H, A), D.T @ H @ np.linalg.solve(H.T @ H, b)
    )
    S = known.sums(H * (y - D @ start))
    G = np.linalg.solve(A.T @ np.linalg.solve(S, A), np.linalg.solve(S, A).T)
    delta = G @ b
    left = b - A @ delta
    j = float((left.T @ np.linalg.solve(S, left)).item())
    assert_allclose(res.overidentification.statistic, j, rtol=1e-7)
    gmm = model.fit(estimator="gmm", **fit)
    assert_allclose(gmm.overidentification.statistic, j, rtol=1e-7)
    assert_allclose(gmm.params, delta[:, 0], rtol=1e-8)
    again = factor * G @ known.sums(H * (y - D @ delta)) @ G.T
    assert_allclose(gmm.cov, again, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("effects", [None, "entity", "time", "twoway"])
@pytest.mark.filterwarnings("ignore:Weak instruments")
def test_instruments_that_are_the_regressors_give_fixed_effects(panel, places, effects, kind):
    """With z = d in the place of z, estimates and covariance are those of least squares."""
    fit = asked(kind, places)
    model = IV2SLS.from_formula("y ~ x + [d ~ z1]", panel, effects=effects)
    columns = model._data.columns.copy()
    columns[:, -1] = columns[:, model._data.k1]  # public input of this kind is refused
    model._data = replace(model._data, columns=columns)
    prepared = prepare(CovarianceOptions(fit), Rows(model._ols.y.index))
    how = model._covariance(prepared)
    found = model._solve(how, "2sls")
    ols = FixedEffects(panel["y"], panel[["x", "d"]], effects=effects).fit(**fit)
    powers = model._data.own_powers
    assert_allclose(found.delta / powers, ols.params, rtol=1e-10)
    assert_allclose(found.cov * how.factor / np.outer(powers, powers), ols.cov, rtol=1e-10)
    assert how.df == ols.df_resid


@pytest.mark.slow
@pytest.mark.parametrize(
    "fit",
    [
        *KINDS,
        {"cov_type": "kernel"},
        {"cov_type": "kernel", "kernel": "parzen", "bandwidth": 3},
        {"cov_type": "kernel", "kernel": "quadratic-spectral", "bandwidth": 2},
        {"cov_type": "driscoll-kraay", "kernel": "parzen", "bandwidth": 4},
        {"cov_type": "driscoll-kraay", "kernel": "quadratic-spectral", "bandwidth": 2},
    ],
)
@pytest.mark.parametrize("effects", [None, "entity", "twoway"])
@pytest.mark.filterwarnings("ignore:Weak instruments", "ignore:The Kleibergen-Paap")
def test_the_covariance_is_that_of_the_second_stage_by_fixed_effects(panel, places, effects, fit):
    """Least squares of x b + d b + resid on x and fitted d has the same errors."""
    fit = asked(fit, places) if isinstance(fit, str) else fit
    res = IV2SLS.from_formula("y ~ x + [d + e ~ z1 + z2 + z3]", panel, effects=effects).fit(**fit)
    second = panel[["x"]].assign(**{name: s.fitted for name, s in res.first_stage.parts.items()})
    y = second @ res.params[["x", "d", "e"]] + res.resids + res.params.get("const", 0.0)
    ols = FixedEffects(y.rename("y"), second, effects=effects).fit(**fit)
    assert_allclose(ols.cov, res.cov.loc[ols.cov.index, ols.cov.index], rtol=1e-8, atol=1e-13)
    assert ols.df_resid == res.df_resid and ols.cov_type == res.cov_type


def padded(panel, names, kernel_lags):
    """Columns free of city and year effects, cities apart by rows of zeros that no lag spans.

    A score of zero adds nothing, so that one long series has the covariance of all cities; gaps
    within a city are filled with zeros too, as lags are counted in years.
    """
    city, year = codes(panel)
    X = np.column_stack([np.eye(CITIES)[city], np.eye(YEARS)[year][:, 1:]])
    values = panel[names].to_numpy()
    values = values - X @ np.linalg.lstsq(X, values, rcond=None)[0]
    out = np.zeros((CITIES, YEARS + kernel_lags + 1, len(names)))
    out[city, year] = values
    return out.reshape(-1, len(names))


@pytest.mark.parametrize("kernel", ["bartlett", "parzen"])
@pytest.mark.parametrize("kind", ["over", "two"])
@pytest.mark.filterwarnings("ignore:Weak instruments")
def test_kernel_equals_linearmodels_on_one_padded_series(panel, kind, kernel):
    """2SLS, LIML, GMM, J and rk statistics; linearmodels has no small-sample factor here."""
    E = ["d"] if kind == "over" else ["d", "e"]
    values = padded(panel, ["y", "x", *E, *Z], 3)
    y, x, e, z = np.split(values, [1, 2, 2 + len(E)], axis=1)
    res = IV2SLS.from_formula(f"y ~ x + [{' + '.join(E)} ~ z1 + z2 + z3]", panel)
    config = {"kernel": kernel, "bandwidth": 3}
    own = {
        est: res.fit(estimator=est, cov_type="kernel", **config) for est in ("2sls", "liml", "gmm")
    }
    factor = own["2sls"].provenance["small_sample_factor"]
    theirs = {
        "2sls": linear.IV2SLS(y, x, e, z).fit(cov_type="kernel", debiased=False, **config),
        "liml": IVLIML(y, x, e, z).fit(cov_type="kernel", debiased=False, **config),
        "gmm": IVGMM(y, x, e, z, weight_type="kernel", center=False, **config).fit(
            cov_type="kernel", debiased=False, **config
        ),
    }
    for name, known in theirs.items():
        assert_allclose(own[name].params, known.params, rtol=1e-8)
        errors = own[name].std_errors / np.sqrt(factor["estimates"])
        assert_allclose(errors, known.std_errors, rtol=1e-7)
    weak = own["2sls"].weak_instruments
    lm = kleibergen_paap(e, z, x, cov_type="kernel", cov_config=config)
    assert_allclose(weak.underidentification.statistic, lm.stat, rtol=1e-8)
    f = kleibergen_paap_f(e, z, x, cov_type="kernel", cov_config=config)
    n, scale = len(y), factor["first_stage"]
    left = n - x.shape[1] - 3  # its factor of the kernel is that of the padded series
    assert_allclose(weak.kleibergen_paap_f * scale, f * n / left, rtol=1e-8)
    if kind == "over":
        assert_allclose(own["gmm"].overidentification.statistic, theirs["gmm"].j_stat.stat)


def test_scores_of_a_missing_row_are_not_those_of_its_neighbour(panel, places):
    """Shuffled rows give the same numbers; a shifted calendar with the same gaps too."""
    fit = asked("conley serial", places)
    base = IV2SLS.from_formula(OVER, panel).fit(**fit)
    mixed = IV2SLS.from_formula(OVER, panel.sample(frac=1, random_state=1)).fit(
        **(fit | {"coordinates": places.iloc[::-1]})
    )
    assert_allclose(mixed.params, base.params, rtol=1e-10)
    assert_allclose(mixed.cov, base.cov, rtol=1e-9)
    assert_allclose(
        mixed.weak_instruments.kleibergen_paap_f, base.weak_instruments.kleibergen_paap_f, rtol=1e-9
    )


def test_what_is_told_of_the_covariance(panel, places):
    res = IV2SLS.from_formula(OVER, panel).fit(**asked("conley serial", places))
    assert res.cov_type == "conley 150 km" == res.first_stage["d"].cov_type
    told = res.provenance["covariance"]
    assert (told["cutoff_km"], told["serial_lags"], told["coordinates"]) == (150, 2, "given")
    res = IV2SLS.from_formula(OVER, panel).fit(cov_type="kernel")
    assert res.provenance["covariance"]["bandwidth"] == 2  # floor(4 (8 / 100)^(2/9))
    assert (res.cov_type, res.df_resid) == ("kernel", YEARS - 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"cov_type": "conley"}, OptionError, "needs cutoff_km= and coordinates="),
        ({"cutoff_km": 100}, OptionError, 'cutoff_km= belongs to cov_type="conley"'),
        ({"cov_type": "kernel", "serial_lags": 1}, OptionError, "serial_lags= belongs"),
        ({"cov_type": "kernel", "bandwidth": 8}, OptionError, "from 0 to 7 periods"),
        ({"cov_type": "kernel", "kernel": "uniform"}, OptionError, "kernel='uniform'"),
        ({"cov_type": "robust", "bandwidth": 2}, OptionError, "bandwidth= belongs to cov_type"),
        ({"cov_type": "conley", "cutoff_km": 9, "bandwidth": 2}, OptionError, "are serial_lags="),
    ],
)
def test_options_that_do_not_belong_together(panel, options, error, message):
    with pytest.raises(error, match=message):
        IV2SLS.from_formula(OVER, panel).fit(**options)
    with pytest.raises(error, match=message):
        FixedEffects(panel["y"], panel[["x"]]).fit(**options)


def test_places_that_are_not_the_cities(panel, places):
    fit = asked("conley", places) | {"coordinates": places.iloc[1:]}
    with pytest.raises(IdMismatchError, match="'c00'"):
        IV2SLS.from_formula(OVER, panel).fit(**fit)


def test_a_cutoff_that_nothing_is_within_is_told_once(panel, places):
    fit = asked("conley", places) | {"cutoff_km": 0.1}
    with pytest.warns(DataWarning, match="No two entities are within cutoff_km=0.1") as caught:
        res = IV2SLS.from_formula(OVER, panel).fit(**fit)
    assert len(caught) == 1
    alone = IV2SLS.from_formula(OVER, panel).fit(cov_type="robust")
    assert_allclose(res.cov, alone.cov, rtol=1e-10)
    assert_allclose(
        res.weak_instruments.kleibergen_paap_f,
        alone.weak_instruments.kleibergen_paap_f,
        rtol=1e-10,
    )


def test_a_kernel_that_is_not_positive_definite(panel):
    """Cities on a line, 100 km apart: uniform weights 1, 1, 0, ... have negative eigenvalues.

    An instrument that alternates along the line, with errors shared by all, has scores whose
    neighbours outweigh their squares: their variance is estimated negative.
    """
    line = pd.DataFrame(
        {"lon": 110.0, "lat": 20 + np.arange(CITIES) * 0.9}, sorted(panel.index.levels[0])
    )
    city, year = codes(panel)
    alternates = (-1.0) ** city * (year - 3.5)
    full = panel.assign(z1=alternates + 0.01 * panel["z1"])
    full["d"] += alternates
    full["y"] += alternates + 20 * (year - 3.5)
    fit = {"cov_type": "conley", "cutoff_km": 105, "coordinates": line, "kernel": "uniform"}
    model = IV2SLS.from_formula("y ~ x + [d ~ z1 + z2]", full, effects=None)
    message = "In the reduced form: cov_type='conley' gives 'z1' a negative variance"
    with pytest.raises(EstimationError, match=message):
        model.fit(**fit)
    how = model._covariance(prepare(CovarianceOptions(fit), Rows(full.index)))
    with pytest.raises(EstimationError, match="weights by distance need not be positive definite"):
        model._solve(how, "gmm")
