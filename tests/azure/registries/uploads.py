"""Where the files of a new version go, and where those of one that is there can be read."""

from __future__ import annotations

import uuid
from typing import Final

from tests.azure.cloud import Cloud
from tests.azure.registries.state import Registry
from tests.azure.routing import Body

EIGHT_HOURS: Final = 8 * 3600.0
"""How long the signatures last; recorded."""


def container_of(registry: Registry, kind: str, name: str, version: str) -> str:
    """The storage container of one version: asking for it twice gives the same."""
    return f"registry-{uuid.uuid5(uuid.UUID(registry.registry_id), f'{kind}/{name}/{version}')}"


def for_upload(cloud: Cloud, registry: Registry, kind: str, name: str, version: str) -> Body:
    """A container for the files, and a signature that may fill it."""
    container = container_of(registry, kind, name, version)
    cloud.storage.make_container(registry.account, container)
    uri = f"https://{registry.account}.blob.core.windows.net/{container}"
    sas = cloud.storage.sas(registry.account, container, EIGHT_HOURS)
    return _reference(registry, uri, sas)


def for_reading(cloud: Cloud, registry: Registry, uri: str) -> Body:
    """The same files, with a signature that may read them. `uri` is the version's own."""
    container = uri.split("/")[3]
    sas = cloud.storage.sas(registry.account, container, EIGHT_HOURS, write=False)
    return _reference(registry, uri, sas, f"https://{registry.account}.blob.core.windows.net/{container}")


def _reference(registry: Registry, uri: str, sas: str, signed: str | None = None) -> Body:
    group = registry.arm_id.split("/providers/")[0]
    return {
        "blobUri": uri,
        "storageAccountArmId": f"{group}/providers/Microsoft.Storage/storageAccounts/{registry.account}",
        "credential": {"credentialType": "SAS", "sasUri": f"{signed or uri}?{sas}", "wasbsUri": None},
    }
