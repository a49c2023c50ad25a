"""Whatever the SDK, azure-core, azure-identity, msal, storage, requests and httpx raise, as one of our errors.

Wrap every call of theirs in `translated`. Arm and Dataplane do it themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from ctrain.backends.azureml.quiet import NOISY, quiet
from ctrain.backends.azureml.refusals import Refusal, error_of, refusal_of
from ctrain.errors import CtrainError, NotAllowed, PlatformUnavailable, TrainingFailed, UsageError
from ctrain.secrecy import without_secrets

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

Kind = Callable[[BaseException, str, str | None], CtrainError]
"""What to make of an exception, given what we were doing, and the action that it takes."""

THEIRS: Final = NOISY | {"requests", "urllib3", "httpx", "httpcore", "isodate", "jwt"}
"""Where an exception that nobody foresaw is not ours."""

last_request: Final[ContextVar[str]] = ContextVar("last_request", default="")
"""Azure's id of the last answer in this thread: for an SDK that fails on an answer without saying which."""


@contextmanager
def translated(doing: str, *, needs: str | None = None) -> Iterator[None]:
    """Run calls of Azure's libraries, quietly. `doing` follows "could not": "read the job j1".

    `needs` is the action that it takes, named where Azure refuses without saying which. Raises errors of ours only;
    an exception that comes out of ctrain's own code is a bug and passes.
    """
    try:
        with quiet():
            yield
    except CtrainError:
        raise
    except Exception as raised:  # foreign libraries raise what they like; what is not known passes on as it is
        error = failure_of(raised, doing, needs)
        if error is None:
            raise
        raise error from raised


def failure_of(raised: BaseException, doing: str, needs: str | None = None) -> CtrainError | None:
    """The error of ours that an exception is; None where it is a bug of ours."""
    for kind in type(raised).__mro__:
        known = KINDS.get(_name(kind))
        if known is not None:
            return known(raised, doing, needs)
    return _unexpected(raised, doing, needs) if _in_theirs(raised.__traceback__) else None


