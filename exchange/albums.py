"""Albums: a folder for each category, with links to the photos that show it, or copies of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.text import shown
from tagtray.db.albums import AlbumRows, MadeFile
from tagtray.db.places.roots import RootFolder
from tagtray.exchange import album_files
from tagtray.exchange.album_files import AlbumError, Link
from tagtray.exchange.records import Place
from tagtray.exchange.report import Report

#: Keeps the watcher of a root that the album lies in from taking its files for photos.
IGNORE = b".tagtrayignore"
_NOUNS = {Link.SYMBOLIC: "link to", Link.HARD: "hard link to", Link.COPY: "copy of"}
_IGNORE_ALL = b"# An album of tagtray's: what is in it are photos of other folders.\n*\n"


class Album:
    """One album of a ledger; ``folders`` are the roots by id, where this host has them."""

    def __init__(
        self, engine: Engine, folders: Mapping[int, RootFolder], folder: Path, dry_run: bool
    ) -> None:
        self._folder = os.path.realpath(os.fsencode(folder))
        self._folders = folders
        self._dry_run = dry_run
        self._rows = AlbumRows(engine, socket.gethostname(), self._folder)

    def begin(self) -> None:
        """Make the folder; raises UsageError where there is one that is no album, InfrastructureError."""
        try:
            is_new = not os.path.isdir(self._folder) or set(os.listdir(self._folder)) <= {IGNORE}
            if not is_new and not self._rows.exist():
                where = shown(self._folder)
                raise UsageError(f"{where} has files that are none of an album; choose an empty folder.")
            if is_new and not self._dry_run:
                os.makedirs(self._folder, exist_ok=True)
                with open(os.path.join(self._folder, IGNORE), "wb") as file:
                    file.write(_IGNORE_ALL)
        except OSError as error:
            where = shown(self._folder)
            raise InfrastructureError(f"{where} cannot be written: {error.strerror}.") from None

    def keep(self, wanted: Sequence[tuple[Place, Sequence[str]]], kind: Link) -> Report:
        """Have these photos stand in the folders of these categories, and in no others."""
        report = Report()
        known = self._rows.of_images([place.image_id for place, _ in wanted])
        missing: list[tuple[Place, bytes, bytes]] = []
        unwanted: list[tuple[MadeFile, bytes]] = []
        for place, categories in wanted:
            photo = self._photo(place.root_id, place.path)
            if categories and not os.path.isfile(photo):
                report.absent += 1
                continue
            folders = {_folder_name(category) for category in categories}
            for file in known.get(place.image_id, ()):
                folder = os.path.basename(os.path.dirname(file.path))
                if folder in folders and file.kind == kind and album_files.stands(file, photo):
                    folders.discard(folder)
                    report.unchanged += 1
                else:
                    unwanted.append((file, photo))
            missing += [(place, folder, photo) for folder in sorted(folders)]
        self._remove(unwanted, report)
        self._make(missing, kind, report)
        return report

    def undo(self) -> Report:
        """Remove all that was made, and the folder with the last of its files."""
        report, last = Report(), 0
        while page := self._rows.page(last):
            last = page[-1][0]
            self._remove(
                [(file, self._photo(origin.root_id, origin.path)) for _, file, origin in page], report
            )
        if not self._dry_run:
            self._end()
        return report

    def _make(self, missing: Sequence[tuple[Place, bytes, bytes]], kind: Link, report: Report) -> None:
        taken: set[bytes] = set()
        plans = []
        for place, folder, photo in missing:
            path = self._free(folder, os.path.basename(photo), taken)
            try:
                plans.append((album_files.describe(path, place.image_id, kind, photo), photo))
            except AlbumError as error:
                report.refuse(path, error)
        if not self._dry_run:
            self._rows.put([file for file, _ in plans])
        failed = []
        for file, photo in plans:
            try:
                if not self._dry_run:
                    album_files.make(file, photo)
                report.change(file.path, f"{_NOUNS[kind]} {shown(photo)}")
            except AlbumError as error:
                report.refuse(file.path, error)
                failed.append(file.path)
        self._rows.forget(failed)

    def _remove(self, files: Sequence[tuple[MadeFile, bytes]], report: Report) -> None:
        removed = []
        for file, photo in files:
            try:
                if not self._dry_run:
                    album_files.remove(file, photo)
                    removed.append(file.path)
                report.change(file.path, "removed")
            except AlbumError as error:
                report.refuse(file.path, error)
        self._rows.forget(removed)

    def _end(self) -> None:
        ignore = Path(os.fsdecode(os.path.join(self._folder, IGNORE)))
        try:
            if os.listdir(self._folder) == [IGNORE] and ignore.read_bytes() == _IGNORE_ALL:
                ignore.unlink()
        except OSError:
            return
        album_files.remove_empty(self._folder)

    def _photo(self, root_id: int, path: bytes) -> bytes:
        return os.path.join(self._folders[root_id].path, path)

    def _free(self, category: bytes, name: bytes, taken: set[bytes]) -> bytes:
        """A name in the folder of a category that is not there: ``a.jpg``, else ``a (2).jpg`` and so on."""
        stem, ending = os.path.splitext(name)
        folder = os.path.join(self._folder, category)
        path, number = os.path.join(folder, name), 1
        while path in taken or os.path.lexists(path):
            number += 1
            path = os.path.join(folder, b"%s (%d)%s" % (stem, number, ending))
        taken.add(path)
        return path


def _folder_name(category: str) -> bytes:
    return category.replace("/", "-").lstrip(".").encode() or b"-"
