"""Options are declared once: values, ranges and docs are read off signatures."""

import inspect
from typing import Annotated, Literal, TypedDict

import pytest

import nqp_spatial as nqp
from nqp_spatial.exceptions import OptionError
from nqp_spatial.shared import options
from nqp_spatial.shared.options import (
    Between,
    Default,
    Level,
    Unpack,
    parameters,
    shared_options,
)


class Interval(TypedDict, total=False):
    """Of an interval.

    Parameters
    ----------
    level : float
        Its coverage.
    method : {"delta", "simulation"}
        How it is found.
    """

    level: Level
    method: Literal["delta", "simulation"] | None


@shared_options(Interval, level=0.95)
def interval(value: float, *, draws: Annotated[int, Between(1)] = 100, **how: Unpack[Interval]):
    """An interval around a value.

    Parameters
    ----------
    value : float
        The middle.
    draws : int
        Of the
        simulation.

    Returns
    -------
    dict
    """
    return {"draws": draws, **how}


def test_a_typed_dict_is_seen_in_signature_and_help():
    assert list(inspect.signature(interval).parameters) == ["value", "draws", "level", "method"]
    assert list(parameters(interval)) == ["value", "draws", "level", "method"]
    text = inspect.getdoc(interval)
    assert (
        text.index("Of the\n    simulation.") < text.index("Its coverage.") < text.index("Returns")
    )


def test_defaults_are_those_of_the_function():
    assert interval(1.0) == {"draws": 100, "level": 0.95}
    assert interval(1.0, level=0.9, method="delta") == {
        "draws": 100,
        "level": 0.9,
        "method": "delta",
    }
    with pytest.raises(TypeError, match=r"argument 'levle'\. Did you mean 'level'\?"):
        interval(1.0, levle=0.9)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("method", "delat", "Did you mean 'delta'"),
        ("level", 1, "level=1 is not between 0 and 1"),
        ("level", "high", "level='high' is not a number"),
        ("draws", 0, "Use a whole number from 1 up"),
        ("draws", 2.5, "Use a whole number from 1 up"),
    ],
)
def test_a_declaration_checks_a_value_without_data(name, value, message):
    with pytest.raises(OptionError, match=message) as caught:
        parameters(interval)[name].check(value)
    assert caught.value.option == name


def test_options_of_a_call_are_checked_by_its_signature():
    options.check_options(interval, level=0.5, method=None)
    with pytest.raises(
        OptionError, match="method='delat' is not known. Use one of 'delta', 's"
    ) as e:
        options.check_options(interval, draws=1, method="delat")
    assert e.value.option == "method"
    with pytest.raises(OptionError, match="Did you mean 'entity'"):
        options.check_options(nqp.FixedEffects, effects="entitiy")


def test_options_that_were_not_given_have_their_declared_defaults():
    class Search(TypedDict, total=False):
        how: Annotated[Literal["grid", "line"], Default("grid")]
        steps: Annotated[int, Default(5)]
        start: float | None

    assert options.complete(Search, {"steps": 2}) == {"how": "grid", "steps": 2, "start": None}
    with pytest.raises(OptionError, match="how='gird' is not known.*Did you mean 'grid'"):
        options.complete(Search, {"how": "gird"})


def test_values_that_a_declaration_allows():
    own = parameters(interval)
    own["level"].check(0.5), own["draws"].check(1), own["method"].check(None)
    assert own["method"].choices == ("delta", "simulation", None)
    assert own["value"].required and own["draws"].text == "Of the simulation."
    assert options.choices(Literal["a", "b"] | None) == ("a", "b", None)


def test_parameters_of_the_api_are_read():
    own = parameters(nqp.weights.contiguity)
    assert "kind" in own and own["kind"].default == "queen"
    assert "nearest" in own["islands"].text
    assert "graph" in parameters(nqp.SpatialDurbin)
