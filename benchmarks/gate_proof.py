"""Does the gate keep its word? Measured over simulated comparisons whose truth is known: `make proof`.

    python -m benchmarks.gate_proof [--simulations 2000] [--only auc,f1]

For every metric: how often the interval of the difference, and that of one model, hold the truth (95% is promised); how
often each rule passes a model that is exactly at its margin or limit (2.5% at most is promised). Then: how often any of
several rules, or slices, refuses a model that is at all their margins, and how the chance to pass grows with the rows.
Seeded. Without options it writes the tables into docs/gate.md, and the plot beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.gate import cases

from ctrain.gate import Evidence
from ctrain.gate.agreement import paired_bounds
from ctrain.gate.bounds import at
from ctrain.gate.catalogue import METRICS, RATIOS
from ctrain.gate.intervals import Difference, compare, estimate
from ctrain.gate.multiplicity import benjamini_hochberg, holm
from ctrain.gate.phrases import Basis
from ctrain.gate.power import power_of
from ctrain.gate.rules import Comparison, Limit
from ctrain.gate.settings import Kind, Rule
from ctrain.verdict import Outcome

PAGE = Path(__file__).parents[1] / "docs" / "gate.md"
PLOT = PAGE.with_name("gate-proof.svg")
BEGIN, END = "<!-- made by `make proof` -->", "<!-- end of what it makes -->"
BY = cases.statistics(resamples=1000)
TAIL = BY.tail
WORSE, BETTER = 0.7, 0.4
ROWS = (300, 600, 1200, 2500, 5000, 10_000, 20_000)


@dataclass(frozen=True)
class Design:
    """What comparisons of this kind of task are made of; `many` rows are enough to know the truth."""

    name: str
    metrics: Sequence[str]
    make: Callable[[int, np.random.Generator], Evidence]
    size: int
    many: int
    share: float = 1.0  # of the simulations


@dataclass(frozen=True)
class Row:
    """What was measured of one metric: shares of the simulations."""

    metric: str
    design: str
    difference: float
    alone: float
    passes: Mapping[str, float]
    simulations: int


def scored(groups: int | None = None) -> Callable[[int, np.random.Generator], Evidence]:
    def make(rows: int, generator: np.random.Generator) -> Evidence:
        return cases.scored(rows, generator, ours=WORSE, theirs=BETTER, groups=groups and rows // 5)

    return make


def others(kind: Callable[..., Evidence]) -> Callable[[int, np.random.Generator], Evidence]:
    return lambda size, generator: kind(size, generator, ours=WORSE, theirs=BETTER)


SMOOTH = [name for name in cases.BINARY_METRICS if name not in (*RATIOS, "calibration_error")]
DESIGNS = (
    Design("300 rows", cases.BINARY_METRICS, scored(), 300, 1_000_000),
    Design("500 rows in 100 groups", SMOOTH, scored(5), 500, 1_000_000, 0.5),
    Design("500 rows in 100 groups", [*RATIOS, "calibration_error"], scored(5), 500, 1_000_000, 0.25),
    Design("300 rows, 3 classes", cases.MULTICLASS_METRICS, others(cases.classified), 300, 300_000, 0.5),
    Design("150 rows", cases.REGRESSION_METRICS, others(cases.measured), 150, 1_000_000),
    Design("120 queries of 12", cases.RANKING_METRICS, others(cases.searched), 120, 40_000, 0.5),
)


def measured(design: Design, simulations: int, only: Sequence[str]) -> Iterator[Row]:
    """Each metric of a design, on the same simulated rows."""
    metrics = [name for name in design.metrics if not only or name in only]
    if not metrics:
        return
    count = max(int(simulations * design.share), 20)
    generator = np.random.default_rng(11)
    many = design.make(design.many, np.random.default_rng(99))
    truths = {name: compare(name, many, cases.statistics(resamples=2)) for name in metrics}
    seen: dict[str, list[list[bool]]] = {name: [] for name in metrics}
    for _ in range(count):
        rows = design.make(design.size, generator)
        for name in metrics:
            seen[name].append(_once(name, rows, truths[name]))
    for name, found in seen.items():
        shares = np.mean(found, axis=0)
        kinds = ("non_inferior", "superior", "equivalent", "absolute")
        yield Row(name, design.name, shares[0], shares[1], dict(zip(kinds, shares[2:], strict=True)), count)


def _once(metric: str, rows: Evidence, truth: Difference) -> list[bool]:
    """Whether the intervals hold the truth, and whether each rule passes a model that is exactly at its edge."""
    found, alone = compare(metric, rows, BY), estimate(metric, rows, BY)
    direction = METRICS[metric].direction
    margin = abs(truth.difference)
    basis = Basis(rows.rows, None, BY.confidence)

    def passes(kind: Kind, seen: Difference) -> bool:
        claim = Comparison(metric, metric, kind, direction, margin, seen, basis)
        return claim.finding(stands=True).outcome is Outcome.PASS

    mirrored = Difference(found.champion, found.challenger, -found.high, -found.low, bounds=at(-found.high, -found.low))
    limit = "floor" if direction == "up" else "ceiling"
    rule = Rule(direction=direction, rule="absolute", **{limit: truth.challenger})  # type: ignore[arg-type]
    worse, better = (found, mirrored) if (truth.difference < 0) == (direction == "up") else (mirrored, found)
    return [
        found.low <= truth.difference <= found.high,
        alone.low <= truth.challenger <= alone.high,
        passes("non_inferior", worse),
        passes("superior", better),
        passes("equivalent", found),
        Limit(metric, rule, alone, basis).finding(stands=True).outcome is Outcome.PASS,
    ]


def families(simulations: int) -> tuple[dict[str, float], dict[str, float]]:
    """How often a model at all its margins is refused by any of four rules, and by any of ten slices."""
    metrics = ("auc", "accuracy", "log_loss", "average_precision")
    many = scored()(1_000_000, np.random.default_rng(99))
    truths = {name: compare(name, many, BY).difference for name in metrics}
    generator = np.random.default_rng(12)
    counts = np.zeros(4)
    slices = max(simulations // 4, 20)
    for number in range(simulations):
        claims = _at_their_margins(scored()(400, generator), metrics, truths)
        counts[0] += any(claim.refused(TAIL) for claim in claims)
        counts[1] += bool(holm([claim.refused for claim in claims], TAIL))
        if number < slices:
            parts = [claim for _ in range(10) for claim in _at_their_margins(scored()(300, generator), ["auc"], truths)]
            counts[2] += any(claim.refused(TAIL) for claim in parts)
            counts[3] += bool(benjamini_hochberg([claim.refused for claim in parts], TAIL))
    rules = {"each on its own": counts[0] / simulations, "with Holm's correction": counts[1] / simulations}
    parts_ = {"each on its own": counts[2] / slices, "with Benjamini and Hochberg's": counts[3] / slices}
    return rules, parts_


def _at_their_margins(rows: Evidence, metrics: Sequence[str], truths: Mapping[str, float]) -> list[Comparison]:
    basis = Basis(rows.rows, None, BY.confidence)
    return [
        Comparison(
            name, name, "non_inferior", METRICS[name].direction, abs(truths[name]), compare(name, rows, BY), basis
        )
        for name in metrics
    ]


@dataclass(frozen=True)
class Curve:
    """Shares of passes by the number of rows: of models as good, and two points worse, as the champion."""

    rows: Sequence[int]
    equal: Sequence[float]
    worse: Sequence[float]
    naive: Sequence[float]
    foreseen: Sequence[float]


def power_curve(simulations: int) -> Curve:
    """Accuracy of 90%, 5% of rows on which the models disagree, a margin of one point."""
    generator = np.random.default_rng(13)
    margin, disagree = 0.01, 0.05

    def passed(rows: int, gained: float, lost: float) -> tuple[float, float]:
        counts = generator.multinomial(rows, [gained, lost, 1 - gained - lost], size=simulations)
        lows = [paired_bounds(rows, int(one[0]), int(one[1]), TAIL)[0] for one in counts]
        return float(np.mean(np.array(lows) >= -margin)), float(np.mean(counts[:, 0] >= counts[:, 1]))

    found = [passed(rows, disagree / 2, disagree / 2) for rows in ROWS]
    worse = [passed(rows, disagree / 2 - 0.01, disagree / 2 + 0.01)[0] for rows in ROWS]
    foreseen = [
        power_of("non_inferior", margin, error=(disagree / rows) ** 0.5, rows=rows, confidence=0.95).passes
        for rows in ROWS
    ]
    return Curve(ROWS, [one[0] for one in found], worse, [one[1] for one in found], foreseen)


def tables(rows: Sequence[Row], families_: tuple[dict[str, float], dict[str, float]], curve: Curve) -> str:
    lines = [
        "| metric | simulated | difference held | one model held | non_inferior | superior | equivalent | absolute |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rates = " | ".join(f"{100 * one:.1f}%" for one in row.passes.values())
        lines.append(
            f"| `{row.metric}` | {row.simulations:,} x {row.design} | {100 * row.difference:.1f}% | "
            f"{100 * row.alone:.1f}% | {rates} |"
        )
    lines += ["", "| asked at once, of a model at all their margins | refused by any |", "|---|---|"]
    for what, found in zip(("4 rules on the same rows", "10 slices"), families_, strict=True):
        lines += [f"| {what}, {how} | {100 * share:.1f}% |" for how, share in found.items()]
    lines += ["", "| rows | as good: passes | foreseen | two points worse: passes | as good, by `>=`: passes |"]
    lines.append("|---|---|---|---|---|")
    shares = zip(curve.rows, curve.equal, curve.foreseen, curve.worse, curve.naive, strict=True)
    lines += [f"| {one[0]:,} | " + " | ".join(f"{100 * share:.1f}%" for share in one[1:]) + " |" for one in shares]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--only", default="", help="metrics, with commas; prints, and writes nothing")
    asked = parser.parse_args()
    only = [name for name in asked.only.split(",") if name]
    rows = []
    for design in DESIGNS:
        for row in measured(design, asked.simulations, only):
            rows.append(row)
            print(row, flush=True)
    if only:
        return
    made = tables(rows, families(asked.simulations), curve := power_curve(asked.simulations))
    print(made)
    if asked.simulations == parser.get_default("simulations"):
        from benchmarks.gate_plot import plot

        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")
        PLOT.write_text(plot(rows, curve), encoding="utf-8")


if __name__ == "__main__":
    main()
