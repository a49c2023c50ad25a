"""Signing in: Entra's token endpoint, and where machines and CI systems get what they sign in with."""

from __future__ import annotations

import re
import uuid
from typing import Final
from urllib.parse import parse_qs

from tests.azure.cloud import Cloud
from tests.azure.hosts import APP_SERVICE, ARM, GITHUB, LOGIN, METADATA, PIPELINES
from tests.azure.routing import Body, Call, Reply, Routes
from tests.azure.tenancy import EXCHANGE, GITHUB_ISSUER, PIPELINES_ISSUER, TENANT, Application, BadToken

login = Routes(LOGIN)
arm = Routes(ARM, signed_in=False)
machine = Routes(METADATA)
app_service = Routes(APP_SERVICE)
github = Routes(GITHUB)
pipelines = Routes(PIPELINES)
ROUTES: Final = [login, arm, machine, app_service, github, pipelines]

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@login.get("/{tenant}/v2.0/.well-known/openid-configuration")
def openid_configuration(cloud: Cloud, call: Call) -> Reply:
    """Where everything is."""
    if not _known(call.params["tenant"]):
        return _unknown_tenant(cloud, call.params["tenant"])
    root = f"https://{call.host}/{TENANT}"
    return Reply(
        200,
        {
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "token"],
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.us" if call.host.endswith(".us") else "microsoftonline.com",
        },
    )


@login.get("/common/discovery/instance")
def instances(cloud: Cloud, call: Call) -> Reply:
    """Which hosts are the same authority, as MSAL asks."""
    public = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
    government = ["login.microsoftonline.us", "login.usgovcloudapi.net"]
    clouds = [
        {"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net", "aliases": public},
        {"preferred_network": government[0], "preferred_cache": government[0], "aliases": government},
    ]
    where = f"https://{call.host}/{TENANT}/v2.0/.well-known/openid-configuration"
    return Reply(200, {"tenant_discovery_endpoint": where, "api-version": "1.1", "metadata": clouds})


@login.post("/{tenant}/oauth2/v2.0/token")
def token(cloud: Cloud, call: Call) -> Reply:
    """The client credentials grant, with a secret or with another issuer's assertion."""
    if not _known(call.params["tenant"]):
        return _unknown_tenant(cloud, call.params["tenant"])
    form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
    if form.get("grant_type") != "client_credentials":
        message = f"The app requested an unsupported grant type '{form.get('grant_type')}'."
        return _error(cloud, 400, "unsupported_grant_type", 70003, message)
    application = cloud.tenancy.applications.get(form.get("client_id", ""))
    if application is None:
        message = f"Application with identifier '{form.get('client_id')}' was not found in the directory 'Loopback'."
        return _error(cloud, 400, "unauthorized_client", 700016, message)
    if refusal := _unproven(cloud, application, form):
        return refusal
    scope = form.get("scope", "")
    if not scope.endswith("/.default"):
        return _error(cloud, 400, "invalid_scope", 70011, f"The provided value for scope {scope} is not valid.")
    access, lives = cloud.tenancy.issue(application, scope.removesuffix("/.default").rstrip("/"))
    return Reply(
        200, {"token_type": "Bearer", "expires_in": lives, "ext_expires_in": lives, "access_token": access}, _NO_STORE
    )


_NO_STORE: Final = {"Cache-Control": "no-store, no-cache"}


def _known(tenant: str) -> bool:
    return tenant.lower() == TENANT


def _unproven(cloud: Cloud, application: Application, form: dict[str, str]) -> Reply | None:
    """The refusal, where the secret or assertion does not prove who asks."""
    if form.get("client_assertion_type") == ASSERTION:
        return _bad_assertion(cloud, application, form.get("client_assertion", ""))
    if "client_secret" not in form:
        message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
        return _error(cloud, 401, "invalid_client", 7000218, message)
    if form["client_secret"] != application.secret:
        message = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{application.client_id}'."
        )
        return _error(cloud, 401, "invalid_client", 7000215, message)
    return None


def _bad_assertion(cloud: Cloud, application: Application, assertion: str) -> Reply | None:
    """Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes."""
    try:
        claims = cloud.tenancy.claims(assertion)
    except BadToken as problem:
        return _error(cloud, 401, "invalid_client", 700027, f"Client assertion failed signature validation. {problem}")
    if not claims["nbf"] - 300 <= cloud.clock.time() < claims["exp"]:
        message = (
            "Client assertion is not within its valid time range. "
            f"Current time: {cloud.clock.stamp()}, expiry time of assertion {claims['exp']}."
        )
        return _error(cloud, 401, "invalid_client", 700024, message)
    if claims.get("aud") != EXCHANGE:
        message = f"No matching federated identity record found for presented assertion audience '{claims.get('aud')}'."
        return _error(cloud, 400, "invalid_request", 700212, message)
    if claims["iss"] not in {issuer for issuer, _ in application.subjects}:
        message = f"No matching federated identity record found for presented assertion issuer '{claims['iss']}'."
        return _error(cloud, 401, "invalid_client", 700211, message)
    if (claims["iss"], claims["sub"]) not in application.subjects:
        message = f"No matching federated identity record found for presented assertion subject '{claims['sub']}'."
        return _error(cloud, 401, "invalid_client", 700213, message)
    return None


