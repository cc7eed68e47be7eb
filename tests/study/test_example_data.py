"""The data of the four study files: each column equals that of the example in Python."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from types import ModuleType

import pandas as pd
import pytest
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial import indices
from nqp_spatial.study import graphs
from nqp_spatial.study.file import load
from tests import ROOT
from tests.study.data_project import data_of

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


def example(name: str) -> ModuleType:
    """``examples/<name>.py``, not run."""
    path = EXAMPLES / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(panel: pd.DataFrame, expected: pd.DataFrame, columns: dict[str, str]) -> None:
    """Columns of a study file and those of the Python example, on the same rows."""
    assert panel.index.equals(expected.sort_index().index)
    for ours, theirs in columns.items():
        wanted = expected[theirs].reindex(panel.index)
        if pd.api.types.is_numeric_dtype(wanted.dtype):
            assert_allclose(panel[ours], wanted, rtol=1e-12, atol=1e-14, err_msg=ours)
        else:
            assert panel[ours].tolist() == wanted.tolist(), ours


def test_the_variables_of_collaboration(capsys):
    module = example("collaboration")
    panel, _, made = module.variables()
    data = data_of(EXAMPLES / "collaboration.yaml")
    names = {"productivity_index": "productivity", "productivity_pca": "productivity_pca"}
    assert_same(data.panel.frame, panel, names | {n: n for n in module.X})
    report = made["patents"].report
    told = data.step_frames["co-patents-inno"]["number"].to_dict()
    assert told == report.to_dict() | {"cities outside the panel": 0}
    weights = made["index"].weights["weight"]
    assert_allclose(data.indices["productivity_index"].weights["weight"], weights, rtol=1e-12)
    below, above = data.panel["inno_below"], data.panel["inno_above"]
    assert (below + above).equals(data.panel["inno"]) and (below > 0).sum() < (above > 0).sum()
    assert data.simulated and data.panel.notes[0].startswith("SIMULATED")


def test_who_works_with_whom_as_weights(tmp_path, capsys):
    """The same graph as the Python example, with the cities that have no partner."""
    study, source = load(EXAMPLES / "collaboration.yaml")
    data = data_of(EXAMPLES / "collaboration.yaml")

    class Log:
        def step(self, name: str) -> nullcontext[None]:
            return nullcontext()

    graph = graphs.build(study, source, data, Log())["co_patents"]  # type: ignore[arg-type]
    _, _, made = example("collaboration").variables()
    flows = made["patents"].flow_table(window=(2011, 2013))
    expected = nqp.weights.normalise(nqp.weights.flows(flows, symmetric=True), "row")
    ours = graph.adjacency[graph.adjacency > 0].sort_index()
    assert_allclose(ours, expected.adjacency[expected.adjacency > 0].sort_index(), rtol=1e-12)
    assert len(graph.unique_ids) == 181 and len(graph.isolates) == 4


def test_the_variables_of_regional_gap(capsys):
    module = example("regional_gap")
    study = nqp.load_simulated_study("regional_gap")
    panel, inequality = module.variables(study)
    data = data_of(EXAMPLES / "regional_gap.yaml")
    names = ["gap", "ratio", *module.X, *module.MECHANISMS]
    assert_same(data.panel.frame, panel, {n: n for n in names})
    assert data.panel.notes[-1] == (
        "Rows where gap > 0; 345 of 4155 rows are left out, among them all of 23 of 277 entities."
    )
    labels = study.tables["cities"].loc[data.panel.entities]
    of_city = (
        data.panel[["macro4_en", "coastal", "leads", "agglomeration"]].groupby(level=0).first()
    )
    assert (of_city == labels[of_city.columns]).all(axis=None)


def test_the_provinces_of_regional_gap(capsys):
    module = example("regional_gap")
    study = nqp.load_simulated_study("regional_gap")
    panel, inequality = module.variables(study)
    followers = study.tables["cities"]["province_en"].loc[panel.index.unique("city")]
    larger = indices.aggregate(panel, followers, dict.fromkeys(module.X, "mean")).values
    expected = larger.join(inequality, how="inner")
    data = data_of(EXAMPLES / "regional_gap_provinces.yaml")
    names = [*module.X, "theil_t", "theil_l", "gini", "cv"]
    assert_same(data.panel.frame, expected, {n: n for n in names})
    assert data.panel.frame.index.names == ["province_en", "year"]
    assert data.step_frames["aggregate"]["members"].sum() == 254
    by_year = inequality.groupby(level="year").mean()["gini"]
    assert_allclose(data.step_frames["inequality-theil_t"]["gini"], by_year, rtol=1e-12)
    assert "23 groups by 'province_en' of 254 entities" in data.panel.notes[-1]


def test_the_variables_of_coagglomeration(capsys):
    module = example("coagglomeration")
    panel, firms = module.variables()
    data = data_of(EXAMPLES / "coagglomeration.yaml")
    assert_same(data.panel.frame, panel, {n: n for n in [*module.X, *module.MEDIATORS]})
    assert data.step_frames["rta-rta"]["rows"].tolist() == [5540, 87, 87]
    ours = data_of(EXAMPLES / "coagglomeration_firms.yaml").panel.frame
    assert_same(ours, firms, {n: n for n in ("rta", "firm in city", "res", "size", "kind")})
    assert ("industry " + ours["branch"]).tolist() == firms.sort_index()["industry"].tolist()


@pytest.mark.slow
def test_the_variables_of_digital(capsys):
    module = example("digital")
    panel, group, index = module.variables(nqp.load_simulated_study("digital"))
    data = data_of(EXAMPLES / "digital.yaml")
    same = [*module.X, *module.MECHANISMS, "inn_pca", "size", "infra", "polycentric", "keywords"]
    same += ["coupling", "gdp_pc_ratio", "edu_sci_pc_ratio", "human_capital_ratio"]
    names = {"inn_index": "inn", "tier": "stage"} | {n: n for n in same}
    size = group.map(group.value_counts())
    panel["n_cities"] = size.reindex(panel.index.get_level_values("city")).to_numpy()
    centred = panel[module.MODERATORS] - panel[module.MODERATORS].mean()
    products = centred.mul(panel["digit"], axis=0).add_prefix("digit_")
    expected = panel.join(products)
    names |= {"n_cities": "n_cities", "digit_tier": "digit_stage", "digit_infra": "digit_infra"}
    assert_same(data.panel.frame, expected, names)
    assert_allclose(
        data.indices["inn_index"].weights["weight"], index.weights["weight"], rtol=1e-12
    )
    hits = data.step_frames["keywords-keywords"]
    assert len(hits) == 121 and hits.index.get_level_values(0).nunique() == 10
