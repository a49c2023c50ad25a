"""Reading what Azure sent: what is asked for, or a clean no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.azureml.bodies import JsonValue, find, items, listed, needed, number, section, text, texts
from ctrain.errors import PlatformUnavailable

BODY: JsonValue = {
    "name": "blue",
    "properties": {"count": 2, "live": True, "tags": {"a": "b", "n": 1}, "list": ["x", 1], "none": None},
}


def test_what_is_there_is_read() -> None:
    """By path, each in its type."""
    assert text(BODY, "name") == "blue"
    assert number(BODY, "properties", "count") == 2.0
    assert texts(BODY, "properties", "tags") == {"a": "b"}
    assert items(BODY, "properties", "list") == ["x", 1]
    assert section(BODY, "properties", "tags") == {"a": "b", "n": 1}


def test_capitals_do_not_matter() -> None:
    """Azure's services do not agree among themselves; the exact key comes first."""
    assert text({"Name": "a"}, "name") == "a"
    assert text({"Name": "a", "name": "b"}, "name") == "b"


def test_what_is_of_another_type_is_not_there() -> None:
    """A flag is no number, a text no list."""
    assert number(BODY, "properties", "live") is None
    assert text(BODY, "properties", "count") is None
    assert items(BODY, "name") == ()
    assert section(BODY, "name") == {}


@pytest.mark.parametrize("body", [{}, {"value": "something else"}, {"value": None}, {"error": {}}])
def test_what_is_no_list_is_not_an_empty_one(body: JsonValue) -> None:
    """What is there would look like gone: a deployment that was about to be tested, say."""
    with pytest.raises(PlatformUnavailable, match="could not be used"):
        listed(body)


def test_a_list_is_read() -> None:
    """Its objects; an empty one is one."""
    assert listed({"value": [{"name": "a"}, 3]}) == [{"name": "a"}]
    assert listed({"value": []}) == []


def test_what_azure_must_say_is_asked_for_by_name() -> None:
    """The path is told, and no KeyError."""
    with pytest.raises(PlatformUnavailable, match=r"properties\.workspaceId"):
        needed(BODY, "properties", "workspaceId")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "B", "b"]), inner, max_size=3),
)


@given(ANYTHING, st.lists(st.sampled_from(["a", "b"]), max_size=4))
def test_no_shape_breaks_a_reader(body: JsonValue, path: list[str]) -> None:
    """Whatever came over the wire."""
    find(body, *path)
    assert isinstance(text(body, *path), str | None)
    assert isinstance(texts(body, *path), dict)
