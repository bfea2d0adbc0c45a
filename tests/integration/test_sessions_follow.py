"""A session goes on while others take its root into another one, move, rename or remove it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tagtray.app.session import Session
from tagtray.config.errors import RootGone
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import merging, roots
from tests import builders
from tests.producing import JPEG
from tests.waiting import wait_for


@pytest.fixture
def library(home: Path) -> Path:
    """A folder with a photo, and one in a folder of it."""
    folder = home / "photos"
    (folder / "2024").mkdir(parents=True)
    for name in ("a.jpg", "2024/b.jpg"):
        put(folder / name)
    return folder


@pytest.fixture
def quick(host: Settings, redis_url: str) -> Settings:
    return host.model_copy(update={"stable": 0.01, "settle": 0.01, "redis_url": redis_url})


@pytest.fixture
def watching(ledger: Ledger, quick: Settings, library: Path) -> Iterator[Session]:
    """A session that watches the inner folder and has scanned it."""
    session = Session(quick, ledger.engine, [str(library / "2024")])
    session.start(watch=True)
    wait_for(lambda: session.producer.idle)
    yield session
    session.stop()


def put(path: Path) -> None:
    path.write_bytes(JPEG)
    os.utime(path, (1_600_000_000,) * 2)


def rows(ledger: Ledger) -> list[tuple[str, str]]:
    query = "SELECT name, images.path FROM images JOIN roots ON roots.id = root_id ORDER BY 1, 2"
    return [(root, path) for root, path in builders.query(ledger, query)]


def await_row(session: Session, root: str, path: str) -> None:
    def is_there() -> bool:
        session.follow()
        return (root, path) in rows(session.ledger)

    wait_for(is_there)


def test_a_root_that_is_taken_into_another_one_is_watched_there(
    watching: Session, ledger: Ledger, quick: Settings, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # When the folder that holds it is named by somebody else, and photos arrive before and after that is seen
    roots.resolve(ledger.engine, quick, library)
    put(library / "2024" / "c.jpg")
    await_row(watching, "photos", "2024/c.jpg")
    put(library / "2024" / "d.jpg")
    await_row(watching, "photos", "2024/d.jpg")

    # Then each is there once, and a sentence says where
    assert [path for _, path in rows(ledger)] == ["2024/b.jpg", "2024/c.jpg", "2024/d.jpg"]
    assert "The root 2024 is part of photos now; its folder is still looked at." in caplog.text
    assert watching.refusal is None
    wait_for(lambda: (watching.progress.new, watching.active()) == (3, 3))


def test_a_root_that_moved_is_watched_where_it_is(
    watching: Session, ledger: Ledger, quick: Settings, library: Path
) -> None:
    new = library.parent / "disk2"
    shutil.move(library, new)
    roots.move(ledger.engine, quick, watching.targets[0].root, new / "2024")

    put(new / "2024" / "c.jpg")
    await_row(watching, "2024", "c.jpg")

    assert rows(ledger) == [("2024", "b.jpg"), ("2024", "c.jpg")]


def test_a_root_that_is_renamed_is_watched_under_its_name(
    watching: Session, ledger: Ledger, library: Path
) -> None:
    roots.rename(ledger.engine, watching.targets[0].root, "year")

    put(library / "2024" / "c.jpg")
    await_row(watching, "year", "c.jpg")
    watching.follow()

    assert [target.root.name for target in watching.targets] == ["year"]


def test_a_root_that_is_removed_ends_the_session_with_one_sentence(
    watching: Session, ledger: Ledger, library: Path
) -> None:
    merging.remove(ledger.engine, watching.targets[0].root.id, forget=False)
    put(library / "2024" / "c.jpg")

    watching.follow()

    sentence = f"The root 2024 was removed; {library.resolve()}/2024 is not looked at any more."
    assert str(watching.refusal) == sentence
    assert rows(ledger) == []
    assert roots.everywhere(ledger.engine, watching.settings) == {}


def test_of_two_roots_one_may_be_removed(
    ledger: Ledger, quick: Settings, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a session of two folders
    (library.parent / "other").mkdir()
    session = Session(quick, ledger.engine, [str(library), str(library.parent / "other")])
    session.start(watch=True)
    # When one of them is removed
    merging.remove(ledger.engine, session.targets[0].root.id, forget=False)
    put(library.parent / "other" / "c.jpg")
    await_row(session, "other", "c.jpg")
    session.follow()
    # Then the other one is watched on
    assert "The root photos was removed" in caplog.text
    assert session.refusal is None and len(session.targets) == 1
    session.stop()


def test_a_scan_finds_its_files_whatever_becomes_of_the_root_meanwhile(
    ledger: Ledger, quick: Settings, library: Path
) -> None:
    # Given a session that has not begun to scan
    session = Session(quick, ledger.engine, [str(library / "2024")])
    roots.resolve(ledger.engine, quick, library)
    # When it scans a root that is no more
    session.start(watch=False)
    await_row(session, "photos", "2024/b.jpg")
    # Then the files are registered where they belong
    assert len(rows(ledger)) == 1
    wait_for(lambda: session.producer.idle)
    session.stop()


def test_new_files_of_a_root_that_is_no_more_are_refused(ledger: Ledger, root: int) -> None:
    merging.remove(ledger.engine, root, forget=False)

    with pytest.raises(RootGone):
        ledger.register(root, [builders.seen("a.jpg")])


def test_no_root_has_the_id_of_one_that_is_no_more(ledger: Ledger, host: Settings, root: int) -> None:
    merging.remove(ledger.engine, root, forget=False)

    assert builders.root(ledger, host, "another").id != root


def test_several_may_take_a_root_over_while_files_arrive_in_it(
    ledger: Ledger, host: Settings, root: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a root with images, of which a page is a few
    monkeypatch.setattr(merging, "PAGE", 10)
    monkeypatch.setattr(merging, "PAUSE", 0.0)
    outer = builders.root(ledger, host, "outer").id
    builders.register(ledger, root, 100)
    began = threading.Event()

    def arrive() -> set[str]:
        names = set[str]()
        for number in range(1_000):
            began.set()
            try:
                ledger.register(root, [builders.seen(f"new{number}.jpg")])
            except RootGone:
                return names
            names.add(f"in/new{number}.jpg")
        return names

    def absorb(_: int) -> int:
        began.wait()
        return merging.absorb(ledger.engine, root, outer, b"in")

    # When two move them, while others come
    with ThreadPoolExecutor(3) as pool:
        arrivals = pool.submit(arrive)
        moved = sum(pool.map(absorb, range(2)))
        arrived = arrivals.result()

    # Then every one is there, once, under one name
    expected = {f"in/{number}.jpg" for number in range(100)} | arrived
    assert sorted(rows(ledger)) == sorted(("outer", name) for name in expected)
    assert moved == len(expected)


def test_folders_within_folders_that_are_named_at_once_become_one_root(
    ledger: Ledger, host: Settings, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a folder with images, of which a page is a few
    monkeypatch.setattr(merging, "PAGE", 10)
    monkeypatch.setattr(merging, "PAUSE", 0.0)
    folders = [library.joinpath(*"abc"[:depth]) for depth in range(4)]
    folders[-1].mkdir(parents=True)
    inner = roots.resolve(ledger.engine, host, folders[-1])
    builders.register(ledger, inner.root.id, 100)

    # When all the folders around it are named at once
    with ThreadPoolExecutor(len(folders)) as pool:
        list(pool.map(lambda folder: roots.resolve(ledger.engine, host, folder), folders))

    # Then the outermost has them
    assert [root.path for root in roots.everywhere(ledger.engine, host).values()] == [
        os.fsencode(library.resolve())
    ]
    assert sorted(rows(ledger)) == sorted(("photos", f"a/b/c/{number}.jpg") for number in range(100))
