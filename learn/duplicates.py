"""Photos that are there more than once: the same bytes, or the same picture in other bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from tagtray.config.settings import Settings
from tagtray.db import current_model, views
from tagtray.db.access.transactions import read
from tagtray.db.paging import pages
from tagtray.db.tables import Image
from tagtray.learn import index, neighbours, similar
from tagtray.learn.similar import Photo

#: Cosine from which two photos may be one picture. Of 100 photos, 99 at half the size have it, and all that
#: were cropped by a tenth, brightened or saved at quality 60.
CANDIDATE = 0.88

#: Whether two photos are one picture; None: one of them cannot be looked at.
Same = Callable[[Photo, Photo], bool | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that are one picture, the one to keep first."""

    photos: Sequence[Photo]
    is_exact: bool


def exact(engine: Engine) -> list[Group]:
    """Files with the same bytes, the groups with most to win first."""
    copies = (
        select(Image.content_id)
        .where(Image.content_id.is_not(None), views.is_shown())
        .group_by(Image.content_id)
        .having(func.count() > 1)
    )
    found = read(engine, lambda connection: connection.scalars(copies).all())
    photos = _photos(engine, [content_id for content_id in found if content_id is not None])
    return _ordered(Group(_best_first(group), True) for group in photos.values() if len(group) > 1)


def near(engine: Engine, settings: Settings, same: Same) -> list[Group]:
    """Photos that are one picture at another size, crop, quality or brightness, copies included.

    ``same`` looks at the pictures of those whose features are alike.
    """
    model = current_model.current(engine)
    known = index.opened(engine, settings, model.id)
    pairs = sorted(set(neighbours.pairs(known, CANDIDATE)))
    places = sorted({place for pair in pairs for place in pair})
    photos = _photos(engine, known.ids[places].tolist()) if places else {}
    chain = _Chain()
    for one, other in pairs:
        left, right = int(known.ids[one]), int(known.ids[other])
        if not {left, right} <= photos.keys() or chain.joins(left, right):
            continue
        if same(photos[left][0], photos[right][0]):
            chain.join(left, right)
    copies = {group.photos[0].content_id: group for group in exact(engine)}
    joined = chain.groups()
    groups = [
        Group(_best_first([photo for content_id in group for photo in photos[content_id]]), False)
        for group in joined
    ]
    in_one = {content_id for group in joined for content_id in group}
    return _ordered([*groups, *(group for content_id, group in copies.items() if content_id not in in_one)])


class _Chain:
    """Contents that belong together because each is the same as another one."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def _find(self, content_id: int) -> int:
        while (first := self._first.get(content_id, content_id)) != content_id:
            self._first[content_id] = self._first.get(first, first)
            content_id = first
        return content_id

    def joins(self, one: int, other: int) -> bool:
        """Whether both are in one group already."""
        return self._find(one) == self._find(other)

    def join(self, one: int, other: int) -> None:
        """Have both be in one group."""
        first, second = self._find(one), self._find(other)
        for content_id in (one, other, first, second):
            self._first.setdefault(content_id, content_id)
        self._first[second] = first

    def groups(self) -> list[list[int]]:
        """The contents of each group."""
        found = defaultdict(list)
        for content_id in self._first:
            found[self._find(content_id)].append(content_id)
        return [sorted(group) for group in found.values()]


def _photos(engine: Engine, content_ids: Sequence[int]) -> dict[int, list[Photo]]:
    """The files that are there, by their contents."""
    found: dict[int, list[Photo]] = defaultdict(list)
    for page in pages(content_ids):

        def load(connection: Connection, page: Sequence[int] = page) -> list[Photo]:
            return similar.photos(connection, page)

        for photo in read(engine, load):
            found[photo.content_id].append(photo)
    return found


def _best_first(photos: Iterable[Photo]) -> list[Photo]:
    """The one to keep: that with most pixels, then most bytes, then the shortest path."""
    return sorted(
        photos,
        key=lambda photo: (-photo.width * photo.height, -photo.size_bytes, len(photo.path), photo.path),
    )


def _ordered(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: -sum(photo.size_bytes for photo in group.photos[1:]))
