"""One thing that happened, and how it is written down: a line of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated

from ctrain.events.what import What

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True)
class Event:
    """One thing that happened in a release. `at` is in UTC; `by` says who ran ctrain, and where."""

    release: str
    at: datetime
    by: str
    what: What


@cache
def _adapter() -> TypeAdapter[What]:
    from pydantic import Discriminator, TypeAdapter

    return TypeAdapter(Annotated[What, Discriminator("kind")])


def to_json(event: Event) -> str:
    """One line of JSON; `from_json` gives the equal event back."""
    what = _adapter().dump_python(event.what, mode="json")
    return json.dumps({"release": event.release, "at": event.at.isoformat(), "by": event.by, "what": what})


def from_json(line: str) -> Event:
    """Raises ValueError or KeyError for a line that no version of ctrain wrote."""
    told = json.loads(line)
    what = _adapter().validate_python(told["what"])
    return Event(told["release"], datetime.fromisoformat(told["at"]), told["by"], what)
