"""ARM's verbs over the loopback Azure: what is there, what is refused, and in which words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ctrain.backends.azureml.arm import needed_action
from ctrain.backends.azureml.workspace import WORKSPACES, AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.errors import Conflict, CtrainError, NotAllowed, PlatformUnavailable, UsageError
from ctrain.serving import WorkspaceAddress
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.conftest import environment

ENDPOINTS = "2022-02-01-preview"


def test_one_request_gives_the_facts(azure: Loopback, workspace: AzureWorkspace, place: Place) -> None:
    """Where the workspace is, what it is called inside; asked once."""
    since = azure.mark()
    assert workspace.facts.workspace_id == place.workspace_id
    assert workspace.facts.location == place.location
    assert workspace.facts.mlflow_uri.startswith("azureml://westeurope.api.azureml.ms/mlflow/")
    assert len(azure.calls(host="management.*", since=since)) == 1


@pytest.mark.parametrize("part", ["workspace", "resource_group", "subscription_id"])
def test_a_workspace_that_is_not_there_is_the_users_to_correct(session: AzureSession, place: Place, part: str) -> None:
    """Whichever part of the address is wrong."""
    parts = {**vars(place.address), part: "00000000-0000-4000-8000-00000000000f"}
    with pytest.raises(UsageError, match="workspace"):
        _ = AzureWorkspace(WorkspaceAddress(**parts), session).facts


def test_what_is_not_there_is_none(workspace: AzureWorkspace) -> None:
    """A 404 is an answer to get, and no error to delete."""
    assert workspace.arm.get("onlineEndpoints/none", ENDPOINTS) is None
    workspace.arm.delete("onlineEndpoints/none", ENDPOINTS)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, UsageError),
        (403, NotAllowed),
        (409, Conflict),
        (412, Conflict),
        (413, UsageError),
        (501, PlatformUnavailable),
    ],
)
def test_a_refusal_is_an_error_of_ours_with_azures_words(
    azure: Loopback, workspace: AzureWorkspace, status: int, error: type[CtrainError]
) -> None:
    """Status and code decide which; code, message and the request's id are in it."""
    body = {"error": {"code": "Because", "message": "Azure says so."}}
    azure.fault("answer", status=status, body=body, headers={"x-ms-request-id": "4711"}, method="PUT", times=None)
    with pytest.raises(error) as told:
        workspace.arm.put("onlineEndpoints/visits", ENDPOINTS, {})
    assert re.search(r"Because: Azure says so \[request 4711, ours [0-9a-f-]{36}\]", told.value.why)
    assert told.value.what == f"could not write onlineEndpoints/visits in the workspace {workspace.address.workspace}"


@pytest.mark.parametrize("wrong", ["subscription_id", "resource_group", "workspace"])
def test_a_workspace_that_is_not_there_is_told_as_such(workspace: AzureWorkspace, wrong: str) -> None:
    """Whatever was looked for in it: the name that is wrong is in the file."""
    nobody = "99999999-0000-4000-8000-000000000001"
    elsewhere = AzureWorkspace(replace(workspace.address, **{wrong: nobody}), workspace.session)
    with pytest.raises(UsageError) as told:
        list(elsewhere.arm.list("onlineEndpoints", ENDPOINTS))
    assert told.value.why.startswith("backends.azureml, or a stage's azureml, names what is not there")
    assert nobody in told.value.why


def test_the_missing_action_is_named(azure: Loopback, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Azure names it: that is what one asks an administrator for."""
    made = azure.service_principal()
    environment(monkeypatch, made)
    reader = {"actions": ["*/read"]}
    azure.control("PUT", f"/grants/{made['AZURE_CLIENT_ID']}", reader)
    workspace = AzureWorkspace(place.address, AzureSession(SystemClock()))
    assert workspace.facts.location == place.location
    with pytest.raises(NotAllowed) as told:
        workspace.arm.put("onlineEndpoints/visits", ENDPOINTS, {"location": "x", "properties": {"authMode": "Key"}})
    action, a = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write", place.address
    assert f"ask for a role with {action} on the workspace {a.workspace} in {a.resource_group};" in told.value.hint
    assert len(f"{told.value.why} {told.value.hint}") < 500  # Azure's own words say it all again, at length


@pytest.mark.parametrize("body", ["<html>proxy</html>", "[", ""])
def test_an_answer_that_is_no_json_is_no_traceback(azure: Loopback, workspace: AzureWorkspace, body: str) -> None:
    """A proxy's page, or half an answer."""
    azure.fault("answer", status=200, body=body, headers={"Content-Type": "text/html"}, host="management.*")
    with pytest.raises(PlatformUnavailable):
        _ = workspace.facts


def test_pages_are_followed_on_azures_hosts_only(azure: Loopback, workspace: AzureWorkspace) -> None:
    """A nextLink to anywhere else is refused, before anything is sent there."""
    page = {"value": [{"name": "one"}], "nextLink": "https://stranger.example/next"}
    azure.fault("answer", status=200, body=page, host="management.*")
    listed = workspace.arm.list("jobs", WORKSPACES)
    assert next(listed)["name"] == "one"
    with pytest.raises(PlatformUnavailable, match="stranger"):
        next(listed)


def test_pages_are_put_together(azure: Loopback, workspace: AzureWorkspace) -> None:
    """All of them, in order."""
    following = "https://management.azure.com/next?api-version=1&token=2"
    azure.fault("answer", status=200, body={"value": [{"n": 1}], "nextLink": following}, path=".*/jobs.*")
    azure.fault("answer", status=200, body={"value": [{"n": 2}]}, path="/next.*")
    assert [one["n"] for one in workspace.arm.list("jobs", WORKSPACES)] == [1, 2]


WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
ML = "Microsoft.MachineLearningServices"


@pytest.mark.parametrize(
    ("path", "verb", "action"),
    [
        (WORKSPACE, "read", f"{ML}/workspaces/read"),
        (f"{WORKSPACE}/onlineEndpoints/visits", "write", f"{ML}/workspaces/onlineEndpoints/write"),
        (
            f"{WORKSPACE}/onlineEndpoints/e/deployments/d",
            "delete",
            f"{ML}/workspaces/onlineEndpoints/deployments/delete",
        ),
        (f"{WORKSPACE}/onlineEndpoints/e/listKeys", "action", f"{ML}/workspaces/onlineEndpoints/listKeys/action"),
        (
            f"{WORKSPACE}/providers/Microsoft.Authorization/permissions",
            "read",
            "Microsoft.Authorization/permissions/read",
        ),
        (f"/subscriptions/s/providers/{ML}/locations/westeurope/usages", "read", f"{ML}/locations/usages/read"),
        ("/subscriptions/s", "read", None),
    ],
)
def test_the_action_that_a_call_takes_follows_from_its_path(path: str, verb: str, action: str | None) -> None:
    """Azure's own rule, for refusals that do not name it."""
    assert needed_action(path, verb) == action
