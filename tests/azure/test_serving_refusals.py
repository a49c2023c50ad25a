"""What the service refuses of endpoints and deployments, and how operations on them end. No server is started."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.azure.loopback import Loopback
from tests.azure.plain import DEPLOYMENTS, plain
from tests.azure.serving.failures import CODES
from tests.azure.shop import Shop, stocked

__all__ = ["stocked"]


@pytest.fixture
def shop(stocked: Shop) -> Iterator[Shop]:
    """A workspace with models and code; what a test plans is gone after it."""
    stocked.azure.durations(endpoint_create=0, endpoint_update=0, deployment_create=0, endpoint_delete=0)
    yield stocked
    stocked.azure.reset()


def why(answer: httpx.Response) -> str:
    """The refusal behind ARM's envelope, as the service words it."""
    error: dict[str, Any] = answer.json()["error"]
    return str(error["details"][0]["message"]) if error.get("details") else str(error["message"])


@pytest.mark.parametrize("name", ["ab", "a" * 33, "1abc", "a--b", "abc-", "a_b", "ä-endpoint"])
def test_names_that_the_service_does_not_take(shop: Shop, name: str) -> None:
    """3 to 32 letters, digits and single dashes; the same rule for both."""
    assert shop.put_endpoint(name).status_code == 400
    assert shop.put_deployment(name, endpoint=shop.new_endpoint()).status_code == 400


def test_a_name_is_taken_for_the_whole_region(shop: Shop) -> None:
    """In another workspace of the region it is refused; in another region it is another endpoint."""
    name = shop.new_endpoint()
    beside = shop.azure.add_workspace(location=shop.plain.place.location)
    elsewhere = shop.azure.add_workspace(location=f"region{uuid.uuid4().hex[:8]}")

    answers = []
    for place in (beside, elsewhere):
        with plain(shop.azure, place) as client:
            answers.append(client.arm("PUT", f"onlineEndpoints/{name}", shop.endpoint_body() | {"location": "x"}))

    assert [answer.status_code for answer in answers] == [400, 201]
    assert "There is already an endpoint with this name" in why(answers[0])


def test_a_deleted_endpoint_frees_its_name(shop: Shop) -> None:
    """202, then it is gone; deleting what is not there is 204."""
    name = shop.new_endpoint()

    assert shop.plain.arm("DELETE", f"onlineEndpoints/{name}").status_code == 202
    assert shop.plain.arm("GET", f"onlineEndpoints/{name}").status_code == 404
    assert shop.plain.arm("DELETE", f"onlineEndpoints/{name}").status_code == 204
    assert shop.put_endpoint(name).status_code == 201


