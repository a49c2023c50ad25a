"""The runner for GitHub Actions, on small workflows: what it does is what GitHub documents, and what it refuses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runner import process
from tests.ci.runner.github import GitHub
from tests.ci.runner.yaml_file import BadWorkflow
from tests.e2e.repository import Repository

PIN = "0" * 40
Hub = Callable[..., GitHub]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A repository with these workflows, on GitHub."""

    def make(files: dict[str, str], **settings: Any) -> GitHub:
        root = tmp_path / "repository"
        for name, text in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        repository = Repository(root)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit("Begin")
        machine = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return GitHub(root, tmp_path / "hub", machine, **settings)

    return make


def workflow(jobs: str, on: str = "push", top: str = "") -> dict[str, str]:
    return {".github/workflows/main.yml": f"on: {on}\n{top}jobs:\n{jobs}"}


def job(name: str, *steps: str, more: str = "") -> str:
    lines = "".join(f"      - {step}\n" for step in steps)
    return f"  {name}:\n    runs-on: ubuntu-24.04\n{more}    steps:\n{lines}"


def test_steps_hand_on_by_files_and_jobs_by_outputs(hub: Hub) -> None:
    """GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH; `needs`; a summary."""
    first = job(
        "first",
        '{id: one, run: "echo a=1 >> $GITHUB_OUTPUT; echo N=env >> $GITHUB_ENV; echo /extra >> $GITHUB_PATH"}',
        '{run: "echo $N ${PATH%%:*} ${{ steps.one.outputs.a }} >> $GITHUB_STEP_SUMMARY"}',
        more="    outputs: {a: '${{ steps.one.outputs.a }}'}\n",
    )
    second = job("second", '{run: "echo got ${{ needs.first.outputs.a }}"}', more="    needs: first\n")
    (run,) = hub(workflow(first + second)).push()

    assert run.wait().conclusion == "success", run.text()
    assert run.jobs["first"].summary == "env /extra 1\n"
    assert "got 1" in run.jobs["second"].log.lines


def test_a_failed_job_skips_what_needs_it_but_not_what_says_otherwise(hub: Hub) -> None:
    """The default condition asks for success of all that went before, skipped jobs included."""
    jobs = (
        job("first", '{run: "false; echo on"}', '{if: "failure()", run: "echo cleaning"}')
        + job("second", "{run: echo no}", more="    needs: first\n")
        + job("third", "{run: echo yes}", more="    needs: second\n    if: ${{ !cancelled() }}\n")
        + job("fourth", "{run: echo no}", more="    needs: third\n")
    )
    (run,) = hub(workflow(jobs)).push()

    assert run.wait().conclusion == "failure"
    told = {name: one.result for name, one in run.results.items()}
    assert told == {"first": "failure", "second": "skipped", "third": "success", "fourth": "skipped"}
    assert "cleaning" in run.jobs["first"].log.lines


@pytest.mark.parametrize(
    ("shell", "code"), [("", 0), ("shell: bash, ", 1)], ids=["bash -e by default", "pipefail where bash is named"]
)
def test_scripts_run_as_on_github(hub: Hub, shell: str, code: int) -> None:
    """The default shell does not see a failure within a pipe."""
    (run,) = hub(workflow(job("one", f'{{{shell}run: "false | true"}}'))).push()

    assert run.wait().jobs["one"].steps[0].code == code


def test_a_called_workflow_gets_inputs_and_gives_outputs(hub: Hub) -> None:
    """A published one by its digest, with its own parts by `$/`; typed inputs; secrets that are handed on."""
    files = workflow(
        "  call:\n"
        f"    uses: acme/parts/.github/workflows/part.yml@{PIN}\n"
        "    with: {loud: true, who: '${{ github.actor }}'}\n"
        "    secrets: {key: '${{ secrets.KEY }}'}\n"
        + job("after", '{run: "echo ${{ needs.call.outputs.said }}"}', more="    needs: call\n")
    )
    hub_ = hub(
        {
            **files,
            "../parts/.github/workflows/part.yml": (
                "on:\n  workflow_call:\n    inputs: {loud: {type: boolean}, who: {type: string, required: true}}\n"
                "    secrets: {key: {required: true}}\n    outputs: {said: {value: '${{ jobs.do.outputs.said }}'}}\n"
                "jobs:\n"
                + job(
                    "do",
                    "{id: say, uses: $/say, with: {word: '${{ inputs.who }}'}}",
                    '{run: "echo ${{ secrets.key }}"}',
                    more="    if: inputs.loud\n    outputs: {said: '${{ steps.say.outputs.said }}'}\n",
                )
            ),
            "../parts/say/action.yml": (
                "name: say\ndescription: says\ninputs: {word: {required: true}}\n"
                "outputs: {said: {value: '${{ steps.it.outputs.x }}'}}\nruns:\n  using: composite\n  steps:\n"
                "    - {id: it, shell: bash, env: {W: '${{ inputs.word }}'}, "
                "run: 'echo \"x=hello $W\" >> $GITHUB_OUTPUT'}\n"
            ),
        },
        secrets={"KEY": "hush-hush"},
    )
    hub_.published = {"acme/parts": hub_.repository.parent / "parts"}
    (run,) = hub_.push()

    assert run.wait().conclusion == "success", run.text()
    assert "hello anna" in run.jobs["after"].log.lines
    assert "hush-hush" not in run.text()
    assert "***" in run.jobs["call/do"].log.lines


