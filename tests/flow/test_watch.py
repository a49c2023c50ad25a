"""Rollouts that are watched: canary steps, a bake after the switch, mirrored traffic; and what is caught there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, islice, pairwise, takewhile

import pytest

from ctrain.bake import BakeSettings
from ctrain.errors import Conflict, ExitCode, NotAllowed, PlatformUnavailable
from ctrain.flow.deliver import deliver
from ctrain.flow.journal import Journal
from ctrain.flow.watch import drawn
from ctrain.plan import Plan
from ctrain.release import Ending, Release
from ctrain.rollout import RolloutSettings, Stage, live
from ctrain.serving import Answer, DeploymentSpec, Request
from ctrain.telemetry import Measured, Span
from ctrain.verdict import Outcome
from tests.builders import PROD, a_plan, outputs
from tests.flow.conftest import Run
from tests.memory import ManualClock, MemoryBackend, Model, echo

JUDGE = BakeSettings(errors=0.05, changed=0.2, per_second=2.0, min_requests=20, false_alarms=0.01)
CANARY = RolloutSettings("canary", steps=(10, 50, 100), bake="60s", judge=JUDGE)
BLUE_GREEN = RolloutSettings("blue_green", bake="60s", judge=JUDGE)


def prod(rollout: RolloutSettings) -> Stage:
    return replace(PROD, rollout=rollout)


@pytest.fixture
def served(world: MemoryBackend, run: Run) -> MemoryBackend:
    """Version 1 serves prod."""
    assert run(a_plan(stages=[PROD])).ending is Ending.DELIVERED
    return world


def second(world: MemoryBackend, run: Run, rollout: RolloutSettings) -> Release:
    """A second release, with another model."""
    return run(second_plan(world, rollout))


def second_plan(world: MemoryBackend, rollout: RolloutSettings) -> Plan:
    world.trainer.outputs = outputs(quality=0.99, champion=1.0)
    champion = world.registry.champion("visits")
    return a_plan(stages=[prod(rollout)], commit="c" * 40, champion=champion)


def splits(world: MemoryBackend, release: Release) -> list[dict[str, int]]:
    """The splits that the release set, with versions for names."""
    told = [event.what for event in world.ledger.events(release.id)]
    return [
        {name.partition("-")[0]: percent for name, percent in live(what.traffic).items()}
        for what in told
        if what.kind == "shifted"
    ]


def kinds(world: MemoryBackend, release: Release) -> list[str]:
    return [event.what.kind for event in world.ledger.events(release.id)]


def breaks(world: MemoryBackend, when: Callable[[int], bool], answer: Callable[[Answer], Answer]) -> Model:
    """The newest version answers otherwise, from the request on for which `when` says so."""
    asked = count()

    def model(spec: DeploymentSpec, request: Request) -> Answer:
        said = echo(spec, request)
        return answer(said) if spec.model_version == 2 and when(next(asked)) else said

    return model


def test_a_canary_goes_by_its_steps(served: MemoryBackend, run: Run) -> None:
    """10, 50, 100, each watched; the promotion takes as long as was said."""
    began = served.clock.monotonic()

    release = second(served, run, CANARY)

    assert release.ending is Ending.DELIVERED
    assert splits(served, release) == [{"v1": 90, "v2": 10}, {"v1": 50, "v2": 50}, {"v2": 100}]
    assert sorted(release.stages["prod"].watched) == [10, 50, 100]
    assert served.clock.monotonic() - began >= CANARY.at_least == 180


def test_the_first_release_of_a_stage_is_not_kept_waiting(world: MemoryBackend, run: Run) -> None:
    """Nothing serves that could be hurt, and nothing to compare with."""
    release = run(a_plan(stages=[prod(CANARY)]))

    assert release.ending is Ending.DELIVERED
    assert splits(world, release) == [{"v1": 100}]
    assert "watching" not in kinds(world, release)


def test_a_canary_that_fails_gives_the_traffic_back(served: MemoryBackend, run: Run) -> None:
    """It passed its smoke tests, and breaks under traffic: at 10% it is caught, and prod serves what it served."""
    served.serving.model = breaks(served, lambda asked: asked > 30, lambda said: replace(said, status=500))

    release = second(served, run, CANARY)

    assert release.ending is Ending.ROLLED_BACK
    assert release.ending.exit_code is ExitCode.ROLLED_BACK
    assert splits(served, release) == [{"v1": 90, "v2": 10}, {"v1": 100}]
    assert "failed, at most 5.0% may" in release.why
    assert len(served.serving.endpoints[PROD.endpoint].deployments) == 1


def test_a_platform_that_cannot_be_asked_is_no_evidence_against_a_version(served: MemoryBackend, run: Run) -> None:
    """Every seventh question of a watch never reaches the endpoint: who was asked answered well, and that is all."""
    score, asked = served.serving.score, count()

    def unreachable(endpoint: str, request: Request) -> Answer:
        split = len(live(served.serving.endpoints[endpoint].traffic)) == 2
        if split and next(asked) % 7 == 0:
            raise PlatformUnavailable("the endpoint could not be asked", why="no route to it", hint="try again")
        return score(endpoint, request)

    served.serving.score = unreachable  # type: ignore[method-assign]

    assert second(served, run, CANARY).ending is Ending.DELIVERED


def test_answers_that_change_are_caught_after_the_switch(served: MemoryBackend, run: Run) -> None:
    """Blue and green: all of the traffic at once, then the bake; what it answers is held against the old one's."""
    served.serving.model = breaks(served, lambda asked: asked > 60, lambda said: replace(said, body=b"[7.0]"))

    release = second(served, run, BLUE_GREEN)

    assert release.ending is Ending.ROLLED_BACK
    assert splits(served, release) == [{"v2": 100}, {"v1": 100}]
    assert "differ from the old deployment's" in release.why


