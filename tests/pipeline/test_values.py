"""Which values an input takes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.errors import Location, PipelineError
from ctrain.pipeline import Input, ValueType, checked
from ctrain.pipeline.values import is_remote, literal_type
from ctrain.training import Scalar

HERE = Location(Path("p.yml"), 3)
SCALARS = st.one_of(st.text(), st.integers(), st.floats(), st.booleans())
LITERALS = st.sampled_from([kind for kind in ValueType if kind.literal])


def an_input(kind: str, **more: object) -> Input:
    return Input("x", ValueType(kind), HERE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "given_value", "taken"),
    [
        ("integer", 3, 3),
        ("integer", "3", 3),
        ("integer", 3.0, 3),
        ("integer", "1e3", 1000),
        ("number", 3, 3),
        ("number", "1e-3", 0.001),
        ("number", ".5", 0.5),
        ("boolean", True, True),
        ("boolean", "False", False),
        ("string", 3, "3"),
        ("string", True, "True"),
        ("string", "", ""),
    ],
)
def test_text_that_reads_as_the_type_is_taken(kind: str, given_value: Scalar, taken: Scalar) -> None:
    """As Azure ML does: YAML's own `1e-3` is text."""
    made = checked(given_value, an_input(kind), HERE)
    assert (made, type(made)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("kind", "given_value"),
    [
        ("integer", 3.5),
        ("integer", True),
        ("integer", "three"),
        ("integer", "9" * 5000),
        ("number", "nan"),
        ("number", math.inf),
        ("number", False),
        ("number", ""),
        ("boolean", 1),
        ("boolean", "yes"),
    ],
)
def test_other_values_are_refused(kind: str, given_value: Scalar) -> None:
    """Named, with the type, and located."""
    with pytest.raises(PipelineError, match=kind) as refused:
        checked(given_value, an_input(kind), HERE)
    assert refused.value.at == HERE


@given(SCALARS, LITERALS)
def test_a_value_taken_is_of_the_type_and_taken_again(value: Scalar, kind: ValueType) -> None:
    """Checking is a projection: what it gives out it takes, unchanged."""
    wanted = an_input(kind)
    try:
        made = checked(value, wanted, HERE)
    except PipelineError:
        return
    assert literal_type(made) in {kind, ValueType.INTEGER if kind is ValueType.NUMBER else kind}
    assert checked(made, wanted, HERE) == made


@given(st.integers(), st.integers(), st.integers())
def test_bounds_hold(value: int, low: int, high: int) -> None:
    """`min` and `max` belong to the range."""
    wanted = an_input("number", minimum=float(low), maximum=float(high))
    if float(low) <= value <= float(high):
        assert checked(value, wanted, HERE) == value
    else:
        with pytest.raises(PipelineError, match="its min is"):
            checked(value, wanted, HERE)


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("azureml:data:1", True),
        ("azureml:data@latest", True),
        ("azureml://datastores/d/paths/p", True),
        ("https://example.com/x", True),
        ("wasbs://a@b/c", True),
        ("file:///x", False),
        ("file:x", False),
        ("./a:b", False),
        ("C:/data", False),
        ("data", False),
    ],
)
def test_a_uri_is_remote_or_a_path(text: str, remote: bool) -> None:
    """A colon alone makes no scheme."""
    assert is_remote(text) is remote
