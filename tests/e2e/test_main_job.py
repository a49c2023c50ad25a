"""The main job, as a user has it: one repository from its first release on. The tests tell one story, in order."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.repository import Repository

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("main-job")]

EVERYWHERE_1 = {"dev": 1, "test": 1, "prod": 1}
EVERYWHERE_2 = {"dev": 2, "test": 2, "prod": 2}


def test_01_a_plan_says_what_would_happen_and_changes_nothing(repository: Repository) -> None:
    """Trigger, data, steps, gate and stages, on stdout; and no platform yet."""
    said = repository.ctrain("plan", "--trigger", "main")

    assert said.code == 0, said.err
    for words in ("trigger main", "20,190 rows", "prep", "evaluate", "auc", "visits-dev", "visits-prod"):
        assert words in said.out
    assert repository.kinds() == []


def test_02_a_good_model_is_delivered_to_every_stage(repository: Repository) -> None:
    """From a commit to a served model: talk on stderr, nothing on stdout, exit 0."""
    said = repository.ctrain("run", "--trigger", "main")

    assert said.code == 0, said.err
    assert said.out == ""
    assert repository.serving() == EVERYWHERE_1
    assert repository.champion() == 1


def test_03_the_curl_line_of_the_summary_works(repository: Repository) -> None:
    """Copied from the terminal into a shell, it gives a score."""
    said = repository.ctrain("run", "--trigger", "main")
    line = said.err[said.err.index("curl") :].strip()

    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=30)

    (score,) = json.loads(answer.stdout)
    assert 0 <= max(score) <= 1


def test_04_the_same_again_changes_nothing(repository: Repository) -> None:
    """Not an event more, and it says so."""
    before = repository.kinds()

    said = repository.ctrain("run", "--trigger", "main")

    assert said.code == 0
    assert "nothing to do" in said.err
    assert "nothing to do" in repository.ctrain("plan", "--trigger", "main").out
    assert repository.kinds() == before


def test_05_no_key_is_ever_printed(repository: Repository) -> None:
    """Not by a run, not by any reading verb."""
    keys = [file.read_text().strip() for file in (repository.root / ".ctrain" / "endpoints").glob("*/key")]
    assert len(keys) == 3

    said = [
        repository.ctrain(*words)
        for words in (
            ("run", "--trigger", "main"),
            ("status", "--json"),
            ("show", "--json"),
            ("local", "status"),
            ("logs",),
            ("logs", "--stage", "prod"),
            ("history", "--json"),
        )
    ]

    assert all(one.code == 0 for one in said)
    assert not [key for key in keys for one in said if key in one.out + one.err]


def test_06_a_worse_model_is_refused(repository: Repository) -> None:
    """Exit 3: the gate compared it with the champion, on the same rows. What serves, serves on."""
    repository.edit("ctrain.yaml", "max_iter: 100", "max_iter: 1")

    said = repository.ctrain("run", "--trigger", "main")

    assert said.code == 3, said.err
    assert "auc" in said.err
    assert repository.serving() == EVERYWHERE_1
    assert repository.champion() == 1


@pytest.mark.long
def test_07_steps_that_the_change_does_not_touch_are_reused(repository: Repository) -> None:
    """The parameter is the training's; prep ran once."""
    steps = repository.ctrain("show", "--json").document["release"]["release"]["training"]["steps"]

    reused = {step["name"]: step["reused_from"] is not None for step in steps}
    assert reused == {"prep": True, "train": False, "evaluate": False}


@pytest.mark.long
def test_08_a_model_that_fails_its_smoke_test_is_taken_away(repository: Repository) -> None:
    """Exit 6: it answers, but not with the gate's scores. Dev serves what it served."""
    repository.edit("ctrain.yaml", "max_iter: 1", "max_iter: 100")
    scoring = repository.root / "scoring"
    scoring.mkdir()
    (scoring / "score.py").write_text(
        """import json


def init():
    pass


def run(raw):
    return [0.5 for _ in json.loads(raw)["input_data"]["data"]]
"""
    )
    repository.edit(
        "ctrain.yaml",
        "dev: {endpoint: visits-dev}",
        "dev: {endpoint: visits-dev, deployment: {scoring: {code: scoring, script: score.py}}}",
    )

    said = repository.ctrain("run", "--trigger", "main")

    assert said.code == 6, said.err
    assert "differ from the gate's" in said.err
    assert repository.serving() == EVERYWHERE_1
    assert repository.champion() == 1


