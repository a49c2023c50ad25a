"""What judging costs: seconds and interval for each metric, by the gate and by the references it is compared with.

    python benchmarks/gate.py [ROWS ...]

Both models are scored on the same simulated rows. "grouped" has five rows a group. A reference that would take more
than about a minute is run with fewer resamples, and its time is scaled up and said to be. Each figure is the best of
three runs (one, where a run takes over two seconds). The last lines have the most memory that the process had so far.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from ctrain.gate import Categories, EvaluationSettings, Evidence, GateSettings, Rule, judge
from ctrain.gate.intervals import Statistics, compare

BY = Statistics(confidence=0.95, threshold=0.5, resamples=2000, seed=1)
METRICS = ("accuracy", "log_loss", "brier", "auc", "average_precision", "f1", "calibration_error")
SLOW = 20_000_000  # rows x resamples that a reference may go through


def rows(count: int) -> Evidence:
    generator = np.random.default_rng(0)
    signal = generator.normal(size=count) - 0.9
    label = (generator.random(count) < 1 / (1 + np.exp(-1.5 * signal))).astype(np.float64)
    ours, theirs = (1 / (1 + np.exp(-(signal + generator.normal(size=count) * noise))) for noise in (0.4, 0.42))
    return Evidence.of(np.arange(count), label, ours, theirs)


def grouped(evidence: Evidence) -> Evidence:
    codes = np.arange(evidence.rows) // 5
    return Evidence(
        evidence.row_id,
        evidence.label,
        evidence.challenger,
        evidence.champion,
        Categories(tuple(str(one) for one in range(codes[-1] + 1)), codes),
    )


def timed(act: Callable[[], str]) -> tuple[float, str]:
    best, said = float("inf"), ""
    for _ in range(3):
        begin = time.perf_counter()
        said = act()
        best = min(best, time.perf_counter() - begin)
        if best > 2:
            break
    return best, said


def show(count: int, metric: str, method: str, act: Callable[[], str]) -> None:
    seconds, said = timed(act)
    print(f"| {count:>9,} | {metric:<17} | {method:<44} | {seconds * 1000:>10,.1f} | {said} |", flush=True)


def interval(metric: str, evidence: Evidence) -> str:
    found = compare(metric, evidence, BY)
    return f"{found.difference:+.5f}: {found.low:+.5f}..{found.high:+.5f}"


def whole(evidence: Evidence) -> str:
    metrics = {
        "auc": Rule(direction="up", rule="non_inferior", margin=0.01),
        "accuracy": Rule(direction="up", rule="non_inferior", margin=0.01),
        "log_loss": Rule(direction="down", rule="non_inferior", margin=0.01),
    }
    settings = GateSettings(metrics=metrics)
    verdict = judge(settings, EvaluationSettings(output="", row_id="id", label="y"), evidence, champion="m:1")
    return verdict.outcome.value


def references(count: int, evidence: Evidence) -> None:
    from scipy import stats
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    label, ours, theirs = evidence.label == 1, evidence.challenger, evidence.champion
    assert theirs is not None  # noqa: S101

    def twice(metric: Callable[[object, object], float]) -> str:
        return f"{metric(label, ours) - metric(label, theirs):+.5f}: no interval"

    show(count, "auc", "scikit-learn, two values", lambda: twice(roc_auc_score))
    show(count, "average_precision", "scikit-learn, two values", lambda: twice(average_precision_score))
    show(count, "f1", "scikit-learn, two values", lambda: twice(lambda y, p: f1_score(y, np.asarray(p) >= 0.5)))
    peer = f"scipy.stats.bootstrap, {BY.resamples} resamples"
    resamples = min(BY.resamples, max(SLOW // count, 20))

    def f1(y: np.ndarray, p: np.ndarray, axis: int) -> np.ndarray:
        return 2 * (y & p).sum(axis=axis) / (y.sum(axis=axis) + p.sum(axis=axis))

    def resampled() -> str:
        found = stats.bootstrap(
            (label, ours >= 0.5, theirs >= 0.5),
            lambda y, p, q, axis: f1(y, p, axis) - f1(y, q, axis),
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=min(100, resamples),
            method="percentile",
            rng=np.random.default_rng(0),
        ).confidence_interval
        return f"{found.low:+.5f}..{found.high:+.5f}"

    if resamples == BY.resamples:
        show(count, "f1", peer, resampled)
        return
    seconds, said = timed(resampled)
    scaled = seconds * BY.resamples / resamples * 1000
    print(f"| {count:>9,} | {'f1':<17} | {peer:<44} | {scaled:>10,.1f} | {said}, scaled from {resamples} |", flush=True)


def main() -> None:
    counts = [int(argument) for argument in sys.argv[1:]] or [10_000, 100_000, 1_000_000]
    compare("accuracy", grouped(rows(1000)), BY)  # imports are not what is measured
    print("|      rows | metric            | method                                       | ms         | difference |")
    print("|---|---|---|---|---|")
    for count in counts:
        judged(count, rows(count))


def judged(count: int, evidence: Evidence) -> None:
    together = grouped(evidence)
    for metric in METRICS:
        show(count, metric, "ctrain", partial(interval, metric, evidence))
        show(count, metric, "ctrain, grouped", partial(interval, metric, together))
    show(count, "auc+log_loss+acc.", "ctrain, the whole verdict", partial(whole, evidence))
    memory(count, "ctrain")
    references(count, evidence)
    memory(count, "with the references")


def memory(count: int, who: str) -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {count:>9,} | {'memory':<17} | {who:<44} | {'':>10} | {most:,.0f} MiB at most |", flush=True)


if __name__ == "__main__":
    main()
