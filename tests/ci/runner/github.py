"""GitHub, as far as its Actions go: events, runs, concurrency, environments, secrets, cache and tokens."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ci.runner.actions import git
from tests.ci.runner.expressions import Scope, as_text, fill
from tests.ci.runner.github_run import Run
from tests.ci.runner.job import JobRun
from tests.ci.runner.process import Cancelling
from tests.ci.runner.workflow import Event, Workflow, load, wants
from tests.ci.runner.yaml_file import BadWorkflow, known

Approval = Callable[[JobRun], bool]


@dataclass(frozen=True)
class Deployment:
    """What GitHub lists for an environment."""

    environment: str
    sha: str
    job: str
    state: str
    url: str = ""


@dataclass
class _Group:
    running: Cancelling | None = None
    pending: Cancelling | None = None


class Cache:
    """Entries by key, each written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def name(self, key: str) -> str:
        return hashlib.sha256(key.encode()).hexdigest()

    def find(self, key: str, prefixes: list[str]) -> Path | None:
        index = self.folder / "keys.json"
        keys: list[str] = json.loads(index.read_text()) if index.exists() else []
        exact = [one for one in keys if one == key]
        near = [one for prefix in prefixes for one in reversed(keys) if one.startswith(prefix.strip())]
        found = [*exact, *near]
        return self.folder / self.name(found[0]) if found else None

    def keep(self, key: str, roots: Mapping[str, Path], paths: list[str]) -> None:
        """Each path under the root that it is within; what is no whole path is within the root `work`."""
        if self.find(key, []):
            return
        for path in filter(None, map(str.strip, paths)):
            source = roots["work"] / path
            name = next(name for name, root in roots.items() if source.is_relative_to(root))
            if source.exists():
                inner = source.relative_to(roots[name])
                shutil.copytree(source, self.folder / self.name(key) / name / inner, symlinks=True)
        index = self.folder / "keys.json"
        keys = json.loads(index.read_text()) if index.exists() else []
        if (self.folder / self.name(key)).exists():
            index.write_text(json.dumps([*keys, key]))


