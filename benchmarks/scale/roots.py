"""What it costs to ignore half of a root, to take it into another one and to move it, while a run goes on."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.scale import hot
from benchmarks.scale.rows import BYTES, MTIME_NS, Scaled
from tagtray.config.settings import Settings
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.places.roots import Target
from tagtray.db.records import Provenance, SeenFile
from tagtray.producer.producer import Producer

#: What leaves out every folder of the first half of a million images.
HALF = "folder_0000[0-4]*/\n"
#: Seconds between two batches of the run beside, and of the run by itself.
PAUSE, ALONE = 0.05, 10.0
#: Batches of it at least.
LEAST = 3


def make_files(folder: Path, count: int) -> None:
    """The files of the rows, all holes: of their names, sizes and times."""
    for number in range(1, count + 1):
        below = folder / f"folder_{number // 1000:07}"
        if number % 1000 == 0 or number == 1:
            below.mkdir(parents=True)
        descriptor = os.open(f"{below}/IMG_{number:07}.jpg", os.O_CREAT | os.O_WRONLY, 0o644)
        os.ftruncate(descriptor, BYTES)
        os.utime(descriptor, ns=(MTIME_NS, MTIME_NS))
        os.close(descriptor)


def measure(made: Scaled) -> dict[str, Any]:
    """Seconds of each step, and milliseconds of what a run beside asked meanwhile."""
    folder = Path(os.fsdecode(made.target.root.path))
    rules, library = folder / ".tagtrayignore", folder.parent
    found: dict[str, Any] = {}
    _step(made, found, "alone", lambda: time.sleep(ALONE))
    _step(made, found, "rescan", lambda: _scan(made, made.target))
    rules.write_text(HALF)
    _step(made, found, "ignore_half", lambda: _scan(made, made.target))
    rules.unlink()
    _step(made, found, "take_back_half", lambda: _scan(made, made.target))
    _step(made, found, "take_in", lambda: roots.resolve(made.engine, made.settings, library))
    moved = library.rename(library.with_name("moved"))
    _step(made, found, "move", lambda: roots.resolve(made.engine, made.settings, moved))
    moved.rename(library)
    return found


def _scan(made: Scaled, target: Target) -> None:
    settings = made.settings.model_copy(update={"stable": 1e-3, "settle": 1e-3})
    Producer(settings, made.ledger, lambda: None, [target]).scan()


def _step(made: Scaled, found: dict[str, Any], name: str, work: Callable[[], object]) -> None:
    with _beside(made) as spent:
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
    found[name] = {"seconds": round(seconds, 2), "beside_ms": dict(spent)}
    logging.getLogger(__name__).warning("%s %s", name, found[name])


@contextlib.contextmanager
def _beside(made: Scaled) -> Iterator[dict[str, Any]]:
    """A process that registers, feeds, claims and commits; yields what it measured, once it has ended."""
    context = multiprocessing.get_context("spawn")
    ready, stop, results = context.Event(), context.Event(), context.Queue()
    process = context.Process(target=_run, args=(made.settings, hot.run_of(made), ready, stop, results))
    process.start()
    ready.wait()
    spent: dict[str, Any] = {}
    yield spent
    stop.set()
    spent.update(results.get())
    process.join()


def _run(settings: Settings, run: Provenance, ready: Any, stop: Any, results: Any) -> None:
    database = engine.connect(settings)
    ledger = Ledger(database)
    inbox = settings.home / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    root_id = roots.resolve(database, settings, inbox).root.id
    spent: dict[str, list[float]] = {"register": [], "feed": [], "claim": [], "commit": []}
    ready.set()
    while not stop.is_set() or len(spent["commit"]) < LEAST:
        _batch(ledger, run, root_id, spent)
        stop.wait(PAUSE)
    database.dispose()
    results.put({name: report.spread(values) for name, values in spent.items()})


def _batch(ledger: Ledger, run: Provenance, root_id: int, spent: dict[str, list[float]]) -> None:
    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        spent[name].append(1e3 * (time.perf_counter() - began))
        return result

    prefix = str(time.time_ns())
    files = [SeenFile(f"{prefix}/{number}.jpg".encode(), BYTES, 1, 1, None) for number in range(hot.BATCH)]
    timed("register", lambda: ledger.register(root_id, files))
    ids = [image.id for image in timed("feed", lambda: ledger.take_pending(hot.BATCH))]
    claimed = timed("claim", lambda: ledger.claim(ids, hot.WORKER, 30.0, run.model_id))
    timed("commit", lambda: ledger.commit(hot.WORKER, run, hot.outcomes(claimed)))
