"""The linters of CI files, as programs of the environment that the tests run in. Each says what it found: nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

BIN = Path(sys.executable).parent


def actionlint(root: Path) -> str:
    """Syntax, expressions, inputs and outputs of called workflows and actions, untrusted text in scripts."""
    return _run("actionlint", "-no-color", *_files(root, ".github/workflows/*.yml"), at=root)


def zizmor(*roots: Path) -> str:
    """What an attacker could use. Offline, as all tests are."""
    return _run("zizmor", "--offline", "--no-progress", "--quiet", *map(str, roots), at=roots[0])


def schemas(roots: Iterable[Path], work: Path) -> str:
    """Every file against the published schema of its format."""
    roots = list(roots)
    workflows = _distinct(roots, ".github/workflows/*.yml")
    actions = _distinct(roots, ".github/actions/*/action.yml")
    templates = _distinct(roots, "azure-pipelines*.yml", ".azure-pipelines/**/*.yml")
    pipelines = [str(_for_schema(Path(file), work / f"{place}.yml")) for place, file in enumerate(templates)]
    azure = ("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode")
    return "".join(
        _run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *extra, *files, at=work)
        for schema, extra, files in (
            ("github-workflows", (), workflows),
            ("github-actions", (), actions),
            ("azure-pipelines", azure, pipelines),
        )
        if files
    )


def _for_schema(file: Path, to: Path) -> Path:
    """The file without three things that Azure Pipelines takes and its published schema does not have.

    A task's `target`, and a step's name or `continueOnError` that is a template expression. Source: "steps.task
    definition", "target definition" and "Template expressions", Microsoft Learn.
    """
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    to.write_text(yaml.safe_dump(_known(content)), encoding="utf-8")
    return to


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return [_known(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _known(item) for key, item in value.items()}
    if "task" in kept or "bash" in kept:
        if "task" in kept or isinstance(kept.get("target"), str):
            kept.pop("target", None)
        if str(kept.get("name", "")).startswith("${{"):
            kept["name"] = "name"
        if str(kept.get("continueOnError", "")).startswith("${{"):
            del kept["continueOnError"]
    return kept


def _distinct(roots: Iterable[Path], *patterns: str) -> list[str]:
    """The files, each content once: the schemas are slow."""
    found = (file for root in roots for pattern in patterns for file in _files(root, pattern))
    return list({Path(file).read_bytes(): file for file in found}.values())


def _files(root: Path, pattern: str) -> list[str]:
    return sorted(map(str, root.glob(pattern)))


def _run(program: str, *words: str, at: Path) -> str:
    done = subprocess.run(
        [str(BIN / program), *words], cwd=at, capture_output=True, text=True, check=False, timeout=120
    )
    return "" if done.returncode == 0 else f"{program}: {done.stdout}{done.stderr}"
