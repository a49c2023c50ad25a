"""The list of known keys, from which errors and documentation are made."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import pytest

from ctrain.project.checks import BOUNDS
from ctrain.project.keys import ANY, known_keys, names_at, takes_at
from ctrain.project.settings import ProjectFile


def test_every_top_level_key_is_known() -> None:
    """The settings dataclasses are the only list there is."""
    assert {key.keys[0] for key in known_keys()} == {item.name for item in fields(ProjectFile)}


def test_every_bound_is_on_a_known_number() -> None:
    """A bound on a key that was renamed would silently bind nothing."""
    numbers = {key.keys for key in known_keys() if key.takes in ("number", "whole number")}

    assert set(BOUNDS) <= numbers


@pytest.mark.parametrize(
    ("keys", "takes"),
    [
        (("project",), "text"),
        (("data", "sample", "seed"), "whole number"),
        (("gate", "metrics", "auc", "floor"), "number"),
        (("gate", "metrics", "auc", "direction"), "one of up, down"),
        (("triggers", "main", "data"), "one of sample, full"),
        (("triggers", "main", "deploy"), "list of text"),
        (("triggers", "main", "deploy", 0), "text"),
        (("parameters",), "mapping of names to text, number, true or false"),
        (("stages", "dev"), "section"),
        (("nowhere", "at", "all"), "value"),
    ],
)
def test_what_a_key_takes_is_said_in_words(keys: tuple[str | int, ...], takes: str) -> None:
    """The words of error messages and of the documentation's table."""
    assert takes_at(keys) == takes


def test_the_keys_of_a_section_under_a_free_name_are_known() -> None:
    """Stages and metrics are named by the user; what is below them is not."""
    assert names_at(("stages", ANY)) == (
        "endpoint",
        "approval",
        "smoke",
        "deployment",
        "rollout",
        "azureml",
        "auth_mode",
        "identity",
    )
    assert names_at(("parameters",)) == ()


def test_sections_are_dataclasses_of_ours() -> None:
    """Nothing in the file's shape depends on how it is validated."""
    assert is_dataclass(ProjectFile)
    assert not hasattr(ProjectFile, "model_fields")
