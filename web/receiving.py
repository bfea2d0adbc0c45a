"""From a request's body to files: streamed to disk, hashed on the way, and never held in memory."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from tagtray.config.settings import Settings
from tagtray.imaging import sniff
from tagtray.web.problems import Problem

#: The field of a form that holds photos, and photos of a request at most.
FIELD, MAX_FILES = "file", 32
#: Bytes of a form beside its photos at most: further fields and headers of parts.
MAX_OVERHEAD = 2**16
#: A body that after so many seconds came with less than so many bytes a second is given up.
PATIENT_SECONDS, LEAST_RATE = 10.0, 10_000
#: Seconds, and bytes, for which what is left of a refused body is read and thrown away: a client that still
#: sends would not read the answer. One that has sent nothing for the seconds of silence waits for it.
DRAIN_SECONDS, DRAIN_BYTES, SILENCE_SECONDS = 2.0, 2**28, 0.1


@dataclass(slots=True)
class Upload:
    """A file that was received: its bytes are at ``path`` until ``discard``; ``head`` are the first ones."""

    path: Path
    size: int = 0
    head: bytes = b""
    sha256: str = ""
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, file: BinaryIO, data: bytes, limit: int) -> None:
        """Write further bytes; raises Problem (413) beyond ``limit``."""
        self.size += len(data)
        if self.size > limit:
            raise _too_large(limit)
        if len(self.head) < sniff.HEAD_BYTES:
            self.head += data[: sniff.HEAD_BYTES - len(self.head)]
        self._hash.update(data)
        file.write(data)

    def end(self) -> None:
        """All bytes are there."""
        self.sha256 = self._hash.hexdigest()

    def discard(self) -> None:
        """Remove the file, unless it was moved away."""
        self.path.unlink(missing_ok=True)


class Receiver:
    """Receives the files of one request into ``folder``; a context manager that leaves none there."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._limit = settings.upload_max_bytes
        self._seconds = settings.upload_timeout
        self._folder = folder
        self._file: BinaryIO | None = None
        self.uploads: list[Upload] = []

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        for upload in self.uploads:
            upload.discard()

    async def receive(self, request: Request) -> list[Upload]:
        """The files of a request, at least one.

        Raises Problem: 400 (no file, a broken form), 408 (too slow), 413, 507 (the disk is full).
        """
        body = _Body(request)
        try:
            async with asyncio.timeout(self._seconds):
                await self._receive(request, body)
        except TimeoutError:
            raise Problem(408, "too_slow", "The files did not arrive in time.") from None
        except ClientDisconnect:
            raise Problem(400, "broken", "The connection ended before the files were there.") from None
        except Problem as problem:
            if problem.status_code != 408:
                await body.drain()
            raise
        except OSError as error:
            await body.drain()
            raise _unwritten(error) from None
        if not self.uploads:
            raise Problem(400, "no_file", f"The request has no file; a form has it in the field {FIELD}.")
        return self.uploads

    async def _receive(self, request: Request, body: _Body) -> None:
        kind, options = parse_options_header(request.headers.get("content-type"))
        if kind == b"multipart/form-data":
            await self._receive_form(body, options.get(b"boundary", b""))
        elif kind == b"application/x-www-form-urlencoded":
            raise Problem(415, "no_file", "A form with files is multipart/form-data.")
        else:
            self._refuse_length(request)
            self.begin()
            async for data in body:
                self.add(data)
            self.end()
            if not self.uploads[0].size:
                raise Problem(400, "no_file", "The request has no body and so no file.")

    def _refuse_length(self, request: Request) -> None:
        """Raise Problem (413) for a file whose length says that it is too large, before it is sent."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limit:
            raise _too_large(self._limit)

    async def _receive_form(self, body: _Body, boundary: bytes) -> None:
        form = _Form(self)
        try:
            parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
            async for data in body:
                parser.write(data)
                if body.received - sum(upload.size for upload in self.uploads) > MAX_OVERHEAD:
                    raise Problem(413, "too_large", f"The form has more than photos in the field {FIELD}.")
            parser.finalize()
        except FormParserError:
            raise _broken() from None
        if not form.ended:
            raise _broken()

    def begin(self) -> None:
        """A file begins."""
        if len(self.uploads) >= MAX_FILES:
            raise Problem(413, "too_many", f"A request has {MAX_FILES} files at most.")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        upload = Upload(self._folder / secrets.token_hex(16))
        self.uploads.append(upload)
        self._file = upload.path.open("xb")

    def add(self, data: bytes) -> None:
        """Further bytes of the file."""
        assert self._file is not None
        self.uploads[-1].add(self._file, data, self._limit)

    def end(self) -> None:
        """The file is whole."""
        assert self._file is not None
        self._file.close()
        self._file = None
        self.uploads[-1].end()


class _Body:
    """The pieces of a body as they arrive; raises Problem (408) where they come too slowly."""

    def __init__(self, request: Request) -> None:
        self._pieces = request.stream()
        self._began = time.monotonic()
        self.received = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._next()) is not None:
            self.received += len(piece)
            if piece:
                yield piece

    async def _next(self) -> bytes | None:
        spent = time.monotonic() - self._began
        allowed = PATIENT_SECONDS + self.received / LEAST_RATE - spent
        try:
            async with asyncio.timeout(max(0.0, allowed)):
                return await anext(self._pieces, None)
        except TimeoutError:
            raise Problem(408, "too_slow", "The files arrive too slowly.") from None

    async def drain(self) -> None:
        """Read on for a moment and forget what comes, so that the client gets to read the answer."""
        drained, until = 0, time.monotonic() + DRAIN_SECONDS
        with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
            while drained < DRAIN_BYTES and time.monotonic() < until:
                async with asyncio.timeout(SILENCE_SECONDS):
                    piece = await anext(self._pieces, None)
                if piece is None:
                    return
                drained += len(piece)


class _Form:
    """The parts of a form on their way into a receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._name = self._value = b""
        self._is_file = False
        self.ended = False

    def callbacks(self) -> dict[str, object]:
        """As the parser of forms calls them."""
        return {
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_begin": self._part_begin,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._name = self._value = b""
        self._is_file = False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._is_file = parse_options_header(self._value)[1].get(b"name") == FIELD.encode()
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        if self._is_file:
            self._receiver.begin()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._receiver.add(data[start:end])

    def _part_end(self) -> None:
        if self._is_file:
            self._receiver.end()

    def _end(self) -> None:
        self.ended = True


def _too_large(limit: int) -> Problem:
    sentence = f"The file has more than {limit:,} bytes, which are the most (TAGTRAY_UPLOAD_MAX_BYTES)."
    return Problem(413, "too_large", sentence)


def _broken() -> Problem:
    return Problem(400, "broken", "The form is broken: it is no multipart/form-data, or its end is missing.")


def _unwritten(error: OSError) -> Problem:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "the disk is full" if full else error.strerror or os.strerror(error.errno or 0)
    return Problem(507 if full else 503, "no_room", f"Uploads cannot be stored: {reason}.", retry_after=60)
