"""What tests see of worker processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtray.app import bootstrap
from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.access import engine
from tagtray.db.ledger import Ledger
from tagtray.jobs.connection import connect
from tagtray.jobs.feed import Feeder, FeederLoop
from tagtray.jobs.queue import ImageQueue
from tagtray.worker.supervision import forkserver
from tagtray.worker.supervision.progress import Progress, Snapshot
from tagtray.worker.supervision.supervisor import Supervisor
from tests import builders, networks
from tests.builders import seen

REPOSITORY = Path(__file__).resolve().parents[1]
#: Seconds that a worker is given to finish its batch.
GRACE = 10.0


def settings(home: Path, redis_url: str, **options: Any) -> Settings:
    """Settings of workers whose network lies in ``home`` already."""
    fixed = {"engine": networks.GRAPH, "precision": "fp32", "batch_size": 4}
    found = configuration.load(home=home, redis_url=redis_url, **{**fixed, **options})
    networks.copied_to(home, found.engine)
    return found


@contextlib.contextmanager
def ledger(host: Settings) -> Iterator[Ledger]:
    """A ledger with the models that ship and the root ``photos``."""
    database = engine.connect(host)
    try:
        bootstrap.upgrade(database, host)
        ledger = Ledger(database)
        builders.root(ledger, host)
        yield ledger
    finally:
        database.dispose()


def break_(function: str, trigger: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a function of workers hang for as long as ``trigger`` exists, as in ``tests.faulty_worker``."""
    path = (*os.environ.get("PYTHONPATH", "").split(os.pathsep), str(REPOSITORY))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("FAULTY_FUNCTION", function)
    monkeypatch.setenv("FAULTY_WHILE", str(trigger))
    monkeypatch.setattr(forkserver, "MODULE", "tests.faulty_worker")
    return trigger


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
