"""Traffic: whole, seen, and not against somebody else."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.bodies import section
from ctrain.backends.azureml.serving.endpoint import sent_back
from ctrain.errors import Conflict, PlatformUnavailable
from ctrain.rollout import live
from tests.backends.azureml.serving.conftest import ENDPOINT, PATH, Stood

OURS = {"ctrain": "1"}
"""What says that ctrain made the endpoint."""


def test_a_change_keeps_all_else(both: Stood) -> None:
    """Tags, identity, description: what somebody set on the endpoint is there afterwards."""
    body = sent_back(both.body())
    body = {**body, "properties": {**section(body, "properties"), "description": "who will come"}}
    body["tags"] = OURS | {"team": "visits"}
    both.workspace.arm.put(f"onlineEndpoints/{ENDPOINT}", "2022-02-01-preview", body)
    before = both.serving.create(ENDPOINT)

    both.serving.route(ENDPOINT, {"blue": 60, "green": 40})

    after = both.body()
    assert before.running
    assert (after["tags"], after["properties"]["description"]) == (OURS | {"team": "visits"}, "who will come")
    assert after["properties"]["traffic"] == {"blue": 60, "green": 40}
    both.routed(blue=100)


def test_what_is_so_already_is_not_written(both: Stood) -> None:
    """Nothing is PUT, so that nothing can go wrong."""
    since = both.azure.mark()
    both.serving.route(ENDPOINT, {"blue": 100})

    assert both.writes(since) == []


def test_it_shows_in_azure_and_at_the_front_door(both: Stood) -> None:
    """GETs are stale three times, and the front door lags for a minute: it returns after both."""
    both.set(stale_reads=3, routing_lag=60.0)
    began = both.clock.monotonic()

    both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert both.clock.monotonic() - began > 60
    assert live(both.look().traffic) == {"green": 100}


def test_a_front_door_that_does_not_tell_is_not_waited_for(both: Stood) -> None:
    """Without the header nothing can be told; the smoke tests come next anyway."""
    both.azure.fault("answer", status=404, path=r"/swagger\.json", times=None)

    both.serving.route(ENDPOINT, {"blue": 50, "green": 50})

    assert len(both.azure.calls(path=r"/swagger\.json")) > 0


def test_who_may_not_have_the_key_may_set_the_traffic(both: Stood) -> None:
    """The front door cannot be asked, and so is not waited for."""
    both.serving = type(both.serving)(both.workspace, clock=both.clock)
    both.azure.grant(both.environ["AZURE_CLIENT_ID"], denied=["*/listKeys/action"])

    both.serving.route(ENDPOINT, {"blue": 50, "green": 50})

    both.azure.grant(both.environ["AZURE_CLIENT_ID"])
    assert live(both.look().traffic) == {"blue": 50, "green": 50}


def test_a_front_door_that_keeps_to_the_old_split_is_told(both: Stood) -> None:
    """Two minutes are too long: live smoke tests would ask the wrong deployment."""
    both.azure.fault(
        "answer", status=200, headers={"azureml-model-deployment": "blue"}, path=r"/swagger\.json", times=None
    )

    with pytest.raises(PlatformUnavailable, match="still answered by blue"):
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})


def test_somebody_elses_change_in_between_is_a_conflict(both: Stood) -> None:
    """Between our GET and our PUT: nothing is written, and what changed is named."""
    change = {"method": "PATCH", "path": "", "body": {"tags": OURS | {"who": "somebody"}}}
    change["path"] = f"{both.workspace.arm_id}/onlineEndpoints/{ENDPOINT}?api-version=2022-02-01-preview"
    both.azure.fault("change", method="GET", path=PATH, nth=2, change=change)
    since = both.azure.mark()

    with pytest.raises(Conflict, match="somebody else is changing visits") as told:
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert "tags" in told.value.why
    assert "PUT visits" not in both.writes(since)
    both.clock.sleep(1)
    assert live(both.look().traffic) == {"blue": 100}


@pytest.mark.parametrize("act", ["reset after", "truncate", "reset during"])
def test_a_lost_answer_to_a_put_that_took_effect_is_no_failure(both: Stood, act: str) -> None:
    """It shows: that is what counts."""
    both.azure.fault(act, method="PUT", path=PATH)

    both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert live(both.look().traffic) == {"green": 100}


def test_a_put_that_never_arrives_is_told(both: Stood) -> None:
    """Asked for a quarter of an hour, in vain; the traffic is as it was."""
    both.azure.fault("reset before", method="PUT", path=PATH, times=None)

    with pytest.raises(PlatformUnavailable):
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert live(both.look().traffic) == {"blue": 100}


def test_an_endpoint_that_is_busy_is_waited_for(both: Stood) -> None:
    """409 while it updates is no error; the change is made once it is at rest."""
    both.fate("endpoint", seconds=20)
    arm = both.workspace.arm
    arm.patch(f"onlineEndpoints/{ENDPOINT}", "2022-02-01-preview", {"tags": OURS | {"who": "somebody"}})

    both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert live(both.look().traffic) == {"green": 100}
    assert both.body()["tags"] == OURS | {"who": "somebody"}


def test_a_409_is_tried_again_a_few_times_and_then_told(both: Stood) -> None:
    """For ever refused, though at rest."""
    body = {"error": {"code": "Conflict", "message": "because it is in Updating provisioning state."}}
    both.azure.fault("answer", status=409, body=body, method="PUT", path=PATH, times=None)
    since = both.azure.mark()

    with pytest.raises(Conflict, match="could not write"):
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    assert both.writes(since) == ["PUT visits"] * 4


def test_a_change_that_fails_says_why(both: Stood) -> None:
    """The operation ends in Failed: the cause is told, and the traffic is as it was."""
    both.fate("endpoint", code="InternalServerError")

    with pytest.raises(PlatformUnavailable, match="Azure had an error of its own"):
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})

    seen = both.look()
    assert not seen.running
    assert live(seen.traffic) == {"blue": 100}
    assert both.serving.create(ENDPOINT).running, "ctrain's own endpoint is put again, whole"
    assert live(both.look().traffic) == {"blue": 100}


def test_an_endpoint_that_vanishes_is_told(both: Stood) -> None:
    """Deleted by somebody, before or while we change it."""
    both.azure.fault("answer", status=404, method="GET", path=PATH, nth=2, times=None)
    every = r".*/onlineEndpoints(\?.*)?"
    both.azure.fault("answer", status=200, body={"value": []}, method="GET", path=every, times=None)

    with pytest.raises(Conflict, match="somebody else is changing visits") as told:
        both.serving.route(ENDPOINT, {"blue": 0, "green": 100})
    assert told.value.why == "it has been deleted"


def test_traffic_is_mirrored_and_kept(both: Stood) -> None:
    """`look` shows it; a later change of the traffic does not lose it."""
    both.serving.mirror(ENDPOINT, {"green": 20})
    assert both.look().mirror == {"green": 20}

    with pytest.raises(Conflict):
        both.serving.remove(ENDPOINT, "green")
    with pytest.raises(Conflict):
        both.serving.mirror(ENDPOINT, {"blue": 20})
    with pytest.raises(Conflict, match="cannot take traffic"):
        both.serving.route(ENDPOINT, {"blue": 50, "green": 50})

    both.serving.mirror(ENDPOINT, {})
    assert live(both.look().mirror) == {}


def test_the_price_of_a_change(both: Stood) -> None:
    """Calls are counted: read, compare, write, see; and the front door three times."""
    both.set(stale_reads=0, routing_lag=0.0)
    since = both.azure.mark()
    both.serving.route(ENDPOINT, {"blue": 0, "green": 100})
    calls = [(call["method"], call["host"].partition(".")[0]) for call in both.azure.calls(since=since)]

    assert calls.count(("PUT", "management")) == 1
    assert len([call for call in calls if call[1] == "management"]) <= 9
