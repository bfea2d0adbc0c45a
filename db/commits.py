"""The end of a batch: contents and results by hash, then the state of its images, in one transaction."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ScalarSelect, String, Update, bindparam, exists, or_, select, update

from tagtray.db import clock, dialects, own_tags, verdicts
from tagtray.db.dialects import add_new
from tagtray.db.feeding import LONGEST_DEFERRAL
from tagtray.db.records import (
    Deferred,
    Done,
    Failed,
    FoundResult,
    Gone,
    NewContent,
    Outcome,
    Provenance,
    SaidElsewhere,
)
from tagtray.db.tables import (
    Category,
    Classification,
    Content,
    Feature,
    Image,
    OwnTag,
    Prediction,
    Status,
    Tag,
    Verdict,
)
from tagtray.db.verdicts import Said

#: Characters of an error message that are kept.
MESSAGE_LENGTH = 500
#: Decimal digits of a stored score; float32 carries about seven.
SCORE_DIGITS = 6


#: Whether there are own tags, and whether there are verdicts.
_ANYTHING_TAUGHT = select(exists(select(OwnTag.wnid)), exists(select(Verdict.id)))
#: What is in the worker's hands still.
_MINE = update(Image).where(
    Image.id == bindparam("row"), Image.status == Status.RUNNING, Image.worker == bindparam("holder")
)


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
    if not done:
        return {}
    fresh = {o.sha256: o.content for o in done if o.content is not None}
    ids, moment = _add_contents(connection, fresh, [o.sha256 for o in done])
    results = [FoundResult(sha256, content, provenance, moment) for sha256, content in fresh.items()]
    _add_classifications(connection, provenance.model_id, results, ids)
    return ids


def import_results(connection: Connection, model_id: int, results: Sequence[FoundResult]) -> int:
    """Add what another ledger has found with a model, one result for each content; how many were new."""
    ordered = sorted(results, key=lambda result: result.sha256)
    fresh = {result.sha256: result.content for result in ordered}
    ids, _ = _add_contents(connection, fresh, list(fresh))
    return _add_classifications(connection, model_id, ordered, ids)


def import_verdicts(connection: Connection, said: Mapping[str, SaidElsewhere]) -> int:
    """Add what people said elsewhere of contents, by their hashes; how much of it was new.

    What is of a tag that is not known here is left out.
    """
    ids, _ = _add_contents(connection, {sha256: said[sha256].content for sha256 in sorted(said)}, list(said))
    known = set(connection.scalars(select(Category.wnid)))
    return verdicts.take_over(
        connection,
        (
            (Said(ids[sha256], wnid, shows), at, by)
            for sha256, one in said.items()
            for wnid, shows, at, by in one.verdicts
            if wnid in known
        ),
    )


def _add_contents(
    connection: Connection, fresh: Mapping[str, NewContent], wanted: Sequence[str]
) -> tuple[dict[str, int], datetime]:
    """Add those of ``fresh`` that are not there; the ids of all ``wanted`` by hash, and the moment."""
    add_new(connection, Content, [_content_row(sha256, content) for sha256, content in fresh.items()])
    query = select(Content.sha256, Content.id, clock.now()).where(Content.sha256.in_(wanted))
    rows = connection.execute(query).all()
    return {sha256: content_id for sha256, content_id, _ in rows}, rows[0][2]


def end_images(
    connection: Connection, worker: str, outcomes: Sequence[Outcome], contents: Mapping[str, int]
) -> None:
    """Move the images that are still in the worker's hands to the state their outcome says."""
    for kind, statement in _ends().items():
        rows = [_end_row(outcome, contents) for outcome in outcomes if isinstance(outcome, kind)]
        if rows:
            connection.execute(statement, [{**row, "holder": worker} for row in rows])


@functools.cache
def _ends() -> dict[type[Outcome], Update]:
    """How each kind of outcome ends an image; the parameters are those of ``_end_row``."""
    free: dict[str, Any] = {"worker": None, "lease_until": None, "updated_at": clock.now()}
    clean: dict[str, Any] = {**free, "error_code": None, "error_message": None, "attempts": 0}
    stat: dict[str, Any] = {"size_bytes": bindparam("size"), "mtime_ns": bindparam("mtime")}
    why: dict[str, Any] = {"error_code": bindparam("code"), "error_message": bindparam("message")}
    values: dict[type[Outcome], dict[str, Any]] = {
        Done: {**clean, "status": Status.DONE, "content_id": bindparam("content"), **stat},
        Failed: {**free, "status": Status.FAILED, **why, "content_id": _kept_content()},
        Gone: {**clean, "status": Status.MISSING},
        Deferred: {**free, "status": Status.PENDING, "not_before": clock.after(bindparam("seconds"))},
    }
    return {kind: _MINE.values(found) for kind, found in values.items()}


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
    connection: Connection, model_id: int, results: Sequence[FoundResult], ids: Mapping[str, int]
) -> int:
    """Add the results of contents that the model has not classified yet; how many there were."""
    rows = [_classification(ids[result.sha256], result) for result in results]
    # Whoever is first with a content writes all of its results in the same transaction.
    first = {row.content_id for row in add_new(connection, Classification, rows, Classification.content_id)}
    found = [(ids[result.sha256], result.content) for result in results if ids[result.sha256] in first]
    add_new(connection, Prediction, [row for item in found for row in _predictions(model_id, *item)])
    add_new(connection, Tag, [row for item in found for row in _tags(model_id, *item)])
    add_new(connection, Feature, list(_features(model_id, dict(found))))
    if found:
        _add_what_was_taught(connection, model_id, dict(found))
    return len(found)


def _add_what_was_taught(connection: Connection, model_id: int, contents: Mapping[int, NewContent]) -> None:
    """Give new results their own tags, and the verdicts that people have passed on their contents."""
    # From here on nobody teaches anything else until these results are there to be seen.
    own_tags.lock(connection, shared=True)
    has_own, has_verdicts = connection.execute(_ANYTHING_TAUGHT).one()
    if has_own:
        vectors = {content_id: new.features for content_id, new in contents.items() if new.features}
        own_tags.score_new(connection, model_id, vectors)
    if has_verdicts:
        verdicts.apply_new(connection, model_id, contents)


def _classification(content_id: int, result: FoundResult) -> dict[str, Any]:
    how = result.provenance
    return {
        "content_id": content_id,
        "model_id": how.model_id,
        "engine": how.engine,
        "precision": how.precision,
        "decode": how.decode,
        "classified_at": result.classified_at,
    }


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
