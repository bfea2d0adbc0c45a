"""What people say of photos, own tags that are learned from it, and photos that look alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import Connection, select

from tagtray.db import own_tags
from tagtray.db.access.transactions import read, write
from tagtray.db.tables import OWN, Image
from tagtray.learn import corrections, names, overview, review, teaching
from tagtray.learn import similar as likeness
from tagtray.learn.similar import Photo
from tagtray.web import images, lessons
from tagtray.web.context import Context, Shared
from tagtray.web.problems import Problem
from tagtray.web.schemas import ImageId

#: Photos that are given at most.
MOST = 100

#: An own tag in an address.
Wnid = Annotated[str, Path(pattern=f"^{OWN}[A-Za-z0-9_-]{{1,64}}$", description="The wnid of an own tag.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Photos at most.")]

router = APIRouter(prefix="/api", tags=["teach"])


@router.get("/images/{image_id}/similar", response_model=lessons.SimilarPhotos)
def similar(context: Shared, image_id: ImageId, limit: Limit = 20) -> lessons.SimilarPhotos:
    """Photos that look like one, the likest first; of copies one."""
    content_id = _contents(context, [image_id])[0]
    found = likeness.similar(context.engine, context.settings, content_id, limit)
    return lessons.SimilarPhotos(
        items=[lessons.SimilarPhoto(**_photo(one.photo), cosine=one.cosine) for one in found]
    )


@router.get("/images/{image_id}/corrections", response_model=lessons.History)
def history(context: Shared, image_id: ImageId) -> lessons.History:
    """All that was ever said of a photo, the latest last."""
    entries = corrections.history(context.engine, _contents(context, [image_id])[0])
    return lessons.History(items=[lessons.HistoryEntry.model_validate(entry) for entry in entries])


@router.post("/corrections", response_model=lessons.Said)
def correct(request: Request, context: Shared, said: lessons.Correction) -> lessons.Said:
    """Say which tags photos show, and which they do not; it stands over what any model finds."""
    contents = _contents_of(context, said.images)
    unique = list(dict.fromkeys(contents.values()))
    found = corrections.correct(context.engine, unique, said.shows, said.shows_not, _who(request))
    context.learner.want(found.own_tags)
    changed = [image_id for image_id, content_id in contents.items() if content_id in found.contents]
    return lessons.Said(verdicts=found.verdicts, images=changed)


@router.post("/corrections/undo", response_model=lessons.Corrected)
def undo(context: Shared, wanted: lessons.Undo) -> lessons.Corrected:
    """Take back what was said last of each of some photos."""
    undone, outdated = 0, set[str]()
    for content_id in _contents(context, wanted.images):
        entries, wnids = corrections.undo(context.engine, content_id)
        undone += len(entries)
        outdated |= set(wnids)
    context.learner.want(outdated)
    return lessons.Corrected(verdicts=undone)


@router.get("/own-tags", response_model=lessons.OwnTags)
def own(context: Shared) -> lessons.OwnTags:
    """All own tags, with how far each is learned."""
    waiting = set(context.learner.waiting)
    items = []
    for facts in overview.load(context.engine):
        learned = context.learner.learned.get(facts.wnid)
        item = lessons.OwnTag.model_validate(facts)
        item.is_learning = facts.wnid in waiting
        item.reason = learned.reason if learned else None
        items.append(item)
    return lessons.OwnTags(items=items)


@router.post("/own-tags", response_model=lessons.Taught, status_code=201)
def teach(request: Request, context: Shared, lesson: lessons.Lesson) -> lessons.Taught:
    """Give examples of an own tag, which is begun where there is none; it is learned in the background."""
    shows, shows_not = _contents(context, lesson.images), _contents(context, lesson.not_images)
    wnid = teaching.say(context.engine, lesson.name, shows, shows_not, _who(request), lesson.parent)
    context.words.forget()
    context.learner.want([wnid])
    return lessons.Taught(wnid=wnid)


@router.patch("/own-tags/{wnid}", response_model=lessons.Taught)
def change(context: Shared, wnid: Wnid, wanted: lessons.Change) -> lessons.Taught:
    """Rename an own tag, or put it below a category."""

    def work(connection: Connection) -> None:
        _require(connection, wnid)
        if wanted.name is not None:
            names.rename(connection, wnid, wanted.name)
        if wanted.parent is not None:
            names.put_below(connection, wnid, wanted.parent)

    write(context.engine, work)
    context.words.forget()
    return lessons.Taught(wnid=wnid)


@router.delete("/own-tags/{wnid}", response_model=lessons.Corrected)
def forget(context: Shared, wnid: Wnid) -> lessons.Corrected:
    """Drop an own tag with all that was said and learned of it."""

    def work(connection: Connection) -> int:
        _require(connection, wnid)
        return own_tags.forget(connection, wnid)

    verdicts = write(context.engine, work)
    context.words.forget()
    return lessons.Corrected(verdicts=verdicts)


@router.get("/own-tags/{wnid}/candidates", response_model=lessons.Candidates)
def candidates(context: Shared, wnid: Wnid, limit: Limit = 20) -> lessons.Candidates:
    """The photos whose answer would help an own tag most."""
    read(context.engine, lambda connection: _require(connection, wnid))
    found = review.candidates(context.engine, context.settings, wnid, limit)
    return lessons.Candidates(
        items=[lessons.CandidatePhoto(**_photo(one.photo), score=one.score) for one in found]
    )


def _require(connection: Connection, wnid: str) -> None:
    if wnid not in own_tags.names(connection):
        raise Problem(404, "no_tag", "There is no such own tag.")


def _contents(context: Context, image_ids: Sequence[int]) -> list[int]:
    """The contents of images, each once; raises Problem as ``_contents_of``."""
    return list(dict.fromkeys(_contents_of(context, image_ids).values()))


def _contents_of(context: Context, image_ids: Sequence[int]) -> dict[int, int]:
    """The content of each image; raises Problem (404) where one is not there or was not read yet."""
    found = read(context.engine, lambda connection: _by_id(connection, image_ids))
    missing = next((image_id for image_id in image_ids if image_id not in found), None)
    if missing is not None:
        raise Problem(404, "no_image", f"There is no image {missing} that was read already.")
    return {image_id: found[image_id] for image_id in image_ids}


def _by_id(connection: Connection, image_ids: Collection[int]) -> dict[int, int]:
    query = select(Image.id, Image.content_id).where(Image.id.in_(image_ids), Image.content_id.is_not(None))
    return {image_id: content_id for image_id, content_id in connection.execute(query) if content_id}


def _photo(photo: Photo) -> dict[str, Any]:
    return {
        "id": photo.image_id,
        "root": photo.root,
        "path": photo.path,
        "sha256": photo.sha256,
        "width": photo.width,
        "height": photo.height,
        "thumb": images.thumb(photo.image_id, photo.sha256),
    }


def _who(request: Request) -> str:
    """Who says so, as the history has it: all that the server knows is the address."""
    return f"web {request.client.host}" if request.client else "web"
