"""Whatever Azure's libraries raise is one of our errors; nothing falls through."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator

import azure.core.exceptions as core
import pytest
import requests
from azure.core.rest import HttpRequest

from ctrain import secrecy
from ctrain.backends.azureml.failures import ENTRA, KINDS, _name, failure_of, last_request, translated
from ctrain.backends.azureml.quiet import quiet
from ctrain.errors import (
    Conflict,
    CtrainError,
    NotAllowed,
    PlatformUnavailable,
    TrainingFailed,
    UsageError,
)
from ctrain.secrecy import without_secrets

MODULES = (
    "azure.ai.ml.exceptions",
    "azure.core.exceptions",
    "azure.identity",
    "azure.identity._exceptions",
    "azure.storage.blob",
    "azure.storage.blob._shared.models",
    "msal",
    "msal.exceptions",
    "msal.managed_identity",
    "httpx",
    "requests.exceptions",
)

ROOTS = {"AzureError", "MlException"}
"""They say nothing but whose a class is: one that is known by these alone has not been thought about."""


def exceptions() -> Iterator[type[BaseException]]:
    """All exception classes of the libraries, each once."""
    seen: set[type] = set()
    with quiet():
        modules = [importlib.import_module(name) for name in MODULES]
    for module in modules:
        for _, found in inspect.getmembers(module, inspect.isclass):
            foreign = found.__module__.partition(".")[0] in {"azure", "msal", "httpx", "requests"}
            if issubclass(found, Exception) and not issubclass(found, Warning) and foreign and found not in seen:
                seen.add(found)
                yield found


def test_every_exception_class_of_azures_libraries_has_been_thought_about() -> None:
    """A new one in a new release fails here, until somebody says what it means."""
    unmapped = []
    for kind in exceptions():
        known = next((one for one in kind.__mro__ if _name(one) in KINDS), None)
        if known is None or (known.__name__ in ROOTS and kind.__name__ not in ROOTS) or known is OSError:
            unmapped.append(f"{kind.__module__}.{kind.__name__}")
    assert not unmapped
    assert sum(1 for _ in exceptions()) > 80


@pytest.mark.parametrize("kind", list(exceptions()), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_each_of_them_is_an_error_of_ours_with_what_why_and_hint(kind: type[BaseException]) -> None:
    """Made without its constructor, as bare as an exception can be: still no traceback."""
    bare = kind.__new__(kind)
    found = failure_of(bare, "do a thing")
    assert isinstance(found, CtrainError)
    assert found.what == "could not do a thing"
    assert found.why
    assert found.hint


def refused(status: int, body: object, kind: type[core.HttpResponseError] = core.HttpResponseError) -> BaseException:
    """azure-core's exception for an answer, as its clients raise it."""
    from azure.core.pipeline.transport import RequestsTransportResponse

    inner = requests.Response()
    inner.status_code, inner._content = status, json.dumps(body).encode()
    inner.headers["x-ms-request-id"] = "4711"
    request: object = HttpRequest("GET", "https://management.azure.com/x")
    return kind(response=RequestsTransportResponse(request, inner))


