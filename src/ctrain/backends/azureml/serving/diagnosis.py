"""What was wrong with something that failed: the cause that Azure names, and the end of the log."""

from __future__ import annotations

from typing import Final

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.serving.causes import HINTS, Cause, Failure, failure_of
from ctrain.backends.azureml.serving.deployment import attempt_of, stands_for
from ctrain.backends.azureml.serving.endpoint import operation_of, state_of
from ctrain.backends.azureml.serving.observed import Trouble, name_of
from ctrain.backends.azureml.serving.resources import Resources
from ctrain.errors import CtrainError
from ctrain.secrecy import without_secrets

LOG_LINES: Final = 500
ERROR_LINES: Final = 40

ATTEMPTS: Final = {Cause.CANCELED: 3, Cause.INTERNAL: 2}
"""How often a deployment is placed that failed for no fault of its own, before it is given up."""

CONTAINERS: Final = (("inference server", "InferenceServer"), ("storage initializer", "StorageInitializer"))
"""As people know them, and as ARM does; in the order in which they are read."""

NOT_YET: Final = "not running yet"
"""Azure says so in place of a log where the container never started (seen in Microsoft's documentation)."""


class Diagnosis:
    """Reads causes and logs. What was found of one operation is kept: looking again costs nothing."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._known: dict[tuple[str, str, str, int], Trouble] = {}

    def trouble(self, endpoint: str, body: Json) -> Trouble | None:
        """Why a deployment failed; None for one that did not."""
        if state_of(body) not in {"Failed", "Canceled"}:
            return None
        name = name_of(body)
        key = (endpoint, name, operation_of(body), attempt_of(body))
        if key not in self._known:
            failure = self.failure(body)
            again = stands_for(body) is not None and attempt_of(body) < ATTEMPTS.get(failure.cause, 0)
            log = "" if again else self.logs(endpoint, name, failed=True, lines=ERROR_LINES)
            self._known[key] = Trouble(f"{failure}\nWhat helps: {HINTS[failure.cause]}.\n{log}".rstrip(), again)
        return self._known[key]

    def failure(self, body: Json) -> Failure:
        """What the last operation on a resource ended with. Best effort: it may be too long ago."""
        try:
            operation = self._resources.operation(operation_of(body))
        except CtrainError:
            operation = None
        return failure_of(operation, canceled=state_of(body) == "Canceled")

    def logs(self, endpoint: str, deployment: str, *, failed: bool, lines: int = LOG_LINES) -> str:
        """The inference server's log; of a failed deployment, the storage initializer's below. Best effort."""
        parts = []
        for title, container in CONTAINERS if failed else CONTAINERS[:1]:
            try:
                log = without_secrets(self._resources.log(endpoint, deployment, container, lines)).strip()
            except CtrainError as problem:
                log = f"(its log could not be read: {problem.why})"
            if log and NOT_YET not in log:
                parts.append(f"{title}:\n{log}" if failed else log)
        return "\n".join(parts)
