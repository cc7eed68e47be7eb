"""Steps of a study that cannot be: file, line, key, what was expected, and the nearest name."""

from __future__ import annotations

import pytest

from nqp_spatial.exceptions import (
    ConstantColumnError,
    DataError,
    DuplicateKeysError,
    MissingValuesError,
    NotNumericError,
    OptionError,
    StudyFileError,
)
from tests.study.data_project import data_of, panel_frame, steps, tables

AB = "{a: positive, b: negative}"

MISTAKES = {
    "{kind: entropi, into: e}": (
        StudyFileError,
        r"\[0\].kind: .*'entropi'. Did you mean 'entropy'",
    ),
    "{kind: entropy, into: e, indicators: {a: positive, bb: negative}}": (
        StudyFileError,
        r"\[0\].indicators.bb: there is no column 'bb'.*Did you mean 'b'",
    ),
    "{kind: entropy, into: e, indicators: {a: positve}}": (
        StudyFileError,
        r"indicators.a: expected positive or negative, found 'positve'. Did you mean 'positive'",
    ),
    "{kind: entropy, into: e, indicators: {g: {a: positive}, b: negative}}": (
        StudyFileError,
        r"indicators.b: expected a group such as \{wage: positive\}, found 'negative'",
    ),
    "{kind: entropy, into: e, indicators: [a, b]}": (StudyFileError, "a direction each"),
    "{kind: entropy, into: e, indicators: {groups: [{name: g}]}}": (
        StudyFileError,
        r"\[0\].indicators: .*needs either 'indicators' or 'groups'",
    ),
    "{kind: entropy, into: e, indicators: none.yaml}": (StudyFileError, r"there is no file .*none"),
    "{kind: entropy, into: e, indicators: bundled:nq}": (StudyFileError, "path or bundled:nqp"),
    f"{{kind: entropy, into: e, indicators: {AB}, shft: 1}}": (
        StudyFileError,
        r"\[0\].shft: unknown key. .*Did you mean 'shift'",
    ),
    f"{{kind: entropy, into: x, indicators: {AB}}}": (StudyFileError, "a column 'x' already"),
    f"{{kind: entropy, indicators: {AB}}}": (StudyFileError, r"\[0\].into: this key is missing"),
    f"{{kind: entropy, into: {{e: f}}, indicators: {AB}}}": (StudyFileError, "one answer"),
    f"{{kind: entropy, into: e, indicators: {AB}, group: group}}": (
        DataError,
        r"'a' is not the same for all of a 'group' in 18 cases, first \('x', 2010\)",
    ),
    "{kind: pca, into: e, indicators: [a, b], n_components: 1.5}": (StudyFileError, "whole number"),
    "{kind: compute, into: e, formula: a + bb}": (OptionError, r"\[0\].formula: .*mean 'b'"),
    "{kind: compute, into: e, formula: open('f')}": (OptionError, r"The functions are log\(x\)"),
    "{kind: compute, into: e, formula: log(z)}": (DataError, r"in 33 row\(s\), first \('c00', 20"),
    "{kind: compute, into: year, formula: a}": (StudyFileError, "a column 'year' already"),
    "{kind: recode, column: group, into: e, values: {x: 1, y: 2}}": (
        StudyFileError,
        r"\[0\].values: 'group' has 'z' in 24 rows, first \('c02', 2010\).* no value is given",
    ),
    '{kind: recode, column: kind, into: e, values: {one: 1, "0": 2}}': (
        StudyFileError,
        r"values.one: 'kind' has numbers such as 0, 1, found 'one'",
    ),
    "{kind: recode, column: group, into: e, values: {x: [1]}}": (
        StudyFileError,
        "text or a number",
    ),
    "{kind: combine, columns: [cty, year], into: e}": (
        StudyFileError,
        r"\[0\].columns\[0\]: there is no column 'cty'. Did you mean 'city'",
    ),
    "{kind: interact, columns: [a, b], centre: [c], into: e}": (StudyFileError, "centre names 'c'"),
    "{kind: gap, values: p, group: group, into: {log: g}}": (
        StudyFileError,
        "into names 'log', which gap does not give. Did you mean 'log_gap'.*The parts are",
    ),
    "{kind: gap, values: p, group: group, into: {ratio: g, log_gap: g}}": (
        StudyFileError,
        "into makes the column 'g' twice",
    ),
    "{kind: coupling, systems: [a, group], standardise: minmax, into: g}": (
        DataError,
        r"transforms\[0\]: Column 'group' holds",
    ),
    "{kind: gap, values: p, group: a, into: g}": (
        DuplicateKeysError,
        r"12 entities have more than one 'a', first 'c00'",
    ),
    "{kind: gap, values: p, group: grup, into: g}": (
        StudyFileError,
        r"\[0\].group: there is no column 'grup'. Did you mean 'group'",
    ),
    "{kind: gap, values: z, group: group, into: g}": (
        DataError,
        r"transforms\[0\]: 'z' is zero or",
    ),
    "{kind: inequality, values: p, into: g}": (StudyFileError, r"such as into: \{theil_t: theil_t"),
    "{kind: interact, columns: [a, group], into: e}": (NotNumericError, "'group' holds text"),
    "{kind: rank_size, size: p, group: group, period: [[2012]], into: {structure: s}}": (
        StudyFileError,
        r"no row is of \[\[2012\]\]",
    ),
    "{kind: rank_size, size: p, group: group, period: 1999, into: {structure: s}}": (
        StudyFileError,
        r"\[0\].period: no row is of 1999. The periods are 2010, 2011",
    ),
    "{kind: rta, counts: [k1, k2, k3], into: r}": (
        ConstantColumnError,
        r"transforms\[0\]: The counts are equal in 3 of 72",
    ),
    "{kind: rta, counts: [k1, k4], into: r}": (StudyFileError, r"\[0\].counts\[1\]: there is no"),
    "{kind: location_quotient, part: a, into: r}": (StudyFileError, "needs whole"),
    "{kind: location_quotient, part: [a, b], into: r}": (StudyFileError, r"into: \{a: lq_a\}"),
    "{kind: relative_to_leader, values: a, group: group, into: r}": (StudyFileError, "either size"),
    "{kind: coupling, systems: [a, b], into: r}": (DataError, r"transforms\[0\]: 'a' is outside"),
    "{kind: co_patents, table: joint, into: m}": (
        StudyFileError,
        r"\[0\].table: no table under data.tables is called 'joint'. There are none",
    ),
    "{kind: malmquist, inputs: a, outputs: b, returns: vrs, into: {scale_efficiency_change: m}}": (
        StudyFileError,
        r"\[0\].into: scale_efficiency_change needs returns: crs, not vrs",
    ),
    "{kind: theil_decomposition, values: p, group: group, into: t}": (
        StudyFileError,
        r"such as into: \{total: total",
    ),
    "{kind: theil_decomposition, values: p, group: grup, into: {total: t}}": (
        StudyFileError,
        r"\[0\].group: there is no column 'grup'. Did you mean 'group'",
    ),
    "{kind: theil_decomposition, values: p, group: group, form: S, into: {total: t}}": (
        StudyFileError,
        r"\[0\].form: expected T or L, found 'S'",
    ),
    "{kind: theil_decomposition, values: z, group: group, into: {total: t}}": (
        DataError,
        r"transforms\[0\]: 'z' is zero or",
    ),
    "{kind: theil_decomposition, values: p, group: group, into: {withn: t}}": (
        StudyFileError,
        "into names 'withn', which theil_decomposition does not give. Did you mean 'within'",
    ),
    "{kind: dea, inputs: [a, bb], outputs: c, into: e}": (
        StudyFileError,
        r"\[0\].inputs\[1\]: there is no column 'bb'",
    ),
    "{kind: dea, inputs: [a, z], outputs: c, into: e}": (
        DataError,
        r"transforms\[0\]: 'z' is negative, which no frontier allows",
    ),
    "{kind: dea, inputs: a, outputs: c, by: year, into: e}": (
        StudyFileError,
        r"\[0\].by: expected period or pooled, found 'year'",
    ),
    "{kind: dea, inputs: a, into: e}": (StudyFileError, r"\[0\].outputs: this key is missing"),
    "{kind: group, by: group, columns: {a: total}}": (
        StudyFileError,
        r"\[0\].columns.a: .*'total' is not known. Use one of 'sum', 'mean'",
    ),
    "{kind: group, by: group, columns: {a: [weighted mean, pp]}}": (
        StudyFileError,
        r"\[0\].columns.a: there is no column 'pp'. Did you mean 'p'",
    ),
}


