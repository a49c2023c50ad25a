"""Why Azure says that an endpoint or a deployment failed, in our words. Pure.

Codes and what is behind them: "Troubleshoot online endpoint deployment and scoring" on Microsoft Learn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ctrain.backends.azureml.bodies import Json, items, section, text
from ctrain.errors import CtrainError, NotAllowed, PlatformUnavailable, UsageError
from ctrain.secrecy import without_secrets


class Cause(StrEnum):
    """What was in the way; the value is how it is told."""

    IMAGE = "the image of its environment could not be built"
    QUOTA = "there is not enough quota"
    CAPACITY = "Azure has no capacity for that size in the region now"
    NOT_READY = "its container crashed, or did not become ready in time (its probes, or `init()`)"
    NOT_ALLOWED = "the endpoint's identity is not allowed to get at what it needs"
    ARGUMENT = "Azure did not accept what was asked for"
    NOT_FOUND = "something that it needs is not there"
    NETWORK = "the workspace's managed network is not ready"
    SECRETS = "its secrets could not be read"
    CANCELED = "another operation took its place"
    INTERNAL = "Azure had an error of its own"
    UNKNOWN = "Azure does not say why"


HINTS: Final[dict[Cause, str]] = {
    Cause.IMAGE: "read the build log that Azure names, and pin what the conda file asks for",
    Cause.QUOTA: "free some, ask for more quota, or choose a smaller instance type",
    Cause.CAPACITY: "try again later, or choose another instance type or region",
    Cause.NOT_READY: "read the log; give the probes more time where it is only slow",
    Cause.NOT_ALLOWED: "give the identity Storage Blob Data Reader on the storage account and AcrPull on the registry",
    Cause.ARGUMENT: "correct what Azure names",
    Cause.NOT_FOUND: "check the names in ctrain.yaml, and that the registry and the storage account can be reached",
    Cause.NETWORK: "run `az ml workspace provision-network`, and try again",
    Cause.SECRETS: "let the endpoint's identity read the workspace's connections",
    Cause.CANCELED: "try again in a minute",
    Cause.INTERNAL: "try again; if it stays, ask Azure's support",
    Cause.UNKNOWN: "read the log, and the endpoint's page in the Studio",
}

_BY_CODE: Final = {
    "imagebuildfailure": Cause.IMAGE,
    "outofquota": Cause.QUOTA,
    "outofcapacity": Cause.CAPACITY,
    "resourcenotready": Cause.NOT_READY,
    "scoringcontainererror": Cause.NOT_READY,
    "badargument": Cause.ARGUMENT,
    "resourcenotfound": Cause.NOT_FOUND,
    "workspacemanagednetworknotready": Cause.NETWORK,
    "secretsinjectionerror": Cause.SECRETS,
    "operationcanceled": Cause.CANCELED,
    "internalservererror": Cause.INTERNAL,
    "authorizationfailed": Cause.NOT_ALLOWED,
    "linkedauthorizationfailed": Cause.NOT_ALLOWED,
}
_CODE: Final = re.compile(r"\W*([A-Z][A-Za-z]+)\s*:")
_ALLOWED: Final = re.compile(r"authori[sz]ation|role assignment|not authorized|access denied|permission|\b403\b", re.I)
_CAPACITY: Final = re.compile(r"\bcapacity\b", re.I)


@dataclass(frozen=True)
class Failure:
    """Why an operation failed. `said` is what Azure said, in one line without secrets; empty where it said nothing."""

    cause: Cause
    said: str = ""

    def __str__(self) -> str:
        return f"{self.cause}: {self.said}" if self.said else str(self.cause)

    def error(self, what: str) -> CtrainError:
        """As an error of ours."""
        why, hint = str(self), HINTS[self.cause]
        match self.cause:
            case Cause.NOT_ALLOWED | Cause.SECRETS:
                return NotAllowed(what, why=why, hint=hint)
            case Cause.ARGUMENT | Cause.NOT_FOUND:
                return UsageError(what, why=why, hint=hint)
            case _:
                return PlatformUnavailable(what, why=why, hint=hint)


def failure_of(operation: Json | None, *, canceled: bool = False) -> Failure:
    """From what an operation's status says (`error` with code, message, details)."""
    told = [(code, words) for code, words in _sayings(section(operation, "error")) if code or words]
    for code, words in told:
        cause = _cause(code, words)
        if cause is not None:
            return Failure(cause, _one_line(code, words))
    said = _one_line(*told[0]) if told else ""
    return Failure(Cause.CANCELED if canceled else Cause.UNKNOWN, said)


def _sayings(error: Json, depth: int = 0) -> list[tuple[str, str]]:
    """Code and message of an error and of those inside it."""
    found = [(text(error, "code") or "", text(error, "message") or "")]
    for one in items(error, "details") if depth < 4 else ():
        if isinstance(one, dict):
            found += _sayings(one, depth + 1)
    inner = section(error, "innerError") or section(error, "innererror")
    return found + (_sayings(inner, depth + 1) if inner and depth < 4 else [])


def _cause(code: str, words: str) -> Cause | None:
    """The code may be a field of its own, or the first word of the message (seen in Azure/mlops-v2#120)."""
    head = _CODE.match(words)
    known = _BY_CODE.get(code.lower()) or (_BY_CODE.get(head[1].lower()) if head else None)
    match known:
        case Cause.ARGUMENT | Cause.NOT_FOUND if _ALLOWED.search(words):
            return Cause.NOT_ALLOWED
        case Cause.QUOTA if _CAPACITY.search(words):
            return Cause.CAPACITY
    return known


def _one_line(code: str, words: str) -> str:
    """What was said, without the trail to the troubleshooting page, which says what we say."""
    line = " ".join(without_secrets(words).split())
    line = re.sub(r"\s*Please see troubleshooting guide, available here:\s*\S+", "", line)[:600].rstrip(". ")
    return line if not code or code.lower() in line.lower() else f"{code}: {line}" if line else code
