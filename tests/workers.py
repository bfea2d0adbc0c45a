"""What tests see of worker processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.jobs.connection import connect
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue
from tagtray.worker.supervision.progress import Progress, Snapshot
from tagtray.worker.supervision.supervisor import Supervisor
from tests.builders import seen

#: Seconds that a worker is given to finish its batch.
GRACE = 10.0


@contextlib.contextmanager
def feeding(host: Settings, ledger: Ledger) -> Iterator[None]:
    """With a feeder at work."""
    loop = FeederLoop(Feeder(host, ledger, ImageQueue(host.queue, connect(host))))
    loop.start()
    yield
    loop.stop()


@contextlib.contextmanager
def supervised(supervisor: Supervisor) -> Iterator[Supervisor]:
    """With its workers at work; they are ended at the end."""
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop(GRACE)


def drop(ledger: Ledger, host: Settings, files: dict[str, bytes]) -> list[int]:
    """Put files into the root ``photos`` and register them; their ids."""
    for name, data in files.items():
        (host.home / "photos" / name).write_bytes(data)
    ledger.register(1, [seen(name, len(data)) for name, data in files.items()])
    known = ledger.lookup(1, [name.encode() for name in files])
    return [known[name.encode()].id for name in files]


def marker(host: Settings) -> Snapshot | None:
    """What the one worker is doing; None: there is none yet."""
    paths = list((host.home / "run").glob("*.progress"))
    if not paths or not paths[0].stat().st_size:
        return None
    progress = Progress(paths[0])
    snapshot = progress.read()
    progress.close()
    return snapshot
