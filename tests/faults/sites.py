"""Where a release calls Azure: the places at which a single fault is tried."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_CHANGING: Final = (
    (r"ws-[0-9a-f]{8}", r"ws-[0-9a-f]{8}"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", r"[0-9a-f-]{36}"),
    (r"ctrain-[0-9a-f]{20}-\d+", r"ctrain-[0-9a-f]{20}-\d+"),
    (r"ctrain-scoring-[0-9a-f]+", r"ctrain-scoring-[0-9a-f]+"),
    (r"main-[0-9a-f]{7}-\d+", r"main-[0-9a-f]{7}-\d+"),
    (r"v\d+-[0-9a-f]{8}", r"v\d+-[0-9a-f]{8}"),
    (r"[0-9a-f]{64}", r"[0-9a-f]{64}"),
    (r"\d{8}\.json", r"\d{8}\.json"),
    (r"models/tiny/versions/\d+", r"models/tiny/versions/\d+"),
    (r"tiny-\d+\.json", r"tiny-\d+\.json"),
)
"""Parts of a path that are another in each release, as they are seen and as an expression for all of them."""


@dataclass(frozen=True, order=True)
class Site:
    """One call that a release makes: `host` and `path` are expressions that match it in any release."""

    host: str
    path: str
    method: str

    def __str__(self) -> str:
        path = re.sub(r"^.*workspaces/ws[^/]*", "", self.path.removesuffix(r"(\?.*)?"))
        return f"{self.method} {self.host.split('.')[0]} {path or '(the workspace)'}"


def sites_of(calls: Iterable[Mapping[str, Any]]) -> list[Site]:
    """Each kind of call once, sorted: the same release gives the same list on every machine."""
    found = {
        Site(_expression(call["host"]), f"{_expression(call['path'])}(\\?.*)?", call["method"])
        for call in calls
        if call["method"] != "CONNECT"
    }
    return sorted(found)


def _expression(text: str) -> str:
    """An expression for this text and for its like in other releases."""
    pattern = "|".join(f"({seen})" for seen, _ in _CHANGING)
    made, end = "", 0
    for match in re.finditer(pattern, text):
        made += re.escape(text[end : match.start()])
        made += next(like for place, (_, like) in enumerate(_CHANGING, start=1) if match.group(place) is not None)
        end = match.end()
    return made + re.escape(text[end:])
