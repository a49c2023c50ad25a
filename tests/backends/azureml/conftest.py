"""The loopback Azure, reached from this process; a fresh sign-in for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from tests.azure.loopback import Loopback, Place

SIGN_IN = ("AZURE", "ACTIONS_ID", "SYSTEM_", "IDENTITY_", "MSI_", "GITHUB_", "TF_BUILD", "CTRAIN_", "ARM_")


def without_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take from the environment whatever tells how to sign in, so that the machine of the test does not matter."""
    for name in list(os.environ):
        if name.startswith(SIGN_IN):
            monkeypatch.delenv(name)


def environment(monkeypatch: pytest.MonkeyPatch, *parts: dict[str, str]) -> None:
    """These variables, for this test."""
    for part in parts:
        for name, value in part.items():
            monkeypatch.setenv(name, value)


@pytest.fixture
def azure(azure_process: Loopback, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """The worker's loopback Azure, reachable from this process, with nobody signed in; as new after the test."""
    without_sign_in(monkeypatch)
    environment(monkeypatch, azure_process.environment())
    yield azure_process
    azure_process.reset()


@pytest.fixture
def session(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> AzureSession:
    """A sign-in with a service principal of its own, who may do everything."""
    environment(monkeypatch, azure.service_principal())
    return AzureSession(SystemClock())


@pytest.fixture
def workspace(place: Place, session: AzureSession) -> AzureWorkspace:
    """A fresh workspace, signed in."""
    return AzureWorkspace(place.address, session)
