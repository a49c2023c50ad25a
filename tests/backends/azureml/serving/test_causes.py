"""Every documented way to fail is named, with a way out; what Azure said is in it, and no secret."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.causes import HINTS, Cause, Failure, failure_of
from ctrain.errors import CtrainError, NotAllowed, PlatformUnavailable, UsageError
from tests.azure.serving.failures import CODES
from tests.azure.serving.failures import Failure as Documented

NAMES = {"account": "acc", "container": "con", "deployment": "blue"}


@pytest.mark.parametrize("wrapping", ["message", "code"])
@pytest.mark.parametrize("code", sorted(CODES))
def test_each_documented_code_has_a_cause(code: str, wrapping: str) -> None:
    """Whether the code is a field of its own or the head of the message."""
    documented = Documented(code, wrapping="code" if wrapping == "code" else "message")
    failure = failure_of({"status": "Failed", "error": documented.error(NAMES)})

    assert failure.cause is not Cause.UNKNOWN
    assert code in failure.said
    assert "troubleshooting guide" not in failure.said


@pytest.mark.parametrize(
    ("code", "message", "cause"),
    [
        ("BadArgument", "Startup task failed due to authorization error: no AcrPull", Cause.NOT_ALLOWED),
        ("BadArgument", "Invalid template function specification", Cause.ARGUMENT),
        ("ResourceNotFound", "container registry authorization failure", Cause.NOT_ALLOWED),
        ("ResourceNotFound", "the storage account", Cause.NOT_FOUND),
        ("OutOfQuota", "due to a lack of Azure Machine Learning capacity", Cause.CAPACITY),
        ("OutOfQuota", "Not enough quota available for Standard_DS3_v2", Cause.QUOTA),
        ("SomethingNew", "of which nobody knows", Cause.UNKNOWN),
    ],
)
def test_one_code_may_have_several_causes(code: str, message: str, cause: Cause) -> None:
    """What is meant is in the message."""
    assert failure_of({"error": {"code": code, "message": message}}) == Failure(cause, f"{code}: {message}")


def test_the_cause_may_be_inside() -> None:
    """ARM wraps: the outer code says nothing."""
    inner: Json = {"code": "x", "message": "", "details": [{"code": "ImageBuildFailure", "message": "pip could not"}]}
    operation: Json = {"error": {"code": "InferencingError", "message": "It failed.", "details": [inner]}}

    assert failure_of(operation) == Failure(Cause.IMAGE, "ImageBuildFailure: pip could not")


@pytest.mark.parametrize("operation", [None, {}, {"status": "Failed"}, {"error": None}, {"error": {"code": None}}])
def test_where_azure_says_nothing_we_say_so(operation: Json | None) -> None:
    """An operation that is forgotten, or has no error."""
    assert str(failure_of(operation)) == "Azure does not say why"
    assert failure_of(operation, canceled=True).cause is Cause.CANCELED


def test_signed_addresses_are_not_told() -> None:
    """Azure points to logs by signed URLs."""
    said = "ImageBuildFailure: see https://a.blob.core.windows.net/c/log.txt?sv=1&sig=SECRET for more"

    assert "SECRET" not in str(failure_of({"error": {"message": said}}))
    assert "log.txt" in str(failure_of({"error": {"message": said}}))


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_is_an_error_with_a_way_out(cause: Cause) -> None:
    """By whose turn it is: the user's, an administrator's, or Azure's."""
    kinds: dict[Cause, type[CtrainError]] = {
        Cause.NOT_ALLOWED: NotAllowed,
        Cause.SECRETS: NotAllowed,
        Cause.ARGUMENT: UsageError,
        Cause.NOT_FOUND: UsageError,
    }
    error = Failure(cause, "Azure's words").error("it failed")

    assert type(error) is kinds.get(cause, PlatformUnavailable)
    assert (error.why, error.hint) == (f"{cause}: Azure's words", HINTS[cause])
