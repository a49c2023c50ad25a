"""Builds what is published, checks it as a user would have it, and tags the commit that it was made of.

    python .ci/release.py dist [--tag vX.Y.Z]   build in dist/, check the wheel without the sources, write the SBOM
    python .ci/release.py tag                   check that this commit may be released, tag it and push the tag

Nothing is published from here: the pushed tag makes the workflow `release` do that, without a key.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
RUNTIME = ROOT / "requirements" / "runtime.txt"
BIN = ROOT / ".venv" / "bin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("dist").add_argument("--tag", default="", help="what the commit is tagged; must be its version")
    verbs.add_parser("tag")
    asked = parser.parse_args()
    if asked.verb == "dist":
        dist(asked.tag)
    else:
        tag()


def version() -> str:
    """The one version, which two files name."""
    source = (ROOT / "src" / "ctrain" / "__init__.py").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = {
        match[1] for text in (source, project) if (match := re.search(r'^(?:__)?version(?:__)? = "(.+)"', text, re.M))
    }
    if len(named) != 1:
        stop(f"pyproject.toml and src/ctrain/__init__.py name different versions: {', '.join(sorted(named))}")
    return named.pop()


def dist(asked_tag: str) -> None:
    """Build, and look at what was built as somebody else would have it."""
    number = version()
    if asked_tag and asked_tag != f"v{number}":
        stop(f"the tag is {asked_tag}, and the version is {number}")
    first = built()
    second = built()
    if first != second:
        stop("building twice gives two different wheels: what is published could not be checked by anybody")
    wheel = next(DIST.glob("*.whl"))
    contents(wheel)
    in_use(wheel)
    (DIST / f"ctrain-{number}.cdx.json").write_text(json.dumps(sbom(number), indent=2) + "\n", encoding="utf-8")
    for file in sorted(DIST.iterdir()):
        print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  dist/{file.name}")


def built() -> dict[str, str]:
    """Wheel and source archive, made anew in dist/; their digests by name."""
    shutil.rmtree(DIST, ignore_errors=True)
    when = git("log", "-1", "--format=%ct")
    run(str(BIN / "python"), "-m", "hatchling", "build", env={**os.environ, "SOURCE_DATE_EPOCH": when})
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in DIST.iterdir()}


def contents(wheel: Path) -> None:
    """The package and what `ctrain init` brings, and nothing of the tests or of a machine."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    strays = [name for name in names if not re.match(r"ctrain(-[0-9][^/]*\.dist-info)?/", name)]
    wanted = {
        "ctrain/cli/app.py",
        "ctrain/starter/files/pipelines/ctrain.yaml",
        "ctrain/starter/files/.azure-pipelines/ctrain.yml",
    }
    if strays or wanted - set(names) or any(".ctrain/" in name or "__pycache__" in name for name in names):
        stop(f"the wheel has what it should not, or lacks something: {[*strays, *sorted(wanted - set(names))][:5]}")


def in_use(wheel: Path) -> None:
    """The reference project's main job, from the installed wheel, in an empty folder far from the sources."""
    with tempfile.TemporaryDirectory(prefix="ctrain-release-") as folder:
        env, work = Path(folder, "env"), Path(folder, "work")
        work.mkdir()
        run(sys.executable, "-m", "venv", "--without-pip", str(env))
        python, ctrain = str(env / "bin" / "python"), str(env / "bin" / "ctrain")
        install = [str(BIN / "uv"), "pip", "install", "--quiet", "--python", python]
        run(*install, "--require-hashes", "-r", str(RUNTIME))
        run(*install, "--no-deps", str(wheel))
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CTRAIN_"))}
        where = run(python, "-c", "import ctrain; print(ctrain.__file__)", at=work, env=plain)
        if not where.startswith(str(env)):
            stop(f"the installed ctrain is {where}, which is not the wheel's")
        run(ctrain, "init", "--example", at=work, env=plain)
        try:
            run(ctrain, "run", "--trigger", "main", at=work, env=plain)
        finally:
            run(ctrain, "local", "down", at=work, env=plain)


def sbom(number: str) -> dict[str, object]:
    """What ctrain needs, by version and hash, as CycloneDX 1.6."""
    components = [
        {
            "type": "library",
            "name": name,
            "version": pinned,
            "purl": f"pkg:pypi/{name}@{pinned}",
            "hashes": [{"alg": "SHA-256", "content": digest} for digest in digests],
        }
        for name, pinned, digests in locked()
    ]
    this = {"type": "application", "name": "ctrain", "version": number, "purl": f"pkg:pypi/ctrain@{number}"}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": this}, "components": components}


def locked() -> Iterator[tuple[str, str, list[str]]]:
    for entry in re.split(r"^(?=\S)", RUNTIME.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if found := re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry):
            yield found[1], found[2], re.findall(r"sha256:([0-9a-f]{64})", entry)


def tag() -> None:
    """Tag this commit with its version and push the tag, where all that a release needs is there."""
    number = version()
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        stop(f"CHANGELOG.md has no section `## [{number}] - YEAR-MONTH-DAY`")
    if git("status", "--porcelain"):
        stop("there are changes that are not committed")
    if git("tag", "--list", f"v{number}"):
        stop(f"there is a tag v{number} already: raise the version in pyproject.toml and src/ctrain/__init__.py")
    if "origin" not in git("remote").split():
        print(f"All is ready for v{number}. There is no remote `origin` to push a tag to, so none was made.")
        return
    git("fetch", "--quiet", "origin", "main")
    if subprocess.run(["git", "merge-base", "--is-ancestor", "HEAD", "FETCH_HEAD"], cwd=ROOT, check=False).returncode:
        stop("this commit is not on origin's main: what is released has passed CI there")
    git("tag", "--annotate", f"v{number}", "--message", f"ctrain {number}")
    try:
        git("push", "--quiet", "origin", f"refs/tags/v{number}")
    except subprocess.CalledProcessError:
        git("tag", "--delete", f"v{number}")
        stop(f"the tag v{number} could not be pushed, and was taken back")
    print(f"v{number} is tagged and pushed; the workflow `release` publishes it.")


def git(*words: str) -> str:
    return run("git", *words)


def run(*words: str, at: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What the program prints on stdout. Its talk is ours."""
    done = subprocess.run(words, cwd=at or ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def stop(why: str) -> NoReturn:
    print(f"error: {why}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
