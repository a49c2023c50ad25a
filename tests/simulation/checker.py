"""Holds the world and the calls against the promises, after each step; it asks neither the flow nor its nouns.

What a lease can promise, and what is checked of it: a call that changes a stage begins while its caller holds that
stage's lease, by the ledger's clock. What a lease cannot exclude is a call that began in time and takes effect after
the lease was lost, as the platform does not know of leases: such calls are counted, and what they themselves did to the
endpoint is laid at nobody's door, as with the edits of strangers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from ctrain.events import Event, Promoted, Rejected, RolledBack, RolloutBegan
from ctrain.rollout import Stage, seconds_of
from ctrain.serving import Deployment, DeploymentState, Endpoint
from tests.simulation.schedule import Nature
from tests.simulation.world import SECRET, World

CHANGES = {"create", "place", "route", "mirror", "remove"}
"""The calls that change a stage."""


APART = 600.0
"""Seconds that the clocks of two machines may be apart: so much earlier a `keep` may be over by one of them."""


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept: which of the six (0: of the end), when, by whose call, and how."""

    promise: int
    at: float
    who: str
    says: str

    def __str__(self) -> str:
        return f"promise {self.promise} at {self.at:.2f} by {self.who}: {self.says}"


@dataclass
class Past:
    """What a checker remembers of one endpoint.

    `old` is the deployment that last held all the traffic for its bake; `holds` the one that has all of it now, since
    `since`; `kept` are those that were replaced, until when each must stay. `excused` is what is wrong, and was brought
    about by a stranger or by a call that came too late; `lost` the deployments that they took away.
    `strange` are those that were there then: ctrain cannot know when they were taken off. `served_already`: the rollout
    under way goes to what served before it, which stays whatever becomes of it.
    """

    served: bool = False
    old: str | None = None
    older: str | None = None
    holds: str | None = None
    since: float = 0.0
    kept: dict[str, float] = field(default_factory=dict)
    excused: set[Hashable] = field(default_factory=set)
    touched: bool = False
    given_up: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    served_already: bool = False
    strange: set[str] = field(default_factory=set)


