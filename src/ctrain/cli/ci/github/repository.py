"""A repository on GitHub, as a workflow's run has it: where its API is, which run this is, and who we are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ctrain.cli.ci.caller import Payload, event_of
from ctrain.cli.ci.rest import Api, same_host
from ctrain.cli.terminal import hide
from ctrain.errors import CtrainError, NotAllowed

if TYPE_CHECKING:
    from ctrain.ports import Clock

ACTIONS_BOT = "github-actions[bot]"
"""Who GitHub says wrote what the job's own token wrote."""


@dataclass(frozen=True)
class Repository:
    """Paths of its API are relative to `path`, which is `repos/OWNER/NAME`."""

    api: Api = field(repr=False)
    graph: Api | None = field(repr=False)
    path: str
    sha: str
    run: int
    event: Payload = field(repr=False)
    app: bool = True

    @cached_property
    def logins(self) -> frozenset[str]:
        """Who we are: the account that is said to have written what we write, in lower case.

        A job's token may not ask for its user, but may ask who views a graph; GitHub leaves out an app's `[bot]` there
        at times. Whose token it is by its prefix, see "Behind GitHub's new authentication token formats".
        """
        found = ""
        if self.graph is not None:
            with suppress(CtrainError):
                told = self.graph.post("", {"query": "query { viewer { login } }"})
                found = Payload(told).text("data", "viewer", "login").lower()
        if not found:
            return frozenset({ACTIONS_BOT}) if self.app else frozenset()
        return frozenset({found, f"{found}[bot]"}) if self.app else frozenset({found})

    def close(self) -> None:
        for api in (self.api, self.graph):
            if api is not None:
                api.close()

    def head_of(self, commit: str) -> str:
        """The commit at which a pull request shows what was found of it: its own, not the merge that is checked out."""
        head = self.event.text("pull_request", "head", "sha")
        return head if head and commit in ("", self.sha) else commit or self.sha


def repository(env: Mapping[str, str], clock: Clock) -> Repository:
    """The run's repository. Raises NotAllowed without a token, UsageError for an address that no token may go to."""
    token = env.get("GITHUB_TOKEN") or env.get("GH_TOKEN") or ""
    name = env.get("GITHUB_REPOSITORY", "")
    if not token or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise NotAllowed(
            "there is no token for GitHub",
            why="GITHUB_TOKEN is not set for this step" if not token else "GITHUB_REPOSITORY is not set",
            hint="give the step `env: GITHUB_TOKEN: ${{ github.token }}`",
        )
    hide(token)
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
        "User-Agent": "ctrain",
    }
    base = env.get("GITHUB_API_URL") or "https://api.github.com"
    graph = env.get("GITHUB_GRAPHQL_URL") or (
        "https://api.github.com/graphql" if base == "https://api.github.com" else ""
    )
    run = env.get("GITHUB_RUN_ID", "")
    return Repository(
        api=Api("GitHub", base, headers, clock),
        graph=Api("GitHub", graph, headers, clock) if graph and same_host(graph, base) else None,
        path=f"repos/{name}",
        sha=env.get("GITHUB_SHA", ""),
        run=int(run) if run.isdecimal() else 0,
        event=event_of(env),
        app=token.startswith("ghs_"),
    )
