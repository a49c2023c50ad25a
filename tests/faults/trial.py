"""One fault at one call, at each of many calls: what came of it, and what is wrong with that."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctrain.errors import ExitCode
from tests.faults.release import HANGS, Outcome, State, Trial
from tests.faults.sites import Place, places_of, site_of
from tests.faults.table import FAULTS, WAITED_OUT

RUNS = 300
"""Runs in a row that one release may take before it counts as one that never gets there."""


MAKING = re.compile(r"/onlineEndpoints(/[^/?]*)?\\?\?")
"""In the expression of a call to an endpoint, or to all."""

LATER = 90.0
"""Seconds between two runs: a lock that could not be given back has run out by then."""


@dataclass(frozen=True)
class Case:
    """A fault, by its name in the table, at a place."""

    place: Place
    fault: str

    @property
    def asks(self) -> bool:
        """Whether it is a smoke test's question: what comes back decides on the model, and may be the end of it."""
        return "/score" in self.place.site.target

    def __str__(self) -> str:
        return f"{self.fault} at {self.place}"


@dataclass(frozen=True)
class Result:
    """`code` is what the run ended with that met the fault; `delivered` whether it, or running again, got there."""

    case: Case
    code: int
    told: str
    delivered: bool
    wrong: tuple[str, ...] = ()


@dataclass
class Story:
    """One release, run until it ends: what each run met, and how it ended."""

    start: State
    runs: list[tuple[tuple[Case, ...], Outcome]] = field(default_factory=list)

    @property
    def met(self) -> list[Case]:
        return [case for cases, _ in self.runs for case in cases]

    @property
    def end(self) -> Outcome:
        return self.runs[-1][1]


def learn(trial: Trial, deliveries: int = 3) -> list[Place]:
    """Deliver without a fault; the calls of the last one are the places: from the third on (the first one that takes a
    deployment away) all are alike."""
    for _ in range(deliveries - 1):
        _delivered(trial)
    return places_of(_delivered(trial))


def learn_fresh(trial: Trial) -> list[Place]:
    """Of a delivery to an endpoint that is not there yet, what has to do with endpoints."""
    return [place for place in places_of(_delivered(trial)) if MAKING.search(place.site.target)]


def _delivered(trial: Trial) -> list[dict[str, Any]]:
    trial.another_model()
    mark = trial.azure.mark()
    outcome = trial.run()
    assert outcome.code == 0, outcome.told
    return trial.azure.calls(since=mark)


def some(places: Sequence[Place], seed: int, count: int) -> list[Case]:
    """So many cases by chance, as a release meets them."""
    every = [Case(place, fault) for place in places for fault in FAULTS]
    chosen = random.Random(seed).sample(every, count)  # noqa: S311  the same ones each time, and no secret
    return sorted(chosen, key=lambda case: case.place.position)


def try_all(trial: Trial, cases: Sequence[Case]) -> Iterator[Result]:
    """Each case met once, by one fault; those that no release ever met are left out.

    All are armed at once. Where a release is delivered in one run, each of those that it met did no harm. A run that
    ended and had met only one shows what that one leads to; if it had met several, the last one is tried again alone,
    and the others together. Where something is wrong each half is tried again, down to a single one. Where the model is
    asked, each is alone: what it answers may be the end of a release.
    """
    alone = [case for case in cases if case.asks]
    yield from _tried(trial, [case for case in cases if not case.asks], alone)
    yield from _tried(trial, alone, None)


