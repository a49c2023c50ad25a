"""Where MLflow writes to the registry: a process that is asked on standard input, a JSON document a line.

    python -m ctrain.backends.local.registry_writer HOME

It answers each line with `{"failure": ""}` or a reason, and ends with its input, or when nobody has asked for a while.
It holds the lock while it looks for a digest and registers it: were it the asker who held it, an asker that is
killed would give the lock away while this process is still at work.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrain.backends.local.home import Home
from ctrain.backends.local.publish import exclusive
from ctrain.backends.local.registry import CHAMPION, RegistryRows

if TYPE_CHECKING:
    from mlflow import MlflowClient

IDLE_SECONDS = 300.0


def main(root: str) -> None:
    """Answer until there is nobody left who asks."""
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from mlflow import MlflowClient

    home = Home(Path(root))
    client = MlflowClient(home.tracking_uri, home.tracking_uri)
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps({"failure": _done(json.loads(line), home, client)}), file=answers, flush=True)


def _done(asked: dict[str, Any], home: Home, client: MlflowClient) -> str:
    try:
        if asked["call"] == "register":
            _register(asked, home, client)
        else:
            client.set_registered_model_alias(asked["model"], CHAMPION, str(asked["version"]))
    except Exception as failure:  # noqa: BLE001 - whatever MLflow raises is the asker's to tell
        return f"{type(failure).__name__}: {failure}"
    return ""


def _register(asked: dict[str, Any], home: Home, client: MlflowClient) -> None:
    with exclusive(home.root / "registry.lock"):
        rows = RegistryRows(home)
        if rows.with_digest(asked["model"], asked["digest"]):
            return
        if not rows.has_model(asked["model"]):
            client.create_registered_model(asked["model"])
        # The version and its tags are one transaction: there is none without its digest.
        client.create_model_version(
            asked["model"], asked["source"], run_id=asked["run"], tags=asked["tags"], await_creation_for=0
        )


if __name__ == "__main__":
    main(sys.argv[1])
    # MLflow's modules take a second to be taken down, and the asker waits; all writes are committed by now.
    os._exit(0)
