"""Watch a deployment that takes traffic: ask it again and again, hear the platform, and judge at every look."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ctrain.bake import Scores, Watched, judge
from ctrain.errors import CtrainError, NoAnswer, PlatformUnavailable
from ctrain.events import RolloutBegan, Watching
from ctrain.flow.journal import Asking, Journal
from ctrain.flow.judge import golden_of
from ctrain.ports import Clock, Serving, Telemetry
from ctrain.release import Release
from ctrain.rollout import Stage
from ctrain.serving import Answer, Request
from ctrain.smoke import Golden, read_scores
from ctrain.telemetry import Window
from ctrain.verdict import Outcome, Verdict

LONGEST = 4
"""So many times `bake` a watch lasts at most: while what was seen is inconclusive it goes on."""

READ_SECONDS = 15.0
"""How often the platform is asked for its counts; sooner where the watch is short."""


UNASKED = Answer(0, b"", 0.0)
"""In the place of an answer to a question that never reached the endpoint."""


@dataclass(frozen=True)
class Watch:
    """Who is watched, at which endpoint, and beside whom: `before` served alone before the rollout, if any did."""

    serving: Serving
    stage: Stage
    deployment: str
    before: str | None

    def ask(self, golden: Golden, rows: Iterator[int], seen: Watched, *, live: bool) -> Watched:
        """One more question to it by name, one through the endpoint (`live`), and what is seen with them.

        Each takes a row of its own: a row that cannot be answered would else fail twice, which is more than chance has.
        What another deployment answered through the endpoint is no evidence on this one.
        """
        body = _one(golden, next(rows))
        answer = self._answer(Request(body, self.deployment))
        if answer is not UNASKED:
            seen = self._counted(seen, answer)
        if live:
            through = self._answer(Request(_one(golden, next(rows))))
            if through is None or (through is not UNASKED and through.deployment in (None, self.deployment)):
                seen = self._counted(seen, through)
        if self.before is not None and self.stage.rollout.judge.compares and answer is not UNASKED:
            seen = self._compared(seen, answer, self._answer(Request(body, self.before)))
        return seen

    def _answer(self, request: Request) -> Answer | None:
        """None where it was asked and did not answer, which counts against it; that it could not be asked does not."""
        try:
            return self.serving.score(self.stage.endpoint, request)
        except NoAnswer:
            return None
        except PlatformUnavailable:
            return UNASKED

    def _counted(self, seen: Watched, answer: Answer | None) -> Watched:
        """An answer without a finite score is none: the smoke tests have seen that the model gives one for each row."""
        limit = self.stage.rollout.judge.p95_ms
        bad = answer is None or score_of(answer) is None
        slow = limit is not None and (answer is None or answer.seconds * 1000 > limit)
        return replace(seen, requests=seen.requests + 1, errors=seen.errors + bad, slow=seen.slow + slow)

    def _compared(self, seen: Watched, answer: Answer | None, other: Answer | None) -> Watched:
        """Where the old one does not answer there is nothing to compare; where only it does, the answer has changed."""
        if other is None or other.status != 200:
            return seen
        new, old = score_of(answer) if answer else None, score_of(other)
        if new is None or old is None:
            same = answer is not None and answer.status == 200 and _plain(answer.body) == _plain(other.body)
        else:
            same = abs(new - old) <= self.stage.rollout.judge.tolerance
        scores = seen.scores.seen(new, old)
        return replace(seen, compared=seen.compared + 1, changed=seen.changed + (not same), scores=scores)


@dataclass
class Platform:
    """What the platform counts of a deployment in these windows, read now and then.

    Each reading is of the whole, and takes the place of the one before: nothing is counted twice. One that cannot be
    had says so in what was seen, and stops nobody.
    """

    telemetry: Telemetry
    endpoint: str
    deployment: str
    windows: tuple[Window, ...]
    clock: Clock
    every: float
    due: float

    def read(self, seen: Watched, *, last: bool = False) -> Watched:
        """What was seen, with the platform's counts as they are now, where it is time or this is the `last` look."""
        if self.clock.monotonic() < self.due and not last:
            return seen
        self.due = self.clock.monotonic() + self.every
        try:
            told = self.telemetry.measured(self.endpoint, self.deployment, self.windows[0].began)
        except CtrainError as problem:
            return self._aged(replace(seen, silence=f"{problem.what}: {problem.why}"))
        told = told.within(self.windows) if told else None
        return self._aged(replace(seen, platform=told or seen.platform, silence=""))

    def _aged(self, seen: Watched) -> Watched:
        if seen.platform is None:
            return seen
        return replace(seen, age=(self.clock.now() - seen.platform.until).total_seconds())


