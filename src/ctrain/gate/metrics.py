"""The value of each metric, as scikit-learn defines it (compared to 1e-12 in the tests)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ctrain.gate.evidence import Bools, Floats, Ints


@dataclass(frozen=True)
class Ranking:
    """The rows by descending score, tied rows in one step of the ladder.

    `order` sorts the rows; `step` numbers the step of each sorted row; `above_positive` and `above_all` count the
    positive rows and all rows down to and including each step.
    """

    order: Ints
    step: Ints
    above_positive: Ints
    above_all: Ints

    @classmethod
    def of(cls, positive: Bools, score: Floats) -> Ranking:
        order = np.argsort(-score)
        ranked = score[order]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        begins = np.zeros(len(score), dtype=np.int64)
        begins[last[:-1] + 1] = 1
        return cls(order, np.cumsum(begins), np.cumsum(positive[order], dtype=np.int64)[last], last + 1)

    def by_row(self, values: Floats) -> Floats:
        """One value a step, to one value a row in the rows' own order."""
        out = np.empty(len(self.order))
        out[self.order] = values[self.step]
        return out


def auc_components(positive: Bools, score: Floats) -> Floats:
    """Of each row: the share of the other class that it is ranked rightly against, a tie counting half.

    The mean over the positive rows is the AUC, and so is that over the negative ones. These are the structural
    components V10 and V01 of DeLong et al. (1988), by one sort as in Sun & Xu (2014), in O(n log n).
    """
    ranking = Ranking.of(positive, score)
    negatives = ranking.above_all - ranking.above_positive
    positives = ranking.above_positive
    total_negative, total_positive = int(negatives[-1]), int(positives[-1])
    negatives_above = np.concatenate(([0], negatives[:-1]))
    positives_above = np.concatenate(([0], positives[:-1]))
    outranked = (total_negative - (negatives + negatives_above) / 2) / total_negative
    outranking = (positives + positives_above) / 2 / total_positive
    return np.where(positive, ranking.by_row(outranked), ranking.by_row(outranking))


def log_losses(label: Floats, probability: Floats) -> Floats:
    """Of each row, in nats; probabilities are kept off 0 and 1 by the smallest float step, as scikit-learn does."""
    step = np.finfo(np.float64).eps
    kept = np.clip(probability, step, 1 - step)
    return -np.where(label == 1, np.log(kept), np.log1p(-kept))


def average_precision(positive: Bools, score: Floats) -> float:
    """The sum over steps of (recall gained) x (precision there)."""
    ranking = Ranking.of(positive, score)
    gained = np.diff(ranking.above_positive, prepend=0)
    return float((gained * ranking.above_positive / ranking.above_all).sum() / ranking.above_positive[-1])


def count_ratio(name: str, hits: Floats, false_alarms: Floats, misses: Floats, rejections: Floats) -> Floats:
    """A metric of the four outcomes' counts, of any one shape; 0 where a ratio is 0/0.

    `balanced_accuracy` is the mean of recall and specificity.
    """
    match name:
        case "precision":
            return _share(hits, hits + false_alarms)
        case "recall":
            return _share(hits, hits + misses)
        case "specificity":
            return _share(rejections, rejections + false_alarms)
        case "f1":
            return _share(hits, hits + (false_alarms + misses) / 2)
        case "accuracy":
            return _share(hits + rejections, hits + rejections + false_alarms + misses)
        case "balanced_accuracy":
            recall, specificity = _share(hits, hits + misses), _share(rejections, rejections + false_alarms)
            return (recall + specificity) / 2
        case _:
            raise ValueError(f"{name} is not a ratio of counts")


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
