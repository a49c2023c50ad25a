"""What Azure ML takes as names, tags and properties of a job. What is too long is cut: a release never fails over it.

Source: "Limits and quotas for Azure Machine Learning resources" (run metadata): 50 tags and 50 properties, a key of
100 and a value of 1,000 characters; a display name of 256, a run id of 256, an experiment's name of 256.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

MOST_TAGS: Final = 50
TAG_KEY: Final = 100
TAG_VALUE: Final = 1000
DISPLAY_NAME: Final = 256
EXPERIMENT_NAME: Final = 255
_CUT: Final = "…"


def cut(words: str, most: int) -> str:
    """The words, with a mark at the end where they were longer."""
    return words if len(words) <= most else words[: most - 1] + _CUT


def tags(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Our tags, and as many of the user's own as there is room for; empty ones are left out."""
    made = {cut(key, TAG_KEY): cut(value, TAG_VALUE) for key, value in ours.items() if value}
    for key, value in theirs.items():
        if len(made) == MOST_TAGS:
            break
        made.setdefault(cut(key, TAG_KEY), cut(value, TAG_VALUE))
    return dict(list(made.items())[:MOST_TAGS])


def experiment_name(wanted: str) -> str:
    """A name of letters, digits, `-` and `_` that starts with a letter or digit, near what is wanted."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", wanted).strip("-_")[:EXPERIMENT_NAME]
    return plain or "ctrain"
