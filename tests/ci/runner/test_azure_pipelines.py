"""The runner for Azure Pipelines, on small pipelines: what it does is what Microsoft documents, and what it refuses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ci.runner import process
from tests.ci.runner.azure_expressions import BadExpression, Scope, evaluate, status_functions
from tests.ci.runner.azure_log import Log, Target, parse
from tests.ci.runner.azure_pipelines import AzureDevOps, Build, Check
from tests.ci.runner.yaml_file import BadWorkflow
from tests.e2e.repository import Repository

SCOPE = Scope(
    {
        "parameters": {"stages": [{"name": "dev"}, {"name": "prod"}], "empty": "", "on": True},
        "variables": {"Build.Reason": "PullRequest"},
        "dependencies": {"a": {"result": "Succeeded", "outputs": {"s.v": "yes"}}},
    },
    status_functions(["Succeeded", "Skipped"], canceled=False),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("eq('ABC', 'abc')", True),
        ("eq(true, 'false')", True),
        ("eq('1', 1)", True),
        ("eq(1, 'x')", False),
        ("eq(variables['build.reason'], 'PullRequest')", True),
        ("variables.absent", None),
        ("and(succeeded(), true)", False),
        ("not(failed())", True),
        ("in('b', 'a', 'B')", True),
        ("coalesce('', null, parameters.empty, 'x')", "x"),
        ("length(parameters.stages)", 2),
        ("parameters.stages[1].name", "prod"),
        ("replace('a-b', '-', '_')", "a_b"),
        ("dependencies.a.outputs['s.v']", "yes"),
        ("contains('[\"dev\"]', '\"dev\"')", True),
        ("ge(2, '2')", True),
        ("format('{0}/{1}', 'a', 1)", "a/1"),
        ("iif(parameters.on, 'y', 'n')", "y"),
    ],
)
def test_an_expression_has_the_value_that_azure_gives_it(text: str, value: object) -> None:
    """The left one's type decides; names and texts without case; a skipped dependency is no success."""
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize("text", ["stages", "nothing(1)", "eq(1", "a b", "1 == 1", "succeeded('x')"])
def test_what_azure_refuses_is_refused(text: str) -> None:
    """There are no operators, and no unknown names."""
    with pytest.raises(BadExpression):
        evaluate(text, SCOPE)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("##vso[task.setvariable variable=x]y", "task.setvariable"),
        ("any text ##vso[task.debug]y", "task.debug"),
        ("##vso[task.setvariable]y", "task.setvariable"),
        ("##vso[build.updatebuildnumber]y", "build.updatebuildnumber"),
        ("## vso[task.debug]y", None),
        ("##vso[task]y", None),
        ("##vso[task.debug y", None),
        ("##VSO[task.debug]y", None),
    ],
)
def test_a_command_is_known_anywhere_in_a_line(line: str, name: str | None) -> None:
    """By its exact prefix."""
    command = parse(line)

    assert (f"{command.area}.{command.event}" if command else None) == name


def test_a_restricted_step_sets_what_it_may_and_no_more() -> None:
    """By name for variables and the path, by kind for other commands."""
    kept: dict[str, str] = {}

    def keep(name: str, value: str, output: bool, secret: bool) -> bool:
        kept[name] = value
        return True

    log = Log(keep)
    log.begin_step(Target(restricted=True, settable=("good",)))
    for line in (
        "##vso[task.setvariable variable=good]1",
        "##vso[task.setvariable variable=evil]1",
        "##vso[task.prependpath]/evil",
        "##vso[task.uploadsummary]/etc/passwd",
        "##vso[build.addbuildtag]evil",
        "##vso[task.logissue type=error;sourcepath=a.py;linenumber=3]x%0Ay",
    ):
        log.hear(line)

    assert kept == {"good": "1"}
    assert (log.paths, log.tags, log.summaries) == ([], [], [])
    assert [(one.level, one.text, one.file, one.line) for one in log.annotations] == [("error", "x\ny", "a.py", "3")]
    assert len(log.refused) == 4


Ado = Callable[..., AzureDevOps]


@pytest.fixture
def ado(tmp_path: Path) -> Ado:
    """A repository with these files, in Azure DevOps."""

    def make(files: dict[str, str] | str, **settings: Any) -> AzureDevOps:
        files = {"azure-pipelines.yml": files} if isinstance(files, str) else files
        root = tmp_path / "repository"
        for name, text in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        repository = Repository(root)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit("Begin")
        machine = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        return AzureDevOps(root, tmp_path / "ado", machine, **settings)

    return make


