"""What must be true of a ledger at rest, and how to make it true again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Engine,
    Update,
    and_,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from tagtray.db import clock
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import Classification, Feature, Image, Label, Model, Prediction, Priority, Status, Tag

#: Predictions of a content by a model: as many, or all classes of a model that has fewer.
RANKS = 3


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule, the rows that break it, and the statement that mends them."""

    name: str
    sentence: str
    table: type[Image] | type[Classification] | type[Prediction] | type[Tag] | type[Feature]
    broken: ColumnElement[bool]
    mend: Update | Delete


@dataclass(frozen=True, slots=True)
class Finding:
    """How many rows break an invariant."""

    name: str
    sentence: str
    rows: int


def check(engine: Engine, fix: bool = False) -> Sequence[Finding]:
    """Count the rows that break each invariant; with ``fix``, mend them in one transaction."""
    return (write if fix else read)(engine, lambda connection: _check(connection, fix))


def overlapping_roots(rows: int) -> Finding:
    """The rule that only a look at the folders can check (``roots.overlaps``)."""
    return Finding("overlapping_roots", "roots that lie in another one: files in them have two rows", rows)


def _check(connection: Connection, fix: bool) -> list[Finding]:
    findings = []
    for rule in _rules(_ranks(connection)):
        rows = connection.scalar(select(func.count()).select_from(rule.table).where(rule.broken)) or 0
        if rows and fix:
            connection.execute(rule.mend.where(rule.broken))
        findings.append(Finding(rule.name, rule.sentence, rows))
    return findings


def _ranks(connection: Connection) -> dict[int, int]:
    """How many predictions each model gives."""
    classes = select(func.count()).where(Label.label_set == Model.label_set).scalar_subquery()
    rows = connection.execute(select(Model.id, classes))
    return {model_id: min(RANKS, count) for model_id, count in rows}


def _rules(ranks: Mapping[int, int]) -> Sequence[Invariant]:
    """All of them; what is mended early may bring rows under a later one."""
    again = update(Image).values(status=Status.PENDING, worker=None, lease_until=None, updated_at=clock.now())
    no_results = ~_classified(Image.content_id)
    held = or_(Image.worker.is_not(None), Image.lease_until.is_not(None))
    running = Image.status == Status.RUNNING
    return (
        Invariant(
            "incomplete_top3",
            "classifications whose predictions are not exactly the ranks 1, 2 and 3 (or all classes)",
            Classification,
            or_(false(), *(_incomplete(*item) for item in ranks.items())),
            delete(Classification),
        ),
        Invariant(
            "orphan_predictions",
            "predictions without the classification they belong to",
            Prediction,
            ~_belongs(Prediction),
            delete(Prediction),
        ),
        Invariant(
            "orphan_tags", "tags without the classification they belong to", Tag, ~_belongs(Tag), delete(Tag)
        ),
        Invariant(
            "orphan_features",
            "feature vectors without the classification they belong to",
            Feature,
            ~_belongs(Feature),
            delete(Feature),
        ),
        Invariant(
            "done_without_results",
            "images that are done and have no results",
            Image,
            and_(Image.status == Status.DONE, no_results),
            again,
        ),
        Invariant(
            "failed_without_reason",
            "images that failed without a code or a sentence",
            Image,
            and_(
                Image.status == Status.FAILED, or_(Image.error_code.is_(None), Image.error_message.is_(None))
            ),
            again,
        ),
        Invariant(
            "running_without_lease",
            "images that are running and in nobody's hands",
            Image,
            and_(running, or_(Image.worker.is_(None), Image.lease_until.is_(None))),
            again,
        ),
        Invariant(
            "lease_without_running",
            "images that are leased and not running",
            Image,
            and_(~running, held),
            update(Image).values(worker=None, lease_until=None),
        ),
        Invariant(
            "unknown_status",
            "images in a state that does not exist",
            Image,
            Image.status.not_in(list(Status)),
            again,
        ),
        Invariant(
            "unknown_priority",
            "images of a priority that does not exist",
            Image,
            Image.priority.not_in(list(Priority)),
            update(Image).values(priority=Priority.NEW),
        ),
    )


def _classified(content_id: InstrumentedAttribute[int | None]) -> ColumnElement[bool]:
    return exists().where(Classification.content_id == content_id)


def _belongs(table: type[Prediction] | type[Tag] | type[Feature]) -> ColumnElement[bool]:
    return exists().where(
        Classification.content_id == table.content_id, Classification.model_id == table.model_id
    )


def _incomplete(model_id: int, ranks: int) -> ColumnElement[bool]:
    mine = and_(
        Prediction.content_id == Classification.content_id, Prediction.model_id == Classification.model_id
    )
    found = [
        select(func.coalesce(measure(Prediction.rank), 0)).where(mine).scalar_subquery()
        for measure in (func.count, func.min, func.max)
    ]
    # The rank is part of the primary key: three of them from 1 to 3 are each there once.
    wrong = or_(*(value != expected for value, expected in zip(found, (ranks, 1, ranks), strict=True)))
    return and_(Classification.model_id == model_id, wrong)
