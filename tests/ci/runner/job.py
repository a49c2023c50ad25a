"""One job of GitHub Actions on a machine: its steps, one after the other, for real."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ci.runner import actions
from tests.ci.runner.expressions import BadExpression, Scope, as_text, fill, fill_all, holds, status_functions
from tests.ci.runner.github_log import BadFile, Log, pairs
from tests.ci.runner.process import Cancelling, run
from tests.ci.runner.workflow import Workflow, globbed, shell, step
from tests.ci.runner.yaml_file import BadWorkflow, known, read

if TYPE_CHECKING:
    from tests.ci.runner.github import GitHub
    from tests.ci.runner.github_run import Run

SHELLS = {
    None: "bash -e {0}",
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": f"{shlex.quote(sys.executable)} {{0}}",
}
"""What a `shell` stands for, on Linux. Source: "Workflow syntax", jobs.<job_id>.steps[*].shell."""
SUMMARY_BYTES = 1024 * 1024


@dataclass
class StepRun:
    """A step that had its turn. `conclusion` is `outcome` after `continue-on-error`."""

    name: str
    outcome: str
    conclusion: str
    outputs: dict[str, str] = field(default_factory=dict)
    code: int = 0
    signals: tuple[str, ...] = ()
    opened: int = 0
    """Groups that it left open."""


@dataclass
class _Place:
    """Where steps stand: a job's own, or those of a composite action, which have ids and a status of their own.

    `own` is the repository of the file that they are written in.
    """

    scope: Scope
    own: Path
    ids: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: bool = False
    action: Path | None = None
    shell: str | None = None
    env: dict[str, str] = field(default_factory=dict)


class JobRun:
    """A job that runs, or ran."""

    def __init__(
        self,
        hub: GitHub,
        run: Run,
        workflow: Workflow,
        definition: Mapping[str, Any],
        scope: Scope,
        *,
        name: str,
        permissions: Mapping[str, str],
        cancelling: Cancelling,
    ) -> None:
        self.hub, self.run, self.workflow, self.definition = hub, run, workflow, definition
        self.name = name
        self.permissions = dict(permissions)
        self.cancelling = Cancelling(cancelling)
        self.folder = run.folder / "jobs" / hashlib.sha256(f"{name} {run.attempt}".encode()).hexdigest()[:12]
        self.workspace = self.folder / "work"
        self.temporary = self.folder / "temp"
        self.log = Log()
        self.steps: list[StepRun] = []
        self.result = "success"
        self.outputs: dict[str, str] = {}
        self.summary = ""
        self.paths: list[str] = []
        self.environment: dict[str, str] = {}
        self.after_success: list[Callable[[], object]] = []
        self.url = ""
        self.environment_name = ""
        self.scope = scope
        self.token = ""
        self.secrets: Mapping[str, str] = {}

    def go(self) -> None:
        """All steps, then the outputs. What the service would refuse ends the job as a failure, and is raised."""
        self.workspace.mkdir(parents=True)
        self.temporary.mkdir()
        self.token = self.hub.issue_token(self)
        self.log.masks |= {str(value) for value in self.hub.secrets_of(self).values() if value} | {self.token}
        job_env = {**self.workflow.env, **(self.definition.get("env") or {})}
        place = _Place(
            self.scope,
            self.workflow.file.parents[2],
            shell=shell(self.definition.get("defaults")) or self.workflow.shell,
        )
        place.scope = self._contexts(place, {})
        self.environment.update(_texts(fill_all(job_env, place.scope)))
        self._steps(self.definition["steps"], place)
        if self.cancelling.asked:
            self.result = "cancelled"
        elif place.failed:
            self.result = "failure"
        else:
            for act in self.after_success:
                act()
        self._finish(place)

    def _finish(self, place: _Place) -> None:
        scope = self._contexts(place, {})
        for name, value in (self.definition.get("outputs") or {}).items():
            text = as_text(fill(value, scope))
            if self.log.masked(text) != text:
                self.log.write(f"Warning: Skip output '{name}' since it may contain secret.")
            else:
                self.outputs[name] = text
        environment = self.definition.get("environment")
        if isinstance(environment, dict) and "url" in environment:
            self.url = as_text(fill(environment["url"], scope))

    def _steps(self, steps: list[dict[str, Any]], place: _Place) -> None:
        for number, definition in enumerate(steps):
            self._step(definition, place, f"step {number + 1}")

    def _step(self, definition: dict[str, Any], place: _Place, alias: str) -> None:
        self.log.begin_step()
        scope = self._contexts(place, {})
        env = _texts(fill_all(definition.get("env") or {}, scope))
        scope = self._contexts(place, env)
        name = str(definition.get("name") or definition.get("id") or definition.get("uses") or alias)
        name = as_text(fill(name, scope))
        condition = definition.get("if", "success()")
        already = self.cancelling.asked
        if not holds(condition, scope):
            self._record(definition, place, StepRun(name, "skipped", "skipped"))
            return
        survives = already or holds(condition, self._contexts(place, env, cancelled=True))
        cancelling = Cancelling() if survives else self.cancelling
        self.log.write(f"Run {name}")
        if "run" in definition:
            done = self._script(definition, place, scope, env, name=name, cancelling=cancelling)
        else:
            done = self._action(definition, place, scope, env, name)
        done.opened = self.log.opened
        if done.outcome == "failure" and as_text(fill_all(definition.get("continue-on-error", False), scope)) == "true":
            done.conclusion = "success"
        place.failed |= done.conclusion == "failure"
        self._record(definition, place, done)

    def _record(self, definition: Mapping[str, Any], place: _Place, done: StepRun) -> None:
        self.steps.append(done)
        if "id" in definition:
            place.ids[definition["id"]] = {
                "outputs": done.outputs,
                "outcome": done.outcome,
                "conclusion": done.conclusion,
            }

    def _contexts(self, place: _Place, env: Mapping[str, str], *, cancelled: bool | None = None) -> Scope:
        asked = self.cancelling.asked if cancelled is None else cancelled
        status = "cancelled" if asked else "failure" if place.failed else "success"
        github = {**place.scope.contexts["github"], "token": self.token, "workspace": str(self.workspace)}
        github |= {"job": self.definition_name, "action_path": str(place.action) if place.action else None}
        contexts = {
            **place.scope.contexts,
            "github": github,
            "env": {**self.environment, **place.env, **env},
            "steps": place.ids,
            "job": {"status": status},
            "runner": {"os": "Linux", "arch": "X64", "temp": str(self.temporary), "environment": "github-hosted"},
            "secrets": {**self.hub.secrets_of(self), "GITHUB_TOKEN": self.token},
        }
        if place.action:
            del contexts["secrets"]
        functions = {
            **status_functions(["failure"] if place.failed else [], cancelled=asked),
            "hashFiles": self._hash_files,
        }
        return Scope(contexts, functions)

    @property
    def definition_name(self) -> str:
        return self.name.split("/")[-1].split(" ")[0]

    def _hash_files(self, *patterns: Any) -> str:
        files = globbed(self.workspace, map(as_text, patterns))
        digests = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
        return hashlib.sha256(digests).hexdigest() if files else ""

    def _script(
        self,
        definition: Mapping[str, Any],
        place: _Place,
        scope: Scope,
        env: Mapping[str, str],
        *,
        name: str,
        cancelling: Cancelling,
    ) -> StepRun:
        number = f"{len(self.steps)}-{len(list(self.temporary.iterdir()))}"
        script = self.temporary / f"{number}.sh"
        script.write_text(as_text(fill(definition["run"], scope)) + "\n")
        named = definition.get("shell", place.shell)
        if place.action and "shell" not in definition:
            raise BadWorkflow(f"{name}: a `run` of a composite action has to name its shell")
        pattern = SHELLS.get(named, named)
        if "{0}" not in str(pattern):
            raise BadWorkflow(f"{name}: the shell {named!r} is not known")
        files = {key: self.temporary / f"{number}-{key.lower()}" for key in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        ended = run(
            [word.replace("{0}", str(script)) for word in shlex.split(str(pattern))],
            cwd=self.workspace / as_text(fill(definition.get("working-directory", ""), scope)),
            environment={
                **self._variables(scope, place),
                **self.environment,
                **place.env,
                **env,
                **{f"GITHUB_{key}": str(file) for key, file in files.items()},
                "PATH": ":".join([*reversed(self.paths), self.hub.machine["PATH"]]),
            },
            line=self.log.hear,
            cancelling=cancelling,
            seconds=self._seconds(definition, scope),
        )
        done = StepRun(name, "success", "success", code=ended.code, signals=tuple(ended.signals))
        done.outputs = dict(self.log.outputs)
        if ended.timed_out or ended.code or self.log.failed:
            done.outcome = "failure"
            self.log.write(f"Error: Process completed with exit code {ended.code}.")
        if ended.signals and not ended.timed_out:
            done.outcome = "cancelled"
        self._read_files(files, done)
        done.conclusion = done.outcome
        return done

    def _seconds(self, definition: Mapping[str, Any], scope: Scope) -> float:
        minutes = fill(str(definition.get("timeout-minutes", 360)), scope)
        return float(minutes) * self.hub.minute

    def _read_files(self, files: Mapping[str, Path], done: StepRun) -> None:
        try:
            texts = {key: file.read_text(encoding="utf-8", errors="replace") for key, file in files.items()}
            done.outputs.update(pairs(texts["OUTPUT"]))
            news = dict(pairs(texts["ENV"]))
        except BadFile as problem:
            self.log.write(f"Error: {problem}")
            done.outcome = "failure"
            return
        news.pop("NODE_OPTIONS", None)
        self.environment.update(news)
        for line in texts["PATH"].splitlines():
            if line:
                self.paths = [one for one in self.paths if one != line] + [line]
        if len(texts["STEP_SUMMARY"].encode()) > SUMMARY_BYTES:
            self.log.write("Error: $GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k")
        else:
            self.summary += self.log.masked(texts["STEP_SUMMARY"])

    def _variables(self, scope: Scope, place: _Place) -> dict[str, str]:
        github = scope.contexts["github"]
        told = (
            "actor api_url base_ref event_name event_path graphql_url head_ref job ref ref_name ref_type repository "
            "repository_owner run_attempt run_id run_number server_url sha triggering_actor workflow workflow_ref "
            "workspace"
        )
        made = {f"GITHUB_{name.upper()}": as_text(github.get(name)) for name in told.split()}
        made |= {"GITHUB_ACTIONS": "true", "CI": "true", "RUNNER_OS": "Linux", "RUNNER_TEMP": str(self.temporary)}
        if place.action:
            made["GITHUB_ACTION_PATH"] = str(place.action)
        if self.permissions.get("id-token") == "write":
            made |= self.hub.identity(self)
        return {**self.hub.machine, **made}

    def _action(
        self, definition: dict[str, Any], place: _Place, scope: Scope, env: Mapping[str, str], name: str
    ) -> StepRun:
        inputs = _texts(fill_all(definition.get("with") or {}, scope))
        done = StepRun(name, "success", "success")
        folder = self.hub.folder_of(definition["uses"], self.workspace, place.own)
        instead = [act for end, act in self.hub.instead.items() if str(folder).endswith(end)]
        if instead:
            instead[0](self)
        elif folder is not None:
            done.outputs, failed = self._composite(folder, inputs, scope, {**place.env, **env}, own=place.own)
            done.outcome = "failure" if failed else "success"
        else:
            try:
                done.outputs = actions.call(self, definition["uses"], inputs)
            except (RuntimeError, OSError) as problem:
                self.log.write(f"Error: {problem}")
                done.outcome = "failure"
        done.conclusion = done.outcome
        return done

    def _composite(
        self, folder: Path, given: Mapping[str, str], scope: Scope, env: Mapping[str, str], *, own: Path
    ) -> tuple[dict[str, str], bool]:
        file = next(
            (one for one in (folder / "action.yml", folder / "action.yaml") if one.exists()), folder / "action.yml"
        )
        found = known(read(file), str(file), {"name", "description", "author", "branding", "inputs", "outputs", "runs"})
        runs = known(found["runs"], f"{file}: runs", {"using", "steps"}, {"using", "steps"})
        if runs["using"] != "composite":
            raise BadWorkflow(f"{file}: only composite actions are known")
        takes = found.get("inputs") or {}
        if strange := set(given) - set(takes):
            raise BadWorkflow(f"{file} has no input {', '.join(strange)}")
        contexts = {
            key: value for key, value in scope.contexts.items() if key in ("github", "strategy", "matrix", "vars")
        }
        inputs = {name: given.get(name, as_text(fill(one.get("default", ""), scope))) for name, one in takes.items()}
        inner = _Place(Scope({**contexts, "inputs": inputs}, scope.functions), own, action=folder, env=dict(env))
        for number, one in enumerate(runs["steps"]):
            self._step(step(one, f"{file}, step {number + 1}"), inner, f"step {number + 1}")
        outputs = found.get("outputs") or {}
        last = self._contexts(inner, {})
        return {name: as_text(fill(one["value"], last)) for name, one in outputs.items()}, inner.failed


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): as_text(value) for name, value in values.items()}


__all__ = ["BadExpression", "JobRun", "StepRun"]
