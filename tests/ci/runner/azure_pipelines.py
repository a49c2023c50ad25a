"""Azure DevOps, as far as its Pipelines go: a repository's events, builds, stages, environments and their checks."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ci.runner.actions import git
from tests.ci.runner.azure_expressions import Scope, evaluate, status_functions, truth
from tests.ci.runner.azure_job import GOOD, AzureJob
from tests.ci.runner.azure_template import compile_pipeline
from tests.ci.runner.github import Cache
from tests.ci.runner.process import Cancelling
from tests.ci.runner.workflow import Event
from tests.ci.runner.yaml_file import BadWorkflow, known, listed

_STAGE = {"stage", "displayName", "dependsOn", "condition", "pool", "jobs", "variables", "lockBehavior"}
_JOB = {"displayName", "dependsOn", "condition", "timeoutInMinutes", "variables", "pool"}


@dataclass(frozen=True)
class Check:
    """What an environment asks before a stage that uses it begins."""

    approve: Callable[[Build, str], bool] | None = None
    exclusive: bool = False


@dataclass
class Result:
    """What `dependencies` tells of a job or a stage. A stage's outputs are by `job.step.variable`."""

    result: str
    outputs: dict[str, str] = field(default_factory=dict)


class Build:
    """One run of the pipeline. `result` is None until it has ended."""

    def __init__(self, hub: AzureDevOps, number: int, pipeline: Mapping[str, Any], event: Event, reason: str) -> None:
        self.hub, self.number, self.pipeline, self.event, self.reason = hub, number, pipeline, event, reason
        self.folder = hub.home / f"build-{number}"
        self.artifacts = self.folder / "artifacts"
        self.artifacts.mkdir(parents=True)
        self.attempt = 1
        self.cancelling = Cancelling()
        self.result: str | None = None
        self.stages: dict[str, Result] = {}
        self.results: dict[str, dict[str, Result]] = {}
        self.jobs: dict[str, AzureJob] = {}
        self.tests: list[tuple[str, list[str]]] = []
        self.problem: BaseException | None = None
        self._kept: dict[str, tuple[Result, dict[str, Result]]] = {}
        self._done = threading.Event()

    def cancel(self) -> None:
        self.cancelling.cancel()

    def wait(self, seconds: float = 900.0) -> Build:
        """Until it has ended. What the service would refuse is raised here."""
        if not self._done.wait(seconds):
            self.cancel()
            raise TimeoutError(f"build {self.number} did not end in {seconds:.0f} s:\n{self.text()}")
        if self.problem is not None:
            raise self.problem
        return self

    def text(self) -> str:
        """All logs, for people."""
        parts = [f"== {name}: {job.result}\n" + "\n".join(job.log.lines) for name, job in self.jobs.items()]
        told = " ".join(f"{name}={one.result}" for name, one in self.stages.items())
        return "\n".join([f"build {self.number} {self.reason}: {self.result} ({told})", *parts])

    def prepare_again(self) -> None:
        """Rerun failed stages: those that succeeded or were left out keep their results."""
        self.attempt += 1
        kept = [name for name, one in self.stages.items() if one.result in GOOD]
        self._kept = {name: (self.stages[name], self.results[name]) for name in kept}
        self.jobs = {path: job for path, job in self.jobs.items() if path.split(".")[0] in kept}
        self.cancelling, self.result, self._done = Cancelling(), None, threading.Event()

    def go(self) -> None:
        try:
            self._go()
        except BaseException as problem:  # noqa: BLE001  raised where it is waited for
            self.result, self.problem = "Failed", problem
        finally:
            self._done.set()

    def _go(self) -> None:
        stages = [known(one, "stage", _STAGE, {"stage", "jobs"}) for one in self.pipeline["stages"]]
        names = [one["stage"] for one in stages]
        if len(set(names)) != len(names):
            raise BadWorkflow(f"a stage stands twice: {names}")
        needs = {
            one["stage"]: listed(one.get("dependsOn", names[place - 1 : place])) for place, one in enumerate(stages)
        }
        futures: dict[str, Future[Result]] = {name: Future() for name in names}
        _all_at_once(stages, lambda stage: self._stage_turn(stage, needs, futures))
        self.stages = {name: future.result() for name, future in futures.items()}
        self.result = "Canceled" if self.cancelling.asked else _together([one.result for one in self.stages.values()])

    def _stage_turn(
        self, stage: Mapping[str, Any], needs: Mapping[str, list[str]], futures: Mapping[str, Future[Result]]
    ) -> None:
        name = stage["stage"]
        try:
            before = {other: futures[other].result() for other in _ancestors(name, needs)}
            direct = {other: before[other] for other in needs[name]}
            if name in self._kept:
                result, self.results[name] = self._kept[name]
            else:
                result = self._stage(stage, direct, before)
            futures[name].set_result(result)
        except BaseException as problem:  # noqa: BLE001  handed on to whoever depends on it
            futures[name].set_exception(problem)

    def _stage(self, stage: Mapping[str, Any], direct: Mapping[str, Result], before: Mapping[str, Result]) -> Result:
        name = stage["stage"]
        self.results.setdefault(name, {})
        scope = Scope(
            {"dependencies": _told(direct), "variables": self.hub.predefined(self)},
            status_functions([one.result for one in before.values()], canceled=self.cancelling.asked),
        )
        if not truth(evaluate(str(stage.get("condition", "succeeded()")), scope)):
            return Result("Canceled" if self.cancelling.asked else "Skipped")
        environments = [str(one["environment"]) for one in stage["jobs"] if "deployment" in one]
        for environment in environments:
            ask = self.hub.environments.get(environment, Check()).approve
            if ask is not None and (not ask(self, environment) or self.cancelling.asked):
                return Result("Canceled" if self.cancelling.asked else "Failed")
        exclusive = [one for one in environments if self.hub.environments.get(one, Check()).exclusive]
        behaviour = stage.get("lockBehavior") or self.pipeline.get("lockBehavior", "runLatest")
        with self.hub.locks(exclusive, self, sequential=behaviour == "sequential") as mine:
            return self._jobs(stage, before) if mine else Result("Canceled")

    def _jobs(self, stage: Mapping[str, Any], before: Mapping[str, Result]) -> Result:
        jobs = {str(one.get("job") or one.get("deployment")): one for one in stage["jobs"]}
        needs = {name: listed(one.get("dependsOn")) for name, one in jobs.items()}
        futures: dict[str, Future[Result]] = {name: Future() for name in jobs}
        earlier = {other: self.results[other] for other in before}

        def turn(name: str) -> None:
            try:
                direct = {other: futures[other].result() for other in needs[name]}
                above = {other: futures[other].result() for other in _ancestors(name, needs)}
                futures[name].set_result(self._job(stage, name, jobs[name], direct, above=above, earlier=earlier))
            except BaseException as problem:  # noqa: BLE001  handed on
                futures[name].set_exception(problem)

        _all_at_once(list(jobs), turn)
        self.results[stage["stage"]] = {name: future.result() for name, future in futures.items()}
        results = self.results[stage["stage"]]
        outputs = {f"{job}.{key}": value for job, one in results.items() for key, value in one.outputs.items()}
        return Result(_together([one.result for one in results.values()]), outputs)

    def _job(
        self,
        stage: Mapping[str, Any],
        name: str,
        job: Mapping[str, Any],
        direct: Mapping[str, Result],
        *,
        above: Mapping[str, Result],
        earlier: Mapping[str, Mapping[str, Result]],
    ) -> Result:
        path = f"{stage['stage']}.{name}"
        steps = _steps(job, path)
        contexts = {
            "dependencies": _told(direct),
            "stageDependencies": {other: _told(results) for other, results in earlier.items()},
            "variables": self.hub.predefined(self),
        }
        results = [one.result for one in above.values()]
        condition = str(job.get("condition", "succeeded()"))
        scope = Scope(contexts, status_functions(results, canceled=self.cancelling.asked))
        if not truth(evaluate(condition, scope)):
            return Result("Canceled" if self.cancelling.asked else "Skipped")
        survives = truth(evaluate(condition, Scope(contexts, status_functions(results, canceled=True))))
        made = AzureJob(
            self.hub,
            self,
            job,
            steps,
            path=path,
            variables={
                **(self.pipeline.get("variables") or {}),
                **(stage.get("variables") or {}),
                **(job.get("variables") or {}),
            },
            scope=scope,
            cancelling=Cancelling() if survives else self.cancelling,
        )
        self.jobs[path] = made
        made.go()
        if "deployment" in job:
            self.hub.deployments.append((str(job["environment"]), self.event.sha, made.result))
            return Result(made.result, {f"{name}.{key}": value for key, value in made.outputs.items()})
        return Result(made.result, made.outputs)


