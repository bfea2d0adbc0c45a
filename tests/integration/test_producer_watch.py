from __future__ import annotations

import ctypes
import errno
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event
from watchdog.observers import inotify_c

from tagtray.cli import main
from tagtray.config import settings as configuration
from tagtray.db.records import Done
from tagtray.db.tables import Status
from tagtray.producer import files, scan_loop
from tagtray.producer import producer as producers
from tagtray.producer.files import FoundFile
from tagtray.producer.inotify import ReportingInotify
from tests import builders
from tests.producing import HALF, JPEG, Studio, two_turns
from tests.waiting import wait_for

MISSING, PENDING = Status.MISSING, Status.PENDING


@pytest.fixture(autouse=True)
def _short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers, "TURN", 0.05)
    monkeypatch.setattr(scan_loop, "TURN", 0.05)


@pytest.fixture
def studio(tmp_path: Path, home: Path) -> Iterator[Studio]:
    studio = Studio(home, tmp_path / "photos")
    yield studio
    studio.close()


@pytest.fixture
def patient(tmp_path: Path, home: Path) -> Iterator[Studio]:
    """One in which only a close or an end marker makes a file complete."""
    studio = Studio(home, tmp_path / "photos", settle=300)
    yield studio
    studio.close()


def test_a_dropped_photo_becomes_a_row_when_it_is_closed(tmp_path: Path, home: Path) -> None:
    # Given a producer that would wait for long if it did not hear of the close
    studio = Studio(home, tmp_path / "photos", stable=300, settle=300)
    studio.watching()
    # When
    (studio.folder / "a.jpg").write_bytes(JPEG)
    # Then
    wait_for(lambda: studio.rows() == {b"a.jpg": PENDING})
    wait_for(lambda: studio.news == 1)
    studio.close()


