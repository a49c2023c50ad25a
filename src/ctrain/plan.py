"""What a trigger leads to here and now: the steps in order, each with its reason.

`ctrain plan` prints the list that `ctrain run` walks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal

from ctrain.data import DataVersion, SampleSpec
from ctrain.gate import Earlier, EvaluationSettings, Foresight, GateSettings, foresee
from ctrain.project import DataUse, OnCancel, Project, Trigger
from ctrain.rollout import Stage, Times, live, times_of
from ctrain.serving import Endpoint
from ctrain.training import Identity, JobStatus, Preview, Scalar, StepPreview, TrainingRun, job_name
from ctrain.version import ModelVersion, Source


@dataclass(frozen=True)
class Facts:
    """What planning found out, by reading only.

    `attempts` are the jobs that this fingerprint has had, first attempt first; `endpoints` what each stage's
    endpoint is now, by stage; `scoring` the digests of the stages' scoring code, by stage; `earlier` is an evaluation
    of the model that there has been; `route_seconds` how long the platform may take over one change of weights.
    """

    source: Source
    data: DataVersion
    preview: Preview
    identity: Identity
    attempts: Sequence[TrainingRun]
    champion: ModelVersion | None
    endpoints: Mapping[str, Endpoint | None] = field(default_factory=dict)
    scoring: Mapping[str, str] = field(default_factory=dict)
    earlier: Earlier | None = None
    route_seconds: float = 0.0


@dataclass(frozen=True)
class Train:
    """Train, or take the job that has trained the same."""

    job: str
    adopts: bool
    steps: tuple[StepPreview, ...]
    why: str
    kind: Literal["train"] = "train"


@dataclass(frozen=True)
class Gate:
    """Judge the challenger by the evaluation rows.

    `foresees` is what the rules will be able to tell; empty where no earlier evaluation says how sure it was.
    """

    why: str
    foresees: tuple[Foresight, ...] = ()
    kind: Literal["gate"] = "gate"


@dataclass(frozen=True)
class Register:
    """Give the model a version."""

    why: str
    kind: Literal["register"] = "register"


@dataclass(frozen=True)
class Deploy:
    """Take the model to one stage. `last` makes it the champion.

    `code` is the content digest of the stage's scoring code and environment file, empty where there is none. `times` is
    how long a promotion takes at least, and a rollback at most.
    """

    stage: Stage
    last: bool
    waits: bool
    why: str
    code: str = ""
    times: Times | None = None
    kind: Literal["deploy"] = "deploy"


PlanStep = Train | Gate | Register | Deploy


@dataclass(frozen=True)
class Plan:
    """All that a release needs to know, so that a later CI job can pick it up without the project file."""

    project: str
    root: str
    trigger: Trigger
    fresh: bool
    source: Source
    pipeline: str
    data_input: str
    data: DataVersion
    sample: SampleSpec | None
    parameters: Mapping[str, Scalar]
    champion: ModelVersion | None
    champion_input: str | None
    identity: Identity
    fingerprint: str
    model: str
    model_output: str
    evaluation: EvaluationSettings
    gate: GateSettings
    policy: str
    steps: tuple[PlanStep, ...]
    allow_older: bool = False
    on_cancel: OnCancel = "detach"

    @property
    def comparable(self) -> bool:
        """A challenger that was trained on a sample is no match for a champion that had all the data."""
        return self.sample is None

    @property
    def training(self) -> Train:
        return next(step for step in self.steps if isinstance(step, Train))

    @property
    def deploys(self) -> tuple[Deploy, ...]:
        return tuple(step for step in self.steps if isinstance(step, Deploy))

    def moved(self, root: str) -> Plan:
        """The same plan where the project's folder is another: another machine, another checkout."""
        if root in ("", self.root):
            return self

        def there(path: str) -> str:
            inside = PurePath(path).is_relative_to(self.root)
            return str(PurePath(root, PurePath(path).relative_to(self.root))) if inside else path

        def step_there(step: PlanStep) -> PlanStep:
            if not isinstance(step, Deploy) or (scoring := step.stage.deployment.scoring) is None:
                return step
            environment = there(scoring.environment) if scoring.environment else scoring.environment
            scoring = replace(scoring, code=there(scoring.code), environment=environment)
            return replace(step, stage=replace(step.stage, deployment=replace(step.stage.deployment, scoring=scoring)))

        return replace(
            self,
            root=root,
            pipeline=there(self.pipeline),
            data=replace(self.data, uri=there(self.data.uri)),
            steps=tuple(step_there(step) for step in self.steps),
        )

    def same_work(self, other: Plan) -> bool:
        """Whether the other plan asks for the same: same commit and trigger, same training, same rules, same stages.

        The champion is left out: it changes as a plan succeeds.
        """
        return self._key == other._key

    @property
    def _key(self) -> tuple[object, ...]:
        identity = (self.identity.code, self.identity.environment, self.identity.data, dict(self.identity.parameters))
        names = (self.data_input, self.model, self.model_output)
        stages = tuple((step.stage.name, step.code) for step in self.deploys)
        return (self.project, self.trigger, self.source.commit, identity, names, self.policy, stages)