def watch(release: Release, stage: Stage, deployment: str, journal: Journal, *, live: bool, seconds: float) -> Verdict:
    """The verdict once the bake is over, or sooner where it is a fail. Asks with the gate's golden rows, by chance.

    What is inconclusive then is watched for longer: three more times the bake at most.

    Raises Conflict where the lock was lost.
    """
    clock, settings = journal.at.clock, stage.rollout
    golden = golden_of(release.id, journal) or Golden((), (), ())
    record = release.stage(stage.name)
    before = next(iter(record.before), None) if record and record.before and len(record.before) == 1 else None
    watched = Watch(journal.at.serving(stage), stage, deployment, before)
    windows = _windows(release, stage, deployment, journal)
    rows = drawn(f"{release.id} {stage.name} {len(windows)}", len(golden.rows))
    began, asked = clock.monotonic(), 0
    every = min(READ_SECONDS, seconds / 4)
    telemetry = journal.at.telemetry(stage)
    platform = Platform(telemetry, stage.endpoint, deployment, windows, clock, every, began + every)
    seen = Watched(scores=Scores.cut_at(golden.scores))
    verdict = Verdict(())
    for bake in range(1, LONGEST + 1):
        while (passed := clock.monotonic() - began) < bake * seconds:
            journal.beat()
            journal.heed(release.id, f"{deployment} is not watched any more; what serves {stage.name} stays as it is")
            journal.tell(Asking(stage.name, deployment))
            due = min(math.ceil(passed * settings.judge.per_second) + 1 - asked, 64) if golden.rows else 0
            for _ in range(max(0, due)):
                seen = watched.ask(golden, rows, seen, live=live)
                asked += 1
            seen = platform.read(seen)
            verdict = judge(settings.judge, seen, settings.watches, over=False)
            if verdict.outcome is Outcome.FAIL:
                return verdict
            clock.sleep(min(1 / settings.judge.per_second, seconds))
        seen = platform.read(seen, last=True)
        verdict = judge(settings.judge, seen, settings.watches, over=True)
        if verdict.outcome is not Outcome.INCONCLUSIVE:
            break
    return verdict


def _windows(release: Release, stage: Stage, deployment: str, journal: Journal) -> tuple[Window, ...]:
    """When this rollout watched the deployment, with the watch that begins now; one that is tried anew is another.

    What the platform tells late of one step is heard at the next. Between the watches ctrain moves traffic and asks
    with requests that have to fail: a watch is over with the next event.
    """
    windows: list[Window] = []
    for event in journal.at.ledger.events(release.id):
        if windows and windows[-1].ended is None:
            windows[-1] = replace(windows[-1], ended=event.at)
        match event.what:
            case RolloutBegan(name) if name == stage.name:
                windows.clear()
            case Watching(name, watched) if (name, watched) == (stage.name, deployment):
                windows.append(Window(event.at))
            case _:
                pass
    return tuple(windows) or (Window(journal.at.clock.now()),)


def drawn(seed: str, count: int) -> Iterator[int]:
    """Places below `count`, each drawn anew, the same for the same seed.

    In turn would not do: bad rows that lie side by side are then bad answers in a row.
    """
    place = 0
    while True:
        digest = hashlib.sha256(f"{seed} {place}".encode()).digest()
        yield int.from_bytes(digest[:8], "big") % max(1, count)
        place += 1


def score_of(answer: Answer) -> float | None:
    """The finite score in an answer to one row; None where there is none."""
    if answer.status != 200:
        return None
    try:
        scores = read_scores(answer.body)
    except ValueError:
        return None
    return scores[0] if len(scores) == 1 else None


def _one(golden: Golden, row: int) -> bytes:
    return golden.body(row, row + 1)


def _plain(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
