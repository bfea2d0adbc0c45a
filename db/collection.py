"""A collection in figures: what is in it by category and by month, how sure the model is, what failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, column, func, select, table, true

from tagtray.db.tables import Image, Status
from tagtray.db.transactions import read

#: Categories that are counted by month, the most frequent ones.
BY_MONTH = 6
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


def load(engine: Engine) -> Collection:
    """Count; a million photos take some seconds. Raises InfrastructureError."""
    return read(engine, _load)


def _load(connection: Connection) -> Collection:
    photos = func.count().label("photos")
    categories = [CategoryCount(*row) for row in _counted(connection, _TAGS.c.category, _TAGS.c.category_zh)]
    in_months = connection.execute(select(_TOP1.c.taken_month, photos).group_by(_TOP1.c.taken_month)).all()
    dated = sorted((month, count) for month, count in in_months if month is not None)
    names = [found.category for found in categories[:BY_MONTH]]
    by_month = (
        select(_TAGS.c.category, _TAGS.c.taken_month, photos)
        .where(_TAGS.c.category.in_(names), _TAGS.c.taken_month.is_not(None))
        .group_by(_TAGS.c.category, _TAGS.c.taken_month)
        .order_by(_TAGS.c.category, _TAGS.c.taken_month)
    )
    states = dict(connection.execute(select(Image.status, func.count()).group_by(Image.status)).all())
    return Collection(
        {state.value: states.get(state, 0) for state in Status},
        categories,
        [MonthCount(*row) for row in dated],
        sum(count for month, count in in_months if month is None),
        [CategoryMonthCount(*row) for row in connection.execute(by_month)],
        _scores(connection),
        [FailureCount(*row) for row in _counted(connection, _FAILURES.c.error_code)],
    )


def _counted(connection: Connection, *names: Any) -> Sequence[Any]:
    query: Select[Any] = select(*names, func.count().label("photos")).group_by(*names)
    return connection.execute(query.order_by(func.count().desc(), names[0])).all()


def _scores(connection: Connection) -> list[ScoreCount]:
    bounds = [(at / BINS, (at + 1) / BINS) for at in range(BINS)]
    score = _TOP1.c.score
    counts = (
        func.count().filter(score >= low, true() if high == 1 else score < high) for low, high in bounds
    )
    found = connection.execute(select(*counts).select_from(_TOP1)).one()
    return [ScoreCount(*bound, photos) for bound, photos in zip(bounds, found, strict=True)]
