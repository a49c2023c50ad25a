"""Watch a deployment that takes traffic: ask it again and again, and judge what comes back at every look."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

from ctrain.bake import Watched, judge
from ctrain.errors import PlatformUnavailable
from ctrain.flow.journal import Asking, Journal
from ctrain.flow.judge import golden_of
from ctrain.ports import Serving
from ctrain.release import Release
from ctrain.rollout import Stage
from ctrain.serving import Answer, Request
from ctrain.smoke import Golden, read_scores
from ctrain.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Watch:
    """Who is watched, at which endpoint, and beside whom: `before` served alone before the rollout, if any did."""

    serving: Serving
    stage: Stage
    deployment: str
    before: str | None

    def ask(self, body: bytes, seen: Watched, *, live: bool) -> Watched:
        """One more question to it by name, one through the endpoint (`live`), and what is seen with them.

        What another deployment answered through the endpoint is no evidence on this one.
        """
        answer = self._answer(Request(body, self.deployment))
        seen = self._counted(seen, answer)
        if live:
            through = self._answer(Request(body))
            if through is None or through.deployment in (None, self.deployment):
                seen = self._counted(seen, through)
        if self.before is not None and self.stage.rollout.judge.changed is not None:
            seen = self._compared(seen, answer, self._answer(Request(body, self.before)))
        return seen

    def _answer(self, request: Request) -> Answer | None:
        try:
            return self.serving.score(self.stage.endpoint, request)
        except PlatformUnavailable:
            return None

    def _counted(self, seen: Watched, answer: Answer | None) -> Watched:
        limit = self.stage.rollout.judge.p95_ms
        bad = answer is None or answer.status != 200
        slow = limit is not None and (answer is None or answer.seconds * 1000 > limit)
        return replace(seen, requests=seen.requests + 1, errors=seen.errors + bad, slow=seen.slow + slow)

    def _compared(self, seen: Watched, answer: Answer | None, other: Answer | None) -> Watched:
        """Where the old one does not answer either, there is nothing to compare."""
        if answer is None or other is None or answer.status != 200 or other.status != 200:
            return seen
        changed = not _agree(answer.body, other.body, self.stage.rollout.judge.tolerance)
        return replace(seen, compared=seen.compared + 1, changed=seen.changed + changed)


def watch(release: Release, stage: Stage, deployment: str, journal: Journal, *, live: bool) -> Verdict:
    """The verdict once the bake is over, or sooner where it is a fail. Asks with the gate's golden rows, in turn.

    Raises Conflict where the lock was lost.
    """
    clock, settings = journal.at.clock, stage.rollout
    golden = golden_of(release.id, journal)
    if golden is None or not golden.rows:
        golden = Golden((), (), ())
    record = release.stage(stage.name)
    before = next(iter(record.before), None) if record and record.before and len(record.before) == 1 else None
    watched = Watch(journal.at.serving(stage), stage, deployment, before)
    began, seen, asked = clock.monotonic(), Watched(), 0
    while (passed := clock.monotonic() - began) < settings.bake_seconds:
        journal.beat()
        journal.heed(release.id, f"{deployment} is not watched any more; what serves {stage.name} stays as it is")
        journal.tell(Asking(stage.name, deployment))
        due = min(math.ceil(passed * settings.judge.per_second) + 1 - asked, 64) if golden.rows else 0
        for _ in range(max(0, due)):
            row = asked % len(golden.rows)
            seen = watched.ask(golden.body(row, row + 1), seen, live=live)
            asked += 1
        verdict = judge(settings.judge, seen, settings.watches, over=False)
        if verdict.outcome is Outcome.FAIL:
            return verdict
        clock.sleep(min(1 / settings.judge.per_second, settings.bake_seconds))
    return judge(settings.judge, seen, settings.watches, over=True)


def _agree(one: bytes, other: bytes, tolerance: float) -> bool:
    """Whether two answers give scores no further apart than that; where they are none, whether they are the same."""
    try:
        pairs = list(zip(read_scores(one), read_scores(other), strict=True))
    except ValueError:
        return _plain(one) == _plain(other)
    return all(abs(a - b) <= tolerance for a, b in pairs)


def _plain(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
