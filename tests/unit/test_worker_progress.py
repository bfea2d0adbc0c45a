"""The progress marker: what a worker was doing stays readable after its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tagtray.worker.supervision.progress import Phase, Progress


def test_a_new_marker_says_that_its_worker_starts(tmp_path: Path) -> None:
    (tmp_path / "progress").write_bytes(b"\xff" * 99)

    snapshot = Progress.create(tmp_path / "progress").read()

    assert (snapshot.phase, snapshot.image_id) == (Phase.STARTING, 0)
    assert 0 <= snapshot.age < 60


def test_another_process_reads_the_phase_and_its_image_and_how_long_it_lasts(tmp_path: Path) -> None:
    reader = Progress.create(tmp_path / "progress")
    writer = Progress(tmp_path / "progress")

    writer.enter(Phase.DECODE, 2**63 - 1)
    time.sleep(0.01)

    snapshot = reader.read()
    assert (snapshot.phase, snapshot.image_id) == (Phase.DECODE, 2**63 - 1)
    assert 0.01 <= snapshot.age < 60


def test_a_phase_that_is_entered_again_is_young_again(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")
    progress.enter(Phase.IDLE)
    before = progress.read()

    progress.enter(Phase.IDLE)

    assert progress.read().since > before.since


def test_a_lap_has_the_seconds_of_each_phase_that_is_over(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")
    progress.enter(Phase.READ)
    time.sleep(0.01)
    progress.enter(Phase.DECODE)
    progress.enter(Phase.READ)
    time.sleep(0.01)
    progress.enter(Phase.COMMIT)

    first, second = progress.lap(), progress.lap()

    assert 0.02 <= first[Phase.READ] < 60
    assert set(first) == {Phase.STARTING, Phase.READ, Phase.DECODE}
    assert second == {}


def test_the_marker_of_a_killed_process_stays(tmp_path: Path) -> None:
    progress = Progress.create(tmp_path / "progress")
    program = (
        "import pathlib, signal, sys; from tagtray.worker.supervision.progress import Phase, Progress\n"
        "Progress(pathlib.Path(sys.argv[1])).enter(Phase.FORWARD, 42); print(flush=True); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "progress")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert (progress.read().phase, progress.read().image_id) == (Phase.FORWARD, 42)
    progress.close()
