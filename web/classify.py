"""An upload's way to its answer: known contents at once, others as images that a worker takes first."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from anyio import to_thread
from sqlalchemy import Connection

from tagtray.config.errors import ImageCode, ImageError, InfrastructureError
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.access.transactions import read
from tagtray.db.ledger import Ledger
from tagtray.db.places.roots import RootFolder
from tagtray.db.reading import answers
from tagtray.db.reading.answers import Ended, Result
from tagtray.db.records import SeenFile, stored_ns
from tagtray.db.registration import RegisteredFile
from tagtray.db.tables import ON_THEIR_WAY, Status
from tagtray.imaging import foreign, sniff
from tagtray.jobs import refusals
from tagtray.jobs.feed import FeederLoop
from tagtray.web import problems, schemas, tags
from tagtray.web.batches import Batches
from tagtray.web.live import Live
from tagtray.web.problems import Problem
from tagtray.web.receiving import Upload
from tagtray.web.vocabulary import Words

#: Folder in that of the uploads, hidden from scans, in which files arrive; seconds after which what a server
#: that was killed has left there is removed.
ARRIVING, LEFT_SECONDS = ".arriving", 3600.0
#: Seconds for which it is believed whether a worker lives.
WORKERS_SECONDS = 1.0
#: Seconds after which a client may ask again for what was not ready.
RETRY_SECONDS = 5.0

_SUFFIXES = {"JPEG": ".jpg", "JPEG2000": ".jp2", "HEIF": ".heic"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a content shows, the best first."""

    results: Sequence[Result]
    tags: Sequence[schemas.Tag]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a photo shows; ``image_id`` is None where no file of it is there any more."""

    sha256: str
    image_id: int | None
    shown: Shown
    cached: bool


@dataclass(frozen=True, slots=True)
class _Accepted:
    """An upload that is an image now; ``error`` says why it could not be queued yet."""

    image_id: int
    error: InfrastructureError | None


class Classifier:
    """Takes uploads for one server."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        root: RootFolder,
        live: Live,
        feeder: FeederLoop,
        words: Words,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._live = live
        self._feeder = feeder
        self._words = words
        self._root = root
        self._accepting = Batches(self._accept)
        self._answering = Batches(self._answers)
        self._looked_at = -WORKERS_SECONDS
        self._workers = 0
        _clear(self.arriving)

    @property
    def arriving(self) -> Path:
        """Where files are received."""
        return Path(os.fsdecode(self._root.path)) / ARRIVING

    async def classify(self, upload: Upload) -> Answer:
        """What an upload shows.

        Raises Problem: 422 where it is no image that can be read, 503 where nobody can classify it now, 504
        where that takes too long; in the last two cases the work goes on, and the problem names the image.
        """
        _check(upload)
        accepted = await self._accepting.do(upload)
        if isinstance(accepted, Answer):
            return accepted
        more = {"image": accepted.image_id, "sha256": upload.sha256}
        if accepted.error:
            kept = f"{accepted.error} The photo is kept and classified later."
            raise Problem(503, "store_away", kept, retry_after=RETRY_SECONDS, **more)
        if not await self._has_workers():
            sentence = "No worker runs; the photo is kept and classified as soon as one does."
            raise Problem(503, "no_worker", sentence, retry_after=RETRY_SECONDS, **more)
        return await self._wait(accepted.image_id, more)

    async def drain(self) -> None:
        """Return when what was received is registered."""
        await self._accepting.drain()

    async def _wait(self, image_id: int, more: dict[str, object]) -> Answer:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.upload_wait):
                while True:
                    await self._live.ended(image_id)
                    answer = await self._answering.do(image_id)
                    if answer is not None:
                        return _raised(answer, more)
        sentence = f"The photo was not classified within {self._settings.upload_wait:g} s; the work goes on."
        raise Problem(504, "not_ready", sentence, retry_after=RETRY_SECONDS, **more)

    async def _has_workers(self) -> bool:
        if self._is_outdated():
            await to_thread.run_sync(self.count_workers)
        return self._workers > 0

    def _is_outdated(self) -> bool:
        return time.monotonic() > self._looked_at + WORKERS_SECONDS

    def count_workers(self) -> int:
        """How many workers live, as of a second ago at most."""
        if self._is_outdated():
            self._workers = workers.count(self._ledger.engine)
            self._looked_at = time.monotonic()
        return self._workers

    def _accept(self, received: Sequence[Upload]) -> list[Answer | _Accepted]:
        """Answer what is known; make images of the others and put them before all that waits."""
        known = self._known({upload.sha256 for upload in received})
        fresh = {upload.sha256: upload for upload in received if upload.sha256 not in known}
        names = {sha256: _name(upload) for sha256, upload in fresh.items()}
        there = self._ledger.lookup(self._root.id, list(names.values())) if names else {}
        if ended := {sha256 for sha256, name in names.items() if _is_done(there.get(name))}:
            # Since the look at what is known: it would be classified twice.
            known |= self._known(ended)
            fresh = {sha256: upload for sha256, upload in fresh.items() if sha256 not in known}
        ids = self._register(fresh, there) if fresh else {}
        error = self._enqueue(list(ids.values())) if ids else None
        return [known.get(u.sha256) or _Accepted(ids[u.sha256], error) for u in received]

    def _known(self, hashes: set[str]) -> dict[str, Answer]:
        def work(connection: Connection) -> tuple[dict[str, int], Mapping[int, Shown], dict[int, int]]:
            contents = answers.classified(connection, hashes)
            found = self._results(connection, contents.values())
            return contents, found, answers.images(connection, found) if found else {}

        contents, found, images = read(self._ledger.engine, work)
        return {
            sha256: Answer(sha256, images.get(content_id), found[content_id], cached=True)
            for sha256, content_id in contents.items()
            if content_id in found
        }

    def _register(self, fresh: dict[str, Upload], there: Mapping[bytes, RegisteredFile]) -> dict[str, int]:
        """The ids of the images that uploads become, by SHA-256; those that are on their way stay so."""
        names = {sha256: _name(upload) for sha256, upload in fresh.items()}
        waiting = {name: row.id for name, row in there.items() if row.status in ON_THEIR_WAY}
        try:
            files = [
                self._place(fresh[sha256], name) for sha256, name in names.items() if name not in waiting
            ]
        except OSError as error:
            raise InfrastructureError(f"Uploads cannot be stored: {error.strerror}.") from None
        again = [file.path for file in files if file.path in there]
        ids = self._ledger.register(self._root.id, files, again).ids if files else {}
        return {sha256: waiting.get(name) or ids[name] for sha256, name in names.items()}

    def _place(self, upload: Upload, name: bytes) -> SeenFile:
        path = os.path.join(self._root.path, name)
        # One that is there may just be read: it has the same bytes, and must not change under the reader.
        if not os.path.exists(path):
            os.rename(upload.path, path)
        info = os.stat(path)
        times = stored_ns(info.st_mtime_ns), stored_ns(info.st_ctime_ns)
        return SeenFile(name, info.st_size, *times, inode=None)

    def _enqueue(self, image_ids: Sequence[int]) -> InfrastructureError | None:
        """Why images could not be queued; they are in the ledger, and a feeder takes them later."""
        try:
            self._feeder.enqueue(image_ids)
        except (redis.RedisError, InfrastructureError) as error:
            return refusals.explained(error, self._settings.redis_url)
        return None

    def _answers(self, image_ids: Sequence[int]) -> list[Answer | Problem | None]:
        """What became of images; None for those that have not ended."""

        def work(connection: Connection) -> tuple[dict[int, Ended], Mapping[int, Shown]]:
            states = answers.states(connection, image_ids)
            contents = [state.content_id for state in states.values() if state.content_id]
            return states, self._results(connection, contents)

        states, found = read(self._ledger.engine, work)
        return [_answer(image_id, states.get(image_id), found) for image_id in image_ids]

    def _results(self, connection: Connection, content_ids: Collection[int]) -> dict[int, Shown]:
        """What contents show; those that the current model has not classified are left out."""
        if not content_ids:
            return {}
        summary = self._words.summary(connection)
        found = answers.results(connection, content_ids)
        return {
            content_id: Shown(one.results, tags.tags(one.tags, summary)) for content_id, one in found.items()
        }


