"""What ctrain needs from the world. Each promise is a test in `tests/contract`, run on every backend.

Every method may raise the errors of `ctrain.errors`, and nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ctrain.data import DataVersion, SampleSpec
from ctrain.errors import Locked
from ctrain.events import Event
from ctrain.project import Project
from ctrain.rollout import Stage
from ctrain.serving import Answer, DeploymentSpec, Endpoint, Request, Traffic
from ctrain.telemetry import Measured
from ctrain.training import Preview, TrainingRun, TrainingSpec
from ctrain.verdict import Finding
from ctrain.version import Lineage, ModelVersion


class Clock(Protocol):
    """Nothing sleeps or reads the time except through it."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; for measuring waits."""
        ...

    def sleep(self, seconds: float) -> None: ...


class TrainerReader(Protocol):
    """What planning may ask a trainer: nothing here changes anything."""

    def preview(self, spec: TrainingSpec) -> Preview:
        """Check that the spec can be run, and say what running it would do.

        Raises PipelineError, with file and line, for what this backend cannot run.
        """
        ...

    def check(self, spec: TrainingSpec) -> None:
        """Look at the whole pipeline as submitting it will: asked once, before a release is opened.

        Raises PipelineError, with file and line, for what the platform would not take and `preview` has no time for.
        """
        ...

    def look(self, job: str) -> TrainingRun | None:
        """The job as it is now, or None where there is none of that name.

        A job whose process died without a word is `Failed`; one whose outputs are gone is `Unknown`.
        """
        ...


class Trainer(TrainerReader, Protocol):
    """Submitting the same name twice gives one job. Only `Completed` is success. Cancelling is honoured."""

    def submit(self, spec: TrainingSpec) -> TrainingRun:
        """Start the job and return at once; where a job of that name exists, adopt it as it is."""
        ...

    def cancel(self, job: str) -> None:
        """Ask the job to stop. An ended or unknown job is left as it is."""
        ...

    def fetch(self, job: str, output: str) -> Path:
        """A local file or folder with that pipeline output's content.

        Raises TrainingFailed where the job has no such output.
        """
        ...

    def logs(self, job: str, step: str | None = None) -> str:
        """The log so far, of one step or of all; best effort, empty where there is none."""
        ...


class RegistryReader(Protocol):
    """What planning may ask a registry."""

    def champion(self, model: str) -> ModelVersion | None: ...

    def versions(self, model: str) -> Sequence[ModelVersion]:
        """All versions, oldest first."""
        ...


class Registry(RegistryReader, Protocol):
    """A version is immutable, has a content digest and a lineage. The champion is one pointer, changed last."""

    def register(self, model: str, files: Path, digest: str, lineage: Lineage) -> ModelVersion:
        """Give these files a version. The same digest again returns the version that has it."""
        ...

    def crown(self, version: ModelVersion) -> None:
        """Point the champion at this version."""
        ...

    def promote(self, version: ModelVersion, stage: Stage) -> str:
        """The URI by which the stage's workspace has this version, brought there where it is not there yet.

        Raises Conflict where what arrived, or what was there under that name, is not what was registered, by digest.
        """
        ...

    def warm(self) -> None:
        """Something will be registered soon: what can be made ready for it may be. Changes nothing."""
        ...


class Serving(Protocol):
    """What is observed is the truth.

    Placing a deployment twice is placing it once; a traffic change never drops what it does not mention;
    removing what carries traffic is refused; scoring can name a deployment and proves who answered.
    """

    def look(self, endpoint: str) -> Endpoint | None:
        """The endpoint as it is now, or None where there is none of that name."""
        ...

    def create(self, endpoint: str) -> Endpoint:
        """Make sure that the endpoint exists and runs; an existing one keeps its deployments and traffic.

        Where that takes minutes it may return one that does not run yet: then it is to be asked again.
        """
        ...

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        """Start bringing the deployment up, at 0% traffic, and return; `look` tells how it goes."""
        ...

    def route(self, endpoint: str, traffic: Traffic) -> None:
        """Set the live split for the deployments named; those not named keep their share.

        Raises Conflict where the result would sum to neither 100 nor 0, or names a deployment that is absent or not
        healthy.
        """
        ...

    def mirror(self, endpoint: str, mirror: Traffic) -> None:
        """Copy that percentage of the live requests to one deployment at 0%, and drop its answers; `{}` ends it.

        Raises Conflict for more than 50%, more than one deployment, or one that is not healthy or has live traffic.
        """
        ...

    def remove(self, endpoint: str, deployment: str) -> None:
        """Take a deployment away; an absent one is fine. `look` may show it as being deleted until it is gone.

        Raises Conflict where it carries traffic.
        """
        ...

    def score(self, endpoint: str, request: Request) -> Answer:
        """Ask, as a user would. An answer of any status is an answer.

        Raises NoAnswer where it was asked and no answer came, and PlatformUnavailable where it could not be asked.
        """
        ...

    def logs(self, endpoint: str, deployment: str) -> str:
        """The end of the deployment's log; best effort."""
        ...


