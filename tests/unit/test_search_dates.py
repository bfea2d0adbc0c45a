"""Spans of time in a query."""

from __future__ import annotations

from datetime import datetime

import pytest

from tagtray.config.errors import UsageError
from tagtray.search.dates import Span, span


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024", datetime(2024, 1, 1), datetime(2025, 1, 1)),
        ("2024-05", datetime(2024, 5, 1), datetime(2024, 6, 1)),
        ("2024-5", datetime(2024, 5, 1), datetime(2024, 6, 1)),
        ("2024-12", datetime(2024, 12, 1), datetime(2025, 1, 1)),
        ("2024-02-29", datetime(2024, 2, 29), datetime(2024, 3, 1)),
        ("2024-05..", datetime(2024, 5, 1), None),
        ("..2023", None, datetime(2024, 1, 1)),
        ("2023..2024-05", datetime(2023, 1, 1), datetime(2024, 6, 1)),
        ("2024-05-03..2024-05-03", datetime(2024, 5, 3), datetime(2024, 5, 4)),
    ],
)
def test_a_span_ends_where_the_next_one_begins(
    text: str, start: datetime | None, end: datetime | None
) -> None:
    assert span(text) == Span(start, end)


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "",
        "yesterday",
        "2024-13",
        "2024-02-30",
        "0000",
        "24",
        "2024-05-03-01",
        "9999-12-31",
        "１９９９..x",
    ],
)
def test_what_is_no_date_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"^taken:.* is no date; write .*\.$"):
        span(text)


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="ends before it begins"):
        span("2024..2023")
