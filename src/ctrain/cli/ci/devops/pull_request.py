"""A pull request in Azure Repos: one thread of ours, written anew in place, open while somebody should look at it.

Source: "Pull Request Threads", "Pull Request Thread Comments" and "Pull Request Statuses" of the Azure DevOps REST API,
version 7.1.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from ctrain.cli.ci.caller import Payload
from ctrain.cli.ci.issue import Issue, Posted, to_update
from ctrain.cli.ci.marker import marker_of
from ctrain.cli.ci.rest import Api
from ctrain.cli.terminal import hide
from ctrain.errors import NotAllowed

if TYPE_CHECKING:
    from ctrain.ports import Clock

VERSION = "7.1"
LIMIT = 150_000
"""Characters in a comment. Source: "Pull Request Thread Comments - Create"."""

_STATES = {"success": "succeeded", "failure": "failed", "neutral": "notApplicable", "action_required": "pending"}


@dataclass(frozen=True)
class PullRequest:
    """`path` is of its API, below the collection."""

    api: Api = field(repr=False)
    path: str
    number: str
    source: str

    @cached_property
    def iteration(self) -> int | None:
        """The push that was built: a status of an older one does not stand for a newer."""
        told = self.api.get(f"{self.path}/iterations", **_version())
        pushes = told.get("value") if isinstance(told, dict) else None
        for push in reversed(pushes if isinstance(pushes, list) else []):
            if self.source and Payload(push).text("sourceRefCommit", "commitId") == self.source:
                return int(Payload(push).text("id"))
        return None

    @cached_property
    def identity(self) -> str:
        """The id of who we are: the build service, or whose token it is."""
        told = self.api.get("_apis/connectionData", **{"api-version": f"{VERSION}-preview.1"})
        return Payload(told).text("authenticatedUser", "id").lower()


def pull_request(env: Mapping[str, str], number: str, clock: Clock) -> PullRequest:
    """The build's pull request. Raises NotAllowed without a token, or where its repository is elsewhere."""
    token = env.get("SYSTEM_ACCESSTOKEN", "")
    if env.get("BUILD_REPOSITORY_PROVIDER", "TfsGit") != "TfsGit":
        raise NotAllowed(
            "the pull request is not in Azure Repos",
            why=f"its repository is on {env.get('BUILD_REPOSITORY_PROVIDER')}, where the build's token may not write",
            hint="see the report in the build's summary",
        )
    if not token:
        raise NotAllowed(
            "there is no token for Azure DevOps",
            why="SYSTEM_ACCESSTOKEN is not set for this step",
            hint="give the step `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`",
        )
    hide(token)
    # The build's own token is a JWT; a personal one goes by basic authentication, with any user name.
    basic = base64.b64encode(f":{token}".encode()).decode()
    headers = {
        "Authorization": f"Bearer {token}" if token.startswith("eyJ") else f"Basic {basic}",
        "Accept": "application/json",
        "X-TFS-FedAuthRedirect": "Suppress",
        "User-Agent": "ctrain",
    }
    project, repository = (
        env.get("SYSTEM_TEAMPROJECTID") or env.get("SYSTEM_TEAMPROJECT", ""),
        env.get("BUILD_REPOSITORY_ID"),
    )
    return PullRequest(
        api=Api("Azure DevOps", env.get("SYSTEM_COLLECTIONURI", ""), headers, clock),
        path=f"{_part(project)}/_apis/git/repositories/{_part(repository or '')}/pullRequests/{_part(number)}",
        number=number,
        source=env.get("SYSTEM_PULLREQUEST_SOURCECOMMITID", ""),
    )


def post_thread(at: PullRequest, issue: Issue) -> str:
    """Write the report into our thread, or into a new one; what was done, in words."""
    known = to_update(list(_ours(at)), issue.key)
    if known is not None:
        return _update(at, known, issue)
    comment = {"parentCommentId": 0, "content": issue.body(LIMIT), "commentType": "text"}
    created = Payload(
        at.api.post(f"{at.path}/threads", {"comments": [comment], "status": _status(issue)}, **_version())
    )
    place = int(created.text("id") or 0)
    first = to_update(list(_ours(at)), issue.key)
    if first is None or first.place >= place:
        return f"began a thread on pull request {at.number}"
    # Another run of this pull request was as fast as we were: its thread stays, and ours goes.
    at.api.delete(f"{at.path}/threads/{place}/comments/1", **_version())
    return _update(at, first, issue)


def post_status(at: PullRequest, issue: Issue) -> str:
    """Set the status that a branch policy may require; what was done, in words."""
    state = _STATES[issue.conclusion] if issue.conclusion else "pending"
    body: dict[str, object] = {
        "state": state,
        "description": issue.title,
        "context": {"genre": "ctrain", "name": issue.report.project},
    }
    if issue.run_url.startswith("https://"):
        body["targetUrl"] = issue.run_url
    if at.iteration is not None:
        body["iterationId"] = at.iteration
    at.api.post(f"{at.path}/statuses", body, **_version())
    return f"status ctrain/{issue.report.project} of pull request {at.number}: {state}"


def _update(at: PullRequest, known: Posted, issue: Issue) -> str:
    if known.marker.run > issue.run:
        return f"pull request {at.number} has the report of a later run already"
    at.api.patch(f"{at.path}/threads/{known.place}/comments/1", {"content": issue.body(LIMIT)}, **_version())
    at.api.patch(f"{at.path}/threads/{known.place}", {"status": _status(issue)}, **_version())
    return f"updated the thread on pull request {at.number}"


def _ours(at: PullRequest) -> Iterator[Posted]:
    """Threads whose first comment has a marker, and was written by us; anybody can copy a marker."""
    told = at.api.get(f"{at.path}/threads", **_version())
    threads = told.get("value") if isinstance(told, dict) else None
    for thread in threads if isinstance(threads, list) else []:
        for comment in thread.get("comments") or () if isinstance(thread, dict) and not thread.get("isDeleted") else ():
            if comment.get("id") != 1 or comment.get("isDeleted"):
                continue
            marker = marker_of(str(comment.get("content") or ""))
            author = Payload(comment).text("author", "id").lower()
            if marker is not None and author and author == at.identity:
                yield Posted(int(thread["id"]), marker)


def _status(issue: Issue) -> str:
    """Open while a person should look: where it failed, or one has to decide."""
    return "active" if issue.conclusion in ("failure", "action_required") else "closed"


def _version() -> dict[str, str]:
    return {"api-version": VERSION}


def _part(text: str) -> str:
    return quote(text, safe="")
