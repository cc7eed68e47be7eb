"""The wild cluster bootstrap: by brute force, by another program, and in simulations."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.exceptions import OptionError
from tests import panels
from tests.reference import wild_bootstrap as reference

pytestmark = pytest.mark.filterwarnings("ignore:There are only .* clusters")


def fitted(f, effects="twoway", clusters="province", x=("did", "x"), **options):
    labels = f.get(clusters, clusters)
    return nqp.FixedEffects(f["y"], f[list(x)], effects=effects, **options).fit(clusters=labels)


def panel(n_clusters=6, *, seed=3, gaps=False):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([range(3 * n_clusters), range(2001, 2006)])
    f = pd.DataFrame(index=index.set_names(["city", "year"]))
    city, year = (f.index.get_level_values(level).to_numpy() for level in (0, 1))
    f["province"] = city // 3
    f["did"] = ((f["province"] % 2 == 0) & (year >= 2002 + f["province"] // 2)).astype(float)
    f["x"] = rng.normal(size=len(f))
    shocks = rng.normal(size=(n_clusters, 5))[f["province"], year - 2001]
    f["y"] = 0.4 * f["did"] + f["x"] + shocks + rng.normal(size=len(f))
    return f.drop(f.index[[3, 17, 40]]) if gaps else f


def by_hand(f, factors, *, null, restricted, effects=("city", "year"), roots=1.0):
    """t of the data and of each vector of factors, from regressions with all dummies."""
    dummies = [pd.get_dummies(f.index.get_level_values(e), dtype=float) for e in effects]
    X = np.column_stack([f["did"], f["x"], np.ones(len(f)), *dummies])
    y, codes = f["y"].to_numpy() * roots, pd.factorize(f["province"])[0]
    X = X * np.broadcast_to(roots, len(f))[:, None]
    inverse = np.linalg.pinv(X)

    def t(outcome, value):
        b = inverse @ outcome
        resid = outcome - X @ b
        scores = [inverse[0, codes == g] @ resid[codes == g] for g in range(codes.max() + 1)]
        return (b[0] - value) / np.sqrt(np.sum(np.square(scores)))

    rest, moved = X[:, 1:], y - null * X[:, 0]
    fit = rest @ (np.linalg.pinv(rest) @ moved) + null * X[:, 0] if restricted else X @ inverse @ y
    centre = null if restricted else (inverse @ y)[0]
    drawn = [t(fit + (y - fit) * v[codes], centre) for v in factors]
    return t(y, null), np.array(drawn)


@pytest.mark.parametrize(
    ("restricted", "null", "gaps"),
    [(True, 0.0, False), (True, 0.7, True), (False, 0.7, False), (False, 0.0, True)],
)
def test_all_sign_vectors_by_regressions_with_dummies(restricted, null, gaps):
    f = panel(5, gaps=gaps)
    factors = np.array(list(itertools.product([1.0, -1.0], repeat=5)))
    t, drawn = by_hand(f, factors, null=null, restricted=restricted)
    expected = np.mean(np.abs(drawn) >= abs(t) * (1 - 1e-9))
    found = fitted(f).wild_bootstrap("did", null=null, impose_null=restricted)
    assert found.pvalue == expected and found.table["draws"].iloc[0] == 32
    scale = found.statistic / t
    assert_allclose(np.sort(found.drawn), np.sort(scale * drawn), rtol=1e-7, atol=1e-9)
    equal = fitted(f).wild_bootstrap("did", null=null, impose_null=restricted, tail="equal")
    slack = 1e-9 * abs(t)
    tails = np.mean(drawn <= t + slack), np.mean(drawn >= t - slack)
    assert_allclose(equal.pvalue, min(1.0, 2 * min(tails)))


def test_effects_that_clusters_do_not_hold_are_removed_from_every_draw():
    f = panel(5)
    factors = np.array(list(itertools.product([1.0, -1.0], repeat=5)))
    for effects, levels in {"time": ("year",), "entity": ("city",), None: ()}.items():
        t, drawn = by_hand(f, factors, null=0.0, restricted=True, effects=levels)
        found = fitted(f, effects).wild_bootstrap("did")
        scale = found.statistic / t
        assert_allclose(np.sort(found.drawn), np.sort(scale * drawn), rtol=1e-7, atol=1e-9)


def test_weighted_rows_are_rows_times_the_roots_of_their_weights():
    """Dummies times roots by hand; the statistic is that of the weighted fit."""
    f = panel(5)
    roots = np.random.default_rng(0).uniform(0.5, 1.5, len(f))
    factors = np.array(list(itertools.product([1.0, -1.0], repeat=5)))
    model = nqp.FixedEffects(f["y"], f[["did", "x"]], weights=pd.Series(roots**2, f.index))
    with warnings.catch_warnings(action="ignore"):
        res = model.fit(clusters=f["province"])
    found = res.wild_bootstrap("did")
    assert_allclose(found.statistic, res.tstats["did"], rtol=1e-9)
    t, drawn = by_hand(f, factors, null=0.0, restricted=True, roots=roots)
    scale = found.statistic / t
    assert_allclose(np.sort(found.drawn), np.sort(scale * drawn), rtol=1e-7, atol=1e-9)


def test_statistics_are_those_of_the_fit():
    for clusters in ("province", "entity"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            res = fitted(panel(), clusters=clusters)
        found = res.wild_bootstrap("did", draws=99)
        assert_allclose(found.statistic, res.tstats["did"], rtol=1e-9)
        assert_allclose(found.facts["pvalue_t"], res.pvalues["did"], rtol=1e-8)
        assert_allclose(found.facts["estimate"], res.params["did"], rtol=1e-9)


@pytest.mark.parametrize("weights", ["rademacher", "webb"])
@pytest.mark.parametrize("restricted", [True, False])
def test_against_wildboottest(weights, restricted):
    """tests/reference/wild_bootstrap.py; its t counts dummies that are nested in the clusters."""
    table = panels.read("wild_bootstrap.csv", "weights", "impose_null")
    expected = table.loc[(weights, restricted)]
    f = reference.panel()
    res = fitted(f)
    draws = 9999 if weights == "rademacher" else 99_999
    found = res.wild_bootstrap("did", weights=weights, impose_null=restricted, draws=draws)
    n, k = len(f), 2 + 36 + 5
    own = found.statistic * np.sqrt((n - k) / (n - (k - 35)))
    assert_allclose(own, expected["statistic"], rtol=1e-8)
    if weights == "rademacher":  # two of 512 are ties, which rounding there counts or does not
        assert abs(found.pvalue - expected["pvalue"]) < 2.5 / 512
    else:
        error = np.sqrt(2 * 0.25 / 99_999)
        assert abs(found.pvalue - expected["pvalue"]) < 4 * error


def test_the_interval_has_what_is_not_rejected():
    res = fitted(panel())
    for tail in ("symmetric", "equal"):
        for restricted in (True, False):
            asked = {"weights": "webb", "draws": 999, "tail": tail, "impose_null": restricted}
            found = res.wild_bootstrap("did", level=0.9, **asked)
            lower, upper = found.conf_int()
            step = 1e-6 * (upper - lower)
            for end, sign in ((lower, 1), (upper, -1)):
                inside = res.wild_bootstrap("did", null=end + sign * step, **asked).pvalue
                outside = res.wild_bootstrap("did", null=end - sign * step, **asked).pvalue
                assert outside <= 0.1 + 1e-9 and inside > 0.1 + 1e-9
            assert lower < found.facts["estimate"] < upper


def test_with_three_clusters_nothing_can_be_rejected():
    """Eight sign vectors, so that no p-value is below 2 / 8: the interval is the whole line."""
    found = fitted(panel(3)).wild_bootstrap("did")
    assert found.conf_int() == (-np.inf, np.inf)
    assert found.pvalue >= 0.25 and np.isfinite(found.plot().get_ylim()).all()


def test_more_draws_are_nearer_to_all():
    """Random signs of 16 clusters against all 65,536."""
    res = fitted(panel(16))
    every = res.wild_bootstrap("did", draws=65_536)
    some = res.wild_bootstrap("did", draws=20_000, seed=4)
    assert abs(every.pvalue - some.pvalue) < 4 * np.sqrt(0.25 / 20_000)
    assert "All 65536 sign vectors" in every.notes[0]
    same = res.wild_bootstrap("did", draws=20_000, seed=4)
    assert same.pvalue == some.pvalue
    mammen = res.wild_bootstrap("did", draws=20_000, weights="mammen")
    assert 0 < mammen.pvalue < 1 and "Mammen" in mammen.notes[0]


def test_blocks_of_columns_and_of_draws_change_nothing(monkeypatch):
    res = fitted(panel(12))
    whole = res.wild_bootstrap("did", draws=999)
    monkeypatch.setattr("nqp_spatial.core.linear.wild._BLOCK", 500)
    pieces = res.wild_bootstrap("did", draws=999)
    t = np.sort(pieces.drawn)
    assert len(t) == 999 and np.isfinite(t).all()
    assert_allclose(pieces.statistic, whole.statistic, rtol=1e-12)
    assert abs(pieces.pvalue - whole.pvalue) < 4 * np.sqrt(2 * 0.25 / 999)


def test_factors_have_mean_zero_and_variance_one():
    from nqp_spatial.core.linear import wild

    for kind in ("rademacher", "webb", "mammen"):
        parts, whole = wild._factors(kind, 40, 20_000, np.random.default_rng(0))
        v = np.concatenate(parts, axis=1)
        assert v.shape == (40, 20_000) and not whole
        assert abs(v.mean()) < 0.005 and abs((v**2).mean() - 1) < 0.005
        third = {"rademacher": 0.0, "webb": 0.0, "mammen": 1.0}[kind]
        assert abs((v**3).mean() - third) < 0.02
        assert len(np.unique(v)) == {"rademacher": 2, "webb": 6, "mammen": 2}[kind]


def test_order_of_rows_and_units_decide_nothing():
    f = panel()
    found = fitted(f).wild_bootstrap("did").table
    other = f.assign(y=1000 * f["y"], province="p" + f["province"].astype(str))
    moved = fitted(other.sample(frac=1, random_state=0)).wild_bootstrap("did").table
    assert_allclose(moved["pvalue"], found["pvalue"])
    assert_allclose(moved[["lower", "upper"]], 1000 * found[["lower", "upper"]], rtol=1e-6)


def test_what_it_says():
    found = fitted(panel()).wild_bootstrap()
    assert found.variable == "did" and "All 64 sign vectors of the 6 clusters" in found.notes[0]
    assert "The policy is in 3 of 6 clusters" in found.notes[1]
    assert "6个聚类中有3个实施了政策" in found.notes[1].zh
    assert found.tests["wild"].pvalue == found.pvalue
    assert "coefficient of did is 0" in found.tests["wild"].null
    assert not any("policy" in note for note in fitted(panel()).wild_bootstrap("x").notes)
    assert found.plot(lang="zh").get_ylabel() == "抽样占比"


def test_labels_of_ones_own_and_mistakes():
    f = panel()
    robust = nqp.FixedEffects(f["y"], f[["did", "x"]]).fit(cov_type="robust")
    with pytest.raises(OptionError, match=r"not clustered. Type clusters='entity'"):
        robust.wild_bootstrap("did")
    by_city = f["province"].groupby(level=0).first()
    expected = fitted(f).wild_bootstrap("did").pvalue
    assert robust.wild_bootstrap("did", clusters=by_city).pvalue == expected
    both = nqp.FixedEffects(f["y"], f[["did", "x"]]).fit(clusters=["entity", "time"])
    with pytest.raises(OptionError, match="in two dimensions"):
        both.wild_bootstrap("did")
    with pytest.raises(OptionError, match="Give one, that with fewer clusters"):
        both.wild_bootstrap("did", clusters=["entity", "time"])
    for wrong in ({"weights": "six"}, {"draws": 10}, {"tail": "left"}, {"level": 95}, {"seed": -1}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            robust.wild_bootstrap("did", clusters=by_city, **wrong)
    with pytest.raises(OptionError, match="variable='z' is not known"):
        robust.wild_bootstrap("z", clusters=by_city)


@pytest.mark.slow
@pytest.mark.parametrize("treated", [5, 2])
def test_size_with_ten_clusters(treated):
    """With half of them treated all is well; with two t rejects too often, and WCR hardly ever."""
    rng = np.random.default_rng(5)
    index = pd.MultiIndex.from_product([range(40), range(6)], names=["city", "year"])
    city, year = (index.get_level_values(level).to_numpy() for level in (0, 1))
    province = pd.Series(city // 4, index, name="province")
    did = pd.Series(((province < treated) & (year >= 3)).astype(float), index, name="did")
    rejected = {"t": 0, "wild": 0, "covered": 0}
    replications = 400
    for _ in range(replications):
        slopes = rng.normal(size=10)[province] * year / 6
        y = pd.Series(slopes + rng.normal(size=len(index)), index, name="y")
        res = nqp.FixedEffects(y, did.to_frame()).fit(clusters=province)
        found = res.wild_bootstrap("did", draws=399, weights="webb")
        rejected["t"] += res.pvalues["did"] <= 0.05
        rejected["wild"] += found.pvalue <= 0.05
        rejected["covered"] += found.conf_int()[0] < 0 < found.conf_int()[1]
    share = {name: count / replications for name, count in rejected.items()}
    assert abs(share["covered"] - (1 - share["wild"])) < 0.01
    if treated == 5:
        assert 0.02 < share["wild"] < 0.08
    else:
        assert share["t"] > 0.12 and share["wild"] < 0.03
