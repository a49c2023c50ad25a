"""Watching a deployment that takes traffic: what is seen, what is allowed, and when enough has been seen.

A bake looks again and again, and may end at any look. A test that is meant for one look would then cry wolf far too
often, so the test here holds however often, and whenever, one looks. For each rule it bets against the claim "at most
this share of the requests is bad": with k bad ones of n, the wealth of the bet is

    E(k, n) = integral over p from the limit to 1 of (p / limit)^k ((1 - p) / (1 - limit))^(n - k) dp / (1 - limit)

Each p is a likelihood ratio, whose mean is at most 1 while the true share is at most the limit, and so is their
average's. By Ville's inequality the chance that E ever reaches 1 / alpha is then at most alpha.

Sources: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist. 41 (1970),
for the mixture; A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", Statist. Sci. 38
(2023), for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ctrain.verdict import Finding, Outcome, Verdict

SLOW_SHARE = 0.05
"""`p95_ms` allows this share of the requests to be slower."""


@dataclass(frozen=True)
class BakeSettings:
    """What a deployment under watch may do; shares in (0, 1). A rule that is left out is not judged.

    `errors` is the share of requests that may fail, `p95_ms` what 95% of them must be faster than, `changed` the share
    of answers that may differ from those of the deployment that served before, by more than `tolerance` in any score.
    `per_second` is how often ctrain asks, `min_requests` how many answers a verdict takes, and `false_alarms` the
    chance that a deployment which keeps all limits is given up in one whole rollout, however often one looks.
    """

    errors: float | None = None
    p95_ms: float | None = None
    changed: float | None = None
    tolerance: float = 0.1
    per_second: float = 2.0
    min_requests: int = 100
    false_alarms: float = 0.01

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  read by pydantic, shared on purpose

    @property
    def rules(self) -> int:
        return sum(limit is not None for limit in (self.errors, self.p95_ms, self.changed))


@dataclass(frozen=True)
class Watched:
    """What was seen of one deployment: `compared` of its answers were held against the old deployment's."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    compared: int = 0
    changed: int = 0


def judge(settings: BakeSettings, seen: Watched, watches: int, *, over: bool) -> Verdict:
    """The verdict so far, or (`over`) the last one.

    `watches` is how many there are in the whole rollout, among which the false alarms are shared out. Too few answers
    are inconclusive, once the time is over; no rule at all is an error.
    """
    alpha = settings.false_alarms / max(1, settings.rules * watches)
    return Verdict(tuple(_finding(rule, settings, alpha, over=over) for rule in _rules(settings, seen)))


@dataclass(frozen=True)
class _Rule:
    """At most `limit` of the `asked` may be bad, and `bad` of them were, in these words."""

    subject: str
    limit: float
    bad: int
    asked: int
    words: str


def _rules(settings: BakeSettings, seen: Watched) -> Iterator[_Rule]:
    if settings.errors is not None:
        yield _Rule("errors", settings.errors, seen.errors, seen.requests, "failed")
    if settings.p95_ms is not None:
        subject = f"latency under {settings.p95_ms:g} ms"
        yield _Rule(subject, SLOW_SHARE, seen.slow, seen.requests, "were slower")
    if settings.changed is not None:
        words = "differ from the old deployment's"
        yield _Rule("changed answers", settings.changed, seen.changed, seen.compared, words)


def _finding(rule: _Rule, settings: BakeSettings, alpha: float, *, over: bool) -> Finding:
    told = f"{rule.bad} of {rule.asked} {rule.words}, at most {rule.limit:.1%} may"
    measured = {"bad": float(rule.bad), "asked": float(rule.asked), "limit": rule.limit}
    if wealth(rule.bad, rule.asked, rule.limit) >= 1 / alpha:
        return Finding(rule.subject, Outcome.FAIL, f"{told}: more than chance explains", measured=measured)
    if over and rule.asked < settings.min_requests:
        says = f"{told}; {settings.min_requests} answers are asked for"
        return Finding(rule.subject, Outcome.INCONCLUSIVE, says, measured=measured)
    return Finding(rule.subject, Outcome.PASS, told, measured=measured)


def wealth(bad: int, asked: int, limit: float) -> float:
    """E(bad, asked) of the module's docstring; 1 where nothing was asked. `limit` is in (0, 1).

    The integral is an incomplete beta function.
    """
    from scipy.special import betaincc, betaln

    good = asked - bad
    share = float(betaincc(bad + 1, good + 1, limit))
    if share == 0.0:
        return 0.0
    log = math.log(share) + float(betaln(bad + 1, good + 1)) - math.log1p(-limit)
    log -= bad * math.log(limit) + good * math.log1p(-limit)
    return math.exp(min(log, 700.0))
