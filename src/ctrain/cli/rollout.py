"""`ctrain rollout` and what belongs to it, `readmit` and `gc`: their words and their help."""

from __future__ import annotations

from typing import Annotated

import typer

from ctrain.cli.options import BackendName, ByHand, File, Json, Reason, StageName, Who

app = typer.Typer(help="A stage's rollout: look at it, pause it, let it go on, take it back.", rich_markup_mode=None)


@app.command()
def status(stage: StageName, json: Json = False, file: File = None, backend: BackendName = None) -> int:
    """Where it has come to. Ends with 8 while it is under way, 4 while it is paused, 7 where it was not restored."""
    from ctrain.cli import steering

    return steering.status(stage, json=json, file=file, backend=backend)


@app.command()
def pause(
    stage: StageName, reason: Reason = ByHand, who: Who = None, file: File = None, backend: BackendName = None
) -> int:
    """Stop it where it is, whoever drives it."""
    from ctrain.cli import steering

    return steering.pause(stage, who=who, reason=reason, file=file, backend=backend)


@app.command()
def resume(
    stage: StageName,
    reason: Reason = ByHand,
    who: Who = None,
    later: Annotated[bool, typer.Option("--later", help="Only say that it may; the next run goes on with it.")] = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Let a paused rollout go on, and go on with it."""
    from ctrain.cli import steering

    return steering.resume(stage, who=who, reason=reason, later=later, file=file, backend=backend)


@app.command()
def abort(
    stage: StageName, reason: Reason = ByHand, who: Who = None, file: File = None, backend: BackendName = None
) -> int:
    """Give the stage back to what it served before, at once, whoever drives it."""
    from ctrain.cli import steering

    return steering.abort(stage, who=who, reason=reason, file=file, backend=backend)


def readmit(
    stage: StageName,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The number of the model's version.")],
    reason: Reason,
    who: Who = None,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Let a version that was rolled back from a stage go there again."""
    from ctrain.cli import steering

    return steering.readmit(stage, version, who=who, reason=reason, file=file, backend=backend)


def gc(
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would go, and why.")] = False,
    json: Json = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Take away deployments that nobody needs: failed, given up, or past their stage's `keep`."""
    from ctrain.cli import steering

    return steering.gc(plan=plan, json=json, file=file, backend=backend)