@pytest.mark.filterwarnings("ignore:8 programmes have no solution")
@pytest.mark.parametrize("step", MISTAKES)
def test_steps_that_cannot_be(tmp_path, step):
    error, part = MISTAKES[step]
    with pytest.raises(error, match=part) as caught:
        data_of(steps(tmp_path, step))
    assert str(caught.value).startswith("study.yaml, line 6, data.transforms[0]")


def test_the_decomposition_is_of_entities_in_groups(tmp_path):
    step = "{kind: theil_decomposition, values: p, group: group, into: {total: t}}"
    with pytest.raises(MissingValuesError, match=r"line 6, data.transforms\[0\]: .*'c12'"):
        data_of(steps(tmp_path, step, frame=panel_frame()))


def test_tables_of_steps_that_cannot_be(tmp_path):
    section = tables(tmp_path)
    lines = {
        "{kind: co_patents, table: join, into: m}": r"'join'. They are: prices, joint, reports.",
        "{kind: co_patents, table: joint, into: m}": r"\[0\].application: there is no column",
        "{kind: market_integration, table: prices, group: group, goods: [rice, fish], into: m}": (
            r"\[0\].goods\[1\]: there is no column 'fish'. The columns are 'city', 'year', 'rice'"
        ),
        "{kind: market_integration, table: reports, group: group, into: m}": (
            r"\[0\].entity: there is no column 'city'"
        ),
        "{kind: keyword_frequency, table: prices, lexicon: joint, report: rice, into: m}": (
            r"\[0\].lexicon.group: there is no column 'group'"
        ),
        "{kind: keyword_frequency, table: prices, lexicon: w.yaml, report: rice, into: m}": (
            r"\[0\].lexicon: there is no file"
        ),
    }
    for line, part in lines.items():
        with pytest.raises(StudyFileError, match=part):
            data_of(steps(tmp_path, line, data=section))
