"""Worlds of the two kinds that tagtray is used in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.acceptance import inside
from tests.acceptance.world import World, world


@pytest.fixture(scope="module", params=["embedded", "servers"])
def everywhere(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for a whole module: SQLite and the embedded Redis, then PostgreSQL and a Redis server.

    The database on the server has its tables, as a user has to see to.
    """
    base = Path(tempfile.mkdtemp(prefix="tagtray-world-"))
    variables: dict[str, str] = {}
    database = None
    if request.param == "servers":
        database = request.getfixturevalue("postgres").database()
        redis_url = request.getfixturevalue("redis_server")
        with Redis.from_url(redis_url) as client:
            client.flushall()
        variables = {"TAGTRAY_DATABASE_URL": database.__enter__(), "TAGTRAY_REDIS_URL": redis_url}
    with world(base / "home", **variables) as created:
        if database is not None:
            inside.upgrade(created)
        yield created
    if database is not None:
        database.__exit__(None, None, None)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def laptop(home: Path) -> Iterator[World]:
    """A fresh world with nothing set."""
    with world(home / "home") as created:
        yield created
