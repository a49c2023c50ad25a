"""Deployments: placed once, told by their state, taken away when they carry nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctrain.errors import Conflict, PlatformUnavailable, UsageError
from ctrain.serving import DeploymentState, ScoringCode
from tests.backends.azureml.serving.conftest import ENDPOINT, Stood

BLUE = r".*/deployments/blue\?.*"
VERSION = "2023-04-01-preview"


@pytest.fixture
def ready(stood: Stood) -> Stood:
    """A fresh workspace with an empty endpoint."""
    stood.serving.create(ENDPOINT)
    return stood


def deployment(stood: Stood, name: str) -> dict[str, Any]:
    body = stood.workspace.arm.get(f"onlineEndpoints/{ENDPOINT}/deployments/{name}", VERSION)
    assert body is not None
    return dict(body)


def test_a_name_that_azure_refuses_is_refused_before_any_call(ready: Stood) -> None:
    """As an endpoint's."""
    spec, since = ready.spec("Blue"), ready.azure.mark()
    with pytest.raises(UsageError, match="cannot be the name of a deployment"):
        ready.serving.place(ENDPOINT, spec)
    assert ready.azure.calls(since=since) == []


def test_placing_twice_is_placing_once(ready: Stood) -> None:
    """On its way or up: nothing is written, nothing uploaded."""
    ready.azure.durations(deployment_create=30)
    spec = ready.spec("blue")
    ready.serving.place(ENDPOINT, spec)
    since = ready.azure.mark()

    ready.serving.place(ENDPOINT, replace(spec, tags={"release": "another"}))

    assert ready.look().deployments["blue"].state is DeploymentState.CREATING
    assert ready.writes(since) == []
    assert ready.azure.calls(method="PUT", host=".*blob.*", since=since) == []


def test_code_and_environment_are_made_once_for_all_deployments(ready: Stood) -> None:
    """By content: the second deployment finds them."""
    ready.fate("deployment", times=2, hangs=True)
    ready.serving.place(ENDPOINT, ready.spec("blue"))
    since = ready.azure.mark()

    ready.serving.place(ENDPOINT, replace(ready.spec("green"), max_concurrent_requests=2))

    assert ready.writes(since) == ["PUT green"]
    blue, green = (deployment(ready, name)["properties"] for name in ("blue", "green"))
    assert blue["codeConfiguration"] == green["codeConfiguration"]
    assert blue["environmentId"] == green["environmentId"]


@pytest.mark.parametrize("act", ["reset after", "truncate", "reset during"])
def test_a_lost_answer_makes_no_second_deployment(ready: Stood, act: str) -> None:
    """Azure took it: 409 is met by the second PUT, and the deployment is ours."""
    ready.fate("deployment", hangs=True)
    ready.azure.fault(act, method="PUT", path=BLUE)

    ready.serving.place(ENDPOINT, ready.spec("blue"))

    assert ready.look().deployments["blue"].state is DeploymentState.CREATING


def test_an_answer_that_never_comes_is_told(ready: Stood) -> None:
    """And nothing is there."""
    ready.azure.fault("reset before", method="PUT", path=BLUE, times=None)

    with pytest.raises(PlatformUnavailable):
        ready.serving.place(ENDPOINT, ready.spec("blue"))
    assert ready.look().deployments == {}


def test_an_endpoint_that_shows_late_that_it_is_busy_is_waited_for(ready: Stood) -> None:
    """Seen in Azure/azure-sdk-for-net#36961: 409 right after Succeeded."""
    ready.fate("deployment", hangs=True)
    body = {"error": {"code": "Conflict", "message": "because it is in Updating provisioning state."}}
    ready.azure.fault("answer", status=409, body=body, method="PUT", path=BLUE, times=2)

    ready.serving.place(ENDPOINT, ready.spec("blue"))

    assert "blue" in ready.look().deployments


def test_an_endpoint_that_is_not_there_is_a_conflict(stood: Stood) -> None:
    """It must be created first."""
    with pytest.raises(Conflict, match="there is no endpoint"):
        stood.serving.place(ENDPOINT, stood.spec("blue"))


def test_an_endpoint_that_somebody_keeps_busy_is_told(ready: Stood) -> None:
    """After five minutes: they are at it, and we leave it to them."""
    ready.fate("endpoint", hangs=True)
    path = f"onlineEndpoints/{ENDPOINT}"
    ready.workspace.arm.patch(path, "2022-02-01-preview", {"tags": {"ctrain": "1"}})

    with pytest.raises(Conflict, match="being changed by somebody else"):
        ready.serving.place(ENDPOINT, ready.spec("blue"))


