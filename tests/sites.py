"""The web application on a port of its own, over a small ledger, for tests."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tagtray.config import settings as configuration
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder
from tagtray.jobs.embedded_redis import server as redis_server
from tagtray.web import application, binding
from tagtray.web import server as servers
from tests import builders
from tests.stub_worker import StubWorker, working
from tests.waiting import wait_for

#: Seconds for which a request is waited for.
TIMEOUT = 60.0


@dataclass(frozen=True)
class Site:
    """A server, a client of it, and what is behind it; ``worker`` is a stub."""

    settings: Settings
    ledger: Ledger
    client: httpx.Client
    address: tuple[str, int]
    worker: StubWorker | None

    @property
    def url(self) -> str:
        """Of the first page, without the slash."""
        return str(self.client.base_url).rstrip("/")

    @property
    def root(self) -> RootFolder:
        """The root ``photos``, which the site begins with."""
        return roots.named(self.ledger.engine, self.settings, "photos")

    def add(self, files: dict[str, bytes]) -> list[int]:
        """Put files into the root ``photos`` and have them classified; their ids."""
        for name, data in files.items():
            (self.settings.home / "photos" / name).write_bytes(data)
        seen = [builders.seen(name, len(data)) for name, data in files.items()]
        found = self.ledger.register(self.root.id, seen).ids
        ids = [found[name.encode()] for name in files]
        wait_for(lambda: {*builders.status(self.ledger, *ids)} <= {"done", "failed"})
        return ids

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self.address, timeout=TIMEOUT)


@contextlib.contextmanager
def site(works: bool = True, **options: Any) -> Iterator[Site]:
    """A site with the small model of ``tests.builders``; ``works``: with a worker."""
    home = Path(tempfile.mkdtemp(prefix="tagtray-site-"))
    settings = configuration.load(home=home, port=0, **options)
    try:
        with builders.ledger(settings) as ledger, contextlib.ExitStack() as stack:
            builders.root(ledger, settings)
            worker = stack.enter_context(working(settings, ledger)) if works else None
            bound = stack.enter_context(binding.bind(settings, no_auth=True))
            stack.enter_context(_served(settings, ledger, bound))
            client = httpx.Client(base_url=binding.address(bound), timeout=TIMEOUT, trust_env=False)
            stack.enter_context(client)
            yield Site(settings, ledger, client, bound.getsockname()[:2], worker)
    finally:
        redis_server.release(home)
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _served(settings: Settings, ledger: Ledger, bound: socket.socket) -> Iterator[None]:
    server = servers.server(application.create(settings, ledger.engine))
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
