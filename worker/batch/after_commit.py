"""What users want done with the results of each batch; what fails there is logged, and no image's fault."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Engine

from tagtray.config import logs
from tagtray.config.errors import TagtrayError
from tagtray.config.settings import Settings
from tagtray.db import own_tags
from tagtray.db.access.transactions import read
from tagtray.db.places import roots
from tagtray.db.records import Done
from tagtray.exchange import lines
from tagtray.exchange.catalogue import Catalogue
from tagtray.exchange.records import Records
from tagtray.exchange.tagging import Tagger
from tagtray.worker.batch.batch import CommittedBatch, Hook

#: Seconds that the user's command is given for a batch; its worker waits for it.
COMMAND_SECONDS = 60.0
#: Seconds between log lines about sidecars that cannot be written for the same reason.
LOG_INTERVAL = 60.0

log = logging.getLogger(__name__)

Made = TypeVar("Made")


def hooks(settings: Settings, engine: Engine) -> list[Hook]:
    """Those that the settings ask for: TAGTRAY_XMP, TAGTRAY_ON_DONE."""
    wanted: list[Hook] = []
    if settings.xmp:
        wanted.append(_hook("sidecars_failed", KeepSidecars(settings, engine)))
    if settings.on_done:
        wanted.append(_hook("on_done_failed", TellCommand(settings, engine, settings.on_done)))
    return wanted


def _hook(event: str, work: Callable[[Sequence[int]], None]) -> Hook:
    """A hook that is told the ids of the images that are done."""

    def hook(batch: CommittedBatch) -> None:
        done = [outcome.image_id for outcome in batch.outcomes if isinstance(outcome, Done)]
        try:
            if done:
                work(done)
        except TagtrayError as error:
            logs.event(log, logging.WARNING, event, "{error}", error=error)

    return hook


class _OfWords(Generic[Made]):
    """What is made of the words of a model: a worker has one for as long as it lives, but own tags change."""

    def __init__(self, engine: Engine, make: Callable[[], Made]) -> None:
        self._engine = engine
        self._make = make
        self._made: tuple[object, Made] | None = None

    def get(self) -> Made:
        """What was made, of the own tags as they are now; raises InfrastructureError."""
        taught = read(self._engine, own_tags.stamp)
        if self._made is None or self._made[0] != taught:
            self._made = taught, self._make()
        return self._made[1]


class KeepSidecars:
    """Keywords into the XMP files beside the photos."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._tagger = _OfWords(engine, lambda: Tagger(engine))
        self._throttle = logs.Throttle(LOG_INTERVAL)

    def __call__(self, image_ids: Sequence[int]) -> None:
        """Bring the sidecars of these images to what was found; raises InfrastructureError."""
        folders = roots.everywhere(self._engine, self._settings)
        for report in self._tagger.get().write_sidecars(folders, image_ids):
            for file, reason in report.refusals:
                if self._throttle.is_due(reason):
                    logs.event(
                        log, logging.WARNING, "sidecar_kept", "{file} {reason}.", file=file, reason=reason
                    )


class TellCommand:
    """Results into the standard input of the user's command, which is started for each batch."""

    def __init__(self, settings: Settings, engine: Engine, command: str) -> None:
        self._settings = settings
        self._engine = engine
        self._command = command
        self._catalogue = _OfWords(engine, lambda: read(engine, Catalogue.load))

    def __call__(self, image_ids: Sequence[int]) -> None:
        """Start the command and wait for its end; raises InfrastructureError."""
        catalogue = self._catalogue.get()
        folders = roots.everywhere(self._engine, self._settings)
        found = read(
            self._engine,
            lambda connection: Records(connection, folders, catalogue=catalogue).page(image_ids),
        )
        reason = _run(self._command, b"".join(map(lines.text, found)))
        if reason:
            sentence = "TAGTRAY_ON_DONE: the command {reason}; the results of {images} images are stored."
            logs.event(log, logging.WARNING, "on_done_failed", sentence, reason=reason, images=len(image_ids))


def _run(command: str, data: bytes) -> str | None:
    """Why the command failed, None where it did not."""
    # What it prints joins the log; Ctrl-C is for tagtray, which lets it finish the batch.
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=2, start_new_session=True)
    try:
        process.communicate(data, COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"did not end within {COMMAND_SECONDS:.0f} s and was killed"
    return f"ended with {process.returncode}" if process.returncode else None
