"""Bodies held to Microsoft's published resource types, where these are at hand.

The types are not part of this repository: their folder is found beside the checkout, or by CTRAIN_AZURE_CONTRACT.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.azure.routing import Call, Reply

Violations = Callable[[str, str, str, Any], list[str]]

PROVIDER: Final = re.compile(r"/providers/Microsoft\.MachineLearningServices/(.+?)/?\Z", re.IGNORECASE)
CAMEL: Final = {"onlineendpoints": "onlineEndpoints", "batchendpoints": "batchEndpoints"}


@dataclass(frozen=True)
class Deviation:
    """What the real SDK sends, or the real service answers, against the published type; and why it is let through."""

    resource: str
    direction: str
    problem: str
    reason: str


KNOWN: Final = (
    Deviation(
        "workspaces/codes/versions",
        "request",
        r"\.properties\.properties\.hash_version: \w+ where a string is expected",
        "azure-ai-ml 1.35.2 sends the version of its content hash as a number.",
    ),
    Deviation(
        "registries",
        "request",
        r"\.properties\.managedResourceGroupTags: no such property",
        "azure-ai-ml 1.35.2 sends it at 2022-10-01-preview; later versions have it, and the service was recorded so.",
    ),
)


def folder() -> Path | None:
    """Where the published types are, or None."""
    named = os.environ.get("CTRAIN_AZURE_CONTRACT")
    found = Path(named) if named else Path(__file__).parents[3] / "shared" / "azure-contract"
    return found if (found / "check.py").is_file() else None


@cache
def _checker() -> Violations | None:
    place = folder()
    if place is None:
        return None
    spec = importlib.util.spec_from_file_location("azure_contract_check", place / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    violations: Violations = module.violations
    return violations


@dataclass(frozen=True)
class Judged:
    """One body of a resource: whose, at which version, in which direction."""

    resource: str
    api_version: str
    direction: str


class Contract:
    """Counts what was judged, and keeps what was wrong."""

    def __init__(self) -> None:
        self.judged: Counter[Judged] = Counter()
        self.unpublished: Counter[Judged] = Counter()
        self.tolerated: Counter[tuple[str, str]] = Counter()
        self.violations: dict[str, int] = {}

    def judge(self, call: Call, reply: Reply) -> None:
        """Look at the bodies of one exchange with ARM: a resource that is PUT, or what GET and the lists give."""
        checker = _checker()
        place = PROVIDER.search(call.path)
        if checker is None or place is None:
            return
        for resource, direction, body in _bodies(place[1].split("/"), call, reply):
            what = Judged(resource, call.api_version, direction)
            try:
                found = checker(call.api_version, resource, direction, body)
            except LookupError:
                self.unpublished[what] += 1
                continue
            self.judged[what] += 1
            for problem in found:
                self._note(what, problem)

    def _note(self, what: Judged, problem: str) -> None:
        for known in KNOWN:
            same = (known.resource, known.direction) == (what.resource, what.direction)
            if same and re.search(known.problem, problem):
                self.tolerated[what.resource, known.reason] += 1
                return
        line = f"{what.resource} {what.api_version} {what.direction}: {problem}"
        self.violations[line] = self.violations.get(line, 0) + 1

    def listed(self) -> dict[str, Any]:
        """For control: counts per resource, api-version and direction; what was wrong, and how often."""
        return {
            "available": folder() is not None,
            "judged": [[w.resource, w.api_version, w.direction, n] for w, n in sorted(self.judged.items(), key=str)],
            "unpublished": [[w.resource, w.api_version, w.direction, n] for w, n in self.unpublished.items()],
            "tolerated": [[resource, reason, n] for (resource, reason), n in self.tolerated.items()],
            "violations": self.violations,
        }


def _bodies(parts: list[str], call: Call, reply: Reply) -> Iterator[tuple[str, str, Any]]:
    """(resource type, direction, body) of what is a resource in this exchange."""
    resource = "/".join(CAMEL.get(part.lower(), part) for part in parts[::2])
    one = len(parts) % 2 == 0
    if one and call.method == "PUT":
        yield resource, "request", _parsed(call.body)
    if call.method not in ("GET", "PUT", "PATCH") or reply.status not in (200, 201, 202):
        return
    if one and isinstance(reply.body, dict) and "properties" in reply.body:
        yield resource, "response", reply.body
    if not one and isinstance(reply.body, dict):
        for item in reply.body.get("value", []):
            if isinstance(item, dict) and "properties" in item:
                yield resource, "response", item


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
