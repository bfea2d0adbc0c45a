"""``python -m tests.chaos.outage redis --seconds 120``: a store goes away in mid-run and comes back.

``redis`` comes back empty; ``postgresql`` comes back with what it had committed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from tagtray.config import settings as configuration
from tagtray.config import subprocesses
from tagtray.db import invariants
from tagtray.db.access import engine
from tagtray.db.tables import Classification, Image, Status
from tagtray.jobs.embedded_redis import server
from tests.chaos import members
from tests.chaos.photos import made_photos
from tools import servers

#: Share of the images done when the store goes.
MOMENT = 0.3


def main() -> int:
    """Run once with the outage; exit code 1 if an image was lost or an invariant broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    parser.add_argument("store", choices=("redis", "postgresql"))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args()
    with made_photos(options.images) as photos, tempfile.TemporaryDirectory(prefix="outage-") as home:
        return _play(options.store, options.seconds, photos, Path(home))


class RedisOutage:
    """A Redis of its own that is killed and started again empty."""

    database: str | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "own.sock"
        self.environment = {"TAGTRAY_REDIS_URL": f"unix://{self._socket}"}
        self.come_back()

    def go(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def come_back(self) -> None:
        """Start it, empty; return when it answers."""
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        command = [str(server.executable()), *options]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        patient = Retry(ConstantBackoff(0.05), retries=1000)
        with Redis(unix_socket_path=str(self._socket), retry=patient) as client:
            client.ping()


class PostgresOutage:
    """A database that drops all connections and takes none."""

    def __init__(self, server: servers.Postgres, url: str) -> None:
        self._server = server
        self._name = url.partition("@/")[2].partition("?")[0]
        self.database: str | None = url
        self.environment = {"TAGTRAY_DATABASE_URL": url}

    def go(self) -> None:
        """Refuse new connections and end those there are, in mid-transaction."""
        self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._server.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
        )

    def come_back(self) -> None:
        """Take connections again."""
        self._server.execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")


@contextlib.contextmanager
def _outage(store: str, home: Path) -> Iterator[RedisOutage | PostgresOutage]:
    if store == "redis":
        server = RedisOutage(home)
        yield server
        server.go()
    else:
        with servers.postgres() as postgres, postgres.database() as url:
            yield PostgresOutage(postgres, url)


def _play(store: str, seconds: float, photos: Path, home: Path) -> int:
    with _outage(store, home) as outage:
        environment = members.environment(home) | outage.environment
        _tagtray(environment, home, "db", "upgrade").wait()
        run = _tagtray(environment, home, "run", str(photos))
        ledger = engine.connect(configuration.load(home=home, database_url=outage.database))
        total = len(list(photos.iterdir()))
        _until(lambda: _done(ledger) >= total * MOMENT, run)
        outage.go()
        time.sleep(seconds)
        outage.come_back()
        back, before = time.monotonic(), _done(ledger)
        _until(lambda: _done(ledger) > before, run)
        recovered = time.monotonic() - back
        return _report(ledger, home, total, run.wait(), recovered)


def _tagtray(environment: Mapping[str, str], home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (home / "outage.log").open("ab") as log:
        return subprocess.Popen(
            subprocesses.command("tagtray", *arguments),
            env=os.environ | environment | {"TAGTRAY_LOG_LEVEL": "INFO"},
            stdout=log,
            stderr=log,
        )


def _until(condition: Callable[[], bool], run: subprocess.Popen[bytes]) -> None:
    while run.poll() is None and not condition():
        time.sleep(0.1)


def _done(ledger: Engine) -> int:
    query = select(func.count()).where(Image.status == Status.DONE)
    try:
        with ledger.connect() as connection:
            return connection.scalar(query) or 0
    except DBAPIError:
        return 0


def _report(ledger: Engine, home: Path, total: int, code: int, recovered: float) -> int:
    log = (home / "outage.log").read_bytes()
    with ledger.connect() as connection:
        unique = connection.scalar(select(func.count()).select_from(Classification)) or 0
    lost = total - _done(ledger)
    broken = sum(finding.rows for finding in invariants.check(ledger))
    extra = members.forward_passes(home / "outage.log") - unique
    lines = sum(log.count(event) for event in (b"feeder_waits", b"worker_waits", b"producer_waits"))
    print(
        f"exit code {code}; lost {lost}, rules {broken}, extra forward passes {extra}; "
        f"first result {recovered:.1f} s after the return; {lines} log lines about the outage"
    )
    return 1 if code or lost or broken else 0


if __name__ == "__main__":
    sys.exit(main())
