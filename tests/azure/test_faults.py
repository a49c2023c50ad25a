"""Faults on demand, as a client feels them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.azure.tenancy import TENANT

if TYPE_CHECKING:
    from tests.azure.loopback import Loopback, Place

VERSION = "?api-version=2023-04-01-preview"


@pytest.fixture
def web(azure: Loopback, place: Place) -> Iterator[httpx.Client]:
    """Signed in to ARM; paths are below the workspace."""
    made = azure.add_application()
    form = {
        "grant_type": "client_credentials",
        "client_id": made.client_id,
        "client_secret": made.secret,
        "scope": "https://management.azure.com/.default",
    }
    trusted = ssl.create_default_context(cafile=str(azure.ca))
    with httpx.Client(proxy=azure.proxy, verify=trusted, trust_env=False, timeout=5) as client:
        answer = client.post(f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token", data=form)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        client.base_url = httpx.URL(f"https://management.azure.com{place.arm_id}/")
        yield client


def put(web: httpx.Client, **tags: str) -> httpx.Response:
    body = {"properties": {"dataType": "uri_folder", "tags": tags}}
    return web.put(f"data/visits{VERSION}", json=body)


def tags(web: httpx.Client) -> dict[str, str] | None:
    """Of the data container that `put` makes; None where there is none."""
    answer = web.get(f"data/visits{VERSION}")
    found: dict[str, str] | None = answer.json()["properties"]["tags"] if answer.is_success else None
    return found


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 412, 429, 500, 502, 503, 504])
def test_an_answer_may_be_any_error(azure: Loopback, web: httpx.Client, status: int) -> None:
    """For one call, and nothing is done; the next one is answered."""
    azure.fault("answer", method="PUT", status=status, body={"error": {"code": "Planted", "message": "planted"}})

    assert put(web).status_code == status
    assert tags(web) is None
    assert put(web).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "0"},
        {"Retry-After": "99999"},
        {"Retry-After": "Mon, 23 Nov 2026 08:00:00 GMT"},
        {"Retry-After": "soon"},
        {"retry-after-ms": "20"},
        {"x-ms-retry-after-ms": "20"},
        {},
    ],
)
def test_throttling_says_when_to_come_back_in_every_way(
    azure: Loopback, web: httpx.Client, headers: dict[str, str]
) -> None:
    """Seconds, a date, milliseconds, nonsense, or nothing."""
    azure.fault("answer", status=429, headers=headers)
    answer = put(web)

    assert answer.status_code == 429
    assert {name: answer.headers.get(name) for name in headers} == headers


def test_a_burst_hits_the_calls_it_is_meant_for(azure: Loopback, web: httpx.Client) -> None:
    """From the nth call of a method, a host and a path on, so many times; others pass."""
    azure.fault("answer", method="GET", host=r"management\..*", path=".*/data/visits.*", nth=2, times=2, status=503)
    put(web, a="1")

    assert [web.get(f"data/visits{VERSION}").status_code for _ in range(4)] == [200, 503, 503, 200]


def test_a_host_may_be_out_of_reach(azure: Loopback) -> None:
    """Its connection is refused, as when its name is unknown or the network is gone; others are reached."""
    azure.fault("reset before", method="CONNECT", host="login.*")
    trusted = ssl.create_default_context(cafile=str(azure.ca))
    with httpx.Client(proxy=azure.proxy, verify=trusted, trust_env=False) as client:
        with pytest.raises(httpx.ProxyError):
            client.get("https://login.microsoftonline.com/common/discovery/instance")
        assert client.get("https://management.azure.com/metadata/endpoints").status_code == 200
        assert client.get("https://login.microsoftonline.com/common/discovery/instance").status_code == 200


def test_a_reset_before_anything_is_done(azure: Loopback, web: httpx.Client) -> None:
    """The connection goes, and nothing has happened."""
    azure.fault("reset before", method="PUT")
    with pytest.raises(httpx.HTTPError):
        put(web)

    assert tags(web) is None


def test_a_lost_response_of_a_put_that_took_effect(azure: Loopback, web: httpx.Client) -> None:
    """The connection goes after the deed: the client cannot know, the resource is there."""
    azure.fault("reset after", method="PUT")
    with pytest.raises(httpx.HTTPError):
        put(web, a="1")

    assert tags(web) == {"a": "1"}
    assert [call["status"] for call in azure.calls(method="PUT", path=r".*/data/visits")][-1:] == [0]


@pytest.mark.parametrize("act", ["reset during", "truncate"])
def test_a_body_that_ends_too_soon(azure: Loopback, web: httpx.Client, act: str) -> None:
    """Half of it comes, then a reset or the connection's end."""
    put(web)
    azure.fault(act, method="GET")
    with pytest.raises(httpx.HTTPError):
        tags(web)