@pytest.mark.parametrize(
    ("traffic", "mirror", "said"),
    [
        ({"blue": 100}, {}, "not found in endpoint"),
        ({"blue": 50}, {}, "not found in endpoint"),
        ({"red": 101}, {}, "whole number from 0 to 100"),
        ({"red": -1}, {}, "whole number from 0 to 100"),
        ({"red": 100}, {}, "not in a state that can take traffic"),
        ({}, {"red": 10}, "not found in endpoint"),
        ({}, {"red": 10, "blue": 10}, "one deployment only"),
    ],
)
def test_traffic_that_cannot_be(shop: Shop, traffic: dict[str, int], mirror: dict[str, int], said: str) -> None:
    """To deployments that are there and have come up, in whole percent; `red` never came up."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", code="ResourceNotReady")
    shop.put_deployment("red", endpoint=name)
    assert shop.deployment("red", endpoint=name)["properties"]["provisioningState"] == "Failed"

    answer = shop.put_endpoint(name, traffic, mirrorTraffic=mirror)

    assert (answer.status_code, said in why(answer)) == (400, True), why(answer)
    assert shop.plain.arm("GET", f"onlineEndpoints/{name}").json()["properties"]["traffic"] == {}


def test_nothing_else_can_be_started_while_an_endpoint_changes(shop: Shop) -> None:
    """409 for its own change, a deployment and its deletion; afterwards all go."""
    name = shop.new_endpoint()
    shop.azure.durations(endpoint_update=60)
    assert shop.put_endpoint(name).status_code == 200

    for answer in (
        shop.put_endpoint(name),
        shop.put_deployment("blue", endpoint=name),
        shop.plain.arm("DELETE", f"onlineEndpoints/{name}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "Conflict")
        assert "because it is in Updating provisioning state" in why(answer)

    shop.azure.advance(61)
    assert shop.put_endpoint(name).status_code == 200


def test_an_endpoint_can_say_succeeded_before_it_takes_a_deployment(shop: Shop) -> None:
    """On demand, as was seen: GET tells Succeeded, and a deployment is refused with 409 for a while."""
    shop.serving("settings", busy_after=30)
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", code="InternalServerError")

    assert shop.put_deployment("blue", endpoint=name).status_code == 409
    shop.azure.advance(31)
    assert shop.put_deployment("blue", endpoint=name).status_code == 201


def test_nothing_else_can_be_started_while_a_deployment_changes(shop: Shop) -> None:
    """409 for the deployment itself; others of the endpoint may be created beside it."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", hangs=True, times=2)
    assert shop.put_deployment("blue", endpoint=name).status_code == 201

    assert shop.put_deployment("blue", endpoint=name).status_code == 409
    where = f"onlineEndpoints/{name}/deployments/blue"
    assert shop.plain.arm("DELETE", where, version=DEPLOYMENTS).status_code == 409
    assert shop.put_deployment("green", endpoint=name).status_code == 201


def test_an_operation_can_stay_on_for_ever(shop: Shop) -> None:
    """Updating, with an end in the year 1 and no hint when to ask again, however long one waits."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", endpoint=name, deployment="blue", hangs=True)
    put = shop.put_deployment("blue", endpoint=name)
    shop.azure.advance(100_000)

    answer = shop.plain.arm("GET", put.headers["Azure-AsyncOperation"])

    told = answer.json()
    assert (told["status"], told["endTime"], told["percentComplete"]) == ("Updating", "0001-01-01T00:00:00+00:00", 0.0)
    assert "Retry-After" not in answer.headers
    assert shop.deployment("blue", "Creating", endpoint=name)


def test_an_operation_is_told_as_it_was_recorded(shop: Shop) -> None:
    """A signed URL that is a secret, kept without its signature on the resource; the operation's own states."""
    shop.azure.durations(endpoint_create=60)
    name = f"shop-{uuid.uuid4().hex[:8]}"
    put = shop.put_endpoint(name)
    signed = put.headers["Azure-AsyncOperation"]

    assert (put.status_code, put.headers["x-ms-async-operation-timeout"]) == (201, "PT30M")
    assert put.headers["Location"].endswith(f"/onlineEndpoints/{name}?api-version=2022-02-01-preview")
    body = put.json()
    assert (body["properties"]["provisioningState"], body["properties"]["scoringUri"]) == ("Creating", None)
    assert "/mfeOperationsStatus/oeidp:" in signed
    kept = body["properties"]["properties"]["AzureAsyncOperationUri"]
    assert signed.startswith(f"{kept}&t=")
    secrets = shop.azure.secrets()
    assert [part for part in signed.split("&") if part.partition("=")[2] in secrets]

    assert shop.operation(put)["status"] == "Updating"
    shop.azure.advance(61)
    assert shop.operation(put)["status"] == "Succeeded"
    assert shop.plain.arm("GET", kept).json()["status"] == "Succeeded"


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_deployment_fails_with_each_documented_code(shop: Shop, code: str) -> None:
    """The operation tells it, at the head of its message; the deployment is Failed or Canceled, and can go."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", code=code)
    put = shop.put_deployment("blue", endpoint=name)

    told = shop.operation(put)

    ended = "Canceled" if code == "OperationCanceled" else "Failed"
    assert (told["status"], told["error"]["code"]) == (ended, None)
    assert told["error"]["message"].startswith(f"{code}: ")
    assert shop.deployment("blue", ended, endpoint=name)
    log = shop.plain.arm("POST", f"onlineEndpoints/{name}/deployments/blue/getLogs", {}, DEPLOYMENTS).json()["content"]
    assert "try again later" in log
    where = f"onlineEndpoints/{name}/deployments/blue"
    assert shop.plain.arm("DELETE", where, version=DEPLOYMENTS).status_code == 202


def test_a_code_can_have_a_field_of_its_own(shop: Shop) -> None:
    """The other form that an operation's error has."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", code="BadArgument", wrapping="code", message="No such role.")

    error = shop.operation(shop.put_deployment("blue", endpoint=name))["error"]

    assert (error["code"], error["message"].startswith("No such role.")) == ("BadArgument", True)


