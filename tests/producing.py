"""A folder, a ledger and producers over them, as the producer's tests use them."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sqlalchemy import select

from tagtray.config import settings as configuration
from tagtray.db import migrate, paths
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.tables import Image
from tagtray.producer.producer import Producer
from tests.waiting import wait_for

#: A file that begins and ends as a JPEG does.
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda" + b"picture" * 40 + b"\xff\xd9"
#: How the files that follow all others are called (``Studio.await_all``), without their number.
LAST = "last-"
#: The first half of one.
HALF = JPEG[: len(JPEG) // 2]


class Studio:
    """A drop folder with its ledger; waits (in seconds) are short unless a test is about them."""

    def __init__(
        self, home: Path, folder: Path, url: str | None = None, stable: float = 0.2, settle: float = 1.5
    ) -> None:
        self.settings = configuration.load(home=home, database_url=url, stable=stable, settle=settle)
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._engine = engine.connect(self.settings)
        migrate.upgrade(self._engine)
        self.ledger = Ledger(self._engine)
        self.target = roots.resolve(self._engine, self.settings, folder)
        self.news = 0
        self._last = 0
        self.running: list[Producer] = []

    def close(self) -> None:
        for producer in self.running:
            producer.stop()
        self._engine.dispose()

    def put(self, name: str | bytes, data: bytes = JPEG, age: float = 3600) -> Path:
        """A file that was last written ``age`` seconds ago."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.folder), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (time.time() - age,) * 2)
        return path

    def producer(self, *targets: roots.Target) -> Producer:
        return Producer(self.settings, self.ledger, self._notify, targets or [self.target])

    def watching(self) -> Producer:
        """A producer that watches and has done its first scan."""
        producer = self.producer()
        self.running.append(producer)
        producer.start(watch=True)
        wait_for(lambda: producer.idle)
        return producer

    def await_all(self, producer: Producer) -> None:
        """Return when ``producer`` has taken up all that happened here so far."""
        # Events come in order: once the last file is a row, none of the others is on its way.
        self._last += 1
        name = f"{LAST}{self._last}.jpg"
        # Moved into place: between its last byte and its time it could be seen twice.
        self.put(f".{name}", age=0).rename(self.folder / name)
        wait_for(lambda: self._is_row(name))
        two_turns(producer)
        wait_for(lambda: producer.idle)

    def rows(self) -> dict[bytes, str]:
        """State of every row by name."""
        query = select(Image.path, Image.path_raw, Image.status).where(~Image.path.startswith(LAST))
        with self._engine.connect() as connection:
            return {paths.to_bytes(path, raw): status for path, raw, status in connection.execute(query)}

    def stat(self, name: bytes) -> tuple[int, int]:
        """Size and mtime of a row."""
        query = select(Image.size_bytes, Image.mtime_ns).where(Image.path == paths.to_text(name)[0])
        with self._engine.connect() as connection:
            return tuple(connection.execute(query).one())  # type: ignore[return-value]

    def _is_row(self, name: str) -> bool:
        query = select(Image.id).where(Image.path == name)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _notify(self) -> None:
        self.news += 1


def two_turns(producer: Producer) -> None:
    """Return when ``producer`` has looked at everything anew; a turn that is under way does not count."""
    turns = producer.turns
    wait_for(lambda: producer.turns >= turns + 2)
