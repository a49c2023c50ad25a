"""Every verb of the command line: its words and its help. What it does is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ctrain.cli.init_command import init
from ctrain.cli.options import (
    AllowOlder,
    BackendName,
    Deadline,
    Detach,
    File,
    Fresh,
    Json,
    OpenRelease,
    ReleaseId,
    StageName,
    StillRunningOk,
    TriggerName,
    Wait,
)
from ctrain.cli.rollout import app as rollout
from ctrain.cli.rollout import gc, readmit

app = typer.Typer(
    name="ctrain",
    help="Take a commit to production, or leave production as it was, and be able to say why.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
local = typer.Typer(help="The embedded platform's processes.", rich_markup_mode=None)
app.add_typer(local, name="local")
app.command()(init)
app.add_typer(rollout, name="rollout")
app.command()(readmit)
app.command()(gc)


def _version(asked: bool) -> None:
    if asked:
        from ctrain import __version__

        typer.echo(f"ctrain {__version__}")
        raise typer.Exit


def _help(context: typer.Context) -> None:
    """Called without a verb: the verbs there are, and the exit code of bad usage."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.callback(invoke_without_command=True)
def ctrain(
    context: typer.Context,
    _asked: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take a commit to production, or leave production as it was, and be able to say why."""
    _help(context)


@app.command()
def run(
    trigger: TriggerName = None,
    fresh: Fresh = False,
    allow_older: AllowOlder = False,
    detach: Detach = False,
    deadline: Deadline = None,
    wait: Wait = None,
    still_running_ok: StillRunningOk = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Train, gate, register, deploy: all that the trigger says."""
    from ctrain.cli import acting
    from ctrain.cli.leaving import Stay

    stay = Stay(detach, deadline, wait, still_running_ok)
    return acting.run(trigger, fresh=fresh, allow_older=allow_older, stay=stay, file=file, backend=backend)


@app.command()
def resume(
    release: OpenRelease = None,
    allow_older: AllowOlder = False,
    detach: Detach = False,
    deadline: Deadline = None,
    wait: Wait = None,
    still_running_ok: StillRunningOk = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Go on with a release that was left open, by its own plan."""
    from ctrain.cli import acting
    from ctrain.cli.leaving import Stay

    stay = Stay(detach, deadline, wait, still_running_ok)
    return acting.resume(release, allow_older=allow_older, stay=stay, file=file, backend=backend)


@app.command()
def plan(
    trigger: TriggerName = None,
    fresh: Fresh = False,
    json: Json = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Show what `run` would do here and now, and why."""
    from ctrain.cli import reading

    return reading.plan(trigger, fresh=fresh, json=json, file=file, backend=backend)


@app.command()
def train(
    trigger: TriggerName = None,
    fresh: Fresh = False,
    detach: Detach = False,
    deadline: Deadline = None,
    wait: Wait = None,
    still_running_ok: StillRunningOk = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Begin a release: train, or adopt what trained the same."""
    from ctrain.cli import acting
    from ctrain.cli.leaving import Stay

    stay = Stay(detach, deadline, wait, still_running_ok)
    return acting.train(trigger, fresh=fresh, stay=stay, file=file, backend=backend)


@app.command()
def gate(
    release: ReleaseId = None,
    explain: Annotated[bool, typer.Option("--explain", help="Draw each rule's interval against its margin.")] = False,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Try the gate on models known to be bad, and on equally good ones.")
    ] = False,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="Judge by this file's gate; nothing is recorded."),
    ] = None,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Judge a trained release by its rules and the champion."""
    if self_test or policy is not None:
        from ctrain.cli import gating

        if self_test:
            return gating.self_test(release, policy, file=file, backend=backend)
        if policy is not None:
            return gating.try_policy(release, policy, explain=explain, file=file, backend=backend)
    from ctrain.cli import acting

    return acting.gate(release, explain=explain, file=file, backend=backend)


@app.command()
def deploy(
    to: Annotated[str, typer.Option("--to", metavar="STAGE", help="The stage to take it to.")],
    release: ReleaseId = None,
    allow_older: AllowOlder = False,
    deadline: Deadline = None,
    wait: Wait = None,
    still_running_ok: StillRunningOk = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Take a release that passed the gate to a stage."""
    from ctrain.cli import acting
    from ctrain.cli.leaving import Stay

    stay = Stay(detach=False, deadline=deadline, wait=wait, still_running_ok=still_running_ok)
    return acting.deploy(release, to=to, allow_older=allow_older, stay=stay, file=file, backend=backend)


@app.command()
def approve(
    stage: Annotated[str, typer.Option("--stage", metavar="STAGE", help="The stage that it may go to.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")],
    release: ReleaseId = None,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who approves; else who runs this.")] = None,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Let a release go to a stage that waits for a person."""
    from ctrain.cli import acting

    return acting.approve(release, stage=stage, who=who, reason=reason, file=file, backend=backend)


@app.command()
def smoke(stage: StageName, file: File = None, backend: BackendName = None) -> int:
    """Ask what serves a stage its golden requests."""
    from ctrain.cli import acting

    return acting.smoke(stage, file=file, backend=backend)


@app.command()
def rollback(
    stage: StageName,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="Back to this version; else to what served before.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "asked for by hand",
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Give a stage back to a deployment that is still warm."""
    from ctrain.cli import acting

    return acting.rollback(stage, to=to, reason=reason, file=file, backend=backend)


@app.command()
def drill(
    stage: StageName,
    yes: Annotated[bool, typer.Option("--yes", help="Also on the last stage, where users are served.")] = False,
    json: Json = False,
    wait: Wait = None,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Rehearse a rollback on a stage, and say how long the way back takes."""
    from ctrain.cli import drilling

    return drilling.drill(stage, agreed=yes, json=json, wait=wait, file=file, backend=backend)


@app.command()
def cancel(
    release: ReleaseId = None,
    interrupted: Annotated[
        bool,
        typer.Option("--interrupted", help="Do what `on_cancel` says for a run that was cut off; for clean-up jobs."),
    ] = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Stop a release's training job."""
    from ctrain.cli import acting

    return acting.cancel(release, interrupted=interrupted, file=file, backend=backend)


@app.command()
def status(json: Json = False, file: File = None, backend: BackendName = None) -> int:
    """What serves each stage, since when, and its health."""
    from ctrain.cli import reading

    return reading.status(json=json, file=file, backend=backend)


@app.command()
def history(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many, newest first.")] = 20,
    json: Json = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """The releases, newest first."""
    from ctrain.cli import reading

    return reading.history(count, json=json, file=file, backend=backend)


@app.command()
def show(release: ReleaseId = None, json: Json = False, file: File = None, backend: BackendName = None) -> int:
    """One release: what was planned, what happened, and why."""
    from ctrain.cli import reading

    return reading.show(release, json=json, file=file, backend=backend)


@app.command()
def logs(
    release: ReleaseId = None,
    step: Annotated[str | None, typer.Option("--step", help="One step of the training.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="What serves this stage, instead.")] = None,
    json: Json = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """The log of a training, or of what serves a stage."""
    from ctrain.cli import reading

    return reading.logs(release, step=step, stage=stage, json=json, file=file, backend=backend)


@app.command()
def report(
    release: ReleaseId = None,
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="md, html, json, junit or sarif.")] = "md",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it there; else on stdout.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="In a CI: show it on the pull request, and wherever else the CI can.")
    ] = False,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """One release for people: verdict, numbers, stages and how to reproduce it."""
    if publish:
        from ctrain.cli import publishing

        code = publishing.publish(release, file=file, backend=backend)
        if output is None:
            return code
    from ctrain.cli import reporting

    return reporting.report(release, form=format, output=output, file=file, backend=backend)


@app.command()
def export(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="An empty folder, or a new one.")],
    release: ReleaseId = None,
    file: File = None,
    backend: BackendName = None,
) -> int:
    """Write the files of a registered model, with its lineage, to a folder."""
    from ctrain.cli import exporting

    return exporting.export(release, output=output, file=file, backend=backend)


@app.command()
def doctor(json: Json = False, file: File = None, backend: BackendName = None) -> int:
    """Look whether everything is there that a release will need."""
    from ctrain.cli import reading

    return reading.doctor(json=json, file=file, backend=backend)


@app.command()
def validate(json: Json = False, file: File = None, backend: BackendName = None) -> int:
    """Check ctrain.yaml and the pipeline it names."""
    from ctrain.cli import reading

    return reading.validate(json=json, file=file, backend=backend)


@local.callback(invoke_without_command=True)
def _local(context: typer.Context) -> None:
    """The embedded platform's processes."""
    _help(context)


@local.command("up")
def local_up(file: File = None) -> int:
    """Start every endpoint of this project that is down."""
    from ctrain.cli import platform

    return platform.up(file)


@local.command("down")
def local_down(file: File = None) -> int:
    """Stop every endpoint of this project; `up` brings them back as they were."""
    from ctrain.cli import platform

    return platform.down(file)


@local.command("status")
def local_status(json: Json = False, file: File = None) -> int:
    """Which endpoints run, where, and where their logs are."""
    from ctrain.cli import platform

    return platform.status(file, json=json)
