"""Lists in pages, with the next page's link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from tests.azure.routing import Call, Refused, Reply

PAGE: Final = 100


def paged(call: Call, items: Sequence[Any], page: int = PAGE, skip: str = "$skipToken") -> Reply:
    """{"value": [...], "nextLink": ...}; `$top` and `$skipToken` of the query say which part."""
    query = {name.lower(): value for name, value in call.query.items()}
    try:
        start = int(query.get(skip.lower(), "0"))
        top = int(query.get("$top", query.get("top", page)))
    except ValueError:
        raise Refused(400, "InvalidParameter", "The skip token or page size is not a number.") from None
    end = start + max(1, min(top, page))
    body: dict[str, Any] = {"value": list(items[start:end])}
    if end < len(items):
        kept = {name: value for name, value in call.query.items() if name.lower() != skip.lower()}
        body["nextLink"] = f"https://{call.host}{call.path}?{urlencode({**kept, skip: end}, safe='$')}"
    return Reply(200, body)
