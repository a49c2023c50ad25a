"""A run of a workflow: its jobs in the order of `needs`, those of the workflows that it calls, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ci.runner.expressions import BadExpression, Scope, as_text, fill, fill_all, holds, status_functions
from tests.ci.runner.job import JobRun
from tests.ci.runner.process import Cancelling
from tests.ci.runner.workflow import SCOPES, Event, Workflow, exceeding, matrix
from tests.ci.runner.yaml_file import BadWorkflow, known, listed

if TYPE_CHECKING:
    from tests.ci.runner.github import GitHub

Permissions = Mapping[str, str]


@dataclass
class Result:
    """What `needs` tells of a job."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Called:
    """A workflow in its place: the run's own, or one that a job calls."""

    workflow: Workflow
    prefix: str
    scope: Scope
    secrets: Mapping[str, str]
    permissions: Permissions
    groups: tuple[str, ...] = ()
    anew: bool = False
    """Whether all its jobs run again, as one that they come after does."""


class Run:
    """One run; `go` is called in a thread of its own by GitHub. `conclusion` is None until it has ended."""

    def __init__(self, hub: GitHub, number: int, workflow: Workflow, event: Event, folder: Path) -> None:
        self.hub, self.number, self.workflow, self.event, self.folder = hub, number, workflow, event, folder
        self.attempt = 1
        self.artifacts = folder / "artifacts"
        self.artifacts.mkdir(parents=True)
        self.cancelling = Cancelling()
        self.conclusion: str | None = None
        self.jobs: dict[str, JobRun] = {}
        self.results: dict[str, Result] = {}
        self.problem: BaseException | None = None
        self._kept: dict[str, Result] = {}
        self._done = threading.Event()

    def cancel(self) -> None:
        """As a person or a newer run does."""
        self.cancelling.cancel()

    def wait(self, seconds: float = 900.0) -> Run:
        """Until it has ended. What the service would refuse is raised here."""
        if not self._done.wait(seconds):
            self.cancel()
            raise TimeoutError(f"run {self.number} did not end in {seconds:.0f} s:\n{self.text()}")
        if self.problem is not None:
            raise self.problem
        return self

    def text(self) -> str:
        """All logs, for people."""
        parts = [f"== {name}: {job.result}\n" + "\n".join(job.log.lines) for name, job in self.jobs.items()]
        told = " ".join(f"{name}={result.result}" for name, result in self.results.items())
        return "\n".join([f"{self.workflow.name} {self.event.name}: {self.conclusion} ({told})", *parts])

    def prepare_again(self) -> None:
        """Re-run failed jobs, and what comes after them; others keep their results. Commit and event are the same."""
        self.attempt += 1
        self._kept = {name: one for name, one in self.results.items() if one.result == "success"}
        self.jobs = {name: job for name, job in self.jobs.items() if name in self._kept}
        self.cancelling, self.conclusion = Cancelling(), None
        self.results = {}
        self._done = threading.Event()

    def go(self) -> None:
        try:
            self._go()
        except BaseException as problem:  # noqa: BLE001  raised where it is waited for
            self.conclusion, self.problem = "startup_failure", problem
        finally:
            self._done.set()

    def _go(self) -> None:
        scope = Scope({"github": self.hub.context(self), "vars": self.hub.variables, "inputs": self._inputs()})
        granted = self.workflow.permissions or self.hub.default_permissions
        if self.event.fork:
            granted = dict.fromkeys(SCOPES - {"id-token"}, "read")
        whole = _Called(self.workflow, "", scope, self.hub.secrets_for(self.event), granted)
        with self.hub.turn(self.workflow.concurrency, scope, self.cancelling) as mine:
            results = self._walk(whole) if mine else {}
        self.conclusion = _together([one.result for one in results.values()]) if mine else "cancelled"
        if self.cancelling.asked:
            self.conclusion = "cancelled"

    def _inputs(self) -> dict[str, Any]:
        takes = (self.workflow.on.get("workflow_dispatch") or {}).get("inputs") or {}
        if self.event.name != "workflow_dispatch":
            return {}
        return _typed(takes, self.event.payload.get("inputs") or {}, "workflow_dispatch")

    def _walk(self, called: _Called) -> dict[str, Result]:
        futures: dict[str, Future[Result]] = {name: Future() for name in called.workflow.jobs}
        threads = [threading.Thread(target=self._turn, args=(called, name, futures)) for name in futures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {name: future.result() for name, future in futures.items()}

    def _turn(self, called: _Called, name: str, futures: Mapping[str, Future[Result]]) -> None:
        try:
            job = called.workflow.jobs[name]
            needs = {other: futures[other].result() for other in listed(job.get("needs"))}
            before = {other: futures[other].result() for other in _ancestors(called.workflow, name)}
            path = called.prefix + name
            anew = called.anew or not all(called.prefix + other in self._kept for other in before)
            kept = None if anew else self._kept.get(path)
            result = kept or self._job(replace(called, anew=anew), name, needs, before)
            self.results[path] = result
            futures[name].set_result(result)
        except BaseException as problem:  # noqa: BLE001  handed on to whoever needs the job
            futures[name].set_exception(problem)

    def _job(self, called: _Called, name: str, needs: Mapping[str, Result], before: Mapping[str, Result]) -> Result:
        job = called.workflow.jobs[name]
        told = {other: {"result": one.result, "outputs": one.outputs} for other, one in needs.items()}
        results = [one.result for one in before.values()]
        contexts = {**called.scope.contexts, "needs": told}
        scope = Scope(contexts, status_functions(results, cancelled=self.cancelling.asked))
        try:
            if not holds(job.get("if", "success()"), scope):
                return Result("cancelled" if self.cancelling.asked else "skipped")
            # A job whose condition holds in spite of a cancelled run is not cancelled by it.
            survives = holds(job.get("if", "success()"), Scope(contexts, status_functions(results, cancelled=True)))
        except BadExpression as problem:
            raise BadWorkflow(f"{called.workflow.file.name}: {name}: if: {problem}") from problem
        cancelling = Cancelling() if survives else self.cancelling
        strategy = fill_all(job.get("strategy") or {}, scope)
        found = matrix(strategy)
        if len(found) > 1 and strategy.get("max-parallel") != 1:
            raise BadWorkflow(f"{name}: a matrix runs here with `max-parallel: 1` only")
        made: list[Result] = []
        for place, one in enumerate(found):
            if made and made[-1].result == "failure" and strategy.get("fail-fast", True):
                made.append(Result("cancelled"))
                continue
            inner = scope.beside(matrix=one, strategy={"job-index": place, "job-total": len(found), "fail-fast": True})
            path = called.prefix + name + (f" ({', '.join(as_text(value) for value in one.values())})" if one else "")
            made.append(self._one(called, job, inner, path, cancelling))
        outputs = {key: value for one in made for key, value in one.outputs.items() if value}
        return Result(_together([one.result for one in made]), outputs)

    def _one(self, called: _Called, job: Mapping[str, Any], scope: Scope, path: str, cancelling: Cancelling) -> Result:
        granted = self._granted(called, job, path)
        with self.hub.turn(job.get("concurrency"), scope, cancelling, called.groups) as mine:
            if not mine:
                return Result("cancelled")
            if "uses" in job:
                return self._call(called, job, scope, path, granted)
            return self._machine(called, job, scope, path, granted=granted, cancelling=cancelling)

    def _granted(self, called: _Called, job: Mapping[str, Any], path: str) -> Permissions:
        asked: Permissions | None = job.get("permissions", called.workflow.permissions)
        if asked is None:
            return called.permissions
        over = exceeding(asked, called.permissions) if called.prefix or self.event.fork else []
        if over and not self.event.fork:
            raise BadWorkflow(f"{path} requests {', '.join(over)}, which its caller has not")
        return {scope: level for scope, level in asked.items() if f"{scope}: {level}" not in over}

    def _call(self, called: _Called, job: Mapping[str, Any], scope: Scope, path: str, granted: Permissions) -> Result:
        workflow = self.hub.called(job["uses"], called.workflow)
        takes = known(workflow.on["workflow_call"], job["uses"], {"inputs", "outputs", "secrets"})
        inputs = _typed(takes.get("inputs") or {}, fill_all(job.get("with") or {}, scope), job["uses"])
        given = job.get("secrets") or {}
        if given == "inherit":
            secrets = called.secrets
        else:
            secrets = {key: as_text(fill(value, scope.beside(secrets=called.secrets))) for key, value in given.items()}
            if strange := set(secrets) - set(takes.get("secrets") or {}):
                raise BadWorkflow(f"{job['uses']} takes no secret {', '.join(strange)}")
        contexts = {key: scope.contexts[key] for key in ("github", "vars")}
        inner = _Called(
            workflow, f"{path}/", Scope({**contexts, "inputs": inputs}), secrets, granted, called.groups, called.anew
        )
        group = self.hub.group(workflow.concurrency, inner.scope)
        if group and group in called.groups:
            raise BadWorkflow(f"{path}: canceling since a deadlock for the concurrency group {group} was detected")
        with self.hub.turn(workflow.concurrency, inner.scope, self.cancelling) as mine:
            results = self._walk(inner) if mine else {}
        told = {name: {"result": one.result, "outputs": one.outputs} for name, one in results.items()}
        last = inner.scope.beside(jobs=told)
        outputs = {key: as_text(fill(one["value"], last)) for key, one in (takes.get("outputs") or {}).items()}
        return Result(_together([one.result for one in results.values()]) if mine else "cancelled", outputs)

    def _machine(
        self,
        called: _Called,
        job: Mapping[str, Any],
        scope: Scope,
        path: str,
        *,
        granted: Permissions,
        cancelling: Cancelling,
    ) -> Result:
        made = JobRun(
            self.hub,
            self,
            called.workflow,
            job,
            scope.beside(secrets={}),
            name=path,
            permissions=granted,
            cancelling=cancelling,
        )
        made.secrets = called.secrets
        self.jobs[path] = made
        environment = job.get("environment") or ""
        name = as_text(fill(environment["name"] if isinstance(environment, dict) else environment, scope))
        made.environment_name = name
        if name and not self.hub.allowed(made, cancelling):
            made.result = "cancelled" if cancelling.asked else "failure"
            made.log.write(f"Error: the deployment to {name} was rejected or never approved")
        else:
            made.go()
        self.hub.ended(made)
        ok = made.result == "failure" and as_text(fill_all(job.get("continue-on-error", False), scope)) == "true"
        return Result("success" if ok else made.result, made.outputs)


def _ancestors(workflow: Workflow, name: str) -> set[str]:
    found: set[str] = set()
    look = listed(workflow.jobs[name].get("needs"))
    while look:
        one = look.pop()
        if one not in found:
            found.add(one)
            look = [*look, *listed(workflow.jobs[one].get("needs"))]
    return found


def _together(results: list[str]) -> str:
    for worst in ("failure", "cancelled"):
        if worst in results:
            return worst
    return "skipped" if results and set(results) == {"skipped"} else "success"


def _typed(takes: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Inputs as their types, defaults filled in. Raises BadWorkflow."""
    if strange := set(given) - set(takes):
        raise BadWorkflow(f"{where} has no input {', '.join(sorted(strange))}")
    made: dict[str, Any] = {}
    for name, one in takes.items():
        known(one, f"{where}: {name}", {"description", "type", "required", "default", "options", "deprecationMessage"})
        kind = one.get("type", "string")
        value = given.get(name, one.get("default"))
        if name not in given and one.get("required") and "default" not in one:
            raise BadWorkflow(f"{where}: the input {name} is required")
        match kind:
            case "boolean":
                if value not in (None, True, False, "true", "false"):
                    raise BadWorkflow(f"{where}: {name} is a boolean, not {value!r}")
                made[name] = value in (True, "true")
            case "number":
                made[name] = float(value or 0)
            case "choice" if value not in one["options"]:
                raise BadWorkflow(f"{where}: {name} is one of {one['options']}, not {value!r}")
            case _:
                made[name] = as_text(value)
    return made
