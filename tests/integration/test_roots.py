"""Roots that overlap, move, are copied, renamed and removed: rows follow, results stay."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tagtray.config.errors import UsageError
from tagtray.config.settings import Settings
from tagtray.db.ledger import Ledger
from tagtray.db.places import merging, roots, uploads
from tagtray.db.places.roots import Target
from tagtray.db.records import Done
from tagtray.producer.producer import Producer
from tests import builders
from tests.producing import JPEG


@pytest.fixture
def library(host: Settings) -> Path:
    """A folder of three photos, one of them in a folder of it."""
    folder = host.home / "disk1" / "photos"
    (folder / "2024").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "2024/c.jpg"):
        (folder / name).write_bytes(JPEG)
        os.utime(folder / name, (1_600_000_000,) * 2)
    return folder


@pytest.fixture
def host(host: Settings) -> Settings:
    return host.model_copy(update={"stable": 0.01, "settle": 0.01})


def run(ledger: Ledger, host: Settings, folder: Path, name: str | None = None) -> Target:
    """Scan a folder and classify what is pending in it."""
    target = roots.resolve(ledger.engine, host, folder, name)
    Producer(host, ledger, lambda: None, [target]).scan()
    ids = [image.id for image in ledger.take_pending(100)]
    for image in ledger.claim(ids, "w", 60.0, 1):
        sha256 = builders.sha(os.path.basename(image.path).decode("utf-8", "replace"))
        content, info = builders.content(), os.stat(os.path.join(target.root.path, image.path))
        builders.commit(ledger, Done(image.id, sha256, info.st_size, info.st_mtime_ns, content))
    return target


def places(ledger: Ledger) -> list[tuple[str, str]]:
    return [
        (root, path) for root, path in builders.query(ledger, "SELECT root, path FROM top1 ORDER BY 1, 2")
    ]


def test_a_root_is_taken_into_one_that_contains_it(ledger: Ledger, host: Settings, library: Path) -> None:
    # Given a folder that was tried first
    inner = run(ledger, host, library / "2024")
    # When the whole library is taken
    outer = run(ledger, host, library)
    # Then its photo is there once, with its row, and a sentence says so
    assert places(ledger) == [("photos", "2024/c.jpg"), ("photos", "a.jpg"), ("photos", "b.jpg")]
    assert outer.notes == ("The root 2024 lies in this folder and is part of photos now.",)
    assert inner.root.id not in roots.everywhere(ledger.engine, host)
    assert builders.query(ledger, "SELECT COUNT(*) FROM classifications") == [(3,)]


def test_a_row_whose_name_is_no_utf8_moves_as_well(ledger: Ledger, host: Settings, library: Path) -> None:
    (library / "2024" / "c.jpg").rename(os.fsdecode(os.fsencode(library / "2024") + b"/\xff.jpg"))
    run(ledger, host, library / "2024")
    run(ledger, host, library)

    raw = builders.query(ledger, "SELECT path_raw FROM images WHERE path_raw IS NOT NULL")
    assert [bytes(found) for (found,) in raw] == [b"2024/\xff.jpg"]


def test_of_two_rows_of_a_file_the_one_with_results_stays(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given what an earlier version left: the same file under two roots, classified in one of them
    inner = run(ledger, host, library / "2024")
    outer = builders.root(ledger, host, "elsewhere")
    ledger.register(outer.id, [builders.seen("2024/c.jpg")])
    # When one is taken into the other
    merging.absorb(ledger.engine, inner.root.id, outer.id, b"2024")
    # Then the row with the results stays
    assert places(ledger) == [("elsewhere", "2024/c.jpg")]


@pytest.mark.parametrize("place", ["disk2/photos", "disk2/backup/photos"])
def test_a_library_that_moved_is_the_same_library(
    ledger: Ledger, host: Settings, library: Path, place: str
) -> None:
    before = run(ledger, host, library)
    new = host.home / place
    new.parent.mkdir(parents=True)
    shutil.move(library, new)

    after = run(ledger, host, new)

    assert after.root.id == before.root.id
    assert "moved here from" in after.notes[0]
    assert len(places(ledger)) == 3
    assert builders.query(ledger, "SELECT COUNT(*) FROM classifications") == [(3,)]


def test_a_part_of_a_library_that_moved_is_found_in_the_whole(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    run(ledger, host, library / "2024")
    shutil.move(library, host.home / "moved")

    run(ledger, host, host.home / "moved")

    assert [path for _, path in places(ledger)] == ["2024/c.jpg", "a.jpg", "b.jpg"]


def test_a_folder_of_a_library_that_moved_leads_to_the_library(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    before = run(ledger, host, library)
    shutil.move(library, host.home / "moved")

    after = roots.resolve(ledger.engine, host, host.home / "moved" / "2024")

    assert (after.root.id, after.below) == (before.root.id, b"2024")


def test_a_library_that_moved_into_another_one_is_part_of_it(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given two libraries
    archive = host.home / "archive"
    archive.mkdir()
    (archive / "z.jpg").write_bytes(JPEG)
    run(ledger, host, archive)
    run(ledger, host, library)
    # When one moves into the other, which is then looked at
    library.rename(archive / "photos")
    target = run(ledger, host, archive)
    # Then it is there alone, with the results that it had
    assert target.notes == ("The root photos lies in this folder and is part of archive now.",)
    assert places(ledger) == [("archive", f"photos/{name}") for name in ("2024/c.jpg", "a.jpg", "b.jpg")] + [
        ("archive", "z.jpg")
    ]
    assert builders.query(ledger, "SELECT COUNT(*) FROM classifications") == [(4,)]


def test_a_copy_that_a_library_has_does_not_take_in_the_root_of_a_disk_that_is_away(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given a library, and a copy of it that another one knows
    archive = host.home / "archive"
    shutil.copytree(library, archive / "photos")
    run(ledger, host, archive, "archive")
    run(ledger, host, library, "disk")
    # When the disk is away while that one is looked at
    library.rename(library.with_name("away"))
    run(ledger, host, archive)
    # Then it is a root of its own as before
    assert {root.name for root in roots.everywhere(ledger.engine, host).values()} == {"archive", "disk"}


def test_a_copy_beside_the_library_needs_a_name(ledger: Ledger, host: Settings, library: Path) -> None:
    run(ledger, host, library)
    copy = host.home / "copy"
    shutil.copytree(library, copy)

    with pytest.raises(UsageError, match=r"copy has the files of the root photos.*\(NAME=DIR\)"):
        roots.resolve(ledger.engine, host, copy)
    run(ledger, host, copy, "backup")

    assert {root for root, _ in places(ledger)} == {"photos", "backup"}


def test_a_library_that_another_host_knows_elsewhere_is_not_moved(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    run(ledger, host, library)
    builders.execute(ledger, "UPDATE roots SET host = 'nas'")
    shutil.move(library, host.home / "moved")

    with pytest.raises(UsageError, match="TAGTRAY_ROOT_PHOTOS"):
        roots.resolve(ledger.engine, host, host.home / "moved")


def test_a_folder_has_one_name(ledger: Ledger, host: Settings, library: Path) -> None:
    run(ledger, host, library)

    with pytest.raises(UsageError, match="is the root photos already; `tagtray roots rename photos other`"):
        roots.resolve(ledger.engine, host, library, "other")
    with pytest.raises(UsageError, match="lies in the root photos already; leave other= out"):
        roots.resolve(ledger.engine, host, library / "2024", "other")


def test_a_root_is_renamed_and_moved_by_hand(ledger: Ledger, host: Settings, library: Path) -> None:
    target = run(ledger, host, library)
    (host.home / "other").mkdir()

    roots.rename(ledger.engine, target.root, "all")
    roots.move(ledger.engine, host, target.root, host.home / "other")

    found = roots.named(ledger.engine, host, "all")
    assert found.path == os.fsencode((host.home / "other").resolve())
    with pytest.raises(UsageError, match="There is no root 'photos'; there is all"):
        roots.named(ledger.engine, host, "photos")
    with pytest.raises(UsageError, match="There is a root all already"):
        roots.rename(ledger.engine, target.root, "all")


def test_what_is_said_of_a_place_that_another_root_has_can_be_done(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given two roots that are apart
    target = run(ledger, host, library)
    place = host.home / "other"
    place.mkdir()
    other = run(ledger, host, place)

    # When one is said to be where the other one is, then that has to go first
    with pytest.raises(UsageError, match="belongs to the root other; `tagtray roots remove other` takes"):
        roots.move(ledger.engine, host, target.root, place)
    merging.remove(ledger.engine, other.root.id, forget=False)
    assert roots.move(ledger.engine, host, target.root, place).path == os.fsencode(place.resolve())

    # And the place of uploads is nobody else's
    kept = uploads.ensure(ledger.engine, host)
    with pytest.raises(UsageError, match="belongs to the root uploads; choose another folder"):
        roots.move(ledger.engine, host, target.root, Path(os.fsdecode(kept.path)))


def test_a_removed_root_comes_back_without_a_forward_pass(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    target = run(ledger, host, library)

    assert merging.remove(ledger.engine, target.root.id, forget=False) == 3
    assert places(ledger) == []
    assert builders.query(ledger, "SELECT COUNT(*) FROM classifications") == [(3,)]
    again = run(ledger, host, library)
    assert merging.remove(ledger.engine, again.root.id, forget=True) == 3
    for table in ("contents", "classifications", "predictions", "tags"):
        assert builders.query(ledger, f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_roots_that_an_earlier_version_nested_are_found_and_merged(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    run(ledger, host, library)
    nested = os.fsdecode(os.path.realpath(library / "2024"))
    builders.execute(ledger, f"INSERT INTO roots (name, path, host) VALUES ('inner', '{nested}', '')")

    assert [(inner.name, outer.name) for inner, outer in roots.overlaps(ledger.engine, host)] == [
        ("inner", "photos")
    ]
    roots.merge_overlaps(ledger.engine, host)

    assert roots.overlaps(ledger.engine, host) == []


def test_rows_of_files_that_are_no_longer_wanted_are_ignored_until_they_are(
    ledger: Ledger, host: Settings, library: Path
) -> None:
    # Given a classified library, with a file that failed
    (library / "notes.bin").write_bytes(b"no picture")
    os.utime(library / "notes.bin", (1_600_000_000,) * 2)
    run(ledger, host, library)
    builders.execute(
        ledger,
        "UPDATE images SET status = 'failed', error_code = 'corrupt', error_message = 'x', content_id = NULL"
        " WHERE path = 'notes.bin'",
    )
    # When lines in an ignore file leave some of it out, and a folder becomes hidden
    (library / ".tagtrayignore").write_bytes("b.jpg\r\n*.bin\r\n".encode("utf-16"))
    (library / "2024").rename(library / ".2024")
    run(ledger, host, library)
    # Then the views show the rest, and failures nothing
    assert places(ledger) == [("photos", "a.jpg")]
    assert builders.query(ledger, "SELECT path FROM failures") == []
    # When the lines go, then all is back without being pending
    (library / ".tagtrayignore").unlink()
    (library / ".2024").rename(library / "2024")
    target = roots.resolve(ledger.engine, host, library)
    Producer(host, ledger, lambda: None, [target]).scan()
    assert builders.query(ledger, "SELECT path FROM failures") == [("notes.bin",)]
    assert [path for _, path in places(ledger)] == ["a.jpg", "b.jpg"]
    assert ledger.counts()["pending"] == 1  # 2024/c.jpg, which was gone


@pytest.mark.parametrize("line", ["*", "*/\n*.jpg"])
def test_a_line_that_leaves_everything_out_does(
    ledger: Ledger, host: Settings, library: Path, line: str
) -> None:
    run(ledger, host, library)
    (library / ".tagtrayignore").write_text(line)

    run(ledger, host, library)

    assert places(ledger) == []
    assert ledger.counts()["ignored"] == 3


@pytest.mark.parametrize(
    "folder",
    [
        "x.photoslibrary/resources",
        "x.lrdata",
        "y.aplibrary/Previews",
        "appdata_oc1/preview",
        "files_trashbin",
    ],
)
def test_copies_of_other_programs_are_left_out_unless_asked_for(
    ledger: Ledger, host: Settings, library: Path, folder: str
) -> None:
    (library / folder).mkdir(parents=True)
    (library / folder / "copy.jpg").write_bytes(JPEG)
    os.utime(library / folder / "copy.jpg", (1_600_000_000,) * 2)
    target = roots.resolve(ledger.engine, host, library)
    producer = Producer(host, ledger, lambda: None, [target])

    totals = producer.scan()
    (library / ".tagtrayignore").write_text(f"!/{folder}/\n")
    with_copies = Producer(host, ledger, lambda: None, [target]).scan()

    assert (totals.new, totals.caches) == (3, 1)
    assert with_copies.new == 1


def test_originals_in_a_photo_library_are_photos(ledger: Ledger, host: Settings, library: Path) -> None:
    originals = library / "x.photoslibrary" / "originals" / "0"
    originals.mkdir(parents=True)
    (originals / "d.jpg").write_bytes(JPEG)
    (library / "android").mkdir()
    (library / "android" / ".nomedia").touch()
    (library / "android" / "e.jpg").write_bytes(JPEG)
    target = roots.resolve(ledger.engine, host, library)

    assert Producer(host, ledger, lambda: None, [target]).scan().new == 4


def test_a_pattern_that_is_none_is_named(
    ledger: Ledger, host: Settings, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (library / ".tagtrayignore").write_text("# fine\n*.gif\n**/a/**/b/**/c/**/d/**\n")

    run(ledger, host, library)

    assert ".tagtrayignore, line 3: **/a/**/b/**/c/**/d/** is no pattern" in caplog.text
