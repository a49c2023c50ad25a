"""Whether the stages have a name and room: endpoints, and cores for the old and the new deployment side by side."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ctrain.backends.azureml.bodies import number, text
from ctrain.backends.azureml.examination.checks import checked
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.rollout import Stage
from ctrain.verdict import Finding

ENDPOINTS: Final = "2022-02-01-preview"
DEPLOYMENTS: Final = "2023-04-01-preview"
LOCATIONS: Final = "2024-10-01-preview"

RESERVE: Final = 1.2
"""Azure ML reserves a fifth more instances, for upgrades. Source: "Virtual machine quota allocation for deployment",
Microsoft Learn."""

Place = tuple[Stage, AzureWorkspace]
"""A stage, and the workspace that its endpoint is in."""


def endpoints(places: Sequence[Place]) -> Iterator[Finding]:
    """Whether each stage's endpoint is ours, or its name still free in the region."""
    for stage, workspace in places:
        yield checked(f"endpoint {stage.endpoint}", partial(_endpoint, stage, workspace))


def _endpoint(stage: Stage, workspace: AzureWorkspace) -> str:
    body = workspace.arm.get(f"onlineEndpoints/{stage.endpoint}", ENDPOINTS)
    if body is not None:
        state = text(body, "properties", "provisioningState")
        if state == "Failed":
            hint = f"look at it in the Studio; if it never served, az ml online-endpoint delete --name {stage.endpoint}"
            raise PlatformUnavailable(f"the endpoint {stage.endpoint} is broken", why="its state is Failed", hint=hint)
        return f"there, in {workspace.address}, {state}"
    location = workspace.facts.location
    if _somebodys(f"https://{stage.endpoint}.{location}.{workspace.cloud.inference_suffix}/"):
        raise UsageError(
            f"the name {stage.endpoint} is taken",
            why=f"names of endpoints are one to a region, and somebody else has this one in {location}",
            hint=f"choose another `stages.{stage.name}.endpoint`",
        )
    return f"not there yet; its name is free in {location}"


def _somebodys(url: str) -> bool:
    """Whether an endpoint answers under that name: it asks who we are, where nobody is a name that leads nowhere."""
    import httpx

    try:
        answer = httpx.get(url, timeout=10, follow_redirects=False)
    except httpx.HTTPError:
        return False
    return answer.status_code in {401, 403}


@dataclass(frozen=True)
class Size:
    """A size of machine: its quota's family, and its cores."""

    family: str
    cores: int


def quota(places: Sequence[Place]) -> Iterator[Finding]:
    """For each region: whether the cores that all stages take at most are there, beside what others use."""
    regions: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for stage, workspace in places:
        regions[workspace.address.subscription_id, workspace.facts.location].append((stage, workspace))
    for (subscription, location), there in regions.items():
        yield checked(f"quota {location}", partial(_room, subscription, location, there))


def _room(subscription: str, location: str, places: Sequence[Place]) -> str:
    """Raises PlatformUnavailable where a family has too few cores left."""
    arm = places[0][1].arm.below(
        f"/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
    )
    sizes = {
        (text(body, "name") or "").lower(): Size((text(body, "family") or "").lower(), int(number(body, "vCPUs") or 0))
        for body in arm.list("vmSizes", LOCATIONS)
    }
    wanted, held = _wanted(places, sizes, location), _held(places, sizes)
    short: list[str] = []
    roomy: list[str] = []
    for body in arm.list("usages", LOCATIONS):
        family = (text(body, "name", "value") or "").lower()
        if family not in wanted:
            continue
        free = max(0, int((number(body, "limit") or 0) - (number(body, "currentValue") or 0)))
        more = max(0, wanted[family] - held[family])
        unlimited = number(body, "limit") == -1
        told = f"{family}: {more} cores more at most, {'no limit' if unlimited else f'{free} free'}"
        (short if more > free and not unlimited else roomy).append(told)
    if short:
        raise PlatformUnavailable(
            f"there are too few cores in {location}",
            why=f"old and new deployments of all stages side by side need more ({'; '.join(short)})",
            hint="ask for more quota in the Studio, or choose smaller `deployment.instance_type` or `instance_count`",
        )
    return "; ".join(roomy) or "Azure tells no limit for these sizes"


def _wanted(places: Sequence[Place], sizes: Mapping[str, Size], location: str) -> Counter[str]:
    """Cores by family, for two deployments of each stage."""
    wanted: Counter[str] = Counter()
    for stage, _ in places:
        settings = stage.deployment
        size = sizes.get(settings.instance_type.lower())
        if size is None:
            raise UsageError(
                f"there is no {settings.instance_type} in {location}",
                why=f"Azure ML has no machines of that size there (stage {stage.name})",
                hint="choose another `deployment.instance_type`",
            )
        wanted[size.family] += 2 * math.ceil(RESERVE * settings.instance_count) * size.cores
    return wanted


def _held(places: Sequence[Place], sizes: Mapping[str, Size]) -> Counter[str]:
    """Cores by family that our stages' deployments hold already; they are in Azure's count of what is used."""
    held: Counter[str] = Counter()
    for stage, workspace in places:
        if workspace.arm.get(f"onlineEndpoints/{stage.endpoint}", ENDPOINTS) is None:
            continue
        for body in workspace.arm.list(f"onlineEndpoints/{stage.endpoint}/deployments", DEPLOYMENTS):
            size = sizes.get((text(body, "properties", "instanceType") or "").lower())
            instances = number(body, "sku", "capacity") or 1
            if size is not None:
                held[size.family] += math.ceil(RESERVE * instances) * size.cores
    return held


def store(workspace: AzureWorkspace) -> str:
    """Whether the workspace's default store opens: the ledger is there."""
    with translated("read the workspace's default store", needs="Storage Blob Data Contributor on its account"):
        next(iter(workspace.blobs.list_blobs(name_starts_with="ctrain/", results_per_page=1)), None)
    return f"{workspace.store.name} opens, by {_by(workspace.store.credentials)}"


def _by(credentials: str) -> str:
    return {"AccountKey": "its account's key", "Sas": "its signature"}.get(credentials, "our own sign-in")
