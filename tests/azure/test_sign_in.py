"""Signing in with Microsoft's own credentials, in every way that a runner, a machine or a person has."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest

from tests.azure.tenancy import TENANT

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from tests.azure.loopback import Loopback, Place

ARM = "https://management.azure.com/.default"
pytestmark = pytest.mark.usefixtures("reached")


@pytest.fixture
def web(azure: Loopback) -> Iterator[httpx.Client]:
    """Plain HTTPS through the proxy."""
    import ssl

    trusted = ssl.create_default_context(cafile=str(azure.ca))
    with httpx.Client(proxy=azure.proxy, verify=trusted, trust_env=False) as client:
        yield client


def with_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> dict[str, str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


def claims(credential: TokenCredential, scope: str = ARM) -> dict[str, str]:
    read: dict[str, str] = jwt.decode(credential.get_token(scope).token, options={"verify_signature": False})
    return read


def test_a_service_principals_secret_gives_a_token_for_what_was_asked(service_principal: dict[str, str]) -> None:
    """Audience, tenant and application are in the token; each scope has a token of its own."""
    from azure.identity import EnvironmentCredential

    with closing(EnvironmentCredential()) as credential:
        arm, studio = claims(credential), claims(credential, "https://ml.azure.com/.default")

    assert (arm["aud"], studio["aud"]) == ("https://management.azure.com", "https://ml.azure.com")
    assert (arm["tid"], arm["appid"]) == (TENANT, service_principal["AZURE_CLIENT_ID"])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"AZURE_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ({"AZURE_CLIENT_ID": "00000000-0000-4000-8000-000000000000"}, "AADSTS700016"),
    ],
)
def test_who_cannot_prove_it_is_refused(service_principal: dict[str, str], changed: dict[str, str], code: str) -> None:
    """With Entra's own codes, so that the cause can be told."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientSecretCredential

    known = {**service_principal, **changed}
    who = [known[name] for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")]
    with closing(ClientSecretCredential(*who)) as credential, pytest.raises(ClientAuthenticationError, match=code):
        credential.get_token(ARM)


def test_a_github_job_signs_in_with_its_own_identity(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's identity token is exchanged for an access token; it is fetched anew for each exchange."""
    from azure.identity import ClientAssertionCredential

    known = with_environment(monkeypatch, azure.github())
    with closing(ClientAssertionCredential(TENANT, known["AZURE_CLIENT_ID"], github_identity)) as credential:
        assert claims(credential)["appid"] == known["AZURE_CLIENT_ID"]
        claims(credential, "https://storage.azure.com/.default")

    assert len(azure.calls(host=r".*githubusercontent\.com")) >= 2


def github_identity() -> str:
    """As GitHub documents it: the request URL with an audience, the request token as bearer."""
    url = os.environ["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=api://AzureADTokenExchange"
    bearer = {"Authorization": f"Bearer {os.environ['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=bearer)) as answer:  # noqa: S310
        return str(json.load(answer)["value"])


def test_an_identity_token_is_too_old_after_five_minutes(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """AADSTS700024, as those see who keep the token of the job's start (Azure/login#180)."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientAssertionCredential

    known = with_environment(monkeypatch, azure.github())
    kept = github_identity()
    azure.advance(301)
    credential = ClientAssertionCredential(TENANT, known["AZURE_CLIENT_ID"], lambda: kept)
    with closing(credential), pytest.raises(ClientAuthenticationError, match="AADSTS700024"):
        credential.get_token(ARM)


def test_an_identity_that_the_application_does_not_trust_is_refused(
    azure: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AADSTS700213: no federated credential of that subject."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientAssertionCredential

    with_environment(monkeypatch, azure.github())
    other = azure.add_application([("https://token.actions.githubusercontent.com", "repo:somebody/else:ref:x")])
    credential = ClientAssertionCredential(TENANT, other.client_id, github_identity)
    with closing(credential), pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        credential.get_token(ARM)


def test_an_azure_pipelines_job_signs_in_with_its_service_connection(
    azure: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Microsoft's own credential for Azure Pipelines."""
    from azure.identity import AzurePipelinesCredential

    known = with_environment(monkeypatch, azure.pipelines())
    credential = AzurePipelinesCredential(
        tenant_id=TENANT,
        client_id=known["AZURE_CLIENT_ID"],
        service_connection_id=known["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=known["SYSTEM_ACCESSTOKEN"],
    )
    with closing(credential):
        assert claims(credential)["appid"] == known["AZURE_CLIENT_ID"]


@pytest.mark.parametrize("where", ["virtual machine", "app service"])
def test_a_managed_identity_signs_in(azure: Loopback, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Over plain HTTP through the proxy: the instance metadata service, and App Service's endpoint."""
    from azure.identity import ManagedIdentityCredential

    if where == "app service":
        with_environment(monkeypatch, azure.app_service())
    with closing(ManagedIdentityCredential()) as credential:
        assert claims(credential)["appid"] == azure.control("GET", "/identity")["managed_client_id"]


def test_a_token_is_refused_when_it_has_expired(
    azure: Loopback, place: Place, service_principal: dict[str, str], web: httpx.Client
) -> None:
    """After an hour of virtual time: 401, with a challenge that says so."""
    from azure.identity import EnvironmentCredential

    with closing(EnvironmentCredential()) as credential:
        bearer = {"Authorization": f"Bearer {credential.get_token(ARM).token}"}
    url = f"https://management.azure.com{place.arm_id}?api-version=2024-10-01-preview"
    before = web.get(url, headers=bearer)
    azure.advance(3601)
    after = web.get(url, headers=bearer)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["error"]["code"] == "ExpiredAuthenticationToken"
    assert 'error="invalid_token"' in after.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("scope", "code"),
    [(None, "AuthenticationFailed"), ("https://storage.azure.com/.default", "InvalidAuthenticationTokenAudience")],
)
def test_arm_wants_a_token_of_its_own(
    place: Place, service_principal: dict[str, str], web: httpx.Client, scope: str | None, code: str
) -> None:
    """Without one, or with one for somebody else: 401."""
    from azure.identity import EnvironmentCredential

    headers = {}
    if scope:
        with closing(EnvironmentCredential()) as credential:
            headers["Authorization"] = f"Bearer {credential.get_token(scope).token}"
    answer = web.get(f"https://management.azure.com{place.arm_id}?api-version=2024-10-01-preview", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_eight_hours_pass_without_a_refused_call(
    azure: Loopback,
    place: Place,
    web: httpx.Client,
    travel: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With identity tokens of five minutes, fetched anew, and access tokens of an hour."""
    from azure.identity import ClientAssertionCredential

    known = with_environment(monkeypatch, azure.github())
    since = azure.mark()
    url = f"https://management.azure.com{place.arm_id}?api-version=2024-10-01-preview"
    with closing(ClientAssertionCredential(TENANT, known["AZURE_CLIENT_ID"], github_identity)) as credential:
        for _ in range(48):
            travel(600)
            assert web.get(url, headers={"Authorization": f"Bearer {credential.get_token(ARM).token}"}).is_success

    exchanges = azure.calls(method="POST", host="login.*", since=since)
    assert {call["status"] for call in azure.calls(since=since)} == {200}
    assert 8 <= len(exchanges) <= 17


def test_another_cloud_has_hosts_of_its_own(service_principal: dict[str, str], place: Place, web: httpx.Client) -> None:
    """Azure Government: its authority, its ARM, and a workspace there whose planes are its own."""
    from azure.identity import AzureAuthorityHosts, ClientSecretCredential

    who = [service_principal[name] for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")]
    credential = ClientSecretCredential(*who, authority=AzureAuthorityHosts.AZURE_GOVERNMENT)
    with closing(credential):
        token = credential.get_token("https://management.usgovcloudapi.net/.default").token
    url = f"https://management.usgovcloudapi.net{place.arm_id}?api-version=2024-10-01-preview"
    answer = web.get(url, headers={"Authorization": f"Bearer {token}"})

    assert answer.json()["properties"]["discoveryUrl"] == "https://westeurope.api.ml.azure.us/discovery"


def test_all_that_was_handed_out_is_remembered(azure: Loopback, service_principal: dict[str, str]) -> None:
    """Secrets and tokens are listed, so that a test can look for them where they must not be."""
    from azure.identity import EnvironmentCredential

    with closing(EnvironmentCredential()) as credential:
        token = credential.get_token(ARM).token
    planted = azure.secrets()

    assert planted[token] == "access token"
    assert planted[service_principal["AZURE_CLIENT_SECRET"]] == "client secret"
