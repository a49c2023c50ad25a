"""Azure's clouds: who signs in where, and which hosts are Microsoft's own.

Hosts are those of `azure.ai.ml._azure_environments` (azure-ai-ml 1.35.2) for each cloud; the hosts of the regions, of
registries and of scoring are those of Microsoft's "configure inbound and outbound network traffic" page for Azure ML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.secrecy import redacted

CLOUD_SETTING: Final = "AZUREML_CURRENT_CLOUD"

REDIRECTS: Final = (
    "AZUREML_DEV_URL_MFE",  # replaces the SDK's ARM host: a token would go to whoever is named there
    "ARM_CLOUD_METADATA_URL",  # lets whoever is named there say which hosts a cloud has
    "REGISTRY_DISCOVERY_ENDPOINT_URL",
    "REGISTRY_DISCOVERY_ENDPOINT_REGION",
)


@dataclass(frozen=True)
class Cloud:
    """One of Azure's clouds.

    `services` are the hosts that may see our tokens: themselves, and whatever ends in them. Hosts where customers run
    code of their own (scoring, compute instances) or keep accounts of their own (storage) are not among them.
    """

    name: str
    authority: str
    arm: str
    ml_scope: str
    storage_suffix: str
    region_suffix: str
    inference_suffix: str
    services: tuple[str, ...]

    @property
    def arm_scope(self) -> str:
        return f"https://{self.arm}/.default"

    @property
    def storage_scope(self) -> str:
        """Entra's scope for blobs; the same in every cloud."""
        return "https://storage.azure.com/.default"

    def region_url(self, location: str) -> str:
        """Where a region's own services (run history, MLflow) are."""
        return f"https://{location}.{self.region_suffix}"

    def blob_url(self, account: str) -> str:
        return f"https://{account}.blob.{self.storage_suffix}"


def _cloud(name: str, *, authority: str, arm: str, ml: str, storage: str, region: str, experiments: str) -> Cloud:
    return Cloud(
        name=name,
        authority=authority,
        arm=arm,
        ml_scope=f"https://{ml}/.default",
        storage_suffix=storage,
        region_suffix=region,
        inference_suffix=f"inference.{ml}",
        services=(arm, authority, region, experiments),
    )


CLOUDS: Final[Mapping[str, Cloud]] = {
    cloud.name: cloud
    for cloud in (
        _cloud(
            "AzureCloud",
            authority="login.microsoftonline.com",
            arm="management.azure.com",
            ml="ml.azure.com",
            storage="core.windows.net",
            region="api.azureml.ms",
            experiments="experiments.azureml.net",
        ),
        _cloud(
            "AzureChinaCloud",
            authority="login.chinacloudapi.cn",
            arm="management.chinacloudapi.cn",
            ml="ml.azure.cn",
            storage="core.chinacloudapi.cn",
            region="api.ml.azure.cn",
            experiments="experiments.ml.azure.cn",
        ),
        _cloud(
            "AzureUSGovernment",
            authority="login.microsoftonline.us",
            arm="management.usgovcloudapi.net",
            ml="ml.azure.us",
            storage="core.usgovcloudapi.net",
            region="api.ml.azure.us",
            experiments="experiments.ml.azure.us",
        ),
    )
}


def current_cloud(environ: Mapping[str, str]) -> Cloud:
    """The cloud that the environment chooses, by the SDK's own setting.

    Raises UsageError for an unknown one, and where the environment sends the SDK to other hosts.
    """
    for name in REDIRECTS:
        if environ.get(name):
            raise UsageError(
                f"{name} is set",
                why="it sends Azure's SDK, and with it your token, to another host than Azure's own",
                hint=f"unset {name}; sovereign clouds are chosen with {CLOUD_SETTING}",
            )
    name = environ.get(CLOUD_SETTING) or "AzureCloud"
    if name not in CLOUDS:
        raise UsageError(
            f"there is no cloud {name!r}", why=f"ctrain knows {', '.join(CLOUDS)}", hint=f"correct {CLOUD_SETTING}"
        )
    return CLOUDS[name]


def _within(host: str, suffixes: tuple[str, ...]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)


def _https_host(url: str) -> str | None:
    """The host of an https URL on the usual port without credentials in it; None for any other."""
    try:
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.username is not None or parts.port not in {None, 443}:
            return None
    except ValueError:
        return None
    return parts.hostname


def is_service(url: str, cloud: Cloud) -> bool:
    """Whether a token of ours may be sent there."""
    host = _https_host(url)
    return host is not None and _within(host, cloud.services)


def is_trusted(url: str, cloud: Cloud) -> bool:
    """Whether a URL that Azure handed out may be followed: https, to a service, an endpoint or a storage account."""
    host = _https_host(url)
    return host is not None and _within(host, (*cloud.services, cloud.inference_suffix, cloud.storage_suffix))


def trusted(url: str, cloud: Cloud) -> str:
    """That URL, which Azure handed out and may be followed. Raises PlatformUnavailable for any other."""
    if is_trusted(url, cloud):
        return url
    raise PlatformUnavailable(
        "Azure handed out an address that is not Azure's",
        why=f"{redacted(url)} is not https on a host of {cloud.name}, so it was not followed",
        hint="if your workspace has its own host names, tell us; otherwise find out who changed the workspace",
    )