def make_plan(project: Project, trigger: Trigger, facts: Facts, *, fresh: bool = False) -> Plan:
    """The plan for this trigger, given these facts. Pure: the same facts give the same plan."""
    rule = project.trigger(trigger)
    sample = project.data.sample if rule.data is DataUse.SAMPLE else None
    fingerprint = facts.identity.fingerprint
    stages = [project.stage(name) for name in rule.deploy]
    steps: list[PlanStep] = [
        _train(facts, fingerprint, fresh=fresh),
        Gate(_why_gate(facts.champion, sample), _foreseen(project.gate, trigger, facts, sample)),
    ]
    if stages:
        steps.append(Register(f"a version of {project.model.name}, once the gate has passed it"))
        steps += [
            Deploy(
                stage,
                last=stage == project.stages[-1],
                waits=stage.approval == "required",
                why=_why_deploy(stage, facts.endpoints.get(stage.name)),
                code=facts.scoring.get(stage.name, ""),
                times=_times(stage, facts),
            )
            for stage in stages
        ]
    return Plan(
        project=project.name,
        root=str(project.root),
        trigger=trigger,
        fresh=fresh,
        source=facts.source,
        pipeline=str(project.pipeline),
        data_input=project.data.input,
        data=facts.data,
        sample=sample,
        parameters=facts.identity.parameters,
        champion=facts.champion,
        champion_input=project.model.champion_input if facts.identity.champion else None,
        identity=facts.identity,
        fingerprint=fingerprint,
        model=project.model.name,
        model_output=project.model.output,
        evaluation=project.evaluation,
        gate=project.gate,
        policy=project.policy_digest,
        steps=tuple(steps),
        on_cancel=rule.on_cancel,
    )


def _train(facts: Facts, fingerprint: str, *, fresh: bool) -> Train:
    steps = facts.preview.steps
    usable = [run for run in facts.attempts if run.status.succeeded or not _over(run)]
    if usable and not fresh:
        run = usable[-1]
        why = "the same code, data, parameters and environment"
        why += " have been trained" if run.status.succeeded else " are being trained now"
        return Train(run.job, adopts=True, steps=steps, why=why)
    job = job_name(fingerprint, len(facts.attempts) + 1)
    if fresh:
        return Train(job, adopts=False, steps=tuple(StepPreview(s.name, s.after) for s in steps), why="asked for anew")
    if facts.attempts:
        last = facts.attempts[-1]
        return Train(job, adopts=False, steps=steps, why=f"the last attempt ended as {last.status}")
    return Train(job, adopts=False, steps=steps, why="this code, data, parameters and environment are new")


def _over(run: TrainingRun) -> bool:
    return run.status.ended or run.status in (JobStatus.UNKNOWN, JobStatus.CANCEL_REQUESTED)


def _why_gate(champion: ModelVersion | None, sample: SampleSpec | None) -> str:
    if champion is None:
        return "there is no champion yet: absolute rules only"
    if sample is not None:
        return f"absolute rules; the comparison with {champion} is shown, as the challenger has only a sample"
    return f"absolute rules, and {champion} on the same rows"


def _foreseen(gate: GateSettings, trigger: Trigger, facts: Facts, sample: SampleSpec | None) -> tuple[Foresight, ...]:
    comparable = facts.champion is not None and sample is None
    return foresee(gate.at_each_look(trigger), facts.earlier, comparable=comparable) if facts.earlier else ()


def _times(stage: Stage, facts: Facts) -> Times:
    endpoint = facts.endpoints.get(stage.name)
    serving = endpoint is not None and bool(live(endpoint.traffic))
    return times_of(stage, serving=serving, route_seconds=facts.route_seconds)


def _why_deploy(stage: Stage, endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return f"{stage.endpoint} does not exist yet"
    way = stage.rollout
    how = f"; {way.strategy}, watched for {way.at_least:g} s at least" if way.watches else ""
    serving = [endpoint.deployments[name] for name in live(endpoint.traffic) if name in endpoint.deployments]
    if not serving:
        return f"{stage.endpoint} serves nothing yet"
    return f"{stage.endpoint} serves " + ", ".join(f"{d.model}:{d.model_version}" for d in serving) + how