@pytest.mark.long
def test_09_a_pull_request_trains_on_a_sample_and_deploys_nothing(repository: Repository) -> None:
    """Exit 0: it still works and still learns. No version, no champion, no traffic."""
    repository.git("checkout", "--quiet", "HEAD~2", "--", "ctrain.yaml")
    repository.edit("ctrain.yaml", "max_iter: 1\n", "max_iter: 90\n")

    said = repository.ctrain("run", "--trigger", "pull_request")

    assert said.code == 0, said.err
    record = repository.ctrain("show", "--json").document["release"]["release"]
    assert record["rows"] < 2500
    assert record["version"] is None
    assert repository.serving() == EVERYWHERE_1
    assert repository.champion() == 1


@pytest.mark.long
def test_10_the_verbs_apart_do_what_run_does(repository: Repository) -> None:
    """train, gate, deploy --to each stage: the release is picked up from the ledger each time."""
    repository.edit("ctrain.yaml", "max_iter: 90", "max_iter: 95")

    assert repository.ctrain("train", "--trigger", "main").code == 0
    assert repository.ctrain("deploy", "--to", "prod").code == 2
    gated = repository.ctrain("gate")
    assert gated.code == 0, gated.err
    for stage in ("dev", "test", "prod"):
        said = repository.ctrain("deploy", "--to", stage)
        assert said.code == 0, said.err

    assert repository.serving() == EVERYWHERE_2
    assert repository.champion() == 2
    assert repository.ctrain("smoke", "prod").code == 0


@pytest.mark.long
def test_11_rolling_back_gives_the_traffic_to_the_one_that_is_still_warm(repository: Repository) -> None:
    """The old version serves again at once, and is the champion again."""
    said = repository.ctrain("rollback", "prod", "--reason", "complaints")

    assert said.code == 0, said.err
    assert repository.serving() == {"dev": 2, "test": 2, "prod": 1}
    assert repository.champion() == 1


@pytest.mark.long
def test_12_the_platform_comes_back_as_it_was(repository: Repository) -> None:
    """Down and up again, as after a reboot: the same addresses, the same traffic."""
    before = repository.ctrain("local", "status", "--json").document["local"]
    repository.ctrain("local", "down")
    assert not any(endpoint["running"] for endpoint in repository.ctrain("local", "status", "--json").document["local"])

    assert repository.ctrain("local", "up").code == 0

    after = repository.ctrain("local", "status", "--json").document["local"]
    told = ("name", "scoring_url", "traffic", "running")
    assert [[one[key] for key in told] for one in after] == [[one[key] for key in told] for one in before]


@pytest.mark.long
def test_13_history_tells_every_release(repository: Repository) -> None:
    """Newest first, each with its end."""
    told = repository.ctrain("history", "--json").document["history"]

    assert [release["ending"] for release in told] == ["delivered", "delivered", "rolled back", "rejected", "delivered"]
    assert repository.ctrain("history").out.count("main-") == 4


@pytest.mark.long
def test_14_the_gate_can_be_asked_tried_and_tested(repository: Repository) -> None:
    """Pictures of an old verdict, another gate on its rows, and a self-test: none of them records anything."""
    before = len(repository.ctrain("history", "--json").document["history"])
    name = next(
        one["release"]
        for one in repository.ctrain("history", "--json").document["history"]
        if one["ending"] == "rejected"
    )
    (repository.root / "lax.yaml").write_text(
        "gate: {metrics: {brier: {direction: down, rule: absolute, ceiling: 0.9}}}"
    )

    explained = repository.ctrain("gate", name, "--explain")
    lax = repository.ctrain("gate", name, "--policy", "lax.yaml")
    tested = repository.ctrain("gate", "--self-test")
    found_out = repository.ctrain("gate", "--self-test", "--policy", "lax.yaml")

    assert (explained.code, lax.code, tested.code, found_out.code) == (3, 0, 0, 3), explained.err + tested.err
    assert "●" in explained.out
    assert "nothing is recorded" in lax.err
    assert "answers shuffled among the rows: fail" in tested.out
    assert "lets a bad model through" in found_out.out
    assert len(repository.ctrain("history", "--json").document["history"]) == before
