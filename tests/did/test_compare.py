"""One table of all estimators has their numbers, and says which could not do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from libpysal.graph import Graph
from numpy.testing import assert_allclose

import nqp_spatial as nqp
from nqp_spatial.did import Staggered, bacon, compare_estimators
from nqp_spatial.did.staggered import Method
from nqp_spatial.exceptions import OptionError, TreatmentError
from nqp_spatial.shared.options import choices
from tests.did.staggered_panels import drawn, reference_panel
from tests.panels import contiguity

COLUMNS = ["estimate", "std_error", "pvalue", "lower", "upper"]


@pytest.fixture(scope="module")
def panel():
    return reference_panel()


@pytest.fixture(scope="module")
def graph(panel):
    names = panel.index.unique(0)
    return Graph.from_arrays(
        *(np.array(part) for part in _links(contiguity(len(names)), names))
    ).transform("r")


def _links(W, names):
    i, j = np.nonzero(W)
    return names[i], names[j], W[i, j]


def test_rows_are_those_of_the_estimators(panel, graph):
    options = {"callaway-santanna": {"control": "not-yet"}, "stacked": {"window": (-2, 1)}}
    found = compare_estimators(panel["y"], panel["did"], None, graph, options=options)
    twoway = nqp.FixedEffects(panel["y"], panel[["did"]]).fit()
    assert_allclose(found.effects.loc["twfe", COLUMNS], twoway.to_frame().loc["did", COLUMNS])
    for method in choices(Method):
        own = Staggered(panel["y"], panel["did"], method=method, **options.get(method, {})).fit()
        assert_allclose(found.effects.loc[method, COLUMNS], own.overall[COLUMNS], rtol=1e-12)
    spatial = nqp.SpatialDiD(panel["y"], panel["did"], None, graph).fit(cov_type="clustered")
    for kind in ("direct", "indirect", "total"):
        row = spatial.policy_effects().loc[kind, COLUMNS].astype(float)
        assert_allclose(found.effects.loc[f"sdm-did/{kind}", COLUMNS], row, rtol=1e-10)
    assert list(found.parts) == ["twfe", *choices(Method), "sdm-did"]
    share = 100 * bacon(panel["y"], panel["did"]).forbidden
    assert any(f"controls {share:.1f} % of the weight" in note for note in found.notes)
    table = found.frames["estimators"].frame
    assert table.equals(found.effects) and table.attrs["notes"] == list(found.notes)


@pytest.mark.filterwarnings("ignore:.*is not positive definite")  # 10 clusters, 12 effects
def test_clusters_reach_every_estimator(panel):
    province = panel["province"].groupby(level=0).first()
    methods = ["twfe", "callaway-santanna", "sun-abraham"]
    x = panel[["x"]]
    with pytest.warns(UserWarning, match="only 10 clusters"):
        found = compare_estimators(panel["y"], panel["did"], x, methods=methods, clusters=province)
    assert {part.cov_type for part in found} == {"clustered by province"}
    assert list(found.effects.index) == methods
    assert any("covariates of the parallel trends" in note for note in found.notes)


def test_estimators_that_cannot_do_are_named():
    frame = drawn({2003: 10, 2005: 10, 2007: 12})
    found = compare_estimators(frame["y"], frame["did"], methods=["twfe", "callaway-santanna"])
    assert found.effects.loc["callaway-santanna"].isna().all()
    assert isinstance(found.errors["callaway-santanna"], TreatmentError)
    assert "control='not-yet'" in str(found.errors["callaway-santanna"])
    assert any("Not to be had with these data: 'callaway-santanna'" in n for n in found.notes)
    assert list(found.parts) == ["twfe"]
    with pytest.raises(TreatmentError, match="nobody"):
        compare_estimators(frame["y"], frame["did"], methods=["callaway-santanna"])


def test_what_is_asked_for_has_to_be_there(panel):
    y, d = panel["y"], panel["did"]
    with pytest.raises(OptionError, match="methods='bacon' is not known"):
        compare_estimators(y, d, methods=["bacon"])
    with pytest.raises(OptionError, match="options='stacked' is not known"):
        compare_estimators(y, d, methods=["twfe"], options={"stacked": {}})
    with pytest.raises(OptionError, match='"sdm-did" needs a graph'):
        compare_estimators(y, d, methods=["twfe", "sdm-did"])
    with pytest.raises(OptionError, match="window= belongs to"):
        compare_estimators(y, d, options={"sun-abraham": {"window": (-1, 1)}})


def test_unbalanced_panels_have_a_table_without_the_share(panel):
    frame = panel[panel["kept"] == 1]
    with pytest.warns(UserWarning, match="entities lack periods"):
        found = compare_estimators(frame["y"], frame["did"])
    assert not any("two-way fixed effects is on" in note for note in found.notes)
    assert found.effects["estimate"].notna().all()
    assert isinstance(found.effects, pd.DataFrame)
