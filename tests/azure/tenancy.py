"""Who may sign in, and the tokens they get: one Entra tenant with its applications."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from tests.azure.clock import Clock
from tests.azure.routing import Principal
from tests.azure.secrets_planted import Secrets

TENANT: Final = "72f98888-8888-4888-8888-2d7cd011db47"
EXCHANGE: Final = "api://AzureADTokenExchange"
GITHUB_ISSUER: Final = "https://token.actions.githubusercontent.com"
PIPELINES_ISSUER: Final = "https://vstoken.dev.azure.com/loopback"


@dataclass
class Application:
    """A service principal or managed identity. `subjects` are its federated credentials: (issuer, subject)."""

    client_id: str
    object_id: str
    secret: str
    subjects: set[tuple[str, str]] = field(default_factory=set)


class BadToken(Exception):
    """A token that is not taken, and why in the words of ARM's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Tenancy:
    """Applications and tokens. Tokens are JWTs, signed with a key of this process, and live on virtual time."""

    def __init__(self, clock: Clock, planted: Secrets) -> None:
        self.clock = clock
        self.planted = planted
        self.reset()
        self._key = secrets.token_hex(32)
        self.applications: dict[str, Application] = {}
        self.managed = self.add()
        """The identity of the machine, for IMDS and App Service."""
        self.identity_header = planted.new("identity header")
        self.github_request_token = planted.new("GitHub request token")
        self.github_subject = "repo:loopback/visits:ref:refs/heads/main"
        self.pipelines_access_token = planted.new("System.AccessToken")
        self.pipelines_subject = "sc://loopback/visits/azure"
        self.service_connection = str(uuid.uuid4())

    def reset(self) -> None:
        """Tokens live as long as documented: an hour, and five minutes."""
        self.access_lifetime = 3600.0
        self.assertion_lifetime = 300.0

    def add(self, client_id: str | None = None, secret: str | None = None) -> Application:
        """A new application that may sign in with its secret."""
        client_id = client_id or str(uuid.uuid4())
        secret = self.planted.plant(secret or f"lb8Q~{secrets.token_urlsafe(26)}", "client secret")
        self.applications[client_id] = Application(client_id, str(uuid.uuid4()), secret)
        return self.applications[client_id]

    def issue(self, application: Application, audience: str) -> tuple[str, int]:
        """An access token, and the seconds that it lives."""
        now = self.clock.time()
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.access_lifetime),
            "tid": TENANT,
            "oid": application.object_id,
            "sub": application.object_id,
            "appid": application.client_id,
            "appidacr": "1",
            "idtyp": "app",
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        return self.planted.plant(self._signed(claims), "access token"), int(self.access_lifetime)

    def assertion(self, issuer: str, subject: str, audience: str) -> str:
        """An identity token of a CI system, to be exchanged for an access token."""
        now = self.clock.time()
        claims = {
            "iss": issuer,
            "sub": subject,
            "aud": audience,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + self.assertion_lifetime),
            "jti": str(uuid.uuid4()),
        }
        return self.planted.plant(self._signed(claims), "identity token")

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, algorithm="HS256")

    def claims(self, token: str) -> dict[str, Any]:
        """What the token says, its signature checked, its times not. Raises BadToken."""
        checks = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            read: dict[str, Any] = jwt.decode(token, self._key, algorithms=["HS256"], options=checks)  # type: ignore[arg-type]
        except jwt.InvalidTokenError as problem:
            raise BadToken("InvalidAuthenticationToken", f"The access token is invalid. {problem}") from problem
        return read

    def read(self, token: str, audiences: tuple[str, ...]) -> Principal:
        """Who bears the token. Raises BadToken where it has expired or is for somebody else's ears.

        Codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors.
        """
        claims = self.claims(token)
        now, expires = self.clock.time(), float(claims.get("exp", 0))
        if now >= expires:
            message = f"The access token expiry UTC time '{expires:.0f}' is earlier than current UTC time '{now:.0f}'."
            raise BadToken("ExpiredAuthenticationToken", message)
        audience = str(claims.get("aud", ""))
        if audience.rstrip("/") not in audiences:
            message = f"The access token has been obtained for wrong audience or resource '{audience}'."
            raise BadToken("InvalidAuthenticationTokenAudience", message)
        return Principal(claims["oid"], claims["appid"], claims["tid"], audience, expires)
