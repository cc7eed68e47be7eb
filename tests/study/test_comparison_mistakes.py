"""Mistakes in what a study file says of single models, comparisons and tables."""

from __future__ import annotations

import json
import re

import pytest

from nqp_spatial.exceptions import DataError, NqpWarning, OptionError, StudyFileError
from nqp_spatial.study import run_study
from tests.study import answers
from tests.study.comparisons_project import study

FE = "models: [fe]\n"
BLOCK = FE + "robustness:\n  model: fe\n  variations:\n    a: "
MISTAKES = {
    "policy and regressor": (FE + "policy: {column: did}\n", "line 5, regressor: policy and"),
    "outcome of a model": (
        "models:\n  fe: {outcome: yy}\n",
        "models.fe.outcome: there is no column 'yy'",
    ),
    "regressor of a model": ("models:\n  fe: {regressor: x3}\n", "models.fe.regressor.*'x3'.*'x1'"),
    "controls of a model": (
        "models:\n  fe: {controls: [x2, zz]}\n",
        r"line 10, models.fe.controls\[1\]: there is no column 'zz'",
    ),
    "twice": ("models:\n  fe: {controls: [x2, x2]}\n", r"controls\[1\]: 'x2' is used twice"),
    "where": (
        "models:\n  fe: {where: yeer > 2008}\n",
        "line 10, models.fe.where: 'yeer > 2008' names 'yeer'.*'year'",
    ),
    "where keeps nothing": (
        "models:\n  fe: {where: year > 2050}\n",
        "models.fe.where: 'year > 2050' is true of none of 200 rows",
    ),
    "regime": (
        "models:\n  threshold: {threshold: q, regime: did, controls: []}\n",
        r"regime\[0\]: 'did' is not a regressor of this model. They are: x1",
    ),
    "two tests": (
        "models:\n  threshold: {threshold: q, regime: x1, replications: 9, test: {}}\n",
        "models.threshold: replications and method belong into test",
    ),
    "key of a test": (
        "models:\n  threshold: {threshold: q, regime: x1, test: {grids: 3}}\n",
        "threshold.test.grids: unknown key.*'grid'",
    ),
    "empty variation": (
        BLOCK + "{}\n",
        "line 13, robustness.variations.a: this variation changes nothing",
    ),
    "key of a variation": (
        BLOCK + "{wher: year > 2}\n",
        "line 13, robustness.variations.a.wher: unknown key.*'where'",
    ),
    "rows of a variation": (
        BLOCK + "{where: yer > 2}\n",
        "variations.a.where: 'yer > 2' names 'yer'",
    ),
    "outcome of a variation": (
        BLOCK + "{outcome: y3}\n",
        "variations.a.outcome: there is no column 'y3'",
    ),
    "python in a term": (
        BLOCK + "{add: \"__import__('os')\"}\n",
        r"a.add\[0\]: there is no column \"__import__",
    ),
    "python in rows": (
        "models:\n  fe: {where: side.str.len() > 1}\n",
        "models.fe.where: .*has 'side.str.len",
    ),
    "rows of groups": (
        BLOCK + "{where: yer., aggregate: {by: group, columns: {y: sum}}}\n",
        "variations.a.where: 'yer.' cannot be read",
    ),
    "term to drop": (
        BLOCK + "{drop: x7}\n",
        r"variations.a.drop\[0\]: no regressors of the model.*x1",
    ),
    "term to replace": (
        BLOCK + "{replace: {x7: x2}}\n",
        "a.replace.x7: no regressors of the model",
    ),
    "replacement": (BLOCK + "{replace: {x1: x7}}\n", "a.replace.x1: there is no column 'x7'"),
    "kind of a transformation": (
        BLOCK + "{transform: {kind: winsor}}\n",
        "transform.kind.*'winsorise'",
    ),
    "option of a transformation": (
        BLOCK + "{transform: {kind: log, p: 0.1}}\n",
        "a.transform: p does not belong to log, whose options are: offset",
    ),
    "columns of a transformation": (
        BLOCK + "{transform: {kind: winsorise, columns: [x9]}}\n",
        r"transform.columns\[0\]: there is no column 'x9'",
    ),
    "rule": (
        BLOCK + "{aggregate: {by: group, columns: {y: median}}}\n",
        "a.aggregate.columns.y: .*'median' is not known. Use one of 'sum', 'mean'",
    ),
    "groups": (
        BLOCK + "{aggregate: {by: grop, columns: {y: sum}}}\n",
        "a.aggregate.by: there is no column 'grop'.*'group'",
    ),
    "option of the model": (
        BLOCK + "{options: {effect: time}}\n",
        "a.options.effect: fe has no such option of options.*'effects'",
    ),
    "option of fit": (
        BLOCK + "{fit: {cluster: time}}\n",
        "a.fit.cluster: fe has no such.*'clusters'",
    ),
    "focus": (
        FE + "robustness: {focus: x9, variations: {a: {where: year > 2006}}}\n",
        "line 10, robustness: .*focus",
    ),
    "base of robustness": (
        FE + "robustness: {model: ols, variations: {a: {where: year > 2006}}}\n",
        "robustness.model: no models are called 'ols'. They are: fe",
    ),
    "base that cannot vary": (
        "models: [quantile]\nrobustness: {variations: {a: {where: year > 2006}}}\n",
        "robustness.model: quantile cannot be varied here",
    ),
    "lags as instruments": (
        "models:\n  iv: {endog: x1, instruments: [{lag: z}]}\n"
        "robustness: {variations: {a: {where: year > 2006}}}\n",
        "robustness.model: instruments of a regression that is varied are columns",
    ),
    "weights": (
        FE + "robustness: {weights: near, variations: {a: {where: year > 2006}}}\n",
        "robustness.weights: fe has no weights",
    ),
    "second block": (
        FE + "robustness:\n  - {variations: {a: {where: year > 2006}}}\n  - {variation: {}}\n",
        r"line 12, robustness\[1\].variation: unknown key.*'variations'",
    ),
    "names of blocks": (
        FE + "robustness:\n  - {name: r, variations: {a: {where: year > 2006}}}\n"
        "  - {name: r, variations: {a: {where: year > 2006}}}\n",
        "robustness: two blocks have one name",
    ),
    "by": (
        FE + "heterogeneity: {a: {by: sied}}\n",
        "heterogeneity.a.by: there is no column 'sied'.*'side'",
    ),
    "no by": (FE + "heterogeneity:\n  a: {}\n", "line 11, heterogeneity.a.by: this key is missing"),
    "key of groups": (
        FE + "heterogeneity:\n  a: {by: side, test: sur}\n",
        "a.test: unknown key.*'tests'",
    ),
    "model of groups": (
        "models: [re]\nheterogeneity: {a: {by: side}}\n",
        "heterogeneity.a.model: re cannot be split into groups",
    ),
    "groups that change": (
        FE + "heterogeneity: {a: {by: late}}\n",
        "heterogeneity.a: .*more than one group",
    ),
    "model of a table": (
        FE + "tables: {t: [fe, fixed]}\n",
        r"tables.t.models\[1\]: no models are called",
    ),
    "part of a table": (FE + "tables: {t: [fe/first-stage]}\n", r"t.models\[0\]: 'fe' has no part"),
    "parameter of a table": (
        FE + "tables:\n  t: {models: fe, keep: [x5]}\n",
        "line 11, tables.t: .*'x5'",
    ),
    "key of a table": (FE + "tables:\n  t: {model: fe}\n", "tables.t.model: unknown key.*'models'"),
    "name of a table": (
        FE + "tables: {tests: [fe]}\n",
        "tables.tests: a table of the name 'tests' is made",
    ),
    "name of a block": (
        FE + "robustness: {name: first-stage-iv, variations: {a: {where: year > 2006}}}\n",
        "robustness.name: a table of the name",
    ),
    "no numbers to describe": (
        FE + "diagnostics: {descriptive: [side]}\n",
        "diagnostics.descriptive: The columns 'side' do not hold numbers",
    ),
    "diagnostics": (FE + "diagnostics: {vifs: true}\n", "diagnostics.vifs: unknown key.*'vif'"),
    "columns to correlate": (
        FE + "diagnostics: {correlation: [y, x0]}\n",
        r"diagnostics.correlation\[1\]: there is no column 'x0'",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_its_place(tmp_path, name):
    text, part = MISTAKES[name]
    error = answers.mistake(run_study, study(tmp_path, text))
    assert re.search(rf"(?s)study.yaml, line \d+.*{part}|{part}", str(error))
    assert isinstance(error, StudyFileError | OptionError | DataError)
    assert str(error).startswith("study.yaml, line ")


@pytest.mark.filterwarnings("ignore::nqp_spatial.exceptions.FailureWarning")
def test_a_variation_that_fails_is_told(tmp_path):
    path = study(tmp_path, BLOCK + "{add: 'z:q'}\n    b: {where: year > 2006, focus: zz}\n")
    with pytest.warns(NqpWarning, match=r"1 of 2 variations could not be fitted: 'b'"):
        result = run_study(path)
    record = json.loads((result.output / "results.json").read_text(encoding="utf-8"))
    row = record["robustness"]["robustness"]["variations"]["b"]
    assert "no parameter 'zz'" in row["error"] and row["estimate"] is None
