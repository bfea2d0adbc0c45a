"""Own tags: tags that people teach. Each is a category of its own, with classifiers over features.

A photo's score for it stands in ``tags`` like that of any category, its threshold in ``thresholds``; both are
of one model. ``own_tag_classifiers`` says how the score comes from the features, so that a commit can give it
to new photos.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, and_, delete, func, insert, select, text, update

from tagtray.config.errors import UsageError
from tagtray.config.text import plain
from tagtray.db import clock
from tagtray.db.dialects import add_new, replace
from tagtray.db.paging import pages
from tagtray.db.tables import (
    OWN,
    Category,
    Classification,
    LabelCategory,
    OverruledTag,
    OwnTag,
    OwnTagClassifier,
    Tag,
    Threshold,
    Verdict,
)

if TYPE_CHECKING:
    from tagtray.db.own_scores import Scores

#: Characters of a name at most.
LONGEST_NAME = 100
#: Score from which a photo's own tag is stored.
STORED = 0.3
#: What separates names in queries, keywords and paths, where an own tag's stands like any other.
_SEPARATORS = frozenset('"/\\|')
#: Key of PostgreSQL's advisory lock for what people teach: the bytes of "teac".
_LOCK_KEY = 0x74656163


@dataclass(frozen=True, slots=True)
class Classifier:
    """What was learned under a model; ``weights`` as in the table, ``threshold`` that of the tag."""

    wnid: str
    model_id: int
    examples_version: int
    positives: int
    negatives: int
    others: int
    weights: bytes
    bias: float
    threshold: float
    precision: float
    trained_at: datetime | None = None


def lock(connection: Connection, shared: bool = False) -> None:
    """Until the transaction ends, keep others from changing what is taught; ``shared``: from this moment on.

    Those who give own tags and verdicts to new results share it, so that none works by what was said before.
    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(text(f"SELECT {function}({_LOCK_KEY})"))


def clean_name(name: str) -> str:
    """``name`` as it is stored; raises UsageError where it is none."""
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    if not cleaned:
        raise UsageError("A tag needs a name.")
    if len(cleaned) > LONGEST_NAME:
        raise UsageError(f"A tag's name has {LONGEST_NAME} characters at most.")
    if not all(character.isprintable() for character in cleaned) or cleaned[0] in "+-.":
        raise UsageError("A tag's name is printable text that does not begin with +, - or a dot.")
    if not _SEPARATORS.isdisjoint(cleaned):
        raise UsageError(f"A tag's name has none of {' '.join(sorted(_SEPARATORS))} in it.")
    return cleaned


def add(connection: Connection, name: str, wnid: str | None = None) -> str:
    """Begin an own tag; its wnid. Raises UsageError for a name that cannot be one."""
    wnid = wnid or OWN + uuid.uuid4().hex[:16]
    row = {"wnid": wnid, "name": clean_name(name), "name_zh": "", "aliases": "", "icon": ""}
    connection.execute(insert(Category), [{**row, "curated": True, "everyday": True}])
    moment = connection.scalar(select(clock.now()))
    connection.execute(insert(OwnTag), [{"wnid": wnid, "examples_version": 0, "created_at": moment}])
    # It is a class of its own, too: those who compare categories by their classes find it in its parents.
    add_new(connection, LabelCategory, [{"class_wnid": wnid, "category_wnid": wnid}])
    return wnid


def names(connection: Connection) -> dict[str, str]:
    """The names of all own tags, by wnid, in their order."""
    query = select(OwnTag.wnid, Category.name).join(Category, Category.wnid == OwnTag.wnid)
    return dict(connection.execute(query.order_by(Category.name)).all())


def named(connection: Connection, name: str) -> str | None:
    """The wnid of the own tag of this name, as names are compared; None where there is none.

    Raises UsageError for a name that cannot be one.
    """
    wanted = plain(clean_name(name))
    return next((wnid for wnid, known in names(connection).items() if plain(known) == wanted), None)


