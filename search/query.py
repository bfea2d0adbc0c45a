"""The SELECT of a query: images with a score, found in the order that costs least.

A photo's score is the least of those of the words that it has to show, and the best among alternatives. The
statement begins with one condition and looks the others up by content; SQLite's planner, having no
statistics, is kept to that by ``unindexed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    SQLColumnExpression,
    Subquery,
    and_,
    exists,
    false,
    or_,
    select,
    true,
)

from tagtray.db import views
from tagtray.db.dialects import frequent, greatest, least, unindexed
from tagtray.db.tables import Content, Image
from tagtray.search.dates import Span
from tagtray.search.evidence import Evidence
from tagtray.search.meaning import Cameras, Filter, InRoot, Meaning, Place
from tagtray.search.words import Sense

_contents, _images = Content.__table__, Image.__table__


Order = Literal["score", "date"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a statement finds its rows.

    ``first`` is the one of ``meaning.shown`` that it begins with; None: the contents. ``in_order``: it goes
    through them in the order that is asked for and need not sort, else through the few that there are. Where
    they are not few, a page is sought among those of a score from ``floors`` first, the highest one first: a
    photo's score is the least of its words', so that each of them is as high. ``scored``: without words, it
    begins with the first labels, and finds what has one.
    """

    first: Sequence[Sense] | None
    in_order: bool
    floors: tuple[float, ...] = ()
    scored: bool = False


def hits(
    evidence: Evidence, meaning: Meaning, plan: Plan, order: Order, floor: float | None = None
) -> Subquery | CTE:
    """``image_id``, ``content_id``, ``score`` and ``key`` of every image that is meant, unordered.

    ``floor``: only those of such a score at least. Without words the score is that of the first label, None
    where there is none. ``key`` is what they are to be ordered by: the score, or when the photo was taken.
    """
    found = _images_of(evidence, evidence.above(floor), meaning, plan, order)
    # Else PostgreSQL, too, would rather go through an index of the order and hope that the page fills soon.
    return found.subquery() if plan.in_order else found.cte().prefix_with("MATERIALIZED")


def _images_of(
    evidence: Evidence, shown: Evidence, meaning: Meaning, plan: Plan, order: Order
) -> Select[int, int, float, Any]:
    scores: list[ColumnElement[float]] = []
    where: list[ColumnElement[bool]] = [views.is_shown()]
    source: FromClause = _contents
    content = unindexed(Content.id)
    # Of what the statement begins with: the index that has the order has it in this column, too. Where words
    # are looked up for contents in order, SQLite would then first make an index of all that show them.
    content_id: ColumnElement[int] = _images.c.content_id if meaning.shown else _contents.c.id
    if plan.first is not None:
        source = shown.any_of(plan.first)
        content_id = source.c.content_id
        scores.append(source.c.score)
        content = unindexed(content_id)
    for senses in meaning.shown:
        if senses is not plan.first:
            source, score, shows = _look_up(shown, source, content, senses)
            scores.append(score)
            where.append(shows)
    if not meaning.shown:
        best = evidence.best().subquery()
        scores.append(best.c.score)
        if plan.scored:
            source, content_id, content = best, best.c.content_id, unindexed(best.c.content_id)
        else:
            source = source.outerjoin(best, best.c.content_id == content)
    asks_content = order == "date" or any(map(_is_of_content, meaning.filters))
    if (plan.first is not None or plan.scored) and asks_content:
        source = source.join(_contents, Content.id == content)
    source = source.join(_images, Image.content_id == content)
    score = least(scores)
    where += [bound.holds(score) for bound in meaning.scores]
    where += [~_shows(evidence, content, sense) for sense in meaning.unwanted]
    where += [_holds(condition, plan) for condition in meaning.filters]
    key = score if order == "score" else Content.taken_at
    ids = (Image.id.label("image_id"), content_id.label("content_id"))
    return select(*ids, score.label("score"), key.label("key")).select_from(source).where(*where)


def _look_up(
    evidence: Evidence, source: FromClause, content: SQLColumnExpression[int], senses: Sequence[Sense]
) -> tuple[FromClause, ColumnElement[float], ColumnElement[bool]]:
    """``source`` joined with what shows one of ``senses``: the score, and whether there is any."""
    found = [evidence.rows(sense, looked_up=True).subquery() for sense in senses]
    for shown in found:
        source = source.join(shown, shown.c.content_id == content, isouter=len(found) > 1)
    shows = or_(*(shown.c.content_id.is_not(None) for shown in found)) if len(found) > 1 else true()
    return source, greatest([shown.c.score for shown in found]), shows


def _shows(evidence: Evidence, content: SQLColumnExpression[int], sense: Sense) -> ColumnElement[bool]:
    shown = evidence.rows(sense, looked_up=True).subquery()
    return exists(select(1).where(shown.c.content_id == content))


def _is_of_content(condition: Filter) -> bool:
    return any(isinstance(found, Span | Cameras) for found in condition.places)


def _holds(condition: Filter, plan: Plan) -> ColumnElement[bool]:
    holds = or_(false(), *map(place, condition.places))
    if plan.in_order and all(isinstance(found, Cameras) for found in condition.places):
        holds = frequent(holds)
    # A photo without a date or a camera is none of another date or camera, either.
    return holds.is_not(True) if condition.negated else holds


def place(where: Place) -> ColumnElement[bool]:
    """The condition on contents or images that ``where`` stands for."""
    match where:
        case Span(start=start, end=end):
            bounds: list[ColumnElement[bool]] = [Content.taken_at.is_not(None)]
            bounds += [Content.taken_at >= start] if start else []
            bounds += [Content.taken_at < end] if end else []
            return and_(*bounds)
        case Cameras(names=names):
            return Content.camera.in_(names)
        case InRoot(root_id=root_id):
            return Image.root_id == root_id
        case _:
            return Image.path.icontains(where.text, autoescape=True)
