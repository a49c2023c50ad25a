"""Blobs through Microsoft's own client, at the account's real host name: Azurite is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

    from tests.azure.loopback import Loopback, Place

    Opened = Callable[[str], ContainerClient]

pytestmark = pytest.mark.usefixtures("stored", "service_principal")


@pytest.fixture
def opened(azure: Loopback, place: Place) -> Iterator[Opened]:
    """The default store's container, by "key", "signature" or "token"."""
    from azure.identity import EnvironmentCredential
    from azure.storage.blob import ContainerClient, generate_container_sas

    account, container = place.storage_account, place.container
    url = f"https://{account}.blob.core.windows.net"
    key = [value for value, kind in azure.secrets().items() if kind == "account key"][-1]
    made: list[ContainerClient] = []
    signed_in = EnvironmentCredential()

    def open_by(what: str) -> ContainerClient:
        from datetime import UTC, datetime, timedelta

        expiry = datetime.fromtimestamp(azure.now(), UTC) + timedelta(minutes=10)
        signature = generate_container_sas(account, container, account_key=key, permission="racwdl", expiry=expiry)
        credential: str | EnvironmentCredential = {"key": key, "signature": signature}.get(what, signed_in)
        made.append(ContainerClient(url, container, credential=credential, retry_total=0))
        return made[-1]

    yield open_by
    for client in made:
        client.close()
    signed_in.close()


@pytest.mark.parametrize("what", ["key", "signature", "token"])
def test_a_store_opens_by_key_signature_and_token(opened: Opened, azure: Loopback, what: str) -> None:
    """Written, listed and read; and the journal sees every call."""
    since = azure.mark()
    container = opened(what)
    container.upload_blob("deep/räksmörgås 1%.txt", b"hello")

    assert list(container.list_blob_names()) == ["deep/räksmörgås 1%.txt"]
    assert container.download_blob("deep/räksmörgås 1%.txt").readall() == b"hello"
    seen = azure.calls(host=r".*\.blob\.core\.windows\.net", since=since)
    assert [(call["method"], call["status"]) for call in seen] == [("PUT", 201), ("GET", 200), ("GET", 206)]


def test_a_large_blob_goes_up_in_blocks(opened: Opened) -> None:
    """More than one request can carry."""
    content = bytes(range(256)) * 80_000
    container = opened("key")
    blob = container.upload_blob("large", content, max_concurrency=2)

    assert blob.get_blob_properties().size == len(content)
    assert container.download_blob("large").readall() == content


def test_a_lease_runs_out_as_the_test_lets_time_pass(opened: Opened, azure: Loopback) -> None:
    """Azurite lives on virtual time too."""
    from azure.core.exceptions import ResourceExistsError

    blob = opened("key").upload_blob("lock", b"")
    blob.acquire_lease(15)
    with pytest.raises(ResourceExistsError):
        blob.acquire_lease(15)
    azure.advance(16)

    blob.acquire_lease(15)


def test_a_signature_runs_out_too(opened: Opened, azure: Loopback) -> None:
    """403 when its time is over."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    container = opened("signature")
    container.upload_blob("a", b"")
    azure.advance(601)
    with pytest.raises((ClientAuthenticationError, HttpResponseError)) as refused:
        container.upload_blob("b", b"")

    assert refused.value.status_code == 403


def test_a_token_needs_a_role_on_blobs(opened: Opened, azure: Loopback, service_principal: dict[str, str]) -> None:
    """Without one: AuthorizationPermissionMismatch, as the SDK looks for."""
    from azure.core.exceptions import HttpResponseError

    azure.grant(service_principal["AZURE_CLIENT_ID"], blobs=False)
    with pytest.raises(HttpResponseError) as refused:
        opened("token").upload_blob("a", b"")

    assert (refused.value.status_code, vars(refused.value)["error_code"]) == (403, "AuthorizationPermissionMismatch")


def test_a_wrong_key_is_refused(place: Place) -> None:
    """By Azurite itself, which checks every signature."""
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import ContainerClient

    url = f"https://{place.storage_account}.blob.core.windows.net"
    container = ContainerClient(url, place.container, credential="A" * 86 + "==", retry_total=0)
    with container, pytest.raises(HttpResponseError) as refused:
        container.upload_blob("a", b"")

    assert refused.value.status_code == 403


def test_an_account_that_does_not_exist_has_no_host(azure: Loopback) -> None:
    """As a name that DNS does not know."""
    from azure.core.exceptions import ServiceRequestError
    from azure.storage.blob import ContainerClient

    container = ContainerClient("https://nobody.blob.core.windows.net", "x", credential="A" * 88, retry_total=0)
    with container, pytest.raises(ServiceRequestError):
        container.upload_blob("a", b"")


def test_faults_reach_blobs_too(opened: Opened, azure: Loopback) -> None:
    """A lost response of an upload: the blob is there.

    Behind any proxy azure-core tells of it as if the request had never been sent: urllib3 2 takes a connection that
    has been closed for one that never reached its proxy.
    """
    from azure.core.exceptions import ServiceRequestError

    azure.fault("reset after", host=r".*\.blob\..*", method="PUT")
    container = opened("key")
    with pytest.raises(ServiceRequestError):
        container.upload_blob("a", b"whole")

    assert container.download_blob("a").readall() == b"whole"