def exist(connection: Connection) -> bool:
    """Whether there is any."""
    return connection.scalar(select(OwnTag.wnid).limit(1)) is not None


def stamp(connection: Connection) -> tuple[Any, ...]:
    """Another one whenever there are other own tags, or other thresholds of them."""
    names = select(Category.name).join(OwnTag, OwnTag.wnid == Category.wnid).order_by(Category.name)
    fits = select(OwnTagClassifier.fit).order_by(OwnTagClassifier.fit)
    return (*connection.scalars(names), *connection.scalars(fits))


def rename(connection: Connection, wnid: str, name: str) -> None:
    """Give an own tag another name; raises UsageError for one that cannot be one."""
    connection.execute(update(Category).where(Category.wnid == wnid).values(name=clean_name(name)))


def set_parent(connection: Connection, wnid: str, parent: str | None) -> None:
    """Put an own tag below a category, and below all that hold that; None: below none."""
    mine = LabelCategory.class_wnid == wnid
    connection.execute(delete(LabelCategory).where(mine, LabelCategory.category_wnid != wnid))
    connection.execute(update(OwnTag).where(OwnTag.wnid == wnid).values(parent_wnid=parent))
    above = _holders(connection, parent) if parent else []
    add_new(connection, LabelCategory, [{"class_wnid": wnid, "category_wnid": other} for other in above])


def forget(connection: Connection, wnid: str) -> int:
    """Drop an own tag with all that was said and learned of it; how many examples it had."""
    lock(connection)
    examples = connection.scalar(select(func.count()).select_from(_judged(wnid).subquery()))
    connection.execute(update(OwnTag).where(OwnTag.parent_wnid == wnid).values(parent_wnid=None))
    for table in (Tag, OverruledTag, Threshold, Verdict, OwnTagClassifier):
        connection.execute(delete(table).where(table.wnid == wnid))
    either = (LabelCategory.class_wnid == wnid) | (LabelCategory.category_wnid == wnid)
    connection.execute(delete(LabelCategory).where(either))
    connection.execute(delete(OwnTag).where(OwnTag.wnid == wnid))
    connection.execute(delete(Category).where(Category.wnid == wnid))
    return examples or 0


def publish(connection: Connection, classifier: Classifier, found: Mapping[int, float]) -> bool:
    """Have a classifier count, with the scores that it gave to contents.

    False where the tag is gone, or where one counts that was learned from later examples.

    Where a verdict stands over a score, the score is kept for the day when that is taken back.
    """
    lock(connection)
    wnid, model_id = classifier.wnid, classifier.model_id
    mine = and_(OwnTagClassifier.wnid == OwnTag.wnid, OwnTagClassifier.model_id == model_id)
    learned = select(OwnTagClassifier.examples_version).select_from(OwnTag).outerjoin(OwnTagClassifier, mine)
    versions = connection.scalars(learned.where(OwnTag.wnid == wnid)).all()
    if not versions or (versions[0] or 0) > classifier.examples_version:
        return False
    row = {
        name: getattr(classifier, name)
        for name in ("wnid", "model_id", "examples_version", "positives", "negatives", "others")
    }
    moment = connection.scalar(select(clock.now()))
    row |= {"weights": classifier.weights, "bias": classifier.bias, "precision": classifier.precision}
    row |= {"fit": uuid.uuid4().hex, "trained_at": moment}
    replace(connection, OwnTagClassifier, [row], ("wnid", "model_id"))
    threshold = {"model_id": model_id, "wnid": wnid, "score": classifier.threshold}
    replace(connection, Threshold, [threshold], ("model_id", "wnid"))
    judged = _judged(wnid)
    here = and_(Tag.wnid == wnid, Tag.model_id == model_id)
    connection.execute(delete(Tag).where(here, Tag.content_id.not_in(judged)))
    here = and_(OverruledTag.wnid == wnid, OverruledTag.model_id == model_id)
    connection.execute(update(OverruledTag).where(here).values(score=None))
    _store(connection, wnid, model_id, found)
    return True


