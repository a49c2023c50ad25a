"""What every Serving promises."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ctrain.errors import Conflict
from ctrain.ports import Clock, Serving
from ctrain.rollout import live
from ctrain.serving import Deployment, DeploymentSpec, DeploymentState, Request

Make = Callable[..., DeploymentSpec]
"""Makes a spec by deployment name; its model gives back the first cell of each row. `crash=True`: it never comes up."""

ENDPOINT = "visits-prod"


def placed(serving: Serving, spec: DeploymentSpec, clock: Clock) -> Deployment:
    """The deployment once it is up or has failed; bounded."""
    serving.place(ENDPOINT, spec)
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        seen = serving.look(ENDPOINT)
        assert seen is not None
        deployment = seen.deployments[spec.name]
        if deployment.healthy or deployment.state is DeploymentState.FAILED:
            return deployment
        clock.sleep(0.05)
    raise AssertionError(f"{spec.name} did not settle")


def a_request(value: float, deployment: str | None = None) -> Request:
    table = {"columns": ["x"], "index": [0], "data": [[value]]}
    return Request(json.dumps({"input_data": table}).encode(), deployment)


class ServingContract:
    """Bind it with the fixtures `serving` (one whose endpoint `ENDPOINT` is absent), `make` and `clock`."""

    def test_an_endpoint_that_was_never_created_is_none(self, serving: Serving) -> None:
        """Absence is no error."""
        assert serving.look(ENDPOINT) is None

    def test_creating_twice_is_creating_once(self, serving: Serving) -> None:
        """The same endpoint, at the same address."""
        first, again = serving.create(ENDPOINT), serving.create(ENDPOINT)

        assert first.scoring_url == again.scoring_url
        assert first.scoring_url.endswith("/score")

    def test_the_life_of_an_endpoint(self, serving: Serving, make: Make, clock: Clock) -> None:
        """Placed at 0%, asked by name, given the traffic, mirrored to, replaced, taken away: one story, as used."""
        serving.create(ENDPOINT)
        blue, green = make("blue"), make("green")

        assert placed(serving, blue, clock).healthy
        assert self.split(serving) == {}
        answer = serving.score(ENDPOINT, a_request(0.25, "blue"))
        assert (answer.status, json.loads(answer.body), answer.deployment) == (200, [0.25], "blue")
        assert serving.score(ENDPOINT, a_request(0.25)).status == 404

        serving.place(ENDPOINT, blue)
        assert len(self.deployments(serving)) == 1

        serving.route(ENDPOINT, {"blue": 100})
        assert serving.score(ENDPOINT, a_request(0.5)).deployment == "blue"

        assert placed(serving, green, clock).healthy
        assert self.split(serving) == {"blue": 100}
        assert serving.score(ENDPOINT, a_request(0.5, "green")).deployment == "green"
        assert serving.score(ENDPOINT, a_request(0.5)).deployment == "blue"

        with pytest.raises(Conflict):
            serving.route(ENDPOINT, {"green": 50})
        with pytest.raises(Conflict):
            serving.route(ENDPOINT, {"blue": 0, "absent": 100})
        with pytest.raises(Conflict):
            serving.remove(ENDPOINT, "blue")
        assert self.split(serving) == {"blue": 100}

        serving.mirror(ENDPOINT, {"green": 10})
        assert self.mirrored(serving) == {"green": 10}
        for refused in ({"green": 60}, {"blue": 10}, {"absent": 10}):
            with pytest.raises(Conflict):
                serving.mirror(ENDPOINT, refused)
        serving.mirror(ENDPOINT, {})
        assert self.mirrored(serving) == {}

        serving.route(ENDPOINT, {"blue": 10, "green": 90})
        serving.route(ENDPOINT, {"blue": 10})
        assert self.split(serving) == {"blue": 10, "green": 90}

        serving.route(ENDPOINT, {"blue": 0, "green": 100})
        assert serving.score(ENDPOINT, a_request(0.5)).deployment == "green"
        serving.remove(ENDPOINT, "blue")
        serving.remove(ENDPOINT, "blue")
        assert self.deployments(serving) == ["green"]
        assert serving.create(ENDPOINT).traffic.get("green") == 100

    def test_a_model_refuses_what_is_no_table(self, serving: Serving, make: Make, clock: Clock) -> None:
        """The model's own 4xx can be told from a crash."""
        serving.create(ENDPOINT)
        placed(serving, make("blue"), clock)

        answer = serving.score(ENDPOINT, Request(b"{}", "blue"))

        assert (answer.model_status or answer.status) == 400

    def test_a_deployment_that_does_not_come_up_fails_and_says_why(
        self, serving: Serving, make: Make, clock: Clock
    ) -> None:
        """It gets no traffic, and can be taken away."""
        serving.create(ENDPOINT)

        deployment = placed(serving, make("sick", crash=True), clock)

        assert deployment.state is DeploymentState.FAILED
        assert "no such model" in (deployment.error or "")
        with pytest.raises(Conflict):
            serving.route(ENDPOINT, {"sick": 100})
        serving.remove(ENDPOINT, "sick")
        assert self.deployments(serving) == []

    def test_another_spec_under_a_taken_name_is_refused(self, serving: Serving, make: Make, clock: Clock) -> None:
        """What a name stands for never changes."""
        serving.create(ENDPOINT)
        placed(serving, make("blue"), clock)

        with pytest.raises(Conflict):
            serving.place(ENDPOINT, replace(make("blue"), max_concurrent_requests=7))

    def test_traffic_can_be_taken_from_the_only_deployment(self, serving: Serving, make: Make, clock: Clock) -> None:
        """A first release that fails must leave the endpoint as empty as it was."""
        serving.create(ENDPOINT)
        placed(serving, make("blue"), clock)
        serving.route(ENDPOINT, {"blue": 100})

        serving.route(ENDPOINT, {"blue": 0})
        serving.remove(ENDPOINT, "blue")

        assert self.deployments(serving) == []

    @staticmethod
    def split(serving: Serving) -> dict[str, int]:
        seen = serving.look(ENDPOINT)
        assert seen is not None
        return live(seen.traffic)

    @staticmethod
    def mirrored(serving: Serving) -> dict[str, int]:
        seen = serving.look(ENDPOINT)
        assert seen is not None
        return live(seen.mirror)

    @staticmethod
    def deployments(serving: Serving) -> list[str]:
        """Those that are there to stay: a platform may show for a while what is on its way out."""
        seen = serving.look(ENDPOINT)
        assert seen is not None
        return sorted(n for n, one in seen.deployments.items() if one.state is not DeploymentState.DELETING)