DRIFT = replace(JUDGE, changed=None, drift=0.1)
ERRORS = replace(JUDGE, changed=None)


def moved(said: Answer) -> Answer:
    """The scores, each a little higher: closer than the tolerance."""
    return replace(said, body=json.dumps([score + 0.09 for score in json.loads(said.body)]).encode())


@pytest.mark.parametrize(
    ("judge", "why"), [(DRIFT, "drift of scores: over"), (replace(JUDGE, changed=0.2), ""), (ERRORS, "")]
)
def test_scores_that_drift_are_caught(served: MemoryBackend, run: Run, judge: BakeSettings, why: str) -> None:
    """Each of them is near the old one's; their distribution is not. Only the rule on drift sees that."""
    served.serving.model = breaks(served, lambda asked: asked > 60, moved)

    release = second(served, run, replace(BLUE_GREEN, judge=judge))

    assert why in release.why
    assert release.ending is (Ending.ROLLED_BACK if why else Ending.DELIVERED)


@pytest.mark.parametrize(
    ("rule", "body", "why"),
    [
        (ERRORS, b"[NaN]", "failed, at most"),
        (ERRORS, b"[null]", "failed, at most"),
        (ERRORS, b'["yes"]', "failed, at most"),
        (ERRORS, b"[[0.1, 0.2, 0.7]]", "failed, at most"),
        (ERRORS, b"<html>", "failed, at most"),
        (ERRORS, b"", "failed, at most"),
        (ERRORS, b"[0.1, 0.2]", "failed, at most"),
        (replace(DRIFT, errors=None), b"[NaN]", "drift of scores: over"),
        (replace(JUDGE, errors=None), b"[NaN]", "changed answers: "),
    ],
)
def test_an_answer_without_a_score_is_a_bad_one(
    served: MemoryBackend, run: Run, rule: BakeSettings, body: bytes, why: str
) -> None:
    """NaN, text, a class' probabilities, a page, nothing, or too many: for whichever rule there is."""
    served.serving.model = breaks(served, lambda asked: asked > 30, lambda said: replace(said, body=body))

    release = second(served, run, replace(CANARY, judge=rule))

    assert release.ending is Ending.ROLLED_BACK
    assert why in release.why


@pytest.mark.parametrize("rule", [replace(DRIFT, errors=None), replace(JUDGE, errors=None)])
def test_an_answer_that_only_the_old_version_gives_has_changed(
    served: MemoryBackend, run: Run, rule: BakeSettings
) -> None:
    """Without a rule on errors, one that fails is found all the same."""
    served.serving.model = breaks(served, lambda asked: asked > 30, lambda said: replace(said, status=424))

    assert second(served, run, replace(CANARY, judge=rule)).ending is Ending.ROLLED_BACK


