"""Does the judge of a bake keep its word? Simulated rollouts whose truth is known, looked at after every answer.

    python -m benchmarks.bake_proof [--repetitions 4000] [--seed 1]

The bets are those of `ctrain.betting`, averaged as `ctrain.bake` does; only the answers are drawn. Prints the tables of
docs/reliability.md, "How the judge keeps its word", and ends with 1 where a promise was not kept: where more versions
were given up than a binomial of the promised chance has in 999 of 1,000 cases.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ctrain.bake import LEANS, SLOW_SHARE, BakeSettings
from ctrain.betting import cuts_of, share_wealth, shift_wealth
from ctrain.flow.watch import LONGEST

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

ANSWERS = 600
"""Of one watch: five minutes, twice a second."""
WATCHES = 4
"""Mirrored, and at 10, 50 and 100%."""
LIMIT = 0.05
USERS = 4
"""Requests of users for each answer of ctrain's own."""
LATE = 60
"""Answers by which the platform is behind."""


@dataclass(frozen=True)
class Promise:
    """How often a version that is exactly at its limit was given up, and how often it may be."""

    what: str
    alpha: float
    alarms: int
    repetitions: int
    in_doubt: int | None = None

    @property
    def kept(self) -> bool:
        return self.alarms <= int(binom.ppf(0.999, self.repetitions, self.alpha))

    @property
    def row(self) -> str:
        doubt = "" if self.in_doubt is None else f"{self.in_doubt / self.repetitions:.2%}"
        return f"| {self.what} | {self.alpha:.2%} | {self.alarms / self.repetitions:.2%} | {doubt} |"


def needed(answers: int, limit: float, wealth: float) -> Counts:
    """How many bad ones take the bet there, by how many were asked (from 1); half of the stake is the platform's."""
    least, found = 0, []
    for asked in range(1, answers + 1):
        while least <= asked and (share_wealth(least, asked, limit) + 1) / 2 < wealth:
            least += 1
        found.append(least)
    return np.array(found)


def table(most: int, limit: float) -> Array:
    """`share_wealth` by how many were asked, and how many of those were bad."""
    from scipy.special import betaincc, betaln

    asked, bad = np.meshgrid(np.arange(most + 1), np.arange(most + 1), indexing="ij")
    good = np.maximum(asked - bad, 0)
    with np.errstate(divide="ignore"):
        logs = np.log(betaincc(bad + 1, good + 1, limit)) + betaln(bad + 1, good + 1) - math.log1p(-limit)
    return np.asarray(np.exp(np.minimum(logs - bad * math.log(limit) - good * math.log1p(-limit), 700)))


def own_answers(chance: np.random.Generator, repetitions: int, share: float, alpha: float) -> Promise:
    """One rule on one watch, with nothing heard from the platform; in doubt where it leans after each further bake."""
    bad = np.cumsum(chance.random((repetitions, LONGEST * ANSWERS)) < share, axis=1)
    proof, doubt = (needed(LONGEST * ANSWERS, LIMIT, wealth) for wealth in (1 / alpha, LEANS))
    ends = np.arange(1, LONGEST + 1) * ANSWERS - 1
    leans = (bad >= doubt)[:, ends].all(axis=1)
    given_up = (bad[:, :ANSWERS] >= proof[:ANSWERS]).any(axis=1)
    longer = leans & (bad >= proof).any(axis=1)
    what = f"errors in {share:.1%}, {ANSWERS} answers"
    return Promise(what, alpha, int((given_up | longer).sum()), repetitions, int((leans & ~longer & ~given_up).sum()))


def with_users(chance: np.random.Generator, repetitions: int, alpha: float) -> Promise:
    """The platform counts users' requests and ctrain's own, and is behind."""
    ours = chance.random((repetitions, ANSWERS)) < LIMIT
    users = chance.binomial(USERS, LIMIT, (repetitions, ANSWERS))
    own, platform = np.cumsum(ours, axis=1), np.cumsum(ours + users, axis=1)
    late = np.concatenate([np.zeros((repetitions, LATE), int), platform[:, :-LATE]], axis=1)
    asked = np.arange(1, ANSWERS + 1)
    wealths = table((USERS + 1) * ANSWERS, LIMIT)
    wealth = (wealths[asked, own] + wealths[np.maximum(0, asked - LATE) * (USERS + 1), late]) / 2
    what = (
        f"... and the platform's count, with {USERS} requests of users to each of ours, ours in it, {LATE} answers late"
    )
    return Promise(what, alpha, int((wealth >= 1 / alpha).any(axis=1).sum()), repetitions)


