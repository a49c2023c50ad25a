"""Where the texts are that `ctrain init` brings: in the installed package, or in the checkout that it runs from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGED: Final = Path(__file__).parent / "files"
_CHECKOUT: Final = Path(__file__).parents[3]

EXAMPLE: Final = ("README.md", "ctrain.yaml", "train.yml", "components", "data", "environment")
"""What the reference project is made of. What running it leaves there is not part of it."""

GITHUB: Final = {
    ".github/workflows/ctrain.yml": ".github/workflows/ctrain.yml",
    ".github/workflows/ctrain-job.yml": ".github/workflows/ctrain-job.yml",
    ".github/actions/setup/action.yml": ".github/actions/ctrain-setup/action.yml",
}
"""The building blocks of GitHub Actions, and where they stand in a user's repository."""

AZURE: Final = {
    f".azure-pipelines/{name}.yml": f".azure-pipelines/ctrain/{name}.yml"
    for name in ("ctrain", "setup", "step", "train", "report", "stage", "package", "cancelled")
}
"""The same of Azure Pipelines."""

LOCK: Final = "requirements/runtime.txt"


def place(name: str) -> Path:
    """The file or folder of that name, as it is called in ctrain's own repository."""
    packaged = _PACKAGED / name
    return packaged if packaged.exists() else _CHECKOUT / name


def text(name: str) -> str:
    return place(name).read_text(encoding="utf-8")


def example() -> dict[str, bytes]:
    """The files of the reference project, by their path in it."""
    root = place("pipelines")
    found: dict[str, bytes] = {}
    for part in EXAMPLE:
        start = root / part
        for file in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if file.is_file() and "__pycache__" not in file.parts:
                found[file.relative_to(root).as_posix()] = file.read_bytes()
    return found