@pytest.mark.parametrize("rule", [replace(DRIFT, errors=None), replace(JUDGE, errors=None)])
def test_where_the_old_version_does_not_answer_nothing_can_be_compared(
    served: MemoryBackend, run: Run, rule: BakeSettings
) -> None:
    """No data is inconclusive."""
    served.serving.model = lambda spec, request: (
        replace(echo(spec, request), status=500) if spec.model_version == 1 else echo(spec, request)
    )

    release = second(served, run, replace(CANARY, judge=rule))

    assert release.ending is Ending.ROLLED_BACK
    assert "20 answers are asked for" in release.why


@dataclass
class Users:
    """A platform that counts a hundred requests of users a minute, as many of them failed as said from a moment on.

    It is `behind` minutes late, and `fails` every so many readings.
    """

    clock: ManualClock
    failed: int = 0
    since: datetime | None = None
    behind: int = 0
    fails: int = 0
    asked: list[datetime] = field(default_factory=list)

    def measured(self, endpoint: str, deployment: str, since: datetime) -> Measured | None:
        self.asked.append(since)
        if self.fails and len(self.asked) % self.fails == 0:
            raise NotAllowed("not allowed to read metrics", why="no Microsoft.Insights/metrics/read", hint="ask")
        first = since + timedelta(seconds=-since.timestamp() % 60)
        until = self.clock.now() - timedelta(minutes=self.behind)
        minutes = takewhile(
            lambda began: began + timedelta(minutes=1) <= until, (first + timedelta(minutes=n) for n in count())
        )
        spans = []
        for began in minutes:
            bad = self.failed if self.since is not None and began >= self.since else 0
            spans.append(Span(began, 60.0, {"2xx": 100 - bad, "5xx": bad}))
        return Measured(tuple(spans)) if spans else None


LONG = replace(CANARY, bake="5m", judge=ERRORS)


def test_errors_that_only_users_see_are_caught(served: MemoryBackend, run: Run) -> None:
    """The gate's rows are all answered; a third of what users ask is not. What the platform said is in the record."""
    served.telemetry = Users(served.clock, failed=33, since=served.clock.now())

    release = second(served, run, LONG)

    assert release.ending is Ending.ROLLED_BACK
    assert "the platform counted" in release.why
    finding = release.stages["prod"].watched[10].findings[0]
    assert finding.measured["bad"] == 0
    assert finding.measured["platform_bad"] == finding.measured["platform_5xx"] == 33
    assert finding.measured["platform_until"] > 0


def test_a_platform_that_is_late_is_heard_at_the_next_step(served: MemoryBackend, run: Run) -> None:
    """Eight minutes behind, with steps of five: what users met at 10% gives it up at 50%; nothing is counted twice."""
    users = Users(served.clock, failed=20, since=served.clock.now(), behind=8)
    served.telemetry = users

    release = second(served, run, LONG)

    watched = release.stages["prod"].watched
    assert release.ending is Ending.ROLLED_BACK
    assert watched[10].outcome is Outcome.PASS
    assert "told nothing of it" in watched[10].notes[0]
    assert watched[50].findings[0].outcome is Outcome.FAIL
    assert watched[50].findings[0].measured["platform_asked"] <= 300
    assert len(set(users.asked)) == 1


def test_a_platform_that_cannot_be_read_stops_nobody(served: MemoryBackend, run: Run) -> None:
    """It is told, in the record too."""
    served.telemetry = Users(served.clock, fails=1)

    release = second(served, run, LONG)

    assert release.ending is Ending.DELIVERED
    for verdict in release.stages["prod"].watched.values():
        assert "no Microsoft.Insights/metrics/read" in verdict.notes[0]


def test_a_reading_that_fails_keeps_the_one_before(served: MemoryBackend, run: Run) -> None:
    """Every other reading fails; the users' errors are found with the others."""
    served.telemetry = Users(served.clock, failed=33, since=served.clock.now(), fails=2)

    assert second(served, run, LONG).ending is Ending.ROLLED_BACK


def test_the_smoke_tests_own_bad_requests_are_not_held_against_it(served: MemoryBackend, run: Run) -> None:
    """They are asked between two watches, have to fail, and are counted by the platform."""
    release = second(served, run, replace(CANARY, judge=replace(ERRORS, errors=0.001)))

    assert release.ending is Ending.DELIVERED
    counted = [status for _, status in served.serving.answered[PROD.endpoint, release.stages["prod"].deployment]]
    assert counted.count(400) >= 4
    for verdict in release.stages["prod"].watched.values():
        assert verdict.findings[0].measured["platform_bad"] == 0
        assert verdict.findings[0].measured["platform_asked"] > 0


