"""The examples of four studies: they write their tables, and find what the data were drawn from.

Data are simulated (`load_simulated_study`); truths are in its ``truth``, printed numbers are those
of the studies. Estimates must lie within 3.5 standard errors of what they were drawn from.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.datasets.studies.study import load_simulated_study
from nqp_spatial.exceptions import OptionError
from tests import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*There are only"),  # few clusters, told on purpose
]

EXAMPLES = ROOT / "examples"


def run_study(name, folder, **options):
    """``main`` of an example, as it stands there."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(folder, **options)


def assert_recovers(result, name, truth, errors=3.5):
    distance = abs(result.params[name] - truth) / result.std_errors[name]
    assert distance < errors, (name, result.params[name], result.std_errors[name], truth)


def within(values):
    """Two-way deviations of a balanced panel, written out."""
    table = values.unstack()
    table = table.sub(table.mean(axis=1), axis=0)
    return table.sub(table.mean(axis=0), axis=1).stack()


def average_slope(slope, x):
    """What two-way fixed effects find where slopes differ between rows."""
    d = within(x)
    return (within(slope * x) * d).sum() / (d**2).sum()


def assert_tables(folder, names):
    for name in names:
        assert (folder / f"{name}.docx").stat().st_size > 5_000, name
        text = (folder / f"{name}.tex").read_text(encoding="utf-8")
        assert text.count("SIMULATED") == 1, name
    assert {path.stem for path in folder.glob("*.tex")} == set(names)


# ------------------------------------------------------------------------- the data


@pytest.mark.parametrize(
    ("name", "cities", "years"),
    [
        ("collaboration", 181, range(2011, 2022)),
        ("regional_gap", 277, range(2006, 2021)),
        ("coagglomeration", 277, range(2000, 2020)),
        ("digital", 196, range(2008, 2022)),
    ],
)
def test_the_data_say_what_they_are(name, cities, years):
    study, other = load_simulated_study(name), load_simulated_study(name, seed=1)
    for frame in (study.panel, *study.tables.values()):
        assert frame.attrs["simulated"] is True
        assert frame.attrs["note"].startswith("SIMULATED")
    assert study.panel.index.get_level_values(0).nunique() == cities
    assert list(study.panel.index.get_level_values(1).unique()) == list(years)
    assert not study.panel.isna().any(axis=None)
    again = load_simulated_study(name).panel
    pd.testing.assert_frame_equal(study.panel, again)
    assert not np.allclose(study.panel.iloc[:, 0], other.panel.iloc[:, 0])
    assert {**study.truth, "seed": 1} == other.truth
    assert "panel" in repr(study) and "SIMULATED" in repr(study)


def test_unknown_studies_and_seeds():
    with pytest.raises(OptionError, match="'e'"):
        load_simulated_study("e")
    with pytest.raises(OptionError, match="seed=-1 must be a whole number of 0 or more"):
        load_simulated_study("collaboration", seed=-1)


# ------------------------------------------------------------------------- collaboration


@pytest.fixture(scope="module")
def collaboration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collaboration")
    return (
        run_study("collaboration", folder, replications=40),
        folder,
        load_simulated_study("collaboration"),
    )


def test_collaboration_writes_the_tables_of_the_study(collaboration):
    _, folder, _ = collaboration
    names = ["1_indicators", "4_descriptive", "5_baseline", "6_threshold_test", "7_threshold"]
    names += ["8_robustness", "9_instrument", "9_instrument_strength", "10_agglomerations"]
    names += ["10_cities"]
    assert_tables(folder, names)
    assert (folder / "threshold_lr.png").stat().st_size > 5_000


def test_collaboration_indices(collaboration):
    """The index of the indicators is the outcome; moments of table 4 of the study."""
    found, _, study = collaboration
    panel = found["panel"]
    assert_allclose(panel["productivity"], study.panel["productivity"], atol=1e-8)
    assert_allclose(panel["productivity"].agg(["mean", "std"]), [0.309, 0.0668], rtol=1e-3)
    assert np.corrcoef(panel["productivity"], panel["productivity_pca"])[0, 1] > 0.95
    printed = {"people": (6.178, 0.561), "fina": (2.593, 1.140), "open": (0.276, 0.355)}
    printed |= {"urban": (0.609, 0.146), "gov": (0.153, 0.0557), "indu": (0.405, 0.122)}
    for name, moments in printed.items():
        assert_allclose(panel[name].agg(["mean", "std"]), moments, rtol=1e-3, err_msg=name)
    assert_allclose(panel["inno"].mean(), 0.077, atol=0.015)
    assert_allclose(panel["inno"].std(), 0.176, atol=0.06)


