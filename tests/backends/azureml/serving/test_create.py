"""Endpoints come into being once, whoever began, and are never deleted."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.port import AzureServing
from ctrain.errors import Conflict, NotAllowed, PlatformUnavailable, UsageError
from ctrain.rollout import live
from tests.backends.azureml.serving.conftest import ENDPOINT, PATH, Stood

VERSION = "2022-02-01-preview"
FOREIGN: Json = {
    "location": "westeurope",
    "identity": {"type": "SystemAssigned"},
    "tags": {"made-by": "terraform"},
    "properties": {"authMode": "AMLToken", "description": "theirs"},
}


def test_a_name_that_azure_refuses_is_refused_before_any_call(stood: Stood) -> None:
    """Upper case too: Azure compares without case, so that two names could be one."""
    since = stood.azure.mark()
    with pytest.raises(UsageError, match="cannot be the name of an endpoint"):
        stood.serving.create("Visits")
    assert stood.azure.calls(host="management.*", since=since) == []


def test_a_new_endpoint_gets_what_the_stage_says(stood: Stood) -> None:
    """Its way to know who asks, its identity, and a tag that says whose it is."""
    user = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"
    serving = AzureServing(stood.workspace, "aad_token", [user], stood.clock)

    seen = serving.create(ENDPOINT)

    body = stood.body()
    assert seen.running
    assert body["properties"]["authMode"] == "AADToken"
    assert list(body["identity"]["userAssignedIdentities"]) == [user]
    assert body["tags"] == {"ctrain": "1"}
    assert "get-access-token" in seen.key_command


def test_an_endpoint_of_somebody_elses_is_used_as_it_is(stood: Stood) -> None:
    """Made by other means, as many organisations do: not a word of it is changed."""
    stood.workspace.arm.put(f"onlineEndpoints/{ENDPOINT}", VERSION, FOREIGN)
    since = stood.azure.mark()

    assert stood.serving.create(ENDPOINT).running

    assert stood.writes(since) == []
    assert (stood.body()["tags"], stood.body()["properties"]["authMode"]) == ({"made-by": "terraform"}, "AMLToken")


def test_one_that_a_dead_run_began_is_waited_for(stood: Stood) -> None:
    """A fresh run knows nothing of the operation: what the resource says is enough."""
    stood.fate("endpoint", seconds=90)
    stood.workspace.arm.put(f"onlineEndpoints/{ENDPOINT}", VERSION, FOREIGN)
    assert not stood.look().running
    since = stood.azure.mark()

    assert stood.serving.create(ENDPOINT).running
    assert stood.writes(since) == []


def test_one_that_takes_long_does_not_run_yet(stood: Stood) -> None:
    """After five minutes whoever watches hears of it; asked again, it is waited for on."""
    stood.fate("endpoint", seconds=400)

    assert not stood.serving.create(ENDPOINT).running
    assert stood.serving.create(ENDPOINT).running


def test_one_that_never_comes_is_given_up(stood: Stood) -> None:
    """After forty minutes, however often it is asked in between."""
    stood.fate("endpoint", hangs=True)
    began, since = stood.clock.monotonic(), stood.azure.mark()

    with pytest.raises(PlatformUnavailable, match="does not come up"):
        for _ in range(20):
            assert not stood.serving.create(ENDPOINT).running

    assert stood.clock.monotonic() - began < 3000
    assert len(stood.azure.calls(host="management.*", since=since)) < 100


@pytest.mark.parametrize("act", ["reset after", "truncate"])
def test_a_lost_answer_makes_no_second_endpoint(stood: Stood, act: str) -> None:
    """It was taken; the second PUT meets 409, and all is well."""
    stood.fate("endpoint", seconds=60)
    stood.azure.fault(act, method="PUT", path=PATH)
    since = stood.azure.mark()

    assert stood.serving.create(ENDPOINT).running
    assert [call["status"] for call in stood.azure.calls(method="PUT", since=since)][1:] == [409]


def test_one_that_fails_says_why(stood: Stood) -> None:
    """The cause in our words, Azure's code, and a way out."""
    stood.fate("endpoint", code="OutOfQuota", message="Role assignment quota is used up")

    with pytest.raises(PlatformUnavailable, match="could not be created") as told:
        stood.serving.create(ENDPOINT)

    assert told.value.why.startswith("there is not enough quota: OutOfQuota: Role assignment quota")


