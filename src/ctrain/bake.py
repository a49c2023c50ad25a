"""Watching a deployment that takes traffic: what is seen, what is allowed, and when enough has been seen.

A bake looks again and again, and may end at any look. A test that is meant for one look would then cry wolf far too
often, so each rule here is a bet against the claim that it is kept (`ctrain.betting`): whenever its wealth has grown by
a factor of 1 / alpha, the version is given up, and for one that keeps the rule the chance of that is at most alpha,
however often one looks.

Two counts of the same rule, ctrain's own answers and the platform's, are two bets that share the stake evenly, and are
never added up. So it does not matter that the platform counts ctrain's own requests as well, or how the two hang
together: an average of bets is a bet. Each reading of the platform is its whole count since the watch began, and takes
the place of the reading before.

What the chance is taken over: rows drawn anew for each question, so that each answer is bad with the share that bad
ones have among the gate's rows; and for users that none of their requests, given all before, fails with a higher chance
than the limit. Errors that come in bursts, all for one reason, are more than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ctrain.betting import cuts_of, share_wealth, shift_wealth
from ctrain.telemetry import Measured
from ctrain.verdict import Finding, Outcome, Verdict

SLOW_SHARE = 0.05
"""`p95_ms` allows this share of the requests to be slower."""

LEANS = 10.0
"""A bet that has grown by so much when the time is over leaves a doubt: no proof, and nothing to pass with. By Markov's
inequality a version that keeps the rule gets there in one case of ten at most."""

FRESH_SECONDS = 600.0
"""A platform's count whose end is longer ago is stale: it still may give a version up, and lets none pass."""


@dataclass(frozen=True)
class BakeSettings:
    """What a deployment under watch may do; shares in (0, 1). A rule that is left out is not judged.

    `errors` is the share of requests that may fail, `p95_ms` what 95% of them must be faster than, `changed` the share
    of answers that may differ from those of the deployment that served before, by more than `tolerance` in any score,
    `drift` how far apart the distributions of both deployments' scores may be (the Kolmogorov-Smirnov distance).
    `per_second` is how often ctrain asks, `min_requests` how many answers a verdict takes, and `false_alarms` the
    chance that a deployment which keeps all limits is given up in one whole rollout, however often one looks.
    """

    errors: float | None = None
    p95_ms: float | None = None
    changed: float | None = None
    drift: float | None = None
    tolerance: float = 0.1
    per_second: float = 2.0
    min_requests: int = 100
    false_alarms: float = 0.01

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose

    @property
    def rules(self) -> int:
        return sum(limit is not None for limit in (self.errors, self.p95_ms, self.changed, self.drift))

    @property
    def compares(self) -> bool:
        """Whether the deployment that served before has to be asked, too."""
        return self.changed is not None or self.drift is not None


@dataclass(frozen=True)
class Scores:
    """How the new scores lie to the old ones, for the same requests: at each cut, in how many of the pairs the new one
    lay `below` it and the old one above, and the other way round."""

    cuts: tuple[float, ...] = ()
    below: tuple[int, ...] = ()
    above: tuple[int, ...] = ()
    pairs: int = 0

    @classmethod
    def cut_at(cls, known: tuple[float, ...]) -> Scores:
        """None seen yet; `known` are scores from which the cuts are made."""
        cuts = cuts_of(known)
        return cls(cuts, (0,) * len(cuts), (0,) * len(cuts))

    def seen(self, new: float | None, old: float | None) -> Scores:
        """With one pair more. No finite number (None) lies above all of them; two of those say nothing of scores, and
        where there are no cuts nobody looks."""
        if (new is None and old is None) or not self.cuts:
            return self
        one, other = (math.inf if score is None else score for score in (new, old))
        below = tuple(n + (one <= cut < other) for n, cut in zip(self.below, self.cuts, strict=True))
        above = tuple(n + (other <= cut < one) for n, cut in zip(self.above, self.cuts, strict=True))
        return replace(self, below=below, above=above, pairs=self.pairs + 1)

    @property
    def distance(self) -> float:
        """The largest difference that was seen between the two distributions, at any of the cuts."""
        apart = (abs(b - a) for b, a in zip(self.below, self.above, strict=True))
        return max(apart, default=0) / max(1, self.pairs)

    def wealth(self, limit: float) -> float:
        return float(shift_wealth(self.below, self.above, self.pairs, limit)) if self.pairs else 1.0


