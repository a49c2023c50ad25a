"""The faults: what a single call meets, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


def _error(status: int, code: str, **headers: str) -> dict[str, Any]:
    """Azure's refusal with that code. The blob service says it in a header, too."""
    body = {"error": {"code": code, "message": f"{code}, on demand"}}
    return {"act": "answer", "status": status, "body": body, "headers": {"x-ms-error-code": code, **headers}}


def _throttled(**headers: str) -> dict[str, Any]:
    return _error(429, "TooManyRequests", **headers)


FAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "401": _error(401, "InvalidAuthenticationToken"),
    "403": _error(403, "AuthorizationFailed"),
    "404": _error(404, "ResourceNotFound"),
    "408": _error(408, "RequestTimeout"),
    "409": _error(409, "Conflict"),
    "412": _error(412, "ConditionNotMet"),
    "429, no Retry-After": _throttled(),
    "429, Retry-After 0": _throttled(**{"Retry-After": "0"}),
    "429, Retry-After 5": _throttled(**{"Retry-After": "5"}),
    "429, Retry-After 99999": _throttled(**{"Retry-After": "99999"}),
    "429, a date": _throttled(**{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429, garbage": _throttled(**{"Retry-After": "soon"}),
    "429, retry-after-ms": _throttled(**{"retry-after-ms": "1500"}),
    "429, x-ms-retry-after-ms": _throttled(**{"x-ms-retry-after-ms": "1500"}),
    "500": _error(500, "InternalServerError"),
    "503 three times": {**_error(503, "ServiceUnavailable"), "times": 3},
    "504 for ever": {**_error(504, "GatewayTimeout"), "times": None},
    "reset before": {"act": "reset before"},
    "lost response": {"act": "reset after"},
    "reset during": {"act": "reset during"},
    "truncated": {"act": "truncate"},
    "late": {"act": "stall", "seconds": 1.0},
    "HTML": {"act": "answer", "status": 200, "body": "<html>sign in</html>", "headers": {"Content-Type": "text/html"}},
    "empty": {"act": "answer", "status": 200, "body": ""},
    "another body": {"act": "answer", "status": 200, "body": {"value": "something else"}},
    "HTML after it took effect": {"act": "answer after", "status": 502, "body": "<html>bad gateway</html>"},
}
"""The rule (see `tests.azure.faults.Rule`) for each; once, unless `times` says otherwise."""

WAITED_OUT: Final = frozenset(name for name in FAULTS if name[:3] in {"408", "429", "500"}) | {
    "503 three times",
    "reset before",
    "late",
}
"""Faults that a release gets over by itself, wherever they are (but for a model's own answers)."""
