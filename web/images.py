"""``/api/images``: search with pages, and all about one image."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from tagtray.db import paths
from tagtray.db.access import transactions
from tagtray.db.places import roots
from tagtray.db.reading import queries
from tagtray.db.reading.queries import ImageFacts
from tagtray.search import cursor as cursors
from tagtray.search import syntax
from tagtray.search.find import Hit, Search
from tagtray.web import schemas, tags
from tagtray.web.context import Context, Shared
from tagtray.web.problems import Problem

#: Photos of a page unless said otherwise, and at most.
PAGE, MAX_PAGE = 60, 200

router = APIRouter(prefix="/api/images", tags=["images"])


@router.get("", response_model=schemas.ImagePage)
def images(
    context: Shared,
    q: Annotated[
        str,
        Query(
            max_length=syntax.MAX_LENGTH,
            description="As `tagtray find` takes it: words, fields and bounds.",
            examples=["dog taken:2024"],
        ),
    ] = "",
    min_score: Annotated[float | None, Query(ge=0, le=1, description="Least score.")] = None,
    sort: Annotated[
        Literal["score", "date"] | None,
        Query(description="The surest or the newest first; without it: by score where q has words."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Photos at most.")] = PAGE,
    cursor: Annotated[
        str | None, Query(max_length=cursors.MAX_LENGTH, description="What the page before ended with.")
    ] = None,
) -> schemas.ImagePage:
    """Photos that a query finds, in pages."""
    text = q if min_score is None else f"{q} score>={min_score:f}"
    with transactions.reading(context.engine) as connection:
        search = Search(connection, text, sort, context.words.load(connection))
        page = search.page(connection, limit, cursor)
    items = [item(hit) for hit in page.hits]
    return schemas.ImagePage(query=q, order=search.order, notes=search.notes, items=items, cursor=page.cursor)


@router.get("/{image_id}", response_model=schemas.ImageDetails)
def image(context: Shared, image_id: schemas.ImageId) -> schemas.ImageDetails:
    """One image: its state, labels and tags, or why it failed."""
    return details(context, image_id)


def details(context: Context, image_id: int) -> schemas.ImageDetails:
    """All about an image; raises Problem (404) where there is none of this id."""
    facts = queries.image_by_id(context.engine, image_id)
    if facts is None:
        raise Problem(404, "no_image", f"There is no image {image_id}.")
    shown = dataclasses.asdict(facts) | {"file": _file(context, facts)}
    with transactions.reading(context.engine) as connection:
        shown["tags"] = tags.tags(facts.tags, context.words.summary(connection))
    shown |= {"thumb": None, "preview": None}
    if facts.sha256:
        address = thumb(image_id, facts.sha256)
        shown |= {"thumb": address, "preview": f"{address}&size=large"}
    return schemas.ImageDetails(**shown)


def item(hit: Hit) -> schemas.ImageItem:
    """A hit as JSON."""
    names = schemas.ImageItem.model_fields.keys() - {"id", "thumb"}
    shown = {name: getattr(hit, name) for name in names}
    return schemas.ImageItem(id=hit.image_id, thumb=thumb(hit.image_id, hit.sha256), **shown)


def thumb(image_id: int, sha256: str) -> str:
    """The address of a thumbnail; it changes with the photo, so that browsers may keep what they have."""
    return f"/thumb/{image_id}?v={sha256[:12]}"


def _file(context: Context, facts: ImageFacts) -> str:
    """The path of an image on this host, as text."""
    root = roots.everywhere(context.engine, context.settings)[facts.root_id]
    return paths.readable(root.file(facts.path, facts.path_raw))
