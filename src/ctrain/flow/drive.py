"""Drive one stage's rollout: look, decide, act, and look again."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ctrain import events, rollout
from ctrain.errors import Conflict, NotAllowed, NotRestored, PlatformUnavailable
from ctrain.flow import act
from ctrain.flow.journal import Disturbed, Journal, Waiting
from ctrain.flow.judge import blocking_reason
from ctrain.flow.leaving import leave_in_time
from ctrain.flow.roll_back import mark
from ctrain.flow.under_way import kept_at
from ctrain.flow.way_out import way_out
from ctrain.plan import Deploy
from ctrain.release import Ending, Release, StageRecord
from ctrain.rollout import Rollout, Seen, Stage, live, next_step
from ctrain.rollout.times import RECOVER_SECONDS, RESTORE_SECONDS
from ctrain.serving import Endpoint

POLL_SECONDS = 0.1
READY_SECONDS = 1800.0
"""How long a deployment may take to become ready before it is given up."""

DOUBTS = 5
"""So many looks in a row must say that somebody else changed the endpoint, that what served before is gone, or that the
stage is restored: a look that tells of what was would else leave a version that was given up where it is."""

DOUBTFUL = rollout.Yield | rollout.Stuck | rollout.Restored

LISTEN_SECONDS = 2.0
"""How often who drives a rollout reads what people asked of it meanwhile."""

LOOK_SECONDS = 15.0
"""How often it looks at the endpoint while it watches: somebody else may change it."""


def drive(release: Release, step: Deploy, journal: Journal) -> Release:
    """The release with the stage taken over, restored and ended, or paused. Its lock must be held.

    Raises Conflict where somebody else changed the endpoint, and NotRestored where a version was given up and the
    traffic cannot be given back for now: running again goes on with that.
    """
    driver = _Driver(release, step, journal)
    journal.attend = driver.disturbed
    try:
        return driver.drive()
    finally:
        journal.attend = None


@dataclass
class _Driver:
    """`doing` is the action under way, `heard` and `looked` when ledger and endpoint were last read, `since` when the
    wait under way began, `failing` since when the traffic cannot be given back, and `back` that it was."""

    release: Release
    step: Deploy
    journal: Journal
    doing: rollout.Action | None = None
    heard: float = 0.0
    looked: float = 0.0
    since: float = 0.0
    failing: float | None = None
    back: bool = False

    def __post_init__(self) -> None:
        self.heard = self.looked = self.since = self._now()

    @property
    def stage(self) -> Stage:
        return self.step.stage

    @property
    def record(self) -> StageRecord:
        return self.release.stage(self.stage.name) or StageRecord("")

    @property
    def wanted(self) -> Rollout:
        return act.wanted(self.release, self.step)

    def drive(self) -> Release:
        self._begin_anew()
        while True:
            try:
                self._hear()
                action = self._decide()
                if isinstance(action, rollout.Shift | rollout.Done) and self._hear(at_once=True):
                    continue  # somebody asked for something just now
                if isinstance(action, DOUBTFUL) and not self._sure(type(action)):
                    continue
                target, given_up = self.wanted.target.name, self.record.rejected is not None
                leave_in_time(self.release.id, self.stage, target, action, self.journal, given_up=given_up)
                if self._final(action):
                    return self.release
            except Disturbed:
                self._hear(at_once=True)
            except (PlatformUnavailable, NotAllowed, Conflict) as failure:
                if isinstance(failure, Conflict) and isinstance(self.doing, rollout.Yield):
                    raise
                self._try_again(failure)

    def _begin_anew(self) -> None:
        """A rollout that has moved nothing yet begins from what serves now.

        Somebody else had his turn since it began, or the platform told it of what was before.
        """
        record = self.record
        if not record.under_way or record.share or record.rejected or record.aborted or record.paused:
            return
        now: dict[str, int] = {}
        for _ in range(DOUBTS):
            endpoint = self._look()
            now = live(endpoint.traffic) if endpoint is not None else {}
            if endpoint is None or now == live(record.before or {}) or record.deployment in now:
                return
            self.journal.at.clock.sleep(POLL_SECONDS)
        self._tell(events.RolloutBegan(self.stage.name, record.deployment, now))

    def disturbed(self) -> bool:
        """Whether what is, or what people asked for, does not go with what is being done."""
        now = self._now()
        if now - self.heard < LISTEN_SECONDS and now - self.looked < LOOK_SECONDS:
            return False
        try:
            heard = self._hear()
            if now - self.looked < LOOK_SECONDS:
                return heard
            self.looked = now
            should = next_step(self.wanted, self._seen(self._look()))
        except PlatformUnavailable:
            return False  # it will be told soon enough by what is being done
        return isinstance(should, rollout.Yield | rollout.Reject | rollout.Pause | rollout.Place) and not isinstance(
            should, type(self.doing)
        )

    def _hear(self, *, at_once: bool = False) -> bool:
        """Read what people asked of this rollout; whether there is anything new."""
        if not at_once and self._now() - self.heard < LISTEN_SECONDS:
            return False
        self.heard = self._now()
        before = (self.record.paused, self.record.aborted, self.record.resumed)
        self.release = self.journal.read_again(self.release.id)
        return before != (self.record.paused, self.record.aborted, self.record.resumed)

    def _decide(self) -> rollout.Action:
        endpoint = self._look()
        self.looked = self._now()
        seen = self._seen(endpoint)
        self.back = endpoint is not None and seen.before is not None and live(endpoint.traffic) == live(seen.before)
        self.doing = next_step(self.wanted, seen)
        return self.doing

    def _sure(self, kind: type[rollout.Action]) -> bool:
        """Whether a few more looks say so as well: a platform may tell of what was for a while."""
        for _ in range(DOUBTS - 1):
            self.journal.at.clock.sleep(POLL_SECONDS)
            if not isinstance(self._decide(), kind):
                return False
        return True

    def _final(self, action: rollout.Action) -> bool:
        """Do what was decided; whether that was the last of it."""
        name, record = self.stage.name, self.record
        match action:
            case rollout.Done():
                self._tell(events.Promoted(name, self.wanted.target.name))
            case rollout.Restored(why):
                self._mark(why)
                self._tell(events.Restored(name, why))
                self._tell(events.Closed(Ending.ROLLED_BACK, f"{name}: {why}"))
            case rollout.Stuck(why):
                self._mark(why)
                if self.release.ending is not Ending.NOT_RESTORED:
                    self._tell(events.Closed(Ending.NOT_RESTORED, f"{name}: {why}"))
            case rollout.Pause(share, why):
                if record.halted is None:
                    self._tell(events.Paused(name, self.wanted.target.name, share, why))
            case rollout.Yield(why):
                raise Conflict(
                    f"somebody else changes {self.stage.endpoint}",
                    why=why,
                    hint="look at `ctrain status`; once it is as it should be, run again, "
                    f"or `ctrain rollout abort {name}` for what served before",
                )
            case rollout.Wait(deployment):
                self._wait(deployment)
                return False
            case _:
                self.release = act.act(action, self.release, self.step, self.journal)
                self.since, self.failing = self._now(), None
                return False
        return True

    def _wait(self, deployment: str) -> None:
        waited, at = self._now() - self.since, self.journal.at
        self.journal.tell(Waiting(self.stage.name, deployment, waited))
        self.journal.beat()
        at.clock.sleep(max(POLL_SECONDS, at.pace.after(waited)))

    def _try_again(self, failure: PlatformUnavailable | NotAllowed | Conflict) -> None:
        """While a version that was given up still has traffic, a failure is no reason to leave it there."""
        if self.record.rejected is None or self.back or self.record.share == 0:
            raise failure
        now = self._now()
        self.failing = self.failing if self.failing is not None else now
        if isinstance(failure, NotAllowed) or now - self.failing >= RESTORE_SECONDS:
            raise NotRestored(
                f"the traffic of {self.stage.name} could not be given back",
                why=f"{self.record.rejected}; and then: {failure.what}, {failure.why}",
                hint="run one of these now; running again goes on with it as well",
                commands=way_out(self.release, self.stage, None, self.journal.at.ledger),
            ) from failure
        self.journal.renew(at_once=True)
        self.journal.at.clock.sleep(max(1.0, min((now - self.failing) / 2, 15.0)))

    def _look(self) -> Endpoint | None:
        return self.journal.at.serving(self.stage).look(self.stage.endpoint)

    def _seen(self, endpoint: Endpoint | None) -> Seen:
        waited, share = self._now() - self.since, 0
        if endpoint is not None:
            share = live(endpoint.traffic).get(self.wanted.target.name, 0)
        short = share > 0 or self.record.rejected is not None
        overdue = waited > (RECOVER_SECONDS if short else READY_SECONDS)
        tidies = share == 100 and self.record.proven is not None
        kept: frozenset[str] = frozenset()
        if tidies and endpoint is not None:
            kept = kept_at(self.stage, endpoint, self.journal.at, self.release)
        seen = remembered(self.release, self.stage, endpoint, overdue=overdue, kept=kept)
        given_up = self.record.rejected is not None or self.record.aborted is not None
        if given_up and self.record.share == 0 and share == 0 and endpoint is not None and seen.before is not None:
            # What has moved nothing gives nothing back: the stage may have been rolled back since it began.
            return replace(seen, before=live(endpoint.traffic))
        return seen

    def _mark(self, why: str) -> None:
        """What had live traffic and was taken off stays off; not what only made room for another release."""
        if self.record.share > 0 and not self.record.superseded:
            mark(self.release, self.stage, why, self.journal, self.record.before or ())

    def _tell(self, what: events.What) -> None:
        self.release = self.journal.record(self.release.id, what)

    def _now(self) -> float:
        return self.journal.at.clock.monotonic()


def remembered(
    release: Release,
    stage: Stage,
    endpoint: Endpoint | None,
    *,
    overdue: bool = False,
    kept: frozenset[str] = frozenset(),
) -> Seen:
    """The endpoint as it is, beside what the release's record says of its rollout there."""
    record = release.stage(stage.name)
    if record is None:
        return Seen(endpoint)
    return Seen(
        endpoint,
        before=record.before,
        smoked=record.smoked.outcome if record.smoked else None,
        proven=record.proven.outcome if record.proven else None,
        watched={share: verdict.outcome for share, verdict in record.watched.items()},
        rejected=_why(record),
        overdue=overdue,
        logged=record.logged,
        paused=record.paused,
        aborted=record.aborted,
        resumed=record.resumed,
        missed=record.missed,
        kept=kept,
    )


def _why(record: StageRecord) -> str | None:
    """Why it was given up, with the findings that were the reason."""
    why = record.rejected
    if why is None or record.aborted is not None:
        return why
    verdicts = [*record.watched.values(), *([record.smoked] if record.smoked else [])]
    return ": ".join([why, *(blocking_reason(verdict) for verdict in verdicts if not verdict.passed)])
