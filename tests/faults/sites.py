"""Where a release calls Azure: the places at which a single fault is tried."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

_CHANGING: Final = (
    r"ws-[0-9a-f]{8}",
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    r"ctrain-[0-9a-f]{20}-\d+",
    r"main-[0-9a-f]{7}-?\d*",
    r"/v\d+-[0-9a-f]{8}",
    r"[0-9a-f]{64}",
    r"\d{8}\.json",
    r"models/tiny/versions/\d+",
    r"tiny-\d+\.json",
    r"tiny-prod-[0-9a-f]{8}",
)
"""Parts of a path that are another in each release."""


@dataclass(frozen=True, order=True)
class Site:
    """One kind of call that a release makes: `host` and `target` are expressions that match it in any release."""

    host: str
    target: str
    method: str

    def __str__(self) -> str:
        plain = unquote(re.sub(r"\\(.)", r"\1", self.target))
        plain = re.sub(r"^.*?/workspaces/[^/?]*|^/azureml-blobstore[^/?]*", "", plain)
        plain = re.sub(r"\[0-9a-f\]\{\d+\}|d\{8\}|-\?d\*|d\+", "*", plain)
        path, _, query = plain.partition("?")
        asked = [part for part in query.split("&") if part.startswith(("comp=", "prefix="))]
        where = self.host.replace("\\", "").partition(".")[0]
        return f"{self.method} {where} {path or '/'}{'?' if asked else ''}{'&'.join(asked)}"


@dataclass(frozen=True)
class Place:
    """The call of that kind which comes as number `nth`, from 1 on, in a release; `position` orders them."""

    site: Site
    nth: int
    position: int

    def __str__(self) -> str:
        return f"{self.site} #{self.nth}"


def site_of(call: Mapping[str, Any]) -> Site:
    """The kind of call that an entry of the journal is."""
    return Site(_expression(call["host"]), _expression(call["target"]), call["method"])


def places_of(calls: Iterable[Mapping[str, Any]]) -> list[Place]:
    """The places of one release, in order. Of calls that come again and again: the first two, the middle and the last.

    A write is another thing each time (an event, another lock): of those there are the first eight.
    """
    made = [site_of(call) for call in calls if call["method"] != "CONNECT"]
    counts, seen = Counter(made), Counter[Site]()
    places = []
    for position, site in enumerate(made):
        seen[site] += 1
        if seen[site] in _chosen(site, counts[site]):
            places.append(Place(site, seen[site], position))
    return places


def _chosen(site: Site, count: int) -> Sequence[int]:
    if site.method in ("PUT", "DELETE"):
        return range(1, min(count, 8) + 1)
    return sorted({1, min(2, count), count // 2 + 1, count})


def _expression(text: str) -> str:
    """An expression for this text and for its like in other releases."""
    made, end = "", 0
    for found in re.finditer("|".join(f"(?:{one})" for one in _CHANGING), text):
        like = next(one for one in _CHANGING if re.fullmatch(one, found[0]))
        made += re.escape(text[end : found.start()]) + like
        end = found.end()
    return made + re.escape(text[end:])
