"""The whole of it, as a CI runs it: the installed ctrain in a job of GitHub Actions, and in one of Azure Pipelines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrain.cli import publishing
from ctrain.cli.ci.host import Nowhere
from ctrain.errors import UsageError
from tests.ci.services.devops import PROJECT, REPOSITORY, DevOps, devops
from tests.ci.services.devops import TOKEN as SYSTEM_TOKEN
from tests.ci.services.github import TOKEN, GitHub, github
from tests.e2e.repository import Repository, Said
from tests.e2e.tiny import CONFIGURATION, TRAINING, tiny

pytestmark = pytest.mark.e2e

HEAD = "5afe" * 10


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """Its model is far below the floor."""
    strict = CONFIGURATION.replace("floor: 0.6", "floor: 0.99").replace("min_rows: 40", "min_rows: 10")
    repository = tiny(tmp_path_factory.mktemp("user") / "tiny", {"ctrain.yaml": strict})
    yield repository
    repository.down()


def job(service: GitHub, folder: Path, project: Repository, event: str = "pull_request") -> dict[str, str]:
    """The environment of a job on the pull request's merge, as GitHub sets it."""
    payload = folder / "event.json"
    ours = {"full_name": "team/visits"}
    pull = {"number": 17, "head": {"sha": HEAD, "repo": ours}}
    payload.write_text(json.dumps({"repository": ours, "pull_request": pull}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(payload),
        "GITHUB_REF": "refs/pull/17/merge",
        "GITHUB_HEAD_REF": "x\n::error::##vso[task.complete]",
        "GITHUB_REPOSITORY": "team/visits",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "7",
        "GITHUB_API_URL": service.url,
        "GITHUB_GRAPHQL_URL": f"{service.url}/graphql",
        "GITHUB_WORKSPACE": str(project.root),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "RUNNER_TEMP": str(folder),
    }  # fmt: skip


def outputs(folder: Path) -> dict[str, str]:
    """The step's outputs, as the runner reads them; read once."""
    file = folder / "output"
    lines = file.read_text().splitlines()
    file.unlink()
    found = {}
    for first, value, last in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
        name, _, delimiter = first.partition("<<")
        assert delimiter == last
        found[name] = value
    return found


def test_a_pull_request_is_judged_and_shown(project: Repository, tmp_path: Path) -> None:
    """What was found stands at its rule, in the check, in the comment, and once in the summary; the outputs are there
    though the verb ended with an exit code of its own."""
    with github() as service:
        env = job(service, tmp_path, project)
        judged = project.ctrain("run", **env)
        told = outputs(tmp_path)
        reported = project.ctrain("report", "--publish", GITHUB_TOKEN=TOKEN, **env)

    assert (judged.code, told["state"], told["verdict"], told["stages"]) == (3, "rejected", "fail", "[]")
    assert told["release"].startswith("pull-request-")
    assert reported.code == 0, reported.err
    rule = next(place for place, text in enumerate(CONFIGURATION.splitlines(), 1) if "auc:" in text)
    assert f"::error title=auc floor%3A fail,file=ctrain.yaml,line={rule}::" in judged.err
    assert "::group::gate" in judged.err
    assert len(service.comments) == len(service.checks) == 1
    assert [(one["conclusion"], one["annotations"][0]["start_line"]) for one in service.checks] == [("failure", rule)]
    assert (tmp_path / "summary").read_text().count("| `auc` |") == 1
    assert service.complaints == []
    for said in (judged, reported):
        _is_clean(said)


def test_an_event_that_strangers_cause_is_refused(project: Repository, tmp_path: Path) -> None:
    """With exit code 2, before anything is begun; the outputs say that there is nothing."""
    with github() as service:
        said = project.ctrain("run", "--trigger", "main", **job(service, tmp_path, project, "pull_request_target"))

    assert said.code == 2
    assert outputs(tmp_path)["state"] == "failed"
    assert "::error title=this run must not train::" in said.err


def test_a_mistake_in_the_file_stands_at_its_line(project: Repository, tmp_path: Path) -> None:
    """Also one that is found before anything else is known."""
    wrong = tmp_path / "ctrain.yaml"
    wrong.write_text("project: tiny\nmodle: {name: x}\n")
    with github() as service:
        env = job(service, tmp_path, project) | {"GITHUB_WORKSPACE": str(tmp_path)}
        said = project.ctrain("run", "--file", str(wrong), **env)

    assert said.code == 2
    assert "file=ctrain.yaml,line=2,col=1::" in said.err


def test_a_training_that_breaks_is_shown_at_the_line_that_broke(tmp_path: Path) -> None:
    """Of the script in the repository, though a copy of it ran; in the log, in the check and in the comment."""
    script = TRAINING + "rows[0]['vists']\n"
    broken = tiny(tmp_path / "broken", {"code/train.py": script})
    with github() as service:
        env = job(service, tmp_path, broken)
        run = broken.ctrain("run", **env)
        broken.ctrain("report", "--publish", GITHUB_TOKEN=TOKEN, **env)
    broken.down()

    line = len(script.splitlines())
    assert run.code == 5
    assert f"::error title=step train%3A failed,file=code/train.py,line={line}::" in run.err
    shown = service.checks[0]["annotations"][0]
    assert (shown["path"], shown["start_line"]) == ("code/train.py", line)


def test_azure_pipelines_is_shown_the_same(project: Repository, tmp_path: Path) -> None:
    """The thread is open, as a person should look; the outputs are variables; the summary is a file of the build's."""
    with devops() as service:
        env = _build(service, tmp_path, project)
        run = project.ctrain("run", **env)
        reported = project.ctrain("report", "--publish", SYSTEM_ACCESSTOKEN=SYSTEM_TOKEN, **env)

    assert run.code == 3
    assert "##vso[task.setvariable variable=state;isOutput=true;]rejected" in run.err
    assert "##vso[task.logissue type=error;sourcepath=ctrain.yaml;linenumber=" in run.err
    assert reported.code == 0, reported.err
    assert [one["status"] for one in service.threads] == ["active"]
    assert [one["state"] for one in service.statuses] == ["failed"]
    assert "##vso[task.uploadsummary]" in reported.err
    assert service.complaints == []


def test_a_laptop_has_nowhere_to_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told how to get the report."""
    monkeypatch.setattr(publishing, "here", Nowhere)

    with pytest.raises(UsageError, match="no CI") as refusal:
        publishing.publish(None, file=None, backend=None)

    assert "--format md" in refusal.value.hint


def _build(service: DevOps, folder: Path, project: Repository) -> dict[str, str]:
    return {
        "TF_BUILD": "True",
        "BUILD_REASON": "PullRequest",
        "BUILD_BUILDID": "9",
        "BUILD_REPOSITORY_ID": REPOSITORY,
        "BUILD_REPOSITORY_PROVIDER": "TfsGit",
        "BUILD_SOURCESDIRECTORY": str(project.root),
        "SYSTEM_PULLREQUEST_PULLREQUESTID": "17",
        "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/x ##vso[task.complete]",
        "SYSTEM_COLLECTIONURI": f"{service.url}/team/",
        "SYSTEM_TEAMPROJECTID": PROJECT,
        "AGENT_TEMPDIRECTORY": str(folder),
    }


def _is_clean(said: Said) -> None:
    """No token, and no command but ours."""
    assert TOKEN not in said.err + said.out
    assert "##vso[" not in said.err
    known = ("::group::", "::endgroup::", "::error title=", "::warning title=", "::notice title=", "::add-mask::")
    assert all(line.startswith(known) for line in said.err.splitlines() if line.startswith("::"))