@pytest.mark.parametrize("way", ["written", "renamed over"])
def test_an_event_always_leads_to_a_look(studio: Studio, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    # Given a file system whose clock stands still and which keeps no inodes, and an image that is done
    monkeypatch.setattr(files, "from_stat", lambda _root, path, _info: FoundFile(path, len(JPEG), 1, 1, None))
    studio.put("a.jpg")
    producer = studio.watching()
    builders.execute(studio.ledger, "UPDATE images SET status = 'done'")
    # When other bytes take its place
    if way == "written":
        (studio.folder / "a.jpg").write_bytes(JPEG.upper())
    else:
        (studio.folder / "b.part").write_bytes(JPEG.upper())
        (studio.folder / "b.part").rename(studio.folder / "a.jpg")
    # Then it is looked at again
    wait_for(lambda: studio.rows() == {b"a.jpg": PENDING})
    wait_for(lambda: producer.progress.changed >= 1)


def test_names_that_are_no_text_come_through_events(studio: Studio) -> None:
    studio.watching()
    names = {b"\xff\xfe.jpg", b"new\nline.jpg", "\N{DOG FACE}/\N{CAT FACE}.jpg".encode()}
    for name in names:
        studio.put(name, age=0)
    wait_for(lambda: set(studio.rows()) == names)


def test_a_download_counts_when_it_gets_its_name(studio: Studio) -> None:
    # Given
    producer = studio.watching()
    # When
    (studio.folder / "a.jpg.part").write_bytes(JPEG)
    (studio.folder / ".hidden.jpg").write_bytes(JPEG)
    studio.await_all(producer)
    # Then
    assert studio.rows() == {}
    # And when it is renamed
    (studio.folder / "a.jpg.part").rename(studio.folder / "a.jpg")
    wait_for(lambda: set(studio.rows()) == {b"a.jpg"})
    wait_for(lambda: producer.idle)


def test_a_growing_copy_is_registered_once_and_whole(patient: Studio) -> None:
    # Given
    producer = patient.watching()
    # When it is written for longer than a file has to be stable, and closed and resumed in between
    for start in range(0, len(JPEG), 40):
        time.sleep(1.5 * patient.settings.stable)
        two_turns(producer)
        assert patient.rows() == {}
        with open(patient.folder / "slow.jpg", "ab") as file:
            file.write(JPEG[start : start + 40])
    # Then
    wait_for(lambda: patient.rows() == {b"slow.jpg": PENDING})
    assert patient.stat(b"slow.jpg")[0] == len(JPEG)
    assert patient.producer().scan().changed == 0


def test_a_file_that_is_held_open_is_registered_when_it_is_stable(studio: Studio) -> None:
    studio.watching()
    with open(studio.folder / "open.jpg", "wb") as file:
        file.write(JPEG)
        file.flush()
        wait_for(lambda: set(studio.rows()) == {b"open.jpg"})


def test_killed_copies_wait_to_be_resumed(patient: Studio) -> None:
    # Given
    producer = patient.watching()
    names = [f"{number:03}.jpg" for number in range(200)]
    # When all are killed half-way: the kernel closes them
    for name in names:
        (patient.folder / name).write_bytes(HALF)
    wait_for(lambda: producer.waiting.files == len(names))
    time.sleep(1.5 * patient.settings.stable)
    two_turns(producer)
    assert patient.rows() == {}
    # And resumed
    for name in names:
        with open(patient.folder / name, "ab") as file:
            file.write(JPEG[len(HALF) :])
    # Then
    wait_for(lambda: len(patient.rows()) == len(names))
    assert {patient.stat(os.fsencode(name))[0] for name in names} == {len(JPEG)}
    wait_for(lambda: producer.progress.new == len(names))


def test_a_copy_that_is_never_resumed_goes_in_as_it_is(studio: Studio) -> None:
    studio.watching()
    started = time.monotonic()
    (studio.folder / "half.jpg").write_bytes(HALF)
    wait_for(lambda: set(studio.rows()) == {b"half.jpg"})
    assert time.monotonic() - started > studio.settings.settle - 0.1


def test_a_replaced_a_changed_and_a_deleted_file_are_noticed(studio: Studio) -> None:
    # Given
    for name in ("replaced.jpg", "changed.jpg", "deleted.jpg", "moved.jpg", "same.jpg"):
        studio.put(name)
    producer = studio.watching()
    # When
    (studio.folder / ".tmp").write_bytes(JPEG * 2)
    (studio.folder / ".tmp").rename(studio.folder / "replaced.jpg")
    with open(studio.folder / "changed.jpg", "r+b") as file:
        file.write(JPEG * 3)
    (studio.folder / "deleted.jpg").unlink()
    (studio.folder / "moved.jpg").rename(studio.folder / "there.jpg")
    # Then
    wait_for(lambda: producer.progress.changed >= 2 and producer.progress.missing == 2)
    wait_for(lambda: b"there.jpg" in studio.rows())
    wait_for(lambda: studio.stat(b"replaced.jpg")[0] == 2 * len(JPEG))
    wait_for(lambda: studio.stat(b"changed.jpg")[0] == 3 * len(JPEG))
    gone = {name for name, status in studio.rows().items() if status == MISSING}
    assert gone == {b"deleted.jpg", b"moved.jpg"}


def test_a_folder_moved_in_moved_on_and_moved_out_is_followed(studio: Studio, tmp_path: Path) -> None:
    # Given
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    for number in range(50):
        (outside / f"{number}.jpg").write_bytes(JPEG)
        (outside / f"inner/{number}.jpg").write_bytes(JPEG)
    producer = studio.watching()
    # When
    outside.rename(studio.folder / "in")
    # Then
    wait_for(lambda: len(studio.rows()) == 100)
    # When
    (studio.folder / "in").rename(studio.folder / "on")
    # Then
    wait_for(lambda: producer.progress.missing == 100 and len(studio.rows()) == 200)
    # When
    (studio.folder / "on/new.jpg").write_bytes(JPEG)
    wait_for(lambda: b"on/new.jpg" in studio.rows())
    (studio.folder / "on").rename(outside)
    # Then
    wait_for(lambda: set(studio.rows().values()) == {MISSING})


def test_files_below_new_folders_are_found_however_fast_they_come(studio: Studio) -> None:
    studio.watching()
    for number in range(100):
        studio.put(f"{number}/a/b/{number}.jpg", age=0)
    wait_for(lambda: len(studio.rows()) == 100)


def test_5000_files_dropped_at_once_are_all_found(studio: Studio) -> None:
    # Given
    producer = studio.watching()
    (studio.folder / "burst").mkdir()

    def drop(number: int) -> None:
        (studio.folder / f"burst/{number}.jpg").write_bytes(JPEG)

    # When
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(drop, range(5000)))
    # Then
    wait_for(lambda: len(studio.rows()) == 5000)
    wait_for(lambda: producer.idle)


