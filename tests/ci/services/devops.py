"""Azure DevOps' REST API on loopback, as far as ctrain uses it: threads and statuses of a pull request.

Bodies are held to the models of Microsoft's `azure-devops` package, which are made of its published API (7.1). Paths
and the values of enums are in no package: those here are of its OpenAPI description (specification/git/7.1/git.json in
MicrosoftDocs/vsts-rest-api-specs at adb2878).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.ci.services.listening import Asked, Reply, Service, listening

TOKEN = "eyJ0b2tlbg.eyJzdWIi." + "t0ken" * 8
PROJECT = "5f1e0d6c-0000-4000-8000-000000000001"
REPOSITORY = "5f1e0d6c-0000-4000-8000-000000000002"
NUMBER = 17
US = "5f1e0d6c-0000-4000-8000-00000000beef"
THREAD_STATES = {"unknown", "active", "fixed", "wontFix", "closed", "byDesign", "pending"}
STATUS_STATES = {"notSet", "pending", "succeeded", "failed", "error", "notApplicable", "partiallySucceeded"}
COMMENT_TYPES = {"unknown", "text", "codeChange", "system"}


@dataclass
class DevOps(Service):
    """One pull request. A token that is `readonly` may not write."""

    readonly: bool = False
    threads: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    before_create: Callable[[], None] | None = None

    def thread(self, content: str, author: str = US) -> dict[str, Any]:
        """Somebody begins a thread."""
        comment = {"id": 1, "content": content, "author": {"id": author}, "isDeleted": False}
        made = {"id": len(self.threads) + 1, "comments": [comment], "status": "active", "isDeleted": False}
        self.threads.append(made)
        return made

    def standing(self) -> list[dict[str, Any]]:
        """Threads that people see."""
        return [one for one in self.threads if not one["comments"][0]["isDeleted"]]

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(203, page="<html>Sign in</html>")
        expected = "7.1-preview.1" if asked.path.endswith("connectionData") else "7.1"
        if asked.query.get("api-version") != expected:
            self.complaints.append(f"{asked}: the api-version is {asked.query.get('api-version')}")
        if asked.path == "/team/_apis/connectionData":
            return Reply(200, {"authenticatedUser": {"id": US.upper()}})
        if self.readonly and asked.method != "GET":
            return Reply(403, {"message": "TF401027: You need the Git 'PullRequestContribute' permission"})
        below = f"/team/{PROJECT}/_apis/git/repositories/{REPOSITORY}/pullRequests/{NUMBER}"
        for pattern, (answer, model) in _ROUTES.items():
            method, _, path = pattern.partition(" ")
            found = re.fullmatch(re.escape(below) + path, asked.path)
            if method == asked.method and found:
                if model:
                    self.complaints += [f"{asked}: {one}" for one in unknown(asked.body, model)]
                return answer(self, asked, *found.groups())
        return Reply(404, {"message": "not found"})

    # what each address answers

    def list_threads(self, _asked: Asked) -> Reply:
        return Reply(200, {"value": self.threads, "count": len(self.threads)})

    def create_thread(self, asked: Asked) -> Reply:
        if asked.body["status"] not in THREAD_STATES or asked.body["comments"][0]["commentType"] not in COMMENT_TYPES:
            return Reply(400, {"message": "not a value of the enum"})
        if len(asked.body["comments"][0]["content"]) > 150_000:
            return Reply(400, {"message": "the comment is too long"})
        if self.before_create is not None:
            self.before_create()
        made = self.thread(asked.body["comments"][0]["content"])
        made["status"] = asked.body["status"]
        return Reply(200, made)

    def update_thread(self, asked: Asked, number: str) -> Reply:
        if asked.body["status"] not in THREAD_STATES:
            return Reply(400, {"message": "not a value of the enum"})
        self.threads[int(number) - 1].update(asked.body)
        return Reply(200, self.threads[int(number) - 1])

    def update_comment(self, asked: Asked, thread: str, comment: str) -> Reply:
        self.threads[int(thread) - 1]["comments"][int(comment) - 1].update(asked.body)
        return Reply(200, {})

    def delete_comment(self, _asked: Asked, thread: str, comment: str) -> Reply:
        self.threads[int(thread) - 1]["comments"][int(comment) - 1]["isDeleted"] = True
        return Reply(200)

    def list_iterations(self, _asked: Asked) -> Reply:
        pushes = [{"id": number, "sourceRefCommit": {"commitId": f"{number}" * 40}} for number in (1, 2, 3)]
        return Reply(200, {"value": pushes, "count": len(pushes)})

    def create_status(self, asked: Asked) -> Reply:
        if asked.body["state"] not in STATUS_STATES or not asked.body["context"]["name"]:
            return Reply(400, {"message": "not a status"})
        self.statuses.append(dict(asked.body))
        return Reply(200, asked.body)


_ROUTES: dict[str, tuple[Callable[..., Reply], str]] = {
    "GET /threads": (DevOps.list_threads, ""),
    "GET /iterations": (DevOps.list_iterations, ""),
    "POST /threads": (DevOps.create_thread, "GitPullRequestCommentThread"),
    "PATCH /threads/(\\d+)": (DevOps.update_thread, "GitPullRequestCommentThread"),
    "PATCH /threads/(\\d+)/comments/(\\d+)": (DevOps.update_comment, "Comment"),
    "DELETE /threads/(\\d+)/comments/(\\d+)": (DevOps.delete_comment, ""),
    "POST /statuses": (DevOps.create_status, "GitPullRequestStatus"),
}

_PLAIN = {"str": str, "int": int, "bool": bool, "object": object}


def unknown(body: Any, model: str) -> Iterator[str]:
    """What is in a body that Microsoft's model of it does not have, or has of another type."""
    from azure.devops.v7_1.git import models

    attributes = {one["key"]: one["type"] for one in getattr(models, model)._attribute_map.values()}
    for key, value in body.items():
        kind = attributes.get(key)
        if kind is None:
            yield f"{model} has no {key}"
        elif kind.startswith("["):
            for item in value:
                yield from unknown(item, kind.strip("[]"))
        elif kind in _PLAIN:
            if not isinstance(value, _PLAIN[kind]):
                yield f"{model}.{key} is of type {kind}"
        elif isinstance(value, dict):
            yield from unknown(value, kind)
        else:
            yield f"{model}.{key} is of type {kind}"


@contextmanager
def devops() -> Iterator[DevOps]:
    """An Azure DevOps that listens until the end."""
    service = DevOps("")
    with listening(service, service.answer):
        yield service
