"""A workflow file of GitHub Actions: read, and refused where it holds what this runner does not know.

Source: "Workflow syntax for GitHub Actions" and "Metadata syntax" of GitHub's documentation.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ci.runner.yaml_file import BadWorkflow, known, listed, read

_JOB = {
    "name",
    "needs",
    "if",
    "permissions",
    "runs-on",
    "environment",
    "concurrency",
    "outputs",
    "env",
    "defaults",
    "steps",
    "timeout-minutes",
    "strategy",
    "continue-on-error",
    "uses",
    "with",
    "secrets",
}
_CALL = {"name", "needs", "if", "permissions", "concurrency", "strategy", "uses", "with", "secrets"}
_STEP = {
    "id",
    "if",
    "name",
    "uses",
    "run",
    "with",
    "env",
    "continue-on-error",
    "timeout-minutes",
    "working-directory",
    "shell",
}
_FILTERS: Mapping[str, set[str]] = {
    "push": {"branches", "branches-ignore", "tags", "paths", "paths-ignore"},
    "pull_request": {"branches", "types", "paths", "paths-ignore"},
    "schedule": {"cron"},
    "workflow_dispatch": {"inputs"},
    "repository_dispatch": {"types"},
    "workflow_call": {"inputs", "outputs", "secrets"},
}
_PULL_TYPES = ("opened", "synchronize", "reopened")
SCOPES = {
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
}
_LEVELS = ("none", "read", "write")


@dataclass(frozen=True)
class Workflow:
    """A file. Its jobs are checked and otherwise as written."""

    file: Path
    name: str
    on: Mapping[str, Any]
    env: Mapping[str, Any]
    shell: str | None
    permissions: Mapping[str, str] | None
    concurrency: Any
    jobs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Event:
    """What happened. `ref` is the full name; `changed` are the files that the event brings."""

    name: str
    ref: str
    sha: str
    payload: Mapping[str, Any]
    head_ref: str = ""
    base_ref: str = ""
    changed: tuple[str, ...] = ()
    fork: bool = False
    actor: str = "anna"


def load(file: Path) -> Workflow:
    """Read a workflow. Raises BadWorkflow."""
    where = file.name
    allowed = {"name", "run-name", "on", "env", "defaults", "permissions", "concurrency", "jobs"}
    found = known(read(file), where, allowed, {"on", "jobs"})
    on = _on(found["on"], where)
    jobs = {name: _job(job, f"{where}: {name}") for name, job in found["jobs"].items()}
    for name, job in jobs.items():
        if missing := set(listed(job.get("needs"))) - set(jobs):
            raise BadWorkflow(f"{where}: {name} needs {', '.join(missing)}, which is no job")
    return Workflow(
        file,
        found.get("name", where),
        on,
        found.get("env") or {},
        shell(found.get("defaults")),
        permissions(found.get("permissions"), where),
        found.get("concurrency"),
        jobs,
    )


def shell(defaults: Any) -> str | None:
    """The shell that `defaults` names."""
    run = known(defaults or {}, "defaults", {"run"}).get("run") or {}
    named: str | None = known(run, "defaults.run", {"shell"}).get("shell")
    return named


def _on(value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, str | list):
        value = dict.fromkeys(listed(value))
    for name, settings in known(value, f"{where}: on", set(_FILTERS)).items():
        for one in listed(settings) if name == "schedule" else [settings or {}]:
            known(one, f"{where}: on.{name}", _FILTERS[name])
    return {name: settings or {} for name, settings in value.items()}


def _job(job: Any, where: str) -> dict[str, Any]:
    found = known(job, where, _CALL if isinstance(job, dict) and "uses" in job else _JOB)
    if "uses" not in found:
        known(found, where, _JOB, {"runs-on", "steps"})
        for place, one in enumerate(found["steps"]):
            step(one, f"{where}, step {place + 1}")
    known(found.get("strategy") or {}, f"{where}: strategy", {"matrix", "max-parallel", "fail-fast"})
    permissions(found.get("permissions"), where)
    return found


def step(value: Any, where: str) -> dict[str, Any]:
    """A step, checked."""
    found = known(value, where, _STEP)
    if ("run" in found) == ("uses" in found):
        raise BadWorkflow(f"{where} has to have one of run and uses")
    return found


def permissions(value: Any, where: str) -> dict[str, str] | None:
    """What a token may do: `{}` is nothing; None where nothing is said."""
    if value is None:
        return None
    if value in ("read-all", "write-all"):
        return dict.fromkeys(SCOPES, value.removesuffix("-all"))
    found = known(value, f"{where}: permissions", SCOPES)
    for scope, level in found.items():
        if level not in _LEVELS:
            raise BadWorkflow(f"{where}: permissions.{scope}: {level}")
    return found


def exceeding(wanted: Mapping[str, str], allowed: Mapping[str, str]) -> list[str]:
    """What a called workflow asks for, and its caller does not have: GitHub starts neither."""
    return [
        f"{scope}: {level}"
        for scope, level in wanted.items()
        if _LEVELS.index(level) > _LEVELS.index(allowed.get(scope, "none"))
    ]


def wants(workflow: Workflow, event: Event) -> bool:
    """Whether the workflow runs for that event."""
    if event.name not in workflow.on:
        return False
    filters = workflow.on[event.name]
    match event.name:
        case "push":
            return _ref_passes(filters, event.ref) and _paths_pass(filters, event.changed)
        case "pull_request":
            types = filters.get("types") or _PULL_TYPES
            base = f"refs/heads/{event.base_ref}"
            return (
                event.payload["action"] in types and _ref_passes(filters, base) and _paths_pass(filters, event.changed)
            )
        case "repository_dispatch":
            return event.payload["action"] in (filters.get("types") or [event.payload["action"]])
        case "schedule":
            return event.payload["schedule"] in [one["cron"] for one in filters]
        case _:
            return True


def _ref_passes(filters: Mapping[str, Any], ref: str) -> bool:
    kind, _, name = ref.removeprefix("refs/").partition("/")
    if kind == "tags":
        return "tags" in filters and _any(filters["tags"], name)
    if "branches-ignore" in filters:
        return not _any(filters["branches-ignore"], name)
    if "branches" in filters:
        return _any(filters["branches"], name)
    return "tags" not in filters


def _paths_pass(filters: Mapping[str, Any], changed: Iterable[str]) -> bool:
    if "paths" in filters:
        return any(_any(filters["paths"], name) for name in changed)
    if "paths-ignore" in filters:
        return any(not _any(filters["paths-ignore"], name) for name in changed)
    return True


def _any(patterns: Any, name: str) -> bool:
    """The last pattern that fits decides; one with `!` takes away."""
    passes = False
    for pattern in listed(patterns):
        if _fits(pattern.removeprefix("!"), name):
            passes = not pattern.startswith("!")
    return passes


def _fits(pattern: str, name: str) -> bool:
    # `**` crosses slashes, `*` does not; nothing else of the filter syntax is in our files.
    if re.search(r"[?+\[\]]", pattern):
        raise BadWorkflow(f"the filter pattern {pattern!r} is not known")
    parts = [re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("**")]
    return re.fullmatch(".*".join(parts), name) is not None


def matrix(strategy: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The combinations of a filled-in matrix; one empty one where there is none."""
    found = strategy.get("matrix")
    if not found:
        return [{}]
    made: list[dict[str, Any]] = [{}]
    for key, values in found.items():
        if key in ("include", "exclude"):
            continue
        made = [{**one, key: value} for one in made for value in values]
    axes = set(found) - {"include", "exclude"}
    made = [one for one in made if not any(other.items() <= one.items() for other in found.get("exclude", []))]
    alone: list[dict[str, Any]] = []
    for extra in found.get("include", []):
        fits = [one for one in made if axes and all(one.get(key) == extra[key] for key in axes & set(extra))]
        for one in fits:
            one.update(extra)
        if not fits:
            alone.append(dict(extra))
    return [one for one in made if one] + alone


def globbed(root: Path, patterns: Iterable[str]) -> list[Path]:
    """The files below `root` that `hashFiles` or an artifact's path means, in order."""
    files = [file for file in sorted(root.rglob("*")) if file.is_file() and ".git" not in file.relative_to(root).parts]
    names = {file: str(file.relative_to(root)) for file in files}
    wanted = [pattern.strip().removeprefix("./") for pattern in patterns if pattern.strip()]
    return [
        file
        for file, name in names.items()
        if any(fnmatch.fnmatch(name, one) or fnmatch.fnmatch(name, one.replace("**/", "")) for one in wanted)
    ]
