"""The ledger of a command: opened for reading or writing, brought to this version's tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from sqlalchemy import Engine

from tagtray.app import models
from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db import engine, migrate


@contextlib.contextmanager
def writing(settings: Settings) -> Iterator[Engine]:
    """The ledger, ready: an SQLite file is migrated, another database has to be at this version.

    A new one is given the default model. Raises InfrastructureError with a sentence that names ``tagtray db
    upgrade`` where it is not at this version.
    """
    with _closing(engine.connect(settings)) as database:
        if database.dialect.name == "sqlite":
            upgrade(database, settings)
        else:
            migrate.require(database)
            models.ensure(database, settings)
        yield database


def exists(settings: Settings) -> bool:
    """Whether there is a ledger; of a database other than the embedded one it is taken for granted."""
    return settings.database_url is not None or (settings.home / "tagtray.db").exists()


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator[Engine]:
    """The ledger for those who only look: nothing is made; raises UsageError where there is none yet."""
    if not exists(settings):
        raise UsageError(f"There is no ledger in {settings.home} yet; `tagtray run DIR` begins one.")
    with _closing(engine.connect(settings)) as database:
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
