"""The credential that a sign-in gives: azure-identity's, kept fresh for as long as a run lasts."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, assert_never
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ctrain.backends.azureml.bodies import text
from ctrain.backends.azureml.cloud import Cloud
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.sign_in import SignIn, Way
from ctrain.errors import NotAllowed
from ctrain.ports import Clock

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo, SupportsTokenInfo, TokenRequestOptions

    from ctrain.backends.azureml.transport import PatientTransport

EARLY_SECONDS: Final = 300
"""A token is replaced so long before it expires, as azure-identity does, so that no request carries a dying one."""

AUDIENCES: Final = {
    "AzureCloud": "api://AzureADTokenExchange",
    "AzureChinaCloud": "api://AzureADTokenExchangeChina",
    "AzureUSGovernment": "api://AzureADTokenExchangeUSGov",
}
"""Whom GitHub's assertion is for. Source: the input `audience` in the README of Azure/login."""


class Credential:
    """Azure-core's credential, with one token a scope, got again before it expires, and when Azure refuses it."""

    def __init__(
        self, make: Callable[[], SupportsTokenInfo], clock: Clock, hide: Callable[[str], object] = lambda _: None
    ) -> None:
        """`hide` is told each token as it comes, before anything else sees it."""
        self._make = make
        self._clock = clock
        self._hide = hide
        self._lock = threading.RLock()
        self._inner: SupportsTokenInfo | None = None
        self._tokens: dict[tuple[str, ...], AccessTokenInfo] = {}
        self._refused: dict[str, tuple[str, ...]] = {}

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """A token that is good for a while. Raises azure-identity's errors."""
        with self._lock:
            if options and options.get("claims"):
                return self._fetch(scopes, options)
            known = self._tokens.get(scopes)
            if known is None or known.expires_on - EARLY_SECONDS <= self._clock.now().timestamp():
                known = self._tokens[scopes] = self._fetch(scopes, None)
            return known

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """The same, in azure-core's older shape."""
        from azure.core.credentials import AccessToken

        claims = options.get("claims")
        info = self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(info.token, info.expires_on)

    def current(self, token: str) -> str:
        """The token to send instead of that one: azure-core goes on sending one that Azure has refused."""
        with self._lock:
            return self.get_token_info(*self._refused[token]).token if token in self._refused else token

    def renewed(self, token: str) -> str | None:
        """Another token for what that one was for, after Azure refused it; None where it was none of ours."""
        with self._lock:
            scopes = next((scopes for scopes, known in self._tokens.items() if known.token == token), None)
            if scopes is None:
                return None
            self._refused[token] = scopes
            self._inner = None  # azure-identity would give the refused one again from its cache
            del self._tokens[scopes]
            return self.get_token_info(*scopes).token

    def close(self) -> None:
        """Nothing is held open."""

    def _fetch(self, scopes: tuple[str, ...], options: TokenRequestOptions | None) -> AccessTokenInfo:
        inner, self._inner = self._inner or self._make(), None
        found = inner.get_token_info(*scopes, options=options or {})
        self._hide(found.token)
        self._inner = inner  # kept when it works only: msal gives a refusal again from its cache, without asking
        return found


@dataclass(frozen=True)
class Identity:
    """Who we are to Azure, as a token's claims say."""

    way: Way
    name: str
    object_id: str
    tenant: str

    def __str__(self) -> str:
        return f"{self.name}, by {self.way}, in tenant {self.tenant}"


