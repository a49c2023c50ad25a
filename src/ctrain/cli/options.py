"""The options that verbs share, each spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The project file; else the nearest ctrain.yaml upwards.", show_default=False),
]
BackendName = Annotated[
    str | None,
    typer.Option("--backend", "-b", envvar="CTRAIN_BACKEND", help="local or azureml; else the file says."),
]
TriggerName = Annotated[
    str | None,
    typer.Option(
        "--trigger", "-t", help="Why we run: pull_request, main, schedule, drift or manual; else the CI says."
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew, reusing nothing.")]
AllowOlder = Annotated[bool, typer.Option("--allow-older", help="Let an older commit take over from a newer one.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
ReleaseId = Annotated[
    str | None, typer.Argument(metavar="[RELEASE]", help="The release's id; else the newest of this commit.")
]
OpenRelease = Annotated[
    str | None,
    typer.Argument(
        metavar="[RELEASE]", help="The release's id; else this commit's newest open one, else the newest open one."
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Leave once the training is submitted, with exit code 8; `resume` goes on.")
]
Deadline = Annotated[
    str | None,
    typer.Option("--deadline", metavar="5h30m", help="Leave after so long, with exit code 8; what was begun goes on."),
]
Wait = Annotated[
    str | None,
    typer.Option("--wait", metavar="10m", help="Wait so long for a lock that somebody holds; else exit code 10."),
]
StillRunningOk = Annotated[
    bool, typer.Option("--still-running-ok", help="Exit code 0 instead of 8: a later job goes on.")
]
StageName = Annotated[str, typer.Argument(metavar="STAGE", help="A stage of ctrain.yaml.")]
ByHand = "asked for by hand"
"""The reason of a person who gives none."""

Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Who = Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who says so; else who runs this.")]
