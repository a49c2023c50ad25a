"""The published types judge what passes; what they find is told, and what is known of the SDK is listed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.azure.contract import KNOWN, Contract, folder
from tests.azure.routing import Call, Reply

WORKSPACE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"

published = pytest.mark.skipif(folder() is None, reason="Microsoft's published types are not at hand")


def exchange(method: str, path: str, sent: Any, reply: Reply, version: str = "2023-04-01-preview") -> dict[str, Any]:
    """What the judge says of one exchange with ARM."""
    contract = Contract()
    body = json.dumps(sent).encode() if sent is not None else b""
    contract.judge(Call(method, "management.azure.com", WORKSPACE + path, {"api-version": version}, body=body), reply)
    return contract.listed()


def asset(**properties: Any) -> dict[str, Any]:
    return {"id": "x", "name": "1", "properties": {"dataType": "uri_folder", "dataUri": "azureml://x", **properties}}


@published
def test_requests_answers_and_lists_are_counted_by_resource_and_version() -> None:
    """A PUT is judged both ways, a list by its items."""
    put = exchange("PUT", "/data/a/versions/1", asset(), Reply(201, asset()))
    listed = exchange("GET", "/data/a/versions", None, Reply(200, {"value": [asset(), asset()]}))
    what = ["workspaces/data/versions", "2023-04-01-preview"]

    assert put["judged"] == [[*what, "request", 1], [*what, "response", 1]]
    assert listed["judged"] == [[*what, "response", 2]]
    assert not put["violations"]


@published
@pytest.mark.parametrize(
    ("sent", "answered", "problem"),
    [
        ({"properties": {"dataType": "uri_folder"}}, asset(), "request: .properties.dataUri: required, and missing"),
        (asset(colour="red"), asset(), "request: .properties.colour: no such property"),
        (asset(), asset(tags=["a"]), "response: .properties.tags: list where an object is expected"),
    ],
)
def test_what_is_wrong_is_told(sent: dict[str, Any], answered: dict[str, Any], problem: str) -> None:
    """Ours or the client's: which resource, version, direction and property."""
    found = exchange("PUT", "/data/a/versions/1", sent, Reply(200, answered))["violations"]

    assert found == {f"workspaces/data/versions 2023-04-01-preview {problem}": 1}


@published
def test_errors_and_actions_are_not_resources() -> None:
    """They are in no published type, and are not judged."""
    refused = exchange("PUT", "/data/a/versions/1", asset(), Reply(409, {"error": {"code": "x", "message": "y"}}))
    action = exchange("POST", "/datastores/a/listSecrets", {}, Reply(200, {"secretsType": "Sas"}))

    assert [direction for *_, direction, _ in refused["judged"]] == ["request"]
    assert action["judged"] == []


@published
def test_what_the_real_sdk_does_otherwise_is_let_through_with_its_reason() -> None:
    """Listed in one table, and counted apart."""
    sent = {"properties": {"codeUri": "https://x", "properties": {"hash_version": 202208}}}
    found = exchange("PUT", "/codes/a/versions/1", sent, Reply(201, {"properties": {}}), version="2023-04-01")

    assert found["violations"] == {}
    assert found["tolerated"] == [["workspaces/codes/versions", KNOWN[0].reason, 1]]


def test_every_known_deviation_has_its_reason() -> None:
    """A table without reasons would be a way around the types."""
    assert all(len(known.reason) > 20 for known in KNOWN)
