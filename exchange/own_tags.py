"""Own tags on their way into a file, and out of one into a ledger that may have some of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, select

from tagtray.config.errors import UsageError, WeightsError
from tagtray.db import own_tags
from tagtray.db.access.transactions import write
from tagtray.db.own_tags import Classifier
from tagtray.db.tables import Category, Model, OwnTag, OwnTagClassifier, Threshold
from tagtray.exchange import lines

#: The id of a model that the ledger or this installation has; raises WeightsError.
FindModel = Callable[[lines.Model], int]


def exported(connection: Connection) -> list[lines.OwnTagLine]:
    """All own tags, with what was learned of them."""
    query = select(OwnTag.wnid, Category.name, OwnTag.parent_wnid).join(
        Category, Category.wnid == OwnTag.wnid
    )
    rows = connection.execute(query.order_by(OwnTag.created_at, OwnTag.wnid)).all()
    return [
        lines.OwnTagLine(
            1, lines.OwnTag(row.wnid, row.name, row.parent_wnid, _classifiers(connection, row.wnid))
        )
        for row in rows
    ]


def take_over(engine: Engine, tag: lines.OwnTag, find_model: FindModel) -> str:
    """The wnid of an own tag here, which is begun if there is none of its name.

    One that is begun gets what was learned, as far as its models are here. Raises UsageError for a name that
    cannot be one.
    """
    found = [(_found(one, find_model), one) for one in tag.classifiers]
    learned = [(model_id, one) for model_id, one in found if model_id is not None]
    return write(engine, lambda connection: _take_over(connection, tag, learned))


def _take_over(
    connection: Connection, tag: lines.OwnTag, learned: Sequence[tuple[int, lines.Classifier]]
) -> str:
    own_tags.lock(connection)
    known = own_tags.named(connection, tag.name)
    if known is not None:
        return known
    taken = connection.scalar(select(OwnTag.wnid).where(OwnTag.wnid == tag.wnid)) is not None
    wnid = own_tags.add(connection, tag.name, None if taken else tag.wnid)
    parent = connection.scalar(select(Category.wnid).where(Category.wnid == tag.parent))
    if parent is not None:
        own_tags.set_parent(connection, wnid, parent)
    for model_id, one in learned:
        own_tags.publish(connection, _classifier(wnid, model_id, one), {})
    return wnid


def _found(learned: lines.Classifier, find_model: FindModel) -> int | None:
    """The model of a classifier; None where it is not here."""
    if len(learned.weights) % 4:
        raise UsageError("is broken: it has a part of a number")
    try:
        return find_model(learned.model)
    except WeightsError:
        return None


def _classifier(wnid: str, model_id: int, learned: lines.Classifier) -> Classifier:
    return Classifier(
        wnid,
        model_id,
        0,
        learned.positives,
        learned.negatives,
        learned.others,
        learned.weights,
        learned.bias,
        learned.threshold,
        learned.precision,
    )


def _classifiers(connection: Connection, wnid: str) -> list[lines.Classifier]:
    mine = (Threshold.wnid == OwnTagClassifier.wnid) & (Threshold.model_id == OwnTagClassifier.model_id)
    query = (
        select(OwnTagClassifier.__table__, Model.name, Model.weights_sha256, Threshold.score)
        .join(Model, Model.id == OwnTagClassifier.model_id)
        .join(Threshold, mine)
        .where(OwnTagClassifier.wnid == wnid)
        .order_by(Model.id)
    )
    return [
        lines.Classifier(
            lines.Model(row.name, row.weights_sha256),
            row.positives,
            row.negatives,
            row.others,
            row.weights,
            row.bias,
            row.score,
            row.precision,
        )
        for row in connection.execute(query).all()
    ]
