"""Requests with photos, so many at a time, over connections that stay open; and how long each took."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_BOUNDARY = b"tagtray-benchmark"


@dataclass(frozen=True, slots=True)
class Load:
    """Milliseconds of each request, the statuses of the answers, seconds in all."""

    milliseconds: Sequence[float]
    statuses: Sequence[int]
    seconds: float

    def figures(self) -> dict[str, Any]:
        """What is reported."""
        cuts = statistics.quantiles(self.milliseconds, n=100)
        return {
            "requests": len(self.statuses),
            "succeeded": sum(status == 200 for status in self.statuses),
            "per_second": round(len(self.statuses) / self.seconds, 1),
            "p50_ms": round(cuts[49], 1),
            "p95_ms": round(cuts[94], 1),
            "p99_ms": round(cuts[98], 1),
        }


def send(port: int, photos: Sequence[bytes], concurrency: int) -> Load:
    """POST each photo to /predict once."""
    return asyncio.run(_send(port, photos, concurrency))


def form(photo: bytes) -> bytes:
    """The whole request that sends a photo."""
    body = (
        b"--" + _BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + photo + b"\r\n--" + _BOUNDARY + b"--\r\n"
    )
    head = (
        b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary="
        + _BOUNDARY
        + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    return head + body


async def _send(port: int, photos: Sequence[bytes], concurrency: int) -> Load:
    waiting, found = iter(photos), list[tuple[float, int]]()
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, waiting, found) for _ in range(concurrency)))
    seconds = time.perf_counter() - began
    return Load([spent for spent, _ in found], [status for _, status in found], seconds)


async def _client(port: int, waiting: Any, found: list[tuple[float, int]]) -> None:
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    for photo in waiting:
        began = time.perf_counter()
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        writer.write(form(photo))
        status, stays = await _answer(reader)
        found.append((1000 * (time.perf_counter() - began), status))
        if not stays:
            writer.close()
            connection = None
    if connection is not None:
        connection[1].close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """The status, and whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    status = int(head.split(b" ")[1])
    if status == 200:
        assert json.loads(body)["results"]
    return status, head.startswith(b"http/1.1") and b"connection: close" not in head
