"""`ctrain report --publish`, and what the CI is shown of a verb's end: the report, gathered once and handed on."""

from __future__ import annotations

from pathlib import Path

from ctrain.cli.ci.host import Host, Note, Nowhere, here
from ctrain.cli.ci.publish import annotate, issue_of, publish_all, summarize
from ctrain.cli.git import top_of
from ctrain.cli.reporting import report_of
from ctrain.cli.session import Session, session
from ctrain.cli.terminal import say
from ctrain.errors import CtrainError, ExitCode, UsageError
from ctrain.flow.status import status
from ctrain.secrecy import without_secrets


def publish(name: str | None, *, file: Path | None, backend: str | None) -> int:
    """Show the report of a release wherever this CI can; what it cannot show is said, and is no failure."""
    host = here()
    if isinstance(host, Nowhere):
        raise UsageError(
            "there is no CI to publish to",
            why="neither GitHub Actions nor Azure Pipelines runs this",
            hint="`ctrain report --format md` or `--format html` gives the report",
        )
    with session(file, backend, show=False) as s:
        release = s.release(name)
        issue = issue_of(
            report_of(s, release.id),
            release,
            status(s.project.stages, s.at),
            who=s.caller,
            key=_key(s),
            last=s.project.stages[-1].name if s.project.stages else "",
        )
        shown = False
        for how, text in publish_all(issue, host, s.at.clock):
            shown = shown or how == "shown"
            sign, color = ("  ✓", "green") if how == "shown" else ("  !", "yellow")
            say(f" {text}", lead=sign, color=color)
            if how == "failed":
                host.annotate(Note("warning", "not all of the report is shown", text))
    return ExitCode.DONE if shown else ExitCode.NOT_ALLOWED


def show_here(s: Session, host: Host) -> None:
    """Show how a verb left its release: where its stage is asked, remarks at their lines, the report in the summary.

    The verb is done, and its exit code stands, whatever becomes of this.
    """
    try:
        s.noted.look(s.project, s.at)
        if s.noted.release is None:
            return
        made = report_of(s, s.noted.release.id)
        annotate(made, host, top_of(s.project.root) or s.project.root)
        summarize(made, host)
    except Exception as problem:  # noqa: BLE001  see above
        why = f"{problem.what}: {problem.why}" if isinstance(problem, CtrainError) else repr(problem)
        say(f"the report is not shown here: {without_secrets(why)}", color="yellow")


def _key(s: Session) -> str:
    """What there is one comment of: the project, by its file, as a repository may have several."""
    root, file = (top_of(s.project.root) or s.project.root).resolve(), s.project.file.resolve()
    where = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return f"{s.project.name}:{where}"
