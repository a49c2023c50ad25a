"""AzureServing: the Serving port on the managed online endpoints of one workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.assets import Assets
from ctrain.backends.azureml.serving.changing import BUSY_SECONDS, SETTLE_SECONDS, Changes
from ctrain.backends.azureml.serving.creation import Creation
from ctrain.backends.azureml.serving.deployment import deployment_body, request_timeout, spec_digest, stands_for
from ctrain.backends.azureml.serving.diagnosis import Diagnosis
from ctrain.backends.azureml.serving.endpoint import (
    check_mirror,
    check_unmirrored,
    merged,
    new_endpoint,
    shares,
    state_of,
    told,
    with_mirror,
    with_traffic,
)
from ctrain.backends.azureml.serving.names import check_name
from ctrain.backends.azureml.serving.observed import deployment_of, endpoint_of, studio_link
from ctrain.backends.azureml.serving.resources import Resources
from ctrain.backends.azureml.serving.scoring import DOOR_SECONDS, Scoring
from ctrain.backends.azureml.serving.settling import looks
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import Conflict, CtrainError, UsageError
from ctrain.ports import Clock
from ctrain.rollout import live
from ctrain.serving import Answer, AuthMode, DeploymentSpec, Endpoint, Request, Traffic

CANCELED_SECONDS: Final = 60.0
"""After Azure cancelled an operation for another one's sake, it takes a new one after up to a minute. Source:
"Troubleshoot online endpoint deployment and scoring", OperationCanceled."""


ROUTE_SECONDS: Final = BUSY_SECONDS + SETTLE_SECONDS + DOOR_SECONDS
"""How long one change of weights may take while Azure answers: somebody else's change is waited for, then that ours
shows, then that the front door keeps to it. Throttled requests wait beyond that, for as long as Azure asks."""


class AzureServing:
    """The endpoints of one workspace, for one stage. `auth_mode` and `identity` are what a new endpoint gets.

    Of what Azure could tell nothing is remembered. All waiting goes through the clock.
    """

    def __init__(
        self,
        workspace: AzureWorkspace,
        auth_mode: AuthMode = "key",
        identity: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self._workspace = workspace
        self._auth_mode: AuthMode = auth_mode
        self._identity = tuple(identity)
        self._clock = clock or workspace.clock
        self._resources = Resources(workspace)
        self._assets = Assets(workspace)
        self._diagnosis = Diagnosis(self._resources)
        self._changes = Changes(self._resources, self._diagnosis, self._clock)
        self._creation = Creation(self._resources, self._diagnosis, self._clock)
        self._scoring = Scoring(workspace, self._resources, self._clock)
        self._slowest: dict[str, float] = {}

    def look(self, endpoint: str) -> Endpoint | None:
        """Two requests; up to three more for each deployment that has failed since the last look."""
        body = self._resources.endpoint(endpoint)
        return None if body is None else self._seen(endpoint, body)

    def _seen(self, endpoint: str, body: Json) -> Endpoint:
        found = self._resources.deployments(endpoint)
        self._slowest[endpoint] = max((request_timeout(one) for one in found), default=0.0)
        log = studio_link(endpoint, self._workspace.arm_id, self._workspace.cloud)
        deployments = [deployment_of(one, self._diagnosis.trouble(endpoint, one), log) for one in found]
        return endpoint_of(body, deployments, self._workspace.address, self._workspace.cloud)

    def create(self, endpoint: str) -> Endpoint:
        """Waits for five minutes at most: one that is then still under way is not running yet; ask again.

        Raises as `Creation.create`, and UsageError for a name that Azure would refuse.
        """
        check_name(endpoint, "an endpoint")
        body = self._creation.create(
            endpoint, lambda: new_endpoint(self._workspace.facts.location, self._auth_mode, self._identity)
        )
        return self._seen(endpoint, body)

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        """Raises Conflict where there is no endpoint, or the name is another deployment's; UsageError where what the
        deployment needs is missing, and PlatformUnavailable where there is no quota for it."""
        check_name(spec.name, "a deployment")
        digest = spec_digest(spec)
        self._changes.idle(endpoint)
        existing = self._existing(endpoint, spec.name)
        if existing is not None:
            if stands_for(existing) != digest:
                raise Conflict(
                    f"{spec.name} at {endpoint} is another deployment",
                    why="it was placed with other settings, or not by ctrain",
                    hint="delete it where nobody needs it, or train a version with another name",
                )
            if state_of(existing) not in {"Failed", "Canceled"}:
                return
            if state_of(existing) == "Canceled":
                self._clock.sleep(CANCELED_SECONDS)
        body = self._body(spec, digest, existing)
        try:
            self._put(endpoint, spec.name, body, digest)
        except UsageError:
            if existing is None:
                raise
            # What failed can mostly be put again. Where Azure does not take that, it must be gone first.
            self.remove(endpoint, spec.name)
            self._existing(endpoint, spec.name)
            self._put(endpoint, spec.name, body, digest)

    def _put(self, endpoint: str, deployment: str, body: Json, digest: str) -> None:
        self._changes.send(
            lambda: self._resources.put_deployment(endpoint, deployment, body),
            done=lambda: self._taken(endpoint, deployment, digest),
            rest=lambda: self._changes.idle(endpoint, deployment),
        )

    def _existing(self, endpoint: str, deployment: str) -> Json | None:
        """A deployment that is there to stay: the end of one that is being deleted is waited for."""
        for _ in looks(self._clock, BUSY_SECONDS):
            found = self._resources.deployment(endpoint, deployment)
            if found is None or state_of(found) != "Deleting":
                return found
        raise Conflict(
            f"{deployment} cannot be placed at {endpoint}",
            why="the one that had its name is still being deleted",
            hint="try again in a few minutes",
        )

    def _body(self, spec: DeploymentSpec, digest: str, existing: Json | None) -> Json:
        scoring = spec.scoring
        return deployment_body(
            spec,
            digest,
            location=self._workspace.facts.location,
            model=self._assets.model(spec.model_uri),
            environment=self._assets.environment(scoring) if scoring else None,
            code=self._assets.code(scoring) if scoring else None,
            existing=existing,
        )

    def _taken(self, endpoint: str, deployment: str, digest: str) -> bool:
        """Whether Azure has taken it on after all: an answer may have been lost on its way."""
        found = self._resources.deployment(endpoint, deployment)
        known = found is not None and stands_for(found) == digest
        return known and state_of(found) in {"Creating", "Updating", "Succeeded"}

    def route(self, endpoint: str, traffic: Traffic) -> None:
        """Returns when Azure shows the split and, as far as it can be told, the front door keeps to it.

        Raises Conflict also where somebody changes the endpoint at the same time; then nothing was done.
        """
        wanted: dict[str, int] = {}

        def change(body: Json) -> Json | None:
            wanted.update(merged(endpoint, shares(body), traffic, self._seen(endpoint, body).deployments))
            check_unmirrored(endpoint, wanted, shares(body, "mirrorTraffic"))
            return with_traffic(body, wanted) if live(wanted) != live(shares(body)) else None

        self._changes.make(endpoint, change, lambda body: live(shares(body)) == live(wanted))
        if live(wanted):
            self._scoring.wait_for(endpoint, live(wanted))

    def mirror(self, endpoint: str, mirror: Traffic) -> None:
        """Copy that percentage of the live requests to one deployment at 0%, and drop its answers; `{}` ends it.

        Raises Conflict for what Azure would refuse.
        """
        wanted = {name.lower(): percent for name, percent in live(mirror).items()}

        def change(body: Json) -> Json | None:
            check_mirror(endpoint, wanted, shares(body), self._seen(endpoint, body).deployments)
            return with_mirror(body, wanted) if live(shares(body, "mirrorTraffic")) != wanted else None

        self._changes.make(endpoint, change, lambda body: live(shares(body, "mirrorTraffic")) == wanted)

    def remove(self, endpoint: str, deployment: str) -> None:
        """Returns when Azure has taken it on: until it is gone, `look` shows that it is being deleted."""
        body, name = self._resources.endpoint(endpoint), deployment.lower()
        if body is None:
            return
        if shares(body).get(name, 0) > 0 or shares(body, "mirrorTraffic").get(name, 0) > 0:
            raise _carries(endpoint, deployment, f"its traffic is {told(live(shares(body)))}")
        self._changes.send(
            lambda: self._delete(endpoint, name),
            done=lambda: self._gone(endpoint, name),
            rest=lambda: self._changes.idle(endpoint, name),
        )

    def _delete(self, endpoint: str, deployment: str) -> None:
        if self._gone(endpoint, deployment):
            return
        try:
            self._resources.delete_deployment(endpoint, deployment)
        except UsageError as refused:  # Azure knows better than what it showed a moment ago
            if "traffic" in refused.why.lower():
                raise _carries(endpoint, deployment, refused.why) from None
            raise

    def _gone(self, endpoint: str, deployment: str) -> bool:
        found = self._resources.deployment(endpoint, deployment)
        return found is None or state_of(found) == "Deleting"

    def score(self, endpoint: str, request: Request) -> Answer:
        """Waits longer than the platform does, so that its own word comes (408, 424, 429). Raises as `Scoring.ask`."""
        return self._scoring.ask(endpoint, request, self._slowest.get(endpoint, 0.0))

    def logs(self, endpoint: str, deployment: str) -> str:
        """Of a failed deployment, of both its containers."""
        try:
            body = self._resources.deployment(endpoint, deployment)
        except CtrainError:
            return ""
        failed = state_of(body) in {"Failed", "Canceled"}
        return "" if body is None else self._diagnosis.logs(endpoint, deployment.lower(), failed=failed)


def _carries(endpoint: str, deployment: str, why: str) -> Conflict:
    hint = "give its traffic to another deployment first"
    return Conflict(f"{deployment} carries traffic of {endpoint}", why=why, hint=hint)
