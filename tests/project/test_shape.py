"""Our validator says the same as pydantic's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ctrain.document import read_document
from ctrain.errors import ProjectError
from ctrain.project.settings import ProjectFile
from ctrain.project.shape import validator
from tests.project.builders import SMALLEST, places, replaced

PYDANTIC = TypeAdapter(ProjectFile)
EXAMPLE = read_document(Path(__file__).parents[2] / "docs" / "ctrain.example.yaml", ProjectError).value


def _outcome(read: Any, text: str) -> object:
    try:
        return read(text, strict=True)
    except ValidationError as refused:
        return sorted((error["loc"], error["type"]) for error in refused.errors())


@pytest.mark.parametrize("value", [EXAMPLE, SMALLEST], ids=["example", "smallest"])
def test_a_valid_file_is_read_as_pydantic_reads_it(value: object) -> None:
    """Same values, of the same types."""
    text = json.dumps(value)

    assert _outcome(validator().validate_json, text) == _outcome(PYDANTIC.validate_json, text)


@settings(max_examples=300)
@given(
    place=st.sampled_from(places(EXAMPLE)),
    new=st.sampled_from([None, True, 3, 0.5, "main", "3", [], ["x"], [1], {}, {"x": 1}]),
)
def test_a_changed_file_is_judged_as_pydantic_judges_it(place: tuple[str | int, ...], new: object) -> None:
    """One place of the full example takes a value of any type: same values, or the same errors at the same places."""
    text = json.dumps(replaced(EXAMPLE, place, new))

    ours, theirs = (repr(_outcome(read, text)) for read in (validator().validate_json, PYDANTIC.validate_json))

    assert ours == theirs


def test_a_type_that_no_setting_can_have_is_refused() -> None:
    """A developer who adds such a setting hears of it at once, not a user."""
    from ctrain.project.shape import _schema

    with pytest.raises(TypeError, match="cannot be of type"):
        _schema(set[str])