def test_a_called_workflow_may_not_ask_for_more_than_its_caller_has(hub: Hub) -> None:
    """GitHub starts neither."""
    files = workflow("  call:\n    uses: ./.github/workflows/part.yml\n", top="permissions: {contents: read}\n")
    part = "on: workflow_call\n" + "jobs:\n" + job("do", "{run: echo}", more="    permissions: {checks: write}\n")
    (run,) = hub({**files, ".github/workflows/part.yml": part}).push()

    with pytest.raises(BadWorkflow, match="checks: write"):
        run.wait()


def test_a_newer_run_takes_the_place_of_an_older_one(hub: Hub) -> None:
    """`cancel-in-progress`: the process gets SIGINT; a job for cancelled runs follows."""
    jobs = job("slow", "{shell: bash, run: exec sleep 60}") + job(
        "clean", "{run: echo cleaned}", more="    needs: slow\n    if: cancelled()\n"
    )
    top = "concurrency: {group: '${{ github.ref }}', cancel-in-progress: true}\n"
    hub_ = hub(workflow(jobs, top=top))
    (first,) = hub_.push()
    _until(lambda: bool(first.jobs) and "Run step 1" in first.jobs["slow"].log.lines)
    Repository(hub_.repository).edit(".github/workflows/main.yml", "sleep 60", "true")

    (second,) = hub_.push()

    assert first.wait().conclusion == "cancelled"
    assert first.jobs["slow"].steps[0].signals == ("SIGINT",)
    assert first.jobs["clean"].result == "success"
    assert second.wait().conclusion == "success"


def test_one_waits_in_a_group_and_a_newer_one_takes_its_place(hub: Hub) -> None:
    """Without `cancel-in-progress` the running one goes on; the waiting one is cancelled."""
    hub_ = hub(workflow(job("one", "{run: sleep 0.5}", more="    concurrency: deploy\n")))
    (first,) = hub_.push()
    _until(lambda: bool(first.jobs))
    (second,) = hub_.push()
    _until(lambda: hub_._groups["deploy"].pending is second.cancelling)
    (third,) = hub_.push()

    assert [run.wait().conclusion for run in (first, second, third)] == ["success", "cancelled", "success"]


