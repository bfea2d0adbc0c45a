"""What a collection can be narrowed by: its everyday categories and its months, with their photos."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true

from tagtray.db import dialects, thresholds, views
from tagtray.db.tables import Category, Content, Image, Model, Tag


@dataclass(frozen=True, slots=True)
class CategoryFacet:
    """An everyday category, and how many photos show it."""

    category: str
    category_zh: str
    icon: str
    photos: int


@dataclass(frozen=True, slots=True)
class MonthFacet:
    """A month (``YYYY-MM``), and how many photos were taken in it."""

    month: str
    photos: int


def categories(connection: Connection) -> list[CategoryFacet]:
    """The categories that any photo shows, the most frequent first; photos with the same bytes count once."""
    columns = (Category.name, Category.name_zh, Category.icon, Category.wnid, Model.id.label("model_id"))
    candidates = select(*columns, thresholds.SCORE.label("score")).join_from(Category, Model, true())
    shown = (
        thresholds.joined(candidates, Model.id, Category.wnid)
        .where(Model.is_current, Category.everyday, Category.curated)
        .subquery()
    )
    # One range of the index for each: what is below its threshold is not looked at.
    found = select(func.count()).where(
        Tag.wnid == shown.c.wnid, Tag.model_id == shown.c.model_id, Tag.score >= shown.c.score
    )
    photos = found.scalar_subquery().label("photos")
    query = select(shown.c.name, shown.c.name_zh, shown.c.icon, photos).order_by(photos.desc(), shown.c.name)
    return [CategoryFacet(*row) for row in connection.execute(query) if row.photos]


def months(connection: Connection) -> tuple[list[MonthFacet], int]:
    """The months of the images that can be shown, the newest first, and how many images have no date."""
    month = dialects.month(Content.taken_at)
    query = (
        select(month, func.count())
        .join_from(Content, Image, Image.content_id == Content.id)
        .where(views.is_shown())
        .group_by(month)
        .order_by(month.desc())
    )
    rows = connection.execute(query).all()
    undated = sum(photos for name, photos in rows if name is None)
    return [MonthFacet(*row) for row in rows if row[0] is not None], undated
