"""The ledger of a command: opened for reading or writing, brought to this version's tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Engine

from tagtray.app import models, startup
from tagtray.config.errors import Locked, UsageError
from tagtray.config.outage import Outage
from tagtray.config.settings import Settings
from tagtray.db import migrate
from tagtray.db.access import engine, urls


@contextlib.contextmanager
def writing(settings: Settings, waits: Outage | None = None) -> Iterator[Engine]:
    """The ledger, ready: an SQLite file is migrated, another database has to be at this version.

    A new one is given the default model. A file that another program has locked is waited for. Raises Stopped
    where that is to end, and InfrastructureError with a sentence that names ``tagtray db upgrade`` where the
    ledger is not at this version.
    """
    with _closing(engine.connect(settings)) as database:
        (waits or startup.patience()).retry(lambda: _make_ready(database, settings), Locked)
        yield database


def _make_ready(database: Engine, settings: Settings) -> None:
    if database.dialect.name == "sqlite":
        upgrade(database, settings)
    else:
        migrate.require(database)
        models.ensure(database, settings)


def exists(settings: Settings) -> bool:
    """Whether there is a ledger; of one on a server it is taken for granted."""
    place = urls.place(settings)
    return place.schema is not None or Path(place.url.database or "").exists()


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
    if not exists(settings):
        file = urls.where(urls.place(settings).url)
        raise UsageError(f"There is no ledger at {file} yet; `tagtray run DIR` begins one.")
    with _closing(connect(settings)) as database:
        migrate.require(database)
        yield database


def bring_up(settings: Settings) -> bool:
    """Bring any database to this version; True if there was anything to do."""
    with _closing(engine.connect(settings)) as database:
        return upgrade(database, settings)


def upgrade(database: Engine, settings: Settings) -> bool:
    """Bring tables and the models that ship to this version; True if there was anything to do."""
    migrated = migrate.upgrade(database)
    return models.ensure(database, settings) or models.renew(database, settings) or migrated


@contextlib.contextmanager
def _closing(database: Engine) -> Iterator[Engine]:
    try:
        yield database
    finally:
        database.dispose()
