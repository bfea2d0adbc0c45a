"""Signals in mid-run: the batch in hand is finished, and the same command goes on where it stopped."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.acceptance import photos
from tests.acceptance.world import Ended, World, ended
from tests.waiting import wait_for

PHOTOS = 60
DONE = "SELECT count(*) FROM images WHERE status = 'done'"
ACTIVE = "SELECT count(*) FROM images WHERE status = 'running'"
EXTRA = "SELECT count(*) FROM classifications"


@pytest.fixture(scope="module")
def folder(everywhere: World) -> Path:
    folder = everywhere.folder / "many"
    photos.make_many(folder, PHOTOS)
    return folder


def _begin(world: World, folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A run with small batches that has just classified some more; how many are done."""
    before = world.count(DONE)
    process = world.start("run", "--batch-size", "2", "--exact", str(folder))
    wait_for(lambda: world.count(DONE) > before, process)
    return process, world.count(DONE)


def _is_whole(world: World, run: Ended) -> None:
    """Nothing was cut off: no image is in anybody's hands, and a classified one has all of its rows."""
    assert world.count(ACTIVE) == 0
    assert world.count("SELECT count(*) FROM predictions") == 3 * world.count(EXTRA)
    assert "Traceback" not in run.errors


def test_sigterm_ends_a_command_that_has_nothing_in_hand(laptop: World) -> None:
    assert laptop.run("db", "upgrade").code == 0
    process = laptop.start("status", "--watch", "--json")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("{")

    process.terminate()

    stopped = ended(process)
    assert (stopped.code, stopped.errors) == (0, "")


def test_signals_end_a_run_in_order_and_the_next_one_goes_on(everywhere: World, folder: Path) -> None:
    # Given a run, when it gets SIGTERM
    process, _ = _begin(everywhere, folder)
    process.terminate()
    terminated = ended(process)

    # Then it has finished its batch, says what is left and exits 0
    assert terminated.code == 0
    lines = [" ".join(line.split()) for line in terminated.output.splitlines()]
    assert any(re.fullmatch(r"left [1-9]\d* the run was stopped", line) for line in lines)
    assert f"tagtray run --batch-size 2 --exact {folder}" in lines[lines.index("Next") :]
    _is_whole(everywhere, terminated)

    # When the next one gets Ctrl-C, then it exits 130
    process, _ = _begin(everywhere, folder)
    process.send_signal(signal.SIGINT)
    interrupted = ended(process)
    assert interrupted.code == 130
    _is_whole(everywhere, interrupted)

    # When a third one gets Ctrl-C twice, then it ends at once and takes its workers along
    process, _ = _begin(everywhere, folder)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert gone and not alive

    # When the last one is left alone, then all are done, and none was classified twice but those in hand
    assert everywhere.count(DONE) < PHOTOS
    last = everywhere.run("run", "--batch-size", "2", "--exact", str(folder))
    assert last.code == 0
    assert everywhere.count(DONE) == everywhere.count(EXTRA) == PHOTOS
    assert terminated.forward + interrupted.forward + last.forward <= PHOTOS
    _is_whole(everywhere, last)
