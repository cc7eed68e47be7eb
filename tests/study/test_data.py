"""The data of a study: tables of the package, further tables, chosen rows, groups as entities."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import indices
from nqp_spatial.datasets import packaged as bundled
from nqp_spatial.datasets.studies.study import STUDIES
from nqp_spatial.exceptions import (
    DataError,
    DuplicateKeysError,
    IdMismatchError,
    MatchError,
    MissingValuesError,
    OptionError,
    StudyFileError,
)
from nqp_spatial.shared.notes import in_language
from nqp_spatial.study import run_study
from tests.study.data_project import (
    CITIES,
    data_of,
    grouped,
    groups,
    panel_frame,
    steps,
    tables,
    write,
)

# ---------------------------------------------------------------- tables of the package


@pytest.mark.slow
def test_the_names_of_the_tables_of_the_package():
    found = {"bundled:simulated-clusters", "bundled:castle"}
    for subject in STUDIES:
        study = nqp.load_simulated_study(subject)
        start = f"bundled:simulated-{subject.replace('_', '-')}"
        found |= {start, *(f"{start}/{name}" for name in study.tables)}
    assert {*bundled.PANELS, *bundled.FURTHER} == found
    for name in bundled.PANELS:
        assert bundled.table(name).index.nlevels == 2, name
    for name in bundled.FURTHER:
        table = bundled.table(name)
        assert in_language(table.attrs["note"], "zh").startswith("模拟数据"), name
        assert table.index.names == [None], name


def test_a_panel_of_the_package_by_its_seed(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "seed: 3\ndata: {table: 'bundled:simulated-coagglomeration'}\noutcome: nqp\n"
        "controls: [urbrate]\nmodels: [fe]\n",
        encoding="utf-8",
    )
    data = data_of(path)
    expected = nqp.load_simulated_study("coagglomeration", seed=3).panel["nqp"]
    assert_allclose(data.panel["nqp"], expected.sort_index(), rtol=1e-15)
    assert data.truth is not None and data.truth["seed"] == 3


def test_a_simulated_study_runs_and_says_what_it_is(tmp_path):
    """Its truth is in words: none is printed beside the estimates."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "lang: zh\ndata: {table: 'bundled:simulated-regional-gap'}\noutcome: innovation\n"
        "controls: [fin, edu]\nmodels: [fe]\ndiagnostics: {autocorrelation: false}\n"
        "output: {tables: [md], plots: []}\n",
        encoding="utf-8",
    )
    result = run_study(path)
    assert result.simulated and "模拟数据" in result.summary()
    assert "真值" not in result.summary().replace("已知真值下", "")
    text = (result.output / "tables" / "regression.md").read_text(encoding="utf-8")
    assert text.count("模拟数据") == 1
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    assert record["truth"]["mechanisms"]["innovation"] == 0.12


