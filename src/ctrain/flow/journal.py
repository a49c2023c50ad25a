"""Who tells what happened: every verb records through a journal, which keeps the lock alive as it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ctrain.errors import Locked, PlatformUnavailable, StillRunning
from ctrain.events import Event, What, replay
from ctrain.ports import Backend, Lease
from ctrain.release import Release
from ctrain.secrecy import discreet
from ctrain.training import TrainingRun

if TYPE_CHECKING:
    from ctrain.gate.own import Asked, Given

LEASE_SECONDS = 120.0
"""How long a lock outlives a runner that died without a word."""

RENEW_SECONDS = 30.0
"""How often the lock is renewed while a verb waits."""

QUEUE_SECONDS = 2.0
"""How often a lock that somebody holds is asked for again: each is one call."""


@dataclass(frozen=True)
class Waiting:
    """News that is shown and not kept: a deployment is coming up, for so many seconds now."""

    stage: str
    deployment: str
    seconds: float


@dataclass(frozen=True)
class Asking:
    """News that is shown and not kept: a deployment is being asked by the smoke tests."""

    stage: str
    deployment: str


@dataclass(frozen=True)
class Queueing:
    """News that is shown and not kept: a lock is held by somebody, and waited for, for so many seconds now."""

    lock: str
    holder: str
    where: str
    seconds: float


class Disturbed(Exception):
    """What a verb waits for is to be looked at anew: see `Journal.attend`."""


News = Event | TrainingRun | Waiting | Asking | Queueing
Tell = Callable[[News], None]
Measure = Callable[[Path, "Asked"], "tuple[Given, Given | None]"]


@dataclass(frozen=True)
class Patience:
    """How long a run stays. Times are in seconds.

    `detach`: it leaves once its training is submitted. `deadline`: so long after it began it leaves, whatever goes on.
    `lock`: so long it waits for a lock that somebody holds. `resume` is the line that goes on with the release `{}`.
    """

    detach: bool = False
    deadline: float | None = None
    lock: float = 0.0
    resume: str = "ctrain resume {}"


@dataclass
class Journal:
    """Appends to the ledger under the locks it holds, and tells the person who watches.

    `measure` computes a project's own metrics, given the project's folder. `root` is where that is on this machine: a
    release may have been planned on another. `current` is the release that was worked on last. `halt` raises where a
    signal has come: whatever may have swallowed what it raised, nothing is begun any more. `attend` is asked wherever a
    verb waits: where it says so, the wait ends with `Disturbed`.
    """

    at: Backend
    by: str
    tell: Tell
    leases: dict[str, Lease] = field(default_factory=dict)
    renewed: float = 0.0
    recorded: int = 0
    releases: dict[str, Release] = field(default_factory=dict)
    resting: list[str] = field(default_factory=list)
    measure: Measure | None = None
    root: str = ""
    patience: Patience = field(default_factory=Patience)
    began: float = 0.0
    current: Release | None = None
    halt: Callable[[], None] = lambda: None
    attend: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        self.began = self.at.clock.monotonic()

    def lock(self, name: str) -> None:
        """Take a lock and hold it until `unlock`. Raises Locked where somebody else has it and goes on having it."""
        if name in self.leases:
            return
        began = self.at.clock.monotonic()
        while True:
            asked = self.at.clock.monotonic()
            try:
                lease = self.at.ledger.acquire(name, self.by, LEASE_SECONDS)
            except Locked as held:
                waited = asked - began
                if waited >= self.patience.lock or self.due():
                    raise
                self.tell(Queueing(name, held.holder, held.where, waited))
                self.beat()
                self.at.clock.sleep(min(QUEUE_SECONDS, self.patience.lock - waited))
            else:
                if not self.leases:
                    self.renewed = asked  # the others are as old as they were
                self.leases[name] = lease
                return

    def unlock(self, name: str) -> None:
        lease = self.leases.pop(name, None)
        if lease is not None:
            self.at.ledger.release(lease)

    def unlock_all(self) -> None:
        for name in list(self.leases):
            self.unlock(name)

    def rest(self) -> None:
        """Give the locks back for a long wait, until `rise`."""
        self.resting += self.leases
        self.unlock_all()

    def rise(self) -> bool:
        """Take back the locks that `rest` gave up, if it did; whether it did. Raises Conflict where one is held."""
        names, self.resting = self.resting, []
        for name in names:
            self.lock(name)
        return bool(names)

    def read_again(self, release: str) -> Release:
        """The release as the ledger has it now. Raises PlatformUnavailable where it has none."""
        made = replay(self.at.ledger.events(release))
        if made is None:
            raise PlatformUnavailable(
                f"the release {release} could not be read",
                why="the ledger has nothing of how it began",
                hint="run the same command again; it goes on from what is",
            )
        made = self.here(made)
        self.releases[release] = self.current = made
        return made

    def here(self, release: Release) -> Release:
        """The release, its plan's files being where they are on this machine."""
        return replace(release, plan=release.plan.moved(self.root))

    def left(self) -> float | None:
        """Seconds until the deadline, if there is one."""
        deadline = self.patience.deadline
        return None if deadline is None else self.began + deadline - self.at.clock.monotonic()

    def due(self) -> bool:
        """Whether the deadline has come."""
        left = self.left()
        return left is not None and left <= 0

    def heed(self, release: str, goes_on: str) -> None:
        """Raises StillRunning where the deadline has come; `goes_on` says what goes on without us."""
        if self.due():
            raise self.leaving(release, f"the deadline has passed, and {goes_on}")

    def leaving(self, release: str, why: str) -> StillRunning:
        """What is said as a run leaves its release open."""
        return StillRunning(
            f"{release} is not done yet", why=why, hint=self.patience.resume.replace("{}", release, 1), release=release
        )

    def beat(self) -> None:
        """Where a verb waits: keep the locks alive, as `renew` does; raises Disturbed where what it waits for is to be
        looked at anew."""
        self.renew()
        if self.attend is not None and self.attend():
            raise Disturbed

    def renew(self, *, at_once: bool = False) -> None:
        """Keep the locks alive. Raises Conflict where one was lost, so that no write follows.

        Once it returns, all of them are ours for half of `LEASE_SECONDS` more at least: a renewal that itself took so
        long that this cannot be said is made again.
        """
        self.halt()
        oldest = 0.0 if at_once else RENEW_SECONDS
        while self.leases and (asked := self.at.clock.monotonic()) - self.renewed >= oldest:
            self.leases = {name: self.at.ledger.renew(lease, LEASE_SECONDS) for name, lease in self.leases.items()}
            self.renewed, oldest = asked, LEASE_SECONDS / 2

    def record(self, release: str, what: What) -> Release:
        """Append the event and give back the release as it is with it.

        What a container or a service said is kept and told without the secrets in it. The act that was announced may
        follow at once: an append that took long is no excuse for a lock that ran out.
        """
        self.renew()
        event = Event(release, self.at.clock.now(), self.by, discreet(what))
        lease = next(reversed(self.leases.values()), None)
        self.at.ledger.append(event, lease)
        self.renew()
        self.recorded += 1
        self.tell(event)
        known = self.releases.get(release)
        made = replay([event], known) if known else None
        if made is None:
            return self.read_again(release)
        self.releases[release] = self.current = made
        return made
