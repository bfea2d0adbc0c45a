"""What a collection can be narrowed by: its everyday categories and its months, with their photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

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
    count = select(Tag.wnid, func.count().label("photos")).join_from(Tag, Model, Tag.model_id == Model.id)
    shown = (
        thresholds.joined(count, Model.id, Tag.wnid)
        .where(
            Model.is_current,
            Tag.wnid.in_(select(Category.wnid).where(Category.everyday, Category.curated)),
            Tag.score >= thresholds.SCORE,
        )
        .group_by(Tag.wnid)
        .subquery()
    )
    query = (
        select(Category.name, Category.name_zh, Category.icon, shown.c.photos)
        .join_from(shown, Category, Category.wnid == shown.c.wnid)
        .order_by(shown.c.photos.desc(), Category.name)
    )
    return [CategoryFacet(*row) for row in connection.execute(query)]


def months(connection: Connection) -> Sequence[MonthFacet]:
    """The months of the photos, the newest first."""
    month = dialects.month(Content.taken_at)
    query = (
        select(month, func.count())
        .join_from(Content, Image, Image.content_id == Content.id)
        .where(Content.taken_at.is_not(None), views.is_shown())
        .group_by(month)
        .order_by(month.desc())
    )
    return [MonthFacet(*row) for row in connection.execute(query)]


def photos(connection: Connection) -> int:
    """How many images can be shown: those with a content."""
    query = select(func.count()).select_from(Image).where(Image.content_id.is_not(None), views.is_shown())
    return connection.scalar(query) or 0
