"""One contradiction in ctrain.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from ctrain.document import Keys


@dataclass(frozen=True)
class Problem:
    """`keys` lead from the root of ctrain.yaml to the value at fault, e.g. `("gate", "metrics", "auc", "margin")`."""

    keys: Keys
    what: str
    why: str
    hint: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why} ({self.hint})"
