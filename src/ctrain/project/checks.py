"""What the types cannot say: names, bounds, and settings that contradict each other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ctrain.bake import BakeSettings
from ctrain.document import Keys, Plain, nearest
from ctrain.gate import Problem
from ctrain.gate import check as check_gate
from ctrain.project.keys import ANY
from ctrain.project.project import rule_of, workspace_of
from ctrain.project.refusals import dotted
from ctrain.project.settings import DataUse, ProjectFile, StageSettings, Trigger, TriggerSettings
from ctrain.rollout import RolloutSettings, Step, at_share, seconds_of
from ctrain.serving import WorkspaceAddress

NAME = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9])*")
INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
ENDPOINT = re.compile(r"(?=.{3,32}$)[a-z](-?[a-z0-9])*")
"""Azure ML's rule for endpoint names, without the capitals that its hosts' names do not keep.

Source: "Manage and increase quotas and limits for resources", Microsoft Learn, on online endpoints.
"""


@dataclass(frozen=True)
class Bound:
    """The numbers that a key takes: at least (or `above`) the one, at most the other."""

    low: float
    high: float = math.inf
    above: bool = False

    def __contains__(self, number: float) -> bool:
        return (self.low < number if self.above else self.low <= number) and number <= self.high

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        if math.isinf(self.high):
            return low
        return f"above {self.low:g}, up to {self.high:g}" if self.above else f"from {self.low:g} to {self.high:g}"


_DEPLOYMENT = {
    "instance_count": Bound(1, 50),
    "request_timeout_ms": Bound(1, 180_000),
    "max_concurrent_requests": Bound(1, 1000),
}
"""50 instances and 180 s are Azure ML's limits; source as for `ENDPOINT`."""

_PROBE = {
    "initial_delay": Bound(0, 3600),
    "period": Bound(1, 3600),
    "timeout": Bound(1, 3600),
    "failure_threshold": Bound(1, 1000),
    "success_threshold": Bound(1, 1000),
}

BOUNDS: Mapping[Keys, Bound] = {
    ("data", "sample", "fraction"): Bound(0, 1, above=True),
    ("backends", "local", "cores"): Bound(1, 1024),
    ("stages", ANY, "smoke", "golden"): Bound(0, 1000),
    ("stages", ANY, "rollout", "mirror"): Bound(0, 50),
    ("stages", ANY, "rollout", "judge", "errors"): Bound(0, 0.5, above=True),
    ("stages", ANY, "rollout", "judge", "changed"): Bound(0, 0.5, above=True),
    ("stages", ANY, "rollout", "judge", "drift"): Bound(0, 0.5, above=True),
    ("stages", ANY, "rollout", "judge", "p95_ms"): Bound(0, above=True),
    ("stages", ANY, "rollout", "judge", "tolerance"): Bound(0),
    ("stages", ANY, "rollout", "judge", "per_second"): Bound(0, 50, above=True),
    ("stages", ANY, "rollout", "judge", "min_requests"): Bound(1, 1_000_000),
    ("stages", ANY, "rollout", "judge", "false_alarms"): Bound(0, 0.5, above=True),
    ("stages", ANY, "smoke", "tolerance"): Bound(0),
    ("stages", ANY, "smoke", "p95_ms"): Bound(0, above=True),
    ("stages", ANY, "smoke", "load", "seconds"): Bound(0, 600, above=True),
    ("stages", ANY, "smoke", "load", "concurrency"): Bound(1, 64),
    ("stages", ANY, "smoke", "load", "p95_ms"): Bound(0, above=True),
    **{("deployment", key): bound for key, bound in _DEPLOYMENT.items()},
    **{("stages", ANY, "deployment", key): bound for key, bound in _DEPLOYMENT.items()},
    **{("deployment", probe, key): bound for probe in ("liveness", "readiness") for key, bound in _PROBE.items()},
    **{
        ("stages", ANY, "deployment", probe, key): bound
        for probe in ("liveness", "readiness")
        for key, bound in _PROBE.items()
    },
}


def unfit_values(value: Plain, keys: Keys = ()) -> Iterator[Problem]:
    """What no setting may be: not a number, infinite, larger than a machine's integers, or text of control bytes."""
    match value:
        case float() if not math.isfinite(value):
            yield Problem(keys, f"`{dotted(keys)}` must be finite", f"it is {value}", "write a plain number")
        case int() if value.bit_length() > 63:
            what = f"`{dotted(keys)}` is too large"
            yield Problem(keys, what, f"it has {value.bit_length()} bits, and 63 is the limit", "correct the number")
        case str() if _UNPRINTABLE.search(value):
            yield Problem(
                keys, f"`{dotted(keys)}` is not plain text", "it holds a control character", "write it without"
            )
        case dict():
            for key, item in value.items():
                yield from unfit_values(key, (*keys, key))
                yield from unfit_values(item, (*keys, key))
        case list():
            for place, item in enumerate(value):
                yield from unfit_values(item, (*keys, place))
        case _:
            pass