def test_a_stall_is_answered_late(azure: Loopback, web: httpx.Client) -> None:
    """A client that waits gets its answer; one that does not, its own timeout."""
    azure.fault("stall", method="PUT", seconds=0.3, times=2)
    assert put(web).status_code == 201
    with pytest.raises(httpx.ReadTimeout):
        web.put(f"data/visits{VERSION}", json={"properties": {"dataType": "uri_folder"}}, timeout=0.1)


@pytest.mark.parametrize("body", ["<html><body>Service Unavailable</body></html>", "", {"unexpected": True}, [1, 2]])
def test_a_wrong_body_with_a_good_status(azure: Loopback, web: httpx.Client, body: object) -> None:
    """HTML, nothing, or other JSON where a resource was expected; the deed is done."""
    azure.fault("answer after", method="PUT", status=200, body=body)
    answer = put(web, a="1")

    assert (answer.json() if isinstance(body, dict | list) else answer.text) == body
    assert tags(web) == {"a": "1"}


def test_somebody_else_changes_the_resource_between_two_calls(azure: Loopback, web: httpx.Client, place: Place) -> None:
    """Their call takes effect right before ours, and is in the journal as somebody else's."""
    put(web, a="mine")
    path = f"{place.arm_id}/data/visits{VERSION}"
    change = {
        "method": "PUT",
        "path": path,
        "body": {"properties": {"dataType": "uri_folder", "tags": {"a": "theirs"}}},
    }
    azure.fault("change", method="GET", change=change)

    assert tags(web) == {"a": "theirs"}
    assert azure.calls(method="PUT")[-1]["principal"] == "somebody else"


def test_faults_are_listed_with_their_use_and_taken_back(azure: Loopback, web: httpx.Client) -> None:
    """By number or all; a test sees whether its fault was met at all."""
    one, two = azure.fault("answer", method="PUT", times=None), azure.fault("stall", method="GET")
    put(web)
    put(web)
    listed = {rule["number"]: rule["used"] for rule in azure.control("GET", "/faults")["rules"]}
    azure.control("DELETE", f"/faults/{one}")

    assert listed == {one: 2, two: 0}
    assert put(web).status_code == 201


def test_the_journal_tells_who_asked_what_and_when(azure: Loopback, web: httpx.Client) -> None:
    """Method, host, path, api-version, status, principal and virtual time of every call, faults named."""
    since, now = azure.mark(), azure.now()
    azure.fault("answer", method="GET", status=503)
    put(web)
    tags(web)
    first, second = azure.calls(since=since)

    assert (first["method"], first["host"], first["api_version"]) == ("PUT", "management.azure.com", VERSION[-18:])
    assert (first["status"], first["fault"], second["status"], second["fault"]) == (201, None, 503, "answer")
    assert now <= first["started"] <= now + 5
    assert len(first["principal"]) == 36
    assert azure.calls(since=since, bodies=1)[0]["sent"] == {"properties": {"dataType": "uri_folder", "tags": {}}}