def _unknown_tenant(cloud: Cloud, tenant: str) -> Reply:
    message = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
    return _error(cloud, 400, "invalid_request", 90002, message)


def _error(cloud: Cloud, status: int, error: str, code: int, message: str) -> Reply:
    trace, correlation, now = str(uuid.uuid4()), str(uuid.uuid4()), cloud.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
    description = f"AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
    body: Body = {
        "error": error,
        "error_description": description,
        "error_codes": [code],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    return Reply(status, body, _NO_STORE)


@arm.get("/metadata/endpoints")
def metadata(cloud: Cloud, call: Call) -> Reply:
    """The clouds there are. Asked without a token, by the SDK and by MLflow's plug-in."""
    clouds = [
        _cloud("AzureCloud", "azure.com", "core.windows.net", "login.microsoftonline.com", "https://ml.azure.com"),
        _cloud(
            "AzureUSGovernment",
            "usgovcloudapi.net",
            "core.usgovcloudapi.net",
            "login.microsoftonline.us",
            "https://ml.azure.us",
        ),
    ]
    if re.match("2015", call.api_version):
        own = clouds["usgov" in call.host]
        old = {
            "portalEndpoint": own["portal"],
            "authentication": {"loginEndpoint": own["authentication"]["loginEndpoint"]},
        }
        return Reply(200, old)
    return Reply(200, clouds)


def _cloud(name: str, management: str, core: str, sign_in: str, studio: str) -> Body:
    return {
        "name": name,
        "portal": "https://portal.azure.us" if "Government" in name else "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": f"https://{sign_in}/",
            "audiences": [f"https://management.{core}/", f"https://management.{management}/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": f"https://rest.media.{core}",
        "graph": "https://graph.windows.net/",
        "graphAudience": "https://graph.windows.net/",
        "resourceManager": f"https://management.{management}/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "amlWorkspaceUrl": studio,
        "suffixes": {
            "storage": core,
            "keyVaultDns": "vault.usgovcloudapi.net" if "Government" in name else "vault.azure.net",
            "acrLoginServer": "azurecr.us" if "Government" in name else "azurecr.io",
        },
    }


@machine.get("/metadata/identity/oauth2/token")
def machine_token(cloud: Cloud, call: Call) -> Reply:
    """The instance metadata service: a managed identity's token for whoever runs on the machine."""
    if call.headers.get("metadata", "").lower() != "true":
        return Reply(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
    return _managed(cloud, call)


@app_service.get("/msi/token")
def app_service_token(cloud: Cloud, call: Call) -> Reply:
    """The identity endpoint of App Service and of Azure ML's computes; asks for the header that goes with it."""
    if call.headers.get("x-identity-header") != cloud.tenancy.identity_header:
        return Reply(401, {"statusCode": 401, "message": "The identity header is missing or wrong."})
    return _managed(cloud, call)


def _managed(cloud: Cloud, call: Call) -> Reply:
    wanted = call.query.get("client_id") or call.query.get("mi_res_id")
    if wanted not in (None, cloud.tenancy.managed.client_id):
        return Reply(400, {"error": "invalid_request", "error_description": "Identity not found"})
    resource = call.query.get("resource", "")
    if not resource:
        return Reply(400, {"error": "invalid_request", "error_description": "resource is missing"})
    access, lives = cloud.tenancy.issue(cloud.tenancy.managed, resource.rstrip("/"))
    expires = str(int(cloud.clock.time()) + lives)
    return Reply(
        200,
        {
            "access_token": access,
            "client_id": cloud.tenancy.managed.client_id,
            "expires_in": str(lives),
            "expires_on": expires,
            "ext_expires_in": str(lives),
            "not_before": str(int(cloud.clock.time())),
            "resource": resource,
            "token_type": "Bearer",
        },
    )


@github.get("/{job}/idtoken/{run}/{attempt}")
def github_token(cloud: Cloud, call: Call) -> Reply:
    """GitHub Actions' identity token of the job, for the audience asked for."""
    if not _bears(call, cloud.tenancy.github_request_token):
        return Reply(401, {"message": "The request token is missing or wrong."})
    audience = call.query.get("audience", "https://github.com/loopback")
    return Reply(200, {"value": cloud.tenancy.assertion(GITHUB_ISSUER, cloud.tenancy.github_subject, audience)})


@pipelines.post("/{organisation}/{project}/_apis/distributedtask/hubs/build/plans/{plan}/jobs/{job}/oidctoken")
def pipelines_token(cloud: Cloud, call: Call) -> Reply:
    """Azure Pipelines' identity token of a service connection."""
    if not _bears(call, cloud.tenancy.pipelines_access_token):
        return Reply(401, {"message": "TF400813: The user is not authorized to access this resource."})
    if call.query.get("serviceConnectionId") != cloud.tenancy.service_connection:
        return Reply(
            404, {"message": f"No service connection found with identifier {call.query.get('serviceConnectionId')}."}
        )
    token = cloud.tenancy.assertion(PIPELINES_ISSUER, cloud.tenancy.pipelines_subject, EXCHANGE)
    return Reply(200, {"oidcToken": token})


def _bears(call: Call, wanted: str) -> bool:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and value == wanted
