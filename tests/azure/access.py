"""Who may do what: bearer tokens, and the actions that a principal was granted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import Host
from tests.azure.routing import Call, Refused
from tests.azure.tenancy import TENANT, BadToken

_VERBS: Final = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


@dataclass(frozen=True)
class Grant:
    """What a role assignment allows, in Azure's words: patterns with `*`."""

    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        named = action.lower()
        return any(fnmatch(named, p.lower()) for p in self.actions) and not any(
            fnmatch(named, p.lower()) for p in self.not_actions
        )


def signed_in(cloud: Cloud, host: Host, call: Call) -> Call:
    """The call with its principal. Refuses with 401 and a challenge, as ARM does."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "Authentication failed. The 'Authorization' header is missing."
        raise Refused(401, "AuthenticationFailed", message, _challenge(None))
    try:
        return replace(call, principal=cloud.tenancy.read(token, host.audiences or ()))
    except BadToken as problem:
        raise Refused(401, problem.code, problem.message, _challenge(problem.message)) from problem


def _challenge(problem: str | None) -> dict[str, str]:
    error = f', error="invalid_token", error_description="{problem}"' if problem else ""
    return {"WWW-Authenticate": f'Bearer authorization_uri="https://login.windows.net/{TENANT}"{error}'}


def action(call: Call) -> str | None:
    """The ARM action that the call is, e.g. Microsoft.MachineLearningServices/workspaces/jobs/write."""
    found = re.search(r".*/providers/(Microsoft\.\w+)/(.+?)/?\Z", call.path, re.IGNORECASE)
    if found is None:
        return None
    provider, rest = found[1], found[2].split("/")
    if call.method == "POST":
        return "/".join([provider, *rest[:-1:2], rest[-1], "action"])
    return "/".join([provider, *rest[::2], _VERBS.get(call.method, "read")])


def allowed(cloud: Cloud, call: Call) -> None:
    """Refuses with 403 what the principal was not granted. Wording: ARM's AuthorizationFailed."""
    if call.principal is None or "management" not in call.host:
        return
    wanted = action(call)
    grant: Grant | None = cloud.grants.get(call.principal.client_id)
    if wanted is None or grant is None or grant.allows(wanted) or "microsoft.authorization" in wanted.lower():
        return
    message = (
        f"The client '{call.principal.client_id}' with object id '{call.principal.object_id}' does not have "
        f"authorization to perform action '{wanted}' over scope '{call.path}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials."
    )
    raise Refused(403, "AuthorizationFailed", message)