def test_a_failed_one_of_ours_is_put_again(stood: Stood) -> None:
    """What a dead run left behind is mended, and not deleted."""
    stood.fate("endpoint", code="InternalServerError")
    with pytest.raises(PlatformUnavailable):
        stood.serving.create(ENDPOINT)
    since = stood.azure.mark()

    assert stood.serving.create(ENDPOINT).running
    assert stood.writes(since) == ["PUT visits"]


def test_one_that_fails_again_is_told(stood: Stood) -> None:
    """It is mended once a run."""
    stood.fate("endpoint", code="WorkspaceManagedNetworkNotReady", times=2)
    with pytest.raises(PlatformUnavailable):
        stood.serving.create(ENDPOINT)

    with pytest.raises(PlatformUnavailable, match="managed network is not ready"):
        stood.serving.create(ENDPOINT)


def test_a_failed_one_of_somebody_elses_is_left_alone(stood: Stood) -> None:
    """Who made it must mend it."""
    stood.fate("endpoint", code="InternalServerError")
    stood.workspace.arm.put(f"onlineEndpoints/{ENDPOINT}", VERSION, FOREIGN)
    stood.clock.sleep(1)
    since = stood.azure.mark()

    with pytest.raises(Conflict, match="ctrain did not make it"):
        stood.serving.create(ENDPOINT)
    assert stood.writes(since) == []


def test_one_that_is_being_deleted_is_waited_for_and_made_anew(stood: Stood) -> None:
    """Its name is free when it is gone."""
    stood.serving.create(ENDPOINT)
    stood.azure.durations(endpoint_delete=30)
    stood.workspace.arm.delete(f"onlineEndpoints/{ENDPOINT}", VERSION)
    assert not stood.look().running

    seen = stood.serving.create(ENDPOINT)

    stood.azure.durations(endpoint_delete=0.2)
    assert seen.running
    assert live(seen.traffic) == {}


def test_a_name_that_is_taken_in_the_region_is_told(stood: Stood) -> None:
    """By whatever workspace: names are the region's."""
    stood.serving.create(ENDPOINT)
    other = stood.azure.add_workspace(location=stood.workspace.facts.location)
    serving = AzureServing(type(stood.workspace)(other.address, stood.workspace.session), clock=stood.clock)

    with pytest.raises(UsageError) as told:
        serving.create(ENDPOINT)
    assert "unique within a region" in told.value.why
    assert "{" not in told.value.why, "the service's JSON is not shown to people"


def test_who_may_not_create_is_told_which_action_is_missing(stood: Stood) -> None:
    """The action that a role must have."""
    stood.azure.grant(stood.environ["AZURE_CLIENT_ID"], denied=["*/onlineEndpoints/write"])

    with pytest.raises(NotAllowed) as told:
        stood.serving.create(ENDPOINT)
    assert "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/write" in told.value.hint


@pytest.mark.parametrize("times", [1, 2, 5])
def test_what_is_said_to_be_absent_is_not_made_anew(stood: Stood, times: int) -> None:
    """404 in a bad moment: a PUT would take the traffic of the endpoint that is there. The list of all knows it."""
    stood.serving.create(ENDPOINT)
    stood.azure.fault("answer", status=404, times=times, method="GET", path=PATH)
    since = stood.azure.mark()

    assert stood.look().running
    assert stood.serving.create(ENDPOINT).running
    assert stood.writes(since) == []


@pytest.mark.parametrize("body", ["", {"value": "something else"}])
def test_what_is_no_endpoint_is_taken_for_none(stood: Stood, body: Json | str) -> None:
    """An answer from who knows whom: nothing is made of it, and nothing is put."""
    stood.serving.create(ENDPOINT)
    stood.azure.fault("answer", status=200, body=body, method="GET", path=PATH)
    since = stood.azure.mark()

    with pytest.raises(PlatformUnavailable, match="could not be used"):
        stood.serving.create(ENDPOINT)
    assert stood.writes(since) == []
