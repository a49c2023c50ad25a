"""Many questions at once: which refusals stand, when one of so many might be by chance.

A gate that asks ten things of an acceptable model refuses it wrongly more often than one that asks a single thing. So a
refusal (an interval that lies wholly on the wrong side) is believed

- among the blocking rules, by Holm's step-down procedure (1979, "A simple sequentially rejective multiple test
  procedure"): the chance that any refusal is wrong stays below the tail, however the metrics hang together;
- among the slices, by Benjamini & Hochberg's step-up procedure (1995, "Controlling the false discovery rate"): of the
  slices that are refused, the share that is refused wrongly stays below the tail. Slices of one set of rows, and
  metrics within one slice, depend on each other positively, as the procedure asks for (Benjamini & Yekutieli 2001).

What is not believed is not passed either: it is inconclusive. Passing needs no such correction: a model passes if all
blocking rules do, so the chance that a model passes which breaks one of them is at most that rule's own (Berger's
intersection-union test, 1982).

Neither procedure needs p-values: both only ask, for some tails, which questions would be refused at that tail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Refuses = Callable[[float], bool]
"""Whether a question is refused with so much error; more error never refuses less."""


def holm(questions: Sequence[Refuses], tail: float) -> frozenset[int]:
    """The places of the questions whose refusal stands: of all that are left, as long as one is refused."""
    refused: set[int] = set()
    while len(refused) < len(questions):
        each = tail / (len(questions) - len(refused))
        more = {place for place, asks in enumerate(questions) if place not in refused and asks(each)}
        if not more:
            break
        refused |= more
    return frozenset(refused)


def benjamini_hochberg(questions: Sequence[Refuses], tail: float) -> frozenset[int]:
    """The places of the questions whose refusal stands: the most that are refused at their number's share."""
    for most in range(len(questions), 0, -1):
        refused = {place for place, asks in enumerate(questions) if asks(tail * most / len(questions))}
        if len(refused) >= most:
            return frozenset(refused)
    return frozenset()
