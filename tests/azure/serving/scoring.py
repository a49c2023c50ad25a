"""The front door of endpoints: who may ask, and on to the endpoint's router.

Status codes: "HTTP status codes" in "Troubleshoot online endpoints" on Microsoft Learn. Those about models (404, 408,
424, 429) are the router's own; here are 401 and 403. An endpoint's name that nobody has has no address in Azure; here
its answer is 404, as the proxy has connected already.
"""

from __future__ import annotations

import hmac
import uuid
from typing import Final

from tests.azure.access import Grant
from tests.azure.cloud import Cloud
from tests.azure.hosts import SCORING
from tests.azure.routing import Call, Refused, Reply, Routes
from tests.azure.serving.state import Endpoint, Region
from tests.azure.tenancy import BadToken

AUDIENCES: Final = ("https://ml.azure.com", "https://ml.azure.us", "18a66f5f-dbdf-4c17-9dd7-1634712a9cbe")
SCORE: Final = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"
BY: Final = "azureml-model-deployment"

_KEPT_BACK: Final = {
    "host",
    "authorization",
    "content-length",
    "connection",
    "transfer-encoding",
    "expect",
    "x-request-id",
}
_HOP: Final = {"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"}

routes = Routes(SCORING)


@routes.any("/{path*}")
async def score(cloud: Cloud, call: Call) -> Reply:
    """Any request to an endpoint: `/score`, `/swagger.json`, or what is not there."""
    endpoint = cloud.part(Region).find(call.params["region"], call.params["endpoint"])
    request_id = {"x-request-id": str(uuid.uuid4())}
    if endpoint is None or not endpoint.came_up:
        return _refused(404, "NotFound", "The endpoint was not found.").including(request_id)
    refusal = _unauthorized(cloud, endpoint, call)
    if refusal is not None:
        return refusal.including(request_id)
    headers = {name: value for name, value in call.headers.items() if name.lower() not in _KEPT_BACK} | request_id
    named = endpoint.deployments.get(headers.get(BY, "").lower())
    if named is not None:
        headers[BY] = named.name
    status, told, body = await endpoint.served.ask(call.method, call.target or call.path, headers, call.body)
    return Reply(status, body, {name: value for name, value in told.items() if name not in _HOP})


def _unauthorized(cloud: Cloud, endpoint: Endpoint, call: Call) -> Reply | None:
    """The refusal, where the request's authorization is not what the endpoint's authMode asks for."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return _refused(401, "AuthenticationFailed", "Authorization header is missing.")
    match endpoint.auth_mode:
        case "Key":
            keys = (endpoint.primary_key, endpoint.secondary_key)
            known = any(hmac.compare_digest(token.encode(), key.encode()) for key in keys)
            return None if known else _refused(401, "key_auth_access_denied", "The key is not one of this endpoint's.")
        case "AMLToken":
            if endpoint.tokens.get(token, 0) > cloud.clock.time():
                return None
            return _refused(401, "token_auth_access_denied", "The token is unknown, or has expired.")
        case _:
            return _not_entra(cloud, token)


def _not_entra(cloud: Cloud, token: str) -> Reply | None:
    try:
        principal = cloud.tenancy.read(token, AUDIENCES)
    except BadToken as problem:
        return _refused(401, problem.code, problem.message)
    grant: Grant | None = cloud.grants.get(principal.client_id)
    if grant is None or grant.allows(SCORE):
        return None
    return _refused(403, "AuthorizationFailed", f"The client '{principal.client_id}' may not perform '{SCORE}'.")


def _refused(status: int, code: str, message: str) -> Reply:
    return Refused(status, code, message).reply
