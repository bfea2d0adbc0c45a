"""A dropped photo's way on an idle machine: from the end of its writing to its row, and to its result.

``python -m benchmarks.latency``: a real ``tagtray run --watch``; the ledger is looked at every millisecond.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError

from benchmarks import memory, report
from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db.access import engine
from tagtray.db.tables import Image, Status

#: Photos, seconds of rest before each, seconds between looks, seconds that a photo may take.
PHOTOS, REST, LOOK, PATIENCE = 100, 0.4, 0.001, 60.0


def measure(photos: int = PHOTOS) -> dict[str, Any]:
    """Milliseconds to the row and to the result: p50, p95 and most."""
    with tempfile.TemporaryDirectory(prefix="latency-") as scratch:
        made, drop, home = (Path(scratch) / name for name in ("made", "drop", "home"))
        memory.make(made, photos + 1)
        drop.mkdir()
        first, *others = sorted(made.rglob("*.jpg"))
        with _watching(drop, home):
            database = engine.connect(configuration.load(home=home))
            _drop(database, first, drop)
            found = [_drop(database, photo, drop) for photo in others]
            database.dispose()
    rows, results = zip(*found, strict=True)
    return {"photos": photos, "row_ms": report.spread(rows), "result_ms": report.spread(results)}


def _drop(database: Engine, photo: Path, folder: Path) -> tuple[float, float]:
    time.sleep(REST)
    data = photo.read_bytes()
    with (folder / photo.name).open("wb") as file:
        file.write(data)
    closed = time.perf_counter()
    row = now = 0.0
    while now < closed + PATIENCE:
        status = _status(database, photo.name)
        now = time.perf_counter()
        row = row or (now if status else 0.0)
        if status == Status.DONE:
            return 1e3 * (row - closed), 1e3 * (now - closed)
        time.sleep(LOOK)
    raise TimeoutError(f"{photo.name} had no result after {PATIENCE:g} s")


def _status(database: Engine, name: str) -> str | None:
    with contextlib.suppress(DBAPIError), database.connect() as connection:
        return connection.scalar(select(Image.status).where(Image.path == name, Image.root_id == 1))
    return None


@contextlib.contextmanager
def _watching(folder: Path, home: Path) -> Iterator[None]:
    command = subprocesses.command("tagtray", "run", str(folder), "--watch")
    process = subprocess.Popen(
        command, env=os.environ | {"TAGTRAY_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    figures = measure()
    print(figures)
    report.write("latency", figures)
