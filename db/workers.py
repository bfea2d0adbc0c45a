"""The workers that live: who they are, what they run, which roots they can read."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from tagtray.config.settings import LONGEST_LEASE
from tagtray.db import clock
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import insert
from tagtray.db.places import holds
from tagtray.db.records import Provenance
from tagtray.db.tables import Worker

#: Seconds since its last heartbeat after which a worker counts as dead; it beats several times per lease.
SILENCE = LONGEST_LEASE


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker process says of itself; ``roots`` are the names of those that it can read now.

    ``passed_over`` says why better engines are not used.
    """

    id: str
    host: str
    pid: int
    version: str
    model_id: int
    engine: str
    precision: str
    roots: Sequence[str]
    passed_over: str = ""


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that was heard of lately; ``images`` are those that it ended since it started."""

    info: WorkerInfo
    started_at: datetime
    heartbeat_at: datetime
    images: int

    @property
    def images_per_second(self) -> float:
        """The mean since it started."""
        seconds = (self.heartbeat_at - self.started_at).total_seconds()
        return self.images / seconds if seconds > 0 else 0.0


def this_process(
    worker_id: str, provenance: Provenance, roots: Sequence[str], passed_over: str = ""
) -> WorkerInfo:
    """What this process says of itself."""
    host, release = socket.gethostname(), version("tagtray")
    model, engine, precision = provenance.model_id, provenance.engine, provenance.precision
    return WorkerInfo(worker_id, host, os.getpid(), release, model, engine, precision, roots, passed_over)


def register(engine: Engine, worker: WorkerInfo) -> None:
    """A worker has started, whether or not one of its name was there before."""
    write(engine, lambda connection: _upsert(connection, worker, images=0, starts=True))


def heartbeat(engine: Engine, worker: WorkerInfo, images: int) -> None:
    """A worker lives and has ended ``images`` since it started; holds of roots that it reads are lifted."""
    write(engine, lambda connection: _upsert(connection, worker, images))


def remove(engine: Engine, worker_id: str) -> None:
    """A worker has ended."""
    write(engine, lambda connection: connection.execute(delete(Worker).where(Worker.id == worker_id)))


def remove_silent(engine: Engine) -> int:
    """Forget the workers that are no longer heard of; how many they were."""
    return write(engine, lambda connection: connection.execute(delete(Worker).where(~heard())).rowcount)


def alive(engine: Engine) -> list[LiveWorker]:
    """The workers that were heard of lately, by host and id."""
    query = select(Worker.__table__).where(heard()).order_by(Worker.host, Worker.id)
    rows = read(engine, lambda connection: connection.execute(query).mappings().all())
    return [
        LiveWorker(
            WorkerInfo(**{name: row[name] for name in WorkerInfo.__slots__}),
            row["started_at"],
            row["heartbeat_at"],
            row["images"],
        )
        for row in rows
    ]


def count(engine: Engine) -> int:
    """How many workers were heard of lately."""
    query = select(func.count()).select_from(Worker).where(heard())
    return read(engine, lambda connection: connection.scalar(query)) or 0


def is_read_elsewhere(engine: Engine, root: str) -> bool:
    """Whether a worker of another host can read the root of this name."""
    here = socket.gethostname()
    return any(worker.info.host != here and root in worker.info.roots for worker in alive(engine))


def _upsert(connection: Connection, worker: WorkerInfo, images: int, starts: bool = False) -> None:
    now = clock.now()
    values = {**asdict(worker), "images": images, "heartbeat_at": now}
    kept = ("id",) if starts else ("id", "started_at")
    statement = insert(connection.dialect.name, Worker).values({**values, "started_at": now})
    news = {name: statement.excluded[name] for name in (*values, "started_at") if name not in kept}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=news))
    holds.lift(connection, worker.roots)


def heard() -> ColumnElement[bool]:
    """SQL condition on ``workers``: it was heard of lately."""
    # A heartbeat ahead of now is from before the clock was set back.
    return Worker.heartbeat_at.between(clock.after(-SILENCE), clock.after(SILENCE))
