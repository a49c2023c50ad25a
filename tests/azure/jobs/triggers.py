"""When a schedule is due: cron expressions (NCronTab, five fields) and recurrences, to the minute and in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.azure.routing import Body, Refused

_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONG_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=400)
"""How far ahead a schedule is looked at in one move of the clock."""


def due(trigger: Body, made: datetime, since: datetime, until: datetime) -> Iterator[datetime]:
    """The minutes after `since`, up to `until`, at which it fires. `made` is when it was, where it has no start."""
    start = _moment(trigger.get("startTime")) or made
    end = _moment(trigger.get("endTime"))
    moment = max(since, start - _MINUTE).replace(second=0, microsecond=0) + _MINUTE
    while moment <= min(until, since + _LONGEST):
        if (end is None or moment <= end) and fires(trigger, start, moment):
            yield moment
        moment += _MINUTE


def check(trigger: Body) -> None:
    """Refuses what no schedule can be made of."""
    kind = trigger.get("triggerType")
    if kind == "Cron":
        _cron(str(trigger.get("expression") or ""))
    elif kind == "Recurrence":
        if str(trigger.get("frequency", "")).lower() not in ("minute", "hour", "day", "week", "month"):
            raise Refused(400, "UserError", f"{trigger.get('frequency')!r} is no frequency.")
        if int(trigger.get("interval") or 0) < 1:
            raise Refused(400, "UserError", "The interval of a recurrence is at least 1.")
    else:
        raise Refused(400, "UserError", f"{kind!r} is no trigger type.")


def fires(trigger: Body, start: datetime, moment: datetime) -> bool:
    """Whether it does at this minute."""
    if trigger["triggerType"] == "Cron":
        minute, hour, day, month, weekday = _cron(trigger["expression"])
        today = (moment.weekday() + 1) % 7
        whole = (
            moment.minute in minute,
            moment.hour in hour,
            moment.day in day,
            moment.month in month,
            today in weekday,
        )
        return all(whole)
    return _recurs(trigger, start, moment)


def _recurs(trigger: Body, start: datetime, moment: datetime) -> bool:
    pattern = trigger.get("schedule") or {}
    hours, minutes = pattern.get("hours") or [start.hour], pattern.get("minutes") or [start.minute]
    interval, days = int(trigger["interval"]), (moment.date() - start.date()).days
    match str(trigger["frequency"]).lower():
        case "minute":
            return int((moment - start.replace(second=0, microsecond=0)).total_seconds() // 60) % interval == 0
        case "hour":
            since = (moment - start).total_seconds() // 3600
            return moment.minute == start.minute and int(since) % interval == 0
        case "day":
            today = days % interval == 0
        case "week":
            wanted = [str(day).lower() for day in pattern.get("weekDays") or [_LONG_DAYS[start.weekday()]]]
            monday = start.date() - timedelta(days=start.weekday())
            today = _LONG_DAYS[moment.weekday()] in wanted and (moment.date() - monday).days // 7 % interval == 0
        case _:
            months = (moment.year - start.year) * 12 + moment.month - start.month
            today = moment.day in (pattern.get("monthDays") or [start.day]) and months % interval == 0
    return today and moment.hour in hours and moment.minute in minutes


def _cron(expression: str) -> list[set[int]]:
    fields = expression.split()
    if len(fields) != 5:
        raise Refused(400, "UserError", f"{expression!r} is no cron expression of five fields.")
    try:
        return [_field(field, *limits) for field, limits in zip(fields, _RANGES, strict=True)]
    except ValueError:
        raise Refused(400, "UserError", f"{expression!r} is no cron expression.") from None


def _field(text: str, low: int, high: int) -> set[int]:
    made: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, end = low, high
        else:
            begin = _number(first)
            end = _number(last) if dash else high if step else begin
        if not low <= begin <= end <= high:
            raise ValueError(part)
        made |= set(range(begin, end + 1, int(step or 1)))
    return made


def _number(word: str) -> int:
    for names, first in ((_MONTHS, 1), (_DAYS, 0)):
        if word.lower()[:3] in names:
            return names.index(word.lower()[:3]) + first
    return int(word)


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return read if read.tzinfo else read.replace(tzinfo=UTC)
