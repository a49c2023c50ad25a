"""The blob hosts: keys and signatures go to Azurite as they are, tokens are looked at here."""

from __future__ import annotations

import uuid
from typing import Final
from xml.sax.saxutils import escape

from tests.azure.azurite import NoStorage
from tests.azure.cloud import Cloud
from tests.azure.hosts import BLOB
from tests.azure.routing import Call, Reply, Routes
from tests.azure.tenancy import TENANT, BadToken

routes = Routes(BLOB)

AUDIENCES: Final = ("https://storage.azure.com",)


@routes.any("/{path*}")
async def blob(cloud: Cloud, call: Call) -> Reply:
    """Anything that the blob service does."""
    try:
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return await cloud.storage.forward(call)
        own = f"https://{call.host}"
        who = cloud.tenancy.read(token, (*AUDIENCES, own))
        if who.client_id in cloud.without_blobs:
            message = "This request is not authorized to perform this operation using this permission."
            return _error(403, "AuthorizationPermissionMismatch", message)
        return await cloud.storage.forward(call, trusted=True)
    except BadToken:
        where = f"https://login.microsoftonline.com/{TENANT}/oauth2/authorize"
        challenge = f"Bearer authorization_uri={where} resource_id={AUDIENCES[0]}"
        message = "Server failed to authenticate the request. See the www-authenticate header."
        return _error(401, "InvalidAuthenticationInfo", message, {"WWW-Authenticate": challenge})
    except NoStorage as problem:
        return _error(501, "NotImplemented", str(problem))


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Reply:
    """As the blob service writes errors."""
    request = str(uuid.uuid4())
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>'
    )
    known = {"Content-Type": "application/xml", "x-ms-error-code": code, "x-ms-request-id": request}
    return Reply(status, body, {**known, **(headers or {})})
