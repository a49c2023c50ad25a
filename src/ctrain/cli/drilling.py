"""`ctrain drill`: rehearse a rollback, and say how long the way back takes."""

from __future__ import annotations

from pathlib import Path

from ctrain.cli import documents
from ctrain.cli.leaving import Stay
from ctrain.cli.session import session
from ctrain.cli.terminal import give_json, say
from ctrain.errors import ExitCode
from ctrain.flow.drill import drill as rehearse


def drill(name: str, *, agreed: bool, json: bool, wait: str | None, file: Path | None, backend: str | None) -> int:
    """Ends with 4 where requests failed on the way back: a person decides whether that will do."""
    with session(file, backend, patience=Stay(wait=wait).patience(file, backend)) as s:
        stage = s.project.stage(name)
        done = rehearse(stage, s.journal, last=stage == s.project.stages[-1], agreed=agreed)
    if json:
        give_json(documents.document("drill", done))
    say()
    failed = f"{done.failed} of {done.asked} questions on the way failed"
    if done.failed:
        say(f"{name}: the way back works, but {failed}", color="yellow", bold=True)
    else:
        say(f"{name}: the way back works, and no question on it failed", color="green", bold=True)
    say(f"  first      a good answer from what served before, {done.first:.2f} s after the decision")
    say(f"  settled    all answers from it, {done.settled:.2f} s after the decision")
    say(f"  asked      {done.asked} times through the endpoint, {done.failed} without a good answer")
    return ExitCode.UNDECIDED if done.failed else ExitCode.DONE
