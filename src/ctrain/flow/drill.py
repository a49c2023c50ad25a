"""Rehearse a rollback on a stage, end to end: place, shift, ask, take back, ask, tidy; and time the way back.

What is placed is the version that serves, under another name: whoever is served meanwhile gets the same answers.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice

from ctrain import events
from ctrain.errors import Conflict, NotRestored, PlatformUnavailable, RolledBack, UsageError
from ctrain.flow.journal import Asking, Journal
from ctrain.flow.judge import blocking_reason, golden_of
from ctrain.flow.place import place
from ctrain.flow.prepare import scoring_digest
from ctrain.flow.roll_back import newest_first, serving_release
from ctrain.flow.smoke_test import smoke_test
from ctrain.flow.undo_drill import undo_drill
from ctrain.plan import Deploy
from ctrain.release import Release
from ctrain.rollout import Stage, deployment_of, live
from ctrain.rollout.drilling import PREFIX, Drilled, Drilling, Heard, WayBack, way_back
from ctrain.serving import Answer, DeploymentSpec, Endpoint, Request, Traffic
from ctrain.smoke import Golden, read_scores

EVERY = 0.1
"""Seconds between two questions: how exactly a drill measures."""

SETTLE_SECONDS = 300.0
"""How long traffic may take to move. Azure's front door follows a change of weights within a minute or so."""

NEIGHBOURS = 10
"""Among so many releases one is looked for that is on its way to the stage: each is a read of the ledger."""


def drill(stage: Stage, journal: Journal, *, last: bool, agreed: bool = False) -> Drilled:
    """How long the way back took. The stage serves as before, whatever came of it.

    Raises UsageError for the last stage, unless that is agreed; Conflict where the stage is not in a state to rehearse
    on; RolledBack where the rehearsal failed and the stage serves as before, NotRestored where it does not.
    """
    if last and not agreed:
        raise UsageError(
            f"{stage.name} is the last stage, and users are served there",
            why="a drill moves all of its traffic to a second deployment of the same version, and back",
            hint=f"drill an earlier stage; or, if you mean it, `ctrain drill {stage.name} --yes`",
        )
    journal.lock(stage.lock)
    seen = undo_drill(stage, journal.at.serving(stage).look(stage.endpoint), journal)
    release, endpoint = _fit(stage, seen, journal)
    one = _Drill(release, stage, _spec(release, stage, journal), live(endpoint.traffic), journal)
    try:
        return one.rehearse()
    except Exception:
        one.undo()  # not after a signal: what is left is undone by the next drill, rollout or rollback
        raise


def _fit(stage: Stage, endpoint: Endpoint | None, journal: Journal) -> tuple[Release, Endpoint]:
    """The release that serves, and the endpoint, where the stage can be drilled. Raises Conflict where it cannot."""
    release = serving_release(stage, endpoint, journal.at.ledger)
    if endpoint is None or release is None:
        raise _unfit(stage, "no release that the ledger knows has all of its traffic")
    if not endpoint.running or not all(endpoint.deployments[name].healthy for name in live(endpoint.traffic)):
        raise _unfit(stage, "what serves it is not healthy")
    if live(endpoint.mirror):
        raise _unfit(stage, "its traffic is mirrored")
    golden = golden_of(release.id, journal)
    if golden is None or not golden.rows:
        raise _unfit(stage, f"the ledger has no golden rows of {release.id} to ask with")
    for other in islice(newest_first(journal.at.ledger), NEIGHBOURS):
        if other.amid == stage.name:
            raise _unfit(stage, f"the rollout of {other.id} is under way there")
    return journal.here(release), endpoint


def _unfit(stage: Stage, why: str) -> Conflict:
    return Conflict(f"{stage.name} cannot be drilled", why=why, hint="see `ctrain status`, and drill it later")


def _spec(release: Release, stage: Stage, journal: Journal) -> DeploymentSpec:
    """The one that serves, under a drill's name."""
    step = _step(release, stage)
    if release.version is None or scoring_digest(step.stage) != step.code:
        raise Conflict(
            f"{stage.name} cannot be drilled from here",
            why=f"the scoring code is not that of {release.id}, which serves",
            hint=f"check out the commit {release.plan.source.short}, and drill there",
        )
    spec = deployment_of(release.version, step.stage.deployment, step.code)
    name = PREFIX + spec.name.rpartition("-")[2]
    uri = journal.at.registry.promote(release.version, step.stage)
    return replace(spec, name=name, model_uri=uri, tags={**spec.tags, "drill": release.id})


def _step(release: Release, stage: Stage) -> Deploy:
    return next(step for step in release.plan.deploys if step.stage.name == stage.name)


