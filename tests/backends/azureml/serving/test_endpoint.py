"""An endpoint's JSON: nothing is lost on the way there and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.azureml.bodies import Json, find
from ctrain.backends.azureml.serving.endpoint import (
    changes,
    check_mirror,
    is_ours,
    merged,
    new_endpoint,
    sent_back,
    shares,
    state_of,
    told,
    with_mirror,
    with_traffic,
)
from ctrain.errors import Conflict
from ctrain.serving import Deployment, DeploymentState
from tests.backends.azureml.serving.held_to import violations

VERSION = "2022-02-01-preview"
USER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/who"

RECEIVED: dict[str, Any] = {
    "id": "/subscriptions/s/.../onlineEndpoints/visits",
    "name": "visits",
    "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    "location": "westeurope",
    "kind": "Managed",
    "tags": {"ctrain": "1", "team": "visits"},
    "systemData": {"createdBy": "somebody"},
    "identity": {
        "type": "SystemAssigned,UserAssigned",
        "principalId": "11111111-1111-4111-8111-111111111111",
        "tenantId": "22222222-2222-4222-8222-222222222222",
        "userAssignedIdentities": {
            USER: {
                "principalId": "33333333-3333-4333-8333-333333333333",
                "clientId": "44444444-4444-4444-8444-444444444444",
            }
        },
    },
    "properties": {
        "authMode": "AADToken",
        "description": "who will come",
        "properties": {"team": "visits", "AzureAsyncOperationUri": "https://management.azure.com/x?s=1"},
        "publicNetworkAccess": "Disabled",
        "provisioningState": "Succeeded",
        "scoringUri": "https://visits.westeurope.inference.ml.azure.com/score",
        "swaggerUri": "https://visits.westeurope.inference.ml.azure.com/swagger.json",
        "traffic": {"Blue": 90, "green": 10},
        "mirrorTraffic": {"red": 5},
    },
}


def a_deployment(name: str, *, healthy: bool = True) -> Deployment:
    state = DeploymentState.SUCCEEDED if healthy else DeploymentState.UPDATING
    return Deployment(name, state, healthy, "visits", 1, "d")


BOTH = {name: a_deployment(name) for name in ("blue", "green")}


def test_what_comes_is_sent_back_but_for_what_is_read_only() -> None:
    """A PUT replaces the whole: tags, identity, description, mirror and settings of others stay."""
    sent = sent_back(RECEIVED)

    assert violations(VERSION, "workspaces/onlineEndpoints", sent) == []
    assert find(sent, "properties", "mirrorTraffic") == {"red": 5}
    assert find(sent, "identity") == {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {USER: {}}}
    for gone in ("provisioningState", "scoringUri", "swaggerUri"):
        assert find(sent, "properties", gone) is None
    kept = {"description", "publicNetworkAccess", "properties", "authMode"}
    assert {key: find(sent, "properties", key) for key in kept} == {key: RECEIVED["properties"][key] for key in kept}


@pytest.mark.parametrize("identity", [(), (USER,)])
def test_a_new_endpoint_is_as_the_published_type_has_it(identity: tuple[str, ...]) -> None:
    """With the identity that was asked for, and a tag that says whose it is."""
    body = new_endpoint("westeurope", "aml_token", identity)

    assert violations(VERSION, "workspaces/onlineEndpoints", body) == []
    assert is_ours(body)
    assert find(body, "properties", "authMode") == "AMLToken"
    assert find(body, "identity", "type") == ("UserAssigned" if identity else "SystemAssigned")


def test_only_the_split_changes() -> None:
    """Those that carry nothing are left out, as the SDK does; all else is sent back."""
    sent = with_traffic(RECEIVED, {"blue": 0, "green": 100})

    assert find(sent, "properties", "traffic") == {"green": 100}
    assert changes(RECEIVED, sent) == ["traffic: Blue 90%, green 10% became green 100%"]
    assert changes(RECEIVED, with_mirror(RECEIVED, {})) == ["mirrorTraffic: red 5% became none"]


def test_names_in_a_split_are_compared_without_case() -> None:
    """Azure does, and its SDK lowers them."""
    assert shares(RECEIVED) == {"blue": 90, "green": 10}
    assert merged("visits", shares(RECEIVED), {"BLUE": 0, "green": 100}, BOTH) == {"blue": 0, "green": 100}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"green": 50}, "would sum to 140%: blue 90%, green 50%"),
        ({"blue": -10, "green": 110}, "would sum to 100%"),
        ({"blue": 0, "red": 90}, "there is no such deployment"),
        ({"blue": 0, "sick": 90}, "its state is Updating"),
    ],
)
def test_what_azure_would_refuse_is_refused_before(wanted: dict[str, int], why: str) -> None:
    """Azure's SDK checks nothing of this."""
    deployments = {**BOTH, "sick": a_deployment("sick", healthy=False)}

    with pytest.raises(Conflict) as refused:
        merged("visits", {"blue": 90, "green": 10}, wanted, deployments)

    assert why in refused.value.why


@given(st.dictionaries(st.sampled_from(["blue", "green", "red"]), st.integers(-20, 120)))
def test_a_split_that_passes_sums_to_all_or_nothing_and_keeps_the_rest(wanted: dict[str, int]) -> None:
    """Whatever is asked for: refused, or whole."""
    current = {"blue": 90, "green": 10}
    try:
        split = merged("visits", current, wanted, BOTH)
    except Conflict:
        return
    assert sum(split.values()) in {0, 100}
    assert {name: split[name] for name in current if name not in wanted} == {
        name: percent for name, percent in current.items() if name not in wanted
    }


@pytest.mark.parametrize(
    ("mirror", "why"),
    [
        ({"green": 10, "red": 10}, "one deployment only"),
        ({"green": 51}, "at most 50%"),
        ({"red": 10}, "not healthy"),
        ({"blue": 10}, "answers live requests"),
    ],
)
def test_a_mirror_that_azure_would_refuse_is_refused_before(mirror: dict[str, int], why: str) -> None:
    """At most half of the requests, to one healthy deployment at 0%."""
    with pytest.raises(Conflict) as refused:
        check_mirror("visits", mirror, {"blue": 100}, BOTH)

    assert why in refused.value.why


def test_a_mirror_can_be_set_and_ended() -> None:
    """To a healthy deployment without live traffic; none ends it."""
    check_mirror("visits", {"green": 10}, {"blue": 100}, BOTH)
    check_mirror("visits", {}, {"blue": 100}, BOTH)


def test_an_answer_without_what_was_expected_is_read_as_empty() -> None:
    """Azure leaves out what it likes; nothing falls over it."""
    bare: Json = {"name": "visits", "properties": {"traffic": None}}

    assert (shares(bare), state_of(bare), state_of(None), is_ours(bare)) == ({}, "", "", False)
    assert sent_back({**bare, "sku": None}) == {"properties": {}}
    assert told({}) == "none"
