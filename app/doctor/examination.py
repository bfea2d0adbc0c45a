"""The whole examination, from this machine to the stores and the folders."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Engine

from tagtray.app import bootstrap
from tagtray.app.doctor import machine, roots, stores
from tagtray.app.doctor.finding import Finding, State, note, wrong
from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.db.access import engine


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings as they come: what cannot be looked at, because a store is away, is left out."""
    yield from machine.examine(settings)
    yield from stores.examine_redis(settings)
    if not bootstrap.exists(settings):
        yield note("database", "there is no ledger yet", "tagtray run DIR begins one")
        return
    try:
        database = engine.connect_reading(settings)
    except TagtrayError as error:
        yield wrong("database", str(error), "correct TAGTRAY_DATABASE_URL")
        return
    try:
        yield from _examine(database, settings)
    except TagtrayError as error:
        yield wrong("database", str(error), "start the database, or correct TAGTRAY_DATABASE_URL")
    finally:
        database.dispose()


def _examine(database: Engine, settings: Settings) -> Iterator[Finding]:
    for finding in stores.examine_ledger(database, settings):
        yield finding
        if finding.check == "database" and finding.state is State.WRONG:
            return
    yield from roots.examine(database, settings)
