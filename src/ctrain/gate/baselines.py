"""What a challenger must beat to have learnt anything: the best that a constant answer can do on these very rows.

The constant is taken from the labels that it is judged by, which flatters it: whoever beats it, beats any other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ctrain.gate.evidence import Evidence
from ctrain.gate.settings import Baseline


def against(baseline: Baseline, evidence: Evidence) -> Evidence:
    """The same rows, with the baseline in the champion's place.

    `majority` answers with the shares of the labels: as a decision that is the commonest label, and no constant
    probabilities have a lower log loss. `mean` and `median` have the lowest squared and absolute errors.
    """
    if evidence.classes:
        return _commonest(evidence)
    middle = np.median if baseline == "median" else np.mean
    answer = float(middle(evidence.label))
    return replace(evidence, champion=np.full(evidence.rows, answer))


def _commonest(evidence: Evidence) -> Evidence:
    """Always the commonest class, with the classes' shares for probabilities."""
    many = np.bincount(evidence.label.astype(np.int64), minlength=len(evidence.classes))
    answers = np.full(evidence.rows, float(many.argmax()))
    shares = None if evidence.shares is None else np.tile(many / evidence.rows, (evidence.rows, 1))
    return replace(evidence, champion=answers, champion_shares=shares)