def by_percentiles(chance: np.random.Generator, repetitions: int, alpha: float) -> Promise:
    """5% of users' requests are slow; of each minute with 100 of them the platform tells four percentiles."""
    minutes, requests, limit = 60, 100, 1000.0
    slow = chance.binomial(requests, SLOW_SHARE, (repetitions, minutes))
    most = requests - 1
    # The p-th percentile (numpy's "higher") is above the limit where more than this many are slow.
    sure = np.zeros_like(slow)
    for percent in (50, 90, 95, 99):
        rank = math.ceil(most * percent / 100)
        told = np.where(slow > most - rank, limit + 1, limit - 1)
        sure = np.maximum(sure, np.where(told > limit, most - math.floor(most * percent / 100), 0))
    if (sure > slow).any():
        raise AssertionError("more are called slow than were")
    wealths = table(minutes * requests, SLOW_SHARE)
    wealth = (1 + wealths[np.arange(1, minutes + 1) * requests, np.cumsum(sure, axis=1)]) / 2
    what = f"5% slow, by the platform's percentiles of {minutes} minutes with {requests} requests"
    return Promise(what, alpha, int((wealth >= 1 / alpha).any(axis=1).sum()), repetitions)


def pairs(chance: np.random.Generator, repetitions: int, answers: int, apart: float) -> tuple[Array, Array]:
    """At each cut, pairs that lie on both sides of it, by repetition and answer: the distributions are `apart`, and of
    the other scores every second one is a little noisy."""
    cuts = np.array(cuts_of(tuple(np.linspace(0.05, 0.95, 50))))
    old = chance.random((repetitions, answers), dtype=np.float32)
    new = old + np.where(chance.random(old.shape) < 0.5, chance.normal(0, 0.02, old.shape), 0)
    moved = chance.random(old.shape) < apart
    old, new = np.where(moved, 1.0, old), np.where(moved, -0.5, new)
    below = np.cumsum((new[..., None] <= cuts) & (old[..., None] > cuts), axis=1, dtype=np.float64)
    above = np.cumsum((old[..., None] <= cuts) & (new[..., None] > cuts), axis=1, dtype=np.float64)
    return below, above


def first_drift(chance: np.random.Generator, repetitions: int, apart: float, limit: float, alpha: float) -> Counts:
    """At which answer each was given up; 0 where it was not."""
    below, above = pairs(chance, repetitions, ANSWERS, apart)
    found = np.zeros(repetitions, int)
    for asked in range(1, ANSWERS + 1):
        open_ones = found == 0
        if not open_ones.any():
            break
        wealth = shift_wealth(below[open_ones, asked - 1], above[open_ones, asked - 1], asked, limit)
        found[np.flatnonzero(open_ones)[wealth >= 1 / alpha]] = asked
    return found


def whole_rollout(chance: np.random.Generator, repetitions: int) -> Promise:
    """Four watches, three rules, each exactly at its limit: whether anything was given up."""
    settings = BakeSettings(errors=LIMIT, p95_ms=1.0, changed=LIMIT)
    alpha = settings.false_alarms / (settings.rules * WATCHES)
    proof = needed(ANSWERS, LIMIT, 1 / alpha)
    # A rule on changed answers has its whole stake on ctrain's own.
    least = np.array([_whole_stake(asked, alpha) for asked in range(1, ANSWERS + 1)])
    given_up = np.zeros(repetitions, bool)
    for _ in range(WATCHES):
        for thresholds in (proof, proof, least):
            bad = np.cumsum(chance.random((repetitions, ANSWERS)) < LIMIT, axis=1)
            given_up |= (bad >= thresholds).any(axis=1)
    what = f"a whole rollout: {WATCHES} watches, 3 rules, all at their limits"
    return Promise(what, settings.false_alarms, int(given_up.sum()), repetitions)


def _whole_stake(asked: int, alpha: float) -> int:
    low, high = 0, asked + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share_wealth(middle, asked, LIMIT) >= 1 / alpha else (middle + 1, high)
    return low


def caught(chance: np.random.Generator, repetitions: int, share: float, limit: float, alpha: float) -> Counts:
    """At which of ctrain's own answers each version with that share of errors was given up; 0 where it was not."""
    answers = LONGEST * ANSWERS
    bad = np.cumsum(chance.random((repetitions, answers)) < share, axis=1)
    beyond = bad >= needed(answers, limit, 1 / alpha)
    return np.where(beyond.any(axis=1), beyond.argmax(axis=1) + 1, 0)


