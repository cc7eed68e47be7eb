"""BetweenOLS against plm, linearmodels and Stata's manual."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial import BetweenOLS, comparison, tables
from nqp_spatial.exceptions import (
    CollinearityError,
    ConstantColumnError,
    EstimationError,
    OptionError,
)
from tests import panels

pytestmark = pytest.mark.filterwarnings("ignore:There are only")  # few clusters, told on purpose


@pytest.fixture(scope="module")
def data():
    """As between.R has them."""
    grunfeld = panels.read("hausman_data.csv", "firm", "year")
    cities = panels.read("fixed_effects_data.csv", "city", "year")
    place = pd.factorize(cities.index.get_level_values(0), sort=True)[0] + 1
    cities = cities.assign(y=cities["y"] - 5e6, z=place % 4 + 0.5)
    return {
        "grunfeld": (grunfeld["inv"], grunfeld[["value", "capital"]]),
        "unbalanced": (cities["y"], cities[["x1", "x2", "policy", "z"]]),
    }


@pytest.fixture(scope="module")
def province():
    cities = panels.read("fixed_effects_data.csv", "city", "year")
    return cities["province"]


# other programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grunfeld", "unbalanced"])
def test_plm(data, name):
    known = panels.known("between.csv", "data", "what", "name")[name]
    model = BetweenOLS(*data[name])
    plain, robust = model.fit(cov_type="unadjusted"), model.fit()
    names = plain.params.index
    assert_allclose(plain.params, known["params"][names], rtol=1e-9)
    assert_allclose(plain.std_errors, known["errors"][names], rtol=1e-9)
    assert_allclose(robust.std_errors, known["hc1"][names], rtol=1e-9)
    resid = known["resid"]
    assert_allclose(plain.resids, resid[plain.resids.index.astype(str)], rtol=1e-7, atol=1e-9)
    assert_allclose(plain.rsquared["between"], known["r2", "between"], rtol=1e-9)
    assert plain.nobs == len(resid) == plain.df_resid + len(names)
    assert plain.extra_statistics["n_rows"] == len(data[name][0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["unadjusted", "robust", "entity", "province"])
def test_linearmodels(data, province, weighted, kind):
    """By the table that users have: the same, or another convention with its numbers."""
    options = {"cov_type": kind}
    if kind in ("entity", "province"):
        options = {"cov_type": "clustered", "clusters": kind if kind == "entity" else province}
    result = BetweenOLS(*data["unbalanced"], weighted=weighted).fit(**options)
    frame = comparison.crosscheck(result)
    assert set(frame["verdict"]) <= {"same", "convention"}
    assert (frame["verdict"].xs("params", level="quantity") == "same").all()


def test_statas_manual(shared):
    """[XT] xtreg, example 1: xtreg ln_w grade age ... 2.race not_smsa south, be, as printed."""
    frame = pd.read_csv(shared / "published" / "nlswork.csv.gz").dropna()
    frame = frame.set_index(["idcode", "year"])
    squares = {f"{n}2": frame[n] ** 2 for n in ("age", "ttl_exp", "tenure")}
    frame = frame.assign(**squares, black=(frame["race"] == 2).astype(float))
    names = ["grade", "age", "age2", "ttl_exp", "ttl_exp2", "tenure", "tenure2", "black"]
    result = BetweenOLS(frame["ln_wage"], frame[[*names, "not_smsa", "south"]]).fit(
        cov_type="unadjusted"
    )
    printed = {
        "grade": (0.0607602, 0.0020006),
        "age": (0.0323158, 0.0087251),
        "ttl_exp": (0.0138853, 0.0056749),
        "tenure2": (-0.0028756, 0.0004098),
        "black": (-0.0564167, 0.0105131),
        "not_smsa": (-0.1860406, 0.0112495),
        "const": (0.3339113, 0.1210434),
    }
    found = result.to_frame().loc[list(printed), ["estimate", "std_error"]]
    assert_allclose(found, list(printed.values()), atol=6e-8)
    kinds = [round(result.rsquared[k], 4) for k in ("within", "between", "overall")]
    assert kinds == [0.1591, 0.4900, 0.3695]
    assert (result.nobs, result.extra_statistics["n_rows"]) == (4697, 28091)


# what must hold ----------------------------------------------------------------------------------


def test_weighted_means_are_the_regression_of_means_on_every_row(data):
    y, x = data["unbalanced"]
    result = BetweenOLS(y, x, weighted=True).fit()
    means = pd.concat([y, x], axis=1).groupby(level=0).transform("mean").assign(const=1.0)
    X = means[["const", *x.columns]].to_numpy()
    assert_allclose(result.params, np.linalg.lstsq(X, means["y"], rcond=None)[0], rtol=1e-8)


def test_order_labels_and_periods_do_not_matter(data):
    y, x = data["unbalanced"]
    before = BetweenOLS(y, x).fit()
    frame = pd.concat([y, x], axis=1).sample(frac=1, random_state=1)
    frame = frame.rename(index=lambda year: year + 100, level=1)
    after = BetweenOLS(frame["y"], frame[x.columns]).fit()
    assert_allclose(after.params, before.params, rtol=1e-9)
    assert_allclose(after.cov, before.cov, rtol=1e-8)


def test_clusters_hold_entities(data, province):
    y, x = data["unbalanced"]
    x = x[["x1"]]  # two clusters fewer than parameters would leave no rank
    by_row = BetweenOLS(y, x).fit(cov_type="clustered", clusters=province)
    by_city = BetweenOLS(y, x).fit(cov_type="clustered", clusters=province.groupby(level=0).first())
    assert_allclose(by_row.cov, by_city.cov, rtol=1e-12)
    assert by_row.df_resid == province.nunique() - 1
    X = np.column_stack([np.ones(20), x.groupby(level=0).mean()])
    e = by_row.resids.to_numpy()
    sums = pd.DataFrame(X * e[:, None]).groupby(province.groupby(level=0).first().array).sum()
    bread = np.linalg.inv(X.T @ X)
    V = bread @ (sums.T @ sums).to_numpy() @ bread * 4 / 3 * 19 / 18
    assert_allclose(by_row.cov, V, rtol=1e-8)


def test_a_table_has_it_beside_others(data):
    table = tables.regression({"Between": BetweenOLS(*data["grunfeld"]).fit()}).to_frame()
    assert table.loc["Observations"].item() == "10"


# what is refused ---------------------------------------------------------------------------------


def test_what_is_refused(data, province):
    y, x = data["unbalanced"]
    model = BetweenOLS(y, x)
    for options in (
        {"cov_type": "driscoll-kraay"},
        {"cov_type": "kernel"},
        {"cov_type": "clustered", "clusters": "time"},
        {"cov_type": "clustered", "clusters": ["entity", "time"]},
    ):
        with pytest.raises(OptionError, match="Entity means have no periods"):
            model.fit(**options)
    moving = province.where(y.index.get_level_values(1) != 2001, "away")
    with pytest.raises(OptionError, match=r"clusters change over time in .* first 'c\d\d'"):
        model.fit(cov_type="clustered", clusters=moving)
    with pytest.raises(OptionError, match="named 'const'"):
        BetweenOLS(y, x.rename(columns={"x1": "const"}))
    grunfeld = data["grunfeld"]
    year = grunfeld[1].assign(year=grunfeld[1].index.get_level_values(1).astype(float))
    with pytest.raises(ConstantColumnError, match="'year' does not vary between entities"):
        BetweenOLS(grunfeld[0], year)
    lagged = grunfeld[1].assign(again=grunfeld[1]["value"] + year["year"])
    with pytest.raises(CollinearityError, match="'again'.*between entities"):
        BetweenOLS(grunfeld[0], lagged)
    few = grunfeld[0].index.get_level_values(0) <= 3
    with pytest.raises(EstimationError, match="3 observations leave no degrees of freedom for 3"):
        BetweenOLS(grunfeld[0][few], grunfeld[1][few])
    with pytest.raises(EstimationError, match="fit 'inv' exactly"):
        BetweenOLS(grunfeld[0], grunfeld[1].assign(same=grunfeld[0]))
