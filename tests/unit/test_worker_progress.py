"""The progress marker: what a worker was doing stays readable after its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagtray.worker.supervision.progress import Progress


def test_a_new_marker_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "progress").write_bytes(b"\xff" * 99)

    snapshot = Progress.create(tmp_path / "progress").read()

    assert (snapshot.ready, snapshot.image_id, snapshot.seconds) == (False, 0, 0.0)


def test_an_image_is_marked_while_it_is_decoded(tmp_path: Path) -> None:
    reader = Progress.create(tmp_path / "progress")
    writer = Progress(tmp_path / "progress")
    writer.ready()
    assert reader.read().ready

    with writer.decoding(2**63 - 1):
        time.sleep(0.01)
        snapshot = reader.read()
        assert (snapshot.ready, snapshot.image_id) == (True, 2**63 - 1)
        assert 0.01 <= snapshot.seconds < 60

    assert (reader.read().image_id, reader.read().seconds) == (0, 0.0)


def test_an_image_that_is_refused_is_marked_no_longer(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")

    with pytest.raises(ValueError), progress.decoding(7):
        raise ValueError

    assert progress.read().image_id == 0


def test_a_cleared_marker_blames_nobody(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")
    with progress.decoding(7):
        progress.clear()

        assert (progress.read().image_id, progress.read().ready) == (0, True)


def test_the_marker_of_a_killed_process_stays(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")
    program = (
        "import pathlib, signal, sys; from tagtray.worker.supervision.progress import Progress\n"
        "with Progress(pathlib.Path(sys.argv[1])).decoding(42): print(flush=True); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "progress")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert progress.read().image_id == 42
    assert progress.read().seconds > 0
    progress.close()
