"""Label sets as rows: classes, the categories above them, and which class lies below which category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select

from tagtray.db.dialects import add_new, replace
from tagtray.db.tables import Category, Label, LabelCategory

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class LabelRows:
    """A label set as rows of ``labels``, ``categories`` and ``label_categories``."""

    label_set: str
    labels: Rows
    categories: Rows
    closure: Rows


def sync(connection: Connection, rows: LabelRows) -> None:
    """Bring the tables to what a label set says; what belongs to another one stays."""
    of_this = Label.label_set == rows.label_set
    connection.execute(delete(Label).where(of_this, Label.class_index >= len(rows.labels)))
    replace(connection, Label, rows.labels, ("label_set", "class_index"))
    replace(connection, Category, rows.categories, ("wnid",))
    others = select(Label.wnid).where(~of_this, Label.wnid.is_not(None))
    connection.execute(
        delete(LabelCategory).where(
            LabelCategory.class_wnid.in_(select(Label.wnid).where(of_this)),
            LabelCategory.class_wnid.not_in(others),
        )
    )
    add_new(connection, LabelCategory, rows.closure)
