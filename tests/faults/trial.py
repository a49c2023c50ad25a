"""One fault at one call: what came of it, and what is wrong with that."""

from __future__ import annotations

import random
import traceback
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from ctrain.errors import ExitCode
from tests.faults.release import HANGS, Outcome, Trial
from tests.faults.sites import Site, sites_of
from tests.faults.table import FAULTS

ENDED = (ExitCode.REJECTED, ExitCode.UNDECIDED, ExitCode.ROLLED_BACK)
"""Endings that running again leaves as they are: a verdict was given, and it takes another commit."""


@dataclass(frozen=True)
class Case:
    """A fault, by its name in the table, at a site."""

    site: Site
    fault: str

    def __str__(self) -> str:
        return f"{self.fault} at {self.site}"


@dataclass(frozen=True)
class Result:
    """`under` is the release that met the fault, `after` the same release run again; `wrong` is empty if all is well."""

    case: Case
    under: Outcome
    after: Outcome
    met: bool
    wrong: tuple[str, ...]


def learn(trial: Trial) -> list[Site]:
    """Deliver twice without a fault; the second release's calls are the sites, as all later ones are like it."""
    first = trial.release()
    assert first.code == 0, first.told
    mark = trial.azure.mark()
    trial.another_model()
    second = trial.release()
    assert second.code == 0, second.told
    return sites_of(trial.azure.calls(since=mark))


def cases(sites: Sequence[Site], seed: int | None, count: int | None) -> list[Case]:
    """All, in order; or so many by chance, each site and each fault about as often."""
    every = [Case(site, fault) for site in sites for fault in FAULTS]
    if count is None or count >= len(every):
        return every
    chance = random.Random(seed)
    return chance.sample(every, count)


def attempt(trial: Trial, case: Case) -> Result:
    """Make a release under the fault, run it again without, and look."""
    before, champion, jobs = trial.served(), trial.champion(), trial.jobs()
    trial.another_model()
    trial.refused.clear()
    asked_by_us = "/score" in case.site.path and trial.prod in case.site.host.replace("\\", "")
    with nullcontext() if asked_by_us else trial.client():
        rule = {"times": 1, **FAULTS[case.fault]}
        trial.azure.fault(**rule, method=case.site.method, host=case.site.host, path=case.site.path)
        mark = trial.azure.mark()
        under, crash = _tried(trial)
        met = any(call["fault"] for call in trial.azure.calls(since=mark))
        trial.azure.clear_faults()
        trial.azure.advance(90)
        after, second_crash = _tried(trial)
    wrong = [*crash, *second_crash, *_wrong(trial, under, after, before, champion, jobs)]
    return Result(case, under, after, met, tuple(wrong))


def _tried(trial: Trial) -> tuple[Outcome, list[str]]:
    try:
        return trial.release(), []
    except Exception:  # noqa: BLE001  a user would see a traceback: that is what we look for
        return Outcome(ExitCode.BUG, "a traceback", 0.0), [traceback.format_exc()]


def _wrong(
    trial: Trial, under: Outcome, after: Outcome, before: dict[str, int], champion: int | None, jobs: int
) -> Iterator[str]:
    for name, outcome in (("under the fault", under), ("after it", after)):
        if outcome.seconds > HANGS:
            yield f"it hung {name}: {outcome.seconds:.0f} s"
    served, crowned = trial.served(), trial.champion()
    if after.code == ExitCode.DONE:
        version = crowned or 0
        if set(served.values()) != {version} or version != max(before.values()) + 1:
            yield f"it was delivered, and {served} is served where it was {before}; the champion is {crowned}"
    elif after.code not in ENDED or under.code != after.code:
        yield f"the second run ended with {after.code}: {after.told}"
    elif list(served.values())[-1] != list(before.values())[-1] or crowned != champion:
        yield f"it was given up, and prod serves {served} where it was {before}; the champion is {crowned}"
    made = trial.jobs() - jobs
    if made > (2 if under.code == ExitCode.TRAINING_FAILED else 1):
        yield f"{made} jobs were submitted"
    if trial.refused:
        yield f"{len(trial.refused)} requests to prod were not answered: {trial.refused[0]}"
