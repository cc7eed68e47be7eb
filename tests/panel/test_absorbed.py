"""What a regression removes: named, restricted to rows and checked, whatever model asks."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from nqp_spatial.exceptions import OptionError
from nqp_spatial.panel.absorbed import Absorbed
from nqp_spatial.panel.keys import Keys


@pytest.fixture
def rows():
    """Six entities of two regions in five periods, without two rows."""
    index = pd.MultiIndex.from_product([list("abcdef"), range(2000, 2005)], names=["id", "t"])
    return index.delete([3, 17])


@pytest.fixture
def columns(rows):
    return pd.DataFrame(np.random.default_rng(1).normal(size=(len(rows), 2)), rows, ["y", "x"])


def region(rows):
    return pd.Series(rows.get_level_values(0).isin(list("abc")), rows, name="region")


def on(rows, effects=None, others=None, trends=None):
    return Absorbed.of(Keys.of(rows, "y"), effects, others, trends)


def test_what_is_left_is_the_residual_of_the_dummies(rows, columns):
    frame = rows.to_frame(index=False)
    dummies = pd.get_dummies(frame.astype(str), dtype=float).to_numpy()
    trend = frame["t"].to_numpy()[:, None] * np.eye(6)[rows.codes[0]]
    D = np.hstack([dummies, trend])
    expected = columns - D @ np.linalg.lstsq(D, columns, rcond=None)[0]
    found = on(rows, "twoway", trends="entity")
    assert_allclose(found.remove(columns), expected, atol=1e-12)
    assert found.rank == np.linalg.matrix_rank(D)


def test_without_effects_there_is_a_constant(rows, columns):
    found = on(rows)
    assert found.pooled and found.names == () and found.rank == 1
    assert_allclose(found.remove(columns), columns - columns.mean(), atol=1e-15)


def test_names_say_the_kinds_in_order(rows):
    found = on(rows, "twoway", region(rows).rename("kind"), region(rows))
    assert found.names == ("entity", "time", "kind", "region trends")
    assert found.other_names == ("kind", "region trends")
    assert list(found.groups) == ["entity", "time", "kind"]


def test_rows_that_are_left_have_the_effects_of_their_own_sample(rows, columns):
    kept = np.asarray(rows.get_level_values(0) != "b")
    cut = on(rows, "twoway", trends=region(rows)).restrict(kept)
    own = on(rows[kept], "twoway", trends=region(rows)[kept])
    assert cut.rank == own.rank and cut.keys.index.equals(own.keys.index)
    assert_allclose(cut.remove(columns[kept]), own.remove(columns[kept]), atol=1e-13)


def test_rows_alone_in_a_category_are_found_again_and_again(rows):
    """Without its second row the first of an entity is alone too."""
    label = pd.Series(range(len(rows)), rows, name="label")
    label[:] = np.where(rows.get_level_values(0) == "a", label, -1)
    assert on(rows, None, label).singletons.sum() == 4
    assert not on(rows, "twoway").singletons.any()


def test_kinds_that_others_imply_are_named_and_not_kept(rows, columns):
    found = on(rows, "entity", region(rows))
    assert found.implied == {"region": "entity"} and list(found.kept) == ["entity"]
    assert found.names == ("entity", "region")  # for the rows of tables
    alone = on(rows, "entity")
    assert found.rank == alone.rank
    assert_allclose(found.remove(columns), alone.remove(columns), atol=0)


def test_of_two_names_for_one_thing_the_first_stays(rows):
    label = pd.Series(rows.get_level_values(0), rows, name="city")
    found = on(rows, "twoway", pd.concat([label, region(rows)], axis=1))
    assert found.implied == {"city": "entity", "region": "entity"}
    assert list(found.kept) == ["entity", "time"]


def test_what_implies_is_itself_implied_by_nothing(rows):
    """Regions in entities in cells: all that is kept are the cells."""
    cell = pd.Series(range(len(rows)), rows, name="cell")
    found = on(rows, "twoway", pd.concat([region(rows), cell], axis=1))
    assert found.implied == dict.fromkeys(("entity", "time", "region"), "cell")
    assert [str(n.zh).split("固定效应")[0] for n in found.notes] == ["cell"] * 3


def test_trends_without_the_means_of_their_groups_are_refused(rows):
    with pytest.raises(OptionError, match="Trends by 'region' need effects that remove the means"):
        on(rows, "time", trends=region(rows)).check()
    on(rows, "entity", trends=region(rows)).check()


def test_a_name_of_the_panel_is_refused(rows):
    with pytest.raises(OptionError, match="'time' has the name of the panel's own"):
        on(rows, "entity", region(rows).rename("time")).check()