@dataclass
class GitHub:
    """One repository on GitHub, and the machines that its jobs get.

    `repository` is where it is; `published` are other repositories by `owner/name`, each a folder here; `machine` is
    the environment of a fresh job; `environments` are those with protection, each with who is asked.
    """

    repository: Path
    home: Path
    machine: Mapping[str, str]
    name: str = "team/visits"
    published: Mapping[str, Path] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    environments: Mapping[str, Approval] = field(default_factory=dict)
    environment_secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    default_permissions: Mapping[str, str] = field(default_factory=lambda: {"contents": "read", "packages": "read"})
    identity_of: Callable[[JobRun], Mapping[str, str]] = lambda _: {}
    api_url: str = "http://127.0.0.1:9"
    on_token: Callable[[str, JobRun], None] = lambda _token, _job: None
    minute: float = 60.0
    instead: Mapping[str, Callable[[JobRun], None]] = field(default_factory=dict)
    """What is done instead of a composite action, by the end of its folder's name."""
    runs: list[Run] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cache = Cache(self.home / "cache")
        self.cache.folder.mkdir(parents=True, exist_ok=True)
        self._groups: dict[str, _Group] = {}
        self._lock = threading.RLock()
        self._events = 0

    # Events: each starts every workflow of the commit that wants it.

    def push(self, branch: str = "main", *, actor: str = "anna") -> list[Run]:
        sha = self.commit(branch)
        changed = git(self.repository, "show", "--format=", "--name-only", sha).splitlines()
        message = git(self.repository, "log", "-1", "--format=%B", sha)
        payload = {"ref": f"refs/heads/{branch}", "after": sha, "head_commit": {"id": sha, "message": message}}
        return self._start(Event("push", f"refs/heads/{branch}", sha, payload, changed=tuple(changed), actor=actor))

    def pull_request(
        self, number: int, head: str, *, action: str = "opened", fork: bool = False, title: str = "A change"
    ) -> list[Run]:
        """The merge commit is made as GitHub makes it; the workflows are those of the merge commit."""
        base_sha, head_sha = self.commit("main"), self.commit(head)
        tree = git(self.repository, "merge-tree", "--write-tree", base_sha, head_sha)
        message = f"Merge {head_sha} into {base_sha}"
        sha = git(self.repository, "commit-tree", tree, "-p", base_sha, "-p", head_sha, "-m", message)
        git(self.repository, "update-ref", f"refs/pull/{number}/merge", sha)
        changed = git(self.repository, "diff", "--name-only", base_sha, sha).splitlines()
        owner = "stranger/visits" if fork else self.name
        payload = {
            "action": action,
            "number": number,
            "pull_request": {
                "number": number,
                "title": title,
                "body": title,
                "head": {"ref": head, "sha": head_sha, "repo": {"full_name": owner, "fork": fork}},
                "base": {"ref": "main", "sha": base_sha, "repo": {"full_name": self.name}},
                "user": {"login": "anna"},
            },
        }
        event = Event("pull_request", f"refs/pull/{number}/merge", sha, payload, head, "main", tuple(changed), fork)
        return self._start(event)

    def dispatch(self, file: str, **inputs: str) -> Run:
        """By hand."""
        event = Event("workflow_dispatch", "refs/heads/main", self.commit("main"), {"inputs": inputs})
        (run,) = list(self._start(event, only=file))
        return run

    def repository_dispatch(self, kind: str, **payload: Any) -> list[Run]:
        event = Event(
            "repository_dispatch",
            "refs/heads/main",
            self.commit("main"),
            {"action": kind, "client_payload": payload},
        )
        return self._start(event)

    def schedule(self, cron: str) -> list[Run]:
        return self._start(Event("schedule", "refs/heads/main", self.commit("main"), {"schedule": cron}))

    def rerun_failed(self, run: Run) -> Run:
        """Re-run failed jobs."""
        run.prepare_again()
        threading.Thread(target=run.go).start()
        return run

    def _start(self, event: Event, only: str | None = None) -> list[Run]:
        self._events += 1
        number = self._events
        folder = self.home / f"event-{number}"
        source = folder / "source"
        source.mkdir(parents=True)
        git(source, "init", "--quiet")
        git(source, "fetch", "--quiet", "--depth=1", f"file://{self.repository}", event.sha)
        git(source, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        started = []
        for file in sorted((source / ".github" / "workflows").glob("*.y*ml")):
            workflow = load(file)
            if only in (None, file.name) and wants(workflow, event):
                run = Run(self, len(self.runs) + 1, workflow, event, folder / file.stem)
                self.runs.append(run)
                started.append(run)
                threading.Thread(target=run.go).start()
        return started

    # What a run asks.

    def commit(self, ref: str) -> str:
        return git(self.repository, "rev-parse", "--verify", f"{ref}^{{commit}}")

    def context(self, run: Run) -> dict[str, Any]:
        """The `github` context, without what belongs to a job."""
        event = run.event
        file = run.folder / "event.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(event.payload))
        kind, _, short = event.ref.removeprefix("refs/").partition("/")
        return {
            "actor": event.actor,
            "triggering_actor": event.actor,
            "api_url": self.api_url,
            "graphql_url": f"{self.api_url}/graphql",
            "base_ref": event.base_ref,
            "event": {**event.payload, "repository": {"full_name": self.name, "default_branch": "main"}},
            "event_name": event.name,
            "event_path": str(file),
            "head_ref": event.head_ref,
            "ref": event.ref,
            "ref_name": short,
            "ref_type": "tag" if kind == "tags" else "branch",
            "repository": self.name,
            "repository_owner": self.name.split("/")[0],
            "run_attempt": str(run.attempt),
            "run_id": str(7000 + run.number),
            "run_number": str(run.number),
            "server_url": "https://github.com",
            "sha": event.sha,
            "workflow": run.workflow.name,
            "workflow_ref": f"{self.name}/.github/workflows/{run.workflow.file.name}@{event.ref}",
        }

    def secrets_for(self, event: Event) -> Mapping[str, str]:
        """None for a stranger's pull request."""
        return {} if event.fork else self.secrets

    def secrets_of(self, job: JobRun) -> Mapping[str, str]:
        own = {} if job.run.event.fork else self.environment_secrets.get(job.environment_name, {})
        return {**job.secrets, **own}

    def issue_token(self, job: JobRun) -> str:
        token = f"ghs_{uuid.uuid4().hex}"
        self.on_token(token, job)
        return token

    def identity(self, job: JobRun) -> Mapping[str, str]:
        return self.identity_of(job)

    def allowed(self, job: JobRun, cancelling: Cancelling) -> bool:
        """Whether the environment's protection lets the job begin."""
        ask = self.environments.get(job.environment_name)
        return not cancelling.asked and (ask is None or ask(job)) and not cancelling.asked

    def ended(self, job: JobRun) -> None:
        if job.environment_name:
            made = Deployment(job.environment_name, job.run.event.sha, job.name, job.result, job.url)
            self.deployments.append(made)

    def folder_of(self, uses: str, workspace: Path, own: Path) -> Path | None:
        """The folder of an action; None for another's.

        `./` is the job's checkout, `$/` the repository that the using file is of, at its commit (`own`).
        """
        if uses.startswith("./"):
            return workspace / uses
        if uses.startswith("$/"):
            return own / uses.removeprefix("$/")
        path, _, version = uses.partition("@")
        for name, folder in self.published.items():
            if path == name or path.startswith(f"{name}/"):
                self._pinned(uses, version)
                return folder / path.removeprefix(name).removeprefix("/")
        return None

    def called(self, uses: str, caller: Workflow) -> Workflow:
        """A reusable workflow: of the caller's own repository and commit, or a published one."""
        own = caller.file.parents[2]
        folder = self.folder_of(uses, own, own)
        if folder is None:
            raise BadWorkflow(f"there is no workflow {uses}")
        found = load(folder)
        if "workflow_call" not in found.on:
            raise BadWorkflow(f"{uses} has no `on: workflow_call`")
        return found

    def _pinned(self, uses: str, version: str) -> None:
        if not version:
            raise BadWorkflow(f"{uses} names no version")

    def group(self, concurrency: Any, scope: Scope) -> str:
        if not concurrency:
            return ""
        named = concurrency if isinstance(concurrency, str) else concurrency["group"]
        return as_text(fill(named, scope)).lower()

    @contextlib.contextmanager
    def turn(
        self, concurrency: Any, scope: Scope, cancelling: Cancelling, above: tuple[str, ...] = ()
    ) -> Iterator[bool]:
        """One at a time in a concurrency group, one waiting: a newer one takes the waiting one's place.

        False where the turn never came. Source: "Control the concurrency of workflows and jobs".
        """
        name = self.group(concurrency, scope)
        if not name:
            yield True
            return
        if name in above:
            raise BadWorkflow(f"a deadlock in the concurrency group {name}")
        settings = (
            {} if isinstance(concurrency, str) else known(concurrency, "concurrency", {"group", "cancel-in-progress"})
        )
        stops = as_text(fill(str(settings.get("cancel-in-progress", False)).lower(), scope)) == "true"
        got = self._enter(name, cancelling, stops=stops)
        try:
            yield got
        finally:
            with self._lock:
                group = self._groups[name]
                if group.running is cancelling:
                    group.running = None
                if group.pending is cancelling:
                    group.pending = None

    def _enter(self, name: str, cancelling: Cancelling, *, stops: bool) -> bool:
        with self._lock:
            group = self._groups.setdefault(name, _Group())
            if group.pending is not None:
                group.pending.cancel()
            group.pending = cancelling
            if stops and group.running is not None:
                group.running.cancel()
        while not cancelling.asked:
            with self._lock:
                if group.running is None and group.pending is cancelling:
                    group.running, group.pending = cancelling, None
                    return True
            time.sleep(0.01)
        return False