def test_collaboration_co_patents_by_hand(collaboration):
    """Inno of one city and year, counted from the raw table."""
    found, _, study = collaboration
    group = study.tables["membership"].set_index("adcode")["agglomeration"]
    rows = study.tables["applications"].query("year == 2015")
    city = 420100
    own = rows.loc[rows["city"] == city, "application"]
    partners = rows[rows["application"].isin(own) & (rows["city"] != city)]
    counted = partners[partners["city"].map(group) == group[city]]["application"].nunique()
    people = study.panel.loc[(city, 2015), "population"] / 1e4
    assert counted > 0
    assert_allclose(found["panel"].loc[(city, 2015), "inno"], counted / people)


def test_collaboration_flows_stay_inside_agglomerations(collaboration):
    found, _, study = collaboration
    group = study.tables["membership"].set_index("adcode")["agglomeration"]
    links = found["graph"].adjacency[found["graph"].adjacency > 0].index.to_frame()
    assert len(links) > 500
    assert (links["focal"].map(group) == links["neighbor"].map(group)).all()


def test_collaboration_baseline(collaboration):
    """Fixed effects, which the entity effects of the truth ask for, find the controls' slopes."""
    found, _, study = collaboration
    base = found["baseline"]
    assert base["hausman"].pvalue < 0.01
    twoway = base["columns"]["two-way FE"]
    for name, slope in study.truth["controls"].items():
        assert_recovers(twoway, name, slope)
    assert_recovers(twoway, "inno", study.truth["above, about"]["all"])


def test_collaboration_threshold(collaboration):
    """The printed threshold 0.0066, slopes -2.347 and 0.041, F 32.98."""
    found, _, study = collaboration
    single = found["threshold"]["single"]
    low, high = single.thresholds.loc[1, ["lower", "upper"]]
    step = np.sort(found["panel"]["inno"].unique())
    next_value = step[np.searchsorted(step, high, side="right")]
    assert low <= study.truth["threshold"] == 0.0066 < next_value
    assert high - low < 0.002  # the set says something
    assert_recovers(single, "inno[1]", -2.347)
    assert_recovers(single, "inno[2]", 0.041)
    tests = found["threshold"]["tests"]
    assert tests.loc["single", "pvalue"] < 0.05
    assert 15 < tests.loc["single", "F"] < 70


def test_collaboration_instrument(collaboration):
    found, _, _ = collaboration
    assert_recovers(found["iv"], "inno", 0.041)
    assert found["iv"].nobs == 181 * 10
    assert found["iv"].weak_instruments.kleibergen_paap_f > 16.38


def test_collaboration_variations(collaboration):
    found, _, study = collaboration
    columns = found["variations"].results
    nobs = {name: result.nobs for name, result in columns.items()}
    assert nobs == {
        "base": 1991, "2017-2021": 905, "2016-2021": 1086, "2015-2021": 1267,
        "winsorised": 1991, "PCA": 1991, "agglomerations": 154,
    }  # fmt: skip
    people = study.truth["controls"]["people"]
    for name in ("2017-2021", "2016-2021", "2015-2021", "winsorised"):
        assert_recovers(columns[name], "people", people)
    assert columns["PCA"].pvalues["inno"] < 0.05
    assert found["variations"].to_frame().loc["agglomerations", "n_entities"] == 14


def test_collaboration_groups(collaboration):
    """The printed slopes of the groups, and that their differences are found."""
    found, _, study = collaboration
    level, core = found["groups"]["level"], found["groups"]["core"]
    above = study.truth["above"]
    assert_recovers(level.results["developed"], "inno_above", 0.0108)
    assert_recovers(level.results["less developed"], "inno_above", 0.123)
    assert_recovers(level.results["less developed"], "inno_below", -2.347)
    assert_recovers(core.results["core cities"], "inno_above", above["less developed, core"])
    assert_recovers(core.results["other cities"], "inno_above", above["less developed, other"])
    assert {name for *_, name in level.by_comparison} == {"permutation", "interaction", "sur"}
    assert all(test.pvalue < 0.05 for test in level.tests.values())
    assert all(
        test.pvalue < 0.05 for (*_, n), test in core.by_comparison.items() if n != "permutation"
    )