def run(hub: AzureDevOps) -> Build:
    (build,) = hub.push()
    return build.wait()


def test_templates_are_expanded_before_anything_runs(ado: Ado) -> None:
    """Extends from another repository, typed parameters, if, each, insert, a list within a list."""
    template = """\
parameters:
  - {name: words, type: object}
  - {name: loud, type: boolean, default: false}
stages:
  - ${{ each word in parameters.words }}:
      - stage: say_${{ word }}
        dependsOn: []
        jobs:
          - job: do
            steps:
              - template: part.yml
                parameters:
                  word: ${{ word }}
                  env: {EXTRA: more}
              - ${{ if parameters.loud }}:
                  - bash: echo loud
              - ${{ else }}:
                  - bash: echo quiet
"""
    part = """\
parameters: [{name: word, type: string}, {name: env, type: object}]
steps:
  - bash: echo ${{ parameters.word }} $EXTRA $OWN
    env:
      OWN: own
      ${{ insert }}: ${{ parameters.env }}
"""
    user = """\
resources: {repositories: [{repository: parts, type: github, name: acme/parts, ref: refs/tags/v1, endpoint: gh}]}
extends: {template: dir/all.yml@parts, parameters: {words: [one, two]}}
"""
    hub = ado({"azure-pipelines.yml": user, "../parts/dir/all.yml": template, "../parts/dir/part.yml": part})
    hub.published = {"acme/parts": hub.repository.parent / "parts"}

    build = run(hub)

    assert build.result == "Succeeded", build.text()
    assert "one more own" in build.jobs["say_one.do"].log.lines
    assert "quiet" in build.jobs["say_two.do"].log.lines


def test_outputs_cross_jobs_and_stages(ado: Ado) -> None:
    """`dependencies` within a stage and for a stage's condition, `stageDependencies` for a job's variables."""
    build = run(
        ado(
            """\
stages:
  - stage: first
    jobs:
      - job: a
        steps:
          - bash: echo "##vso[task.setvariable variable=v;isOutput=true]yes"
            name: s
          - bash: echo "within $(s.v) $S_V $ABSENT"
            env: {ABSENT: $(absent)}
      - job: b
        dependsOn: a
        condition: and(succeeded(), eq(dependencies.a.outputs['s.v'], 'yes'))
        variables: {from: "$[ dependencies.a.outputs['s.v'] ]"}
        steps: [{bash: "echo b $(from)"}]
  - stage: second
    condition: and(succeeded(), eq(dependencies.first.outputs['a.s.v'], 'yes'))
    jobs:
      - deployment: d
        environment: prod
        variables: {from: "$[ stageDependencies.first.a.outputs['s.v'] ]"}
        strategy: {runOnce: {deploy: {steps: [{checkout: none}, {bash: "echo d $FROM; ls -A | wc -l"}]}}}
  - stage: third
    dependsOn: [second]
    condition: failed()
    jobs: [{job: no, steps: [{bash: exit 1}]}]
"""
        )
    )

    assert build.result == "Succeeded", build.text()
    assert "within yes yes $(absent)" in build.jobs["first.a"].log.lines
    assert "b yes" in build.jobs["first.b"].log.lines
    assert {"d yes", "0"} <= set(build.jobs["second.d"].log.lines)
    assert build.stages["third"].result == "Skipped"


def test_an_approval_and_an_exclusive_lock_are_asked_for_the_stage(ado: Ado) -> None:
    """A rejection fails it, and no step of it runs."""
    asked: list[str] = []

    def no(build: Build, environment: str) -> bool:
        asked.append(environment)
        return False

    deploy = "strategy: {runOnce: {deploy: {steps: [{bash: sleep 3}]}}}"
    pipeline = f"stages: [{{stage: s, jobs: [{{deployment: d, environment: prod, {deploy}}}]}}]"
    hub = ado(pipeline, environments={"prod": Check(no)})
    build = run(hub)
    assert (build.result, asked, build.jobs) == ("Failed", ["prod"], {})

    hub.environments = {"prod": Check(exclusive=True)}
    builds = [hub.push()[0]]
    _until(lambda: bool(builds[0].jobs))
    builds.append(hub.push()[0])
    _until(lambda: len(hub._held.get("prod", [])) == 2)
    builds.append(hub.push()[0])

    assert [one.wait().result for one in builds] == ["Succeeded", "Canceled", "Succeeded"]