def _tried(trial: Trial, cases: Sequence[Case], alone: list[Case] | None) -> Iterator[Result]:
    """Releases, until all are met, or two in a row met none. Those that are to be tried alone are put to `alone`; where
    there is no such list each is, and each run meets one."""
    pending, in_vain = list(cases), 0
    while pending and in_vain < 2:
        story = tell(trial, pending, together=alone is not None)
        met = story.met
        pending = [case for case in pending if case not in met]
        wrong = tuple(judged(trial, story))
        in_vain = 0 if met else in_vain + 1
        if wrong and len(met) > 1:
            sys.stderr.write(f"looking for which of {len(met)} led to: {wrong[0][:300]}\n")
            for half in (met[: len(met) // 2], met[len(met) // 2 :]):
                yield from _tried(trial, half, alone)
            continue
        if wrong and not met:
            yield Result(pending[0], story.end.code, "no fault was met", False, wrong)
        for some_met, outcome in story.runs:
            if len(some_met) == 1 or outcome.code == ExitCode.DONE or alone is None:
                for case in some_met:
                    yield Result(case, outcome.code, outcome.told, story.end.code == ExitCode.DONE, wrong)
            else:
                alone += some_met[-1:]
                pending += some_met[:-1]
        if not met:
            pending.append(pending.pop(0))


def tell(trial: Trial, cases: Sequence[Case], *, together: bool) -> Story:
    """A release of another model, run again and again until it ends, each time with the faults that are left: all of
    them, or the next one."""
    trial.another_model()
    story = Story(trial.state())
    left = list(cases)
    for _ in range(RUNS):
        armed = left if together else left[:1]
        for case in armed:
            rule = {"times": 1, **FAULTS[case.fault], "nth": case.place.nth}
            site = case.place.site
            trial.azure.fault(**rule, method=site.method, host=site.host, path=site.target)
        mark = trial.azure.mark()
        outcome = trial.run()
        trial.azure.advance(LATER)
        met = _met(trial, armed, mark)
        left = [case for case in left if case not in met]
        story.runs.append((met, outcome))
        if outcome.code in ENDED or (outcome.code != ExitCode.DONE and not met):
            break
    return story


def _met(trial: Trial, armed: Sequence[Case], mark: int) -> tuple[Case, ...]:
    """Those that the calls since then met: a call is of one kind, and its number says which of the kind it is."""
    seen: Counter[object] = Counter()
    met = []
    for call in trial.azure.calls(since=mark):
        if call["method"] == "CONNECT" or call["target"].endswith("?client"):
            continue
        site = site_of(call)
        seen[site] += 1
        met += [case for case in armed if call["fault"] and case.place.site == site and case not in met][:1]
    return tuple(met)


ENDED = (
    ExitCode.DONE,
    ExitCode.REJECTED,
    ExitCode.UNDECIDED,
    ExitCode.ROLLED_BACK,
    ExitCode.NOT_RESTORED,
    ExitCode.BUG,
)
"""Ends of a release. All but the first leave production as it was."""


def judged(trial: Trial, story: Story) -> Iterator[str]:
    """What is wrong after a release that met faults."""
    for met, outcome in story.runs:
        yield from _of_run(met, outcome)
    start, end = story.start, story.end
    try:
        now = trial.state()
    except AssertionError as failure:
        yield f"production is not well: {failure}"
        return
    if end.code == ExitCode.DONE:
        # A number may be left out: one that could have been somebody else's is not taken.
        if not start.served < now.served == now.champion or now.versions != start.versions + 1:
            yield f"it was delivered, and what was {start} is {now}"
    elif end.code == ExitCode.ROLLED_BACK:
        if (now.served, now.champion) != (start.served, start.champion):
            yield f"it was given up, and what was {start} is {now}"
    else:
        yield f"running again ended with {end.code}: {end.told}"
    if twice := trial.twice():
        yield f"it is recorded more than once: {twice}"
    failed = sum(outcome.code == ExitCode.TRAINING_FAILED for _, outcome in story.runs)
    if now.jobs - start.jobs > 1 + failed:
        yield f"{now.jobs - start.jobs} jobs were submitted"
    if trial.refused:
        yield f"{len(trial.refused)} requests to production were not answered well: {trial.refused[0]}"


def _of_run(met: tuple[Case, ...], outcome: Outcome) -> Iterator[str]:
    if outcome.seconds > HANGS:
        yield f"it hung: {outcome.seconds:.0f} s"
    if outcome.code != ExitCode.DONE and any(case.fault in WAITED_OUT and not case.asks for case in met):
        yield f"it would have passed: {outcome.code} {outcome.told}"
    match outcome.code:
        case ExitCode.BUG:
            yield f"a traceback: {outcome.told}"
        case ExitCode.TRAINING_FAILED | ExitCode.REJECTED | ExitCode.UNDECIDED | ExitCode.NOT_RESTORED:
            yield f"a model was judged by a fault: {outcome.code} {outcome.told}"
        case ExitCode.ROLLED_BACK if not any(case.asks for case in met):
            yield f"a model was given up for a fault: {outcome.told}"
