"""GitHub's REST API on loopback, as far as ctrain uses it: comments, check runs, deployments, and who we are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ci.services import openapi
from tests.ci.services.listening import Asked, Reply, Service, listening, page_of

TOKEN = "ghs_" + "t0ken" * 8
NUMBER = 17


@dataclass
class GitHub(Service):
    """The repository `team/visits`. `login` is whose token it is; a token that is `readonly` may not write.

    `tokens` are those of jobs, each with what its job's `permissions` say.
    """

    login: str = "github-actions[bot]"
    readonly: bool = False
    tokens: dict[str, Mapping[str, str]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    before_create: Callable[[], None] | None = None
    ids: int = 100

    def comment(self, body: str, login: str | None = None) -> dict[str, Any]:
        """Somebody comments."""
        made = {"id": self._id(), "body": body, "user": {"login": login or self.login, "type": "Bot"}}
        self.comments.append(made)
        return made

    def deploy(self, environment: str, sha: str, log_url: str) -> None:
        """GitHub makes a deployment by itself, for a job that is bound to an environment."""
        number = self._id()
        made = {"id": number, "environment": environment, "sha": sha, "payload": {}, "task": "deploy"}
        self.deployments.append(made)
        self.statuses[number] = [{"state": "in_progress", "log_url": log_url}]

    def told(self, deployment: dict[str, Any]) -> list[str]:
        """The states of a deployment, oldest first."""
        return [one["state"] for one in self.statuses.get(deployment["id"], [])]

    def _id(self) -> int:
        self.ids += 1
        return self.ids

    def answer(self, asked: Asked) -> Reply:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token != TOKEN and token not in self.tokens:
            return Reply(401, {"message": "Bad credentials"})
        if asked.path == "/graphql":
            return Reply(200, {"data": {"viewer": {"login": self.login}}})
        if openapi.known():
            self.complaints += openapi.problems(asked)
        if token in self.tokens and not _lets(self.tokens[token], asked):
            return Reply(403, {"message": "Resource not accessible by integration"})
        if self.readonly and asked.method != "GET":
            return Reply(403, {"message": "Resource not accessible by integration"})
        for pattern, answer in _ROUTES.items():
            method, _, path = pattern.partition(" ")
            found = re.fullmatch(f"/repos/team/visits{path}", asked.path)
            if method == asked.method and found:
                return answer(self, asked, *found.groups())
        return Reply(404, {"message": "Not Found"})

    # what each address answers

    def list_comments(self, asked: Asked, _number: str) -> Reply:
        return page_of(self.comments, asked, self.url)

    def create_comment(self, asked: Asked, _number: str) -> Reply:
        if len(asked.body["body"]) > 65_536:
            return Reply(422, {"message": "Body is too long (maximum is 65536 characters)"})
        if self.before_create is not None:
            self.before_create()
        return Reply(201, self.comment(asked.body["body"]))

    def update_comment(self, asked: Asked, number: str) -> Reply:
        comment = next((one for one in self.comments if one["id"] == int(number)), None)
        if comment is None:
            return Reply(404, {"message": "Not Found"})
        if len(asked.body["body"]) > 65_536:
            return Reply(422, {"message": "Body is too long (maximum is 65536 characters)"})
        comment["body"] = asked.body["body"]
        return Reply(200, comment)

    def delete_comment(self, _asked: Asked, number: str) -> Reply:
        self.comments = [one for one in self.comments if one["id"] != int(number)]
        return Reply(204)

    def list_checks(self, asked: Asked, sha: str) -> Reply:
        found = [
            one
            for one in self.checks
            if one["head_sha"] == sha and one["name"] == asked.query.get("check_name", one["name"])
        ]
        return Reply(200, {"total_count": len(found), "check_runs": found})

    def create_check(self, asked: Asked) -> Reply:
        made = {**asked.body, "id": self._id(), "annotations": list(asked.body["output"].get("annotations", []))}
        self.checks.append(made)
        return Reply(201, made)

    def update_check(self, asked: Asked, number: str) -> Reply:
        check = next(one for one in self.checks if one["id"] == int(number))
        notes = check["annotations"] + asked.body["output"].get("annotations", [])
        check.update(asked.body)
        check["annotations"] = notes
        return Reply(200, check)

    def list_deployments(self, asked: Asked) -> Reply:
        wanted = {key: asked.query[key] for key in ("environment", "sha") if key in asked.query}
        found = [one for one in self.deployments if all(one[key] == value for key, value in wanted.items())]
        return page_of(list(reversed(found)), asked, self.url)

    def create_deployment(self, asked: Asked) -> Reply:
        if re.fullmatch("[0-9a-f]{40}", asked.body["ref"]) is None:
            return Reply(422, {"message": f"No ref found for: {asked.body['ref']}"})
        made = {**asked.body, "id": self._id(), "sha": asked.body["ref"]}
        self.deployments.append(made)
        return Reply(201, made)

    def list_statuses(self, asked: Asked, number: str) -> Reply:
        return page_of(list(reversed(self.statuses.get(int(number), []))), asked, self.url)

    def create_status(self, asked: Asked, number: str) -> Reply:
        self.statuses.setdefault(int(number), []).append(dict(asked.body))
        return Reply(201, asked.body)


_NEEDS = {"/issues/": "pull-requests", "/check-runs": "checks", "/deployments": "deployments"}
"""What a job's token needs. Source: "Permissions required for GitHub Apps" of its REST reference."""


def _lets(permissions: Mapping[str, str], asked: Asked) -> bool:
    needed = next((scope for part, scope in _NEEDS.items() if part in asked.path), "contents")
    given = permissions.get(needed, "none")
    return given == "write" or (given == "read" and asked.method == "GET")


_ROUTES: dict[str, Callable[..., Reply]] = {
    "GET /issues/(\\d+)/comments": GitHub.list_comments,
    "POST /issues/(\\d+)/comments": GitHub.create_comment,
    "PATCH /issues/comments/(\\d+)": GitHub.update_comment,
    "DELETE /issues/comments/(\\d+)": GitHub.delete_comment,
    "GET /commits/([^/]+)/check-runs": GitHub.list_checks,
    "POST /check-runs": GitHub.create_check,
    "PATCH /check-runs/(\\d+)": GitHub.update_check,
    "GET /deployments": GitHub.list_deployments,
    "POST /deployments": GitHub.create_deployment,
    "GET /deployments/(\\d+)/statuses": GitHub.list_statuses,
    "POST /deployments/(\\d+)/statuses": GitHub.create_status,
}


@contextmanager
def github() -> Iterator[GitHub]:
    """A GitHub that listens until the end."""
    service = GitHub("")
    with listening(service, service.answer):
        yield service
