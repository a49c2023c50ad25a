"""What the service refuses before it starts anything: names, limits, traffic. Pure.

Sources: "Manage and increase quotas for resources" (names, numbers) and "Safe rollout of online endpoints" (traffic,
mirroring) on Microsoft Learn. How the refusals are worded and wrapped was seen in public reports of the service's
answers: MicrosoftLearning/mslearn-azure-ml#30 (the envelope), Azure/azureml-examples#1931 (a taken name),
Azure/azureml-examples#1635 (too many endpoints), Azure/azure-sdk-for-net#36961 (a busy endpoint). The wording of
the refusals about traffic is ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from tests.azure.routing import Refused

MIRROR_LIMIT: Final = 50
"""Percent of live requests."""

DEPLOYMENTS_PER_ENDPOINT: Final = 20
INSTANCES_PER_DEPLOYMENT: Final = 50
LONGEST_REQUEST_MS: Final = 180_000
LONGEST_PROBE_SECONDS: Final = 300
BUSY: Final = frozenset({"Creating", "Updating", "Deleting", "Scaling"})
"""Provisioning states in which nothing else may be started."""

_NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")


def invalid(field: str, message: str, detail: str = "InferencingClientCallFailed") -> Refused:
    """A 400 of the service behind ARM: its own JSON is the message of ARM's detail."""
    inner = {
        "errors": {field: [message]},
        "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
    }
    text = f"InferencingClient HttpRequest error, error detail: {json.dumps(inner)}"
    return Refused(400, "BadRequest", "The request is invalid.", details=[{"code": detail, "message": text}])


def missing() -> Refused:
    """A 404 of the service behind ARM, as in Azure/azure-cli-extensions#7107."""
    detail = {"code": "InferencingClientCallFailed", "message": '{"title":"Not Found"}'}
    return Refused(404, "NotFound", "The specified resource was not found.", details=[detail])


def busy(act: str, state: str) -> Refused:
    """A 409: something else is being done to it."""
    return Refused(409, "Conflict", f"Cannot {act} because it is in {state} provisioning state.")


def check_name(name: str, kind: str) -> None:
    """3 to 32 letters, digits and single dashes; a letter first, no dash last."""
    if not 3 <= len(name) <= 32 or not _NAME.fullmatch(name):
        raise invalid(
            "Name",
            f"The {kind} name '{name}' is invalid. It must be 3 to 32 characters long, begin with a letter, hold only "
            "letters, digits and single dashes, and end with a letter or digit.",
        )


def name_taken() -> Refused:
    """Another endpoint of the region has the name, in whatever workspace."""
    return invalid(
        "", "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
        "Try some other name.",
    )  # fmt: skip


def check_traffic(traffic: Mapping[str, object], known: Collection[str], ready: Collection[str]) -> None:
    """Whole percentages that sum to 0 or 100, of deployments that are there; live ones must have come up.

    `known` and `ready` are names in lower case.
    """
    shares = _shares("Traffic", traffic)
    for name, share in shares.items():
        if name.lower() not in known:
            raise invalid("Traffic", f"Deployment {name} not found in endpoint.")
        if share and name.lower() not in ready:
            raise invalid("Traffic", f"Deployment {name} is not in a state that can take traffic.")
    if sum(shares.values()) not in (0, 100):
        raise invalid("Traffic", f"Traffic percentages must sum to 0 or 100; they sum to {sum(shares.values())}.")


def check_mirror(mirror: Mapping[str, object], traffic: Mapping[str, object], ready: Collection[str]) -> None:
    """At most one deployment, at most half of the requests, and none that answers live requests."""
    shares = {name: share for name, share in _shares("MirrorTraffic", mirror).items() if share}
    if len(shares) > 1:
        raise invalid("MirrorTraffic", "Traffic can be mirrored to one deployment only.")
    live = {name.lower() for name, share in _shares("Traffic", traffic).items() if share}
    for name, share in shares.items():
        if name.lower() not in ready:
            raise invalid("MirrorTraffic", f"Deployment {name} not found in endpoint.")
        if share > MIRROR_LIMIT:
            raise invalid("MirrorTraffic", f"At most {MIRROR_LIMIT}% of traffic can be mirrored; {share}% was asked.")
        if name.lower() in live:
            raise invalid("MirrorTraffic", f"Deployment {name} takes live traffic: it cannot be mirrored to as well.")


def check_removable(name: str, live: int, mirrored: int) -> None:
    """A deployment that takes traffic stays."""
    if live or mirrored:
        kind, share = ("traffic", live) if live else ("mirror traffic", mirrored)
        raise invalid(
            "Traffic",
            f"Deployment {name} has {share}% of {kind}. Set its {kind} to 0% before deleting the deployment.",
        )


def check_sizes(instances: object, timeout_ms: float, probes: Sequence[float]) -> None:
    """Instances, request timeout and probe durations (seconds) within the documented limits."""
    if not isinstance(instances, int) or not 1 <= instances <= INSTANCES_PER_DEPLOYMENT:
        raise invalid("Sku.Capacity", f"The instance count must be from 1 to {INSTANCES_PER_DEPLOYMENT}.")
    if not 0 < timeout_ms <= LONGEST_REQUEST_MS:
        raise invalid("RequestSettings.RequestTimeout", f"The request timeout can be {LONGEST_REQUEST_MS} ms at most.")
    for seconds in probes:
        if seconds >= LONGEST_PROBE_SECONDS:
            raise invalid(
                "Probe", f"Invalid value <{seconds:g}>. The value should be less than {LONGEST_PROBE_SECONDS}."
            )


def _shares(field: str, traffic: Mapping[str, object]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for name, share in traffic.items():
        if isinstance(share, bool) or not isinstance(share, int) or not 0 <= share <= 100:
            raise invalid(field, f"The share of {name} must be a whole number from 0 to 100.")
        shares[name] = share
    return shares
