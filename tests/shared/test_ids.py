"""Ids that are the same but in another form: the message says which, shows both, and is right."""

import pandas as pd
import pytest

from nqp_spatial.exceptions import IdMismatchError
from nqp_spatial.shared.ids import match_ids, same_ids, type_hint

PAIRS = {
    "types": (
        [1, 2],
        ["1", "2"],
        "types differ \\((int64 and text|text and int64)\\)",
        lambda i: i.astype(int),
    ),
    "zeros": (
        ["010", "2"],
        ["10", "002"],
        "leading zeros differ \\('0?10' and '0?10'\\)",
        lambda i: i.astype(int),
    ),
    "typed zeros": (
        [1, 2],
        ["01", "02"],
        "leading zeros differ \\((1 and '01'|'01' and 1)\\)",
        lambda i: i.astype(int),
    ),
    "blanks": (
        ["c1 ", "c2"],
        ["c1", "c2"],
        "blanks or full-width .* differ \\('c1 ?' and 'c1 ?'\\)",
        lambda i: i.str.normalize("NFKC").str.strip(),
    ),
    "no-break": (
        ["c\u00a01", "c2"],
        ["c 1", "c2"],
        "blanks or full-width",
        lambda i: i.str.normalize("NFKC").str.strip(),
    ),
    "full width": (
        ["北京３", "b"],
        ["北京3", "b"],
        "blanks or full-width",
        lambda i: i.str.normalize("NFKC").str.strip(),
    ),
    "case": (
        ["Alabama", "ohio"],
        ["ALABAMA", "ohio"],
        "upper and lower case differ",
        lambda i: i.str.title(),
    ),
}


@pytest.mark.parametrize("name", list(PAIRS))
def test_the_form_is_named_and_the_advice_works(name):
    a, b, said, cure = PAIRS[name]
    ours, theirs = pd.Index(a), pd.Index(b)
    for raises in (
        lambda: same_ids(ours, theirs, "the panel", "the weights"),
        lambda: match_ids(ours, theirs, "the panel", "the weights"),
    ):
        with pytest.raises(IdMismatchError, match=said):
            raises()
    same_ids(cure(ours), cure(theirs), "the panel", "the weights")  # as the message says


def test_other_ids_have_no_hint():
    assert type_hint(pd.Index(["a", "b"]), pd.Index(["c", "d"])) == ""
    assert type_hint(pd.Index([1, 2]), pd.Index([1, 2, 3])) == ""
    with pytest.raises(IdMismatchError, match="1 ids of the panel are not in the weights: 'a'"):
        same_ids(pd.Index(["a", "b"]), pd.Index(["b"]), "the panel", "the weights")
