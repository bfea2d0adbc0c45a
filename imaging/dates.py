"""Moments as cameras, programs and file names write them, in the local time of who wrote them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate

#: Years before the first photograph are placeholders.
FIRST_YEAR = 1826

#: Years that a file name can mean; other eight digits are a number.
_NAMED_YEARS = range(1990, 2100)

#: What clocks that were never set say: the zero of Unix, and that of the Macintosh.
_ZEROS = (datetime(1970, 1, 1), datetime(1904, 1, 1))

# 2019:03:14 10:11:12.345+01:00 with any separators; the time, or its seconds, may be missing.
_MOMENT = re.compile(
    r"(\d{4})\D(\d{1,2})\D(\d{1,2})(?!\d)"
    r"(?:\D{1,3}(\d{1,2})\D(\d{1,2})(?!\d)(?:[^\d+-](\d{1,2})(?!\d))?(?:\s?([AaPp])\.?[Mm])?)?"
)
# 20190314T101112, as IPTC and ISO 8601 allow.
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?!\d)(?:\D?(\d\d)(\d\d)(\d\d)?)?()")

# IMG_20190314_101112, IMG-20190314-WA0001, Screenshot_2019-03-14-10-11-12, ... 2019-03-14 at 10.11.12 PM
_NAMED = re.compile(
    r"(?<!\d)(\d{4})([-_.: ]?)(\d\d)\2(\d\d)"
    r"(?:(?:[-_.T ]|, | at )?(\d\d|\d(?=[.:]))[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?:\d{3})?(?!\d)(?:\s?([AP])M)?"
    r"|(?!\d))"
)


def parse(text: str) -> datetime | None:
    """The moment that a metadata field states; a zone and a fraction are left out. None for placeholders."""
    text = text.strip()
    found = _MOMENT.match(text) or _COMPACT.match(text)
    if not found:
        return _mail_date(text)
    *fields, half = found.groups()
    year, month, day, hour, minute, second = (int(field or 0) for field in fields)
    moment = _moment(year, month, day, _hours(hour, half), minute, second)
    has_time = found.group(4) is not None
    if moment is None or moment.year < FIRST_YEAR or (has_time and moment in _ZEROS):
        return None
    return moment


def from_name(name: str) -> datetime | None:
    """The moment that a file's name states, midnight where it is but a day; None if it lies ahead."""
    for found in _NAMED.finditer(name):
        year, _, month, day, hour, minute, second, half = found.groups()
        hours = _hours(int(hour or 0), half)
        moment = _moment(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0))
        if moment and moment.year in _NAMED_YEARS and moment < datetime.now() + timedelta(days=1):
            return moment
    return None


def _hours(hour: int, half: str | None) -> int:
    """An hour of the day; ``half`` is the A or P of a clock of twelve hours."""
    return hour % 12 + (12 if half in ("P", "p") else 0) if half else hour


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    """None for what no calendar holds; hour 24 is the next day's first, and a leap second its predecessor."""
    try:
        moment = datetime(year, month, day, hour % 24 if hour <= 24 else hour, minute, min(second, 59))
        return moment + timedelta(days=1) if hour == 24 else moment
    except (ValueError, OverflowError):
        return None


def _mail_date(text: str) -> datetime | None:
    """RFC 1123, which the PNG specification recommends."""
    fields = parsedate(text) if any(c.isalpha() for c in text) else None
    return _moment(*fields[:6]) if fields and fields[0] >= FIRST_YEAR else None
