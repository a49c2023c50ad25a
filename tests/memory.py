"""The whole world in memory: a backend that obeys the ports' contract, and does what a test tells it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ctrain.data import DataVersion, SampleSpec
from ctrain.digest import tree_digest
from ctrain.errors import Conflict, DataError, NoAnswer, PipelineError, TrainingFailed
from ctrain.events import Event, from_json, to_json
from ctrain.ports import Backend, Lease, Telemetry
from ctrain.project import Project
from ctrain.rollout import Stage, live
from ctrain.serving import Answer, Deployment, DeploymentSpec, DeploymentState, Endpoint, Request, Traffic
from ctrain.telemetry import Measured, Span
from ctrain.training import JobStatus, Preview, StepPreview, StepRun, TrainingRun, TrainingSpec
from ctrain.verdict import Finding, Outcome
from ctrain.version import Lineage, ModelVersion


@dataclass
class ManualClock:
    """Time that passes only by sleeping."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class MemoryTrainer:
    """Jobs end at their second look, as `spec.inputs["behave"]` says: `ok`, `fail` or `slow` (never, by itself).

    `outputs` makes the files of a completed job's outputs in its folder.
    """

    folder: Path
    outputs: Callable[[TrainingSpec, Path], None]
    runs: dict[str, TrainingRun] = field(default_factory=dict)
    specs: dict[str, TrainingSpec] = field(default_factory=dict)
    writes: int = 0

    def preview(self, spec: TrainingSpec) -> Preview:
        return Preview(code="c0de", environment="e", steps=(StepPreview("train", ()),))

    def check(self, spec: TrainingSpec) -> None:
        if spec.inputs.get("behave") == "refused":
            raise PipelineError("the pipeline is refused", why="it is asked to be", hint="ask for something else")

    def look(self, job: str) -> TrainingRun | None:
        run = self.runs.get(job)
        if run is None or run.status is not JobStatus.RUNNING:
            return run
        behave = self.specs[job].inputs.get("behave", "ok")
        if behave == "slow":
            return run
        self.runs[job] = self._ended(run, self.specs[job], failed=behave == "fail")
        return run

    def _ended(self, run: TrainingRun, spec: TrainingSpec, *, failed: bool) -> TrainingRun:
        if failed:
            step = StepRun("train", JobStatus.FAILED, 1.0, error="Traceback: boom")
            return replace(run, status=JobStatus.FAILED, steps=(step,), error="the step train failed: boom")
        folder = self.folder / spec.job
        folder.mkdir(parents=True)
        self.outputs(spec, folder)
        outputs = {path.name: str(path) for path in folder.iterdir()}
        return replace(
            run,
            status=JobStatus.COMPLETED,
            steps=(StepRun("train", JobStatus.COMPLETED, 1.0),),
            outputs=outputs,
        )

    def submit(self, spec: TrainingSpec) -> TrainingRun:
        if spec.job not in self.runs:
            self.writes += 1
            self.specs[spec.job] = spec
            self.runs[spec.job] = TrainingRun(
                spec.job,
                JobStatus.RUNNING,
                run_id=f"run-{len(self.runs)}",
                steps=(StepRun("train", JobStatus.RUNNING),),
            )
        return self.runs[spec.job]

    def cancel(self, job: str) -> None:
        run = self.runs.get(job)
        if run is not None and not run.status.ended:
            self.writes += 1
            self.runs[job] = replace(run, status=JobStatus.CANCELED, error="it was cancelled")

    def fetch(self, job: str, output: str) -> Path:
        run = self.runs.get(job)
        if run is None or output not in run.outputs:
            raise TrainingFailed(f"the job {job} has no output {output!r}", why="it made none", hint="see its logs")
        return Path(run.outputs[output])

    def logs(self, job: str, step: str | None = None) -> str:
        return f"log of {job}" if job in self.runs else ""


