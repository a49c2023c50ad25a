"""The picture of `make proof`, as SVG: what the intervals hold, and how the chance to pass grows with the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.gate_proof import Curve, Row

WIDTH, HEIGHT = 960, 620
_LEFT, _TOP, _WIDE = 170, 60, 260
_RIGHT, _HIGH = 560, 420
COLORS = {
    "as good": "#2a6f97",
    "as good, as foreseen": "#2a6f97",
    "as good, by >=": "#8d99ae",
    "2 points worse": "#c1121f",
}


def plot(rows: Sequence[Row], curve: Curve) -> str:
    """One drawing, two panels."""
    parts = [
        _opening("Coverage of the intervals, and power by the number of rows"),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_coverage(rows),
        *_power(curve),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _opening(says: str) -> str:
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{says}">'


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 11, color: str = "#333333") -> str:
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{color}">{escaped}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"{dashes}/>'


def _coverage(rows: Sequence[Row]) -> Iterator[str]:
    """A dot a metric and design; the band is 95%, give or take three standard errors of 2,000."""
    low, high = 0.90, 1.0

    def x(share: float) -> float:
        return _LEFT + (max(share, low) - low) / (high - low) * _WIDE

    step = (HEIGHT - _TOP - 60) / max(len(rows), 1)
    bottom = _TOP + step * len(rows)
    yield _text(_LEFT, 24, "Intervals that hold the truth", size=14)
    yield _text(_LEFT, 42, "filled: of the difference; open: of one model")
    band = f'x="{x(0.935):.1f}" y="{_TOP}" width="{x(0.965) - x(0.935):.1f}" height="{bottom - _TOP:.1f}"'
    yield f'<rect {band} fill="#eef3f7"/>'
    yield _line(x(0.95), _TOP, x(0.95), bottom, "#2a6f97", dashed=True)
    for share in (0.90, 0.95, 1.0):
        yield _text(x(share), bottom + 16, f"{share:.0%}", anchor="middle")
    for place, row in enumerate(rows):
        y = _TOP + step * (place + 0.5)
        grouped = " (grouped)" if "groups" in row.design else ""
        yield _text(_LEFT - 10, y + 4, row.metric + grouped, anchor="end", size=10)
        yield f'<circle cx="{x(row.alone):.1f}" cy="{y:.1f}" r="3" fill="#ffffff" stroke="#2a6f97"/>'
        yield f'<circle cx="{x(row.difference):.1f}" cy="{y:.1f}" r="3" fill="#2a6f97"/>'


def _power(curve: Curve) -> Iterator[str]:
    width = WIDTH - _RIGHT - 40

    def x(rows: float) -> float:
        return _RIGHT + (log10(rows) - log10(curve.rows[0])) / (log10(curve.rows[-1]) - log10(curve.rows[0])) * width

    def y(share: float) -> float:
        return _TOP + (1 - share) * _HIGH

    yield _text(_RIGHT, 24, "How often a model passes, by evaluation rows", size=14)
    yield _text(_RIGHT, 42, "accuracy 90%, 5% of rows disagree, margin of one point")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield _line(_RIGHT, y(share), _RIGHT + width, y(share), "#dddddd")
        yield _text(_RIGHT - 8, y(share) + 4, f"{share:.0%}", anchor="end")
    for rows in curve.rows:
        yield _text(x(rows), y(0) + 16, f"{rows:,}", anchor="middle")
    lines = (curve.equal, curve.foreseen, curve.naive, curve.worse)
    for (name, color), shares in zip(COLORS.items(), lines, strict=True):
        points = " ".join(f"{x(rows):.1f},{y(share):.1f}" for rows, share in zip(curve.rows, shares, strict=True))
        dashes = ' stroke-dasharray="4 4"' if "foreseen" in name else ""
        yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dashes}/>'
    for place, (name, color) in enumerate(COLORS.items()):
        row = y(0) + 44 + 18 * place
        yield _line(_RIGHT, row - 4, _RIGHT + 24, row - 4, color, dashed="foreseen" in name)
        yield _text(_RIGHT + 32, row, name)
