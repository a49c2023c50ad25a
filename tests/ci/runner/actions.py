"""Stand-ins for other people's actions: what each does to the job's folder, environment and outputs; no network.

Each knows the inputs that the published action has, as far as our files give them; others are an error.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ci.runner.workflow import globbed
from tests.ci.runner.yaml_file import BadWorkflow

if TYPE_CHECKING:
    from tests.ci.runner.job import JobRun

Inputs = Mapping[str, str]
Outputs = dict[str, str]
VENV = Path(sys.executable).parent


def git(root: Path, *words: str) -> str:
    """A git command there, as the action's user."""
    who = ["-c", "user.name=ci", "-c", "user.email=ci@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=root, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def checkout(job: JobRun, inputs: Inputs) -> Outputs:
    """The event's commit, one deep unless `fetch-depth` says otherwise; the token stays in `.git/config` by default."""
    root = job.workspace / inputs.get("path", "")
    root.mkdir(parents=True, exist_ok=True)
    event = job.run.event
    asked = inputs.get("ref", "")
    ref, commit = (asked, job.hub.commit(asked)) if asked else (event.ref, event.sha)
    depth = int(inputs.get("fetch-depth", "1"))
    git(root, "init", "--quiet", "--initial-branch=none")
    git(root, "remote", "add", "origin", f"file://{job.hub.repository}")
    git(root, "fetch", "--quiet", "--no-tags", *([f"--depth={depth}"] if depth else []), "origin", commit)
    if ref.startswith("refs/heads/"):
        git(root, "checkout", "--quiet", "-B", ref.removeprefix("refs/heads/"), commit)
    else:
        git(root, "checkout", "--quiet", "--detach", commit)
    if inputs.get("persist-credentials", "true") == "true":
        git(root, "config", "http.https://github.com/.extraheader", f"AUTHORIZATION: basic {job.token}")
    return {"ref": ref, "commit": commit}


def setup_python(job: JobRun, inputs: Inputs) -> Outputs:
    """The Python that runs us, first on the path."""
    job.paths.append(str(VENV))
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = inputs.get("python-version", "")
    if wanted and not version.startswith(wanted):
        job.log.write(f"Python {version} stands in for {wanted}")
    job.environment["pythonLocation"] = str(VENV.parent)
    return {"python-version": version, "cache-hit": "false", "python-path": sys.executable}


def cache_restore(job: JobRun, inputs: Inputs) -> Outputs:
    """The newest entry of that key, else of the first prefix that fits; none of another branch but the default one."""
    found = job.hub.cache.find(
        inputs["key"], [one for one in inputs.get("restore-keys", "").split("\n") if one.strip()]
    )
    if found is not None:
        for name, root in _roots(job).items():
            if (found / name).exists():
                shutil.copytree(found / name, root, dirs_exist_ok=True, symlinks=True)
    hit = found is not None and found.name == job.hub.cache.name(inputs["key"])
    return {"cache-hit": str(hit).lower(), "cache-primary-key": inputs["key"]}


def cache_save(job: JobRun, inputs: Inputs) -> Outputs:
    """An entry is written once and never changed."""
    job.hub.cache.keep(inputs["key"], _roots(job), inputs["path"].split("\n"))
    return {}


def _roots(job: JobRun) -> Mapping[str, Path]:
    """What a path of a cache may be within: the runner's temporary folder, and the job's checkout."""
    return {"temp": job.temporary, "work": job.workspace}


def cache(job: JobRun, inputs: Inputs) -> Outputs:
    """Restored now, saved when the job has succeeded."""
    outputs = cache_restore(job, inputs)
    if outputs["cache-hit"] != "true":
        job.after_success.append(lambda: cache_save(job, inputs))
    return outputs


def upload_artifact(job: JobRun, inputs: Inputs) -> Outputs:
    """Kept by the run, whatever attempt. The same name twice is refused unless `overwrite` is set."""
    name = inputs.get("name", "artifact")
    if re.search(r'["\r\n:<>|*?\\/]', name):
        raise RuntimeError(f"the artifact name is not valid: {name}")
    target = job.run.artifacts / name
    roots = [job.workspace / one.strip() for one in inputs["path"].split("\n") if one.strip()]
    files = [file for root in roots if root.is_dir() for file in root.rglob("*") if file.is_file()]
    files += [root for root in roots if root.is_file()]
    files += globbed(job.workspace, [one for one in inputs["path"].split("\n") if "*" in one])
    if not files:
        how = inputs.get("if-no-files-found", "warn")
        if how == "error":
            raise RuntimeError(f"no files were found with the path {inputs['path']}")
        return {}
    if target.exists():
        if inputs.get("overwrite", "false") != "true":
            raise RuntimeError(f"an artifact with the name {name} already exists on the workflow run")
        shutil.rmtree(target)
    above = _above(files, roots)
    for file in files:
        kept = target / file.relative_to(above)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, kept)
    return {"artifact-id": "1", "artifact-url": f"https://github.example/artifacts/{name}"}


def _above(files: list[Path], roots: list[Path]) -> Path:
    if len(roots) == 1 and roots[0].is_dir():
        return roots[0]
    parents = [file.parent for file in files]
    return next(
        one for one in [parents[0], *parents[0].parents] if all(parent.is_relative_to(one) for parent in parents)
    )


def download_artifact(job: JobRun, inputs: Inputs) -> Outputs:
    """One of this run's artifacts, into `path`."""
    found = job.run.artifacts / inputs["name"]
    if not found.is_dir():
        raise RuntimeError(f"Unable to download artifact(s): Artifact not found for name: {inputs['name']}")
    target = job.workspace / inputs.get("path", "")
    shutil.copytree(found, target, dirs_exist_ok=True)
    return {"download-path": str(target)}


_CACHE = {"key", "path", "restore-keys"}
STAND_INS: Mapping[str, tuple[set[str], Callable[[JobRun, Inputs], Outputs]]] = {
    "actions/checkout": ({"ref", "path", "fetch-depth", "persist-credentials"}, checkout),
    "actions/setup-python": ({"python-version"}, setup_python),
    "actions/cache": (_CACHE, cache),
    "actions/cache/restore": (_CACHE, cache_restore),
    "actions/cache/save": (_CACHE, cache_save),
    "actions/upload-artifact": (
        {"name", "path", "if-no-files-found", "retention-days", "overwrite", "include-hidden-files"},
        upload_artifact,
    ),
    "actions/download-artifact": ({"name", "path"}, download_artifact),
}


def call(job: JobRun, uses: str, inputs: Inputs) -> Outputs:
    """Somebody else's action. Raises BadWorkflow where it is not pinned by its digest or is none that we know."""
    name, _, version = uses.partition("@")
    if not re.fullmatch(r"[0-9a-f]{40}", version):
        raise BadWorkflow(f"{uses} is not pinned by a digest")
    if name not in STAND_INS:
        raise BadWorkflow(f"there is no stand-in for {name}")
    takes, act = STAND_INS[name]
    if strange := set(inputs) - takes:
        raise BadWorkflow(f"{name} is given {', '.join(sorted(strange))}, which its stand-in does not know")
    return act(job, inputs)