@dataclass
class MemoryRegistry:
    """Versions in a list, the champion in a dict."""

    made: dict[str, list[ModelVersion]] = field(default_factory=dict)
    champions: dict[str, ModelVersion] = field(default_factory=dict)
    writes: int = 0

    def champion(self, model: str) -> ModelVersion | None:
        return self.champions.get(model)

    def versions(self, model: str) -> Sequence[ModelVersion]:
        return tuple(self.made.get(model, ()))

    def register(self, model: str, files: Path, digest: str, lineage: Lineage) -> ModelVersion:
        if tree_digest(files) != digest:
            raise DataError("the model's files are not those that were judged", why="digests differ", hint="train anew")
        versions = self.made.setdefault(model, [])
        for version in versions:
            if version.digest == digest:
                return version
        self.writes += 1
        versions.append(ModelVersion(model, len(versions) + 1, digest, str(files), lineage))
        return versions[-1]

    def promote(self, version: ModelVersion, stage: Stage) -> str:
        return version.uri

    def warm(self) -> None:
        pass

    def crown(self, version: ModelVersion) -> None:
        if self.champions.get(version.name) != version:
            self.writes += 1
            self.champions[version.name] = version


Model = Callable[[DeploymentSpec, Request], Answer]


def echo(spec: DeploymentSpec, request: Request) -> Answer:
    """Scores each row with its first cell; refuses what is no table."""
    try:
        rows = json.loads(request.body)["input_data"]["data"]
    except (ValueError, KeyError, TypeError):
        return Answer(400, b'"not a table"', 0.001, spec.name)
    return Answer(200, json.dumps([row[0] for row in rows]).encode(), 0.001, spec.name)


