"""From which score a tag is shown: its own threshold, or the default of its model."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func
from sqlalchemy.orm import InstrumentedAttribute, aliased

from tagtray.db.tables import Threshold

_Default = aliased(Threshold)
#: In a query that is ``joined``.
SCORE: ColumnElement[float] = func.coalesce(Threshold.score, _Default.score)

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


def joined(
    query: Query, model_id: InstrumentedAttribute[int] | int, wnid: InstrumentedAttribute[str]
) -> Query:
    """``query`` with the thresholds of a model's tags, whose wnid it has; SCORE is the one of each row."""
    default = and_(_Default.model_id == model_id, _Default.wnid == "")
    own = and_(Threshold.model_id == model_id, Threshold.wnid == wnid)
    return query.join(_Default, default).outerjoin(Threshold, own)