@dataclass
class _Drill:
    """One rehearsal, under the stage's lock."""

    release: Release
    stage: Stage
    spec: DeploymentSpec
    before: Traffic
    journal: Journal

    def rehearse(self) -> Drilled:
        name, stage = self.spec.name, self.stage
        self.journal.record(self.release.id, Drilling(stage.name, name, self.before))
        if (why := place(self.release, stage, self.spec, self.journal)) is not None:
            raise self._failed(why)
        verdict = smoke_test(self.release.id, stage, name, self.journal, live=False)
        if not verdict.passed:
            raise self._failed(f"its smoke tests ended in {verdict.outcome}: {blocking_reason(verdict)}")
        there = self._move({name: 100})
        if there.settled is None:
            raise self._failed(f"within {SETTLE_SECONDS:g} s not all answers came from it")
        back = self._move(self.before)
        if back.first is None or back.settled is None:
            raise NotRestored(
                f"the drill of {stage.name} did not get its traffic back",
                why=f"within {SETTLE_SECONDS:g} s not all answers came from {', '.join(self.before)}",
                hint=self._by_hand(),
            )
        self.undo()
        done = Drilled(stage.name, name, back.first, back.settled, back.asked, back.failed)
        self.journal.record(self.release.id, done)
        return done

    def undo(self) -> None:
        """Raises NotRestored where it could not be done."""
        try:
            undo_drill(self.stage, self.journal.at.serving(self.stage).look(self.stage.endpoint), self.journal)
        except PlatformUnavailable as failure:
            raise NotRestored(
                f"the drill of {self.stage.name} could not be undone", why=str(failure), hint=self._by_hand()
            ) from failure

    def _move(self, traffic: Traffic) -> WayBack:
        """Decide, look, record and change the weights, and ask all the while, until all answers are from there."""
        journal, stage, clock = self.journal, self.stage, self.journal.at.clock
        golden = golden_of(self.release.id, journal) or Golden((), (), ())
        decided, heard = clock.monotonic(), list[Heard]()
        endpoint = journal.at.serving(stage).look(stage.endpoint)
        split = dict.fromkeys(endpoint.traffic if endpoint else (), 0) | dict(traffic)
        journal.record(self.release.id, events.Shifting(stage.name, traffic))
        moved = self._route(split)
        while True:
            row = len(heard) % max(len(golden.rows), 1)
            good, by = self._ask(golden, row)
            heard.append(Heard(clock.monotonic() - decided, by, good))
            way = way_back(heard, traffic)
            if moved.done() and (way.settled is not None or clock.monotonic() - decided > SETTLE_SECONDS):
                break
            journal.tell(Asking(stage.name, by or "?"))
            journal.beat()
            clock.sleep(EVERY)
        moved.result()
        journal.record(self.release.id, events.Shifted(stage.name, traffic))
        return way

    def _route(self, split: Traffic) -> Future[None]:
        """The change on its way: answers are asked for while it is made."""
        done: Future[None] = Future()

        def change() -> None:
            try:
                self.journal.at.serving(self.stage).route(self.stage.endpoint, split)
                done.set_result(None)
            except BaseException as failure:  # noqa: BLE001  it is raised where the result is asked for
                done.set_exception(failure)

        # A daemon: a call that hangs must not keep a command that was interrupted.
        threading.Thread(target=change, name="ctrain-route", daemon=True).start()
        return done

    def _ask(self, golden: Golden, row: int) -> tuple[bool, str | None]:
        try:
            answer = self.journal.at.serving(self.stage).score(self.stage.endpoint, Request(golden.body(row, row + 1)))
        except PlatformUnavailable:
            return False, None
        return _right(answer, golden.scores[row : row + 1], self.stage.smoke.tolerance), answer.deployment

    def _failed(self, why: str) -> RolledBack:
        return RolledBack(
            f"the drill of {self.stage.name} failed",
            why=f"{self.spec.name}: {why}; the stage serves what it served",
            hint=f"see `ctrain show {self.release.id}`, and find out before you need the way back",
        )

    def _by_hand(self) -> str:
        endpoint = self.journal.at.serving(self.stage).look(self.stage.endpoint)
        words = " ".join(f"{name}={share}" for name, share in ({self.spec.name: 0} | dict(self.before)).items())
        command = endpoint.route_command if endpoint else ""
        return f"act now: `{command} {words}`" if command else f"act now: `ctrain drill {self.stage.name}` undoes it"


def _right(answer: Answer, scores: tuple[float, ...], tolerance: float) -> bool:
    """Whether it is the gate's score, as in the smoke tests."""
    if answer.status != 200:
        return False
    try:
        told = read_scores(answer.body)
    except ValueError:
        return False
    pairs = zip(told, scores, strict=False)
    return len(told) == len(scores) and all(abs(a - b) <= tolerance * max(1.0, abs(b)) for a, b in pairs)
