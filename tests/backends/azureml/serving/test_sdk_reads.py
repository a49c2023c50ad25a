"""What we put, Microsoft's own SDK reads: people go on working with `az ml` and the Studio."""

from __future__ import annotations

from ctrain.backends.azureml.failures import translated
from tests.backends.azureml.serving.conftest import ENDPOINT, Stood


def test_the_sdk_reads_our_endpoint(both: Stood) -> None:
    """With its traffic, its way to know who asks, and whose it is."""
    with translated("read the endpoint"):
        seen = both.workspace.client.online_endpoints.get(ENDPOINT)

    assert seen.traffic == {"blue": 100, "green": 0}
    assert (seen.auth_mode, seen.tags, seen.provisioning_state) == ("key", {"ctrain": "1"}, "Succeeded")


def test_the_sdk_reads_our_deployments(both: Stood) -> None:
    """Every setting, in its own units; it falls over a deployment that lacks what it expects."""
    spec = both.spec("blue")
    with translated("read the deployments"):
        seen = {one.name: one for one in both.workspace.client.online_deployments.list(ENDPOINT)}
    blue = seen["blue"]

    assert set(seen) == {"blue", "green"}
    assert (blue.instance_type, blue.instance_count) == (spec.instance_type, spec.instance_count)
    assert blue.request_settings.request_timeout_ms == spec.request_timeout_ms
    assert blue.request_settings.max_concurrent_requests_per_instance == spec.max_concurrent_requests
    assert (blue.readiness_probe.period, blue.readiness_probe.failure_threshold) == (1, 20)
    assert blue.code_configuration.scoring_script == "score.py"
    assert blue.tags["ctrain.model"] == spec.model


def test_the_sdk_may_change_what_we_made(both: Stood) -> None:
    """Read, changed and put back by its own way: our next change keeps theirs, and theirs kept ours."""
    with translated("change the endpoint"):
        client = both.workspace.client
        theirs = client.online_endpoints.get(ENDPOINT)
        theirs.description = "changed by hand"
        client.online_endpoints.begin_create_or_update(theirs).wait(60)

    both.serving.route(ENDPOINT, {"blue": 30, "green": 70})

    body = both.body()
    assert body["properties"]["description"] == "changed by hand"
    assert body["properties"]["traffic"] == {"blue": 30, "green": 70}
    assert body["tags"] == {"ctrain": "1"}
