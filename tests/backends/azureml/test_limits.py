"""Names and tags within what Azure ML takes: cut, and never a failure."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.azureml.limits import MOST_TAGS, TAG_KEY, TAG_VALUE, experiment_name, tags

TAGS = st.dictionaries(st.text(max_size=150), st.text(max_size=1200), max_size=70)


@given(TAGS, TAGS)
def test_tags_are_within_the_documented_limits(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Whatever is given: 50 of them, a key of 100 characters, a value of 1,000."""
    made = tags(ours, theirs)

    assert len(made) <= MOST_TAGS
    assert all(len(key) <= TAG_KEY and len(value) <= TAG_VALUE for key, value in made.items())


def test_our_tags_win_and_theirs_stay() -> None:
    """A release is found by its tags; the user's own are kept as far as there is room."""
    theirs = {f"own{number}": "x" for number in range(60)} | {"ctrain.release": "theirs"}

    made = tags({"ctrain.release": "r-1", "ctrain.commit": ""}, theirs)

    assert (made["ctrain.release"], len(made)) == ("r-1", MOST_TAGS)
    assert "ctrain.commit" not in made


@given(st.text(max_size=400))
def test_any_project_has_an_experiment(wanted: str) -> None:
    """Of letters, digits, dashes and underscores."""
    assert re.fullmatch(r"[A-Za-z0-9][\w-]{0,254}", experiment_name(wanted), re.ASCII)


def test_a_plain_project_is_its_own_experiment() -> None:
    """Nothing is changed without need."""
    assert experiment_name("medical-visits_2") == "medical-visits_2"
