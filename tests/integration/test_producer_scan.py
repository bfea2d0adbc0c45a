from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tagtray.config import settings as configuration
from tagtray.config.errors import UsageError
from tagtray.config.logs import Throttle
from tagtray.db.places import roots
from tagtray.db.places.roots import RootFolder, Target
from tagtray.db.tables import Status
from tagtray.imaging import mounts
from tagtray.producer import files, missing
from tagtray.producer.files import FoundFile
from tagtray.producer.missing import IdSet
from tagtray.producer.producer import Producer
from tagtray.producer.scope import Scope
from tagtray.producer.totals import Totals
from tagtray.producer.walk import Walk
from tests.producing import HALF, JPEG, Studio
from tests.waiting import wait_for

MISSING, PENDING = Status.MISSING, Status.PENDING


@pytest.fixture
def studio(tmp_path: Path, home: Path, ledger_url: str) -> Iterator[Studio]:
    studio = Studio(home, tmp_path / "photos", ledger_url)
    yield studio
    studio.close()


@pytest.mark.parametrize("age", [3600, 5, -(10**9)], ids=["old", "young", "from the future"])
def test_every_name_that_linux_allows_becomes_a_row(studio: Studio, age: float) -> None:
    # Given
    names = [
        b"plain.jpg",
        b"with space.jpg",
        b"with\nnewline.jpg",
        "\N{DOG FACE}.jpg".encode(),
        b"bytes \xff\xfe.jpg",
        "\ufffd.jpg".encode(),
        b"a/b/c/d/e/f/deep.jpg",
        b"percent%_\\'\".jpg",
        b"no extension",
        b"x" * 251 + b".jpg",
    ]
    for name in names:
        studio.put(name, age=age)
    # When
    totals = studio.producer().scan()
    # Then
    assert studio.rows() == dict.fromkeys(names, PENDING)
    assert (totals.seen, totals.new, totals.unchanged) == (len(names), len(names), 0)
    assert studio.news
    # And a second scan changes nothing
    again = studio.producer().scan()
    assert (again.seen, again.new, again.changed, again.unchanged) == (len(names), 0, 0, len(names))


@pytest.mark.parametrize("way", ["swapped", "replaced", "overwritten", "restored"])
def test_content_that_changes_while_size_and_time_stay_is_seen(studio: Studio, way: str) -> None:
    # Given two files of one size and one time
    a, b = studio.put("a.jpg"), studio.put("b.jpg", JPEG[::-1])
    then = a.stat().st_mtime_ns
    os.utime(b, ns=(then, then))
    studio.producer().scan()
    # When one or both change their content, and no stat but those that no program can set
    if way == "swapped":
        a.rename(studio.folder / "t")
        b.rename(a)
        (studio.folder / "t").rename(b)
    elif way == "replaced":
        (studio.folder / "t").write_bytes(JPEG.upper())
        os.utime(studio.folder / "t", ns=(then, then))
        (studio.folder / "t").rename(a)
    else:
        a.unlink() if way == "restored" else None
        a.write_bytes(JPEG.upper())
        os.utime(a, ns=(then, then))
    totals = studio.producer().scan()
    # Then they are looked at again, once
    assert totals.changed == (2 if way == "swapped" else 1)
    assert studio.producer().scan().changed == 0