def check(file: ProjectFile, written: Plain) -> Iterator[Problem]:
    """Every contradiction in a file whose types are right. `written` is the same as plain values."""
    yield from _bounds(written, ())
    yield from _names(file)
    yield from _data(file)
    yield from check_gate(file.gate, file.evaluation)
    yield from _stages(file)
    for trigger in Trigger:
        yield from _trigger(file, trigger)
    if file.backend == "azureml" and file.backends.azureml is None:
        yield Problem(
            ("backend",),
            "the azureml backend is not configured",
            "there is no `backends.azureml`",
            "add it with subscription_id, resource_group and workspace",
        )


def _bounds(value: Plain, keys: Keys) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _bounds(item, (*keys, key))
    elif isinstance(value, int | float):
        general = (keys[0], ANY, *keys[2:]) if keys[0] == "stages" else keys
        bound = BOUNDS.get(general)
        if bound is not None and value not in bound:
            yield Problem(keys, f"`{dotted(keys)}` must be {bound}", f"it is {value}", "correct the number")


def _names(file: ProjectFile) -> Iterator[Problem]:
    if not NAME.fullmatch(file.project):
        yield _bad_name(("project",), file.project, "letters, digits and single dashes")
    if not MODEL.fullmatch(file.model.name):
        yield _bad_name(("model", "name"), file.model.name, "letters, digits, dashes and underscores, at most 255")
    ports: dict[Keys, str] = {
        ("data", "input"): file.data.input,
        ("model", "output"): file.model.output,
        ("model", "champion_input"): file.model.champion_input,
        ("evaluation", "output"): file.evaluation.output,
        **{("parameters", name): name for name in file.parameters},
    }
    for keys, name in ports.items():
        if not INPUT.fullmatch(name):
            yield _bad_name(keys, name, "letters, digits and underscores, as a pipeline's inputs and outputs have")


def _bad_name(keys: Keys, name: str, rule: str) -> Problem:
    return Problem(keys, f"{name[:60]!r} cannot be used as a name here", f"names take {rule}", "choose another name")


def _data(file: ProjectFile) -> Iterator[Problem]:
    for keys, text in ((("pipeline",), file.pipeline), (("data", "local"), file.data.local)):
        if not text.strip():
            yield Problem(keys, f"`{dotted(keys)}` is no path", f"it is {text!r}", "write a path relative to this file")
    azureml = file.data.azureml
    if azureml is not None and not azureml.startswith("azureml:"):
        yield Problem(
            ("data", "azureml"),
            f"{azureml[:60]!r} is no data asset",
            "a reference starts with `azureml:`",
            "write `azureml:name@latest` or `azureml:name:version`",
        )
    for name in sorted({file.data.input, file.model.champion_input} & set(_parameters(file))):
        yield Problem(
            ("parameters", name) if name in file.parameters else ("triggers",),
            f"the parameter {name!r} is filled in by ctrain",
            "it is the input that takes the data, or the champion",
            "remove it from the parameters",
        )


def _parameters(file: ProjectFile) -> Iterator[str]:
    yield from file.parameters
    for trigger in file.triggers.values():
        yield from trigger.parameters


def _stages(file: ProjectFile) -> Iterator[Problem]:
    owners: dict[tuple[WorkspaceAddress | None, str], str] = {}
    for name, stage in file.stages.items():
        keys: Keys = ("stages", name)
        if not NAME.fullmatch(name):
            yield _bad_name(keys, name, "letters, digits and single dashes")
        if not ENDPOINT.fullmatch(stage.endpoint):
            yield _bad_name(
                (*keys, "endpoint"),
                stage.endpoint,
                "3 to 32 lower-case letters, digits and single dashes, starting with a letter",
            )
        place = (workspace_of(file, stage), stage.endpoint)
        if place in owners:
            yield Problem(
                (*keys, "endpoint"),
                f"two stages share the endpoint {stage.endpoint!r}",
                f"{owners[place]} has it already, and each stage serves its own model",
                "give each stage its own endpoint",
            )
        owners.setdefault(place, name)
        yield from _rollout(keys, stage)
        if file.evaluation.task == "multiclass" and stage.smoke.golden:
            yield Problem(
                (*keys, "smoke", "golden"),
                f"{name} cannot be asked golden requests",
                "they compare one number a row, and a multiclass model answers with a class, or one number a class",
                "write `smoke: {golden: 0}` for this stage",
            )
        if stage.azureml is not None and file.backends.azureml is None:
            yield Problem(
                (*keys, "azureml"),
                f"the workspace of {name} cannot be used",
                "there is no `backends.azureml`, which says where the project itself is",
                "add it with subscription_id, resource_group and workspace",
            )


