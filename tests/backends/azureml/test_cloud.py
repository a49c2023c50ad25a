"""Which cloud, and whose hosts may be spoken to."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.cloud import CLOUDS, REDIRECTS, current_cloud, is_service, is_trusted, trusted
from ctrain.backends.azureml.quiet import quiet
from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.secrecy import redacted


def test_the_public_cloud_unless_the_sdks_own_setting_says_otherwise() -> None:
    """AZUREML_CURRENT_CLOUD chooses, as it does for the SDK."""
    assert current_cloud({}).name == "AzureCloud"
    assert current_cloud({"AZUREML_CURRENT_CLOUD": "AzureUSGovernment"}).arm == "management.usgovcloudapi.net"


@pytest.mark.parametrize("name", sorted(CLOUDS))
def test_every_cloud_has_the_sdks_hosts(name: str) -> None:
    """Our table and the SDK's own say the same, so that both talk to the same Azure."""
    with quiet():
        from azure.ai.ml._azure_environments import _environments
    theirs, ours = _environments[name], CLOUDS[name]
    assert theirs["resource_manager"] == f"https://{ours.arm}/"
    assert theirs["active_directory"] == f"https://{ours.authority}/"
    assert f"{theirs['aml_resource_id']}.default" == ours.ml_scope
    assert theirs["storage_endpoint"] == ours.storage_suffix
    assert is_service(theirs["registry_discovery_endpoint"], ours)
    assert is_service(ours.region_url("westeurope"), ours)


@pytest.mark.parametrize("name", REDIRECTS)
def test_an_environment_that_sends_the_sdk_elsewhere_is_refused(name: str) -> None:
    """Before anything is sent: the token would go to whoever is named there."""
    with pytest.raises(UsageError, match=name):
        current_cloud({name: "https://elsewhere.example"})


def test_an_unknown_cloud_is_refused_with_those_there_are() -> None:
    """The SDK would ask a metadata service for it."""
    with pytest.raises(UsageError, match="AzureChinaCloud"):
        current_cloud({"AZUREML_CURRENT_CLOUD": "AzureMoonCloud"})


AZURES = [
    "https://management.azure.com/subscriptions",
    "https://westeurope.api.azureml.ms/history/v1.0",
    "https://cert-eastus.experiments.azureml.net/mferp",
]
FOLLOWED = [
    *AZURES,
    "https://visits.westeurope.inference.ml.azure.com/score",
    "https://account.blob.core.windows.net/logs/x?sig=1",
    "https://management.azure.com:443/x",
]
NOBODYS = [
    "http://management.azure.com/x",
    "http://169.254.169.254/metadata/identity",
    "https://169.254.169.254/",
    "https://localhost/",
    "https://management.azure.com.evil.example/",
    "https://evilmanagement.azure.com/",
    "https://management.azure.com@evil.example/",
    "https://user:word@management.azure.com/",
    "https://management.azure.com:8443/",
    "https://my-vm.westeurope.instances.azureml.ms/",
    "https://management.azure.com\\@evil.example/",
    "ftp://management.azure.com/",
    "//management.azure.com/",
    "https://[::1]/",
    "https://[/",
    "",
]


@pytest.mark.parametrize("url", FOLLOWED)
def test_what_azure_hands_out_on_its_own_hosts_is_followed(url: str) -> None:
    """Services, scoring and storage, over https."""
    assert trusted(url, CLOUDS["AzureCloud"]) == url


@pytest.mark.parametrize("url", [*NOBODYS, "https://management.usgovcloudapi.net/x"])
def test_no_other_address_is_followed(url: str) -> None:
    """Whoever can change a workspace must not be able to send us, and our token, elsewhere."""
    with pytest.raises(PlatformUnavailable):
        trusted(url, CLOUDS["AzureCloud"])


@pytest.mark.parametrize("url", [*NOBODYS, *FOLLOWED[3:5]])
def test_hosts_where_customers_run_code_see_no_token_of_ours(url: str) -> None:
    """Scoring and storage are Azure's names, but anybody can have one."""
    assert not is_service(url, CLOUDS["AzureCloud"])
    assert all(is_service(one, CLOUDS["AzureCloud"]) for one in AZURES)


def test_another_clouds_hosts_are_strangers() -> None:
    """A public token has no business in China."""
    assert not is_trusted("https://management.chinacloudapi.cn/x", CLOUDS["AzureCloud"])
    assert is_trusted("https://management.chinacloudapi.cn/x", CLOUDS["AzureChinaCloud"])


def test_a_signed_url_loses_what_is_secret() -> None:
    """Host and path tell enough; the query may be a signature, the user part a password."""
    shown = redacted("https://me:word@account.blob.core.windows.net/c/b?sv=1&sig=SECRET#part")
    assert shown == "https://account.blob.core.windows.net/c/b?…"
