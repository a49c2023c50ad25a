"""The words of `ctrain init`: many, and of no other verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where ctrain.yaml belongs.")] = Path(),
    example: Annotated[bool, typer.Option("--example", help="Bring the reference project instead.")] = False,
    pipeline: Annotated[Path | None, typer.Option("--pipeline", metavar="FILE", help="The pipeline's YAML.")] = None,
    name: Annotated[str, typer.Option("--name", help="The project's name; else the folder's.")] = "",
    task: Annotated[str, typer.Option("--task", help="binary, multiclass or regression.")] = "",
    row_id: Annotated[str, typer.Option("--row-id", metavar="COLUMN", help="What tells rows apart.")] = "",
    label: Annotated[str, typer.Option("--label", metavar="COLUMN", help="What is predicted.")] = "",
    stages: Annotated[str, typer.Option("--stages", help="In order, with commas.")] = "dev,test,prod",
    backend: Annotated[str, typer.Option("--backend", "-b", help="What the CI runs on: local or azureml.")] = "",
    ci: Annotated[
        list[str] | None,
        typer.Option("--ci", help="github, azure-devops or none; may be repeated. Else by the git remote."),
    ] = None,
    blocks: Annotated[
        str,
        typer.Option(
            "--blocks", metavar="OWNER/REPO@COMMIT", help="Call the CI's building blocks there; else they are copied."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> int:
    """Write ctrain.yaml and the CI's files for a pipeline that is there; again, to upgrade them."""
    from ctrain.cli import starting
    from ctrain.starter.choices import Asked

    wishes = starting.Wishes(tuple(ci or ()), blocks, backend, dry_run, yes)
    if example:
        return starting.example(folder, wishes)
    named = tuple(stage.strip() for stage in stages.split(",") if stage.strip())
    return starting.init(folder, Asked(name, pipeline, task, row_id, label, named), wishes)