def test_a_table_of_the_package_merged_into_one_of_ones_own(tmp_path):
    index = pd.MultiIndex.from_product([[130100, 130200], [2011, 2012]], names=["city", "year"])
    frame = pd.DataFrame({"x": [1.0, 2, 3, 5], "y": [2.0, 1, 4, 3]}, index)
    data = data_of(
        write(
            tmp_path,
            "merge:\n  - {table: bundled:simulated-collaboration/membership, entity: adcode, "
            "columns: [agglomeration]}\n  - {table: bundled:simulated-collaboration, "
            "entity: city, time: year, columns: [wage]}",
            frame,
        )
    )
    assert data.panel["agglomeration"].tolist() == ["JJJ"] * 4
    wage = nqp.load_simulated_study("collaboration").panel["wage"]
    assert_allclose(data.panel["wage"], wage.loc[index], rtol=1e-15)
    assert data.simulated  # the numbers of one table are
    assert len(data.panel.notes) == 1 and data.panel.notes[0].startswith("SIMULATED")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("table: panel.csv", "table: bundled:simulated-digitl", r"data.table: .*'.*-digital'\?$"),
        (
            "table: panel.csv",
            "table: bundled:simulated-study-b",
            r"'.*-study-b'\. It is now called bundled:simulated-regional-gap\.$",
        ),
        ("table: panel.csv", "table: bundled:simulated-digital/cities", r"data.table: expected a"),
        (
            "time: year",
            "time: year\n  merge:\n    - {table: bundled:simulated-regional-gap/city, "
            "entity: adcode, columns: [leads]}",
            r"data.merge\[0\].table: expected a path or one.*Did you mean '.*-regional-gap/cities'",
        ),
        (
            "time: year",
            "time: year\n  tables: {a: {table: b.csv, entty: c}}",
            r"data.tables.a.entty: unknown key.*Did you mean 'entity'",
        ),
        (
            "time: year",
            "time: year\n  tables: {a: {table: b.csv, match_cities: true}}",
            "data.tables.a: match_cities needs entity",
        ),
    ],
)
def test_tables_that_there_are_not(tmp_path, old, new, part):
    path = write(tmp_path)
    path.write_text(path.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(StudyFileError, match=part):
        data_of(path)


# ---------------------------------------------------------------- further tables


def test_what_a_column_of_the_panel_names(tmp_path):
    """Rows get the values of the place that they name, which may change from year to year."""
    frame = grouped()
    rng = np.random.default_rng(2)
    frame["seat"] = rng.choice(["m", "n"], len(frame))
    years = sorted(set(frame.index.get_level_values(1)))
    wide = pd.MultiIndex.from_product([["m", "n"], years], names=["place", "t"])
    values = pd.Series(np.arange(len(wide)) * 1.5, wide, name="w")
    values.reset_index().to_csv(tmp_path / "places.csv", index=False)
    pd.DataFrame({"place": ["n", "m"], "big": [0, 1]}).to_csv(tmp_path / "kinds.csv", index=False)
    merge = (
        "merge:\n  - {table: places.csv, entity: place, time: t, by: seat, columns: [w]}\n"
        "  - {table: kinds.csv, entity: place, by: seat, columns: [big]}"
    )
    found = data_of(write(tmp_path, merge, frame)).panel.frame
    keys = zip(frame["seat"], frame.index.get_level_values(1), strict=True)
    assert found["w"].tolist() == [values[key] for key in keys]
    assert found["big"].tolist() == [int(seat == "m") for seat in frame["seat"]]

    values.drop(("m", 2012)).reset_index().to_csv(tmp_path / "places.csv", index=False)
    with pytest.raises(IdMismatchError, match=r"merge\[0\]: .*lacks 1 pairs.*\('m', 2012\)"):
        data_of(write(tmp_path, merge, frame))
    with pytest.raises(StudyFileError, match=r"merge\[0\].by: there is no column 'seet'"):
        data_of(write(tmp_path, merge.replace("by: seat", "by: seet"), frame))
    frame.iloc[3, frame.columns.get_loc("seat")] = None
    with pytest.raises(MissingValuesError, match=r"'seat' is empty in 1 rows, first \('c00', 2013"):
        data_of(write(tmp_path, merge, frame))


def test_names_of_cities_in_a_further_table_are_matched(tmp_path):
    index = pd.MultiIndex.from_product([[130100, 130200], [2011, 2012]], names=["city", "year"])
    frame = pd.DataFrame({"x": [1.0, 2, 3, 5], "y": [2.0, 1, 4, 3]}, index)
    joint = pd.DataFrame(
        {
            "application": [1, 1, 2],
            "city": ["石家庄市", "唐山市", "唐山市"],
            "year": [2011] * 2 + [2012],
        }
    )
    joint.to_csv(tmp_path / "joint.csv", index=False)
    section = "tables: {joint: {table: joint.csv, entity: city, match_cities: true}}"
    step = "{kind: co_patents, table: joint, into: inno}"
    found = data_of(steps(tmp_path, step, data=section, frame=frame)).panel["inno"]
    assert found.tolist() == [1, 0, 1, 0]
    joint.replace("唐山市", "唐山城").to_csv(tmp_path / "joint.csv", index=False)
    with pytest.raises(MatchError, match=r"data.tables.joint.*唐山城"):
        data_of(steps(tmp_path, step, data=section, frame=frame))


def test_flows_of_a_step_as_weights(tmp_path):
    section = tables(tmp_path)
    step = "{kind: co_patents, table: joint, application: number, city: applicant, into: inno}"
    path = steps(tmp_path, step, data=section)
    more = "weights:\n  with: {kind: flows, table: inno, window: [2010, 2012], normalise: none}\n"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}{more}output: {{tables: [md], plots: []}}\n", encoding="utf-8")
    graph = run_study(path).graphs["with"]
    joint = pd.read_csv(tmp_path / "applications.csv")
    early = joint[joint["year"] <= 2012]
    pairs = early.merge(early, on="number").query("applicant_x != applicant_y")
    counts = pairs.groupby(["applicant_x", "applicant_y"]).size()
    assert len(counts) > 50
    for (one, other), value in counts.items():
        assert graph[one][other] == value
    path.write_text(path.read_text().replace("table: inno,", "table: flows.csv,"))
    with pytest.raises(OptionError, match=r"weights.with: window is for the flows .* 'inno'"):
        run_study(path, tmp_path / "again")


# ---------------------------------------------------------------- rows


def test_rows_where_something_is_true(tmp_path):
    f = grouped()
    data = data_of(write(tmp_path, "where: group != 'x' and year >= 2012"))
    kept = f[(f["group"] != "x") & (f.index.get_level_values(1) >= 2012)]
    assert data.panel.frame.index.equals(kept.index)
    note = "40 of 72 rows are left out, among them all of 4 of 12 entities."
    assert data.panel.notes == (f"Rows where group != 'x' and year >= 2012; {note}",)
    assert data.panel.frame.attrs["notes"] == list(data.panel.notes)
    assert data.panel.n_entities == data.whole.n_entities == 8
    assert data.whole.n_periods == 6  # base windows may lie before


def test_variables_are_made_before_rows_are_left_out(tmp_path):
    f = grouped()
    step = "{kind: gap, values: p, group: group, reference: max, into: gap}"
    data = data_of(steps(tmp_path, step, data="where: gap > 0"))
    gap = indices.gap(f["p"], groups(), reference="max")["log_gap"]
    assert_allclose(data.panel["gap"], gap[gap > 0], rtol=1e-14)


