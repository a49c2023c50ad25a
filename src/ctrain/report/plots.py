"""Where the marks of a plot lie, in percent of its width: whoever draws one only copies the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from ctrain.gate.picture import Picture, picture_of
from ctrain.report import words
from ctrain.report.report import Curve, Line, Phase, Share

_Z = 1.959963984540054
"""The two-sided 95% quantile of the standard normal."""

_APART = 18.0
"""How far apart labels are, in percent of the width: a number's room on a phone."""


@dataclass(frozen=True)
class Band:
    """A part of the width."""

    at: float
    wide: float


@dataclass(frozen=True)
class Label:
    """A number below a plot."""

    at: float
    text: str
    anchor: Literal["start", "middle", "end"]


@dataclass(frozen=True)
class Interval:
    """An interval, and `outside` where it must not be; `says` is the picture in words, `labels` stand below it."""

    low: float
    value: float
    high: float
    outside: tuple[Band, ...]
    edges: tuple[float, ...]
    zero: float | None
    says: str
    labels: tuple[Label, ...]


def interval_of(line: Line, among: Sequence[Line] = ()) -> Interval | None:
    """The line's interval; drawn on one scale with those `among` which it stands."""
    picture = picture_of(line.finding)
    if picture is None:
        return None
    spans = [other.span for one in among if (other := picture_of(one.finding))] or [picture.span]
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)

    outside = []
    if picture.least > -inf:
        outside.append(Band(0.0, place(picture.least)))
    if picture.most < inf:
        outside.append(Band(place(picture.most), round(100 - place(picture.most), 2)))
    return Interval(
        place(picture.low),
        place(picture.value),
        place(picture.high),
        tuple(outside),
        tuple(place(edge) for edge in picture.edges),
        None if picture.zero is None else place(picture.zero),
        _says(line, picture),
        _labels(picture, place),
    )


def _labels(picture: Picture, place: Callable[[float], float]) -> tuple[Label, ...]:
    """What was measured, then the edges and no difference, as far as there is room between them."""
    label = words.signed_label(picture)
    wanted = [(picture.value, label(picture.value)), *((edge, label(edge)) for edge in picture.edges if edge)]
    wanted += [] if picture.zero is None else [(0.0, "0")]
    kept: list[Label] = []
    for value, text in wanted:
        at = place(value)
        if all(abs(at - other.at) >= _APART for other in kept):
            kept.append(Label(at, text, "start" if at < _APART / 2 else "end" if at > 100 - _APART / 2 else "middle"))
    return tuple(kept)


def _says(line: Line, picture: Picture) -> str:
    label = words.signed_label(picture)
    kept = [f"at least {label(picture.least)}"] if picture.least > -inf else []
    kept += [f"at most {label(picture.most)}"] if picture.most < inf else []
    about = line.where or line.finding.subject
    told = f"{about}: {label(picture.value)}, from {label(picture.low)} to {label(picture.high)}"
    return f"{told}; it has to be {' and '.join(kept)}"


@dataclass(frozen=True)
class Bar:
    """A phase on the time line."""

    phase: Phase
    band: Band


def gantt(phases: Sequence[Phase]) -> tuple[Bar, ...]:
    """Each phase where it was, within all of the time; one too short to be seen still can be."""
    whole = max((phase.began + phase.seconds for phase in phases), default=0.0) or 1.0
    return tuple(
        Bar(phase, _band(100 * phase.began / whole, max(100 * phase.seconds / whole, 0.6))) for phase in phases
    )


def _band(at: float, wide: float) -> Band:
    wide = min(wide, 100.0)
    return Band(round(min(at, 100 - wide), 2), round(wide, 2))


@dataclass(frozen=True)
class Held:
    """A share of the traffic, for as long as it was held; `high` is from the bottom, in percent of the height."""

    band: Band
    percent: int


def held(shares: Sequence[Share], seconds: float | None) -> tuple[Held, ...]:
    """The traffic over the time of a rollout; empty where it moved once only, which needs no picture."""
    if len(shares) < 3:
        return ()
    end = max(seconds or 0.0, shares[-1].seconds) or 1.0
    ends = [*(share.seconds for share in shares[1:]), end]
    return tuple(
        Held(_band(100 * share.seconds / end, 100 * (until - share.seconds) / end), share.percent)
        for share, until in zip(shares, ends, strict=True)
    )


@dataclass(frozen=True)
class Bin:
    """A bar of each label, in percent of the highest."""

    band: Band
    negatives: float
    positives: float


def bins(curve: Curve) -> tuple[Bin, ...]:
    """How the predictions of each label are spread, each label by its own total."""
    many = len(curve.negatives)
    totals = (sum(curve.negatives) or 1, sum(curve.positives) or 1)
    shares = [(no / totals[0], yes / totals[1]) for no, yes in zip(curve.negatives, curve.positives, strict=True)]
    most = max((max(pair) for pair in shares), default=0.0) or 1.0
    return tuple(
        Bin(
            Band(round(100 * place / many, 2), round(100 / many, 2)),
            round(100 * no / most, 2),
            round(100 * yes / most, 2),
        )
        for place, (no, yes) in enumerate(shares)
    )


@dataclass(frozen=True)
class Dot:
    """What was predicted on average, and how often it came true, with its 95% interval; all in percent."""

    predicted: float
    seen: float
    low: float
    high: float


def dots(curve: Curve) -> tuple[Dot, ...]:
    """Calibration, where a bin has rows. The interval is Wilson's (1927)."""
    made = []
    for no, yes, mean in zip(curve.negatives, curve.positives, curve.mean, strict=True):
        rows = no + yes
        if rows == 0:
            continue
        share = yes / rows
        middle = (share + _Z**2 / (2 * rows)) / (1 + _Z**2 / rows)
        half = _Z * ((share * (1 - share) + _Z**2 / (4 * rows)) / rows) ** 0.5 / (1 + _Z**2 / rows)
        low, high = max(middle - half, 0.0), min(middle + half, 1.0)
        made.append(Dot(*(round(100 * value, 2) for value in (mean, share, low, high))))
    return tuple(made)