def test_a_lack_of_quota_is_refused_at_once(shop: Shop) -> None:
    """400 at the PUT, as the family's cores in the region would not do; nothing is left of it."""
    name, location = shop.new_endpoint(), shop.plain.place.location
    shop.azure.control("PUT", f"/limits/{location}/standardFSv2Family", {"cores": 9})

    answer = shop.put_deployment("blue", shop.deployment_body(count=2, instanceType="Standard_F4s_v2"), endpoint=name)

    assert answer.status_code == 400
    assert "Not enough quota available for Standard_F4s_v2" in why(answer)
    assert "Current usage/limit: 0/9. Additional needed: 12" in why(answer)
    assert shop.plain.arm("GET", f"onlineEndpoints/{name}/deployments", version=DEPLOYMENTS).json()["value"] == []


def test_the_number_of_endpoints_and_of_deployments_is_limited(shop: Shop) -> None:
    """So many endpoints a subscription has in a region; twenty deployments an endpoint has."""
    name = shop.new_endpoint()
    shop.serving("fates", kind="deployment", code="InternalServerError", times=20)
    for number in range(20):
        assert shop.put_deployment(f"blue{number}", endpoint=name).status_code == 201
    assert "at most 20 deployments" in why(shop.put_deployment("green", endpoint=name))

    shop.serving("settings", endpoints_limit=1)
    assert "Endpoint Quota reached" in why(shop.put_endpoint("one-too-many"))


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"requestSettings": {"requestTimeout": "PT181S"}}, "request timeout"),
        ({"requestSettings": {"requestTimeout": "5 seconds"}}, "ISO 8601"),
        ({"livenessProbe": {"period": "PT1200S"}}, "less than 300"),
        ({"instanceType": "my laptop"}, "instance type"),
        ({"codeConfiguration": None, "environmentId": None}, "'Image' must not be empty"),
        ({"environmentId": None}, "'Image' must not be empty"),
        ({"endpointComputeType": "Kubernetes"}, "managed online deployments"),
    ],
)
def test_settings_that_the_service_does_not_take(shop: Shop, properties: dict[str, Any], said: str) -> None:
    """Refused at once, with the reason."""
    answer = shop.put_deployment("blue", shop.deployment_body(**properties), endpoint=shop.new_endpoint())

    assert (answer.status_code, said in why(answer)) == (400, True), why(answer)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"model": "{workspace}/models/visits/versions/9"}, "BadArgument"),
        (
            {"codeConfiguration": {"codeId": "{workspace}/codes/none/versions/1", "scoringScript": "s.py"}},
            "BadArgument",
        ),
        ({"environmentId": "{workspace}/environments/none/versions/1"}, "ResourceNotFound"),
    ],
)
def test_assets_that_are_not_there_fail_the_deployment(shop: Shop, properties: dict[str, Any], code: str) -> None:
    """The PUT is accepted; the operation tells what could not be found."""
    named = json.loads(json.dumps(properties).replace("{workspace}", shop.plain.place.arm_id))
    put = shop.put_deployment("blue", shop.deployment_body(**named), endpoint=shop.new_endpoint())

    assert put.status_code == 201
    assert shop.operation(put)["error"]["message"].startswith(f"{code}: ")