@dataclass(frozen=True)
class Watched:
    """What was seen of one deployment: `compared` of its answers were held against the old deployment's.

    `platform` is what the platform counted itself, `age` how many seconds ago that ends; `silence` says why it told
    nothing, where it did not.
    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    compared: int = 0
    changed: int = 0
    scores: Scores = field(default_factory=Scores)
    platform: Measured | None = None
    age: float = 0.0
    silence: str = ""


def judge(settings: BakeSettings, seen: Watched, watches: int, *, over: bool) -> Verdict:
    """The verdict so far, or (`over`) the last one.

    `watches` is how many there are in the whole rollout, among which the false alarms are shared out. Too few answers,
    and a bet that leans against the version, are inconclusive once the time is over; no rule at all is an error.
    """
    alpha = settings.false_alarms / max(1, settings.rules * watches)
    findings = tuple(_finding(rule, settings, alpha, over=over) for rule in _rules(settings, seen))
    return Verdict(findings, notes=(_platform(seen),) if over or seen.platform else ())


@dataclass(frozen=True)
class _Rule:
    """At most `limit` may be bad, in these words; `enough` answers there were, and what the bets have grown to.

    `beyond`: more than that was seen.
    """

    subject: str
    told: str
    limit: float
    enough: int
    own: float
    beyond: bool = False
    platform: float | None = None
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def wealth(self) -> float:
        return self.own if self.platform is None else (self.own + self.platform) / 2


def _rules(settings: BakeSettings, seen: Watched) -> Iterator[_Rule]:
    if settings.errors is not None:
        failed = seen.platform.failed if seen.platform else 0
        yield _of_all("errors", settings.errors, seen, (seen.errors, failed), "failed")
    if settings.p95_ms is not None:
        slow = seen.platform.slow_at_least(settings.p95_ms) if seen.platform else 0
        subject = f"latency under {settings.p95_ms:g} ms"
        yield _of_all(subject, SLOW_SHARE, seen, (seen.slow, slow), "were slower")
    if settings.changed is not None:
        limit, bad, asked = settings.changed, seen.changed, seen.compared
        told = f"{bad} of {asked} differ from the old deployment's, at most {limit:.1%} may"
        measured = {"bad": float(bad), "asked": float(asked)}
        wealth, beyond = share_wealth(bad, asked, limit), bad > limit * asked
        yield _Rule("changed answers", told, limit, asked, wealth, beyond, measured=measured)
    if settings.drift is not None:
        limit, scores = settings.drift, seen.scores
        told = (
            f"over {scores.pairs} answers its scores lie {scores.distance:.3f} from the old deployment's, "
            f"at most {limit:g} may be between"
        )
        measured = {"distance": scores.distance, "asked": float(scores.pairs)}
        wealth, beyond = scores.wealth(limit), scores.distance > limit
        yield _Rule("drift of scores", told, limit, scores.pairs, wealth, beyond, measured=measured)


def _of_all(subject: str, limit: float, seen: Watched, bad: tuple[int, int], words: str) -> _Rule:
    """A rule on every request, ctrain's own and users'; `bad` are those of the first and of the second count."""
    own, theirs = bad
    told = f"{own} of {seen.requests} {words}, at most {limit:.1%} may"
    measured = {"bad": float(own), "asked": float(seen.requests)}
    enough, platform, beyond = seen.requests, 1.0, own > limit * seen.requests
    if seen.platform is not None:
        asked = seen.platform.requests
        platform, beyond = share_wealth(theirs, asked, limit), beyond or theirs > limit * asked
        at_least = "" if words == "failed" else "at least "
        told += f"; of {asked} that the platform counted, {at_least}{theirs}"
        measured |= {"platform_bad": float(theirs), "platform_asked": float(asked), "platform_age_s": seen.age}
        measured |= {"platform_until": seen.platform.until.timestamp(), "e_platform": platform}
        if words == "failed":
            # Percentiles say how many were slow at least, and never that few were.
            enough = max(enough, asked if seen.age <= FRESH_SECONDS else 0)
            measured |= {f"platform_{kind}": float(count) for kind, count in sorted(seen.platform.answers.items())}
    return _Rule(subject, told, limit, enough, share_wealth(own, seen.requests, limit), beyond, platform, measured)


def _finding(rule: _Rule, settings: BakeSettings, alpha: float, *, over: bool) -> Finding:
    measured = {**rule.measured, "limit": rule.limit, "e_value": rule.wealth, "e_needed": 1 / alpha}
    if rule.wealth >= 1 / alpha:
        return Finding(rule.subject, Outcome.FAIL, f"{rule.told}: more than chance explains", measured=measured)
    if over and rule.enough < settings.min_requests:
        says = f"{rule.told}; {settings.min_requests} answers are asked for"
        return Finding(rule.subject, Outcome.INCONCLUSIVE, says, measured=measured)
    if over and rule.wealth >= LEANS:
        says = f"{rule.told}; that is not proof yet, and no pass"
        return Finding(rule.subject, Outcome.INCONCLUSIVE, says, measured=measured)
    says = f"{rule.told}: chance may explain that" if rule.beyond else rule.told
    return Finding(rule.subject, Outcome.PASS, says, measured=measured)


def _platform(seen: Watched) -> str:
    """What the platform had to say, and of when."""
    if seen.platform is None:
        return f"the platform told nothing of it: {seen.silence or 'no answer was counted yet'}"
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(seen.platform.answers.items()))
    since, until = (at.strftime("%H:%M:%S") for at in (seen.platform.since, seen.platform.until))
    stale = "; that is stale" if seen.age > FRESH_SECONDS else ""
    silence = f"; then it told nothing: {seen.silence}" if seen.silence else ""
    return (
        f"the platform counted {kinds} from {since} to {until} UTC, {seen.age:.0f} s before the verdict{stale}{silence}"
    )
