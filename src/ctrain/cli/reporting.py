"""`ctrain report`: gather what a report tells of, and give it in the form that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from ctrain import __version__
from ctrain.cli import documents
from ctrain.cli.git import top_of
from ctrain.cli.neutral import neutral
from ctrain.cli.session import Session, session
from ctrain.cli.terminal import give, give_json, say
from ctrain.document import Document, nearest, read_document
from ctrain.errors import CtrainError, ExitCode, PlatformUnavailable, ProjectError, UsageError
from ctrain.events import replay
from ctrain.flow.rejudge import rows_of
from ctrain.flow.roll_back import newest_first
from ctrain.pipeline import CommandStep, code_files, read_pipeline
from ctrain.release import Release
from ctrain.report import Beside, Places, Report, curves_of, html, junit, make_report, markdown, sarif
from ctrain.report.report import Curve
from ctrain.training import JobStatus, TrainingRun

Form = Literal["md", "html", "json", "junit", "sarif"]
_LOOKED_AT = 20
"""Newest releases among which the jobs are looked for that steps were reused from."""


def report(name: str | None, *, form: str, output: Path | None, file: Path | None, backend: str | None) -> int:
    """On stdout, or into the file."""
    wanted = _form(form)
    with session(file, backend, show=False) as s:
        made = report_of(s, name, rows=wanted in ("html", "json"))
    text = rendered(made, wanted)
    if output is not None:
        write(text, output)
        say(f"{output}: the report of {made.release or made.project}")
    elif wanted in ("json", "sarif"):
        give_json(text)
    else:
        give(text.removesuffix("\n"))
    return ExitCode.DONE


def report_of(s: Session, name: str | None, *, rows: bool = False) -> Report:
    """The report of that release, else of the newest of this commit; that there is none is a report, too.

    With `rows` it looks at the evaluation rows, as far as the trainer still has those that were judged.
    """
    now = datetime.now(UTC)
    release = s.release(name) if name is not None else s.newest()
    files = _read(s.project.file), _read(s.project.pipeline)
    places = Places(top_of(s.project.root), *files, _code(s.project.pipeline, release))
    if release is None:
        return make_report(None, (), now=now, beside=Beside(s.project, places=places))
    running = None
    if release.training is None and not release.ended:
        running = s.at.trainer.look(release.plan.training.job)
    beside = Beside(
        project=s.project,
        champions=_made_champion(s, release),
        earlier=dict(_earlier(s, release)),
        running=running,
        places=places,
        curves=_curves(s, release) if rows else (),
    )
    return make_report(release, tuple(s.at.ledger.events(release.id)), now=now, beside=beside)


def rendered(made: Report, form: Form) -> str:
    """The report in that form."""
    match form:
        case "md":
            return markdown(made)
        case "html":
            return html(made)
        case "json":
            return documents.document("report", made)
        case "junit":
            return junit(made)
        case "sarif":
            return sarif(made, version=__version__)


def write(text: str, output: Path) -> None:
    """Into the file, as UTF-8, with nothing in it that a CI takes for a command. Raises UsageError, or
    PlatformUnavailable where there is no room."""
    try:
        output.write_text(neutral(text), encoding="utf-8", errors="backslashreplace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as failure:
        raise UsageError(
            f"the report cannot be written to {output}",
            why=failure.strerror or str(failure),
            hint="name a file in a folder that there is",
        ) from None
    except OSError as failure:
        raise PlatformUnavailable(
            f"the report cannot be written to {output}",
            why=failure.strerror or str(failure),
            hint="make room there, and try again",
        ) from None


def _form(asked: str) -> Form:
    for form in get_args(Form):
        if asked == form:
            return form  # type: ignore[no-any-return]  # get_args knows no types
    close = nearest(asked, get_args(Form))
    raise UsageError(
        f"there is no format {asked!r}",
        why=f"a report is given as {', '.join(get_args(Form))}",
        hint=f"did you mean '{close}'?" if close else "choose one of them",
    )


def _read(file: Path) -> Document | None:
    try:
        return read_document(file, ProjectError)
    except CtrainError:
        return None


def _code(pipeline: Path, release: Release | None) -> dict[str, tuple[Path, ...]]:
    """The files of the steps that failed."""
    steps = release.training.steps if release and release.training else ()
    failed = {step.name for step in steps if step.status is JobStatus.FAILED}
    try:
        commands = read_pipeline(pipeline, local=False).commands if failed else {}
        return {name: tuple(_files(step)) for name, step in commands.items() if name in failed}
    except CtrainError:
        return {}


def _files(step: CommandStep) -> Iterator[Path]:
    if step.code is not None:
        folder = step.code if step.code.is_dir() else step.code.parent
        yield from (folder / file for file in code_files(step.code))


def _curves(s: Session, release: Release) -> tuple[Curve, ...]:
    plan = release.plan
    if not release.evidence:
        return ()
    try:
        return curves_of(rows_of(release, plan.gate, plan.evaluation, s.at), plan.evaluation)
    except CtrainError as error:
        say(f"without plots of the predictions: {error.what}: {error.why}")
        return ()


def _made_champion(s: Session, release: Release) -> Release | None:
    """The release that made the champion which this one was held against."""
    champion = release.plan.champion
    return replay(s.at.ledger.events(champion.lineage.release)) if champion else None


def _earlier(s: Session, release: Release) -> Iterator[tuple[str, TrainingRun]]:
    """The jobs that steps were reused from, as far as one of the newest releases had them trained."""
    wanted = {step.reused_from for step in release.training.steps if step.reused_from} if release.training else set()
    if wanted:
        for other in islice(newest_first(s.at.ledger), _LOOKED_AT):
            if other.training is not None and other.training.job in wanted:
                yield other.training.job, other.training
