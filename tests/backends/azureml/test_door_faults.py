"""Faults at the calls by which one gets into a workspace: it works, or ends in a named error; never anything else.

A seeded eighth of fault x call is tried; `CTRAIN_FAULTS=all` tries every one, `CTRAIN_FAULTS=7` another eighth.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterable
from typing import Any

import pytest

from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.errors import CtrainError
from tests.azure.loopback import Loopback, Place
from tests.backends.azureml.clocks import CountingClock
from tests.backends.azureml.conftest import environment

SITES: dict[str, dict[str, str]] = {
    "GitHub's token": {"host": r".*actions\.githubusercontent\.com"},
    "Pipelines' token": {"host": r"dev\.azure\.com"},
    "Entra's document": {"host": "login.*", "path": ".*/openid-configuration.*"},
    "Entra's token": {"host": "login.*", "path": ".*/token.*"},
    "workspace": {"host": "management.*", "path": r".*/workspaces/[^/]+\?.*"},
    "datastores": {"host": "management.*", "path": r".*/datastores\?.*"},
    "datastore's secrets": {"host": "management.*", "path": ".*/listSecrets.*"},
    "blob": {"host": ".*blob.*"},
}

FAULTS: dict[str, dict[str, Any]] = {
    **{str(status): {"act": "answer", "status": status} for status in (400, 401, 403, 404, 408, 409, 412, 500, 503)},
    "429 for a day": {"act": "answer", "status": 429, "headers": {"Retry-After": "86400"}},
    "429 in garbage": {"act": "answer", "status": 429, "headers": {"Retry-After": "after lunch"}},
    "reset before": {"act": "reset before"},
    "reset after": {"act": "reset after"},
    "cut short": {"act": "truncate"},
    "a page": {"act": "answer", "status": 200, "body": "<html>sign in to the hotel's network</html>"},
    "a list": {"act": "answer", "status": 200, "body": []},
    "nothing in it": {"act": "answer", "status": 200, "body": {}},
    "nulls in it": {"act": "answer", "status": 200, "body": {"value": None, "properties": None, "access_token": None}},
    "empty": {"act": "answer", "status": 200, "body": ""},
    "a redirect": {"act": "answer", "status": 302, "headers": {"Location": "https://stranger.example/"}},
}


PASSING = ("408", "500", "503", "429 in garbage", "reset before", "reset after", "cut short")


def some(faults: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of call and fault, the same ones in every process of a session."""
    pairs = list(itertools.product(SITES, faults))
    asked = os.environ.get("CTRAIN_FAULTS", "0")
    chance = random.Random(asked)  # noqa: S311  not for secrets
    return pairs if asked == "all" else chance.sample(pairs, len(pairs) // 8)


def signed_in_by(site: str, azure: Loopback) -> dict[str, str]:
    """The environment in which that call is made."""
    if site == "GitHub's token":
        return azure.github()
    return azure.pipelines() if site == "Pipelines' token" else azure.service_principal()


def enter(clock: CountingClock, place: Place) -> bytes:
    """Sign in, find the workspace and its store, write and read."""
    workspace = AzureWorkspace(place.address, AzureSession(clock))
    assert workspace.facts.workspace_id
    with translated("write a blob"):
        workspace.blobs.upload_blob("ctrain/try", b"kept", overwrite=True)
        return bytes(workspace.blobs.download_blob("ctrain/try").readall())


@pytest.mark.parametrize(("site", "fault"), some(FAULTS))
def test_a_fault_that_stays_ends_in_a_named_error(
    azure: Loopback, place: Place, monkeypatch: pytest.MonkeyPatch, site: str, fault: str
) -> None:
    """With an exit code, within a quarter of an hour for each request, and with no secret in it."""
    environment(monkeypatch, signed_in_by(site, azure))
    clock = CountingClock()
    azure.fault(**FAULTS[fault], times=None, **SITES[site])
    since = azure.mark()
    try:
        enter(clock, place)
    except CtrainError as error:
        told = str(error)
        assert error.exit_code in {2, 9, 10, 11}
    else:
        assert site in {"Entra's document", "blob"}, "what is needed was not there"
        told = ""
    assert clock.monotonic() <= 2 * 900
    assert not azure.calls(host="stranger.example", since=since)
    assert not [secret for secret in azure.secrets() if secret in told]


@pytest.mark.parametrize(("site", "fault"), some(PASSING))
def test_a_fault_that_passes_is_not_noticed(
    azure: Loopback, place: Place, monkeypatch: pytest.MonkeyPatch, site: str, fault: str
) -> None:
    """Twice, then all is well."""
    environment(monkeypatch, signed_in_by(site, azure))
    azure.fault(**FAULTS[fault], times=2, **SITES[site])
    assert enter(CountingClock(), place) == b"kept"
