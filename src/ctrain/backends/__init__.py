"""The worlds that ctrain runs in, opened late: nothing of a backend is imported until it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ctrain.errors import UsageError

if TYPE_CHECKING:
    # Processes of a backend (a job's, a server's) import this package too, and must start fast.
    from ctrain.ports import Backend
    from ctrain.project import Project


@dataclass(frozen=True)
class Visitor:
    """Who opens a backend: how to tell them a line, such as who is signed in, and the CI run that they are, if any.

    `hide` is told every key and token that is fetched, before it is used: nothing that is shown later may show it.
    """

    say: Callable[[str], None]
    run_url: str = ""
    hide: Callable[[str], object] = lambda _secret: None


def _local(project: Project, visitor: Visitor) -> Backend:
    from ctrain.backends.local.connect import connect_local

    return connect_local(project, visitor.run_url, visitor.hide)


def _azureml(project: Project, visitor: Visitor) -> Backend:
    from ctrain.backends.azureml.connect import connect_azureml
    from ctrain.backends.clock import SystemClock

    return connect_azureml(project, SystemClock(), visitor.say, visitor.run_url, visitor.hide)


BACKENDS: Final[dict[str, Callable[[Project, Visitor], Backend]]] = {"local": _local, "azureml": _azureml}


def connect(project: Project, name: str, visitor: Visitor) -> Backend:
    """Open the backend of that name. Raises UsageError, naming those there are, for any other."""
    if name not in BACKENDS:
        raise UsageError(
            f"there is no backend {name!r}",
            why=f"ctrain has: {', '.join(BACKENDS)}",
            hint="choose one with --backend, CTRAIN_BACKEND, or `backend:` in ctrain.yaml",
        )
    return BACKENDS[name](project, visitor)