@dataclass
class MemoryServing:
    """Deployments are ready at their second look; those with `BEHAVE=crash` fail instead. `model` answers.

    `answered` has every answer of a deployment, by endpoint and name; of the live ones, copies to the mirror too.
    """

    model: Model = echo
    clock: ManualClock = field(default_factory=ManualClock)
    answered: dict[tuple[str, str], list[tuple[datetime, int]]] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    specs: dict[tuple[str, str], DeploymentSpec] = field(default_factory=dict)
    writes: int = 0
    asked: int = 0

    def look(self, endpoint: str) -> Endpoint | None:
        seen = self.endpoints.get(endpoint)
        if seen is not None:
            settled = {name: self._settled(endpoint, d) for name, d in seen.deployments.items()}
            self.endpoints[endpoint] = replace(seen, deployments=settled)
        return seen

    def _settled(self, endpoint: str, deployment: Deployment) -> Deployment:
        if deployment.state is not DeploymentState.CREATING:
            return deployment
        if self.specs[endpoint, deployment.name].environment_variables.get("BEHAVE") == "crash":
            return replace(deployment, state=DeploymentState.FAILED, error="init() raised: no such model")
        return replace(deployment, state=DeploymentState.SUCCEEDED, ready=True)

    def create(self, endpoint: str) -> Endpoint:
        seen = self.endpoints.get(endpoint)
        if seen is None or not seen.running:
            self.writes += 1
            seen = replace(seen or Endpoint(endpoint, f"http://{endpoint}.test/score", running=True), running=True)
            self.endpoints[endpoint] = seen
        return seen

    def _known(self, endpoint: str) -> Endpoint:
        seen = self.endpoints.get(endpoint)
        if seen is None:
            raise Conflict(f"there is no endpoint {endpoint}", why="it was not created", hint="create it")
        return seen

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        seen = self._known(endpoint)
        there = seen.deployments.get(spec.name)
        if there is not None and self.specs[endpoint, spec.name] != spec:
            raise Conflict(f"{spec.name} is another deployment", why="its settings differ", hint="name it anew")
        if there is not None and there.state is not DeploymentState.FAILED:
            return
        self.writes += 1
        self.specs[endpoint, spec.name] = spec
        deployment = Deployment(
            spec.name,
            DeploymentState.CREATING,
            ready=False,
            model=spec.model,
            model_version=spec.model_version,
            model_digest=spec.model_digest,
            tags=spec.tags,
        )
        self.endpoints[endpoint] = replace(seen, deployments={**seen.deployments, spec.name: deployment})

    def route(self, endpoint: str, traffic: Traffic) -> None:
        seen = self._known(endpoint)
        made = {**seen.traffic, **traffic}
        if sum(made.values()) not in (0, 100) or any(percent < 0 for percent in made.values()):
            raise Conflict("the split does not sum to 100", why=str(made), hint="give shares that do")
        for name in live(made):
            deployment = seen.deployments.get(name)
            if deployment is None or not deployment.healthy:
                raise Conflict(f"{name} cannot take traffic", why="it is not healthy", hint="place it first")
        if made != dict(seen.traffic):
            self.writes += 1
            self.endpoints[endpoint] = replace(seen, traffic=made)

    def mirror(self, endpoint: str, mirror: Traffic) -> None:
        seen, wanted = self._known(endpoint), live(mirror)
        for name, percent in wanted.items():
            deployment = seen.deployments.get(name)
            unfit = deployment is None or not deployment.healthy or seen.traffic.get(name, 0) > 0
            if unfit or percent > 50 or len(wanted) > 1:
                raise Conflict(f"{name} cannot take {percent}% of mirrored traffic", why="Azure's rule", hint="less")
        if wanted != dict(seen.mirror):
            self.writes += 1
            self.endpoints[endpoint] = replace(seen, mirror=wanted)

    def remove(self, endpoint: str, deployment: str) -> None:
        seen = self._known(endpoint)
        if seen.traffic.get(deployment, 0) > 0:
            raise Conflict(f"{deployment} carries traffic", why="removing it would drop requests", hint="route first")
        if deployment in seen.deployments:
            self.writes += 1
            left = {name: other for name, other in seen.deployments.items() if name != deployment}
            traffic = {name: percent for name, percent in seen.traffic.items() if name != deployment}
            self.endpoints[endpoint] = replace(seen, deployments=left, traffic=traffic)

    def score(self, endpoint: str, request: Request) -> Answer:
        seen = self._known(endpoint)
        if not seen.running:
            raise NoAnswer(f"{endpoint} does not answer", why="it is down", hint="bring it up")
        self.asked += 1
        name = request.deployment or next(iter(live(seen.traffic)), None)
        if name is None or name not in seen.deployments:
            return Answer(404, b'"no such deployment"', 0.001)
        if request.deployment is None:
            self._mirror(seen, request)
        answer = self.model(self.specs[endpoint, name], request)
        self._count(endpoint, name, answer)
        return answer

    def _mirror(self, seen: Endpoint, request: Request) -> None:
        for name, percent in live(seen.mirror).items():
            if self.asked * percent % 100 < percent:
                self._count(seen.name, name, self.model(self.specs[seen.name, name], request))

    def _count(self, endpoint: str, deployment: str, answer: Answer) -> None:
        self.answered.setdefault((endpoint, deployment), []).append((self.clock.now(), answer.status))

    def logs(self, endpoint: str, deployment: str) -> str:
        return f"log of {deployment}" if (endpoint, deployment) in self.specs else ""


@dataclass
class MemoryTelemetry:
    """Spans of one second, each told once it is over."""

    serving: MemoryServing
    clock: ManualClock

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:
        counted: dict[int, Counter[str]] = {}
        for at, status in self.serving.answered.get((endpoint, deployment), ()):
            counted.setdefault(int(at.timestamp()), Counter())[f"{status // 100}xx"] += 1
        spans = (Span(datetime.fromtimestamp(second, UTC), 1.0, of) for second, of in sorted(counted.items()))
        told = tuple(span for span in spans if since <= span.began and span.ended <= self.clock.now())
        return Measured(told) if told else None


