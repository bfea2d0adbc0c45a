"""The processes that make thumbnails: a few, started when needed, replaced when one dies over an image."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from typing import Any

from tagtray.config import subprocesses
from tagtray.config.errors import ImageCode, ImageError, ImageGone
from tagtray.config.settings import Settings
from tagtray.imaging.thumbnail import Box
from tagtray.imaging.thumbnailer import AWAY, GONE, READY
from tagtray.web.problems import Problem

#: Processes at most, and bytes that each may allocate.
PROCESSES, MEMORY = 4, 2 * 2**30
#: Tasks that wait at most; the latest is done first, for it is what somebody looks at now.
MOST_WAITING = 256
#: Bytes of a thumbnail at most.
MAX_BYTES = 4 * 2**20

#: Seconds that a process may take to start.
START_SECONDS = 30.0

_MODULE = "tagtray.imaging.thumbnailer"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP, and the SHA-256 of the file that it shows."""

    data: bytes
    sha256: str


class _Died(Exception):
    """A process has ended without an answer."""


class Thumbnailers:
    """Belongs to the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = min(PROCESSES, len(os.sched_getaffinity(0)))
        self._idle: list[Process] = []
        self._waiting: list[asyncio.Future[None]] = []

    async def make(self, root: bytes, path: bytes, box: Box) -> Thumbnail:
        """The thumbnail of a file of a root.

        Raises ImageError, ImageGone, or Problem (503) where too much waits or the file cannot be read now.
        """
        await self._turn()
        try:
            return await self._make(root, path, box)
        finally:
            self._free += 1
            while self._waiting and self._free:
                self._next()

    async def stop(self) -> None:
        """End the processes."""
        for process in self._idle:
            await _end(process)
        self._idle.clear()

    async def _turn(self) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= MOST_WAITING:
            raise Problem(503, "busy", "Too many thumbnails are being made just now.", retry_after=1)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        turn = self._waiting.pop()
        if not turn.done():
            self._free -= 1
            turn.set_result(None)

    async def _make(self, root: bytes, path: bytes, box: Box) -> Thumbnail:
        settings, seconds = self._settings, self._settings.read_timeout + self._settings.image_timeout
        task = {
            "root": root.hex(),
            "path": path.hex(),
            "box": [box.width, box.height],
            "seconds": seconds,
            "max_bytes": settings.max_bytes,
            "max_pixels": settings.max_pixels,
        }
        # One that waited may have died of something else: the image is to blame for a fresh one alone.
        while self._idle:
            with contextlib.suppress(_Died):
                return _thumbnail(*await self._ask(self._idle.pop(), task))
        try:
            return _thumbnail(*await self._ask(await _start(), task))
        except _Died:
            raise ImageError(ImageCode.CRASHED_WORKER, "The image's decoder crashed.") from None

    async def _ask(self, process: Process, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer of a process, which waits for the next task then; raises _Died, ImageError (timeout)."""
        seconds = task["seconds"]
        try:
            async with asyncio.timeout(seconds):
                answer = await _asked(process, task)
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError):
                sentence = f"The image was not decoded within {seconds:g} s."
                raise ImageError(ImageCode.TIMEOUT, sentence) from None
            if isinstance(error, (asyncio.IncompleteReadError, OSError)):
                raise _Died from None
            raise
        self._idle.append(process)
        return answer


def _thumbnail(answer: dict[str, Any], data: bytes) -> Thumbnail:
    code, message = answer.get("code"), answer.get("message", "")
    if code is None:
        return Thumbnail(data, answer["sha256"])
    if code == GONE:
        raise ImageGone(message)
    if code == AWAY:
        raise Problem(503, "unreadable", message, retry_after=5)
    raise ImageError(ImageCode(code), message)


async def _start() -> Process:
    """A process that has imported all it needs; raises Problem (503) where none can be had."""
    command = subprocesses.command(_MODULE, str(MEMORY))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
    assert process.stdout
    try:
        async with asyncio.timeout(START_SECONDS):
            await process.stdout.readexactly(len(READY))
    except BaseException as error:
        await _end(process)
        if isinstance(error, (TimeoutError, asyncio.IncompleteReadError)):
            raise Problem(503, "busy", "No thumbnail can be made just now.", retry_after=5) from None
        raise
    return process


async def _asked(process: Process, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps(task).encode() + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readuntil(b"\n")
    answer = json.loads(line)
    count = answer.get("bytes", 0)
    if count > MAX_BYTES:
        raise OSError("The thumbnail is too large.")
    return answer, await process.stdout.readexactly(count)


async def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
