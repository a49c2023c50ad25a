"""Online endpoints that serve: what the front door answers, and how changes take effect."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.azure.plain import DEPLOYMENTS
from tests.azure.shop import ASK, Shop, opened, shop, stocked

__all__ = ["opened", "shop", "stocked"]


def test_traffic_goes_where_it_was_sent_and_names_come_first(shop: Shop) -> None:
    """Who answered is in a header; an address by name goes past the split."""
    by_traffic, by_name = shop.ask(), shop.ask(deployment="green")

    assert (by_traffic.json()["answer"], by_traffic.headers["azureml-model-deployment"]) == ([2, 4], "blue")
    assert (by_name.json()["answer"], by_name.headers["azureml-model-deployment"]) == ([3, 6], "green")


def test_a_split_is_kept_to(shop: Shop) -> None:
    """Sixty of a hundred requests to one deployment: within what chance allows (five standard deviations)."""
    shop.route({"blue": 40, "green": 60})
    key = shop.key

    answered = Counter(shop.plain.score(shop.url, key, ASK).headers["azureml-model-deployment"] for _ in range(100))

    assert 35 < answered["green"] < 85


def test_a_copy_of_live_requests_goes_to_the_mirror(shop: Shop) -> None:
    """Half of them at most; who calls does not notice. Chance misses all thirty once in a thousand million times."""
    shop.route({"blue": 100}, mirrorTraffic={"green": 50})
    key = shop.key

    answers = [shop.plain.score(shop.url, key, {"values": [77]}) for _ in range(30)]

    assert {answer.headers["azureml-model-deployment"] for answer in answers} == {"blue"}
    where = f"onlineEndpoints/{shop.endpoint}/deployments/green/getLogs"
    assert "asked for [77]" in shop.plain.arm("POST", where, {"tail": 200}, DEPLOYMENTS).json()["content"]


@pytest.mark.parametrize(("behaviour", "model_status"), [("refuse", "400"), ("raise", "500")])
def test_whatever_the_model_says_but_200_is_a_model_error(shop: Shop, behaviour: str, model_status: str) -> None:
    """424, with the model's own status in a header."""
    answer = shop.ask({"do": behaviour, "values": []})

    assert answer.status_code == 424
    assert answer.headers["ms-azureml-model-error-statuscode"] == model_status


def test_without_a_valid_key_nobody_is_let_in(shop: Shop) -> None:
    """No header, a wrong key, and a key that was replaced."""
    old = shop.key
    assert shop.plain.http.post(shop.url, json=ASK).status_code == 401
    assert shop.plain.score(shop.url, "not the key", ASK).status_code == 401

    shop.plain.arm("POST", f"onlineEndpoints/{shop.endpoint}/regenerateKeys", {"keyType": "Primary"})

    assert shop.key != old
    assert shop.plain.score(shop.url, old, ASK).status_code == 401
    assert shop.plain.score(shop.url, shop.key, ASK).status_code == 200


def test_without_traffic_and_without_deployment_it_is_404(shop: Shop) -> None:
    """No deployment of positive weight; a deployment that is not there; an endpoint that is not there."""
    key = shop.key
    shop.route({})

    assert shop.ask().status_code == 404
    assert shop.ask(deployment="red").status_code == 404
    assert shop.plain.score(shop.url_of("nowhere"), key, ASK).status_code == 404


def test_a_put_without_traffic_takes_it_away(shop: Shop) -> None:
    """PUT replaces the whole resource: what it does not mention is gone."""
    shop.route({"blue": 100}, description="with words")

    shop.route(None)

    seen = shop.plain.arm("GET", f"onlineEndpoints/{shop.endpoint}").json()["properties"]
    assert (seen["traffic"], seen["description"]) == ({}, None)
    assert shop.ask().status_code == 404


def test_a_patch_leaves_what_it_does_not_mention(shop: Shop) -> None:
    """Tags are changed, traffic stays; at this api-version traffic can be patched, too."""
    patched = shop.plain.arm("PATCH", f"onlineEndpoints/{shop.endpoint}", {"tags": {"a": "b"}})
    assert patched.status_code == 202
    shop.plain.until(f"onlineEndpoints/{shop.endpoint}", "Succeeded")
    seen = shop.plain.arm("GET", f"onlineEndpoints/{shop.endpoint}").json()
    assert (seen["tags"], seen["properties"]["traffic"]) == ({"a": "b"}, {"blue": 100})

    shop.plain.arm("PATCH", f"onlineEndpoints/{shop.endpoint}", {"properties": {"traffic": {"green": 100}}})
    shop.plain.until(f"onlineEndpoints/{shop.endpoint}", "Succeeded")
    shop.azure.advance(1)
    assert shop.ask().headers["azureml-model-deployment"] == "green"


def test_a_change_of_traffic_shows_late(shop: Shop) -> None:
    """After it has succeeded, some GETs still show the old split, and the front door still keeps to it for a while."""
    shop.serving("settings", stale_reads=2, routing_lag=60)
    put = shop.put_endpoint(shop.endpoint, {"green": 100})
    assert shop.operation(put)["status"] == "Succeeded"

    shown = [shop.plain.arm("GET", f"onlineEndpoints/{shop.endpoint}").json()["properties"] for _ in range(3)]

    assert [one["traffic"] for one in shown] == [{"blue": 100}, {"blue": 100}, {"green": 100}]
    assert {one["provisioningState"] for one in shown} == {"Succeeded"}
    assert shop.ask().headers["azureml-model-deployment"] == "blue"
    shop.azure.advance(61)
    assert shop.ask().headers["azureml-model-deployment"] == "green"


