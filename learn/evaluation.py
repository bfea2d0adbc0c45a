"""A model measured against what people said of photos; own tags are left out, for they learned from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, and_, func, select

from tagtray.db import thresholds
from tagtray.db.access.transactions import read
from tagtray.db.tables import OWN, Category, Classification, OverruledTag, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on a category of photos that the model has classified.

    ``confirmed`` were said to show it, of which the model has ``found`` some; ``rejected`` were said not to,
    of which it has ``mistaken`` some.
    """

    wnid: str
    name: str
    confirmed: int
    found: int
    rejected: int
    mistaken: int

    @property
    def judged(self) -> int:
        """How many verdicts there are."""
        return self.confirmed + self.rejected

    @property
    def shown(self) -> int:
        """How many of these photos the model shows the category on."""
        return self.found + self.mistaken

    @property
    def precision(self) -> float | None:
        """Share of what is shown that is right; None where nothing is."""
        return self.found / self.shown if self.shown else None

    @property
    def recall(self) -> float | None:
        """Share of what is true that is shown; None where nothing is."""
        return self.found / self.confirmed if self.confirmed else None


def total(judged: Sequence[Judged]) -> Judged:
    """The verdicts on all categories together, which has no name."""
    counts = ("confirmed", "found", "rejected", "mistaken")
    return Judged("", "", *(sum(getattr(one, name) for one in judged) for name in counts))


def from_corrections(engine: Engine, model_id: int) -> list[Judged]:
    """By category, the most judged first; raises InfrastructureError."""
    return read(engine, lambda connection: _judged(connection, model_id))


def _judged(connection: Connection, model_id: int) -> list[Judged]:
    same = and_(
        OverruledTag.content_id == Verdict.content_id,
        OverruledTag.wnid == Verdict.wnid,
        OverruledTag.model_id == model_id,
    )
    seen = and_(Classification.content_id == Verdict.content_id, Classification.model_id == model_id)
    shown = OverruledTag.score >= thresholds.SCORE
    shows = Verdict.verdict > 0
    said = (
        select(
            Category.wnid,
            Category.name,
            func.count().filter(shows),
            func.count().filter(shows, shown),
            func.count().filter(~shows),
            func.count().filter(~shows, shown),
        )
        .select_from(Verdict)
        .join(Category, Category.wnid == Verdict.wnid)
        .join(Classification, seen)
        .outerjoin(OverruledTag, same)
    )
    query = (
        thresholds.joined(said, model_id, Verdict.wnid)
        .where(Verdict.counts(), ~Verdict.wnid.startswith(OWN, autoescape=True))
        .group_by(Category.wnid, Category.name)
        .order_by(func.count().desc(), Category.name, Category.wnid)
    )
    return [Judged(*row) for row in connection.execute(query).all()]
