"""Spans of time as people write them: ``2024``, ``2024-05``, ``2024-05-03``, ``2024-05..``, ``..2023``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tagtray.config.errors import UsageError

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` on, and before ``end``; None: no bound."""

    start: datetime | None
    end: datetime | None


def span(text: str) -> Span:
    """The span that ``text`` names; raises UsageError with one sentence."""
    first, dots, last = text.strip().partition("..")
    if not dots:
        return Span(*_bounds(first, text))
    if not first and not last:
        raise _unread(text)
    found = Span(_bounds(first, text)[0] if first else None, _bounds(last, text)[1] if last else None)
    if found.start and found.end and found.start >= found.end:
        raise UsageError(f"taken:{text} ends before it begins.")
    return found


def _bounds(date: str, text: str) -> tuple[datetime, datetime]:
    """When a year, a month or a day begins, and when the next one does."""
    parts = _DATE.fullmatch(date)
    if parts is None:
        raise _unread(text)
    year, month, day = (int(part) if part else None for part in parts.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1)
        if day is not None:
            return start, start + timedelta(days=1)
        if month is not None:
            return start, datetime(start.year + month // 12, month % 12 + 1, 1)
        return start, datetime(start.year + 1, 1, 1)
    except (ValueError, OverflowError):
        raise _unread(text) from None


def _unread(text: str) -> UsageError:
    return UsageError(
        f"taken:{text} is no date; write taken:2024, taken:2024-05, taken:2024-05-03 or taken:2023..2024."
    )