def test_a_change_that_fails_leaves_traffic_as_it_was(shop: Shop) -> None:
    """The endpoint is Failed, and serves on."""
    shop.serving("fates", kind="endpoint", code="InternalServerError")

    put = shop.put_endpoint(shop.endpoint, {"green": 100})

    assert shop.operation(put)["status"] == "Failed"
    assert shop.ask().headers["azureml-model-deployment"] == "blue"


def test_too_slow_is_408_and_too_many_is_429(shop: Shop) -> None:
    """The deployment's own request timeout; twice as many requests at once as it may work on, and no more."""
    settings = {"requestTimeout": "PT0.4S", "maxConcurrentRequestsPerInstance": 1}
    assert shop.put_deployment("slow", shop.deployment_body(requestSettings=settings)).status_code == 201
    shop.deployment("slow")
    key = shop.key

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(shop.plain.score, shop.url, key, {"values": [], "sleep": 0.5}, "slow") for _ in range(6)]
        seen = Counter(one.result().status_code for one in asked)

    assert seen.keys() == {408, 429}
    assert seen[408] >= 2


def test_a_deployment_goes_on_serving_while_it_is_replaced(shop: Shop) -> None:
    """Tags alone start no other server; another model does, and takes over when it is ready."""
    before = shop.ask(deployment="green").json()["pid"]
    tagged = shop.deployment_body(3, environmentVariables={"COLOUR": "green"}) | {"tags": {"release": "r1"}}
    assert shop.put_deployment("green", tagged).status_code == 200
    assert shop.deployment("green")["tags"] == {"release": "r1"}
    assert shop.ask(deployment="green").json()["pid"] == before

    shop.azure.durations(deployment_update=30)
    assert shop.put_deployment("green", shop.deployment_body(2)).status_code == 200
    assert shop.deployment("green", "Updating")
    assert shop.ask(deployment="green").json() == {"answer": [3, 6], "pid": before}
    shop.azure.advance(30)
    assert shop.deployment("green")["properties"]["provisioningState"] == "Succeeded"
    assert shop.ask(deployment="green").json()["answer"] == [2, 4]


def test_a_container_that_crashes_is_started_anew(shop: Shop) -> None:
    """Its callers get errors meanwhile; its state in ARM stays as it was."""
    shop.serving("crash", location=shop.plain.place.location, endpoint=shop.endpoint, deployment="blue")
    assert shop.deployment("blue")["properties"]["provisioningState"] == "Succeeded"

    end = time.monotonic() + 20
    while (answer := shop.ask()).status_code != 200:
        assert answer.status_code == 424
        assert time.monotonic() < end
        time.sleep(0.1)


def test_code_that_breaks_fails_the_deployment_and_its_log_says_why(shop: Shop) -> None:
    """ResourceNotReady, by itself; it takes no traffic, and can be deleted."""
    put = shop.put_deployment("broken", shop.deployment_body(environmentVariables={"INIT": "raise"}))
    assert shop.deployment("broken")["properties"]["provisioningState"] == "Failed"

    assert shop.operation(put)["error"]["message"].startswith("ResourceNotReady: User container has crashed")
    where = f"onlineEndpoints/{shop.endpoint}/deployments/broken"
    asked = {"containerType": "InferenceServer", "tail": 60}
    assert "no such weights" in shop.plain.arm("POST", f"{where}/getLogs", asked, DEPLOYMENTS).json()["content"]
    stored = shop.plain.arm("POST", f"{where}/getLogs", {"containerType": "StorageInitializer"}, DEPLOYMENTS)
    assert "Downloading the model visits:1" in stored.json()["content"]
    refused = shop.put_endpoint(shop.endpoint, {"broken": 100})
    assert (refused.status_code, "not in a state" in refused.text) == (400, True)
    assert shop.plain.arm("DELETE", where, version=DEPLOYMENTS).status_code == 202


def test_scaling_changes_the_number_of_instances_only(shop: Shop) -> None:
    """By PATCH, as `az ml online-deployment scale` does; within the limits that skus tells."""
    where = f"onlineEndpoints/{shop.endpoint}/deployments/blue"
    assert shop.plain.arm("PATCH", where, {"sku": {"capacity": 2}}, DEPLOYMENTS).status_code == 202

    assert shop.deployment("blue")["sku"]["capacity"] == 2
    capacity = shop.plain.arm("GET", f"{where}/skus", version=DEPLOYMENTS).json()["value"][0]["capacity"]
    assert (capacity["default"], capacity["maximum"]) == (2, 50)
    assert shop.plain.arm("PATCH", where, {"sku": {"capacity": 51}}, DEPLOYMENTS).status_code == 400


def test_an_endpoint_describes_its_input(shop: Shop) -> None:
    """swagger.json beside /score, for whom has the key."""
    answer = shop.plain.http.get(
        shop.url.replace("/score", "/swagger.json"), headers={"Authorization": f"Bearer {shop.key}"}
    )

    assert "swagger" in answer.json() or "openapi" in answer.json()


def test_deleting_an_endpoint_ends_what_is_just_coming_up(shop: Shop) -> None:
    """Its deployment's operation is canceled, and no server is left of it."""
    name = shop.new_endpoint()
    shop.azure.durations(deployment_create=0, endpoint_delete=0)
    put = shop.put_deployment("blue", endpoint=name)
    assert put.status_code == 201

    deleted = shop.plain.arm("DELETE", f"onlineEndpoints/{name}")

    assert shop.operation(deleted)["status"] == "Succeeded"
    assert shop.operation(put)["status"] == "Canceled"
    assert shop.plain.arm("GET", f"onlineEndpoints/{name}").status_code == 404