def test_a_note_of_rows_in_chinese(tmp_path):
    path = write(tmp_path, "where: year > 2010")
    path.write_text("lang: zh\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert [in_language(note, "zh") for note in data_of(path).panel.notes] == [
        "样本为满足 year > 2010 的观测，共72行中剔除12行，其中12个个体中有0个全部剔除。",
    ]


@pytest.mark.parametrize(
    ("where", "error", "part"),
    [
        ("yer >= 2012", OptionError, r"line 5, data.where: .*'yer'.*Did you mean 'year'"),
        ("x + 1", OptionError, "data.where: .*true or false for each row"),
        ("x > 99", DataError, "data.where: 'x > 99' is true of none of 72 rows"),
        ("x.sum() > 1", OptionError, "data.where: .*The functions are"),
        ("3", StudyFileError, "data.where: expected text"),
    ],
)
def test_rows_that_cannot_be_chosen(tmp_path, where, error, part):
    with pytest.raises(error, match=part):
        data_of(write(tmp_path, f"where: {where}"))


# ---------------------------------------------------------------- groups as entities

AGGREGATE = """\
aggregate:
  by: group
  columns: {x: [weighted mean, p], y: mean, p: sum}
"""


def test_groups_become_the_entities(tmp_path):
    f = grouped()
    data = data_of(write(tmp_path, AGGREGATE + "where: year > 2010"))
    later = f[f.index.get_level_values(1) > 2010]
    how = {"x": ("weighted mean", "p"), "y": "mean", "p": "sum"}
    expected = indices.aggregate(later, groups(), how).values
    assert_allclose(data.panel.frame, expected, rtol=1e-14)
    assert list(data.panel.frame.index.names) == ["group", "year"]
    by_hand = later.loc[later["group"] == "y", "p"].groupby(level=1).sum()
    assert_allclose(data.panel["p"].loc["y"], by_hand, rtol=1e-14)
    assert data.panel.notes[-1] == "The entities are 3 groups by 'group' of 12 entities."
    members = data.step_frames["aggregate"]
    assert members.to_dict("list") == {"members": [4] * 3, "periods": [5] * 3, "missing": [0] * 3}


def test_groups_are_fitted_as_the_api_does(tmp_path):
    path = write(tmp_path, AGGREGATE)
    result = run_study(path, overrides={"output.tables": ["md"], "output.plots": []})
    how = {"x": ("weighted mean", "p"), "y": "mean"}
    larger = indices.aggregate(grouped(), groups(), how).values
    fitted = nqp.FixedEffects(larger["y"], larger[["x"]]).fit(cov_type="robust")
    assert_allclose(result.results["y/fe"].params["x"], fitted.params["x"], rtol=1e-12)
    assert (result.output / "tables" / "aggregate.md").is_file()
    assert "3 groups by" in (result.output / "tables" / "regression.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "error", "part"),
    [
        ("by: group", "by: grup", StudyFileError, "data.aggregate.by: there is no column 'grup'"),
        ("by: group", "by: a", DuplicateKeysError, "data.aggregate: 12 entities have more than"),
        (
            *("y: mean", "y: median", StudyFileError),
            "data.aggregate.columns.y: .*'median' is not known. Use one of 'sum', 'mean'",
        ),
        ("y: mean", "yy: mean", StudyFileError, "data.aggregate.columns.yy: .*Did you mean 'y'"),
        ("mean, p]", "mean, pp]", StudyFileError, "data.aggregate.columns.x: .*'pp'"),
        ("x: [weighted mean, p], ", "", StudyFileError, r"controls\[0\]: there is no column 'x'"),
        (
            "aggregate:",
            "polygons: bundled:us-states\naggregate:",
            StudyFileError,
            "data.polygons: data.aggregate puts groups by 'group' in place of the entities",
        ),
        (
            "aggregate:",
            "where: (city != 'c00') or (year > 2010)\naggregate:",
            MissingValuesError,
            r"data.aggregate: .*first \('c00', 2010, '.'\)",
        ),
    ],
)
def test_groups_that_cannot_be_entities(tmp_path, old, new, error, part):
    with pytest.raises(error, match=part):
        data_of(write(tmp_path, AGGREGATE.replace(old, new)))


def test_members_without_a_value_can_be_skipped_on_record(tmp_path):
    frame = panel_frame()
    frame.loc[("c00", 2010), "y"] = np.nan
    section = AGGREGATE + "  missing: skip\n"
    data = data_of(write(tmp_path, section, frame))
    others = frame["y"].loc[[c for c in CITIES[:12:3] if c != "c00"], 2010].mean()
    assert data.panel["y"].loc[("x", 2010)] == pytest.approx(others, rel=1e-12)
    assert data.step_frames["aggregate"]["missing"].to_dict() == {"x": 1, "y": 0, "z": 0}
    assert data.panel.notes[-1] == "The entities are 3 groups by 'group' of 12 entities."
