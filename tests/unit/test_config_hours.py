"""Hours of the day at which work is wanted."""

from __future__ import annotations

from datetime import datetime

import pytest

from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.hours import Hours


def _at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, 29, hour, minute)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("22-6", [_at(22), _at(0), _at(5, 59)], [_at(6), _at(12), _at(21, 59)]),
        ("9-17", [_at(9), _at(16, 59)], [_at(8, 59), _at(17), _at(23)]),
        ("12:30-13, 22-6", [_at(12, 30), _at(23), _at(3)], [_at(12, 29), _at(13), _at(7)]),
        ("0-24", [_at(0), _at(12), _at(23, 59)], []),
        ("20-24", [_at(20), _at(23, 59)], [_at(0), _at(19, 59)]),
        ("0-6", [_at(0), _at(5, 59)], [_at(6), _at(23, 59)]),
    ],
)
def test_a_moment_is_in_the_hours_or_not(text: str, inside: list[datetime], outside: list[datetime]) -> None:
    hours = Hours.parse(text)

    assert [moment for moment in inside if not hours.include(moment)] == []
    assert [moment for moment in outside if hours.include(moment)] == []


@pytest.mark.parametrize("text", ["", "22", "22-", "25-6", "22-6;", "8-8", "12:60-13", "night"])
def test_what_is_no_span_is_refused_by_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="set to hours"):
        Hours.parse(text)
    if text:
        monkeypatch.setenv("TAGTRAY_HOURS", text)
        with pytest.raises(UsageError, match=r"TAGTRAY_HOURS=.* is not accepted: it should be set to hours"):
            configuration.load()


def test_without_hours_work_is_wanted_at_all() -> None:
    assert configuration.load().wants_work(_at(3))
    assert not configuration.load(hours="22-6").wants_work(_at(12))
