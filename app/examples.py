"""The photos that a command is given, as contents of the ledger: what is not in it is brought in first."""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from tagtray.app import feeding, models
from tagtray.app.crew import GRACE, Crew
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import Settings
from tagtray.config.text import shown
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.places.roots import Target
from tagtray.db.reading import named
from tagtray.db.reading.named import NamedImage
from tagtray.imaging import filenames
from tagtray.imaging.filenames import Kind
from tagtray.producer import scope
from tagtray.producer.producer import Producer

#: Seconds between looks at photos that are being classified.
POLL = 0.2


@dataclass(slots=True)
class Found:
    """Contents in the order of the photos, each once, and sentences on photos that are of no use."""

    contents: dict[int, None] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class Examples:
    """Looks up photos; ``say`` is told what takes long, ``wait`` sleeps and says whether to stop."""

    def __init__(
        self,
        settings: Settings,
        database: Engine,
        say: Callable[[str], None],
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._database = database
        self._say = say
        self._wait = wait

    def of(self, names: Sequence[str]) -> Found:
        """The contents of files, and of all photos in folders; raises UsageError for what is not there."""
        places = [self._place(name) for name in names]
        for name, place in zip(names, places, strict=True):
            if not os.path.lexists(name) and not self._images(place):
                raise UsageError(f"{shown(name)} does not exist.")
        if missing := self._missing(places):
            self._bring_in(missing)
        found = Found()
        for name, place in zip(names, places, strict=True):
            images = self._images(place)
            if not images:
                found.refused.append(f"{shown(name)} holds no photo that tagtray reads.")
            for image in images:
                self._take(image, found)
        return found

    def of_album(self, folder: Path) -> Found:
        """The contents of what stands in an album's folder: links to photos, or copies of them."""
        scope.check(folder)
        links = [file for file in _files(os.fsencode(folder))]
        known = roots.everywhere(self._database, self._settings).values()
        found, copies = Found(), list[bytes]()
        by_root: dict[int, list[bytes]] = defaultdict(list)
        for file in links:
            place = roots.holder(known, os.path.realpath(file))
            if place is None:
                copies.append(file)
            else:
                by_root[place[0].id].append(place[1])
        for root_id, names in by_root.items():
            images = named.files(self._database, root_id, names)
            for image in images:
                self._take(image, found)
        hashes = {_sha256(file): file for file in copies}
        contents = named.contents(self._database, list(hashes))
        found.contents |= dict.fromkeys(contents.values())
        strangers = len(links) - sum(map(len, by_root.values())) - len(copies) + len(hashes) - len(contents)
        if strangers:
            found.refused.append(f"{strangers:,} files of {shown(folder)} are no photos of the ledger.")
        return found

    def _place(self, name: str) -> Target:
        """Where a file or folder lies; a folder that is in no root becomes one."""
        path = Path(name)
        if path.is_dir():
            scope.check(path)
            scope.refuse_home(self._settings, os.fsencode(path))
            return roots.resolve(self._database, self._settings, path)
        place = roots.locate(self._database, self._settings, path)
        if place is None and path.exists():
            real = Path(os.path.realpath(path))
            place = roots.locate(self._database, self._settings, real)
            if place is None:
                target = roots.resolve(self._database, self._settings, real.parent)
                place = target.root, os.path.join(target.below, os.fsencode(real.name))
        if place is None:
            raise UsageError(f"{shown(name)} does not exist.")
        return Target(*place)

    def _images(self, place: Target) -> list[NamedImage]:
        if _is_folder(place):
            return named.below(self._database, place.root.id, place.below)
        return named.files(self._database, place.root.id, [place.below])

    def _missing(self, places: Iterable[Target]) -> list[Target]:
        """Those that are to be looked at on disk: folders, and files that are not classified yet."""
        missing = []
        for place in places:
            images = [] if _is_folder(place) else self._images(place)
            if not images or any(image.is_on_its_way for image in images):
                missing.append(place)
        return missing

    def _bring_in(self, places: Sequence[Target]) -> None:
        """Register what is new of some places, and classify it."""
        ledger = Ledger(self._database)
        single: dict[Target, set[bytes]] = defaultdict(set)
        targets = []
        for place in places:
            if _is_folder(place):
                targets.append(place)
            else:
                single[Target(place.root, os.path.dirname(place.below))].add(place.below)
        files = {target: frozenset(names) for target, names in single.items()}
        Producer(self._settings, ledger, lambda: None, targets, files).scan()
        ids = [image.id for place in places for image in self._images(place) if image.is_on_its_way]
        if ids:
            photos = f"{len(ids):,} {'photo is' if len(ids) == 1 else 'photos are'}"
            self._say(f"{photos} not classified yet; that comes first.")
            self._classify(ledger, ids)

    def _classify(self, ledger: Ledger, ids: Sequence[int]) -> None:
        """Classify images with workers of our own, which others may be before."""
        models.current(self._database, self._settings)[1].verify()
        with Crew(self._settings) as crew:
            supervisor, feeder = crew.supervisor(ledger), feeding.feeder(self._settings, ledger)
            feeder.start()
            supervisor.start()
            try:
                while named.waiting(self._database, ids) and not self._wait(POLL):
                    if refusal := supervisor.failure or feeder.refusal:
                        raise InfrastructureError(str(refusal))
            finally:
                supervisor.stop(GRACE)
                feeder.stop()

    def _take(self, image: NamedImage, found: Found) -> None:
        name = shown(image.path)
        if image.content_id is not None:
            found.contents[image.content_id] = None
        elif image.error_message:
            found.refused.append(f"{name} cannot be used: {image.error_message}")
        else:
            found.refused.append(f"{name} is not classified yet.")


def _is_folder(place: Target) -> bool:
    return os.path.isdir(os.path.join(place.root.path, place.below))


def _files(folder: bytes) -> Iterable[bytes]:
    """The files below a folder that may be photos."""
    for parent, below, names in os.walk(folder):
        below[:] = [name for name in below if not filenames.is_ignored_dir(name)]
        for name in sorted(names):
            if filenames.classify_name(name) is Kind.REGISTER:
                yield os.path.join(parent, name)


def _sha256(file: bytes) -> str:
    try:
        with open(file, "rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