@dataclass
class MemoryData:
    """Data sets by reference; a sample is a tenth of its data set."""

    sets: dict[str, DataVersion] = field(default_factory=dict)
    samples: dict[tuple[str, SampleSpec], DataVersion] = field(default_factory=dict)
    writes: int = 0

    def pin(self, reference: str) -> DataVersion:
        if reference not in self.sets:
            raise DataError(f"there is no data set {reference}", why="it does not exist", hint="correct the reference")
        return self.sets[reference]

    def verify(self, data: DataVersion) -> None:
        if self.sets and data.digest not in {known.digest for known in self.sets.values()}:
            raise DataError(f"{data.name} has changed since it was pinned", why="its digest differs", hint="run again")

    def sampled(self, data: DataVersion, spec: SampleSpec) -> DataVersion | None:
        return self.samples.get((data.digest, spec))

    def sample(self, data: DataVersion, spec: SampleSpec) -> DataVersion:
        if (data.digest, spec) not in self.samples:
            self.writes += 1
            made = replace(data, digest=f"{data.digest}-sample", uri=f"{data.uri}-sample", sample=spec)
            self.samples[data.digest, spec] = made
        return self.samples[data.digest, spec]


@dataclass
class MemoryLedger:
    """Events are kept as JSON, as a real ledger keeps them."""

    clock: ManualClock
    lines: list[tuple[str, str]] = field(default_factory=list)
    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    run_url: str = ""

    @property
    def writes(self) -> int:
        return len(self.lines) + len(self.kept)

    def releases(self) -> Sequence[str]:
        return list(dict.fromkeys(release for release, _ in self.lines))

    def events(self, release: str) -> Sequence[Event]:
        return [from_json(line) for name, line in self.lines if name == release]

    def evidence(self, release: str, name: str) -> bytes | None:
        return self.kept.get((release, name))

    def append(self, event: Event, lease: Lease | None = None) -> None:
        if lease is not None:
            self._still_held(lease)
        self.lines.append((event.release, to_json(event)))

    def keep(self, release: str, name: str, content: bytes) -> None:
        self.kept[release, name] = content

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        held = self.leases.get(name)
        now = self.clock.now()
        if held is not None and held.expires > now:
            raise held.refusal()
        self.tokens[name] = self.tokens.get(name, 0) + 1
        expires = now + timedelta(seconds=seconds)
        self.leases[name] = Lease(name, holder, self.tokens[name], now, expires, self.run_url)
        return self.leases[name]

    def _still_held(self, lease: Lease) -> None:
        held = self.leases.get(lease.name)
        if held is None or held.token != lease.token or held.expires <= self.clock.now():
            raise Conflict(f"the lock {lease.name!r} was lost", why="it ran out", hint="run again")

    def renew(self, lease: Lease, seconds: float) -> Lease:
        self._still_held(lease)
        self.leases[lease.name] = replace(lease, expires=self.clock.now() + timedelta(seconds=seconds))
        return self.leases[lease.name]

    def release(self, lease: Lease) -> None:
        held = self.leases.get(lease.name)
        if held is not None and held.token == lease.token:
            del self.leases[lease.name]


@dataclass
class MemoryBackend:
    """The fakes together; `ports` is what a flow gets."""

    folder: Path
    outputs: Callable[[TrainingSpec, Path], None]
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.trainer = MemoryTrainer(self.folder, self.outputs)
        self.registry = MemoryRegistry()
        self.serving = MemoryServing(clock=self.clock)
        self.telemetry: Telemetry = MemoryTelemetry(self.serving, self.clock)
        self.data = MemoryData()
        self.ledger = MemoryLedger(self.clock)

    @property
    def ports(self) -> Backend:
        return Backend(
            name="memory",
            trainer=self.trainer,
            registry=self.registry,
            serving=lambda _stage: self.serving,
            data=self.data,
            ledger=self.ledger,
            clock=self.clock,
            doctor=self,
            telemetry=lambda _stage: self.telemetry,
        )

    def examine(self, project: Project) -> Iterator[Finding]:
        """Memory is always well."""
        yield Finding("memory", Outcome.PASS, "it is there")

    @property
    def writes(self) -> int:
        """How often the world was changed, the ledger included."""
        parts = (self.trainer, self.registry, self.serving, self.data, self.ledger)
        return sum(part.writes for part in parts)
