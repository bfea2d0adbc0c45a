"""``tagtray bench --end-to-end``: a run on a home of its own, and decode and forward alone beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from tagtray.cli.bench import report
from tagtray.config import isolation, subprocesses
from tagtray.config import settings as configuration
from tagtray.config.errors import InfrastructureError, UsageError
from tagtray.config.settings import ROOT_PREFIX, Settings
from tagtray.db import engine, paths
from tagtray.db.tables import Classification, Image, Status
from tagtray.jobs.embedded_redis import server
from tagtray.producer import scope
from tagtray.worker.engines import selection
from tagtray.worker.measure import ceiling, pool
from tagtray.worker.supervision import resources
from tagtray.worker.supervision.resources import Plan

#: Seconds that a run is given to end in order.
GRACE = 60.0
#: Seconds that the embedded Redis is given to notice that nobody needs it.
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
    """What ``--end-to-end`` says; ``share`` is steady over alone."""

    engine: str
    precision: str
    workers: int
    threads: int
    batch_size: int
    images: int
    seconds: float
    first_result_seconds: float
    steady_per_second: float | None
    alone_per_second: float
    share: float | None


def measure(settings: Settings, folder: Path) -> EndToEnd:
    """Classify the images of ``folder``; neither it nor the user's ledger is touched.

    Raises UsageError where the folder has no image or the engine cannot be had, InfrastructureError.
    """
    scope.check(folder)
    choice = selection.choose(settings)
    plan = resources.plan(settings.workers, settings.batch_size)
    with _throwaway(settings) as own:
        # Made beforehand: the first run of a machine is another figure.
        with pool.running(own, choice, Plan(1, 1), 1):
            pass
        _say("The whole run:")
        began = time.time()
        seconds = _run(own, folder)
        database = engine.connect(own)
        files, run = _files(database, folder), timed(database, seconds, began)
        database.dispose()
        _say(f"Decode and forward alone on the same {len(files):,} files, about {seconds:.0f} s.")
        alone = ceiling.rate(own, files, plan)
    share = run.steady / alone if run.steady else None
    how = (choice.engine, choice.precision, plan.workers, plan.threads, settings.batch_size)
    return EndToEnd(*how, len(files), seconds, run.first_result, run.steady, alone, share)


def write(found: EndToEnd) -> None:
    """Print it for people."""
    few = "too few images to say"
    steady = f"{found.steady_per_second:,.1f} images/s" if found.steady_per_second else few
    rows = [
        (
            "settings",
            f"{found.engine} in {found.precision}, "
            f"{report.split(found.workers, found.threads)}, batches of {found.batch_size}",
        ),
        ("images", f"{found.images:,}"),
        ("whole run", f"{found.seconds:,.1f} s"),
        ("first result", f"after {found.first_result_seconds:,.1f} s"),
        ("steady", steady),
        ("decode and forward", f"{found.alone_per_second:,.1f} images/s alone"),
        ("share", few if found.share is None else f"{found.share:.2f}"),
    ]
    for name, value in rows:
        print(f"{name:<19} {value}")


def timed(database: Engine, seconds: float, began: float) -> Timed:
    """A run of ``seconds`` since ``began`` (Unix time), by the commits in its ledger."""
    moment = Classification.classified_at
    query = select(moment, func.count()).group_by(moment).order_by(moment)
    with database.connect() as connection:
        rows = connection.execute(query).all()
    first, last = rows[0][0], rows[-1][0]
    later = sum(count for _, count in rows[1:])
    steady = later / (last - first).total_seconds() if later else None
    return Timed(seconds, first.timestamp() - began, steady)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _files(database: Engine, folder: Path) -> list[str]:
    """One file for each content that was classified."""
    query = select(Image.content_id, Image.path, Image.path_raw).where(Image.status == Status.DONE)
    with database.connect() as connection:
        rows = connection.execute(query).all()
    if not rows:
        raise UsageError(f"{folder} has no image that can be classified.")
    names = {content: paths.to_bytes(path, path_raw) for content, path, path_raw in rows}
    base = os.fsencode(folder.absolute())
    return [os.fsdecode(os.path.join(base, name)) for name in names.values()]


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
