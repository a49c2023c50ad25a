"""What a subscription may have in a region: endpoints, and the cores of its deployments.

Sources: "Manage and increase quotas for resources" on Microsoft Learn (100 endpoints; a fifth more cores than the
instances have is reserved), and the wording of the refusals in MicrosoftLearning/mslearn-azure-ml#30 and
Azure/azureml-examples#1635.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from typing import Final

from tests.azure.cloud import Cloud, Workspace
from tests.azure.routing import Refused
from tests.azure.serving.rules import invalid
from tests.azure.serving.state import Deployment, Endpoint, Region, Settings

_SMALL: Final = {"DS1_V2": 1, "DS2_V2": 2, "DS3_V2": 4, "DS4_V2": 8, "DS5_V2": 16}
RESERVE: Final = 1.2
"""Instances are counted a fifth more, for upgrades."""


def cores(instance_type: str) -> int:
    """Cores of one instance, from the name of its size: `Standard_F4s_v2` has four."""
    size = instance_type.upper().removeprefix("STANDARD_")
    if size in _SMALL:
        return _SMALL[size]
    found = re.match(r"[A-Z]+(\d+)", size)
    return int(found[1]) if found else 4


def reserved(instance_type: str, instances: int) -> int:
    """Cores that so many instances take from the quota."""
    return math.ceil(RESERVE * instances) * cores(instance_type)


def used_cores(cloud: Cloud, workspace: Workspace, sizes: Collection[str], but: Deployment | None = None) -> int:
    """Cores that deployments of the subscription hold in the region, of these sizes (in lower case)."""
    return sum(
        reserved(size, deployment.instances)
        for endpoint in in_region(cloud, workspace)
        for deployment in endpoint.deployments.values()
        if deployment is not but and (size := str(deployment.settings.get("instanceType", "")).lower()) in sizes
    )


def check_cores(cloud: Cloud, workspace: Workspace, instance_type: str, instances: int, but: Deployment | None) -> None:
    """Refuses what goes past the quota of the machine's family; only a quota that a test has set is kept to."""
    from tests.azure.arm.quotas import SIZES, Limits  # quotas tells what is in use here

    families = {size.name.lower(): size.family for size in SIZES}
    family = families.get(instance_type.lower(), "")
    limit = cloud.part(Limits).cores.get((workspace.location.lower(), family))
    if limit is None:
        return
    sizes = [name for name, other in families.items() if other == family]
    used, wanted = used_cores(cloud, workspace, sizes, but), reserved(instance_type, instances)
    if used + wanted > limit:
        raise out_of_cores(workspace, instance_type, used, limit, wanted)


def out_of_cores(workspace: Workspace, instance_type: str, used: int, limit: int, wanted: int) -> Refused:
    """The refusal itself."""
    return invalid(
        "VmSize",
        f"Not enough quota available for {instance_type} in SubscriptionId {workspace.address.subscription_id}. "
        f"Current usage/limit: {used}/{limit}. Additional needed: {wanted} "
        "Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-outofquota",
        "InferencingClientCreateDeploymentFailed",
    )


def check_endpoints(cloud: Cloud, workspace: Workspace) -> None:
    """Refuses an endpoint more than the subscription may have in the region."""
    limit = cloud.part(Settings).endpoints_limit
    used = sum(1 for _ in in_region(cloud, workspace))
    if used >= limit:
        message = (
            f"Endpoint Quota reached for subscription {workspace.address.subscription_id}.Current usage/limit: "
            f"{used}/{limit}.Please clean up existing endpoints and try again"
        )
        raise Refused(400, "InferencingClientCallFailed", message)


def in_region(cloud: Cloud, workspace: Workspace) -> Iterator[Endpoint]:
    """The subscription's endpoints in the workspace's region."""
    for (region, _), endpoint in cloud.part(Region).endpoints.items():
        same = endpoint.workspace.address.subscription_id.lower() == workspace.address.subscription_id.lower()
        if region == workspace.location.lower() and same:
            yield endpoint
