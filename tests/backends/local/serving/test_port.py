"""LocalServing: placing, routing, removing, and what is refused."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from tests.backends.local.serving.conftest import CLOCK, Platform

from ctrain.backends.local.serving import fleet
from ctrain.errors import Conflict, PlatformUnavailable, UsageError
from ctrain.serving import DeploymentState, Request, ScoringCode

ENDPOINT = "visits-test"


@pytest.fixture(scope="module")
def served(shared: Platform) -> Platform:
    """Blue at 100%, green at 0%."""
    shared.serving.create(ENDPOINT)
    shared.place(ENDPOINT, shared.spec("blue"), shared.spec("green"))
    shared.serving.route(ENDPOINT, {"blue": 100})
    return shared


def test_an_endpoint_that_was_never_created_is_not_there(shared: Platform) -> None:
    """None to look at, and a conflict for whoever wants to change it."""
    assert shared.serving.look("never-made") is None
    with pytest.raises(Conflict, match="no endpoint"):
        shared.serving.place("never-made", shared.spec("blue"))


def test_creating_again_changes_nothing(served: Platform) -> None:
    """Same URL, same deployments, same traffic."""
    before = served.look(ENDPOINT)
    assert served.serving.create(ENDPOINT) == before


def test_placing_again_leaves_the_process_alone(served: Platform) -> None:
    """The same process answers before and after."""

    def pid() -> int:
        return int(json.loads(served.serving.score(ENDPOINT, Request(b"{}", "blue")).body)["pid"])

    before = pid()
    served.serving.place(ENDPOINT, served.spec("blue"))
    assert served.look(ENDPOINT).deployments["blue"].healthy
    assert pid() == before


def test_another_deployment_under_the_same_name_is_a_conflict(served: Platform) -> None:
    """Nothing is replaced silently."""
    with pytest.raises(Conflict, match="different"):
        served.serving.place(ENDPOINT, replace(served.spec("blue"), model_version=2))


def test_a_traffic_change_keeps_what_it_does_not_mention(served: Platform) -> None:
    """And is refused, leaving all as it was, where the sum would be wrong or a name is unknown."""
    with pytest.raises(Conflict, match="split"):
        served.serving.route(ENDPOINT, {"green": 10})
    with pytest.raises(Conflict, match="cannot get traffic"):
        served.serving.route(ENDPOINT, {"blue": 90, "ghost": 10})
    assert served.look(ENDPOINT).traffic == {"blue": 100}


def test_what_carries_traffic_stays(served: Platform) -> None:
    """Removing it is refused; removing an absent one is fine."""
    with pytest.raises(Conflict, match="cannot be removed"):
        served.serving.remove(ENDPOINT, "blue")
    served.serving.remove(ENDPOINT, "ghost")
    assert served.look(ENDPOINT).deployments["blue"].healthy


def test_a_removed_deployment_is_gone_and_can_be_placed_again(served: Platform) -> None:
    """With its process; its name is free."""
    served.place(ENDPOINT, served.spec("shortlived"))
    served.serving.remove(ENDPOINT, "shortlived")
    assert "shortlived" not in served.look(ENDPOINT).deployments
    assert served.serving.score(ENDPOINT, Request(b"{}", "shortlived")).status == 404
    served.place(ENDPOINT, replace(served.spec("shortlived"), model_version=2))
    assert served.look(ENDPOINT).deployments["shortlived"].model_version == 2
    served.serving.remove(ENDPOINT, "shortlived")


def test_the_scoring_code_is_what_was_placed(served: Platform, tmp_path: Path) -> None:
    """Changing the working tree afterwards changes nothing that serves; files beside the script are there."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "score.py").write_text((served.root / "code" / "score.py").read_text())
    (code / "beside.txt").write_text("as it was")
    served.place(ENDPOINT, replace(served.spec("frozen"), scoring=ScoringCode(str(code), "score.py")))
    (code / "beside.txt").write_text("changed")
    answer = served.serving.score(ENDPOINT, Request(b'{"do": "file"}', "frozen"))
    served.serving.remove(ENDPOINT, "frozen")
    assert json.loads(answer.body) == "as it was"


