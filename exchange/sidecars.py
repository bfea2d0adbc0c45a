"""Keywords into the XMP files beside photos, and out of them again.

What a sidecar was before is kept in the ledger: as long as nobody else edits it, it can be given back byte by
byte. Where somebody did, our keywords are taken out and all the rest stays. The ledger is told before a file
is replaced, and again afterwards: neither a kill nor a full disk leaves keywords that nobody knows of.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Engine

from tagtray.db import sidecars
from tagtray.db.places.roots import RootFolder
from tagtray.db.sidecars import WrittenSidecar
from tagtray.exchange import beside, xmp
from tagtray.exchange.keywords import Keywords
from tagtray.exchange.records import Place
from tagtray.exchange.report import Report
from tagtray.exchange.xmp import SidecarError


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a sidecar (None: there is none), and what the ledger noted and notes of it."""

    image_id: int
    file: Path
    before: bytes | None
    after: bytes | None
    former: WrittenSidecar | None
    note: WrittenSidecar | None


_Found = tuple[Place, Path, bytes | None]
_Wanted = Sequence[tuple[Place, Keywords]]


class Sidecars:
    """Of the images of a ledger; ``folders`` are the roots by id, where this host has them."""

    def __init__(self, engine: Engine, folders: Mapping[int, RootFolder], dry_run: bool = False) -> None:
        self._engine = engine
        self._folders = folders
        self._dry_run = dry_run

    def keep(self, wanted: _Wanted) -> Report:
        """Have the sidecars of these photos hold these keywords, and none of ours besides.

        Raises InfrastructureError.
        """
        report = Report()
        changes = list(self._changes(wanted, report))
        if not self._dry_run:
            changes = self._write(changes, report)
        words = {place.image_id: ", ".join(keywords.words) for place, keywords in wanted}
        for change in changes:
            report.change(change.file, words[change.image_id] or "as it was")
        return report

    def _changes(self, wanted: _Wanted, report: Report) -> Iterator[Change]:
        found = list(self._read(wanted, report))
        known = sidecars.of_images(self._engine, [place.image_id for place, _ in wanted])
        strays = {_hash(data) for place, _, data in found if data and place.image_id not in known}
        others = sidecars.with_hash(self._engine, sorted(strays)) if strays else {}
        keywords = {place.image_id: words for place, words in wanted}
        for place, file, data in found:
            former = known.get(place.image_id) or others.get(_hash(data) if data else "")
            try:
                change = _change(place.image_id, file, data, former, keywords[place.image_id])
            except SidecarError as error:
                report.refuse(file, error)
                continue
            if change:
                yield change
            else:
                report.unchanged += 1

    def _write(self, changes: Sequence[Change], report: Report) -> list[Change]:
        """Do them; those that were done."""
        # First what will be there, with all that may be there until then.
        sidecars.put(self._engine, [_announced(change) for change in changes])
        done = [change for change in changes if _is_done(change, report)]
        sidecars.put(self._engine, [change.note for change in done if change.note])
        failed = {change.image_id for change in changes} - {change.image_id for change in done}
        over = [change.image_id for change in done if not change.note]
        over += [change.image_id for change in changes if change.image_id in failed and not change.former]
        sidecars.forget(self._engine, over)
        return done

    def _read(self, wanted: _Wanted, report: Report) -> Iterator[_Found]:
        for place, keywords in wanted:
            root = self._folders[place.root_id]
            # Keywords can be taken out where the photo is gone.
            is_there = beside.has_photo(root, place.path) if keywords else os.path.isdir(root.path)
            if not is_there:
                report.absent += 1
                continue
            try:
                path = beside.place(root, place.path)
                yield place, path, beside.read(path)
            except SidecarError as error:
                report.refuse(os.path.join(root.path, place.path + beside.ENDING), error)


def _is_done(change: Change, report: Report) -> bool:
    try:
        if change.after != change.before:
            beside.put(change.file, change.after)
    except SidecarError as error:
        report.refuse(change.file, error)
        return False
    return True


def _change(
    image_id: int, file: Path, data: bytes | None, former: WrittenSidecar | None, keywords: Keywords
) -> Change | None:
    """What becomes of a sidecar that holds ``data``; None where it may stay as it is."""
    base = _without_ours(data, former)
    if former is not None and former.image_id != image_id:
        former = None
    if not keywords:
        return Change(image_id, file, data, base, former, None) if former else None
    new, added = xmp.add(base, keywords)
    if base is not None and not any(added.values()):
        new = base
    if new == data and (former is None or former.sha256 == _hash(new)):
        return None
    note = WrittenSidecar(image_id, dict(added), _hash(new), None, base)
    return Change(image_id, file, data, new, former, note)


def _without_ours(data: bytes | None, former: WrittenSidecar | None) -> bytes | None:
    """The sidecar as it would be without tagtray: byte by byte where nobody else has edited it."""
    if data is None or former is None or data == former.original:
        return data
    if former.is_as_written(_hash(data)):
        return former.original
    return xmp.remove(data, former.keywords)


def _announced(change: Change) -> WrittenSidecar:
    """What the ledger notes before a file is replaced: it may be the former one, or the new one."""
    former, note = change.former, change.note
    if former is None or note is None:
        only = former or note
        assert only is not None, "a change writes keywords or takes them out"
        return only
    names = {*former.keywords, *note.keywords}
    both = {name: sorted({*former.keywords.get(name, ()), *note.keywords.get(name, ())}) for name in names}
    return replace(note, keywords=both, former_sha256=former.sha256)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
