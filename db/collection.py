"""A collection in figures: what is in it by category and by month, how sure the model is, what failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, column, func, select, table, true

from tagtray.db.access.transactions import read
from tagtray.db.tables import Status

#: Bins of the scores, of equal width.
BINS = 20


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """Photos that show a category."""

    category: str
    category_zh: str
    photos: int


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Photos of a month (``YYYY-MM``)."""

    month: str
    photos: int


@dataclass(frozen=True, slots=True)
class CategoryMonthCount:
    """Photos of a month that show a category."""

    category: str
    month: str
    photos: int


@dataclass(frozen=True, slots=True)
class ScoreCount:
    """Photos whose first label has a score in ``[from_score, to_score)``; the last bin has its end in it."""

    from_score: float
    to_score: float
    photos: int


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Photos that failed with a code."""

    error_code: str
    photos: int


@dataclass(frozen=True, slots=True)
class Collection:
    """The figures; categories and failures with the most frequent first, months in order.

    ``undated`` photos are classified and in no month.
    """

    states: dict[str, int]
    categories: Sequence[CategoryCount]
    months: Sequence[MonthCount]
    undated: int
    categories_by_month: Sequence[CategoryMonthCount]
    scores: Sequence[ScoreCount]
    failures: Sequence[FailureCount]


_TAGS = table("image_tags", column("category"), column("category_zh"), column("taken_month"))
_TOP1 = table("top1", column("score"), column("taken_month"))
_FAILURES = table("failures", column("error_code"))
_IMAGES = table("images", column("status"))


def load(engine: Engine) -> Collection:
    """Count; a million photos take some seconds. Raises InfrastructureError."""
    return read(engine, _load)


def _load(connection: Connection) -> Collection:
    by_month = _counted(connection, _TAGS.c.category, _TAGS.c.category_zh, _TAGS.c.taken_month)
    categories = Counter[tuple[str, str]]()
    for name, name_zh, _, photos in by_month:
        categories[name, name_zh] += photos
    months = dict(_counted(connection, _TOP1.c.taken_month))
    undated = months.pop(None, 0)
    states = dict(_counted(connection, _IMAGES.c.status))
    return Collection(
        {state.value: states.get(state, 0) for state in Status},
        [CategoryCount(*names, photos) for names, photos in categories.most_common()],
        [MonthCount(*month) for month in sorted(months.items())],
        undated,
        [CategoryMonthCount(name, month, photos) for name, _, month, photos in by_month if month],
        _scores(connection),
        sorted(
            (FailureCount(*failed) for failed in _counted(connection, _FAILURES.c.error_code)),
            key=lambda failed: -failed.photos,
        ),
    )


def _counted(connection: Connection, *names: ColumnElement[Any]) -> Sequence[Any]:
    """The values of columns, in their order, and how many rows have each."""
    query = select(*names, func.count()).group_by(*names).order_by(*names)
    return connection.execute(query).all()


def _scores(connection: Connection) -> list[ScoreCount]:
    bounds = [(at / BINS, (at + 1) / BINS) for at in range(BINS)]
    score = _TOP1.c.score
    counts = (
        func.count().filter(score >= low, true() if high == 1 else score < high) for low, high in bounds
    )
    found = connection.execute(select(*counts).select_from(_TOP1)).one()
    return [ScoreCount(*bound, photos) for bound, photos in zip(bounds, found, strict=True)]
