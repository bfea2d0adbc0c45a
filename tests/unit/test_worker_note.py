"""The note: what a worker was doing stays readable after its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagtray.worker.supervision.progress import Note


def test_a_new_note_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"\xff" * 99)

    reading = Note.create(tmp_path / "note").read()

    assert (reading.ready, reading.image_id, reading.seconds) == (False, 0, 0.0)


def test_an_image_is_noted_while_it_is_decoded(tmp_path: Path) -> None:
    reader = Note.create(tmp_path / "note")
    writer = Note(tmp_path / "note")
    writer.ready()
    assert reader.read().ready

    with writer.decoding(2**63 - 1):
        time.sleep(0.01)
        reading = reader.read()
        assert (reading.ready, reading.image_id) == (True, 2**63 - 1)
        assert 0.01 <= reading.seconds < 60

    assert (reader.read().image_id, reader.read().seconds) == (0, 0.0)


def test_an_image_that_is_refused_is_noted_no_longer(tmp_path: Path) -> None:
    note = Note.create(tmp_path / "note")

    with pytest.raises(ValueError), note.decoding(7):
        raise ValueError

    assert note.read().image_id == 0


def test_a_cleared_note_blames_nobody(tmp_path: Path) -> None:
    note = Note.create(tmp_path / "note")
    with note.decoding(7):
        note.clear()

        assert (note.read().image_id, note.read().ready) == (0, True)


def test_the_note_of_a_killed_process_stays(tmp_path: Path) -> None:
    note = Note.create(tmp_path / "note")
    program = (
        "import pathlib, signal, sys; from tagtray.worker.supervision.progress import Note\n"
        "with Note(pathlib.Path(sys.argv[1])).decoding(42): print(flush=True); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "note")], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert note.read().image_id == 42
    assert note.read().seconds > 0
    note.close()
