"""The server's memory is bounded, whatever is sent and however slowly."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tagtray.config import settings as configuration
from tests import builders, sites
from tests.acceptance.world import page_of, world
from tests.waiting import wait_for

MB = 2**20
#: Bytes that the server may take more than it has when idle: a few buffers of its connections.
ROOM = 40 * MB
SLOW = 50

#: A client of a server, and the server.
Served = tuple[httpx.Client, psutil.Process]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server without workers in a process of its own, whose memory is its own as well."""
    home = tmp_path_factory.mktemp("served")
    with builders.ledger(configuration.load(home=home)), world(home) as own:
        serve = own.start("serve", "--port", "0", TAGTRAY_LOG_LEVEL="WARNING")
        limits = httpx.Limits(max_keepalive_connections=0)  # a connection may be cut off
        with httpx.Client(
            base_url=page_of(serve), timeout=sites.TIMEOUT, limits=limits, trust_env=False
        ) as client:
            wait_for(lambda: client.get("/healthz").status_code == 200, serve)
            client.post("/predict", files={"file": builders.jpeg()})
            yield client, psutil.Process(serve.pid)
        serve.terminate()
        serve.communicate()


def _peak(process: psutil.Process) -> int:
    """Bytes that the process has held at most (proc(5), VmHWM)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.parametrize("form", [True, False], ids=["in a form", "alone"])
def test_a_body_of_200_mb_is_refused_in_little_memory(served: Served, form: bool) -> None:
    client, process = served
    before = process.memory_info().rss

    def body() -> Iterator[bytes]:
        if form:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield builders.jpeg()
        for _ in range(200):
            yield bytes(MB)

    kind = "multipart/form-data; boundary=x" if form else "image/jpeg"
    with contextlib.suppress(httpx.NetworkError, httpx.RemoteProtocolError):  # it may be cut off as it sends
        answer = client.post("/predict", content=body(), headers={"content-type": kind})
        assert answer.status_code == 413

    assert _peak(process) - before < ROOM
    assert client.get("/healthz").status_code == 200


def test_fifty_slow_clients_cost_little_memory_and_keep_nobody_out(
    served: Served,
) -> None:
    client, process = served
    before = process.memory_info().rss
    port = client.base_url.port
    connections = []
    for number in range(SLOW):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 19000000\r\n\r\n" + builders.jpeg(number % 256)
        )
        connection.sendall(bytes(MB))
        connections.append(connection)
    try:
        answer = client.post("/predict", files={"file": builders.jpeg(77)})
        assert answer.status_code == 503  # no worker: it was taken
        assert answer.json()["image"]
        assert client.get("/api/images").status_code == 200
    finally:
        for connection in connections:
            connection.close()

    assert _peak(process) - before < ROOM
