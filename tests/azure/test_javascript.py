"""Microsoft's JavaScript management client reads the loopback Azure without complaint."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.azure.jobs.samples import samples
from tests.azure.loopback import Place
from tests.azure.shop import Shop, stocked

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

__all__ = ["stocked"]

HERE = Path(__file__).parent
PACKAGES = HERE / "node" / "node_modules" / "@azure"


def missing() -> str | None:
    """Why Microsoft's JavaScript client cannot run here, or None where it can."""
    if shutil.which("node") is None:
        return "Node is not installed"
    if not all((PACKAGES / name / "package.json").is_file() for name in ("arm-machinelearning", "identity")):
        return "Microsoft's JavaScript client is not installed: run `npm ci` in tests/azure/node"
    return None


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def place(stocked: Shop) -> Place:
    """The workspace that has models and code."""
    return stocked.plain.place


def test_the_javascript_client_reads_what_there_is(
    stocked: Shop, place: Place, client: MLClient, service_principal: dict[str, str], tmp_path: Path
) -> None:
    """Workspaces, jobs, models, endpoints, deployments, keys and logs, at its own api-version; nothing is changed."""
    azure = stocked.azure
    samples(tmp_path, client, azure, place).submit("ctrain-js-1")
    name = stocked.new_endpoint()
    assert stocked.put_deployment("blue", endpoint=name).status_code == 201
    stocked.deployment("blue", endpoint=name)
    since = azure.mark()

    read = read_by_javascript(place, service_principal)

    assert place.address.workspace in [one["name"] for one in read["workspaces"]]
    assert (read["workspace"]["location"], read["workspace"]["workspaceId"]) == (place.location, place.workspace_id)
    assert (read["job"]["name"], read["job"]["properties"]["jobType"]) == ("ctrain-js-1", "Pipeline")
    assert sorted(model["name"] for model in read["models"]) == ["1", "2"]
    assert read["endpoints"][0]["properties"]["scoringUri"] == stocked.url_of(name)
    deployment = read["deployments"][0]["properties"]
    assert (deployment["provisioningState"], deployment["endpointComputeType"]) == ("Succeeded", "Managed")
    assert deployment["requestSettings"]["requestTimeout"] == "PT5S"
    assert read["keys"]["primaryKey"] in azure.secrets()
    assert "ready for serving traffic" in read["logs"]["content"]
    calls = azure.calls(since=since, host="management.azure.com")
    assert {call["method"] for call in calls} == {"GET", "POST"}
    assert {call["status"] for call in calls} == {200}


def read_by_javascript(place: Place, environment: dict[str, str]) -> dict[str, Any]:
    """What the script read; it reaches Azure by the environment alone."""
    address = place.address
    command = ["node", str(HERE / "javascript" / "read.cjs"), address.subscription_id, address.resource_group]
    path = {"PATH": str(Path(shutil.which("node") or "").parent)}
    ran = subprocess.run(
        [*command, address.workspace],
        env={**environment, **path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    read: dict[str, Any] = json.loads(ran.stdout)
    return read
