"""What Azure's refusals mean: a status, a code and a message, made into one of our errors with the way out."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Final

from ctrain.backends.azureml.bodies import Json, items, section, text
from ctrain.errors import Conflict, CtrainError, NotAllowed, PlatformUnavailable, UsageError
from ctrain.secrecy import without_secrets

QUOTA_CODES: Final = frozenset(
    {
        "outofquota", "outofcapacity", "quotaexceeded", "resourcequotaexceeded", "clustercorequotareached",
        "skunotavailable", "allocationfailed", "zonalallocationfailed", "overconstrainedallocationrequest",
    }
)  # fmt: skip
"""Codes, lower-case, of online endpoints, clusters and machines that say: there is no room. Source: Microsoft's pages
"Troubleshoot online endpoints", "Resolve errors for SKU not available" and "Troubleshoot allocation failures"."""

STORE_KEY: Final = (
    "the storage account does not take the datastore's key or signature: if it was changed, run"
    " `az ml workspace sync-keys`, or update the datastore"
)
"""What helps where storage says AuthenticationFailed. It compares keys and signatures, no roles. Source: "Azure Storage
error codes" and `az ml workspace sync-keys` on Microsoft Learn."""

_QUOTA_WORDS: Final = re.compile(
    r"\b(out of quota|not enough quota|quota (?:exceeded|limit)|exceed\w*\s.*\bquota)", re.I
)
_ACTION: Final = re.compile(r"perform action '([^']+)'", re.I)
_SCOPE: Final = re.compile(r"over scope '([^']+)'", re.I)
_WORKSPACE: Final = re.compile(r"/resourceGroups/([^/]+)/.*/workspaces/([^/]+)", re.I)


@dataclass(frozen=True)
class Refusal:
    """Azure said no, or answered with something else. `request` is Azure's id of the request, for its support."""

    status: int
    code: str = ""
    message: str = ""
    request: str = ""

    @property
    def said(self) -> str:
        """What Azure said, in one line that tells no secret, with the request's id."""
        words = " ".join(without_secrets(self.message).split())[:600].rstrip(".")
        parts = [part for part in (self.code, words) if part]
        said = ": ".join(parts) or "it gave no reason"
        return f"Azure answered {self.status}, {said}" + (f" [request {self.request}]" if self.request else "")


def refusal_of(status: int, body: object, request: str = "") -> Refusal:
    """From a body in ARM's envelope (`error` with `code`, `message`, `details`), or storage's and run history's."""
    envelope: Json = body if isinstance(body, dict) else {}
    error = section(envelope, "error") or envelope
    code, message = text(error, "code") or "", text(error, "message") or ""
    inner = [(text(one, "code") or "", text(one, "message") or "") for one in items(error, "details")]
    quota = next((one for one in inner if _is_quota(*one)), None)
    if quota:
        return Refusal(status, quota[0] or code, _unwrapped(quota[1]) or message, request)
    inner_code = text(error, "innerError", "code")
    more = "; ".join(_unwrapped(words) for _, words in inner if words and words not in message)
    return Refusal(status, inner_code if code in {"", "UserError"} and inner_code else code,
                   f"{message}; {more}" if more else message, request)  # fmt: skip


def _unwrapped(words: str) -> str:
    """What a service behind ARM said, where ARM quotes its whole answer (seen in MicrosoftLearning/mslearn-azure-ml#30:
    `InferencingClient HttpRequest error, error detail: {"errors": {"VmSize": ["Not enough quota ..."]}, ...}`)."""
    start = words.find("{")
    try:
        quoted = json.loads(words[start:]) if start >= 0 else None
    except ValueError:
        return words
    said = [str(one) for field in section(quoted, "errors").values() if isinstance(field, list) for one in field]
    return "; ".join(said) or text(quoted, "title") or words


def _is_quota(code: str, message: str) -> bool:
    return code.lower() in QUOTA_CODES or bool(_QUOTA_WORDS.search(message))


def error_of(refusal: Refusal, doing: str, needs: str | None = None) -> CtrainError:
    """The error that a refusal is. `doing` follows "could not"; `needs` is the action that it takes."""
    what, why = f"could not {doing}", refusal.said
    if refusal.status not in {401, 403, 404, 429} and _is_quota(refusal.code, refusal.message):
        return PlatformUnavailable(what, why=why, hint="free some, ask Azure for more quota, or choose another size")
    match refusal.status:
        case status if status < 300:
            request = f" [request {refusal.request}]" if refusal.request else ""
            why = f"the answer ({status}) is none of Azure's{request}"
            return PlatformUnavailable(what, why=why, hint="try again; a proxy in between may have answered")
        case 401:
            return NotAllowed(what, why=why, hint="Azure does not accept the sign-in: run `ctrain doctor`")
        case 403:
            return _forbidden(refusal, what, needs)
        case 404 if refusal.code in {"SubscriptionNotFound", "ResourceGroupNotFound"} or _no_workspace(refusal):
            why = f"backends.azureml, or a stage's azureml, names what is not there: {why}"
            return UsageError(what, why=why, hint="correct it there, or sign in to the tenant that has it")
        case 404 | 410:
            return UsageError(what, why=why, hint="check the names under backends.azureml, and run `ctrain doctor`")
        case 409 | 412 | 304:
            hint = "somebody else may be changing it: wait a little, look at `ctrain status`, and try again"
            return Conflict(what, why=why, hint=hint)
        case 429:
            return PlatformUnavailable(
                what, why=f"Azure is throttling us; {why}", hint="wait a few minutes and run the same command again"
            )
        case 408:
            return PlatformUnavailable(what, why=why, hint="run the same command again; it continues from what is")
        case status if 400 <= status < 500:
            return UsageError(what, why=why, hint="correct what Azure names, and run it again")
    return PlatformUnavailable(what, why=why, hint="run the same command again in a while; it continues from what is")


def _no_workspace(refusal: Refusal) -> bool:
    """Whether ARM means the workspace itself, and not what was looked for in it."""
    return refusal.code == "ResourceNotFound" and bool(re.search(r"/workspaces/[^/']+'", refusal.message))


def _forbidden(refusal: Refusal, what: str, needs: str | None) -> NotAllowed:
    """403: the action that is missing, from what Azure says, else what we know that it takes."""
    if refusal.code == "RequestDisallowedByPolicy":
        return NotAllowed(what, why=refusal.said, hint="a policy of your organisation forbids it: ask who keeps it")
    if refusal.code == "AuthenticationFailed":
        return NotAllowed(what, why=refusal.said, hint=STORE_KEY)
    action = _ACTION.search(refusal.message)
    missing = action[1] if action else needs
    if missing is None:
        hint = "ask for a role on the workspace that allows it; docs/azure-ml.md lists what ctrain needs"
        return NotAllowed(what, why=refusal.said, hint=hint)
    said = replace(refusal, message="").said if action else refusal.said  # its words are the action and our names again
    scope = _SCOPE.search(refusal.message)
    where = _where(scope[1]) if scope else ""
    hint = f"ask for a role with {missing}{where}; after a role is given it takes a few minutes to count"
    return NotAllowed(what, why=f"the action {missing} is not permitted; {said}", hint=hint)


def _where(scope: str) -> str:
    """Where the role is needed: roles are given on a workspace or what is around it, not on what is in it."""
    found = _WORKSPACE.search(scope)
    return f" on the workspace {found[2]} in {found[1]}" if found else f" on {scope}"
