"""The ledger in figures, for monitors: counts by root and state, failures, waiting, workers, the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from tagtray.db import clock, feeding
from tagtray.db.access.transactions import read
from tagtray.db.places import holds
from tagtray.db.tables import Image, Model, Root, Status, Worker
from tagtray.db.workers import heard


@dataclass(frozen=True, slots=True)
class Figures:
    """All of one moment: images by (root, state), failed ones by code, seconds that the oldest has waited.

    ``workers`` are counted by (host, engine, precision, version), ``paused`` and ``held`` roots are names;
    ``model`` is the name and the SHA-256 of the current one.
    """

    images: Mapping[tuple[str, str], int]
    failures: Mapping[str, int]
    oldest_wait: float
    workers: Mapping[tuple[str, str, str, str], int]
    held: frozenset[str]
    model: tuple[str, str] | None


def figures(engine: Engine) -> Figures:
    """Read them in one transaction; raises InfrastructureError."""
    return read(engine, _figures)


def _figures(connection: Connection) -> Figures:
    named = select(Root.name, Image.status, func.count()).join_from(Image, Root, Root.id == Image.root_id)
    images = connection.execute(named.group_by(Root.name, Image.status)).all()
    failed = select(Image.error_code, func.count()).where(Image.status == Status.FAILED)
    failures = connection.execute(failed.group_by(Image.error_code)).all()
    workers = select(Worker.host, Worker.engine, Worker.precision, Worker.version).where(heard())
    alive = connection.execute(workers).all()
    held = connection.scalars(select(Root.name).where(holds.is_held())).all()
    model = connection.execute(select(Model.name, Model.weights_sha256).where(Model.is_current)).first()
    return Figures(
        {(root, state): count for root, state, count in images},
        {code or "unknown": count for code, count in failures},
        oldest_wait(connection) or 0.0,
        Counter((host, engine, precision, version) for host, engine, precision, version in alive),
        frozenset(held),
        (model[0], model[1]) if model else None,
    )


def oldest_wait(connection: Connection) -> float | None:
    """Seconds that a pending image which is next in a line has waited; None where none waits.

    Those of held roots are in no line.
    """
    next_ones = [lane.first for lane in feeding.lanes(connection)]
    query = select(func.min(Image.updated_at), clock.now()).where(Image.id.in_(next_ones))
    since, now = connection.execute(query).one()
    return max(0.0, (now - since).total_seconds()) if since else None
