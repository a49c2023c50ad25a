"""The data plane: Azure's answers, from real processes."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.backends.local.serving.conftest import Platform

from ctrain.serving import Answer, Endpoint, Request

ENDPOINT = "visits-dev"


@pytest.fixture(scope="module")
def served(shared: Platform) -> Platform:
    """Blue at 70% and green at 30%; a request to green may take two seconds, and two may be pending."""
    shared.serving.create(ENDPOINT)
    blue = shared.spec("blue", max_concurrent_requests=8)
    shared.place(ENDPOINT, blue, shared.spec("green", request_timeout_ms=2000))
    shared.serving.route(ENDPOINT, {"blue": 70, "green": 30})
    return shared


def ask(platform: Platform, deployment: str | None = None, **body: object) -> Answer:
    return platform.serving.score(ENDPOINT, Request(json.dumps(body).encode(), deployment))


def post(platform: Platform, path: str = "/score", method: str = "POST", **headers: str) -> httpx.Response:
    """As a stranger would, with headers of one's own."""
    url = platform.look(ENDPOINT).scoring_url.removesuffix("/score") + path
    with httpx.Client(trust_env=False) as client:
        return client.request(method, url, content=b"{}", headers=headers)


def key(platform: Platform) -> str:
    return f"Bearer {platform.serving.key(ENDPOINT)}"


def test_a_deployment_can_be_asked_by_name(served: Platform) -> None:
    """Past the split; the answer proves who gave it."""
    answers = {name: ask(served, name) for name in ("blue", "green")}
    assert {name: answer.deployment for name, answer in answers.items()} == {"blue": "blue", "green": "green"}
    assert {name: json.loads(answer.body)["name"] for name, answer in answers.items()} == {
        "blue": "blue",
        "green": "green",
    }


def test_live_requests_are_split_by_weight(served: Platform) -> None:
    """Within five standard deviations of the binomial that the weights describe."""
    asked = 200
    counted = Counter(ask(served).deployment for _ in range(asked))
    assert set(counted) == {"blue", "green"}
    assert abs(counted["green"] - 0.3 * asked) < 5 * (asked * 0.3 * 0.7) ** 0.5


def test_a_header_of_one_request_does_not_leak_into_the_next(served: Platform) -> None:
    """After asking one deployment by name, live requests still go to both."""
    ask(served, "green")
    assert {ask(served).deployment for _ in range(60)} == {"blue", "green"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer kéy"}])
def test_without_the_key_nothing_is_answered(served: Platform, headers: dict[str, str]) -> None:
    """401, before the body is looked at."""
    sent = {name.encode(): value.encode() for name, value in headers.items()}
    url = served.look(ENDPOINT).scoring_url
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, content=b"{}", headers=sent).status_code == 401


def test_an_unknown_deployment_is_not_found(served: Platform) -> None:
    """404, and no other deployment answers in its place."""
    answer = ask(served, "ghost")
    assert (answer.status, answer.deployment) == (404, None)


def test_an_endpoint_without_traffic_has_nobody_to_ask(served: Platform) -> None:
    """404, as Azure documents for no deployment with a positive weight."""
    served.serving.create("nobody")
    assert served.serving.score("nobody", Request(b"{}")).status == 404


def test_a_failing_model_is_424_with_its_own_status(served: Platform) -> None:
    """A model's error is not the platform's: 424, and 500 in the header."""
    answer = ask(served, "blue", do="raise")
    assert (answer.status, answer.model_status, answer.deployment) == (424, 500, "blue")


def test_a_refusal_by_the_model_is_424_with_400(served: Platform) -> None:
    """Azure hides every status but 200 of the model's server; the message comes through."""
    answer = ask(served, "blue", do="refuse")
    assert (answer.status, answer.model_status) == (424, 400)
    assert json.loads(answer.body) == {"message": "not like this"}


def test_a_slow_answer_is_a_timeout(served: Platform) -> None:
    """408 after the deployment's own request timeout."""
    answer = ask(served, "green", do="sleep", seconds=2.5)
    assert (answer.status, answer.deployment) == (408, "green")
    served.until(ENDPOINT, "green", lambda _: ask(served, "green").status == 200, "answer again")


def test_more_requests_than_twice_the_concurrency_are_refused(served: Platform) -> None:
    """At most 2 x max_concurrent_requests x instances are in the deployment: 429 for the others, 200 for them."""
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(served, "green", do="sleep", seconds=0.25).status, range(6)))
    assert Counter(answers) == {200: 2, 429: 4}


def test_ids_of_requests_come_back(served: Platform) -> None:
    """The caller's own, and one of ours where there is none."""
    sent = {"Authorization": key(served), "x-ms-client-request-id": "mine", "x-request-id": "this"}
    given = post(served, **sent)
    made = post(served, Authorization=key(served))
    assert (given.headers["x-ms-client-request-id"], given.headers["x-request-id"]) == ("mine", "this")
    assert made.headers["x-request-id"]


def test_headers_of_the_caller_reach_the_script_and_the_key_does_not(served: Platform) -> None:
    """A script may read what a caller sends along; the endpoint's key is none of its business."""
    url = served.look(ENDPOINT).scoring_url
    sent = {"Authorization": key(served), "azureml-model-deployment": "blue", "X-Tenant": "north"}
    with httpx.Client(trust_env=False) as client:
        got = client.post(url, content=b'{"do": "headers"}', headers=sent).json()
    assert got["X-Tenant"] == "north"
    assert "Authorization" not in got


def test_health_needs_no_key_and_the_schema_does(served: Platform) -> None:
    """`GET /` says that the endpoint is there; `/swagger.json` comes from a deployment."""
    assert post(served, "/", "GET").text == "Healthy"
    assert post(served, "/swagger.json", "GET").status_code == 401
    assert "/score" in post(served, "/swagger.json", "GET", Authorization=key(served)).json()["paths"]
    assert post(served, "/elsewhere", Authorization=key(served)).status_code == 404


def test_mirrored_requests_reach_the_other_deployment_and_delay_nobody(served: Platform, tmp_path: Path) -> None:
    """Copies of live requests only; their answers are dropped, and a named request has no copy."""
    endpoint, seen = "mirrored", tmp_path / "seen"
    served.serving.create(endpoint)
    live, mirror = served.spec("live", max_concurrent_requests=8), served.spec("mirror", max_concurrent_requests=64)
    served.place(endpoint, live, mirror)
    served.serving.route(endpoint, {"live": 100})
    served.serving.mirror(endpoint, {"mirror": 50})
    body = json.dumps({"do": "count", "file": str(seen)}).encode()
    answered = Counter(served.serving.score(endpoint, Request(body)).deployment for _ in range(100))
    copies = Counter(seen.read_text().split())
    served.serving.mirror(endpoint, {})
    for _ in range(20):
        served.serving.score(endpoint, Request(body, "live"))
    assert answered == {"live": 100}
    assert abs(copies["mirror"] - 50) <= 5 * 5 + 2
    assert Counter(seen.read_text().split())["live"] == 120


def test_requests_and_keys_are_in_no_log(served: Platform) -> None:
    """Nothing that a caller sends is kept."""
    ask(served, "blue", patient="a-secret-name")
    endpoint: Endpoint = served.look(ENDPOINT)
    logs = [served.home.endpoints / ENDPOINT / "endpoint.log", Path(str(endpoint.deployments["blue"].log))]
    written = "".join(log.read_text() for log in logs)
    assert "a-secret-name" not in written
    assert served.serving.key(ENDPOINT) not in written
