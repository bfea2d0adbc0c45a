"""The rows of models, and which of them is the current one: the model whose answers count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, exists, select, text, update

from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.db import clock, labels
from tagtray.db.access.transactions import read, write
from tagtray.db.dialects import insert, replace
from tagtray.db.labels import LabelRows
from tagtray.db.tables import OWN, Model, Threshold


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model whose answers count: its row, and the hash of the weights that give them."""

    id: int
    name: str
    label_set: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class ModelRows:
    """A model as rows: its own, its labels, and the scores from which tags are shown.

    ``thresholds`` are by category; "" stands for all others.
    """

    model: Mapping[str, Any]
    labels: LabelRows
    thresholds: Mapping[str, float]


def current(engine: Engine) -> CurrentModel:
    """The current model; raises InfrastructureError where there is none yet."""
    return read(engine, required_by)


def required_by(connection: Connection) -> CurrentModel:
    """The same in a transaction."""
    model = seen_by(connection)
    if model is None:
        raise InfrastructureError("The database knows no model yet; `tagtray db upgrade` brings it in.")
    return model


def find(engine: Engine) -> CurrentModel | None:
    """The current model; None where there is none yet."""
    return read(engine, seen_by)


def seen_by(connection: Connection) -> CurrentModel | None:
    """As ``find``, in a transaction."""
    query = select(Model.id, Model.name, Model.label_set, Model.weights_sha256).where(Model.is_current)
    row = connection.execute(query).one_or_none()
    return None if row is None else CurrentModel(*row)


def id_of(engine: Engine, name: str, weights_sha256: str) -> int | None:
    """Id of the model with this name and these weights; None where the ledger does not know it."""
    query = select(Model.id).where(Model.name == name, Model.weights_sha256 == weights_sha256)
    return read(engine, lambda connection: connection.scalar(query))


def bring_in(engine: Engine, rows: ModelRows) -> int:
    """Add or renew the rows of a model and return its id; it becomes current only where no model is.

    Raises UsageError where the same weights are known under this name with another input.
    """

    def work(connection: Connection) -> int:
        _lock(connection)
        labels.sync(connection, rows.labels)
        model_id = _add(connection, rows)
        if not connection.scalar(select(exists().where(Model.is_current))):
            _use(connection, model_id)
        return model_id

    return write(engine, work)


def use(engine: Engine, model_id: int) -> None:
    """Make a model the only current one."""

    def work(connection: Connection) -> None:
        _lock(connection)
        _use(connection, model_id)

    write(engine, work)


def _add(connection: Connection, rows: ModelRows) -> int:
    this = (Model.name == rows.model["name"]) & (Model.weights_sha256 == rows.model["weights_sha256"])
    before = connection.scalar(select(Model.input).where(this))
    news = rows.model["input"]
    if before and any(before[name] != news[name] for name in before.keys() & news.keys()):
        raise UsageError(
            f"The database has the model {rows.model['name']!r} with these weights and another input; "
            "add it under another name."
        )
    row = {**rows.model, "is_current": False, "created_at": connection.scalar(select(clock.now()))}
    replace(connection, Model, [row], ("name", "weights_sha256"), keep=("is_current", "created_at"))
    model_id: int = connection.execute(select(Model.id).where(this)).scalar_one()
    own = Threshold.wnid.startswith(OWN, autoescape=True)
    connection.execute(delete(Threshold).where(Threshold.model_id == model_id, ~own))
    scores = [{"model_id": model_id, "wnid": wnid, "score": score} for wnid, score in rows.thresholds.items()]
    connection.execute(insert(connection.dialect.name, Threshold), scores)
    return model_id


def _use(connection: Connection, model_id: int) -> None:
    connection.execute(update(Model).values(is_current=Model.id == model_id))


def _lock(connection: Connection) -> None:
    """One at a time: else two first models could both become current. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE models IN SHARE ROW EXCLUSIVE MODE"))
