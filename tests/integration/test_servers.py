"""The servers that tests run on are real, clean and speak what the application needs."""

from __future__ import annotations

import os

import psycopg
from redis import Redis
from rq import Queue, SimpleWorker
from sqlalchemy import make_url, text

from tagtray.config.settings import Settings
from tagtray.db.access import engine as engines
from tagtray.jobs import connection
from tools.servers import Postgres


def test_every_database_starts_empty(ledger_url: str, settings: Settings) -> None:
    engine = engines.connect(settings.model_copy(update={"database_url": ledger_url}))
    with engine.begin() as database:
        database.execute(text("CREATE TABLE only_here (id INTEGER)"))
    engine.dispose()


def test_postgres_drops_a_database_that_is_still_in_use(postgres: Postgres) -> None:
    with postgres.database() as url:
        client = psycopg.connect(url)
    names = _databases(postgres)
    client.close()
    assert make_url(url).database not in names


def test_redis_is_empty_at_first(redis: Redis) -> None:
    assert redis.dbsize() == 0
    redis.set("left", "behind")


def test_redis_is_empty_again_for_the_next_test(redis: Redis) -> None:
    assert redis.dbsize() == 0


def test_a_job_goes_through_rq(redis_url: str, settings: Settings) -> None:
    client = connection.connect(settings.model_copy(update={"redis_url": redis_url}))
    queue = Queue("test", connection=client)

    job = queue.enqueue(os.getpid)
    SimpleWorker([queue], connection=client).work(burst=True)

    assert job.return_value() == os.getpid()
    client.close()


def _databases(postgres: Postgres) -> list[str]:
    with psycopg.connect(postgres.url("postgres")) as client:
        return [row[0] for row in client.execute("SELECT datname FROM pg_database")]
