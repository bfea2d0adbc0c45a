"""Fixtures of every layer; a server starts with the first test that asks for it, once per session."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from redis import Redis
from sqlalchemy import make_url

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.jobs.embedded_redis import server
from tests import builders
from tools import servers

# How long an example takes depends on the machine and on what else it does.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c() -> None:
    """Ctrl-C reaches what the tests start, also where a shell began them in its background, without it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith(configuration.PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def home() -> Iterator[Path]:
    """A TAGTRAY_HOME with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="tagtray-home-"))
    yield folder
    server.release(folder)
    shutil.rmtree(folder, ignore_errors=True)  # a server that is just stopping removes its socket itself


@pytest.fixture
def settings(home: Path) -> configuration.Settings:
    """Defaults on a home of its own: SQLite and the embedded Redis."""
    return configuration.load(home=home)


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    with servers.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    """URL of a fresh, empty PostgreSQL database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres: servers.Postgres) -> Iterator[str]:
    """Name of a database with the ledger that ``builders.ledger`` makes, to be copied."""
    with postgres.database() as url, tempfile.TemporaryDirectory() as home:
        with builders.ledger(builders.settings_for(Path(home), url)):
            pass
        yield make_url(url).database or ""


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """URL of a fresh database: the test runs once on each kind.

    It is empty, or already what the fixture ``ledger`` makes of it, where the test asks for that one.
    """
    if request.param == "sqlite":
        yield f"sqlite:///{home / 'tagtray.db'}"
    elif "ledger" in request.fixturenames:
        template = request.getfixturevalue("postgres_template")
        with request.getfixturevalue("postgres").database(template) as url:
            yield url
    else:
        yield request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with servers.redis_server() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """URL of an empty Redis, as a user would set it."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of that Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def host(home: Path, ledger_url: str) -> Settings:
    """Settings of the ledger that the test works on; a file may have others of this name."""
    return builders.settings_for(home, ledger_url)


@pytest.fixture
def ledger(host: Settings) -> Iterator[Ledger]:
    """A migrated ledger with the small model of ``tests.builders``."""
    with builders.ledger(host) as ledger:
        yield ledger


@pytest.fixture
def root(ledger: Ledger, host: Settings) -> int:
    """Id of a root in it."""
    return builders.root(ledger, host).id
