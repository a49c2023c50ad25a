"""Code of strangers gets no model to production, and none of the repository's secrets."""

from __future__ import annotations

from typing import Literal

from ctrain.cli.ci.caller import Caller
from ctrain.errors import UsageError

Act = Literal["train", "deploy"]


def refuse_strangers(who: Caller, act: Act) -> None:
    """Raises UsageError where this run may be of a stranger's code, and that must not do this.

    Nothing is deployed from there. Training runs that code, so there is training only where the CI keeps its secrets
    away by itself, as GitHub does for the `pull_request` event of a fork.
    """
    if not who.stranger or (act == "train" and not who.exposed):
        return
    raise UsageError(
        f"this run must not {act}",
        why=f"{who.stranger}; what it would run or deploy may be a stranger's code",
        hint="let `pull_request` train and judge without secrets, and deploy what was merged, from a push"
        if who.exposed
        else "deploy what was merged, from a push",
    )
