"""The main job on Azure ML, as a team has it: three workspaces, one repository. The tests tell one story, in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrain.backends.azureml.registry import AzureRegistry  # noqa: F401  fails early where the backend is not whole
from tests.azure.loopback import Loopback
from tests.e2e.azure import AzureTiny, azure_tiny

pytestmark = pytest.mark.e2e

CALLS = 400
"""What a release through three stages may ask of Azure, without its smoke tests' questions: docs/azure-ml.md."""


@pytest.fixture(scope="module")
def tiny(azure: Loopback, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureTiny]:
    with pytest.MonkeyPatch.context() as patch:
        made = azure_tiny(tmp_path_factory.mktemp("user") / "tiny", azure, patch)
        yield made


def everywhere(version: int) -> dict[str, int]:
    return {"dev": version, "test": version, "prod": version}


def test_01_a_plan_says_what_would_happen_and_changes_nothing(tiny: AzureTiny) -> None:
    """It reads, and it says who is signed in, how, and to which tenant."""
    mark = tiny.azure.mark()

    said = tiny.repository.ctrain("plan", "--trigger", "main")

    assert said.code == 0, said.err
    for words in ("trigger main", "rows:1", "train", "auc", "tiny-dev", "tiny-prod"):
        assert words in said.out
    assert "signed in" in said.err
    assert tiny.writes(mark) == []
    assert tiny.events() == []


def test_02_a_good_model_is_delivered_to_three_workspaces(tiny: AzureTiny) -> None:
    """From a commit to a served model: talk on stderr, nothing on stdout, exit 0; and it does not ask too much."""
    mark = tiny.azure.mark()

    said = tiny.run()

    calls = [call for call in tiny.azure.calls(since=mark) if "/score" not in call["path"]]
    assert said.code == 0, said.err
    assert said.out == ""
    assert len(calls) < CALLS
    assert tiny.repository.serving() == everywhere(1)
    assert tiny.repository.champion() == 1


def test_03_the_same_again_changes_nothing(tiny: AzureTiny) -> None:
    """No write, not an event more, and it says so."""
    before, mark = len(tiny.events()), tiny.azure.mark()

    said = tiny.run()

    assert said.code == 0, said.err
    assert "nothing to do" in said.err
    assert tiny.writes(mark) == []
    assert len(tiny.events()) == before


@pytest.mark.long
def test_04_a_worse_model_is_refused(tiny: AzureTiny) -> None:
    """The gate says no: exit 3, and every stage serves what it served."""
    tiny.repository.edit("ctrain.yaml", "factor: 0.9", "factor: -0.9")

    said = tiny.run()

    assert said.code == 3, said.err
    assert tiny.repository.serving() == everywhere(1)
    tiny.repository.edit("ctrain.yaml", "factor: -0.9", "factor: 0.9")


@pytest.mark.long
def test_05_a_training_that_fails_says_why(tiny: AzureTiny) -> None:
    """Exit 5, with what the step printed."""
    tiny.repository.edit("code/train.py", "import csv", "raise SystemExit('no such column: visited')\nimport csv")

    said = tiny.run()

    assert said.code == 5, said.err
    assert "no such column: visited" in said.err + tiny.repository.ctrain("logs").out
    assert tiny.repository.serving() == everywhere(1)
    tiny.repository.edit("code/train.py", "raise SystemExit('no such column: visited')\n", "")


@pytest.mark.long
def test_06_a_model_that_fails_its_smoke_test_serves_nobody(tiny: AzureTiny) -> None:
    """Exit 6: it scored otherwise than in the evaluation, and was taken away again."""
    tiny.repository.edit("scoring/score.py", "row[0] * factor", "row[0] * factor * 0.5")

    said = tiny.run()

    assert said.code == 6, said.err
    assert tiny.repository.serving() == everywhere(1)
    tiny.repository.edit("scoring/score.py", "row[0] * factor * 0.5", "row[0] * factor")


@pytest.mark.long
def test_07_a_pull_request_trains_on_a_sample(tiny: AzureTiny) -> None:
    """The sample is a data asset of its own, made once; nothing is deployed."""
    for _ in range(2):
        said = tiny.run("pull-request")
        assert said.code == 0, said.err
        tiny.repository.commit("Nothing")

    assert tiny.repository.serving() == everywhere(1)
    own = f".*/{tiny.places['dev'].address.workspace}/jobs/ctrain-sample.*"
    made = [call for call in tiny.azure.calls(method="PUT", path=own) if call["status"] < 300]
    assert len(made) <= 1


@pytest.mark.long
def test_08_killed_again_and_again_it_arrives(tiny: AzureTiny) -> None:
    """One release, job and version; the new model serves and is champion. `make test-kill-matrix` has all calls."""
    tiny.repository.edit("ctrain.yaml", "factor: 0.9", "factor: 0.7")
    for kind in ("submitting", "crowning"):
        tiny.kill(kind)

    tiny.azure.advance(60)  # a dead runner's locks run out by themselves
    said = tiny.run()

    assert said.code == 0, said.err
    version = tiny.repository.champion()
    assert version is not None
    assert tiny.repository.serving() == everywhere(version)
    release = tiny.repository.ctrain("show", "--json").document["release"]
    told = [event["what"]["kind"] for event in release["events"]]
    assert [told.count(kind) for kind in ("opened", "registered", "crowned", "closed")] == [1, 1, 1, 1]


@pytest.mark.long
def test_09_prod_goes_back_to_what_it_served(tiny: AzureTiny) -> None:
    """A rollback is a change of traffic to a deployment that is still warm."""
    said = tiny.repository.ctrain("rollback", "prod", "--reason", "a drill")

    assert said.code == 0, said.err
    assert tiny.repository.serving()["prod"] == 1
    assert tiny.repository.champion() == 1


def test_10_no_secret_was_written_anywhere(tiny: AzureTiny, tmp_path: Path) -> None:
    """No key, token, signature or signed address that Azure handed out is in any output, record or file of ours."""
    said = [
        tiny.repository.ctrain(*words)
        for words in (
            ("status",),
            ("status", "--json"),
            ("show", "--json"),
            ("logs",),
            ("logs", "--stage", "prod"),
            ("history", "--json"),
            ("run", "--trigger", "main"),
            ("doctor",),
        )
    ]
    texts = [one.out + one.err for one in said] + [repr(tiny.events())]
    texts += [file.read_text(errors="replace") for file in tiny.repository.root.rglob("*") if file.is_file()]
    secrets = tiny.azure.secrets()

    assert len(secrets) > 10
    assert [kind for secret, kind in secrets.items() if any(secret in text for text in texts)] == []