class Checker:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.violations: list[Violation] = []
        self.counted: Counter[str] = Counter()
        self.past: dict[str, Past] = defaultdict(Past)
        self.marked: set[tuple[str, str]] = set()
        self._stages: Mapping[str, Stage] = {stage.endpoint: stage for stage in world.schedule.stages}
        self._read = 0

    def wrong(self, promise: int, who: str, says: str) -> None:
        self.violations.append(Violation(promise, self.world.baton.now, who, says))

    # before a call

    def begins(self, who: str, port: str, method: str, stage: Stage | None, words: tuple[object, ...]) -> None:
        """One writer: who does not hold a stage's lease does not begin to change it."""
        if port == "serving" and stage is not None and not self._holds(who, stage):
            self.wrong(3, who, f"begins {method} at {stage.name} without its lease")
        if port == "registry" and method == "crown":
            last = self.world.schedule.stages[-1]
            if not self._holds(who, last):
                self.wrong(3, who, f"begins to crown without the lease of {last.name}")

    def _holds(self, who: str, stage: Stage) -> bool:
        lease = self.world.ledger.held(stage.lock)
        return lease is not None and lease.holder == who

    # after a call

    def took_effect(self, who: str, port: str, method: str, stage: Stage | None, words: tuple[object, ...]) -> None:
        """The world has changed, or may have."""
        if port == "ledger" and method == "append":
            self._listen(who)
        if port == "ledger" and method in ("append", "keep"):
            self._secrets(who, words)
        if port == "serving" and stage is not None:
            late = not self._holds(who, stage)
            if late and method == "remove":
                self.past[stage.endpoint].lost.add(str(words[1]))
            self.counted["late effects"] += late
            self.look(who, stage, excused=late)
            self.world.serving.remember(stage.endpoint)

    def meddled(self, who: str, stage: Stage) -> None:
        """A stranger has changed an endpoint."""
        past = self.past[stage.endpoint]
        past.touched = True
        past.kept.clear()
        past.strange |= self.world.serving.endpoints[stage.endpoint].deployments.keys()
        past.lost |= self._were(stage) - self.world.serving.endpoints[stage.endpoint].deployments.keys()
        self.look(who, stage, excused=True)
        self.world.serving.remember(stage.endpoint)

    def _were(self, stage: Stage) -> set[str]:
        """The deployments there before the last change."""
        before = self.world.serving.past[stage.endpoint]
        return set(before[-1][1].deployments) if before and before[-1][1] else set()

    def _listen(self, who: str) -> None:
        appended = self.world.ledger.appended
        for event in appended[self._read :]:
            self._heard(event)
        self._read = len(appended)

    def _heard(self, event: Event) -> None:
        match event.what:
            case RolloutBegan(stage=name, deployment=deployment, before=before):
                self._at(name)[0].given_up.discard(deployment)
                self._at(name)[0].served_already = deployment in before
            case Promoted(stage=name):
                self._at(name)[0].served = True
            case RolledBack(stage=name):
                brought = self._took_over(event.release, name)
                if brought:
                    self.marked.add((name, brought))
                    self._given_up(name, brought)
            case Rejected(stage=name, deployment=deployment) if not self._at(name)[0].served_already:
                self._given_up(name, deployment)
            case _:
                pass

    def _at(self, name: str) -> tuple[Past, Stage]:
        stage = next(stage for stage in self.world.schedule.stages if stage.name == name)
        return self.past[stage.endpoint], stage

    def _given_up(self, stage: str, deployment: str) -> None:
        """It need not stay; what it replaced must."""
        past, where = self._at(stage)
        self._ripen(past, where, self.world.baton.now)
        past.given_up.add(deployment)
        past.kept.pop(deployment, None)
        if past.old == deployment:
            past.old = past.older if past.older != deployment else None

    def _took_over(self, release: str, stage: str) -> str | None:
        """Which deployment that release brought to the stage: read off its events."""
        for event in reversed(self.world.ledger.appended):
            if event.release == release and event.what.kind == "rollout_began" and event.what.stage == stage:
                return event.what.deployment
        return None

    def _secrets(self, who: str, words: tuple[object, ...]) -> None:
        told = self.world.ledger.lines[-1][1] if len(words) < 3 else str(words[-1])
        if SECRET in told:
            self.wrong(6, who, f"a secret is in the ledger: {told[:200]}")

    # the state of an endpoint

    def look(self, who: str, stage: Stage, *, excused: bool) -> None:
        """Is the stage as it must be?"""
        past, now = self.past[stage.endpoint], self.world.baton.now
        self.world.serving.settle(stage.endpoint)
        seen = self.world.serving.endpoints.get(stage.endpoint)
        if seen is None:
            return
        before = self.world.serving.past[stage.endpoint]
        earlier = dict(before[-1][1].traffic) if before and before[-1][1] else {}
        past.lost -= {name for name, one in seen.deployments.items() if _well(one)}
        self._remember(past, stage, seen, now)
        wrong = dict(self._wrong(past, stage, seen, now))
        for name, percent in seen.traffic.items():
            if percent > earlier.get(name, 0) and (stage.name, name) in self.marked:
                wrong["brought back", name] = (4, f"{name} was rolled back, and gets {percent}% of {stage.name} again")
        if excused:
            past.excused |= set(wrong)
        for key, (promise, says) in wrong.items():
            if key not in past.excused:
                self.wrong(promise, who, says)
        past.excused &= set(wrong)

    def _remember(self, past: Past, stage: Stage, seen: Endpoint, now: float) -> None:
        full = next((name for name, percent in seen.traffic.items() if percent == 100), None)
        self._ripen(past, stage, now)
        if full != past.holds:
            past.holds, past.since = full, now
            self._ripen(past, stage, now)

    @staticmethod
    def _ripen(past: Past, stage: Stage, now: float) -> None:
        """Whoever has held all of the traffic for the bake is the old one from now on."""
        if past.holds is None or past.holds == past.old or past.holds in past.given_up or not past.served:
            return
        ripe, before = past.since + bake_of(stage), past.old
        if before is not None and now < ripe:
            return
        past.old, past.older = past.holds, before
        past.kept.pop(past.holds, None)
        if before is not None and before not in past.strange:
            past.kept[before] = ripe + seconds_of(stage.rollout.keep) - APART

    def _wrong(self, past: Past, stage: Stage, seen: Endpoint, now: float) -> dict[Hashable, tuple[int, str]]:
        wrong: dict[Hashable, tuple[int, str]] = {}
        total = sum(seen.traffic.values())
        if total != 100 and (past.served or total):
            wrong["sum"] = (1, f"the traffic of {stage.name} sums to {total}: {dict(seen.traffic)}")
        for name, percent in seen.traffic.items():
            if percent and not _well(seen.deployments.get(name)):
                wrong["sick", name] = (1, f"{name} carries {percent}% of {stage.name} and is not healthy")
            if percent and stage is self.world.schedule.stages[-1] and not self._passed(seen.deployments.get(name)):
                wrong["unproven", name] = (4, f"{name} serves {stage.name}, and its model never passed the gate")
        if past.old is not None and past.old not in past.lost and not _well(seen.deployments.get(past.old)):
            wrong["old", past.old] = (
                2,
                f"{past.old} is gone from {stage.name}, before another one held 100% for its bake",
            )
        for name, until in past.kept.items():
            if now < until and name not in past.lost and not _well(seen.deployments.get(name)):
                wrong["kept", name] = (2, f"{name} is gone from {stage.name}, {until - now:.0f} s before its time")
        return wrong

    def _passed(self, deployment: Deployment | None) -> bool:
        """By what the simulation knows of the model, and by the digest of what was judged."""
        if deployment is None:
            return False
        made = self.world.registry.made.get("visits", [])
        by_digest = [version for version in made if version.digest == deployment.model_digest]
        return bool(by_digest) and all(
            self.world.serving.nature(version.lineage.commit) is not Nature.POOR for version in by_digest
        )


def bake_of(stage: Stage) -> float:
    """Seconds that a new deployment must hold all of the traffic there."""
    return 0.0 if stage.rollout.strategy == "direct" else seconds_of(stage.rollout.bake)


def _well(deployment: Deployment | None) -> bool:
    return deployment is not None and deployment.state is DeploymentState.SUCCEEDED and deployment.ready
