"""What a project asks of the gate: the `gate` and `evaluation` sections of ctrain.yaml, as plain values.

These classes hold anything of the right types; `ctrain.gate.check` says what contradicts itself, and where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

Direction = Literal["up", "down"]
Task = Literal["binary", "regression"]

_FORBID = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one metric has to show. `direction` says which way is better.

    `non_inferior`: the challenger is at most `margin` (in the metric's own unit) worse than the champion, by the
    bound of the paired interval. `absolute`: only the limits count. A `floor` (direction up) or a `ceiling`
    (direction down) may stand in either kind; it is compared with the measured value (`judged_by: estimate`), as
    whoever writes "at least 0.70" expects, or with the interval's bound (`judged_by: interval`), which asks for proof.
    `source: logged` takes the value that the training logged to MLflow instead of computing it from the rows; only
    limits can then be judged. A rule that is not `blocking` is shown and decides nothing.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    direction: Direction
    rule: Literal["absolute", "non_inferior"]
    margin: float | None = None
    floor: float | None = None
    ceiling: float | None = None
    judged_by: Literal["estimate", "interval"] = "estimate"
    source: Literal["rows", "logged"] = "rows"
    blocking: bool = True


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Columns within whose values every `non_inferior` metric is judged again, with this margin.

    A value with fewer than `min_rows` rows is reported and decides nothing.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    by: tuple[str, ...]
    margin: float
    min_rows: int = 200


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The rules by metric name, and how sure to be.

    `confidence` is that of the two-sided interval, so that at 0.95 a model that is worse by exactly the margin passes
    in 2.5% of cases. On fewer than `min_rows` rows nothing is decided. `resamples` and `seed` are the bootstrap's.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    metrics: Mapping[str, Rule] = field(default_factory=dict)
    slices: Slices | None = None
    confidence: float = 0.95
    min_rows: int = 100
    resamples: int = 2000
    seed: int = 0

    @property
    def slice_columns(self) -> tuple[str, ...]:
        return self.slices.by if self.slices else ()


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Where the row-level predictions are: the pipeline's output, and the names of its columns.

    `group` names a column whose equal values mark rows that belong together (the visits of one person): they then
    count as one unit of evidence. `threshold`: a prediction at or above it is a positive decision.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    output: str
    row_id: str
    label: str
    prediction: str = "prediction"
    champion: str = "champion_prediction"
    group: str | None = None
    task: Task = "binary"
    threshold: float = 0.5
