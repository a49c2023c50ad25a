"""How predictions are spread and how often they come true, counted on the rows that the gate judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctrain.gate import EvaluationSettings
from ctrain.report.report import Curve, Model

if TYPE_CHECKING:
    from ctrain.gate import Evidence
    from ctrain.gate.evidence import Floats

BINS = 10


def curves_of(evidence: Evidence, evaluation: EvaluationSettings) -> tuple[Curve, ...]:
    """Of the challenger, and of the champion where there is one; only probabilities of a yes have such curves."""
    if evaluation.task != "binary":
        return ()
    made = [_curve("challenger", evidence.challenger, evidence)]
    if evidence.champion is not None:
        made.append(_curve("champion", evidence.champion, evidence))
    return tuple(curve for curve in made if curve is not None)


def _curve(model: Model, answers: Floats, evidence: Evidence) -> Curve | None:
    import numpy as np

    if not bool(((answers >= 0) & (answers <= 1)).all()):
        return None
    places = np.minimum((answers * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(places, minlength=BINS)
    positives = np.bincount(places, weights=evidence.label, minlength=BINS).astype(np.int64)
    sums = np.bincount(places, weights=answers, minlength=BINS)
    means = sums / np.maximum(rows, 1)
    whole = [int(count) for count in positives]
    negatives = tuple(int(count) - yes for count, yes in zip(rows, whole, strict=True))
    return Curve(model, negatives, tuple(whole), tuple(float(mean) for mean in means))
