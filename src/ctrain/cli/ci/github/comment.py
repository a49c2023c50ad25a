"""The comment on a pull request: one for each key, written anew in place, and only ever one of our own."""

from __future__ import annotations

from collections.abc import Iterator

from ctrain.cli.ci.caller import Payload
from ctrain.cli.ci.github.repository import Repository
from ctrain.cli.ci.issue import Issue, Posted, to_update
from ctrain.cli.ci.marker import marker_of

LIMIT = 65_536
"""Characters in a comment. Source: what GitHub says when it refuses one: "body is too long (maximum is 65536)"."""


def post_comment(at: Repository, issue: Issue) -> str:
    """Write the report into our comment, or into a new one; what was done, in words."""
    number = issue.pull_request
    known = to_update(list(_ours(at, number)), issue.key)
    if known is not None:
        return _update(at, known, issue)
    body = issue.body(LIMIT)
    created = at.api.post(f"{at.path}/issues/{number}/comments", {"body": body})
    place = int(Payload(created).text("id") or 0)
    first = to_update(list(_ours(at, number)), issue.key)
    if first is None or first.place >= place:
        return f"commented on pull request {number}"
    # Another run of this pull request was as fast as we were: its comment stays, and ours goes.
    at.api.delete(f"{at.path}/issues/comments/{place}")
    return _update(at, first, issue)


def _update(at: Repository, known: Posted, issue: Issue) -> str:
    if known.marker.run > issue.run:
        return f"pull request {issue.pull_request} has the report of a later run already"
    at.api.patch(f"{at.path}/issues/comments/{known.place}", {"body": issue.body(LIMIT)})
    return f"updated the comment on pull request {issue.pull_request}"


def _ours(at: Repository, number: str) -> Iterator[Posted]:
    """Comments with a marker that we wrote ourselves; anybody can copy a marker."""
    for item in at.api.pages(f"{at.path}/issues/{number}/comments", per_page=100):
        comment = Payload(item)
        marker = marker_of(str(item.get("body") or "")) if isinstance(item, dict) else None
        if marker is not None and comment.text("user", "login").lower() in at.logins:
            yield Posted(int(comment.text("id")), marker)
