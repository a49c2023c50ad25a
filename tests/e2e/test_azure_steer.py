"""A person steers a rollout on Azure: it is the same ledger, in a workspace's store, and the same events."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.azure.loopback import Loopback
from tests.e2e.azure import AzureTiny, azure_tiny, kinds
from tests.e2e.repository import LIMIT

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ROLLOUT = (
    "{strategy: canary, steps: [20, {traffic: 50, pause: true}, 100], bake: 20s, keep: 1h,"
    " judge: {errors: 0.05, per_second: 5, min_requests: 15}}"
)


@pytest.fixture(scope="module")
def tiny(azure: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureTiny]:
    """Version 1 serves prod, whose next version comes by a canary."""
    with pytest.MonkeyPatch.context() as patch:
        made = azure_tiny(tmp_path_factory.mktemp("user") / "tiny", azure, patch)
        file = made.repository.root / "ctrain.yaml"
        text = file.read_text().replace("deploy: [dev, test, prod]", "deploy: [prod]")
        start = text.index("  prod: {endpoint:")
        file.write_text(
            text[:start] + text[start:].replace("smoke: {golden: 3}", f"smoke: {{golden: 3}}, rollout: {ROLLOUT}", 1)
        )
        made.repository.commit("A canary at prod")
        said = made.run()
        assert said.code == 0, said.err
        yield made


def until(tiny: AzureTiny, kind: str, count: int) -> None:
    limit = time.monotonic() + LIMIT
    while kinds(tiny.events()).count(kind) < count:
        assert time.monotonic() < limit, f"{kind} did not happen"
        time.sleep(0.2)


def test_1_a_rollout_is_paused_while_another_machine_drives_it(tiny: AzureTiny) -> None:
    """It stops where it is, with exit code 4, and its share stays."""
    tiny.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.91")
    driver = tiny.repository.start("run", "--trigger", "main")
    until(tiny, "watching", 1)

    paused = tiny.repository.ctrain("rollout", "pause", "prod", "--as", "anna", "--reason", "lunch")
    _, said = driver.communicate(timeout=LIMIT)

    assert (paused.code, driver.returncode) == (0, 4), paused.err + said
    status = tiny.repository.ctrain("rollout", "status", "prod", "--json").document["rollout"]
    assert (status["state"], status["share"]) == ("paused", 20)


def test_2_it_goes_on_to_the_step_that_asks_for_a_person(tiny: AzureTiny) -> None:
    """Where a person let it go on, it comes as far as the next pause."""
    said = tiny.repository.ctrain("rollout", "resume", "prod", "--as", "anna", "--reason", "back")

    assert said.code == 4, said.err
    assert tiny.repository.ctrain("rollout", "status", "prod").code == 4


def test_3_an_abort_gives_the_traffic_back_and_marks_the_version(tiny: AzureTiny) -> None:
    """Nobody drives it, so that it is done at once; the commit does not come back by itself, until a person says so."""
    said = tiny.repository.ctrain("rollout", "abort", "prod", "--as", "anna", "--reason", "complaints")

    assert said.code == 0, said.err
    assert tiny.repository.serving()["prod"] == 1
    assert tiny.run().code == 6
    assert tiny.repository.ctrain("readmit", "prod", "2", "--reason", "it was not the model").code == 0


def test_4_a_drill_times_the_way_back_and_leaves_all_as_it_was(tiny: AzureTiny) -> None:
    """A second deployment of what serves gets the traffic, and gives it back; nothing is left of it."""
    said = tiny.repository.ctrain("drill", "prod", "--yes")

    assert said.code == 0, said.err
    assert tiny.repository.serving()["prod"] == 1
    status = tiny.repository.ctrain("status", "--json").document["status"]["stages"]
    prod = next(one for one in status if one["stage"] == "prod")
    assert not [one for one in prod["deployments"] if one["deployment"]["name"].startswith("drill")]


def test_5_nothing_that_serves_is_collected(tiny: AzureTiny) -> None:
    """What `gc` would take away is said first; prod serves what it served."""
    plan = tiny.repository.ctrain("gc", "--plan")
    done = tiny.repository.ctrain("gc")

    assert (plan.code, done.code) == (0, 0), done.err
    assert tiny.repository.serving()["prod"] == 1
