"""The end of a batch: contents and results by hash, then the state of its images, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, ScalarSelect, String, bindparam, or_, select, update

from tagtray.db import clock, dialects
from tagtray.db.dialects import add_new
from tagtray.db.feeding import LONGEST_DEFERRAL
from tagtray.db.records import Deferred, Done, Failed, Gone, NewContent, Outcome, Provenance
from tagtray.db.tables import Classification, Content, Feature, Image, Prediction, Status, Tag

#: Characters of an error message that are kept.
MESSAGE_LENGTH = 500
#: Decimal digits of a stored score; float32 carries about seven.
SCORE_DIGITS = 6


def classified(connection: Connection, hashes: Sequence[str], model_id: int) -> set[str]:
    """Those of ``hashes`` whose content the model has classified."""
    query = select(Content.sha256).join(Classification, Classification.content_id == Content.id)
    # SQLite is to begin with the hashes, not with all that the model has classified.
    mine = dialects.unindexed(Classification.model_id) == model_id
    return set(connection.scalars(query.where(mine, Content.sha256.in_(hashes))))


def store_results(
    connection: Connection, provenance: Provenance, outcomes: Sequence[Outcome]
) -> dict[str, int]:
    """Add what is new to contents and to the tables of results; the content ids by hash."""
    # In order of hash, so that two workers with the same photos never wait for each other crosswise.
    done = sorted((o for o in outcomes if isinstance(o, Done)), key=lambda o: o.sha256)
    fresh = {o.sha256: o.content for o in done if o.content is not None}
    add_new(connection, Content, [_content_row(sha256, content) for sha256, content in fresh.items()])
    query = select(Content.sha256, Content.id).where(Content.sha256.in_([o.sha256 for o in done]))
    ids = dict(connection.execute(query).all()) if done else {}
    if fresh:
        contents = {ids[sha256]: content for sha256, content in fresh.items()}
        _add_classifications(connection, provenance, contents)
    return ids


def end_images(
    connection: Connection, worker: str, outcomes: Sequence[Outcome], contents: Mapping[str, int]
) -> None:
    """Move the images that are still in the worker's hands to the state their outcome says."""
    mine = update(Image).where(
        Image.id == bindparam("row"), Image.status == Status.RUNNING, Image.worker == bindparam("holder")
    )
    for kind, values in _ends().items():
        rows = [_end_row(outcome, contents) for outcome in outcomes if isinstance(outcome, kind)]
        if rows:
            connection.execute(mine.values(values), [{**row, "holder": worker} for row in rows])


def _ends() -> dict[type[Outcome], dict[str, Any]]:
    """What each kind of outcome sets; the parameters are those of ``_end_row``."""
    free: dict[str, Any] = {"worker": None, "lease_until": None, "updated_at": clock.now()}
    clean: dict[str, Any] = {**free, "error_code": None, "error_message": None, "attempts": 0}
    stat: dict[str, Any] = {"size_bytes": bindparam("size"), "mtime_ns": bindparam("mtime")}
    why: dict[str, Any] = {"error_code": bindparam("code"), "error_message": bindparam("message")}
    return {
        Done: {**clean, "status": Status.DONE, "content_id": bindparam("content"), **stat},
        Failed: {**free, "status": Status.FAILED, **why, "content_id": _kept_content()},
        Gone: {**clean, "status": Status.MISSING},
        Deferred: {**free, "status": Status.PENDING, "not_before": clock.after(bindparam("seconds"))},
    }


def _kept_content() -> ScalarSelect[int]:
    """What an earlier reading of a failed image found: it stays, unless other bytes were read now."""
    sha256 = bindparam("sha256", type_=String)
    same = or_(sha256.is_(None), Content.sha256 == sha256)
    return select(Content.id).where(Content.id == Image.content_id, same).scalar_subquery()


def _end_row(outcome: Outcome, contents: Mapping[str, int]) -> dict[str, Any]:
    row = {"row": outcome.image_id}
    match outcome:
        case Done():
            content = contents[outcome.sha256]
            return {**row, "content": content, "size": outcome.size_bytes, "mtime": outcome.mtime_ns}
        case Failed():
            message = outcome.message[:MESSAGE_LENGTH]
            return {**row, "code": outcome.code, "message": message, "sha256": outcome.sha256}
        case Deferred():
            return {**row, "seconds": min(outcome.seconds, LONGEST_DEFERRAL)}
        case Gone():
            return {**row}


def _add_classifications(
    connection: Connection, provenance: Provenance, contents: Mapping[int, NewContent]
) -> None:
    model_id = provenance.model_id
    query = select(Classification.content_id).where(
        dialects.unindexed(Classification.model_id) == model_id, Classification.content_id.in_(contents)
    )
    # Whoever was first with a content has written all of its results in the same transaction.
    before = set(connection.scalars(query))
    new = {content_id: content for content_id, content in contents.items() if content_id not in before}
    how = {**asdict(provenance), "classified_at": connection.scalar(select(clock.now()))}
    add_new(connection, Classification, [{"content_id": content_id, **how} for content_id in new])
    add_new(connection, Prediction, [row for item in new.items() for row in _predictions(model_id, *item)])
    add_new(connection, Tag, [row for item in new.items() for row in _tags(model_id, *item)])
    add_new(connection, Feature, list(_features(model_id, new)))


def _content_row(sha256: str, content: NewContent) -> dict[str, Any]:
    return {
        "sha256": sha256,
        "format": content.format,
        "width": content.width,
        "height": content.height,
        "taken_at": content.taken_at,
        "taken_from": content.taken_from,
        "camera": content.camera,
        "color": content.color,
        "partial": content.partial,
    }


def _predictions(model_id: int, content_id: int, content: NewContent) -> list[dict[str, Any]]:
    return [
        {
            "content_id": content_id,
            "model_id": model_id,
            "rank": rank,
            "class_index": class_index,
            "score": round(score, SCORE_DIGITS),
        }
        for rank, (class_index, score) in enumerate(content.top, start=1)
    ]


def _tags(model_id: int, content_id: int, content: NewContent) -> list[dict[str, Any]]:
    return [
        {
            "content_id": content_id,
            "model_id": model_id,
            "wnid": wnid,
            "score": round(score, SCORE_DIGITS),
        }
        for wnid, score in content.tags
    ]


def _features(model_id: int, contents: Mapping[int, NewContent]) -> Iterator[dict[str, Any]]:
    for content_id, content in contents.items():
        if content.features is not None:
            yield {"content_id": content_id, "model_id": model_id, "vector": content.features}
