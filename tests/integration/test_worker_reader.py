"""A root that a worker cannot read: it is held, or left to the hosts that can."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tagtray.config.errors import ImageDeferred, MountFault
from tagtray.config.settings import Settings
from tagtray.db import workers
from tagtray.db.ledger import Ledger
from tagtray.db.places import holds, merging
from tagtray.db.records import ClaimedImage
from tagtray.worker.batch import reader as reading
from tagtray.worker.batch.reader import RootReader
from tagtray.worker.batch.root_watch import RootWatch
from tests import builders
from tests.builders import MODEL_ID, status
from tests.waiting import wait_for


@pytest.fixture
def photos(host: Settings, root: int) -> Path:
    """The folder of the root, with a file in it."""
    folder = host.home / "photos"
    (folder / "0.jpg").write_bytes(builders.jpeg())
    return folder


@pytest.fixture
def reader(ledger: Ledger, host: Settings, photos: Path) -> RootReader:
    return RootReader(ledger.engine, host)


def claimed(ledger: Ledger, root: int, count: int) -> Sequence[ClaimedImage]:
    """The first of ``count`` images, in hand; the others are queued."""
    first, *_ = builders.queued(ledger, root, count)
    return ledger.claim([first], "w", 60, MODEL_ID)


def seconds_of(reader: RootReader, image: ClaimedImage) -> float:
    """For how long the image is deferred."""
    with pytest.raises(ImageDeferred) as caught:
        reader.read(image)
    return caught.value.seconds


def elsewhere(ledger: Ledger, *roots: str) -> None:
    """A worker on another host that can read ``roots``."""
    info = workers.this_process("far away", builders.PROVENANCE, roots)
    workers.register(ledger.engine, replace(info, host="another"))


@pytest.mark.parametrize("state", ["not there", "empty"])
def test_a_root_that_is_absent_is_held_as_a_whole(
    reader: RootReader, ledger: Ledger, root: int, photos: Path, state: str
) -> None:
    # Given a queue full of images of a root that went away
    (image,) = claimed(ledger, root, 9)
    photos.rename(photos.with_name("unmounted"))
    if state == "empty":
        photos.mkdir()

    # When the first of them is read
    seconds = seconds_of(reader, image)

    # Then all of them wait, in two statements, and it may come again with them
    assert seconds == 0
    assert ledger.queued() == 0
    assert holds.held(ledger.engine) == [holds.Hold("photos", paused=False, waiting=8)]


def test_an_image_whose_root_became_part_of_another_one_is_tried_again(
    ledger: Ledger, host: Settings, root: int, photos: Path
) -> None:
    # Given an image in hand whose root was taken into another one before a reader knew it
    (image,) = claimed(ledger, root, 1)
    outer = builders.root(ledger, host, "outer").id
    merging.absorb(ledger.engine, root, outer, b"photos")

    # When it is read, then it waits for nothing but its next turn
    reader = RootReader(ledger.engine, host)
    assert seconds_of(reader, image) == 0
    assert list(reader.sidecars(image)) == []


def test_a_root_that_another_host_has_is_left_to_it(
    reader: RootReader, ledger: Ledger, root: int, photos: Path
) -> None:
    (image,) = claimed(ledger, root, 9)
    elsewhere(ledger, "photos")
    photos.rename(photos.with_name("unmounted"))

    assert seconds_of(reader, image) == reading.ELSEWHERE_SECONDS

    assert holds.held(ledger.engine) == []
    assert ledger.queued() == 8


def test_a_host_that_has_other_roots_is_no_reason_to_wait(
    reader: RootReader, ledger: Ledger, root: int, photos: Path
) -> None:
    (image,) = claimed(ledger, root, 2)
    elsewhere(ledger, "scans")
    photos.rename(photos.with_name("unmounted"))

    seconds_of(reader, image)

    assert len(holds.held(ledger.engine)) == 1


def test_one_file_that_cannot_be_read_just_now_does_not_hold_its_root(
    reader: RootReader, ledger: Ledger, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = claimed(ledger, root, 2)
    monkeypatch.setattr(reading, "open_image", _fail)

    assert [seconds_of(reader, image) for _ in range(reading.FAULTS - 1)] == [15.0] * (reading.FAULTS - 1)

    assert holds.held(ledger.engine) == []


def test_a_mount_that_fails_file_by_file_is_held_and_its_bad_files_come_last(
    reader: RootReader, ledger: Ledger, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = claimed(ledger, root, 2)
    assert reader.readable() == ["photos"]
    monkeypatch.setattr(reading, "open_image", _fail)

    seconds = [seconds_of(reader, image) for _ in range(reading.FAULTS)]

    assert len(holds.held(ledger.engine)) == 1
    assert seconds[-1] > reading.FAILING_SECONDS
    assert reader.readable() == [], "though its folder can be listed"

    # Until one of its files can be read
    monkeypatch.undo()
    reader.read(image)
    assert reader.readable() == ["photos"]


def test_a_file_that_can_be_read_clears_its_mount(
    reader: RootReader, ledger: Ledger, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image,) = claimed(ledger, root, 2)
    for _ in range(3):
        with monkeypatch.context() as failing:
            failing.setattr(reading, "open_image", _fail)
            for _ in range(reading.FAULTS - 1):
                seconds_of(reader, image)
        reader.read(image)

    assert holds.held(ledger.engine) == []


def test_a_root_that_comes_back_is_readable_and_its_hold_is_lifted(
    reader: RootReader, ledger: Ledger, root: int, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a root that is held
    monkeypatch.setattr("tagtray.worker.batch.root_watch.LOOK_INTERVAL", 0.01)
    (image,) = claimed(ledger, root, 2)
    away = photos.rename(photos.with_name("unmounted"))
    seconds_of(reader, image)
    with RootWatch(reader.readable) as watch:
        assert watch.names == []

        # When it is back
        away.rename(photos)
        wait_for(lambda: watch.names == ["photos"])
        info = workers.this_process("one", builders.PROVENANCE, watch.names)
        workers.heartbeat(ledger.engine, info, 0)

    # Then the next heartbeat has its images queued again
    assert holds.held(ledger.engine) == []
    assert status(ledger, image.id) == ["running"]
    assert ledger.pending(9) == 1


def test_a_mount_that_hangs_keeps_no_worker_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagtray.worker.batch.root_watch.FIRST_LOOK_SECONDS", 0.05)
    released = threading.Event()

    def hang() -> list[str]:
        released.wait()
        return ["photos"]

    with RootWatch(hang) as watch:
        assert watch.names == ()
        released.set()
        wait_for(lambda: watch.names == ["photos"])


def _fail(*_: object, **__: object) -> None:
    raise MountFault("The file cannot be read just now (Input/output error).", 15.0)
