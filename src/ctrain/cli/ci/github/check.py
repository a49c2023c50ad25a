"""The check run at a commit: the verdict as a conclusion that branch protection can ask for, with its annotations."""

from __future__ import annotations

from ctrain.cli.ci.caller import Payload
from ctrain.cli.ci.commands import one_line
from ctrain.cli.ci.github.repository import Repository
from ctrain.cli.ci.issue import Issue
from ctrain.cli.terminal import harmless
from ctrain.report import Remark, markdown

LIMIT = 65_535
"""Characters in a summary. Source: GitHub's OpenAPI description, `checks/create`."""

BATCH = 50
"""Annotations in a request. Source: the same."""

_LEVELS = {"error": "failure", "warning": "warning", "notice": "notice"}


def post_check(at: Repository, issue: Issue) -> str:
    """Make a check run of the report, or bring the one that was in progress up to date; what was done, in words."""
    notes = [_annotation(remark) for remark in issue.remarks if remark.file is not None]
    batches = [notes[first : first + BATCH] for first in range(0, len(notes), BATCH)] or [[]]
    output: dict[str, object] = {"title": issue.title, "summary": markdown(issue.report, limit=LIMIT)}
    state: dict[str, object] = {"details_url": issue.run_url} if issue.run_url.startswith("https://") else {}
    if issue.conclusion is None:
        state |= {"status": "in_progress"}
        batches = [[]]  # each update adds its annotations to those that are there
    else:
        state |= {"status": "completed", "conclusion": issue.conclusion}
    check = _open(at, issue)
    for batch in batches:
        body = {**state, "name": issue.name, "output": {**output, "annotations": batch}}
        if check is None:
            body |= {"head_sha": issue.commit, "external_id": issue.release.id}
            check = int(Payload(at.api.post(f"{at.path}/check-runs", body)).text("id") or 0)
        else:
            at.api.patch(f"{at.path}/check-runs/{check}", body)
    return f"check {issue.name!r} at {issue.commit[:7]}: {issue.conclusion or 'in progress'}"


def _open(at: Repository, issue: Issue) -> int | None:
    """A check run of this release that is not completed yet."""
    path = f"{at.path}/commits/{issue.commit}/check-runs"
    for item in at.api.pages(path, check_name=issue.name, per_page=100):
        run = Payload(item)
        if run.text("external_id") == issue.release.id and run.text("status") != "completed":
            return int(run.text("id"))
    return None


def _annotation(remark: Remark) -> dict[str, object]:
    line = remark.line or 1
    return {
        "path": remark.file,
        "start_line": line,
        "end_line": line,
        "annotation_level": _LEVELS[remark.level],
        "title": one_line(remark.title, 255),
        "message": harmless(remark.text)[:16_000] or remark.title,
    }