# ------------------------------------------------------------------------- regional gap


@pytest.fixture(scope="module")
def regional_gap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("regional_gap")
    return (
        run_study("regional_gap", folder, replications=60),
        folder,
        load_simulated_study("regional_gap"),
    )


@pytest.fixture(scope="module")
def slopes_b(regional_gap):
    """The slope of each row of the panel, from the truth and the regions of the cities."""
    found, _, study = regional_gap
    cities, change = study.tables["cities"], study.truth["differences"]
    inside = {
        "inner": cities["macro4_en"].isin(["Central", "West"]),
        "inland": cities["coastal"] == "inland",
        "tertiary": cities["leads"] == "tertiary",
        "member": cities["agglomeration"] == "inside",
    }
    added = sum(change[name] * (2.0 * inside[name] - 1) for name in change)
    slope = study.truth["collab"] + added - added.mean()
    index = found["panel"].index
    return pd.Series(slope.reindex(index.get_level_values("city")).to_numpy(), index)


def test_regional_gap_writes_the_tables_of_the_study(regional_gap):
    _, folder, _ = regional_gap
    names = ["1_descriptive", "2_inequality", "3_baseline", "4_provinces", "5_quantiles"]
    names += ["6_mechanisms", "7_macro4_en", "7_coastal", "7_leads", "7_agglomeration"]
    assert_tables(folder, names)
    assert (folder / "quantiles.png").stat().st_size > 5_000


def test_regional_gap_gap_and_inequality_by_hand(regional_gap):
    found, _, study = regional_gap
    cities = study.tables["cities"]
    members = cities.index[cities["province_en"] == "Hebei"]
    rows = study.panel.xs(2010, level="year").loc[members]
    ratio = rows["gdp_pc"] / rows["gdp_pc"].max()
    kept = found["panel"].xs(2010, level="year")["gap"].reindex(members).dropna()
    assert len(kept) == len(members) - 1  # but the capital
    assert_allclose(kept, np.abs(np.log(ratio[kept.index])))
    p = rows["population"] / rows["population"].sum()
    y = rows["gdp_pc"] / (p * rows["gdp_pc"]).sum()
    row = found["inequality"].loc[("Hebei", 2010)]
    assert_allclose(row["theil_t"], (p * y * np.log(y)).sum())
    assert_allclose(row["cv"], np.sqrt((p * (y - 1) ** 2).sum()))
    apart = np.abs(np.subtract.outer(y.to_numpy(), y.to_numpy()))
    assert_allclose(row["gini"], (np.outer(p, p) * apart).sum() / 2)


def test_regional_gap_baseline(regional_gap, slopes_b):
    found, _, study = regional_gap
    result = found["baseline"]["gap"]
    assert_recovers(result, "collab", average_slope(slopes_b, found["panel"]["collab"]))
    for name, slope in study.truth["controls"].items():
        assert_recovers(result, name, slope)
    assert found["baseline"]["ratio"].params["collab"] > 0  # a smaller gap
    assert {r.nobs for r in found["provinces"].values()} == {23 * 15}


def test_regional_gap_quantiles(regional_gap, slopes_b):
    """Narrower where the gap is small, wider where it is large, as the abstract has it."""
    found, _, study = regional_gap
    quantile = found["quantiles"]
    mean = average_slope(slopes_b, found["panel"]["collab"])
    for tau, q in {0.1: -1.2816, 0.5: 0.0, 0.9: 1.2816}.items():  # of the standard normal
        assert_recovers(quantile.quantile(tau), "collab", mean + study.truth["scale"] * q)
    low, high = quantile.quantile(0.1), quantile.quantile(0.9)
    assert low.params["collab"] < 0 < high.params["collab"]
    assert low.pvalues["collab"] < 0.01 and high.pvalues["collab"] < 0.05
    assert quantile.equality("collab", [0.1, 0.9]).pvalue < 0.01


