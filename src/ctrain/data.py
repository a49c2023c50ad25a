"""A pinned data set, and what a sample of it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleSpec:
    """A deterministic share of the rows.

    A row is in by a hash of its key alone, so that a row that is in stays in as the data grows.
    `fraction` is in (0, 1]; `stratify` names a column within whose values the share is kept.
    """

    fraction: float
    key: str
    stratify: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class DataVersion:
    """A data set pinned by content: `digest` is a sha256 in hex, `size` is in bytes.

    `uri` is a path on the local backend and `azureml:name:version` on Azure ML. `rows` is unknown
    (None) for formats whose rows cannot be counted cheaply.
    """

    name: str
    version: str
    digest: str
    uri: str
    size: int
    rows: int | None = None
    sample: SampleSpec | None = None
