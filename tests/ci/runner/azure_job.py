"""One job of Azure Pipelines on an agent: its steps, one after the other, for real."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.ci.runner.actions import git
from tests.ci.runner.azure_expressions import Scope, evaluate, status_functions, truth
from tests.ci.runner.azure_log import Log, Target
from tests.ci.runner.process import Cancelling, run
from tests.ci.runner.yaml_file import BadWorkflow, known

if TYPE_CHECKING:
    from tests.ci.runner.azure_pipelines import AzureDevOps, Build

_STEP = {"name", "displayName", "condition", "env", "target", "continueOnError", "timeoutInMinutes", "enabled"}
_KINDS: Mapping[str, set[str]] = {
    "checkout": {"fetchDepth", "persistCredentials", "clean"},
    "bash": {"workingDirectory", "failOnStderr"},
    "script": {"workingDirectory", "failOnStderr"},
    "task": {"inputs"},
}
_MACRO = re.compile(r"\$\(([^()]+)\)")
GOOD = ("Succeeded", "SucceededWithIssues")
# What an agent starts is a task's program (node), and the script is its child: a signal ends the first alone.
_ENTRY = (
    "import os, signal, sys; signal.signal(2, signal.SIG_DFL); p = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); "
    "sys.exit(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) & 255)"
)


@dataclass
class AzureStep:
    """A step that had its turn."""

    name: str
    result: str
    code: int = 0
    signals: tuple[str, ...] = ()
    opened: int = 0


@dataclass
class _Variable:
    name: str
    value: str
    secret: bool = False
    fixed: bool = False


class AzureJob:
    """A job that runs, or ran. `outputs` are by `step.variable`."""

    def __init__(
        self,
        hub: AzureDevOps,
        build: Build,
        definition: Mapping[str, Any],
        steps: list[dict[str, Any]],
        *,
        path: str,
        variables: Mapping[str, Any],
        scope: Scope,
        cancelling: Cancelling,
    ) -> None:
        self.hub, self.build, self.definition, self.path = hub, build, definition, path
        self.steps_to_do = steps
        self.cancelling = Cancelling(cancelling)
        folder = hashlib.sha256(f"{path} {build.attempt}".encode()).hexdigest()[:12]
        self.workspace = build.folder / "jobs" / folder
        self.sources = self.workspace / "s"
        self.temporary = self.workspace / "temp"
        self.log = Log(self._set)
        self.steps: list[AzureStep] = []
        self.result = "Succeeded"
        self.outputs: dict[str, str] = {}
        self.variables: dict[str, _Variable] = {}
        self.scope = scope
        self.step_name = ""
        self.after_success: list[Callable[[], object]] = []
        for name, value in {**hub.predefined(build), **self._own()}.items():
            self.variables[name.lower()] = _Variable(name, value, fixed=True)
        token = hub.token_of(self)
        self.variables["system.accesstoken"] = _Variable("System.AccessToken", token, secret=True, fixed=True)
        self.log.masks |= {token, *hub.secrets.values()}
        for name, value in hub.secrets.items():
            self.variables[name.lower()] = _Variable(name, value, secret=True)
        for name, value in variables.items():
            self.variables[name.lower()] = _Variable(name, self._evaluated(str(value)))

    def _own(self) -> dict[str, str]:
        return {
            "Agent.TempDirectory": str(self.temporary),
            "Agent.OS": "Linux",
            "Agent.OSArchitecture": "X64",
            "Build.SourcesDirectory": str(self.sources),
            "Pipeline.Workspace": str(self.workspace),
            "System.DefaultWorkingDirectory": str(self.sources),
            "System.JobAttempt": str(self.build.attempt),
            "System.JobName": self.path.split(".")[-1],
            "System.StageName": self.path.split(".")[0],
            "TF_BUILD": "True",
        }

    def _evaluated(self, text: str) -> str:
        """`$[ ]` at the start of a job. Its value is text, and nothing in it is read again."""
        found = re.fullmatch(r"\$\[(.*)\]", text.strip(), re.DOTALL)
        if not found:
            return text
        value = evaluate(found[1], self.scope)
        return "" if value is None else str(value)

    def _set(self, name: str, value: str, output: bool, secret: bool) -> bool:
        full = f"{self.step_name}.{name}" if output else name
        old = self.variables.get(full.lower())
        if old is not None and old.fixed and not output:
            return False
        if output and not self.step_name:
            return False
        self.variables[full.lower()] = _Variable(full, value, secret=secret, fixed=output)
        if output:
            self.outputs[full] = value
        return True

    def set_secretly(self, name: str, value: str) -> None:
        """A variable that later steps have in their environment, never shown: what a task sets for pip."""
        self.log.masks.add(value)
        self.variables[name.lower()] = _Variable(name, value)

    def go(self) -> None:
        """All steps."""
        self.sources.mkdir(parents=True)
        self.temporary.mkdir()
        kinds = [kind for one in self.steps_to_do for kind in _KINDS if kind in one]
        if "checkout" not in kinds and "job" in self.definition:
            self._checkout({"checkout": "self"})
        for place, one in enumerate(self.steps_to_do):
            self._step(one, f"{self.path}, step {place + 1}")
        if self.cancelling.asked:
            self.result = "Canceled"
        elif self.result in GOOD:
            for act in self.after_success:
                act()

    def _contexts(self, *, canceled: bool | None = None) -> Scope:
        asked = self.cancelling.asked if canceled is None else canceled
        values = {one.name: one.value for one in self.variables.values() if not one.secret}
        return Scope({"variables": values}, status_functions([self.result], canceled=asked))

    def macros(self, text: str) -> str:
        """`$(name)` by the variable's value, once; what there is not stays as it is."""

        def value(found: re.Match[str]) -> str:
            one = self.variables.get(found[1].lower())
            return found[0] if one is None else one.value

        return _MACRO.sub(value, text)

    def _step(self, step: dict[str, Any], where: str) -> None:
        kind = self._kind(step, where)
        target = _target(step.get("target"), where)
        self.step_name = step.get("name", "")
        self.log.begin_step(target)
        title = self.macros(str(step.get("displayName") or step.get("name") or step[kind]))
        condition = step.get("condition", "succeeded()")
        already = self.cancelling.asked
        if not truth(evaluate(str(condition), self._contexts())):
            self.steps.append(AzureStep(title, "Skipped"))
            return
        survives = already or truth(evaluate(str(condition), self._contexts(canceled=True)))
        self.log.write(f"##[section]Starting: {title}")
        done = self._act(step, kind, title, Cancelling() if survives else self.cancelling)
        done.opened = self.log.opened
        if self.log.result in ("Failed", "SucceededWithIssues") and done.result == "Succeeded":
            done.result = self.log.result
        if done.result == "Failed" and str(step.get("continueOnError", "false")).lower() == "true":
            done.result = "SucceededWithIssues"
        if done.result == "Failed" or (done.result == "SucceededWithIssues" and self.result == "Succeeded"):
            self.result = done.result
        self.steps.append(done)

    def _kind(self, step: dict[str, Any], where: str) -> str:
        kinds = [kind for kind in _KINDS if kind in step]
        if len(kinds) != 1:
            raise BadWorkflow(f"{where} is no step that is known: {sorted(step)}")
        known(step, where, {*_STEP, kinds[0], *_KINDS[kinds[0]]})
        return kinds[0]

    def _act(self, step: dict[str, Any], kind: str, title: str, cancelling: Cancelling) -> AzureStep:
        if title in self.hub.instead:
            self.hub.instead[title](self)
            return AzureStep(title, "Succeeded")
        try:
            match kind:
                case "checkout":
                    self._checkout(step)
                    return AzureStep(title, "Succeeded")
                case "task":
                    return self._task(step, title, cancelling)
                case _:
                    return self.script(str(step[kind]), step, title, cancelling)
        except (RuntimeError, OSError) as problem:
            self.log.write(f"##[error]{problem}")
            return AzureStep(title, "Failed")

    def _checkout(self, step: Mapping[str, Any]) -> None:
        if step["checkout"] == "none":
            return
        if step["checkout"] != "self":
            raise BadWorkflow(f"checkout: {step['checkout']}")
        event = self.build.event
        git(self.sources, "init", "--quiet", "--initial-branch=none")
        depth = [f"--depth={step['fetchDepth']}"] if "fetchDepth" in step else []
        git(self.sources, "fetch", "--quiet", "--no-tags", *depth, f"file://{self.hub.repository}", event.sha)
        git(self.sources, "checkout", "--quiet", "--detach", event.sha)
        if str(step.get("persistCredentials", "false")).lower() == "true":
            git(self.sources, "config", "http.extraheader", "AUTHORIZATION: bearer kept")

    def script(
        self,
        text: str,
        step: Mapping[str, Any],
        title: str,
        cancelling: Cancelling,
        more: Mapping[str, str] | None = None,
    ) -> AzureStep:
        """A shell script. No `set -e`: its last command tells how it ended."""
        number = len(list(self.temporary.iterdir()))
        script = self.temporary / f"{number}.sh"
        script.write_text(self.macros(text) + "\n")
        env = {str(name): self.macros(str(value)) for name, value in (step.get("env") or {}).items()}
        shown = {_env_name(one.name): one.value for one in self.variables.values() if not one.secret}
        path = ":".join([*reversed(self.log.paths), self.hub.machine["PATH"]])
        ended = run(
            [sys.executable, "-S", "-E", "-c", _ENTRY, "bash", "--noprofile", "--norc", str(script)],
            cwd=self.sources / self.macros(str(step.get("workingDirectory", ""))),
            environment={**self.hub.machine, **shown, **(more or {}), **env, "PATH": path},
            line=self.log.hear,
            cancelling=cancelling,
            seconds=float(step.get("timeoutInMinutes", 360)) * self.hub.minute,
            orphans_end=True,
        )
        done = AzureStep(title, "Succeeded", ended.code, tuple(ended.signals))
        if ended.signals and not ended.timed_out:
            done.result = "Canceled"
        elif ended.code or ended.timed_out:
            done.result = "Failed"
            self.log.write(f"##[error]Bash exited with code '{ended.code}'.")
        return done

    def _task(self, step: dict[str, Any], title: str, cancelling: Cancelling) -> AzureStep:
        from tests.ci.runner.azure_tasks import TASKS

        name = str(step["task"])
        if name not in TASKS:
            raise BadWorkflow(f"there is no stand-in for the task {name}")
        takes, act = TASKS[name]
        inputs = {key: self.macros(str(value)) for key, value in (step.get("inputs") or {}).items()}
        if strange := set(inputs) - takes:
            raise BadWorkflow(f"{name} is given {', '.join(sorted(strange))}, which its stand-in does not know")
        return act(self, inputs, step, title, cancelling)


Task = Callable[[AzureJob, Mapping[str, str], Mapping[str, Any], str, Cancelling], AzureStep]


def _target(value: Any, where: str) -> Target:
    found = known(value or {}, f"{where}: target", {"commands", "settableVariables"})
    if found.get("commands", "any") not in ("any", "restricted"):
        raise BadWorkflow(f"{where}: target.commands: {found['commands']}")
    settable = found.get("settableVariables")
    allowed = () if settable == "none" else None if settable is None else tuple(settable)
    return Target(found.get("commands") == "restricted", allowed)


def _env_name(name: str) -> str:
    return re.sub(r"[ .]", "_", name).upper()