def test_regional_gap_mechanisms(regional_gap):
    found, _, study = regional_gap
    for name, slope in study.truth["mechanisms"].items():
        assert_recovers(found["mechanisms"][name], "collab", slope)
    # prices of a city are in half of each pair's variance: between nothing and all of 0.12
    integration = found["mechanisms"]["integration"]
    assert 0.03 < integration.params["collab"] < 0.12


def test_regional_gap_groups(regional_gap, slopes_b):
    found, _, study = regional_gap
    collab, cities = found["panel"]["collab"], study.tables["cities"]
    for name, by in found["groups"].items():
        label = cities[name].reindex(collab.index.get_level_values("city")).to_numpy()
        for group, result in by.results.items():
            own = label == group
            assert_recovers(result, "collab", average_slope(slopes_b[own], collab[own]))
    for name, groups in (("coastal", "coastal - inland"), ("leads", "secondary - tertiary")):
        for test in ("interaction", "sur"):
            assert found["groups"][name].tests["collab", groups, test].pvalue < 0.01
    assert found["groups"]["macro4_en"].tests["collab", "all", "interaction"].pvalue < 0.01
    inside = found["groups"]["agglomeration"].results
    assert inside["inside"].params["collab"] < inside["outside"].params["collab"]


# ------------------------------------------------------------------------- coagglomeration


@pytest.fixture(scope="module")
def coagglomeration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coagglomeration")
    return (
        run_study("coagglomeration", folder, replications=60),
        folder,
        load_simulated_study("coagglomeration"),
    )


def test_coagglomeration_writes_the_tables_of_the_study(coagglomeration):
    _, folder, _ = coagglomeration
    names = ["1_descriptive", "2_baseline", "3_models", "4_gmm", "4_gmm_tests", "5_mediation"]
    assert_tables(folder, [*names, "5_indirect", "6_firms", "7_variations"])
    assert (folder / "firms.png").stat().st_size > 5_000


def test_coagglomeration_rta_by_hand(coagglomeration):
    """1 / Var of three counts, with divisor 2; the cap where they are equal."""
    found, _, _ = coagglomeration
    panel = found["panel"]
    row = panel[(panel["he"] == 2) & (panel["ge"] == 1) & (panel["ue"] == 0)].iloc[0]
    assert_allclose(row["rta"], 1.0)
    equal = (panel["he"] == panel["ge"]) & (panel["ge"] == panel["ue"])
    assert equal.sum() > 10
    assert_allclose(panel.loc[equal, "rta"], 7.112)
    one = panel[(panel["he"] == 1) & (panel["ge"] == 0) & (panel["ue"] == 0)]
    assert_allclose(one["rta"], 3.0)
    assert_allclose(panel["nqp"].agg(["mean", "std"]), [0.408, 0.051], atol=0.005)
    assert_allclose(panel["popsiz"].agg(["mean", "std"]), [5.881, 0.650], atol=0.002)


def test_coagglomeration_baseline(coagglomeration):
    found, _, study = coagglomeration
    base = found["baseline"]
    for name in ("effects", "+ population", "+ economy", "all"):
        assert_recovers(base[name], "rta", study.truth["total"])
    assert study.truth["total"] == 0.007  # as printed
    for name, slope in study.truth["controls"].items():
        assert_recovers(base["all"], name, slope)
    assert base["firms"].effects_included == ("time", "firm in city", "industry")
    assert_recovers(base["firms"], "size", 0.012)
    assert_recovers(base["firms"], "leverage", -0.03)
    assert found["hausman"].pvalue < 0.01
    assert found["models"]["2014-2019"].nobs == 277 * 6


def test_coagglomeration_gmm(coagglomeration):
    """The printed 0.528, 0.004 and 0.011, and tests that a right model passes."""
    found, _, study = coagglomeration
    for result in found["gmm"].values():
        for name, value in study.truth["dynamic"].items():
            assert_recovers(result, name, value)
        assert result.tests["ar1"].pvalue < 0.01
        assert result.tests["ar2"].pvalue > 0.01
        assert result.tests["hansen"].pvalue > 0.01
    assert found["gmm"]["two-step"].params["L1.nqp_dynamic"] == pytest.approx(0.528, abs=0.04)
    assert list(found["tests"].loc["two-step"].index) == ["ar1", "ar2", "hansen"]