def test_one_that_is_being_deleted_for_ever_is_told(ready: Stood) -> None:
    """Its name is not free."""
    ready.fate("deployment", code="ImageBuildFailure")
    ready.serving.place(ENDPOINT, ready.spec("blue"))
    ready.settled("blue")
    ready.azure.durations(deployment_delete=4000)
    ready.serving.remove(ENDPOINT, "blue")
    ready.azure.durations(deployment_delete=0.2)

    with pytest.raises(Conflict, match="still being deleted"):
        ready.serving.place(ENDPOINT, ready.spec("blue"))


def test_a_deployment_of_an_endpoint_that_is_gone_is_gone(stood: Stood) -> None:
    """Nothing is to be done."""
    stood.serving.remove(ENDPOINT, "blue")
    assert stood.serving.look(ENDPOINT) is None


@pytest.mark.parametrize("status", [404, 403, 400])
def test_an_operation_that_cannot_be_read_is_no_obstacle(ready: Stood, status: int) -> None:
    """It is too long ago, or may not be read: that it failed is known."""
    ready.fate("deployment", code="ImageBuildFailure")
    ready.azure.fault("answer", status=status, path=r".*mfeOperationsStatus.*", times=None)
    ready.serving.place(ENDPOINT, ready.spec("blue"))

    failed = ready.settled("blue")

    assert failed.state is DeploymentState.FAILED
    assert (failed.error or "").startswith("Azure does not say why")


def test_too_little_quota_is_told_at_once(ready: Stood) -> None:
    """Azure refuses the PUT; its numbers are told, its JSON is not."""
    ready.azure.control("PUT", f"/limits/{ready.workspace.facts.location}/standardDSv2Family", {"cores": 1})
    with pytest.raises(PlatformUnavailable) as told:
        ready.serving.place(ENDPOINT, ready.spec("blue"))
    assert "Current usage/limit: 0/1" in told.value.why
    assert "{" not in told.value.why
    assert "quota" in told.value.hint


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ImageBuildFailure", "the image of its environment could not be built"),
        ("OutOfQuota", "Azure has no capacity for that size"),
        ("ResourceNotReady", "its container crashed, or did not become ready in time"),
        ("BadArgument", "the endpoint's identity is not allowed"),
        ("ResourceNotFound", "something that it needs is not there"),
        ("SecretsInjectionError", "its secrets could not be read"),
    ],
)
def test_a_deployment_that_fails_names_the_cause(ready: Stood, code: str, told: str) -> None:
    """In its first line; it costs nothing to look again."""
    ready.fate("deployment", code=code)
    ready.serving.place(ENDPOINT, ready.spec("blue"))

    failed = ready.settled("blue")
    since = ready.azure.mark()
    again = ready.look().deployments["blue"]

    assert failed.state is DeploymentState.FAILED
    assert (failed.error or "").partition("\n")[0].startswith(told)
    assert code in (failed.error or "")
    assert again == failed
    assert len(ready.azure.calls(since=since)) == 2


def test_one_that_azure_cancelled_is_placed_again(ready: Stood) -> None:
    """For another operation's sake: a minute later, and not for ever."""
    ready.fate("deployment", code="OperationCanceled", times=3)
    spec = ready.spec("blue")
    for attempt in (1, 2):
        ready.serving.place(ENDPOINT, spec)
        assert ready.settled("blue").state is DeploymentState.CANCELED, f"after attempt {attempt}"
    began = ready.clock.monotonic()
    ready.serving.place(ENDPOINT, spec)

    assert ready.clock.monotonic() - began >= 60
    assert ready.settled("blue").state is DeploymentState.FAILED
    assert "another operation took its place" in (ready.look().deployments["blue"].error or "")


def test_an_error_of_azures_own_is_given_one_more_chance(ready: Stood) -> None:
    """Then it comes up as if nothing had been."""
    ready.fate("deployment", code="InternalServerError")
    ready.serving.place(ENDPOINT, ready.spec("blue"))
    assert ready.settled("blue").state is DeploymentState.CANCELED

    ready.serving.place(ENDPOINT, ready.spec("blue"))

    assert ready.settled("blue").healthy


def test_a_failed_one_that_cannot_be_put_again_is_made_anew(ready: Stood) -> None:
    """It is deleted first; there is one of it all the time at most."""
    ready.fate("deployment", code="InternalServerError")
    spec = ready.spec("blue")
    ready.serving.place(ENDPOINT, spec)
    ready.settled("blue")
    ready.fate("deployment", hangs=True)
    ready.azure.fault("answer", status=400, method="PUT", path=BLUE)
    since = ready.azure.mark()

    ready.serving.place(ENDPOINT, spec)

    assert ready.writes(since) == ["PUT blue", "DELETE blue", "PUT blue"]
    assert ready.look().deployments["blue"].state is DeploymentState.CREATING


