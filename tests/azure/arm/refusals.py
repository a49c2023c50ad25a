"""Errors as the workspace's management front end words them (its envelope has more in it than ARM's)."""

from __future__ import annotations

import uuid

from tests.azure.cloud import Workspace
from tests.azure.routing import Body, Refused, Reply


class UserError(Refused):
    """An error of the management front end: code UserError, and what it really was in `additionalInfo`.

    Shape: the recorded exchanges of azure-ai-ml's own tests (Azure/azure-sdk-assets).
    """

    def __init__(self, workspace: Workspace, status: int, inner: str, message: str) -> None:
        super().__init__(status, "UserError", message)
        self._workspace = workspace
        self._inner = inner

    @property
    def reply(self) -> Reply:
        workspace = self._workspace
        inner = {"code": self._inner, "innerError": None}
        info: list[Body] = [
            {"type": "ComponentName", "info": {"value": "managementfrontend"}},
            {
                "type": "Correlation",
                "info": {"value": {"operation": uuid.uuid4().hex, "request": uuid.uuid4().hex[:16]}},
            },
            {"type": "Environment", "info": {"value": workspace.location}},
            {"type": "Location", "info": {"value": workspace.location}},
            {"type": "Time", "info": {"value": workspace.cloud.clock.stamp()}},
            {"type": "InnerError", "info": {"value": inner}},
        ]
        return Reply(
            self.status, {"error": {"code": self.code, "message": self.message, "details": [], "additionalInfo": info}}
        )
