"""The keywords and categories of images, a page at a time, on their way into sidecars and albums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine

from tagtray.db import sidecars
from tagtray.db.access.transactions import read
from tagtray.db.paging import pages
from tagtray.db.places.roots import RootFolder
from tagtray.db.reading.tag_summary import TagSummary
from tagtray.exchange import keywords
from tagtray.exchange.album_files import Link
from tagtray.exchange.albums import Album
from tagtray.exchange.catalogue import Catalogue
from tagtray.exchange.keywords import Keywords
from tagtray.exchange.lines import Line
from tagtray.exchange.records import Place, Records
from tagtray.exchange.report import Report
from tagtray.exchange.sidecars import Sidecars

#: Images of a page: as many are one transaction, and are told of together.
PAGE = 500

_NONE = Keywords((), ())


class Tagger:
    """Knows the words of the current model, which it reads once; raises InfrastructureError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._catalogue = read(engine, Catalogue.load)
        self._summary = read(engine, TagSummary.load)

    def write_sidecars(
        self, folders: Mapping[int, RootFolder], image_ids: Sequence[int], dry_run: bool = False
    ) -> Iterator[Report]:
        """Have the sidecars of images hold their keywords."""
        target = Sidecars(self._engine, folders, dry_run)
        for page in self._pages(folders, image_ids):
            yield target.keep([(place, keywords.of(line.result, self._summary)) for place, line in page])

    def clear_sidecars(
        self, folders: Mapping[int, RootFolder], image_ids: Sequence[int] | None, dry_run: bool = False
    ) -> Iterator[Report]:
        """Take the keywords out of the sidecars of images; ``image_ids`` None: of all that have any."""
        target = Sidecars(self._engine, folders, dry_run)
        given = sidecars.image_ids(self._engine) if image_ids is None else pages(image_ids, PAGE)
        for ids in given:
            yield target.keep([(Place(*place), _NONE) for place in sidecars.places(self._engine, ids)])

    def fill_album(
        self, folders: Mapping[int, RootFolder], image_ids: Sequence[int], album: Album, kind: Link
    ) -> Iterator[Report]:
        """Have images stand in the folders of their categories."""
        for page in self._pages(folders, image_ids):
            wanted = [
                (place, list(keywords.categories(line.result, self._summary).values()))
                for place, line in page
            ]
            yield album.keep(wanted, kind)

    def _pages(
        self, folders: Mapping[int, RootFolder], image_ids: Sequence[int]
    ) -> Iterator[list[tuple[Place, Line]]]:
        for ids in pages(image_ids, PAGE):

            def described(connection: Connection, ids: Sequence[int] = ids) -> list[tuple[Place, Line]]:
                return Records(connection, folders, catalogue=self._catalogue).described(ids)

            yield read(self._engine, described)