QUOTA = {"error": {"code": "BadRequest", "message": "Not enough quota available for Standard_DS3_v2 in WESTEUROPE"}}
DENIED = {
    "error": {
        "code": "AuthorizationFailed",
        "message": "The client 'x' with object id 'y' does not have authorization to perform action "
        "'Microsoft.MachineLearningServices/workspaces/jobs/write' over scope '/subscriptions/s' or the scope is "
        "invalid.",
    }
}


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (400, {"error": {"code": "UserError", "message": "Bad name."}}, UsageError, "UserError: Bad name"),
        (400, QUOTA, PlatformUnavailable, "Not enough quota"),
        (409, {"error": {"code": "OutOfQuota", "message": "No."}}, PlatformUnavailable, "OutOfQuota"),
        (400, {"error": {"code": "X", "message": "", "details": [{"code": "OutOfCapacity", "message": "None left."}]}},
         PlatformUnavailable, "None left"),
        (403, DENIED, NotAllowed, "action Microsoft.MachineLearningServices/workspaces/jobs/write is not permitted"),
        (403, {"error": {"code": "RequestDisallowedByPolicy", "message": "No."}}, NotAllowed, "RequestDisallowed"),
        (404, {"error": {"code": "ResourceNotFound", "message": "Gone."}}, UsageError, "Gone"),
        (200, None, PlatformUnavailable, "is none of Azure's"),
        (409, {"error": {"code": "Conflict", "message": "Busy."}}, Conflict, "Busy"),
        (412, {}, Conflict, "no reason"),
        (429, {"error": {"code": "TooManyRequests", "message": "Later."}}, PlatformUnavailable, "throttling"),
        (500, ["not", "an", "object"], PlatformUnavailable, "Azure answered 500"),
        (503, None, PlatformUnavailable, "request 4711"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_by_status_and_code(status: int, body: object, error: type[CtrainError], says: str) -> None:
    """In Azure's words, with the id by which its support finds the request."""
    found = failure_of(refused(status, body), "do a thing")
    assert type(found) is error
    assert says in found.why
    assert "4711" in found.why


def test_an_action_that_azure_does_not_name_is_named_from_what_we_know() -> None:
    """The caller knows which action the call takes."""
    found = failure_of(refused(403, {"error": {"code": "Forbidden", "message": "No."}}), "do it", "Some.Thing/write")
    assert found is not None
    assert "Some.Thing/write" in found.hint


@pytest.mark.parametrize(("status", "hint"), [(403, "sync-keys"), (401, "ctrain doctor")])
def test_a_key_that_storage_refuses_is_no_missing_role(status: int, hint: str) -> None:
    """After a rotation nobody shall look for a role; and it was no signing in that failed."""
    body = {"error": {"code": "AuthenticationFailed", "message": "Server failed to authenticate the request."}}
    raised = refused(status, body, core.ClientAuthenticationError)
    raised.error_code = "AuthenticationFailed"  # type: ignore[attr-defined]  # as the storage SDK sets it

    found = failure_of(raised, "read a record", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read")

    assert isinstance(found, NotAllowed)
    assert hint in found.hint
    assert "is not permitted" not in found.why
    assert "signing in failed" not in found.why


def test_what_storage_does_not_find_is_no_wrong_name() -> None:
    """What ctrain names there it has named itself."""
    raised = refused(404, None, core.ResourceNotFoundError)
    raised.error_code = "ResourceNotFound"  # type: ignore[attr-defined]  # as the storage SDK sets it

    found = failure_of(raised, "read a record")

    assert isinstance(found, PlatformUnavailable)
    assert "check the names" not in found.hint


def test_a_subclass_goes_by_its_status() -> None:
    """azure-core raises ResourceExistsError for any 409; what it means is in the body."""
    found = failure_of(refused(409, QUOTA, core.ResourceExistsError), "do it")
    assert isinstance(found, PlatformUnavailable)


@pytest.mark.parametrize("code", sorted(ENTRA))
def test_entras_codes_say_the_way_out(code: str) -> None:
    """Most people meet them on the first day."""
    found = failure_of(core.ClientAuthenticationError(message=f"Authentication failed: {code}: Words."), "sign in")
    assert isinstance(found, NotAllowed)
    assert found.hint == ENTRA[code]


def test_entra_being_down_is_not_our_users_fault() -> None:
    """Nor is it about permissions."""
    assert isinstance(failure_of(refused(503, {}, core.ClientAuthenticationError), "sign in"), PlatformUnavailable)


def test_the_sdks_own_exceptions_say_whose_fault_it_is() -> None:
    """By category; a cause that Azure named says it better."""
    with quiet():
        from azure.ai.ml import exceptions as ml

    blamed = ml.ValidationException("Bad path", "bad", error_category="UserError")  # type: ignore[arg-type]
    assert isinstance(failure_of(blamed, "submit"), UsageError)
    theirs = ml.AssetException("Upload broke", "broke", target="Asset", error_category="SystemError")  # type: ignore[arg-type]
    assert isinstance(failure_of(theirs, "submit"), PlatformUnavailable)
    theirs.__cause__ = refused(403, DENIED)
    assert isinstance(failure_of(theirs, "submit"), NotAllowed)
    job = ml.JobException("Failed", "failed", target="Job", error_category="UserError")  # type: ignore[arg-type]
    assert isinstance(failure_of(job, "stream"), TrainingFailed)


def test_an_sdk_that_falls_over_an_answer_is_no_bug_of_ours() -> None:
    """It reads fields that the service may leave out; the request's id is told."""
    last_request.set("4711")
    with pytest.raises(PlatformUnavailable, match=r"AttributeError.*request 4711"), translated("read the job"):
        requests.Session().send(None)  # type: ignore[arg-type]


def test_a_bug_of_ours_stays_one() -> None:
    """Raised in ctrain's own code it is not Azure's doing."""
    with pytest.raises(AttributeError), translated("read"):
        secrecy.redacted(3)  # type: ignore[arg-type]


def test_an_error_of_ours_passes_as_it_is() -> None:
    """Blocks nest."""
    ours = Conflict("a", why="b", hint="c")
    with pytest.raises(Conflict) as told, translated("outer"), translated("inner"):
        raise ours
    assert told.value is ours


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes(kind: type[BaseException]) -> None:
    """Nothing is in its way."""
    with pytest.raises(kind), translated("wait"):
        raise kind


@pytest.mark.parametrize(
    "words",
    [
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET==;EndpointSuffix=x",
        "Authorization: Bearer SECRET was refused",
        "sv=2024&sp=r&sig=SECRET%3D&se=1",
        "client_secret=SECRET&scope=x",
        "token eyJhbGciOiJSUzI1NiJ9.SECRET.c2ln expired",
        "SharedKey account:SECRET",
    ],
)
def test_keys_and_tokens_in_what_azure_says_are_left_out(words: str) -> None:
    """Whatever quotes them; the words around stay."""
    assert "SECRET" not in without_secrets(words)
    assert "…" in without_secrets(words)
    assert without_secrets("The token is unknown, its signature=bad") != ""
    assert without_secrets("the bearer token of app x") == "the bearer … of app x"


def test_signed_addresses_in_what_azure_says_lose_their_signature() -> None:
    """Messages quote URLs; some are as good as a key."""
    body = {"error": {"code": "X", "message": "Cannot read https://a.blob.core.windows.net/c/b?sv=1&sig=SECRET now"}}
    found = failure_of(refused(400, body), "read")
    assert "SECRET" not in str(found)
    assert "https://a.blob.core.windows.net/c/b?…" in str(found)
