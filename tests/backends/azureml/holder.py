"""A process that takes the lock `prod`, says so, and waits to be killed; with `leave` it just ends."""

from __future__ import annotations

import sys

from ctrain.backends.azureml.leases import Locks
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.serving import WorkspaceAddress

if __name__ == "__main__":
    subscription, group, name, *leave = sys.argv[1:]
    workspace = AzureWorkspace(WorkspaceAddress(subscription, group, name), AzureSession(SystemClock()))
    Locks(workspace, "visits").acquire("prod", "the runner", 60)
    print("held", flush=True)
    if not leave:
        sys.stdin.read()
        SystemClock().sleep(60)
