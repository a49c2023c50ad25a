"""A registered model and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ctrain.training import Scalar


@dataclass(frozen=True)
class Source:
    """The commit we run for. Without a git repository `commit` and `branch` are empty.

    `committed` is when it was committed, in ISO 8601 and UTC; `dirty` says that the working tree differs from it;
    `run_url` is the CI run that called us, if any.
    """

    commit: str = ""
    branch: str = ""
    dirty: bool = False
    pull_request: str = ""
    author: str = ""
    run_url: str = ""
    committed: str = ""

    @property
    def short(self) -> str:
        return self.commit[:7] or "nocommit"


@dataclass(frozen=True)
class Lineage:
    """Why this model exists: enough to train it again, and to say who judged it."""

    commit: str
    branch: str
    dirty: bool
    data: str
    data_digest: str
    parameters: Mapping[str, Scalar]
    job: str
    run_id: str
    release: str
    verdict: str


@dataclass(frozen=True)
class ModelVersion:
    """Immutable once registered. `digest` is the `tree_digest` of the model's files; versions sort as numbers."""

    name: str
    version: int
    digest: str
    uri: str
    lineage: Lineage
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"
