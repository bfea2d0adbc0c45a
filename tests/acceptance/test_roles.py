"""Producer and workers as commands of their own, and a photo that is dropped."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tagtray.config import settings as configuration
from tests.acceptance import inside, photos
from tests.acceptance.world import World, ended
from tests.waiting import PATIENCE, wait_for

QUEUED = "SELECT count(*) FROM images WHERE status = 'queued'"
DONE = "SELECT count(*) FROM images WHERE status = 'done'"


@pytest.fixture(scope="module")
def folder(everywhere: World) -> Path:
    folder = everywhere.folder / "inbox"
    for number in range(5):
        photos.write(folder, b"%d.jpg" % number, photos.picture(number, "JPEG"))
    return folder


def test_scan_queues_watch_hears_and_work_classifies(everywhere: World, folder: Path) -> None:
    # Given a scanned folder
    scan = inside.run(everywhere, "scan", str(folder))
    assert (scan.code, scan.output) == (0, "5 new\n")
    facts = json.loads(inside.run(everywhere, "status", "--json").output)
    assert facts["images"]["queued"] == 5
    if "TAGTRAY_REDIS_URL" in everywhere.variables:
        assert (facts["redis"]["images"], facts["workers"]) == (5, [])
        assert _rq_info(everywhere) == (facts["redis"]["jobs"], 0)

    # When somebody works, the five are done
    work = everywhere.start("work")
    wait_for(lambda: everywhere.count(DONE) == 5, work)
    facts = json.loads(inside.run(everywhere, "status", "--json").output)
    assert (facts["redis"]["running"], len(facts["workers"])) == (True, 1)
    assert facts["redis"]["jobs"] == 0
    if "TAGTRAY_REDIS_URL" in everywhere.variables:
        assert _rq_info(everywhere) == (0, 1)

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


def test_outside_the_hours_workers_rest_but_for_what_somebody_waits_for(
    laptop: World, tmp_path: Path
) -> None:
    # Given hours that begin in two, and a photo
    soon = datetime.now() + timedelta(hours=2)
    hours = f"{soon.hour}-{(soon.hour + 1) % 24}"
    photos.write(tmp_path, b"first.jpg", photos.picture(1, "JPEG"))
    run = laptop.start("run", "--watch", "--nice", "5", str(tmp_path), TAGTRAY_HOURS=hours)

    # Then workers rest and it waits in the queue
    wait_for(lambda: laptop.count("SELECT count(*) FROM workers") and laptop.count(QUEUED), run)
    assert laptop.count(DONE) == 0

    # And stand back behind other programs
    ((pid,),) = laptop.query("SELECT pid FROM workers")
    assert psutil.Process(pid).nice() == psutil.Process().nice() + 5

    # When somebody waits for it, then it is done
    laptop.execute("UPDATE images SET priority = 2")
    wait_for(lambda: laptop.count(DONE) == 1, run)
    run.terminate()
    end = ended(run)
    assert f"workers_rest: workers rest: the hours to work at are {hours} (TAGTRAY_HOURS)." in end.errors


def _rq_info(world: World) -> tuple[int, int]:
    """Jobs in the queue and workers, as RQ's own tool says it."""
    program = Path(sysconfig.get_path("scripts")) / "rq"
    command = [str(program), "info", "--url", world.variables["TAGTRAY_REDIS_URL"]]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    jobs = re.search(r"(\d+) jobs? total", said)
    workers = re.search(r"(\d+) workers?, (\d+) queues?", said)
    assert jobs and workers, said
    return int(jobs[1]), int(workers[1])
