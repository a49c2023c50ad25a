"""Bets against a claim, whose wealth may be looked at as often as one likes: pure mathematics, of counts.

A bet begins with a wealth of one. While the claim is true its wealth is not expected to grow, whatever happened before:
a supermartingale. By Ville's inequality the chance that it ever reaches 1 / alpha is then at most alpha, and so nobody
has to plan when, or how often, to look. Two more facts are used throughout:

- an average of bets, with weights that were fixed before, is a bet, whatever depends on what in their data;
- a bet on fewer bad ones than there were is a bet, where its wealth grows with each bad one.

Sources: H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math. Statist. 41 (1970),
for mixtures; A. Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", Statist. Sci. 38 (2023),
for the rest; V. Vovk, R. Wang, "E-values: calibration, combination and applications", Ann. Statist. 49 (2021), for
averages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MOST = 700.0
"""Of a wealth's logarithm: what a float can hold."""

STAKES = 16
"""Stakes of `shift_wealth`, evenly between nothing and all that can be lost."""


def share_wealth(bad: int, asked: int, limit: float) -> float:
    """Against "each is bad with a chance of at most `limit`, whatever came before", with `bad` of the `asked` bad:

        E(k, n) = integral over p from the limit to 1 of (p / limit)^k ((1 - p) / (1 - limit))^(n - k) dp / (1 - limit)

    Each p is a likelihood ratio, whose mean is at most 1 while the true chance is at most the limit, and so is their
    average's. It grows with each bad one. The integral is an incomplete beta function. `limit` is in (0, 1).
    """
    from scipy.special import betaincc, betaln

    good = asked - bad
    share = float(betaincc(bad + 1, good + 1, limit))
    if share == 0.0:
        return 0.0
    log = math.log(share) + float(betaln(bad + 1, good + 1)) - math.log1p(-limit)
    log -= bad * math.log(limit) + good * math.log1p(-limit)
    return math.exp(min(log, MOST))


def shift_wealth(below: Any, above: Any, pairs: Any, limit: float) -> np.ndarray[Any, Any]:
    """Against "at no cut do the shares of new and old scores up to it differ by more than `limit`".

    At cut c of the last axis, of `pairs` pairs of scores for the same requests, `below[c]` had the new score up to the
    cut and the old one beyond it, `above[c]` the other way round. With d = 1, -1 or 0 of a pair, its mean is the
    difference of the two distributions at the cut. A stake s turns the wealth into wealth * (1 + s (d - limit)), which
    is not expected to grow while that mean is at most the limit, and is never negative for s up to 1 / (1 + limit).
    The bet is the average over stakes, cuts and both directions. The cuts must be fixed before the first pair.

    Sources: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", J. R. Stat. Soc. B
    86 (2024), for such bets; the claim is on the Kolmogorov-Smirnov distance. Holding both empirical distributions in
    bands instead (S. Howard, A. Ramdas, "Sequential estimation of quantiles", Bernoulli 28 (2022), Theorem 2) is valid
    too, but does not know that both answered the same requests: see docs/reliability.md for how many more it takes.
    """
    import numpy as np

    up, down = np.asarray(below, float)[..., None], np.asarray(above, float)[..., None]
    same = np.asarray(pairs, float)[..., None, None] - up - down
    stakes = (np.arange(STAKES) + 0.5) / STAKES / (1 + limit)
    gain, stay, loss = np.log1p(stakes * (1 - limit)), np.log1p(-stakes * limit), np.log1p(-stakes * (1 + limit))
    logs = np.stack([up * gain + same * stay + down * loss, down * gain + same * stay + up * loss])
    wealth: np.ndarray[Any, Any] = np.exp(np.minimum(logs, MOST)).mean(axis=(0, -1, -2))
    return wealth


CUTS = 15


def cuts_of(scores: Sequence[float]) -> tuple[float, ...]:
    """Where to look for a shift: quantiles of scores that are known before, and one just below the lowest.

    A cut more costs little, as the wealth is an average; a cut fewer may miss what lies between. Scores that all have
    moved below the lowest show at the last one.
    """
    ranked = sorted(score for score in scores if math.isfinite(score))
    if not ranked:
        return ()
    places = {math.ceil(step / (CUTS + 1) * len(ranked)) - 1 for step in range(1, CUTS + 1)}
    return (math.nextafter(ranked[0], -math.inf), *sorted({ranked[place] for place in places}))
