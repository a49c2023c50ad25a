"""Workspaces and what belongs to them, through Microsoft's own client."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from tests.azure.loopback import Loopback, Place


def test_a_workspace_says_where_everything_is(client: MLClient, place: Place) -> None:
    """Region, tracking address and discovery host: what the SDK derives all other hosts from."""
    found = client.workspaces.get()

    assert (found.name, found.location) == (place.address.workspace, "westeurope")
    assert found.mlflow_tracking_uri == f"azureml://westeurope.api.azureml.ms/mlflow/v1.0{place.arm_id}"
    assert found.discovery_url == "https://westeurope.api.azureml.ms/discovery"


def test_there_may_be_many_in_several_regions_and_subscriptions(client: MLClient, azure: Loopback) -> None:
    """Made at any time; a list shows those of its group, in pages where there are many."""
    other = azure.add_workspace(location="northeurope", group="elsewhere")
    far = azure.add_workspace(subscription="20000000-0000-4000-8000-000000000002")
    here = {workspace.name for workspace in client.workspaces.list()}
    everywhere = {workspace.name for workspace in client.workspaces.list(scope="subscription")}

    assert other.address.workspace in everywhere - here
    assert far.address.workspace not in everywhere
    assert other.storage_account != far.storage_account


def test_a_long_list_comes_in_pages(client: MLClient, azure: Loopback, place: Place) -> None:
    """A hundred at a time; the client follows the link to the next page."""
    for number in range(101):
        azure.add_workspace(f"many-{number}", group="many", storage_account=place.storage_account)
    since = azure.mark()
    listed = client.workspaces._operation.list_by_resource_group("many")

    assert sum(1 for _ in listed) == 101
    assert [call["query"].get("$skipToken") for call in azure.calls(path=".*/workspaces", since=since)] == [None, "100"]


@pytest.mark.parametrize(
    ("group", "name", "code"),
    [("loopback", "nowhere", "ResourceNotFound"), ("nowhere", "nowhere", "ResourceGroupNotFound")],
)
def test_a_missing_workspace_is_told_as_arm_does(client: MLClient, group: str, name: str, code: str) -> None:
    """404, with the code that says what is missing."""
    from azure.core.exceptions import ResourceNotFoundError

    with pytest.raises(ResourceNotFoundError, match=code):
        client.workspaces._operation.get(group, name)


@pytest.mark.usefixtures("stored")
def test_the_default_store_opens_with_what_list_secrets_gives(client: MLClient, azure: Loopback) -> None:
    """A signature, as the SDK asks for expiring secrets; it is remembered as a secret."""
    store = client.datastores.get_default(include_secrets=True)
    signature = vars(store.credentials)["sas_token"]

    assert (store.name, store.credentials.type) == ("workspaceblobstore", "sas")
    assert any(value in signature for value, kind in azure.secrets().items() if kind == "SAS")


@pytest.mark.usefixtures("stored")
def test_microsofts_client_works_in_azure_government(
    place: Place, azure: Loopback, service_principal: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the SDK's own setting: authority, ARM and blob hosts are that cloud's, and nobody else is asked."""
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Data
    from azure.identity import AzureAuthorityHosts, EnvironmentCredential

    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureUSGovernment")
    since, address = azure.mark(), place.address
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with closing(EnvironmentCredential(authority=AzureAuthorityHosts.AZURE_GOVERNMENT)) as credential:
        client = MLClient(credential, address.subscription_id, address.resource_group, address.workspace)
        client.data.create_or_update(Data(name="visits", version="1", path=str(tmp_path / "rows.csv"), type="uri_file"))

    hosts = {call["host"] for call in azure.calls(since=since)}
    assert hosts == {
        "login.microsoftonline.us",
        "management.usgovcloudapi.net",
        f"{place.storage_account}.blob.core.usgovcloudapi.net",
    }


def test_a_default_cluster_is_there(client: MLClient) -> None:
    """`cpu-cluster`, scaled to nothing; another can be made and taken away."""
    from azure.ai.ml.entities import AmlCompute

    client.compute.begin_create_or_update(AmlCompute(name="gpu-cluster", size="Standard_NC6s_v3")).result()
    names = [compute.name for compute in client.compute.list()]
    client.compute.begin_delete("gpu-cluster").wait()

    assert names == ["cpu-cluster", "gpu-cluster"]
    assert client.compute.get("cpu-cluster").min_instances == 0
    assert [compute.name for compute in client.compute.list()] == ["cpu-cluster"]


def test_quota_is_told_by_family_of_machines(client: MLClient, azure: Loopback) -> None:
    """Cores in use and the limit, which control sets for a region."""
    azure.control("PUT", "/limits/westeurope/standardFSv2Family", {"cores": 12})
    # azure-ai-ml 1.35.2 keeps the wire's names: its `current_value` is always None
    found = [vars(use) for use in client.compute.list_usage()]
    usage = {use["name"]["value"]: (use["currentValue"], use["limit"]) for use in found}

    assert usage["standardFSv2Family"] == (0, 12)
    assert {size.name for size in client.compute.list_sizes()} >= {"Standard_DS3_v2", "Standard_F4s_v2"}


def test_who_was_not_granted_an_action_is_refused_it(
    client: MLClient, azure: Loopback, service_principal: dict[str, str]
) -> None:
    """403 AuthorizationFailed, with the action that is missing; others go on."""
    from azure.core.exceptions import HttpResponseError

    denied = "Microsoft.MachineLearningServices/workspaces/computes/read"
    azure.grant(service_principal["AZURE_CLIENT_ID"], denied=[denied])
    with pytest.raises(HttpResponseError, match=f"AuthorizationFailed.*{denied}") as refused:
        client.compute.get("cpu-cluster")

    assert refused.value.status_code == 403
    assert client.workspaces.get().location == "westeurope"
