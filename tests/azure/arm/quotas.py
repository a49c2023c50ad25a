"""Sizes of machines in a region, and how many cores of each family a subscription may have there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.hosts import ARM, CONTROL
from tests.azure.paging import paged
from tests.azure.routing import LOCATION, Body, Call, Reply, Routes
from tests.azure.serving.quota import reserved
from tests.azure.serving.state import Region

routes = Routes(ARM)
control = Routes(CONTROL)

DEFAULT_LIMIT: Final = 100
TOTAL: Final = "TotalDedicatedCores"


@dataclass(frozen=True)
class Size:
    """One size of machine; memory in GB."""

    name: str
    family: str
    cores: int
    memory: float
    gpus: int = 0


SIZES: Final = (
    Size("Standard_DS1_v2", "standardDSv2Family", 1, 3.5),
    Size("Standard_DS2_v2", "standardDSv2Family", 2, 7),
    Size("Standard_DS3_v2", "standardDSv2Family", 4, 14),
    Size("Standard_DS4_v2", "standardDSv2Family", 8, 28),
    Size("Standard_DS5_v2", "standardDSv2Family", 16, 56),
    Size("Standard_F2s_v2", "standardFSv2Family", 2, 4),
    Size("Standard_F4s_v2", "standardFSv2Family", 4, 8),
    Size("Standard_F8s_v2", "standardFSv2Family", 8, 16),
    Size("Standard_E4s_v3", "standardESv3Family", 4, 32),
    Size("Standard_NC6s_v3", "standardNCSv3Family", 6, 112, 1),
)


class Limits:
    """What control set: cores by region and family."""

    def __init__(self, cloud: Cloud) -> None:
        self.cores: dict[tuple[str, str], int] = {}


def used(cloud: Cloud, subscription: str, location: str) -> Counter[str]:
    """Cores by family that the online deployments of the subscription hold in the region."""
    families = {size.name.lower(): size.family for size in SIZES}
    counted: Counter[str] = Counter()
    for (region, _), endpoint in cloud.part(Region).endpoints.items():
        if region != location.lower() or endpoint.workspace.address.subscription_id.lower() != subscription.lower():
            continue
        for deployment in endpoint.deployments.values():
            size = str(deployment.settings.get("instanceType", ""))
            if family := families.get(size.lower()):
                counted[family] += reserved(size, deployment.instances)
    return counted


def _rows(cloud: Cloud, call: Call) -> list[tuple[str, int, int]]:
    """(family or total, cores in use, limit)."""
    location = call.params["location"].lower()
    inside = used(cloud, call.params["subscription"], location)
    limits = cloud.part(Limits).cores
    families = sorted({size.family for size in SIZES})
    named = [(TOTAL, inside.total()), *((family, inside[family]) for family in families)]
    return [(name, count, limits.get((location, name), DEFAULT_LIMIT)) for name, count in named]


@routes.get(LOCATION + "/usages")
def usages(cloud: Cloud, call: Call) -> Reply:
    """Cores in use and the limit, by family."""
    return paged(call, [_usage(call, *row) for row in _rows(cloud, call)])


def _usage(call: Call, name: str, count: int, limit: int) -> Body:
    provider = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.MachineLearningServices"
    spoken = "Total Cluster Dedicated Regional vCPUs" if name == TOTAL else f"{name} Cluster Dedicated vCPUs"
    return {
        "id": f"{provider}/locations/{call.params['location']}/usages/{name}",
        "type": "Microsoft.MachineLearningServices/usages",
        "amlWorkspaceLocation": call.params["location"],
        "unit": "Count",
        "currentValue": count,
        "limit": limit,
        "name": {"value": name, "localizedValue": spoken},
    }


@routes.get(LOCATION + "/quotas")
def quotas(cloud: Cloud, call: Call) -> Reply:
    """The limits by family."""
    shown = []
    for row in _rows(cloud, call):
        usage = _usage(call, *row)
        usage["id"] = usage["id"].replace("/usages/", "/quotas/")
        shown.append({key: usage[key] for key in ("id", "type", "amlWorkspaceLocation", "unit", "limit", "name")})
    return paged(call, shown)


@routes.get(LOCATION + "/vmSizes")
def sizes(cloud: Cloud, call: Call) -> Reply:
    """The sizes of machines that there are."""
    return Reply(200, {"value": [_described(size) for size in SIZES]})


def _described(size: Size) -> Body:
    return {
        "name": size.name,
        "family": size.family,
        "vCPUs": size.cores,
        "gpus": size.gpus,
        "osVhdSizeMB": 1_047_552,
        "maxResourceVolumeMB": int(size.memory * 2048),
        "memoryGB": size.memory,
        "lowPriorityCapable": True,
        "premiumIO": True,
        "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
    }


@control.put("/limits/{location}/{family}")
def limit(cloud: Cloud, call: Call) -> Reply:
    """{"cores": n}: how many cores of that family (or TotalDedicatedCores) there may be in the region."""
    cloud.part(Limits).cores[call.params["location"].lower(), call.params["family"]] = int(call.json()["cores"])
    return Reply(204)
