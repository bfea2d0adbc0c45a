"""Labels, categories and models as rows: written at upgrade, so that SQL users can join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, case, delete, select, update

from tagtray.config.errors import InfrastructureError
from tagtray.db import clock
from tagtray.db.dialects import insert
from tagtray.db.tables import Category, Label, LabelCategory, Model, Threshold
from tagtray.db.transactions import read, write

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class CurrentModel:
    """The model whose answers count: its row, and the hash of the weights that give them."""

    id: int
    name: str
    label_set: str
    weights_sha256: str


def sync(
    engine: Engine,
    labels: Rows,
    categories: Rows,
    closure: Rows,
    model: Mapping[str, Any],
    thresholds: Mapping[str, float],
) -> None:
    """Bring the catalogue tables to what the weights folder says; make ``model`` the current one.

    ``thresholds`` are the scores from which its tags are shown, by category; "" stands for all others.
    """

    def work(connection: Connection) -> None:
        _upsert(connection, Label, labels, ("label_set", "class_index"))
        _upsert(connection, Category, categories, ("wnid",))
        connection.execute(delete(LabelCategory))
        connection.execute(insert(connection, LabelCategory), list(closure))
        _upsert_model(connection, model, thresholds)

    write(engine, work)


def current(engine: Engine) -> CurrentModel:
    """The current model; raises InfrastructureError where there is none yet."""
    query = select(Model.id, Model.name, Model.label_set, Model.weights_sha256).where(Model.is_current)
    row = read(engine, lambda connection: connection.execute(query).one_or_none())
    if row is None:
        raise InfrastructureError("The database knows no model yet; `tagtray db upgrade` brings it in.")
    return CurrentModel(*row)


def has(engine: Engine, name: str, weights_sha256: str) -> bool:
    """True where the model with these very weights is the current one."""
    query = select(Model.id).where(
        Model.name == name, Model.weights_sha256 == weights_sha256, Model.is_current
    )
    return read(engine, lambda connection: connection.scalar(query)) is not None


def _upsert(connection: Connection, table: Any, rows: Rows, keys: tuple[str, ...]) -> None:
    statement = insert(connection, table)
    news = {name: statement.excluded[name] for name in rows[0] if name not in (*keys, "created_at")}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=news), list(rows))


def _upsert_model(connection: Connection, model: Mapping[str, Any], thresholds: Mapping[str, float]) -> None:
    moment = connection.scalar(select(clock.now()))
    row = {**model, "is_current": False, "created_at": moment}
    _upsert(connection, Model, [row], ("name", "weights_sha256"))
    this = (Model.name == model["name"]) & (Model.weights_sha256 == model["weights_sha256"])
    connection.execute(update(Model).values(is_current=case((this, True), else_=False)))
    model_id = connection.execute(select(Model.id).where(this)).scalar_one()
    connection.execute(delete(Threshold).where(Threshold.model_id == model_id))
    scores = [{"model_id": model_id, "wnid": wnid, "score": score} for wnid, score in thresholds.items()]
    connection.execute(insert(connection, Threshold), scores)
