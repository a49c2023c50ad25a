"""Signing in over the loopback Azure, each way as azure-identity does it, and for as long as a run lasts."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import time_machine

from ctrain.backends.azureml.credential import GitHubAssertion, claims_of
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.transport import PatientTransport
from ctrain.backends.azureml.workspace import WORKSPACES, AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.errors import NotAllowed, PlatformUnavailable
from tests.azure.loopback import Loopback, Place
from tests.azure.tenancy import TENANT
from tests.backends.azureml.clocks import CountingClock
from tests.backends.azureml.conftest import environment, without_sign_in


def federated(azure: Loopback, folder: Path) -> dict[str, str]:
    """The environment of a pod with a projected token, here one of GitHub's."""
    job = azure.github()
    transport = PatientTransport(SystemClock(), may_see_token=lambda _: True)
    fetch = GitHubAssertion(
        job["ACTIONS_ID_TOKEN_REQUEST_URL"],
        job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        "api://AzureADTokenExchange",
        transport,
    )
    (folder / "token").write_text(fetch())
    names = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")
    return {**{name: job[name] for name in names}, "AZURE_FEDERATED_TOKEN_FILE": str(folder / "token")}


WAYS: dict[str, Callable[[Loopback, Path], dict[str, str]]] = {
    "github": lambda azure, _: azure.github(),
    "azure_pipelines": lambda azure, _: azure.pipelines(),
    "workload_identity": federated,
    "client_secret": lambda azure, _: azure.service_principal(),
    "managed_identity": lambda azure, _: azure.app_service(),
    "managed_identity of a machine": lambda _azure, _: {"CTRAIN_AZURE_SIGN_IN": "managed_identity"},
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_signs_in_and_says_as_whom(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """One line: who, how, which tenant; never a token."""
    environment(monkeypatch, WAYS[way](azure, tmp_path))
    session = AzureSession(SystemClock())
    assert AzureWorkspace(place.address, session).facts.workspace_id == place.workspace_id
    line = str(session.identity)
    assert line.startswith("app ")
    assert f"by {way.split(maxsplit=1)[0]}" in line
    assert line.endswith(TENANT)
    for secret in azure.secrets():
        assert secret not in line + repr(session.identity) + repr(session.sign_in) + repr(session.credential)


def jwt(**claims: str) -> str:
    """A token with these claims and no signature."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def test_the_azure_cli_signs_in_on_a_laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the user that `az login` was for; asked once, as each time costs a process."""
    without_sign_in(monkeypatch)
    token = jwt(upn="ada@example.com", tid="t1", oid="o1")
    answer = json.dumps({"accessToken": token, "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"})
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\ncat <<'E'\n{answer}\nE\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    session = AzureSession(SystemClock())
    assert str(session.identity) == "ada@example.com, by azure_cli, in tenant t1"
    assert session.token(session.cloud.arm_scope) == token
    assert (tmp_path / "asked").read_text().count("asked") == 1


def test_without_the_azure_cli_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop on its first day."""
    without_sign_in(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAllowed, match="Azure CLI not found"):
        _ = AzureSession(SystemClock()).identity


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AZURE_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ({"AZURE_CLIENT_ID": "00000000-0000-4000-8000-00000000000f"}, "AADSTS700016"),
        ({"AZURE_TENANT_ID": "00000000-0000-4000-8000-00000000000f"}, "AADSTS90002"),
    ],
)
def test_entras_refusal_is_told_with_its_code(
    azure: Loopback, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], code: str
) -> None:
    """And with what to do about it."""
    environment(monkeypatch, azure.service_principal(), change)
    with pytest.raises(NotAllowed) as told:
        _ = AzureSession(SystemClock()).identity
    assert code in told.value.why or "tenant" in told.value.why.lower()
    assert told.value.hint


def test_github_without_the_permission_is_told(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request token is the job's, and dies with it."""
    environment(monkeypatch, azure.github(), {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong"})
    with pytest.raises(NotAllowed, match="GitHub answered 401"):
        _ = AzureSession(SystemClock()).identity


def test_entra_that_is_down_is_waited_for(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then named for what it is."""
    environment(monkeypatch, azure.service_principal())
    clock = CountingClock()
    azure.fault("answer", status=503, times=3, host="login.*", path=".*/token.*")
    assert AzureSession(clock).identity.tenant == TENANT
    assert len(clock.waits) == 3
    azure.fault("answer", status=503, times=None, host="login.*")
    session = AzureSession(CountingClock())
    with pytest.raises(PlatformUnavailable):
        _ = session.identity
    azure.clear_faults()
    assert session.identity.tenant == TENANT


@pytest.mark.parametrize("way", ["github", "azure_pipelines", "client_secret"])
def test_eight_hours_without_a_failed_call(
    azure: Loopback, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Assertions of five minutes, tokens of an hour, a look every eight minutes: by us, by the SDK, for scoring."""
    environment(monkeypatch, WAYS[way](azure, tmp_path))
    azure.control("POST", "/lifetimes", {"access": 3600, "assertion": 300})
    since = azure.mark()
    with time_machine.travel(azure.now(), tick=True) as here:
        workspace = AzureWorkspace(place.address, AzureSession(SystemClock()))
        for look in range(60):
            here.shift(480)
            azure.advance(480)
            assert workspace.arm.get("", WORKSPACES)
            workspace.token(workspace.cloud.ml_scope)
            if look % 10 == 0:
                with translated("read the workspace"):
                    assert workspace.client.workspaces.get(place.address.workspace)
    calls = azure.calls(since=since)
    assert [call for call in calls if call["status"] != 200] == []
    exchanges = [call for call in calls if call["path"].endswith("/oauth2/v2.0/token")]
    assert 16 <= len(exchanges) <= 24  # two scopes, eight and a bit times an hour less five minutes
    assertions = [call for call in calls if "idtoken" in call["path"] or "oidctoken" in call["path"]]
    assert len(assertions) == (0 if way == "client_secret" else len(exchanges))


def test_what_is_no_token_has_no_claims() -> None:
    """Managed identities may hand out what we cannot read."""
    assert claims_of("opaque") == {}
    assert claims_of("a.b.c") == {}
    assert claims_of("a.W10.c") == {}


def test_a_sovereign_cloud_is_followed_everywhere(
    azure: Loopback, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sign-in, ARM, storage and the SDK itself, by the SDK's own setting; not one call to the public cloud."""
    environment(monkeypatch, azure.service_principal(), {"AZUREML_CURRENT_CLOUD": "AzureUSGovernment"})
    since = azure.mark()
    workspace = AzureWorkspace(place.address, AzureSession(SystemClock()))
    assert workspace.facts.workspace_id == place.workspace_id
    assert workspace.cloud.blob_url("a") == "https://a.blob.core.usgovcloudapi.net"
    with translated("write a blob"):
        assert workspace.client.workspaces.get(place.address.workspace)
        workspace.blobs.upload_blob("ctrain/try", b"kept")
    hosts = {call["host"] for call in azure.calls(since=since)}
    assert hosts == {
        "login.microsoftonline.us",
        "management.usgovcloudapi.net",
        f"{place.storage_account}.blob.core.usgovcloudapi.net",
    }
