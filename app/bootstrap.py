"""The ledger of a command: opened for reading or writing, brought to this version's tables and model."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Engine

from tagtray.config.errors import InfrastructureError, Locked, UsageError
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db import catalogue, engine, migrate, urls
from tagtray.weights import catalogue as words
from tagtray.weights import manifest
from tagtray.weights.manifest import ModelEntry

#: The model that ships; its manifest entry names the rest.
MODEL = "resnet18"


@contextlib.contextmanager
def writing(settings: Settings, waits: Outage) -> Iterator[Engine]:
    """The ledger, ready: an SQLite file is migrated, another database has to be at this version.

    A file that another program has locked is waited for; raises Stopped where that is to end, and
    InfrastructureError with a sentence that names ``tagtray db upgrade`` where the database is older.
    """
    with _closing(engine.connect(settings)) as database:
        waits.retry(lambda: _make_ready(database), Locked)
        yield database


def _make_ready(database: Engine) -> None:
    if database.dialect.name == "sqlite":
        upgrade(database)
        return
    migrate.require(database)
    if not _has_model(database):
        raise InfrastructureError(
            "The database does not have this version's model; `tagtray db upgrade` brings it in."
        )


def reading(settings: Settings) -> AbstractContextManager[Engine]:
    """The ledger for those who only look: nothing is made or changed, so that it may be read-only.

    Raises UsageError where there is none yet, InfrastructureError where it is not at this version.
    """
    return _existing(settings, engine.connect_reading)


def changing(settings: Settings) -> AbstractContextManager[Engine]:
    """The ledger for those who change what is there; raises as ``reading`` does."""
    return _existing(settings, engine.connect)


@contextlib.contextmanager
def _existing(settings: Settings, connect: Callable[[Settings], Engine]) -> Iterator[Engine]:
    place = urls.place(settings)
    if place.schema is None and not Path(place.url.database or "").exists():
        file = urls.where(place.url)
        raise UsageError(f"There is no ledger at {file} yet; `tagtray run DIR` begins one.")
    with _closing(connect(settings)) as database:
        migrate.require(database)
        yield database


def bring_up(settings: Settings) -> bool:
    """Bring any database to this version; True if there was anything to do."""
    with _closing(engine.connect(settings)) as database:
        return upgrade(database)


def upgrade(database: Engine) -> bool:
    """Bring the tables and the catalogue of labels to this version; True if there was anything to do."""
    migrated = migrate.upgrade(database)
    if not migrated and _has_model(database):
        return False
    _bring_in_model(database)
    return True


def model() -> ModelEntry:
    """The manifest's entry of the model that ships."""
    return manifest.model(MODEL)


@contextlib.contextmanager
def _closing(database: Engine) -> Iterator[Engine]:
    try:
        yield database
    finally:
        database.dispose()


def _has_model(database: Engine) -> bool:
    entry = model()
    return catalogue.has(database, entry.name, entry.weights.sha256)


def _bring_in_model(database: Engine) -> None:
    entry = model()
    labels = [{"label_set": entry.label_set, **dataclasses.asdict(label)} for label in words.labels()]
    categories = [
        {**dataclasses.asdict(category), "aliases": "|".join(category.aliases)}
        for category in words.categories()
    ]
    closure = [{"class_wnid": below, "category_wnid": above} for below, above in words.closure()]
    row = {
        "name": entry.name,
        "label_set": entry.label_set,
        "weights_sha256": entry.weights.sha256,
        "architecture": entry.architecture,
        "input": dataclasses.asdict(entry.preprocess),
    }
    catalogue.sync(database, labels, categories, closure, row, {"": entry.thresholds["tag"]})