def test_each_question_has_a_row_of_its_own(served: MemoryBackend, run: Run) -> None:
    """Drawn by chance, the same when the release is told again, and each row about as often as the others."""
    asked: list[bytes] = []

    def listens(spec: DeploymentSpec, request: Request) -> Answer:
        if spec.model_version == 2:
            asked.append(request.body)
        return echo(spec, request)

    served.serving.model = listens
    release = second(served, run, replace(BLUE_GREEN, bake="5m", judge=ERRORS))

    assert release.ending is Ending.DELIVERED
    watched = asked[-1200:]
    rows = Counter(watched)
    assert len(rows) == 3
    assert all(330 < often < 470 for often in rows.values())
    in_a_row = sum(one == other for one, other in pairwise(watched))
    assert 330 < in_a_row < 470
    assert list(islice(drawn("seed", 20), 50)) == list(islice(drawn("seed", 20), 50))
    assert list(islice(drawn("seed", 20), 50)) != list(islice(drawn("other", 20), 50))


def test_too_few_answers_are_no_pass(served: MemoryBackend, run: Run) -> None:
    """No data is inconclusive, and what is inconclusive is not promoted."""
    release = second(served, run, replace(BLUE_GREEN, judge=replace(JUDGE, min_requests=100_000)))

    assert release.ending is Ending.ROLLED_BACK
    assert "100000 answers are asked for" in release.why


def test_a_watch_that_leaves_a_doubt_goes_on(served: MemoryBackend, run: Run) -> None:
    """Every third answer fails. When the time is over that is no proof, and no pass: some more answers prove it."""
    short = replace(BLUE_GREEN, bake="8s", judge=replace(JUDGE, per_second=1.0, min_requests=5))
    served.serving.model = breaks(
        served, lambda asked: asked > 14 and asked % 3 == 0, lambda said: replace(said, status=500)
    )

    release = second(served, run, short)

    watching, watched = (
        next(event.at for event in served.ledger.events(release.id) if event.what.kind == kind)
        for kind in ("watching", "watched")
    )
    assert 8 < (watched - watching).total_seconds() < 16
    assert release.ending is Ending.ROLLED_BACK
    assert "more than chance explains" in release.why


def test_requests_are_mirrored_before_the_first_live_one(served: MemoryBackend, run: Run) -> None:
    """Mirrored, watched, and mirrored no more; then the steps."""
    release = second(served, run, replace(CANARY, mirror=20))

    assert release.ending is Ending.DELIVERED
    told = kinds(served, release)
    assert told.index("mirroring") < told.index("watched") < told.index("shifting")
    assert sorted(release.stages["prod"].watched) == [0, 10, 50, 100]
    assert live(served.serving.endpoints[PROD.endpoint].mirror) == {}


def test_somebody_elses_change_stops_the_rollout(served: MemoryBackend, run: Run) -> None:
    """It says what changed, and leaves it."""
    answer = served.serving.model
    foreign = {"done": False}

    def meddles(spec: DeploymentSpec, request: Request) -> Answer:
        seen = served.serving.endpoints[PROD.endpoint]
        if 0 < max(seen.traffic.values()) < 100 and not foreign["done"]:
            foreign["done"] = True
            names = sorted(seen.traffic)
            served.serving.endpoints[PROD.endpoint] = replace(seen, traffic={names[0]: 37, names[1]: 63})
        return answer(spec, request)

    served.serving.model = meddles

    with pytest.raises(Conflict, match="somebody else changes") as told:
        second(served, run, CANARY)
    assert "37%" in told.value.why
    assert set(served.serving.endpoints[PROD.endpoint].traffic.values()) == {37, 63}


def test_a_watch_that_was_cut_off_is_begun_again(served: MemoryBackend, run: Run) -> None:
    """A dead runner's half an observation is no evidence."""

    class Dies(BaseException):
        pass

    def dies(said: Answer) -> Answer:
        raise Dies

    served.serving.model = breaks(served, lambda asked: asked > 30, dies)
    plan = second_plan(served, CANARY)
    with pytest.raises(Dies):
        deliver(plan, Journal(served.ports, "one that dies", lambda _: None))
    served.ledger.leases.clear()
    served.serving.model = echo

    release = run(plan)

    assert release.ending is Ending.DELIVERED
    told = kinds(served, release)
    assert told.count("watching") == 4
    assert told.count("watched") == 3