def test_a_deployment_needs_its_endpoint(shop: Shop) -> None:
    """404 for whatever is asked below an endpoint that is not there."""
    assert shop.put_deployment("blue", endpoint="nowhere").status_code == 404
    assert shop.plain.arm("GET", "onlineEndpoints/nowhere").status_code == 404
    assert shop.plain.arm("GET", f"onlineEndpoints/{shop.new_endpoint()}/deployments/blue").status_code == 404


@pytest.mark.parametrize(
    ("mode", "keys", "tokens"), [("Key", 200, 400), ("AMLToken", 400, 200), ("AADToken", 400, 400)]
)
def test_who_may_score_is_the_endpoints_own_rule(shop: Shop, mode: str, keys: int, tokens: int) -> None:
    """A key, the endpoint's own token until it expires, or Entra's for the right audience and the right person."""
    name = shop.new_endpoint(authMode=mode)
    url, at = shop.url_of(name), f"onlineEndpoints/{name}"
    listed, given = shop.plain.arm("POST", f"{at}/listKeys"), shop.plain.arm("POST", f"{at}/token")
    assert (listed.status_code, given.status_code) == (keys, tokens)
    entra = shop.plain.token("https://ml.azure.com/.default")
    wrong = shop.plain.token("https://management.azure.com/.default")
    offered = {
        "key": listed.json().get("primaryKey", "none"),
        "token": given.json().get("accessToken", "none"),
        "entra": entra,
        "wrong": wrong,
    }
    taken = {"Key": "key", "AMLToken": "token", "AADToken": "entra"}[mode]

    answers = {what: shop.plain.score(url, value, {}).status_code for what, value in offered.items()}

    assert answers == {what: 404 if what == taken else 401 for what in offered}, "let in, where nothing serves"
    shop.azure.control("PUT", f"/grants/{shop.plain.principal['AZURE_CLIENT_ID']}", {"actions": ["*/read"]})
    shop.azure.advance(90_000)
    expired = {what: shop.plain.score(url, value, {}).status_code for what, value in offered.items()}
    assert expired == {what: 404 if what == taken == "key" else 401 for what in offered}


def test_who_has_no_right_to_score_is_told_so(shop: Shop) -> None:
    """403, where Entra's token is asked for."""
    name = shop.new_endpoint(authMode="AADToken")
    shop.azure.control("PUT", f"/grants/{shop.plain.principal['AZURE_CLIENT_ID']}", {"actions": ["*/read"]})

    assert shop.plain.score(shop.url_of(name), shop.plain.token("https://ml.azure.com/.default"), {}).status_code == 403


def test_endpoints_are_listed_in_every_version(shop: Shop, azure: Loopback) -> None:
    """The same state at every api-version; narrowed by name and by tags."""
    name = shop.new_endpoint()
    shop.plain.arm("PATCH", f"onlineEndpoints/{name}", {"tags": {"release": "r1"}})

    for version in (None, "2023-04-01-preview", "2024-10-01-preview", "2025-12-01"):
        listed = shop.plain.arm("GET", "onlineEndpoints", version=version or "2022-02-01-preview").json()["value"]
        assert name in [one["name"] for one in listed]
    by_tag = shop.plain.arm(
        "GET",
        f"https://management.azure.com{shop.plain.place.arm_id}/onlineEndpoints?api-version=2025-12-01&tags=release=r1",
    )
    assert [one["name"] for one in by_tag.json()["value"]] == [name]


def test_in_another_cloud_everything_has_that_clouds_names(shop: Shop) -> None:
    """Azure Government: the operation's URL and the scoring URL."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    url = f"https://management.usgovcloudapi.net{shop.plain.place.arm_id}/onlineEndpoints/{name}?api-version=2022-02-01-preview"

    put = shop.plain.arm("PUT", url, shop.endpoint_body())

    assert put.headers["Azure-AsyncOperation"].startswith("https://management.usgovcloudapi.net/")
    assert shop.operation(put)["status"] == "Succeeded"
    scoring = shop.plain.arm("GET", url).json()["properties"]["scoringUri"]
    assert scoring == f"https://{name}.{shop.plain.place.location}.inference.ml.azure.us/score"
    assert shop.plain.score(scoring, "no key", {}).status_code == 401
