"""Streams that are closed, full, or read by somebody who goes away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import builders
from tests.acceptance import inside
from tests.acceptance.world import COMMAND, World
from tests.waiting import PATIENCE


def _shell(world: World, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which "$@" is tagtray, with the exit codes of all parts of a pipe."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *COMMAND],
        env=world.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture
def photos(laptop: World) -> Path:
    folder = laptop.folder / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(builders.jpeg())
    return folder


def test_a_run_with_closed_streams_does_its_work(laptop: World, photos: Path) -> None:
    ended = _shell(laptop, f'"$@" run {photos} <&- >&- 2>&-')

    assert ended.returncode == 0
    assert laptop.query("SELECT status FROM images") == [("done",)]
    # No file of ours was mistaken for the stream.
    assert laptop.query("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("command", ["--version", "config", "status --json", "sql 'SELECT 1'"])
def test_a_closed_output_is_no_error(laptop: World, command: str) -> None:
    inside.upgrade(laptop)

    ended = _shell(laptop, f'"$@" {command} >&-')

    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("command", ["--version", "config", "config --json"])
def test_an_output_that_is_full_is_one_sentence(laptop: World, command: str) -> None:
    ended = _shell(laptop, f'"$@" {command} >/dev/full')

    assert ended.returncode == 1
    assert ended.stderr == "tagtray: The output cannot be written: No space left on device.\n"


def test_lines_about_progress_that_nobody_takes_and_an_output_that_nobody_reads_stop_nothing(
    laptop: World, photos: Path
) -> None:
    ended = _shell(laptop, f'"$@" run {photos} 2>/dev/full | true')

    assert ended.returncode == 0
    assert laptop.query("SELECT status FROM images") == [("done",)]


def test_a_scan_says_nothing_that_has_to_be_taken(laptop: World, photos: Path) -> None:
    assert _shell(laptop, f'"$@" scan {photos} 2>/dev/full >&-').returncode == 0
    assert laptop.count("SELECT count(*) FROM images WHERE status IN ('queued', 'pending')") == 1


def test_an_error_that_nobody_can_be_told_keeps_its_exit_code(laptop: World) -> None:
    assert _shell(laptop, '"$@" scan /nowhere 2>/dev/full').returncode == 2
    assert _shell(laptop, '"$@" scan /nowhere 2>&-').returncode == 2


@pytest.mark.parametrize("command", ["config", "config --json", "scan {photos}"])
def test_a_reader_that_goes_away_is_no_error(laptop: World, photos: Path, command: str) -> None:
    ended = _shell(laptop, f'"$@" {command.format(photos=photos)} | true')

    assert (ended.returncode, ended.stderr.count("tagtray:")) == (0, 0)


@pytest.mark.parametrize(("closing", "closed"), [(">&-", {1}), ("<&- >&- 2>&-", {0, 1, 2})])
def test_descriptors_of_closed_streams_lead_nowhere(laptop: World, closing: str, closed: set[int]) -> None:
    listing = "import os; from tagtray.cli import streams; streams.open_closed();"
    listing += (
        "print(*(os.readlink(f'/proc/self/fd/{n}') for n in range(3)), file=open(os.environ['OUT'], 'w'))"
    )
    target = laptop.folder / "out"

    python = f'{COMMAND[0]} -c "{listing}" {closing}'
    subprocess.run(["bash", "-c", python], env=os.environ | {"OUT": str(target)}, check=True)

    lead = target.read_text().split()
    assert {number for number in closed if lead[number] == os.devnull} == closed