def claims_of(token: str) -> dict[str, object]:
    """A JWT's claims, unchecked: they are told to the user and decide nothing. Empty for what is no JWT."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def who(credential: Credential, sign_in: SignIn, cloud: Cloud) -> Identity:
    """Sign in, and say as whom. Raises NotAllowed where it fails."""
    with translated("sign in to Azure"):
        token = credential.get_token_info(cloud.arm_scope).token
    claims: Any = claims_of(token)
    user = text(claims, "upn") or text(claims, "preferred_username") or text(claims, "unique_name")
    app = text(claims, "app_displayname")
    client = text(claims, "appid") or text(claims, "azp") or sign_in.settings.get("client", "")
    name = user or (f"app {client} ({app})" if app else f"app {client}")
    tenant = text(claims, "tid") or sign_in.settings.get("tenant", "unknown")
    return Identity(sign_in.way, name, text(claims, "oid") or "", tenant)


def credential_of(
    sign_in: SignIn,
    cloud: Cloud,
    clock: Clock,
    transport: PatientTransport,
    hide: Callable[[str], object] = lambda _: None,
) -> Credential:
    """The credential for a sign-in. Nothing is sent before the first token is asked for."""
    return Credential(lambda: _azure_identity(sign_in, cloud, transport), clock, hide)


def _azure_identity(sign_in: SignIn, cloud: Cloud, transport: PatientTransport) -> SupportsTokenInfo:
    from azure import identity
    from ctrain.backends.azureml.transport import NO_RETRIES

    s = sign_in.settings
    options: dict[str, Any] = {"authority": cloud.authority, "transport": transport, **NO_RETRIES}
    match sign_in.way:
        case Way.GITHUB:
            assertion = github_assertion(sign_in, cloud, transport)
            return identity.ClientAssertionCredential(s["tenant"], s["client"], assertion, **options)
        case Way.AZURE_PIPELINES:
            return identity.AzurePipelinesCredential(
                tenant_id=s["tenant"], client_id=s["client"], service_connection_id=s["connection"],
                system_access_token=s["token"], **options,
            )  # fmt: skip
        case Way.WORKLOAD_IDENTITY:
            return identity.WorkloadIdentityCredential(
                tenant_id=s["tenant"], client_id=s["client"], token_file_path=s["file"], **options
            )
        case Way.CLIENT_SECRET:
            return identity.ClientSecretCredential(s["tenant"], s["client"], s["secret"], **options)
        case Way.MANAGED_IDENTITY:
            return identity.ManagedIdentityCredential(client_id=s.get("client"))
        case Way.AZURE_CLI:
            return identity.AzureCliCredential(tenant_id=s.get("tenant", ""), process_timeout=60)
    assert_never(sign_in.way)


@dataclass(frozen=True)
class GitHubAssertion:
    """A fresh token of GitHub's for each exchange: one lives about five minutes, a run lasts hours.

    Source: GitHub's "OpenID Connect reference", requesting the token with the two environment variables.
    """

    url: str
    token: str
    audience: str
    transport: PatientTransport

    def __repr__(self) -> str:
        return "GitHubAssertion(…)"

    def __call__(self) -> str:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import RequestIdPolicy
        from azure.core.rest import HttpRequest

        client: PipelineClient[Any, Any] = PipelineClient(
            self.url, policies=[RequestIdPolicy()], transport=self.transport
        )
        request = HttpRequest("GET", _with_audience(self.url, self.audience))
        request.headers["Authorization"] = f"Bearer {self.token}"
        response = client.send_request(request)
        response.read()
        if response.status_code != 200:
            raise NotAllowed(
                "could not get GitHub's token for this job",
                why=f"GitHub answered {response.status_code}",
                hint="give the job `permissions: id-token: write`; the permission ends with the job",
            )
        value = text(response.json(), "value")
        if not value:
            raise NotAllowed(
                "could not get GitHub's token for this job", why="GitHub's answer has none", hint="run the job again"
            )
        return value


def github_assertion(sign_in: SignIn, cloud: Cloud, transport: PatientTransport) -> GitHubAssertion:
    """What fetches GitHub's token for a sign-in by GitHub."""
    settings = sign_in.settings
    return GitHubAssertion(settings["url"], settings["token"], AUDIENCES[cloud.name], transport)


def _with_audience(url: str, audience: str) -> str:
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "audience"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("audience", audience)])))
