"""A whole run, timed on a throwaway home, and the upper bound of the same files: decode and forward alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tagtray.config import isolation, subprocesses
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import ROOT_PREFIX, Settings
from tagtray.config.text import shown
from tagtray.db.access import engine
from tagtray.db.reading import run_stats
from tagtray.jobs.embedded_redis import server
from tagtray.producer import scope
from tagtray.weights.store import ModelStore
from tagtray.worker.engines import selection
from tagtray.worker.measure import ceiling, pool
from tagtray.worker.supervision import resources
from tagtray.worker.supervision.resources import Plan

#: Seconds that a run is given to end in order.
GRACE = 60.0
#: Seconds that the embedded Redis is given to notice that nobody needs it, and between looks at that.
REDIS_GRACE, LOOK = 10.0, 0.05


@dataclass(frozen=True, slots=True)
class Timed:
    """A run: seconds in all and until the first commit; images per second from there to the last one.

    ``steady`` is None where one commit held all images.
    """

    seconds: float
    first_result: float
    steady: float | None


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """A run beside its upper bound; ``efficiency`` is the steady rate divided by the ceiling."""

    engine: str
    precision: str
    workers: int
    threads: int
    batch_size: int
    images: int
    seconds: float
    first_result_seconds: float
    steady_images_per_second: float | None
    ceiling_images_per_second: float
    efficiency: float | None


def measure(settings: Settings, folder: Path, say: Callable[[str], None]) -> EndToEnd:
    """Classify the images of ``folder``; neither it nor the user's ledger is touched.

    ``say`` is told what is measured now. Raises UsageError where the folder has no image or the engine cannot
    be had, InfrastructureError.
    """
    scope.check(folder)
    selection.choices(settings)  # refuses with a sentence what cannot be had here at all
    plan = resources.plan(settings.workers, settings.batch_size)
    model = ModelStore().default  # that of a new ledger
    with _throwaway(settings) as own:
        # Made beforehand: the first run of a machine is another figure.
        with pool.running(own, model, Plan(1, 1)) as started:
            loaded = started.loaded
        say("The whole run:")
        began = time.time()
        seconds = _run(own, folder)
        database = engine.connect(own)
        files, run = _files(database, folder), timed(database, seconds, began)
        database.dispose()
        say(f"Decode and forward alone on the same {len(files):,} files, about {seconds:.0f} s.")
        bound = ceiling.rate(own, model, files, plan)
    efficiency = run.steady / bound if run.steady else None
    how = (loaded.engine, loaded.precision, plan.workers, plan.threads, settings.batch_size)
    return EndToEnd(*how, len(files), seconds, run.first_result, run.steady, bound, efficiency)


def timed(database: Engine, seconds: float, began: float) -> Timed:
    """A run of ``seconds`` since ``began`` (Unix time), by the commits in its ledger."""
    commits = run_stats.commits(database)
    first, last = commits[0].at, commits[-1].at
    later = sum(commit.contents for commit in commits[1:])
    steady = later / (last - first).total_seconds() if later else None
    return Timed(seconds, first.timestamp() - began, steady)


def _files(database: Engine, folder: Path) -> list[str]:
    """One file for each content that was classified."""
    base = os.fsencode(folder.absolute())
    files = [os.fsdecode(os.path.join(base, name)) for name in run_stats.one_name_each(database)]
    if not files:
        raise UsageError(f"{shown(folder)} has no image that can be classified.")
    return files


@contextlib.contextmanager
def _throwaway(settings: Settings) -> Iterator[Settings]:
    """The settings on a home of its own with SQLite and the embedded Redis; nothing of it stays."""
    isolation.keep_in(settings.home)
    with _scratch(settings.home) as scratch:
        home = Path(scratch)
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(settings.home / "cache", home / "cache")
        own: dict[str, Any] = {"home": home, "database_url": None, "redis_url": None, "roots": {}}
        try:
            yield settings.model_copy(update=own)
        finally:
            _await_redis(home)


def _scratch(home: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="bench-", dir=home)
    except OSError as error:
        raise InfrastructureError(f"{home} cannot be written to: {error.strerror}.") from None


def _await_redis(home: Path) -> None:
    deadline = time.monotonic() + REDIS_GRACE
    while server.running(home) and time.monotonic() < deadline:
        time.sleep(LOOK)


def _run(settings: Settings, folder: Path) -> float:
    """``tagtray run``; return its seconds. Its progress is shown, its summary is not."""
    began = time.perf_counter()
    process = subprocess.Popen(
        subprocesses.command("tagtray", "run", "--", str(folder.absolute())),
        env=_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    if status:
        raise InfrastructureError(f"The run ended with status {status}; what it said stands above.")
    return time.perf_counter() - began


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(settings: Settings) -> Mapping[str, str]:
    """Without the stores and the roots of the user's own ledger."""
    stores = ("TAGTRAY_DATABASE_URL", "TAGTRAY_REDIS_URL")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in stores and not name.startswith(ROOT_PREFIX)
    }
    return kept | configuration.environment(settings)
