"""Hours of the day at which work is wanted, in local time: ``22-6``, or ``12:30-13, 22-6``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_SPAN = re.compile(r"(\d{1,2})(?::(\d\d))?-(\d{1,2})(?::(\d\d))?")
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Spans of (first minute of a day, minute after the last), which may be one of the next day."""

    spans: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read spans with commas between; raises ValueError with what it should be."""
        return cls(tuple(_span(part.strip()) for part in text.split(",")))

    def include(self, moment: datetime) -> bool:
        """Whether work is wanted at this moment."""
        minute = 60 * moment.hour + moment.minute
        return any((minute - first) % _DAY < last - first for first, last in self.spans)


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("set to hours such as 22-6 or 12:30-13, 22-6")
    first, last = (60 * int(found[hour]) + int(found[hour + 1] or 0) for hour in (1, 3))
    if max(first, last) > _DAY or int(found[2] or 0) > 59 or int(found[4] or 0) > 59 or first == last:
        raise ValueError("set to hours from 0 to 24, such as 22-6")
    return first, last if last > first else last + _DAY
