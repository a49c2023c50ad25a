"""The control plane's client. Standard library only: `ctrain status` asks with it, and is felt at every keystroke."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime
from typing import Any

from ctrain.backends.local.serving.folder import Contact, Folder
from ctrain.backends.local.serving.wish import Wish
from ctrain.errors import Conflict, CtrainError, PlatformUnavailable, UsageError
from ctrain.serving import Deployment, DeploymentState, Endpoint
from ctrain.telemetry import Measured, Span

TIMEOUT = 30.0
"""Seconds. An endpoint process that takes longer for any act is stuck."""

_KINDS: dict[str, type[CtrainError]] = {kind.__name__: kind for kind in (Conflict, PlatformUnavailable, UsageError)}


def ask(contact: Contact, act: str, body: object = None, timeout: float = TIMEOUT) -> Endpoint:
    """Do one act and return the endpoint as it is after it. Raises as `answered` does."""
    return _endpoint(answered(contact, act, body, timeout))


def counted(contact: Contact, deployment: str, since: datetime, timeout: float = TIMEOUT) -> Measured | None:
    """What the deployment answered since then, or None where there is nothing to tell. Raises as `answered` does."""
    told = answered(contact, "counted", [deployment, since.timestamp()], timeout)
    spans = tuple(
        Span(
            datetime.fromtimestamp(began, UTC),
            seconds,
            answers,
            {int(percent): value for percent, value in percentiles.items()},
        )
        for began, seconds, answers, percentiles in told
    )
    return Measured(spans) if spans else None


def answered(contact: Contact, act: str, body: object, timeout: float) -> Any:
    """What the endpoint process answers, read as JSON.

    Raises what the endpoint process raised, ConnectionError where it is not there, and PlatformUnavailable where it
    does not answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", contact.port, timeout=timeout)
    try:
        headers = {"Authorization": f"Bearer {contact.key}", "Content-Type": "application/json"}
        connection.request("POST", f"/{act}", json.dumps(body, default=str), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read() or b"null")
    except TimeoutError:
        raise PlatformUnavailable(
            "the endpoint's process does not answer",
            why=f"process {contact.pid} took longer than {timeout:g} s to {act}",
            hint="look into the endpoint.log of its folder; `ctrain local down` and `up` start it anew",
        ) from None
    except (http.client.HTTPException, ValueError) as problem:
        raise ConnectionError(str(problem)) from None
    finally:
        connection.close()
    if answer.status == 409:
        raised = content["error"]
        kind = _KINDS.get(raised["kind"], PlatformUnavailable)
        raise kind(raised["what"], why=raised["why"], hint=raised["hint"])
    if answer.status != 200:
        # Another program got the port after the process died: its contact file is out of date.
        raise ConnectionError(f"status {answer.status}")
    return content


def asleep(folder: Folder, wish: Wish) -> Endpoint:
    """The endpoint as its wish tells, while its process is down."""
    deployments = {
        name: Deployment(
            name=name,
            state=placed.state,
            ready=False,
            model=placed.spec.model,
            model_version=placed.spec.model_version,
            model_digest=placed.spec.model_digest,
            error=placed.failed,
            log=str(folder.deployment_log(name)),
            tags=placed.spec.tags,
        )
        for name, placed in wish.deployments.items()
    }
    return Endpoint(wish.name, scoring_url(wish), False, wish.traffic, wish.mirror, deployments)  # noqa: FBT003


def scoring_url(wish: Wish) -> str:
    return f"http://127.0.0.1:{wish.port or 0}/score"


def _endpoint(raw: dict[str, Any]) -> Endpoint:
    deployments = {
        name: Deployment(**{**seen, "state": DeploymentState(seen["state"])})
        for name, seen in raw["deployments"].items()
    }
    return Endpoint(**{**raw, "deployments": deployments})
