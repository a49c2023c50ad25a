"""Metrics of a model that orders the rows of a query: each query has a value, and the metric is their mean.

`label` is how relevant a row is, 0 or more; `prediction` puts the rows in order; the group is the query. Queries
without a relevant row have no value and are left out. A query's influence is put on its first row: added up by group,
as all influences of grouped rows are, it is the query's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from ctrain.gate.evidence import Evidence, Floats, Ints
from ctrain.gate.influence import Influences

_CUTS = {"ndcg": inf, "ndcg_10": 10.0}


def query_influences(metric: str, evidence: Evidence, *, champion: bool) -> Influences:
    """Those of one model. Raises ValueError for rows without queries."""
    score = evidence.champion if champion else evidence.challenger
    if score is None or evidence.group is None:
        raise ValueError("a ranking needs predictions, and a query for each row")
    queries = _Queries(evidence.group.codes, len(evidence.group.names))
    relevant = np.bincount(queries.codes, weights=evidence.label > 0, minlength=queries.count) > 0
    if metric == "mrr":
        values = _reciprocal_rank(queries, evidence.label, score)
    else:
        gained = _discounted_gain(queries, evidence.label, score, _CUTS[metric])
        best = _discounted_gain(queries, evidence.label, evidence.label, _CUTS[metric])
        values = np.divide(gained, best, out=np.zeros(queries.count), where=best > 0)
    value = float(values[relevant].mean())
    psi = np.zeros(evidence.rows)
    psi[queries.first] = np.where(relevant, (values - value) / relevant.sum(), 0.0)
    return Influences(value, psi)


@dataclass(frozen=True)
class _Queries:
    codes: Ints
    count: int

    @property
    def first(self) -> Ints:
        """The first row of each query."""
        places = np.unique(self.codes, return_index=True)[1]
        return places.astype(np.int64)

    def ranks(self, order: Ints) -> Ints:
        """Of rows in this order, which keeps queries together: the place within the query, from 0."""
        codes = self.codes[order]
        begins = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
        return np.arange(len(order)) - np.repeat(begins, np.diff(np.append(begins, len(order))))


def _discounted_gain(queries: _Queries, label: Floats, score: Floats, cut: float) -> Floats:
    """Of each query; rows with one score share their places, as scikit-learn has it."""
    order = np.lexsort((-score, queries.codes))
    codes, ranked = queries.codes[order], score[order]
    rank = queries.ranks(order)
    discount = np.where(rank < cut, 1 / np.log2(rank + 2), 0.0)
    runs = np.flatnonzero(np.append(True, (codes[1:] != codes[:-1]) | (ranked[1:] != ranked[:-1])))
    length = np.diff(np.append(runs, len(order)))
    gain = np.add.reduceat(label[order], runs) / length * np.add.reduceat(discount, runs)
    return np.bincount(codes[runs], weights=gain, minlength=queries.count).astype(np.float64)


def _reciprocal_rank(queries: _Queries, label: Floats, score: Floats) -> Floats:
    """One over the place of the first relevant row. Ties go against the model: the irrelevant row comes first."""
    order = np.lexsort((label > 0, -score, queries.codes))
    relevant = label[order] > 0
    codes, rank = queries.codes[order][relevant], queries.ranks(order)[relevant]
    found = np.zeros(queries.count)
    np.maximum.at(found, codes, 1 / (rank + 1))
    return found