def _rollout(keys: Keys, stage: StageSettings) -> Iterator[Problem]:
    """What a strategy needs: time to watch in, something to ask, and a limit to judge by."""
    at, settings = (*keys, "rollout"), stage.rollout
    if problems := list(_durations(at, settings)):
        yield from problems
        return
    if settings.strategy == "direct":
        if seconds_of(settings.bake) > 0 or settings.mirror:
            what = "bake" if seconds_of(settings.bake) > 0 else "mirror"
            yield Problem(
                (*at, what),
                f"nothing is watched with the strategy `direct`, and `{what}` asks for it",
                "a direct rollout gives all traffic at once and is done",
                "choose `strategy: blue_green` or `canary`, or leave it out",
            )
        return
    yield from _steps(at, settings)
    blind = [share for share in settings.shares if not settings.bake_at(share) and share not in settings.pauses]
    if blind or (settings.mirror and not settings.bake_at(0)):
        where = "" if blind == list(settings.shares) else f" {at_share(blind[0] if blind else 0)}"
        yield Problem(
            (*at, "strategy"),
            f"`{settings.strategy}` has no time to watch{where}",
            "there is no `bake`, so that nothing could be seen before the next step",
            "add it, such as `bake: 5m`",
        )
    elif settings.watches and settings.judge.rules == 0:
        yield Problem(
            (*at, "judge") if settings.judge != BakeSettings() else at,
            "what is watched has no rule to be judged by",
            "a rollout that nothing can stop is no proof",
            "add one to `judge`: `errors`, `p95_ms`, `changed` or `drift`",
        )
    elif settings.watches and (hasty := _hasty(settings)) is not None:
        share, answers = hasty
        place = settings.shares.index(share) if share in settings.shares else None
        own = place is not None and settings.strategy == "canary" and settings.way[place].bake is not None
        yield Problem(
            (*at, "steps", place, "bake") if own and place is not None else (*at, "bake"),
            f"{settings.way[place].bake if own and place is not None else settings.bake} are too short for a verdict",
            f"it takes {settings.judge.min_requests} answers, and ctrain would ask {answers:g} times",
            "watch longer, or change `per_second` or `min_requests` of `judge`",
        )
    elif settings.watches and stage.smoke.golden == 0:
        yield Problem(
            at,
            "there is nothing to ask while it is watched",
            "`smoke.golden` is 0, and those rows are what ctrain asks",
            "leave `smoke.golden` as it is, or choose `strategy: direct`",
        )


def _hasty(settings: RolloutSettings) -> tuple[int, float] | None:
    """The first share whose watch is too short for a verdict, and how often ctrain would ask meanwhile."""
    asked = {share: seconds * settings.judge.per_second for share, seconds in settings.bakes.items()}
    return next(((share, n) for share, n in asked.items() if n < settings.judge.min_requests), None)


def _durations(at: Keys, settings: RolloutSettings) -> Iterator[Problem]:
    bakes: list[tuple[Keys, str]] = [((*at, "bake"), settings.bake), ((*at, "keep"), settings.keep)]
    for place, step in enumerate(settings.steps):
        if isinstance(step, Step) and step.bake is not None:
            bakes.append(((*at, "steps", place, "bake"), step.bake))
    for key, duration in bakes:
        try:
            seconds_of(duration)
        except ValueError as problem:
            yield Problem(key, f"`{dotted(key)}` is no duration", str(problem), f"such as `{key[-1]}: 5m`")


def _steps(at: Keys, settings: RolloutSettings) -> Iterator[Problem]:
    steps = list(settings.shares)
    if settings.strategy == "canary" and (not steps or steps != sorted(set(steps)) or steps[-1] != 100 or steps[0] < 1):
        yield Problem(
            (*at, "steps"),
            "the steps do not lead to all of the traffic",
            f"they are {', '.join(map(str, steps)) or 'none'}, and have to grow from 1 or more up to 100",
            "such as `steps: [10, 50, 100]`",
        )


def _trigger(file: ProjectFile, trigger: Trigger) -> Iterator[Problem]:
    keys: Keys = ("triggers", trigger.value)
    stages = tuple(file.stages)
    rule = rule_of(trigger, file.triggers.get(trigger, TriggerSettings()), stages)
    if rule.data is DataUse.SAMPLE and file.data.sample is None:
        yield Problem(
            (*keys, "data"),
            f"there is no sample for {trigger} to train on",
            "`data.sample` is missing, and a pull request uses it unless told otherwise",
            f"add `data.sample` with fraction and key, or `triggers.{trigger}.data: full`",
        )
    unknown = [name for name in rule.deploy if name not in stages]
    for name in unknown:
        meant = nearest(name, stages)
        yield Problem(
            (*keys, "deploy", rule.deploy.index(name)),
            f"there is no stage {name!r}",
            f"the stages are {', '.join(stages)}" if stages else "the project has no stages",
            f"did you mean `{meant}`?" if meant else "add it to `stages`, or remove it here",
        )
    if not unknown and list(rule.deploy) != [name for name in stages if name in rule.deploy]:
        yield Problem(
            (*keys, "deploy"),
            f"{trigger} deploys to the stages out of order",
            f"`stages` has them as {', '.join(stages)}",
            "name each stage once, in that order",
        )