def _name(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _in_theirs(trace: TracebackType | None) -> bool:
    """Whether the exception came out of one of Azure's libraries."""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in THEIRS:
            return True
        trace = trace.tb_next
    return False


def _words(raised: BaseException) -> str:
    """What an exception says, in one line without secrets."""
    said = getattr(raised, "message", None) or _said(raised) or type(raised).__name__
    return " ".join(without_secrets(str(said)).split())[:600].rstrip(".")


def _said(raised: BaseException) -> str:
    try:
        return str(raised)
    except Exception:  # noqa: BLE001  some of theirs fall over themselves
        return ""


def _refused(raised: BaseException, doing: str, needs: str | None) -> CtrainError:
    """An HttpResponseError, by its status; without an answer, as unavailable."""
    from azure.core.exceptions import HttpResponseError

    if not isinstance(raised, HttpResponseError) or getattr(raised, "status_code", None) is None:
        return _unavailable(raised, doing, needs)
    refusal = _refusal(raised)
    if raised.status_code == 404 and hasattr(raised, "error_code"):  # storage's: there are no names to correct
        hint = "run the same command again; if it stays, look whether the workspace's default datastore is there"
        return PlatformUnavailable(f"could not {doing}", why=refusal.said, hint=hint)
    return error_of(refusal, doing, needs)


def _refusal(raised: HttpResponseError) -> Refusal:
    response: Any = raised.response
    try:
        body = json.loads(response.text())
    except Exception:  # noqa: BLE001  the body may be anything (storage speaks XML), or read away; the words are there
        body = None
    request = request_id(getattr(response, "headers", {}), _sent(response))
    found = refusal_of(raised.status_code or 0, body, request)
    code = found.code or getattr(raised, "error_code", None) or getattr(raised.error, "code", None)
    message = found.message if body is not None else raised.message.partition("\n")[0]
    return Refusal(found.status, str(code or ""), message, request)


def request_id(headers: Mapping[str, str], sent: Mapping[str, str] | None = None) -> str:
    """Azure's id of a request, by the names its services use, and the one that we sent: its support asks for both."""
    lower = {key.lower(): value for key, value in headers.items()}
    names = ("x-ms-request-id", "x-ms-correlation-request-id", "x-request-id", "apim-request-id")
    theirs = next((lower[name] for name in names if lower.get(name)), "")
    ours = (sent or {}).get("x-ms-client-request-id", "")
    return ", ours ".join(one for one in (theirs, ours) if one)


def _sent(response: Any) -> Mapping[str, str]:
    """The headers of the request that an answer is for."""
    return getattr(getattr(response, "request", None), "headers", {})


def _unavailable(raised: BaseException, doing: str, _needs: str | None) -> CtrainError:
    hint = "check the network and HTTPS_PROXY, and run the same command again; it continues from what is"
    return PlatformUnavailable(f"could not {doing}", why=f"Azure could not be reached: {_words(raised)}", hint=hint)


def _unexpected(raised: BaseException, doing: str, _needs: str | None) -> CtrainError:
    """The SDK fell over an answer that it did not expect (it reads fields that the service may leave out)."""
    request = f" [request {last_request.get()}]" if last_request.get() else ""
    return PlatformUnavailable(
        f"could not {doing}",
        why=f"Azure's answer was not what its SDK expects: {type(raised).__name__}: {_words(raised)}{request}",
        hint="run the same command again; if it stays, report it with the request's id",
    )


def _unreadable(raised: BaseException, doing: str, needs: str | None) -> CtrainError:
    """A body that ended early, or was no JSON."""
    status = getattr(raised, "status_code", None)
    if isinstance(status, int) and status >= 400:
        return _refused(raised, doing, needs)
    return _unexpected(raised, doing, needs)


def _wrong(raised: BaseException, doing: str, _needs: str | None) -> CtrainError:
    """The SDK refused what it was given, before or after asking Azure."""
    return UsageError(f"could not {doing}", why=_words(raised), hint="correct what is named, and run it again")


def _by_category(raised: BaseException, doing: str, needs: str | None) -> CtrainError:
    """The SDK's own exceptions say whose fault it is; a cause inside that is known says it better."""
    from azure.core.exceptions import AzureError

    inner = raised.__cause__ or getattr(raised, "inner_exception", None)
    if isinstance(inner, AzureError):
        found = failure_of(inner, doing, needs)
        if found is not None:
            return found
    if getattr(raised, "error_category", None) == "UserError":
        return _wrong(raised, doing, needs)
    hint = "run the same command again; if it stays, report it with these words"
    return PlatformUnavailable(f"could not {doing}", why=f"Azure's SDK gave up: {_words(raised)}", hint=hint)


def _job_failed(raised: BaseException, doing: str, _needs: str | None) -> CtrainError:
    return TrainingFailed(f"could not {doing}", why=_words(raised), hint="read `ctrain logs`")


ENTRA: Final[Mapping[str, str]] = {
    "AADSTS700024": "the CI's token had expired when it was exchanged: check the runner's clock",
    "AADSTS70021": "no federated credential of the app matches this run: compare its subject with `ctrain doctor`'s",
    "AADSTS700211": "no federated credential of the app has this issuer: compare it with `ctrain doctor`'s",
    "AADSTS700212": "no federated credential of the app has this audience: it must be api://AzureADTokenExchange",
    "AADSTS700213": "no federated credential of the app has this subject: compare it with `ctrain doctor`'s",
    "AADSTS7000215": "the client secret is wrong: AZURE_CLIENT_SECRET takes its value, not its id",
    "AADSTS7000222": "the client secret has expired: make a new one, or better, federate",
    "AADSTS700016": "there is no such app in the tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID",
    "AADSTS90002": "there is no such tenant: check AZURE_TENANT_ID and AZUREML_CURRENT_CLOUD",
    "AADSTS700082": "the sign-in has expired: run `az login`",
    "AADSTS50076": "more proof is asked for: run `az login`",
    "AADSTS50173": "the sign-in was revoked: run `az login`",
}
"""Entra's codes and the way out. Source: Microsoft's "Microsoft Entra authentication and authorization error codes"."""


LAPTOP: Final[Mapping[str, str]] = {
    "Azure CLI not found": "install the Azure CLI and run `az login`, or set CTRAIN_AZURE_SIGN_IN to another way",
    "az login": "run `az login`",
    "Unable to get authority configuration": "check AZURE_TENANT_ID, and that nothing between you and Entra answers",
    "ManagedIdentityCredential": "this machine has no managed identity: give it one, or sign in another way",
}
"""What azure-identity's credentials without Entra codes say, and the way out."""


def _not_signed_in(raised: BaseException, doing: str, needs: str | None) -> CtrainError:
    status, cause = getattr(raised, "status_code", None), raised.__cause__
    if isinstance(status, int) and (status == 429 or status >= 500):
        return _refused(raised, doing, needs)
    if getattr(raised, "error_code", None):  # storage's: it was asked with a key or a token, and refused that
        return _refused(raised, doing, needs)
    if cause is not None and KINDS.get(_name(type(cause))) is _unavailable:
        return _unavailable(cause, doing, needs)
    words = _words(raised)
    down = re.search(r"HTTP Error: (429|5\d\d)", words)  # msal's words: it keeps no status
    if down:
        return error_of(Refusal(int(down[1]), "", words, last_request.get()), doing, needs)
    code = re.search(r"AADSTS\d+", words)
    hint = ENTRA.get(code[0]) if code else next((fix for said, fix in LAPTOP.items() if said in words), None)
    hint = hint or "see `ctrain doctor`, and docs/azure-ml.md on how to sign in"
    return NotAllowed(f"could not {doing}", why=f"signing in failed: {words}", hint=hint)


def _ours_to_fix(raised: BaseException, doing: str, _needs: str | None) -> CtrainError:
    """A file or folder on this machine."""
    return PlatformUnavailable(
        f"could not {doing}",
        why=f"this machine said: {_words(raised)}",
        hint="make room, or make the file readable, and run the same command again",
    )


KINDS: Final[Mapping[str, Kind]] = {
    # azure-core; azure-identity and storage derive from these
    "azure.HttpResponseError": _refused,
    "azure.ClientAuthenticationError": _not_signed_in,
    "azure.DecodeError": _unreadable,
    "azure.TooManyRedirectsError": _unexpected,
    "azure.ServiceRequestError": _unavailable,
    "azure.ServiceResponseError": _unavailable,
    "azure.StreamConsumedError": _unexpected,
    "azure.StreamClosedError": _unexpected,
    "azure.ResponseNotReadError": _unexpected,
    "azure.SerializationError": _unexpected,
    "azure.DeserializationError": _unexpected,
    "azure.AzureError": _unavailable,
    # azure-ai-ml
    "azure.MlException": _by_category,
    "azure.DeploymentException": _by_category,
    "azure.ComponentException": _by_category,
    "azure.ModelException": _by_category,
    "azure.AssetException": _by_category,
    "azure.ScheduleException": _by_category,
    "azure.ValidationException": _by_category,
    "azure.JobException": _job_failed,
    "azure.PipelineChildJobError": _wrong,
    "azure.JobParsingError": _wrong,
    "azure.UserErrorException": _wrong,
    "azure.AssetPathException": _wrong,
    "azure.EmptyDirectoryError": _wrong,
    # its local endpoints and debuggers, which ctrain never asks for
    "azure.LocalEndpointNotFoundError": _wrong,
    "azure.LocalEndpointInFailedStateError": _wrong,
    "azure.DockerEngineNotAvailableError": _wrong,
    "azure.MultipleLocalDeploymentsFoundError": _wrong,
    "azure.InvalidLocalEndpointError": _wrong,
    "azure.LocalEndpointImageBuildError": _wrong,
    "azure.CloudArtifactsNotSupportedError": _wrong,
    "azure.RequiredLocalArtifactsNotFoundError": _wrong,
    "azure.InvalidVSCodeRequestError": _wrong,
    "azure.VSCodeCommandNotFound": _wrong,
    "azure.LocalDeploymentGPUNotAvailable": _wrong,
    "marshmallow.ValidationError": _wrong,
    # below and beside them
    "msal.MsalError": _not_signed_in,
    "msal.ManagedIdentityError": _not_signed_in,
    "msal.BrowserInteractionTimeoutError": _not_signed_in,
    "msal.IdTokenError": _not_signed_in,
    "requests.RequestException": _unavailable,
    "urllib3.HTTPError": _unavailable,
    "httpx.HTTPError": _unavailable,
    "httpx.InvalidURL": _unexpected,
    "httpx.StreamError": _unexpected,
    "httpx.CookieConflict": _unexpected,
    "builtins.ConnectionError": _unavailable,
    "builtins.TimeoutError": _unavailable,
    "builtins.OSError": _ours_to_fix,
}
"""By top-level package and class name, so that nothing has to be imported to know it; a class stands for those derived
from it. What is in none of these passes as a bug when ctrain's own code raised it."""
