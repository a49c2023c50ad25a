"""Who we are, and what we may do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ctrain.backends.azureml.arm import PROVIDER
from ctrain.backends.azureml.bodies import Json, items
from ctrain.backends.azureml.credential import AUDIENCES, claims_of, github_assertion
from ctrain.backends.azureml.examination.checks import checked, failed
from ctrain.backends.azureml.serving.telemetry import READ
from ctrain.backends.azureml.sign_in import Way
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.serving import AuthMode
from ctrain.verdict import Finding, Outcome

PERMISSIONS: Final = "2022-04-01"

_TRAINING: Final = (
    "workspaces/read", "workspaces/datastores/read", "workspaces/datastores/listSecrets/action",
    "workspaces/computes/read", "workspaces/jobs/read", "workspaces/jobs/write", "workspaces/jobs/cancel/action",
    "workspaces/codes/read", "workspaces/codes/write", "workspaces/codes/versions/read",
    "workspaces/codes/versions/write", "workspaces/components/read", "workspaces/components/write",
    "workspaces/components/versions/read", "workspaces/components/versions/write", "workspaces/environments/read",
    "workspaces/environments/write", "workspaces/environments/versions/read", "workspaces/environments/versions/write",
    "workspaces/data/read", "workspaces/data/write", "workspaces/data/versions/read", "workspaces/data/versions/write",
    "workspaces/experiments/runs/read", *(_MODELS := (
        "workspaces/models/read", "workspaces/models/write", "workspaces/models/versions/read",
        "workspaces/models/versions/write",
    )),
)  # fmt: skip
"""What training, registering and the ledger ask for; by the paths that ctrain and the SDK call."""

_SERVING: Final = (
    "workspaces/read", "workspaces/onlineEndpoints/read", "workspaces/onlineEndpoints/write",
    "workspaces/onlineEndpoints/deployments/read", "workspaces/onlineEndpoints/deployments/write",
    "workspaces/onlineEndpoints/deployments/delete", "workspaces/onlineEndpoints/deployments/getLogs/action",
    *_MODELS,
)  # fmt: skip

_ASKING: Final[dict[AuthMode, str]] = {
    "key": "workspaces/onlineEndpoints/listKeys/action",
    "aml_token": "workspaces/onlineEndpoints/token/action",
    "aad_token": "workspaces/onlineEndpoints/score/action",
}


def training_actions() -> Sequence[str]:
    """All actions that the project's own workspace asks for."""
    return [f"{PROVIDER}/{action}" for action in _TRAINING]


def serving_actions(auth_mode: AuthMode) -> Sequence[str]:
    """All actions that a stage's workspace asks for."""
    return [f"{PROVIDER}/{action}" for action in (*_SERVING, _ASKING[auth_mode])]


@dataclass(frozen=True)
class Grant:
    """What a role gives: patterns with `*`, less those that it does not."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...]

    def allows(self, action: str) -> bool:
        return _among(action, self.actions) and not _among(action, self.not_actions)


def _among(action: str, patterns: Sequence[str]) -> bool:
    """Azure's own matching: `*` stands for anything, also across slashes, and capitals do not matter."""
    return any(
        re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), action, re.IGNORECASE)
        for pattern in patterns
    )


def _grant(body: Json) -> Grant:
    def patterns(key: str) -> tuple[str, ...]:
        return tuple(one for one in items(body, key) if isinstance(one, str))

    return Grant(patterns("actions"), patterns("notActions"))


def sign_in(session: AzureSession) -> Iterator[Finding]:
    """The cloud, how we sign in, as whom; on GitHub what the federated credential must say."""
    yield checked("cloud", lambda: session.cloud.name)
    way = checked("sign-in", lambda: f"by {session.sign_in.way}, as {session.sign_in.because}")
    yield way
    if way.outcome is not Outcome.PASS:
        return
    if session.sign_in.way is Way.GITHUB:
        yield checked("github subject", lambda: _subject(session))
    yield checked("identity", lambda: str(session.identity))


def _subject(session: AzureSession) -> str:
    """What GitHub says we are. The forms are those of GitHub's "OpenID Connect reference"."""
    claims = claims_of(github_assertion(session.sign_in, session.cloud, session.sign_in_transport)())
    repository, number = os.environ.get("GITHUB_REPOSITORY", "OWNER/REPO"), os.environ.get("GITHUB_REPOSITORY_ID", "ID")
    owner, _, name = repository.partition("/")
    numbered = f"{owner}@{os.environ.get('GITHUB_REPOSITORY_OWNER_ID', 'ID')}/{name}@{number}"
    return (
        f"{claims.get('sub')}; the app's federated credential must have exactly this subject, the issuer"
        f" {claims.get('iss')} and the audience {AUDIENCES[session.cloud.name]} (repositories made since 2026-07-15"
        f" say repo:{numbered}:..., older ones repo:{repository}:...)"
    )


def permissions(subject: str, workspace: AzureWorkspace, needed: Sequence[str]) -> Finding:
    """Whether we may do all that is needed there; what we may not is named."""
    found, missing = _allowed(subject, workspace, needed, f"all {len(needed)} actions that ctrain needs are allowed")
    if found.outcome is not Outcome.PASS or not missing:
        return found
    fix = f"ask for a role on {workspace.address} that has them, such as AzureML Data Scientist"
    return failed(subject, f"{len(missing)} actions are not allowed, {', '.join(missing)}", fix)


def measurements(subject: str, workspace: AzureWorkspace) -> Finding:
    """Whether we may read what Azure Monitor counts. Without it a version is watched by ctrain's own requests alone."""
    found, missing = _allowed(subject, workspace, [READ], "Azure Monitor's counts of users' requests may be read")
    if found.outcome is not Outcome.PASS or not missing:
        return replace(found, blocking=False)
    says = f"errors that only users see will not be noticed while a version is watched: {READ} is not allowed"
    fix = f"ask for the role Monitoring Reader on {workspace.address}"
    return Finding(subject, Outcome.INCONCLUSIVE, f"{says}; {fix}", blocking=False)


def _allowed(subject: str, workspace: AzureWorkspace, needed: Sequence[str], says: str) -> tuple[Finding, list[str]]:
    """A finding that says so, or why it cannot be told; and what is not allowed."""
    grants: list[Grant] = []

    def ask() -> str:
        listed = workspace.arm.list("providers/Microsoft.Authorization/permissions", PERMISSIONS)
        grants.extend(_grant(body) for body in listed)
        return says

    found = checked(subject, ask)
    return found, [action for action in needed if not any(grant.allows(action) for grant in grants)]