def test_coagglomeration_mediation(coagglomeration):
    """a and b of three mediators; the mediators carry 0.0024 of 0.007 together."""
    found, _, study = coagglomeration
    mediated = found["mediation"]
    for name, path in study.truth["mediators"].items():
        assert_recovers(mediated.on_mediator[name], "rta", path["a"])
        assert_recovers(mediated.parallel, name, path["b"])
        assert mediated.test(name).pvalue < 0.05
        row = mediated.indirect().loc[("parallel", name)]
        assert abs(row["indirect"] - path["a"] * path["b"]) < 3.5 * row["std_error"]
    assert_recovers(mediated.parallel, "rta", study.truth["direct"])
    row = mediated.indirect().loc[("parallel", "all")]
    assert abs(row["indirect"] - 0.002392) < 3.5 * row["std_error"]


def test_coagglomeration_firms(coagglomeration):
    """Slopes rise from young firms to unicorns, and the tests see it."""
    found, _, study = coagglomeration
    for kind, slope in study.truth["firms"].items():
        assert_recovers(found["kinds"].results[kind], "rta", slope)
    assert all(test.pvalue < 0.01 for test in found["kinds"].tests.values())


def test_coagglomeration_variations(coagglomeration):
    """Rows beyond three standard deviations are left out on record."""
    found, _, _ = coagglomeration
    frame = found["variations"].to_frame()
    y = found["panel"]["nqp"]
    beyond = (y - y.mean()).abs() > 3 * y.std()
    assert frame.loc["3 sigma", "rows_left_out"] == beyond.sum() > 0
    assert frame.loc["winsorised 5%", "cells_changed"] > 4000
    assert (frame["pvalue"] < 0.01).all()


# ------------------------------------------------------------------------- digital


@pytest.fixture(scope="module")
def digital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digital")
    return run_study("digital", folder), folder, load_simulated_study("digital")


def test_digital_writes_the_tables_of_the_study(digital):
    _, folder, _ = digital
    names = ["1_indicators", "2_descriptive", "3_baseline", "4_instruments", "4_strength"]
    assert_tables(folder, [*names, "5_robustness", "6_mechanisms", "7_moderation"])
    for name in ("stage", "size", "infra", "polycentric"):
        assert (folder / f"effect_by_{name}.png").stat().st_size > 5_000


def test_digital_index(digital):
    """25 indicators, five of them made from raw columns, give the outcome back."""
    found, _, study = digital
    panel = found["panel"]
    assert len(found["index"].weights) == 25
    assert np.corrcoef(panel["inn"], study.panel["inn"])[0, 1] > 0.999
    assert_allclose(panel["inn"].agg(["mean", "std"]), [0.0571, 0.0531], rtol=0.02)
    shares = found["index"].group_weights["weight"]
    assert shares["coordination"] < shares["results"]  # 4.8 and 33.4 per cent in the study


def test_digital_relative_to_the_leading_city_by_hand(digital):
    found, _, study = digital
    panel, membership = found["panel"], study.tables["membership"]
    members = membership.loc[membership["agglomeration"] == "PRD", "adcode"]
    rows = panel.xs(2015, level="year").loc[members]
    leader = rows["population"].idxmax()
    assert_allclose(rows["gdp_pc_ratio"], rows["gdp_pc"] / rows.loc[leader, "gdp_pc"])


def test_digital_mechanism_indices_by_hand(digital):
    found, _, _ = digital
    rows = found["panel"].xs(2012, level="year")
    share = rows["rd_spending"] / rows["fiscal_spending"]
    assert_allclose(
        rows["cap"], share / (rows["rd_spending"].sum() / rows["fiscal_spending"].sum())
    )
    by_hand = rows["primary"] + 2 * rows["secondary"] + 3 * rows["tertiary"]
    assert_allclose(rows["ris"], by_hand)