class Telemetry(Protocol):
    """What the platform itself counted: the only word on the requests of users."""

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:
        """What the deployment answered, in whole spans that began then or later; None where nothing is told of it yet.

        A span is told only once it is final, and then always, so that what is told later holds all that was told
        before. A platform may be minutes behind.
        """
        ...


class Untold:
    """A Telemetry that has nothing to tell."""

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:  # noqa: ARG002
        return None


class DataReader(Protocol):
    """What planning may ask a data store."""

    def pin(self, reference: str) -> DataVersion:
        """Resolve a reference (a path, or `azureml:name@latest`) to what it is now."""
        ...

    def sampled(self, data: DataVersion, spec: SampleSpec) -> DataVersion | None:
        """The sample of a pinned data set, where it has been made."""
        ...

    def verify(self, data: DataVersion) -> None:
        """Raises DataError where a pinned data set is no longer what it was."""
        ...


class DataStore(DataReader, Protocol):
    """A data set is pinned by content; a sample is deterministic by row key, made once and reused."""

    def sample(self, data: DataVersion, spec: SampleSpec) -> DataVersion:
        """The sample of a pinned data set, made now or reused.

        Raises DataError where the key or stratum column is missing, or no row falls in.
        """
        ...


@dataclass(frozen=True)
class Lease:
    """A finite hold on a name. `token` grows with each holder, so that an older one can be told (fencing).

    `where` is the address of the CI run that holds it, if it is one.
    """

    name: str
    holder: str
    token: int
    acquired: datetime
    expires: datetime
    where: str = ""

    def refusal(self) -> Locked:
        """What somebody else is told who wants it: who has it, since when, until when, and where."""
        place = f", in {self.where}" if self.where else ""
        return Locked(
            f"the lock {self.name!r} is held",
            why=f"{self.holder} has had it since {_local(self.acquired)}{place}; "
            f"if that run has died, it is free at {_local(self.expires)} at the latest",
            hint="wait for that run to end, as --wait 10m does, or stop it",
            holder=self.holder,
            where=self.where,
        )


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


class LedgerReader(Protocol):
    """What planning may ask a ledger."""

    def releases(self) -> Sequence[str]:
        """Ids of all releases, oldest first."""
        ...

    def events(self, release: str) -> Sequence[Event]:
        """That release's events, in the order in which they were appended."""
        ...

    def evidence(self, release: str, name: str) -> bytes | None: ...


class Ledger(LedgerReader, Protocol):
    """Events are appended before and after each act; the lock is a finite lease, never needed from a dead runner."""

    def append(self, event: Event, lease: Lease | None = None) -> None:
        """Raises Conflict where `lease` is given and no longer held: then nothing is written."""
        ...

    def keep(self, release: str, name: str, content: bytes) -> None:
        """Keep a file of evidence; the same name again replaces it."""
        ...

    def acquire(self, name: str, holder: str, seconds: float) -> Lease:
        """Take the lock for so long. Raises Locked, as `Lease.refusal` says it, where somebody has it."""
        ...

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Raises Conflict where the lease was lost."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lock back; a lost lease is left alone."""
        ...


class Doctor(Protocol):
    """Looks whether everything is there that a release will need, before one needs it."""

    def examine(self, project: Project) -> Iterator[Finding]:
        """One finding a check, as it is made; what a failed one says ends with the fix. Changes nothing."""
        ...


@dataclass(frozen=True)
class Pace:
    """How often a waiting verb looks, in seconds: a share of the time waited so far, within bounds."""

    first: float = 0.02
    longest: float = 15.0
    share: float = 0.01

    def after(self, waited: float) -> float:
        return min(self.longest, max(self.first, waited * self.share))


@dataclass(frozen=True)
class Backend:
    """The world, as a flow gets it. Each stage has a serving of its own: it may be in another workspace.

    `any_job` says that pipelines may have jobs of all of Azure ML's kinds, and not commands and pipelines only.
    `route_seconds` is how long one change of weights may take, all of its own patience included.
    `telemetry` is the stage's, as its serving is.
    """

    name: str
    trainer: Trainer
    registry: Registry
    serving: Callable[[Stage], Serving]
    data: DataStore
    ledger: Ledger
    clock: Clock
    doctor: Doctor
    pace: Pace = Pace()
    any_job: bool = False
    route_seconds: float = 0.0
    telemetry: Callable[[Stage], Telemetry] = lambda _stage: Untold()
