"""Signals in mid-run: the batch in hand is finished, and the same command goes on where it stopped."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.acceptance import inside, photos
from tests.acceptance.world import Ended, World, ended
from tests.waiting import PATIENCE, wait_for

PHOTOS = 30
OPTIONS = ("--batch-size", "2", "--exact")
#: What a worker does after each batch: nothing, for long enough that a run is far from its end at the signal.
REST = "sleep 1"
DONE = "SELECT count(*) FROM images WHERE status = 'done'"
ACTIVE = "SELECT count(*) FROM images WHERE status = 'running'"
EXTRA = "SELECT count(*) FROM classifications"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    photos.make_many(folder, PHOTOS)
    return folder


def test_sigterm_ends_a_command_that_has_nothing_in_hand(laptop: World) -> None:
    inside.upgrade(laptop)
    process = laptop.start("status", "--watch", "--json")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("{")

    process.terminate()

    stopped = ended(process)
    assert (stopped.code, stopped.errors) == (0, "")


def test_signals_end_a_run_in_order_and_the_next_one_goes_on(laptop: World, folder: Path) -> None:
    # Given a run, when it gets SIGTERM, then it ends in order
    process = _begin(laptop, folder)
    terminated = _is_terminated(laptop, process, folder)

    # When the next one gets Ctrl-C, then it exits 130
    process = _begin(laptop, folder)
    process.send_signal(signal.SIGINT)
    interrupted = ended(process)
    assert interrupted.code == 130
    _is_whole(laptop, interrupted)

    # When a third one gets Ctrl-C twice, then it ends at once and takes its workers along
    process = _begin(laptop, folder)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert gone and not alive

    # When the last one is left alone, then all are done, and none was classified twice but those in hand
    _is_ended(laptop, folder, terminated.forward + interrupted.forward)


@pytest.mark.parametrize("everywhere", ["servers"], indirect=True)
def test_a_run_on_servers_is_ended_and_goes_on_likewise(everywhere: World, folder: Path) -> None:
    terminated = _is_terminated(everywhere, _begin(everywhere, folder), folder)

    _is_ended(everywhere, folder, terminated.forward)


def _begin(world: World, folder: Path) -> subprocess.Popen[str]:
    """A run with small batches that has just classified some more, and rests after each."""
    before = world.count(DONE)
    process = world.start("run", *OPTIONS, str(folder), TAGTRAY_ON_DONE=REST)
    wait_for(lambda: world.count(DONE) > before, process)
    return process


def _is_terminated(world: World, process: subprocess.Popen[str], folder: Path) -> Ended:
    """After SIGTERM a run finishes its batch, says what is left and exits 0."""
    process.terminate()
    terminated = ended(process)
    assert terminated.code == 0
    lines = [" ".join(line.split()) for line in terminated.output.splitlines()]
    assert any(re.fullmatch(r"left [1-9]\d* the run was stopped", line) for line in lines)
    assert " ".join(["tagtray run", *OPTIONS, str(folder)]) in lines[lines.index("Next") :]
    _is_whole(world, terminated)
    return terminated


def _is_ended(world: World, folder: Path, forward: int) -> None:
    """The next run does all that is left, once; ``forward`` passes were made by those that ended in order."""
    assert world.count(DONE) < PHOTOS
    last = world.run("run", *OPTIONS, str(folder))
    assert last.code == 0
    assert world.count(DONE) == world.count(EXTRA) == PHOTOS
    assert forward + last.forward <= PHOTOS
    _is_whole(world, last)


def _is_whole(world: World, run: Ended) -> None:
    """Nothing was cut off: no image is in anybody's hands, and a classified one has all of its rows."""
    assert world.count(ACTIVE) == 0
    assert world.count("SELECT count(*) FROM predictions") == 3 * world.count(EXTRA)
    assert "Traceback" not in run.errors
