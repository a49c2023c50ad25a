"""An endpoint's JSON: made anew, sent back whole, changed in one thing. Pure.

PUT replaces the whole resource: what is not sent is lost, traffic included. So what came is sent back, but for what
the published type of 2022-02-01-preview marks as read-only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from ctrain.backends.azureml.bodies import Json, JsonValue, find, section, text, texts
from ctrain.errors import Conflict
from ctrain.rollout import live
from ctrain.serving import AuthMode, Deployment, Traffic

OWNER: Final = "ctrain"
"""The tag that says that ctrain made a thing; its value is the version of what else is tagged."""

AUTH_MODES: Final[Mapping[AuthMode, str]] = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}

MIRROR_LIMIT: Final = 50
"""Percent of live requests. Source: "Safe rollout of new deployments to online endpoints" on Microsoft Learn."""

_ENVELOPE: Final = frozenset({"id", "name", "type", "systemData", "apiVersion"})
_READ_ONLY: Final = frozenset({"provisioningState", "scoringUri", "swaggerUri"})
_OF_IDENTITY: Final = frozenset({"principalId", "tenantId", "clientId"})


def new_endpoint(location: str, auth_mode: AuthMode, identity: Sequence[str]) -> Json:
    """The body of a PUT for an endpoint without deployments. `identity` are resource ids; none: the system's own."""
    who: Json = {"type": "SystemAssigned"}
    if identity:
        who = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in identity}}
    return {
        "location": location,
        "identity": who,
        "tags": {OWNER: "1"},
        "properties": {"authMode": AUTH_MODES[auth_mode], "properties": {}},
    }


def sent_back(body: Json) -> dict[str, JsonValue]:
    """What a PUT must hold to change nothing. What is null is not there."""
    kept: dict[str, JsonValue] = {
        key: value for key, value in body.items() if key not in _ENVELOPE and value is not None
    }
    settings = section(body, "properties").items()
    kept["properties"] = {key: value for key, value in settings if key not in _READ_ONLY and value is not None}
    identity = section(body, "identity")
    if identity:
        kept["identity"] = _identity(identity)
    return kept


def _identity(identity: Json) -> Json:
    kept = {key: value for key, value in identity.items() if key not in _OF_IDENTITY}
    users = section(identity, "userAssignedIdentities")
    if users:
        kept["userAssignedIdentities"] = {one: {} for one in users}
    return kept


def with_traffic(body: Json, traffic: Traffic) -> Json:
    """To send: the endpoint as it came, with that split. Those that carry nothing are left out, as the SDK does."""
    return _with(body, "traffic", traffic)


def with_mirror(body: Json, mirror: Traffic) -> Json:
    """To send: the endpoint as it came, with that much of its traffic copied."""
    return _with(body, "mirrorTraffic", mirror)


def _with(body: Json, key: str, shares: Traffic) -> Json:
    kept = sent_back(body)
    kept["properties"] = {**section(kept, "properties"), key: dict(live(shares))}
    return kept


def shares(body: Json, key: str = "traffic") -> dict[str, int]:
    """Percent by deployment, names in lower case: Azure compares them without case."""
    found = section(body, "properties", key)
    return {name.lower(): int(share) for name, share in found.items() if isinstance(share, int | float)}


def state_of(body: Json | None) -> str:
    """The provisioning state, as Azure spells it; empty where there is none."""
    return (text(body, "properties", "provisioningState") or "").capitalize()


def operation_of(body: Json | None) -> str:
    """Where Azure tells how the last operation on a resource went; empty where it does not say."""
    return text(body, "properties", "properties", "AzureAsyncOperationUri") or ""


def is_ours(body: Json) -> bool:
    """Whether ctrain made it."""
    return OWNER in texts(body, "tags")


def changes(before: Json, after: Json) -> list[str]:
    """What somebody changed of an endpoint in between, in words."""
    one, two = sent_back(before), sent_back(after)
    keys = ("traffic", "mirrorTraffic", "authMode", "description", "publicNetworkAccess", "compute")
    pairs = [(key, find(one, "properties", key), find(two, "properties", key)) for key in keys]
    pairs += [(key, one.get(key), two.get(key)) for key in ("tags", "identity", "kind", "sku")]
    return [f"{key}: {_shown(old)} became {_shown(new)}" for key, old, new in pairs if (old or None) != (new or None)]


def _shown(value: JsonValue) -> str:
    """A split as we tell one; anything else as Azure has it."""
    if isinstance(value, Mapping) and value and all(isinstance(percent, int) for percent in value.values()):
        return told({name: int(str(percent)) for name, percent in value.items()})
    return json.dumps(value) if value else "none"


def merged(endpoint: str, current: Traffic, wanted: Traffic, deployments: Mapping[str, Deployment]) -> dict[str, int]:
    """The whole split that results. Raises Conflict for what Azure would refuse.

    Names in `deployments` are those of lower case.
    """
    split = {**current, **{name.lower(): percent for name, percent in wanted.items()}}
    if any(percent < 0 for percent in split.values()) or sum(split.values()) not in {0, 100}:
        raise Conflict(
            f"the traffic of {endpoint} cannot be set so",
            why=f"it would sum to {sum(split.values())}%: {told(split)}",
            hint="give shares that sum to 100, or to 0",
        )
    for name in live(split):
        found = deployments.get(name)
        if found is None or not found.healthy:
            raise Conflict(
                f"{name} cannot take traffic of {endpoint}",
                why="there is no such deployment"
                if found is None
                else f"its state is {found.state}, so it is not ready",
                hint="place it, and wait until it is healthy",
            )
    return split


def check_unmirrored(endpoint: str, split: Traffic, mirror: Traffic) -> None:
    """Raise Conflict where one would answer live requests and get copies of them: Azure refuses that."""
    for name in live(split):
        if mirror.get(name, 0) > 0:
            raise Conflict(
                f"{name} cannot take traffic of {endpoint}",
                why=f"{mirror[name]}% of the traffic is mirrored to it",
                hint="end the mirroring first",
            )


def check_mirror(endpoint: str, mirror: Traffic, live_split: Traffic, deployments: Mapping[str, Deployment]) -> None:
    """Raise Conflict for what Azure would refuse to mirror."""
    copied = live(mirror)
    name, percent = next(iter(copied.items()), ("", 0))
    problem = None
    if len(copied) > 1:
        problem = "traffic can be mirrored to one deployment only"
    elif percent > MIRROR_LIMIT:
        problem = f"at most {MIRROR_LIMIT}% can be mirrored"
    elif copied and (name not in deployments or not deployments[name].healthy):
        problem = f"{name} is not healthy"
    elif live_split.get(name, 0) > 0:
        problem = f"{name} answers live requests"
    if problem:
        hint = "mirror to one healthy deployment at 0%"
        raise Conflict(f"the traffic of {endpoint} cannot be mirrored so", why=problem, hint=hint)


def told(split: Traffic) -> str:
    """A split in words: "blue 90%, green 10%"."""
    return ", ".join(f"{name} {percent}%" for name, percent in split.items()) or "none"
