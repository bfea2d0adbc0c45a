"""Links that lead out of a folder, where they are followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tagtray.db.places import roots
from tagtray.db.tables import Status
from tagtray.producer import links
from tagtray.producer.producer import Producer
from tagtray.producer.totals import Totals
from tests.builders import query
from tests.producing import JPEG, Studio


@pytest.fixture
def studio(tmp_path: Path, home: Path, ledger_url: str) -> Iterator[Studio]:
    studio = Studio(home, tmp_path / "photos", ledger_url)
    yield studio
    studio.close()


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A folder beside the photos."""
    away = tmp_path / "away"
    (away / "album").mkdir(parents=True)
    for name in ("album/a.jpg", "album/b.jpg", "single.jpg", "other.jpg"):
        (away / name).write_bytes(JPEG)
    return away


def _scan(studio: Studio) -> Totals:
    found = links.follow(studio.ledger.engine, studio.settings, [studio.target])
    return Producer(studio.settings, studio.ledger, lambda: None, found.targets, found.single).scan()


def _rows(studio: Studio) -> list[tuple[str, str]]:
    """Root and path of every image that is not missing."""
    statement = (
        "SELECT r.name, i.path FROM images i JOIN roots r ON r.id = i.root_id WHERE status <> 'missing'"
    )
    return sorted((root, path) for root, path in query(studio.ledger, statement))


def test_folders_and_files_count_once_and_in_roots_of_their_own(studio: Studio, away: Path) -> None:
    # Given links to a folder, two ways, and to a file beside others
    studio.put("mine.jpg")
    (studio.folder / "album").symlink_to(away / "album")
    (studio.folder / "again").symlink_to("../away/album")
    (studio.folder / "photo.jpg").symlink_to(away / "album/a.jpg")
    (studio.folder / "paper.txt").symlink_to(away / "other.jpg")
    # When
    _scan(studio)
    # Then each file has one row, under its own name
    assert _rows(studio) == [("album", "a.jpg"), ("album", "b.jpg"), ("photos", "mine.jpg")]
    assert _scan(studio).new == 0


def test_a_link_to_a_file_takes_in_that_file_alone(studio: Studio, away: Path) -> None:
    # Given
    studio.put("mine.jpg")
    (studio.folder / "photo.jpg").symlink_to(away / "single.jpg")
    _scan(studio)
    assert _rows(studio) == [("away", "single.jpg"), ("photos", "mine.jpg")]
    # When another one is in its folder, by a scan of its own, and the first one goes
    whole = roots.resolve(studio.ledger.engine, studio.settings, away)
    studio.producer(whole).scan()
    (away / "single.jpg").unlink()
    (studio.folder / "photo.jpg").unlink()
    (studio.folder / "photo.jpg").symlink_to(away / "other.jpg")
    totals = _scan(studio)
    # Then what is not linked to is left alone
    assert totals.missing == 0
    assert ("away", "album/a.jpg") in _rows(studio)


def test_links_in_folders_that_links_lead_to_are_followed_too_and_loops_end(
    studio: Studio, away: Path, tmp_path: Path
) -> None:
    # Given a chain of three folders that ends where it began
    far = tmp_path / "far"
    far.mkdir()
    (far / "c.jpg").write_bytes(JPEG)
    studio.put("mine.jpg")
    (studio.folder / "first").symlink_to(away / "album")
    (away / "album/second").symlink_to(far)
    (far / "third").symlink_to(studio.folder)
    (far / "self").symlink_to(far)
    # When
    _scan(studio)
    # Then
    assert _rows(studio) == [
        ("album", "a.jpg"),
        ("album", "b.jpg"),
        ("far", "c.jpg"),
        ("photos", "mine.jpg"),
    ]


@pytest.mark.parametrize("where", ["..", "/", "../single.jpg"])
def test_a_link_to_what_holds_the_folder_is_left_out_with_a_sentence(
    studio: Studio, tmp_path: Path, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    # Given
    (tmp_path / "single.jpg").write_bytes(JPEG)
    studio.put("mine.jpg")
    (studio.folder / "up.jpg").symlink_to(where)
    # When
    _scan(studio)
    # Then
    assert _rows(studio) == [("photos", "mine.jpg")]
    assert "are not followed: this folder holds the root photos" in caplog.text


def test_tagtrays_home_is_not_followed(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    studio.put("mine.jpg")
    (studio.folder / "home").symlink_to(studio.settings.home)

    _scan(studio)

    assert _rows(studio) == [("photos", "mine.jpg")]
    assert "this folder is TAGTRAY_HOME's" in caplog.text
    assert query(studio.ledger, "SELECT name FROM roots") == [("photos",)]


def test_a_file_that_a_link_led_to_is_missing_when_it_goes(studio: Studio, away: Path) -> None:
    # Given
    studio.put("mine.jpg")
    (studio.folder / "photo.jpg").symlink_to(away / "single.jpg")
    found = links.follow(studio.ledger.engine, studio.settings, [studio.target])
    producer = Producer(studio.settings, studio.ledger, lambda: None, found.targets, found.single)
    producer.scan()
    # When
    (away / "single.jpg").unlink()
    producer.scan()
    # Then
    assert query(studio.ledger, "SELECT status FROM images WHERE path = 'single.jpg'") == [(Status.MISSING,)]
    assert _rows(studio) == [("photos", "mine.jpg")]