def _steps(job: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    if "job" in job:
        found: list[dict[str, Any]] = known(job, path, {*_JOB, "job", "steps"}, {"steps"})["steps"]
        return found
    known(job, path, {*_JOB, "deployment", "environment", "strategy"}, {"environment", "strategy"})
    once = known(job["strategy"], f"{path}: strategy", {"runOnce"}, {"runOnce"})["runOnce"]
    deploy = known(once, f"{path}: runOnce", {"deploy"}, {"deploy"})["deploy"]
    return list(known(deploy, f"{path}: deploy", {"steps"}, {"steps"})["steps"])


def _told(results: Mapping[str, Result]) -> dict[str, Any]:
    return {name: {"result": one.result, "outputs": one.outputs} for name, one in results.items()}


def _together(results: list[str]) -> str:
    for worst in ("Failed", "Canceled", "SucceededWithIssues"):
        if worst in results:
            return worst
    return "Skipped" if results and set(results) == {"Skipped"} else "Succeeded"


def _ancestors(name: str, needs: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    look = list(needs[name])
    while look:
        one = look.pop()
        if one not in needs:
            raise BadWorkflow(f"{name} depends on {one}, which there is not")
        if one not in found:
            found.add(one)
            look += needs[one]
    return found


def _all_at_once(things: list[Any], act: Callable[[Any], None]) -> None:
    threads = [threading.Thread(target=act, args=(thing,)) for thing in things]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dataclass
class AzureDevOps:
    """One project with one pipeline, and the agents that its jobs get.

    `published` are repositories by name, each a folder here; `connections` service connections, each with the
    variables that AzureCLI@2 sets for it.
    """

    repository: Path
    home: Path
    machine: Mapping[str, str]
    file: str = "azure-pipelines.yml"
    published: Mapping[str, Path] = field(default_factory=dict)
    environments: Mapping[str, Check] = field(default_factory=dict)
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    predefined_more: Mapping[str, str] = field(default_factory=dict)
    token: str = ""
    """System.AccessToken; a fresh one for each job where it is empty."""
    minute: float = 60.0
    instead: Mapping[str, Callable[[AzureJob], None]] = field(default_factory=dict)
    """What is done instead of a step, by its title."""
    builds: list[Build] = field(default_factory=list)
    deployments: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = Cache(self.home / "cache")
        self.cache.folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._held: dict[str, list[Build]] = {}

    def push(self, branch: str = "main") -> list[Build]:
        sha = git(self.repository, "rev-parse", "--verify", branch)
        event = Event("push", f"refs/heads/{branch}", sha, {})
        return self._begin(event, "IndividualCI", lambda found: _wanted(found.get("trigger", ["*"]), branch))

    def pull_request(self, number: int, head: str) -> list[Build]:
        """The merge commit is made as Azure Repos makes it."""
        base_sha, head_sha = (git(self.repository, "rev-parse", "--verify", one) for one in ("main", head))
        tree = git(self.repository, "merge-tree", "--write-tree", base_sha, head_sha)
        words = ("commit-tree", tree, "-p", base_sha, "-p", head_sha, "-m", f"Merge pull request {number}")
        sha = git(self.repository, *words)
        git(self.repository, "update-ref", f"refs/pull/{number}/merge", sha)
        event = Event("pull_request", f"refs/pull/{number}/merge", sha, {"number": number}, head, "main")
        return self._begin(event, "PullRequest", lambda found: _wanted(found.get("pr", ["*"]), "main"))

    def schedule(self, cron: str) -> list[Build]:
        sha = git(self.repository, "rev-parse", "--verify", "main")
        allowed = {"cron", "displayName", "branches", "always"}
        wanted = lambda found: cron in [known(one, "schedule", allowed)["cron"] for one in found.get("schedules") or []]  # noqa: E731
        return self._begin(Event("schedule", "refs/heads/main", sha, {}), "Schedule", wanted)

    def queue(self, **parameters: Any) -> Build:
        """By hand, or by the REST API."""
        sha = git(self.repository, "rev-parse", "--verify", "main")
        event = Event("manual", "refs/heads/main", sha, {})
        (build,) = self._begin(event, "Manual", lambda _: True, parameters)
        return build

    def rerun_failed(self, build: Build) -> Build:
        build.prepare_again()
        threading.Thread(target=build.go).start()
        return build

    def _begin(
        self,
        event: Event,
        reason: str,
        wants: Callable[[Mapping[str, Any]], bool],
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Build]:
        number = len(self.builds) + 1
        source = self.home / f"source-{number}-{uuid.uuid4().hex[:6]}"
        source.mkdir(parents=True)
        git(source, "init", "--quiet")
        git(source, "fetch", "--quiet", "--depth=1", f"file://{self.repository}", event.sha)
        git(source, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        known_now = {"Build.Reason": reason, "Build.SourceBranch": event.ref}
        pipeline = compile_pipeline(
            source / self.file, source, published=self.published, given=parameters or {}, variables=known_now
        )
        if not wants(pipeline):
            return []
        build = Build(self, number, pipeline, event, reason)
        self.builds.append(build)
        threading.Thread(target=build.go).start()
        return [build]

    def predefined(self, build: Build) -> dict[str, str]:
        """Source: "Use predefined variables" of the documentation."""
        event = build.event
        made = {
            "Build.BuildId": str(9000 + build.number),
            "Build.BuildNumber": f"20261128.{build.number}",
            "Build.Reason": build.reason,
            "Build.Repository.Name": "visits",
            "Build.Repository.Provider": "TfsGit",
            "Build.Repository.ID": "11111111-1111-4111-8111-111111111111",
            "Build.RequestedFor": "Anna",
            "Build.SourceBranch": event.ref,
            "Build.SourceBranchName": event.ref.split("/")[-1],
            "Build.SourceVersion": event.sha,
            "System.CollectionUri": "http://127.0.0.1:9/team/",
            "System.TeamProjectId": "5f1e0d6c-0000-4000-8000-000000000001",
            "System.TeamProject": "visits",
            "System.HostType": "build",
        }
        if event.name == "pull_request":
            made |= {
                "System.PullRequest.PullRequestId": str(event.payload["number"]),
                "System.PullRequest.SourceBranch": f"refs/heads/{event.head_ref}",
                "System.PullRequest.TargetBranch": "refs/heads/main",
            }
        return {**made, **self.predefined_more}

    def token_of(self, job: AzureJob) -> str:
        return self.token or f"ado-{uuid.uuid4().hex}"

    @contextlib.contextmanager
    def locks(self, environments: list[str], build: Build, *, sequential: bool) -> Iterator[bool]:
        """The exclusive lock of each environment, for the stage. `runLatest` gives up those that waited before.

        Source: "Exclusive lock" of "Define approvals and checks".
        """
        for name in environments:
            with self._lock:
                line = self._held.setdefault(name, [])
                if not sequential:
                    for other in line[1:]:
                        other.cancel()
                line.append(build)
        try:
            while not all(self._held[name][0] is build for name in environments):
                if build.cancelling.asked:
                    yield False
                    return
                time.sleep(0.01)
            yield True
        finally:
            with self._lock:
                for name in environments:
                    self._held[name].remove(build)


def _wanted(trigger: Any, branch: str) -> bool:
    if trigger == "none":
        return False
    if isinstance(trigger, Mapping):
        known(trigger, "trigger", {"branches", "batch", "autoCancel"})
        trigger = known(trigger.get("branches") or {}, "branches", {"include"}).get("include") or ["*"]
    return any(one in ("*", branch) for one in trigger)