def withdraw(connection: Connection, wnid: str) -> None:
    """Drop what was learned of an own tag; what people said of it stays."""
    lock(connection)
    connection.execute(delete(OwnTagClassifier).where(OwnTagClassifier.wnid == wnid))
    connection.execute(delete(Threshold).where(Threshold.wnid == wnid))
    connection.execute(delete(Tag).where(Tag.wnid == wnid, Tag.content_id.not_in(_judged(wnid))))
    connection.execute(update(OverruledTag).where(OverruledTag.wnid == wnid).values(score=None))


def add_scores(connection: Connection, classifier: Classifier, found: Mapping[int, float]) -> None:
    """Add the scores of contents that a classifier had not seen when it was published, if it counts still."""
    lock(connection)
    wnid, model_id = classifier.wnid, classifier.model_id
    mine = and_(OwnTagClassifier.wnid == wnid, OwnTagClassifier.model_id == model_id)
    version = connection.scalar(select(OwnTagClassifier.examples_version).where(mine))
    if version == classifier.examples_version:
        _store(connection, wnid, model_id, found)


def score_new(connection: Connection, model_id: int, features: Mapping[int, bytes]) -> None:
    """Give the own tags of a model to contents that it has just classified."""
    fits = dict(
        connection.execute(
            select(OwnTagClassifier.wnid, OwnTagClassifier.fit).where(OwnTagClassifier.model_id == model_id)
        ).all()
    )
    if not fits or not features:
        return
    scores = _scores(connection, model_id, fits)
    rows = [
        {"content_id": content_id, "model_id": model_id, "wnid": wnid, "score": score}
        for content_id, wnid, score in scores.of(features)
    ]
    add_new(connection, Tag, rows)


_kept: dict[int, tuple[Mapping[str, str], Scores]] = {}


def _scores(connection: Connection, model_id: int, fits: Mapping[str, str]) -> Scores:
    """The classifiers of a model, which are read again where others are in force than those at hand."""
    at_hand = _kept.get(model_id)
    if at_hand is None or at_hand[0] != fits:
        # Here, not above: most commands need no numpy.
        from tagtray.db.own_scores import Scores

        query = select(OwnTagClassifier.wnid, OwnTagClassifier.weights, OwnTagClassifier.bias)
        rows = connection.execute(query.where(OwnTagClassifier.model_id == model_id)).all()
        at_hand = _kept[model_id] = fits, Scores([(row.wnid, row.weights, row.bias) for row in rows])
    return at_hand[1]


def _store(connection: Connection, wnid: str, model_id: int, found: Mapping[int, float]) -> None:
    judged = set(connection.scalars(_judged(wnid)))
    rows = [
        {"content_id": content_id, "model_id": model_id, "wnid": wnid, "score": score}
        for content_id, score in found.items()
    ]
    for page in pages([row for row in rows if row["content_id"] not in judged]):
        add_new(connection, Tag, page)
    kept = {row["content_id"]: row for row in rows if row["content_id"] in judged}
    classified = select(Classification.content_id).where(Classification.model_id == model_id)
    for content_ids in pages(list(kept)):
        these = classified.where(Classification.content_id.in_(content_ids))
        known = [kept[content_id] for content_id in connection.scalars(these)]
        replace(connection, OverruledTag, known, ("content_id", "model_id", "wnid"))


def _judged(wnid: str) -> Any:
    """The contents on which a verdict on this tag counts."""
    return select(Verdict.content_id).where(Verdict.wnid == wnid, Verdict.counts())


def _holders(connection: Connection, wnid: str) -> list[str]:
    """A category and all that hold each of its classes."""
    members = select(LabelCategory.class_wnid).where(LabelCategory.category_wnid == wnid)
    size = connection.scalar(select(func.count()).select_from(members.subquery()))
    query = (
        select(LabelCategory.category_wnid)
        .where(LabelCategory.class_wnid.in_(members))
        .group_by(LabelCategory.category_wnid)
        .having(func.count() == size)
    )
    return list({wnid, *connection.scalars(query)})
