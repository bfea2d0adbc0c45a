"""``tagtray tag``: results into the photo programs that people have, and out of them again."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from tagtray.app import bootstrap, startup
from tagtray.cli import signed, streams
from tagtray.config.errors import UsageError
from tagtray.config.text import counted
from tagtray.db.access import transactions
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.exchange.album_files import Link
from tagtray.exchange.albums import Album
from tagtray.exchange.report import Report
from tagtray.exchange.tagging import Tagger
from tagtray.search.find import Search

Command = signed.SignedWords

#: Refusals that are said one by one.
SAID = 20


def tag(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUERY]...", help="Photos, as `tagtray find` takes them; unset: all."),
    ] = None,
    xmp: Annotated[
        bool, typer.Option("--xmp", help="Keep keywords in XMP files beside the photos (IMG.jpg.xmp).")
    ] = False,
    album: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep a folder for each category there, with links to its photos."),
    ] = None,
    link: Annotated[Link, typer.Option(help="What stands in the folders of an album.")] = Link.SYMBOLIC,
    undo: Annotated[bool, typer.Option("--undo", help="Take out what was put there before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = (
        False
    ),
) -> int:
    """Put categories into photo programs: --xmp writes keywords beside photos, --album folders of links.

    Keywords and files of others stay as they are; a photo itself is never changed.
    """
    if xmp == (album is not None):
        raise UsageError("Say either --xmp or --album DIR.")
    if album and undo and query:
        raise UsageError("An album is undone as a whole; leave the query out.")
    settings = startup.load()
    with bootstrap.changing(settings) as database:
        folders = roots.everywhere(database, settings)
        ids = _found(database, query)
        tagger = Tagger(database)
        if album is not None:
            reports = _album(tagger, Album(database, folders, album, dry_run), folders, ids, link, undo)
        elif undo:
            reports = tagger.clear_sidecars(folders, ids if query else None, dry_run)
        else:
            reports = tagger.write_sidecars(folders, ids, dry_run)
        return _say(reports, dry_run)


def _found(database: Engine, query: list[str] | None) -> Sequence[int]:
    """The images that are meant, all read before anything is written: SQLite may have one or the other."""
    with transactions.reading(database) as connection:
        search = Search(connection, " ".join(query or []))
        for note in search.notes:
            streams.say(note)
        return array("q", (hit.image_id for hit in search.stream(connection)))


def _album(
    tagger: Tagger,
    album: Album,
    folders: Mapping[int, RootFolder],
    ids: Sequence[int],
    link: Link,
    undo: bool,
) -> Iterator[Report]:
    if undo:
        yield album.undo()
    else:
        album.begin()
        yield from tagger.fill_album(folders, ids, album, link)


def _say(reports: Iterable[Report], dry_run: bool) -> int:
    """Print what was done; the exit code, which is 1 where something was refused."""
    changed = unchanged = absent = refused = 0
    for report in reports:
        changed, unchanged = changed + len(report.changes), unchanged + report.unchanged
        absent += report.absent
        for file, what in report.changes if dry_run else ():
            print(f"{file}  {what}")
        for file, reason in report.refusals[: max(0, SAID - refused)]:
            streams.say(f"{file} {reason}.")
        refused += len(report.refusals)
    if refused > SAID:
        streams.say(f"There are {refused - SAID:,} more that stay as they are.")
    files = f"{counted(changed, 'file')} {'would change' if dry_run else 'changed'}"
    gone = f", {absent:,} of photos that are not there" if absent else ""
    print(f"{files}, {unchanged:,} unchanged, {refused:,} refused{gone}.")
    return int(refused > 0)
