"""How a statement finds its rows: the conditions are counted, up to a limit, to begin with the rarest."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, func, literal, or_, select

from tagtray.db.tables import Content
from tagtray.search.dates import Span
from tagtray.search.evidence import Evidence
from tagtray.search.meaning import Cameras, Filter, Meaning
from tagtray.search.query import Order, Plan, place

_Rows = Select[*tuple[Any, ...]]

#: Photos of a condition are counted up to this number, which takes milliseconds, to begin with the rarest.
COUNTED = 100_000
#: Conditions that more photos meet are so frequent that going through one of them in the order that was
#: asked for soon fills a page.
FREQUENT = 20_000
#: Scores from which a page is sought before all photos are looked at.
FLOORS = (0.95, 0.8)


def plan(connection: Connection, evidence: Evidence, meaning: Meaning, order: Order) -> Plan:
    """How to find what is meant in this order."""
    groups = meaning.shown
    one_word = len(groups) == 1 and len(groups[0]) == 1
    indexed = list(filter(_is_indexed, meaning.filters))
    if order == "score" and one_word and not indexed:
        return Plan(groups[0], in_order=True)
    if order == "score" and not groups and not indexed:
        return Plan(None, in_order=True, scored=True)
    conditions: list[list[_Rows]] = [[evidence.rows(sense) for sense in senses] for senses in groups]
    conditions += [[select(Content.id).where(or_(*map(place, found.places)))] for found in indexed]
    # How frequent they are matters beyond FREQUENT only where one of several words is to be the first.
    limit = COUNTED if order == "score" and not one_word else FREQUENT + 1
    photos: list[float] = _count(connection, conditions, limit) if conditions else []
    fewest = min(photos, default=inf)
    rarest = photos.index(fewest) if photos else 0
    if order == "score" and not groups and fewest > FREQUENT:
        return Plan(None, in_order=True, scored=True)
    spans = [all(isinstance(found, Span) for found in condition.places) for condition in indexed]
    if order == "score" and one_word and (rarest == 0 or fewest > FREQUENT):
        return Plan(groups[0], in_order=True)
    if order == "date" and (fewest > FREQUENT or (rarest >= len(groups) and spans[rarest - len(groups)])):
        return Plan(None, in_order=True)
    if rarest < len(groups):
        floors = FLOORS if order == "score" and fewest > FREQUENT else ()
        return Plan(groups[rarest], in_order=False, floors=floors)
    return Plan(None, in_order=False)


def _is_indexed(condition: Filter) -> bool:
    return not condition.negated and all(isinstance(found, Span | Cameras) for found in condition.places)


def _count(connection: Connection, conditions: Sequence[Sequence[_Rows]], limit: int) -> list[float]:
    """How many rows each has, those of its alternatives added up, ``limit`` at most for each."""
    counts = [sum((_counted(rows, limit) for rows in found), literal(0)) for found in conditions]
    return list(connection.execute(select(*counts)).one())


def _counted(rows: _Rows, limit: int) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.limit(limit).subquery()).scalar_subquery()