def test_a_cancelled_script_is_gone_and_clean_up_runs(ado: Ado) -> None:
    """The signal ends the task's program; what it leaves is killed. A job for cancelled builds follows."""
    hub = ado(
        """\
stages:
  - stage: s
    jobs:
      - job: slow
        steps: [{bash: 'trap "echo heard" INT TERM; echo begun; sleep 30 & wait; echo after'}]
      - job: clean
        dependsOn: slow
        condition: canceled()
        steps: [{bash: echo cleaned, condition: always()}]
"""
    )
    (build,) = hub.push()
    _until(lambda: "begun" in (build.jobs["s.slow"].log.lines if "s.slow" in build.jobs else []))
    build.cancel()
    build.wait()

    assert build.result == "Canceled"
    slow = build.jobs["s.slow"]
    assert slow.steps[-1].signals == ("SIGINT",)
    assert not {"heard", "after"} & set(slow.log.lines)
    assert "cleaned" in build.jobs["s.clean"].log.lines
    assert process.SIGINT_SECONDS == 7.5


def test_failed_stages_are_run_again_and_others_keep_what_they_said(ado: Ado) -> None:
    """The same commit, the next attempt."""
    hub = ado(
        """\
stages:
  - stage: first
    jobs: [{job: a, steps: [{bash: 'echo "##vso[task.setvariable variable=v;isOutput=true]$RANDOM$RANDOM"', name: s}]}]
  - stage: second
    jobs: [{job: b, steps: [{bash: "test $(System.JobAttempt) = 2"}]}]
"""
    )
    build = run(hub)
    said = build.stages["first"].outputs
    assert build.result == "Failed"

    assert hub.rerun_failed(build).wait().result == "Succeeded", build.text()
    assert build.stages["first"].outputs == said


def test_events_start_the_pipeline_where_it_wants_them(ado: Ado) -> None:
    """A push to a branch, a pull request, a schedule, by hand with parameters."""
    hub = ado(
        """\
trigger: {branches: {include: [main]}}
pr: none
schedules: [{cron: "0 3 * * *", branches: {include: [main]}, always: true}]
parameters: [{name: kind, type: string, default: usual, values: [usual, special]}]
stages: [{stage: s, jobs: [{job: j, steps: [{bash: "echo ${{ parameters.kind }} $(Build.Reason)"}]}]}]
"""
    )
    Repository(hub.repository).git("branch", "change")

    assert hub.push("change") == []
    assert hub.pull_request(3, "change") == []
    assert hub.schedule("1 1 * * *") == []
    assert "usual IndividualCI" in run(hub).jobs["s.j"].log.lines
    assert "usual Schedule" in hub.schedule("0 3 * * *")[0].wait().jobs["s.j"].log.lines
    assert "special Manual" in hub.queue(kind="special").wait().jobs["s.j"].log.lines
    with pytest.raises(BadWorkflow, match="none of"):
        hub.queue(kind="strange")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("{bash: echo, color: red}", "color"),
        ("{powershell: echo}", "no step"),
        ("{task: Unknown@1}", "no stand-in"),
        ("{task: Cache@2, inputs: {key: a, path: b, strange: c}}", "strange"),
        ("{template: absent.yml}", "there is no"),
    ],
)
def test_what_the_runner_does_not_know_is_an_error(ado: Ado, step: str, words: str) -> None:
    """So that nothing in our files is left out without a word."""
    with pytest.raises(BadWorkflow, match=words):
        run(ado(f"stages: [{{stage: s, jobs: [{{job: j, steps: [{step}]}}]}}]"))


def test_the_builds_token_is_a_secret_that_is_given_by_name_only(ado: Ado) -> None:
    """Not in the environment unless the step asks, and never in the log."""
    build = run(
        ado(
            """\
stages:
  - stage: s
    jobs:
      - job: j
        steps:
          - bash: echo "[$SYSTEM_ACCESSTOKEN]"
          - bash: echo "<$TOKEN>"
            env: {TOKEN: $(System.AccessToken)}
"""
        )
    )

    assert {"[]", "<***>"} <= set(build.jobs["s.j"].log.lines)


def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.01)