@pytest.mark.parametrize(("name", "text"), [(".tagtrayignore", "*.jpg\n"), (".nomedia", "")])
def test_what_a_file_leaves_out_is_ignored_while_it_is_watched_and_as_long(
    studio: Studio, name: str, text: str
) -> None:
    # Given a watched folder with an image that is a row
    studio.put("album/a.jpg")
    studio.watching()
    # When it is left out, and taken in again, then the row follows
    (studio.folder / "album" / name).write_text(text)
    wait_for(lambda: studio.rows() == {b"album/a.jpg": "ignored"})
    (studio.folder / "album" / name).unlink()
    wait_for(lambda: studio.rows() == {b"album/a.jpg": "pending"})


def test_tagtrayignore_holds_for_events(studio: Studio) -> None:
    # Given
    (studio.folder / ".tagtrayignore").write_text("*.gif\nprivate/\n")
    producer = studio.watching()
    # When
    for name in ("a.gif", "private/b.jpg", ".hidden/c.jpg", "sub/d.gif", "sub/e.jpg"):
        studio.put(name, age=0)
    # Then
    wait_for(lambda: bool(studio.rows()))
    studio.await_all(producer)
    assert set(studio.rows()) == {b"sub/e.jpg"}
    # And when the rules change
    (studio.folder / ".tagtrayignore").write_text("private/\n")
    wait_for(lambda: set(studio.rows()) == {b"a.gif", b"sub/d.gif", b"sub/e.jpg"})