def test_a_signal_reaches_only_the_entry_process(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell keeps it from its child unless it was replaced by it (`exec`)."""
    monkeypatch.setattr(process, "SIGINT_SECONDS", 1.0)
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.2)
    heard = "signal.signal(2, lambda *a: (print('heard', flush=True), exit(0)))"
    trap = f"import signal, time; {heard}; print('ready', flush=True); time.sleep(4)"
    python = f'python3 -c "{trap}"'
    jobs = job("kept", f"{{shell: bash, run: '{python.replace(chr(39), chr(39) * 2)}\n\n          echo after'}}")
    jobs += job("given", f"{{shell: bash, run: 'exec {python.replace(chr(39), chr(39) * 2)}'}}")
    (run,) = hub(workflow(jobs)).push()
    _until(lambda: sum("ready" in one.log.lines for one in run.jobs.values()) == 2)
    run.cancel()
    run.wait()

    assert "heard" in run.jobs["given"].log.lines
    assert "heard" not in run.jobs["kept"].log.lines
    assert run.jobs["kept"].steps[0].signals == ("SIGINT", "SIGTERM")


def test_failed_jobs_are_run_again_and_others_keep_what_they_said(hub: Hub) -> None:
    """The same commit, the next attempt."""
    first = job(
        "first",
        '{id: x, run: "echo n=$RANDOM$RANDOM >> $GITHUB_OUTPUT"}',
        more="    outputs: {n: '${{ steps.x.outputs.n }}'}\n",
    )
    second = job(
        "second", '{run: "echo ${{ needs.first.outputs.n }}; test $GITHUB_RUN_ATTEMPT = 2"}', more="    needs: first\n"
    )
    third = job("third", "{run: echo cleaned}", more="    needs: second\n    if: failure()\n")
    hub_ = hub(workflow(first + second + third))
    (run,) = hub_.push()
    assert run.wait().conclusion == "failure"
    assert run.results["third"].result == "success"
    said = run.results["first"].outputs

    hub_.rerun_failed(run)

    assert run.wait().conclusion == "success", run.text()
    assert run.results["first"].outputs == said
    assert run.results["third"].result == "skipped"


def test_an_environment_waits_for_a_person(hub: Hub) -> None:
    """A rejected job fails and no step of it runs; what needs it is skipped."""
    asked: list[str] = []

    def no(job: Any) -> bool:
        asked.append(job.environment_name)
        return False

    jobs = job("deploy", "{run: echo deployed}", more="    environment: prod\n") + job(
        "after", "{run: echo}", more="    needs: deploy\n"
    )
    hub_ = hub(workflow(jobs), environments={"prod": no})
    (run,) = hub_.push()

    assert run.wait().conclusion == "failure"
    assert asked == ["prod"]
    assert run.jobs["deploy"].steps == []
    assert hub_.deployments[0].state == "failure"


def test_a_strangers_pull_request_gets_no_secret_and_no_right_to_write(hub: Hub) -> None:
    """From a fork: an empty secret, a token that reads, no identity."""
    text = workflow(
        job("one", '{run: "echo [${{ secrets.KEY }}]"}', more="    permissions: {contents: write, id-token: write}\n"),
        on="pull_request",
    )
    hub_ = hub(text, secrets={"KEY": "hush-hush"}, identity_of=lambda _: {"ID": "given"})
    repository = Repository(hub_.repository)
    repository.git("checkout", "--quiet", "-b", "change")
    repository.commit("A change")
    (run,) = hub_.pull_request(7, "change", fork=True)

    assert run.wait().conclusion == "success", run.text()
    assert "[]" in run.jobs["one"].log.lines
    assert run.jobs["one"].permissions == {}


def test_events_start_those_workflows_that_want_them(hub: Hub) -> None:
    """Branches, paths, types, schedules, inputs."""
    on = (
        "\n  push: {branches: [main], paths: ['src/**']}\n  schedule: [{cron: '1 2 * * *'}]\n"
        "  repository_dispatch: {types: [new-data]}\n"
        "  workflow_dispatch: {inputs: {stage: {type: choice, options: [dev, prod], default: dev}}}"
    )
    hub_ = hub(workflow(job("one", '{run: "echo ${{ inputs.stage }}-${{ github.event.client_payload.v }}"}'), on=on))

    assert hub_.push() == []
    assert hub_.schedule("9 9 * * *") == []
    assert hub_.repository_dispatch("other") == []
    assert "-3" in hub_.repository_dispatch("new-data", v=3)[0].wait().jobs["one"].log.lines
    assert "prod-" in hub_.dispatch("main.yml", stage="prod").wait().jobs["one"].log.lines
    assert hub_.schedule("1 2 * * *")[0].wait().conclusion == "success"
    with pytest.raises(BadWorkflow, match="one of"):
        hub_.dispatch("main.yml", stage="moon").wait()


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        (job("one", "{uses: actions/checkout@v4}"), "not pinned"),
        (job("one", f"{{uses: acme/unknown@{PIN}}}"), "no stand-in"),
        (job("one", "{run: echo}", more="    container: x\n"), "container"),
        (job("one", "{run: echo, color: red}"), "color"),
        (job("one", "{run: echo}", more="    needs: other\n"), "no job"),
        (job("one", f"{{uses: actions/checkout@{PIN}, with: {{submodules: true}}}}"), "submodules"),
    ],
)
def test_what_the_runner_does_not_know_is_an_error(hub: Hub, jobs: str, words: str) -> None:
    """So that nothing in our files is left out without a word."""
    with pytest.raises(BadWorkflow, match=words):
        hub(workflow(jobs)).push()[0].wait()


def test_third_party_actions_have_stand_ins(hub: Hub) -> None:
    """Checkout without credentials, a cache that is restored, an artifact that another job gets."""
    first = job(
        "first",
        f"{{uses: actions/checkout@{PIN}, with: {{persist-credentials: false}}}}",
        f"{{id: c, uses: actions/cache@{PIN}, with: {{path: kept, key: \"k-${{{{ hashFiles('*.txt') }}}}\"}}}}",
        "{run: cat a.txt && echo && ! git config --get-regexp extraheader}",
        '{run: "mkdir -p kept && date +%N > kept/when && echo hit=${{ steps.c.outputs.cache-hit }}"}',
        f"{{uses: actions/upload-artifact@{PIN}, with: {{name: it, path: kept}}}}",
    )
    second = job(
        "second",
        f"{{uses: actions/download-artifact@{PIN}, with: {{name: it, path: got}}}}",
        "{run: cat got/when}",
        more="    needs: first\n",
    )
    hub_ = hub({**workflow(first + second), "a.txt": "content"})

    (run,), (again,) = hub_.push()[0:1], [hub_.push()[0] for _ in [hub_.runs[0].wait()]]

    assert run.wait().conclusion == again.wait().conclusion == "success", run.text() + again.text()
    assert "hit=false" in run.jobs["first"].log.lines
    assert "hit=true" in again.jobs["first"].log.lines


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)
