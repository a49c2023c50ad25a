"""What a project asks of the gate: the `gate` and `evaluation` sections of ctrain.yaml, as plain values.

These classes hold anything of the right types; `ctrain.gate.check` says what contradicts itself, and where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from ctrain.training import Scalar

Direction = Literal["up", "down"]
Task = Literal["binary", "multiclass", "regression", "ranking"]
Kind = Literal["absolute", "non_inferior", "superior", "equivalent"]
Margin = float | str
Baseline = Literal["majority", "mean", "median"]

_FORBID = {"extra": "forbid"}
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")


@dataclass(frozen=True)
class Allowance:
    """A margin as a number: in the metric's own unit, or (`relative`) as a share of the champion's value."""

    size: float
    relative: bool = False


def allowance(margin: Margin | None) -> Allowance:
    """`0.005` is a difference in the metric's unit; `"2%"` is (challenger - champion) / |champion|, and nothing else.

    None is no margin at all: zero. Raises ValueError for other text.
    """
    if not isinstance(margin, str):
        return Allowance(float(margin or 0.0))
    found = _PERCENT.fullmatch(margin.strip())
    if found is None:
        raise ValueError(f"{margin!r} is no margin")
    return Allowance(float(found[1]) / 100, relative=True)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one metric has to show. `direction` says which way is better.

    Of the paired difference to the champion on the same rows, by its whole interval: `non_inferior`, at most `margin`
    worse; `superior`, more than `margin` (by default zero) better; `equivalent`, within `margin` either way.
    `absolute`: only the limits count.

    A `floor` (direction up) or a `ceiling` (direction down) may stand in any kind; the interval's worse bound must
    keep it (`judged_by: interval`, the default), or the measured value (`estimate`). `beats` names trivial baselines
    that the challenger must be better than, champion or not. `source: logged` takes the value that the training logged
    to MLflow instead of computing it from the rows; it has no interval, so only limits of its value can be judged.
    `function` names the project's own metric, as `folder/file.py:name` from the project file's folder; `columns` are
    what it gets beside label and prediction, `timeout` the seconds it may take.
    A rule that is not `blocking` is shown and decides nothing.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    direction: Direction
    rule: Kind
    margin: Margin | None = None
    floor: float | None = None
    ceiling: float | None = None
    judged_by: Literal["estimate", "interval"] | None = None
    source: Literal["rows", "logged"] = "rows"
    beats: tuple[Baseline, ...] = ()
    function: str | None = None
    columns: tuple[str, ...] = ()
    timeout: float = 60.0
    blocking: bool = True

    @property
    def compares(self) -> bool:
        """Whether the champion is needed."""
        return self.rule != "absolute"

    @property
    def by_interval(self) -> bool:
        """Whether limits are judged by the interval's bound."""
        return self.source == "rows" and self.judged_by != "estimate"


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Columns within whose values every metric that is compared is judged again, as non-inferior with this margin.

    A value with fewer than `min_rows` rows is reported and decides nothing, unless `expect` names it: then it must be
    there, with as many. `on_inconclusive: advise` shows slices that too few rows could not decide, and goes on.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    by: tuple[str, ...]
    margin: Margin
    min_rows: int = 200
    expect: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    on_inconclusive: Literal["block", "advise"] = "block"


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Look for the parts of the rows where the model is weakest, and show the `most` weakest. They decide nothing.

    `among` names the columns to look at (without it, all that the gate does not use otherwise); numbers are cut into
    four. A segment has at least `min_rows` rows in the half that is measured.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    among: tuple[str, ...] = ()
    most: int = 3
    min_rows: int = 200


Undecided = Literal["neutral", "block", "extend"]


@dataclass(frozen=True, kw_only=True)
class Extend:
    """How the pipeline is asked for more evaluation rows: by its `input`, set to `value`.

    Only the evaluation may depend on that input: the model must come out as it was, byte for byte.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    input: str
    value: Scalar


@dataclass(frozen=True, kw_only=True)
class OnInconclusive:
    """What a verdict that too few rows left open means, by trigger.

    `block`: a person decides. `neutral`: the release ends there, and that is no failure. In neither case anything is
    registered or deployed. `extend`: look a second time, at more rows (see `Extend`), and block if that is not enough.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    pull_request: Undecided = "neutral"
    main: Undecided = "block"
    schedule: Undecided = "block"
    drift: Undecided = "block"
    manual: Undecided = "block"

    def of(self, trigger: str) -> Undecided:
        """By the trigger's name. Raises AttributeError for one that there is not."""
        found: Undecided = getattr(self, trigger)
        return found


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """The rules by metric name, and how sure to be.

    `confidence` is that of the two-sided interval, so that at 0.95 a model that is worse by exactly the margin passes
    in 2.5% of cases. On fewer than `min_rows` rows nothing is decided. `resamples` and `seed` are the bootstrap's.
    """

    __pydantic_config__: ClassVar[Mapping[str, str]] = _FORBID

    metrics: Mapping[str, Rule] = field(default_factory=dict)
    slices: Slices | None = None
    segments: Segments | None = None
    on_inconclusive: OnInconclusive = field(default_factory=OnInconclusive)
    extend: Extend | None = None
    confidence: float = 0.95
    min_rows: int = 100
    resamples: int = 2000
    seed: int = 0

    @property
    def slice_columns(self) -> tuple[str, ...]:
        return self.slices.by if self.slices else ()

    def at_each_look(self, trigger: str) -> GateSettings:
        """The settings for one look at the rows.

        Where there may be a second one, each has half of the error: looking twice and taking the better of two would
        otherwise be wrong nearly twice as often (Bonferroni).
        """
        if self.on_inconclusive.of(trigger) != "extend":
            return self
        return replace(self, confidence=1 - (1 - self.confidence) / 2)

    @property
    def metric_columns(self) -> tuple[str, ...]:
        """What the project's own metrics read beside label and prediction."""
        return tuple(dict.fromkeys(column for rule in self.metrics.values() for column in rule.columns))


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Where the row-level predictions are: the pipeline's output, and the names of its columns.

    `group` names a column whose equal values mark rows that belong together (the visits of one person): they then
    count as one unit of evidence; for a ranking it is the query. `threshold`: a prediction at or above it is a positive
    decision. `classes` are those of a `multiclass` task, whose probabilities are in columns named after the
    prediction's column and the class, such as `prediction_low`.
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
    classes: tuple[str, ...] = ()