def test_lost_events_are_made_up_for_by_a_scan(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a kernel that loses every event but says so, as after an overflow of its queue
    overflow = inotify_c.InotifyEvent(
        inotify_c.WatchDescriptor(-1), inotify_c.InotifyConstants.IN_Q_OVERFLOW, 0, b""
    )
    producer = studio.watching()
    monkeypatch.setattr(inotify_c.InotifyFD, "read_events", lambda self: [overflow])
    # When
    for number in range(20):
        studio.put(f"{number}.jpg", age=0)
    # Then
    wait_for(lambda: len(studio.rows()) == 20)
    producer.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_whose_thread_died_is_begun_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a reader of events that meets an error which nobody expected
    studio.watching()
    with monkeypatch.context() as patch:
        patch.setattr(ReportingInotify, "handle_event", lambda self, event: 1 / 0)
        # When
        studio.put("a.jpg", age=0)
        wait_for(lambda: "watch_lost" in caplog.text)
    # Then
    wait_for(lambda: set(studio.rows()) == {b"a.jpg"})
    studio.put("b.jpg", age=0)
    wait_for(lambda: set(studio.rows()) == {b"a.jpg", b"b.jpg"})


@pytest.mark.parametrize("at", ["the root", "a folder below", "a new folder"])
def test_an_exhausted_limit_of_watches_is_said_once_and_the_folder_polled(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    # Given a kernel that grants no more watches
    granted = {"the root": 0, "a folder below": 2, "a new folder": 4}[at]
    real = inotify_c.inotify_add_watch

    def add_watch(fd: int, path: bytes, mask: int) -> int:
        nonlocal granted
        granted -= 1
        if granted >= 0:
            return real(fd, path, mask)
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(inotify_c, "inotify_add_watch", add_watch)
    for name in ("a", "b", "c"):
        studio.put(f"{name}/x.jpg")
    # When
    studio.watching()
    (studio.folder / "new").mkdir()
    wait_for(lambda: "is polled every" in caplog.text)
    studio.put("new/y.jpg", age=0)
    studio.put("c/y.jpg", age=0)
    # Then
    wait_for(lambda: len(studio.rows()) == 5)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "sysctl fs.inotify.max_user_watches" in warnings[0]


def test_a_polled_folder_is_kept_up_to_date(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("TAGTRAY_POLL", "1")
    monkeypatch.setattr(scan_loop, "POLL", 0.1)
    studio = Studio(home, tmp_path / "photos")
    (studio.folder / "loop").symlink_to(".")
    producer = studio.watching()
    # When
    studio.put("a.jpg", age=0)
    studio.put("b.jpg", age=0)
    # Then
    wait_for(lambda: len(studio.rows()) == 2)
    # When
    (studio.folder / "a.jpg").unlink()
    # Then
    wait_for(lambda: studio.rows() == {b"a.jpg": MISSING, b"b.jpg": PENDING})
    wait_for(lambda: producer.progress.missing == 1)
    studio.close()


@pytest.mark.parametrize("way", ["moved away", "deleted"])
def test_a_root_that_goes_and_comes_back_is_watched_again(studio: Studio, tmp_path: Path, way: str) -> None:
    # Given
    studio.put("a.jpg")
    studio.put("b/c.jpg")
    producer = studio.watching()
    # When
    if way == "deleted":
        shutil.rmtree(studio.folder)
    else:
        studio.folder.rename(tmp_path / "away")
    two_turns(producer)
    # Then its results are kept; of a folder that is deleted its files may be seen to go, one by one
    gone = {PENDING, MISSING} if way == "deleted" else {PENDING}
    assert len(studio.rows()) == 2 and set(studio.rows().values()) <= gone
    # And when it is back
    studio.folder.mkdir()
    studio.put("b/c.jpg")
    two_turns(producer)
    studio.put("new.jpg", age=0)
    # Then
    wait_for(lambda: studio.rows().get(b"new.jpg") == PENDING)
    wait_for(lambda: studio.rows().get(b"b/c.jpg") == PENDING)


def test_the_producer_outlives_its_database(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    monkeypatch.setattr("tagtray.config.outage.BACKOFF", 0.1)
    studio.watching()
    database = studio.settings.home / "tagtray.db"
    studio.ledger.engine.dispose()
    hidden = database.with_name("away")
    hidden.mkdir()
    for file in studio.settings.home.glob("tagtray.db*"):
        file.rename(hidden / file.name)
    database.mkdir()
    attempts: list[object] = []
    event.listen(studio.ledger.engine, "do_connect", lambda *connecting: attempts.append(connecting))
    # When
    studio.put("a.jpg", age=0)
    wait_for(lambda: "producer_waits" in caplog.text)
    wait_for(lambda: len(attempts) > 2)
    database.rmdir()
    for file in hidden.iterdir():
        file.rename(studio.settings.home / file.name)
    # Then
    wait_for(lambda: set(studio.rows()) == {b"a.jpg"})
    assert len([record for record in caplog.records if "producer_waits" in record.getMessage()]) == 1


def test_a_producer_stops_while_the_database_is_away(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given one that waits for an hour
    monkeypatch.setattr("tagtray.config.outage.BACKOFF", 3600.0)
    for number in range(10):
        studio.put(f"{number}.jpg")
    studio.ledger.engine.dispose()
    database = studio.settings.home / "tagtray.db"
    for file in studio.settings.home.glob("tagtray.db*"):
        file.unlink()
    database.mkdir()
    producer = studio.producer()
    producer.start(watch=True)
    wait_for(lambda: "producer_waits" in caplog.text)
    # When it is told to stop, then it does
    producer.stop()


def test_the_watch_gives_back_its_threads_and_descriptors(studio: Studio) -> None:
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        producer = studio.producer()
        producer.start(watch=True)
        wait_for(lambda producer=producer: producer.idle)  # type: ignore[misc]
        producer.stop()
    studio.ledger.engine.dispose()
    wait_for(lambda: threading.active_count() <= before[0])
    wait_for(lambda: len(os.listdir("/proc/self/fd")) <= before[1])


def test_sidecars_and_albums_of_tagtrays_wake_nobody(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a photo that is done, in a folder that is watched
    status = studio.put("a.jpg").stat()
    producer = studio.watching()
    builders.sync(studio.ledger.engine)
    (image,) = studio.ledger.take_pending(1)
    studio.ledger.claim([image.id], "w", 60, builders.MODEL_ID)
    size, mtime = status.st_size, status.st_mtime_ns
    builders.commit(studio.ledger, Done(image.id, builders.sha("a"), size, mtime, builders.content()))
    news = studio.news

    # When its keywords are written beside it, and an album is made in the folder
    for name, value in configuration.environment(studio.settings).items():
        monkeypatch.setenv(name, value)
    assert main.invoke(["tag", "--xmp"]) == 0
    assert main.invoke(["tag", "--album", str(studio.folder / "album"), "--link", "copy"]) == 0
    studio.await_all(producer)
    studio.producer().scan()

    # Then the photo is the only one, and nothing is to be done
    assert (studio.folder / "a.jpg.xmp").exists() and (studio.folder / "album/dog/a.jpg").exists()
    assert studio.rows() == {b"a.jpg": Status.DONE}
    assert studio.news == news + 1  # of the file that says that all events are through