def quantiles(found: Counts) -> str:
    """The answers after which half, and 95%, were given up; a dash where fewer were."""
    when = np.where(found == 0, 10**9, found)
    told = (int(np.quantile(when, share, method="higher")) for share in (0.5, 0.95))
    return " | ".join("-" if one == 10**9 else f"{one:,}" for one in told)


def bands(apart: float, limit: float, alpha: float) -> int:
    """Pairs after which two time-uniform bands around both empirical distributions, each with half of the chance, would
    tell that they are further apart than the limit, if the distance seen were the true one.

    Source of the width: S. Howard, A. Ramdas, Bernoulli 28 (2022), Theorem 2: 0.85 sqrt((log log(e t) + 0.8 log(1612 /
    alpha)) / t).
    """
    pairs_seen = 1
    while apart - limit <= 2 * 0.85 * math.sqrt(
        (math.log(1 + math.log(pairs_seen)) + 0.8 * math.log(1612 / (alpha / 2))) / pairs_seen
    ):
        pairs_seen = math.ceil(pairs_seen * 1.01)
    return pairs_seen


def promises(chance: np.random.Generator, repetitions: int) -> Iterator[Promise]:
    yield own_answers(chance, repetitions, LIMIT, 0.05)
    yield own_answers(chance, repetitions, LIMIT, 0.01)
    yield own_answers(chance, repetitions, LIMIT / 2, 0.01)
    yield own_answers(chance, repetitions, LIMIT / 5, 0.01)
    yield with_users(chance, repetitions, 0.01)
    yield by_percentiles(chance, repetitions, 0.01)
    few = max(100, repetitions // 8)
    for alpha in (0.05, 0.01):
        found = first_drift(chance, few, 0.1, 0.1, alpha)
        yield Promise(f"drift of 0.1, {ANSWERS} answers", alpha, int((found > 0).sum()), few)
    yield whole_rollout(chance, repetitions)


def power(chance: np.random.Generator, repetitions: int) -> Iterator[str]:
    """Rows: of a canary with one rule, `false_alarms` 1%, four watches."""
    alpha = BakeSettings().false_alarms / WATCHES
    for limit, shares in ((0.01, (0.02, 0.03, 0.05, 0.1, 0.25, 1.0)), (0.05, (0.1, 0.15, 0.25, 0.5, 1.0))):
        for share in shares:
            found = caught(chance, repetitions, share, limit, alpha)
            soon = (found > 0) & (found <= ANSWERS)
            yield f"| {limit:.0%} | {share:.0%} | {quantiles(found)} | {soon.mean():.1%} |"


def drift_power(chance: np.random.Generator, repetitions: int) -> Iterator[str]:
    """Rows: as above, for a rule on drift."""
    alpha = BakeSettings().false_alarms / WATCHES
    for apart in (0.15, 0.2, 0.3, 0.5, 1.0):
        found = first_drift(chance, max(100, repetitions // 8), apart, 0.1, alpha)
        yield f"| 0.1 | {apart:g} | {quantiles(found)} | {(found > 0).mean():.1%} | {bands(apart, 0.1, alpha):,} |"


def main(words: Sequence[str] | None = None) -> int:
    """0 where every promise was kept."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    options.add_argument("--repetitions", type=int, default=4000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args(words)
    chance = np.random.default_rng(asked.seed)
    measured = list(promises(chance, asked.repetitions))
    print("| exactly at its limit, looked at after every answer | may be given up in | was in | was left in doubt in |")
    print("|---|---|---|---|")
    print("\n".join(promise.row for promise in measured), flush=True)
    print("\n| errors allowed | errors made | half caught by answer | 95% by answer | caught in five minutes |")
    print("|---|---|---|---|---|")
    print("\n".join(power(chance, asked.repetitions)), flush=True)
    print(
        "\n| drift allowed | drift | half caught by answer | 95% by answer | caught in five minutes | two bands take |"
    )
    print("|---|---|---|---|---|---|")
    print("\n".join(drift_power(chance, asked.repetitions)))
    broken = [promise.what for promise in measured if not promise.kept]
    few = max(100, asked.repetitions // 8)
    print(f"\n{asked.repetitions:,} repetitions ({few:,} for drift), seed {asked.seed}, {ANSWERS} answers a watch.")
    print(f"Broken promises: {'; '.join(broken)}" if broken else "Every promise was kept.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
