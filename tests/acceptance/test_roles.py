"""Producer and workers as commands of their own, and a photo that is dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tagtray.config import settings as configuration
from tests.acceptance import photos
from tests.acceptance.world import World, ended
from tests.waiting import PATIENCE, wait_for

DONE = "SELECT count(*) FROM images WHERE status = 'done'"


@pytest.fixture(scope="module")
def folder(everywhere: World) -> Path:
    folder = everywhere.folder / "inbox"
    for number in range(5):
        photos.write(folder, b"%d.jpg" % number, photos.picture(number, "JPEG"))
    if "TAGTRAY_DATABASE_URL" in everywhere.variables:
        assert everywhere.run("db", "upgrade").code == 0
    return folder


def test_scan_queues_watch_hears_and_work_classifies(everywhere: World, folder: Path) -> None:
    # Given a scanned folder
    scan = everywhere.run("scan", str(folder))
    assert (scan.code, scan.output) == (0, "5 new\n")
    facts = json.loads(everywhere.run("status", "--json").output)
    assert facts["images"]["queued"] == 5
    if facts["redis"]["running"]:
        assert (facts["redis"]["images"], facts["workers"]) == (5, [])

    # When somebody works, the five are done
    work = everywhere.start("work")
    wait_for(lambda: everywhere.count(DONE) == 5, work)
    facts = json.loads(everywhere.run("status", "--json").output)
    assert (facts["redis"]["running"], len(facts["workers"])) == (True, 1)

    # When the folder is watched and a photo is dropped, it is done, too
    watch = everywhere.start("watch", str(folder))
    assert watch.stderr is not None
    assert watch.stderr.readline() == "Watching 1 folder; Ctrl-C ends.\n"
    photos.write(folder, b"dropped.jpg", photos.picture(6, "JPEG"), age=0)
    wait_for(lambda: everywhere.count(DONE) == 6, work)

    # And SIGTERM ends both in order
    watch.terminate()
    work.terminate()
    assert (ended(watch).code, ended(work).code) == (0, 0)


def test_a_photo_that_is_dropped_into_a_watched_run_becomes_a_row(laptop: World, tmp_path: Path) -> None:
    # Given a run that watches an empty folder, with its network loaded
    run = laptop.start("run", "--watch", str(tmp_path))
    photos.write(tmp_path, b"first.jpg", photos.picture(1, "JPEG"), age=0)
    wait_for(lambda: laptop.count(DONE) == 1, run)

    # When a photo is dropped, then it is a row long before the next scan of the folder
    photos.write(tmp_path, b"second.jpg", photos.picture(2, "JPEG"), age=0)
    assert 60 * configuration.load(home=laptop.home).rescan > PATIENCE
    wait_for(lambda: laptop.count(DONE) == 2, run)

    # And SIGTERM ends the run in order
    run.terminate()
    done = ended(run)
    assert done.code == 0
    assert done.output.startswith("2 images in ")
