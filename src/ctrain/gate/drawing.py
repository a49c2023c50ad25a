"""A finding's picture in characters: the interval against what it had to keep.

    ░░░░░░░░░┃······├────╎──●───────┤·······
             -0.0100     0  +0.0011

Shaded is where the interval must not be, `┃` where that ends, `╎` no difference, `●` what was measured.
"""

from __future__ import annotations

from ctrain.gate.picture import Picture


def bar(picture: Picture, width: int) -> str:
    """One line."""
    cells = [" "] * width
    for place in range(width):
        middle = _value(picture, place, width)
        cells[place] = "░" if middle < picture.least or middle > picture.most else "·"
    for edge in picture.edges:
        cells[_place(picture, edge, width)] = "┃"
    low, high = _place(picture, picture.low, width), _place(picture, picture.high, width)
    for place in range(low + 1, high):
        cells[place] = "┃" if cells[place] == "┃" else "─"
    if picture.zero is not None and cells[_place(picture, picture.zero, width)] != "┃":
        cells[_place(picture, picture.zero, width)] = "╎"
    cells[low], cells[high] = "├", "┤"
    cells[_place(picture, picture.value, width)] = "●"
    return "".join(cells)


def labels(picture: Picture, width: int) -> str:
    """The line below it: the edges and what was measured, each under its place, where there is room."""
    line = [" "] * (width + 12)
    wanted = [*picture.edges, picture.value, *([picture.zero] if picture.zero is not None else [])]
    for value in wanted:
        text = "0" if value == picture.zero else picture.label(value)
        begin = max(_place(picture, value, width) - len(text) // 2, 0)
        room = range(max(begin - 1, 0), min(begin + len(text) + 1, len(line)))
        if begin + len(text) <= len(line) and all(line[place] == " " for place in room):
            line[begin : begin + len(text)] = text
    return "".join(line).rstrip()


def _place(picture: Picture, value: float, width: int) -> int:
    low, high = picture.span
    return min(max(round((value - low) / (high - low) * (width - 1)), 0), width - 1)


def _value(picture: Picture, place: int, width: int) -> float:
    low, high = picture.span
    return low + (high - low) * place / (width - 1)