def test_digital_attributes(digital):
    """The structure found from sizes is that of the agglomerations; stages are the plan's."""
    found, _, study = digital
    first = found["panel"].groupby(level="city")[["stage", "polycentric"]].first()
    rows = study.tables["membership"].set_index("adcode")
    assert rows["agglomeration"].nunique() == 19
    structure = rows["structure"].reindex(first.index)
    assert (first["polycentric"] == (structure == "polycentric")).all()
    assert first.loc[rows.index[rows["agglomeration"] == "JJJ"], "stage"].eq(1).all()
    assert first.loc[rows.index[rows["agglomeration"] == "TSN"], "stage"].eq(3).all()


def test_digital_baseline(digital):
    found, _, study = digital
    twoway = found["baseline"]["two-way"]
    assert study.truth["digit"] == 0.0999  # as printed
    assert_recovers(twoway, "digit", 0.0999)
    for name, slope in study.truth["controls"].items():
        assert_recovers(twoway, name if name == "gov" else f"ln_{name}", slope)
    assert abs(found["baseline"]["pooled"].params["digit"] - 0.0999) > 0.02  # effects matter


def test_digital_instruments(digital):
    """Each finds the average effect over the cities that it moves, which the truth gives."""
    found, _, study = digital
    panel, cities = found["panel"], study.tables["cities"]
    digit = within(panel["digit"])
    slope = pd.Series(study.truth["digit"], panel.index)
    for name, change in study.truth["moderators"].items():
        slope += change * (panel[name] - average_slope(panel[name], panel["digit"]))
    year = panel.index.get_level_values("year") - 2008
    for name, values in (("port", cities["port_km"]), ("telephones", cities["telephones_1984"])):
        values = values if name == "port" else np.log(values)
        z = within(pd.Series(values.reindex(panel.index, level="city") * year, panel.index))
        truth = (z * within(slope * panel["digit"])).sum() / (z * digit).sum()
        result = found["iv"][f"{name}, second"]
        assert_recovers(result, "digit", truth)
        strength = result.weak_instruments
        assert strength.kleibergen_paap_f > strength.stock_yogo.loc[("size", 0.10), "critical"]
        assert strength.underidentification.pvalue < 0.01
    assert found["iv"]["port, first"].params["port_x_trend"] < 0  # as printed
    assert found["iv"]["telephones, first"].params["telephones_x_trend"] > 0


def test_digital_keywords_by_hand(digital):
    """121 words in ten groups; hits of a report of 120 words, per thousand."""
    found, _, study = digital
    lexicon = study.tables["lexicon"]
    assert (len(lexicon), lexicon["group"].nunique()) == (121, 10)
    text = study.tables["reports"].loc[(110000, 2021)]
    words = text.rstrip("。").split("，")
    hits = pd.Series(words).isin(lexicon["word"]).sum()
    assert (len(words), hits > 0) == (120, True)
    counted = found["panel"].loc[(110000, 2021), "keywords"]
    assert_allclose(counted, 1000 * hits / 120, rtol=0.15)  # jieba cuts some words in two


def test_digital_variations(digital):
    found, _, study = digital
    results = found["variations"].results
    assert_recovers(results["other index"], "digit", study.truth["other_index"])
    assert results["keywords"].pvalues["keywords"] < 0.01
    assert results["PCA"].pvalues["digit"] < 0.01
    sizes = study.tables["membership"]["agglomeration"].value_counts()
    assert results["more than 3 cities"].nobs == 14 * sizes[sizes > 3].sum() < 2744


def test_digital_mechanisms(digital):
    found, _, study = digital
    for name, slope in study.truth["mechanisms"].items():
        assert_recovers(found["mechanisms"][name], "digit", slope)


def test_digital_moderation(digital):
    """By how much the slope changes with each attribute, as printed in table 7 of the study."""
    found, _, study = digital
    printed = {"stage": -0.0296, "size": -0.2699, "infra": 0.1092, "polycentric": 0.0361}
    assert study.truth["moderators"] == printed
    for name, change in printed.items():
        result = found["moderation"][name]
        assert_recovers(result, f"digit:{name}", change)
        if name != "size":  # agglomerations are few, and their sizes change little
            assert result.tests["interaction"].pvalue < 0.01
    effect = found["moderation"]["polycentric"].marginal_effects()["estimate"]
    step = found["moderation"]["polycentric"].params["digit:polycentric"]
    assert_allclose(effect.loc[1] - effect.loc[0], step)
