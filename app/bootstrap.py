"""What every command does first: settings, log lines, a ledger at this version's tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tagtray.config.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tagtray.config.settings import Settings


def load(**overrides: Any) -> Settings:
    """The settings, with the options that were given; log lines go where they say."""
    # Imported here, as everywhere in this package: `tagtray --help` need not wait for it.
    from tagtray.config import logs
    from tagtray.config import settings as configuration

    settings = configuration.load(**overrides)
    logs.configure(settings.log_level)
    return settings


def name_process(role: str) -> None:
    """Have ``ps`` and ``top`` show what this process is."""
    import setproctitle

    setproctitle.setproctitle(f"tagtray: {role}")


@contextlib.contextmanager
def writing(settings: Settings) -> Iterator[Engine]:
    """The ledger, ready: an SQLite file is migrated, another database has to be at this version.

    Raises InfrastructureError with a sentence that names ``tagtray db upgrade`` where it is not.
    """
    from tagtray.app import models
    from tagtray.db import engine, migrate

    with _closing(engine.connect(settings)) as database:
        if database.dialect.name == "sqlite":
            migrate.upgrade(database)
        else:
            migrate.require(database)
        models.ensure(database, settings)
        yield database


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator[Engine]:
    """The ledger for those who only look: nothing is made; raises UsageError where there is none yet."""
    from tagtray.db import engine, migrate

    if settings.database_url is None and not (settings.home / "tagtray.db").exists():
        raise UsageError(f"There is no ledger in {settings.home} yet; `tagtray run DIR` begins one.")
    with _closing(engine.connect(settings)) as database:
        migrate.require(database)
        yield database


def bring_up(settings: Settings) -> bool:
    """Bring any database to this version; True if there was anything to do."""
    from tagtray.db import engine

    with _closing(engine.connect(settings)) as database:
        return upgrade(database, settings)


def upgrade(database: Engine, settings: Settings) -> bool:
    """Bring the tables to this version, and a model where there is none; True if there was anything to do."""
    from tagtray.app import models
    from tagtray.db import migrate

    migrated = migrate.upgrade(database)
    return models.ensure(database, settings) or migrated


@contextlib.contextmanager
def _closing(database: Engine) -> Iterator[Engine]:
    try:
        yield database
    finally:
        database.dispose()