def test_file_systems_that_do_not_keep_inodes_make_no_scan_read_everything(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given a mount whose files have other inode numbers at every look
    numbers = itertools.count(1)

    def renumbered(root: bytes, path: bytes, info: os.stat_result) -> FoundFile | None:
        fields = list(info)
        fields[1] = next(numbers)
        times = {"st_mtime_ns": info.st_mtime_ns, "st_ctime_ns": info.st_ctime_ns}
        return real(root, path, os.stat_result(fields, times))

    real = files.from_stat
    monkeypatch.setattr(files, "from_stat", renumbered)
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda / ext4 rw 0 0\nnas:/photos {studio.folder} nfs4 rw 0 0\n")
    monkeypatch.setattr(mounts, "MOUNTS", str(table))
    mounts.keeps_inodes.cache_clear()
    for number in range(20):
        studio.put(f"{number}.jpg")
    studio.producer().scan()
    # When
    again = studio.producer().scan()
    # Then nothing is in doubt
    assert (again.changed, again.unchanged) == (0, 20)
    # And a file that was replaced is seen by its ctime
    studio.put("t.part", JPEG.upper()).rename(studio.folder / "0.jpg")
    assert studio.producer().scan().changed == 1
    mounts.keeps_inodes.cache_clear()


def test_an_empty_folder_is_plain_success(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    assert studio.producer().scan().seen == 0
    assert not caplog.records


def test_what_cannot_be_an_image_is_counted_and_left_out(studio: Studio) -> None:
    # Given
    for name in ("a.jpg", "film.MP4", "notes.txt", "more.txt", ".hidden.jpg", "b.jpg.part", "@eaDir/t.jpg"):
        studio.put(name)
    os.mkfifo(studio.folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(studio.folder / "socket.jpg"))
    # When
    totals = studio.producer().scan()
    # Then
    assert set(studio.rows()) == {b"a.jpg"}
    assert totals.skipped == {"video": 1, "text": 2}
    assert totals.ignored == 5


def test_links_are_followed_to_files_inside_the_root_alone(studio: Studio, tmp_path: Path) -> None:
    # Given
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(JPEG)
    photos = studio.folder
    studio.put("album/real.jpg")
    (photos / "good.jpg").symlink_to("album/real.jpg")
    (photos / "out.jpg").symlink_to(outside / "secret.jpg")
    (photos / "dangling.jpg").symlink_to("nowhere.jpg")
    (photos / "self.jpg").symlink_to("self.jpg")
    (photos / "folder.jpg").symlink_to("album")
    (photos / "album/loop").symlink_to("..")
    (photos / "leaves").symlink_to(outside)
    # When
    totals = studio.producer().scan()
    # Then
    assert set(studio.rows()) == {b"album/real.jpg", b"good.jpg"}
    assert totals.unreadable == 0
    # And those that lead out to what may be images are counted
    assert totals.links == 2


def test_tagtrayignore_is_honoured_in_every_folder(studio: Studio) -> None:
    # Given
    for name in ("a.jpg", "a.gif", "private/b.jpg", "sub/c.gif", "sub/keep.gif", "sub/x/d.jpg"):
        studio.put(name)
    (studio.folder / ".tagtrayignore").write_text("*.gif\nprivate/\n")
    (studio.folder / "sub/.tagtrayignore").write_text("!keep.gif\nx\n")
    # When
    studio.producer().scan()
    # Then
    assert set(studio.rows()) == {b"a.jpg", b"sub/keep.gif"}
    # And the same holds for a target below the root
    below = roots.resolve(studio.ledger.engine, studio.settings, studio.folder / "sub")
    assert below.below == b"sub"
    assert studio.producer(below).scan().seen == 1


def test_a_changed_a_deleted_and_a_returned_file_are_noticed(studio: Studio) -> None:
    # Given
    for name in ("same.jpg", "changed.jpg", "gone.jpg"):
        studio.put(name)
    studio.producer().scan()
    # When
    studio.put("changed.jpg", JPEG + JPEG)
    (studio.folder / "gone.jpg").unlink()
    totals = studio.producer().scan()
    # Then
    assert (totals.new, totals.changed, totals.unchanged, totals.missing) == (0, 1, 1, 1)
    assert studio.rows()[b"gone.jpg"] == MISSING
    assert studio.stat(b"changed.jpg")[0] == 2 * len(JPEG)
    # And when it returns
    studio.put("gone.jpg")
    assert studio.producer().scan().changed == 1
    assert studio.rows()[b"gone.jpg"] == PENDING


def test_a_scan_of_a_subfolder_leaves_the_rest_alone(studio: Studio) -> None:
    # Given names of which one begins with the other, and one that differs in case
    for name in ("sub/a.jpg", "sub/b.jpg", "sub2/c.jpg", "SUB/d.jpg", "e.jpg"):
        studio.put(name)
    studio.producer().scan()
    for name in ("sub/a.jpg", "sub2/c.jpg", "SUB/d.jpg", "e.jpg"):
        (studio.folder / name).unlink()
    # When
    below = roots.resolve(studio.ledger.engine, studio.settings, studio.folder / "sub")
    totals = studio.producer(below).scan()
    # Then
    assert totals.missing == 1
    assert [name for name, status in studio.rows().items() if status == MISSING] == [b"sub/a.jpg"]


@pytest.mark.parametrize("loss", ["unmounted", "empty", "replaced by a file"])
def test_a_root_that_is_away_keeps_its_results(
    studio: Studio, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    studio.put("a.jpg")
    studio.put("b/c.jpg")
    studio.producer().scan()
    # When
    shutil.rmtree(studio.folder)
    if loss == "empty":
        studio.folder.mkdir()
    elif loss == "replaced by a file":
        studio.folder.write_bytes(b"")
    totals = studio.producer().scan()
    # Then
    assert totals.missing == 0
    assert set(studio.rows().values()) == {PENDING}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "results are kept" in caplog.text


def test_a_scan_that_finds_its_root_ends_a_hold_and_one_that_does_not_leaves_it(
    studio: Studio, tmp_path: Path
) -> None:
    # Given a root that some worker could not read
    studio.put("a.jpg")
    studio.producer().scan()
    studio.ledger.hold(studio.target.root.id, 60)
    away = studio.folder.rename(tmp_path / "unmounted")
    studio.producer().scan()
    assert studio.ledger.pending(9) == 0

    # When it is there again
    away.rename(studio.folder)
    studio.producer().scan()

    # Then its images are no longer held
    assert studio.ledger.pending(9) == 1


def test_a_folder_that_cannot_be_listed_keeps_its_rows_and_stops_nothing(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a folder whose path grows too long for the kernel, with a row below it
    studio.put("a.jpg")
    studio.put("z.jpg")
    deep = "/".join(["d" * 200] * 25)
    here = os.open(studio.folder, os.O_RDONLY)
    for part in deep.split("/"):
        os.mkdir(part, dir_fd=here)
        inner = os.open(part, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    # When
    totals = studio.producer().scan()
    # Then
    assert set(studio.rows()) == {b"a.jpg", b"z.jpg"}
    assert totals.unreadable == 1
    assert "cannot be listed (File name too long)" in caplog.text


def test_a_forbidden_folder_keeps_its_rows(
    studio: Studio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a row whose file is gone, in a folder that may not be listed
    studio.put("a.jpg")
    studio.put("secret/b.jpg")
    studio.producer().scan()
    (studio.folder / "secret/b.jpg").unlink()
    (studio.folder / "secret").chmod(0)
    # When
    with plain_user(tmp_path):
        walk = Walk(Scope(studio.target, studio.settings), b"", Totals(), Throttle(math.inf))
        found = [file.path for batch in walk.batches() for file in batch]
    # Then
    assert found == [b"a.jpg"]
    assert walk.blocked == {b"secret"}
    assert "cannot be listed (Permission denied)" in caplog.text


@contextlib.contextmanager
def plain_user(folder: Path) -> Iterator[None]:
    """Permissions hold, even where root runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    for parent in (folder, *folder.parents[:-2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_rows_in_a_folder_that_could_not_be_listed_are_left_alone(studio: Studio) -> None:
    # Given three files that are gone
    for name in ("a/x.jpg", "a/deep/x.jpg", "b/x.jpg"):
        studio.put(name)
    studio.producer().scan()
    for name in ("a/x.jpg", "a/deep/x.jpg", "b/x.jpg"):
        (studio.folder / name).unlink()
    scope = Scope(studio.target, studio.settings)
    scope.known = scope.identity()
    # When
    marked = missing.mark_missing(studio.ledger, scope, b"", IdSet(), studio.ledger.newest_id(), {b"a"})
    # Then
    assert marked == 1
    assert studio.rows()[b"b/x.jpg"] == MISSING


def test_a_half_copied_file_waits_until_it_is_settled(studio: Studio) -> None:
    # Given
    started = time.monotonic()
    studio.put("half.jpg", HALF, age=0)
    studio.put("empty.jpg", b"", age=0)
    studio.put("whole.jpg", JPEG, age=0)
    # When
    totals = studio.producer().scan()
    # Then
    assert totals.new == 3
    assert time.monotonic() - started >= studio.settings.settle


def test_a_producer_says_what_it_waits_for_and_how_long(studio: Studio) -> None:
    # Given a file without its end, and one that only has to be stable
    studio = Studio(studio.settings.home, studio.folder, stable=300, settle=900)
    studio.put("whole.jpg", JPEG, age=0)
    producer = studio.producer()
    studio.running.append(producer)
    producer.start(watch=True)
    wait_for(lambda: producer.waiting.files == 1)
    assert 0 < producer.waiting.seconds <= 300
    # When
    studio.put("empty.jpg", b"", age=0)
    wait_for(lambda: producer.waiting.files == 2)
    # Then the one that takes longest is named
    assert producer.waiting.path == b"empty.jpg"
    assert 300 < producer.waiting.seconds <= 900
    studio.close()


def test_the_home_in_a_drop_folder_is_left_out(tmp_path: Path) -> None:
    # Given
    photos = tmp_path / "photos"
    photos.mkdir()
    studio = Studio(photos / "tagtray", photos)
    studio.put("a.jpg")
    studio.put("tagtray/thumbs/b.jpg")
    # When
    studio.producer().scan()
    # Then
    assert set(studio.rows()) == {b"a.jpg"}
    studio.close()


def test_the_home_itself_is_no_drop_folder(studio: Studio) -> None:
    target = roots.resolve(studio.ledger.engine, studio.settings, studio.settings.home)
    with pytest.raises(UsageError, match="TAGTRAY_HOME itself"):
        Producer(studio.settings, studio.ledger, lambda: None, [target])


def test_folders_on_other_file_systems_are_noted() -> None:
    # Given the devices' folder, in which others are mounted
    scope = Scope(Target(RootFolder(1, "dev", b"/dev"), b""), configuration.load())
    mounted = {name for name in os.listdir(b"/dev") if os.path.ismount(b"/dev/" + name)}
    mounted = {name for name in mounted if os.path.isdir(b"/dev/" + name) and not name.startswith(b".")}
    # When
    walk = Walk(scope, b"", Totals(), Throttle(math.inf))
    for _ in walk.batches():
        pass
    # Then
    assert mounted <= walk.mounts


def test_walking_the_rows_of_a_root_sorts_nothing(tmp_path: Path, home: Path) -> None:
    # Given
    studio = Studio(home, tmp_path / "photos")
    studio.put("a.jpg")
    studio.producer().scan()
    statements: list[tuple[str, Any]] = []

    @event.listens_for(studio.ledger.engine, "before_cursor_execute")
    def _note(*arguments: Any) -> None:
        statements.append((arguments[2], arguments[3]))

    # When
    pages = list(studio.ledger.present(studio.target.root.id, up_to=10))
    query, values = next(found for found in statements if found[0].startswith("SELECT"))
    with studio.ledger.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values).all()
    # Then each page costs what it holds, however many rows the root has
    assert len(pages) == 1
    assert all("TEMP B-TREE" not in step.detail for step in plan)
    studio.close()