def _is_done(row: RegisteredFile | None) -> bool:
    return row is not None and row.status == Status.DONE


def _check(upload: Upload) -> None:
    """Raise Problem (422) for what is no image by its first bytes."""
    if not upload.size:
        raise problems.unreadable(ImageError(ImageCode.EMPTY, "The file is empty."))
    if sniff.sniff(upload.head) is None:
        raise problems.unreadable(foreign.refusal(upload.head))


def _name(upload: Upload) -> bytes:
    """The name that an upload is stored under: of its content alone, and without anything like a date."""
    kind = sniff.sniff(upload.head) or ""
    digest = base64.b32encode(bytes.fromhex(upload.sha256)).rstrip(b"=").lower()
    return digest + _SUFFIXES.get(kind, f".{kind.lower()}").encode()


def _answer(image_id: int, ended: Ended | None, found: Mapping[int, Shown]) -> Answer | Problem | None:
    if ended is None or ended.status in (Status.MISSING, Status.IGNORED):
        return Problem(503, "gone", "The photo's file went away before it was classified.", retry_after=0)
    if ended.status == Status.FAILED:
        code = ended.error_code or ImageCode.CORRUPT
        return Problem(422, code, ended.error_message or "The photo cannot be read.")
    if ended.status != Status.DONE or ended.content_id is None or ended.content_id not in found:
        return None
    return Answer(ended.sha256 or "", image_id, found[ended.content_id], cached=False)


def _raised(answer: Answer | Problem, more: Mapping[str, object]) -> Answer:
    if isinstance(answer, Problem):
        answer.more = {**more, **answer.more}
        raise answer
    return answer


def _clear(folder: Path) -> None:
    """Remove what a server that was killed has left."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.stat().st_mtime < time.time() - LEFT_SECONDS:
                os.unlink(entry)