def test_the_log_of_what_crashed_is_told(ready: Stood) -> None:
    """Both containers': the traceback of `init()` is what one needs."""
    ready.serving.place(ENDPOINT, ready.spec("sick", crash=True))

    error = ready.settled("sick").error or ""
    log = ready.serving.logs(ENDPOINT, "sick")

    assert "inference server:" in error
    assert "no such model" in error
    assert "storage initializer:\n" in log
    assert "no such model" in log
    assert ready.serving.logs(ENDPOINT, "absent") == ""


def test_a_log_that_may_not_be_read_is_no_obstacle(ready: Stood) -> None:
    """Best effort: the cause is told without it."""
    ready.fate("deployment", code="ImageBuildFailure")
    ready.azure.fault("answer", status=403, path=r".*getLogs.*", times=None)
    ready.serving.place(ENDPOINT, ready.spec("blue"))

    error = ready.settled("blue").error or ""

    assert error.startswith("the image of its environment could not be built")
    assert "its log could not be read" in error


def test_an_autoscaled_deployment_is_left_alone(both: Stood) -> None:
    """Placed again, as a re-run does: the instances are the autoscaler's."""
    path = f"onlineEndpoints/{ENDPOINT}/deployments/green"
    both.workspace.arm.patch(path, VERSION, {"sku": {"name": "Default", "capacity": 4}})
    both.settled("green")
    since = both.azure.mark()

    both.serving.place(ENDPOINT, both.spec("green"))

    assert both.writes(since) == []
    assert deployment(both, "green")["sku"]["capacity"] == 4


def test_what_a_name_stands_for_never_changes(both: Stood) -> None:
    """Another setting, or somebody else's deployment: refused."""
    with pytest.raises(Conflict, match="another deployment"):
        both.serving.place(ENDPOINT, replace(both.spec("green"), instance_type="Standard_F4s_v2"))


def test_a_deployment_with_traffic_stays(both: Stood) -> None:
    """Also where the share was given a moment ago, and a stale GET does not show it yet: Azure knows."""
    with pytest.raises(Conflict, match="carries traffic"):
        both.serving.remove(ENDPOINT, "blue")
    stale = {**both.body()}
    stale["properties"] = {**stale["properties"], "traffic": {"green": 100}}
    both.azure.fault("answer", status=200, body=stale, method="GET", path=r".*/onlineEndpoints/visits\?.*")
    with pytest.raises(Conflict, match="carries traffic"):
        both.serving.remove(ENDPOINT, "blue")

    assert both.look().deployments["blue"].healthy


def test_what_is_being_removed_can_be_seen_and_is_not_removed_twice(ready: Stood) -> None:
    """Deleting takes minutes; a name is free only when that has ended."""
    ready.fate("deployment", code="ImageBuildFailure")
    ready.serving.place(ENDPOINT, ready.spec("blue"))
    ready.settled("blue")
    ready.azure.durations(deployment_delete=90)
    ready.serving.remove(ENDPOINT, "blue")
    since = ready.azure.mark()

    ready.serving.remove(ENDPOINT, "blue")
    ready.serving.remove(ENDPOINT, "absent")
    assert ready.writes(since) == []
    assert ready.look().deployments["blue"].state is DeploymentState.DELETING

    ready.fate("deployment", hangs=True)
    ready.serving.place(ENDPOINT, ready.spec("blue"))
    ready.azure.durations(deployment_delete=0.2)
    assert ready.look().deployments["blue"].state is DeploymentState.CREATING


@pytest.mark.parametrize("environment", [None, "azureml:env@latest", "azureml:env"])
def test_a_script_without_a_definite_environment_is_refused(ready: Stood, environment: str | None) -> None:
    """Azure would refuse it too, in words that nobody understands."""
    spec = ready.spec("blue")
    assert spec.scoring is not None
    with pytest.raises(UsageError, match="environment"):
        ready.serving.place(ENDPOINT, replace(spec, scoring=replace(spec.scoring, environment=environment)))


def test_a_script_that_is_missing_is_refused(ready: Stood, tmp_path: Path) -> None:
    """Before anything is uploaded."""
    (tmp_path / "other.py").write_text("")
    spec = replace(ready.spec("blue"), scoring=ScoringCode(str(tmp_path), "score.py", "azureml:env:1"))
    since = ready.azure.mark()
    with pytest.raises(UsageError, match="no scoring script"):
        ready.serving.place(ENDPOINT, spec)
    assert ready.writes(since) == []
