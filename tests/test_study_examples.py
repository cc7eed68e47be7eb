"""The examples of four studies: they write their tables, and find what the data were drawn from.

Data are simulated (`load_simulated_study`); truths are in its ``truth``, printed numbers are those
of the studies. Estimates must lie within 3.5 standard errors of what they were drawn from.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial._simulate_studies import load_simulated_study
from nqp_spatial.exceptions import OptionError

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run_study(name, folder, **options):
    """``main`` of an example, as it stands there."""
    spec = importlib.util.spec_from_file_location(f"study_{name}", EXAMPLES / f"study_{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(folder, **options)


def assert_recovers(result, name, truth, errors=3.5):
    distance = abs(result.params[name] - truth) / result.std_errors[name]
    assert distance < errors, (name, result.params[name], result.std_errors[name], truth)


def assert_tables(folder, names):
    for name in names:
        assert (folder / f"{name}.docx").stat().st_size > 5_000, name
        text = (folder / f"{name}.tex").read_text(encoding="utf-8")
        assert text.count("SIMULATED") == 1, name
    assert {path.stem for path in folder.glob("*.tex")} == set(names)


# ------------------------------------------------------------------------- the data


@pytest.mark.parametrize(("name", "cities", "years"), [("a", 181, range(2011, 2022))])
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
        load_simulated_study("a", seed=-1)


# ------------------------------------------------------------------------- study A


@pytest.fixture(scope="module")
def study_a(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study_a")
    return run_study("a", folder, replications=40), folder, load_simulated_study("a")


def test_a_writes_the_tables_of_the_study(study_a):
    _, folder, _ = study_a
    names = ["1_indicators", "4_descriptive", "5_baseline", "6_threshold_test", "7_threshold"]
    names += ["8_robustness", "9_instrument", "9_instrument_strength", "10_groups"]
    assert_tables(folder, names)
    assert (folder / "threshold_lr.png").stat().st_size > 5_000


def test_a_indices(study_a):
    """The index of the indicators is the outcome; moments of table 4 of the study."""
    found, _, study = study_a
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


def test_a_co_patents_by_hand(study_a):
    """Inno of one city and year, counted from the raw table."""
    found, _, study = study_a
    group = study.tables["membership"].set_index("adcode")["agglomeration"]
    rows = study.tables["applications"].query("year == 2015")
    city = 420100
    own = rows.loc[rows["city"] == city, "application"]
    partners = rows[rows["application"].isin(own) & (rows["city"] != city)]
    counted = partners[partners["city"].map(group) == group[city]]["application"].nunique()
    people = study.panel.loc[(city, 2015), "population"] / 1e4
    assert counted > 0
    assert_allclose(found["panel"].loc[(city, 2015), "inno"], counted / people)


def test_a_flows_stay_inside_agglomerations(study_a):
    found, _, study = study_a
    group = study.tables["membership"].set_index("adcode")["agglomeration"]
    links = found["graph"].adjacency[found["graph"].adjacency > 0].index.to_frame()
    assert len(links) > 500
    assert (links["focal"].map(group) == links["neighbor"].map(group)).all()


def test_a_baseline(study_a):
    """Fixed effects, which the entity effects of the truth ask for, find the controls' slopes."""
    found, _, study = study_a
    base = found["baseline"]
    assert base["hausman"].pvalue < 0.01
    twoway = base["columns"]["two-way FE"]
    for name, slope in study.truth["controls"].items():
        assert_recovers(twoway, name, slope)
    assert_recovers(twoway, "inno", study.truth["above, about"]["all"])


def test_a_threshold(study_a):
    """The printed threshold 0.0066, slopes -2.347 and 0.041, F 32.98."""
    found, _, study = study_a
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


def test_a_instrument(study_a):
    found, _, _ = study_a
    assert_recovers(found["iv"], "inno", 0.041)
    assert found["iv"].nobs == 181 * 10
    assert found["iv"].weak_instruments.kleibergen_paap_f > 16.38


def test_a_robustness(study_a):
    found, _, study = study_a
    columns = found["robustness"]
    nobs = {name: result.nobs for name, result in columns.items()}
    assert nobs == {
        "2017-2021": 905, "2016-2021": 1086, "2015-2021": 1267,
        "winsorised": 1991, "PCA": 1991, "agglomerations": 154,
    }  # fmt: skip
    people = study.truth["controls"]["people"]
    for name in ("2017-2021", "2016-2021", "2015-2021", "winsorised"):
        assert_recovers(columns[name], "people", people)
    assert columns["PCA"].pvalues["inno"] < 0.05


def test_a_groups(study_a):
    """Slopes of the groups, and that their differences are found."""
    found, _, study = study_a
    groups, above = found["heterogeneity"], study.truth["above"]
    cities = groups["columns"]["cities"]
    assert_recovers(cities, "developed", above["developed"])
    assert_recovers(cities, "less_core", above["less developed, core"])
    assert_recovers(cities, "less_other", above["less developed, other"])
    assert_recovers(cities, "inno_below", study.truth["below"])
    level = groups["columns"]["agglomerations"]
    assert_recovers(level, "less_developed", 0.123)
    assert all(test.pvalue < 0.01 for test in groups["tests"].values())
