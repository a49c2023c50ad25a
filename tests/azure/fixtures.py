"""Fixtures of the loopback Azure, for every test: one of it for each pytest worker, started when first needed.

What it held to Microsoft's published types is summed up at the end of the session; a violation, or a bug of the
loopback's own, fails the session fixture's teardown.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from tests.azure.loopback import Loopback, Place

COUNTS = "azure_contract"
FOREIGN = ("AZURE_", "AZUREML_", "ARM_", "ACTIONS_ID_TOKEN_", "SYSTEM_", "IDENTITY_", "MSI_", "AZURESUBSCRIPTION_")
Row = list[Any]
"""What was counted, and how often."""

_counts: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)


@pytest.fixture(scope="session")
def azure_process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """The loopback Azure of this worker. Workspaces come and go; see `place`."""
    from tests.azure.loopback import running

    with running(tmp_path_factory.mktemp("azure")) as loopback:
        yield loopback
        judged = loopback.control("GET", "/contract")
        bugs = [call for call in loopback.calls() if "Traceback" in (call["problem"] or "")]
    _report(request.config, {name: judged[name] for name in ("judged", "unpublished", "tolerated")})
    assert not judged["violations"], judged["violations"]
    assert not bugs, bugs


@pytest.fixture(scope="session")
def azure(azure_process: Loopback) -> Loopback:
    """The same; where a test reaches it from its own process, a conftest may put one in its place that sets that up."""
    return azure_process


def _report(config: pytest.Config, told: Mapping[str, list[Row]]) -> None:
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[COUNTS] = told
    else:
        _add(told)


def _add(told: Mapping[str, list[Row]]) -> None:
    for name, rows in told.items():
        _counts[name].update({tuple(row[:-1]): row[-1] for row in rows})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of pytest-xdist counted comes together here."""
    _add(getattr(node, "workeroutput", {}).get(COUNTS, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many bodies were held to the published types, by resource and api-version; and which could not be."""
    judged = _counts["judged"]
    if not judged:
        return
    terminalreporter.section("bodies that passed Microsoft's published types")
    for resource, version in sorted({(resource, version) for resource, version, _ in judged}):
        sent, answered = (judged[resource, version, direction] for direction in ("request", "response"))
        terminalreporter.write_line(f"{resource:40} {version:20} {sent:6} requests {answered:6} responses")
    for (resource, version, direction), count in sorted(_counts["unpublished"].items()):
        terminalreporter.write_line(f"{resource:40} {version:20} {count:6} {direction}s not judged: no published type")
    for (resource, reason), count in sorted(_counts["tolerated"].items()):
        terminalreporter.write_line(f"{resource:40} {count:6} times let through: {reason}")


@pytest.fixture
def place(azure: Loopback) -> Iterator[Place]:
    """A fresh workspace. After the test its endpoints' servers, and faults, durations and lifetimes, are gone.

    Time stays moved.
    """
    made = azure.add_workspace()
    yield made
    azure.control("DELETE", f"{made.arm_id}/onlineEndpoints")
    azure.reset()


@pytest.fixture
def reached(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process reaches the loopback Azure, and nothing else is known of Azure in its environment."""
    for name in os.environ:
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    environment = azure.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def service_principal(azure: Loopback, reached: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """This process has the secret of a new service principal, in the variables that azure-identity reads."""
    signed = azure.service_principal()
    for name, value in signed.items():
        monkeypatch.setenv(name, value)
    return {**reached, **signed}


@pytest.fixture
def travel(azure: Loopback, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass at once, for the cloud and for this process's `time.time` alike.

    It is what azure-identity and MSAL look at to see whether a token is still good.
    """
    import time

    real = time.time
    ahead = azure.now() - real()

    def pass_seconds(seconds: float) -> None:
        nonlocal ahead
        azure.advance(seconds)
        ahead += seconds

    monkeypatch.setattr(time, "time", lambda: real() + ahead)
    return pass_seconds


@pytest.fixture
def stored(azure: Loopback) -> None:
    """Skips, saying why, where there is no blob storage: Node or Azurite is missing."""
    if why := azure.control("GET", "/storage")["missing"]:
        pytest.skip(why)


@pytest.fixture
def client(place: Place, service_principal: dict[str, str]) -> Iterator[MLClient]:
    """Microsoft's client of the workspace, as it is; its talk is kept from the streams."""
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        from azure.ai.ml import MLClient
        from azure.identity import ClientSecretCredential

        names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        credential = ClientSecretCredential(*(service_principal[name] for name in names))
        address = place.address
        yield MLClient(
            credential, address.subscription_id, address.resource_group, address.workspace, show_progress=False
        )
        credential.close()
        logging.disable(before)
