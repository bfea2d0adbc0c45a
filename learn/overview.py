"""All own tags, with how far each is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, case, column, func, select, table
from sqlalchemy.orm import aliased

from tagtray.db import current_model
from tagtray.db.access.transactions import read
from tagtray.db.tables import Category, OwnTag, OwnTagClassifier, Threshold, Verdict

_TAGS = table("image_tags", column("wnid"))


@dataclass(frozen=True, slots=True)
class OwnTagFacts:
    """An own tag; ``photos`` show it, of which at least the share ``precision`` is likely right.

    ``precision`` and ``trained_at`` are None until it is learned under the current model; ``is_found``: it
    could be told from other photos then; ``is_up_to_date``: the examples are the same still.
    """

    wnid: str
    name: str
    parent: str | None
    examples: int
    counter_examples: int
    photos: int
    precision: float | None
    is_found: bool
    is_up_to_date: bool
    created_at: datetime
    trained_at: datetime | None


def load(engine: Engine) -> Sequence[OwnTagFacts]:
    """All of them, by name."""
    model = current_model.current(engine)
    return read(engine, lambda connection: _load(connection, model.id))


def _load(connection: Connection, model_id: int) -> list[OwnTagFacts]:
    parent = aliased(Category)
    learned = and_(OwnTagClassifier.wnid == OwnTag.wnid, OwnTagClassifier.model_id == model_id)
    threshold = and_(Threshold.wnid == OwnTag.wnid, Threshold.model_id == model_id)
    query = (
        select(
            *(OwnTag.wnid, Category.name, parent.name.label("parent"), OwnTag.created_at),
            *(OwnTagClassifier.precision, OwnTagClassifier.trained_at),
            func.coalesce(Threshold.score < 1, False).label("is_found"),
            (func.coalesce(OwnTagClassifier.examples_version, -1) == OwnTag.examples_version).label("is_new"),
        )
        .join(Category, Category.wnid == OwnTag.wnid)
        .outerjoin(parent, parent.wnid == OwnTag.parent_wnid)
        .outerjoin(OwnTagClassifier, learned)
        .outerjoin(Threshold, threshold)
        .order_by(Category.name)
    )
    said = _said(connection)
    return [
        OwnTagFacts(
            wnid=row.wnid,
            name=row.name,
            parent=row.parent,
            examples=said.get(row.wnid, (0, 0))[0],
            counter_examples=said.get(row.wnid, (0, 0))[1],
            photos=connection.scalar(select(func.count()).where(_TAGS.c.wnid == row.wnid)) or 0,
            precision=row.precision if row.is_found else None,
            is_found=bool(row.is_found),
            is_up_to_date=bool(row.is_new),
            created_at=row.created_at,
            trained_at=row.trained_at,
        )
        for row in connection.execute(query).all()
    ]


def _said(connection: Connection) -> dict[str, tuple[int, int]]:
    """Examples and counter-examples of each own tag."""
    shows = func.sum(case((Verdict.verdict > 0, 1), else_=0))
    query = (
        select(Verdict.wnid, shows, func.count() - shows)
        .join(OwnTag, OwnTag.wnid == Verdict.wnid)
        .where(Verdict.counts())
        .group_by(Verdict.wnid)
    )
    return {wnid: (int(examples), int(others)) for wnid, examples, others in connection.execute(query)}