def test_secrets_of_the_caller_do_not_reach_a_deployment(served: Platform) -> None:
    """Its variables are those that it was placed with, beside a few that every program needs."""
    seen = json.loads(served.serving.score(ENDPOINT, Request(b'{"do": "environment"}', "blue")).body)
    assert {"NAME", "PATH", "AZUREML_MODEL_DIR"} <= set(seen)
    assert "PYTEST_CURRENT_TEST" not in seen


def test_a_deployment_listens_on_loopback_only(served: Platform) -> None:
    """The inference server would bind every interface; nobody outside may pass the endpoint's key."""
    log = served.serving.logs(ENDPOINT, "blue")
    assert "Listening at: http://127.0.0.1:" in log


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model_uri": "/nowhere", "model_digest": "none"}, "its files are not at"),
        ({"scoring": None}, "has no MLmodel file"),
        ({"scoring": ScoringCode("/nowhere", "score.py")}, "there is no file"),
        ({"name": "Not_A_Name"}, "3 to 32 letters"),
    ],
)
def test_what_cannot_be_served_is_refused_before_anything_is_started(
    served: Platform, change: dict[str, object], why: str
) -> None:
    """A usage error that says what is missing; the endpoint stays as it is."""
    before = served.look(ENDPOINT)
    with pytest.raises(UsageError) as refusal:
        served.serving.place(ENDPOINT, replace(served.spec("wrong"), **change))  # type: ignore[arg-type]
    assert why in refusal.value.why
    assert served.look(ENDPOINT) == before


def test_a_home_that_cannot_be_written_to_is_reported(platform: Platform) -> None:
    """As a platform's problem, with the place; nothing half made is taken for an endpoint."""
    platform.home.prepare()
    platform.home.endpoints.write_text("in the way")
    with pytest.raises(PlatformUnavailable, match="cannot write"):
        platform.serving.create("visits")
    assert platform.serving.look("visits") is None


def test_settings_that_no_server_takes_are_a_failed_deployment(served: Platform) -> None:
    """It says so at once, in words, and nothing is left running."""
    served.place(ENDPOINT, served.spec("many", {"WORKER_COUNT": "lots"}))
    seen = served.look(ENDPOINT).deployments["many"]
    assert seen.state is DeploymentState.FAILED
    assert "lots" in (seen.error or "")


def test_a_taken_port_is_reported_and_not_evaded(platform: Platform) -> None:
    """The URL is what callers know: the error names the port, how to see who has it, and how to change it."""
    endpoint = platform.serving.create("taken")
    port = int(endpoint.scoring_url.rsplit(":", 1)[1].removesuffix("/score"))
    fleet.down(platform.home, CLOCK)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PlatformUnavailable) as raised:
        platform.serving.create("taken")
    assert str(port) in raised.value.what
    assert "lsof" in raised.value.hint
    assert "wish.json" in raised.value.hint


def test_a_deployment_that_failed_is_tried_again(platform: Platform) -> None:
    """Placing the same again starts it anew, with the code as it is now."""
    code = platform.home.root / "src"
    code.mkdir(parents=True)
    (code / "score.py").write_text("raise ImportError('not yet')")
    spec = replace(platform.spec("blue"), scoring=ScoringCode(str(code), "score.py"))
    platform.serving.create(ENDPOINT)
    platform.place(ENDPOINT, spec)
    assert platform.look(ENDPOINT).deployments["blue"].state is DeploymentState.FAILED
    (code / "score.py").write_text((platform.root / "code" / "score.py").read_text())
    platform.place(ENDPOINT, spec)
    assert platform.look(ENDPOINT).deployments["blue"].healthy
